// Sends events with @rudderstack/rudder-sdk-node, which puts gzip under a form's Content-Type: node rudderstack.mjs HOST KEY
import Analytics from '@rudderstack/rudder-sdk-node'

const [dataPlaneUrl, writeKey] = process.argv.slice(2)
const failures = []
const client = new Analytics(writeKey, { dataPlaneUrl, flushAt: 3, flushInterval: 200, logLevel: 'error', errorHandler: (e) => failures.push(String(e)) })

// Beside a timestamp that it is given, this SDK sends its own clock as originalTimestamp, which is what counts: so that is what is given.
const originalTimestamp = new Date('2026-02-03T04:05:06.789Z')
const sent = (call) => new Promise((done) => call(done))
const order = { userId: 'rudder-1', messageId: 'rudder-t1', originalTimestamp, event: 'Order Completed', properties: { order_id: 'rudder-o1', total: 12.5, currency: 'EUR' } }
const all = [
  sent((done) => client.page({ anonymousId: 'rudder-a1', messageId: 'rudder-p1', originalTimestamp, name: 'Où êtes-vous ? 🎁' }, done)),
  sent((done) => client.identify({ userId: 'rudder-1', anonymousId: 'rudder-a1', messageId: 'rudder-i1', originalTimestamp, traits: { email: 'rudder@example.com', firstName: 'Ann' } }, done)),
  sent((done) => client.track(order, done)),
  sent((done) => client.track(order, done)),
  sent((done) => client.group({ userId: 'rudder-1', groupId: 'g1', messageId: 'rudder-g1', originalTimestamp }, done)),
  sent((done) => client.screen({ userId: 'rudder-1', messageId: 'rudder-s1', originalTimestamp, name: 'Cart' }, done)),
  sent((done) => client.alias({ userId: 'rudder-1', previousId: 'rudder-a2', messageId: 'rudder-l1', originalTimestamp }, done)),
]
const outcomes = await Promise.all(all)
await client.flush()
failures.push(...outcomes.filter((e) => e instanceof Error).map(String))
if (failures.length > 0) {
  console.error(failures)
  process.exit(1)
}
process.exit(0)
