package chdb

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is libchdb's C interface, bound without cgo. Lengths are size_t, counters uint64, flags int32; the _n forms are
// binary safe. A connect returns a pointer to a handle: closing takes that pointer, every other call the handle itself.
type library struct {
	setSignalHandlers func(on int32)
	connect           func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConnection   func(pp unsafe.Pointer)
	shutdown          func() int32

	query       func(conn, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, n uintptr) unsafe.Pointer
	streamQuery func(conn, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, n uintptr) unsafe.Pointer
	streamFetch func(conn, stream unsafe.Pointer) unsafe.Pointer
	streamStop  func(conn, stream unsafe.Pointer)

	insert        func(conn, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, n uintptr) unsafe.Pointer
	insertAppend  func(insert, bytes unsafe.Pointer, n uintptr) int32
	insertDone    func(insert unsafe.Pointer) unsafe.Pointer
	insertCancel  func(insert unsafe.Pointer)
	insertError   func(insert unsafe.Pointer) unsafe.Pointer
	insertDestroy func(insert unsafe.Pointer)

	resultBuffer       func(result unsafe.Pointer) unsafe.Pointer
	resultLength       func(result unsafe.Pointer) uintptr
	resultError        func(result unsafe.Pointer) unsafe.Pointer
	resultRows         func(result unsafe.Pointer) uint64
	resultBytes        func(result unsafe.Pointer) uint64
	resultStorageRows  func(result unsafe.Pointer) uint64
	resultStorageBytes func(result unsafe.Pointer) uint64
	resultRowsWritten  func(result unsafe.Pointer) uint64
	resultBytesWritten func(result unsafe.Pointer) uint64
	resultDestroy      func(result unsafe.Pointer)
}

// loadLibrary opens the library at an absolute path, binds every function and turns the engine's signal handlers off, which
// must happen before the first connect: left on, a Go nil dereference hangs the process.
func loadLibrary(path string) (*library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load the engine library: %w", err)
	}
	l := &library{}
	for _, f := range []struct {
		name string
		fn   any
	}{
		{"chdb_set_signal_handlers_enabled", &l.setSignalHandlers},
		{"chdb_connect", &l.connect},
		{"chdb_close_conn", &l.closeConnection},
		{"chdb_shutdown", &l.shutdown},
		{"chdb_query_with_params_n", &l.query},
		{"chdb_stream_query_with_params_n", &l.streamQuery},
		{"chdb_stream_fetch_result", &l.streamFetch},
		{"chdb_stream_cancel_query", &l.streamStop},
		{"chdb_stream_insert_with_params_n", &l.insert},
		{"chdb_stream_append", &l.insertAppend},
		{"chdb_stream_done", &l.insertDone},
		{"chdb_stream_cancel_insert", &l.insertCancel},
		{"chdb_stream_insert_error", &l.insertError},
		{"chdb_destroy_insert_stream", &l.insertDestroy},
		{"chdb_result_buffer", &l.resultBuffer},
		{"chdb_result_length", &l.resultLength},
		{"chdb_result_error", &l.resultError},
		{"chdb_result_rows_read", &l.resultRows},
		{"chdb_result_bytes_read", &l.resultBytes},
		{"chdb_result_storage_rows_read", &l.resultStorageRows},
		{"chdb_result_storage_bytes_read", &l.resultStorageBytes},
		{"chdb_result_rows_written", &l.resultRowsWritten},
		{"chdb_result_bytes_written", &l.resultBytesWritten},
		{"chdb_destroy_query_result", &l.resultDestroy},
	} {
		symbol, err := purego.Dlsym(handle, f.name)
		if err != nil {
			return nil, fmt.Errorf("load the engine library: it has no %s: another version: %w", f.name, err)
		}
		purego.RegisterFunc(f.fn, symbol)
	}
	l.setSignalHandlers(0)
	return l, nil
}

// errConnect is what a failed connect says: the engine gives its reason on stderr only, where the supervisor reads it.
var errConnect = errors.New("the engine refused to open")

