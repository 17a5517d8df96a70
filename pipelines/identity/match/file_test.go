package match_test

import (
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/channel/offline"
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// plainHasher hashes without a key.
type plainHasher struct{}

func (plainHasher) IdentifierHash(kind, value string) (h [16]byte) {
	sum := sha256.Sum256([]byte(kind + "\x00" + value))
	copy(h[:], sum[:])
	return h
}

func (plainHasher) Public(of schema.PersonaEpoch) identity.NodeID { return of.Persona }

// labelled is a row of a labelled file.
type labelled struct {
	record, label string
	event         schema.Event
}

// root is the repository's root.
var root = filepath.Join("..", "..", "..")

// file finds a file of the data folder, and skips the test if there is none, except under CI.
func file(t testing.TB, name string) string {
	shared := os.Getenv("DOSSIER_SHARED")
	if shared == "" {
		shared = filepath.Join(root, "..", "shared")
	}
	path := filepath.Join(shared, "data", "identity", name+".csv")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s.csv is missing: set DOSSIER_SHARED", name)
		}
		t.Skipf("%s.csv is missing: set DOSSIER_SHARED to the folder that holds data/", name)
	}
	return path
}

// rows reads a labelled file by its mapping, as `dossier resolve` does.
func rows(t testing.TB, name string) []labelled {
	text, err := os.ReadFile(filepath.Join(root, "deploy", "mappings", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := mapping.Compile(text, time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	mapper, err := m.Rows(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(file(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	c := csv.NewReader(in)
	c.TrimLeadingSpace = true
	c.LazyQuotes = true
	lines, err := c.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]int{}
	for i, column := range lines[0] {
		columns[strings.TrimSpace(column)] = i
	}
	reader := offline.NewReader(mapper)
	var out []labelled
	for n, values := range lines[1:] {
		for i := range values {
			values[i] = strings.TrimSpace(values[i])
		}
		row := mapping.Row{Number: n + 1, Names: lines[0], Columns: columns, Values: values}
		label := ""
		switch name {
		case "clients_fr":
			label = values[columns["person_id"]]
		case "febrl3":
			label = strings.Split(values[columns["rec_id"]], "-")[1]
		default:
			label = values[columns["cluster"]]
		}
		err := reader.Row(&row, func(record string, e *schema.Event) error {
			out = append(out, labelled{record, label, *copied(e)})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// copied is an event that outlives its reader's buffers.
func copied(e *schema.Event) *schema.Event {
	c := *e
	c.Source, c.Account = strings.Clone(e.Source), schema.Account{Kind: strings.Clone(e.Account.Kind), Value: strings.Clone(e.Account.Value)}
	c.Identifiers, c.Traits = nil, nil
	for _, id := range e.Identifiers {
		id.Kind, id.Value = strings.Clone(id.Kind), strings.Clone(id.Value)
		c.Identifiers = append(c.Identifiers, id)
	}
	for _, trait := range e.Traits {
		c.Traits = append(c.Traits, schema.Trait{Name: strings.Clone(trait.Name), Value: append([]byte(nil), trait.Value...)})
	}
	return &c
}
