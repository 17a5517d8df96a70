package identity

import (
	models "github.com/dossier-cdp/dossier/pipelines/identity/match" // match is a row (row.go)
	"github.com/dossier-cdp/dossier/schema"
)

// What a view tells of stratum 2. Under rules without a model there is nothing of it: households, matches and joints are none, and Weigh gives nil.

// ModelVersion is the content address of the model in force, "" if there is none.
func (v *View) ModelVersion() string { return "" }

// Household is people who share a mailbox, a phone or an address and are not one person.
type Household struct {
	ID      schema.ProfileID // the smallest of Members
	Members []Resident       // sorted by profile; at least two
}

// Resident is a member of a household.
type Resident struct {
	Profile schema.ProfileID
	Shares  []string // fields of which a value is shared with another member: address, email, phone; sorted
}

// Household gives the household of the profile that holds an id; nil if it has none, or so many are tied together that it is no household.
func (v *View) Household(id schema.ProfileID) (*Household, error) { return nil, nil }

// PossibleMatch is two profiles that may be one person, as the model weighs them, and why they are two.
type PossibleMatch struct {
	A, B        schema.ProfileID // A < B
	Reason      models.Reason
	Weight      models.Bits // log2 of the odds that they are one person
	Probability float64     // the same, from 0 to 1
	// Worth orders the queue: how uncertain the match is (0 to 1,000 at even odds) times the pairs of personas that an answer decides.
	Worth int64
}

// PossibleMatches lists the possible matches of the profile that holds an id, most worth first.
func (v *View) PossibleMatches(id schema.ProfileID) ([]PossibleMatch, error) { return nil, nil }

// Matches lists all possible matches, those of most worth first, at most limit. Begin with a nil cursor; next is nil at the end.
func (v *View) Matches(after []byte, limit int) (matches []PossibleMatch, next []byte, err error) {
	return nil, nil, nil
}

// Weighing is how two profiles, or two cores of one, are weighed, and what decided.
type Weighing struct {
	A, B schema.ProfileID // what was weighed: the profiles, or, if both ids are in one, the cores that the exact strata made of each
	Same bool             // both ids are one person
	models.Waterfall
	Thresholds models.Thresholds
	// Reason is what keeps two apart: a reason of package match, or a stronger one of package identity (separated, unique_conflict, limit,
	// quarantined). "" if they are one.
	Reason string
}

// The reasons of a Weighing beside those of packages match and identity.
const (
	ReasonUnproposed = "unproposed"  // they share no blocking key that proposes
	ReasonUnweighed  = "not_weighed" // one of them has nothing that is weighed: only public keys speak of it, or nobody says a name or contact point
)

// Weigh gives the waterfall of two ids; nil if there is no model, or nobody has one of the ids.
func (v *View) Weigh(a, b schema.ProfileID) (*Weighing, error) { return nil, nil }

// Joined is one joint of stratum 2: two sets of cores became one profile.
type Joined struct {
	A, B     schema.ProfileID // a core of either, as the exact strata made them
	Weight   models.Bits      // log2 of the odds, both wholes compared
	Attached bool             // a small profile joined the one that it fits best; else two profiles agreed
}

// Joints tells how stratum 2 made the profile that holds an id, in the order in which it did.
func (v *View) Joints(id schema.ProfileID) ([]Joined, error) { return nil, nil }
