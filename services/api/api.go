// Package api is the reading side of an installation over HTTP: GraphQL, the explorer page, health and metrics.
//
// It authenticates, speaks the protocol (GraphQL over HTTP), bounds size and time, and counts. What is answered, and to whom,
// package graphql decides.
package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/services/audit"
	"github.com/dossier-cdp/dossier/services/internal/access"
)

// Config is what the API answers from.
type Config struct {
	Backends graphql.Backends
	Access   access.Access
	Registry *prometheus.Registry  // of the API's own figures; nil: one of its own
	Shown    prometheus.Gatherer   // what /metrics shows; nil: Registry
	Ready    func() (bool, string) // whether all answers are right, else what is waited for; nil: always
	Logger   *slog.Logger          // nil: slog.Default()
	Timeout  time.Duration         // of one operation; 0: 10 seconds
	Audit    *audit.Writer         // of whom personal values are shown; nil: nothing is recorded
	MaxCost  int                   // of an operation of a token without a limit of its own; 0: graphql.DefaultMaxCost
}

// How many operations run at the same time; others wait their turn. An operation may hold a large answer, so this bounds memory.
// Decisions, which wait until they can be read, do not take the turns of reads.
const (
	readsAtOnce     = 64
	decisionsAtOnce = 16
)

// answerTimeout is how long a client may take to read an answer.
const answerTimeout = 30 * time.Second

// API answers GraphQL over HTTP. It is safe for concurrent use.
type API struct {
	Config
	schema     *graphql.Schema
	operations *prometheus.HistogramVec
	persisted  *persisted

	reads, decisions chan struct{} // operations in flight
	bodyTimeout      time.Duration // for a body to arrive
}

// New prepares the API. It panics when the SDL and the resolvers disagree, which no input can bring about.
func New(c Config) *API {
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	if c.Shown == nil {
		c.Shown = c.Registry
	}
	if c.Ready == nil {
		c.Ready = func() (bool, string) { return true, "" }
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	schema, err := graphql.New(c.Backends, func(err error) { c.Logger.Error("answer a GraphQL operation", "error", err) })
	if err != nil {
		panic(fmt.Errorf("services/api: %w", err))
	}
	a := &API{Config: c, schema: schema, persisted: &persisted{}, reads: make(chan struct{}, readsAtOnce), decisions: make(chan struct{}, decisionsAtOnce), bodyTimeout: 10 * time.Second, operations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "dossier_graphql_operation_seconds", Help: "Time to answer a GraphQL operation, by the outcome: ok, or the code of the first error.",
		Buckets: []float64{.001, .002, .005, .01, .015, .025, .05, .08, .15, .3, .6, 1.5, 5, 10},
	}, []string{"outcome"})}
	c.Registry.MustRegister(a.operations)
	return a
}

// Handler answers /graphql, the explorer at /, /healthz, /readyz and /metrics, and 404 elsewhere.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/graphql", a.graphql)
	mux.HandleFunc("GET /{$}", explorer)
	mux.Handle("/", Operations(a.Shown, a.Ready))
	return mux
}

// Operations answers /healthz, /readyz and /metrics, and 404 elsewhere: what every process answers, whatever its roles.
func Operations(shown prometheus.Gatherer, ready func() (bool, string)) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(shown, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { line(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ok, reason := ready(); !ok {
			w.Header().Set("Retry-After", "1")
			line(w, http.StatusServiceUnavailable, "not ready: "+reason)
			return
		}
		line(w, http.StatusOK, "ready")
	})
	return mux
}

// line answers one line of text.
func line(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write([]byte(text + "\n")); err != nil {
		return // the caller has gone
	}
}
