package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/dossier-cdp/dossier/services/rights"
)

type accessCommand struct {
	target
	Subject  subjectArgument `arg:"" help:"KIND:VALUE, or an id of a profile or persona."`
	Reason   string          `required:"" help:"Why; recorded."`
	Page     string          `type:"path" help:"Write a page for people, HTML, instead of JSON to stdout." placeholder:"FILE"`
	Language string          `enum:"en,fr" default:"en" help:"Of the page: en or fr."`
	JSON     bool            `help:"Print JSON, as this command does without --page."`
}

func (accessCommand) Help() string {
	return `Example: dossier access email:anna@example.com --reason 'she asked on 2 March' > anna.json
         dossier access email:anna@example.com --reason 'elle l’a demandé' --page anna.html --language fr

Everything that is held: golden record, identifiers, consents, every event with its source and place in the log, what was concluded from them, and refused
inputs that name her. Needs the scopes privacy and unmask.`
}

func (c *accessCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var file rights.File
	if err := api.call(ctx, http.MethodPost, "/v1/access", c.Subject.exercise(c.Reason), &file); err != nil {
		return ambiguous(err)
	}
	if c.Page == "" {
		return printJSON(&file)
	}
	out, err := os.OpenFile(c.Page, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return errors.Join(rights.WritePage(out, &file, c.Language), out.Close())
}

type rectifyCommand struct {
	target
	Subject subjectArgument `arg:"" help:"KIND:VALUE, or an id of a profile or persona."`
	Set     []string        `required:"" sep:"none" help:"TRAIT=JSON: what is right; null takes it back. May be repeated." placeholder:"TRAIT=JSON"`
	Reason  string          `required:"" help:"Why; kept with the event."`
	JSON    bool            `help:"Print JSON."`
}

func (rectifyCommand) Help() string {
	return `Example: dossier rectify email:anna@example.com --set 'lastName="Lee"' --reason 'she married'

It is an event of the person's best known account, newer than what was said before. Correct the source, too: what that says later counts again. Prints the event's id.`
}

func (c *rectifyCommand) Run(ctx context.Context) error {
	body := c.Subject.exercise(c.Reason)
	body.Traits = map[string]json.RawMessage{}
	for _, text := range c.Set {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" || !json.Valid([]byte(value)) {
			return &exit{exitMisused, errors.New(`--set wants TRAIT=JSON, such as 'lastName="Lee"'`)}
		}
		body.Traits[name] = json.RawMessage(value)
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct {
		Event string `json:"event"`
	}
	if err := api.call(ctx, http.MethodPost, "/v1/rectifications", body, &answer); err != nil {
		return ambiguous(err)
	}
	if c.JSON {
		return printJSON(answer)
	}
	fmt.Println(answer.Event)
	return nil
}
