package chdb

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// call is one HTTP request to an engine.
type call struct {
	method string // POST when empty
	query  string // of the URL, such as "a=1&b=2"
	body   io.Reader
	header map[string]string
	user   string // as Basic; "-" for none
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) code() string { return r.header.Get("X-ClickHouse-Exception-Code") }

func send(t testing.TB, e *Engine, c call) reply {
	t.Helper()
	r, err := http.NewRequest(firstOf(c.method, http.MethodPost), e.URL()+"/?"+c.query, c.body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range c.header {
		r.Header.Set(k, v)
	}
	if c.user != "-" {
		r.SetBasicAuth(firstOf(c.user, e.User()), e.Password())
	}
	a, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{a.StatusCode, a.Header, string(body)}
}

func sql(text string) call { return call{body: strings.NewReader(text)} }

func mustSend(t testing.TB, e *Engine, c call) string {
	t.Helper()
	r := send(t, e, c)
	if r.status != http.StatusOK {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	return r.body
}

func TestFront(t *testing.T) {
	e := startEngine(t, Config{DataDir: t.TempDir()}, defaultTimes)
	for name, test := range map[string]func(*testing.T, *Engine){
		"errors": frontErrors, "authentication": frontAuthentication, "inserts": frontInserts, "compression": frontCompression,
		"midstream": frontMidstream, "formats": frontFormats, "sessions": frontSessions, "external": frontExternal, "settings": frontSettings,
		"cancel": frontCancel, "cut": frontCutInsert, "headers": frontHeaders, "parameters": frontParameters,
		"refused": frontRefusedInserts, "mixed": frontMixed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of them wait
			test(t, e)
		})
	}
}

func frontErrors(t *testing.T, e *Engine) {
	for _, c := range []struct {
		sql          string
		status, code int
	}{
		{"SELECT * FROM nowhere", 404, 60},
		{"SELECT * FROM nobody.nowhere", 404, 81},
		{"SELECT nothing", 404, 47},
		{"selec 1", 400, 62},
		{"", 400, 62},
		{"-- nothing", 400, 62},
		{"SELECT 1; SELECT 2", 400, 62},
		{"SELECT toUInt8('x')", 400, 6},
		{"SELECT 1 SETTINGS no_such_setting = 1", 404, 115},
		{"SELECT count() FROM system.numbers SETTINGS max_execution_time = 1", 408, 159},
		{"SELECT groupArray(number) FROM numbers(50000000) SETTINGS max_memory_usage = 1000000", 500, 241},
	} {
		r := send(t, e, sql(c.sql))
		if r.status != c.status || r.code() != strconv.Itoa(c.code) || !strings.HasPrefix(r.body, "Code: "+strconv.Itoa(c.code)+". DB::Exception: ") || !strings.Contains(r.body, "(version 26.") {
			t.Errorf("%q: status %d, code %s, %q; want %d and %d", c.sql, r.status, r.code(), r.body, c.status, c.code)
		}
	}
}

func frontAuthentication(t *testing.T, e *Engine) {
	secret := url.QueryEscape(e.Password())
	for name, c := range map[string]struct {
		call   call
		status int
	}{
		"none":           {call{user: "-"}, 403},
		"wrong user":     {call{user: "someone"}, 403},
		"wrong password": {call{user: "-", query: "user=default&password=x"}, 403},
		"in the URL":     {call{user: "-", query: "user=default&password=" + secret}, 200},
		"in headers":     {call{user: "-", header: map[string]string{"X-ClickHouse-User": "default", "X-ClickHouse-Key": e.Password()}}, 200},
		"basic":          {call{}, 200},
	} {
		c.call.body = strings.NewReader("SELECT 1")
		if r := send(t, e, c.call); r.status != c.status {
			t.Errorf("%s: status %d, want %d: %s", name, r.status, c.status, r.body)
		}
	}
	r, err := http.Get(e.URL() + "/ping")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if text, err := io.ReadAll(r.Body); err != nil || string(text) != "Ok.\n" {
		t.Errorf("ping: %q, %v", text, err)
	}
}

