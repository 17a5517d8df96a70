// Package tracing follows requests through an installation by OpenTelemetry spans:
//
//	collector accept → log append → (in the records' header traceparent) → identity fold, timeline insert
//	graphql query
//
// Folds and inserts take many requests' events at once, so their spans are linked to those of the requests.
//
// It is off by default, and then it is not there: a nil *Tracer gives back the very handlers and logs that it is asked to wrap. Spans
// hold counts, statuses and names of the product; no path, identifier or text of anybody. Tracing never fails or delays what is
// traced: what cannot be sent is dropped, and said once in the log.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Config of a Tracer. URL and Service are needed.
type Config struct {
	URL     string  // of an OTLP/HTTP receiver, such as http://localhost:4318; without a path, /v1/traces is meant
	Service string  // what the process is called
	Share   float64 // of the requests that are traced if their sender does not say; 0 is none, 1 all
	Logger  *slog.Logger
}

// Tracer makes spans and sends them. A nil one makes none. It is safe for concurrent use.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

var propagator = propagation.TraceContext{}

// New starts a tracer. Nothing is sent before the first span ends.
func New(c Config) (*Tracer, error) {
	to, err := url.Parse(c.URL)
	if err != nil || to.Scheme != "http" && to.Scheme != "https" || to.Host == "" {
		return nil, fmt.Errorf("%q is no address of an OTLP receiver: write it as http://HOST:4318", c.URL)
	}
	if to.Path == "" || to.Path == "/" {
		to.Path = "/v1/traces"
	}
	if c.Share < 0 || c.Share > 1 {
		return nil, fmt.Errorf("the share of traced requests is %v: give one from 0 to 1", c.Share)
	}
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(&exporter{url: to.String(), client: &http.Client{Timeout: 10 * time.Second}, logger: c.Logger}, sdk.WithBatchTimeout(time.Second)),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(c.Share))),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", c.Service))),
	)
	return &Tracer{provider, provider.Tracer("github.com/dossier-cdp/dossier/services")}, nil
}

// Close sends what is left, as far as ctx allows.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Handler makes a span of each request, a child of the one that the sender names.
func (t *Tracer) Handler(name string, next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := t.tracer.Start(propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header)), name, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		if !span.IsRecording() {
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r.WithContext(ctx))
		span.SetAttributes(attribute.Int("http.response.status_code", seen.status))
		if seen.status >= 500 {
			span.SetStatus(codes.Error, http.StatusText(seen.status))
		}
	})
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Log takes events; *kafka.Batcher is one.
type Log interface {
	Submit(ctx context.Context, messages []kafka.Message) error
}

// Log makes a span of each submit of a traced request, and has the records carry its name.
func (t *Tracer) Log(topic string, next Log) Log {
	if t == nil {
		return next
	}
	return tracedLog{t, topic, next}
}

type tracedLog struct {
	*Tracer
	topic string
	next  Log
}

// Submit behaves as the log's Submit.
func (l tracedLog) Submit(ctx context.Context, messages []kafka.Message) error {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return l.next.Submit(ctx, messages)
	}
	ctx, span := l.tracer.Start(ctx, "log append", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", l.topic), attribute.Int("messaging.batch.message_count", len(messages)),
	))
	defer span.End()
	carrier := propagation.MapCarrier{}
	propagator.Inject(ctx, carrier)
	headers := []kafka.Header{{Key: eventlog.TraceHeader, Value: []byte(carrier[eventlog.TraceHeader])}}
	for i := range messages {
		if m := &messages[i]; m.Headers == nil {
			m.Headers = headers[:1:1]
		} else {
			m.Headers = append(m.Headers, headers[0])
		}
	}
	err := l.next.Submit(ctx, messages)
	if err != nil {
		span.SetStatus(codes.Error, "not acknowledged")
	}
	return err
}

// Fold gives what makes a span of each batch in which events of traced requests are. It is nil when nothing is traced.
func (t *Tracer) Fold(name string) func(begun time.Time, batch ...[]eventlog.Opened) {
	if t == nil {
		return nil
	}
	return func(begun time.Time, batch ...[]eventlog.Opened) {
		var links []trace.Link
		var last trace.SpanID
		events := 0
		for _, part := range batch {
			events += len(part)
			for i := range part {
				// The events of one request mostly stand together.
				if c := part[i].Trace; c != nil && c.IsSampled() && c.SpanID() != last {
					last = c.SpanID()
					links = append(links, trace.Link{SpanContext: *c})
				}
			}
		}
		if len(links) == 0 {
			return
		}
		// The span is one more of the first request's trace, so that it is kept when that is, and is found there.
		ctx := trace.ContextWithRemoteSpanContext(context.Background(), links[0].SpanContext)
		_, span := t.tracer.Start(ctx, name, trace.WithTimestamp(begun), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...),
			trace.WithAttributes(attribute.Int("messaging.batch.message_count", events)))
		span.End()
	}
}
