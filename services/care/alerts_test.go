package care

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/webhook"
)

// memoryDecided is the topic decisions.
type memoryDecided struct {
	mu     sync.Mutex
	values [][]byte
	faults *faults
}

func (d *memoryDecided) Read(_ context.Context, offset int64) (values [][]byte, next int64, err error) {
	err = d.faults.around("decided", func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		values = d.values[offset:min(int64(len(d.values)), offset+2)]
		next = offset + int64(len(values))
		return nil
	})
	return values, next, err
}

func (d *memoryDecided) Append(_ context.Context, _ []byte, values [][]byte) error {
	return d.faults.around("append", func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.values = append(d.values, values...)
		return nil
	})
}

// raised lists the alerts of the topic by rule, with the kinds of what else it holds.
func (d *memoryDecided) raised(t *testing.T) (rules []string, ids []schema.EventID, other []string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range d.values {
		var r decision
		if err := json.Unmarshal(v, &r); err != nil {
			t.Fatal(err)
		}
		if r.Kind != kindRaised {
			other = append(other, r.Kind+" "+r.Webhook)
			continue
		}
		rules, ids = append(rules, r.Alert.Rule+r.Alert.Of), append(ids, r.Alert.ID)
	}
	slices.Sort(rules)
	return rules, ids, other
}

// letters are what was sent.
type letters struct {
	mu   sync.Mutex
	got  map[string]int
	fail func(attempt int) error
	n    int
}

func (l *letters) Send(_ context.Context, d webhook.Destination, m webhook.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	if l.fail != nil {
		if err := l.fail(l.n); err != nil {
			return err
		}
	}
	var body struct {
		Type string
		Data struct{ ID, Rule, Workspace string }
	}
	if err := json.Unmarshal(m.Body, &body); err != nil || body.Data.ID != m.ID || body.Type != kindRaised || body.Data.Workspace != "main" || len(d.Secrets) == 0 {
		return fmt.Errorf("%s: %w", m.Body, err)
	}
	if l.got == nil {
		l.got = map[string]int{}
	}
	l.got[d.URL+" "+body.Data.Rule]++
	return nil
}

// alarmed is a world with a clock: two customers ask at its beginning on a social network, one of them is answered after half an hour.
func alarmed(t *testing.T, seed uint64) (w *world, clock *atomic.Int64, begin schema.Instant) {
	w = newWorld(t, seed)
	begin = schema.Instant(1_772_442_000_000_000)
	clock = &atomic.Int64{}
	clock.Store(int64(begin))
	w.now = func() time.Time { return schema.Instant(clock.Load()).Time() }
	w.decided = &memoryDecided{}
	ask := func(n byte, at schema.Instant, kind schema.Type, actor schema.Actor) *schema.Event {
		e := &schema.Event{}
		e.ID[15], e.Workspace, e.Source, e.Type, e.Channel, e.Actor = n+byte(kind)*16, "main", "social", kind, schema.ChannelSocial, actor
		e.Persona[15], e.OccurredAt, e.Conversation, e.Provenance.MessageID = n, at, fmt.Sprint("t", n), fmt.Sprint(n, kind)
		return e
	}
	const halfHour = schema.Instant(30 * 60 * 1_000_000)
	w.add(rand.New(rand.NewPCG(seed, 1)), []*schema.Event{
		ask(1, begin, schema.TypeMessageReceived, schema.ActorCustomer), ask(2, begin, schema.TypeMessageReceived, schema.ActorCustomer), ask(2, begin+halfHour, schema.TypeMessageSent, schema.ActorAgent),
	})
	return w, clock, begin
}

const aMinute = int64(60 * 1_000_000)

