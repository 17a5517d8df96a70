package identity

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/schema"
)

// formOf is a digest of everything that the rows of a state depend on beside the log: the workspace, the identity rules, and this program's way to normalise, to
// keep and to resolve, as far as a few sample events show it. A program that does one of these otherwise builds its state anew, without anybody having to think of
// it. Raise rowsVersion for a change that the samples cannot show, such as a new rule of the resolver.
func formOf(workspace string, rules *identity.Rules, by weighing) ([]byte, error) {
	h := sha256.New()
	asked, err := json.Marshal(rules)
	if err != nil {
		return nil, fmt.Errorf("write identity rules: %w", err)
	}
	fmt.Fprintf(h, "%d %q %s\n", rowsVersion, workspace, asked)
	if by.model != nil {
		fmt.Fprintf(h, "%d %s %d\n", weighedVersion, by.model.Version(), by.people)
	}
	reader, graph := identity.NewReader(sampleHasher{}, rules), identity.NewMemory(sampleHasher{}, rules)
	for _, e := range sampleEvents() {
		evidence, _ := reader.Read(e, 2)
		b, err := evidence.AppendBinary(nil)
		if err != nil {
			return nil, fmt.Errorf("write sample evidence: %w", err)
		}
		state := persona.Begin(evidence.ID, e)
		state.Fold(e, persona.Registry{})
		fmt.Fprintf(h, "%x %x %x\n", b, state.AppendBinary(nil), evidence.Beside(rules))
		graph.Add(e, 2)
	}
	if err := graph.Resolve(); err != nil {
		return nil, fmt.Errorf("resolve the samples: %w", err)
	}
	for _, id := range graph.Nodes() {
		profile, _ := graph.Profile(id)
		fmt.Fprintf(h, "%x %x\n", id, profile)
	}
	return h.Sum(nil), nil
}

// sampleHasher needs no key: the samples are nobody's.
type sampleHasher struct{}

func (sampleHasher) IdentifierHash(kind, value string) (hash [16]byte) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", kind, value))
	copy(hash[:], sum[:])
	return hash
}

func (sampleHasher) Public(of schema.PersonaEpoch) identity.NodeID { return of.Persona }

// sampleEvents are events with one or more values of every kind that has a normal form of its own, names, birth dates, consents, and values to share.
func sampleEvents() []*schema.Event {
	values := [][2]string{
		{"email", " Jean.Dupont+shop@GMail.com"}, {"email", "j.dupont@éxample.fr"}, {"phone", "06 12 34 56 78"}, {"phone", "+44 20 7946 0958"}, {"phone", "0800 0000"},
		{"card", "4970-1234 5678"}, {"crm_id", " 00042"}, {"order_id", "A/1"}, {"device_id", "6D92078A-8246-4BA4-AE5B-76104861E7DC"}, {"twitter_id", "@Jean_D"},
		{"loyalty_card", "k 1"}, {"user_id", "anonymous"}, {"user_id", "U1"}, {"anonymous_id", "a1"}, {"cookie", "c1"}, {"conversation_id", "x"}, {"own_number", "7"},
	}
	names := [][2]string{{"Jean", "Dupont"}, {"Jean-Paul", "de la Tour"}, {"JEANNE", "Dupond"}, {"J.", "Dupont"}}
	var out []*schema.Event
	for i, v := range values {
		e := &schema.Event{}
		e.Type, e.Source, e.Channel = schema.TypeProfileIdentified, "sample", schema.ChannelWeb
		e.ID, e.Persona, e.OccurredAt = schema.EventID{byte(i + 1)}, schema.PersonaID{byte(i + 1)}, schema.Instant(i)
		e.Provenance = schema.Provenance{Trust: schema.TrustServer, Country: "FR"}
		e.Account = schema.Account{Kind: "crm_id", Value: fmt.Sprint(i)}
		next := values[(i+1)%len(values)]
		e.Identifiers = []schema.Identifier{{Kind: v[0], Value: v[1], Assurance: schema.AssuranceVerified}, {Kind: next[0], Value: next[1], Assurance: schema.AssuranceDeclared}}
		name := names[i%len(names)]
		e.Traits = []schema.Trait{
			{Name: "first_name", Value: fmt.Appendf(nil, "%q", name[0])}, {Name: "last_name", Value: fmt.Appendf(nil, "%q", name[1])},
			{Name: "birth_date", Value: []byte(`"1980-02-03"`)}, {Name: "address", Value: []byte(`{"city":"Lyon","line.2":null,"street":"1 rue de la Paix","zip":"69001"}`)},
		}
		e.Consents = []schema.Consent{{Kind: v[0], Value: v[1], Channel: schema.ChannelEmail, Purpose: "news", State: schema.ConsentGranted, Expiry: 5}}
		out = append(out, e)
	}
	return out
}
