package collector

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// struckLog is a log of which the next submit is struck.
type struckLog struct {
	to *fakeLog

	mu     sync.Mutex
	strike string
	late   sync.WaitGroup
}

func (s *struckLog) Submit(ctx context.Context, messages []kafka.Message) error {
	s.mu.Lock()
	strike := s.strike
	s.strike = ""
	s.mu.Unlock()
	switch strike {
	case "failed":
		return errFull
	case "failed but applied":
		if err := s.to.Submit(ctx, messages); err != nil {
			return err
		}
		return errFull
	case "slow": // the caller gives up, and it is written afterwards
		own := make([]kafka.Message, len(messages))
		for i, m := range messages {
			own[i] = kafka.Message{Key: append([]byte(nil), m.Key...), Value: append([]byte(nil), m.Value...)}
		}
		<-ctx.Done()
		s.late.Go(func() {
			if err := s.to.Submit(context.WithoutCancel(ctx), own); err != nil {
				panic(err) // it has no fault of its own
			}
		})
		return schema.Classify(schema.Transient, ctx.Err())
	}
	return s.to.Submit(ctx, messages)
}

// TestWriteFaults strikes each of the two writes of a request, of what is accepted and of what is refused: it fails, it fails after it took effect,
// or it takes effect after the request was answered. The sender is told to send again; then each event and each refusal is there, and its copies
// are one by their id.
func TestWriteFaults(t *testing.T) {
	const batch = `{"batch":[` + goodTrack + `,{"type":"track","userId":"u","messageId":"bad"}]}`
	for _, boundary := range []string{"events", "dead letters"} {
		for _, kind := range []string{"failed", "failed but applied", "slow"} {
			t.Run(boundary+" "+kind, func(t *testing.T) {
				r := newRig(t, Limits{WriteTimeout: 30 * time.Millisecond})
				events := &struckLog{to: r.log}
				r.Collector.log = events
				letters := &struckLog{to: r.letters}
				workspace, _ := r.workspace("main")
				workspace.Letters.(*deadletter.Box).Log = letters
				if boundary == "events" {
					events.strike = kind
				} else {
					letters.strike = kind
				}
				first := r.post(t, "/v1/batch", serverKey, batch)
				if first.status != 503 || first.code() != "log_unavailable" || first.header.Get("Retry-After") == "" || !strings.Contains(first.Error.Hint, "again") {
					t.Errorf("a write that was not acknowledged is answered with %d %s", first.status, first.body)
				}
				if again := r.post(t, "/v1/batch", serverKey, batch); again.status != 200 {
					t.Fatalf("sent again: %d %s", again.status, again.body)
				}
				events.late.Wait()
				letters.late.Wait()
				ids := map[schema.EventID]bool{}
				for _, e := range r.events(t) {
					ids[e.ID] = true
				}
				if len(ids) != 1 {
					t.Errorf("%d events are there, one was sent", len(ids))
				}
				refused := r.refusedLetters(t)
				for _, l := range refused {
					if !strings.Contains(string(l.Raw), `"bad"`) {
						t.Errorf("the letter %s is not of what was refused", l.Raw)
					}
				}
				if len(refused) == 0 {
					t.Error("what was refused is lost")
				}
				if left := r.budget.left.Load(); left != r.limits.InFlight {
					t.Errorf("%d bytes of the budget are lost", r.limits.InFlight-left)
				}
			})
		}
	}
}

// TestNoRoom: what the log has no room for is refused at once, by one line that says what to do, and is accepted when there is room.
func TestNoRoom(t *testing.T) {
	r := newRig(t, Limits{})
	room := false
	r.Collector.room = func() bool { return room }
	for _, path := range []string{"/v1/track", "/v1/batch", "/v1/events"} {
		body := goodTrack
		if path == "/v1/batch" {
			body = `{"batch":[` + goodTrack + `]}`
		}
		a := r.post(t, path, serverKey, body)
		if a.status != 503 || a.code() != "disk_full" || a.header.Get("Retry-After") != "5" || !strings.Contains(a.Error.Hint, "make room") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if r.log.len() != 0 || r.letters.len() != 0 {
		t.Error("something was written")
	}
	room = true
	if a := r.post(t, "/v1/track", serverKey, goodTrack); a.status != 200 || r.log.len() != 1 {
		t.Errorf("with room again: %d %s", a.status, a.body)
	}
}
