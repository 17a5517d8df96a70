package identity_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

var update = flag.Bool("update", false, "rewrite the results in testdata")

// TestCases runs testdata/*.txt. A file holds cases, each:
//
//	== title
//	rules GenericDegree=3 user_id=unique email=limit:5
//	LABEL: SOURCE TRUST KIND:VALUE [KIND:VALUE | KIND?VALUE] [given:X family:Y name:Z born:D street:S postcode:P] [alias] [at:N] [epoch:N]
//	link ID LABEL LABEL [at:N]      separate ID LABEL LABEL [at:N]      release ID
//	erase LABEL
//	why LABEL LABEL                 how LABEL
//	----
//	result
//
// KIND:VALUE is verified (on a server key), KIND?VALUE declared; VALUE>OTHER is superseded by OTHER; underscores in a value are
// blanks. Lines with one label are events of one persona. The result lists profiles (canonical persona first) and possible
// matches. Every case runs forwards, backwards, shuffled, with every line doubled, and resolved after each line: the result is one.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var rewritten strings.Builder
		head, cases, _ := strings.Cut("\n"+string(raw), "\n== ")
		rewritten.WriteString(strings.TrimPrefix(head, "\n"))
		for i, text := range strings.Split(cases, "\n== ") {
			title, body, _ := strings.Cut(text, "\n")
			input, want, _ := strings.Cut(body, "\n----\n")
			t.Run(filepath.Base(file)+"/"+title, func(t *testing.T) {
				got := runCase(t, input)
				if i > 0 || head != "\n" && head != "" {
					rewritten.WriteString("\n")
				}
				fmt.Fprintf(&rewritten, "== %s\n%s\n----\n%s", title, input, got)
				if !*update && strings.TrimSpace(got) != strings.TrimSpace(want) {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
		if *update {
			if err := os.WriteFile(file, []byte(rewritten.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

type caseLine func(m *identity.Memory)

type resolverCase struct {
	rules  *identity.Rules
	lines  []caseLine
	asks   []func(t *testing.T, m *identity.Memory) string
	node   map[string]identity.NodeID
	labels map[identity.NodeID]string
	events int
}

func runCase(t *testing.T, input string) string {
	c := resolverCase{rules: identity.DefaultRules(), node: map[string]identity.NodeID{}, labels: map[identity.NodeID]string{}}
	for line := range strings.Lines(input) {
		if f := strings.Fields(line); len(f) > 0 && !strings.HasPrefix(f[0], "#") {
			c.read(t, f)
		}
	}
	if err := c.rules.Prepare(); err != nil {
		t.Fatal(err)
	}
	want := c.run(t, inOrder(len(c.lines)), false)
	rng := rand.New(rand.NewPCG(1, 1))
	backwards := inOrder(len(c.lines))
	slices.Reverse(backwards)
	orders := [][]int{backwards, append(inOrder(len(c.lines)), backwards...)}
	for range 4 {
		orders = append(orders, rng.Perm(len(c.lines)))
	}
	for _, order := range orders {
		for _, each := range []bool{false, true} {
			if got := c.run(t, order, each); got != want {
				t.Errorf("in order %v, resolved after each line: %t:\n%s\nin file order:\n%s", order, each, got, want)
			}
		}
	}
	return want
}

func (c *resolverCase) run(t *testing.T, order []int, each bool) string {
	m := identity.NewMemory(plainHasher{}, c.rules)
	for _, i := range order {
		c.lines[i](m)
		if each {
			resolve(t, m)
		}
	}
	resolve(t, m)
	return c.show(t, m)
}

func (c *resolverCase) show(t *testing.T, m *identity.Memory) string {
	var b strings.Builder
	profiles := map[identity.NodeID][]string{}
	for _, n := range m.Nodes() {
		p, ok := m.Profile(n)
		if !ok {
			t.Fatalf("%s has no profile", c.labels[n])
		}
		profiles[p] = append(profiles[p], c.labels[n])
	}
	var rows []string
	for p, members := range profiles {
		slices.Sort(members)
		first := c.labels[p]
		row := first
		for _, l := range members {
			if l != first {
				row += " " + l
			}
		}
		if hold, _ := m.Hold(p); hold != identity.Free {
			row += " (held: " + hold.String() + ")"
		}
		rows = append(rows, row)
	}
	slices.Sort(rows)
	b.WriteString(strings.Join(rows, "\n") + "\n")
	region, err := identity.Expand(m, c.rules, m.Nodes())
	if err != nil {
		t.Fatal(err)
	}
	rows = nil
	for _, p := range region.Resolve().Possible {
		pair := []string{c.labels[p.A], c.labels[p.B]}
		slices.Sort(pair)
		rows = append(rows, fmt.Sprintf("possible %s %s: %s %s", pair[0], pair[1], p.Reason, strings.Join(p.Kinds, ",")))
	}
	slices.Sort(rows)
	for _, r := range rows {
		b.WriteString(strings.TrimRight(r, " ") + "\n")
	}
	for _, ask := range c.asks {
		b.WriteString(ask(t, m))
	}
	return b.String()
}

func (c *resolverCase) step(s identity.Step) string {
	out := fmt.Sprintf("  %s %s %s by %s", c.labels[s.A], map[bool]string{true: "=", false: "≠"}[s.Reason == ""], c.labels[s.B], s.Rule)
	if s.Key.Kind != "" {
		out += " " + s.Key.Kind
	}
	if s.Reason != "" {
		out += ": " + string(s.Reason)
	}
	if s.Overrides {
		out += " (overrides)"
	}
	return out + "\n"
}

func (c *resolverCase) read(t *testing.T, f []string) {
	c.events++
	at := schema.Instant(c.events)
	for _, w := range f {
		if v, ok := strings.CutPrefix(w, "at:"); ok {
			n, err := strconv.Atoi(v)
			if err != nil {
				t.Fatal(err)
			}
			at = schema.Instant(n)
		}
	}
	switch f[0] {
	case "rules":
		for _, w := range f[1:] {
			c.rule(t, w)
		}
	case "link", "separate", "release":
		// The nodes are known when the line runs, not before: a decision may come before what it is about.
		var e schema.Event
		copy(e.ID[:], f[1])
		e.Provenance.Trust = schema.TrustServer
		e.OccurredAt = at
		c.lines = append(c.lines, func(m *identity.Memory) {
			e := e
			switch f[0] {
			case "release":
				e.Type = schema.TypeIdentityReleased
				e.Assertion = &schema.Assertion{}
				copy(e.Assertion.Of[:], f[1])
				e.ID[15] = 1
			default:
				e.Type = schema.TypeIdentityLinked
				if f[0] == "separate" {
					e.Type = schema.TypeIdentitySeparated
				}
				// plainHasher's public id of epoch 0 is the persona id, so a node's id stands for itself.
				e.Assertion = &schema.Assertion{A: schema.PersonaEpoch{Persona: c.node[f[2]]}, B: schema.PersonaEpoch{Persona: c.node[f[3]]}}
			}
			m.Add(&e, 0)
		})
	case "erase":
		c.lines = append(c.lines, func(m *identity.Memory) { m.Erase(c.node[f[1]]) })
	case "why":
		c.asks = append(c.asks, func(t *testing.T, m *identity.Memory) string {
			region, err := identity.Expand(m, c.rules, []identity.NodeID{c.node[f[1]], c.node[f[2]]})
			if err != nil {
				t.Fatal(err)
			}
			x := region.Why(c.node[f[1]], c.node[f[2]])
			if x.Same {
				out := fmt.Sprintf("why %s %s: one person\n", f[1], f[2])
				for _, s := range x.Path {
					out += c.step(s)
				}
				return out
			}
			out := fmt.Sprintf("why %s %s: apart, %s\n", f[1], f[2], x.Reason)
			for _, k := range x.Shared {
				out += fmt.Sprintf("  share %s, degree %d%s\n", k.Key.Kind, k.Degree, map[bool]string{true: ", generic"}[k.Generic])
			}
			if x.Obstacle != nil {
				out += c.step(*x.Obstacle)
			}
			return out
		})
	case "how":
		c.asks = append(c.asks, func(t *testing.T, m *identity.Memory) string {
			region, err := identity.Expand(m, c.rules, []identity.NodeID{c.node[f[1]]})
			if err != nil {
				t.Fatal(err)
			}
			out := "how " + f[1] + "\n"
			for _, s := range region.How(c.node[f[1]]) {
				out += c.step(s)
			}
			return out
		})
	default:
		c.event(t, f, at)
	}
}

func (c *resolverCase) rule(t *testing.T, word string) {
	name, value, _ := strings.Cut(word, "=")
	n, _ := strconv.Atoi(value)
	switch name {
	case "GenericDegree":
		c.rules.GenericDegree = n
		return
	case "HubSize":
		c.rules.HubSize = n
		return
	case "QuarantineSize":
		c.rules.QuarantineSize = n
		return
	}
	for i := range c.rules.Kinds {
		k := &c.rules.Kinds[i]
		if k.Kind != name {
			continue
		}
		switch option, arg, _ := strings.Cut(value, ":"); option {
		case "unique":
			k.Unique, k.UnlessNamed = true, false
		case "many":
			k.Unique = false
		case "limit", "window":
			n, err := strconv.Atoi(arg)
			if err != nil {
				t.Fatal(err)
			}
			if option == "limit" {
				k.Limit = n
			} else {
				k.WindowDays = n
			}
		default:
			k.Strength = identity.Strength(value)
		}
		return
	}
	t.Fatalf("no rule %q", word)
}

func (c *resolverCase) event(t *testing.T, f []string, at schema.Instant) {
	label, ok := strings.CutSuffix(f[0], ":")
	if !ok || len(f) < 4 {
		t.Fatalf("cannot read %q", strings.Join(f, " "))
	}
	var e schema.Event
	e.ID[14], e.ID[15] = byte(c.events>>8), byte(c.events)
	e.Type, e.Source, e.OccurredAt = schema.TypeProfileIdentified, f[1], at
	e.Provenance = schema.Provenance{Trust: schema.TrustServer, Country: "FR"}
	if f[2] == "client" {
		e.Provenance.Trust = schema.TrustClient
	}
	e.Account.Kind, e.Account.Value, _ = strings.Cut(f[3], ":")
	for _, w := range f[4:] {
		at := strings.IndexAny(w, ":?")
		if at < 0 {
			if w == "alias" {
				e.Type = schema.TypeIdentityAliased
				continue
			}
			t.Fatalf("cannot read %q", w)
		}
		kind, value := w[:at], strings.ReplaceAll(w[at+1:], "_", " ")
		trait := map[string]string{"given": "first_name", "family": "last_name", "name": "name", "born": "birth_date", "street": "street", "postcode": "postcode"}[kind]
		switch {
		case kind == "at":
		case kind == "epoch":
			n, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			e.Key.Epoch = uint32(n)
		case trait != "":
			e.Traits = append(e.Traits, schema.Trait{Name: trait, Value: []byte(strconv.Quote(value))})
		default:
			id := schema.Identifier{Kind: kind, Assurance: schema.AssuranceVerified}
			id.Value, id.SupersededBy, _ = strings.Cut(value, ">")
			if w[at] == '?' {
				id.Assurance = schema.AssuranceDeclared
			}
			e.Identifiers = append(e.Identifiers, id)
		}
	}
	e.Persona = personaOf(e.Source, e.Provenance.Trust, e.Account)
	node := plainHasher{}.Public(schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch})
	if have, ok := c.node[label]; ok && have != node {
		t.Fatalf("label %s names two personas", label)
	}
	c.node[label], c.labels[node] = node, label
	c.lines = append(c.lines, func(m *identity.Memory) { m.Add(&e, 0) })
}
