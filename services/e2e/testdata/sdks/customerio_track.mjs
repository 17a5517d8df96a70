// Sends to the Track API with customerio-node: NODE_EXTRA_CA_CERTS=FILE node customerio_track.mjs HOST PORT SITE KEY
import { TrackClient, RegionUS, IdentifierType } from 'customerio-node'

const [host, port, site, key] = process.argv.slice(2)
const track = new TrackClient(site, key, { region: RegionUS, url: `https://${host}/api/v1`, port })
const timestamp = 1770091445 // 2026-02-03T04:04:05Z

await track.identify('tio-1', { email: 'tio@example.com', first_name: 'Ann', plan: 'gold' })
for (let n = 0; n < 2; n++) {
  await track.track('tio-1', { name: 'Order Completed', id: 'tio-t1', timestamp, data: { order_id: 'tio-o1', total: 12.5, currency: 'EUR' } })
}
await track.trackPageView('tio-1', '/où êtes-vous ? 🎁')
await track.trackAnonymous('tio-a1', { name: 'Seen', id: 'tio-t2', timestamp })
await track.identify('tio-1', { anonymous_id: 'tio-a1' })
await track.addDevice('tio-1', 'device-1', 'ios', { last_used: timestamp, app_version: '2' })
await track.mergeCustomers(IdentifierType.Id, 'tio-1', IdentifierType.Id, 'tio-2')
for (const refused of [() => track.destroy('tio-1'), () => track.suppress('tio-1'), () => new TrackClient(site, 'guessed', { url: `https://${host}/api/v1`, port }).identify('x')]) {
  try {
    await refused()
    throw new Error('it was taken')
  } catch (e) {
    if (![401, 404].includes(e.statusCode)) throw e
  }
}
