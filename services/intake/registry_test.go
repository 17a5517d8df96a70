package intake

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dossier-cdp/dossier/schema"
)

// registryServer stands in for a schema registry: it answers the paths of Confluent's API in its forms.
type registryServer struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string]int
	fail  int // so many answers are 503
	user  string
}

// answer is a schema as the API gives it.
type answer struct {
	Schema     string           `json:"schema"`
	SchemaType string           `json:"schemaType,omitempty"`
	References []map[string]any `json:"references,omitempty"`
}

func startRegistry(t *testing.T, schemas map[string]answer) *registryServer {
	t.Helper()
	g := &registryServer{asked: map[string]int{}}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.asked[r.URL.Path]++
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		user, password, _ := r.BasicAuth()
		found, is := schemas[r.URL.Path]
		status, body := http.StatusOK, any(found)
		switch {
		case g.fail > 0:
			g.fail--
			status, body = 503, map[string]any{"error_code": 50003, "message": "Error while forwarding the request to the primary"}
		case g.user != "" && user+":"+password != g.user:
			status, body = 401, map[string]any{"error_code": 401, "message": "Unauthorized"}
		case !is:
			status, body = 404, map[string]any{"error_code": 40403, "message": "Schema not found"}
		}
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *registryServer) count(path string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked[path]
}

const home = `{"type":"record","name":"Home","fields":[{"name":"city","type":"string"}]}`

// TestRegistry: records name their schemas, which are asked for once; while the registry is away, or refuses us, they wait; what it does not
// have, or has for something else, is a dead letter.
func TestRegistry(t *testing.T) {
	g := startRegistry(t, map[string]answer{
		"/schemas/ids/7": {Schema: `{"type":"record","name":"c","fields":[{"name":"id","type":"string"},{"name":"city","type":"string"}]}`},
		"/schemas/ids/8": {Schema: `{"type":"record","name":"c","fields":[{"name":"id","type":"string"},{"name":"home","type":"Home"}]}`, SchemaType: "AVRO",
			References: []map[string]any{{"name": "Home", "subject": "shop/home", "version": 3}}},
		"/subjects/shop/home/versions/3":                      {Schema: home},
		"/schemas/ids/9":                                      {Schema: `syntax = "proto3"; message C { string id = 1; }`, SchemaType: "PROTOBUF"},
		"/schemas/guids/89791762-2336-4186-9674-299b90a802e2": {Schema: `{"type":"record","name":"c","fields":[{"name":"id","type":"string"}]}`},
	})
	g.fail, g.user = 3, "dossier:hush"
	r := newRig(t, 1)
	r.registry = &HTTPRegistry{URL: g.URL + "/", User: "dossier", Password: "guessed"}
	written := func(id uint32, text string, native map[string]any) []byte {
		t.Helper()
		codec, err := goavro.NewCodec(text)
		if err != nil {
			t.Fatal(err)
		}
		value, err := codec.BinaryFromNative(binary.BigEndian.AppendUint32([]byte{0}, id), native)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	flat := `{"type":"record","name":"c","fields":[{"name":"id","type":"string"},{"name":"city","type":"string"}]}`
	deep := `{"type":"record","name":"c","fields":[{"name":"id","type":"string"},{"name":"home","type":` + home + `}]}`
	r.configure(t, `{"sources":{"crm":{"kafka":{"cluster":"company","topic":"crm","format":"avro","registry":true,`+customerMap+`}}}}`)
	var values [][]byte
	for n := range 20 {
		values = append(values, written(7, flat, map[string]any{"id": fmt.Sprintf("c%d", n), "city": "Lyon"}))
	}
	values = append(values, written(8, deep, map[string]any{"id": "d", "home": map[string]any{"city": "Lyon"}}), written(9, flat, map[string]any{"id": "x", "city": "Lyon"}), written(10, flat, map[string]any{"id": "x", "city": "Lyon"}))
	r.send(t, 0, values...)
	guid := []byte("\x01\x89\x79\x17\x62\x23\x36\x41\x86\x96\x74\x29\x9b\x90\xa8\x02\xe2")
	if err := r.producer.ProduceSync(t.Context(), &kgo.Record{Value: []byte("\x02g"), Headers: []kgo.RecordHeader{{Key: "__value_schema_id", Value: guid}}, Timestamp: time.UnixMilli(1_700_000_000_000)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	stop := r.run(t)
	eventually(t, "the registry refuses us", func() bool { return g.count("/schemas/ids/7") > 4 })
	if n, _, l := r.counts(); n+l > 0 {
		t.Errorf("%d events and %d letters of records whose schema is not known", n, l)
	}
	stop()
	r.registry = &HTTPRegistry{URL: g.URL, User: "dossier", Password: "hush"}
	before := g.count("/schemas/ids/7")
	defer r.run(t)()
	eventually(t, "all is taken", func() bool { n, _, l := r.counts(); return n == 22 && l == 2 })
	for path, want := range map[string]int{"/schemas/ids/7": before + 1, "/schemas/ids/8": 1, "/subjects/shop/home/versions/3": 1, "/schemas/guids/89791762-2336-4186-9674-299b90a802e2": 1} {
		if got := g.count(path); got != want {
			t.Errorf("%s was asked for %d times, want %d", path, got, want)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.letters {
		if l.Code != "schema_unknown" {
			t.Errorf("%s %s", l.Code, l.Reason)
		}
	}
}

// TestRegistryRefuses: what a registry answers wrongly holds records up with a reason, and only its own word that a schema is not there
// refuses them.
func TestRegistryRefuses(t *testing.T) {
	answers := map[string]func(w http.ResponseWriter){
		"not JSON":      func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") },
		"a proxy's 404": func(w http.ResponseWriter) { w.WriteHeader(404); fmt.Fprint(w, "not found") },
		"no schema":     func(w http.ResponseWriter) { fmt.Fprint(w, `{"id":7}`) },
		"cut":           func(w http.ResponseWriter) { w.Header().Set("Content-Length", "100"); fmt.Fprint(w, `{"schema":`) },
		"too much":      func(w http.ResponseWriter) { fmt.Fprintf(w, `{"schema":%q}`, strings.Repeat("x", maxSchema)) },
		"a circle": func(w http.ResponseWriter) {
			fmt.Fprint(w, `{"schema":"{}","references":[{"name":"a","subject":"a","version":1}]}`)
		},
	}
	for name, answers := range answers {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answers(w) }))
		_, err := (&HTTPRegistry{URL: server.URL}).Schema(t.Context(), "7")
		server.Close()
		want := schema.Transient
		if name == "too much" {
			want = schema.Rejected
		}
		if name == "a circle" {
			if err != nil {
				t.Errorf("a circle: %v", err)
			}
			continue
		}
		if schema.ClassOf(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (&HTTPRegistry{URL: "http://127.0.0.1:1"}).Schema(t.Context(), "7"); schema.ClassOf(err) != schema.Transient {
		t.Errorf("nobody there: %v", err)
	}
}
