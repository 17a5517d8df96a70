package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/goccy/go-yaml"

	"github.com/dossier-cdp/dossier/services/api/manage"
)

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

func (configShow) Help() string { return "Example: dossier config show > dossier-config.yaml" }

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

type configLog struct{ list }

func (configLog) Help() string { return "Example: dossier config log --json" }

func (c *configLog) Run(ctx context.Context) error {
	return show(ctx, &c.list, "/v1/configuration/log", []string{"AT", "HASH", "ACTOR", "REASON"}, func(l manage.ConfigurationChange) []string {
		return []string{l.At, l.Hash[:min(12, len(l.Hash))], l.Actor, l.Reason}
	})
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
	JSON bool   `help:"Print the lines as JSON."`
}

func (configDiff) Help() string {
	return "Example: dossier config diff dossier-config.yaml\n\nExit 1 if they differ."
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
	if c.JSON {
		if err := printJSON(append([]string{}, differences...)); err != nil {
			return err
		}
	} else {
		for _, d := range differences {
			fmt.Println(d)
		}
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
	JSON   bool   `help:"Print the hash and the document as JSON."`
}

func (configApply) Help() string {
	return "Example: dossier config apply dossier-config.yaml --reason 'loyalty cards of the new shops'\n\nPrints the hash. A base that is no longer in force is refused."
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
	if c.JSON {
		return printJSON(line)
	}
	fmt.Println(line.Hash)
	return nil
}
