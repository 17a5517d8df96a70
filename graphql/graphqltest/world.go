// Package graphqltest is a small world in memory behind the interfaces of package graphql: the same people and interactions at every
// run, and a count of what was read. Tests of the resolvers and of the HTTP handler ask it.
package graphqltest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

// Workspace is the only one in which the world answers.
const Workspace = "main"

// World answers like an installation. Fields are set before the first read and not changed after.
type World struct {
	People       []*graphql.Person // sorted by id
	Interactions map[schema.PersonaID][]graphql.Interaction
	// Fault, if set, is asked before every read; its error is the answer.
	Fault func(ctx context.Context, read string) error

	mu     sync.Mutex
	reads  map[string]int
	made   map[string]schema.EventID         // by idempotency key
	tended map[schema.EventID]schema.EventID // by the event of a decision, the case that it is about
	Made   []string                          // what was decided, in order
}

// Backends gives the interfaces of package graphql.
func (w *World) Backends() graphql.Backends {
	return graphql.Backends{Profiles: profiles{w}, Matches: matches{w}, Timeline: timeline{w: w}, Figures: figures{}, Measures: measures{w}, Values: values{}, Verbatims: verbatims{}, Decisions: decisions{w}, Care: cases{w}, Companies: companies{w}}
}

// Reads gives the number of reads since the last call, by name.
func (w *World) Reads() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.reads
	w.reads = nil
	if out == nil {
		out = map[string]int{}
	}
	return out
}

func (w *World) count(ctx context.Context, workspace, read string) error {
	w.mu.Lock()
	if w.reads == nil {
		w.reads = map[string]int{}
	}
	w.reads[read]++
	w.mu.Unlock()
	if workspace != Workspace {
		return fmt.Errorf("%s was read in workspace %q", read, workspace)
	}
	if w.Fault != nil {
		return w.Fault(ctx, read)
	}
	return ctx.Err()
}

// ID is the n-th id of a sort: 'p' for personas and profiles, 'e' for events.
func ID(sort byte, n int) (id [16]byte) {
	id[0], id[6], id[8] = sort, 0x80, 0x80
	id[12], id[13], id[14], id[15] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return id
}

func at(text string) schema.Instant {
	i, err := schema.ParseInstant(text)
	if err != nil {
		panic(err)
	}
	return i
}

