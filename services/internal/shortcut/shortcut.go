// Package shortcut answers the plainest of requests without net/http, which spends three times as much on one as it takes to read
// and to answer it. It sits between a listener and an http.Server: it reads what comes on a connection, answers a request that is plain,
// and leaves the connection to the server, with every byte that it has read, at the first request that is not.
//
// A request is plain if it is a POST in HTTP/1.1 to one of the given paths, written out without a query, whose head fits 4 KiB, whose
// length is stated once and small, and that asks for nothing special: no other coding or encoding of the body, no expectation, no
// upgrade, no end of the connection. Whatever is unusual, doubtful or wrong is not plain: the server judges it, as if this package
// was not there.
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
	"runtime/debug"
	"sync"
	"time"
)

// Request is a plain request. It is valid until the handler returns.
type Request struct {
	Path          string
	Authorization string
	ContentType   string
	Length        int64     // of the body
	Body          io.Reader // ends after Length bytes
	Whole         bool      // the body has arrived
	// Deadline bounds the reading of a body that has not arrived whole.
	Deadline func(at time.Time) error
}

// Handler answers a plain request. If it leaves some of the body, or sets the header Connection to close, the connection ends after
// the answer.
type Handler func(w http.ResponseWriter, r *Request)

// Config says which requests are taken. All of it is needed.
type Config struct {
	Paths      []string
	MaxBody    int64
	Handler    Handler
	HeadWithin time.Duration // for a head to arrive, from its first byte on
	IdleFor    time.Duration // of a connection between two requests; it may be half as long again
	Logger     *slog.Logger
}

// Listener accepts the connections that are left to an http.Server. It is a net.Listener.
type Listener struct {
	inner net.Listener
	cfg   Config
	paths map[string]string
	left  chan accepted
	ended chan struct{} // closed by Close

	mu      sync.Mutex
	closed  bool
	conns   map[*conn]bool // true while it answers
	serving sync.WaitGroup
}

type accepted struct {
	conn net.Conn
	err  error
}

// Listen starts to take requests from a listener, which is the result's from then on.
func Listen(inner net.Listener, cfg Config) *Listener {
	l := &Listener{inner: inner, cfg: cfg, paths: map[string]string{}, left: make(chan accepted), ended: make(chan struct{}), conns: map[*conn]bool{}}
	for _, path := range cfg.Paths {
		l.paths[path] = path
	}
	go l.accept()
	return l
}

// accept serves each connection in a goroutine of its own. After an error it waits for somebody to hear it, which paces it.
func (l *Listener) accept() {
	for {
		c, err := l.inner.Accept()
		if err != nil {
			if !l.leave(nil, err) || errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			l.leave(c, nil)
			continue
		}
		one := &conn{TCPConn: tcp, l: l, in: bufio.NewReaderSize(tcp, headBytes)}
		if !l.track(one) {
			l.shut(tcp)
			return
		}
		go one.serve()
	}
}

// leave hands a connection or an error to who accepts, and says whether somebody does.
func (l *Listener) leave(c net.Conn, err error) bool {
	select {
	case l.left <- accepted{c, err}:
		return true
	case <-l.ended:
		if c != nil {
			l.shut(c)
		}
		return false
	}
}

// shut closes a connection of which nobody is told.
func (l *Listener) shut(c net.Conn) {
	if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		l.cfg.Logger.Debug("a connection could not be closed", "error", err)
	}
}

// Accept gives the next connection that is the server's.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case a := <-l.left:
		return a.conn, a.err
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

// Addr is the address of the listener beneath.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Close takes no more connections and ends those that wait for a request. What is being answered goes on: Drain waits for it.
func (l *Listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.ended)
	for c, busy := range l.conns {
		if !busy {
			l.shut(c.TCPConn)
		}
	}
	l.mu.Unlock()
	return l.inner.Close()
}

// Drain returns when every request that was taken before Close is answered, or when ctx ends; then it breaks off the rest.
func (l *Listener) Drain(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		l.serving.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		l.shut(c.TCPConn)
	}
	return fmt.Errorf("%d requests are not answered: %w", len(l.conns), ctx.Err())
}

func (l *Listener) track(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.conns[c] = false
	l.serving.Add(1)
	return true
}

func (l *Listener) forget(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	l.serving.Done()
}

// answering notes that a connection is busy or not. It is false when the listener is closed.
func (l *Listener) answering(c *conn, busy bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = busy
	return !l.closed
}

func (l *Listener) isClosed() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// conn is one connection.
type conn struct {
	*net.TCPConn
	l     *Listener
	in    *bufio.Reader
	until time.Time // the read deadline that is set; zero: another one was set since
	head  head
	body  body
	out   writer
}

// body is the body of one request. Like that of net/http, it fails where the connection ends before it.
type body struct {
	from io.Reader
	left int64
}

