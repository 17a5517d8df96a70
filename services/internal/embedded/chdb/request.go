package chdb

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// request is what a client asked for, beside the SQL and the rows.
type request struct {
	database string
	format   string // of the answer, unless the SQL names one
	queryID  string
	settings []setting // sorted by name: they choose the pooled connection
	varying  []setting // differ for each INSERT: they go into its text
	params   parameters
	external []externalTable

	session        string
	sessionTimeout time.Duration
	sessionCheck   bool

	protocol  int    // client_protocol_version, 0 when the client named none
	block     string // ClickHouse block compression of the answer: "", LZ4 or ZSTD
	unblock   bool   // the body is ClickHouse compressed blocks
	coding    string // HTTP content coding of the answer, "" for none
	waitWhole bool   // answer only when all is known
}

// externalTable is a temporary table that travels with the request.
type externalTable struct{ name, format, structure string }

// notSettings are URL parameters of the HTTP interface itself; everything else is an engine setting.
var notSettings = map[string]bool{
	"query": true, "database": true, "default_format": true, "client_protocol_version": true, "query_id": true,
	"quota_key": true, "user": true, "password": true, "role": true, "compress": true, "decompress": true, "buffer_size": true,
	"wait_end_of_query": true, "stacktrace": true, "session_id": true, "session_timeout": true, "session_check": true,
	"close_session": true,
	// A random value for each query would need a connection for each, and the engine keeps no query log to show it in.
	"log_comment": true,
}

// ladder holds the values of max_execution_time that choose a connection. Clients derive theirs from a deadline, so that
// nearly every request has another one; rounded up, the engine stops a forgotten query a little later, and the client's own
// disconnect stops it on time.
var ladder = []float64{1, 2, 5, 10, 20, 40, 60, 120, 300, 600, 1800, 3600}

func roundSeconds(text string) string {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds <= 0 {
		return text
	}
	for _, step := range ladder {
		if seconds <= step {
			return strconv.FormatFloat(step, 'f', -1, 64)
		}
	}
	return text
}

// parseRequest reads the URL and the headers.
func parseRequest(r *http.Request) (*request, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(codeSyntax, "SYNTAX_ERROR", "the request's URL cannot be read")
	}
	rq := &request{
		database: firstOf(q.Get("database"), r.Header.Get("X-ClickHouse-Database"), "default"),
		format:   firstOf(q.Get("default_format"), r.Header.Get("X-ClickHouse-Format"), "TabSeparated"),
		queryID:  q.Get("query_id"), session: q.Get("session_id"), sessionCheck: isOn(q.Get("session_check")),
		unblock: isOn(q.Get("decompress")), waitWhole: isOn(q.Get("wait_end_of_query")),
	}
	if rq.queryID == "" {
		rq.queryID = newQueryID()
	}
	if v := q.Get("client_protocol_version"); v != "" {
		if rq.protocol, err = strconv.Atoi(v); err != nil {
			return nil, refuse(codeSyntax, "SYNTAX_ERROR", "client_protocol_version is not a number")
		}
	}
	if isOn(q.Get("compress")) {
		rq.block = "LZ4"
		if strings.EqualFold(q.Get("network_compression_method"), "ZSTD") {
			rq.block = "ZSTD"
		}
	}
	if isOn(q.Get("enable_http_compression")) {
		rq.coding = acceptedCoding(r.Header.Get("Accept-Encoding"))
	}
	if rq.sessionTimeout, err = sessionTimeout(q); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		rq.sort(name, q)
	}
	// A GET may not change anything, as on a server.
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && !q.Has("readonly") {
		rq.settings = append(rq.settings, setting{"readonly", "2"})
		slices.SortFunc(rq.settings, func(a, b setting) int { return strings.Compare(a.name, b.name) })
	}
	return rq, nil
}

// sort puts one URL parameter where it belongs.
func (rq *request) sort(name string, q url.Values) {
	value := q.Get(name)
	if param, ok := strings.CutPrefix(name, "param_"); ok {
		rq.params.names = append(rq.params.names, param)
		rq.params.values = append(rq.params.values, value)
		return
	}
	if table, ok := strings.CutSuffix(name, "_structure"); ok {
		rq.external = append(rq.external, externalTable{table, firstOf(q.Get(table+"_format"), "TabSeparated"), value})
		return
	}
	if table, ok := strings.CutSuffix(name, "_format"); ok && q.Has(table+"_structure") {
		return
	}
	switch {
	case notSettings[name], name == "format_schema" && value == "":
	case name == "insert_deduplication_token":
		rq.varying = append(rq.varying, setting{name, value})
	case name == "max_execution_time":
		rq.settings = append(rq.settings, setting{name, roundSeconds(value)})
	default:
		rq.settings = append(rq.settings, setting{name, value})
	}
}

func sessionTimeout(q url.Values) (time.Duration, error) {
	if isOn(q.Get("close_session")) {
		return 0, nil
	}
	v := q.Get("session_timeout")
	if v == "" {
		return defaultSessionTimeout, nil
	}
	seconds, err := strconv.Atoi(v)
	if err != nil || seconds < 0 || time.Duration(seconds)*time.Second > maxSessionTimeout {
		return 0, refuse(374, "INVALID_SESSION_TIMEOUT", "session_timeout must be between 0 and 3600 seconds")
	}
	return time.Duration(seconds) * time.Second, nil
}

// acceptedCoding chooses the answer's content coding from what the client accepts.
func acceptedCoding(header string) string {
	accepted := map[string]bool{}
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		if q := strings.ReplaceAll(strings.TrimSpace(params), " ", ""); q == "q=0" || q == "q=0.0" {
			continue
		}
		accepted[strings.ToLower(strings.TrimSpace(name))] = true
	}
	for _, c := range []string{"br", "lz4", "zstd", "gzip", "deflate"} {
		if accepted[c] {
			return c
		}
	}
	return ""
}

func newQueryID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: it crashes the process instead
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func isOn(s string) bool { return s == "1" || strings.EqualFold(s, "true") }
