package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"

	core "github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/services/verbatim"
)

type verbatimEvaluateCommand struct {
	Files    []string `arg:"" help:"Labelled texts: CSV, TSV, NDJSON or JSON, also gzip or zstd." type:"existingfile"`
	Text     string   `default:"text" help:"The column with the texts." placeholder:"COL"`
	Lang     string   `help:"The column with the languages; without it they are found out, and that is not measured." placeholder:"COL"`
	Polarity string   `default:"polarity" help:"The column with pos, neg, neu, mix or none (no opinion)." placeholder:"COL"`
	Themes   string   `help:"The column with themes joined by |." placeholder:"COL"`
	Source   string   `help:"The column that tells where a text is from: themes are measured in sources that have any." placeholder:"COL"`
	Only     string   `help:"Keep only the rows whose column has one of the values." placeholder:"COL=VALUE,VALUE"`
	Model    string   `type:"existingfile" help:"A model that dossier verbatim train wrote (default: the one that ships)." placeholder:"MODEL"`
	Tree     string   `type:"existingfile" help:"Your own tree of themes (deploy/verbatim.md)." placeholder:"TREE.yaml"`
	Tier     string   `enum:"base,encoder" default:"base" help:"base, or encoder (make models)."`
	Encoder  string   `type:"existingfile" env:"DOSSIER_ENCODER" help:"Of the tier encoder: its weights (default: where make models put them)." placeholder:"FILE"`
	JSON     bool     `help:"Print JSON."`
}

func (verbatimEvaluateCommand) Help() string {
	return "Example: dossier verbatim evaluate labelled.csv --text comment --polarity label --themes themes\n\n" +
		"Reads texts whose truth is known and prints, each with n: how often the language is found out, polarity by language, what abstaining brings, negative recall, themes. Texts that the model was\n" +
		"learnt from flatter it."
}

func (c *verbatimEvaluateCommand) Run(ctx context.Context) error {
	analyzer, err := verbatimAnalyzer(c.Model, c.Tree, c.Tier, c.Encoder)
	if err != nil {
		return err
	}
	sources := verbatim.Sources{Paths: c.Files, Text: c.Text, Lang: c.Lang, Polarity: c.Polarity, Themes: c.Themes, Source: c.Source, Only: c.Only}
	texts, err := sources.Read(ctx)
	if err != nil {
		return &exit{exitMisused, err}
	}
	e := core.Evaluate(analyzer, texts)
	if c.JSON {
		return printJSON(e)
	}
	return printEvaluation(e)
}

func printEvaluation(e *core.Evaluation) error {
	fmt.Printf("%d texts read by %s\n\n", e.Texts, e.Model)
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	line := func(format string, of ...any) { fmt.Fprintf(table, format+"\n", of...) }
	for _, d := range e.Detection {
		line("language of texts %s\t%.3f\tn %d", d.Length, d.Right, d.N)
	}
	line("\nLANGUAGE\tN\tACCURACY\tMACRO-F1\tPOS/NEG\tN\tNEGATIVE RECALL\tN\tNEUTRAL F1\tN\tTHEMES MICRO-F1\tN\tABSTAINED")
	for _, l := range e.Languages {
		line("%s\t%d\t%.3f\t%.3f\t%.3f\t%d\t%.3f\t%d\t%.3f\t%d\t%.3f\t%d\t%d", l.Language, l.N, l.Accuracy, l.MacroF1, l.PolarAccuracy, l.PolarN, l.NegativeRecall, l.NegativeN, l.NeutralF1, l.NeutralN,
			l.ThemeMicroF1, l.ThemeN, l.Abstained)
	}
	line("\nLANGUAGE\tSUREST\tFROM CONFIDENCE\tACCURACY\tPOS/NEG")
	for _, l := range e.Languages {
		for _, p := range l.Curve {
			line("%s\t%.0f %%\t%.3f\t%.3f\t%.3f", l.Language, 100*p.Share, p.Confidence, p.Accuracy, p.Polar)
		}
	}
	if len(e.Themes) > 0 {
		line("\nTHEME\tN\tGIVEN\tPRECISION\tRECALL\tF1")
	}
	for _, t := range e.Themes {
		line("%s\t%d\t%d\t%.3f\t%.3f\t%.3f", t.Theme, t.N, t.Given, t.Precision, t.Recall, t.F1)
	}
	return table.Flush()
}
