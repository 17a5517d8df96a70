package identity

import (
	"cmp"

	"github.com/dossier-cdp/dossier/schema"
)

// AssertionKind is what a person decided.
type AssertionKind uint8

// The assertion kinds. The numbers are stored: never renumber.
const (
	Linked    AssertionKind = 1
	Separated AssertionKind = 2
	Released  AssertionKind = 3
	Housed    AssertionKind = 4 // two people of one household
)

func (k AssertionKind) String() string {
	return [...]string{"none", "linked", "separated", "released", "housed"}[k]
}

// Assertion is one decision of a person: two nodes are one person (linked) or are not (separated), or are not but live in one home (housed), or an earlier decision
// is withdrawn (released, which names the event Of and no nodes). It ends with either node's epoch, because the node then goes.
type Assertion struct {
	ID         schema.EventID
	Kind       AssertionKind
	A, B       NodeID // A < B
	Of         schema.EventID
	OccurredAt schema.Instant
	Recorded   schema.Instant
	Actor      string
	Reason     string
}

// Apart says whether the decision is that two nodes are two people.
func (a *Assertion) Apart() bool { return a.Kind == Separated || a.Kind == Housed }

// after orders assertions by which one counts: the later OccurredAt, then the larger id.
func (a *Assertion) after(b *Assertion) bool {
	return cmp.Or(cmp.Compare(a.OccurredAt, b.OccurredAt), a.ID.Compare(b.ID)) > 0
}
