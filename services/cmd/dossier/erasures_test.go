package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/identity"
)

// TestErasuresWaitForTheirRoles: after a restart the timeline's index is not open yet; that ends neither the erasure nor `up`.
func TestErasuresWaitForTheirRoles(t *testing.T) {
	fatal := errors.New("the disk is gone")
	for _, c := range []struct {
		name  string
		fails []error
		want  error
	}{
		{"transient, then done", []error{schema.Classify(schema.Transient, errors.New("the index is not open yet")), identity.ErrNotReady}, nil},
		{"fatal", []error{schema.Classify(schema.Transient, errors.New("gone")), fatal}, fatal},
	} {
		calls := 0
		err := persist(t.Context(), slog.New(slog.DiscardHandler), time.Microsecond, func() error {
			calls++
			if calls <= len(c.fails) {
				return c.fails[calls-1]
			}
			return nil
		})
		if !errors.Is(err, c.want) || c.want == nil && (err != nil || calls != len(c.fails)+1) {
			t.Errorf("%s: %v after %d calls", c.name, err, calls)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := persist(ctx, slog.New(slog.DiscardHandler), time.Hour, func() error { return identity.ErrNotReady })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("at the end: %v", err)
	}
}
