package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// people is a file of n rows, of which every 97th cannot be mapped and every 101st is refused by the collector.
func people(n int) string {
	var b strings.Builder
	b.WriteString("id,at,email,city,spend\n")
	for k := 1; k <= n; k++ {
		at, spend, id := "2024-01-01T00:00:00Z", "1.5", fmt.Sprint(k)
		if k%97 == 0 {
			spend = "much"
		}
		if k%101 == 0 {
			at = "2999-01-01T00:00:00Z"
		}
		fmt.Fprintf(&b, "%s,%s,p%d@example.com,Lyon,%s\n", id, at, k, spend)
	}
	return b.String()
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCarriedOn: an import that is interrupted anywhere, again and again, sends little twice, and leaves the same summary, the same refused rows and
// the same events as a quiet one.
func TestCarriedOn(t *testing.T) {
	const rows = 20_000
	text := people(rows)
	log, server := target(t)
	quietFile := writeFile(t, "people.csv", text)
	quiet, err := File(t.Context(), Config{URL: server.URL, Key: "server-key", Mapping: compileText(t, peopleMap)}, quietFile)
	if err != nil {
		t.Fatal(err)
	}
	wantRefused := contents(t, quiet.Refusals)
	if quiet.Read != rows || quiet.Refused != rows/97+rows/101-rows/(97*101) || quiet.Accepted != rows-quiet.Refused || int64(len(log.events)) != quiet.Accepted {
		t.Fatalf("%+v, %d events", quiet, len(log.events))
	}

	var requests atomic.Int64
	var limit atomic.Int64
	shaky := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := requests.Add(1); n > limit.Load() {
			http.Error(w, "gone", http.StatusNotFound) // an answer that ends an import
			return
		}
		server.Config.Handler.ServeHTTP(w, r)
	}))
	defer shaky.Close()
	file := writeFile(t, "people.csv", text)
	cfg := Config{URL: shaky.URL, Key: "server-key", Mapping: compileText(t, peopleMap), Folder: filepath.Join(t.TempDir(), "imports"), Parallel: 3}
	resumed := int64(0)
	var s *Summary
	for attempt := 1; ; attempt++ {
		limit.Store(requests.Load() + 5)
		if s, err = File(t.Context(), cfg, file); err == nil {
			break
		}
		if attempt > rows/1000 {
			t.Fatal("it does not come to its end:", err)
		}
		if s.Resumed < resumed {
			t.Fatalf("attempt %d begins at row %d, the one before began at %d", attempt, s.Resumed, resumed)
		}
		resumed = s.Resumed
	}
	if resumed == 0 {
		t.Error("no attempt carried on")
	}
	if s.Read != quiet.Read || s.Accepted != quiet.Accepted || s.Refused != quiet.Refused || s.Events != quiet.Events {
		t.Errorf("%+v, quiet %+v", s, quiet)
	}
	if got := contents(t, s.Refusals); !bytes.Equal(got, wantRefused) {
		t.Errorf("%d bytes of refused rows, want %d", len(got), len(wantRefused))
	}
	if int64(len(log.events)) != quiet.Accepted {
		t.Errorf("%d events, want %d: another import added some", len(log.events), quiet.Accepted)
	}
	if left, err := os.ReadDir(cfg.Folder); err != nil || len(left) != 0 {
		t.Errorf("an import that came to its end leaves %v, %v", left, err)
	}
}

