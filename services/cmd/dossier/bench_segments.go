package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/load"
)

// fillPeople writes the rows of people whose first persona is an even one of fillPersonas.
const fillPeople = `INSERT INTO people (workspace, profile, version, deleted, trait_names, trait_texts, trait_numbers, trait_times, trait_kinds, had, said, identifiers, allowed, allowed_until, refused, recency, frequency)
WITH sipHash64(number, 31) AS h, ['paris', 'lyon', 'lille', 'nantes', 'marseille'][1 + h % 5] AS city, ['gold', 'silver', 'none'][1 + h % 3] AS tier,
  toDate('1950-01-01') + (h % 20000) AS born, toString(18 + h % 70) AS age
SELECT 'main', reinterpretAsUUID(sipHash128('persona', 2 * number)), 1, 0, ['age', 'birth_date', 'city', 'tier'], [age, toString(born), city, tier], [toInt64(age) * 1000000, 0, 0, 0],
  [0, toInt64(toUnixTimestamp(toDateTime(toDateTime64(born, 0, 'UTC')))) * 1000000, 0, 0], [1, 2, 0, 0],
  [concat('age', char(0), age), concat('birth_date', char(0), toString(born)), concat('city', char(0), city), concat('tier', char(0), tier)], [concat('city', char(0), 'crm', char(0), city)], ['email', 'phone'],
  if(h % 3 = 0, [concat('newsletter', char(0), 'email')], []), if(h % 3 = 0, [0], []), if(h % 7 = 0, [concat('newsletter', char(0), 'sms')], []), (1 + h % 5) * 1000000, (1 + h % 4) * 1000000
FROM numbers({from:Int64}, {count:Int64})`

// measuredSegments are n definitions: a fifth asks for traits alone, the others for events in windows, too.
func measuredSegments(n int) (segment.Set, error) {
	set := segment.Set{}
	for k := range n {
		where := []string{
			`{"all":[{"trait":{"name":"city","op":"is","value":"lyon"}},{"trait":{"name":"age","op":"atLeast","value":%d}},{"consent":{"purpose":"newsletter","channel":"email"}}]}`,
			`{"all":[{"trait":{"name":"tier","op":"is","value":"gold"}},{"event":{"type":"order.placed","within":"%dd","count":{"atLeast":1}}}]}`,
			`{"event":{"type":"order.placed","within":"%dd","sum":{"field":"amount","currency":"EUR","atLeast":150}}}`,
			`{"all":[{"event":{"type":"message.received","within":"%dd","count":{"atLeast":2}}},{"not":{"event":{"type":"order.placed","within":"30d"}}}]}`,
			`{"sequence":{"first":{"type":"message.received","channels":["email"]},"then":{"type":"order.placed"},"within":"7d","in":"%dd"}}`,
		}[k%5]
		name := fmt.Sprintf("s%d", k)
		s, err := segment.Parse(name, fmt.Appendf(nil, `{"zone":"Europe/Paris","where":`+where+`}`, 20+k), time.LoadLocation)
		if err != nil {
			return nil, err
		}
		set[name] = s
	}
	return set, nil
}

