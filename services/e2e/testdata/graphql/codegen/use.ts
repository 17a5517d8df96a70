// Uses the generated types: a program that the TypeScript compiler must accept.
import type { PersonFragment, WhoQuery, WhoQueryVariables } from './generated'

const variables: WhoQueryVariables = { email: 'ann@example.com' }

export function total(answer: WhoQuery): number {
  const dossier = answer.dossier
  if (!dossier) return 0
  const person: PersonFragment = dossier
  const known: boolean = person.profile.known
  const amounts = (dossier.timeline?.edges ?? []).map((e) => Number(e.node.amount ?? 0))
  return known ? amounts.reduce((a, b) => a + b, 0) : variables.email.length
}
