package collector

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/analytics-go/v3"

	"github.com/dossier-cdp/dossier/schema"
)

// TestAnalyticsGo: Segment's Go SDK, unmodified. The collector fails twice; the SDK tries again; each event is there once.
func TestAnalyticsGo(t *testing.T) {
	r := newRig(t, Limits{})
	r.now = time.Now()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if n := requests.Add(1); n <= 2 {
			r.log.setFail(errFull)
			defer r.log.setFail(nil)
		}
		r.Handler().ServeHTTP(w, req)
	}))
	defer server.Close()
	outcome := make(chanCallback, 4)
	client, err := analytics.NewWithConfig(serverKey, analytics.Config{
		Endpoint: server.URL, BatchSize: 4, DefaultContext: &analytics.Context{App: analytics.AppInfo{Name: "shop"}},
		Callback:   outcome,
		RetryAfter: func(int) time.Duration { return 5 * time.Millisecond },
	})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 2, 3, 4, 5, 6, 789012345, time.UTC)
	for _, m := range []analytics.Message{
		analytics.Identify{UserId: "u1", MessageId: "i1", Timestamp: at, Traits: analytics.NewTraits().SetEmail("ann@example.com").SetFirstName("Ann")},
		analytics.Track{UserId: "u1", MessageId: "t1", Timestamp: at, Event: "Order Completed", Properties: analytics.NewProperties().SetOrderId("o1").SetRevenue(12.5).SetCurrency("EUR")},
		analytics.Page{AnonymousId: "a1", MessageId: "p1", Timestamp: at, Name: "Home"},
		analytics.Alias{UserId: "u1", PreviousId: "a1", MessageId: "l1", Timestamp: at},
	} {
		if err := client.Enqueue(m); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 { // the SDK gives up what it has not sent when it is closed
		if err := <-outcome; err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	events := r.events(t)
	if len(events) != 4 || requests.Load() != 3 {
		t.Fatalf("%d events after %d requests", len(events), requests.Load())
	}
	kinds := map[string]schema.Type{}
	for _, e := range events {
		kinds[e.Provenance.MessageID] = e.Type
		if e.OccurredAt != schema.InstantOf(at) || e.Provenance.Library != "analytics-go/3.0.0" {
			t.Errorf("%s: occurred %s, library %q", e.Provenance.MessageID, e.OccurredAt, e.Provenance.Library)
		}
	}
	if kinds["i1"] != schema.TypeProfileIdentified || kinds["t1"] != schema.TypeOrderPlaced || kinds["p1"] != schema.TypePageViewed || kinds["l1"] != schema.TypeIdentityAliased {
		t.Fatalf("%v", kinds)
	}
}

// chanCallback hears what became of each message.
type chanCallback chan error

func (c chanCallback) Success(analytics.Message)              { c <- nil }
func (c chanCallback) Failure(_ analytics.Message, err error) { c <- err }
