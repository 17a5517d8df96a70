package timeline

import (
	"encoding/binary"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// writeVersion1 makes a store as a release of version 1 leaves it: partition 0 is written up to 10, with an open intent up to 25; partition
// 1 is written up to 12, its last intent done.
func writeVersion1(t *testing.T, w *world, store *state.Store, identity string) {
	t.Helper()
	b := store.NewBatch()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	intent := func(partition uint32, from, to uint64) {
		value := append([]byte(nil), 1, 2, 3, 4, 5, 6, 7, 8)
		value = binary.BigEndian.AppendUint32(value, 3) // generation
		value = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(value, from), to)
		must(b.Set(binary.BigEndian.AppendUint32([]byte{'i'}, partition), value))
	}
	must(b.Set([]byte{'n'}, append([]byte{1, 2, 3, 4, 5, 6, 7, 8}, identity...)))
	intent(0, 10, 25)
	intent(1, 5, 12)
	for p, next := range []int64{10, 12} {
		must(b.SetOffset(schema.TopicEvents, int32(p), state.Offset{Generation: 3, Next: next}))
	}
	for _, r := range w.table.rows {
		if r.Position.Partition == 0 && r.Position.Offset < 10 || r.Position.Partition == 1 {
			must(b.Set(appendEventKey(nil, r.OccurredAt, r.ID), appendEpoch(nil, r.Epoch)))
		}
	}
	must(b.CommitDurable())
}

// TestUpgrade starts on the state of version 1, with an insert of the open intent in the table or not: each event has one row.
func TestUpgrade(t *testing.T) {
	for _, inserted := range []bool{false, true} {
		w := newWorld(31, 2, 60)
		for id, position := range w.rows { // what version 1 has written
			end := []int64{10, 12}[position.Partition]
			if inserted && position.Partition == 0 {
				end = 25
			}
			if position.Offset >= end {
				continue
			}
			e := w.feed.partitions[position.Partition][position.Offset].Event
			w.table.rows = append(w.table.rows, fakeRow{Indexed{ID: id, OccurredAt: e.OccurredAt, Epoch: e.Key.Epoch, Position: position}, e.Persona, e.Key.Class})
		}
		for position := range w.buried {
			if position.Offset < []int64{10, 12}[position.Partition] {
				w.letters.at[position] = Letter{}
			}
		}
		identity, err := w.table.Identity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		store, err := state.Open("timeline", state.Options{FS: w.fs, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		writeVersion1(t, w, store, identity)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		rebuilt := false
		w.faults.at = func(_ int, what string) fault {
			rebuilt = rebuilt || what == "index"
			return none
		}
		if !w.live(t) {
			t.Fatal("it did not arrive")
		}
		w.check(t)
		if rebuilt {
			t.Error("the index was rebuilt, not upgraded")
		}
		if present := w.faults.calls["present"]; present == 0 {
			t.Error("the open intent was not repeated")
		}
	}
}

// TestLaterVersion refuses an index of a later release, and says what to do.
func TestLaterVersion(t *testing.T) {
	w := newWorld(32, 1, 10)
	store, err := state.Open("timeline", state.Options{FS: w.fs, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	b := store.NewBatch()
	if err := b.Set(keyIncarnation, append([]byte{indexVersion + 1}, "12345678table"...)); err != nil {
		t.Fatal(err)
	}
	if err := b.CommitDurable(); err != nil {
		t.Fatal(err)
	}
	role := New(Config{Feed: w.feed, Partitions: 1, Table: w.table, Store: store, DeadLetters: w.letters, Public: fakePublic, Logger: quiet})
	if err := role.Run(t.Context()); schema.ClassOf(err) != schema.Fatal || err == nil {
		t.Fatalf("Run gave %v, want a fatal error", err)
	}
}
