package chdb

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// front answers ClickHouse's HTTP interface over the pooled engine connections.
type front struct {
	pool     *pool
	sessions *sessions
	log      *slog.Logger

	user, password    string
	version, timezone string

	// slots bounds the statements that run at the same time; more than that only adds latency and memory.
	slots chan struct{}

	bootMu sync.Mutex
	boot   *connection // holds the engine open; answers liveness without waiting for a slot
}

func newFront(p *pool, boot *connection, password string, log *slog.Logger) (*front, error) {
	row, err := boot.text("SELECT version(), timezone()", "TSV")
	if err != nil {
		return nil, err
	}
	version, timezone, found := strings.Cut(strings.TrimSpace(row), "\t")
	if !found {
		return nil, errors.New("the engine does not say its version")
	}
	return &front{
		pool: p, sessions: newSessions(p), log: log, user: "default", password: password, version: version, timezone: timezone,
		slots: make(chan struct{}, max(8, 4*runtime.NumCPU())), boot: boot,
	}, nil
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-ClickHouse-Server-Display-Name", displayName)
	switch {
	case r.URL.Path == "/ping", r.URL.Path == "/replicas_status", r.Method == http.MethodGet && r.URL.RawQuery == "":
		writeText(w, http.StatusOK, "Ok.\n")
		return
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	rq, err := parseRequest(r)
	if err != nil {
		f.fail(w, &request{}, err)
		return
	}
	h.Set("X-ClickHouse-Query-Id", rq.queryID)
	h.Set("X-ClickHouse-Timezone", f.timezone)
	if !f.allowed(r) {
		f.fail(w, rq, refuse(codeUnauthorized, "AUTHENTICATION_FAILED", "default: Authentication failed: password is incorrect, or there is no user with such name"))
		return
	}
	switch r.URL.Path {
	case alivePath:
		f.alive(w, rq)
		return
	case restPath:
		f.rest(w, rq)
		return
	}
	if err := f.serve(w, r, rq); err != nil {
		f.fail(w, rq, err)
	}
}

// alivePath is the supervisor's probe: it runs a statement beside the pool, so a busy engine still answers and a stuck one does not.
const alivePath = "/alive"

func (f *front) alive(w http.ResponseWriter, rq *request) {
	f.bootMu.Lock()
	err := f.boot.exec("SELECT 1")
	f.bootMu.Unlock()
	if err != nil {
		f.fail(w, rq, err)
		return
	}
	writeText(w, http.StatusOK, "Ok.\n")
}

func (f *front) allowed(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	if !ok {
		user, password = r.Header.Get("X-ClickHouse-User"), r.Header.Get("X-ClickHouse-Key")
	}
	if user == "" && password == "" {
		q := r.URL.Query()
		user, password = q.Get("user"), q.Get("password")
	}
	sameUser := subtle.ConstantTimeCompare([]byte(firstOf(user, f.user)), []byte(f.user))
	return sameUser&subtle.ConstantTimeCompare([]byte(password), []byte(f.password)) == 1
}

// serve runs one request. An error that it returns has not been answered yet.
func (f *front) serve(w http.ResponseWriter, r *http.Request, rq *request) error {
	body, release, err := plainBody(r, rq.unblock)
	if err != nil {
		return err
	}
	defer release()
	var tables []filledTable
	sql := r.URL.Query().Get("query")
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		if sql, tables, err = readForm(r, rq, sql); err != nil {
			return err
		}
		body = strings.NewReader("")
	}
	st := parseStatement(sql)
	if st.route != fed || sql == "" {
		// Only the rows of a fed INSERT stay in the body; everything else there belongs to the statement.
		rest, err := readStatement(body)
		if err != nil {
			return err
		}
		if rest != "" {
			if sql != "" {
				sql += "\n"
			}
			sql += rest
			st = parseStatement(sql)
		}
		body = strings.NewReader("")
	}
	switch {
	case st.empty:
		return refuse(codeSyntax, "SYNTAX_ERROR", "Syntax error: the statement is empty")
	case st.many:
		return refuse(codeSyntax, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed)")
	case isHello(sql, rq):
		return newAnswer(w, rq, "Native").whole(helloBlock(rq.protocol, f.version, f.timezone))
	}
	if st.route == fed {
		st.withSettings(rq.varying)
		if st.inline != "" {
			body = io.MultiReader(strings.NewReader(st.inline), body)
		}
	} else {
		rq.settings = append(rq.settings, rq.varying...)
		slices.SortFunc(rq.settings, func(a, b setting) int { return strings.Compare(a.name, b.name) })
	}
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-r.Context().Done():
		return nil // the client left; nobody reads an answer
	}
	return f.run(w, r, rq, &st, tables, body)
}

