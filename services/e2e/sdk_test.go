package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/analytics-go/v3"
)

const clients = "testdata/clients"

// installed checks that the packages and a program are there, which `make test-tools` installs. Without them the test is skipped,
// except under CI.
func installed(t *testing.T, program string) {
	t.Helper()
	missing := ""
	if _, err := os.Stat(filepath.Join(clients, "node_modules")); err != nil {
		missing = "the packages of services/e2e/" + clients + " are not installed: run make test-tools"
	}
	if _, err := exec.LookPath(program); err != nil {
		missing = program + " is missing: run make test-tools"
	}
	switch {
	case missing == "":
	case os.Getenv("CI") != "":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}

// faulty is a proxy before an installation, which answers the first requests with 503 although it passes every second one on: the
// sender cannot know, and sends again.
func faulty(t *testing.T, i *installation, failures int64) (url_ string, requests *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(i.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	requests = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := requests.Add(1)
		if n > failures {
			proxy.ServeHTTP(w, r)
			return
		}
		if n%2 == 0 {
			proxy.ServeHTTP(httptest.NewRecorder(), r) // it arrives, and its acknowledgement is lost
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

// node runs a script of testdata.
func node(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{filepath.Join(clients, script)}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", script, err, &stderr)
	}
	return out
}

// sent is one contact of the person that an SDK told of.
type sent struct{ Type, OccurredAt, Name, Entity, Amount, Source string }

// contacts gives what the dossier of a user has, oldest first; nothing if there is no such dossier.
func (i *installation) contacts(t *testing.T, user string) (out []sent) {
	t.Helper()
	var d struct {
		Dossier *struct {
			Timeline struct{ Edges []struct{ Node sent } }
		}
	}
	i.query(t, `query($value: String!) { dossier(identifier: {kind: "user_id", value: $value}) { timeline(first: 50) { edges { node { type occurredAt name entity amount source } } } } }`,
		map[string]any{"value": user}, &d)
	if d.Dossier == nil {
		return nil
	}
	for _, e := range slices.Backward(d.Dossier.Timeline.Edges) {
		out = append(out, e.Node)
	}
	return out
}

// names gives types and names, sorted.
func names(contacts []sent) (out []string) {
	for _, c := range contacts {
		out = append(out, strings.TrimSpace(c.Type+" "+c.Name))
	}
	slices.Sort(out)
	return out
}

// TestAnalyticsNode: Segment's SDK for Node, unmodified, on a clock that is two hours ahead, before a collector that fails at first.
// Everything is sent twice; each event is in the right person's dossier once.
func TestAnalyticsNode(t *testing.T) {
	besideOthers(t)
	installed(t, "node")
	i := install(t)
	address, requests := faulty(t, i, 4)
	for range 2 {
		node(t, "node.mjs", address, i.WriteKey, "7200000")
	}
	if requests.Load() < 8 {
		t.Errorf("%d requests: nothing was tried again", requests.Load())
	}
	i.wait(t)
	got := i.contacts(t, "node-1")
	want := []string{"group.joined", "identity.aliased", "order.placed Order Completed", "page.viewed Cart", "page.viewed Où êtes-vous ? 🎁", "profile.identified"}
	if !slices.Equal(names(got), want) {
		t.Errorf("got %v, want %v", names(got), want)
	}
	for _, c := range got {
		if c.OccurredAt != "2026-02-03T04:05:06.789Z" {
			t.Errorf("%s occurred at %s", c.Type, c.OccurredAt)
		}
		if c.Type == "order.placed" && (c.Entity != "node-o1" || c.Amount != "12.5") {
			t.Errorf("%+v", c)
		}
	}
	export(t, i, "timeline --clocks", func(line struct {
		Type string
		Skew int64
	}) {
		// The skew is the receipt less the sending: two hours behind, in microseconds.
		if line.Skew > -7_000_000_000 || line.Skew < -7_200_000_000 {
			t.Errorf("%s: skew %d", line.Type, line.Skew)
		}
	})
	if owner := i.owner(t, "email", "node@example.com"); owner == "" || owner != i.owner(t, "anonymous_id", "node-a1") {
		t.Errorf("the e-mail is of %q, the device of %q", owner, i.owner(t, "anonymous_id", "node-a1"))
	}
}

// TestAnalyticsNext: Segment's SDK for browsers, unmodified, in Chromium, on a page of another origin, which is left while an event is
// under way. The page that was seen before the login is in the same dossier.
func TestAnalyticsNext(t *testing.T) {
	besideOthers(t)
	installed(t, "chromium")
	i := install(t)
	files := http.NewServeMux()
	files.Handle("/sdk/", http.StripPrefix("/sdk/", http.FileServer(http.Dir(filepath.Join(clients, "node_modules/@segment/analytics-next/dist/umd")))))
	files.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(clients, "page.html"))
	})
	shop := httptest.NewServer(files)
	defer shop.Close()
	page := shop.URL + "/?" + url.Values{"key": {i.ClientKey}, "collector": {i.URL}, "step": {"1"}}.Encode()

	profile, err := os.MkdirTemp("", "chromium-")
	if err != nil {
		t.Fatal(err)
	}
	browser := exec.Command("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+profile, page)
	browser.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its children end with it
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		syscall.Kill(-browser.Process.Pid, syscall.SIGKILL) //nolint:errcheck // or it has ended
		browser.Wait()                                      //nolint:errcheck // it was killed
		os.RemoveAll(profile)                               //nolint:errcheck // a child that is still ending may write
	}()
	want := []string{"page.viewed Landing", "profile.identified", "track.performed Arrived", "track.performed Left", "track.performed Viewed"}
	var got []string
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(50 * time.Millisecond) {
		if got = names(i.contacts(t, "web-1")); len(got) >= len(want) {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, c := range i.contacts(t, "web-1") {
		if c.Source != "web" {
			t.Errorf("%+v", c)
		}
	}
}

// zipping compresses what an SDK sends, as several do.
type zipping struct{}

func (zipping) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	sent := r.Clone(r.Context())
	sent.Body, sent.ContentLength = io.NopCloser(&zipped), int64(zipped.Len())
	sent.Header.Set("Content-Encoding", "gzip")
	return http.DefaultTransport.RoundTrip(sent)
}

// outcomes hears what became of each message.
type outcomes chan error

func (c outcomes) Success(analytics.Message)              { c <- nil }
func (c outcomes) Failure(_ analytics.Message, err error) { c <- err }

// TestAnalyticsGo: Segment's SDK for Go, unmodified, with gzip, before a collector that fails at first.
func TestAnalyticsGo(t *testing.T) {
	besideOthers(t)
	i := install(t)
	address, requests := faulty(t, i, 3)
	heard := make(outcomes, 8)
	sdk, err := analytics.NewWithConfig(i.WriteKey, analytics.Config{
		Endpoint: address, BatchSize: 4, Transport: zipping{}, Callback: heard, Logger: analytics.StdLogger(log.New(io.Discard, "", 0)), RetryAfter: func(int) time.Duration { return 10 * time.Millisecond },
	})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 2, 3, 4, 5, 6, 789012345, time.UTC)
	for _, m := range []analytics.Message{
		analytics.Page{AnonymousId: "go-a1", MessageId: "go-p1", Timestamp: at, Name: "Home"},
		analytics.Identify{UserId: "go-1", AnonymousId: "go-a1", MessageId: "go-i1", Timestamp: at, Traits: analytics.NewTraits().SetEmail("go@example.com").SetFirstName("Ann")},
		analytics.Track{UserId: "go-1", MessageId: "go-t1", Timestamp: at, Event: "Order Completed", Properties: analytics.NewProperties().SetOrderId("go-o1").SetRevenue(12.5).SetCurrency("EUR")},
		analytics.Track{UserId: "go-1", MessageId: "go-t1", Timestamp: at, Event: "Order Completed", Properties: analytics.NewProperties().SetOrderId("go-o1").SetRevenue(12.5).SetCurrency("EUR")},
	} {
		if err := sdk.Enqueue(m); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		if err := <-heard; err != nil {
			t.Fatal(err)
		}
	}
	if err := sdk.Close(); err != nil {
		t.Fatal(err)
	}
	if requests.Load() != 4 {
		t.Errorf("%d requests, want 3 that failed and one more", requests.Load())
	}
	i.wait(t)
	got := i.contacts(t, "go-1")
	if want := []string{"order.placed Order Completed", "page.viewed Home", "profile.identified"}; !slices.Equal(names(got), want) {
		t.Errorf("got %v, want %v", names(got), want)
	}
	for _, c := range got {
		if c.OccurredAt != "2026-02-03T04:05:06.789012Z" {
			t.Errorf("%s occurred at %s", c.Type, c.OccurredAt)
		}
	}
}

