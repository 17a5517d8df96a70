package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/embedded/chdb"
	"github.com/dossier-cdp/dossier/services/internal/load"
	"github.com/dossier-cdp/dossier/services/metrics"
)

// The year that the benchmark of metrics asks about.
const (
	measuredFrom = schema.Instant(1_735_689_600_000_000) // 2025-01-01
	measuredTo   = schema.Instant(1_767_225_600_000_000) // 2026-01-01
	measuredRuns = 7                                     // of each question, after one that warms up
)

// measured is an engine with tables of care that were filled by INSERT … SELECT: what the role itself would write, without the way there.
type measured struct {
	engine *chdb.Engine
	house  *clickhouse.Conn
	dir    string
}

// measure starts an engine in a throw-away folder.
func (c *benchCommand) measure(ctx context.Context) (m *measured, err error) {
	m = &measured{}
	if m.dir, err = os.MkdirTemp(c.Dir, "dossier-bench-"); err != nil {
		return nil, err
	}
	if m.engine, err = chdb.Start(ctx, chdb.Config{DataDir: m.dir, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(m.dir))
	}
	m.house, err = clickhouse.Open(ctx, clickhouse.Config{URL: m.engine.URL(), User: m.engine.User(), Password: m.engine.Password(), Database: "dossier"})
	if err == nil {
		err = m.house.Migrate(ctx, schema.Migrations())
	}
	if err != nil {
		return nil, errors.Join(err, m.stop())
	}
	return m, nil
}

func (m *measured) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var err error
	if m.house != nil {
		err = m.house.Close()
	}
	return errors.Join(err, m.engine.Close(ctx), os.RemoveAll(m.dir))
}

// fill writes rows [from, to) of a table by a statement with the parameters from and count, a quarter of a million at once.
func (m *measured) fill(ctx context.Context, sql string, from, to int64, more clickhouse.Params) error {
	const most = 250_000
	for ; from < to; from += most {
		p := clickhouse.Params{"from": from, "count": min(most, to-from)}
		for name, value := range more {
			p[name] = value
		}
		if err := m.house.Exec(ctx, sql, p, clickhouse.Settings{"max_insert_threads": 1, "max_threads": 2}); err != nil {
			return err
		}
	}
	return nil
}

// quiet waits until no parts are merged any more, a minute at most.
func (m *measured) quiet(ctx context.Context) error {
	deadline, calm := time.Now().Add(time.Minute), 0
	for time.Now().Before(deadline) && calm < 8 {
		var merges uint64
		if err := m.house.QueryRow(ctx, "SELECT count() FROM system.merges", nil, nil, &merges); err != nil {
			return err
		}
		if calm++; merges > 0 {
			calm = 0
		}
		time.Sleep(time.Second)
	}
	return nil
}

