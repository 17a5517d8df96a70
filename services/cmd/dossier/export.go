package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/dossier-cdp/dossier/services/api/manage"
)

type exportCommand struct {
	target
	Name   string `arg:"" enum:"events,personas,profiles,timeline,cases,matches,households,segments" help:"One of events, personas, profiles, timeline, cases, matches, households, segments."`
	Clocks bool   `help:"Add receipt and record times, provenance and positions, which differ between installations."`
	At     string `help:"Add what depends on the time of asking, as it is then: what profiles consent to, who is in segments. RFC 3339." placeholder:"TIME"`

	AsOf    string `name:"as-of" help:"As if nothing had happened after this time: of events, personas, profiles and timeline. RFC 3339." placeholder:"TIME"`
	KnownAt string `name:"known-at" help:"What the log had recorded by this time, under the configuration of then: of the same. RFC 3339." placeholder:"TIME"`

	Type   []string `help:"Events of these types only, such as order.placed." placeholder:"TYPE"`
	Source []string `help:"Events of these sources only." placeholder:"SOURCE"`
	From   string   `help:"Events that occurred at this time or later. RFC 3339." placeholder:"TIME"`
	To     string   `help:"Events that occurred before this time. RFC 3339." placeholder:"TIME"`

	Shadow string `help:"Of this shadow ('dossier replay start') instead of the live projections." placeholder:"NAME"`
}

func (exportCommand) Help() string {
	return `Example: dossier export profiles --at 2026-01-01T00:00:00Z > profiles.ndjson
         dossier export profiles --known-at 2026-01-01T00:00:00Z > known-at-new-year.ndjson
         dossier export events --type order.placed --source shop --from 2026-01-01T00:00:00Z > orders.ndjson

The same bytes for the same set of events, whatever their order. When some events are asked for, the archive's files that hold none of them
are not read.`
}

func (c *exportCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	options := url.Values{}
	if c.Clocks {
		options.Set("clocks", "1")
	}
	if c.At != "" {
		options.Set("at", c.At)
	}
	if c.Shadow != "" {
		options.Set("shadow", c.Shadow)
	}
	options["type"], options["source"] = c.Type, c.Source
	for name, value := range map[string]string{"from": c.From, "to": c.To, "asOf": c.AsOf, "knownAt": c.KnownAt} {
		if value != "" {
			options.Set(name, value)
		}
	}
	response, err := api.do(ctx, http.MethodGet, "/v1/export/"+c.Name+"?"+options.Encode(), nil)
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
	Shadow string `help:"Of this shadow ('dossier replay start') instead of the live projections." placeholder:"NAME"`
	JSON   bool   `help:"Print JSON."`
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
	if err := api.call(ctx, http.MethodGet, "/v1/digest?"+url.Values{"shadow": {c.Shadow}}.Encode(), nil, &lines); err != nil {
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
