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
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/internal/state"
	"github.com/dossier-cdp/dossier/services/timeline/query"
)

// exportEvents writes every event of the log once, sorted by OccurredAt and id, as canonical JSON. It reads archive and log, not
// ClickHouse, and sorts on disk, so its memory does not grow with the history. Of several copies the first of the log counts.
func (i *installation) exportEvents(ctx context.Context, workspace string, w io.Writer, o manage.ExportOptions) (err error) {
	dir, err := os.MkdirTemp(i.folder.path("state"), "export-")
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
	for partition, end := range ends {
		if err := i.sortEvents(ctx, sorted, workspace, int32(partition), end, o.Clocks); err != nil {
			return err
		}
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

// sortEvents puts the events of one partition into a store by (OccurredAt, id).
func (i *installation) sortEvents(ctx context.Context, sorted *state.Store, workspace string, partition int32, end int64, clocks bool) error {
	var line []byte
	public := ids.New(i.ring.PRF())
	for at := int64(0); at < end; {
		events, err := i.feed.Read(ctx, partition, at, time.Second)
		if err != nil {
			return fmt.Errorf("export events: %w", err)
		}
		batch := sorted.NewBatch()
		for n := range events.Events {
			o := &events.Events[n]
			if o.Event == nil || o.Offset >= end || o.Event.Workspace != workspace || i.erasures.void(&o.Event.Clear) {
				continue
			}
			key := binary.BigEndian.AppendUint64(nil, uint64(o.Event.OccurredAt)^1<<63) // before 1970 sorts first
			key = append(key, o.Event.ID[:]...)
			_, known, err := sorted.Get(nil, key)
			if err != nil {
				return errors.Join(err, batch.Discard())
			}
			if known {
				continue
			}
			line, err = query.AppendEvent(line[:0], o.Event, public.Public(schema.PersonaEpoch{Persona: o.Event.Persona, Epoch: o.Event.Key.Epoch}), clocks, o.Position, o.RecordedAt)
			if err == nil {
				err = batch.Set(key, line)
			}
			if err != nil {
				return errors.Join(err, batch.Discard())
			}
		}
		if err := batch.Commit(); err != nil {
			return err
		}
		at = events.Next
	}
	return nil
}
