package collector

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/native"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/services/internal/shortcut"
)

// calls are Segment's calls by the last part of their path. The batch path has none.
var calls = map[string]string{
	"identify": "identify", "track": "track", "page": "page", "screen": "screen", "group": "group", "alias": "alias",
	"i": "identify", "t": "track", "p": "page", "s": "screen", "g": "group", "a": "alias",
}

// Paths are the patterns under which Handler is to be mounted.
func Paths() []string { return []string{"/v1/", hookPath, customerPath} }

// Handler serves every path under /v1/, /hooks/ and /api/v1/.
func (c *Collector) Handler() http.Handler { return http.HandlerFunc(c.serve) }

// Unavailable answers a request for which there is no collector now.
func Unavailable(w http.ResponseWriter) {
	f := fail(http.StatusServiceUnavailable, "no_collector", "no collector can be reached now", "send it again; what was written after all counts once")
	f.retryAfter = time.Second
	w.Header().Set("Access-Control-Allow-Origin", "*")
	answerFailure(w, f)
}

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	status := c.route(w, r)
	c.metrics.answer(status, time.Since(started))
}

// route answers a request and returns the status.
func (c *Collector) route(w http.ResponseWriter, r *http.Request) int {
	if strings.HasPrefix(r.URL.Path, hookPath) {
		return c.hook(w, r)
	}
	if strings.HasPrefix(r.URL.Path, customerPath) {
		return c.customer(w, r)
	}
	header := w.Header()
	// No cookie and no other ambient right counts here, so every page may call: what a client key may do, everyone may.
	header[allowOrigin] = anyOrigin
	name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	if r.Method == http.MethodOptions {
		return preflight(w, r)
	}
	if key, ok := settingsPath(name); ok {
		return c.settings(w, r, key)
	}
	call, isCall := calls[name]
	isBatch := name == "batch" || name == "b"
	isNative := name == "events"
	if !isCall && !isBatch && !isNative {
		return answerFailure(w, fail(http.StatusNotFound, "path_unknown", "there is no such path", "see the paths under HTTP in the README"))
	}
	if r.Method != http.MethodPost {
		header.Set("Allow", "POST, OPTIONS")
		return answerFailure(w, fail(http.StatusMethodNotAllowed, "method_not_allowed", "this path takes POST", "send POST"))
	}
	in := intakes.Get().(*intake)
	in.call, in.native, in.endpoint = call, isNative, "/v1/"+name
	if isBatch {
		in.endpoint = "/v1/batch"
	} else if isCall {
		in.endpoint = "/v1/" + call
	}
	return c.ingest(w, in, c.arrivalOf(w, r))
}

// PlainPaths are those that ServePlain takes.
func PlainPaths() (paths []string) {
	for path := range plainCalls {
		paths = append(paths, path)
	}
	return paths
}

// plainCalls are Segment's calls by their whole path; the batch has none.
var plainCalls = func() map[string]string {
	paths := map[string]string{"/v1/batch": "", "/v1/b": ""}
	for name, call := range calls {
		paths["/v1/"+name] = call
	}
	return paths
}()

// endpoints are the paths by which dead letters name Segment's calls.
var endpoints = func() map[string]string {
	paths := map[string]string{"": "/v1/batch"}
	for _, call := range calls {
		paths[call] = "/v1/" + call
	}
	return paths
}()

// ServePlain answers as Handler does what comes without net/http.
func (c *Collector) ServePlain(w http.ResponseWriter, r *shortcut.Request) {
	started := time.Now()
	w.Header()[allowOrigin] = anyOrigin
	in := intakes.Get().(*intake)
	in.call = plainCalls[r.Path]
	in.endpoint = endpoints[in.call]
	a := arrival{
		authorization: r.Authorization, contentType: r.ContentType, length: r.Length, body: r.Body,
		unread: func(f *failure) int { return answerFailure(w, f) },
	}
	if !r.Whole {
		a.deadline = r.Deadline
	}
	status := c.ingest(w, in, &a)
	c.metrics.answer(status, time.Since(started))
}

