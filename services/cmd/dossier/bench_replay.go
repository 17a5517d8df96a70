package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/dossier-cdp/dossier/services/api/manage"
)

// benchShadow is the shadow that replay makes and diff compares.
const benchShadow = "bench"

// replay builds a shadow of everything that is stored, by what is in force, while nothing else comes.
func (c *benchCommand) replay(ctx context.Context, s *store) (out benchResult, err error) {
	cpu, began := s.cpu(), time.Now()
	if err := s.client.call(ctx, http.MethodPost, "/v1/shadows", manage.ShadowQuestion{Name: benchShadow}, &manage.Shadow{}); err != nil {
		return out, err
	}
	line, err := awaitShadow(ctx, s.client, benchShadow)
	if err != nil {
		return out, err
	}
	took := time.Since(began)
	out = benchResult{N: line.Total, PerSecond: float64(line.Total) / took.Seconds(), CPU: float64((s.cpu() - cpu).Microseconds()) / float64(line.Total), RSS: s.rss()}
	out.Note = fmt.Sprintf("(until identity, timeline and care have read it, %.1f s)", took.Seconds())
	return out, nil
}

// diff compares that shadow, which is no other than the live projections, with them.
func (c *benchCommand) diff(ctx context.Context, s *store) (out benchResult, err error) {
	if err := s.client.call(ctx, http.MethodGet, "/v1/shadows/"+benchShadow, nil, &manage.Shadow{}); err != nil {
		if _, err := c.replay(ctx, s); err != nil {
			return out, err
		}
	}
	cpu, began := s.cpu(), time.Now()
	var d manage.ShadowDiff
	if err := s.client.call(ctx, http.MethodGet, "/v1/shadows/"+benchShadow+"/diff?figures=no", nil, &d); err != nil {
		return out, err
	}
	took := time.Since(began)
	// What is measured after it, such as an erasure, has no shadow to wait for.
	if err := s.client.call(ctx, http.MethodDelete, "/v1/shadows/"+benchShadow, nil, &struct{}{}); err != nil {
		return out, err
	}
	if d.People.Same != d.People.Before || d.People.Same != d.People.After {
		return out, errors.New("a shadow that nothing was changed for is another one")
	}
	out = benchResult{N: d.People.Same, PerSecond: float64(d.People.Same) / took.Seconds(), CPU: float64((s.cpu() - cpu).Microseconds()) / float64(max(1, d.People.Same)), RSS: s.rss()}
	out.Note = fmt.Sprintf("(profiles, with their conversations and cases, in %.1f s)", took.Seconds())
	return out, nil
}
