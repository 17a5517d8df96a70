package identity_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/accuracy"
	"github.com/dossier-cdp/dossier/pipelines/population"
	"github.com/dossier-cdp/dossier/schema"
)

// The complaints of other systems' users, by their number in the reference notes, as far as who is who answers them. The table of all thirty is in
// package identitytest.

// complaint runs the cases of testdata/complaints.txt that begin with a title.
func complaint(t *testing.T, title string) {
	t.Helper()
	raw, err := os.ReadFile("testdata/complaints.txt")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, text := range strings.Split(string(raw), "\n== ")[1:] {
		name, body, _ := strings.Cut(text, "\n")
		if !strings.HasPrefix(name, title) {
			continue
		}
		found = true
		input, want, _ := strings.Cut(body, "\n----\n")
		if got := runCase(t, input); strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
	if !found {
		t.Fatalf("no case is called %q", title)
	}
}

// told is a story as a graph and the names of its personas.
func told(t *testing.T, text string) (*identity.Memory, *resolverCase) {
	t.Helper()
	c := &resolverCase{rules: identity.DefaultRules(), node: map[string]identity.NodeID{}, labels: map[identity.NodeID]string{}}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 {
			c.read(t, f)
		}
	}
	m := identity.NewMemory(plainHasher{}, c.rules)
	for _, line := range c.lines {
		line(m)
	}
	resolve(t, m)
	return m, c
}

// together says who is in one profile, a line each.
func (c *resolverCase) together(m *identity.Memory) string {
	by := map[identity.NodeID][]string{}
	for _, n := range m.Nodes() {
		p, _ := m.Profile(n)
		by[p] = append(by[p], c.labels[n])
	}
	var lines []string
	for _, members := range by {
		slices.Sort(members)
		lines = append(lines, strings.Join(members, " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestComplaint01_UnmergeAnySubset: of whatever is glued together, any part can be taken out again and stays whole itself, and taking the decisions back
// glues it again.
func TestComplaint01_UnmergeAnySubset(t *testing.T) {
	complaint(t, "complaint 1")
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(2, 8).Draw(r, "personas")
		out := rapid.IntRange(1, 1<<n-2).Draw(r, "taken out")
		var story, released strings.Builder
		var apart [2][]string
		for i := range n {
			label := string(rune('a' + i))
			fmt.Fprintf(&story, "%s: source%d server user_id:u1 email:x@example.com given:Jeanne\n", label, i)
			apart[out>>i&1] = append(apart[out>>i&1], label)
		}
		whole := strings.Join(slices.Sorted(slices.Values(slices.Concat(apart[0], apart[1]))), " ")
		for _, a := range apart[0] {
			for _, b := range apart[1] {
				fmt.Fprintf(&story, "separate s%s%s %s %s\n", a, b, a, b)
				fmt.Fprintf(&released, "release s%s%s\n", a, b)
			}
		}
		m, c := told(t, story.String())
		want := []string{strings.Join(apart[0], " "), strings.Join(apart[1], " ")}
		slices.Sort(want)
		if got := c.together(m); got != strings.Join(want, "\n") {
			r.Fatalf("%s is to be parted into\n%s\ngot\n%s", whole, strings.Join(want, "\n"), got)
		}
		m, c = told(t, story.String()+released.String())
		if got := c.together(m); got != whole {
			r.Fatalf("taken back, it is\n%s", got)
		}
	})
}

// TestComplaint02_SplitEveryMember: each member can be split off, the one that gives the profile its id, too; nobody is blank afterwards, and every id
// leads to somebody.
func TestComplaint02_SplitEveryMember(t *testing.T) {
	complaint(t, "complaint 2")
	labels := []string{"a", "b", "c", "d", "e"}
	for _, off := range labels {
		story := ""
		for i, l := range labels {
			story += fmt.Sprintf("%s: source%d server user_id:u1 email:%s@example.com at:%d\n", l, i, l, i+1)
		}
		for _, l := range labels {
			if l != off {
				story += fmt.Sprintf("separate s%s %s %s at:50\n", l, off, l)
			}
		}
		m, c := told(t, story)
		rest := strings.Join(slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return l == off }), " ")
		want := []string{off, rest}
		slices.Sort(want)
		if got := c.together(m); got != strings.Join(want, "\n") {
			t.Errorf("%s split off: got\n%s", off, got)
		}
		for _, l := range labels {
			if id, ok := m.Profile(c.node[l]); !ok || (l == off) != (id == c.node[off]) {
				t.Errorf("%s split off: %s leads to %s", off, l, c.labels[id])
			}
			if p, err := m.Persona(c.node[l]); err != nil || len(p.Keys) != 2 {
				t.Errorf("%s split off: %s is blank: %v", off, l, err)
			}
		}
	}
}

