package e2e

import (
	"bytes"
	wire "encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// wired is an installation of which every process reaches the log, ClickHouse, the archive and the other processes over links of its own.
type wired struct {
	*split
	side  string            // the address of this machine at which the links are
	house *front            // before ClickHouse
	links map[string]*links // by the process's name
	all   map[string]*process
	entry *link // to the collector, whichever process that is
	gate  *link // to the api
}

// links are those of one process.
type links struct {
	log    []*link // to each broker
	house  *link
	others *link // from the other processes to it
}

func (l *links) toLog(state int32) {
	for _, one := range l.log {
		one.set(state)
	}
}

// wiring starts processes, each with the roles that its name begins with: "identity-2" is a second identity.
func wiring(t *testing.T, names ...string) *wired {
	t.Helper()
	return wiringOf(t, "", names...)
}

// wiringOf is wiring with another binary, unless it is empty.
func wiringOf(t *testing.T, stepped string, names ...string) *wired {
	t.Helper()
	s, _ := divide(t)
	s.stepped = stepped
	return wiringOn(t, s, names...)
}

// wiringOn is wiring on engines that run.
func wiringOn(t *testing.T, s *split, names ...string) *wired {
	t.Helper()
	w := &wired{split: s, side: "127.0.0.1", links: map[string]*links{}, all: map[string]*process{}, entry: between(t, ""), gate: between(t, "")}
	for _, n := range s.inside {
		w.side = n.outside
	}
	w.house = newFront(t, s.flag(t, "--clickhouse"))
	for _, name := range names {
		w.begin(t, name)
	}
	return w
}

// flag gives the value of one of the flags that say where the engines are.
func (s *split) flag(t *testing.T, name string) string {
	t.Helper()
	for n, flag := range s.engines {
		if flag == name {
			return s.engines[n+1]
		}
	}
	t.Fatalf("there is no %s", name)
	return ""
}

// begin starts a process, again if it ran before.
func (w *wired) begin(t *testing.T, name string) {
	t.Helper()
	l := w.links[name]
	if l == nil {
		l = &links{log: toKafka(t, w.side, w.place.brokers), house: betweenAt(t, w.side, w.house.Addr), others: betweenAt(t, w.side, "")}
		w.links[name] = l
	}
	house, err := url.Parse(w.flag(t, "--clickhouse"))
	if err != nil {
		t.Fatal(err)
	}
	house.Host = l.house.Addr
	var brokers []string
	for _, one := range l.log {
		brokers = append(brokers, one.Addr)
	}
	port, err := net.Listen("tcp", loopback()+":0") // one that stays free
	if err != nil {
		t.Fatal(err)
	}
	port.Close() //nolint:errcheck // nobody called
	l.others.to(port.Addr().String())
	rpc := []string{"--rpc", port.Addr().String(), "--advertise", l.others.Addr}
	if n := w.inside[name]; n != nil { // nobody but its network is between it and the others
		rpc = []string{"--rpc", n.host() + ":7000"}
	}
	flags := []string{"--kafka", strings.Join(brokers, ","), "--clickhouse", house.String(), "--archive", w.flag(t, "--archive")}
	flags = append(flags, rpc...)
	if w.place.prefix != "" {
		flags = append(flags, "--topic-prefix", w.place.prefix)
	}
	roles, _, _ := strings.Cut(name, "-")
	p := w.serveOn(t, name, roles, flags)
	w.all[name] = p
	if strings.Contains(roles, "collector") {
		w.entry.to(strings.TrimPrefix(p.url, "http://"))
	}
	if strings.Contains(roles, "api") {
		w.gate.to(strings.TrimPrefix(p.url, "http://"))
	}
}

// installation is how senders and commands reach it.
func (w *wired) installation(t *testing.T) *installation {
	t.Helper()
	i := &installation{data: filepath.Join(w.dir, "keeper"), log: w.log}
	i.read(t)
	i.URL, i.api = "http://"+w.entry.Addr, "http://"+w.gate.Addr
	return i
}

// owner returns once a process holds the lease of a role.
func (w *wired) owner(t *testing.T, role string, candidates ...string) string {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(50 * time.Millisecond) {
		for _, name := range candidates {
			if strings.Contains(metricsOf(t, w.all[name]), `dossier_lease_held{lease="`+role) {
				return name
			}
		}
	}
	t.Fatalf("nobody holds the lease of %s", role)
	return ""
}

// front stands before ClickHouse, and has it refuse writes when it is told to.
type front struct {
	Addr  string
	state atomic.Int32
}

const (
	writable  int32 = iota
	readonly        // the server's setting
	tableOnly       // as a table whose replica has lost its quorum
)

func newFront(t *testing.T, clickhouse string) *front {
	t.Helper()
	target, err := url.Parse(clickhouse)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", target.Host },
		FlushInterval: -1,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // as without a proxy
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		state, query := f.state.Load(), r.URL.Query()
		if state != writable && r.Method == http.MethodPost {
			body := make([]byte, 6)
			n, _ := io.ReadFull(r.Body, body) //nolint:errcheck // a shorter body is no insert
			writes := strings.EqualFold(string(body[:n]), "insert") || strings.HasPrefix(strings.ToLower(query.Get("query")), "insert")
			switch {
			case writes && state == tableOnly:
				w.Header().Set("X-ClickHouse-Exception-Code", "242")
				w.WriteHeader(http.StatusInternalServerError)
				io.WriteString(w, "Code: 242. DB::Exception: Table is in readonly mode. (TABLE_IS_READ_ONLY)") //nolint:errcheck // it has hung up
				return
			case writes:
				query.Set("readonly", "2")
				r.URL.RawQuery = query.Encode()
			}
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(bytes.NewReader(body[:n]), r.Body), r.Body}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f.Addr = server.Listener.Addr().String()
	return f
}

// toKafka makes a link to each broker. What the brokers say of where they are is changed into where the links are.
func toKafka(t *testing.T, side string, brokers []string) []*link {
	t.Helper()
	at := map[string]string{}
	var links []*link
	for _, broker := range brokers {
		l := betweenAt(t, side, broker)
		at[broker] = l.Addr
		links = append(links, l)
	}
	for _, l := range links {
		l.translate = func(client, server io.Reader) (asks, answers io.Reader) {
			k := &kafkaTalk{at: at}
			return frames(client, k.ask), frames(server, k.answer)
		}
	}
	return links
}

// kafkaTalk is one connection to a broker.
type kafkaTalk struct {
	at map[string]string // where a broker is reached

	mu    sync.Mutex
	asked []question // and not answered yet, in order
}

type question struct{ key, version int16 }

func (k *kafkaTalk) ask(frame []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, question{int16(wire.BigEndian.Uint16(frame[4:])), int16(wire.BigEndian.Uint16(frame[6:]))})
	return frame, nil
}

