package importer

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// memoryLog keeps the events of a run, opened.
type memoryLog struct {
	ring   *seal.Ring
	mu     sync.Mutex
	events map[schema.EventID]*schema.Event
	total  int
}

func (l *memoryLog) Submit(_ context.Context, messages []kafka.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		e := &schema.Event{}
		if err := envelope.Open(l.ring, m.Value, e); err != nil {
			return err
		}
		l.events[e.ID] = e
		l.total++
	}
	return nil
}

type oneKey struct{}

func (oneKey) WriteKey(secret string) (access.WriteKey, bool) {
	return access.WriteKey{ID: "k", Workspace: "main", Source: "import", Trust: schema.TrustServer}, secret == "server-key"
}

func (oneKey) Token(string) (access.Token, bool) { return access.Token{}, false }

// target is a collector over memory.
func target(t testing.TB) (*memoryLog, *httptest.Server) {
	t.Helper()
	ring, err := seal.NewRing("main", seal.Key{9}, []string{channel.DefaultClass}, 1990, 2030, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	log := &memoryLog{ring: ring, events: map[schema.EventID]*schema.Event{}}
	letters := &memoryLog{ring: ring, events: map[schema.EventID]*schema.Event{}}
	w := &collector.Workspace{
		Name: "main", Ids: ids.New(ring.PRF()), Sealer: &envelope.Sealer{Keys: ring, Nonces: rand.Reader},
		Letters: &deadletter.Box{Keys: ring, Log: discard{letters}, Random: rand.Reader},
		Epoch:   func(id schema.PersonaID) (uint32, schema.Instant) { return ring.CurrentEpoch(id), collector.NoCutOff },
		Source:  func(name string) *channel.Source { return &channel.Source{Name: name} },
	}
	c := collector.New(collector.Config{
		Access: oneKey{}, Log: log, Workspace: func(string) (*collector.Workspace, bool) { return w, true },
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	server := httptest.NewServer(c.Handler())
	t.Cleanup(server.Close)
	return log, server
}

// discard takes dead letters, which hold no event.
type discard struct{ log *memoryLog }

func (d discard) Submit(_ context.Context, messages []kafka.Message) error {
	d.log.mu.Lock()
	defer d.log.mu.Unlock()
	d.log.total += len(messages)
	return nil
}

func compileText(t testing.TB, text string) *mapping.Mapping {
	t.Helper()
	m, err := mapping.Compile([]byte(text), time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func refusedLines(t testing.TB, s *Summary) (list []refusal) {
	t.Helper()
	if s.Refusals == "" {
		return nil
	}
	text, err := os.ReadFile(s.Refusals)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var r refusal
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

const peopleMap = `
name: people
events:
  - type: profile.identified
    record: id
    time: at
    account: {kind: user_id, value: id}
    identifiers: [{kind: email, value: email}]
    traits: {city: city}
    amount: {column: spend, decimal: point}
`

const goodRows = "id,at,email,city,spend\n1,2024-01-01T00:00:00Z,a@b.fr,Orléans,3.5\n2,2024-01-02T00:00:00Z,c@d.fr,\"Aix, Provence\",\n"

// separated are the good rows with another delimiter, which needs no quotes.
func separated(delimiter string) string {
	plain := strings.ReplaceAll(goodRows, `"Aix, Provence"`, "Aix& Provence")
	return strings.ReplaceAll(strings.ReplaceAll(plain, ",", delimiter), "Aix&", "Aix,")
}

func TestForms(t *testing.T) {
	latin, err := charmap.Windows1252.NewEncoder().String(goodRows)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(goodRows)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, goodRows) // a buffer takes everything
	z.Close()
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	ndjson := `{"id":1,"at":"2024-01-01T00:00:00Z","email":"a@b.fr","city":"Orléans","spend":3.5}` + "\n" + `{"id":2,"at":"2024-01-02T00:00:00Z","email":"c@d.fr","city":"Aix, Provence","spend":null}` + "\n"
	array := "[" + strings.ReplaceAll(strings.TrimSpace(ndjson), "\n", ",\n") + "]"
	for _, c := range []struct{ name, file, text string }{
		{"csv", "p.csv", goodRows},
		{"CRLF, byte order mark", "p.csv", "\ufeff" + strings.ReplaceAll(goodRows, "\n", "\r\n")},
		{"Latin-1", "p.csv", latin},
		{"UTF-16", "p.csv", wide},
		{"semicolons", "p.csv", separated(";")},
		{"tabs", "p.tsv", separated("\t")},
		{"gzip", "p.csv.gz", packed.String()},
		{"zstd", "p.csv.zst", string(encoder.EncodeAll([]byte(goodRows), nil))},
		{"NDJSON", "p.ndjson", ndjson},
		{"JSON", "p.json", array},
		{"no last line end", "p.csv", strings.TrimSuffix(goodRows, "\n")},
		{"blank lines", "p.csv", strings.ReplaceAll(goodRows, "\n", "\n\n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, server := target(t)
			s, err := File(context.Background(), Config{URL: server.URL, Key: "server-key", Mapping: compileText(t, peopleMap)}, writeFile(t, c.file, c.text))
			if err != nil {
				t.Fatal(err)
			}
			if s.Read != 2 || s.Accepted != 2 || s.Refused != 0 || len(log.events) != 2 || !s.Complete() {
				t.Fatalf("%+v, %d events, %+v", s, len(log.events), refusedLines(t, s))
			}
			cities := map[string]string{}
			for _, e := range log.events {
				cities[e.Account.Value] = string(e.Traits[0].Value)
			}
			if cities["1"] != `"Orléans"` || cities["2"] != `"Aix, Provence"` {
				t.Fatalf("%v", cities)
			}
		})
	}
}

func TestFaultyRows(t *testing.T) {
	for _, c := range []struct {
		name, text     string
		accepted, line int
		column, code   string
	}{
		{"quote never closed", goodRows + "3,2024-01-01T00:00:00Z,\"x@y.fr,Nantes,\n4,2024-01-01T00:00:00Z,z@y.fr,Nantes,\n", 3, 4, "email", "quote_open"},
		{"quote never closed, and one later that closes it", goodRows + "3,2024-01-01T00:00:00Z,\"x@y.fr,Nantes,\n4,2024-01-01T00:00:00Z,z@y.fr,\"Nantes\",\n", 3, 4, "email", "quote_misplaced"},
		{"too few columns", goodRows + "3,2024-01-01T00:00:00Z\n4,2024-01-01T00:00:00Z,z@y.fr,Nantes,\n", 3, 4, "", "row_ragged"},
		{"a time that is none", goodRows + "3,yesterday,x@y.fr,Nantes,\n", 2, 4, "at", "time_invalid"},
		{"an amount that is none", goodRows + "3,2024-01-01T00:00:00Z,x@y.fr,Nantes,a lot\n", 2, 4, "spend", "field_invalid"},
		{"not UTF-8 far behind", goodRows + strings.Repeat("9,2024-01-01T00:00:00Z,x@y.fr,Nantes,\n", 8000) + "3,2024-01-01T00:00:00Z,x@y.fr,N\xeemes,\n", 8002, 8004, "city", "invalid_utf8"},
		{"refused by the collector", goodRows + "3,2924-01-01T00:00:00Z,x@y.fr,Nantes,\n", 2, 4, "", "time_invalid"},
		{"too far ahead", goodRows + "3," + time.Now().Add(72*time.Hour).UTC().Format(time.RFC3339) + ",x@y.fr,Nantes,\n", 2, 4, "", "time_in_future"},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, server := target(t)
			s, err := File(context.Background(), Config{URL: server.URL, Key: "server-key", Mapping: compileText(t, peopleMap)}, writeFile(t, "p.csv", c.text))
			if err != nil {
				t.Fatal(err)
			}
			refused := refusedLines(t, s)
			if len(refused) == 0 {
				t.Fatalf("nothing was refused: %+v", s)
			}
			r := refused[0]
			if r.Code != c.code || r.Line != c.line || c.column != "" && r.Column != c.column || r.Reason == "" || r.Hint == "" {
				t.Fatalf("%+v", refused)
			}
			if s.Accepted != int64(c.accepted) || s.Refused != 1 || s.Complete() || log.total != c.accepted {
				t.Fatalf("%+v, %d events", s, log.total)
			}
		})
	}
}

func TestColumnsThatAreMissing(t *testing.T) {
	_, server := target(t)
	cfg := Config{URL: server.URL, Key: "server-key", Mapping: compileText(t, peopleMap)}
	s, err := File(context.Background(), cfg, writeFile(t, "p.csv", "id,at,mail\n1,2024-01-01T00:00:00Z,a@b.fr\n"))
	if err != nil || s.Accepted != 1 || strings.Join(s.Missing, " ") != "city email spend" || s.Complete() {
		t.Fatalf("%v %+v", err, s)
	}
	_, err = File(context.Background(), cfg, writeFile(t, "p.csv", "number,at,email\n1,2024-01-01T00:00:00Z,a@b.fr\n"))
	if err == nil || !strings.Contains(err.Error(), "there is no column id, which the mapping needs; the columns are: number, at, email: correct the mapping") {
		t.Fatal(err)
	}
	wrong := strings.Replace(peopleMap, "name: people", "name: people\ndelimiter: \";\"", 1)
	_, err = File(context.Background(), Config{URL: server.URL, Key: "server-key", Mapping: compileText(t, wrong)}, writeFile(t, "p.csv", goodRows))
	if err == nil || !strings.Contains(err.Error(), `separates columns by ","`) {
		t.Fatal(err)
	}
}

func TestImportingAgainAddsNothing(t *testing.T) {
	log, server := target(t)
	cfg := Config{URL: server.URL, Key: "server-key", Mapping: compileText(t, peopleMap)}
	path := writeFile(t, "p.csv", goodRows)
	for range 2 {
		if _, err := File(context.Background(), cfg, path); err != nil {
			t.Fatal(err)
		}
	}
	if len(log.events) != 2 || log.total != 4 {
		t.Fatalf("%d events in %d records", len(log.events), log.total)
	}
	changed := writeFile(t, "p.csv", strings.Replace(goodRows, "Orléans", "Tours", 1))
	if _, err := File(context.Background(), cfg, changed); err != nil || len(log.events) != 3 {
		t.Fatalf("%v, %d events: a changed row is a new event", err, len(log.events))
	}
}

func TestCollectorThatFails(t *testing.T) {
	log, server := target(t)
	var failures atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if failures.Add(1) <= 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		server.Config.Handler.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	m := compileText(t, peopleMap)
	s, err := File(context.Background(), Config{URL: proxy.URL, Key: "server-key", Mapping: m}, writeFile(t, "p.csv", goodRows))
	if err != nil || s.Accepted != 2 || log.total != 2 {
		t.Fatalf("%v %+v", err, s)
	}
	_, err = File(context.Background(), Config{URL: proxy.URL, Key: "nonsense", Mapping: m}, writeFile(t, "p.csv", goodRows))
	if err == nil || !strings.Contains(err.Error(), "401") {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = File(ctx, Config{URL: proxy.URL, Key: "server-key", Mapping: m}, writeFile(t, "p.csv", goodRows)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// sharedFile finds a file of the data folder, and skips the test if there is none, except under CI.
func sharedFile(t testing.TB, path string) string {
	t.Helper()
	root := os.Getenv("DOSSIER_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	file := filepath.Join(root, "data", path)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: set DOSSIER_SHARED", path)
		}
		t.Skipf("%s is missing: set DOSSIER_SHARED to the folder that holds data/", path)
	}
	return file
}

func mappingFile(t testing.TB, name string) *mapping.Mapping {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "mappings", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return compileText(t, string(text))
}