// The tables' rows by number. A person is two personas; ten conversations fall to one of them. Times are spread evenly over the year, and no two
// durations are alike, which is the worst case for what counts them.
const (
	fillEvents = `INSERT INTO events (workspace, persona, occurred_at, id, source, channel, type, actor, trust, received_at, recorded_at, entity, text, amount, currency, log_partition, log_offset)
SELECT 'main', reinterpretAsUUID(sipHash128('persona', sipHash64(number, 1) % {personas:Int64})), toDateTime64('2025-01-01', 6, 'UTC') + toIntervalMicrosecond(sipHash64(number, 2) % 31536000000000) AS at,
  reinterpretAsUUID(sipHash128('event', number)), 'crm', ['email', 'phone', 'chat', 'social', 'messaging', 'web_form', 'forum', 'store'][1 + number % 8],
  if(number % 20 = 0, 'order.placed', 'message.received'), 'customer', 'server', at, at, if(number % 20 = 0, toString(number), ''), if(number % 20 = 0, '', concat('my parcel ', toString(number), ' is late')),
  if(number % 20 = 0, toString(number % 200), ''), if(number % 20 = 0, 'EUR', ''), 0, number
FROM numbers({from:Int64}, {count:Int64})`

	fillPersonas = `INSERT INTO persona_profile (workspace, persona, profile, version, deleted)
SELECT 'main', reinterpretAsUUID(sipHash128('persona', number)), reinterpretAsUUID(sipHash128('persona', number - number % 2)), 1, 0
FROM numbers({from:Int64}, {count:Int64})`

	fillConversations = `INSERT INTO conversations (workspace, id, version, deleted, persona, personas, source, channel, channels, kind, initiator, thread, brand, team, queue, store, theme, tier, language, country,
  calendar, outcome, opened_at, last_at, first_inbound_at, last_inbound_at, first_reply_at, last_reply_at, waiting_since, first_reply_due, first_reply_wait, first_reply_open,
  asked_at, replied_at, reply_due, reply_open, inbound, outbound, agents, first_agent, offered_at, answered_at, ended_at, queue_wait, talk, handling, first_peer_at, resolved_flag, events)
WITH ['email', 'phone', 'chat', 'social', 'messaging', 'web_form', 'forum', 'store'][1 + number % 8] AS way, sipHash64(number, 3) AS h,
  toDateTime64('2025-01-01', 6, 'UTC') + toIntervalMicrosecond(sipHash64(number, 2) % 31536000000000) AS at, h % 10 != 0 AS answered, toInt64(sipHash64(number, 4) % 86400000000) AS wait,
  reinterpretAsUUID(sipHash128('persona', sipHash64(number, 1) % {personas:Int64})) AS who, at + toIntervalMicrosecond(wait) AS replied
SELECT 'main', reinterpretAsUUID(sipHash128('conversation', number)), {version:UInt64}, 0, who, [who], 'crm', way, [way], multiIf(way = 'phone', 'call', way = 'forum', 'forum', 'messages'), 'customer',
  toString(number), ['garance', 'lea'][1 + h % 2], concat('team ', toString(h % 12)), concat('queue ', toString(h % 5)), concat('store ', toString(h % 40)), concat('theme ', toString(h % 20)), '', ['fr', 'en'][1 + h % 2], 'FR',
  if(h % 3 = 0, 'office@1a2b3c4d', 'always'), if(way = 'phone', if(answered, 'answered', 'abandoned'), if(answered, 'answered', 'waiting')), at, replied, at, at, if(answered, replied, NULL), if(answered, replied, NULL),
  if(answered, NULL, at), at + INTERVAL 4 HOUR, if(answered, wait, NULL), if(answered, intDiv(wait, 3), NULL),
  if(answered AND h % 4 = 0, [at, replied + INTERVAL 1 HOUR], [at]), if(answered AND h % 4 = 0, [replied, replied + INTERVAL 90 MINUTE], [replied]), if(answered AND h % 4 = 0, [at, replied + INTERVAL 5 HOUR], [at + INTERVAL 4 HOUR]),
  if(answered AND h % 4 = 0, [intDiv(wait, 3), 600000000], [intDiv(wait, 3)]), 2, 1, ['agent 7'], 'agent 7', if(way = 'phone', at, NULL), if(way = 'phone' AND answered, at + INTERVAL 20 SECOND, NULL),
  if(way = 'phone', replied, NULL), if(way = 'phone', wait % 90000000, NULL), if(way = 'phone' AND answered, wait % 900000000, NULL), if(way = 'phone' AND answered, wait % 900000000, NULL),
  if(way = 'forum' AND answered, replied, NULL), if(h % 5 = 0, 1, NULL), 4
FROM numbers({from:Int64}, {count:Int64})`

	fillCases = `INSERT INTO cases (workspace, id, version, deleted, persona, personas, source, number, declared, channel, channels, complaint, brand, team, queue, store, theme, language, country, calendar, owner, state,
  opened_at, last_contact_at, first_inbound_at, last_inbound_at, first_reply_at, first_resolved_at, last_resolved_at, waiting_since, next_reply_due, resolution_due, resolution_wait, resolution_open,
  full_resolution_wait, full_resolution_open, requester_wait, agent_wait, resolutions, reopens, contacts, contacts_before_resolution, inbound, outbound, agents, explained, gestures, gesture_amounts, gesture_currencies,
  once_and_done, criticality, criticality_reasons, influence, events, details)
WITH ['email', 'phone', 'chat', 'social', 'messaging', 'web_form', 'forum', 'store'][1 + number % 8] AS way, sipHash64(number, 13) AS h,
  toDateTime64('2025-01-01', 6, 'UTC') + toIntervalMicrosecond(sipHash64(number, 12) % 31536000000000) AS at, number >= {open:Int64} AS solved, toInt64(sipHash64(number, 14) % 864000000000) AS wait,
  reinterpretAsUUID(sipHash128('persona', sipHash64(number, 11) % {personas:Int64})) AS who, at + toIntervalMicrosecond(wait) AS resolved
SELECT 'main', reinterpretAsUUID(sipHash128('case', number)), {version:UInt64}, 0, who, [who], 'crm', toString(number), 1, way, [way], h % 10 = 0, ['garance', 'lea'][1 + h % 2], concat('team ', toString(h % 12)),
  concat('queue ', toString(h % 5)), concat('store ', toString(h % 40)), concat('theme ', toString(h % 20)), ['fr', 'en'][1 + h % 2], 'FR', if(h % 3 = 0, 'office@1a2b3c4d', 'always'), 'agent 7', if(solved, 'resolved', 'open'),
  at, at, at, at, if(solved, resolved, NULL), if(solved, resolved, NULL), if(solved, resolved, NULL), if(solved, NULL, at), if(solved, NULL, at + INTERVAL 4 HOUR), at + INTERVAL 3 DAY, if(solved, wait, NULL), if(solved, intDiv(wait, 3), NULL),
  if(solved, wait, NULL), if(solved, intDiv(wait, 3), NULL), intDiv(wait, 2), intDiv(wait, 3), solved, h % 15 = 0, 1 + h % 3, 1 + h % 3, 1 + h % 3, 1, ['agent 7'], if(h % 4 = 0, 1, NULL), h % 25 = 0, if(h % 25 = 0, [toDecimal128(h % 50, 10)], []),
  if(h % 25 = 0, ['EUR'], []), if(h % 25 = 0, toUInt8(h % 2), NULL), (h % 1000) / 1100, if(h % 100 = 0, ['legal'], []), (h % 7) / 7, 5, '{"notes":[{"text":"called back"}]}'
FROM numbers({from:Int64}, {count:Int64})`

	fillSurveys = `INSERT INTO surveys (workspace, id, version, deleted, persona, source, survey, type, instrument, rating, scale_low, scale_high, sent_at, answered_at, first_answered_at, answers, channel, touchpoint,
  brand, team, store, theme, language, country, event, events)
WITH sipHash64(number, 23) AS h, number % 5 = 0 AS unanswered, ['nps', 'csat', 'ces', 'ces1', 'company_effort'][1 + h % 5] AS kind,
  toDateTime64('2025-01-01', 6, 'UTC') + toIntervalMicrosecond(sipHash64(number, 22) % 31536000000000) AS at
SELECT 'main', reinterpretAsUUID(sipHash128('survey', number)), {version:UInt64}, 0, reinterpretAsUUID(sipHash128('persona', sipHash64(number, 21) % {personas:Int64})), 'crm', toString(number),
  multiIf(unanswered, 'survey.sent', h % 11 = 0, 'review.published', 'survey.answered'), kind, if(unanswered, NULL, toDecimal64(if(kind = 'nps', h % 11, 1 + h % 5), 6)), if(kind = 'nps', 0, 1), multiIf(kind = 'nps', 10, kind = 'ces', 7, 5),
  at, if(unanswered, NULL, at + INTERVAL 1 HOUR), if(unanswered, NULL, at + INTERVAL 1 HOUR), not(unanswered), ['email', 'phone', 'chat', 'social'][1 + number % 4], 'delivery',
  ['garance', 'lea'][1 + h % 2], concat('team ', toString(h % 12)), concat('store ', toString(h % 40)), concat('theme ', toString(h % 20)), ['fr', 'en'][1 + h % 2], 'FR', reinterpretAsUUID(sipHash128('survey', number)), 2
FROM numbers({from:Int64}, {count:Int64})`
)

