package main

import (
	"log/slog"

	"github.com/dossier-cdp/dossier/services/internal/tracing"
)

// spans are the flags that have a server follow requests by OpenTelemetry spans.
type spans struct {
	OTLP      string  `name:"otlp" help:"Send OpenTelemetry spans to this OTLP/HTTP receiver, such as http://localhost:4318 (default: none are made)." placeholder:"URL"`
	OTLPShare float64 `name:"otlp-share" default:"1" help:"The share of requests that is traced where the sender does not say, from 0 to 1."`
}

// tracer is nil if no spans are wanted.
func (s *spans) tracer(logger *slog.Logger) (*tracing.Tracer, error) {
	if s.OTLP == "" {
		return nil, nil
	}
	t, err := tracing.New(tracing.Config{URL: s.OTLP, Service: "dossier", Share: s.OTLPShare, Logger: logger})
	if err != nil {
		return nil, &exit{exitMisused, err}
	}
	return t, nil
}