// connection is one engine connection. State (database, settings, temporary tables) is its own; one statement at a time.
type connection struct {
	lib *library
	pp  unsafe.Pointer
}

// open connects with the engine's command-line options. The first connection of the process boots the engine, the last one
// closed tears it down.
func (l *library) open(options []string) (*connection, error) {
	args := append([]string{"clickhouse"}, options...)
	texts := make([][]byte, len(args))
	argv := make([]unsafe.Pointer, len(args)+1)
	var pins runtime.Pinner
	defer pins.Unpin()
	for i, a := range args {
		texts[i] = append([]byte(a), 0)
		pins.Pin(&texts[i][0])
		argv[i] = unsafe.Pointer(&texts[i][0])
	}
	pp := l.connect(int32(len(args)), unsafe.Pointer(&argv[0]))
	runtime.KeepAlive(argv)
	if pp == nil {
		return nil, errConnect
	}
	return &connection{lib: l, pp: pp}, nil
}

func (c *connection) handle() unsafe.Pointer { return *(*unsafe.Pointer)(c.pp) }

// close releases the connection; it must not be in use.
func (c *connection) close() {
	c.lib.closeConnection(c.pp)
	c.pp = nil
}

// parameters are query parameters ({name:Type}) in the engine's TSV-escaped text, as on HTTP.
type parameters struct{ names, values []string }

type parameterArrays struct {
	names, values       []unsafe.Pointer
	nameLens, valueLens []uintptr
	pins                runtime.Pinner
}

// arrays lays the parameters out for C. Release it after the call: until then the strings are pinned.
func (p *parameters) arrays() *parameterArrays {
	n := len(p.names)
	// One element more than needed keeps every array addressable when there is no parameter at all.
	a := &parameterArrays{
		names: make([]unsafe.Pointer, n+1), values: make([]unsafe.Pointer, n+1),
		nameLens: make([]uintptr, n+1), valueLens: make([]uintptr, n+1),
	}
	for i := range n {
		a.names[i], a.nameLens[i] = a.pin(p.names[i]), uintptr(len(p.names[i]))
		a.values[i], a.valueLens[i] = a.pin(p.values[i]), uintptr(len(p.values[i]))
	}
	return a
}

func (a *parameterArrays) pin(s string) unsafe.Pointer {
	if s != "" {
		a.pins.Pin(unsafe.StringData(s))
	}
	return stringPointer(s)
}

func (a *parameterArrays) release() {
	runtime.KeepAlive(a)
	a.pins.Unpin()
}

// emptyText stands for the empty string: C must not see a nil pointer.
var emptyText [1]byte

func stringPointer(s string) unsafe.Pointer {
	if s == "" {
		return unsafe.Pointer(&emptyText[0])
	}
	return unsafe.Pointer(unsafe.StringData(s))
}

type statementCall func(conn, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, n uintptr) unsafe.Pointer

func (c *connection) call(f statementCall, sql, format string, p *parameters) unsafe.Pointer {
	if p == nil {
		p = &parameters{}
	}
	a := p.arrays()
	defer a.release()
	r := f(c.handle(), stringPointer(sql), uintptr(len(sql)), stringPointer(format), uintptr(len(format)),
		unsafe.Pointer(&a.names[0]), unsafe.Pointer(&a.nameLens[0]), unsafe.Pointer(&a.values[0]), unsafe.Pointer(&a.valueLens[0]), uintptr(len(p.names)))
	runtime.KeepAlive(sql)
	runtime.KeepAlive(format)
	return r
}

// query runs one statement and holds its whole answer in memory.
func (c *connection) query(sql, format string, p *parameters) *result {
	return &result{c.lib, c.call(c.lib.query, sql, format, p)}
}

// exec runs a statement whose answer does not matter.
func (c *connection) exec(sql string) error {
	r := c.query(sql, "Null", nil)
	defer r.free()
	return r.err()
}

// text runs a statement and copies its answer.
func (c *connection) text(sql, format string) (string, error) {
	r := c.query(sql, format, nil)
	defer r.free()
	if err := r.err(); err != nil {
		return "", err
	}
	return string(r.bytes()), nil
}