func frontInserts(t *testing.T, e *Engine) {
	mustSend(t, e, sql("CREATE TABLE ins (a UInt64, b String) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"))
	query := func(q string) string { return "query=" + url.QueryEscape(q) }
	for name, c := range map[string]call{
		"rows in the text":          sql("INSERT INTO ins VALUES (1, 'x'), (2, 'y;z')"),
		"format in the text":        sql("INSERT INTO ins FORMAT JSONEachRow\n{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}"),
		"settings after the format": sql("INSERT INTO ins FORMAT CSV SETTINGS format_csv_delimiter='|'\n1|x\n2|y\n"),
		"rows in the body":          {query: query("INSERT INTO ins FORMAT TSV"), body: strings.NewReader("1\tx\n2\ty\n")},
		"values in the body":        {query: query("INSERT INTO ins VALUES"), body: strings.NewReader("(1,'x'),(2,'y')")},
		"no format":                 {query: query("INSERT INTO ins (a, b)"), body: strings.NewReader("(1,'x'),(2,'y')")},
		"select":                    sql("INSERT INTO ins SELECT number + 1, 'x' FROM numbers(2)"),
		"token":                     {query: query("INSERT INTO ins FORMAT TSV") + "&insert_deduplication_token=t1", body: strings.NewReader("1\tx\n2\ty\n")},
		"same token again":          {query: query("INSERT INTO ins FORMAT TSV") + "&insert_deduplication_token=t2", body: strings.NewReader("1\tx\n2\ty\n")},
	} {
		mustSend(t, e, sql("TRUNCATE TABLE ins"))
		if name == "same token again" {
			mustSend(t, e, call{query: c.query, body: strings.NewReader("1\tx\n2\ty\n")})
		}
		mustSend(t, e, c)
		if got := mustSend(t, e, sql("SELECT count(), sum(a) FROM ins")); got != "2\t3\n" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	mustSend(t, e, sql("TRUNCATE TABLE ins"))
	for name, c := range map[string]call{
		"wrong type":   {query: query("INSERT INTO ins FORMAT TSV"), body: strings.NewReader("1\tx\nnot a number\ty\n")},
		"wrong column": {query: query("INSERT INTO ins (c) FORMAT TSV"), body: strings.NewReader("1\n")},
		"wrong table":  {query: query("INSERT INTO nowhere FORMAT TSV"), body: strings.NewReader("1\n")},
	} {
		if r := send(t, e, c); r.status < 400 || r.status >= 500 || r.code() == "" {
			t.Errorf("%s: status %d: %s", name, r.status, r.body)
		}
	}
	if got := mustSend(t, e, sql("SELECT count() FROM ins")); got != "0\n" {
		t.Errorf("a refused insert left %s rows", got)
	}
}

func frontCompression(t *testing.T, e *Engine) {
	const rows = 200_000
	mustSend(t, e, sql("CREATE TABLE comp (a UInt64) ENGINE = MergeTree ORDER BY a"))
	var plain bytes.Buffer
	for i := range rows {
		fmt.Fprintln(&plain, i)
	}
	blocks := func(m compress.Method) []byte {
		var out []byte
		w := compress.NewWriter(compress.LevelZero, m)
		for b := plain.Bytes(); len(b) > 0; {
			n := min(len(b), maxBlock)
			if err := w.Compress(b[:n]); err != nil {
				t.Fatal(err)
			}
			out, b = append(out, w.Data...), b[n:]
		}
		return out
	}
	coded := func(open func(io.Writer) io.WriteCloser) []byte {
		var out bytes.Buffer
		w := open(&out)
		if _, err := w.Write(plain.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	for _, c := range []struct {
		name, in, out string
		coding        string
		body          []byte
		decode        func(io.Reader) (io.Reader, error)
	}{
		{"none", "", "", "", plain.Bytes(), func(r io.Reader) (io.Reader, error) { return r, nil }},
		{"blocks lz4", "&decompress=1", "&compress=1", "", blocks(compress.LZ4), func(r io.Reader) (io.Reader, error) { return blockReader{compress.NewReader(r)}, nil }},
		{"blocks zstd", "&decompress=1", "&compress=1&network_compression_method=ZSTD", "", blocks(compress.ZSTD), func(r io.Reader) (io.Reader, error) { return blockReader{compress.NewReader(r)}, nil }},
		{"gzip", "", "&enable_http_compression=1", "gzip", coded(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }), func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
		{"deflate", "", "&enable_http_compression=1", "deflate", coded(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }), func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) }},
		{"br", "", "&enable_http_compression=1", "br", coded(func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 2) }), func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil }},
		{"zstd", "", "&enable_http_compression=1", "zstd", coded(func(w io.Writer) io.WriteCloser { z, err := zstd.NewWriter(w); must(t, err); return z }), func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) }},
		{"lz4", "", "&enable_http_compression=1", "lz4", coded(func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) }), func(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			mustSend(t, e, sql("TRUNCATE TABLE comp"))
			mustSend(t, e, call{query: "query=INSERT+INTO+comp+FORMAT+TSV" + c.in, body: bytes.NewReader(c.body), header: map[string]string{"Content-Encoding": c.coding}})
			a := send(t, e, call{query: "query=" + url.QueryEscape("SELECT a FROM comp ORDER BY a") + c.out, header: map[string]string{"Accept-Encoding": c.coding}})
			if got := a.header.Get("Content-Encoding"); got != c.coding {
				t.Errorf("Content-Encoding %q, want %q", got, c.coding)
			}
			r, err := c.decode(strings.NewReader(a.body))
			must(t, err)
			got, err := io.ReadAll(r)
			must(t, err)
			if !bytes.Equal(got, plain.Bytes()) {
				t.Errorf("%d bytes came back, want %d", len(got), plain.Len())
			}
			// A refusal is readable under the same compression.
			a = send(t, e, call{query: "query=" + url.QueryEscape("SELECT nothing") + c.out, header: map[string]string{"Accept-Encoding": c.coding}})
			if a.status != 404 || a.code() != "47" || a.header.Get("Content-Encoding") != "" {
				t.Errorf("refusal: status %d, code %s, coding %q", a.status, a.code(), a.header.Get("Content-Encoding"))
			}
		})
	}
	if r := send(t, e, call{query: "query=INSERT+INTO+comp+FORMAT+TSV", body: strings.NewReader("not gzip"), header: map[string]string{"Content-Encoding": "gzip"}}); r.status != 400 {
		t.Errorf("wrong gzip: status %d", r.status)
	}
	if r := send(t, e, call{query: "query=INSERT+INTO+comp+FORMAT+TSV&decompress=1", body: bytes.NewReader(blocks(compress.LZ4)[:1000])}); r.status != 400 {
		t.Errorf("a cut block: status %d", r.status)
	}
}