// TestComplaint03_SentinelsMergeNobody: a value that stands beside many is no evidence, whether anybody listed it or not.
func TestComplaint03_SentinelsMergeNobody(t *testing.T) {
	complaint(t, "complaint 3")
	for _, sentinel := range []string{"user_id:null", "user_id:00000000-0000-0000-0000-000000000000", "email:unknown@shop.example", "phone:0611111112", "card:DEFAULT42"} {
		story := ""
		for i := range 40 {
			story += fmt.Sprintf("p%d: crm server crm_id:r%d %s given:%s family:%s\n", i, i, sentinel, []string{"Anne", "Bruno", "Chloé", "David", "Emma"}[i%5], []string{"Bertin", "Coulon", "Delmas", "Faure", "Garnier", "Huet", "Joly", "Klein"}[i/5])
		}
		m, c := told(t, story)
		if got := c.together(m); strings.Contains(got, " ") {
			t.Errorf("%s merged\n%s", sentinel, got)
		}
	}
}

func TestComplaint04_SharedDeviceJoinsNoTwoKnown(t *testing.T) { complaint(t, "complaint 4") }
func TestComplaint05_TeamMailboxJoinsNoTeam(t *testing.T)      { complaint(t, "complaint 5") }

// TestComplaint06_UnmergeByRuleOrEvidence: a rule that changes, or a value that is blocked, parts all that rested on it at once, and nothing else.
func TestComplaint06_UnmergeByRuleOrEvidence(t *testing.T) {
	story := ""
	for i := range 30 {
		story += fmt.Sprintf("a%d: crm server crm_id:r%d phone:06000000%02d email:only%d@example.com given:Anne\nb%d: shop server user_id:u%d phone:06000000%02d given:Anne\nc%d: store server card:c%d email:only%d@example.com given:Anne\n",
			i, i, i+10, i, i, i, i+10, i, i, i)
	}
	of := func(change func(*identity.Rules)) (pairs int, of map[string]string) {
		c := &resolverCase{rules: identity.DefaultRules(), node: map[string]identity.NodeID{}, labels: map[identity.NodeID]string{}}
		change(c.rules)
		if err := c.rules.Prepare(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(story) {
			c.read(t, strings.Fields(line))
		}
		m := identity.NewMemory(plainHasher{}, c.rules)
		for _, line := range c.lines {
			line(m)
		}
		resolve(t, m)
		of = map[string]string{}
		for label, n := range c.node {
			p, _ := m.Profile(n)
			of[label] = p.String()
		}
		for i := range 30 {
			a := of[fmt.Sprint("a", i)]
			if of[fmt.Sprint("b", i)] == a {
				pairs++
			}
			if of[fmt.Sprint("c", i)] == a {
				pairs++
			}
		}
		return pairs, of
	}
	if n, _ := of(func(*identity.Rules) {}); n != 60 {
		t.Errorf("%d of 60 pairs are joined", n)
	}
	n, profiles := of(func(r *identity.Rules) {
		for i := range r.Kinds {
			if r.Kinds[i].Kind == "phone" {
				r.Kinds[i].Strength = identity.None
			}
		}
	})
	if n != 30 || profiles["a3"] == profiles["b3"] || profiles["a3"] != profiles["c3"] {
		t.Errorf("without phones %d pairs are joined, want the 30 by mailbox", n)
	}
	n, profiles = of(func(r *identity.Rules) { r.Blocked = map[string][]string{"phone": {"+33600000013"}} })
	if n != 59 || profiles["a3"] == profiles["b3"] {
		t.Errorf("with one number blocked %d pairs are joined, want all but that one", n)
	}
}

// TestComplaint07_UnmergeLater: a link and its release leave nothing, whatever came in between.
func TestComplaint07_UnmergeLater(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64().Draw(r, "seed")
		w := newWorld(seed, 25)
		rules := nastyRules(w.rng)
		plain, undone := identity.NewMemory(plainHasher{}, rules), identity.NewMemory(plainHasher{}, rules)
		var link, release schema.Event
		link.Type, link.ID, link.OccurredAt, link.Provenance.Trust = schema.TypeIdentityLinked, schema.EventID{255, 1}, 3, schema.TrustServer
		link.Assertion = &schema.Assertion{A: schema.PersonaEpoch{Persona: w.contact().Persona}, B: schema.PersonaEpoch{Persona: w.contact().Persona}}
		release.Type, release.ID, release.OccurredAt, release.Provenance.Trust = schema.TypeIdentityReleased, schema.EventID{255, 2}, 9, schema.TrustServer
		release.Assertion = &schema.Assertion{Of: link.ID}
		for i := range w.events {
			if i == 5 {
				undone.Add(&link, 0)
				resolve(t, undone)
			}
			plain.Add(&w.events[i], 0)
			undone.Add(&w.events[i], 0)
		}
		resolve(t, plain)
		undone.Add(&release, 0)
		resolve(t, undone)
		if !slices.Equal(picture(plain), picture(undone)) {
			r.Fatalf("a link and its release left something")
		}
	})
}