// segments measures counts of previews, a full recompute of 50 segments and an export over the tables, and the stream's evaluation in memory. So many people as a
// twentieth of --store have that many events.
func (c *benchCommand) segments(ctx context.Context) (out benchResult, err error) {
	set, err := measuredSegments(50)
	if err != nil {
		return out, err
	}
	for _, whole := range []bool{true, false} {
		if err := c.print(streamed(set, whole)); err != nil {
			return out, err
		}
	}
	m, err := c.measure(ctx)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, m.stop()) }()
	people := max(c.Store/20, 10)
	for _, f := range []struct {
		sql  string
		rows int64
	}{{fillPersonas, 2 * people}, {fillPeople, people}, {fillEvents, c.Store}} {
		began := time.Now()
		if err := m.fill(ctx, f.sql, 0, f.rows, clickhouse.Params{"personas": 2 * people}); err != nil {
			return out, err
		}
		fmt.Fprintf(os.Stderr, "wrote %d rows in %.0f s\n", f.rows, time.Since(began).Seconds())
	}
	if err := m.quiet(ctx); err != nil {
		return out, err
	}
	settings := clickhouse.Settings{"max_threads": 2, "max_memory_usage": 4 << 30}
	count := func(name string) (n uint64, took time.Duration, err error) {
		began := time.Now()
		q := set.Compile(set[name], mainWorkspace, measuredTo)
		err = m.house.QueryRow(ctx, "SELECT count() FROM ("+q.SQL+")", q.Params, settings, &n)
		return n, time.Since(began), err
	}
	for k, what := range []string{"preview, traits alone", "preview, a trait and orders in a window", "preview, a sum in a window", "preview, messages and no order", "preview, a then b"} {
		var times []time.Duration
		var n uint64
		before := load.CPU(syscall.Getpid())
		for i := range measuredRuns + 1 {
			found, took, err := count(fmt.Sprintf("s%d", k))
			if err != nil {
				return out, err
			}
			if n = found; i > 0 {
				times = append(times, took)
			}
		}
		r := benchResult{Bench: "segments", N: int64(n), P50: milliseconds(load.Quantile(times, .5)), P99: milliseconds(load.Quantile(times, .99)), Note: fmt.Sprintf("(%s: p95 %.0f ms)", what, milliseconds(load.Quantile(times, .95)))}
		r.CPU = float64((load.CPU(syscall.Getpid()) - before).Microseconds()) / (measuredRuns + 1)
		if err := c.print(r); err != nil {
			return out, err
		}
	}
	began, before := time.Now(), load.CPU(syscall.Getpid())
	for _, name := range set.Names() {
		if _, _, err := count(name); err != nil {
			return out, err
		}
	}
	took := time.Since(began)
	recompute := benchResult{Bench: "segments", N: people, PerSecond: float64(people) / took.Seconds(), CPU: float64((load.CPU(syscall.Getpid()) - before).Microseconds()) / float64(people), Note: fmt.Sprintf("(50 segments counted anew: %.1f s)", took.Seconds())}
	if err := c.print(recompute); err != nil {
		return out, err
	}
	everybody, err := segment.Parse("all", []byte(`{"where":{"identifier":{"kind":"email"}}}`), time.LoadLocation)
	if err != nil {
		return out, err
	}
	q := set.Compile(everybody, mainWorkspace, measuredTo)
	began, before = time.Now(), load.CPU(syscall.Getpid())
	body, err := m.house.Stream(ctx, q.SQL, q.Params, settings, "CSVWithNames")
	if err != nil {
		return out, err
	}
	bytes, err := io.Copy(io.Discard, body)
	if err = errors.Join(err, body.Close()); err != nil {
		return out, err
	}
	took = time.Since(began)
	return benchResult{N: people, PerSecond: float64(people) / took.Seconds(), CPU: float64((load.CPU(syscall.Getpid()) - before).Microseconds()) / float64(people), RSS: float64(load.RSS(os.Getpid())) / 1e6,
		Note: fmt.Sprintf("(export of everybody to CSV: %d bytes in %.1f s)", bytes, took.Seconds())}, nil
}

// streamed evaluates 50 segments for each event that comes, as the role does once facts and person are read: whole is every segment for every event, else those that the
// event may change, and those whose time has come.
func streamed(set segment.Set, whole bool) benchResult {
	const people, each, n, step = 1_000, 20, 200_000, 512
	needs := set.Needs()
	live := set.Live()
	all, before := make([]*segment.Person, people), make([][]segment.Outcome, people)
	evaluator := segment.NewEvaluator(set)
	for k := range all {
		p := &segment.Person{ID: schema.ProfileID{byte(k), byte(k >> 8), 6: 0x80, 8: 0x80}, Allowed: []segment.Permission{{Purpose: "newsletter", Channel: "email"}}}
		p.Traits = []segment.Known{segment.TraitOf("age", fmt.Appendf(nil, "%d", 18+k%70)), segment.TraitOf("city", []byte(`"lyon"`)), segment.TraitOf("tier", []byte(`"gold"`))}
		for e := range each {
			p.Events = append(p.Events, segment.FactOf(measuredEvent(k, e), needs.Paths))
		}
		all[k], before[k] = p, evaluator.Evaluate(live, p, measuredTo, nil, segment.Change{})
	}
	began, cpu := time.Now(), load.CPU(syscall.Getpid())
	members, now := 0, measuredTo
	for k := range n {
		if k%step == 0 { // the role weighs so many at one instant
			now += 17_000
		}
		p := all[k%people]
		e := measuredEvent(k%people, each+k/people)
		p.Events[k/people%each] = segment.FactOf(e, needs.Paths)
		last := before[k%people]
		if whole {
			last = nil
		}
		// What the event took the place of is gone, so its type changed too.
		last = evaluator.Evaluate(live, p, now, last, segment.Change{Types: []schema.Type{e.Type, measuredEvent(k%people, k/people).Type}})
		for _, o := range last {
			if o.Member {
				members++
			}
		}
		before[k%people] = last
	}
	took, used := time.Since(began), load.CPU(syscall.Getpid())-cpu
	what := "those that it may change"
	if whole {
		what = "all"
	}
	return benchResult{Bench: "segments", N: n, PerSecond: n / took.Seconds(), CPU: float64(used.Microseconds()) / n, Note: fmt.Sprintf("(stream: an event, then of 50 segments %s, for a person with %d events; %.0f/s by CPU time; %d memberships)", what, each, n/used.Seconds(), members)}
}

func measuredEvent(person, k int) *schema.Event {
	e := &schema.Event{}
	e.ID = schema.EventID{byte(person), byte(person >> 8), byte(k), 6: 0x80, 8: 0x80}
	e.OccurredAt = measuredTo - schema.Instant(1+(person*7+k*13)%365)*86_400_000_000
	e.Source, e.Type, e.Channel, e.Actor = "crm", schema.TypeMessageReceived, schema.ChannelEmail, schema.ActorCustomer
	if k%4 == 0 {
		e.Type, e.Entity, e.Amount, e.Currency = schema.TypeOrderPlaced, fmt.Sprint(k), "49.90", "EUR"
	}
	return e
}