func frontMidstream(t *testing.T, e *Engine) {
	r := send(t, e, sql("SELECT throwIf(number = 3000000, 'on purpose') FROM numbers(4000000) SETTINGS max_block_size = 10000"))
	tag := r.header.Get("X-ClickHouse-Exception-Tag")
	if r.status != 200 || len(tag) != 16 {
		t.Fatalf("status %d, tag %q, %d bytes", r.status, tag, len(r.body))
	}
	_, frame, found := strings.Cut(r.body, "\r\n__exception__\r\n"+tag+"\r\n")
	message, end, ended := strings.Cut(frame, "\n")
	if !found || !ended || !strings.HasPrefix(message, "Code: 395.") || end != fmt.Sprintf("%d %s\r\n__exception__\r\n", len(message)+1, tag) {
		t.Errorf("the frame is %q", frame)
	}
	// The rest of a broken answer must not reach the next request.
	for range 5 {
		if got := mustSend(t, e, sql("SELECT 42")); got != "42\n" {
			t.Fatalf("the next request got %d bytes: %.100q", len(got), got)
		}
	}
	if r := send(t, e, call{query: "wait_end_of_query=1", body: strings.NewReader("SELECT throwIf(number = 300000, 'on purpose') FROM numbers(400000)")}); r.status != 500 || r.code() != "395" {
		t.Errorf("with wait_end_of_query: status %d, code %s", r.status, r.code())
	}
}

