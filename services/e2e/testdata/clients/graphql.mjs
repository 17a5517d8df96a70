// Asks with graphql-request and prints what it got as JSON: node graphql.mjs HOST TOKEN
import { ClientError, GraphQLClient, gql } from 'graphql-request'

const [host, token] = process.argv.slice(2)
const client = new GraphQLClient(`${host}/graphql`, { headers: { authorization: `Bearer ${token}` } })
const query = gql`
  fragment who on Dossier {
    profile { id known }
    goldenRecord { name value source assurance }
    timeline(first: 1) { totalCount pageInfo { hasNextPage endCursor } edges { node { id type occurredAt } } }
  }
  query Who($email: String!) {
    dossier(identifier: { kind: "email", value: $email }) { ...who }
    nobody: dossier(identifier: { kind: "email", value: "nobody@example.com" }) { ...who }
  }
`
const out = { answer: await client.request(query, { email: 'ann@example.com' }) }
const first = out.answer.dossier.timeline
out.next = await client.request(
  gql`query ($id: ID!, $after: String) { profile(id: $id) { dossier { timeline(first: 5, after: $after) { edges { node { id type } } } } } }`,
  { id: out.answer.dossier.profile.id, after: first.pageInfo.endCursor })
out.codes = []
for (const [document, with_] of [['{ dossier(', client], ['{ shoeSize }', client], ['{ metrics { events } }', new GraphQLClient(`${host}/graphql`)]]) {
  try {
    await with_.request(document)
    out.codes.push('none')
  } catch (e) {
    out.codes.push(e instanceof ClientError ? `${e.response.status} ${e.response.errors?.[0]?.extensions?.code}` : String(e))
  }
}
console.log(JSON.stringify(out))
