package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/internal/load"
)

// past measures a dossier with 20 interactions as it was known when half of the events were stored.
func (c *benchCommand) past(ctx context.Context, s *store) (benchResult, error) {
	document := `query($v: String!, $first: Int, $knownAt: Time) { dossier(identifier: {kind: "user_id", value: $v}, knownAt: $knownAt) { ` + dossierFields + ` } }`
	return c.read(ctx, s, cmp.Or(c.Rate, 10), document, map[string]any{"first": 20, "knownAt": s.half.UTC().Format(time.RFC3339Nano)})
}

// erasedAtBench is how many people are erased, one after the other.
const erasedAtBench = 3

// erase measures how long it takes from asking to forget a person until every store has been rewritten and the proof is there.
func (c *benchCommand) erase(ctx context.Context, s *store) (out benchResult, err error) {
	if err := s.calm(ctx); err != nil {
		return out, err
	}
	before, began := s.cpu(), time.Now()
	var times []time.Duration
	var held int32
	for n := range erasedAtBench {
		asked := time.Now()
		var e graphql.Erasure
		body := &manage.Exercise{Kind: "user_id", Value: load.User((n*7919 + 1) % s.people), Reason: "bench"}
		if err := s.client.call(ctx, http.MethodPost, "/v1/erasures", body, &e); err != nil {
			return out, err
		}
		for e.State == graphql.ErasureRunning {
			time.Sleep(20 * time.Millisecond)
			if err := s.client.call(ctx, http.MethodGet, "/v1/erasures/"+url.PathEscape(e.ID), nil, &e); err != nil {
				return out, err
			}
		}
		if e.State != graphql.ErasureFinished {
			return out, fmt.Errorf("an erasure ended as %s", e.State)
		}
		for _, h := range e.Held {
			held += h.Count
		}
		times = append(times, time.Since(asked))
	}
	cpu := s.cpu() - before
	slices.Sort(times)
	return benchResult{
		N: erasedAtBench, PerSecond: erasedAtBench / time.Since(began).Seconds(), CPU: float64(cpu.Microseconds()) / erasedAtBench, P50: milliseconds(times[len(times)/2]),
		P99: milliseconds(times[len(times)-1]), RSS: s.rss(), Note: fmt.Sprintf("(until the proof is there, %d things held of each)", held/erasedAtBench),
	}, nil
}
