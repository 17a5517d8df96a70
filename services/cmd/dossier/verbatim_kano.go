package main

import (
	"context"
	"fmt"
)

type verbatimKanoCommand struct {
	target
	From     string   `help:"First instant of the period, or its first day (2026-03-01)." placeholder:"TIME"`
	To       string   `help:"The instant, or the day, after the period." placeholder:"TIME"`
	Where    []string `sep:"none" help:"Only answers with a value, such as brand=garance; again for another value or dimension." placeholder:"DIMENSION=VALUE"`
	Language string   `enum:"en,fr" default:"en" help:"Of titles and sentences: en or fr."`
	Explain  bool     `help:"Say how each class comes about, and why answers do not count."`
	JSON     bool     `help:"Print JSON."`
}

func (verbatimKanoCommand) Help() string {
	return `Example: dossier verbatim kano --from 2026-01-01 --to 2026-07-01 --language fr

Of each theme, from answers of 1 (I like it) to 5 (I dislike it) to "if it had this" and "if it had not" (deploy/reputation.md). What fewer than five people answered is not shown.`
}

// intervalView is a value with its interval.
type intervalView struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

func (i *intervalView) text() string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", i.Value, i.Low, i.High)
}

// Run prints the classes.
func (c *verbatimKanoCommand) Run(ctx context.Context) error {
	q, err := (&metricsCommand{From: c.From, To: c.To, Where: c.Where, Reading: "usual"}).query()
	if err != nil {
		return &exit{exitMisused, err}
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct {
		Metrics struct {
			Kano []struct {
				Theme          string        `json:"theme"`
				Title          string        `json:"title"`
				Class          *string       `json:"class"`
				Commonest      *string       `json:"commonest"`
				N              int           `json:"n"`
				Suppressed     bool          `json:"suppressed"`
				Attractive     *int          `json:"attractive"`
				OneDimensional *int          `json:"oneDimensional"`
				MustBe         *int          `json:"mustBe"`
				Indifferent    *int          `json:"indifferent"`
				Reverse        *int          `json:"reverse"`
				Questionable   *int          `json:"questionable"`
				Better         *intervalView `json:"better"`
				Worse          *intervalView `json:"worse"`
				Exclusions     []reasonView  `json:"exclusions"`
				Explanation    string        `json:"explanation"`
				Explain        struct {
					RowsPath string `json:"rowsPath"`
				} `json:"explain"`
			}
		}
	}
	const document = `query($of: MetricInput, $language: String!) { metrics { kano(of: $of) { theme title(language: $language) class commonest n suppressed attractive oneDimensional mustBe indifferent reverse questionable
 better { value low high } worse { value low high } exclusions { reason n text(language: $language) } explanation(language: $language) explain { rowsPath } } } }`
	if err := api.query(ctx, document, map[string]any{"of": input(q), "language": c.Language}, &answer); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(answer.Metrics.Kano)
	}
	var rows [][]string
	for _, k := range answer.Metrics.Kano {
		class := "hidden"
		if k.Class != nil {
			class = *k.Class
		}
		rows = append(rows, []string{k.Theme, k.Title, class, fmt.Sprint(k.N), k.Better.text(), k.Worse.text()})
	}
	if err := printTable([]string{"THEME", "TITLE", "CLASS", "PEOPLE", "BETTER (95 %)", "WORSE (95 %)"}, rows); err != nil || !c.Explain {
		return err
	}
	for _, k := range answer.Metrics.Kano {
		fmt.Printf("\n%s: %s\n", k.Title, k.Explanation)
		for _, e := range k.Exclusions {
			fmt.Printf("  %d %s\n", e.N, e.Text)
		}
	}
	return nil
}
