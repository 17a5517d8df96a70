package match_test

import (
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/identitytest"
	"github.com/dossier-cdp/dossier/pipelines/identity/match"
)

// weighed is all strata in memory.
type weighed struct{ *match.People }

func (w weighed) Possible() (pairs [][2]identity.NodeID, err error) {
	for _, p := range w.People.Possible() {
		pairs = append(pairs, [2]identity.NodeID{p.A, p.B})
	}
	return pairs, nil
}

// TestCases runs what must come out right, with all strata and the model that French customers are weighed with.
func TestCases(t *testing.T) {
	model, err := match.Shipped("fr")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := match.CoreRules(identity.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	identitytest.Run(t, 2, func() identitytest.Engine {
		return weighed{match.NewPeople(identitytest.Hasher{}, rules, model)}
	})
}