// until waits for the alerts of the topic to be those, and a while longer for others that should not be.
func until(t *testing.T, d *memoryDecided, want ...string) error {
	t.Helper()
	slices.Sort(want)
	var got []string
	for range 400 {
		if got, _, _ = d.raised(t); slices.Equal(got, want) {
			time.Sleep(20 * time.Millisecond)
			if got, _, _ = d.raised(t); slices.Equal(got, want) {
				return nil
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("raised %q, want %q", got, want)
}

const (
	near, missed       = care.AlertDeadlineNear + "reply", care.AlertDeadlineMissed + "reply"
	nearEnd, missedEnd = care.AlertDeadlineNear + "resolution", care.AlertDeadlineMissed + "resolution"
)

// Deadlines raise alerts by time alone, each once: through restarts, a state that is lost, tables that are lost, other rules.
func TestAlertsOnce(t *testing.T) {
	w, clock, begin := alarmed(t, 1)
	err := w.run(nil, func(*Care) error {
		for _, step := range []struct {
			at   int64
			want []string
		}{
			{0, nil},
			{50 * aMinute, []string{near}}, // the answered one's deadline is as near, and nobody waits there
			{60 * aMinute, []string{near}}, // in time is up to and with the deadline
			{60*aMinute + 1, []string{near, missed}},
		} {
			clock.Store(int64(begin) + step.at)
			if err := until(t, w.decided, step.want...); err != nil {
				return fmt.Errorf("at %d: %w", step.at, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	again := func(*Care) error { return until(t, w.decided, near, missed) }
	if err := w.run(nil, again); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.dir = t.TempDir()
	w.open()
	if err := w.run(nil, again); err != nil {
		t.Fatal(err)
	}
	w.tables.mu.Lock()
	w.tables.identity, w.tables.rows = "b", map[string][]head{}
	w.tables.mu.Unlock()
	if err := w.run(nil, again); err != nil {
		t.Fatal(err)
	}
	distinct := map[schema.EventID]bool{}
	for _, h := range w.tables.rows[schema.TableAlerts] {
		distinct[h.id] = true
	}
	if _, ids, _ := w.decided.raised(t); len(distinct) != len(ids) || len(ids) != 2 {
		t.Errorf("%d rows of %d alerts in the new table", len(distinct), len(ids))
	}
	// What is older than a day is no news, and the deadline that nears is.
	clock.Store(int64(begin) + 24*60*aMinute - 5*aMinute)
	if err := w.run(nil, func(*Care) error { return until(t, w.decided, near, missed, nearEnd) }); err != nil {
		t.Fatal(err)
	}
	clock.Store(int64(begin) + 72*60*aMinute)
	if err := w.run(nil, func(*Care) error { return until(t, w.decided, near, missed, nearEnd) }); err != nil {
		t.Fatal(err)
	}
}

// An answer that was given in time and comes with the part of the log that is not read yet raises nothing.
func TestAlertsWaitForTheLog(t *testing.T) {
	for seed := range uint64(10) {
		w, clock, begin := alarmed(t, seed)
		clock.Store(int64(begin) + 61*aMinute) // everything is due when the role begins
		if err := w.run(nil, func(*Care) error { return until(t, w.decided, near, missed) }); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// Whatever befalls reading and writing the topic, and the process, each alert is in it once and in the table.
func TestAlertsThroughFaults(t *testing.T) {
	for _, what := range []string{"decided", "append", "insert", "ends"} {
		for kind := failed; kind < kinds; kind++ {
			for _, call := range []int{0, 2} {
				w, clock, begin := alarmed(t, uint64(kind))
				clock.Store(int64(begin) + 61*aMinute)
				f := &faults{calls: map[string]int{}, at: func(n int, w string) fault {
					if w == what && n == call {
						return kind
					}
					return none
				}}
				// A crash ends the run, or comes too late for it: either way the next one finds what there is.
				ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
				c := w.role(f)
				c.Tick = time.Millisecond
				if err := c.Run(ctx); err != nil && !errors.Is(err, errCrash) {
					t.Fatalf("%s, call %d, fault %d: %v", what, call, kind, err)
				}
				cancel()
				if err := w.run(nil, func(*Care) error { return until(t, w.decided, near, missed) }); err != nil {
					t.Fatalf("%s, call %d, fault %d: %v", what, call, kind, err)
				}
				in := map[schema.EventID]bool{}
				for _, h := range w.tables.rows[schema.TableAlerts] {
					in[h.id] = true
				}
				if len(in) != 2 {
					t.Fatalf("%s, call %d, fault %d: %d alerts in the table", what, call, kind, len(in))
				}
			}
		}
	}
}

// Each webhook gets what it wants, tried again until it is taken, and not once more after a restart.
func TestAlertsAreSent(t *testing.T) {
	w, clock, begin := alarmed(t, 3)
	settings := care.Settings{Alerts: &care.AlertsSettings{Webhooks: map[string]care.WebhookSettings{
		"all":  {URL: "https://all.example", Secrets: []string{"secret:A"}},
		"some": {URL: "https://some.example", Secrets: []string{"secret:A"}, Rules: []string{care.AlertDeadlineMissed}},
	}}}
	rules, err := settings.Rules(time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	w.rules = rules
	post := &letters{fail: func(attempt int) error {
		if attempt == 1 {
			return schema.Classify(schema.Transient, errors.New("not now"))
		}
		return nil
	}}
	w.sender = post
	clock.Store(int64(begin) + 61*aMinute)
	sent := func(*Care) error {
		if err := until(t, w.decided, near, missed); err != nil {
			return err
		}
		for range 500 {
			if _, _, other := w.decided.raised(t); len(other) == 3 {
				return nil
			}
			clock.Add(aMinute / 60) // a second: the pause after a failure passes
			time.Sleep(2 * time.Millisecond)
		}
		_, _, other := w.decided.raised(t)
		return fmt.Errorf("recorded %q", other)
	}
	if err := w.run(nil, sent); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.dir = t.TempDir()
	w.open()
	if err := w.run(nil, func(*Care) error { time.Sleep(100 * time.Millisecond); return nil }); err != nil {
		t.Fatal(err)
	}
	var got []string
	for what, n := range post.got {
		got = append(got, fmt.Sprint(what, " ", n))
	}
	slices.Sort(got)
	want := []string{"https://all.example deadline_missed 1", "https://all.example deadline_near 1", "https://some.example deadline_missed 1"}
	if !slices.Equal(got, want) || post.n != 4 {
		t.Errorf("%d attempts, got %s", post.n, strings.Join(got, ", "))
	}
}

// counter is where alerts arrive: one place takes nothing until it is let go, another refuses the first attempt.
type counter struct {
	mu    sync.Mutex
	let   chan struct{}
	tried map[string]int
	got   map[string][]string // by address, the rules of alerts as they arrived
}

func (p *counter) Send(ctx context.Context, d webhook.Destination, m webhook.Message) error {
	if strings.Contains(d.URL, "stuck") {
		select {
		case <-p.let:
		case <-ctx.Done():
			return schema.Classify(schema.Transient, ctx.Err())
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tried[d.URL]++; strings.Contains(d.URL, "moody") && p.tried[d.URL] == 1 {
		return schema.Classify(schema.Transient, errors.New("not now"))
	}
	var body struct{ Data struct{ Rule, Of string } }
	if err := json.Unmarshal(m.Body, &body); err != nil {
		return err
	}
	p.got[d.URL] = append(p.got[d.URL], body.Data.Rule+body.Data.Of)
	return nil
}

func (p *counter) at(url string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got[url])
}

// A webhook that takes nothing holds up no other, and what a case came to arrives in order, even when the first of it was refused at first.
func TestWebhooksSideBySide(t *testing.T) {
	w, clock, begin := alarmed(t, 5)
	hook := func(name string) care.WebhookSettings {
		return care.WebhookSettings{URL: "https://" + name + ".example", Secrets: []string{"secret:A"}}
	}
	settings := care.Settings{Alerts: &care.AlertsSettings{Webhooks: map[string]care.WebhookSettings{"a": hook("stuck"), "b": hook("moody"), "c": hook("free")}}}
	rules, err := settings.Rules(time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	w.rules = rules
	post := &counter{let: make(chan struct{}), tried: map[string]int{}, got: map[string][]string{}}
	w.sender = post
	clock.Store(int64(begin) + 61*aMinute)
	want := []string{near, missed}
	arrive := func(url string) error {
		for range 1000 {
			if got := post.at(url); len(got) >= len(want) {
				if !slices.Equal(got, want) {
					return fmt.Errorf("%s got %q, want %q", url, got, want)
				}
				return nil
			}
			clock.Add(aMinute / 60)
			time.Sleep(2 * time.Millisecond)
		}
		return fmt.Errorf("%s got %q", url, post.at(url))
	}
	err = w.run(nil, func(*Care) error {
		if err := errors.Join(until(t, w.decided, near, missed), arrive("https://free.example"), arrive("https://moody.example")); err != nil {
			return err
		}
		if got := post.at("https://stuck.example"); len(got) != 0 {
			return fmt.Errorf("the stuck webhook got %q", got)
		}
		close(post.let)
		return arrive("https://stuck.example")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Far more customers than usual raise one alert for the channel.
func TestSpikeIsRaised(t *testing.T) {
	w, clock, begin := alarmed(t, 4)
	w.tables.begun = 40
	clock.Store(int64(begin) + 20*aMinute)
	for range 2 {
		if err := w.run(nil, func(*Care) error { return until(t, w.decided, care.AlertSpike) }); err != nil {
			t.Fatal(err)
		}
	}
}

// Much blame in a quarter of an hour raises a crisis, once, whoever asks again; of a brand that is not watched it raises nothing.
func TestCrisisIsRaised(t *testing.T) {
	for own, want := range map[string][]string{"garance": {care.AlertCrisis, care.AlertMentions, care.AlertMentions}, "lea": {}} {
		w, clock, begin := alarmed(t, 4)
		w.watched = reputation.DefaultSettings()
		w.watched.Own = []string{own}
		w.tables.storm = true
		clock.Store(int64(begin) + 20*aMinute)
		for range 2 {
			if err := w.run(nil, func(*Care) error {
				if own != "garance" {
					time.Sleep(50 * time.Millisecond)
					return nil
				}
				return until(t, w.decided, want...)
			}); err != nil {
				t.Fatal(err)
			}
		}
		if rules, _, _ := w.decided.raised(t); fmt.Sprint(rules) != fmt.Sprint(want) {
			t.Errorf("watching %s raised %q, want %q", own, rules, want)
		}
	}
}
