package identity

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/channel/offline"
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/accuracy"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// labelledClients are the rows of clients_fr as its mapping reads them, with their labels.
func labelledClients(t testing.TB) (events []schema.Event, labels []string) {
	clientsFile(t)
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "mappings", "clients_fr.yaml"))
	must(t, err)
	m, err := mapping.Compile(text, time.LoadLocation)
	must(t, err)
	mapper, err := m.Rows(nil, "")
	must(t, err)
	f, err := os.Open(clientsFile(t))
	must(t, err)
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	must(t, err)
	columns := map[string]int{}
	for i, column := range lines[0] {
		columns[column] = i
	}
	reader := offline.NewReader(mapper)
	for n, values := range lines[1:] {
		row := mapping.Row{Number: n + 1, Names: lines[0], Columns: columns, Values: values}
		must(t, reader.Row(&row, func(_ string, e *schema.Event) error {
			c := *e
			c.Workspace, c.Source = workspace, strings.Clone(e.Source)
			c.Account = schema.Account{Kind: strings.Clone(e.Account.Kind), Value: strings.Clone(e.Account.Value)}
			c.Identifiers, c.Traits = nil, nil
			for _, id := range e.Identifiers {
				id.Kind, id.Value = strings.Clone(id.Kind), strings.Clone(id.Value)
				c.Identifiers = append(c.Identifiers, id)
			}
			for _, x := range e.Traits {
				c.Traits = append(c.Traits, schema.Trait{Name: strings.Clone(x.Name), Value: append([]byte(nil), x.Value...)})
			}
			events, labels = append(events, c), append(labels, values[columns["person_id"]])
			return nil
		}))
	}
	return events, labels
}

// The service joins as well as `dossier resolve` does: the labelled file through the code that folds, decides and stores. The short form gathers first and decides
// then, as a build from the log does; under DOSSIER_PROVE=1 it decides after every record too, and comes to the same.
func TestAccuracyInTheService(t *testing.T) {
	events, labels := labelledClients(t)
	model := shipped(t, "fr")
	through := func(stream bool) []identity.NodeID {
		log := newLog("c", 1)
		c := Config{Workspace: workspace, Log: log, Feed: log, Hash: NewHasher(prf), Store: state.Options{FS: vfs.NewMem(), Logger: quiet}}
		p, err := openProjection(t.Context(), "state", &c, identity.DefaultRules(), weighing{model, model.Records})
		must(t, err)
		defer func() { must(t, p.close()) }()
		p.built = stream
		for i := range events {
			must(t, p.fold(&events[i], schema.Instant(i+1)))
			if stream || i%4096 == 4095 {
				must(t, p.commit())
			}
		}
		must(t, p.commit())
		for d, done := (decision{}), stream; !done; {
			done, err = p.decideSome(&d)
			must(t, err)
		}
		out := make([]identity.NodeID, len(events))
		for i := range events {
			at, err := p.graph.place(NewHasher(prf).Public(epochZero(events[i])))
			must(t, err)
			out[i], err = p.holder(at.profile)
			must(t, err)
		}
		return out
	}
	built := through(false)
	s := accuracy.Of(labels, built)
	t.Log(s)
	if s.Precision < .98 || s.F1 < .96 || s.Largest > 12 {
		t.Errorf("%s; want a precision of .98, an F1 of .96 and a largest profile of 12", s)
	}
	if os.Getenv("DOSSIER_PROVE") != "1" {
		return
	}
	for i, id := range through(true) {
		if id != built[i] {
			t.Fatalf("record %d is in %s when every record is decided as it comes, and in %s when all are decided at the end", i+1, id, built[i])
		}
	}
}
