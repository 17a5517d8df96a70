package query

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
)

var update = flag.Bool("update", false, "rewrite the golden files; review the difference")

func persona(n byte) schema.PersonaID { return schema.PersonaID{n, 6: 0x80, 8: 0x80} }
func event(n byte) schema.EventID     { return schema.EventID{n, 6: 0x80, 8: 0x80} }

func TestGoldenStatements(t *testing.T) {
	one := [][]schema.PersonaID{{persona(1), persona(2)}}
	two := [][]schema.PersonaID{{persona(1), persona(2)}, {persona(3)}}
	filter := Filter{
		Channels: []schema.Channel{schema.ChannelPhone, schema.ChannelEmail}, Types: []schema.Type{schema.TypeMessageReceived},
		From: 1_700_000_000_000_000, To: 1_800_000_000_000_000,
	}
	past := Past{Recorded: 1_760_000_000_000_000, Occurred: 1_750_000_000_000_000}
	day := window{from: 1_700_000_000_000_000, to: 1_700_086_400_000_000}
	for name, s := range map[string]Statement{
		"page":             Page{Workspace: "main", People: one, First: 50}.Statement(),
		"page_filtered":    Page{Workspace: "main", People: one, Filter: filter, After: &Cursor{1_750_000_000_000_001, event(9)}, First: 20}.Statement(),
		"page_people":      Page{Workspace: "main", People: two, First: 50}.Statement(),
		"page_counted":     Page{Workspace: "main", People: two, First: 50, Wanted: graphql.Wanted{Total: true}}.Statement(),
		"page_fields":      Page{Workspace: "main", People: one, First: 50, Wanted: graphql.Wanted{Fields: []string{"case", "text", "type"}, Total: true}}.Statement(),
		"page_past":        Page{Workspace: "main", People: two, First: 50, Past: past}.Statement(),
		"cases_past":       Cases{"main", two, past}.Statement(),
		"recall":           Recall{"main", []schema.PersonaID{persona(1), persona(2)}, past}.Statement(),
		"total":            Total{"main", one, filter, Past{}}.Statement(),
		"total_people":     Total{"main", two, Filter{}, Past{}}.Statement(),
		"events":           Events{"main", []schema.EventID{event(1), event(2)}}.Statement(),
		"cases":            Cases{"main", two, Past{}}.Statement(),
		"answers":          Answers{"main", two, Past{}}.Statement(),
		"orders":           Orders{"main", two, Past{}}.Statement(),
		"purchases":        Purchases{"main", two, 1_750_000_000_000_000}.Statement(),
		"purchases_all":    AllPurchases{"main", 1_750_000_000_000_000}.Statement(),
		"refit_corrected":  RefitTexts{"main", true, 47_000}.Statement(),
		"refit_anchors":    RefitTexts{"main", false, 3000}.Statement(),
		"last_contacts":    LastContacts{"main", two}.Statement(),
		"count":            Count{"main"}.Statement(),
		"positions":        Positions{3}.Statement(),
		"map_version":      MapVersion{}.Statement(),
		"export_histogram": Export{Workspace: "main"}.histogram(day, units[0]),
		"export_rows":      Export{Workspace: "main", Generation: 2, Before: []int64{100, 200}}.rows(window{day.from, day.to, "a7"}),
	} {
		var b strings.Builder
		fmt.Fprintln(&b, s.SQL)
		names := make([]string, 0, len(s.Params))
		for name := range s.Params {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			fmt.Fprintf(&b, "-- %s = %v\n", name, s.Params[name])
		}
		path := filepath.Join("testdata", name+".sql")
		if *update {
			if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s:\n%s\nwant:\n%s", path, b.String(), want)
		}
	}
}