// arrival is what the collector needs of a request.
type arrival struct {
	context       context.Context // nil: nobody traces it, and the log's own patience is its time
	header        http.Header     // for events in CloudEvents' binary mode; nil on Segment's paths
	authorization string
	contentType   string
	encoding      string
	length        int64 // −1 if it is not stated
	body          io.Reader
	deadline      func(at time.Time) error // of reading the body; nil if it is here
	unread        func(f *failure) int     // answers a failure to read the body
}

func (c *Collector) arrivalOf(w http.ResponseWriter, r *http.Request) *arrival {
	return &arrival{
		context: r.Context(), header: r.Header, authorization: r.Header.Get("Authorization"), contentType: r.Header.Get("Content-Type"),
		encoding: r.Header.Get("Content-Encoding"), length: r.ContentLength, body: r.Body, deadline: http.NewResponseController(w).SetReadDeadline,
		unread: func(f *failure) int { return c.answerUnread(w, r, f) },
	}
}

func (c *Collector) ingest(w http.ResponseWriter, in *intake, a *arrival) int {
	secret, scheme := credential(a.authorization)
	who, known := c.find(secret, scheme)
	if !known && scheme != "" && scheme != bearer {
		return answerFailure(w, unauthorized(w, "key_unknown", "the write key is unknown or revoked"))
	}
	b, f := c.read(a)
	if f != nil {
		return a.unread(f)
	}
	in.c = c
	text := b.bytes
	if in.native {
		text = in.cloudEvent(a.header, text)
	}
	if f = in.takeApart(text, a.contentType); f == nil && !known {
		who, f = c.findInBody(w, in, text, scheme)
	}
	if f == nil {
		f = c.prepare(in, who, text)
	}
	b.release()
	switch {
	case f != nil:
	case a.context == nil:
		f = c.store(context.Background(), in)
	default:
		f = c.write(a.context, in)
	}
	if f != nil {
		return answerFailure(w, f)
	}
	status := in.answer(w)
	in.release()
	return status
}

// The schemes of a credential.
const (
	basic  = "basic"
	bearer = "bearer"
)

// credential reads the write key or token of a request's header Authorization.
func credential(authorization string) (secret, scheme string) {
	if len(authorization) > 6 && strings.EqualFold(authorization[:6], "basic ") {
		if pair, err := base64.StdEncoding.DecodeString(authorization[6:]); err == nil {
			if user, password, found := strings.Cut(string(pair), ":"); found {
				return cmp.Or(user, password), basic
			}
		}
	}
	if len(authorization) > 7 && strings.EqualFold(authorization[:7], "bearer ") {
		return strings.TrimSpace(authorization[7:]), bearer
	}
	return "", ""
}

func (c *Collector) find(secret, scheme string) (caller, bool) {
	if secret == "" {
		return caller{}, false
	}
	if scheme == bearer {
		if t, ok := c.access.Token(secret); ok {
			return tokenCaller(t), true
		}
	}
	k, ok := c.access.WriteKey(secret)
	return keyCaller(k), ok
}

// findInBody finds the write key that a body carries: beside a batch's items, or in the one item.
func (c *Collector) findInBody(w http.ResponseWriter, in *intake, text []byte, scheme string) (caller, *failure) {
	from := in.parts.envelope
	if len(from) == 0 && len(in.parts.items) == 1 {
		from = text[in.parts.items[0].from:in.parts.items[0].to]
	}
	secret := ""
	if len(from) > 2 && len(from) <= c.limits.Native.EventBytes {
		if doc, err := canonical.Parse(from, canonical.Limits{}); err == nil {
			secret, _ = doc.Root().Get("writeKey").Str()
			doc.Release()
		} else if r := (*schema.Refusal)(nil); errors.As(err, &r) && r.Code == channel.CodeNotJSON {
			return caller{}, notJSON(text, 0, "a JSON value")
		}
	}
	if who, known := c.find(secret, basic); known {
		return who, nil
	}
	switch {
	case secret != "" || scheme != "":
		return caller{}, unauthorized(w, "key_unknown", "the write key or token is unknown or revoked")
	default:
		return caller{}, unauthorized(w, "key_missing", "there is no write key")
	}
}

