// The configuration of graphql-codegen: types of the schema that HOST answers to introspection, and of the operations beside.
export default {
  schema: [{ [`${process.env.HOST}/graphql`]: { headers: { authorization: `Bearer ${process.env.TOKEN}` } } }],
  documents: ['operations.graphql'],
  generates: { 'generated.ts': { plugins: ['typescript', 'typescript-operations'], config: { scalars: { Time: 'string', JSON: 'unknown' }, strictScalars: true } } },
}
