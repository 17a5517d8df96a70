package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/dossier-cdp/dossier/services/api/manage"
)

type deadlettersCommand struct {
	List deadlettersList `cmd:"" help:"List what was refused, newest first."`
	Show deadlettersShow `cmd:"" help:"Show one refused input whole."`
}

func (deadlettersCommand) Help() string { return "Example: dossier deadletters list --limit 20" }

type deadlettersList struct {
	list
	Limit int `default:"100" help:"At most so many."`
}

func (deadlettersList) Help() string { return "Example: dossier deadletters list --limit 20 --json" }

func (c *deadlettersList) Run(ctx context.Context) error {
	return show(ctx, &c.list, fmt.Sprintf("/v1/deadletters?limit=%d", c.Limit), []string{"ID", "RECEIVED", "SOURCE", "CODE", "REASON"},
		func(l manage.DeadLetter) []string { return []string{l.ID, l.ReceivedAt, l.Source, l.Code, l.Reason} })
}

type deadlettersShow struct {
	target
	ID   string `arg:"" help:"The id of the letter."`
	JSON bool   `help:"Print JSON, as this command always does."`
}

func (deadlettersShow) Help() string {
	return "Example: dossier deadletters show ID\n\n'dossier deadletters list' has the ids."
}

func (c *deadlettersShow) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var letter manage.DeadLetter
	if err := api.call(ctx, http.MethodGet, "/v1/deadletters/"+url.PathEscape(c.ID), nil, &letter); err != nil {
		return err
	}
	return printJSON(letter)
}
