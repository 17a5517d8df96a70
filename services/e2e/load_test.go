package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// someEvents makes native events of people who write, order and answer, and share mailboxes and phones in pairs. It is a pure
// function of n.
func someEvents(n int) []json.RawMessage {
	random := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	events := make([]json.RawMessage, n)
	for k := range n {
		who := random.IntN(n/20 + 1)
		event := map[string]any{
			"messageId": fmt.Sprintf("load-%d", k), "occurredAt": begin.Add(time.Duration(random.IntN(500*24*3600)) * time.Second).Format(time.RFC3339),
			"source": [...]string{"shop", "crm", "desk"}[random.IntN(3)], "account": map[string]any{"kind": "crm_id", "value": fmt.Sprintf("c%d", who)},
		}
		switch random.IntN(4) {
		case 0:
			event["type"], event["channel"] = "profile.identified", "crm"
			event["identifiers"] = map[string]any{"email": fmt.Sprintf("family%d@example.com", who/2), "phone": fmt.Sprintf("+336000%05d", who)}
			event["traits"] = map[string]any{"first_name": [...]string{"Anne", "Paul", "Zoé"}[who%3], "visits": k}
		case 1:
			event["type"], event["channel"], event["text"] = "message.received", "email", fmt.Sprintf("Où est mon colis n° %d ?", k)
		case 2:
			event["type"], event["channel"], event["entity"] = "order.placed", "web", fmt.Sprintf("order-%d", k)
			event["amount"], event["currency"] = fmt.Sprintf("%d.%02d", random.IntN(300), random.IntN(100)), "EUR"
		case 3:
			event["type"], event["channel"], event["rating"], event["ratingScale"] = "survey.answered", "survey", random.IntN(6), "0-5"
		}
		text, err := json.Marshal(event)
		if err != nil {
			panic(err)
		}
		events[k] = text
	}
	return events
}

// load sends events from several connections until each is acknowledged, whatever happens to the installation meanwhile.
type load struct {
	acknowledged atomic.Int64
	senders      sync.WaitGroup
	mu           sync.Mutex
	failure      error
}

// start begins to send events in requests of 20.
func (l *load) start(t *testing.T, i *installation, events []json.RawMessage) {
	t.Helper()
	authorization := basic(i.WriteKey)
	work := make(chan []json.RawMessage, len(events)/20+1)
	for len(events) > 0 {
		n := min(20, len(events))
		work <- events[:n]
		events = events[n:]
	}
	close(work)
	to := &installation{credentials: i.credentials}
	for range 4 {
		l.senders.Go(func() {
			for some := range work {
				for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
					_, err := to.trySend(t.Context(), authorization, some...)
					if err == nil {
						l.acknowledged.Add(int64(len(some)))
						break
					}
					if !errors.Is(err, errUnavailable) || time.Since(begun) > patience {
						l.mu.Lock()
						l.failure = errors.Join(l.failure, err)
						l.mu.Unlock()
						return
					}
				}
			}
		})
	}
}

// reached returns when so many events are acknowledged.
func (l *load) reached(t *testing.T, n int) {
	t.Helper()
	for begun := time.Now(); l.acknowledged.Load() < int64(n); time.Sleep(time.Millisecond) {
		l.failed(t)
		if time.Since(begun) > patience {
			t.Fatalf("%d events acknowledged, want %d", l.acknowledged.Load(), n)
		}
	}
}

// end returns when all events are acknowledged.
func (l *load) end(t *testing.T) {
	t.Helper()
	l.senders.Wait()
	l.failed(t)
}

func (l *load) failed(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure != nil {
		t.Fatal(l.failure)
	}
}