// fillCare writes events and a fifth as many conversations, a tenth cases and a twentieth surveys. One row in fifty is written again under a higher
// version, in ten blocks: tables that are in use are never in one part.
func (m *measured) fillCare(ctx context.Context, events int64) error {
	personas := max(events/25, 10)
	if err := m.fill(ctx, fillPersonas, 0, personas, nil); err != nil {
		return err
	}
	for _, t := range []struct {
		sql  string
		rows int64
	}{{fillEvents, events}, {fillConversations, events / 5}, {fillCases, events / 10}, {fillSurveys, events / 20}} {
		began := time.Now()
		p := clickhouse.Params{"personas": personas}
		if t.sql != fillEvents {
			p["version"] = 1
		}
		if t.sql == fillCases {
			p["open"] = t.rows / 20
		}
		if err := m.fill(ctx, t.sql, 0, t.rows, p); err != nil {
			return err
		}
		if t.sql != fillEvents {
			p["version"] = 2
			again := t.rows / 50
			for i := range int64(10) {
				if err := m.fill(ctx, t.sql, again*i/10, again*(i+1)/10, p); err != nil {
					return err
				}
			}
		}
		fmt.Fprintf(os.Stderr, "wrote %d rows of %s in %.0f s\n", t.rows, strings.Fields(t.sql)[2], time.Since(began).Seconds())
	}
	return m.quiet(ctx)
}

