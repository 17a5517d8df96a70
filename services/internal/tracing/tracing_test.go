package tracing

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// receiver is an OTLP receiver that keeps what it gets.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans map[string]*wire.Span // by name; the last of each
	count int
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{spans: map[string]*wire.Span{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		var got wire.TracesData
		if err != nil || request.URL.Path != "/v1/traces" || request.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &got) != nil {
			t.Errorf("not a request of OTLP/HTTP: %s %v", request.URL.Path, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, resource := range got.ResourceSpans {
			if a := resource.Resource.Attributes; len(a) != 1 || a[0].Key != "service.name" || a[0].Value.GetStringValue() != "test" {
				t.Errorf("the resource is %v", a)
			}
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					r.spans[span.Name] = span
					r.count++
				}
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// log is a log that keeps the headers of what it takes.
type log struct {
	headers [][]kafka.Header
	fails   error
}

func (l *log) Submit(_ context.Context, messages []kafka.Message) error {
	for _, m := range messages {
		l.headers = append(l.headers, m.Headers)
	}
	return l.fails
}

const (
	senderTrace = "0af7651916cd43dd8448eb211c80319c"
	senderSpan  = "b7ad6b7169203331"
)

// TestOff: without a tracer there is nothing around what runs, so it costs nothing.
func TestOff(t *testing.T) {
	var off *Tracer
	handler, sink := http.NewServeMux(), &log{}
	if got := off.Handler("x", handler); got != http.Handler(handler) {
		t.Errorf("a handler is wrapped in %T", got)
	}
	if got := off.Log("events", sink); got != Log(sink) {
		t.Errorf("a log is wrapped in %T", got)
	}
	if off.Fold("x") != nil {
		t.Error("folds are traced")
	}
	if err := off.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSpans(t *testing.T) {
	to := receive(t)
	tracer, err := New(Config{URL: to.URL, Service: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	sink := &log{}
	traced := tracer.Log("events", sink)
	handler := tracer.Handler("collector accept", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("the connection cannot be reached: %v", err)
		}
		if err := traced.Submit(r.Context(), make([]kafka.Message, 2)); err != nil {
			t.Error(err)
		}
	}))
	ask := func(traceparent string) {
		request := httptest.NewRequest(http.MethodPost, "/v1/events/personal@example.com", nil)
		if traceparent != "" {
			request.Header.Set("traceparent", traceparent)
		}
		handler.ServeHTTP(httptest.NewRecorder(), request)
	}
	ask("")                                             // the share is 0
	ask("00-" + senderTrace + "-" + senderSpan + "-00") // the sender does not want it
	ask("00-zz-" + senderSpan + "-01")                  // nonsense
	ask("00-" + senderTrace + "-" + senderSpan + "-01") // the sender wants it
	for n, headers := range sink.headers {
		if traced := n >= 6; (len(headers) == 1) != traced {
			t.Errorf("record %d has the headers %v", n, headers)
		}
	}
	// What a reader finds in the header is the span of the append.
	header := sink.headers[6][0]
	if header.Key != eventlog.TraceHeader || !strings.HasPrefix(string(header.Value), "00-"+senderTrace+"-") {
		t.Fatalf("the header is %s: %s", header.Key, header.Value)
	}
	appended := spanContext(t, string(header.Value))
	other := spanContext(t, "00-11111111111111111111111111111111-2222222222222222-01")
	fold := tracer.Fold("identity fold")
	fold(time.Now().Add(-time.Second), []eventlog.Opened{{}, {}}) // nobody's
	fold(time.Now().Add(-time.Second), []eventlog.Opened{{Trace: &appended}, {Trace: &appended}, {}}, []eventlog.Opened{{Trace: &other}})
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	accept, written, folded := to.spans["collector accept"], to.spans["log append"], to.spans["identity fold"]
	if to.count != 3 || accept == nil || written == nil || folded == nil {
		t.Fatalf("%d spans: %v", to.count, to.spans)
	}
	if got := hex.EncodeToString(accept.TraceId) + hex.EncodeToString(accept.ParentSpanId); got != senderTrace+senderSpan {
		t.Errorf("the request is a child of %s", got)
	}
	if !reflect.DeepEqual(written.ParentSpanId, accept.SpanId) || !reflect.DeepEqual(written.TraceId, accept.TraceId) {
		t.Error("the append is no child of the request")
	}
	id := appended.SpanID()
	if len(folded.Links) != 2 || !reflect.DeepEqual(folded.Links[0].SpanId, id[:]) || !reflect.DeepEqual(written.SpanId, id[:]) {
		t.Errorf("the fold is linked to %v", folded.Links)
	}
	if took := time.Duration(folded.EndTimeUnixNano - folded.StartTimeUnixNano); took < time.Second {
		t.Errorf("the fold took %v: it begins with its batch", took)
	}
	for _, span := range to.spans {
		if strings.Contains(span.String(), "personal") {
			t.Errorf("a span shows what the sender wrote: %v", span)
		}
	}
}

// spanContext reads what stands in a header.
func spanContext(t *testing.T, traceparent string) trace.SpanContext {
	t.Helper()
	request := http.Header{"Traceparent": {traceparent}}
	c := trace.SpanContextFromContext(propagator.Extract(t.Context(), propagation.HeaderCarrier(request)))
	if !c.IsValid() {
		t.Fatalf("%s cannot be read", traceparent)
	}
	return c
}

// TestReceiverGone: nothing of what is traced fails, and the log says it once.
func TestReceiverGone(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	var said strings.Builder
	tracer, err := New(Config{URL: gone.URL, Service: "test", Share: 1, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	failure := errors.New("the log is gone")
	traced := tracer.Log("events", &log{fails: failure})
	for range 3 {
		ctx, span := tracer.tracer.Start(t.Context(), "x")
		if err := traced.Submit(ctx, make([]kafka.Message, 1)); !errors.Is(err, failure) {
			t.Errorf("the log's error became %v", err)
		}
		span.End()
		if err := tracer.provider.ForceFlush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := tracer.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(said.String(), "spans are dropped"); n != 1 {
		t.Errorf("said %d times: %s", n, &said)
	}
}

func TestWrongAddresses(t *testing.T) {
	for _, address := range []string{"", "localhost:4318", "ftp://x", "http://", "grpc://x:4317"} {
		if _, err := New(Config{URL: address, Service: "test"}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := New(Config{URL: "http://x", Service: "test", Share: 1.5}); err == nil {
		t.Error("more than all is traced")
	}
}

// BenchmarkSubmit compares a submit of 100 messages without a tracer, with one but not traced, and traced.
func BenchmarkSubmit(b *testing.B) {
	to := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer to.Close()
	tracer, err := New(Config{URL: to.URL, Service: "test", Share: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer tracer.Close(context.Background()) //nolint:errcheck // nothing is expected of it
	traced, span := tracer.tracer.Start(b.Context(), "x")
	defer span.End()
	messages := make([]kafka.Message, 100)
	for name, c := range map[string]struct {
		tracer *Tracer
		ctx    context.Context
	}{"off": {nil, b.Context()}, "not traced": {tracer, b.Context()}, "traced": {tracer, traced}} {
		b.Run(name, func(b *testing.B) {
			sink := c.tracer.Log("events", discard{})
			b.ReportAllocs()
			for b.Loop() {
				clear(messages)
				if err := sink.Submit(c.ctx, messages); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type discard struct{}

func (discard) Submit(context.Context, []kafka.Message) error { return nil }
