package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resources "go.opentelemetry.io/proto/otlp/resource/v1"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// exporter sends spans by OTLP/HTTP in its binary form. OpenTelemetry's own exporter would bring all of gRPC into the binary for that.
type exporter struct {
	url    string
	client *http.Client
	logger *slog.Logger
	failed atomic.Bool // the last attempt did
}

// ExportSpans sends a batch once. What cannot be sent is dropped: it returns nil then too, since nobody could do more.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.send(ctx, spans)
	if failed := err != nil; failed != e.failed.Swap(failed) && failed {
		e.logger.Warn("spans are dropped: the OTLP receiver does not take them", "error", err)
	}
	return nil
}

func (e *exporter) send(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	body, err := proto.Marshal(encode(spans))
	if err != nil {
		return fmt.Errorf("encode %d spans: %w", len(spans), err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	response, err := e.client.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %s", response.Status)
	}
	return nil
}

// Shutdown has nothing to do: a batch is sent or dropped when ExportSpans returns.
func (e *exporter) Shutdown(context.Context) error { return nil }

// encode gives the one message of a request. Its form is also that of ExportTraceServiceRequest.
func encode(spans []sdk.ReadOnlySpan) *wire.TracesData {
	scope := &wire.ScopeSpans{}
	from := &resource.Resource{}
	for _, s := range spans {
		from = s.Resource()
		scope.Scope = &common.InstrumentationScope{Name: s.InstrumentationScope().Name}
		scope.Spans = append(scope.Spans, encodeSpan(s))
	}
	return &wire.TracesData{ResourceSpans: []*wire.ResourceSpans{{
		Resource: &resources.Resource{Attributes: encodeAttributes(from.Attributes())}, ScopeSpans: []*wire.ScopeSpans{scope},
	}}}
}

func encodeSpan(s sdk.ReadOnlySpan) *wire.Span {
	id, span := s.SpanContext().TraceID(), s.SpanContext().SpanID()
	out := &wire.Span{
		TraceId: id[:], SpanId: span[:], TraceState: s.SpanContext().TraceState().String(), Flags: uint32(s.SpanContext().TraceFlags()), Name: s.Name(),
		Kind: encodeKind(s.SpanKind()), StartTimeUnixNano: uint64(s.StartTime().UnixNano()), EndTimeUnixNano: uint64(s.EndTime().UnixNano()),
		Attributes: encodeAttributes(s.Attributes()), DroppedLinksCount: uint32(s.DroppedLinks()),
	}
	if s.Parent().HasSpanID() {
		parent := s.Parent().SpanID()
		out.ParentSpanId = parent[:]
	}
	for _, l := range s.Links() {
		id, span := l.SpanContext.TraceID(), l.SpanContext.SpanID()
		out.Links = append(out.Links, &wire.Span_Link{TraceId: id[:], SpanId: span[:], Flags: uint32(l.SpanContext.TraceFlags())})
	}
	if s.Status().Code == codes.Error {
		out.Status = &wire.Status{Code: wire.Status_STATUS_CODE_ERROR, Message: s.Status().Description}
	}
	return out
}

func encodeKind(k trace.SpanKind) wire.Span_SpanKind {
	switch k {
	case trace.SpanKindServer:
		return wire.Span_SPAN_KIND_SERVER
	case trace.SpanKindProducer:
		return wire.Span_SPAN_KIND_PRODUCER
	case trace.SpanKindConsumer:
		return wire.Span_SPAN_KIND_CONSUMER
	}
	return wire.Span_SPAN_KIND_INTERNAL
}

// encodeAttributes knows the two kinds of value that this package uses.
func encodeAttributes(from []attribute.KeyValue) []*common.KeyValue {
	out := make([]*common.KeyValue, 0, len(from))
	for _, a := range from {
		value := &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: a.Value.String()}}
		if a.Value.Type() == attribute.INT64 {
			value.Value = &common.AnyValue_IntValue{IntValue: a.Value.AsInt64()}
		}
		out = append(out, &common.KeyValue{Key: string(a.Key), Value: value})
	}
	return out
}
