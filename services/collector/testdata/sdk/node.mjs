// Sends events with @segment/analytics-node: node node.mjs HOST KEY
import { Analytics } from '@segment/analytics-node'

const [host, writeKey] = process.argv.slice(2)
const analytics = new Analytics({ host, writeKey, flushAt: 3, maxRetries: 5 })
const failures = []
analytics.on('error', (e) => failures.push(e))

const timestamp = new Date('2026-02-03T04:05:06.789Z')
analytics.identify({ userId: 'u1', messageId: 'i1', timestamp, traits: { email: 'ann@example.com', name: 'Ann' } })
analytics.track({ userId: 'u1', messageId: 't1', timestamp, event: 'Order Completed', properties: { order_id: 'o1', total: 12.5, currency: 'EUR' } })
analytics.track({ userId: 'u1', messageId: 't1', timestamp, event: 'Order Completed', properties: { order_id: 'o1', total: 12.5, currency: 'EUR' } })
analytics.page({ anonymousId: 'a1', messageId: 'p1', timestamp, name: 'Accueil', properties: { title: 'Où êtes-vous ? 🎁' } })
analytics.group({ userId: 'u1', groupId: 'g1', messageId: 'g1', timestamp })
analytics.alias({ userId: 'u1', previousId: 'a1', messageId: 'l1', timestamp })
await analytics.closeAndFlush({ timeout: 20000 })
if (failures.length > 0) {
  console.error(failures)
  process.exit(1)
}
