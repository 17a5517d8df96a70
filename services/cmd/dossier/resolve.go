package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
	"github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/services/resolution"
)

type resolveCommand struct {
	File       string            `arg:"" help:"CSV, TSV, NDJSON or JSON, also gzip or zstd." type:"existingfile"`
	Map        string            `required:"" type:"existingfile" help:"The mapping (deploy/mappings/README.md)." placeholder:"MAP.yaml"`
	Out        string            `required:"" type:"path" help:"Where to write record,profile." placeholder:"OUT.csv"`
	Model      string            `help:"A model file, or the name of one that ships: en, fr, fr-careful (default: by the mapping's country)." placeholder:"MODEL.json"`
	Attributes map[string]string `help:"Traits of your own that tell who somebody is: code=free:membership:digits;nom_marital=family_name (README)." placeholder:"TRAIT=FIELD;…"`
	Possible   string            `type:"path" help:"Where to write the pairs of profiles that may be one person." placeholder:"OUT2.csv"`
	Shuffle    *uint64           `help:"Take the records in an order drawn from this seed; the answer is the same." placeholder:"SEED"`
	Labels     string            `help:"The column that says who each record is in truth about: scores, calibration and what blocking lost are reported. COLUMN=REGEXP takes the expression's first group." placeholder:"COLUMN"`
	JSON       bool              `help:"Print the statistics as JSON on stdout."`
}

func (resolveCommand) Help() string {
	return `Example: dossier resolve clients.csv --map deploy/mappings/clients_fr.yaml --out profiles.csv --possible possible.csv

Who is who in a file, offline: nothing runs, nothing is sent. Records are decided one at a time, and their order does not change the answer. The last line of stderr tells records, profiles, records a second and peak memory.`
}

func (c *resolveCommand) Run(ctx context.Context) error {
	compiled, err := readMapping(c.Map)
	if err != nil {
		return err
	}
	model, err := readModel(c.Model, c.Attributes, compiled)
	if err != nil {
		return err
	}
	file := resolution.File{Path: c.File, Mapping: compiled, Model: model, Rules: identity.DefaultRules(), Shuffle: c.Shuffle}
	if file.Labels, file.Label, err = labelColumn(c.Labels); err != nil {
		return err
	}
	r, err := resolution.Resolve(ctx, file)
	if err != nil {
		return err
	}
	if err := r.WriteProfiles(c.Out); err != nil {
		return err
	}
	if c.Possible != "" {
		if err := r.WritePossible(c.Possible); err != nil {
			return err
		}
	}
	s := &r.Summary
	if c.JSON {
		if err := printJSON(s); err != nil {
			return err
		}
	}
	printWork(s)
	if s.Quality != nil {
		if err := printQuality(s.Quality); err != nil {
			return err
		}
	}
	if c.Possible != "" {
		fmt.Fprintf(os.Stderr, "%d possible matches\n", s.Possible)
	}
	fmt.Fprintf(os.Stderr, "%d records, %d profiles, %.0f records/s, peak %d MB\n", s.Records, s.Profiles, s.PerSecond, s.PeakBytes>>20)
	return nil
}

func readMapping(path string) (*mapping.Mapping, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the mapping: %w", err)
	}
	compiled, err := mapping.Compile(text, time.LoadLocation)
	if err != nil {
		return nil, &exit{exitMisused, fmt.Errorf("%s: %w", filepath.Base(path), err)}
	}
	return compiled, nil
}

// readModel reads a model by its file or name; without either, the one for the mapping's country. What traits of one's own say is added to it.
func readModel(named string, attributes map[string]string, m *mapping.Mapping) (*match.Model, error) {
	model, err := findModel(named, m)
	if err != nil || len(attributes) == 0 {
		return model, err
	}
	traits := attribute.Map{}
	for trait, field := range attributes {
		traits[trait] = attribute.Field(field)
	}
	if model, err = model.Attributed(traits); err != nil {
		return nil, &exit{exitMisused, fmt.Errorf("--attributes: %w", err)}
	}
	return model, nil
}

