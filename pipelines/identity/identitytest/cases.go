package identitytest

import (
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

//go:embed testdata/*.yaml
var files embed.FS

// Case is one story, in a file of testdata.
type Case struct {
	Case string `yaml:"case"`
	// Needs is the stratum that the case needs: 1 if exact identifiers are enough, 2 if likeness has to be weighed. A case holds with every
	// higher stratum, too.
	Needs int `yaml:"needs"`
	// Until is the last stratum with which the case holds, if not all: But says what the next one does instead, and why it may.
	Until  int      `yaml:"until"`
	But    string   `yaml:"but"`
	Why    string   `yaml:"why"` // what is at stake, for the reader
	Events []Record `yaml:"events"`
	// Profiles lists who is one person. Whoever is in none of them is alone.
	Profiles [][]string `yaml:"profiles"`
	// Possible lists pairs that must be proposed as possible matches: between their profiles, whichever persona stands for one. Others
	// may be proposed, too.
	Possible [][2]string `yaml:"possible"`
	// Silent lists pairs that must not be proposed.
	Silent [][2]string `yaml:"silent"`

	file string
}

// Record is one event, or a decision if Link or Separate is set. In every text, {n} is the number of the repetition {given} and {name} a given
// and a family name, the two together like nobody else's.
type Record struct {
	As         string            `yaml:"as"`     // what the case calls the persona; records of one persona have one name
	Times      int               `yaml:"times"`  // so many events, numbered from 1; 0 is one
	Source     string            `yaml:"source"` // default: what stands before the first dot of As
	Client     bool              `yaml:"client"` // sent with a public key
	Account    string            `yaml:"account"`
	At         string            `yaml:"at"`    // a date; default: the place in the list
	IDs        map[string]string `yaml:"ids"`   // identifiers by kind, verified
	Typed      map[string]string `yaml:"typed"` // identifiers by kind, declared
	Superseded map[string]string `yaml:"superseded"`

	Name, Given, Family, Born, Street, Postcode, City string

	Link, Separate [2]string
}

// Engine is what a case is run against.
type Engine interface {
	Add(e *schema.Event)
	// Resolve brings everything up to date.
	Resolve() error
	// Profile is the profile of a persona, after Resolve.
	Profile(persona identity.NodeID) (identity.NodeID, bool)
	// Possible lists pairs of profiles, or of personas in them, that may be one person.
	Possible() ([][2]identity.NodeID, error)
}

// Hasher stands in for the key ring: the same shapes, without a key.
type Hasher struct{}

// IdentifierHash implements identity.Hasher.
func (Hasher) IdentifierHash(kind, value string) (out [16]byte) {
	h := sha256.Sum256([]byte(kind + "\x00" + value))
	copy(out[:], h[:])
	return out
}

// Public implements identity.Hasher.
func (Hasher) Public(of schema.PersonaEpoch) identity.NodeID {
	if of.Epoch == 0 {
		return of.Persona
	}
	h := sha256.Sum256(binary.BigEndian.AppendUint32(of.Persona[:], of.Epoch))
	return identity.NodeID(h[:16])
}

// Cases are the cases that hold with the strata up to one.
func Cases(stratum int) (out []Case, err error) {
	entries, err := files.ReadDir("testdata")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		raw, err := files.ReadFile(path.Join("testdata", entry.Name()))
		if err != nil {
			return nil, err
		}
		var cases []Case
		if err := yaml.UnmarshalWithOptions(raw, &cases, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		for _, c := range cases {
			if c.Needs < 1 || c.Needs > 2 || c.Why == "" || len(c.Events) == 0 {
				return nil, fmt.Errorf("%s: case %q needs stratum %d, and must say why and have events", entry.Name(), c.Case, c.Needs)
			}
			if (c.Until > 0) != (c.But != "") {
				return nil, fmt.Errorf("%s: case %q must say until when it holds, and what comes then", entry.Name(), c.Case)
			}
			if c.file = strings.TrimSuffix(entry.Name(), ".yaml"); c.Needs <= stratum && (c.Until == 0 || c.Until >= stratum) {
				out = append(out, c)
			}
		}
	}
	return out, nil
}

// Run runs every case that the strata up to one can hold. start makes an empty engine.
func Run(t *testing.T, stratum int, start func() Engine) {
	cases, err := Cases(stratum)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.file+"/"+c.Case, func(t *testing.T) { c.run(t, start) })
	}
}

// told is a case as events.
type told struct {
	events []schema.Event
	node   map[string]identity.NodeID
	label  map[identity.NodeID]string
	order  []string // labels, as the case has them
}

const (
	mostPermuted = 5 // events of which every permutation is run
	shuffles     = 100
	longStory    = 30
)

