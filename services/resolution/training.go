package resolution

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/importer"
)

// Training is what `dossier train` estimates from.
type Training struct {
	Path    string
	Mapping *mapping.Mapping
	Rules   *identity.Rules
	Start   *match.Model
	How     match.Training
	// Labels is the column that says who each record is in truth about, "" if there is none, and Label what of it is the label, as in File.
	Labels string
	Label  *regexp.Regexp
	// Answers is a CSV file with the columns record_a, record_b and answer: link (one person), separate or household (two people), empty (not
	// answered). "" if there is none.
	Answers string
}

// Taught says how much people said.
type Taught struct{ Labelled, Same, Apart int }

// Train estimates a model on a file; what labels and answers say of who is one person stands against what the model at hand decides.
func Train(ctx context.Context, t Training) (*match.Model, Taught, error) {
	var taught Taught
	rules, err := match.CoreRules(t.Rules)
	if err != nil {
		return nil, taught, err
	}
	people := newPeople(rules, t.Start)
	personas := map[string]identity.NodeID{}
	labels := map[identity.NodeID][]string{}
	err = importer.Events(ctx, t.Mapping, t.Path, func(in *importer.Record, e *schema.Event) error {
		people.Add(e)
		if t.Answers != "" {
			personas[strings.Clone(in.Name)] = e.Persona
		}
		if t.Labels == "" {
			return nil
		}
		label, err := labelOf(in, t.Labels, t.Label)
		if label != "" && !slices.Contains(labels[e.Persona], label) {
			labels[e.Persona] = append(labels[e.Persona], label)
		}
		return err
	})
	if err != nil {
		return nil, taught, err
	}
	if err := people.ResolveExact(); err != nil {
		return nil, taught, err
	}
	t.How.Answers.Labels = labelsOfCores(people, labels)
	taught.Labelled = len(t.How.Answers.Labels)
	if t.Answers != "" {
		if err := t.answers(people, personas); err != nil {
			return nil, taught, err
		}
		taught.Same, taught.Apart = len(t.How.Answers.Same), len(t.How.Answers.Apart)
	}
	m, err := match.Train(t.Start, people.Cores(), t.How)
	return m, taught, err
}

// labelsOfCores leaves out cores of several labels: nobody can tell whom they are about.
func labelsOfCores(people *match.People, labels map[identity.NodeID][]string) map[identity.NodeID]string {
	out, mixed := map[identity.NodeID]string{}, map[identity.NodeID]bool{}
	for persona, said := range labels {
		core, ok := people.Core(persona)
		if !ok {
			continue
		}
		for _, label := range said {
			if out[core] != "" && out[core] != label {
				mixed[core] = true
			}
			out[core] = label
		}
	}
	for core := range mixed {
		delete(out, core)
	}
	return out
}

// answers reads the answers to possible matches, such as the file of --possible with a column answer.
func (t *Training) answers(people *match.People, personas map[string]identity.NodeID) error {
	file, err := os.Open(t.Answers)
	if err != nil {
		return fmt.Errorf("read the answers: %w", err)
	}
	defer file.Close()
	name := filepath.Base(t.Answers)
	rows := csv.NewReader(file)
	header, err := rows.Read()
	if err != nil {
		return fmt.Errorf("%s has no header that can be read: want record_a,record_b,answer", name)
	}
	at := func(column string) int { return slices.Index(header, column) }
	a, b, answer := at("record_a"), at("record_b"), at("answer")
	if a < 0 || b < 0 || answer < 0 {
		return fmt.Errorf("%s lacks one of the columns record_a, record_b and answer", name)
	}
	for n := 2; ; n++ {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		p, ok := people.Core(personas[row[a]])
		q, ok2 := people.Core(personas[row[b]])
		switch said := strings.TrimSpace(row[answer]); {
		case said == "":
		case !ok || !ok2:
			return fmt.Errorf("%s, row %d: the file has no record of one of these names", name, n)
		case said == "link":
			t.How.Answers.Same = append(t.How.Answers.Same, [2]schema.ProfileID{p, q})
		case said == "separate" || said == "household":
			t.How.Answers.Apart = append(t.How.Answers.Apart, [2]schema.ProfileID{p, q})
		default:
			return fmt.Errorf("%s, row %d: an answer is link, separate, household or empty", name, n)
		}
	}
}
