// Asks URL through graphql-request as a CRM tool would and prints what came back as one line of JSON.
import { ClientError, GraphQLClient, gql } from 'graphql-request';

const [url, token] = process.argv.slice(2);
const client = new GraphQLClient(url, { headers: { authorization: `Bearer ${token}` } });
const failure = async (promise) => {
  try {
    await promise;
    return 'nothing was wrong';
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return { status: error.response.status, codes: (error.response.errors ?? []).map((e) => e.extensions.code), data: error.response.data };
  }
};

const identifier = (kind, value) => ({ identifier: { kind, value } });
const document = gql`
  query ($identifier: IdentifierInput!) {
    dossier(identifier: $identifier) {
      profile { id known }
      goldenRecord { name value }
      timeline(first: 2) { totalCount edges { node { type text } } pageInfo { hasNextPage endCursor } }
    }
  }
`;
const get = new GraphQLClient(url, { method: 'GET', headers: { authorization: `Bearer ${token}` } });
const nobody = new GraphQLClient(url, { headers: { authorization: 'Bearer nobody' } });
const link = gql`mutation ($a: ID!, $b: ID!) { link(a: $a, b: $b, reason: "both cards shown", idempotencyKey: "graphql-request") { event } }`;
const pair = { a: '70000000-0000-8000-8000-000000000001', b: '70000000-0000-8000-8000-000000000003' };

console.log(JSON.stringify({
  dossier: await client.request(document, identifier('email', 'anna.martin@example.com')),
  get: await get.request(document, identifier('email', 'anna.martin@example.com')),
  unknown: await client.request(document, identifier('email', 'nobody@example.com')),
  ambiguous: await failure(client.request(document, identifier('email', 'famille@example.com'))),
  link: await client.request(link, pair),
  invalid: await failure(client.request('{ nothing }')),
  syntax: await failure(client.rawRequest('{ metrics { events ')),
  unauthenticated: await failure(nobody.request('{ __typename }')),
  batch: await failure(client.batchRequests([{ document: '{ __typename }' }, { document: '{ __typename }' }])),
}));
