package graphql

import (
	"context"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// gather is how long a loader waits for more of the same question before it asks the backend once for all. Resolvers of one level run
// at the same time, so the wait is short; it is the price of no N+1.
const gather = 300 * time.Microsecond

// most is how many people one question to the backend holds.
const most = 1000

// loader gathers the same question about several people into one.
type loader[T any] struct {
	ask func(ctx context.Context, people [][]schema.PersonaID) ([]T, error)

	mu   sync.Mutex
	open *gathering[T]
}

type gathering[T any] struct {
	people  [][]schema.PersonaID
	done    chan struct{}
	answers []T
	err     error
}

func (l *loader[T]) load(ctx context.Context, personas []schema.PersonaID) (answer T, err error) {
	l.mu.Lock()
	g := l.open
	if g == nil {
		g = &gathering[T]{done: make(chan struct{})}
		l.open = g
		time.AfterFunc(gather, func() { l.run(ctx, g) })
	}
	at := len(g.people)
	g.people = append(g.people, personas)
	if len(g.people) == most {
		l.open = nil
	}
	l.mu.Unlock()
	select {
	case <-g.done:
	case <-ctx.Done():
		return answer, ctx.Err()
	}
	if g.err != nil {
		return answer, g.err
	}
	return g.answers[at], nil
}

func (l *loader[T]) run(ctx context.Context, g *gathering[T]) {
	l.mu.Lock()
	if l.open == g {
		l.open = nil
	}
	people := g.people
	l.mu.Unlock()
	g.answers, g.err = l.ask(ctx, people)
	close(g.done)
}

// loaders live as long as one request: an answer is never kept beyond it.
type loaders struct {
	backends  Backends
	workspace string

	cases        loader[[]Case]
	satisfaction loader[Satisfaction]
	value        loader[Value]

	mu     sync.Mutex
	pages  map[string]*loader[Page]
	totals map[string]*loader[int64]
}

type loadersKey struct{}

// WithLoaders gives a request its loaders.
func WithLoaders(ctx context.Context, b Backends, workspace string) context.Context {
	l := &loaders{backends: b, workspace: workspace, pages: map[string]*loader[Page]{}, totals: map[string]*loader[int64]{}}
	l.cases.ask = func(ctx context.Context, p [][]schema.PersonaID) ([][]Case, error) {
		return b.Timeline.Cases(ctx, workspace, p)
	}
	l.satisfaction.ask = func(ctx context.Context, p [][]schema.PersonaID) ([]Satisfaction, error) {
		return b.Timeline.Satisfaction(ctx, workspace, p)
	}
	l.value.ask = func(ctx context.Context, p [][]schema.PersonaID) ([]Value, error) {
		return b.Timeline.Value(ctx, workspace, p)
	}
	return context.WithValue(ctx, loadersKey{}, l)
}

func loadersOf(ctx context.Context) *loaders { return ctx.Value(loadersKey{}).(*loaders) }

func (l *loaders) page(ctx context.Context, personas []schema.PersonaID, key string, f Filter, after *Cursor, first int) (Page, error) {
	l.mu.Lock()
	p := l.pages[key]
	if p == nil {
		p = &loader[Page]{ask: func(ctx context.Context, people [][]schema.PersonaID) ([]Page, error) {
			return l.backends.Timeline.Pages(ctx, l.workspace, people, f, after, first)
		}}
		l.pages[key] = p
	}
	l.mu.Unlock()
	return p.load(ctx, personas)
}

func (l *loaders) total(ctx context.Context, personas []schema.PersonaID, key string, f Filter) (int64, error) {
	l.mu.Lock()
	t := l.totals[key]
	if t == nil {
		t = &loader[int64]{ask: func(ctx context.Context, people [][]schema.PersonaID) ([]int64, error) {
			return l.backends.Timeline.Totals(ctx, l.workspace, people, f)
		}}
		l.totals[key] = t
	}
	l.mu.Unlock()
	return t.load(ctx, personas)
}
