package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/configuration"
	"github.com/dossier-cdp/dossier/services/api"
	"github.com/dossier-cdp/dossier/services/api/backend"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/timeline/query"
)

// serve answers HTTP: ingestion, GraphQL and the explorer, management, health.
func (i *installation) serve() {
	backends := graphql.Backends{
		Profiles: &backend.Profiles{Identity: i.identity, Now: time.Now},
		Timeline: query.Reader{Conn: i.house},
		Figures:  figures{i},
		Decisions: &backend.Decisions{
			Collector: i.collector, Control: i.control, People: &backend.Profiles{Identity: i.identity, Now: time.Now}, House: i.house, Visible: i.visible, Check: checkConfiguration, Now: time.Now,
		},
	}
	front := api.New(api.Config{
		Backends: backends, Access: i.control, Registry: i.registry, Ready: i.whyNotReady, Logger: i.logger,
	})
	management := manage.Handler(manage.Config{
		Control: i.control, Exports: i.exports(), DeadLetters: letterReader{i}, Wait: i.visible, Doctor: i.doctor,
		CheckConfiguration:   checkConfiguration,
		DefaultConfiguration: configuration.Default(),
	})
	mux := http.NewServeMux()
	mux.Handle("/", front.Handler())
	for _, path := range collector.Paths() {
		mux.Handle(path, i.collector.Handler())
	}
	for _, path := range manage.Paths() {
		mux.Handle(path, management)
	}
	i.server = &http.Server{
		Handler: unreadBodies(mux, 15*time.Second), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(i.logger.Handler(), slog.LevelError),
	}
	i.group.Go(func() error {
		if err := i.server.Serve(i.listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP: %w", err)
		}
		return nil
	})
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
	c, err := configuration.Parse(document)
	if err != nil {
		return "", nil, err
	}
	return c.Hash, c.Document, nil
}

// whyNotReady says what the installation still waits for.
func (i *installation) whyNotReady() (bool, string) {
	if i.onlyCollector {
		return true, ""
	}
	if ok, reason, _ := i.identity.Ready(); !ok {
		return false, reason
	}
	if _, ok := i.timeline.Visible(); !ok {
		return false, "timeline: the index is being rebuilt"
	}
	return true, ""
}

// ready returns when everything serves, telling every few seconds what it waits for.
func (i *installation) ready(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	told := time.Now()
	for {
		ok, reason := i.whyNotReady()
		if ok && !i.onlyCollector && !i.erasures.honoured() {
			ok, reason = false, "the erasures to be repeated"
		}
		if ok {
			return nil
		}
		if time.Since(told) > 2*time.Second {
			told = time.Now()
			fmt.Fprintln(os.Stderr, "waiting for", reason)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-i.run.Done():
			return i.group.Wait()
		case <-tick.C:
		}
	}
}
