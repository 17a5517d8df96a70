// Sends events with @customerio/cdp-analytics-node: node customerio.mjs HOST KEY
import { Analytics } from '@customerio/cdp-analytics-node'

const [host, writeKey] = process.argv.slice(2)
const analytics = new Analytics({ host, writeKey, flushAt: 3, maxRetries: 8 })
const failures = []
analytics.on('error', (e) => failures.push(e))

const timestamp = new Date('2026-02-03T04:05:06.789Z')
const order = { userId: 'cio-1', messageId: 'cio-t1', timestamp, event: 'Order Completed', properties: { order_id: 'cio-o1', total: 12.5, currency: 'EUR' } }
analytics.page({ anonymousId: 'cio-a1', messageId: 'cio-p1', timestamp, name: 'Où êtes-vous ? 🎁' })
analytics.identify({ userId: 'cio-1', anonymousId: 'cio-a1', messageId: 'cio-i1', timestamp, traits: { email: 'cio@example.com', firstName: 'Ann' } })
analytics.track(order)
analytics.track(order)
analytics.group({ userId: 'cio-1', groupId: 'g1', messageId: 'cio-g1', timestamp })
analytics.screen({ userId: 'cio-1', messageId: 'cio-s1', timestamp, name: 'Cart' })
analytics.alias({ userId: 'cio-1', previousId: 'cio-a2', messageId: 'cio-l1', timestamp })
await analytics.closeAndFlush({ timeout: 60000 })
if (failures.length > 0) {
  console.error(failures)
  process.exit(1)
}
