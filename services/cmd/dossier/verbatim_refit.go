package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"text/tabwriter"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/pipelines/verbatim/encoder"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/timeline/query"
	texts "github.com/dossier-cdp/dossier/services/verbatim"
)

// newTexts makes what reads texts, by the configuration and the decisions in force.
func (i *installation) newTexts() *texts.Reader {
	return texts.NewReader(texts.Config{
		Settings: func() *verbatim.Settings { return i.configuration.current.Load().Verbatim },
		Decided: func(after int) (out []texts.Decision) {
			for _, r := range i.control.State().Readings(mainWorkspace, after) {
				out = append(out, texts.Decision{At: r.At, Adjustment: r.Adjustment})
			}
			return out
		},
		Encoder: openedEncoder, Logger: i.logger,
	})
}

// openedEncoder is the encoder that make models has put, read once.
func openedEncoder() (*encoder.Encoder, error) { return texts.OpenEncoder("") }

// corrected gives what a refit learns from, when everything that the log holds now is there.
func (i *installation) corrected(ctx context.Context, workspace string) ([]verbatim.Corrected, error) {
	if err := i.visible(ctx); err != nil {
		return nil, err
	}
	return query.Reader{Conn: i.house}.RefitTexts(ctx, workspace)
}

type verbatimRefitCommand struct {
	target
	Reason string `help:"Why; kept in the list."`
	DryRun bool   `help:"Say what would be learnt, and change nothing."`
	JSON   bool   `help:"Print JSON."`
}

func (verbatimRefitCommand) Help() string {
	return "Example: dossier verbatim refit --dry-run, then dossier verbatim refit --reason 'May corrections'\n\n" +
		"Learns from all corrections (correctVerbatim) what to add to the model that ships, and refuses what reads texts held out no better. Texts that occur from now on are read by the new\n" +
		"version; those before keep theirs until dossier verbatim restate. The list of versions: dossier verbatim models."
}

func (c *verbatimRefitCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var line manage.ReadingLine
	if err := api.call(ctx, http.MethodPost, "/v1/verbatim/refits", manage.RefitReading{Reason: c.Reason, DryRun: c.DryRun}, &line); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(line)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	row := func(name, format string, of ...any) { fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, of...)) }
	in := "in force for texts from now on"
	if c.DryRun {
		in = "not in force: this was a dry run"
	}
	row("version", "%s, %s", line.Version, in)
	if l := line.Learnt; l != nil {
		row("learnt from", "%d corrected texts, held by %d that nobody corrected", l.Corrections, l.Anchors)
		if l.PolarityTexts > 0 {
			row("polarity", "of texts held out %.3f read as people say, %.3f before (n %d)", l.PolarityAfter, l.PolarityBefore, l.PolarityTexts)
		}
		if l.ThemeTexts > 0 {
			row("themes", "micro-F1 of texts held out %.3f, %.3f before (n %d)", l.ThemesAfter, l.ThemesBefore, l.ThemeTexts)
		}
		row("moved", "%.1f %% of the texts that nobody corrected have another polarity by it", 100*l.Moved)
	}
	return table.Flush()
}

type verbatimRestateCommand struct {
	target
	Reason string `help:"Why; kept in the list."`
	JSON   bool   `help:"Print JSON."`
}

func (verbatimRestateCommand) Help() string {
	return "Example: dossier verbatim restate --reason 'one version for the year'\n\n" +
		"Has every text read by the version in force. They are read anew from the log, beside what comes in: until that is done, the version of each reading tells which are old."
}

func (c *verbatimRestateCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var line manage.ReadingLine
	if err := api.call(ctx, http.MethodPost, "/v1/verbatim/restatements", manage.RestateReading{Reason: c.Reason}, &line); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(line)
	}
	fmt.Printf("every text is read by %s\n", line.Version)
	return nil
}

type verbatimModelsCommand struct{ list }

func (verbatimModelsCommand) Help() string { return "Example: dossier verbatim models --json" }

func (c *verbatimModelsCommand) Run(ctx context.Context) error {
	return show(ctx, &c.list, "/v1/verbatim/models", []string{"VERSION", "KIND", "TEXTS", "AT", "ACTOR", "REASON"}, func(l manage.ReadingLine) []string {
		return []string{l.Version, l.Kind, fmt.Sprint(l.Texts), l.At, l.Actor, l.Reason}
	})
}
