package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/replay"
)

type replayStartCommand struct {
	target
	Into    string   `required:"" help:"The name of the shadow: small letters, digits and underscores." placeholder:"SHADOW"`
	Rules   string   `type:"existingfile" help:"A configuration, YAML or JSON, whose sections take the place of those in force." placeholder:"FILE"`
	Model   string   `help:"A model of identity instead of the one in force: its name, none, or the file that dossier train wrote." placeholder:"NAME|FILE"`
	From    string   `help:"Only events that occurred at this time or later. RFC 3339." placeholder:"TIME"`
	To      string   `aliases:"until" help:"Only events that occurred before this time. RFC 3339." placeholder:"TIME"`
	Types   []string `aliases:"type" help:"Only events of these types, such as order.placed." placeholder:"TYPE"`
	Sources []string `aliases:"source" help:"Only events of these sources." placeholder:"SOURCE"`
	Wait    bool     `help:"Return when the shadow has come to the end of the log."`
	JSON    bool     `help:"Print JSON."`
}

func (replayStartCommand) Help() string {
	return `Example: dossier replay start --into next --rules rules.yaml --wait

Builds a whole set of projections beside the live one from archive and log (who is who, timeline, conversations and cases, segments), under other rules
or another model if they are given, and follows the log. Nothing live changes, and nobody is told: no alert, no change feed, no decision. It takes about
as much disk as the live projections, holds itself back while live events wait, and carries on after a stop or a crash. Compare it with
'dossier replay diff SHADOW', 'dossier digest --shadow SHADOW' and 'dossier export … --shadow SHADOW', then 'dossier replay promote SHADOW' or
'dossier replay discard SHADOW'. Needs a token with the scope admin, and 'dossier up'.`
}

// document is the configuration that the shadow is to run under; nil is the one in force.
func (c *replayStartCommand) document(ctx context.Context, api *client) (json.RawMessage, error) {
	if c.Rules == "" && c.Model == "" {
		return nil, nil
	}
	var line manage.ConfigurationLine
	if err := api.call(ctx, http.MethodGet, "/v1/configuration", nil, &line); err != nil {
		return nil, err
	}
	sections := map[string]json.RawMessage{}
	if err := json.Unmarshal(line.Document, &sections); err != nil {
		return nil, fmt.Errorf("the configuration in force cannot be read: %w", err)
	}
	if c.Rules != "" {
		document, err := readConfigurationFile(c.Rules)
		if err != nil {
			return nil, err
		}
		own := map[string]json.RawMessage{}
		if err := json.Unmarshal(document, &own); err != nil {
			return nil, fmt.Errorf("%s has no sections: %w", c.Rules, err)
		}
		maps.Copy(sections, own)
	}
	if c.Model != "" {
		of := map[string]json.RawMessage{}
		if s := sections["identity"]; s != nil {
			if err := json.Unmarshal(s, &of); err != nil {
				return nil, fmt.Errorf("the section identity cannot be read: %w", err)
			}
		}
		model, err := modelArgument(c.Model)
		if err != nil {
			return nil, err
		}
		of["model"] = model
		if sections["identity"], err = json.Marshal(of); err != nil {
			return nil, fmt.Errorf("%s is no model: %w", c.Model, err)
		}
	}
	return json.Marshal(sections)
}

func (c *replayStartCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	document, err := c.document(ctx, api)
	if err != nil {
		return err
	}
	var line manage.Shadow
	err = api.call(ctx, http.MethodPost, "/v1/shadows", manage.ShadowQuestion{
		Name: c.Into, Configuration: document, From: c.From, To: c.To, Types: c.Types, Sources: c.Sources,
	}, &line)
	if err != nil {
		return err
	}
	if c.Wait {
		if line, err = awaitShadow(ctx, api, c.Into); err != nil {
			return err
		}
	}
	return printShadows(c.JSON, line)
}

// awaitShadow returns when a shadow has come to the end of the log.
func awaitShadow(ctx context.Context, api *client, name string) (line manage.Shadow, err error) {
	shown := newProgress("events")
	defer shown.done()
	for {
		if err = api.call(ctx, http.MethodGet, "/v1/shadows/"+url.PathEscape(name), nil, &line); err != nil {
			return line, err
		}
		switch line.State {
		case manage.ShadowFollowing:
			return line, nil
		case manage.ShadowFailed:
			return line, fmt.Errorf("the shadow has failed: %s; 'dossier replay resume %s' carries on when that is mended", line.Reason, name)
		}
		shown.update(line.Done, line.Total)
		select {
		case <-ctx.Done():
			return line, &exit{exitAmbiguous, errors.New("the shadow goes on without you: see 'dossier replay status'")}
		case <-time.After(200 * time.Millisecond):
		}
	}
}

