package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

type question struct {
	ID   schema.ProfileID
	When schema.Instant
	Much []byte
}

type answer struct {
	Asked  question
	People []*person // nil where nobody is
	Number int
}

type person struct {
	Name     string
	Personas []schema.PersonaID
	For      time.Duration
}

// house is an authority with a clock of its own.
type house struct {
	authority *Authority
	at        time.Time
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{at: time.Now()}
	var err error
	if h.authority, err = OpenAuthority(t.TempDir(), h.at); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) now() time.Time { return h.at }

// folder makes a certificate folder.
func (h *house) folder(t *testing.T, lifetime time.Duration, roles ...string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "certificate")
	if _, err := h.authority.Certificate(roles, folder, h.at, lifetime); err != nil {
		t.Fatal(err)
	}
	return folder
}

func (h *house) identity(t *testing.T, roles ...string) *Identity {
	t.Helper()
	i, err := LoadIdentity(h.folder(t, time.Hour, roles...), roles, h.now)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// serve starts a server that knows three calls and returns its address.
func serve(t *testing.T, identity *Identity, change func(*Server)) string {
	t.Helper()
	s := NewServer(identity, func(err error) *Error {
		if errors.Is(err, os.ErrExist) {
			return &Error{Code: "CONFLICT", Message: "it is there", Hint: "take another"}
		}
		return nil
	}, slog.New(slog.DiscardHandler))
	Answer(s, "/test/echo", nil, func(_ context.Context, q *question) (*answer, error) {
		return &answer{Asked: *q, People: []*person{nil, {Name: "é", Personas: []schema.PersonaID{{1}, {2}}, For: time.Minute}}}, nil
	})
	Answer(s, "/test/fail", nil, func(_ context.Context, q *question) (*answer, error) {
		return nil, map[schema.Instant]error{
			1: schema.Classify(schema.Transient, errors.New("not now")), 2: schema.Refuse("bad", "never", "ask otherwise"), 3: errors.New("broken"), 4: os.ErrExist,
		}[q.When]
	})
	Answer(s, "/test/secret", []string{"keeper"}, func(context.Context, *question) (*answer, error) { return &answer{}, nil })
	Stream(s, "/test/count", nil, func(ctx context.Context, q *question, send func(*answer) error) error {
		for n := range int(q.When) {
			if err := send(&answer{Number: n, Asked: question{Much: q.Much}}); err != nil {
				return err
			}
		}
		return schema.Classify(schema.Transient, errors.New("the end"))
	})
	if change != nil {
		change(s)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-ended); err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

func TestCalls(t *testing.T) {
	h := newHouse(t)
	c := NewClient(h.identity(t, "api"), "identity", serve(t, h.identity(t, "identity"), nil))
	defer c.Close()
	q := &question{ID: schema.ProfileID{7}, When: -3, Much: make([]byte, 5<<20)}
	got, err := Call[question, answer](t.Context(), c, "/test/echo", q)
	want := &answer{Asked: *q, People: []*person{nil, {Name: "é", Personas: []schema.PersonaID{{1}, {2}}, For: time.Minute}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v, %+v", err, got)
	}
	var numbers []int
	err = Follow(t.Context(), c, "/test/count", &question{When: 100, Much: make([]byte, 100_000)}, func(a *answer) error {
		numbers = append(numbers, a.Number)
		return nil
	})
	if len(numbers) != 100 || numbers[99] != 99 || schema.ClassOf(err) != schema.Transient || err.Error() != "the end" {
		t.Fatalf("%d answers, then %v", len(numbers), err)
	}
	stop := errors.New("enough")
	if err := Follow(t.Context(), c, "/test/count", &question{When: 1 << 40}, func(*answer) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("a stream that the caller ended: %v", err)
	}
	for when, want := range map[schema.Instant]Error{
		1: {Class: schema.Transient, Message: "not now"}, 2: {Class: schema.Rejected, Code: "bad", Message: "never", Hint: "ask otherwise"},
		3: {Class: schema.Fatal, Message: "broken"}, 4: {Class: schema.Fatal, Code: "CONFLICT", Message: "it is there", Hint: "take another"},
	} {
		_, err := Call[question, answer](t.Context(), c, "/test/fail", &question{When: when})
		if said := (*Error)(nil); !errors.As(err, &said) || *said != want || schema.ClassOf(err) != want.Class {
			t.Errorf("failure %d arrives as %+v, want %+v", when, err, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := Follow(ctx, c, "/test/count", &question{When: 1 << 40}, func(*answer) error { return nil }); schema.ClassOf(err) != schema.Transient {
		t.Errorf("a call whose time is over: %v", err)
	}
	nobody := NewClient(h.identity(t, "api"), "identity", "127.0.0.1:1")
	if _, err := Call[question, answer](t.Context(), nobody, "/test/echo", &question{}); schema.ClassOf(err) != schema.Transient {
		t.Errorf("nobody there: %v", err)
	}
}

// TestWhoIsRefused: one clear line for every certificate and version that does not do, wherever it is noticed.
func TestWhoIsRefused(t *testing.T) {
	h, foreign := newHouse(t), newHouse(t)
	address := serve(t, h.identity(t, "identity"), nil)
	call := func(c *Client, procedure string) error {
		_, err := Call[question, answer](t.Context(), c, procedure, &question{})
		return err
	}
	refused := func(name string, err error, want ...string) {
		t.Helper()
		if err == nil || strings.Contains(err.Error(), "\n") || schema.ClassOf(err) != schema.Fatal {
			t.Errorf("%s: %v (%s), want one line and no second attempt", name, err, schema.ClassOf(err))
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", name, err, w)
			}
		}
	}
	refused("a server of another authority", call(NewClient(foreign.identity(t, "api"), "identity", address), "/test/echo"), "another authority", address)
	refused("a server with another role", call(NewClient(h.identity(t, "api"), "keeper", address), "/test/echo"), "is for identity, not for keeper", address)
	refused("a role that may not ask", call(NewClient(h.identity(t, "api"), "identity", address), "/test/secret"), "is for api, which may not ask for /test/secret")

	// A client of another authority that takes any server: the server refuses it.
	intruder := foreign.identity(t, "api")
	intruder.authority = h.identity(t, "api").authority
	refused("a client of another authority", call(NewClient(intruder, "identity", address), "/test/echo"), "refuses our certificate", address)

	for name, c := range map[string]struct {
		client, server int
		want           string
	}{
		"an older caller": {1, 2, "upgrade the caller's dossier"},
		"an older server": {2, 1, "upgrade the dossier at "},
	} {
		other := serve(t, h.identity(t, "identity"), func(s *Server) { s.version = c.server })
		client := NewClient(h.identity(t, "api"), "identity", other)
		client.version = c.client
		refused(name, call(client, "/test/echo"), c.want, other)
		err := Follow(t.Context(), client, "/test/count", &question{When: 3}, func(*answer) error { return nil })
		refused(name+", a stream", err, c.want, other)
	}

	// Whose time ends while the connection is open.
	later := newHouse(t)
	client := NewClient(later.identity(t, "api"), "identity", serve(t, later.identity(t, "identity"), nil))
	if err := call(client, "/test/echo"); err != nil {
		t.Fatal(err)
	}
	later.at = later.at.Add(2 * time.Hour)
	refused("our own certificate has expired", call(client, "/test/echo"), "expired at", "dossier certificates create api")
	client.identity.leaf.NotAfter = later.at.Add(time.Hour) // as if ours were longer in force than theirs
	refused("theirs has expired", call(client, "/test/echo"), "expired at", "dossier certificates create identity")
	client.transport.CloseIdleConnections()
	fresh := NewClient(client.identity, "identity", client.address)
	refused("theirs has expired before we connect", call(fresh, "/test/echo"), "is not in force", client.address)

	// Who has no certificate at all gets no answer.
	if _, err := (&http.Client{Timeout: 10 * time.Second}).Get("https://" + address + "/test/echo"); err == nil {
		t.Error("a caller without a certificate was answered")
	}
}

func TestCertificateFolders(t *testing.T) {
	h, foreign := newHouse(t), newHouse(t)
	past, future := *h, *h
	past.at, future.at = h.at.Add(-3*time.Hour), h.at.Add(clocksDiffer+time.Hour)
	mixed := h.folder(t, time.Hour, "api")
	text, err := os.ReadFile(filepath.Join(foreign.folder(t, time.Hour, "api"), authorityFile))
	if err == nil {
		err = os.WriteFile(filepath.Join(mixed, authorityFile), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	swapped := h.folder(t, time.Hour, "api")
	if err := os.Rename(filepath.Join(h.folder(t, time.Hour, "api"), keyFile), filepath.Join(swapped, keyFile)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ folder, want string }{
		"expired":           {past.folder(t, time.Hour, "api"), "expired at"},
		"not yet in force":  {future.folder(t, time.Hour, "api"), "is not in force before"},
		"foreign authority": {mixed, "is not signed by the authority"},
		"another's key":     {swapped, "do not go together"},
		"another role":      {h.folder(t, time.Hour, "identity", "timeline"), "is for identity,timeline, not for api"},
		"no folder":         {filepath.Join(t.TempDir(), "none"), "lacks"},
	} {
		_, err := LoadIdentity(c.folder, []string{"api"}, h.now)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "dossier certificates create api") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line that says %q and what to do", name, err, c.want)
		}
	}
	again, err := OpenAuthority(h.authority.dir, h.at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Certificate([]string{"api"}, mixed, h.at, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadIdentity(mixed, []string{"api"}, h.now); err != nil {
		t.Errorf("a certificate of the authority as it was read again: %v", err)
	}
	issued, err := ReadIssued(again.dir)
	if err != nil || len(issued) != 7 || fmt.Sprint(issued[6].Roles) != "[api]" {
		t.Errorf("%v, %d certificates were noted, want 7", err, len(issued))
	}
	info, err := os.Stat(filepath.Join(mixed, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", info.Mode(), err)
	}
}

// TestNobodyIsNamed: who is refused, or asks for what there is not, finds neither the path nor the query in the answer or the log: they may name a
// customer.
func TestNobodyIsNamed(t *testing.T) {
	h := newHouse(t)
	var log bytes.Buffer
	s := NewServer(h.identity(t, "collector"), nil, slog.New(slog.NewTextHandler(&log, nil)))
	Handle(s, "/api/v1/customers/", []string{"keeper"}, http.NotFoundHandler())
	Handle(s, "/hooks/", nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("on purpose") }))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	c := NewClient(h.identity(t, "api"), "collector", listener.Addr().String())
	defer c.Close()
	older := NewClient(c.identity, "collector", c.address)
	older.version = 0
	defer older.Close()
	for _, path := range []string{"/api/v1/customers/", "/hooks/", "/nowhere/"} {
		for _, client := range []*Client{c, older} {
			res, err := (&http.Client{Transport: client}).Post("https://"+c.address+path+"planted-in-the-path@example.com?email=planted-in-the-query@example.com", "application/json", strings.NewReader("{}"))
			if err != nil {
				if path != "/hooks/" || client == older { // the panic ends the stream
					t.Errorf("%s: %v", path, err)
				}
				continue
			}
			text, err := io.ReadAll(res.Body)
			res.Body.Close() //nolint:errcheck // it was read to its end
			if err != nil || res.StatusCode < 400 || strings.Contains(string(text)+fmt.Sprint(res.Header), "planted-in") {
				t.Errorf("%s: %d %s %v", path, res.StatusCode, text, err)
			}
		}
	}
	if err := errors.Join(s.Close(), <-ended); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "on purpose") || strings.Contains(text, "planted-in") {
		t.Errorf("the log says: %s", text)
	}
}