func unauthorized(w http.ResponseWriter, code, reason string) *failure {
	w.Header().Set("WWW-Authenticate", `Basic realm="write key"`)
	return fail(http.StatusUnauthorized, code, reason, "send a write key of the source: Authorization: Basic base64(KEY:), or writeKey in the body")
}

func isNDJSON(contentType string) bool {
	return strings.Contains(contentType, "ndjson") || strings.Contains(contentType, "jsonl") || strings.Contains(contentType, "json-seq")
}

// cloudEvent recognises CloudEvents by the headers of their HTTP binding. One in binary mode, whose attributes are headers, becomes
// its structured form.
func (in *intake) cloudEvent(header http.Header, text []byte) []byte {
	contentType := header.Get("Content-Type")
	in.cloud = strings.HasPrefix(contentType, "application/cloudevents")
	if in.cloud || header.Get("Ce-Specversion") == "" {
		return text
	}
	in.cloud = true
	attributes := map[string]string{}
	for name := range header {
		attribute, is := strings.CutPrefix(name, "Ce-")
		if !is {
			continue
		}
		value := headerText(header.Get(name))
		if plain, err := url.PathUnescape(value); err == nil { // the binding percent-encodes what is not printable ASCII
			value = plain
		}
		attributes[strings.ToLower(attribute)] = value
	}
	return native.StructuredCloudEvent(attributes, contentType, text)
}

// headerText is the text of a header. HTTP has Latin-1 there, which browsers and Node still send; what is UTF-8 was meant as such.
func headerText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

func preflight(w http.ResponseWriter, r *http.Request) int {
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	asked := r.Header.Get("Access-Control-Request-Headers")
	if asked == "" {
		asked = "Authorization, Content-Type, Content-Encoding"
	}
	header.Set("Access-Control-Allow-Headers", asked)
	header.Set("Access-Control-Max-Age", "86400")
	header.Add("Vary", "Access-Control-Request-Headers")
	w.WriteHeader(http.StatusNoContent)
	return http.StatusNoContent
}

// settingsPath reads projects/KEY/settings.
func settingsPath(name string) (key string, ok bool) {
	rest, ok := strings.CutPrefix(name, "projects/")
	if !ok {
		return "", false
	}
	key, ok = strings.CutSuffix(rest, "/settings")
	return key, ok && key != "" && !strings.Contains(key, "/")
}

// settings tells Segment's browser SDK where to send: here.
func (c *Collector) settings(w http.ResponseWriter, r *http.Request, secret string) int {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		return answerFailure(w, fail(http.StatusMethodNotAllowed, "method_not_allowed", "this path takes GET", "send GET"))
	}
	key, known := c.access.WriteKey(secret)
	if !known {
		return answerFailure(w, fail(http.StatusNotFound, "key_unknown", "the write key is unknown or revoked", "use the source's client key"))
	}
	if key.Trust != schema.TrustClient {
		return answerFailure(w, fail(http.StatusForbidden, "key_secret", "this is a server key, which no browser may hold", "use the source's client key, and revoke this one if it was published"))
	}
	protocol := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		protocol = "https"
	}
	answer, err := json.Marshal(map[string]any{
		"integrations": map[string]any{"Segment.io": map[string]any{
			"apiKey": secret, "apiHost": r.Host + "/v1", "protocol": protocol, "bundlingStatus": "bundled", "unbundledIntegrations": []string{},
			"type": "server", "addBundledMetadata": false, "versionSettings": map[string]any{"componentTypes": []string{"browser"}},
		}},
		"plan":                      map[string]any{"track": map[string]any{"__default": map[string]any{"enabled": true}}, "identify": map[string]any{"__default": map[string]any{"enabled": true}}, "group": map[string]any{"__default": map[string]any{"enabled": true}}},
		"edgeFunction":              map[string]any{},
		"analyticsNextEnabled":      true,
		"middlewareSettings":        map[string]any{},
		"enabledMiddleware":         map[string]any{},
		"metrics":                   map[string]any{"sampleRate": 0},
		"legacyVideoPluginsEnabled": false,
		"remotePlugins":             []any{},
	})
	if err != nil {
		return answerFailure(w, fail(http.StatusServiceUnavailable, "not_ready", "the settings cannot be written", "try again"))
	}
	w.Header().Set("Cache-Control", "no-cache")
	return write(w, http.StatusOK, answer)
}

