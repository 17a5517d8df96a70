package collector

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
)

const sdkFolder = "testdata/sdk"

// sdks finds Segment's JavaScript SDKs.
func sdks(t *testing.T, needs ...string) {
	t.Helper()
	npmPackages(t, sdkFolder, needs...)
}

// npmPackages finds the npm packages of a folder, which `make test` installs. Without them the test is skipped, except under CI.
func npmPackages(t *testing.T, folder string, needs ...string) {
	t.Helper()
	missing := ""
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err != nil {
		missing = "the packages of services/collector/" + folder + " are not installed: run npm ci there"
	}
	for _, program := range needs {
		if _, err := exec.LookPath(program); err != nil {
			missing = program + " is missing: install it from your system's packages"
		}
	}
	switch {
	case missing == "":
	case os.Getenv("CI") != "":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}

// byMessage opens what was written, by message id or name, and counts how often each was written.
func (r *rig) byName(t *testing.T) (map[string]schema.Event, map[string]int) {
	t.Helper()
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	events, written := map[string]schema.Event{}, map[string]int{}
	for _, m := range r.log.messages {
		var e schema.Event
		if err := envelope.Open(r.ring, m.Value, &e); err != nil {
			t.Fatal(err)
		}
		name := e.Type.String() + " " + e.Name
		if before, there := events[name]; there && before.ID != e.ID {
			t.Fatalf("%s is two events", name)
		}
		events[name] = e
		written[name]++
	}
	return events, written
}

// TestAnalyticsNode: Segment's SDK for Node, unmodified, with a collector that fails at first.
func TestAnalyticsNode(t *testing.T) {
	sdks(t, "node")
	r := newRig(t, Limits{})
	r.now = time.Now()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if requests.Add(1) == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.Handler().ServeHTTP(w, req)
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "node", filepath.Join(sdkFolder, "node.mjs"), server.URL, serverKey).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	events, written := r.byName(t)
	for name, copies := range map[string]int{
		"profile.identified ": 1, "order.placed Order Completed": 2, "page.viewed Accueil": 1, "group.joined ": 1, "identity.aliased ": 1,
	} {
		e, there := events[name]
		if !there || written[name] < copies {
			t.Errorf("%s was written %d times", name, written[name])
			continue
		}
		if e.OccurredAt.String() != "2026-02-03T04:05:06.789Z" || e.Provenance.Library == "" || e.Skew == 0 {
			t.Errorf("%s: occurred %s, library %q, skew %d", name, e.OccurredAt, e.Provenance.Library, e.Skew)
		}
	}
	if len(events) != 5 {
		t.Fatalf("%v", written)
	}
}

// TestAnalyticsNext: Segment's SDK for browsers, unmodified, in Chromium, on a page of another origin, which is left while events
// are under way.
func TestAnalyticsNext(t *testing.T) {
	sdks(t, "chromium")
	for _, strategy := range []string{"standard", "batching"} {
		t.Run(strategy, func(t *testing.T) {
			r := newRig(t, Limits{})
			r.now = time.Now()
			server := httptest.NewServer(r.Handler())
			defer server.Close()
			files := http.NewServeMux()
			files.Handle("/sdk/", http.StripPrefix("/sdk/", http.FileServer(http.Dir(filepath.Join(sdkFolder, "node_modules/@segment/analytics-next/dist/umd")))))
			files.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
				http.ServeFile(w, req, filepath.Join(sdkFolder, "page.html"))
			})
			shop := httptest.NewServer(files)
			defer shop.Close()
			page := shop.URL + "/?" + url.Values{"key": {clientKey}, "collector": {server.URL}, "strategy": {strategy}, "step": {"1"}}.Encode()

			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			profile, err := os.MkdirTemp("", "chromium")
			if err != nil {
				t.Fatal(err)
			}
			browser := exec.CommandContext(ctx, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
				"--user-data-dir="+profile, page)
			browser.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its children end with it
			if err := browser.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				syscall.Kill(-browser.Process.Pid, syscall.SIGKILL) // or it has ended
				browser.Wait()                                      // it was killed
				os.RemoveAll(profile)                               // a child that is still ending may write
			}()

			want := []string{"profile.identified ", "page.viewed Home", "track.performed Viewed", "track.performed Left"}
			if strategy == "standard" {
				want = append(want, "track.performed Arrived") // a batch waits for more
			}
			for {
				events, written := r.byName(t)
				missing := ""
				for _, name := range want {
					if written[name] == 0 {
						missing = name
					}
				}
				if missing == "" {
					e := events["track.performed Left"]
					if e.Source != "site" || e.Provenance.Trust != schema.TrustClient || e.Account.Value != "u1" || e.Actor == schema.ActorAgent {
						t.Fatalf("%+v", e)
					}
					return
				}
				select {
				case <-ctx.Done():
					t.Fatalf("%s did not arrive: %v", missing, written)
				case <-time.After(50 * time.Millisecond):
				}
			}
		})
	}
}