func findModel(named string, m *mapping.Mapping) (*match.Model, error) {
	if named == "" {
		named = match.Default(m.Country)
	}
	text, err := os.ReadFile(named)
	if errors.Is(err, os.ErrNotExist) {
		model, err := match.Shipped(named)
		if err != nil {
			return nil, &exit{exitMisused, err}
		}
		return model, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	model, err := match.Parse(text)
	if err != nil {
		return nil, &exit{exitMisused, fmt.Errorf("%s: %w", filepath.Base(named), err)}
	}
	return model, nil
}

type trainCommand struct {
	File       string            `arg:"" help:"CSV, TSV, NDJSON or JSON, also gzip or zstd." type:"existingfile"`
	Map        string            `required:"" type:"existingfile" help:"The mapping (deploy/mappings/README.md)." placeholder:"MAP.yaml"`
	Out        string            `required:"" type:"path" help:"Where to write the model." placeholder:"MODEL.json"`
	Attributes map[string]string `help:"Traits of your own that tell who somebody is: code=free:membership:digits;nom_marital=family_name (README)." placeholder:"TRAIT=FIELD;…"`
	From       string            `help:"The model to begin with: a file, or the name of one that ships (default: by the mapping's country)." placeholder:"MODEL.json"`
	Name       string            `help:"The new model's name (default: the mapping's)."`
	Rounds     int               `default:"2" help:"How often to decide and estimate."`
	Samples    int               `default:"400000" help:"Random pairs that tell how alike strangers are."`
	Seed       uint64            `default:"1" help:"Of the random pairs. The same records and seed give the same model."`
	Labels     string            `help:"The column that says who each record is in truth about: what it says corrects the model. COLUMN=REGEXP takes the expression's first group." placeholder:"COLUMN"`
	Answers    string            `type:"existingfile" help:"Answers to possible matches: a CSV with record_a, record_b and answer (link, separate, household or empty), such as the file of resolve --possible with that column." placeholder:"ANSWERS.csv"`
}

func (trainCommand) Help() string {
	return `Example: dossier train clients.csv --map deploy/mappings/clients_fr.yaml --out model.json

Estimates matching weights without labels; where there are some, or people answered possible matches, what they say stands against what the model at hand decides. Frequencies of names that three profiles or more carry, and of other values that five or more carry, become part of the model; no other value does.`
}

func (c *trainCommand) Run(ctx context.Context) error {
	compiled, err := readMapping(c.Map)
	if err != nil {
		return err
	}
	start, err := readModel(c.From, c.Attributes, compiled)
	if err != nil {
		return err
	}
	if c.Rounds < 1 || c.Samples < 1000 {
		return &exit{exitMisused, errors.New("train needs at least one round and 1000 samples")}
	}
	training := resolution.Training{
		Path: c.File, Mapping: compiled, Rules: identity.DefaultRules(), Start: start, Answers: c.Answers,
		How: match.Training{Rounds: c.Rounds, Samples: c.Samples, Seed: c.Seed, Variants: true},
	}
	if training.Labels, training.Label, err = labelColumn(c.Labels); err != nil {
		return err
	}
	model, taught, err := resolution.Train(ctx, training)
	if err != nil {
		return err
	}
	model.Name = compiled.Name
	if c.Name != "" {
		model.Name = c.Name
	}
	if err := model.Prepare(); err != nil {
		return err
	}
	text, err := model.Text()
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Out, text, 0o644); err != nil {
		return fmt.Errorf("write the model: %w", err)
	}
	if c.Labels != "" || c.Answers != "" {
		fmt.Fprintf(os.Stderr, "people say: %d cores have a label, %d pairs are one person, %d are two\n", taught.Labelled, taught.Same, taught.Apart)
	}
	fmt.Fprintf(os.Stderr, "%d records, model %s %s, prior %.2f bits\n", model.Records, model.Name, model.Version(), model.Prior)
	return nil
}