func (k *kafkaTalk) answer(frame []byte) ([]byte, error) {
	k.mu.Lock()
	if len(k.asked) == 0 {
		k.mu.Unlock()
		return nil, io.ErrUnexpectedEOF
	}
	a := k.asked[0]
	k.asked = k.asked[1:]
	k.mu.Unlock()
	if protocol.ApiKey(a.key) != protocol.Metadata {
		return frame, nil
	}
	correlation, message, err := protocol.ReadResponse(bytes.NewReader(frame), protocol.Metadata, a.version)
	if err != nil {
		return nil, err
	}
	layout := message.(*metadata.Response)
	for n := range layout.Brokers {
		b := &layout.Brokers[n]
		through, known := k.at[net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))]
		if !known {
			return nil, io.ErrUnexpectedEOF // nobody may go past the links
		}
		host, port, err := net.SplitHostPort(through)
		if err != nil {
			return nil, err
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			return nil, err
		}
		b.Host, b.Port = host, int32(number)
	}
	var out bytes.Buffer
	err = protocol.WriteResponse(&out, a.version, correlation, layout)
	return out.Bytes(), err
}

// frames reads Kafka's frames, each as change makes it.
func frames(from io.Reader, change func([]byte) ([]byte, error)) io.Reader {
	r, w := io.Pipe()
	go func() {
		for {
			var head [4]byte
			if _, err := io.ReadFull(from, head[:]); err != nil {
				w.CloseWithError(err) //nolint:errcheck // it never fails
				return
			}
			frame := make([]byte, 4+wire.BigEndian.Uint32(head[:]))
			copy(frame, head[:])
			_, err := io.ReadFull(from, frame[4:])
			if err == nil {
				frame, err = change(frame)
			}
			if err == nil {
				_, err = w.Write(frame)
			}
			if err != nil {
				w.CloseWithError(err) //nolint:errcheck // it never fails
				return
			}
		}
	}()
	return r
}

// series are the events of faults that come one after another, with the digests that an undisturbed installation has after each.
type series struct {
	size    int
	events  []json.RawMessage
	digests []string
}

// newSeries has the events of n faults.
func newSeries(t *testing.T, n, size int) *series {
	t.Helper()
	s := &series{size: size, events: someEvents(n * size)}
	calm := install(t)
	for k := range n {
		var l load
		l.start(t, calm, s.part(k))
		l.end(t)
		s.digests = append(s.digests, calm.digest(t))
	}
	calm.down(t)
	return s
}

func (s *series) part(k int) []json.RawMessage { return s.events[k*s.size : (k+1)*s.size] }

// during has something happen under the load of the k-th part, and proves what came of it.
func (s *series) during(t *testing.T, i *installation, k int, fault string, happens func(f *disturbed)) {
	t.Helper()
	f, begun := &disturbed{t: t}, time.Now()
	f.start(i, s.part(k))
	f.goesOn(rate / 4)
	happens(f)
	if t.Failed() {
		t.FailNow()
	}
	f.proven(i, fault, (k+1)*s.size, s.digests[k], begun)
}

// remains is how long a fault lasts.
func remains(short, full time.Duration) {
	if proving() {
		short = full
	}
	time.Sleep(short)
}