// Small is a world of four people: Anna with two personas and a full dossier, Bruno who shares a mailbox with her, Chloé who is
// unknown but for a cookie, and Denis, whose events hold what hostile sources send.
func Small() *World {
	anna, shop := schema.PersonaID(ID('p', 1)), schema.PersonaID(ID('p', 2))
	bruno, chloe, denis := schema.PersonaID(ID('p', 3)), schema.PersonaID(ID('p', 4)), schema.PersonaID(ID('p', 5))
	first, last := at("2024-03-01T08:00:00Z"), at("2025-11-02T17:45:30.25Z")
	w := &World{Interactions: map[schema.PersonaID][]graphql.Interaction{}}
	w.People = []*graphql.Person{
		{
			ID: anna, Known: true, FirstContact: first, LastContact: last,
			Personas: []graphql.Persona{
				{ID: anna, Persona: anna, Source: "crm", Trust: schema.TrustServer, Account: schema.Account{Kind: "crm_id", Value: "C-100200"}, FirstContact: first, LastContact: last},
				{ID: shop, Persona: shop, Source: "shop", Trust: schema.TrustServer, Account: schema.Account{Kind: "user_id", Value: "anna.martin"}, FirstContact: first, LastContact: last},
			},
			Traits: []graphql.Trait{
				{Name: "birthday", Candidate: candidate(`"1980-05-17"`, "crm", anna, first)},
				{Name: "email", Candidate: candidate(`"anna.martin@example.com"`, "shop", shop, last), RunnersUp: []graphql.Candidate{candidate(`"anna@example.org"`, "crm", anna, first)}},
				{Name: "loyalty", Candidate: candidate(`{"tier":"gold","points":1250}`, "crm", anna, last)},
			},
			Identifiers: []graphql.Held{
				{Kind: "email", Value: "anna.martin@example.com", Assurance: schema.AssuranceVerified, Sources: []string{"crm", "shop"}, FirstSeen: first, LastSeen: last},
				{Kind: "email", Value: "famille@example.com", Assurance: schema.AssuranceVerified, Sources: []string{"crm"}, FirstSeen: first, LastSeen: first},
				{Kind: "phone", Value: "+33612345678", Assurance: schema.AssuranceDeclared, Sources: []string{"shop"}, FirstSeen: first, LastSeen: last},
			},
			Consents: []graphql.Consent{
				{Kind: "email", Value: "anna.martin@example.com", Channel: schema.ChannelEmail, Purpose: "marketing", State: schema.ConsentGranted, LegalBasis: "consent", TextVersion: "v3", Proof: "form 2024-03-01, anna.martin", Source: "shop", Time: first},
				{Channel: schema.ChannelPhone, Purpose: "survey", State: schema.ConsentDenied, Source: "crm", Time: last},
			},
			Possible: []graphql.Possible{{Profile: bruno, Reason: "given_name_differs", Kinds: []string{"email"}}},
		},
		{
			ID: bruno, Known: true, FirstContact: first, LastContact: first,
			Personas:    []graphql.Persona{{ID: bruno, Persona: bruno, Source: "crm", Trust: schema.TrustServer, Account: schema.Account{Kind: "crm_id", Value: "C-100201"}, FirstContact: first, LastContact: first}},
			Identifiers: []graphql.Held{{Kind: "email", Value: "famille@example.com", Assurance: schema.AssuranceVerified, Sources: []string{"crm"}, FirstSeen: first, LastSeen: first}},
		},
		{
			ID:       chloe,
			Personas: []graphql.Persona{{ID: chloe, Persona: chloe, Source: "site", Trust: schema.TrustClient, Account: schema.Account{Kind: "anonymous_id", Value: "c0ffee-0042"}}},
		},
		{
			ID: denis, Known: true, Quarantined: true,
			Personas:    []graphql.Persona{{ID: denis, Persona: denis, Epoch: 2, Source: "crm", Trust: schema.TrustServer, Account: schema.Account{Kind: "crm_id", Value: "C\u202e9"}}},
			Traits:      []graphql.Trait{{Name: "broken", Candidate: graphql.Candidate{Value: json.RawMessage(`{"cut":`), Source: "crm", Persona: denis}}},
			Identifiers: []graphql.Held{{Kind: "crm_id", Value: "C\u202e9", Assurance: schema.AssuranceVerified, Sources: []string{"crm"}}},
		},
	}
	reading := &graphql.Verbatim{
		Kept: verbatim.Kept{
			Language: verbatim.French, Polarity: verbatim.Negative, Confidence: 870, Act: verbatim.Complaint, Emotion: verbatim.Anger, Criticality: verbatim.Low,
			Themes:  []verbatim.KeptTheme{{ID: "delivery", Polarity: verbatim.Negative, Confidence: 1000, Rule: true}},
			Reasons: []verbatim.Reason{{Code: "unanswered", Words: "n est pas arrivee"}}, Model: "abc+def",
		},
		Correction: ID('e', 9), CorrectedBy: "lea", CorrectedAt: last,
	}
	w.Interactions[anna] = []graphql.Interaction{
		{ID: ID('e', 1), OccurredAt: first, Type: schema.TypeCaseOpened, Channel: schema.ChannelPhone, Actor: schema.ActorCustomer, Source: "crm", Case: "K-1", Text: "Ma livraison n'est pas arrivée 😡", Language: "fr", Verbatim: reading},
		{ID: ID('e', 2), OccurredAt: first + 3_600_000_000, Type: schema.TypeCaseResolved, Channel: schema.ChannelPhone, Actor: schema.ActorAgent, ActorID: "lea", Source: "crm", Case: "K-1"},
	}
	w.Interactions[shop] = []graphql.Interaction{
		{ID: ID('e', 3), OccurredAt: last, Type: schema.TypeOrderPlaced, Channel: schema.ChannelWeb, Actor: schema.ActorCustomer, Source: "shop", Entity: "O-2025-0007", Amount: "129.90", Currency: "EUR", Properties: json.RawMessage(`{"items":3,"gift":true}`)},
		{ID: ID('e', 4), OccurredAt: last, Type: schema.TypeSurveyAnswered, Channel: schema.ChannelSurvey, Actor: schema.ActorCustomer, Source: "shop", Rating: "9", RatingScale: "0-10", Text: "parfait"},
		{ID: ID('e', 5), OccurredAt: first, Type: schema.TypeTrackPerformed, Channel: schema.ChannelWeb, Actor: schema.ActorCustomer, Source: "shop", Name: "Coupon Used", Mention: "tw-77", Parent: "tw-76", Conversation: "conv-5"},
	}
	w.Interactions[denis] = []graphql.Interaction{
		{ID: ID('e', 6), OccurredAt: first, Type: schema.TypeCaseOpened, Channel: schema.ChannelEmail, Actor: schema.ActorCustomer, Source: "crm", Case: "K\x07\"\u2028", Text: "bell \x07 and <script>", Properties: json.RawMessage(`{"cut":`)},
	}
	w.finish()
	return w
}

