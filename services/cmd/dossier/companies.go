package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

type companiesCommand struct {
	List companiesListCommand `cmd:"" help:"List companies."`
	Show companiesShowCommand `cmd:"" help:"Show a company: its people, its value, its cases."`
}

func (companiesCommand) Help() string {
	return "Example: dossier companies show acme\n\nA company is what Segment's group calls, or events group.joined, name. Its people are who has joined and not left; merged ones are one."
}

type companiesListCommand struct {
	target
	Search string `arg:"" optional:"" help:"A part of the id or the name." placeholder:"TEXT"`
	JSON   bool   `help:"Print JSON."`
}

func (companiesListCommand) Help() string { return "Example: dossier companies list acme" }

// companyLine is a company in a list.
type companyLine struct {
	ID          string  `json:"id"`
	Name        *string `json:"name"`
	PeopleCount int     `json:"peopleCount"`
	Since       *string `json:"since"`
}

// Run prints all companies, a page of them at a time.
func (c *companiesListCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var search, after *string
	if c.Search != "" {
		search = &c.Search
	}
	list := []companyLine{}
	for {
		var answer struct {
			Companies struct {
				Edges    []struct{ Node companyLine }
				PageInfo struct {
					HasNextPage bool
					EndCursor   *string
				}
			}
		}
		const document = `query($search: String, $after: String) { companies(search: $search, first: 50, after: $after) { edges { node { id name peopleCount since } } pageInfo { hasNextPage endCursor } } }`
		if err := api.query(ctx, document, map[string]any{"search": search, "after": after}, &answer); err != nil {
			return err
		}
		for _, e := range answer.Companies.Edges {
			list = append(list, e.Node)
		}
		if after = answer.Companies.PageInfo.EndCursor; !answer.Companies.PageInfo.HasNextPage || after == nil {
			break
		}
	}
	if c.JSON {
		return printJSON(list)
	}
	var rows [][]string
	for _, l := range list {
		rows = append(rows, []string{l.ID, orNothing(l.Name), fmt.Sprint(l.PeopleCount), orNothing(l.Since)})
	}
	return printTable([]string{"COMPANY", "NAME", "PEOPLE", "SINCE"}, rows)
}

func orNothing(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

type companiesShowCommand struct {
	target
	ID    string `arg:"" help:"The company's id." placeholder:"ID"`
	First int    `default:"20" help:"How many of its people to list, 1 to 100." placeholder:"N"`
	JSON  bool   `help:"Print JSON."`
}

func (companiesShowCommand) Help() string { return "Example: dossier companies show acme" }

// companyView is a company as it is answered.
type companyView struct {
	companyLine
	Truncated bool `json:"truncated"`
	Traits    []struct {
		Name   string `json:"name"`
		Value  any    `json:"value"`
		Source string `json:"source"`
	} `json:"traits"`
	People struct {
		Edges []struct {
			Node struct {
				ID      string `json:"id"`
				Known   bool   `json:"known"`
				Dossier struct {
					GoldenRecord []struct {
						Name  string `json:"name"`
						Value any    `json:"value"`
					} `json:"goldenRecord"`
				} `json:"dossier"`
			} `json:"node"`
		} `json:"edges"`
	} `json:"people"`
	Value struct {
		Orders        int         `json:"orders"`
		Cancelled     int         `json:"cancelled"`
		Spent         []moneyView `json:"spent"`
		LastOrderAt   *string     `json:"lastOrderAt"`
		LifetimeValue []moneyView `json:"lifetimeValue"`
	} `json:"value"`
	OpenCases []struct {
		ID           string  `json:"id"`
		State        string  `json:"state"`
		OpenedAt     *string `json:"openedAt"`
		Channel      *string `json:"channel"`
		Theme        *string `json:"theme"`
		WaitingSince *string `json:"waitingSince"`
	} `json:"openCases"`
}

type moneyView struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// Run prints a company.
func (c *companiesShowCommand) Run(ctx context.Context) error {
	if c.First < 1 || c.First > 100 {
		return &exit{exitMisused, fmt.Errorf("--first is from 1 to 100")}
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct{ Company *companyView }
	const document = `query($id: String!, $first: Int) { company(id: $id) { id name peopleCount since truncated traits { name value source } people(first: $first) { edges { node { id known dossier { goldenRecord { name value } } } } }
 value { orders cancelled spent { amount currency } lastOrderAt lifetimeValue { amount currency } } openCases { id state openedAt channel theme waitingSince } } }`
	if err := api.query(ctx, document, map[string]any{"id": c.ID, "first": c.First}, &answer); err != nil {
		return err
	}
	k := answer.Company
	if k == nil {
		return &exit{exitFailed, fmt.Errorf("nobody has joined a company %q: 'dossier companies list' names those that there are", c.ID)}
	}
	if c.JSON {
		return printJSON(k)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	row := func(name, format string, of ...any) { fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, of...)) }
	row("company", "%s  %s", k.ID, orNothing(k.Name))
	row("people", "%d, since %s", k.PeopleCount, orNothing(k.Since))
	for _, t := range k.Traits {
		row(t.Name, "%v (%s)", t.Value, t.Source)
	}
	row("orders", "%d, %d cancelled; last %s", k.Value.Orders, k.Value.Cancelled, orNothing(k.Value.LastOrderAt))
	row("spent", "%s", moneys(k.Value.Spent))
	if k.Value.LifetimeValue != nil {
		row("lifetime value", "%s", moneys(k.Value.LifetimeValue))
	}
	row("open cases", "%d", len(k.OpenCases))
	if err := table.Flush(); err != nil {
		return err
	}
	for _, o := range k.OpenCases {
		fmt.Printf("  %s  %s %s %s, waiting since %s\n", o.ID, o.State, orNothing(o.Channel), orNothing(o.Theme), orNothing(o.WaitingSince))
	}
	for _, e := range k.People.Edges {
		var traits []string
		for _, t := range e.Node.Dossier.GoldenRecord {
			traits = append(traits, fmt.Sprintf("%s %v", t.Name, t.Value))
		}
		fmt.Printf("  %s  %s\n", e.Node.ID, strings.Join(traits, ", "))
	}
	return nil
}

func moneys(list []moneyView) string {
	var out []string
	for _, m := range list {
		out = append(out, m.Amount+" "+m.Currency)
	}
	return strings.Join(out, ", ")
}
