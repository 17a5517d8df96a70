package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/goccy/go-yaml"
	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/services/api/manage"
)

type exportCommand struct {
	target
	Name   string `arg:"" enum:"events,personas,profiles,timeline" help:"One of events, personas, profiles, timeline."`
	Clocks bool   `help:"Add receipt and record times, provenance and positions, which differ between installations."`
}

func (exportCommand) Help() string {
	return "Example: dossier export profiles > profiles.ndjson\n\nThe same bytes for the same set of events, whatever their order."
}

func (c *exportCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	path := "/v1/export/" + c.Name
	if c.Clocks {
		path += "?clocks=1"
	}
	response, err := api.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		return fmt.Errorf("the export is cut: %w", err)
	}
	if cut := response.Trailer.Get("Dossier-Error"); cut != "" {
		return fmt.Errorf("the export is cut: %s", cut)
	}
	return nil
}

type digestCommand struct {
	target
	JSON bool `help:"Print JSON."`
}

func (digestCommand) Help() string {
	return "Example: dossier digest\n\nTwo installations with one master key and the same set of events print the same lines."
}

func (c *digestCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var lines []manage.Digest
	if err := api.call(ctx, http.MethodGet, "/v1/digest", nil, &lines); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(lines)
	}
	for _, l := range lines {
		fmt.Printf("%s  %s  %d\n", l.SHA256, l.Name, l.Count)
	}
	return nil
}

type configCommand struct {
	Show  configShow  `cmd:"" help:"Print the configuration in force as YAML."`
	Log   configLog   `cmd:"" help:"List the changes."`
	Diff  configDiff  `cmd:"" help:"Compare a file with the configuration in force; exit 1 if they differ."`
	Apply configApply `cmd:"" help:"Make a file the configuration."`
}

func (configCommand) Help() string {
	return "Example: dossier config show > dossier-config.yaml, edit it, then dossier config apply dossier-config.yaml"
}

type configShow struct {
	target
	JSON bool `help:"Print JSON with the hash."`
}

func (c *configShow) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var line manage.ConfigurationLine
	if err := api.call(ctx, http.MethodGet, "/v1/configuration", nil, &line); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(line)
	}
	text, err := yaml.JSONToYAML(line.Document)
	if err != nil {
		return err
	}
	fmt.Printf("# hash %s\n%s", line.Hash, text)
	return nil
}

type configLog struct {
	target
}

func (c *configLog) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var lines []map[string]string
	if err := api.call(ctx, http.MethodGet, "/v1/configuration/log", nil, &lines); err != nil {
		return err
	}
	for _, l := range lines {
		fmt.Printf("%s  %s  %s  %s\n", l["at"], l["hash"][:12], l["actor"], l["reason"])
	}
	return nil
}

func readConfigurationFile(path string) (json.RawMessage, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	document, err := yaml.YAMLToJSON(b)
	if err != nil {
		return nil, fmt.Errorf("%s is neither YAML nor JSON: %w", path, err)
	}
	return document, nil
}

type configDiff struct {
	target
	File string `arg:"" type:"existingfile" help:"YAML or JSON."`
}

func (c *configDiff) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var line manage.ConfigurationLine
	if err := api.call(ctx, http.MethodGet, "/v1/configuration", nil, &line); err != nil {
		return err
	}
	document, err := readConfigurationFile(c.File)
	if err != nil {
		return err
	}
	differences := compareDocuments(line.Document, document)
	for _, d := range differences {
		fmt.Println(d)
	}
	if len(differences) > 0 {
		return &exit{exitFailed, nil}
	}
	return nil
}

type configApply struct {
	target
	File   string `arg:"" type:"existingfile" help:"YAML or JSON."`
	Base   string `help:"The hash that the file was based on (default: the one in force now)."`
	Reason string `help:"Why; kept in the history."`
}

func (c *configApply) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	document, err := readConfigurationFile(c.File)
	if err != nil {
		return err
	}
	if c.Base == "" {
		var line manage.ConfigurationLine
		if err := api.call(ctx, http.MethodGet, "/v1/configuration", nil, &line); err != nil {
			return err
		}
		c.Base = line.Hash
	}
	var line manage.ConfigurationLine
	if err := api.call(ctx, http.MethodPut, "/v1/configuration", manage.ApplyConfiguration{Document: document, Base: c.Base, Reason: c.Reason}, &line); err != nil {
		return err
	}
	fmt.Println(line.Hash)
	return nil
}

type workspacesCommand struct {
	List workspacesList `cmd:"" help:"List the workspaces."`
}

type workspacesList struct{ target }

func (c *workspacesList) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var names []string
	if err := api.call(ctx, http.MethodGet, "/v1/workspaces", nil, &names); err != nil {
		return err
	}
	for _, n := range names {
		fmt.Println(n)
	}
	return nil
}

type keysCommand struct {
	List   keysList   `cmd:"" help:"List the write keys."`
	Create keysCreate `cmd:"" help:"Create a write key; its secret is shown once."`
	Revoke keysRevoke `cmd:"" help:"Revoke a write key."`
}