// TestComplaint09_NoBuffer: a login that comes before, between or after what it explains is decided at once each time, and the end is the same. No order
// needs waiting.
func TestComplaint09_NoBuffer(t *testing.T) {
	lines := []string{
		"web: web client anonymous_id:a1 at:1", "login: shop server user_id:u1 anonymous_id:a1 alias at:2",
		"crm: crm server crm_id:r1 email:x@example.com given:Jeanne at:3", "login: shop server user_id:u1 email:x@example.com given:Jeanne at:4",
	}
	want := ""
	rng := rand.New(rand.NewPCG(9, 9))
	for range 24 {
		order := rng.Perm(len(lines))
		c := &resolverCase{rules: identity.DefaultRules(), node: map[string]identity.NodeID{}, labels: map[identity.NodeID]string{}}
		m := identity.NewMemory(plainHasher{}, c.rules)
		for _, i := range order {
			c.read(t, strings.Fields(lines[i]))
			c.lines[len(c.lines)-1](m)
			resolve(t, m)
		}
		if got := c.together(m); want == "" {
			want = got
		} else if got != want {
			t.Fatalf("in order %v: %s, before: %s", order, got, want)
		}
	}
	if want != "crm login web" {
		t.Errorf("got %s", want)
	}
}

func TestComplaint12_AllRulesRun(t *testing.T) { complaint(t, "complaint 12") }

// TestComplaint15_NewcomersRenameNobody: whoever was known first gives the id, not an anonymous newcomer, and each id that a profile ever had leads to it.
func TestComplaint15_NewcomersRenameNobody(t *testing.T) {
	complaint(t, "complaint 15")
	rng := rand.New(rand.NewPCG(15, 15))
	w := &world{rng: rng}
	rules := identity.DefaultRules()
	m := identity.NewMemory(plainHasher{}, rules)
	seen := map[identity.NodeID]bool{}
	for range 300 {
		e := w.contact()
		m.Add(&e, 0)
		resolve(t, m)
		for _, n := range m.Nodes() {
			p, _ := m.Profile(n)
			seen[p] = true
		}
	}
	for id := range seen {
		if _, ok := m.Profile(id); !ok {
			t.Errorf("id %s was handed out and leads nowhere", id)
		}
	}
}

func TestComplaint16_AddressesOfTheNetworkAreNoEvidence(t *testing.T) {
	complaint(t, "complaint 16")
}

func TestComplaint19_AnIDUsedAgainIsSomebodyNew(t *testing.T) { complaint(t, "complaint 19") }

