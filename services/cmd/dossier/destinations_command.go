package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/dossier-cdp/dossier/services/destinations"
)

type destinationsCommand struct {
	List        destinationsList    `cmd:"" help:"List the destinations with what waits for each."`
	Pause       destinationsPause   `cmd:"" help:"Send nothing to a destination from now on; what is decided waits."`
	Resume      destinationsResume  `cmd:"" help:"Send to a destination again."`
	Deadletters destinationsLetters `cmd:"" help:"List what a destination could not be sent."`
	Retry       destinationsRetry   `cmd:"" help:"Send the dead letters of a destination again, under their ids."`
}

func (destinationsCommand) Help() string {
	return "Example: dossier destinations list\n\nDestinations are a part of the configuration; deploy/destinations.md has the form."
}

type destinationsList struct{ list }

func (destinationsList) Help() string { return "Example: dossier destinations list --json" }

func (c *destinationsList) Run(ctx context.Context) error {
	return show(ctx, &c.list, destinationsPath, []string{"NAME", "KIND", "PAUSED", "WAITING", "DEAD", "TRIED", "WHY"}, func(l destinations.Line) []string {
		return []string{l.Name, l.Kind, strconv.FormatBool(l.Paused), strconv.Itoa(l.Waiting), strconv.Itoa(l.Dead), strconv.Itoa(l.Trying), l.Reason}
	})
}

type destinationsLetters struct {
	list
	Name string `arg:"" help:"The destination."`
}

func (destinationsLetters) Help() string { return "Example: dossier destinations deadletters crm" }

func (c *destinationsLetters) Run(ctx context.Context) error {
	return show(ctx, &c.list, destinationsPath+"/"+url.PathEscape(c.Name)+"/deadletters", []string{"ID", "TYPE", "SEGMENT", "PROFILE", "ATTEMPTS", "WHY"}, func(l destinations.Letter) []string {
		return []string{l.ID, l.Type, l.Segment, l.Profile, strconv.Itoa(l.Attempts), l.Reason}
	})
}

type namedDestination struct {
	target
	Name string `arg:"" help:"The destination."`
	JSON bool   `help:"Print JSON."`
}

func (c *namedDestination) do(ctx context.Context, verb string, say func(answer map[string]any) string) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer map[string]any
	if err := api.call(ctx, http.MethodPost, destinationsPath+"/"+url.PathEscape(c.Name)+"/"+verb, struct{}{}, &answer); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(answer)
	}
	fmt.Println(say(answer))
	return nil
}

type destinationsPause struct{ namedDestination }

func (destinationsPause) Help() string { return "Example: dossier destinations pause crm" }

func (c *destinationsPause) Run(ctx context.Context) error {
	return c.do(ctx, "pause", func(map[string]any) string { return c.Name + " is paused: what is decided waits" })
}

type destinationsResume struct{ namedDestination }

func (destinationsResume) Help() string { return "Example: dossier destinations resume crm" }

func (c *destinationsResume) Run(ctx context.Context) error {
	return c.do(ctx, "resume", func(map[string]any) string { return c.Name + " is sent to again" })
}

type destinationsRetry struct{ namedDestination }

func (destinationsRetry) Help() string { return "Example: dossier destinations retry crm" }

func (c *destinationsRetry) Run(ctx context.Context) error {
	return c.do(ctx, "retry", func(answer map[string]any) string { return fmt.Sprintf("%v are in line again", answer["retried"]) })
}