func candidate(value, source string, persona schema.PersonaID, at schema.Instant) graphql.Candidate {
	return graphql.Candidate{Value: json.RawMessage(value), Source: source, Persona: persona, Time: at, Assurance: schema.AssuranceVerified}
}

// Large is a world of n people of two personas each, with so many interactions each.
func Large(n, interactions int) *World {
	w := &World{Interactions: map[schema.PersonaID][]graphql.Interaction{}}
	start := at("2024-01-01T00:00:00Z")
	for i := range n {
		a, b := schema.PersonaID(ID('p', 2*i+1)), schema.PersonaID(ID('p', 2*i+2))
		email := fmt.Sprintf("person.%d@example.com", i)
		p := &graphql.Person{ID: a, Known: true, FirstContact: start, LastContact: start}
		for _, id := range []schema.PersonaID{a, b} {
			p.Personas = append(p.Personas, graphql.Persona{ID: id, Persona: id, Source: "shop", Trust: schema.TrustServer, Account: schema.Account{Kind: "user_id", Value: fmt.Sprint("user-", i)}, FirstContact: start, LastContact: start})
		}
		for _, name := range []string{"city", "country", "email", "first_name", "last_name", "locale", "phone", "segment"} {
			p.Traits = append(p.Traits, graphql.Trait{Name: name, Candidate: candidate(`"`+email+`"`, "shop", a, start), RunnersUp: []graphql.Candidate{candidate(`"x"`, "crm", b, start)}})
		}
		for _, kind := range []string{"email", "phone", "user_id"} {
			p.Identifiers = append(p.Identifiers, graphql.Held{Kind: kind, Value: email, Assurance: schema.AssuranceVerified, Sources: []string{"shop"}, FirstSeen: start, LastSeen: start})
		}
		p.Consents = []graphql.Consent{{Channel: schema.ChannelEmail, Purpose: "marketing", State: schema.ConsentGranted, Source: "shop", Time: start}}
		w.People = append(w.People, p)
		for j := range interactions {
			w.Interactions[a] = append(w.Interactions[a], graphql.Interaction{
				ID: ID('e', i*interactions+j), OccurredAt: start + schema.Instant(j)*60_000_000, Type: schema.TypeMessageReceived, Channel: schema.ChannelEmail,
				Actor: schema.ActorCustomer, Source: "mailbox", Text: "Bonjour, où en est ma commande ? Je l'attends depuis dix jours.", Language: "fr", Conversation: fmt.Sprint("c-", j),
				Properties: json.RawMessage(`{"subject":"commande","attachments":0}`),
			})
		}
	}
	w.finish()
	return w
}

// finish gives every interaction its persona and sorts newest first.
func (w *World) finish() {
	for persona, list := range w.Interactions {
		for i := range list {
			list[i].Persona = persona
		}
		sortNewest(list)
	}
}

func sortNewest(list []graphql.Interaction) {
	sort.Slice(list, func(i, j int) bool { return newer(&list[i], list[j].OccurredAt, list[j].ID) })
}

func newer(i *graphql.Interaction, at schema.Instant, id schema.EventID) bool {
	if i.OccurredAt != at {
		return i.OccurredAt > at
	}
	return i.ID.Compare(id) > 0
}

type profiles struct{ w *World }

func (p profiles) holder(id schema.ProfileID) *graphql.Person {
	for _, person := range p.w.People {
		if slices.ContainsFunc(person.Personas, func(m graphql.Persona) bool { return m.ID == id }) {
			return person
		}
	}
	return nil
}

func (p profiles) Owners(ctx context.Context, workspace string, id graphql.Identifier) (out []schema.ProfileID, err error) {
	if err := p.w.count(ctx, workspace, "Owners"); err != nil {
		return nil, err
	}
	if id.Kind == "phone" && !strings.HasPrefix(id.Value, "+") && id.Country == "" {
		return nil, &schema.Refusal{Code: "identifier_invalid", Reason: "a phone number without a country", Hint: "write +33…, or give the country"}
	}
	for _, person := range p.w.People {
		if slices.ContainsFunc(person.Identifiers, func(h graphql.Held) bool { return h.Kind == id.Kind && h.Value == strings.ToLower(id.Value) }) {
			out = append(out, person.ID)
		}
	}
	return out, nil
}

