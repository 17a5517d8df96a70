package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/timeline"
)

// letterBox is where a role puts its dead letters.
func (i *installation) letterBox(role string) *deadletter.Box {
	return &deadletter.Box{
		Keys: i.ring, Log: i.letters, Random: rand.Reader,
		Suppressed: func(hashes []string) bool { return i.control.State().SuppressedTrace(mainWorkspace, hashes) },
		Written:    i.writtenLetters.MustCurryWith(prometheus.Labels{"role": role}),
	}
}

// timelineLetters puts what the timeline cannot hold where the collector puts what it refuses.
type timelineLetters struct{ box *deadletter.Box }

func (t timelineLetters) Put(ctx context.Context, l timeline.Letter) error {
	letter := deadletter.Letter{
		Workspace: mainWorkspace, Endpoint: "timeline", ReceivedAt: l.RecordedAt, Index: int(l.Position.Offset),
		Refusal: schema.Refusal{Code: "timeline_refused", Reason: "ClickHouse cannot hold this event", Hint: "see the reason in the log of 'dossier up'"},
	}
	if r := (*schema.Refusal)(nil); errors.As(l.Reason, &r) {
		letter.Refusal = *r
	}
	if l.Event != nil {
		raw, err := json.Marshal(l.Event)
		if err != nil {
			return err
		}
		letter.Workspace, letter.Source, letter.Trust, letter.Raw = l.Event.Workspace, l.Event.Source, l.Event.Provenance.Trust, raw
	} else if l.Record != nil {
		letter.Raw = l.Record.Value
	}
	return t.box.Put(ctx, []deadletter.Letter{letter})
}

// timelineLetters is where the timeline puts what it cannot hold. The live one has done so already when a shadow reads the event.
func (i *installation) timelineLetters() timeline.DeadLetters {
	if i.shadow != nil {
		return noLetters{}
	}
	return timelineLetters{i.letterBox("timeline")}
}

type noLetters struct{}

func (noLetters) Put(context.Context, timeline.Letter) error { return nil }

// letterReader reads the dead letters through the management paths.
type letterReader struct{ i *installation }

// read gives the topic from its first record to its end as it is now.
func (r letterReader) read(ctx context.Context, next func(deadletter.Record) bool) error {
	starts, err := r.i.letterLog.Starts(ctx)
	if err != nil {
		return err
	}
	ends, err := r.i.letterLog.Ends(ctx)
	if err != nil {
		return err
	}
	for at := starts[0]; at < ends[0]; {
		batch, err := r.i.letterLog.Read(ctx, 0, at, time.Second)
		if err != nil {
			return err
		}
		for _, record := range batch.Records {
			if !next(deadletter.Record{Position: record.Position, Value: record.Value}) {
				return nil
			}
		}
		at = batch.Next
	}
	return nil
}

func letterLine(c *deadletter.Clear, history []*deadletter.Resolution) manage.DeadLetter {
	line := manage.DeadLetter{
		ID: c.ID, Code: c.Code, Reason: c.Reason, Hint: c.Hint, Source: c.Source, Endpoint: c.Endpoint, Mapping: c.Mapping, ReceivedAt: c.ReceivedAt,
		State: manage.StateOpen,
	}
	for _, r := range history {
		if r.Done() {
			line.State = r.Action
		}
	}
	return line
}

// closed says whether a letter is shown no more: it names somebody who was erased, or has outlived its time.
func (r letterReader) closed(c *deadletter.Clear) bool {
	if end, ends := c.ExpiresAt(); ends && schema.InstantOf(time.Now()) >= end {
		return true
	}
	_, err := c.Key(r.i.ring)
	return errors.Is(err, seal.ErrPunched)
}