type replayStatusCommand struct {
	target
	Shadow string `arg:"" optional:"" help:"One of them; default: all."`
	Wait   bool   `help:"Return when it has come to the end of the log."`
	JSON   bool   `help:"Print JSON."`
}

func (replayStatusCommand) Help() string { return "Example: dossier replay status next --wait" }

func (c *replayStatusCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if c.Shadow == "" {
		if c.Wait {
			return &exit{exitMisused, errors.New("--wait is for one shadow: name it")}
		}
		var lines []manage.Shadow
		if err := api.call(ctx, http.MethodGet, "/v1/shadows", nil, &lines); err != nil {
			return err
		}
		return printShadows(c.JSON, lines...)
	}
	var line manage.Shadow
	if c.Wait {
		line, err = awaitShadow(ctx, api, c.Shadow)
	} else {
		err = api.call(ctx, http.MethodGet, "/v1/shadows/"+url.PathEscape(c.Shadow), nil, &line)
	}
	if err != nil {
		return err
	}
	return printShadows(c.JSON, line)
}

// printShadows prints a line for each.
func printShadows(asJSON bool, lines ...manage.Shadow) error {
	if asJSON {
		return printJSON(lines)
	}
	if len(lines) == 0 {
		fmt.Fprintln(os.Stderr, "no shadows: begin one with 'dossier replay start --into NAME'")
		return nil
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "SHADOW\tSTATE\tEVENTS\tOF\tPER SECOND\tLEFT\tCONFIGURATION\tMADE OF")
	for _, l := range lines {
		left := ""
		if l.ETA > 0 {
			left = time.Duration(l.ETA * float64(time.Second)).Round(time.Second).String()
		}
		state := l.State
		if l.Reason != "" {
			state += ": " + l.Reason
		}
		of := strings.TrimSpace(strings.Join(append(append([]string{}, l.Types...), l.Sources...), ",") + " " + l.From + ".." + l.To)
		if of == ".." {
			of = "everything"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%.0f\t%s\t%s\t%s\n", l.Name, state, l.Done, l.Total, l.Rate, left, l.Hash[:min(12, len(l.Hash))], of)
	}
	return table.Flush()
}

// oneShadow is what the commands share that act on one.
type oneShadow struct {
	target
	Shadow string `arg:"" help:"The name of the shadow."`
	JSON   bool   `help:"Print JSON."`
}

func (c *oneShadow) act(ctx context.Context, verb string) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var line manage.Shadow
	if err := api.call(ctx, http.MethodPost, "/v1/shadows/"+url.PathEscape(c.Shadow)+"/"+verb, nil, &line); err != nil {
		return err
	}
	return printShadows(c.JSON, line)
}

type replayPauseCommand struct{ oneShadow }

func (replayPauseCommand) Help() string {
	return "Example: dossier replay pause next\n\nHolds a shadow, also over a restart. An erasure is not finished before it goes on, or is discarded."
}

func (c *replayPauseCommand) Run(ctx context.Context) error { return c.act(ctx, "pause") }

type replayResumeCommand struct{ oneShadow }

func (replayResumeCommand) Help() string {
	return "Example: dossier replay resume next\n\nLets a shadow go on, also one that has failed."
}

func (c *replayResumeCommand) Run(ctx context.Context) error { return c.act(ctx, "resume") }

type replayPromoteCommand struct {
	target
	Shadow string `arg:"" optional:"" help:"The name of the shadow."`
	Undo   bool   `help:"Go back to what was live before the last promotion."`
	Reason string `help:"Why; kept with the decision."`
	JSON   bool   `help:"Print JSON."`
}

func (replayPromoteCommand) Help() string {
	return `Example: dossier replay promote next --reason 'shared mailboxes join nobody any more'
         dossier replay promote --undo

Every reader (GraphQL, SQL, exports, segments, care, destinations) turns to the shadow at one point of the log, all or none; its configuration is in force from then on.
Events are taken all the while, questions wait for a moment. Nothing that was decided or sent is repeated: what differs is decided. What was live is kept
as the shadow 'previous', which follows the log, until it is discarded; until then a promotion can be undone. Cut, or killed, the same command carries on.
Needs a token with the scope admin, and 'dossier up'.`
}

