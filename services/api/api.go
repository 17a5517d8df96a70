// Package api is the reading side of an installation over HTTP: GraphQL, the explorer page, health and metrics.
//
// It authenticates, speaks the protocol and counts; what is answered, and to whom, package graphql decides.
package api

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/services/internal/access"
)

// Config is what the API answers from.
type Config struct {
	Backends graphql.Backends
	Access   access.Access
	Registry *prometheus.Registry  // nil: a registry of its own
	Ready    func() (bool, string) // whether all answers are right, else what is waited for; nil: always
	Logger   *slog.Logger          // nil: slog.Default()
}

// API answers GraphQL over HTTP. It is safe for concurrent use.
type API struct {
	Config
	schema *gql.Schema
}

// New prepares the API. It panics when the SDL and the resolvers disagree, which no input can bring about.
func New(c Config) *API {
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	if c.Ready == nil {
		c.Ready = func() (bool, string) { return true, "" }
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	a := &API{Config: c}
	schema, err := graphql.New(c.Backends, func(err error) { a.Logger.Error("a GraphQL field failed", "error", err) })
	if err != nil {
		panic(err)
	}
	a.schema = schema
	return a
}

// Handler answers /graphql, /, /healthz, /readyz and /metrics, and 404 for other paths.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/graphql", a.graphql)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { line(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if ok, reason := a.Ready(); !ok {
			line(w, http.StatusServiceUnavailable, reason)
			return
		}
		line(w, http.StatusOK, "ready")
	})
	return mux
}

// line answers one line of text.
func line(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write([]byte(text + "\n")); err != nil {
		return // the caller has gone
	}
}
