package identity

// Covers says whether joining q would change nothing but clocks, so that a store needs no copy of what was before.
func (p *Persona) Covers(q *Persona) bool { return p.covers(q) }

// BesideKey is the part of Persona.Beside that stands beside one of the persona's keys: everything but the key itself. It is what
// SideState.Add counts.
func BesideKey(beside []uint64, key Key) []uint64 { return besideKey(beside, key) }
