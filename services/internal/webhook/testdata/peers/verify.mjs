// Verifies a webhook as a receiver does: node verify.mjs SECRET HEADERS BODY, the headers as JSON. It prints a word for each library.
import { Webhook as Standard } from 'standardwebhooks'
import { Webhook as Svix } from 'svix'

const [secret, headers, body] = process.argv.slice(2)
for (const [name, Library] of [['standardwebhooks', Standard], ['svix', Svix]]) {
  try {
    new Library(secret).verify(body, JSON.parse(headers))
    console.log(name, 'ok')
  } catch (e) {
    console.log(name, 'refused')
  }
}