// run executes a statement on a connection of its own. Only a connection whose statement ended in order is used again: after
// a failure or a stop in mid-stream, the engine would give the rest of the old answer to the next statement.
func (f *front) run(w http.ResponseWriter, r *http.Request, rq *request, st *statement, tables []filledTable, rows io.Reader) error {
	conn, giveBack, err := f.connection(rq)
	if err != nil {
		return err
	}
	inOrder := false
	defer func() { giveBack(inOrder && !st.sticky && len(tables) == 0) }()
	if err := fillTables(conn, tables); err != nil {
		return err
	}
	mark := "/* qid:" + strings.ReplaceAll(rq.queryID, "*/", "") + " */ "
	st.sql = mark + st.sql
	if st.route == fed {
		// Killing an insert that takes rows can block it for ever; a client that leaves ends its rows, which stops it.
		inOrder, err = f.feed(w, r, rq, conn, st, rows)
		return err
	}
	stop := f.killOnDisconnect(r.Context(), mark)
	defer stop()
	if st.route == streamed && !rq.waitWhole && rq.session == "" && inPieces(cmp.Or(st.format, rq.format)) {
		inOrder, err = f.stream(w, r, rq, conn, st)
		return err
	}
	inOrder, err = f.whole(w, rq, conn, st)
	return err
}

// connection takes a pooled connection, or the session's own.
func (f *front) connection(rq *request) (_ *connection, giveBack func(reuse bool), _ error) {
	if rq.session == "" {
		conn, err := f.pool.take(rq.database, rq.settings)
		if err != nil {
			return nil, nil, err
		}
		return conn, func(reuse bool) { f.pool.put(conn, rq.database, rq.settings, reuse) }, nil
	}
	s, err := f.sessions.take(rq.session, rq.database, rq.sessionCheck)
	if err != nil {
		return nil, nil, err
	}
	// Settings of the URL hold for one query, as on a server; what the session SET itself under the same name is lost.
	if err := s.conn.set(rq.settings); err != nil {
		f.sessions.put(rq.session, s, rq.sessionTimeout)
		return nil, nil, err
	}
	// Sessions never stream, so even a failed statement leaves nothing behind on the connection.
	return s.conn, func(bool) {
		if err := s.conn.reset(rq.settings); err != nil {
			f.log.Warn("a session's settings could not be reset; the session ends", "error", err)
			f.sessions.put(rq.session, s, 0)
			return
		}
		f.sessions.put(rq.session, s, rq.sessionTimeout)
	}, nil
}

// killOnDisconnect stops the statement when the client goes away before it ends. The engine names queries itself, so the
// statement is found by the comment that its text begins with. Now and then a killed statement stays asleep until it is
// killed again, so that is repeated until it has ended.
func (f *front) killOnDisconnect(ctx context.Context, mark string) (stop func()) {
	ended := make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		for pause := firstKillPause; ; pause = min(2*pause, maxKillPause) {
			f.kill(mark)
			again := time.NewTimer(pause)
			select {
			case <-ended:
				again.Stop()
				return
			case <-again.C:
			}
		}
	})
	return func() {
		unhook()
		close(ended)
	}
}

const (
	firstKillPause = 100 * time.Millisecond
	maxKillPause   = 5 * time.Second
)

func (f *front) kill(mark string) {
	conn, err := f.pool.take("default", nil)
	if err == nil {
		err = conn.exec("KILL QUERY WHERE startsWith(query, " + quoteText(mark) + ") ASYNC")
		f.pool.put(conn, "default", nil, err == nil)
	}
	if err != nil {
		f.log.Warn("cannot stop a statement whose client left", "error", err)
	}
}

// inPieces says whether an answer in a format may be written chunk by chunk: the engine writes each chunk as an answer of its own, with header and end, so the
// chunks of JSON or Parquet are several documents. Of CSV and TSV with names the header is taken off again (headed); other formats are answered whole.
func inPieces(format string) bool {
	switch format {
	case "", "Native", "RowBinary", "CSV", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "RawBLOB", "LineAsString", "TSKV", "Values",
		"JSONEachRow", "JSONLines", "NDJSON", "JSONStringsEachRow", "JSONCompactEachRow", "JSONCompactStringsEachRow":
		return true
	}
	return headed(format)
}

// headed says whether an answer begins with a line of names.
func headed(format string) bool {
	return format == "CSVWithNames" || format == "TabSeparatedWithNames" || format == "TSVWithNames"
}

// whole runs a statement and answers when all is known. Like stream and feed, it tells whether the statement ended in order.
func (f *front) whole(w http.ResponseWriter, rq *request, conn *connection, st *statement) (inOrder bool, err error) {
	start := time.Now()
	r := conn.query(st.sql, rq.format, &rq.params)
	defer r.free()
	if err := r.err(); err != nil {
		return false, err
	}
	setSummary(w.Header(), r.counters(), time.Since(start))
	f.sent(newAnswer(w, rq, st.format).whole(r.bytes()))
	return true, nil
}

