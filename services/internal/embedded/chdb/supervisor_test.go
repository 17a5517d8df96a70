package chdb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func ask(e *Engine, sql string) (int, string, error) {
	r, err := http.NewRequest(http.MethodPost, e.URL()+"/", strings.NewReader(sql))
	if err != nil {
		return 0, "", err
	}
	r.SetBasicAuth(e.User(), e.Password())
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	return a.StatusCode, strings.TrimSpace(string(text)), err
}

func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ") // a zombie is dead, and waits for its parent
}

func TestKilledChildComesBackAtTheSameAddress(t *testing.T) {
	e := startEngine(t, Config{DataDir: t.TempDir()}, defaultTimes)
	url, password := e.URL(), e.Password()
	for _, sql := range []string{"CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a", "INSERT INTO t VALUES (7)"} {
		if status, text, err := ask(e, sql); err != nil || status != 200 {
			t.Fatal(sql, status, text, err)
		}
	}
	for round := range 3 {
		pid := e.PID()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		within(t, 5*time.Second, "the killed child is gone", func() bool { return !alive(pid) })
		http.DefaultClient.CloseIdleConnections()
		// Asked while no child is there: the request waits for the next one.
		status, text, err := ask(e, "SELECT a FROM t")
		if err != nil || status != 200 || text != "7" {
			t.Fatalf("round %d: %d %q %v", round, status, text, err)
		}
		within(t, 5*time.Second, "the restart is counted", func() bool { return e.Restarts() == int64(round+1) })
	}
	if e.URL() != url || e.Password() != password {
		t.Fatal("address or password changed")
	}
}

func TestChildDiesWithAKilledParent(t *testing.T) {
	dir := t.TempDir()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), orphanMark+"="+dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(line)
	}
	if !alive(pid) {
		t.Fatal("the child is not there")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := parent.Wait(); err == nil {
		t.Fatal("the parent ended by itself")
	}
	within(t, 2*time.Second, "the child is gone", func() bool { return !alive(pid) })
	// And its folder is free for the next one at once.
	e := startEngine(t, Config{DataDir: dir}, defaultTimes)
	if status, text, err := ask(e, "SELECT 1"); err != nil || status != 200 || text != "1" {
		t.Fatal(status, text, err)
	}
}

func TestStuckChildIsReplaced(t *testing.T) {
	quick := defaultTimes
	quick.probeEvery, quick.probeWithin, quick.probesMissed = 50*time.Millisecond, 200*time.Millisecond, 2
	e := startEngine(t, Config{DataDir: t.TempDir()}, quick)
	if err := syscall.Kill(e.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "the stuck child is replaced", func() bool { return e.Restarts() > 0 })
	if status, text, err := ask(e, "SELECT 1"); err != nil || status != 200 || text != "1" {
		t.Fatal(status, text, err)
	}
}

