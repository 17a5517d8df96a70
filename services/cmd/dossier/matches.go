package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

type matchesCommand struct {
	List   matchesListCommand   `cmd:"" default:"withargs" help:"List profiles that may be one person, those first of whom an answer decides most."`
	Show   matchesShowCommand   `cmd:"" help:"Show how two are weighed against each other."`
	Decide matchesDecideCommand `cmd:"" help:"Answer: one person, two people, or two people of one household."`

	Simulate matchesSimulateCommand `cmd:"" help:"Say who would be merged and split under other rules, another model or other thresholds."`
}

func (matchesCommand) Help() string { return "Example: dossier matches list --first 20" }

type matchView struct {
	A, B struct {
		ID string
	}
	Reason              string
	Weight, Probability float64
	Worth               float64
}

type matchesListCommand struct {
	target
	First int    `default:"50" help:"So many."`
	After string `help:"Carry on behind this cursor, which a page that is not the last prints on stderr." placeholder:"CURSOR"`
	JSON  bool   `help:"Print JSON."`
}

func (matchesListCommand) Help() string {
	return "Example: dossier matches list --first 20\n\nNeeds a model in force (the configuration's identity.model); without one there is nothing to list."
}

func (c *matchesListCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct {
		PossibleMatches struct {
			Edges    []struct{ Node matchView }
			PageInfo struct {
				HasNextPage bool
				EndCursor   *string
			}
		}
	}
	variables := map[string]any{"first": c.First}
	if c.After != "" {
		variables["after"] = c.After
	}
	err = api.query(ctx, `query($first: Int, $after: String) { possibleMatches(first: $first, after: $after) { edges { node { a { id } b { id } reason weight probability worth } } pageInfo { hasNextPage endCursor } } }`, variables, &answer)
	if err != nil {
		return err
	}
	page := &answer.PossibleMatches
	rows, list := [][]string{}, []matchView{}
	for _, e := range page.Edges {
		n := e.Node
		list = append(list, n)
		rows = append(rows, []string{n.A.ID, n.B.ID, fmt.Sprintf("%.3f", n.Probability), n.Reason, fmt.Sprintf("%.0f", n.Worth)})
	}
	if page.PageInfo.HasNextPage {
		fmt.Fprintf(os.Stderr, "there are more: --after %s\n", text(page.PageInfo.EndCursor))
	}
	if c.JSON {
		return printJSON(list)
	}
	return printTable([]string{"A", "B", "PROBABILITY", "REASON", "WORTH"}, rows)
}

type comparedView struct {
	Value   string
	Records int
	Generic bool
}

// weighingView is a waterfall.
type weighingView struct {
	A, B                         string
	Same                         bool
	Reason                       *string
	Model, Version               string
	Prior                        float64
	HouseholdPrior               *float64
	Strangers, Household, Weight float64
	Probability                  float64
	Forbidden, Bare              bool
	Merge, Link, Margin          float64
	Fields                       []struct {
		Field, Level             string
		Weight, Household, Alone float64
		Forbids                  bool
		YieldsTo                 *string
		A, B                     []comparedView
	}
	Keys []struct {
		Recipe string
		Cores  int
		Closed bool
	}
}

const weighingFields = `a b same reason model version prior householdPrior strangers household weight probability forbidden bare merge link margin
 fields { field level weight household alone forbids yieldsTo a { value records generic } b { value records generic } } keys { recipe cores closed }`

func compared(values []comparedView) string {
	var out []string
	for _, v := range values {
		said := strings.Trim(v.Value, "|")
		if v.Records > 1 {
			said += fmt.Sprintf(" ×%d", v.Records)
		}
		if v.Generic {
			said += " (generic)"
		}
		out = append(out, said)
		if len(out) == 4 && len(values) > 5 {
			return strings.Join(out, ", ") + fmt.Sprintf(" … %d more", len(values)-4)
		}
	}
	return strings.Join(out, ", ")
}

func (w *weighingView) print() error {
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "\nFIELD\tBITS\tIN A HOUSEHOLD\tLEVEL\tA\tB")
	household := ""
	if w.HouseholdPrior != nil {
		household = fmt.Sprintf("%+.1f", *w.HouseholdPrior)
	}
	fmt.Fprintf(table, "(prior)\t%+.1f\t%s\t\t\t\n", w.Prior, household)
	for _, f := range w.Fields {
		level := f.Level
		if f.Alone != 0 {
			level += fmt.Sprintf(" (%+.1f with no key)", f.Alone)
		}
		if f.Forbids {
			level += " FORBIDS"
		}
		if f.YieldsTo != nil {
			level = "as " + *f.YieldsTo + " says"
		}
		fmt.Fprintf(table, "%s\t%+.1f\t%+.1f\t%s\t%s\t%s\n", f.Field, f.Weight, f.Household, level, compared(f.A), compared(f.B))
	}
	fmt.Fprintf(table, "(all)\t%+.1f\t%+.1f\t\t\t\n", w.Strangers, w.Household)
	if err := table.Flush(); err != nil {
		return err
	}
	verdict := "two people"
	if w.Same {
		verdict = "one person"
	} else if w.Reason != nil {
		verdict += ": " + *w.Reason
	}
	fmt.Printf("\n%s; %.2f bits, probability %.4f; joined at %.1f, or at %.1f when small and %.1f ahead of every other (model %s %s)\n",
		verdict, w.Weight, w.Probability, w.Merge, w.Link, w.Margin, w.Model, w.Version)
	var keys []string
	for _, k := range w.Keys {
		key := fmt.Sprintf("%s (%d)", k.Recipe, k.Cores)
		if k.Closed {
			key += " too common"
		}
		keys = append(keys, key)
	}
	if len(keys) > 0 {
		fmt.Println("blocking keys that both have:", strings.Join(keys, ", "))
	}
	return nil
}

type matchesShowCommand struct {
	target
	A    string `arg:"" help:"A persona or profile id."`
	B    string `arg:"" help:"A persona or profile id."`
	JSON bool   `help:"Print JSON."`
}

func (matchesShowCommand) Help() string {
	return "Example: dossier matches show ID ID\n\nWeights are log2 of likelihood ratios: the prior and the fields add up to the odds that the two are one person."
}

func (c *matchesShowCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct{ Weigh *weighingView }
	if err := api.query(ctx, `query($a: ID!, $b: ID!) { weigh(a: $a, b: $b) { `+weighingFields+` } }`, map[string]any{"a": c.A, "b": c.B}, &answer); err != nil {
		return err
	}
	if answer.Weigh == nil {
		return &exit{exitFailed, errors.New("nothing is weighed: no model is in force, or nobody has one of these ids")}
	}
	if c.JSON {
		return printJSON(answer.Weigh)
	}
	return answer.Weigh.print()
}

type matchesDecideCommand struct {
	assertion
	A      string `arg:"" help:"A persona or profile id."`
	B      string `arg:"" help:"A persona or profile id."`
	Answer string `required:"" enum:"link,separate,household" help:"link: one person; separate: two people; household: two people of one home."`
}

func (matchesDecideCommand) Help() string {
	return "Example: dossier matches decide ID ID --answer household --reason 'mother and daughter'\n\nPrints the event's id, which release takes."
}

func (c *matchesDecideCommand) Run(ctx context.Context) error {
	return c.decide(ctx, "decideMatch", map[string]any{"a": c.A, "b": c.B, "answer": c.Answer},
		`mutation($a: ID!, $b: ID!, $answer: String!, $reason: String!, $key: String!) { decideMatch(a: $a, b: $b, answer: $answer, reason: $reason, idempotencyKey: $key) { event } }`)
}
