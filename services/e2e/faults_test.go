package e2e

import (
	"encoding/json"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// faultEvents is how many events a load under a fault sends at least once.
const faultEvents = 3000

var calmDigests sync.Map // number of events → digest

// undisturbed gives events, and the digest of an installation that took them in peace.
func undisturbed(t *testing.T, n int) (events []json.RawMessage, digest string) {
	t.Helper()
	events = someEvents(n)
	known, found := calmDigests.Load(n)
	if !found {
		known = quietDigest(t, events)
		calmDigests.Store(n, known)
	}
	return events, known.(string)
}

// proven ends a load and holds the installation to what an undisturbed one says: nothing that was acknowledged is lost, nothing is there twice, and
// everything computed from it is the same. It logs one line of the table that the proofs print.
func (f *disturbed) proven(i *installation, fault string, events int, want string, begun time.Time) {
	f.t.Helper()
	f.end()
	copies := map[string]int{}
	digest := i.digest(f.t)
	export(f.t, i, "timeline --clocks", func(line struct{ Provenance struct{ MessageID string } }) { copies[line.Provenance.MessageID]++ })
	lost, twice := events-len(copies), 0
	for _, n := range copies {
		if n > 1 {
			twice++
		}
	}
	equal := "equal"
	if digest != want {
		equal = "NOT EQUAL"
	}
	f.t.Logf("%s: %d events acknowledged, %d lost, %d twice, digest %s, %.0f s without an acknowledgement at most, %.0f s in all",
		fault, f.acknowledged.Load(), lost, twice, equal, f.gap.Seconds(), time.Since(begun).Seconds())
	if lost != 0 || twice != 0 {
		f.t.Errorf("%s: %d lost, %d twice", fault, lost, twice)
	}
	if digest != want {
		f.t.Errorf("%s: the digest is\n%swant\n%s", fault, digest, want)
	}
}

// link carries the connections to a server, until it is told otherwise. It is what a network does to them: nobody's fault, and never an error
// that says so.
type link struct {
	Addr   string
	server atomic.Pointer[string]
	state  atomic.Int32
	late   atomic.Int64 // nanoseconds by which each piece is late
	// translate changes what is asked and answered on a connection; nil: nothing.
	translate func(client, server io.Reader) (asks, answers io.Reader)

	mu    sync.Mutex
	open  map[net.Conn]bool
	group sync.WaitGroup
}

// States of a link.
const (
	whole  int32 = iota
	silent       // what is sent is lost and nobody is told: no end of a connection, no refusal
	cut          // every connection is ended, and new ones are refused
)

// between makes a link to a server, which may be named later.
func between(t *testing.T, server string) *link {
	t.Helper()
	return betweenAt(t, "127.0.0.1", server)
}

// betweenAt is between at an address of this machine.
func betweenAt(t *testing.T, host, server string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	l := &link{Addr: listener.Addr().String(), open: map[net.Conn]bool{}}
	l.server.Store(&server)
	l.group.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			if l.state.Load() == cut {
				client.Close() //nolint:errcheck // it is refused
				continue
			}
			l.group.Go(func() { l.carry(client) })
		}
	})
	t.Cleanup(func() {
		listener.Close() //nolint:errcheck // nobody is left
		l.set(cut)
		l.group.Wait()
	})
	return l
}

func (l *link) to(server string) { l.server.Store(&server) }

// set changes what the link does. Connections that were silenced are ended when it is whole again, as after any partition that outlasts
// their time-outs: what was lost on them is not sent again.
func (l *link) set(state int32) {
	before := l.state.Swap(state)
	if state == cut || before == silent {
		l.mu.Lock()
		defer l.mu.Unlock()
		for c := range l.open {
			c.Close() //nolint:errcheck // it is cut
		}
	}
}

func (l *link) keep(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = true
}

func (l *link) drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
	c.Close() //nolint:errcheck // it is over
}

func (l *link) carry(client net.Conn) {
	l.keep(client)
	defer l.drop(client)
	for l.state.Load() == silent {
		time.Sleep(20 * time.Millisecond) // it hears nothing, not even that nobody is there
	}
	server, err := net.Dial("tcp", *l.server.Load())
	if err != nil {
		return
	}
	l.keep(server)
	defer l.drop(server)
	done := make(chan struct{}, 2)
	var answers io.Reader = server
	var asks io.Reader = client
	if l.translate != nil {
		asks, answers = l.translate(client, server)
	}
	go func() {
		l.pipe(server, asks)
		done <- struct{}{}
	}()
	go func() {
		l.pipe(client, answers)
		done <- struct{}{}
	}()
	<-done // whichever ends first ends both
}

// pipe carries bytes one way.
func (l *link) pipe(to io.Writer, from io.Reader) {
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		if n > 0 && !l.pass(to, piece[:n]) || err != nil {
			return
		}
	}
}

// pass carries one piece, or loses it.
func (l *link) pass(to io.Writer, piece []byte) bool {
	time.Sleep(time.Duration(l.late.Load()))
	switch l.state.Load() {
	case silent:
		return true
	case cut:
		return false
	}
	_, err := to.Write(piece)
	return err == nil
}
