package retry

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

func TestDo(t *testing.T) {
	passing, own, final := schema.Classify(schema.Transient, errors.New("away")), errors.New("starts"), schema.Classify(schema.Fatal, errors.New("broken"))
	for name, c := range map[string]struct {
		errs                    []error // of the attempts, the last one for ever
		want                    error
		attempts, failed, lines int
	}{
		"at once":                       {[]error{nil}, nil, 1, 0, 0},
		"after two that pass":           {[]error{passing, passing, nil}, nil, 3, 2, 2},
		"after one that ends by itself": {[]error{own, nil}, nil, 2, 0, 0},
		"for ever":                      {[]error{passing, final}, final, 2, 1, 1},
	} {
		var log strings.Builder
		attempts, failed := 0, 0
		p := Policy{Role: "care", BackOff: time.Microsecond, Logger: slog.New(slog.NewTextHandler(&log, nil)), Failed: func() { failed++ },
			Waits: func(err error) bool { return errors.Is(err, own) }}
		err := p.Do(t.Context(), "read", func() error {
			attempts++
			return c.errs[min(attempts, len(c.errs))-1]
		})
		if !errors.Is(err, c.want) || attempts != c.attempts || failed != c.failed || strings.Count(log.String(), "care: cannot read now") != c.lines {
			t.Errorf("%s: %v after %d attempts, %d failed, %q", name, err, attempts, failed, log.String())
		}
	}
}

func TestDoEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	attempts := 0
	err := Policy{Role: "care", BackOff: time.Hour, Logger: slog.New(slog.DiscardHandler)}.Do(ctx, "read", func() error {
		attempts++
		time.AfterFunc(time.Millisecond, cancel)
		return schema.Classify(schema.Transient, errors.New("away"))
	})
	if !errors.Is(err, context.Canceled) || attempts != 1 {
		t.Errorf("%v after %d attempts", err, attempts)
	}
}
