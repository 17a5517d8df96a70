package manage

import (
	"context"
	"net/http"
	"slices"

	"github.com/dossier-cdp/dossier/services/audit"
	"github.com/dossier-cdp/dossier/services/internal/access"
)

// shownKey is where a handler notes whom it is about.
type shownKey struct{}

// about notes whom a request is about, for its record.
func about(r *http.Request, profiles ...string) {
	if list, ok := r.Context().Value(shownKey{}).(*[]string); ok {
		*list = append(*list, profiles...)
	}
}

// late is an answer of which nothing goes out before it is recorded, as long as it is short.
type late struct {
	http.ResponseWriter
	before func() error
	failed error
	done   bool
}

func (l *late) record() error {
	if !l.done {
		l.done = true
		l.failed = l.before()
	}
	return l.failed
}

func (l *late) WriteHeader(status int) {
	if l.record() == nil {
		l.ResponseWriter.WriteHeader(status)
	}
}

func (l *late) Write(b []byte) (int, error) {
	if err := l.record(); err != nil {
		return 0, err
	}
	return l.ResponseWriter.Write(b)
}

// Unwrap gives the writer beneath to http.ResponseController.
func (l *late) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// recorded answers what shows personal values or exercises a right, and has that in the audit log before the first byte goes out.
func (s *server) recorded(w http.ResponseWriter, r *http.Request, t access.Token, scopes []string, h handler) error {
	if s.Audit == nil || !slices.Contains(scopes, access.ScopeUnmask) && !slices.Contains(scopes, access.ScopePrivacy) {
		return h(w, r, t)
	}
	var profiles []string
	r = r.WithContext(context.WithValue(r.Context(), shownKey{}, &profiles))
	l := &late{ResponseWriter: w, before: func() error {
		err := s.Audit.Add(r.Context(), audit.Record{
			Actor: t.Actor, Action: r.Pattern, Purpose: r.Header.Get(audit.PurposeHeader), Scopes: t.Scopes, Profiles: profiles,
		})
		if err == nil {
			err = s.Audit.Flush(r.Context())
		}
		return err
	}}
	err := h(l, r, t)
	if l.failed != nil {
		return l.failed
	}
	return err
}

func (s *server) auditPaths(mux *http.ServeMux) {
	if s.AuditLog == nil {
		return
	}
	mux.Handle("GET /v1/audit", s.needs([]string{access.ScopePrivacy}, s.listAudit))
	mux.Handle("GET /v1/audit/chains", s.needs([]string{access.ScopePrivacy}, s.verifyAudit))
}

func (s *server) listAudit(w http.ResponseWriter, r *http.Request, _ access.Token) error {
	q := r.URL.Query()
	chosen, err := letterFilter(q) // the same times and limit
	if err != nil {
		return err
	}
	f := audit.Filter{Actor: q.Get("actor"), Profile: q.Get("profile"), Limit: max(chosen.Limit, 0)}
	times, err := chosen.Filter("")
	if err != nil {
		return err
	}
	if times.Since != 0 {
		f.Since = times.Since.String()
	}
	if times.Until != 0 {
		f.Until = times.Until.String()
	}
	if f.Limit == 0 {
		f.Limit = 100
	}
	records, err := audit.List(r.Context(), s.AuditLog, f)
	if err != nil {
		return err
	}
	return writeJSON(w, append([]audit.Record{}, records...))
}

func (s *server) verifyAudit(w http.ResponseWriter, r *http.Request, _ access.Token) error {
	chains, err := audit.Verify(r.Context(), s.AuditLog)
	if err != nil {
		return err
	}
	return writeJSON(w, append([]audit.Chain{}, chains...))
}
