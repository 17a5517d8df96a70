package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/load"
	"github.com/dossier-cdp/dossier/services/metrics"
)

// fillMentions writes posts by number, spread over 200 days from the begin of the year, of six brands on one platform: a third judged by the source, the others by the model in two languages.
const fillMentions = `INSERT INTO mentions (workspace, id, version, deleted, persona, event, occurred_at, source, platform, channel, brand, language, polarity, judge, model, own, repost, reach, impressions, followers,
  applause, conversation, amplification, clicks, saves)
WITH sipHash64(number, 33) AS h
SELECT 'main', reinterpretAsUUID(sipHash128('mention', number)), {version:UInt64}, 0, reinterpretAsUUID(sipHash128('persona', sipHash64(number, 31) % {personas:Int64})), reinterpretAsUUID(sipHash128('mention', number)),
  toDateTime64('2025-01-01', 6, 'UTC') + toIntervalMicrosecond(sipHash64(number, 32) % 17280000000000), 'twitter', 'twitter', 'social', concat('brand ', toString(h % 6)), ['fr', 'en'][1 + h % 2],
  ['favourable', 'neutral', 'unfavourable'][1 + h % 3], if(number % 3 = 0, 'source', 'model'), if(number % 3 = 0, '', 'm1'), h % 50 = 0, h % 10 = 0, -1, -1, h % 1000, h % 20, -1, h % 5, -1, -1
FROM numbers({from:Int64}, {count:Int64})`

// reputation asks share of voice and net sentiment by brand and day over 200 days, without GraphQL, of a tenth as many people as posts. The limit is a count of the posts by brand as they
// lie there, old versions and all.
func (c *benchCommand) reputation(ctx context.Context) (out benchResult, err error) {
	m, err := c.measure(ctx)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, m.stop()) }()
	personas := max(c.Store/10, 10)
	if err := m.fill(ctx, fillPersonas, 0, personas, nil); err != nil {
		return out, err
	}
	p := clickhouse.Params{"personas": personas, "version": 1}
	if err := m.fill(ctx, fillMentions, 0, c.Store, p); err != nil {
		return out, err
	}
	p["version"] = 2
	again := c.Store / 50
	for i := range int64(10) { // tables that are in use are never in one part
		if err := m.fill(ctx, fillMentions, again*i/10, again*(i+1)/10, p); err != nil {
			return out, err
		}
	}
	if err := m.quiet(ctx); err != nil {
		return out, err
	}
	r := metrics.New(m.house, nil, time.Now)
	settings := reputation.DefaultSettings()
	settings.Own = []string{"brand 0"}
	settings.Panels = []reputation.Panel{{Platform: "twitter"}}
	for i := range 6 {
		settings.Panels[0].Brands = append(settings.Panels[0].Brands, fmt.Sprint("brand ", i))
	}
	r.Reputation = func(string) *reputation.Settings { return settings }
	var parts uint64
	if err := m.house.QueryRow(ctx, "SELECT count() FROM system.parts WHERE table = 'mentions' AND active", nil, nil, &parts); err != nil {
		return out, err
	}
	var limit []time.Duration
	for range measuredRuns {
		began := time.Now()
		rows, err := m.house.Query(ctx, "SELECT brand, count() FROM mentions GROUP BY brand", nil, clickhouse.Settings{"max_threads": 2})
		if err == nil {
			err = rows.Close()
		}
		if err != nil {
			return out, err
		}
		limit = append(limit, time.Since(began))
	}
	for _, name := range []string{"shareOfVoice", "netSentiment"} {
		var times []time.Duration
		groups := 0
		var before time.Duration
		for i := range 2*measuredRuns + 1 {
			if i == 1 {
				before = load.CPU(syscall.Getpid())
			}
			began := time.Now()
			a, err := r.Figure(ctx, name, metric.Query{Workspace: mainWorkspace, From: measuredFrom, To: measuredTo, Now: measuredTo, By: []metric.Dimension{metric.Brand, metric.Day}})
			if err != nil {
				return out, fmt.Errorf("%s: %w", name, err)
			}
			if i > 0 {
				times = append(times, time.Since(began))
			}
			groups = len(a.Groups)
		}
		out = benchResult{
			Bench: "reputation", N: c.Store, P50: milliseconds(load.Quantile(times, .5)), P99: milliseconds(load.Quantile(times, .99)), RSS: float64(load.RSS(os.Getpid())) / 1e6,
			CPU: float64((load.CPU(syscall.Getpid()) - before).Microseconds()) / float64(len(times)), PerSecond: 1 / load.Quantile(times, .5).Seconds(), LimitPerSecond: 1 / load.Quantile(limit, .5).Seconds(),
			Limit: "a count by brand, old versions and all", Note: fmt.Sprintf("(%s by brand and day, %d groups, %d parts: p95 %.0f ms)", name, groups, parts, milliseconds(load.Quantile(times, .95))),
		}
		if name == "shareOfVoice" {
			if err := c.print(out); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}