// An answer is one document, however many chunks the engine makes of it.
func frontFormats(t *testing.T, e *Engine) {
	const rows = 200_000
	ask := func(format string) string {
		return mustSend(t, e, sql(fmt.Sprintf("SELECT number AS n, 'a' AS text FROM numbers(%d) SETTINGS max_block_size = 10000 FORMAT %s", rows, format)))
	}
	for format, want := range map[string][]string{"CSVWithNames": {"\"n\",\"text\"", "0,\"a\""}, "TSVWithNames": {"n\ttext", "0\ta"}, "CSV": {"0,\"a\"", "1,\"a\""}} {
		lines := strings.Split(strings.TrimSuffix(ask(format), "\n"), "\n")
		headers := rows
		if strings.Contains(format, "WithNames") {
			headers++
		}
		if len(lines) != headers || lines[0] != want[0] || lines[1] != want[1] || strings.HasPrefix(lines[len(lines)/2], "\"n\"") {
			t.Errorf("%s has %d lines, of %d: %q, %q", format, len(lines), headers, lines[0], lines[1])
		}
	}
	var whole struct{ Rows int }
	if err := json.Unmarshal([]byte(ask("JSON")), &whole); err != nil || whole.Rows != rows {
		t.Errorf("JSON has %d rows, %v", whole.Rows, err)
	}
	if parquet := ask("Parquet"); strings.Count(parquet, "PAR1") != 2 {
		t.Errorf("%d marks of Parquet, want one file", strings.Count(parquet, "PAR1"))
	}
}

func frontSessions(t *testing.T, e *Engine) {
	in := func(session, extra, text string) call {
		return call{query: "session_id=" + session + extra, body: strings.NewReader(text)}
	}
	mustSend(t, e, in("one", "", "CREATE TEMPORARY TABLE kept (a Int8)"))
	mustSend(t, e, in("one", "", "INSERT INTO kept VALUES (5)"))
	if got := mustSend(t, e, in("one", "", "SELECT a FROM kept")); got != "5\n" {
		t.Errorf("got %q", got)
	}
	if r := send(t, e, in("two", "", "SELECT a FROM kept")); r.code() != "60" {
		t.Errorf("another session sees the table: %s", r.body)
	}
	if r := send(t, e, in("three", "&session_check=1", "SELECT 1")); r.code() != "372" {
		t.Errorf("session_check: %d %s", r.status, r.body)
	}
	if r := send(t, e, in("one", "&session_timeout=-3", "SELECT 1")); r.code() != "374" {
		t.Errorf("session_timeout: %d %s", r.status, r.body)
	}
	// A setting of the URL holds for one query.
	if got := mustSend(t, e, in("one", "&max_result_rows=7", "SELECT getSetting('max_result_rows')")); got != "7\n" {
		t.Errorf("got %q", got)
	}
	if got := mustSend(t, e, in("one", "", "SELECT getSetting('max_result_rows')")); got != "0\n" {
		t.Errorf("the setting stuck: %q", got)
	}
	done := make(chan reply)
	go func() {
		for {
			r := send(t, e, in("one", "", "SELECT sleep(1)"))
			if r.code() != "373" { // else it met one of the queries below
				done <- r
				return
			}
		}
	}()
	within(t, 10*time.Second, "the session is busy", func() bool {
		r := send(t, e, in("one", "", "SELECT 1"))
		return r.status == http.StatusLocked && r.code() == "373"
	})
	if r := <-done; r.status != 200 {
		t.Errorf("the sleeping query: %d %s", r.status, r.body)
	}
	mustSend(t, e, in("one", "&close_session=1", "SELECT 1"))
	if r := send(t, e, in("one", "&session_check=1", "SELECT 1")); r.code() != "372" {
		t.Errorf("the session was not closed: %s", r.body)
	}
}

