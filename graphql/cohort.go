package graphql

import (
	"context"
	"sync"

	"github.com/dossier-cdp/dossier/schema"
)

// cohort is the people of one list. The first of them that is asked a question asks it for all, once: the others have the same
// selection with the same arguments, so they are about to ask it too. So no list costs a read per row, whatever the pace at which its
// rows are resolved. A cohort lives as long as its request: no answer is kept beyond it.
type cohort struct {
	people [][]schema.PersonaID
	mu     sync.Mutex
	reads  map[string]any // question → *read
}

type read[T any] struct {
	once    sync.Once
	answers []T
	err     error
}

func newCohort(people []*Person) *cohort {
	c := &cohort{people: make([][]schema.PersonaID, len(people)), reads: map[string]any{}}
	for i, p := range people {
		c.people[i] = make([]schema.PersonaID, len(p.Personas))
		for j := range p.Personas {
			c.people[i][j] = p.Personas[j].Persona
		}
	}
	return c
}

// ask answers a question for the person at a place of the cohort. Equal questions have equal text.
func ask[T any](c *cohort, at int, question string, all func(people [][]schema.PersonaID) ([]T, error)) (answer T, err error) {
	c.mu.Lock()
	r, ok := c.reads[question].(*read[T])
	if !ok {
		r = &read[T]{}
		c.reads[question] = r
	}
	c.mu.Unlock()
	r.once.Do(func() { r.answers, r.err = all(c.people) })
	if r.err != nil {
		return answer, r.err
	}
	return r.answers[at], nil
}

// page reads the part of a timeline that each of the cohort shows.
func (d *dossier) page(ctx context.Context, question string, f Filter, after *Cursor, first int) (Page, error) {
	return ask(d.cohort, d.at, "page "+question, func(people [][]schema.PersonaID) ([]Page, error) {
		if err := spend(ctx, len(people)*max(first, 1)); err != nil {
			return nil, err
		}
		return d.root.backends.Timeline.Pages(ctx, d.workspace, people, f, after, first)
	})
}