func TestCloseStopsTheChildAndFreesTheAddress(t *testing.T) {
	dir := t.TempDir()
	e := startEngine(t, Config{DataDir: dir}, defaultTimes)
	pid := e.PID()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for range 2 {
		if err := e.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if alive(pid) || e.PID() != 0 {
		t.Error("the child is still there")
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(e.URL(), "http://")); err == nil {
		c.Close()
		t.Error("something still listens")
	}
}

func TestCloseDoesNotWaitForALongQuery(t *testing.T) {
	e := startEngine(t, Config{DataDir: t.TempDir()}, defaultTimes)
	failed := make(chan error, 1)
	go func() {
		_, _, err := ask(e, "SELECT count() FROM system.numbers")
		failed <- err
	}()
	within(t, 5*time.Second, "the query runs", func() bool {
		_, text, err := ask(e, "SELECT count() FROM system.processes WHERE query LIKE '%system.numbers%' AND query NOT LIKE '%processes%'")
		return err == nil && text == "1"
	})
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("closing took %s", took)
	}
	if err := <-failed; err == nil {
		t.Error("the endless query ended")
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	library, err := FindLibrary(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	sameSize := filepath.Join(t.TempDir(), libraryFile)
	cut := filepath.Join(t.TempDir(), libraryFile)
	for path, size := range map[string]int64{sameSize: librarySize, cut: 1000} {
		if err := os.WriteFile(path, []byte("not a library"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	used := t.TempDir()
	startEngine(t, Config{DataDir: used}, defaultTimes)
	quick := defaultTimes
	quick.locked = 300 * time.Millisecond
	for _, c := range []struct {
		name   string
		config Config
		want   string
	}{
		{"library missing", Config{LibraryPath: "/nowhere/libchdb.so", DataDir: t.TempDir()}, "the engine library is missing"},
		{"library cut", Config{LibraryPath: cut, DataDir: t.TempDir()}, "has 1000 bytes"},
		{"library corrupt", Config{LibraryPath: sameSize, DataDir: t.TempDir()}, "is corrupt: its SHA-256 is"},
		{"library path relative", Config{LibraryPath: "libchdb.so", DataDir: t.TempDir()}, "must be absolute"},
		{"folder is a file", Config{LibraryPath: library, DataDir: file}, "not a directory"},
		{"folder in use", Config{LibraryPath: library, DataDir: used}, "in use by another process"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := start(context.Background(), c.config, quick)
			if err == nil {
				e.Close(context.Background())
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, want one line with %q", err, c.want)
			}
		})
	}
}

func TestStartStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Start(ctx, Config{DataDir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestServeChildByHandIsRefused(t *testing.T) {
	t.Setenv(childPassword, "")
	if code := ServeChild([]string{"-data", t.TempDir(), "-library", "/nowhere"}); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
}

// A fake server records how it was called; the test binary then answers like one (main_test.go).
const fakeServer = `#!/bin/sh
echo "$@" > called
exec "$DOSSIER_TEST_SELF"
`

func TestStandAloneServer(t *testing.T) {
	bin, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "clickhouse"), []byte(fakeServer), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOSSIER_TEST_SELF", os.Args[0])
	t.Setenv(fakeServerMark, dir)
	t.Setenv("DOSSIER_ENGINE_LIBRARY", "")
	t.Setenv("DOSSIER_CACHE", t.TempDir()) // no library here
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	e := startEngine(t, Config{DataDir: dir, MemoryLimit: 123456789}, defaultTimes)
	called, err := os.ReadFile(filepath.Join(dir, "called"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "server --config-file=" + filepath.Join(dir, configFile) + "\n"; string(called) != want {
		t.Errorf("called with %q, want %q", called, want)
	}
	config, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<path>" + filepath.Join(dir, storeDir) + "/</path>", "<listen_host>127.0.0.1</listen_host>",
		"<max_server_memory_usage>123456789</max_server_memory_usage>", "<fsync_after_insert>1</fsync_after_insert>",
		"<users_config>" + filepath.Join(dir, usersFile) + "</users_config>",
	} {
		if !strings.Contains(string(config), want) {
			t.Errorf("the configuration lacks %s", want)
		}
	}
	users, err := os.ReadFile(filepath.Join(dir, usersFile))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(users), e.Password()) || !strings.Contains(string(users), "<password_sha256_hex>") {
		t.Error("the user file must hold the password's digest only")
	}
	if status, _, err := ask(e, "SELECT 1"); err != nil || status != 200 {
		t.Fatal(status, err)
	}
	pid := e.PID()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "the server is back at its address", func() bool {
		status, _, err := ask(e, "SELECT 1")
		return e.Restarts() == 1 && err == nil && status == 200
	})
}

func TestNoEngineAtAll(t *testing.T) {
	t.Setenv("DOSSIER_ENGINE_LIBRARY", "")
	t.Setenv("DOSSIER_CACHE", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	_, err := Start(context.Background(), Config{DataDir: t.TempDir()})
	if !errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), "--clickhouse URL") {
		t.Fatal(err)
	}
}

func TestRest(t *testing.T) {
	e := startEngine(t, Config{DataDir: t.TempDir()}, defaultTimes)
	if status, text, err := ask(e, "SELECT sum(length(toString(number))) FROM numbers(100000)"); err != nil || status != 200 {
		t.Fatal(status, text, err)
	}
	before := mappedFiles(t, e.PID())
	if err := e.Rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := mappedFiles(t, e.PID()); after > before/2 {
		t.Errorf("%d kB of mapped files are resident, %d before", after, before)
	}
	if status, text, err := ask(e, "SELECT 1"); err != nil || status != 200 || text != "1" {
		t.Fatal(status, text, err)
	}
}

// mappedFiles is how much of its mapped files a process has in memory, in kB.
func mappedFiles(t *testing.T, pid int) (kB int) {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssFile:")
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		t.Fatal(err)
	}
	return kB
}
