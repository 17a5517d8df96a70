// Sends a body as Standard Webhooks sign it: node webhook.mjs URL SECRET ID SECONDS-AGO BODY. It prints the status and the answer.
import { Webhook } from 'standardwebhooks'

const [url, secret, id, ago, body] = process.argv.slice(2)
const at = new Date(Date.now() - 1000 * Number(ago))
const signature = new Webhook(secret).sign(id, at, body)
const response = await fetch(url, {
  method: 'POST', body,
  headers: { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': String(Math.floor(at.getTime() / 1000)), 'webhook-signature': signature },
})
console.log(response.status, await response.text())
