package eventlog

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// TraceHeader is the header of a record that names the span which wrote it, in the form of W3C Trace Context. Records of requests that
// are not traced have none.
const TraceHeader = "traceparent"

// traceOf reads the span that wrote a record; nil if there is none, or none that can be read.
func traceOf(headers []kafka.Header) *trace.SpanContext {
	for i := range headers {
		if headers[i].Key != TraceHeader {
			continue
		}
		carrier := propagation.MapCarrier{TraceHeader: string(headers[i].Value)}
		c := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
		if !c.IsValid() {
			return nil
		}
		return &c
	}
	return nil
}