func (c *replayPromoteCommand) Run(ctx context.Context) error {
	if (c.Shadow == "") == !c.Undo {
		return &exit{exitMisused, errors.New("name a shadow, or give --undo")}
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	path := "/v1/promotion/undo"
	if !c.Undo {
		path = "/v1/shadows/" + url.PathEscape(c.Shadow) + "/promote"
	}
	var done manage.Promotion
	if err := api.call(ctx, http.MethodPost, path, map[string]string{"reason": c.Reason}, &done); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(done)
	}
	what := "the shadow " + done.Shadow + " is live"
	if done.Shadow == "" {
		what = "what was live before is live again"
	}
	fmt.Printf("%s since %s, position %d of the control topic\n", what, done.At, done.Position)
	if done.Undoable && done.Shadow != "" {
		fmt.Fprintln(os.Stderr, "undo it with 'dossier replay promote --undo', or let go of what was live before with 'dossier replay discard previous'")
	}
	return nil
}

type replayDiscardCommand struct{ oneShadow }

func (replayDiscardCommand) Help() string {
	return "Example: dossier replay discard next\n\nRemoves a shadow with its tables and files."
}

func (c *replayDiscardCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var done struct {
		Discarded string `json:"discarded"`
	}
	if err := api.call(ctx, http.MethodDelete, "/v1/shadows/"+url.PathEscape(c.Shadow), nil, &done); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(done)
	}
	fmt.Println("discarded", done.Discarded)
	return nil
}

type replayDiffCommand struct {
	target
	Shadow    string `arg:"" help:"The name of the shadow."`
	Samples   int    `default:"10" help:"So many differences of each kind are listed, at most 10000."`
	NoFigures bool   `help:"Leave out the metrics, of which each is read twice."`
	JSON      bool   `help:"Print JSON, to keep or to work on."`
}

func (replayDiffCommand) Help() string {
	return `Example: dossier replay diff next --samples 1000 --json > next.diff.json

Says who would be merged and split and why, whose dossier would show other values, which conversations, cases, surveys and readings of texts would be
other, and which metrics. It names ids, kinds and counts, and nobody's values. While events come, those of the last moment may count as a difference.
Needs a token with the scope admin.`
}

func (c *replayDiffCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	q := url.Values{"samples": {strconv.Itoa(c.Samples)}}
	if c.NoFigures {
		q.Set("figures", "no")
	}
	var d manage.ShadowDiff
	if err := api.call(ctx, http.MethodGet, "/v1/shadows/"+url.PathEscape(c.Shadow)+"/diff?"+q.Encode(), nil, &d); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(d)
	}
	p := d.People
	fmt.Printf("%d profiles live, %d in the shadow: %d the same, %d merged, %d split, %d with other values, %d with other personas, %d gone, %d new\n",
		p.Before, p.After, p.Same, p.Merged, p.Split, p.Changed, p.Moved, p.Gone, p.New)
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	if len(p.Members) > 0 {
		fmt.Fprintln(table, "\nOTHER VALUES OF\tPROFILES")
		for _, name := range slices.Sorted(maps.Keys(p.Members)) {
			fmt.Fprintf(table, "%s\t%d\n", name, p.Members[name])
		}
	}
	for _, list := range [][]replay.Shift{p.Merges, p.Splits} {
		for n, s := range list {
			if n == 0 {
				fmt.Fprintln(table, "\nPROFILES\tWOULD BE\tWHY")
			}
			after := make([]string, len(s.After))
			for k, to := range s.After {
				after[k] = to.Profile
			}
			fmt.Fprintf(table, "%s\t%s\t%s\n", strings.Join(s.Before, " "), strings.Join(after, " "), s.Cause)
		}
	}
	fmt.Fprintln(table, "\nROWS\tLIVE\tSHADOW\tGONE\tNEW\tCHANGED")
	for _, r := range d.Rows {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\n", r.Kind, r.Before, r.After, r.Gone, r.New, r.Changed)
	}
	if len(d.Figures) > 0 {
		fmt.Fprintln(table, "\nMETRIC\tLIVE\tSHADOW\tROWS\tIN THE SHADOW")
	}
	for _, f := range d.Figures {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\n", f.Name, valueText(f.Live), valueText(f.Shadow), f.LiveN, f.ShadowN)
	}
	return table.Flush()
}

// valueText writes a figure that may be none.
func valueText(v *float64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'g', 6, 64)
}