// TestKilledImport: what kill -9 leaves is a bookmark of a moment before, and refused rows that may be longer.
func TestKilledImport(t *testing.T) {
	text := people(5000)
	log, server := target(t)
	file := writeFile(t, "people.csv", text)
	cfg := Config{URL: server.URL, Key: "server-key", Mapping: compileText(t, peopleMap), Folder: t.TempDir()}
	cfg.defaults()
	whole, err := File(t.Context(), cfg, file)
	if err != nil {
		t.Fatal(err)
	}
	want := contents(t, whole.Refusals)
	total := log.total
	// As it was after 2,000 rows, with half a line that was being written.
	at := 0
	for line := range bytes.Lines(want) {
		var row int
		if _, err := fmt.Sscanf(string(line), `{"row":%d`, &row); err != nil {
			t.Fatal(err)
		}
		if row > 2000 {
			break
		}
		at += len(line)
	}
	mark, err := findBookmark(&cfg, file)
	if err != nil {
		t.Fatal(err)
	}
	refused := int64(bytes.Count(want[:at], []byte("\n")))
	mark.Rows, mark.Refused, mark.Accepted, mark.Events, mark.RefusedBytes = 2000, refused, 2000-refused, 2000-refused, int64(at)
	if err := mark.write(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(whole.Refusals, append(bytes.Clone(want[:at]), `{"row":20`...), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := File(t.Context(), cfg, file)
	if err != nil {
		t.Fatal(err)
	}
	if again.Resumed != 2000 || again.Read != whole.Read || again.Accepted != whole.Accepted || again.Refused != whole.Refused || !bytes.Equal(contents(t, again.Refusals), want) {
		t.Errorf("%+v, want %+v", again, whole)
	}
	if sent := log.total - total; sent >= total || sent < 2000 {
		t.Errorf("%d events sent again, of %d", sent, total)
	}
	// What cannot be carried on begins anew.
	for name, spoil := range map[string]func(*bookmark){
		"the file has changed":             func(b *bookmark) { b.Modified-- },
		"the refused rows were moved away": func(b *bookmark) { b.RefusedBytes = 1 << 30 },
		"it is from before the first row":  func(b *bookmark) { b.Rows = 0 },
	} {
		spoilt := *mark
		spoilt.Rows, spoilt.RefusedBytes = 2000, int64(at)
		spoil(&spoilt)
		if err := spoilt.write(); err != nil {
			t.Fatal(err)
		}
		if s, err := File(t.Context(), cfg, file); err != nil || s.Resumed != 0 || s.Read != whole.Read {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
	if err := os.WriteFile(mark.path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := File(t.Context(), cfg, file); err != nil || s.Resumed != 0 {
		t.Errorf("a bookmark that is damaged: %+v %v", s, err)
	}
}

// TestFiles: several files at once give what one after the other gives, in the order of the paths.
func TestFiles(t *testing.T) {
	log, server := target(t)
	var paths []string
	for n := range 5 {
		paths = append(paths, writeFile(t, fmt.Sprintf("p%d.csv", n), people(100*(n+1))))
	}
	cfg := Config{URL: server.URL, Key: "server-key", Mapping: compileText(t, peopleMap), Files: 3}
	last := Progress{}
	cfg.Progress = func(p Progress) { last = p }
	for n, r := range Files(t.Context(), cfg, paths) {
		if r.Err != nil || r.Summary.File != paths[n] || r.Summary.Read != int64(100*(n+1)) {
			t.Errorf("file %d: %+v %v", n, r.Summary, r.Err)
		}
	}
	if last.Rows != 1500 || !last.Done || last.Bytes != last.Total {
		t.Errorf("%+v", last)
	}
	if len(log.events) != 500-500/97-500/101 { // the files begin alike
		t.Errorf("%d events", len(log.events))
	}
	paths[1] = filepath.Join(t.TempDir(), "not-there.csv")
	cfg.Files = 1
	results := Files(t.Context(), cfg, paths)
	if results[0].Err != nil || !errors.Is(results[1].Err, os.ErrNotExist) || results[4].Summary != nil {
		t.Errorf("%+v", results)
	}
}

// TestOneSlowRequest: while one request is stuck the others go on, but not without end.
func TestOneSlowRequest(t *testing.T) {
	_, server := target(t)
	release := make(chan struct{})
	var requests atomic.Int64
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			<-release
		}
		server.Config.Handler.ServeHTTP(w, r)
	}))
	defer slow.Close()
	done := make(chan *Summary, 1)
	go func() {
		s, err := File(context.Background(), Config{URL: slow.URL, Key: "server-key", Mapping: compileText(t, peopleMap), Parallel: 4}, writeFile(t, "p.csv", people(60_000)))
		if err != nil {
			t.Error(err)
		}
		done <- s
	}()
	for begun := time.Now(); requests.Load() < aheadParts && time.Since(begun) < time.Minute; time.Sleep(5 * time.Millisecond) {
	}
	time.Sleep(200 * time.Millisecond)                             // longer than further requests take
	if n := requests.Load(); n < aheadParts || n >= 2*aheadParts { // of 60 parts; a request may be repeated
		t.Errorf("%d requests while the first is stuck, want %d", n, aheadParts)
	}
	close(release)
	if s := <-done; s.Read != 60_000 || s.Accepted+s.Refused != 60_000 {
		t.Errorf("%+v", s)
	}
}