// TestComplaint21_MergesCostNoHistory: what a merge reads does not grow with how much is known of the two.
func TestComplaint21_MergesCostNoHistory(t *testing.T) {
	cost := func(events int) int {
		rules := identity.DefaultRules()
		m := identity.NewMemory(plainHasher{}, rules)
		add := func(source, account, kind, value string, n int) identity.NodeID {
			var e schema.Event
			e.Type, e.Source, e.Provenance.Trust = schema.TypePageViewed, source, schema.TrustServer
			e.Account = schema.Account{Kind: "user_id", Value: account}
			e.Persona = personaOf(source, schema.TrustServer, e.Account)
			e.ID[0], e.ID[1], e.ID[2] = byte(n), byte(n>>8), source[0]
			e.OccurredAt = schema.Instant(n)
			if kind != "" {
				e.Identifiers = []schema.Identifier{{Kind: kind, Value: value, Assurance: schema.AssuranceVerified}}
			}
			m.Add(&e, 0)
			return e.Persona
		}
		for i := range events {
			add("shop", "u1", "", "", i)
			add("app", "u2", "", "", i)
		}
		resolve(t, m)
		add("shop", "u1", "user_id", "u2", events)
		g := &countingGraph{Graph: m}
		merged := 0
		err := identity.Update(g, rules, []identity.NodeID{add("app", "u2", "", "", events)}, func(_ *identity.Region, p *identity.Partition) error {
			merged = len(p.Profiles)
			return nil
		})
		if err != nil || merged != 1 {
			t.Fatalf("%d profiles, %v", merged, err)
		}
		return g.read
	}
	if few, many := cost(5), cost(20_000); few != many {
		t.Errorf("a merge reads %d personas after 5 events each, %d after 20,000", few, many)
	}
}

func TestComplaint22_ALinkPassesSafeguards(t *testing.T) { complaint(t, "complaint 22") }

// TestComplaint23_IDsPersist: new people and new evidence change no id that need not change: whoever keeps the earliest known persona keeps the id, in
// a run from nothing as in one that goes on.
func TestComplaint23_IDsPersist(t *testing.T) {
	events := madeUp(t, 150, 23)
	rules := identity.DefaultRules()
	running := identity.NewMemory(plainHasher{}, rules)
	half := len(events) / 2
	for i := range half {
		running.Add(&events[i], 0)
	}
	resolve(t, running)
	before := map[identity.NodeID]identity.NodeID{}
	for _, n := range running.Nodes() {
		before[n], _ = running.Profile(n)
	}
	fresh := identity.NewMemory(plainHasher{}, rules)
	for i := range events {
		if i >= half {
			running.Add(&events[i], 0)
		}
		fresh.Add(&events[i], 0)
	}
	resolve(t, running)
	resolve(t, fresh)
	if !slices.Equal(picture(running), picture(fresh)) {
		t.Error("a run from nothing gives other ids")
	}
	kept := 0
	for n, was := range before {
		is, _ := running.Profile(n)
		if holder, _ := running.Profile(was); holder != is {
			continue // split since: then the id went with its persona
		}
		if is == was {
			kept++
			continue
		}
		old, err := running.Persona(was)
		if err != nil {
			t.Fatal(err)
		}
		if now, err := running.Persona(is); err != nil || !now.Before(old) {
			t.Errorf("profile %s became %s, which was not known earlier (%v)", was, is, err)
		}
	}
	if kept < len(before)/3 {
		t.Errorf("only %d of %d kept their id", kept, len(before))
	}
}

