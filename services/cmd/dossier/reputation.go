package main

import (
	"context"
	"fmt"
)

type reputationCommand struct {
	Crises reputationCrisesCommand `cmd:"" help:"When far more was said of a brand than usual, in bad tone, and what was said."`
}

func (reputationCommand) Help() string {
	return "Example: dossier reputation crises --from 2026-02-01 --to 2026-03-01\n\nFigures of reputation are metrics: 'dossier metrics shareOfVoice --by brand,day', netSentiment, mentionReach …; deploy/reputation.md has all."
}

type reputationCrisesCommand struct {
	target
	From     string   `help:"First instant of the period, or its first day (2026-03-01); default: 30 days before its end." placeholder:"TIME"`
	To       string   `help:"The instant, or the day, after the period; default: the present." placeholder:"TIME"`
	Where    []string `sep:"none" help:"Only posts with a value, such as brand=garance or platform=twitter; again for another value or dimension." placeholder:"DIMENSION=VALUE"`
	Posts    int      `default:"5" help:"How many posts of each to show, 1 to 50." placeholder:"N"`
	Language string   `enum:"en,fr" default:"en" help:"Of sentences: en or fr."`
	JSON     bool     `help:"Print JSON."`
}

func (reputationCrisesCommand) Help() string {
	return `Example: dossier reputation crises --from 2026-02-01 --to 2026-03-01 --where brand=garance

A crisis begins with several alerts within an hour (many more posts in five minutes than usual, by a robust z) of which most are unfavourable, and is known by what came before alone.`
}

// Run prints the crises.
func (c *reputationCrisesCommand) Run(ctx context.Context) error {
	q, err := (&metricsCommand{From: c.From, To: c.To, Where: c.Where, Reading: "usual"}).query()
	if err != nil {
		return &exit{exitMisused, err}
	}
	if c.Posts < 1 || c.Posts > 50 {
		return &exit{exitMisused, fmt.Errorf("--posts is from 1 to 50")}
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct {
		Metrics struct {
			Crises []struct {
				Brand        string `json:"brand"`
				From         string `json:"from"`
				Until        string `json:"until"`
				RecognisedAt string `json:"recognisedAt"`
				Ongoing      bool   `json:"ongoing"`
				Mentions     int    `json:"mentions"`
				Favourable   int    `json:"favourable"`
				Neutral      int    `json:"neutral"`
				Unfavourable int    `json:"unfavourable"`
				Unjudged     int    `json:"unjudged"`
				Alerts       []struct {
					From     string  `json:"from"`
					Mentions int     `json:"mentions"`
					Usual    float64 `json:"usual"`
					Z        float64 `json:"z"`
				} `json:"alerts"`
				Explanation  string `json:"explanation"`
				Interactions []struct {
					ID         string  `json:"id"`
					OccurredAt string  `json:"occurredAt"`
					Text       *string `json:"text"`
				} `json:"interactions"`
			}
		}
	}
	const document = `query($of: MetricInput, $language: String!, $posts: Int) { metrics { crises(of: $of) { brand from until recognisedAt ongoing mentions favourable neutral unfavourable unjudged
 alerts { from mentions usual z } explanation(language: $language) interactions(first: $posts) { id occurredAt text } } } }`
	if err := api.query(ctx, document, map[string]any{"of": input(q), "language": c.Language, "posts": c.Posts}, &answer); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(answer.Metrics.Crises)
	}
	for _, k := range answer.Metrics.Crises {
		fmt.Println(k.Explanation)
		for _, p := range k.Interactions {
			text := ""
			if p.Text != nil {
				text = *p.Text
			}
			fmt.Printf("  %s  %s\n", p.OccurredAt, text)
		}
	}
	return nil
}
