package main

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"slices"
	"sync/atomic"

	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/internal/coordination"
	"github.com/dossier-cdp/dossier/services/internal/rpc"
)

// One address answers everything: a process with the role api and without the role collector hands what collectors answer to one of them, over
// the connections on which roles speak to each other. Who sends much reaches the collectors directly.

// offerIntake lets the processes with the role api hand over what their callers send.
func (i *installation) offerIntake() {
	accept := i.tracer.Handler("collector accept", i.collector.Handler())
	for _, path := range collector.Paths() {
		rpc.Handle(i.coordination.server, path, []string{string(apiRole)}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.TLS = nil // that of the api's caller counts, which X-Forwarded-Proto tells
			accept.ServeHTTP(w, r)
		}))
	}
}

// forward gives requests to the collectors, in turn.
func (i *installation) forward() http.Handler {
	return handedTo(&inTurn{
		present: func() []coordination.Owner { return i.coordination.Present(string(collectorRole)) },
		to:      func(address string) http.RoundTripper { return i.coordination.client(collectorRole, address) },
	}, i.logger)
}

// handedTo gives requests to collectors. Nothing of a request reaches the logger: paths and queries may name customers.
func handedTo(collectors http.RoundTripper, logger *slog.Logger) http.Handler {
	return &httputil.ReverseProxy{
		Transport: collectors,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.Host = "https", r.In.Host
			if proto, said := r.In.Header["X-Forwarded-Proto"]; said {
				r.Out.Header["X-Forwarded-Proto"] = proto
			}
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				logger.Warn("a request could not be handed to a collector", "error", err)
			}
			collector.Unavailable(w)
		},
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// inTurn sends a request to the next collector, and to another one as long as nothing of its body has gone.
type inTurn struct {
	present func() []coordination.Owner
	to      func(address string) http.RoundTripper
	turn    atomic.Uint64
}

var errNoCollector = errors.New("no collector answers: start a process with the role collector")

// RoundTrip is that of http.RoundTripper.
func (c *inTurn) RoundTrip(r *http.Request) (*http.Response, error) {
	all := c.present()
	if len(all) == 0 {
		return nil, errNoCollector
	}
	first := int(c.turn.Add(1) % uint64(len(all)))
	var failures []error
	for _, one := range slices.Concat(all[first:], all[:first]) {
		attempt := r.Clone(r.Context())
		attempt.URL.Host = one.Address
		body := &watched{ReadCloser: r.Body}
		if r.Body != nil && r.Body != http.NoBody {
			attempt.Body = body
		}
		answer, err := c.to(one.Address).RoundTrip(attempt)
		if err == nil {
			return answer, nil
		}
		failures = append(failures, err)
		if body.begun.Load() || r.Context().Err() != nil {
			break
		}
	}
	return nil, errors.Join(failures...)
}

// watched is a body that tells whether any of it was read. A failed attempt does not close it: the next one reads it.
type watched struct {
	io.ReadCloser
	begun atomic.Bool
}

func (w *watched) Read(b []byte) (int, error) {
	w.begun.Store(true)
	return w.ReadCloser.Read(b)
}

// Close leaves the body to whoever made the request.
func (w *watched) Close() error { return nil }
