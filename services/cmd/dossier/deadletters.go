package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
)

type deadlettersCommand struct {
	List   deadlettersList   `cmd:"" help:"List what was refused, newest first."`
	Stats  deadlettersStats  `cmd:"" help:"Count what was refused, by reason, source, path and mapping."`
	Show   deadlettersShow   `cmd:"" help:"Show one refused input whole, with what was done about it."`
	Repair deadlettersRepair `cmd:"" help:"Send refused inputs again with another payload, or with members changed."`
	Replay deadlettersReplay `cmd:"" help:"Send refused inputs again as they were, by the rules and mappings of now."`
	Drop   deadlettersDrop   `cmd:"" help:"List refused inputs no more: nobody wants them."`
}

func (deadlettersCommand) Help() string { return "Example: dossier deadletters list --limit 20" }

// lettersWanted chooses letters.
type lettersWanted struct {
	Code     string `help:"Refused for this reason, such as type_unknown." placeholder:"CODE"`
	Source   string `help:"Of this source." placeholder:"SOURCE"`
	Endpoint string `help:"That came in by this path, such as /v1/track." placeholder:"PATH"`
	Mapping  string `help:"That this mapping refused." placeholder:"NAME"`
	Since    string `help:"Received at this time or later. RFC 3339." placeholder:"TIME"`
	Until    string `help:"Received before this time. RFC 3339." placeholder:"TIME"`
}

func (w *lettersWanted) filter() manage.LetterFilter {
	return manage.LetterFilter{Code: w.Code, Source: w.Source, Endpoint: w.Endpoint, Mapping: w.Mapping, Since: w.Since, Until: w.Until}
}

func (w *lettersWanted) query() url.Values {
	query := url.Values{}
	for name, value := range map[string]string{"code": w.Code, "source": w.Source, "endpoint": w.Endpoint, "mapping": w.Mapping, "since": w.Since, "until": w.Until} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}

type deadlettersList struct {
	list
	lettersWanted
	All   bool `help:"Also those that were replayed, repaired or dropped."`
	Limit int  `default:"100" help:"At most so many."`
}

func (deadlettersList) Help() string { return "Example: dossier deadletters list --limit 20 --json" }

func (c *deadlettersList) Run(ctx context.Context) error {
	query := c.query()
	query.Set("limit", fmt.Sprint(c.Limit))
	if c.All {
		query.Set("all", "1")
	}
	return show(ctx, &c.list, "/v1/deadletters?"+query.Encode(), []string{"ID", "RECEIVED", "SOURCE", "CODE", "STATE", "REASON"},
		func(l manage.DeadLetter) []string {
			return []string{l.ID, l.ReceivedAt, l.Source, l.Code, l.State, l.Reason}
		})
}

type deadlettersStats struct {
	list
	lettersWanted
}

func (deadlettersStats) Help() string { return "Example: dossier deadletters stats --source shop" }

