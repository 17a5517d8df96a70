package main

import (
	"context"
	"errors"
	"fmt"
)

type verbatimRisingCommand struct {
	target
	From     string   `required:"" help:"First instant of the period, or its first day (2026-03-01)." placeholder:"TIME"`
	To       string   `required:"" help:"The instant, or the day, after the period." placeholder:"TIME"`
	Where    []string `sep:"none" help:"Only texts with a value, such as store=Lyon; again for another value or dimension." placeholder:"DIMENSION=VALUE"`
	Language string   `enum:"en,fr" default:"en" help:"Of titles: en or fr."`
	JSON     bool     `help:"Print JSON."`
}

func (verbatimRisingCommand) Help() string {
	return `Example: dossier verbatim rising --from 2026-03-01 --to 2026-03-08 --where store=Lyon

Themes of which more is said in the period than in the one of the same length before it, beyond chance. What fewer than five people say is left out.`
}

// Run prints what is spoken of more than before.
func (c *verbatimRisingCommand) Run(ctx context.Context) error {
	q, err := (&metricsCommand{From: c.From, To: c.To, Where: c.Where, Reading: "usual"}).query()
	if err != nil {
		return &exit{exitMisused, err}
	}
	if q.From == 0 || q.To == 0 {
		return &exit{exitMisused, errors.New("--from and --to want a time or a day")}
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct {
		Metrics struct {
			RisingThemes []struct {
				Theme        string           `json:"theme"`
				Title        string           `json:"title"`
				N            int              `json:"n"`
				Before       int              `json:"before"`
				People       int              `json:"people"`
				Negative     int              `json:"negative"`
				Times        *float64         `json:"times"`
				Low          float64          `json:"low"`
				High         *float64         `json:"high"`
				Interactions []map[string]any `json:"interactions"`
			}
		}
	}
	const document = `query($of: MetricInput!, $language: String) { metrics { risingThemes(of: $of) { theme title(language: $language) n before people negative times low high interactions { id occurredAt text } } } }`
	if err := api.query(ctx, document, map[string]any{"of": input(q), "language": c.Language}, &answer); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(answer.Metrics.RisingThemes)
	}
	var rows [][]string
	for _, r := range answer.Metrics.RisingThemes {
		newest := ""
		if len(r.Interactions) > 0 {
			newest = fmt.Sprint(r.Interactions[0]["text"])
			if letters := []rune(newest); len(letters) > 60 {
				newest = string(letters[:60]) + "…"
			}
		}
		times := number(r.Times)
		if r.Times == nil {
			times = "new"
		}
		rows = append(rows, []string{r.Theme, r.Title, times, bounds(&r.Low, r.High), fmt.Sprint(r.N), fmt.Sprint(r.Before), fmt.Sprint(r.Negative), fmt.Sprint(r.People), newest})
	}
	return printTable([]string{"THEME", "TITLE", "TIMES AS OFTEN", "95 % INTERVAL", "TEXTS", "BEFORE", "NEGATIVE", "PEOPLE", "NEWEST"}, rows)
}
