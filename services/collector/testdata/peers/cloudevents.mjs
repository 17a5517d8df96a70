// Sends one CloudEvent in every mode, and some that carry other things: node cloudevents.mjs URL KEY
import { CloudEvent, HTTP, Mode, emitterFor, httpTransport } from 'cloudevents'

const [url, key] = process.argv.slice(2)
const authorization = 'Basic ' + Buffer.from(key + ':').toString('base64')
const time = '2026-02-03T04:05:06.789Z'

async function post({ headers, body }) {
  const response = await fetch(url, { method: 'POST', headers: { ...headers, authorization }, body })
  const answer = await response.json()
  if (response.status !== 200 || answer.refused.length > 0) {
    console.error(response.status, JSON.stringify(answer), headers, String(body))
    process.exit(1)
  }
}

const order = new CloudEvent({
  id: 'o1', source: '/caisse', type: 'com.example.order.placed', time, region: 'eu',
  data: { userId: 'u1', entity: 'order-1', amount: '12.50', currency: 'EUR', text: 'où est ma commande ? 🎁' },
})
await post(HTTP.binary(order))
await post(HTTP.structured(order))
await post({ headers: { 'content-type': 'application/cloudevents-batch+json; charset=utf-8' }, body: JSON.stringify([order, order]) })
// The emitters of the library set the headers by themselves; the transport is its own, with the key added.
for (const mode of [Mode.BINARY, Mode.STRUCTURED]) {
  const emit = emitterFor((message) => post(message), { mode })
  await emit(order)
}
if (typeof httpTransport !== 'function') process.exit(1)

const say = (id, more) => new CloudEvent({ id, source: '/caisse', type: 'com.example.said', subject: 'u1', time, ...more })
await post(HTTP.binary(say('t1', { data: 'bonjour à tous', datacontenttype: 'text/plain' })))
await post(HTTP.structured(say('t1', { data: 'bonjour à tous', datacontenttype: 'text/plain' })))
await post(HTTP.structured(say('b1', { data: new Uint8Array([0xff, 0, 1]), datacontenttype: 'application/octet-stream' })))
await post(HTTP.binary(say('n1', {})))
await post(HTTP.structured(say('n1', {})))
await post(HTTP.binary(say('l1', { data: [1, 2], datacontenttype: 'application/json' })))
await post(HTTP.structured(say('l1', { data: [1, 2], datacontenttype: 'application/json' })))
await post(HTTP.binary(say('é', { subject: 'ué', data: { a: 1 } })))
