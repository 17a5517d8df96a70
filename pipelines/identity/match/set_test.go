package match_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/schema"
)

// words is a small world, so that values meet, blocks fill up and values become generic.
var (
	givens   = []string{"jean", "jeanne", "michel", "mickael", "andre", "sandrine", "j", "jaen", "marie claude"}
	families = []string{"dupont", "dupond", "martin", "martin dupont", "le gall", "dupnot"}
	births   = []string{"19800101", "19800102", "19800201", "19610517", "19610715", "19500101", "1980"}
	mails    = []string{"jean.dupont@a.fr", "jeandupont@a.fr", "famille.martin@b.fr", "jean.dupont@b.fr", "contact@c.fr"}
	phones   = []string{"+33612345678", "+33612345679", "+33100000000"}
	homes    = []string{"1|rue des lilas|75012|paris", "1|rue de lilas|75012|paris", "2|rue haute|69001|lyon", "||75012|paris"}
)

func drawCore(t *rapid.T, id int) match.Core {
	c := match.Core{}
	c.ID[0], c.ID[1] = byte(id*37), byte(id)
	for range rapid.IntRange(1, 2).Draw(t, "records") {
		var values []match.Value
		add := func(field string, from []string) {
			if rapid.IntRange(0, 2).Draw(t, field+" said") > 0 {
				values = append(values, match.Value{Field: field, Text: rapid.SampledFrom(from).Draw(t, field)})
			}
		}
		switch rapid.IntRange(0, 3).Draw(t, "name form") {
		case 0, 1:
			values = append(values, match.Value{Field: "name", Text: rapid.SampledFrom(givens).Draw(t, "given") + "|" + rapid.SampledFrom(families).Draw(t, "family") + "|"})
		case 2:
			values = append(values, match.Value{Field: "name", Text: "?" + rapid.SampledFrom(givens).Draw(t, "given") + " " + rapid.SampledFrom(families).Draw(t, "family")})
		}
		add("birth", births)
		add("email", mails)
		add("phone", phones)
		add("address", homes)
		c.Records = append(c.Records, values)
	}
	return c
}

// state is who is who, as text.
func state(s *match.Set, ids []schema.ProfileID) string {
	out := ""
	for _, id := range ids {
		if profile, ok := s.Profile(id); ok {
			out += fmt.Sprintf("%x in %x\n", id[:2], profile[:2])
		}
	}
	for _, p := range s.Possible() {
		out += fmt.Sprintf("%x ~ %x %d %s\n", p.A[:2], p.B[:2], p.Weight, p.Reason)
	}
	return out
}

// Cores come, change and go in any order, decided at any time: who is who is what a new set of the same cores says. Blocks and values are
// small here, so they close, open, become generic and cease to be, and regions are so small that many are cut.
func TestSetIsAFunctionOfItsCores(t *testing.T) {
	base := shipped(t, "fr")
	base.BlockSize, base.Thresholds.Generic, base.Records, base.Prior = 6, 3, 12, -4
	if err := base.Prepare(); err != nil {
		t.Fatal(err)
	}
	joined := 0
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{1, 2, 3, 5, 512}).Draw(t, "limit")
		live := match.NewSet(base)
		live.SetLimit(limit)
		now := map[schema.ProfileID]match.Core{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			c := drawCore(t, rapid.IntRange(0, 29).Draw(t, "core"))
			if rapid.IntRange(0, 4).Draw(t, "step") == 0 {
				live.Remove(c.ID)
				delete(now, c.ID)
			} else {
				live.Put(c)
				now[c.ID] = c
			}
			if rapid.Bool().Draw(t, "decide") {
				live.Resolve()
			}
		}
		live.Resolve()
		var ids []schema.ProfileID
		for i := range 30 {
			c := match.Core{}
			c.ID[0], c.ID[1] = byte(i*37), byte(i)
			if _, ok := now[c.ID]; ok {
				ids = append(ids, c.ID)
			}
		}
		want := state(live, ids)
		for _, order := range [][]schema.ProfileID{ids, rapid.Permutation(ids).Draw(t, "order")} {
			fresh := match.NewSet(base)
			fresh.SetLimit(limit)
			for _, id := range order {
				fresh.Put(now[id])
			}
			fresh.Resolve()
			if got := state(fresh, ids); got != want {
				t.Fatalf("a new set says\n%s\nthe old one\n%s", got, want)
			}
		}
		for _, id := range ids {
			if p, _ := live.Profile(id); p != id {
				joined++
			}
		}
	})
	if joined == 0 {
		t.Error("nothing was ever joined: the test proves nothing")
	}
}

