package query

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/timeline"
)

// TestCompanies: who joined what, by the latest call of each, whichever form it has; a trait counts by the latest call that states it; order changes nothing.
func TestCompanies(t *testing.T) {
	n := 0
	join := func(p byte, days int, entity, properties string) timeline.Row {
		n++
		return row(n, persona(p), noon+schema.Instant(days)*86_400_000_000, func(e *schema.Event) {
			e.Type, e.Entity, e.Properties = schema.TypeGroupJoined, entity, []byte(properties)
		})
	}
	rows := []timeline.Row{
		join(1, 0, "acme", `{"$event":{"groupId":"acme","traits":{"name":"Acme","size":3}}}`),
		join(2, 1, "", `{"$event":{"groupId":"acme","traits":{"name":"Acme SA"}}}`), // of a release that did not keep the entity
		join(3, 2, "acme", `{"industry":"steel","left":false}`),                     // an event of our own JSON
		join(3, 3, "acme", `{"left":true}`),
		join(1, 4, "", `{"$event":{"groupId":42}}`), // a number is a name, too
		join(4, 5, "", `{}`),                                                                                                               // names none
		join(2, 0, "bolt", `{"traits":{"name":"Bolt"}}`), join(2, 6, "bolt", `{"left":true}`), join(2, 7, "bolt", `{"traits":{"size":9}}`), // left, and came back
	}
	r := rand.New(rand.NewPCG(8, 8))
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	reader := stored(t, rows)
	list := func(search, after string, first int) string {
		ids, more, err := reader.Companies(t.Context(), "main", search, after, first)
		return fmt.Sprint(ids, more, err)
	}
	for got, want := range map[string]string{
		list("", "", 10): "[42 acme bolt] false <nil>", list("", "42", 1): "[acme] true <nil>", list("acme s", "", 10): "[acme] false <nil>", list("BOL", "", 10): "[bolt] false <nil>", list("steel", "", 10): "[] false <nil>",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	companies, err := reader.CompaniesByID(t.Context(), "main", []string{"acme", "none", "bolt"})
	if err != nil || len(companies) != 3 || companies[1] != nil {
		t.Fatalf("%v, %v", companies, err)
	}
	text := ""
	for _, c := range []int{0, 2} {
		for _, m := range companies[c].Members {
			text += fmt.Sprintf("%s %d %v; ", companies[c].ID, m.Persona[len(m.Persona)-1]+m.Persona[0], m.Left)
		}
		for _, trait := range companies[c].Traits {
			text += fmt.Sprintf("%s=%s; ", trait.Name, trait.Value)
		}
	}
	one, two, three := persona(1), persona(2), persona(3)
	last := func(p schema.PersonaID) byte { return p[len(p)-1] + p[0] }
	want := fmt.Sprintf(`acme %d false; acme %d false; acme %d true; industry="steel"; name="Acme SA"; size=3; bolt %d false; name="Bolt"; size=9; `, last(one), last(two), last(three), last(two))
	if text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	// Of one person the latest call about a company counts, whichever account it is of.
	joined, err := reader.Joined(t.Context(), "main", [][]schema.PersonaID{{one}, {two, three}, {persona(4)}})
	if err != nil || fmt.Sprint(joined) != "[[42 acme] [bolt] []]" {
		t.Errorf("%v, %v", joined, err)
	}
}