func write(w http.ResponseWriter, status int, answer []byte) int {
	header := w.Header()
	header["Content-Type"] = isJSON
	header.Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(status)
	if _, err := w.Write(answer); err != nil {
		return status // the sender has hung up, and will send again what it heard no answer for
	}
	return status
}

// What every answer has; shared, so never changed.
const allowOrigin = "Access-Control-Allow-Origin"

var (
	anyOrigin = []string{"*"}
	isJSON    = []string{"application/json"}
)

// answerFailure answers a request of which nothing was stored.
func answerFailure(w http.ResponseWriter, f *failure) int {
	if f.hangUp {
		w.Header().Set("Connection", "close")
	}
	if f.retryAfter > 0 {
		seconds := int64((f.retryAfter + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	answer, err := json.Marshal(map[string]any{
		"success": false,
		"error":   map[string]string{"code": f.refusal.Code, "reason": f.refusal.Reason, "hint": f.refusal.Hint},
	})
	if err != nil {
		answer = []byte(`{"success":false}`)
	}
	return write(w, f.status, answer)
}

var allAccepted = []byte(`{"success":true}`)

// answer says what became of each event. Segment's SDKs want success and try 4xx and 5xx in their own ways, so a batch of which
// anything was usable is a success with a list of what was refused.
func (in *intake) answer(w http.ResponseWriter) int {
	r := &in.receipt
	if !in.native && len(r.Refused) == 0 {
		return write(w, http.StatusOK, allAccepted)
	}
	status := http.StatusOK
	switch {
	case in.hook:
	case r.forbidden():
		status = http.StatusForbidden
	case r.Accepted == 0:
		status = http.StatusBadRequest
	}
	answer := make([]byte, 0, 64+40*len(r.IDs)+256*len(r.Refused))
	answer = append(answer, '{')
	if !in.native {
		answer = append(answer, `"success":`...)
		answer = strconv.AppendBool(answer, r.Accepted > 0)
		answer = append(answer, ',')
	}
	answer = append(answer, `"accepted":`...)
	answer = strconv.AppendInt(answer, int64(r.Accepted), 10)
	answer = append(answer, `,"refused":[`...)
	for i := range r.Refused {
		one, err := json.Marshal(&r.Refused[i])
		if err != nil {
			continue // Unreachable: five plain fields.
		}
		if i > 0 {
			answer = append(answer, ',')
		}
		answer = append(answer, one...)
	}
	answer = append(answer, ']')
	if in.native {
		answer = append(answer, `,"ids":[`...)
		for i, id := range r.IDs {
			if i > 0 {
				answer = append(answer, ',')
			}
			if id.IsZero() {
				answer = append(answer, "null"...)
				continue
			}
			answer = append(append(append(answer, '"'), id.String()...), '"')
		}
		answer = append(answer, ']')
	}
	return write(w, status, append(answer, '}'))
}
