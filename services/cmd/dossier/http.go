package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dossier-cdp/dossier/graphql"
	rules "github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/configuration"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/services/api"
	"github.com/dossier-cdp/dossier/services/api/backend"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/backup"
	"github.com/dossier-cdp/dossier/services/care"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/internal/shortcut"
	"github.com/dossier-cdp/dossier/services/metrics"
	"github.com/dossier-cdp/dossier/services/segments"
	"github.com/dossier-cdp/dossier/services/sql"
	"github.com/dossier-cdp/dossier/services/timeline/query"
)

// serve answers HTTP: health and figures, and what the roles of this process answer.
func (i *installation) serve() {
	mux := http.NewServeMux()
	operations := api.Operations(i.registry, i.whyNotReady)
	if i.switches() {
		front, paths := i.live.Load().front()
		i.crossing.unlock(front)
		for _, path := range paths {
			mux.Handle(path, i.crossing)
		}
		mux.Handle("GET /healthz", operations) // which must answer at any time
		mux.Handle("GET /readyz", operations)
	} else if i.roles.has(apiRole) {
		front, paths := i.front()
		for _, path := range paths {
			mux.Handle(path, front)
		}
	} else {
		mux.Handle("/", operations)
	}
	if i.roles.has(collectorRole) {
		for _, path := range collector.Paths() {
			mux.Handle(path, i.tracer.Handler("collector accept", i.collector.Handler()))
		}
	}
	if i.coordination != nil && i.roles.has(apiRole) && !i.roles.has(collectorRole) {
		forward := i.forward()
		for _, path := range collector.Paths() {
			mux.Handle(path, forward)
		}
	}
	i.server = &http.Server{
		Handler: unreadBodies(mux, 15*time.Second), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(i.logger.Handler(), slog.LevelError),
	}
	listener := i.listener
	if i.roles.has(collectorRole) && i.tracer == nil {
		i.shortcut = shortcut.Listen(i.listener, shortcut.Config{
			Paths: collector.PlainPaths(), MaxBody: 1 << 20, Handler: i.collector.ServePlain,
			HeadWithin: i.server.ReadHeaderTimeout, IdleFor: i.server.IdleTimeout, Logger: i.logger,
		})
		listener = i.shortcut
	}
	i.group.Go(func() error {
		if err := i.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP: %w", err)
		}
		return nil
	})
}

// front answers GraphQL, the explorer and the management paths over these projections, and says at which paths.
func (i *installation) front() (handler http.Handler, paths []string) {
	mux, root := http.NewServeMux(), i.root()
	answer := func(path string, h http.Handler) {
		mux.Handle(path, h)
		paths = append(paths, path)
	}
	values := &backend.Values{Control: i.control}
	worth := &care.Worth{Conn: i.house, Latest: values.Latest, Purchases: query.Reader{Conn: i.house}.Purchases, Now: time.Now}
	cases := care.Reader{
		Conn: i.house, Rules: func() *rules.Rules { return i.configuration.current.Load().Care }, Now: time.Now, Kept: i.cared, Openings: care.NewOpenings(i.house, time.Now, worth),
	}
	measures := metrics.New(i.house, func(workspace string) string { return i.control.State().Configuration(workspace).Hash }, time.Now)
	measures.Known = i.newPasts()
	measures.Reputation = func(string) *reputation.Settings { return i.configuration.current.Load().Reputation }
	persons := i.rights()
	var shown prometheus.Gatherer // nil: what is registered here
	if i.base != nil {
		shown = prometheus.Gatherers{i.base.registry, i.registry}
	}
	front := api.New(api.Config{
		Backends: graphql.Backends{
			Profiles:  i.identityPeer,
			Matches:   i.identityPeer,
			Timeline:  query.Reader{Conn: i.house},
			Figures:   figures{i},
			Measures:  measures,
			Values:    values,
			Verbatims: verbatims{i},
			Care:      cases,
			Segments:  i.segmentReader(),
			Erasures:  persons,
			Companies: query.Reader{Conn: i.house},
			Replays:   replays{i.shadows},
			Letters:   refusedInputs{letterReader{i}},
			Decisions: &backend.Decisions{
				Collector: i.collector, Control: i.control, People: i.identityPeer, House: i.house, Visible: i.visible, Check: checkConfiguration, Now: time.Now,
				Cases: cases, Rules: cases.Rules, Alone: i.alone(),
			},
		},
		Access: i.control, Registry: i.registry, Shown: shown, Ready: root.whyNotReady, Logger: i.logger, MaxCost: i.limits.MaxQueryCost, Audit: i.audit,
	})
	answers := i.tracer.Handler("graphql query", front.Handler())
	answer("/graphql", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		root.asked.Add(1)
		answers.ServeHTTP(w, r)
	}))
	answer("/", front.Handler())
	views := sql.Handler(sql.Config{Access: i.control, House: i.house, Logger: i.logger, Audit: i.audit})
	answer(sql.Path, views)
	answer(sql.Path+"/", views)
	answer(segments.MembersPath, segments.Handler(i.segmentReader(), i.segmentsNow, i.control, i.logger))
	answer(destinationsPath, destinationsHandler{i})
	answer(destinationsPath+"/", destinationsHandler{i})
	answer(graphql.MetricRowsPath, metrics.Handler(measures, i.control, i.logger))
	management := manage.Handler(manage.Config{
		Control: i.control, Exports: i.exports(), Replay: i.replayEvents, Shadows: i.shadows, DeadLetters: letterReader{i}, Wait: i.visible, Doctor: root.doctor,
		CheckConfiguration:   checkConfiguration,
		DefaultConfiguration: configuration.Default(),
		Backup:               &backup.Origin{Store: i.store, Logs: i.archivedLogs, Now: time.Now},
		RingCopies:           root.ringCopies(),
		Customers:            i.customers,
		Texts:                &manage.Texts{Shipped: i.newTexts().Shipped, Corrected: i.corrected},
		Rights:               persons,
		Audit:                i.audit,
		AuditLog:             i.readAudit,
	})
	for _, path := range manage.Paths() {
		answer(path, management)
	}
	return mux, paths
}

// unreadBodies bounds the time in which a body arrives that its handler does not read, such as one with a wrong key: before it
// answers, the server reads what is left of a small one. Handlers that read set a time of their own.
func unreadBodies(next http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit)); err != nil {
				http.Error(w, "the connection takes no deadline", http.StatusInternalServerError)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// checkConfiguration refuses a document that no role could run under.
func checkConfiguration(document []byte) (hash string, canonical []byte, err error) {
	c, err := configuration.Parse(document, time.LoadLocation)
	if err != nil {
		return "", nil, err
	}
	return c.Hash, c.Document, nil
}
