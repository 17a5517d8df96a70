package attribute_test

import (
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/channel/offline"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
	"github.com/dossier-cdp/dossier/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// shipped are the mappings that come with the project and have people in them.
var shipped = []string{"clients_fr", "historical", "fake_1000", "febrl3"}

// events reads rows of testdata through the mapping that ships for such files.
func events(t testing.TB, name string) (records []string, events []*schema.Event) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", "mappings", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := mapping.Compile(text, time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := m.Rows(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(filepath.Join("testdata", name+".csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	lines, err := csv.NewReader(in).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]int{}
	for i := range lines[0] {
		lines[0][i] = strings.TrimSpace(lines[0][i])
		columns[lines[0][i]] = i
	}
	reader := offline.NewReader(rows)
	for n, values := range lines[1:] {
		for i := range values {
			values[i] = strings.TrimSpace(values[i])
		}
		row := mapping.Row{Number: n + 1, Names: lines[0], Columns: columns, Values: values}
		if err := reader.Row(&row, func(record string, e *schema.Event) error {
			records, events = append(records, record), append(events, offline.Copy(e))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return records, events
}

// print shows attributes, a line for each value, without provenance.
func print(out *strings.Builder, a *attribute.Attributes) {
	part := func(name string, v any) string {
		if s := fmt.Sprint(v); s != "" && s != "0" && s != "false" {
			return " " + name + "=" + strings.ReplaceAll(s, " ", "_")
		}
		return ""
	}
	line := func(kind string, parts ...string) { fmt.Fprintf(out, "  %s%s\n", kind, strings.Join(parts, "")) }
	for _, s := range a.Names {
		n := s.Value
		line("name", part("given", n.Given), part("further", n.Further), part("family", n.Family), part("maiden", n.Maiden), part("suffix", n.Suffix), part("unsplit", n.Unsplit))
	}
	for _, s := range a.Births {
		line("birth", part("date", s.Value), part("ambiguous", s.Value.Ambiguous), part("placeholder", s.Value.Placeholder()))
	}
	for _, s := range a.Addresses {
		w := s.Value
		line("address", part("number", w.Number), part("repeat", w.Repeat), part("type", w.Type), part("street", w.Street), part("box", w.Box), part("postcode", w.Postcode), part("commune", w.Commune), part("borough", w.Borough),
			part("department", w.Department), part("country", w.Country), part("area", w.Area()))
	}
	for _, s := range a.Mailboxes {
		line("mailbox", part("local", s.Value.Local), part("domain", s.Value.Domain), part("stem", s.Value.Stem))
	}
	for _, s := range a.Phones {
		line("phone", part("number", s.Value))
	}
	for _, s := range a.Genders {
		line("gender", part("is", s.Value))
	}
	for _, s := range a.Birthplaces {
		line("birthplace", part("commune", s.Value.Commune), part("department", s.Value.Department), part("country", s.Value.Country))
	}
	for _, s := range a.Occupations {
		line("occupation", part("is", s.Value))
	}
	for _, s := range a.IDs {
		line("id", part("kind", s.Value.Kind), part("value", s.Value.Value))
	}
	for _, s := range a.Free {
		line("free", part("kind", s.Value.Kind), part("value", s.Value.Value))
	}
}

// The traits and identifiers of every shipped mapping of people become attributes.
func TestMappings(t *testing.T) {
	for _, name := range shipped {
		t.Run(name, func(t *testing.T) {
			records, events := events(t, name)
			var out strings.Builder
			for i, e := range events {
				a := attribute.FromEvent(e, nil)
				fmt.Fprintln(&out, records[i])
				print(&out, &a)
			}
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if out.String() != string(want) {
				t.Errorf("got\n%s\nwant\n%s", out.String(), want)
			}
		})
	}
}

// What is said outlives the event: nothing of it is a part of the event's memory.
func TestFromEventSharesNothing(t *testing.T) {
	value := []byte(`"jeanne"`)
	id := []byte("u_1")
	e := schema.Event{Clear: schema.Clear{Source: "crm"}, Sealed: schema.Sealed{
		Traits:      []schema.Trait{{Name: "first_name", Value: value}, {Name: "last_name", Value: []byte(`"xqzrt"`)}},
		Identifiers: []schema.Identifier{{Kind: "user_id", Value: unsafeString(id), Assurance: schema.AssuranceVerified}},
		Provenance:  schema.Provenance{Trust: schema.TrustServer, Country: "FR"},
	}}
	a := attribute.FromEvent(&e, nil)
	copy(value, `"XXXXXX"`)
	copy(id, "XXX")
	if a.Names[0].Value.Given != "jeanne" || a.IDs[0].Value.Value != "u_1" {
		t.Errorf("got %#v and %v after the event's memory was used again", a.Names[0].Value, a.IDs[0].Value)
	}
}