// Read gives what has come.
func (b *body) Read(p []byte) (n int, err error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err = b.from.Read(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); b.left == 0 {
		return n, io.EOF
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// serve answers request after request until one is not plain.
func (c *conn) serve() {
	defer func() {
		if p := recover(); p != nil {
			c.l.cfg.Logger.Error("a request could not be answered", "panic", p, "stack", string(debug.Stack()))
			c.end()
		}
	}()
	for {
		plain, err := c.next()
		switch {
		case err != nil:
			c.end() // as net/http, no answer to a head that does not come
			return
		case !plain:
			c.give()
			return
		case !c.answer():
			c.end()
			return
		}
	}
}

func (c *conn) end() {
	c.l.shut(c.TCPConn)
	c.l.forget(c)
}

// give leaves the connection to the server, with what has been read of it.
func (c *conn) give() {
	read, err := c.in.Peek(c.in.Buffered())
	if err == nil {
		err = c.SetReadDeadline(time.Time{})
	}
	if err != nil {
		c.end()
		return
	}
	c.l.forget(c)
	c.l.leave(&replayed{c.TCPConn, bytes.Clone(read)}, nil)
}

// replayed is a connection whose first bytes have been read already.
type replayed struct {
	*net.TCPConn
	read []byte
}

// Read gives them first.
func (r *replayed) Read(p []byte) (int, error) {
	if len(r.read) == 0 {
		return r.TCPConn.Read(p)
	}
	n := copy(p, r.read)
	if r.read = r.read[n:]; len(r.read) == 0 {
		r.read = nil
	}
	return n, nil
}

// next reads the head of the next request into c.head.
func (c *conn) next() (plain bool, err error) {
	// A deadline costs more than to look at the clock: it is set anew when a third of it has gone by.
	if c.in.Buffered() == 0 {
		if now := time.Now(); c.until.Sub(now) < c.l.cfg.IdleFor {
			if err := c.deadline(now.Add(c.l.cfg.IdleFor * 3 / 2)); err != nil {
				return false, err
			}
			c.until = now.Add(c.l.cfg.IdleFor * 3 / 2)
		}
		if _, err := c.in.Peek(1); err != nil {
			return false, err
		}
	}
	for started := false; ; started = true {
		read, err := c.in.Peek(c.in.Buffered())
		if err != nil {
			return false, err
		}
		size, verdict := c.head.parse(read, c.l.paths)
		switch {
		case verdict == unusual, verdict == plainHead && c.head.length > c.l.cfg.MaxBody:
			return false, nil
		case verdict == plainHead:
			if _, err := c.in.Discard(size); err != nil {
				return false, err
			}
			return true, nil
		case len(read) == headBytes:
			return false, nil
		}
		if !started {
			if err := c.deadline(time.Now().Add(c.l.cfg.HeadWithin)); err != nil {
				return false, err
			}
		}
		if _, err := c.in.Peek(len(read) + 1); err != nil {
			return false, err
		}
	}
}

func (c *conn) deadline(at time.Time) error {
	c.until = time.Time{}
	return c.SetReadDeadline(at)
}

// answer has the handler answer the request, and says whether another one may follow.
func (c *conn) answer() bool {
	if !c.l.answering(c, true) {
		return false
	}
	c.body = body{c.in, c.head.length}
	c.out.reset()
	c.l.cfg.Handler(&c.out, &Request{
		Path: c.head.path, Authorization: c.head.authorization, ContentType: c.head.contentType, Length: c.head.length,
		Body: &c.body, Whole: int64(c.in.Buffered()) >= c.head.length, Deadline: c.deadline,
	})
	if c.body.left > 0 && c.body.left <= keepBytes && c.out.header.Get("Connection") != "close" {
		c.discard(c.l.cfg.HeadWithin)
	}
	last := c.body.left > 0 || c.out.header.Get("Connection") == "close" || c.l.isClosed()
	if _, err := c.Write(c.out.text(last)); err != nil {
		return false
	}
	if c.body.left > 0 {
		c.discard(lingerFor)
	}
	return c.l.answering(c, false) && !last
}

const (
	// keepBytes is how much of an unread body is thrown away to keep the connection.
	keepBytes = 256 << 10
	// lingerFor is how long the rest of a larger one is thrown away after the answer: a sender that writes all of it before it looks
	// for an answer would only see a broken connection.
	lingerFor = 2 * time.Second
)

// discard throws the rest of the body away, as far as it comes in time.
func (c *conn) discard(within time.Duration) {
	err := c.deadline(time.Now().Add(within))
	if err == nil {
		_, err = io.Copy(io.Discard, &c.body)
	}
	if err != nil {
		c.l.cfg.Logger.Debug("the rest of a body did not come", "error", err)
	}
}
