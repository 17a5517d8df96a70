package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/metrics"
	"github.com/dossier-cdp/dossier/services/replay"
)

// Diff compares a shadow with the live projections, both as of what the log holds at the call, or a little later.
func (s *shadows) Diff(ctx context.Context, name string, samples int, figures bool) (out manage.ShadowDiff, err error) {
	shadow, err := s.Exports(name)
	if err != nil {
		return out, err
	}
	one, err := s.find(name)
	if err != nil {
		return out, err
	}
	before := s.i.projections()
	if before == nil {
		return out, errExchanged{}
	}
	live := before.exports()
	// Both wait for this before either is read, so that what came before it is on both sides.
	if err := errors.Join(before.visible(ctx), one.own.visible(ctx)); err != nil {
		return out, err
	}
	out = manage.ShadowDiff{Shadow: name, Live: s.i.configuration.current.Load().Hash, Hash: one.own.configuration.current.Load().Hash}
	err = beside(ctx, live["profiles"], shadow["profiles"], func(before, after io.Reader) (err error) {
		out.People, err = replay.DiffPeople(before, after, samples)
		return err
	})
	if err != nil {
		return out, fmt.Errorf("compare profiles: %w", err)
	}
	err = beside(ctx, live["cases"], shadow["cases"], func(before, after io.Reader) (err error) {
		out.Rows, err = replay.DiffRows(before, after, samples)
		return err
	})
	if err != nil {
		return out, fmt.Errorf("compare conversations and cases: %w", err)
	}
	for _, list := range [][]replay.Shift{out.People.Merges, out.People.Splits} {
		for n := range list {
			if list[n].Cause, err = cause(ctx, before, one, &list[n]); err != nil {
				return out, err
			}
		}
	}
	if figures {
		out.Figures, err = otherFigures(ctx, before, one)
	}
	return out, err
}

// beside gives two exports to compare, as they are written.
func beside(ctx context.Context, live, shadow manage.Export, compare func(before, after io.Reader) error) error {
	group, ctx := errgroup.WithContext(ctx)
	write := func(export manage.Export) io.ReadCloser {
		from, to := io.Pipe()
		group.Go(func() error {
			err := export(ctx, mainWorkspace, to, manage.ExportOptions{})
			to.CloseWithError(err)
			return err
		})
		return from
	}
	before, after := write(live), write(shadow)
	group.Go(func() error {
		err := compare(before, after)
		return errors.Join(err, before.Close(), after.Close()) // whoever writes on ends
	})
	return group.Wait()
}

// cause says what joins the personas of a sample in the shadow, or joined them live and does no more. It names kinds and rules, and no value.
func cause(ctx context.Context, live *installation, one *shadow, of *replay.Shift) (string, error) {
	if len(of.After) == 1 { // merged: two profiles of before
		was := map[string]string{} // a persona of each profile
		for _, m := range of.After[0].Personas {
			p, err := live.identityPeer.Owners(ctx, mainWorkspace, graphql.Identifier{Kind: "persona", Value: m})
			if err != nil {
				return "", err
			}
			if len(p) == 1 {
				was[p[0].String()] = m
			}
		}
		var a, b string
		for _, profile := range of.Before {
			if m := was[profile]; m != "" && a == "" {
				a = m
			} else if m != "" && b == "" {
				b = m
			}
		}
		return because(ctx, one.own.identityPeer, "joined by ", a, b)
	}
	if len(of.After) < 2 || len(of.After[0].Personas) == 0 || len(of.After[1].Personas) == 0 {
		return "", nil
	}
	a, b := of.After[0].Personas[0], of.After[1].Personas[0]
	was, err := because(ctx, live.identityPeer, "was joined by ", a, b)
	if err != nil {
		return "", err
	}
	now, err := because(ctx, one.own.identityPeer, "joined by ", a, b)
	if err != nil {
		return "", err
	}
	return was + "; now " + now, nil
}

// because names the steps between two personas.
func because(ctx context.Context, who identityPeer, joined, a, b string) (string, error) {
	if a == "" || b == "" {
		return "not known", nil
	}
	why, err := who.Why(ctx, mainWorkspace, graphql.Identifier{Kind: "persona", Value: a}, graphql.Identifier{Kind: "persona", Value: b})
	if code := (*graphql.Error)(nil); errors.As(err, &code) && code.Code == graphql.CodeUnknown {
		return "one of them is not there", nil
	}
	if err != nil {
		return "", err
	}
	var names []string
	for _, step := range why.Steps {
		if step.Joined == why.Same {
			names = append(names, strings.TrimSpace(step.Kind+" ("+step.Rule+")"))
		}
	}
	for range why.Joints {
		names = append(names, "weights")
	}
	switch {
	case why.Same && len(names) == 0:
		return joined + "others that both share", nil
	case why.Same:
		return joined + strings.Join(names, ", "), nil
	case len(names) == 0:
		return "nothing joins them", nil
	}
	return "kept apart by " + strings.Join(names, ", "), nil
}

// otherFigures are the metrics of all time that are other.
func otherFigures(ctx context.Context, now *installation, one *shadow) ([]manage.ShadowFigure, error) {
	hash := func(string) string { return "" }
	live, shadow := metrics.New(now.house, hash, time.Now), metrics.New(one.own.house, hash, time.Now)
	at := schema.InstantOf(time.Now())
	out := []manage.ShadowFigure{}
	for _, d := range metric.Catalogue() {
		q := metric.Query{Workspace: mainWorkspace, Now: at}
		before, err := live.Figure(ctx, d.Name, q)
		if err != nil {
			return nil, fmt.Errorf("read the metric %s: %w", d.Name, err)
		}
		after, err := shadow.Figure(ctx, d.Name, q)
		if err != nil {
			return nil, fmt.Errorf("read the metric %s of the shadow: %w", d.Name, err)
		}
		a, b := &before.Whole, &after.Whole
		if a.N == b.N && a.People == b.People && (a.Value == b.Value || !a.Known() && !b.Known()) {
			continue
		}
		out = append(out, manage.ShadowFigure{Name: d.Name, Live: known(a), Shadow: known(b), LiveN: a.N, ShadowN: b.N, LivePeople: a.People, ShadowPeople: b.People})
	}
	return out, nil
}

// known is the value of a figure, nil where there is none, or one of too few people.
func known(f *metric.Figure) *float64 {
	if f.Suppressed || !f.Known() || math.IsInf(f.Value, 0) {
		return nil
	}
	return &f.Value
}