func (keysCommand) Help() string { return "Example: dossier keys create --source shop --trust client" }

type keysList struct {
	target
	JSON bool `help:"Print JSON."`
}

func (c *keysList) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var lines []manage.KeyLine
	if err := api.call(ctx, http.MethodGet, "/v1/keys", nil, &lines); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(lines)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tSOURCE\tTRUST\tNAME")
	for _, l := range lines {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", l.ID, l.Source, l.Trust, l.Name)
	}
	return table.Flush()
}

type keysCreate struct {
	target
	Source string `required:"" help:"The source that the key writes as."`
	Trust  string `enum:"client,server" default:"server" help:"client (public, for browsers) or server (secret)."`
	Name   string `help:"A name for people."`
}

func (c *keysCreate) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	line := manage.KeyLine{Name: c.Name, Source: c.Source, Trust: c.Trust}
	if err := api.call(ctx, http.MethodPost, "/v1/keys", line, &line); err != nil {
		return err
	}
	return printJSON(line)
}

type keysRevoke struct {
	target
	ID string `arg:""`
}

func (c *keysRevoke) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer map[string]string
	return api.call(ctx, http.MethodDelete, "/v1/keys/"+c.ID, nil, &answer)
}

type tokensCommand struct {
	List   tokensList   `cmd:"" help:"List the tokens."`
	Create tokensCreate `cmd:"" help:"Create a token; its secret is shown once."`
	Revoke tokensRevoke `cmd:"" help:"Revoke a token."`
}

func (tokensCommand) Help() string {
	return "Example: dossier tokens create --name crm --actor crm@example.com --scope read --scope unmask"
}

type tokensList struct {
	target
	JSON bool `help:"Print JSON."`
}

func (c *tokensList) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var lines []manage.TokenLine
	if err := api.call(ctx, http.MethodGet, "/v1/tokens", nil, &lines); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(lines)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tACTOR\tSCOPES")
	for _, l := range lines {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", l.ID, l.Name, l.Actor, strings.Join(l.Scopes, " "))
	}
	return table.Flush()
}

type tokensCreate struct {
	target
	Name  string   `required:"" help:"The tool or person that uses it."`
	Actor string   `required:"" help:"Who is held responsible for what it does."`
	Scope []string `required:"" help:"read, unmask, decide, care, marketing, privacy, admin; may be repeated."`
}

func (c *tokensCreate) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	line := manage.TokenLine{Name: c.Name, Actor: c.Actor, Scopes: c.Scope}
	if err := api.call(ctx, http.MethodPost, "/v1/tokens", line, &line); err != nil {
		return err
	}
	return printJSON(line)
}

type tokensRevoke struct {
	target
	ID string `arg:""`
}

func (c *tokensRevoke) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer map[string]string
	return api.call(ctx, http.MethodDelete, "/v1/tokens/"+c.ID, nil, &answer)
}

type deadlettersCommand struct {
	List deadlettersList `cmd:"" help:"List what was refused, newest first."`
	Show deadlettersShow `cmd:"" help:"Show one refused input whole."`
}

func (deadlettersCommand) Help() string { return "Example: dossier deadletters list --limit 20" }

type deadlettersList struct {
	target
	Limit int  `default:"100" help:"At most so many."`
	JSON  bool `help:"Print JSON."`
}

func (c *deadlettersList) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var letters []manage.DeadLetter
	if err := api.call(ctx, http.MethodGet, fmt.Sprintf("/v1/deadletters?limit=%d", c.Limit), nil, &letters); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(letters)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tRECEIVED\tSOURCE\tCODE\tREASON")
	for _, l := range letters {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", l.ID, l.ReceivedAt, l.Source, l.Code, l.Reason)
	}
	return table.Flush()
}

type deadlettersShow struct {
	target
	ID string `arg:""`
}

func (c *deadlettersShow) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var letter manage.DeadLetter
	if err := api.call(ctx, http.MethodGet, "/v1/deadletters/"+c.ID, nil, &letter); err != nil {
		return err
	}
	return printJSON(letter)
}

type doctorCommand struct {
	target
	JSON bool `help:"Print JSON."`
}

func (doctorCommand) Help() string { return "Example: dossier doctor\n\nExit 1 if any check fails." }

func (c *doctorCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var checks []manage.Check
	if err := api.call(ctx, http.MethodGet, "/v1/doctor", nil, &checks); err != nil {
		return err
	}
	failed := 0
	for _, k := range checks {
		if !k.OK {
			failed++
		}
	}
	if c.JSON {
		if err := printJSON(checks); err != nil {
			return err
		}
	} else {
		for _, k := range checks {
			mark := "ok    "
			if !k.OK {
				mark = "FAILED"
			}
			line := fmt.Sprintf("%s  %-12s %s", mark, k.Name, k.Detail)
			if k.Hint != "" {
				line += ": " + k.Hint
			}
			fmt.Println(line)
		}
	}
	if failed > 0 {
		return &exit{exitFailed, errors.New("a check failed")}
	}
	return nil
}

// newIdempotencyKey makes a key for one mutation of the command line.
func newIdempotencyKey() string { return uuid.NewString() }
