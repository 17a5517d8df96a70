package identity_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// BenchmarkFoldAgain is an event of a known user that adds nothing: the commonest event of all.
func BenchmarkFoldAgain(b *testing.B) {
	m := identity.NewMemory(plainHasher{}, identity.DefaultRules())
	events := make([]schema.Event, 2000)
	for i := range events {
		e := &events[i]
		e.Type, e.Source = schema.TypeTrackPerformed, "site"
		e.Provenance.Trust = schema.TrustServer
		e.Account = schema.Account{Kind: "user_id", Value: "user-" + strconv.Itoa(i)}
		e.Persona = personaOf(e.Source, e.Provenance.Trust, e.Account)
		e.Identifiers = []schema.Identifier{
			{Kind: "user_id", Value: e.Account.Value, Assurance: schema.AssuranceVerified},
			{Kind: "anonymous_id", Value: "anonymous-" + strconv.Itoa(i), Assurance: schema.AssuranceVerified}}
		m.Add(e, 0)
	}
	defer cpu(b)()
	for i := 0; b.Loop(); i++ {
		e := &events[i%len(events)]
		e.OccurredAt = schema.Instant(i)
		m.Add(e, schema.Instant(i))
	}
}

// BenchmarkFoldNew is an event of a persona never seen, with an e-mail and a name.
func BenchmarkFoldNew(b *testing.B) {
	m := identity.NewMemory(plainHasher{}, identity.DefaultRules())
	defer cpu(b)()
	for i := 0; b.Loop(); i++ {
		var e schema.Event
		e.Type, e.Source = schema.TypeProfileIdentified, "site"
		e.Provenance.Trust = schema.TrustServer
		n := strconv.Itoa(i)
		e.Account = schema.Account{Kind: "user_id", Value: n}
		e.Persona = personaOf(e.Source, e.Provenance.Trust, e.Account)
		e.Identifiers = []schema.Identifier{{Kind: "email", Value: "u" + n + "@example.com", Assurance: schema.AssuranceVerified}}
		e.Traits = []schema.Trait{{Name: "first_name", Value: []byte(`"Jeanne"`)}, {Name: "last_name", Value: []byte(`"Martin"`)}}
		m.Add(&e, 0)
	}
}

// BenchmarkResolve expands and resolves one region: a household of two on one mailbox, each with accounts, cookies and calls.
func BenchmarkResolve(b *testing.B) {
	for _, size := range []int{1, 4, 12, 50, 200, 500} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			rules := identity.DefaultRules()
			m := identity.NewMemory(plainHasher{}, rules)
			var first identity.NodeID
			for i := range size {
				var e schema.Event
				e.Type, e.Source = schema.TypeProfileIdentified, []string{"shop", "crm", "web"}[i%3]
				e.Provenance.Trust = schema.TrustServer
				e.Account = schema.Account{Kind: []string{"record_id", "crm_id", "cookie"}[i%3], Value: strconv.Itoa(i)}
				e.Persona = personaOf(e.Source, e.Provenance.Trust, e.Account)
				e.Identifiers = []schema.Identifier{{Kind: "email", Value: "martin" + strconv.Itoa(i/40) + "@example.com", Assurance: schema.AssuranceVerified},
					{Kind: "phone", Value: fmt.Sprintf("+336123456%02d", i/50), Assurance: schema.AssuranceVerified}}
				if i%3 < 2 {
					e.Traits = []schema.Trait{{Name: "first_name", Value: []byte([]string{`"Jeanne"`, `"Paul"`}[i%2])}, {Name: "last_name", Value: []byte(`"Martin"`)}}
				}
				m.Add(&e, 0)
				first = e.Persona
			}
			if err := m.Resolve(); err != nil {
				b.Fatal(err)
			}
			defer cpu(b)()
			nodes := 0
			for b.Loop() {
				r, err := identity.Expand(m, rules, []identity.NodeID{first})
				if err != nil {
					b.Fatal(err)
				}
				nodes = r.Nodes()
				r.Resolve()
			}
			b.ReportMetric(float64(nodes), "personas")
		})
	}
}

func BenchmarkPersonaCodec(b *testing.B) {
	rows := clients(b, sharedFile(b, "identity/clients_fr.csv"))
	p, _ := identity.FromEvent(&rows[0].event, 0, plainHasher{}, identity.DefaultRules())
	raw, err := p.MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(raw)), "bytes")
	defer cpu(b)()
	for b.Loop() {
		var q identity.Persona
		if err := q.UnmarshalBinary(raw); err != nil {
			b.Fatal(err)
		}
		if raw, err = q.AppendBinary(raw[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
