package audit

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// topic is the topic in memory. Some writes fail, and some of these took effect.
type topic struct {
	mu     sync.Mutex
	values [][]byte
	writes int
	faulty bool
}

func (l *topic) Produce(_ context.Context, _ string, _ int32, messages []kafka.Message, _ time.Time) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes++
	if l.faulty && l.writes%3 == 1 {
		return 0, errors.New("not written")
	}
	for _, m := range messages {
		l.values = append(l.values, bytes.Clone(m.Value))
	}
	if l.faulty && l.writes%3 == 2 {
		return 0, errors.New("written, and the answer lost")
	}
	return 0, nil
}

func (l *topic) read(_ context.Context, next func([]byte) bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range l.values {
		if !next(v) {
			return nil
		}
	}
	return nil
}

// filled has two writers, one behind the other, with 30 records each.
func filled(t *testing.T, faulty bool) *topic {
	t.Helper()
	l := &topic{faulty: faulty}
	previous := ""
	for range 2 {
		w := NewWriter(l, previous, slog.New(slog.DiscardHandler), time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		var wait sync.WaitGroup
		for n := range 30 {
			wait.Go(func() {
				if err := w.Add(t.Context(), Record{Actor: "ann", Action: "graphql", Profiles: []string{"p" + string(rune('a'+n%26))}}); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		previous = w.last
	}
	return l
}

// TestChains: whatever the log does, each writer's chain is whole; a record that is changed, left out, put in, or moved is found.
func TestChains(t *testing.T) {
	for _, faulty := range []bool{false, true} {
		chains, err := Verify(t.Context(), filled(t, faulty).read)
		if err != nil || len(chains) != 2 {
			t.Fatalf("%+v %v", chains, err)
		}
		for _, c := range chains {
			if c.Fault != "" || c.Records != 30 {
				t.Errorf("faulty log %v: %+v", faulty, c)
			}
		}
	}
	for name, spoil := range map[string]func(values [][]byte) [][]byte{
		"changed":    func(v [][]byte) [][]byte { v[7] = bytes.Replace(v[7], []byte("ann"), []byte("bob"), 1); return v },
		"left out":   func(v [][]byte) [][]byte { return append(v[:7:7], v[8:]...) },
		"first left": func(v [][]byte) [][]byte { return v[1:] },
		"moved":      func(v [][]byte) [][]byte { v[7], v[8] = v[8], v[7]; return v },
		"put in": func(v [][]byte) [][]byte {
			return append(append(v[:7:7], []byte(`{"writer":"x","number":1,"previous":"y"}`)), v[7:]...)
		},
		"no record": func(v [][]byte) [][]byte { v[7] = []byte("gone"); return v },
		"end of the first": func(v [][]byte) [][]byte {
			return append(v[:29:29], v[30:]...) // the second begins behind what is missing
		},
	} {
		l := filled(t, false)
		l.values = spoil(l.values)
		chains, err := Verify(t.Context(), l.read)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, c := range chains {
			found = found || c.Fault != ""
		}
		if !found {
			t.Errorf("%s: nothing is found: %+v", name, chains)
		}
	}
	records, err := List(t.Context(), filled(t, false).read, Filter{Profile: "pc", Limit: 3})
	if err != nil || len(records) != 3 || strings.Join(records[0].Profiles, "") != "pc" {
		t.Errorf("%+v %v", records, err)
	}
}
