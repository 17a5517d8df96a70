// What a Relay application asks: a person with a timeline that is paged and can be asked for again by the dossier's id.
import { graphql } from 'relay-runtime'

graphql`
  query queriesWhoQuery($email: String!) {
    dossier(identifier: { kind: "email", value: $email }) {
      profile { id known firstContact personas { source firstContact } }
      ...queriesTimeline
    }
  }
`
graphql`
  fragment queriesTimeline on Dossier
  @argumentDefinitions(first: { type: "Int", defaultValue: 2 }, after: { type: "String" })
  @refetchable(queryName: "queriesTimelinePageQuery") {
    timeline(first: $first, after: $after) @connection(key: "queries_timeline") { totalCount edges { node { id type } } }
  }
`
graphql`
  query queriesPeopleQuery($ids: [ID!]!) {
    profiles(ids: $ids, first: 10) @connection(key: "queries_profiles") { edges { asked node { id dossier { cases { id state } } } } }
  }
`
graphql`
  query queriesNodeQuery($id: ID!) {
    node(id: $id) { __typename id ... on Persona { persona source } ... on Profile { known } ... on Interaction { type } ... on Dossier { profile { id } } }
  }
`
