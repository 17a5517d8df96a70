// Fetches the compiled queries with relay-runtime and prints what its store holds as JSON: node run.mjs HOST TOKEN EMAIL
import { createRequire } from 'node:module'
const require = createRequire(import.meta.url)
const { Environment, Network, RecordSource, Store, createOperationDescriptor, fetchQuery, getRequest, getFragment, getSelector, getNode } = require('relay-runtime')

const [host, token, email] = process.argv.slice(2)
const artifact = (name) => require(`./__generated__/${name}.graphql.js`)
const environment = new Environment({
  network: Network.create(async (request, variables) => {
    const response = await fetch(`${host}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: request.text, operationName: request.name, variables }),
    })
    return response.json()
  }),
  store: new Store(new RecordSource()),
})
const ask = async (name, variables) => fetchQuery(environment, artifact(name), variables).toPromise()
const keep = async (name, variables) => environment.retain(createOperationDescriptor(getRequest(artifact(name)), variables))
const timelineOf = async (dossier) => {
  const fragment = getFragment(artifact('queriesTimeline'))
  return environment.lookup(getSelector(fragment, dossier)).data.timeline
}

const out = {}
await keep('queriesWhoQuery', { email })
const dossier = (await ask('queriesWhoQuery', { email })).dossier
out.profile = dossier.profile
const page = await timelineOf(dossier)
out.first = page.edges.map((e) => e.node.type)
out.hasNext = page.pageInfo.hasNextPage
// The next page, by the query that the compiler made: node(id:) finds the dossier again.
const id = dossier.__id
out.dossier = id
await ask('queriesTimelinePageQuery', { id, first: 10, after: page.pageInfo.endCursor })
out.all = (await timelineOf(dossier)).edges.map((e) => e.node.type)
const people = await ask('queriesPeopleQuery', { ids: [dossier.profile.id] })
out.people = people.profiles.edges.length
out.nodes = []
for (const id of [dossier.__id, dossier.profile.id, `persona:${dossier.profile.id}`, page.edges[0].node.id]) {
  const { node } = await ask('queriesNodeQuery', { id })
  out.nodes.push(node.id === id ? node.__typename : 'another')
}
out.again = (await ask('queriesWhoQuery', { email })).dossier.profile
console.log(JSON.stringify(out))
