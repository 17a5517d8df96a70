package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
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
		Keys: i.ring, Log: i.letters, Random: rand.Reader, Written: i.writtenLetters.MustCurryWith(prometheus.Labels{"role": role}),
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

func letterLine(c *deadletter.Clear) manage.DeadLetter {
	return manage.DeadLetter{ID: c.ID, Code: c.Code, Reason: c.Reason, Hint: c.Hint, Source: c.Source, ReceivedAt: c.ReceivedAt}
}

// closed says whether a letter is shown no more: it names somebody who was erased, or has outlived its time.
func (r letterReader) closed(c *deadletter.Clear) bool {
	if end, ends := c.ExpiresAt(); ends && schema.InstantOf(time.Now()) >= end {
		return true
	}
	_, err := c.Key(r.i.ring)
	return errors.Is(err, seal.ErrPunched)
}

// List gives the newest letters first. Only as many as are asked for are held.
func (r letterReader) List(ctx context.Context, workspace string, limit int) ([]manage.DeadLetter, error) {
	var newest []manage.DeadLetter // the last `limit` of the log, in its order
	unreadable, err := deadletter.List(ctx, r.read, deadletter.Filter{Workspace: workspace}, func(c *deadletter.Clear, _ deadletter.Record) bool {
		if r.closed(c) {
			return true
		}
		if len(newest) == limit {
			copy(newest, newest[1:])
			newest = newest[:limit-1]
		}
		newest = append(newest, letterLine(c))
		return true
	})
	if err != nil {
		return nil, err
	}
	if unreadable > 0 {
		r.i.logger.Warn("records of the dead letters cannot be read", "records", unreadable)
	}
	for a, b := 0, len(newest)-1; a < b; a, b = a+1, b-1 {
		newest[a], newest[b] = newest[b], newest[a]
	}
	return newest, nil
}

// Show opens one letter.
func (r letterReader) Show(ctx context.Context, workspace, id string) (manage.DeadLetter, bool, error) {
	opened, err := deadletter.Find(ctx, r.read, r.i.ring, workspace, id)
	if errors.Is(err, seal.ErrPunched) {
		return manage.DeadLetter{}, false, nil
	}
	if err != nil || opened == nil || r.closed(&opened.Clear) {
		return manage.DeadLetter{}, false, err
	}
	letter := letterLine(&opened.Clear)
	if json.Valid(opened.Raw) {
		letter.Payload = opened.Raw
	} else {
		letter.Raw = string(opened.Raw)
	}
	return letter, true, nil
}