// chosen gives the newest letters that a filter wants, in the order of the log. Only as many as are asked for are held.
func (r letterReader) chosen(ctx context.Context, workspace string, f manage.LetterFilter, each func(c *deadletter.Clear, line manage.DeadLetter)) error {
	filter, err := f.Filter(workspace)
	if err != nil {
		return err
	}
	done, err := deadletter.Resolutions(ctx, r.read, workspace)
	if err != nil {
		return err
	}
	unreadable, err := deadletter.List(ctx, r.read, filter, func(c *deadletter.Clear, _ deadletter.Record) bool {
		if r.closed(c) {
			return true
		}
		if line := letterLine(c, done[c.ID]); f.All || line.State == manage.StateOpen {
			each(c, line)
		}
		return true
	})
	if unreadable > 0 {
		r.i.logger.Warn("records of the dead letters cannot be read", "records", unreadable)
	}
	return err
}

// List gives the newest letters first.
func (r letterReader) List(ctx context.Context, workspace string, f manage.LetterFilter) ([]manage.DeadLetter, error) {
	limit := cmp.Or(f.Limit, 100)
	var newest []manage.DeadLetter // the last `limit` of the log, in its order
	err := r.chosen(ctx, workspace, f, func(_ *deadletter.Clear, line manage.DeadLetter) {
		if len(newest) == limit {
			copy(newest, newest[1:])
			newest = newest[:limit-1]
		}
		newest = append(newest, line)
	})
	slices.Reverse(newest)
	return newest, err
}

// Stats counts letters that were refused alike, the most first.
func (r letterReader) Stats(ctx context.Context, workspace string, f manage.LetterFilter) ([]manage.LetterStat, error) {
	type kind struct{ code, source, endpoint, mapping string }
	counts := map[kind]*manage.LetterStat{}
	f.All = true
	err := r.chosen(ctx, workspace, f, func(c *deadletter.Clear, line manage.DeadLetter) {
		k := kind{c.Code, c.Source, c.Endpoint, c.Mapping}
		stat := counts[k]
		if stat == nil {
			stat = &manage.LetterStat{Code: c.Code, Source: c.Source, Endpoint: c.Endpoint, Mapping: c.Mapping, First: c.ReceivedAt, Last: c.ReceivedAt}
			counts[k] = stat
		}
		stat.Letters++
		if line.State == manage.StateOpen {
			stat.Open++
		}
		stat.First, stat.Last = min(stat.First, c.ReceivedAt), max(stat.Last, c.ReceivedAt)
	})
	var out []manage.LetterStat
	for _, stat := range counts {
		out = append(out, *stat)
	}
	slices.SortFunc(out, func(a, b manage.LetterStat) int {
		return cmp.Or(cmp.Compare(b.Letters, a.Letters), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.Mapping, b.Mapping))
	})
	return out, err
}

// Show opens one letter, with what was done about it.
func (r letterReader) Show(ctx context.Context, workspace, id string) (manage.DeadLetter, bool, error) {
	opened, err := r.open(ctx, workspace, id)
	if err != nil || opened == nil {
		return manage.DeadLetter{}, false, err
	}
	done, err := deadletter.Resolutions(ctx, r.read, workspace)
	if err != nil {
		return manage.DeadLetter{}, false, err
	}
	letter := letterLine(&opened.Clear, done[id])
	if json.Valid(opened.Raw) {
		letter.Payload = opened.Raw
	} else {
		letter.Raw = string(opened.Raw)
	}
	for _, resolution := range done[id] {
		payload, err := resolution.Payload(&opened.Clear, r.i.ring)
		if err != nil {
			return manage.DeadLetter{}, false, err
		}
		letter.History = append(letter.History, manage.Resolution{Resolution: *resolution, Payload: payload})
	}
	return letter, true, nil
}

// open finds a letter; nil if there is none, or it is shown no more.
func (r letterReader) open(ctx context.Context, workspace, id string) (*deadletter.Opened, error) {
	opened, err := deadletter.Find(ctx, r.read, r.i.ring, workspace, id)
	if errors.Is(err, seal.ErrPunched) {
		return nil, nil
	}
	if err != nil || opened == nil || r.closed(&opened.Clear) {
		return nil, err
	}
	return opened, nil
}