// metrics asks every metric by channel and by theme and month over the year, without GraphQL. The limit is a scan of the conversations by channel as
// they lie there, old versions and all.
func (c *benchCommand) metrics(ctx context.Context) (out benchResult, err error) {
	m, err := c.measure(ctx)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, m.stop()) }()
	if err := m.fillCare(ctx, c.Store); err != nil {
		return out, err
	}
	r := metrics.New(m.house, nil, time.Now)
	for _, by := range [][]metric.Dimension{{metric.Channel}, {metric.Theme, metric.Month}} {
		result, err := c.measures(ctx, r, by)
		if err != nil {
			return out, err
		}
		result.RSS = float64(load.RSS(os.Getpid())) / 1e6
		if err := c.print(result); err != nil {
			return out, err
		}
	}
	const scan = "SELECT channel, count() FROM conversations WHERE workspace = 'main' AND opened_at >= '2025-01-01' AND opened_at < '2026-01-01' GROUP BY channel"
	var times []time.Duration
	for range measuredRuns {
		began := time.Now()
		rows, err := m.house.Query(ctx, scan, nil, clickhouse.Settings{"max_threads": 2})
		if err == nil {
			err = rows.Close()
		}
		if err != nil {
			return out, err
		}
		times = append(times, time.Since(began))
	}
	return benchResult{N: c.Store / 5, P50: milliseconds(load.Quantile(times, .5)), P99: milliseconds(load.Quantile(times, .99)), RSS: float64(load.RSS(os.Getpid())) / 1e6,
		Note: "(a scan of the conversations by channel, old versions counted: no figure can be faster)"}, nil
}

// measures asks every metric that has the dimensions; employees' answers have not.
func (c *benchCommand) measures(ctx context.Context, r *metrics.Reader, by []metric.Dimension) (benchResult, error) {
	var all []time.Duration
	slowest, worst := "", time.Duration(0)
	before := load.CPU(syscall.Getpid())
	for _, d := range metric.Catalogue() {
		if d.Employee || slices.ContainsFunc(by, func(b metric.Dimension) bool { return !slices.Contains(d.Dimensions(), b) }) {
			continue
		}
		if len(c.Only) > 0 && !slices.Contains(c.Only, d.Name) {
			continue
		}
		var times []time.Duration
		rows := int64(0)
		for i := range measuredRuns + 1 {
			began := time.Now()
			a, err := r.Figure(ctx, d.Name, metric.Query{Workspace: mainWorkspace, From: measuredFrom, To: measuredTo, Now: measuredTo, By: by, Zone: "Europe/Paris"})
			if err != nil {
				return benchResult{}, fmt.Errorf("%s: %w", d.Name, err)
			}
			if i > 0 {
				times = append(times, time.Since(began))
			}
			rows = a.Whole.N
		}
		all = append(all, times...)
		if p95 := load.Quantile(times, .95); p95 > worst {
			slowest, worst = d.Name, p95
		}
		fmt.Fprintf(os.Stderr, "%-20s by %v: %d rows, p50 %.0f ms, most %.0f ms\n", d.Name, by, rows, milliseconds(load.Quantile(times, .5)), milliseconds(load.Quantile(times, 1)))
	}
	out := benchResult{Bench: "metrics", N: int64(len(all)), P50: milliseconds(load.Quantile(all, .5)), P99: milliseconds(load.Quantile(all, .99))}
	if len(all) > 0 {
		out.CPU = float64((load.CPU(syscall.Getpid()) - before).Microseconds()) / float64(len(all)*(measuredRuns+1)/measuredRuns)
	}
	out.Note = fmt.Sprintf("(by %v over a year: p95 %.0f ms; the slowest is %s with p95 %.0f ms)", by, milliseconds(load.Quantile(all, .95)), slowest, milliseconds(worst))
	return out, nil
}
