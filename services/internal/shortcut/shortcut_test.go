package shortcut

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// rig is a server behind a listener, with a handler that says what it got.
type rig struct {
	*httptest.Server
	listener *Listener
	logged   *lockedBuffer
	mu       sync.Mutex
	plain    int // requests that were taken
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// echo answers the same whichever way a request comes. A body that begins with a known word asks for something special.
func echo(w http.ResponseWriter, path, authorization, contentType string, body io.Reader) {
	word := make([]byte, 4)
	n, err := io.ReadFull(body, word)
	if n == 4 && string(word) == "part" {
		w.WriteHeader(http.StatusUnauthorized) // and nothing is read any more
		return
	}
	rest, err2 := io.ReadAll(body)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && n < 4 {
		err = nil
	}
	if err = errors.Join(err, err2); err != nil {
		w.Header().Set("Connection", "close")
		http.Error(w, "the body breaks off", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("X-Line", "a b")
	fmt.Fprintf(w, "%s|%s|%s|%d %s", path, authorization, contentType, n+len(rest), word[:n]) // a connection that is gone is seen by the client
}

func newRig(t *testing.T, change func(c *Config, r *rig)) *rig {
	r := &rig{logged: &lockedBuffer{}}
	config := Config{
		Paths: []string{"/v1/track", "/v1/batch"}, MaxBody: 1 << 20, HeadWithin: 10 * time.Second, IdleFor: time.Minute,
		Logger: slog.New(slog.NewTextHandler(r.logged, nil)),
		Handler: func(w http.ResponseWriter, q *Request) {
			r.mu.Lock()
			r.plain++
			r.mu.Unlock()
			if !q.Whole {
				if err := q.Deadline(time.Now().Add(time.Second)); err != nil {
					panic(err)
				}
			}
			echo(w, q.Path, q.Authorization, q.ContentType, q.Body)
		},
	}
	if change != nil {
		change(&config, r)
	}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		echo(w, q.URL.Path, q.Header.Get("Authorization"), q.Header.Get("Content-Type"), q.Body)
	}))
	r.listener = Listen(r.Server.Listener, config)
	r.Server.Listener = r.listener
	r.Server.Start()
	t.Cleanup(r.Server.Close)
	return r
}

func (r *rig) taken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.plain
}

func dial(t *testing.T, r *rig) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil { // a read that hangs is the failure
		t.Fatal(err)
	}
	return c
}