func (c *Case) run(t *testing.T, start func() Engine) {
	story, err := c.tell()
	if err != nil {
		t.Fatal(err)
	}
	wanted := story.normal(c.Profiles)
	n := len(story.events)
	try := func(order []int, each bool) {
		t.Helper()
		engine := start()
		for _, i := range order {
			engine.Add(&story.events[i])
			if each {
				if err := engine.Resolve(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := engine.Resolve(); err != nil {
			t.Fatal(err)
		}
		got, err := story.profiles(engine)
		if err != nil {
			t.Fatal(err)
		}
		if got != wanted {
			t.Fatalf("in order %v, resolved after each: %t\ngot\n%s\nwant\n%s", order, each, got, wanted)
		}
		if err := c.proposed(story, engine); err != nil {
			t.Fatalf("in order %v, resolved after each: %t: %s", order, each, err)
		}
	}
	forwards := make([]int, n)
	for i := range forwards {
		forwards[i] = i
	}
	try(forwards, false)
	try(append(slices.Clone(forwards), forwards...), n <= longStory)
	if n <= mostPermuted {
		permutations(forwards, func(order []int) { try(order, true) })
		return
	}
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	often := 4 // one in so many is resolved after each event, which costs most by far in long stories
	if n > longStory {
		often = shuffles / 2
	}
	for i := range shuffles {
		try(rng.Perm(n), i%often == 0)
	}
}

func permutations(order []int, each func([]int)) {
	order = slices.Clone(order)
	var place func(k int)
	place = func(k int) {
		if k == len(order) {
			each(order)
			return
		}
		for i := k; i < len(order); i++ {
			order[k], order[i] = order[i], order[k]
			place(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	place(0)
}

// normal is a partition as text: a line for each profile of several, sorted.
func (s *told) normal(profiles [][]string) string {
	var lines []string
	for _, p := range profiles {
		var members []string
		for _, label := range p {
			if prefix, ok := strings.CutSuffix(label, "*"); ok {
				for _, l := range s.order {
					if strings.HasPrefix(l, prefix) {
						members = append(members, l)
					}
				}
				continue
			}
			members = append(members, label)
		}
		if slices.Sort(members); len(members) > 1 {
			lines = append(lines, strings.Join(slices.Compact(members), " "))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (s *told) profiles(engine Engine) (string, error) {
	by := map[identity.NodeID][]string{}
	for _, label := range s.order {
		p, ok := engine.Profile(s.node[label])
		if !ok {
			return "", fmt.Errorf("%s has no profile", label)
		}
		by[p] = append(by[p], label)
	}
	var all [][]string
	for _, members := range by {
		all = append(all, members)
	}
	return s.normal(all), nil
}

// proposed checks possible matches.
func (c *Case) proposed(s *told, engine Engine) error {
	if len(c.Possible)+len(c.Silent) == 0 {
		return nil
	}
	pairs, err := engine.Possible()
	if err != nil {
		return err
	}
	profile := func(id identity.NodeID) identity.NodeID {
		p, ok := engine.Profile(id)
		if !ok {
			return id
		}
		return p
	}
	has := func(pair [2]string) bool {
		a, b := profile(s.node[pair[0]]), profile(s.node[pair[1]])
		return slices.ContainsFunc(pairs, func(p [2]identity.NodeID) bool {
			x, y := profile(p[0]), profile(p[1])
			return x == a && y == b || x == b && y == a
		})
	}
	for _, pair := range c.Possible {
		if !has(pair) {
			return fmt.Errorf("%s and %s are not proposed as a possible match", pair[0], pair[1])
		}
	}
	for _, pair := range c.Silent {
		if has(pair) {
			return fmt.Errorf("%s and %s are proposed as a possible match", pair[0], pair[1])
		}
	}
	return nil
}

// tell makes events of a case.
func (c *Case) tell() (*told, error) {
	s := &told{node: map[string]identity.NodeID{}, label: map[identity.NodeID]string{}}
	for i, r := range c.Events {
		for n := 1; n <= max(1, r.Times); n++ {
			if err := s.add(&r, i, n); err != nil {
				return nil, fmt.Errorf("event %d of %q: %w", i+1, c.Case, err)
			}
		}
	}
	for _, list := range c.Profiles {
		for _, label := range list {
			if !strings.HasSuffix(label, "*") && s.node[label].IsZero() {
				return nil, fmt.Errorf("%q names nobody called %s", c.Case, label)
			}
		}
	}
	for _, pair := range slices.Concat(c.Possible, c.Silent) {
		if s.node[pair[0]].IsZero() || s.node[pair[1]].IsZero() {
			return nil, fmt.Errorf("%q names nobody called %s or %s", c.Case, pair[0], pair[1])
		}
	}
	return s, nil
}

func (s *told) add(r *Record, place, n int) error {
	say := strings.NewReplacer("{n}", strconv.Itoa(n), "{name}", familyName(n), "{given}", givenName(n)).Replace
	at := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, place)
	if r.At != "" {
		var err error
		if at, err = time.Parse(time.DateOnly, r.At); err != nil {
			return err
		}
	}
	var e schema.Event
	e.OccurredAt = schema.InstantOf(at)
	binary.BigEndian.PutUint32(e.ID[4:], uint32(place+1))
	binary.BigEndian.PutUint32(e.ID[8:], uint32(n))
	e.Provenance = schema.Provenance{Trust: schema.TrustServer, Country: "FR"}
	if r.Link[0] != "" || r.Separate[0] != "" {
		e.Type, e.Assertion = schema.TypeIdentityLinked, &schema.Assertion{}
		pair := r.Link
		if r.Separate[0] != "" {
			e.Type, pair = schema.TypeIdentitySeparated, r.Separate
		}
		for i, side := range []*schema.PersonaEpoch{&e.Assertion.A, &e.Assertion.B} {
			if side.Persona = s.node[pair[i]]; side.Persona.IsZero() {
				return fmt.Errorf("nobody before is called %s", pair[i])
			}
		}
		s.events = append(s.events, e)
		return nil
	}
	label := say(r.As)
	e.Type, e.Source = schema.TypeProfileIdentified, r.Source
	if e.Source == "" {
		e.Source, _, _ = strings.Cut(label, ".")
	}
	if r.Client {
		e.Provenance.Trust = schema.TrustClient
	}
	if kind, value, ok := strings.Cut(say(r.Account), " "); ok {
		e.Account = schema.Account{Kind: kind, Value: value}
	} else {
		e.Account = schema.Account{Kind: "record_id", Value: label}
	}
	for _, kind := range sortedKeys(r.IDs) {
		e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: kind, Value: say(r.IDs[kind]), Assurance: schema.AssuranceVerified, SupersededBy: say(r.Superseded[kind])})
	}
	for _, kind := range sortedKeys(r.Typed) {
		e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: kind, Value: say(r.Typed[kind]), Assurance: schema.AssuranceDeclared})
	}
	for _, trait := range [...][2]string{
		{"full_name", r.Name}, {"first_name", r.Given}, {"last_name", r.Family}, {"birth_date", r.Born}, {"street", r.Street}, {"postcode", r.Postcode}, {"city", r.City},
	} {
		if trait[1] == "" {
			continue
		}
		value, err := json.Marshal(say(trait[1]))
		if err != nil {
			return err
		}
		e.Traits = append(e.Traits, schema.Trait{Name: trait[0], Value: value})
	}
	h := sha256.Sum256([]byte(e.Source + "\x00" + e.Provenance.Trust.String() + "\x00" + e.Account.Kind + "\x00" + e.Account.Value))
	copy(e.Persona[:], h[:])
	node := Hasher{}.Public(schema.PersonaEpoch{Persona: e.Persona})
	if have, ok := s.node[label]; ok && have != node {
		return fmt.Errorf("%s names two personas", label)
	}
	if have, ok := s.label[node]; ok && have != label {
		return fmt.Errorf("%s and %s are one persona", have, label)
	}
	if s.node[label].IsZero() {
		s.order = append(s.order, label)
	}
	s.node[label], s.label[node] = node, label
	s.events = append(s.events, e)
	return nil
}

// givenName is the n-th of some given names.
func givenName(n int) string {
	names := [...]string{"Anne", "Bruno", "Chantal", "David", "Émilie", "Fabrice", "Géraldine", "Hugo", "Isabelle", "Julien", "Karim", "Lucie", "Mehdi", "Nathalie", "Olivier", "Pascale", "Quentin", "Rachel", "Sébastien",
		"Thomas", "Ursule", "Valérie", "William", "Xavier", "Yasmine", "Zoé", "Agathe", "Bernard", "Cédric", "Dominique", "Estelle"}
	return names[n%len(names)]
}

// familyName is the n-th of a hundred and more family names.
func familyName(n int) string {
	heads := [...]string{"Bra", "Cor", "Dul", "Fau", "Gim", "Lor", "Mar", "Pel", "Ros", "Tav", "Vic", "Zan"}
	tails := [...]string{"bier", "cotte", "dran", "fort", "gnac", "lande", "mond", "nier", "pas", "quet", "sson", "vel"}
	return heads[n%len(heads)] + tails[n/len(heads)%len(tails)]
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
