package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/keeper"
)

// TestExpiredLetters: letters without an identifier are given up 30 days after their receipt, some at a time, and nobody opens them again; those
// that an erasure can find stay.
func TestExpiredLetters(t *testing.T) {
	dir := t.TempDir()
	open := func() *keeper.Keeper {
		t.Helper()
		k, err := keeper.Open(dir, [32]byte{7}, time.Now(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := open()
	ring, err := k.Ring(mainWorkspace)
	if err != nil {
		t.Fatal(err)
	}
	now := schema.InstantOf(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	day := schema.Instant((24 * time.Hour).Microseconds())
	var log []deadletter.Record
	write := func(raw string, age schema.Instant) {
		t.Helper()
		_, value, err := deadletter.Encode(&deadletter.Letter{
			Workspace: mainWorkspace, Source: "web", Endpoint: "/v1/track", ReceivedAt: now - age, Index: len(log), Raw: []byte(raw),
			Refusal: schema.Refusal{Code: "not_an_object", Reason: "it is none"},
		}, ring, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, deadletter.Record{Value: value})
	}
	read := func(_ context.Context, next func(deadletter.Record) bool) error {
		for _, r := range log {
			if !next(r) {
				break
			}
		}
		return nil
	}
	for n := range 5 {
		write(fmt.Sprint(n), 30*day+1) // nobody's, and too old
	}
	write("-1", 30*day-1)                                               // not yet
	write(`{"email":"ann@example.com"`, 400*day)                        // an erasure finds it
	log = append(log, log[0], deadletter.Record{Value: []byte("none")}) // a copy, and what is no letter

	for round, want := range []struct {
		n    int
		more bool
	}{{3, true}, {2, false}, {0, false}} {
		ids, more, err := expiredLetters(t.Context(), read, ring, now, 3)
		if err != nil || len(ids) != want.n || more != want.more {
			t.Fatalf("round %d: %d letters, more: %t, %v; want %d, %t", round, len(ids), more, err, want.n, want.more)
		}
		before := ring.Version()
		if err := k.PunchLetters(mainWorkspace, ids); err != nil {
			t.Fatal(err)
		}
		if (ring.Version() > before) != (want.n > 0) {
			t.Errorf("round %d: the ring has version %d, before it had %d", round, ring.Version(), before)
		}
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	k = open()
	defer k.Close() //nolint:errcheck // nothing was changed
	if ring, err = k.Ring(mainWorkspace); err != nil {
		t.Fatal(err)
	}
	for n, r := range log[:7] {
		_, err := deadletter.Open(r.Value, ring)
		if gone := errors.Is(err, seal.ErrPunched); gone != (n < 5) || !gone && err != nil {
			t.Errorf("letter %d: %v", n, err)
		}
	}
}
