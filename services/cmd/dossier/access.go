package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/dossier-cdp/dossier/services/api/manage"
)

type workspacesCommand struct {
	List   workspacesList   `cmd:"" help:"List the workspaces."`
	Create workspacesCreate `cmd:"" help:"Refused: an installation has one workspace."`
	Revoke workspacesRevoke `cmd:"" help:"Refused: an installation has one workspace."`
}

func (workspacesCommand) Help() string {
	return "Example: dossier workspaces list\n\nAn installation has one workspace, main. Another company, or a place to try things, is another installation."
}

type workspacesList struct{ list }

func (workspacesList) Help() string { return "Example: dossier workspaces list --json" }

func (c *workspacesList) Run(ctx context.Context) error {
	return show(ctx, &c.list, "/v1/workspaces", []string{"WORKSPACE"}, func(name string) []string { return []string{name} })
}

type workspacesCreate struct {
	Name string `arg:"" help:"A name."`
}

func (workspacesCreate) Help() string {
	return "Example: instead of 'dossier workspaces create trial', start 'dossier up --data ./trial --listen 127.0.0.1:8081'\n\nAn installation has one workspace, main."
}

// Run refuses.
func (*workspacesCreate) Run() error {
	return &exit{exitMisused, errors.New("an installation has one workspace, main: start another installation with its own 'dossier up --data DIR --listen ADDR'")}
}

type workspacesRevoke struct {
	Name string `arg:"" help:"A name."`
}

func (workspacesRevoke) Help() string {
	return "Example: instead of 'dossier workspaces revoke main', stop 'dossier up' and remove its data folder\n\nAn installation has one workspace, main."
}

// Run refuses.
func (*workspacesRevoke) Run() error {
	return &exit{exitMisused, errors.New("an installation has one workspace, main, which cannot be revoked: stop 'dossier up' and remove its data folder, or revoke keys and tokens")}
}

type keysCommand struct {
	List   keysList   `cmd:"" help:"List the write keys."`
	Create keysCreate `cmd:"" help:"Create a write key; its secret is shown once."`
	Revoke keysRevoke `cmd:"" help:"Revoke a write key."`
}

func (keysCommand) Help() string { return "Example: dossier keys create --source shop --trust client" }

type keysList struct{ list }

func (keysList) Help() string { return "Example: dossier keys list --json" }

func (c *keysList) Run(ctx context.Context) error {
	return show(ctx, &c.list, "/v1/keys", []string{"ID", "SOURCE", "TRUST", "NAME"}, func(l manage.KeyLine) []string {
		return []string{l.ID, l.Source, l.Trust, l.Name}
	})
}

type keysCreate struct {
	creation
	Source string `required:"" help:"The source that the key writes as."`
	Trust  string `enum:"client,server" default:"server" help:"client (public, for browsers) or server (secret)."`
	Name   string `help:"A name for people."`
}

func (keysCreate) Help() string {
	return "Example: dossier keys create --source shop --trust server --name 'shop backend'\n\nThe secret in the answer is stored hashed: it cannot be shown again."
}

func (c *keysCreate) Run(ctx context.Context) error {
	return c.create(ctx, "/v1/keys", &manage.KeyLine{Name: c.Name, Source: c.Source, Trust: c.Trust})
}

type keysRevoke struct{ revocation }

func (keysRevoke) Help() string {
	return "Example: dossier keys revoke ID\n\nWhat the key sent stays. 'dossier keys list' has the ids."
}

func (c *keysRevoke) Run(ctx context.Context) error { return c.revoke(ctx, "/v1/keys/") }

type tokensCommand struct {
	List   tokensList   `cmd:"" help:"List the tokens."`
	Create tokensCreate `cmd:"" help:"Create a token; its secret is shown once."`
	Revoke tokensRevoke `cmd:"" help:"Revoke a token."`
}

func (tokensCommand) Help() string {
	return "Example: dossier tokens create --name crm --actor crm@example.com --scope read --scope unmask"
}

type tokensList struct{ list }

func (tokensList) Help() string { return "Example: dossier tokens list --json" }

func (c *tokensList) Run(ctx context.Context) error {
	return show(ctx, &c.list, "/v1/tokens", []string{"ID", "NAME", "ACTOR", "SCOPES"}, func(l manage.TokenLine) []string {
		return []string{l.ID, l.Name, l.Actor, strings.Join(l.Scopes, " ")}
	})
}

type tokensCreate struct {
	creation
	Name  string   `required:"" help:"The tool or person that uses it."`
	Actor string   `required:"" help:"Who is held responsible for what it does."`
	Scope []string `required:"" help:"read, unmask, decide, care, marketing, privacy, admin; may be repeated."`

	MaxCost int `help:"What one GraphQL query of it may cost; 0 for the installation's limit."`
}

func (tokensCreate) Help() string {
	return "Example: dossier tokens create --name crm --actor crm@example.com --scope read --scope unmask\n\nThe secret in the answer is stored hashed: it cannot be shown again."
}

func (c *tokensCreate) Run(ctx context.Context) error {
	return c.create(ctx, "/v1/tokens", &manage.TokenLine{Name: c.Name, Actor: c.Actor, Scopes: c.Scope, MaxCost: c.MaxCost})
}

type tokensRevoke struct{ revocation }

func (tokensRevoke) Help() string {
	return "Example: dossier tokens revoke ID\n\n'dossier tokens list' has the ids."
}

func (c *tokensRevoke) Run(ctx context.Context) error { return c.revoke(ctx, "/v1/tokens/") }

// creation is what keys create and tokens create share.
type creation struct {
	target
	JSON bool `help:"Print JSON, as this command always does."`
}

// create posts line, and prints the answer, which has the secret.
func (c *creation) create(ctx context.Context, path string, line any) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if err := api.call(ctx, http.MethodPost, path, line, line); err != nil {
		return err
	}
	return printJSON(line)
}

// revocation is what keys revoke and tokens revoke share.
type revocation struct {
	target
	ID   string `arg:"" help:"Its id."`
	JSON bool   `help:"Print JSON."`
}

func (r *revocation) revoke(ctx context.Context, path string) error {
	api, err := r.client()
	if err != nil {
		return err
	}
	var answer struct {
		Revoked string `json:"revoked"`
	}
	if err := api.call(ctx, http.MethodDelete, path+url.PathEscape(r.ID), nil, &answer); err != nil {
		return err
	}
	if r.JSON {
		return printJSON(answer)
	}
	fmt.Println("revoked", answer.Revoked)
	return nil
}