func request(body string, headers ...string) string {
	return "POST /v1/track HTTP/1.1\r\nHost: a\r\nAuthorization: Basic x\r\nContent-Type: application/json\r\n" + strings.Join(append(headers, ""), "\r\n") +
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

// answers reads what a connection is answered until it ends or n answers came, without what differs from one second to the next.
func answers(t *testing.T, c net.Conn, n int) (all []string) {
	t.Helper()
	in := bufio.NewReader(c)
	for range n {
		a, err := http.ReadResponse(in, nil)
		if err != nil {
			return append(all, "end")
		}
		body, err := io.ReadAll(a.Body)
		if err != nil && !errors.Is(err, syscall.ECONNRESET) { // so a connection ends of which the server has not read everything
			t.Fatal(err)
		}
		if _, err := http.ParseTime(a.Header.Get("Date")); err != nil && a.StatusCode == http.StatusOK {
			t.Fatal(err)
		}
		a.Header.Del("Date")
		if a.Header.Get("Content-Length") == "" && len(body) == 0 {
			a.Header.Set("Content-Length", "0")
		}
		all = append(all, fmt.Sprintf("%s %v close=%v %s", a.Status, a.Header, a.Close, body))
	}
	return all
}

// Whatever is sent is answered as if there was no shortcut, whole or byte by byte.
func TestAnswersAsNetHTTP(t *testing.T) {
	large := strings.Repeat("x", 100_000)
	for name, c := range map[string]struct {
		text    string
		answers int
		taken   int
	}{
		"one":                        {request("body"), 1, 1},
		"nothing in the body":        {request(""), 1, 1},
		"a large body":               {request(large), 1, 1},
		"one after the other":        {request("body") + request("more") + request(large) + request("last"), 4, 4},
		"a body that is not read":    {request("part of it") + request("next"), 2, 2},
		"a body above the bound":     {request(strings.Repeat("x", 2<<20)) + request("next"), 2, 0},
		"another path":               {strings.Replace(request("body"), "/v1/track", "/v1/events", 1) + request("next"), 2, 0},
		"a query":                    {strings.Replace(request("body"), "/v1/track", "/v1/track?a=b", 1), 1, 0},
		"a GET":                      {"GET /v1/track HTTP/1.1\r\nHost: a\r\n\r\n", 1, 0},
		"plain, then a GET":          {request("body") + "GET /v1/track HTTP/1.1\r\nHost: a\r\n\r\n" + request("next"), 3, 1},
		"chunked":                    {"POST /v1/track HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", 1, 0},
		"length and chunked":         {request("4\r\nbody\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 1, 0},
		"two lengths":                {request("body", "Content-Length: 5"), 2, 0},
		"to be closed":               {request("body", "Connection: close") + request("next"), 2, 0},
		"HTTP/1.0":                   {strings.Replace(request("body"), "1.1", "1.0", 1) + request("next"), 2, 0},
		"no host":                    {strings.Replace(request("body"), "Host: a\r\n", "", 1), 2, 0},
		"no HTTP":                    {"hello\r\n\r\n", 2, 0},
		"a head beyond the bound":    {request("body", "X-Large: "+strings.Repeat("x", 5000)) + request("next"), 2, 0},
		"a body that ends too early": {strings.Replace(request("body"), "Length: 4", "Length: 400", 1), 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			send := func(r *rig, pieces int) []string {
				c1 := dial(t, r)
				go func() { // the server may answer, and end, before everything is sent
					for text := c.text; text != ""; {
						n := min(len(text), pieces)
						if _, err := io.WriteString(c1, text[:n]); err != nil {
							return
						}
						text = text[n:]
					}
					if name == "a body that ends too early" {
						c1.(*net.TCPConn).CloseWrite()
					}
				}()
				return answers(t, c1, c.answers)
			}
			without := newRig(t, func(c *Config, _ *rig) { c.Paths = nil })
			want := send(without, 1<<30)
			for _, pieces := range []int{1 << 30, 7} {
				r := newRig(t, nil)
				if got := send(r, pieces); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("in pieces of %d:\n got  %.600q\n want %.600q", pieces, got, want)
				}
				if r.taken() != c.taken {
					t.Fatalf("%d requests were taken, want %d", r.taken(), c.taken)
				}
			}
		})
	}
}

// A client as they come keeps its connection over both.
func TestOneConnection(t *testing.T) {
	r := newRig(t, nil)
	for n := range 20 {
		path := []string{"/v1/track", "/v1/batch"}[n%2]
		if n == 18 {
			path = "/v1/events"
		}
		response, err := r.Client().Post(r.URL+path, "application/json", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || string(body) != path+"||application/json|4 body" {
			t.Fatalf("%v %q", err, body)
		}
		response.Body.Close()
	}
	if r.taken() != 18 {
		t.Fatalf("%d requests were taken, want 18", r.taken())
	}
}

func TestDeadlines(t *testing.T) {
	r := newRig(t, func(c *Config, _ *rig) { c.HeadWithin, c.IdleFor = 100*time.Millisecond, 300*time.Millisecond })
	for name, c := range map[string]struct {
		text    string
		atLeast time.Duration
	}{
		"nothing":              {"", 300 * time.Millisecond},
		"half a head":          {request("")[:30], 100 * time.Millisecond},
		"half a head, renewed": {request("body") + request("")[:30], 100 * time.Millisecond},
		"nothing more":         {request("body"), 300 * time.Millisecond},
	} {
		one, began := dial(t, r), time.Now()
		if _, err := io.WriteString(one, c.text); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, one); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if took := time.Since(began); took < c.atLeast || took > 10*time.Second {
			t.Errorf("%s: the connection ended after %v", name, took)
		}
	}
	slow := dial(t, r) // the handler's own deadline
	if _, err := io.WriteString(slow, strings.TrimSuffix(request("body"), "dy")); err != nil {
		t.Fatal(err)
	}
	if got := answers(t, slow, 2); len(got) != 2 || !strings.HasPrefix(got[0], "400") || got[1] != "end" {
		t.Fatalf("%q", got)
	}
}

// Who sends more than is read hears the answer all the same.
func TestUnreadBody(t *testing.T) {
	r := newRig(t, nil)
	c := dial(t, r)
	if _, err := io.WriteString(c, request("part"+strings.Repeat("x", 1<<20-4))); err != nil {
		t.Fatal(err)
	}
	if got := answers(t, c, 2); len(got) != 2 || !strings.HasPrefix(got[0], "401") || !strings.Contains(got[0], "close=true") || got[1] != "end" {
		t.Fatalf("%q", got)
	}
}

func TestPanic(t *testing.T) {
	r := newRig(t, func(c *Config, _ *rig) {
		next := c.Handler
		c.Handler = func(w http.ResponseWriter, q *Request) {
			if q.ContentType == "panic" {
				panic("at the disco")
			}
			next(w, q)
		}
	})
	c := dial(t, r)
	if _, err := io.WriteString(c, strings.Replace(request("body"), "application/json", "panic", 1)); err != nil {
		t.Fatal(err)
	}
	if got := answers(t, c, 1); got[0] != "end" {
		t.Fatalf("%q", got)
	}
	if !strings.Contains(r.logged.String(), "at the disco") {
		t.Fatalf("the log does not tell: %s", r.logged)
	}
	c = dial(t, r)
	if _, err := io.WriteString(c, request("body")); err != nil {
		t.Fatal(err)
	}
	if got := answers(t, c, 1); !strings.HasPrefix(got[0], "200") {
		t.Fatalf("%q", got)
	}
}

// Closing ends who waits, and waits for who is being answered.
func TestCloseAndDrain(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	r := newRig(t, func(c *Config, _ *rig) {
		next := c.Handler
		c.Handler = func(w http.ResponseWriter, q *Request) {
			if q.ContentType == "slow" {
				entered <- true
				<-leave
			}
			next(w, q)
		}
	})
	idle, used, busy := dial(t, r), dial(t, r), dial(t, r)
	if _, err := io.WriteString(used, request("body")); err != nil {
		t.Fatal(err)
	}
	answers(t, used, 1)
	if _, err := io.WriteString(busy, strings.Replace(request("body"), "application/json", "slow", 1)); err != nil {
		t.Fatal(err)
	}
	<-entered
	if err := r.Config.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{idle, used} {
		if got := answers(t, c, 1); got[0] != "end" {
			t.Fatalf("%q", got)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	drained := make(chan error)
	go func() { drained <- r.listener.Drain(t.Context()) }()
	select {
	case err := <-drained:
		t.Fatalf("drained before the answer: %v", err)
	case <-short.Done():
	}
	leave <- true
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	if got := answers(t, busy, 2); !strings.HasPrefix(got[0], "200") || !strings.Contains(got[0], "close=true") || got[1] != "end" {
		t.Fatalf("%q", got)
	}
	if _, err := net.Dial("tcp", r.listener.Addr().String()); err == nil {
		t.Fatal("it still listens")
	}
}

// What is not answered when the time is over is broken off.
func TestDrainEnds(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	r := newRig(t, func(c *Config, _ *rig) {
		c.Handler = func(http.ResponseWriter, *Request) {
			entered <- true
			<-leave
		}
	})
	c := dial(t, r)
	if _, err := io.WriteString(c, request("body")); err != nil {
		t.Fatal(err)
	}
	<-entered
	if err := r.listener.Close(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := r.listener.Drain(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	if got := answers(t, c, 1); got[0] != "end" {
		t.Fatalf("%q", got)
	}
	close(leave)
}
