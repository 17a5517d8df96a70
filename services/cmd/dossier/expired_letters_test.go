package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/keeper"
)

// TestClosedLetters: letters that name nobody are given up 30 days after the day of their receipt, and those that name the erased at once; nobody opens
// them again, and all others stay.
func TestClosedLetters(t *testing.T) {
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
	const second = schema.Instant(time.Second / time.Microsecond)
	const day = 24 * 60 * 60 * second
	var log []deadletter.Record
	var gone []bool // whether it must not be opened in the end
	write := func(raw string, age schema.Instant, goes bool) {
		t.Helper()
		_, value, err := deadletter.Encode(&deadletter.Letter{
			Workspace: mainWorkspace, Source: "web", Endpoint: "/v1/track", ReceivedAt: now - age, Index: len(log), Raw: []byte(raw),
			Refusal: schema.Refusal{Code: "not_an_object", Reason: "it is none"},
		}, ring, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		log, gone = append(log, deadletter.Record{Value: value}), append(gone, goes)
	}
	read := func(_ context.Context, next func(deadletter.Record) bool) error {
		for _, r := range log {
			if !next(r) {
				break
			}
		}
		return nil
	}
	for n := range 2000 {
		write(fmt.Sprint(n%90), 30*day+1+schema.Instant(n%5)*7*day, true) // nobody's, and too old, on five days
	}
	write("-1", 30*day-1, false)                          // its day has not expired
	write(`{"email":"ann@example.com"}`, 400*day, true)   // erased since
	write(`{"email":"Ann@Example.com"}`, 40*day, true)    // hers as well, on the day of the erasure
	write(`{"email":"ann@example.com"}`, 40*day-1, false) // received after it: of somebody new
	write(`{"email":"bob@example.com"}`, 400*day, false)
	write(`{"email":"cleo@example.com","phone":"+33 6 91 60 35 37"}`, 100*day, true)
	count := len(log)
	log = append(log, log[0], deadletter.Record{Value: []byte("none")}) // a copy, and what is no letter
	erasures := []control.Traces{
		{At: now - 300*day, Hashes: deadletter.Known(ring.PRF(), []string{"ann@example.com", "unknown"})},
		{At: now - 40*day, Hashes: deadletter.Known(ring.PRF(), []string{"ann@example.com"})},
		{At: now - 50*day, Hashes: deadletter.Known(ring.PRF(), []string{"0691603537"})},
	}
	size := func() int {
		t.Helper()
		b, err := ring.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return len(b)
	}
	i := &installation{keeper: k, logger: slog.New(slog.DiscardHandler)}
	before := size()
	for round, want := range []struct {
		erased int
		days   bool
		more   bool
	}{{2, true, true}, {1, false, false}, {0, false, false}} {
		closed, err := findClosed(t.Context(), read, ring, erasures, func(*deadletter.Clear) bool { return false }, now, 2, 2)
		if err != nil || len(closed.erased) != want.erased || len(closed.expired) != 0 || (closed.days != nil) != want.days || closed.more != want.more {
			t.Fatalf("round %d: %+v, %v; want %+v", round, closed, err, want)
		}
		version := ring.Version()
		if err := i.giveUpLetters(closed); err != nil {
			t.Fatal(err)
		}
		if (ring.Version() > version) == closed.empty() {
			t.Errorf("round %d: the ring has version %d, before it had %d", round, ring.Version(), version)
		}
	}
	if grown := size() - before; grown > 4*3300 { // three leaves of their own, and one path for the days
		t.Errorf("2,000 expired letters and three erased ones cost the ring %d bytes", grown)
	}
	box := &deadletter.Box{Keys: ring, Log: &noLog{t}, Random: rand.Reader}
	if err := box.Put(t.Context(), []deadletter.Letter{{Workspace: mainWorkspace, ReceivedAt: now - 40*day, Raw: []byte("{}")}}); err != nil {
		t.Errorf("a letter that has expired: %v", err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	k = open()
	defer k.Close() //nolint:errcheck // nothing was changed
	if ring, err = k.Ring(mainWorkspace); err != nil {
		t.Fatal(err)
	}
	for n, r := range log[:count] {
		_, err := deadletter.Open(r.Value, ring)
		if is := errors.Is(err, seal.ErrPunched); is != gone[n] || !is && err != nil {
			t.Errorf("letter %d: %v", n, err)
		}
	}
}

// noLog takes nothing.
type noLog struct{ t *testing.T }

func (l *noLog) Submit(_ context.Context, messages []kafka.Message) error {
	l.t.Errorf("%d letters are written that nobody can open", len(messages))
	return nil
}
