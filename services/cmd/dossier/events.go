package main

import (
	"bufio"
	"context"
	"encoding/binary"
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
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/state"
	"github.com/dossier-cdp/dossier/services/timeline/query"
)

// exportFolders is how the folders begin in which exports are sorted.
const exportFolders = "export-"

// exportEvents writes every event of the log once, sorted by OccurredAt and id, as canonical JSON. It reads archive and log, not
// ClickHouse, and sorts on disk, so its memory does not grow with the history. Of several copies the first of the log counts.
func (i *installation) exportEvents(ctx context.Context, workspace string, w io.Writer, o manage.ExportOptions) (err error) {
	if err := os.MkdirAll(i.folder.path("state"), 0o700); err != nil { // no role of this process may have made it
		return fmt.Errorf("make a folder for the export: %w", err)
	}
	dir, err := os.MkdirTemp(i.folder.path("state"), exportFolders)
	if err != nil {
		return fmt.Errorf("make a folder for the export: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sorted, err := state.Open(dir, state.Options{CacheBytes: 4 << 20, Logger: i.logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sorted.Close()) }()
	ends, err := i.eventLog.Ends(ctx)
	if err != nil {
		return err
	}
	sorting := &eventSorter{i: i, sorted: sorted, workspace: workspace, clocks: o.Clocks, public: ids.New(i.ring.PRF())}
	if o.Select.Empty() {
		err = sorting.all(ctx, ends)
	} else {
		err = sorting.some(ctx, &o.Select, ends)
	}
	if err != nil {
		return fmt.Errorf("export events: %w", err)
	}
	out := bufio.NewWriterSize(w, 1<<16)
	snapshot := sorted.Snapshot()
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
	clocks    bool
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
	if e.Workspace != s.workspace || s.i.erasures.void(&e.Clear) {
		return nil
	}
	key := binary.BigEndian.AppendUint64(nil, uint64(e.OccurredAt)^1<<63) // before 1970 sorts first
	key = append(key, e.ID[:]...)
	_, known, err := s.sorted.Get(nil, key)
	if err != nil || known {
		return err
	}
	s.line, err = query.AppendEvent(s.line[:0], e, s.public.Public(schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch}), s.clocks, at, recorded)
	if err != nil {
		return err
	}
	return batch.Set(key, s.line)
}