// stream is a running query whose answer comes in chunks.
type stream struct {
	conn  *connection
	first *result // the handle of the stream itself
}

// stream starts a query; the caller fetches until an empty chunk, or stops it, and frees it.
func (c *connection) stream(sql, format string, p *parameters) (*stream, error) {
	r := &result{c.lib, c.call(c.lib.streamQuery, sql, format, p)}
	if err := r.err(); err != nil {
		r.free()
		return nil, err
	}
	return &stream{c, r}, nil
}

// fetch waits for the next chunk; an empty one is the end.
func (s *stream) fetch() *result {
	return &result{s.conn.lib, s.conn.lib.streamFetch(s.conn.handle(), s.first.p)}
}

func (s *stream) stop() { s.conn.lib.streamStop(s.conn.handle(), s.first.p) }

func (s *stream) free() { s.first.free() }

// insertion is a running INSERT that is fed with formatted bytes.
type insertion struct {
	lib *library
	p   unsafe.Pointer
}

// insert opens an INSERT; sql must not carry a FORMAT clause, which the engine would ignore.
func (c *connection) insert(sql, format string, p *parameters) (*insertion, error) {
	i := &insertion{c.lib, c.call(c.lib.insert, sql, format, p)}
	if i.p == nil {
		return nil, errors.New("Code: 1002. DB::Exception: the engine opened no insert (UNKNOWN_EXCEPTION)")
	}
	if err := i.err(); err != nil {
		i.free()
		return nil, err
	}
	return i, nil
}

func (i *insertion) err() error {
	if e := i.lib.insertError(i.p); e != nil {
		return errors.New(goString(e))
	}
	return nil
}

// append hands over formatted bytes; the engine copies them. Most parse errors show at done only.
func (i *insertion) append(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	failed := i.lib.insertAppend(i.p, unsafe.Pointer(&b[0]), uintptr(len(b))) != 0
	runtime.KeepAlive(b)
	if !failed {
		return nil
	}
	if err := i.err(); err != nil {
		return err
	}
	return errors.New("Code: 1002. DB::Exception: the engine took no more rows (UNKNOWN_EXCEPTION)")
}

// done ends the input and waits until the rows are stored. At this point, without error, they are durable.
func (i *insertion) done() *result { return &result{i.lib, i.lib.insertDone(i.p)} }

func (i *insertion) cancel() { i.lib.insertCancel(i.p) }

func (i *insertion) free() { i.lib.insertDestroy(i.p) }

// result is an answer or a chunk of one; it lives in the engine's memory until freed.
type result struct {
	lib *library
	p   unsafe.Pointer
}

func (r *result) err() error {
	if r.p == nil {
		return errors.New("Code: 1002. DB::Exception: the engine gave no result (UNKNOWN_EXCEPTION)")
	}
	if e := r.lib.resultError(r.p); e != nil {
		return errors.New(goString(e))
	}
	return nil
}

// bytes are valid until free.
func (r *result) bytes() []byte {
	if r.p == nil {
		return nil
	}
	n := r.lib.resultLength(r.p)
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(r.lib.resultBuffer(r.p)), n)
}

// counters are the engine's own counts of one statement.
type counters struct {
	resultRows, resultBytes   uint64
	storageRows, storageBytes uint64
	writtenRows, writtenBytes uint64
}

func (r *result) counters() counters {
	return counters{
		resultRows: r.lib.resultRows(r.p), resultBytes: r.lib.resultBytes(r.p),
		storageRows: r.lib.resultStorageRows(r.p), storageBytes: r.lib.resultStorageBytes(r.p),
		writtenRows: r.lib.resultRowsWritten(r.p), writtenBytes: r.lib.resultBytesWritten(r.p),
	}
}

func (r *result) free() {
	if r.p != nil {
		r.lib.resultDestroy(r.p)
		r.p = nil
	}
}

// goString copies a C string.
func goString(p unsafe.Pointer) string {
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}
