package replay

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// world puts personas into profiles: a profile is named by its lowest persona, and has a value.
type world struct {
	holder map[byte]byte // persona → profile
	value  map[byte]string
}

func personaOf(n byte) schema.PersonaID { return schema.PersonaID{n, 6: 0x80, 8: 0x80} }

func (w world) members() map[byte][]byte {
	out := map[byte][]byte{}
	for _, m := range slices.Sorted(maps.Keys(w.holder)) {
		out[w.holder[m]] = append(out[w.holder[m]], m)
	}
	return out
}

func (w world) export() string {
	var b strings.Builder
	members := w.members()
	for _, profile := range slices.Sorted(maps.Keys(members)) {
		var personas []string
		for _, m := range members[profile] {
			personas = append(personas, fmt.Sprintf(`{"id":%q,"standing":"full"}`, personaOf(m)))
		}
		fmt.Fprintf(&b, `{"goldenRecord":[{"id":"no id of ours","value":%q}],"id":%q,"personas":[%s]}`+"\n", w.value[profile], personaOf(profile), strings.Join(personas, ","))
	}
	return b.String()
}

// randomWorld joins personas at random; likeness is how often a persona is where it is in base.
func randomWorld(r *rand.Rand, base *world) world {
	w := world{holder: map[byte]byte{}, value: map[byte]string{}}
	groups := map[byte][]byte{}
	for n := byte(1); n <= 40; n++ {
		if r.IntN(20) == 0 {
			continue // not there
		}
		group := byte(r.IntN(25))
		if base != nil && r.IntN(5) > 0 {
			if h, known := base.holder[n]; known {
				group = 100 + h
			}
		}
		groups[group] = append(groups[group], n)
	}
	for _, members := range groups {
		lowest := slices.Min(members)
		for _, m := range members {
			w.holder[m] = lowest
		}
		w.value[lowest] = fmt.Sprint(r.IntN(2))
	}
	return w
}

// TestDiffPeople counts what is other as a plain reading of both worlds does.
func TestDiffPeople(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range 400 {
		before := randomWorld(r, nil)
		after := randomWorld(r, &before)
		if round == 0 {
			after = before
		}
		want := People{}
		was, is := before.members(), after.members()
		want.Before, want.After = int64(len(was)), int64(len(is))
		for profile, members := range was {
			parts, others, left := map[byte]bool{}, false, 0
			for _, m := range members {
				if to, there := after.holder[m]; there {
					parts[to], left = true, left+1
					for _, n := range is[to] {
						if h, known := before.holder[n]; known && h != profile {
							others = true
						}
					}
				}
			}
			same := slices.Equal(is[profile], members)
			switch {
			case same && before.value[profile] == after.value[profile]:
				want.Same++
			case same:
				want.Changed++
			case left == 0:
				want.Gone++
			case !others && len(parts) == 1:
				want.Moved++
			default:
				if others {
					want.Merged++
				}
				if len(parts) > 1 {
					want.Split++
				}
			}
		}
		for _, members := range is {
			if !slices.ContainsFunc(members, func(m byte) bool { _, known := before.holder[m]; return known }) {
				want.New++
			}
		}
		got, err := DiffPeople(strings.NewReader(before.export()), strings.NewReader(after.export()), 100)
		if err != nil {
			t.Fatal(err)
		}
		if got.Before != want.Before || got.After != want.After || got.Same != want.Same || got.Changed != want.Changed || got.Merged != want.Merged || got.Split != want.Split || got.Moved != want.Moved || got.Gone != want.Gone || got.New != want.New {
			t.Fatalf("round %d: got %+v, want %+v of\n%s\n%s", round, got, want, before.export(), after.export())
		}
		if got.Members["goldenRecord"] != want.Changed || int64(len(got.Changes)) != want.Changed {
			t.Fatalf("round %d: %v of %d changes", round, got.Members, want.Changed)
		}
		// Every profile that is merged or split is in one sample, with all that its personas have become.
		listed := map[string]bool{}
		for _, s := range slices.Concat(got.Merges, got.Splits) {
			for _, b := range s.Before {
				if listed[b] {
					t.Fatalf("round %d: %s is in two samples", round, b)
				}
				listed[b] = true
			}
			if len(s.Before) < 2 && len(s.After) < 2 {
				t.Fatalf("round %d: %+v is no difference", round, s)
			}
		}
	}
}

// TestDiffPeopleRefuses: what is no export, or is not sorted, is not compared.
func TestDiffPeopleRefuses(t *testing.T) {
	w := world{map[byte]byte{1: 1, 2: 2}, map[byte]string{}}
	lines := slices.Collect(strings.Lines(w.export()))
	for _, text := range []string{lines[1] + lines[0], "{\n", lines[0] + "cut"} {
		if _, err := DiffPeople(strings.NewReader(text), strings.NewReader(""), 1); err == nil {
			t.Errorf("%q is compared", text)
		}
	}
}

// TestDiffRows: rows that are gone, new and changed, kind by kind.
func TestDiffRows(t *testing.T) {
	row := func(kind string, id int, value string) string {
		return fmt.Sprintf(`{"row":%q,"values":{"id":"%08d","x":%q}}`+"\n", kind, id, value)
	}
	before := row("case", 1, "a") + row("case", 2, "a") + row("conversation", 1, "a") + row("conversation", 3, "a")
	after := row("case", 1, "a") + row("case", 2, "b") + row("case", 4, "a") + row("conversation", 3, "a") + row("survey", 9, "a")
	got, err := DiffRows(strings.NewReader(before), strings.NewReader(after), 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []Rows{
		{Kind: "case", Before: 2, After: 3, New: 1, Changed: 1, Samples: []string{"00000002", "00000004"}},
		{Kind: "conversation", Before: 2, After: 1, Gone: 1, Samples: []string{"00000001"}},
		{Kind: "survey", After: 1, New: 1, Samples: []string{"00000009"}},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := DiffRows(strings.NewReader(`{"row":"other"}`+"\n"), strings.NewReader(""), 1); err == nil {
		t.Error("a row of no kind is compared")
	}
}
