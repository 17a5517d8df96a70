// Sends events with @segment/analytics-node on a machine whose clock is wrong: node node.mjs HOST KEY SKEW-IN-MILLISECONDS
const [host, writeKey, skew] = process.argv.slice(2)

const RealDate = Date
globalThis.Date = class extends RealDate {
  constructor(...of) {
    if (of.length === 0) super(RealDate.now() + Number(skew))
    else super(...of)
  }
  static now() {
    return RealDate.now() + Number(skew)
  }
}

const { Analytics } = await import('@segment/analytics-node')
const analytics = new Analytics({ host, writeKey, flushAt: 2, maxRetries: 5 })
const failures = []
analytics.on('error', (e) => failures.push(e))

const timestamp = new RealDate('2026-02-03T04:05:06.789Z')
const order = { userId: 'node-1', messageId: 'node-t1', timestamp, event: 'Order Completed', properties: { order_id: 'node-o1', total: 12.5, currency: 'EUR' } }
analytics.page({ anonymousId: 'node-a1', messageId: 'node-p1', timestamp, name: 'Où êtes-vous ? 🎁' })
analytics.identify({ userId: 'node-1', anonymousId: 'node-a1', messageId: 'node-i1', timestamp, traits: { email: 'node@example.com', firstName: 'Ann' } })
analytics.track(order)
analytics.track(order)
analytics.group({ userId: 'node-1', groupId: 'g1', messageId: 'node-g1', timestamp })
analytics.screen({ userId: 'node-1', messageId: 'node-s1', timestamp, name: 'Cart' })
analytics.alias({ userId: 'node-1', previousId: 'node-a2', messageId: 'node-l1', timestamp })
await analytics.closeAndFlush({ timeout: 60000 })
if (failures.length > 0) {
  console.error(failures)
  process.exit(1)
}