// Resolve sends letters again, or drops them, and notes who did and what came of it.
func (r letterReader) Resolve(ctx context.Context, workspace, actor string, in manage.ResolveLetters) ([]manage.LetterOutcome, error) {
	ids := in.IDs
	if in.Filter != nil {
		lines, err := r.List(ctx, workspace, *in.Filter)
		if err != nil {
			return nil, err
		}
		for _, line := range slices.Backward(lines) { // as they came
			ids = append(ids, line.ID)
		}
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	// One pass over the log, however many, with one letter in memory.
	var out []manage.LetterOutcome
	var failed error
	_, err := deadletter.List(ctx, r.read, deadletter.Filter{Workspace: workspace}, func(c *deadletter.Clear, record deadletter.Record) bool {
		if !wanted[c.ID] || r.closed(c) {
			return true
		}
		var outcome manage.LetterOutcome
		if outcome, failed = r.resolve(ctx, actor, record.Value, &in); failed == nil {
			out = append(out, outcome)
			delete(wanted, c.ID)
		}
		return failed == nil && len(wanted) > 0
	})
	for _, id := range ids {
		if wanted[id] && err == nil && failed == nil {
			out = append(out, manage.LetterOutcome{
				Letter: id, Events: []string{}, Code: "letter_unknown", Reason: "there is no dead letter with this id", Hint: "list them with 'dossier deadletters list'",
			})
		}
	}
	return out, errors.Join(err, failed)
}

// resolve does it with one letter.
func (r letterReader) resolve(ctx context.Context, actor string, record []byte, in *manage.ResolveLetters) (outcome manage.LetterOutcome, err error) {
	letter, err := deadletter.Open(record, r.i.ring)
	if err != nil {
		return outcome, err
	}
	outcome = manage.LetterOutcome{Letter: letter.ID, Action: deadletter.ActionReplayed, Events: []string{}}
	payload, edits, err := repaired(letter, in)
	switch {
	case in.Drop:
		outcome.Action = deadletter.ActionDropped
	case len(in.Edits) > 0 || in.Payload != nil:
		outcome.Action = deadletter.ActionRepaired
	}
	if err == nil && !in.Drop {
		err = r.again(ctx, letter, payload, in.DryRun, &outcome)
	}
	if refused := (*schema.Refusal)(nil); errors.As(err, &refused) {
		outcome.Code, outcome.Reason, outcome.Hint = refused.Code, refused.Reason, refused.Hint
	} else if err != nil {
		return outcome, err
	}
	if in.DryRun {
		return outcome, nil
	}
	return outcome, r.i.letterBox("api").Resolve(ctx, &deadletter.Resolution{
		Letter: letter.ID, Workspace: letter.Workspace, Action: outcome.Action, Actor: actor, Reason: in.Reason, At: schema.InstantOf(time.Now()).String(),
		Events: outcome.Events, Code: outcome.Code, Edits: edits,
	}, &letter.Clear, payload)
}

// repaired is what is sent instead of a letter, nil for the letter itself, with the paths that were changed.
func repaired(letter *deadletter.Opened, in *manage.ResolveLetters) (payload []byte, edits []string, err error) {
	if in.Payload != nil || len(in.Edits) == 0 {
		return in.Payload, nil, nil
	}
	for _, e := range in.Edits {
		edits = append(edits, strings.TrimSpace(e.Op+" "+e.Path+" "+e.To))
	}
	payload, err = deadletter.Apply(letter.Raw, in.Edits)
	return payload, edits, err
}

// again sends a letter through the collector.
func (r letterReader) again(ctx context.Context, letter *deadletter.Opened, payload []byte, dry bool, outcome *manage.LetterOutcome) error {
	receipt, err := r.i.collector.Again(ctx, letter, payload, dry)
	if err != nil {
		return err
	}
	for _, id := range receipt.IDs {
		if !id.IsZero() {
			outcome.Events = append(outcome.Events, id.String())
		}
	}
	if len(receipt.Refused) > 0 {
		first := &receipt.Refused[0]
		outcome.Code, outcome.Reason, outcome.Hint = first.Code, first.Reason, first.Hint
	}
	return nil
}
