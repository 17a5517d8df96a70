package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

type inboxCommand struct {
	target
	First   int    `default:"20" help:"So many cases."`
	After   string `help:"Carry on behind this cursor, which a page that is not the last prints on stderr." placeholder:"CURSOR"`
	Weights string `help:"Try other weights: criticality,wait,value,influence, such as 0.4,0.4,0.1,0.1; nothing is changed." placeholder:"C,W,V,I"`
	JSON    bool   `help:"Print JSON."`
}

func (inboxCommand) Help() string {
	return "Example: dossier inbox --first 50\nExample: dossier inbox --weights 0.3,0.5,0.1,0.1\n\n" +
		"Critical cases come before overdue ones, those before the rest; within each the score decides, and REASON says what adds most to it. 'dossier show profile:ID' shows whose a case is."
}

// waitingCase is an open case as the inbox prints it.
type waitingCase struct {
	ID       string     `json:"id"`
	Case     string     `json:"case"`
	Profile  string     `json:"profile"`
	State    string     `json:"state"`
	Channel  *string    `json:"channel"`
	Theme    *string    `json:"theme"`
	Team     *string    `json:"team"`
	Owner    *string    `json:"owner"`
	OpenedAt time.Time  `json:"openedAt"`
	Waiting  *time.Time `json:"waitingSince"`
	DueAt    *time.Time `json:"dueAt"`
	Overdue  *bool      `json:"overdue"`

	Countdown *struct {
		Of          string   `json:"of"`
		Seconds     float64  `json:"seconds"`
		OpenSeconds *float64 `json:"openSeconds"`
	} `json:"countdown"`
	Priority *struct {
		Lane        string   `json:"lane"`
		Score       float64  `json:"score"`
		Reason      string   `json:"reason"`
		Criticality float64  `json:"criticality"`
		Reasons     []string `json:"criticalityReasons"`
		Wait        float64  `json:"wait"`
		Value       float64  `json:"value"`
		Influence   float64  `json:"influence"`
		Weights     string   `json:"weights"`
	} `json:"priority"`
}

const inboxQuery = `query($first: Int, $after: String, $weights: WeightsInput) { inbox(first: $first, after: $after, weights: $weights) {
  edges { node { id case profile state channel theme team owner openedAt waitingSince dueAt overdue countdown { of seconds openSeconds }
    priority { lane score reason criticality criticalityReasons wait value influence weights } } }
  pageInfo { hasNextPage endCursor } } }`

func (c *inboxCommand) Run(ctx context.Context) error {
	variables := map[string]any{"first": c.First}
	if c.After != "" {
		variables["after"] = c.After
	}
	if c.Weights != "" {
		weights, err := weightsOf(c.Weights)
		if err != nil {
			return &exit{exitMisused, err}
		}
		variables["weights"] = weights
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct {
		Inbox struct {
			Edges    []struct{ Node waitingCase }
			PageInfo struct {
				HasNextPage bool
				EndCursor   *string
			}
		}
	}
	if err := api.query(ctx, inboxQuery, variables, &answer); err != nil {
		return err
	}
	page := &answer.Inbox
	list, rows := []waitingCase{}, [][]string{}
	for _, e := range page.Edges {
		list = append(list, e.Node)
		rows = append(rows, e.Node.row())
	}
	switch {
	case page.PageInfo.HasNextPage:
		fmt.Fprintf(os.Stderr, "there are more: --after %s\n", text(page.PageInfo.EndCursor))
	case len(list) == 0 && c.After == "":
		fmt.Fprintln(os.Stderr, "nobody waits for an answer")
	}
	if c.JSON {
		return printJSON(list)
	}
	return printTable([]string{"LANE", "SCORE", "REASON", "DUE IN", "FOR", "CHANNEL", "THEME", "TEAM", "OWNER", "CASE", "CUSTOMER"}, rows)
}

func (w *waitingCase) row() []string {
	lane, score, reason, due, of := "", "", "", "", ""
	if p := w.Priority; p != nil {
		lane, score, reason = p.Lane, fmt.Sprintf("%.1f", p.Score), p.Reason
		if len(p.Reasons) > 0 && reason == "criticality" {
			reason = strings.Join(p.Reasons, ",")
		}
	}
	if c := w.Countdown; c != nil {
		due, of = span(time.Duration(c.Seconds*float64(time.Second))), c.Of
	}
	number := w.Case
	if number == "" { // a conversation that no source has made a case
		number = w.ID
	}
	return []string{lane, score, reason, due, of, text(w.Channel), text(w.Theme), text(w.Team), text(w.Owner), number, w.Profile}
}

// span writes a time left, or gone by, by its two greatest units.
func span(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%s%dd%dh", sign, d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%s%dh%dm", sign, d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%s%dm%ds", sign, d/time.Minute, d%time.Minute/time.Second)
}

// weightsOf reads four numbers.
func weightsOf(list string) (map[string]float64, error) {
	names := []string{"criticality", "wait", "value", "influence"}
	out, parts := map[string]float64{}, strings.Split(list, ",")
	for i, part := range parts {
		var x float64
		if len(parts) != len(names) || json.Unmarshal([]byte(strings.TrimSpace(part)), &x) != nil {
			return nil, fmt.Errorf("--weights takes four numbers, %s, such as 0.4,0.4,0.1,0.1", strings.Join(names, ","))
		}
		out[names[i]] = x
	}
	return out, nil
}
