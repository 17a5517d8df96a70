package timeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// engineWorld is a log whose table is in a real engine.
type engineWorld struct {
	*world
	table ClickHouse
}

// role opens the state and starts the role; stop ends both, as a crash does.
func (w *engineWorld) role(t *testing.T) (role *Timeline, stop func()) {
	t.Helper()
	store, err := state.Open("timeline", state.Options{FS: w.fs, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	role = New(Config{
		Feed: w.feed, Partitions: int32(len(w.feed.partitions)), Generation: 3, Table: w.table, Store: store, DeadLetters: w.letters, Public: fakePublic,
		Log: w.feed, Linger: 5 * time.Millisecond, BackOff: 20 * time.Millisecond, BatchRecords: 120, InsertLimit: 10 * time.Second, Void: w.void,
		Logger: quiet,
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- role.Run(ctx) }()
	return role, func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		survivor := w.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(w.random.Uint64(), 0))})
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		w.fs = survivor
	}
}

// compare reads the whole table.
func (w *engineWorld) compare(t *testing.T) {
	t.Helper()
	seen := map[schema.EventID]int{}
	err := w.table.Index(t.Context(), func(r Indexed) error {
		seen[r.ID]++
		if want, ok := w.rows[r.ID]; !ok || want != r.Position {
			return fmt.Errorf("row %v must not be there, want %v", r.Position, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, position := range w.rows {
		if seen[id] != 1 {
			t.Fatalf("the event of %v has %d rows, want 1", position, seen[id])
		}
	}
}

func migrated(t *testing.T, conn *clickhouse.Conn) ClickHouse {
	t.Helper()
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	return ClickHouse{conn}
}

// noPoison makes a log that a real table takes.
func noPoison(seed uint64, partitions, records int) *world {
	w := newWorld(seed, partitions, records)
	for p, log := range w.feed.partitions {
		for _, o := range log {
			if o.Event == nil || o.Void != nil || o.Event.OccurredAt < schema.FirstTimelineInstant {
				continue
			}
			if first, known := w.rows[o.Event.ID]; !known || first.Partition == int32(p) && first.Offset > o.Offset {
				w.rows[o.Event.ID] = o.Position
			}
		}
	}
	return w
}

// TestEngineKilled kills the engine, the role, both, and takes the index away, while the log is written.
func TestEngineKilled(t *testing.T) {
	engine := clickhousetest.StartEngine(t, t.TempDir())
	conn := clickhousetest.Open(t, clickhouse.Config{URL: engine.URL(), Password: engine.Password()})
	w := &engineWorld{noPoison(21, 3, 2000), migrated(t, conn)}
	w.feed.step = 100
	for round := range 3 {
		role, stop := w.role(t)
		for range 1 + round%2 {
			// Somewhere within the next inserts.
			target, _ := role.Visible()
			target[round%3] = min(target[round%3]+int64(50+w.random.IntN(150)), 2000)
			if err := role.WaitFor(t.Context(), target); err != nil {
				t.Fatal(err)
			}
			if round != 2 {
				if err := syscall.Kill(engine.PID(), syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
					t.Fatal(err)
				}
			}
		}
		stop()
		if round == 1 {
			w.fs = vfs.NewCrashableMem()
		}
	}
	role, stop := w.role(t)
	if err := role.WaitFor(t.Context(), w.feed.ends()); err != nil {
		t.Fatal(err)
	}
	stop()
	w.compare(t)
	if engine.Restarts() < 2 {
		t.Errorf("the engine restarted %d times, the test wants more", engine.Restarts())
	}
}

// TestEraseInEngine erases one persona of a real table and leaves the others.
func TestEraseInEngine(t *testing.T) {
	w := &engineWorld{noPoison(22, 1, 600), migrated(t, clickhousetest.Start(t))}
	role, stop := w.role(t)
	if err := role.WaitFor(t.Context(), w.feed.ends()); err != nil {
		t.Fatal(err)
	}
	victim := w.feed.partitions[0][len(w.feed.partitions[0])-1].Event
	for i := 1; victim == nil || victim.OccurredAt < schema.FirstTimelineInstant; i++ {
		victim = w.feed.partitions[0][i].Event
	}
	e := Erasure{Personas: []schema.PersonaEpoch{{Persona: victim.Persona}}, CutOff: 1}
	var once, twice uint64
	for _, mutations := range []*uint64{&once, &twice} { // it may be repeated, as every start does: then it rewrites nothing
		if err := role.Erase(t.Context(), "main", e); err != nil {
			t.Fatal(err)
		}
		if err := w.table.Conn.QueryRow(t.Context(), "SELECT count() FROM system.mutations WHERE database = currentDatabase()", nil, nil, mutations); err != nil {
			t.Fatal(err)
		}
	}
	if once == 0 || twice != once {
		t.Errorf("%d mutations, %d after the repetition", once, twice)
	}
	erased := 0
	for _, o := range w.feed.partitions[0] {
		if o.Event == nil || o.Event.Persona != victim.Persona {
			continue
		}
		if _, there := w.rows[o.Event.ID]; there {
			erased++
			delete(w.rows, o.Event.ID)
		}
		if _, found, err := role.index.known(nil, o.Event.OccurredAt, o.Event.ID); found || err != nil {
			t.Errorf("the index still knows an erased event: %v", err)
		}
	}
	if erased == 0 {
		t.Fatal("nothing to erase")
	}
	stop()
	w.compare(t)
}

// TestTokenOutlivesRestart repeats an insert under its token after the engine was killed.
func TestTokenOutlivesRestart(t *testing.T) {
	engine := clickhousetest.StartEngine(t, t.TempDir())
	table := migrated(t, clickhousetest.Open(t, clickhouse.Config{URL: engine.URL(), Password: engine.Password()}))
	block := BlockOf(sampleRows(500, 20))
	for range 2 {
		if err := table.Insert(t.Context(), "the token", block); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(engine.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); table.Conn.Ping(t.Context()) != nil; {
			if time.Now().After(deadline) {
				t.Fatal("the engine does not come back")
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	var n uint64
	if err := table.Conn.QueryRow(t.Context(), "SELECT count() FROM events", nil, nil, &n); err != nil || n != 500 {
		t.Errorf("%d rows, %v; want 500", n, err)
	}
}

// TestWindowGrows: the window of tokens is lengthened on a table that is there, and counts from then on, as migrations rely on.
func TestWindowGrows(t *testing.T) {
	conn := clickhousetest.Start(t)
	exec := func(sql string) {
		t.Helper()
		if err := conn.Exec(t.Context(), sql, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	insert := func(token string) {
		t.Helper()
		err := conn.Insert(t.Context(), "tokens", []string{"n"}, token, inserting, func(b *clickhouse.Batch) error { return b.Append(uint64(1)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE tokens (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 3")
	exec("ALTER TABLE tokens MODIFY SETTING non_replicated_deduplication_window = 20")
	insert("first")
	for i := range 10 {
		insert(fmt.Sprint("other ", i))
	}
	insert("first")
	var n uint64
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM tokens", nil, nil, &n); err != nil || n != 11 {
		t.Errorf("%d rows, %v; want 11", n, err)
	}
}
