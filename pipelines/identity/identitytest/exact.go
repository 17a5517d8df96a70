package identitytest

import (
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// exact is strata 0 and 1 in memory.
type exact struct {
	*identity.Memory
	rules *identity.Rules
}

// Exact makes an engine of strata 0 and 1 under rules, the default ones if they are nil.
func Exact(rules *identity.Rules) Engine {
	if rules == nil {
		rules = identity.DefaultRules()
	}
	return exact{identity.NewMemory(Hasher{}, rules), rules}
}

func (x exact) Add(e *schema.Event) { x.Memory.Add(e, 0) }

func (x exact) Possible() (pairs [][2]identity.NodeID, err error) {
	region, err := identity.Expand(x.Memory, x.rules, x.Nodes())
	if err != nil {
		return nil, err
	}
	for _, p := range region.Resolve().Possible {
		pairs = append(pairs, [2]identity.NodeID{p.A, p.B})
	}
	return pairs, nil
}
