package archivetest

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Link is a connection to a server that can be cut in the middle of a transfer, or made slow.
type Link struct {
	URL string

	server   string
	listener net.Listener
	left     atomic.Int64 // bytes that still go to the server; negative: no limit
	pause    atomic.Int64 // nanoseconds before each piece
	down     atomic.Bool
	group    sync.WaitGroup
}

// StartLink forwards a loopback port to the server at a URL until the test ends.
func StartLink(t testing.TB, serverURL string) *Link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Link{URL: "http://" + listener.Addr().String(), server: strings.TrimPrefix(serverURL, "http://"), listener: listener}
	l.left.Store(-1)
	l.group.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			l.group.Go(func() { l.carry(c) })
		}
	})
	t.Cleanup(func() {
		l.down.Store(true)
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		l.group.Wait()
	})
	return l
}

// CutAfter lets n more bytes through to the server and then ends every connection, and refuses new ones until Mend.
func (l *Link) CutAfter(n int64) { l.left.Store(n) }

// Slow waits so long before each piece of at most 32 KiB, in both directions.
func (l *Link) Slow(d time.Duration) { l.pause.Store(int64(d)) }

// Mend lets everything through again.
func (l *Link) Mend() {
	l.left.Store(-1)
	l.pause.Store(0)
}

func (l *Link) carry(client net.Conn) {
	defer client.Close() //nolint:errcheck // it is the cut
	server, err := net.Dial("tcp", l.server)
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // it is the cut
	done := make(chan struct{}, 2)
	go func() { l.copy(server, client, true); done <- struct{}{} }()
	go func() { l.copy(client, server, false); done <- struct{}{} }()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			if l.down.Load() || l.left.Load() == 0 {
				return
			}
		}
	}
}

// copy carries bytes until an end fails or the link is cut.
func (l *Link) copy(to io.Writer, from io.Reader, counted bool) {
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		time.Sleep(time.Duration(l.pause.Load()))
		if left := l.left.Load(); counted && left >= 0 {
			n = int(min(int64(n), left))
			l.left.Store(left - int64(n))
			if left == 0 {
				return
			}
		}
		if _, writing := to.Write(piece[:n]); writing != nil || err != nil {
			return
		}
	}
}
