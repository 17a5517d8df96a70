// Package clickhousetest gives tests a real ClickHouse: the embedded engine, started once for a test binary, with a fresh
// database for each test. Where DOSSIER_TEST_CLICKHOUSE holds the URL of a server, that server is used instead.
//
// A test binary that uses it needs
//
//	func TestMain(m *testing.M) { clickhousetest.Main(m) }
//
// because the engine runs in a child process of the same binary. There is no skipping: without the engine library, tests
// fail and say how to get it.
package clickhousetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/embedded/chdb"
)

var shared struct {
	main bool // Main runs the tests

	once     sync.Once
	err      error
	engine   *chdb.Engine
	dir      string
	url      string
	password string
}

// Main is the body of TestMain: it serves the engine's child role, runs the tests, and stops the shared engine.
func Main(m *testing.M) {
	chdb.MaybeServeChild()
	shared.main = true
	code := m.Run()
	if shared.engine != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		if err := shared.engine.Close(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "stop the test engine:", err)
			code = 1
		}
		cancel()
	}
	if shared.dir != "" {
		if err := os.RemoveAll(shared.dir); err != nil {
			fmt.Fprintln(os.Stderr, "clean up the test engine:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// Start returns a connection to a fresh database on the shared engine. The database is dropped when the test ends.
func Start(t testing.TB) *clickhouse.Conn {
	t.Helper()
	if !shared.main {
		t.Fatal("the test binary needs: func TestMain(m *testing.M) { clickhousetest.Main(m) }")
	}
	shared.once.Do(startShared)
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return Open(t, clickhouse.Config{URL: shared.url, Password: shared.password})
}

// Open connects to a fresh database of a server that the test knows; the database is dropped when the test ends.
func Open(t testing.TB, config clickhouse.Config) *clickhouse.Conn {
	t.Helper()
	var suffix [6]byte
	rand.Read(suffix[:])
	config.Database = "test_" + hex.EncodeToString(suffix[:])
	conn, err := clickhouse.Open(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+config.Database+" SYNC", nil, nil); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// StartEngine starts an engine of the test's own, for tests that kill or stop it. It ends with the test.
func StartEngine(t testing.TB, dir string) *chdb.Engine {
	t.Helper()
	engine, err := chdb.Start(context.Background(), chdb.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := engine.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return engine
}

func startShared() {
	if url := os.Getenv("DOSSIER_TEST_CLICKHOUSE"); url != "" {
		shared.url = url
		return
	}
	if shared.dir, shared.err = os.MkdirTemp("", "dossier-engine-"); shared.err != nil {
		return
	}
	if shared.engine, shared.err = chdb.Start(context.Background(), chdb.Config{DataDir: shared.dir}); shared.err != nil {
		return
	}
	shared.url, shared.password = shared.engine.URL(), shared.engine.Password()
}
