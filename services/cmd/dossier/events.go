package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/state"
	"github.com/dossier-cdp/dossier/services/replay"
)

// exportFolders is how the folders begin in which exports are sorted.
const exportFolders = "export-"

// exportEvents writes every event of the log once, sorted by OccurredAt and id, as canonical JSON. It reads archive and log, not
// ClickHouse, and sorts on disk, so its memory does not grow with the history. Of several copies the first of the log counts.
func (i *installation) exportEvents(ctx context.Context, workspace string, w io.Writer, o manage.ExportOptions) error {
	ends, err := i.eventLog.Ends(ctx)
	if err != nil {
		return err
	}
	sorting := &eventSorter{
		i: i, workspace: workspace, public: ids.New(i.ring.PRF()), encoder: replay.Encoder{Personal: true, Clocks: o.Clocks},
		past: identity.Past{KnownAt: o.KnownAt, AsOf: o.AsOf},
	}
	return sorting.write(ctx, w, &o.Select, ends)
}

// replayEvents writes events back as exportEvents does, in the form and from the place that are asked for.
func (i *installation) replayEvents(ctx context.Context, workspace string, w io.Writer, o manage.ReplayOptions, begin func(replay.End)) error {
	now, err := i.eventLog.Ends(ctx)
	if err != nil {
		return err
	}
	ends, err := o.End.Within(now)
	if err != nil {
		return schema.Refuse("end_unknown", err.Error(), "begin the run anew")
	}
	begin(ends)
	sorting := &eventSorter{i: i, workspace: workspace, public: ids.New(i.ring.PRF()), encoder: o.Encoder}
	if o.After != (replay.Cursor{}) {
		sorting.after = o.After.Key()
		o.Select.From = max(o.Select.From, o.After.OccurredAt) // whole files of the archive are behind us
	}
	return sorting.write(ctx, w, &o.Select, ends)
}

// write sorts what the filter wants of the log before the given ends, and writes it.
func (s *eventSorter) write(ctx context.Context, w io.Writer, f *archive.Filter, ends []int64) (err error) {
	folder := s.i.folder
	if err := os.MkdirAll(folder.path("state"), 0o700); err != nil { // no role of this process may have made it
		return fmt.Errorf("make a folder for the export: %w", err)
	}
	dir, err := os.MkdirTemp(folder.path("state"), exportFolders)
	if err != nil {
		return fmt.Errorf("make a folder for the export: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if s.sorted, err = state.Open(dir, state.Options{CacheBytes: 4 << 20, Logger: s.i.logger}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.sorted.Close()) }()
	if f.Empty() {
		err = s.all(ctx, ends)
	} else {
		err = s.some(ctx, f, ends)
	}
	if err != nil {
		return fmt.Errorf("export events: %w", err)
	}
	out := bufio.NewWriterSize(w, 1<<16)
	snapshot := s.sorted.Snapshot()
	err = snapshot.Scan(nil, []byte{0xff, 0xff}, func(_, line []byte) error {
		_, err := out.Write(line)
		return err
	})
	if err := errors.Join(err, snapshot.Close()); err != nil {
		return err
	}
	return out.Flush()
}

// eventSorter puts events into a store by (OccurredAt, id).
type eventSorter struct {
	i         *installation
	sorted    *state.Store
	workspace string
	encoder   replay.Encoder
	past      identity.Past
	after     []byte // the key behind which to begin; nil: everything
	public    *ids.Deriver
	line      []byte
}

// all reads everything before the given ends.
func (s *eventSorter) all(ctx context.Context, ends []int64) error {
	for partition, end := range ends {
		for at := int64(0); at < end; {
			events, err := s.i.feed.Read(ctx, int32(partition), at, time.Second)
			if err != nil {
				return err
			}
			batch := s.sorted.NewBatch()
			for n := range events.Events {
				if o := &events.Events[n]; o.Event != nil && o.Offset < end {
					if err := s.add(batch, o.Event, o.Position, o.RecordedAt); err != nil {
						return errors.Join(err, batch.Discard())
					}
				}
			}
			if err := batch.Commit(); err != nil {
				return err
			}
			at = events.Next
		}
	}
	return nil
}

// some reads what the filter wants, and passes over the archive's files that hold none of it.
func (s *eventSorter) some(ctx context.Context, f *archive.Filter, ends []int64) error {
	wanted := *f
	wanted.Workspace = s.workspace
	done, err := s.i.eventLog.Select(ctx, &wanted, ends, func(r *eventlog.Record, _ *schema.Clear) error {
		var e schema.Event
		err := envelope.Open(s.i.ring, r.Value, &e)
		if errors.Is(err, envelope.ErrVoid) || schema.ClassOf(err) == schema.Rejected {
			return nil // as in a full export: its key is gone, or it is no event
		}
		if err != nil {
			return err
		}
		batch := s.sorted.NewBatch()
		if err := s.add(batch, &e, r.Position, r.RecordedAt); err != nil {
			return errors.Join(err, batch.Discard())
		}
		return batch.Commit()
	})
	s.i.logger.Info("some events were exported", "segments", done.Segments, "skipped", done.Skipped, "records", done.Records, "matched", done.Matched)
	return err
}

// add puts an event into the store if it is not void and no copy of it is there.
func (s *eventSorter) add(batch *state.Batch, e *schema.Event, at schema.Position, recorded schema.Instant) error {
	if e.Workspace != s.workspace || s.i.erasures.void(&e.Clear) || s.past.KnownAt != 0 && recorded > s.past.KnownAt || s.past.AsOf != 0 && e.OccurredAt > s.past.AsOf {
		return nil
	}
	key := replay.Cursor{OccurredAt: e.OccurredAt, ID: e.ID}.Key()
	if bytes.Compare(key, s.after) <= 0 {
		return nil
	}
	_, known, err := s.sorted.Get(nil, key)
	if err != nil || known {
		return err
	}
	s.line, err = s.encoder.Append(s.line[:0], e, s.public.Public(schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch}), at, recorded)
	if err != nil {
		return err
	}
	return batch.Set(key, s.line)
}
