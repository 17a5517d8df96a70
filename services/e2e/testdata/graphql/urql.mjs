// Asks with urql, by GET and with persisted queries, and prints what it got as JSON: node urql.mjs HOST TOKEN EMAIL
import { Client, cacheExchange, fetchExchange, gql } from '@urql/core'
import { persistedExchange } from '@urql/exchange-persisted'

const [host, token, email] = process.argv.slice(2)
const methods = []
const options = {
  url: `${host}/graphql`,
  preferGetMethod: true,
  fetchOptions: { headers: { authorization: `Bearer ${token}` } },
  fetch: (url, options) => {
    methods.push(options.method + (String(url).includes('query=') || options.body?.includes('"query"') ? ' document' : ''))
    return fetch(url, options)
  },
}
const query = gql`query Who($email: String!) { dossier(identifier: { kind: "email", value: $email }) { id profile { id known } timeline(first: 10) { totalCount edges { node { id type } } } } }`
const out = {}
const plain = new Client({ ...options, exchanges: [cacheExchange, fetchExchange] })
let answer = await plain.query(query, { email })
if (answer.error) throw answer.error
out.types = answer.data.dossier.timeline.edges.map((e) => e.node.type)
answer = await plain.query(query, { email }) // from its cache
out.total = answer.data.dossier.timeline.totalCount
answer = await plain.query(gql`{ shoeSize }`, {})
out.codes = [answer.error.graphQLErrors[0].extensions.code]
answer = await plain.mutation(gql`mutation ($id: ID!) { separate(a: $id, b: $id, reason: "test", idempotencyKey: "k") { event } }`, { id: out.id ?? '70000000-0000-8000-8000-000000000001' })
out.codes.push(answer.error.graphQLErrors[0].extensions.code)
out.methods = methods.splice(0)

const persisted = new Client({ ...options, exchanges: [persistedExchange({ preferGetForPersistedQueries: true }), fetchExchange] })
for (let n = 0; n < 2; n++) {
  answer = await persisted.query(query, { email })
  if (answer.error) throw answer.error
}
out.persisted = { methods: methods.splice(0), total: answer.data.dossier.timeline.totalCount }
console.log(JSON.stringify(out))