func (c *deadlettersStats) Run(ctx context.Context) error {
	return show(ctx, &c.list, "/v1/deadletterstats?"+c.query().Encode(), []string{"CODE", "SOURCE", "PATH", "MAPPING", "LETTERS", "OPEN", "FIRST", "LAST"},
		func(s manage.LetterStat) []string {
			return []string{s.Code, s.Source, s.Endpoint, s.Mapping, fmt.Sprint(s.Letters), fmt.Sprint(s.Open), s.First, s.Last}
		})
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

// letterDecision is what repair, replay and drop share.
type letterDecision struct {
	target
	lettersWanted
	IDs    []string `arg:"" optional:"" name:"id" help:"The ids of letters; or choose them by the flags, which takes all that are open."`
	Limit  int      `default:"10000" help:"Of those that the flags choose, the newest so many."`
	Reason string   `help:"Why; kept with what was done."`
	DryRun bool     `help:"Say what would come of it, and do nothing."`
	JSON   bool     `help:"Print JSON."`
}

// resolve asks for it and prints an outcome a line.
func (c *letterDecision) resolve(ctx context.Context, in manage.ResolveLetters) error {
	in.IDs, in.Reason, in.DryRun = c.IDs, c.Reason, c.DryRun
	if filter := c.filter(); len(c.IDs) == 0 {
		if filter == (manage.LetterFilter{}) {
			return &exit{exitMisused, errors.New("say which letters: ids, or at least one of --code, --source, --endpoint, --mapping, --since, --until")}
		}
		filter.Limit = c.Limit
		in.Filter = &filter
	} else if filter != (manage.LetterFilter{}) {
		return &exit{exitMisused, errors.New("choose letters by ids or by flags, and not by both")}
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	var outcomes []manage.LetterOutcome
	if err := api.call(ctx, http.MethodPost, "/v1/deadletters", in, &outcomes); err != nil {
		return err
	}
	refused := 0
	rows := make([][]string, len(outcomes))
	for n, o := range outcomes {
		if o.Code != "" {
			refused++
		}
		rows[n] = []string{o.Letter, o.Action, strings.Join(o.Events, " "), o.Code, o.Reason}
	}
	if c.JSON {
		err = printJSON(outcomes)
	} else {
		err = printTable([]string{"LETTER", "ACTION", "EVENTS", "CODE", "REASON"}, rows)
	}
	if err == nil && refused > 0 {
		err = &exit{exitAmbiguous, fmt.Errorf("%d of %d letters are refused again: repair them", refused, len(outcomes))}
	}
	return err
}

type deadlettersRepair struct {
	letterDecision
	Payload string   `type:"existingfile" help:"A file with the whole payload to send instead: JSON." placeholder:"FILE"`
	Set     []string `sep:"none" help:"PATH=JSON: give a member this value. Members inside others are parted by dots. May be repeated." placeholder:"PATH=JSON"`
	Remove  []string `help:"PATH: leave a member out. May be repeated." placeholder:"PATH"`
	Rename  []string `help:"PATH=PATH: move a member. May be repeated." placeholder:"PATH=PATH"`
}

func (deadlettersRepair) Help() string {
	return `Example: dossier deadletters repair --code type_unknown --source shop --set 'type="message.received"' --dry-run
         dossier deadletters repair ID --payload event.json --reason 'the till was misconfigured'

Renames come first, then removals, then settings. Repeating it adds nothing: the same letter with the same payload is the same event. A letter that came by a
mapping takes one event of our own form (deploy/events.md) as --payload; after a change of the mapping 'replay' sends it as it was.`
}

func (c *deadlettersRepair) Run(ctx context.Context) error {
	var in manage.ResolveLetters
	for _, text := range c.Rename {
		from, to, ok := strings.Cut(text, "=")
		if !ok {
			return &exit{exitMisused, fmt.Errorf("--rename wants PATH=PATH")}
		}
		in.Edits = append(in.Edits, deadletter.Edit{Op: "rename", Path: from, To: to})
	}
	for _, path := range c.Remove {
		in.Edits = append(in.Edits, deadletter.Edit{Op: "remove", Path: path})
	}
	for _, text := range c.Set {
		path, value, ok := strings.Cut(text, "=")
		if !ok || !json.Valid([]byte(value)) {
			return &exit{exitMisused, fmt.Errorf(`--set wants PATH=JSON, such as 'type="message.received"'`)}
		}
		in.Edits = append(in.Edits, deadletter.Edit{Op: "set", Path: path, Value: json.RawMessage(value)})
	}
	if c.Payload != "" {
		text, err := os.ReadFile(c.Payload)
		if err != nil {
			return fmt.Errorf("read the payload: %w", err)
		}
		if !json.Valid(text) {
			return &exit{exitMisused, errors.New("the payload is not JSON")}
		}
		in.Payload = text
	}
	if in.Payload == nil && len(in.Edits) == 0 {
		return &exit{exitMisused, errors.New("say what to change: --payload, --set, --remove or --rename; 'dossier deadletters replay' sends letters as they were")}
	}
	return c.resolve(ctx, in)
}

type deadlettersReplay struct{ letterDecision }

func (deadlettersReplay) Help() string {
	return "Example: dossier deadletters replay --mapping desk --since 2026-03-01T00:00:00Z --dry-run\n\nAs received when they were received, by the rules and mappings of now. Replaying twice adds nothing."
}

func (c *deadlettersReplay) Run(ctx context.Context) error {
	return c.resolve(ctx, manage.ResolveLetters{})
}

type deadlettersDrop struct{ letterDecision }

func (deadlettersDrop) Help() string {
	return "Example: dossier deadletters drop --code time_in_future --reason 'a broken clock, sent again since'\n\nThey are listed no more, but with --all, and stay sealed in the log as long as any letter: until somebody whom they name is erased, or 30 days if they name nobody."
}

func (c *deadlettersDrop) Run(ctx context.Context) error {
	return c.resolve(ctx, manage.ResolveLetters{Drop: true})
}
