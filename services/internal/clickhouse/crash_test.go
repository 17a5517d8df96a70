package clickhouse_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

// The engine is killed under inserts: whatever was acknowledged at the first attempt is there, once. Whatever was not is repeated under its token until it is
// acknowledged, and believed as its callers believe it: the engine notes a token before it shows the rows, so killed in between it takes the repetition for a
// duplicate. Rows that are not there then go under another token, and each is there once.
func TestKillUnderInserts(t *testing.T) {
	rounds := 3
	if os.Getenv("DOSSIER_PROVE") == "1" {
		rounds = 20
	}
	engine := clickhousetest.StartEngine(t, t.TempDir())
	conn := clickhousetest.Open(t, clickhouse.Config{URL: engine.URL(), Password: engine.Password()})
	must(t, conn.Exec(ctx, numbersTable, nil, nil))

	const inserters, size = 4, 500
	var acknowledged, repeated, torn atomic.Int64
	stop := make(chan struct{})
	var working sync.WaitGroup
	for inserter := range inserters {
		working.Go(func() {
			for batch := 0; ; batch++ {
				select {
				case <-stop:
					return
				default:
				}
				from := uint64(batch*inserters+inserter) * size
				token, again := fmt.Sprintf("batch-%d", from), false
				for {
					err := conn.Insert(ctx, "t", []string{"k"}, token, nil, numbers(from, from+size))
					there := uint64(size)
					if err == nil && again {
						err = conn.QueryRow(ctx, "SELECT count() FROM t WHERE k >= {from:UInt64} AND k < {to:UInt64}", clickhouse.Params{"from": from, "to": from + size}, nil, &there)
					}
					switch {
					case err == nil && there == 0:
						token += " once more"
						torn.Add(1)
						continue
					case err == nil && there != size:
						t.Errorf("%d rows of a batch of %d are there", there, size)
						return
					case err == nil:
						acknowledged.Add(1)
					case schema.ClassOf(err) != schema.Transient:
						t.Errorf("%v is %s", err, schema.ClassOf(err))
						return
					default:
						again = true
						repeated.Add(1)
						continue
					}
					break
				}
			}
		})
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range rounds {
		before := acknowledged.Load()
		within(t, 30*time.Second, "batches are acknowledged", func() bool { return acknowledged.Load() > before+5 })
		time.Sleep(time.Duration(random.IntN(50)) * time.Millisecond) // anywhere within an insert
		if err := syscall.Kill(engine.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	before := acknowledged.Load()
	within(t, 30*time.Second, "batches are acknowledged after the last kill", func() bool { return acknowledged.Load() > before+5 })
	close(stop)
	working.Wait()
	want := uint64(acknowledged.Load() * size)
	if rows, distinct := count(t, conn, "t"); rows != want || distinct != want {
		t.Errorf("%d rows, %d distinct; %d were acknowledged", rows, distinct, want)
	}
	if int(engine.Restarts()) != rounds {
		t.Errorf("%d restarts, want %d", engine.Restarts(), rounds)
	}
	t.Logf("%d batches acknowledged, %d attempts repeated, %d tokens without rows", acknowledged.Load(), repeated.Load(), torn.Load())
}

// Tokens outlive a crash and a restart of the whole program.
func TestTokenOutlivesRestarts(t *testing.T) {
	dir := t.TempDir()
	insertAll := func(conn *clickhouse.Conn) {
		t.Helper()
		for i := range uint64(5) {
			must(t, conn.Insert(ctx, "t", []string{"k"}, fmt.Sprint(i), nil, numbers(i*10, i*10+10)))
		}
		if rows, distinct := count(t, conn, "t"); rows != 50 || distinct != 50 {
			t.Fatalf("%d rows, %d distinct, want 50", rows, distinct)
		}
	}
	first := clickhousetest.StartEngine(t, dir)
	config := clickhouse.Config{URL: first.URL(), Password: first.Password(), Database: "kept"}
	conn, err := clickhouse.Open(ctx, config)
	must(t, err)
	must(t, conn.Exec(ctx, numbersTable, nil, nil))
	insertAll(conn)
	if err := syscall.Kill(first.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "the engine is back", func() bool { return first.Restarts() == 1 })
	insertUntilStored := func() {
		for i := range uint64(5) {
			within(t, 10*time.Second, "the batch is acknowledged", func() bool {
				return conn.Insert(ctx, "t", []string{"k"}, fmt.Sprint(i), nil, numbers(i*10, i*10+10)) == nil
			})
		}
	}
	insertUntilStored() // the kept connections are dead: the first attempts may fail
	insertAll(conn)
	must(t, conn.Close())
	must(t, first.Close(ctx))

	second := clickhousetest.StartEngine(t, dir)
	config.URL, config.Password = second.URL(), second.Password()
	conn, err = clickhouse.Open(ctx, config)
	must(t, err)
	insertAll(conn)
	must(t, conn.Close())
}

// Reads change nothing and are sent again: callers do not see a restart, they wait for it.
func TestReadsSurviveAKill(t *testing.T) {
	engine := clickhousetest.StartEngine(t, t.TempDir())
	conn := clickhousetest.Open(t, clickhouse.Config{URL: engine.URL(), Password: engine.Password()})
	must(t, conn.Exec(ctx, numbersTable, nil, nil))
	must(t, conn.Insert(ctx, "t", []string{"k"}, "", nil, numbers(0, 1000)))
	for round := range int64(3) {
		if err := syscall.Kill(engine.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if rows, _ := count(t, conn, "t"); rows != 1000 {
			t.Fatalf("%d rows", rows)
		}
		within(t, 10*time.Second, "the restart is counted", func() bool { return engine.Restarts() == round+1 })
	}
}

// A deadline ends a call while the engine is away, with an error that says: later.
func TestDeadlineWhileTheEngineIsStopped(t *testing.T) {
	engine := clickhousetest.StartEngine(t, t.TempDir())
	conn := clickhousetest.Open(t, clickhouse.Config{URL: engine.URL(), Password: engine.Password()})
	must(t, conn.Exec(ctx, numbersTable, nil, nil))
	pid := engine.PID()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	var n uint64
	for name, err := range map[string]error{
		"read":   conn.QueryRow(ctx, "SELECT count() FROM t", nil, nil, &n),
		"insert": conn.Insert(ctx, "t", []string{"k"}, "", nil, numbers(0, 1)),
	} {
		if schema.ClassOf(err) != schema.Transient || err == nil {
			t.Errorf("%s: %v is %s", name, err, schema.ClassOf(err))
		}
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}
