package identity_test

import (
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// blindHasher hashes values of all kinds alike.
type blindHasher struct{ plainHasher }

func (h blindHasher) IdentifierHash(_, value string) [16]byte {
	return h.plainHasher.IdentifierHash("", value)
}

// Values of two kinds that have one hash are two values: each joins those who carry it, and nobody else.
func TestOneHashOfTwoKinds(t *testing.T) {
	m := identity.NewMemory(blindHasher{}, identity.DefaultRules())
	var nodes []identity.NodeID
	for i, of := range [][2]string{{"a", "crm_id"}, {"b", "crm_id"}, {"c", "order_id"}, {"d", "order_id"}} {
		e := schema.Event{}
		e.Type, e.Source, e.OccurredAt = schema.TypeProfileIdentified, of[0], schema.Instant(i)
		e.Provenance.Trust = schema.TrustServer
		e.Account = schema.Account{Kind: "record_id", Value: of[0]}
		e.Persona = personaOf(e.Source, e.Provenance.Trust, e.Account)
		e.Identifiers = []schema.Identifier{{Kind: of[1], Value: "1234", Assurance: schema.AssuranceVerified}}
		m.Add(&e, 0)
		nodes = append(nodes, e.Persona)
	}
	if err := m.Resolve(); err != nil {
		t.Fatal(err)
	}
	var of [4]identity.NodeID
	for i, id := range nodes {
		of[i], _ = m.Profile(id)
	}
	if of[0] != of[1] || of[2] != of[3] || of[0] == of[2] {
		t.Errorf("the profiles are %v", of)
	}
}