// TestGraphQLRequest: graphql-request, unmodified: fragments, variables, paging, and errors with their codes.
func TestGraphQLRequest(t *testing.T) {
	besideOthers(t)
	installed(t, "node")
	i := install(t)
	i.send(t, basic(i.WriteKey),
		json.RawMessage(`{"type":"profile.identified","channel":"crm","source":"crm","messageId":"1","occurredAt":"2026-01-01T00:00:00Z","account":{"kind":"crm_id","value":"7"},"identifiers":{"email":"ann@example.com"},"traits":{"first_name":"Ann"}}`),
		json.RawMessage(`{"type":"message.received","channel":"email","source":"crm","messageId":"2","occurredAt":"2026-01-02T00:00:00Z","account":{"kind":"crm_id","value":"7"},"text":"hello"}`))
	i.wait(t)
	var out struct {
		Answer struct {
			Dossier struct {
				Profile struct {
					ID    string
					Known bool
				}
				GoldenRecord []struct{ Name, Value, Source, Assurance string }
				Timeline     struct {
					TotalCount int
					Edges      []struct{ Node struct{ Type string } }
				}
			}
			Nobody *struct{}
		}
		Next struct {
			Profile struct {
				Dossier struct {
					Timeline struct {
						Edges []struct{ Node struct{ Type string } }
					}
				}
			}
		}
		Codes []string
	}
	text := node(t, "graphql.mjs", i.URL, i.APIToken)
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	d := out.Answer.Dossier
	if d.Timeline.TotalCount != 2 || d.Timeline.Edges[0].Node.Type != "message.received" || !d.Profile.Known || out.Answer.Nobody != nil {
		t.Errorf("%s", text)
	}
	if len(d.GoldenRecord) != 1 || d.GoldenRecord[0].Value != "Ann" || d.GoldenRecord[0].Assurance != "verified" {
		t.Errorf("%s", text)
	}
	if rest := out.Next.Profile.Dossier.Timeline.Edges; len(rest) != 1 || rest[0].Node.Type != "profile.identified" {
		t.Errorf("%s", text)
	}
	for n, code := range out.Codes {
		status, name, _ := strings.Cut(code, " ")
		if !strings.HasPrefix(status, "4") || name == "" || name == "undefined" {
			t.Errorf("error %d: %q", n, code)
		}
	}
	if len(out.Codes) != 3 {
		t.Errorf("%v", out.Codes)
	}
}