func (p profiles) People(ctx context.Context, workspace string, ids []schema.ProfileID) ([]*graphql.Person, error) {
	if err := p.w.count(ctx, workspace, "People"); err != nil {
		return nil, err
	}
	out := make([]*graphql.Person, len(ids))
	for i, id := range ids {
		out[i] = p.holder(id)
	}
	return out, nil
}

func (p profiles) Page(ctx context.Context, workspace string, after schema.ProfileID, limit int) (out []schema.ProfileID, err error) {
	if err := p.w.count(ctx, workspace, "Page"); err != nil {
		return nil, err
	}
	for _, person := range p.w.People {
		if person.ID.Compare(after) > 0 && len(out) < limit {
			out = append(out, person.ID)
		}
	}
	return out, nil
}

func (p profiles) Why(ctx context.Context, workspace string, a, b graphql.Identifier) (*graphql.Explanation, error) {
	if err := p.w.count(ctx, workspace, "Why"); err != nil {
		return nil, err
	}
	for _, id := range []graphql.Identifier{a, b} {
		if !slices.ContainsFunc(p.w.People, func(person *graphql.Person) bool {
			return slices.ContainsFunc(person.Identifiers, func(h graphql.Held) bool { return h.Kind == id.Kind && h.Value == id.Value })
		}) {
			return nil, &graphql.Error{Code: graphql.CodeUnknown, Message: "nobody owns this " + id.Kind, Hint: "check the kind and the value"}
		}
	}
	return p.explain(), nil
}

func (p profiles) explain() *graphql.Explanation {
	x, y := p.w.People[0], p.w.People[1]
	return &graphql.Explanation{
		Same: false, Profiles: []schema.ProfileID{x.ID, y.ID}, Summary: "They are two people: different given names share a mailbox.",
		Steps: []graphql.Step{
			{Joined: true, Stratum: 0, Force: "linked", Rule: "assertion", A: x.Personas[0].ID, B: x.Personas[1].ID, Event: ID('e', 90)},
			{Joined: false, Stratum: 1, Force: "evidence", Rule: "given_name_differs", Kind: "email", Value: "famille@example.com", A: x.ID, B: y.ID},
		},
		Weighing: matches(p).weighing(x.ID, y.ID),
		Joints:   []graphql.Joint{{A: x.Personas[0].ID, B: x.Personas[1].ID, Weight: 9.25, Attached: true}},
	}
}

func (p profiles) How(ctx context.Context, workspace string, id schema.ProfileID) (*graphql.Explanation, error) {
	if err := p.w.count(ctx, workspace, "How"); err != nil || p.holder(id) == nil {
		return nil, err
	}
	return p.explain(), nil
}

func (p profiles) Count(ctx context.Context, workspace string) (people, personas int64, err error) {
	if err := p.w.count(ctx, workspace, "Profiles.Count"); err != nil {
		return 0, 0, err
	}
	for _, person := range p.w.People {
		personas += int64(len(person.Personas))
	}
	return int64(len(p.w.People)), personas, nil
}

// Then tells of the people as they are: the world has no past. Who was met for the first time later is left out.
func (p profiles) Then(ctx context.Context, workspace string, id graphql.Identifier, past graphql.Past) (*graphql.Former, error) {
	if err := p.w.count(ctx, workspace, "Then"); err != nil {
		return nil, err
	}
	f := &graphql.Former{History: graphql.History{Past: past, Configuration: "c0ffee", Reaches: at("2024-01-01T00:00:00Z"), Erased: 1}}
	for _, person := range p.w.People {
		owns := id.Kind == "profile" && p.holder(parsed(id.Value)) == person
		owns = owns || slices.ContainsFunc(person.Identifiers, func(h graphql.Held) bool { return h.Kind == id.Kind && h.Value == strings.ToLower(id.Value) })
		if !owns {
			continue
		}
		f.Owners = append(f.Owners, person.ID)
		if past.AsOf == 0 || person.FirstContact <= past.AsOf {
			f.People = append(f.People, person)
		}
	}
	return f, nil
}

func parsed(text string) schema.ProfileID {
	id, err := schema.ParsePersonaID(text)
	if err != nil {
		return schema.ProfileID{}
	}
	return id
}
