package mapping

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/native"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

var update = flag.Bool("update", false, "rewrite golden files")

// rowsOf reads lines of values separated by |, the first of which names the columns.
func rowsOf(text string) []*Row {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	names := strings.Split(lines[0], "|")
	columns := map[string]int{}
	for i, name := range names {
		columns[name] = i
	}
	var rows []*Row
	for i, line := range lines[1:] {
		rows = append(rows, &Row{Number: i + 1, Names: names, Columns: columns, Values: strings.Split(line, "|")})
	}
	return rows
}

// TestGolden runs each testdata/*.txt: a mapping, rows and lookup tables, separated by ---- lines, and what becomes of them.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(string(text), "\n----\n")
			if len(parts) < 3 {
				t.Fatal("want a mapping, rows, tables and a result, separated by ----")
			}
			got := golden(t, parts[0], parts[1], parts[2])
			if *update {
				if err := os.WriteFile(file, []byte(strings.Join(parts[:3], "\n----\n")+"\n----\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(parts) != 4 || parts[3] != got {
				t.Fatalf("got\n%s", got)
			}
		})
	}
}

func golden(t *testing.T, mappingText, rowText, tableText string) string {
	m, err := Compile([]byte(mappingText), time.LoadLocation)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	tables := map[string]Table{}
	for _, wanted := range m.Tables() {
		found := map[string]map[string]string{}
		for _, row := range rowsOf(tableText) {
			values := map[string]string{}
			for name, i := range row.Columns {
				values[name] = row.Values[i]
			}
			found[values[wanted.Key]] = values
		}
		tables[wanted.Name] = func(key, column string) (string, bool) {
			row, there := found[key]
			return row[column], there
		}
	}
	rows, err := m.Rows(tables, "")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, row := range rowsOf(rowText) {
		for _, e := range rows.Map(row) {
			fmt.Fprintf(&b, "row %d %s: ", row.Number, e.Key)
			if e.Fault != nil {
				fmt.Fprintf(&b, "refused, column %s: %v\n", e.Fault.Column, e.Fault.Refusal)
				continue
			}
			text := string(e.JSON)
			at := strings.Index(text, `"routing":"`)
			fmt.Fprintf(&b, "%s\n", text[:at+15]+"…"+text[at+75:])
			readable(t, e.JSON)
		}
	}
	return b.String()
}

// readable checks that the native mapper takes what this package writes.
func readable(t *testing.T, text []byte) {
	doc, err := canonical.Parse(text, canonical.Limits{})
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	s := channel.Sender{
		Workspace: "main", Source: &channel.Source{Name: "import"}, Trust: schema.TrustServer, Limits: channel.NativeLimits(),
		ReceivedAt: schema.InstantOf(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)),
	}
	var m channel.Mapped
	if r := native.Map(doc.Root(), &s, &m); r != nil {
		t.Fatalf("%v: %s", r, text)
	}
	if m.Event.Provenance.Routing == "" || m.Event.Source == "import" {
		t.Fatalf("provenance %+v of %s", m.Event.Provenance, text)
	}
}