// madeUp are the events of invented customers, as the mapping of clients_fr makes them.
func madeUp(t testing.TB, people int, seed uint64) (events []schema.Event) {
	t.Helper()
	p, err := population.New(population.Plan{People: people, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Each(func(r *population.Record) error {
		events = append(events, clientsEvent(t, map[string]string{
			"record_id": r.ID(), "source": r.Source, "seen_at": r.SeenAt.Format("2006-01-02T15:04:05Z"), "full_name": r.FullName, "first_name": r.FirstName, "last_name": r.LastName,
			"birth_date": r.BirthDate, "email": r.Email, "phone": r.Phone, "street": r.Street, "postcode": r.Postcode, "city": r.City, "loyalty_card": r.Card, "user_id": r.UserID,
			"handle": r.Handle, "cookie": r.Cookie, "person_id": r.Person,
		}))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// TestComplaint25_OneAnswer: one code base, one set of records, one answer: in any order, and again.
func TestComplaint25_OneAnswer(t *testing.T) {
	events := madeUp(t, 400, 25)
	var want []string
	rng := rand.New(rand.NewPCG(25, 25))
	for range 5 {
		m := identity.NewMemory(plainHasher{}, identity.DefaultRules())
		for _, i := range rng.Perm(len(events)) {
			m.Add(&events[i], 0)
		}
		resolve(t, m)
		if got := picture(m); want == nil {
			want = got
		} else if !slices.Equal(got, want) {
			t.Fatal("another order, another answer")
		}
	}
}

// TestComplaint26_BetterThanComponents: on invented customers, what components of shared values glue together wrongly stays apart. The components are of
// normal forms that at most twelve records carry.
func TestComplaint26_BetterThanComponents(t *testing.T) {
	complaint(t, "complaint 26")
	p, err := population.New(population.Plan{People: 1500, Seed: 26})
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	if err := p.Each(func(r *population.Record) error { labels = append(labels, r.Person); return nil }); err != nil {
		t.Fatal(err)
	}
	events := madeUp(t, 1500, 26)
	m := identity.NewMemory(plainHasher{}, identity.DefaultRules())
	parent := map[string]string{}
	var find func(string) string
	find = func(x string) string {
		if parent[x] == "" || parent[x] == x {
			return x
		}
		return find(parent[x])
	}
	carried := map[string]int{}
	each := func(visit func(persona, value string)) {
		for i := range events {
			for _, id := range events[i].Identifiers {
				if normal, err := identifier.Normalize(id.Kind, id.Value, "FR"); err == nil {
					visit(events[i].Persona.String(), id.Kind+" "+normal)
				}
			}
		}
	}
	each(func(_, value string) { carried[value]++ })
	each(func(persona, value string) {
		if a, b := find(persona), find(value); carried[value] <= 12 && a != b {
			parent[b] = a
		}
	})
	for i := range events {
		m.Add(&events[i], 0)
	}
	resolve(t, m)
	ours, components := make([]string, len(events)), make([]string, len(events))
	for i := range events {
		id, _ := m.Profile(events[i].Persona)
		ours[i], components[i] = id.String(), find(events[i].Persona.String())
	}
	a, b := accuracy.Of(labels, ours), accuracy.Of(labels, components)
	t.Logf("strata 0 and 1: %s", a)
	t.Logf("components:     %s", b)
	if a.F1 < b.F1+.05 || a.Precision < .97 || a.Largest > 12 {
		t.Errorf("want F1 clearly above components', P ≥ .97 and no profile above 12")
	}
}

// TestComplaint27_EveryPersonaInOneProfile: nobody is in two profiles or in none; what is undecided is a possible match, of two profiles.
func TestComplaint27_EveryPersonaInOneProfile(t *testing.T) {
	first, last := seeds(t, 100, 2000)
	for seed := first; seed <= last; seed++ {
		w := newWorld(seed, 40)
		rules := nastyRules(w.rng)
		m := identity.NewMemory(plainHasher{}, rules)
		for i := range w.events {
			m.Add(&w.events[i], 0)
		}
		resolve(t, m)
		region, err := identity.Expand(m, rules, m.Nodes())
		if err != nil {
			t.Fatal(err)
		}
		in := map[identity.NodeID]int{}
		partition := region.Resolve()
		profiles := map[identity.NodeID]bool{}
		for _, p := range partition.Profiles {
			profiles[p.ID] = true
			for _, member := range p.Members {
				in[member]++
			}
		}
		for _, n := range m.Nodes() {
			if in[n] != 1 {
				t.Fatalf("seed %d: %s is in %d profiles", seed, n, in[n])
			}
		}
		for _, p := range partition.Possible {
			if !profiles[p.A] || !profiles[p.B] || p.A == p.B {
				t.Fatalf("seed %d: a possible match of what are not two profiles", seed)
			}
		}
	}
}

func TestComplaint30_ShortNamesAreNames(t *testing.T) { complaint(t, "complaint 30") }