// A common name written wrongly by so many that the model lists it is a slip all the same, and people lose cards; another name is another
// person, however near it is, and so is the bearer of one that is near to it.
func TestSlipsOfCommonNames(t *testing.T) {
	m := shipped(t, "fr")
	for _, c := range []struct {
		a, b string
		one  bool
	}{
		{"pierre", "pierer", true}, {"marie", "maarie", true}, {"jean", "jaen", true},
		{"michel", "michele", false}, {"marie", "maria", false}, {"daniel", "daniele", false}, {"gerard", "gerald", false},
	} {
		if f := m.Fields[0].Given.Frequencies; f[c.a] == 0 || f[c.b] == 0 {
			t.Fatalf("the model does not list %s and %s: they prove nothing", c.a, c.b)
		}
		s := match.NewSet(m)
		for i, given := range []string{c.a, c.b} {
			s.Put(match.Core{ID: schema.ProfileID{0: byte(i + 1)}, Records: [][]match.Value{{
				{Field: "name", Text: given + "|seguy|"}, {Field: "email", Text: "seguy34@hotmail.fr"},
				{Field: "address", Text: "|place des lilas|64100|bayonne"}, {Field: "card", Text: "2682080780" + string(rune('0'+i))},
			}}})
		}
		s.Resolve()
		if p, _ := s.Profile(schema.ProfileID{0: 2}); (p == schema.ProfileID{0: 1}) != c.one {
			t.Errorf("%s and %s on one mailbox, with two cards: one person %v, want %v", c.a, c.b, !c.one, c.one)
		}
	}
}

// A model of another version, with an unknown member, an unknown comparison or a chance outside 0 to 1 is refused with what to do.
func TestModelIsChecked(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":           `model`,
		"another format":    `{"format": 2}`,
		"an unknown member": `{"format": 1, "weights": []}`,
		"nothing in it":     `{"format": 1}`,
	} {
		if _, err := match.Parse([]byte(text)); err == nil {
			t.Errorf("a model with %s passes", name)
		}
	}
	for _, name := range match.Names() {
		m := shipped(t, name)
		text, err := m.Text()
		if err != nil {
			t.Fatal(err)
		}
		again, err := match.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if again.Version() != m.Version() {
			t.Errorf("%s: version %s, and %s when written and read", name, m.Version(), again.Version())
		}
		if len(text) > 300_000 {
			t.Errorf("%s has %d bytes", name, len(text))
		}
	}
	if _, err := match.Shipped("xx"); err == nil {
		t.Error("there is a model xx")
	}
}

// One name of 10,000 letters, and 5,000 cores with one name and nothing else, cost bounded work and join nobody.
func TestHostileNames(t *testing.T) {
	s := match.NewSet(shipped(t, "fr"))
	long := make([]byte, 10_000)
	for i := range long {
		long[i] = byte('a' + i%26)
	}
	for i := range 5000 {
		c := match.Core{Records: [][]match.Value{{{Field: "name", Text: "jean|martin|"}}}}
		if i%500 == 0 {
			c.Records[0][0].Text = string(long) + "|martin|"
		}
		c.ID[0], c.ID[1] = byte(i), byte(i>>8)
		s.Put(c)
	}
	s.Resolve()
	if n := s.Work.Compared; n > 5000*200 {
		t.Errorf("%d comparisons", n)
	}
	for i := range 5000 {
		c := match.Core{}
		c.ID[0], c.ID[1] = byte(i), byte(i>>8)
		if p, _ := s.Profile(c.ID); p != c.ID && i%500 != 0 {
			t.Fatalf("core %d was joined by its name alone", i)
		}
	}
}

// Whoever has two mailboxes and two numbers is found by each of them, not by the last one alone.
func TestEveryValueProposes(t *testing.T) {
	s := match.NewSet(shipped(t, "fr"))
	core := func(id byte, values ...match.Value) match.Core {
		return match.Core{ID: schema.ProfileID{0: id}, Records: [][]match.Value{values}}
	}
	s.Put(core(1, match.Value{Field: "email", Text: "anna@a.fr"}, match.Value{Field: "email", Text: "zoe@b.fr"}, match.Value{Field: "phone", Text: "+33612345678"}, match.Value{Field: "phone", Text: "+33698765432"}))
	s.Put(core(2, match.Value{Field: "email", Text: "anna@a.fr"}))
	s.Put(core(3, match.Value{Field: "email", Text: "zoe@b.fr"}))
	s.Put(core(4, match.Value{Field: "phone", Text: "+33612345678"}))
	s.Put(core(5, match.Value{Field: "phone", Text: "+33698765432"}))
	for id := byte(2); id <= 5; id++ {
		if got := s.Reach(schema.ProfileID{0: 1}, schema.ProfileID{0: id}); got != match.ReachOpen {
			t.Errorf("core %d: reach %d, want it compared", id, got)
		}
	}
}

// What a set was told to expect changes nothing once it has settled.
func TestExpectedSizeDecidesNothing(t *testing.T) {
	m := shipped(t, "fr")
	m.Records = 10
	if err := m.Prepare(); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		plain, told := match.NewSet(m), match.NewSet(m)
		told.Expect(rapid.SampledFrom([]int{1, 15, 30, 100, 1 << 20}).Draw(t, "expected"))
		var ids []schema.ProfileID
		for i := range rapid.IntRange(1, 60).Draw(t, "cores") {
			c := drawCore(t, i)
			ids = append(ids, c.ID)
			for _, s := range []*match.Set{plain, told} {
				s.Put(c)
				s.Resolve()
			}
		}
		told.Settle()
		told.Resolve()
		if got, want := state(told, ids), state(plain, ids); got != want {
			t.Fatalf("told how many come, a set says\n%s\nelse\n%s", got, want)
		}
	})
}