// stream answers a query chunk by chunk. It reads one chunk ahead, so that small answers and early failures have a true
// status and everything else ends in a framed exception.
func (f *front) stream(w http.ResponseWriter, r *http.Request, rq *request, conn *connection, st *statement) (inOrder bool, err error) {
	start := time.Now()
	s, err := conn.stream(st.sql, rq.format, &rq.params)
	if err != nil {
		if strings.Contains(err.Error(), "Streaming query is not supported") {
			return f.whole(w, rq, conn, st)
		}
		return false, err
	}
	defer s.free()
	chunk := s.fetch()
	defer func() { chunk.free() }()
	if err := chunk.err(); err != nil {
		return false, err
	}
	setSummary(w.Header(), chunk.counters(), time.Since(start))
	out := newAnswer(w, rq, st.format)
	if len(chunk.bytes()) == 0 {
		f.sent(out.whole(nil))
		return true, nil
	}
	ahead := s.fetch()
	defer func() { ahead.free() }()
	if err := ahead.err(); err != nil {
		return false, err
	}
	if len(ahead.bytes()) == 0 {
		f.sent(out.whole(chunk.bytes()))
		return true, nil
	}
	tag := newExceptionTag()
	w.Header().Set("X-ClickHouse-Exception-Tag", tag)
	var header, again []byte // again is to be taken off each chunk
	if format := cmp.Or(st.format, rq.format); headed(format) {
		line := bytes.IndexByte(chunk.bytes(), '\n') + 1 // a name has no line break: the engine writes those of TSV as \n, and nobody gives one to a column for CSV
		header = bytes.Clone(chunk.bytes()[:line])
	}
	for {
		rows := bytes.TrimPrefix(chunk.bytes(), again)
		again = header
		if err := out.write(rows); err != nil || r.Context().Err() != nil {
			s.stop()
			f.sent(err)
			return false, nil
		}
		out.flush()
		if err := ahead.err(); err != nil {
			_, text := exceptionText(err, f.version)
			f.sent(out.breakOff(tag, text))
			return false, nil
		}
		if len(ahead.bytes()) == 0 {
			f.sent(out.close())
			return true, nil
		}
		chunk.free()
		chunk, ahead = ahead, s.fetch()
	}
}

// feed passes the rows of an INSERT to the engine. A body that breaks off inserts nothing.
func (f *front) feed(w http.ResponseWriter, r *http.Request, rq *request, conn *connection, st *statement, rows io.Reader) (inOrder bool, err error) {
	start := time.Now()
	in, err := conn.insert(strings.TrimRight(st.sql, "; \t\r\n"), st.format, &rq.params)
	if err != nil {
		drain(rows)
		return false, err
	}
	defer in.free()
	buffer := feedBuffers.Get().(*[]byte)
	defer feedBuffers.Put(buffer)
	for {
		n, err := fill(rows, *buffer)
		if refused := in.append((*buffer)[:n]); refused != nil {
			in.cancel()
			drain(rows)
			return false, refused
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			in.cancel()
			return false, cannotRead(err)
		}
	}
	if r.Context().Err() != nil {
		in.cancel()
		return false, nil // the client left before the end: it will send the batch again
	}
	done := in.done()
	defer done.free()
	if err := done.err(); err != nil {
		return false, err
	}
	// At this point the rows are durable.
	setSummary(w.Header(), done.counters(), time.Since(start))
	f.sent(newAnswer(w, rq, "").whole(nil))
	return true, nil
}

// fill reads until the buffer is full or the reader ends. Unlike io.ReadFull it passes the reader's own error on, so that a
// body that was cut (io.ErrUnexpectedEOF) is told from one that ended (io.EOF).
func fill(r io.Reader, buffer []byte) (n int, err error) {
	for n < len(buffer) && err == nil {
		var m int
		m, err = r.Read(buffer[n:])
		n += m
	}
	return n, err
}

var feedBuffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// drain reads a bounded rest of a refused body, so that the client hears the answer instead of a reset.
func drain(rows io.Reader) {
	// The answer is the refusal either way; a client that cannot be drained sees its connection closed.
	io.CopyN(io.Discard, rows, 64<<20)
}

func newExceptionTag() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: it crashes the process instead
	return hex.EncodeToString(b[:])
}

// fail answers with an exception.
func (f *front) fail(w http.ResponseWriter, rq *request, err error) {
	code, text := exceptionText(err, f.version)
	h := w.Header()
	h.Del("Content-Encoding")
	h.Del("Content-Length")
	h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(code))
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	body := []byte(text + "\n")
	if rq.block != "" {
		b := blockWriter(rq.block)
		if err := b.Compress(body); err == nil {
			body = b.Data
		}
	}
	w.WriteHeader(statusOf(code))
	_, err = w.Write(body)
	f.sent(err)
}

// sent notes an answer that did not reach its client: nothing else can be done about it.
func (f *front) sent(err error) {
	if err != nil {
		f.log.Debug("an answer did not reach its client", "error", err)
	}
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.WriteHeader(status)
	io.WriteString(w, text) // a client that left needs no answer
}
