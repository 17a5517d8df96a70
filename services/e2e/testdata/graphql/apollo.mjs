// Asks with Apollo Client and prints what it got as JSON: node apollo.mjs HOST TOKEN EMAIL ID,ID
import { createHash } from 'node:crypto'
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, CombinedGraphQLErrors, gql } from '@apollo/client'
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries'
import { filter, firstValueFrom } from 'rxjs'
import { relayStylePagination } from '@apollo/client/utilities'

const [host, token, email, ids] = process.argv.slice(2)
const methods = []
const http = new HttpLink({
  uri: `${host}/graphql`,
  headers: { authorization: `Bearer ${token}` },
  fetch: (url, options) => {
    methods.push(options.method + (String(url).includes('query=') || options.body?.includes('"query"') ? ' document' : ''))
    return fetch(url, options)
  },
})
const cache = () => new InMemoryCache({ typePolicies: { Dossier: { fields: { timeline: relayStylePagination(['channels', 'types']) } } } })
const client = new ApolloClient({ cache: cache(), link: http })
const query = gql`
  query Who($email: String!, $after: String) {
    dossier(identifier: { kind: "email", value: $email }) {
      id
      profile { id known personas { id persona source } }
      timeline(first: 2, after: $after) { totalCount pageInfo { hasNextPage endCursor } edges { cursor node { id type occurredAt } } }
    }
  }
`
const out = {}
const watched = client.watchQuery({ query, variables: { email } })
const first = (await firstValueFrom(watched.pipe(filter((result) => result.dataState === 'complete')))).data.dossier
await watched.fetchMore({ variables: { after: first.timeline.pageInfo.endCursor } })
const all = client.readQuery({ query, variables: { email } }).dossier
out.types = all.timeline.edges.map((e) => e.node.type)
out.cached = Object.keys(client.cache.extract()).filter((key) => key !== 'ROOT_QUERY' && key !== '__META').map((key) => key.split(':')[0]).sort()

out.batch = (await client.query({
  query: gql`query Batch($ids: [ID!]!) { profiles(ids: $ids) { edges { asked node { id dossier { id timeline(first: 1) { edges { node { type } } } } } } } }`,
  variables: { ids: ids.split(',') },
})).data.profiles.edges.map((e) => ({ asked: e.asked, timeline: e.node.dossier.timeline.edges.length }))

out.codes = []
for (const document of [gql`{ shoeSize }`, gql`{ dossier(identifier: { kind: "email", value: "" }) { id } }`]) {
  try {
    await client.query({ query: document })
    out.codes.push('none')
  } catch (e) {
    out.codes.push(CombinedGraphQLErrors.is(e) ? e.errors[0].extensions.code : String(e))
  }
}
const about = await client.query({ query: gql`{ metrics { profiles } nobody: dossier(identifier: { kind: "email", value: "nobody@example.com" }) { id } }` })
out.nobody = about.data.nobody

// Automatic persisted queries, by GET: the first asks by hash, is told that it is unknown, and sends the document once.
methods.length = 0
const sha256 = (text) => createHash('sha256').update(text).digest('hex')
const persisted = new ApolloClient({ cache: cache(), link: ApolloLink.from([new PersistedQueryLink({ sha256, useGETForHashedQueries: true }), http]) })
for (let n = 0; n < 2; n++) {
  const answer = await persisted.query({ query, variables: { email }, fetchPolicy: 'network-only' })
  out.persisted = answer.data.dossier.profile.id === all.profile.id
}
out.methods = methods
console.log(JSON.stringify(out))