func frontExternal(t *testing.T, e *Engine) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	// As clickhouse-go sends it: an empty file name.
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="ids"; filename=""`}})
	must(t, err)
	_, err = io.WriteString(part, "1\n2\n40\n")
	must(t, err)
	must(t, w.WriteField("query", "SELECT sum(id) FROM ids WHERE id > {least:UInt8}"))
	must(t, w.WriteField("param_least", "1"))
	must(t, w.Close())
	got := mustSend(t, e, call{query: "ids_structure=id+UInt8&ids_format=TSV", body: &body, header: map[string]string{"Content-Type": w.FormDataContentType()}})
	if got != "42\n" {
		t.Errorf("got %q", got)
	}
	if r := send(t, e, sql("SELECT * FROM ids")); r.code() != "60" {
		t.Errorf("the table outlived its request: %s", r.body)
	}
}

func frontSettings(t *testing.T, e *Engine) {
	ask := func(query, text string) reply { return send(t, e, call{query: query, body: strings.NewReader(text)}) }
	if r := ask("max_threads=1&max_result_rows=9", "SELECT getSetting('max_threads'), getSetting('max_result_rows')"); r.body != "1\t9\n" {
		t.Errorf("got %q", r.body)
	}
	if r := ask("", "SELECT getSetting('max_result_rows')"); r.body != "0\n" {
		t.Errorf("a setting leaked into another request: %q", r.body)
	}
	if r := ask("no_such_setting=1", "SELECT 1"); r.status != 404 || r.code() != "115" {
		t.Errorf("unknown setting: %d %s", r.status, r.body)
	}
	if r := ask(url.QueryEscape("max_threads=1, readonly")+"=0", "SELECT 1"); r.code() != "115" {
		t.Errorf("a setting's name is not a place for SQL: %d %s", r.status, r.body)
	}
	if r := ask("readonly=1", "CREATE TABLE never (a Int8) ENGINE = Memory"); r.code() != "164" {
		t.Errorf("readonly: %d %s", r.status, r.body)
	}
	get := call{method: http.MethodGet, query: "query=" + url.QueryEscape("CREATE TABLE never (a Int8) ENGINE = Memory")}
	if r := send(t, e, get); r.code() != "164" {
		t.Errorf("a GET that writes: %d %s", r.status, r.body)
	}
	if r := send(t, e, call{method: http.MethodGet, query: "query=SELECT+1"}); r.body != "1\n" {
		t.Errorf("a GET that reads: %d %s", r.status, r.body)
	}
	mustSend(t, e, sql("USE system"))
	mustSend(t, e, sql("SET max_result_rows = 3"))
	if r := ask("", "SELECT currentDatabase(), getSetting('max_result_rows')"); r.body != "default\t0\n" {
		t.Errorf("USE or SET leaked into another request: %q", r.body)
	}
	if r := ask("database=system", "SELECT currentDatabase()"); r.body != "system\n" {
		t.Errorf("database: %q", r.body)
	}
	for name, want := range map[string]string{"fsync_after_insert": "1", "fsync_part_directory": "1", "old_parts_lifetime": "480"} {
		if r := ask("", "SELECT value FROM system.merge_tree_settings WHERE name = '"+name+"'"); r.body != want+"\n" {
			t.Errorf("%s is %q, want %s", name, r.body, want)
		}
	}
}

func frontCancel(t *testing.T, e *Engine) {
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL()+"/?query_id=endless*/", strings.NewReader("SELECT count() FROM system.numbers"))
	must(t, err)
	r.SetBasicAuth(e.User(), e.Password())
	left := make(chan error, 1)
	go func() { _, err := http.DefaultClient.Do(r); left <- err }()
	running := sql("SELECT count() FROM system.processes WHERE startsWith(query, '/* qid:endless')")
	within(t, 10*time.Second, "the query runs", func() bool {
		running.body = strings.NewReader("SELECT count() FROM system.processes WHERE startsWith(query, '/* qid:endless')")
		return mustSend(t, e, running) == "1\n"
	})
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "the query is killed", func() bool {
		running.body = strings.NewReader("SELECT count() FROM system.processes WHERE startsWith(query, '/* qid:endless')")
		return mustSend(t, e, running) == "0\n"
	})
}

// cutReader fails after some bytes, as a client that dies.
type cutReader struct {
	io.Reader
	after int
}

func (c *cutReader) Read(p []byte) (int, error) {
	if c.after <= 0 {
		return 0, errors.New("the client died")
	}
	n, err := c.Reader.Read(p[:min(len(p), c.after)])
	c.after -= n
	return n, err
}

func frontCutInsert(t *testing.T, e *Engine) {
	mustSend(t, e, sql("CREATE TABLE cut (a UInt64) ENGINE = MergeTree ORDER BY a"))
	rows := strings.Repeat("1\n", 2_000_000)
	for _, after := range []int{1, 1000, 1_000_000, 3_999_998} {
		r, err := http.NewRequest(http.MethodPost, e.URL()+"/?query=INSERT+INTO+cut+FORMAT+TSV", &cutReader{strings.NewReader(rows), after})
		must(t, err)
		r.SetBasicAuth(e.User(), e.Password())
		if _, err := http.DefaultClient.Do(r); err == nil {
			t.Fatal("the client did not die")
		}
	}
	mustSend(t, e, sql("SELECT 1")) // the front still serves
	within(t, 10*time.Second, "no insert runs", func() bool {
		return mustSend(t, e, sql("SELECT count() FROM system.processes WHERE query LIKE '%INTO cut%' AND query NOT LIKE '%processes%'")) == "0\n"
	})
	if got := mustSend(t, e, sql("SELECT count() FROM cut")); got != "0\n" {
		t.Errorf("a cut insert left %s rows", got)
	}
}

// slowReader hands out its rows over some time.
type slowReader struct {
	rows  []string
	pause time.Duration
}

func (s *slowReader) Read(p []byte) (int, error) {
	if len(s.rows) == 0 {
		return 0, io.EOF
	}
	time.Sleep(s.pause)
	n := copy(p, s.rows[0])
	s.rows = s.rows[1:]
	return n, nil
}

// Whatever stops an insert in the middle, its client gets an answer, nothing is stored, and the front goes on.
func frontRefusedInserts(t *testing.T, e *Engine) {
	mustSend(t, e, sql("CREATE TABLE ref (a UInt64, CONSTRAINT small CHECK a < 5) ENGINE = MergeTree ORDER BY a"))
	many := strings.Repeat("1\n", 2_000_000)
	for name, c := range map[string]struct {
		query  string
		body   io.Reader
		status int
		code   string
	}{
		"a wrong row at the start": {"", strings.NewReader("x\n" + many), 400, "27"},
		"a wrong row at the end":   {"", strings.NewReader(many + "x\n"), 400, "27"},
		"a constraint":             {"", strings.NewReader(many + "9\n"), 500, "469"},
		"too little memory":        {"&max_memory_usage=100000", strings.NewReader(many), 500, "241"},
		"too slow":                 {"&max_execution_time=1", &slowReader{[]string{"1\n", "2\n", "3\n", "4\n"}, 600 * time.Millisecond}, 408, "159"},
	} {
		start := time.Now()
		r := send(t, e, call{query: "query=INSERT+INTO+ref+FORMAT+TSV" + c.query, body: c.body})
		if r.status != c.status || r.code() != c.code {
			t.Errorf("%s: status %d, %.300s; want %d and code %s", name, r.status, r.body, c.status, c.code)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: the answer took %s", name, took)
		}
		if got := mustSend(t, e, sql("SELECT count() FROM ref")); got != "0\n" {
			t.Errorf("%s: %s rows were stored", name, got)
		}
	}
}

// Every answer belongs to its own request, whatever failed or broke off beside it.
func frontMixed(t *testing.T, e *Engine) {
	var clients sync.WaitGroup
	end := time.Now().Add(2 * time.Second)
	for client := range 6 {
		clients.Go(func() {
			for i := client; time.Now().Before(end); i += 6 {
				switch i % 5 {
				case 0: // fails in mid-stream
					send(t, e, sql("SELECT throwIf(number = 300000) FROM numbers(400000) SETTINGS max_block_size = 10000"))
				case 1: // breaks off
					ctx, cancel := context.WithCancel(context.Background())
					r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL()+"/", strings.NewReader("SELECT number FROM numbers(3000000)"))
					if err != nil {
						t.Error(err)
						cancel()
						return
					}
					r.SetBasicAuth(e.User(), e.Password())
					a, err := http.DefaultClient.Do(r)
					cancel()
					if err == nil {
						a.Body.Close()
					}
				default:
					want := strconv.Itoa(i) + "\n"
					if r := send(t, e, sql("SELECT "+strconv.Itoa(i))); r.status != 200 || r.body != want {
						t.Errorf("status %d, %.100q, want %q", r.status, r.body, want)
						return
					}
				}
			}
		})
	}
	clients.Wait()
}

func frontHeaders(t *testing.T, e *Engine) {
	r := send(t, e, call{query: "query_id=mine&default_format=JSONEachRow", body: strings.NewReader("SELECT 1 AS a")})
	for name, want := range map[string]string{
		"X-ClickHouse-Query-Id": "mine", "X-ClickHouse-Timezone": "UTC", "X-ClickHouse-Format": "JSONEachRow",
		"Content-Type": "application/x-ndjson; charset=UTF-8", "Content-Length": "8",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q; body of %d: %.200q", name, got, want, len(r.body), r.body)
		}
	}
	if summary := r.header.Get("X-ClickHouse-Summary"); !strings.Contains(summary, `"result_rows":"1"`) {
		t.Errorf("summary %s", summary)
	}
	if r := send(t, e, call{body: strings.NewReader("SELECT 1 FORMAT CSV")}); r.header.Get("X-ClickHouse-Format") != "CSV" || r.body != "1\n" {
		t.Errorf("format %q, body %q", r.header.Get("X-ClickHouse-Format"), r.body)
	}
	if r := send(t, e, call{body: strings.NewReader("SELECT 1")}); len(r.header.Get("X-ClickHouse-Query-Id")) != 36 {
		t.Errorf("query id %q", r.header.Get("X-ClickHouse-Query-Id"))
	}
}

func frontParameters(t *testing.T, e *Engine) {
	for value, want := range map[string]string{"": "0\n", `a\tb`: "3\n", "it's": "4\n", "é": "2\n"} {
		if got := mustSend(t, e, call{query: "param_x=" + url.QueryEscape(value), body: strings.NewReader("SELECT length({x:String})")}); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
	if r := send(t, e, call{body: strings.NewReader("SELECT {x:String}")}); r.status == 200 {
		t.Errorf("a missing parameter: %q", r.body)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestHelloBlockIsAsClickhouseGoReadsIt(t *testing.T) {
	const head = "\x01\x00\x02\xff\xff\xff\xff\x00\x04\x01"
	if b := string(helloBlock(54454, "26.7.2.1", "UTC")); !strings.HasPrefix(b, head+"\x0ddisplayName()\x06String\x00\x0edossier-engine") {
		t.Errorf("%q", b)
	}
	if b := string(helloBlock(54453, "26.7.2.1", "UTC")); !strings.HasPrefix(b, head+"\x0ddisplayName()\x06String\x0edossier-engine") {
		t.Errorf("%q", b)
	}
}
