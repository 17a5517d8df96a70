package control

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// struckTopic is a control topic in memory of which the next write is struck.
type struckTopic struct {
	mu      sync.Mutex
	records []eventlog.Record
	strike  string // "failed", "failed but applied", "slow"; empty: nothing
}

func (s *struckTopic) Ends(context.Context) ([]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []int64{int64(len(s.records))}, nil
}

func (s *struckTopic) Read(ctx context.Context, _ int32, offset int64, wait time.Duration) (eventlog.Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if offset == int64(len(s.records)) {
		s.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		s.mu.Lock()
	}
	return eventlog.Batch{From: offset, Next: int64(len(s.records)), Records: s.records[offset:]}, ctx.Err()
}

func (s *struckTopic) Produce(ctx context.Context, _ string, _ int32, messages []kafka.Message, at time.Time) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	strike := s.strike
	s.strike = ""
	if strike == "slow" {
		s.mu.Unlock()
		time.Sleep(time.Minute) // and is written all the same, as a broker does that has the request
		s.mu.Lock()
	}
	base := int64(len(s.records))
	if strike != "failed" {
		for i, m := range messages {
			s.records = append(s.records, eventlog.Record{Position: schema.Position{Offset: base + int64(i)}, RecordedAt: schema.InstantOf(at), Key: m.Key, Value: m.Value})
		}
	}
	switch {
	case strike == "failed", strike == "failed but applied":
		return 0, schema.Classify(schema.Transient, errors.New(strike))
	}
	return base, ctx.Err()
}

// TestAppendFaults strikes the write of a decision: it fails, it fails after it was written, or it is written after the caller has given up. Repeated
// with the same id, the decision counts once, whatever the first attempt left, and whoever opens the topic anew knows the same.
func TestAppendFaults(t *testing.T) {
	for _, kind := range []string{"", "failed", "failed but applied", "slow"} {
		t.Run("strike "+kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topic := &struckTopic{strike: kind}
				logger := slog.New(slog.DiscardHandler)
				c, err := Open(t.Context(), topic, topic, logger, time.Now)
				if err != nil {
					t.Fatal(err)
				}
				running, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- c.Run(running) }()
				decision := &schema.Control{ID: "one", Kind: schema.ControlRingCopied, Actor: "owner", RingCopy: &schema.ControlRingCopy{Name: "safe", Digest: "aa", Versions: map[string]uint64{"main": 3}}}
				limited, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if err := c.Append(limited, decision); (err != nil) != (kind != "") {
					t.Errorf("the first attempt: %v", err)
				}
				if err := c.Append(t.Context(), decision); err != nil {
					t.Errorf("repeated: %v", err)
				}
				other := *decision
				other.ID, other.RingCopy = "two", &schema.ControlRingCopy{Name: "bank", Digest: "bb", Versions: map[string]uint64{"main": 4}}
				if err := c.Append(t.Context(), &other); err != nil {
					t.Errorf("the next decision: %v", err)
				}
				anew, err := Open(t.Context(), topic, topic, logger, time.Now)
				if err != nil {
					t.Fatal(err)
				}
				for name, state := range map[string]*State{"this process": c.State(), "another one": anew.State()} {
					if copies := state.RingCopies(); len(copies) != 2 || copies[0].Name != "bank" || copies[1].Name != "safe" {
						t.Errorf("%s knows %+v", name, copies)
					}
				}
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
