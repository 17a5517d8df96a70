package graphql

import (
	"context"
	"fmt"
	"sync"

	"github.com/dossier-cdp/dossier/schema"
)

// reads are questions and their answers. Each question is asked once, however many ask it and at whatever pace. They live as long as an
// operation: no answer is kept beyond it.
type reads struct {
	mu      sync.Mutex
	answers map[string]any // question → *read
}

type read[T any] struct {
	once   sync.Once
	answer T
	err    error
}

// once answers a question. Equal questions have equal text. What it gives is shared: read only.
func once[T any](r *reads, question string, ask func() (T, error)) (T, error) {
	r.mu.Lock()
	a, ok := r.answers[question].(*read[T])
	if !ok {
		a = &read[T]{}
		if r.answers == nil {
			r.answers = map[string]any{}
		}
		r.answers[question] = a
	}
	r.mu.Unlock()
	a.once.Do(func() { a.answer, a.err = ask() })
	return a.answer, a.err
}

// cohort is the people of one list. The first of them that is asked a question asks it for all, once: the others have the same
// selection with the same arguments, so they are about to ask it too. So no list costs a read per row, whatever the pace at which its
// rows are resolved. Equal lists of one operation are one cohort, so neither does a field that is asked for under forty aliases.
type cohort struct {
	people [][]schema.PersonaID
	reads  reads
}

// cohortOf gives the cohort of people within an operation. The same people as of another time are another one.
func cohortOf(ctx context.Context, people []*Person, history *History) (*cohort, error) {
	question := make([]byte, 0, 7+16*len(people))
	question = append(question, "cohort "...)
	if history != nil {
		question = fmt.Appendf(question, "as of %d known at %d ", history.AsOf, history.KnownAt)
	}
	for _, p := range people {
		question = append(question, p.ID[:]...)
	}
	return once(&operationOf(ctx).reads, string(question), func() (*cohort, error) {
		c := &cohort{people: make([][]schema.PersonaID, len(people))}
		for i, p := range people {
			c.people[i] = make([]schema.PersonaID, len(p.Personas))
			for j := range p.Personas {
				c.people[i][j] = p.Personas[j].Persona
			}
		}
		return c, nil
	})
}

// ask answers a question of the timeline for the person at a place of the cohort, at the price of one query of so many rows a person.
func ask[T any](ctx context.Context, c *cohort, at int, question string, rows int, all func(people [][]schema.PersonaID) ([]T, error)) (answer T, err error) {
	answers, err := once(&c.reads, question, func() ([]T, error) {
		if err := query(ctx, len(c.people)*rows); err != nil {
			return nil, err
		}
		return all(c.people)
	})
	if err != nil {
		return answer, err
	}
	return answers[at], nil
}

// page reads the part of a timeline that each of the cohort shows.
func (d *dossier) page(ctx context.Context, question string, f Filter, after *Cursor, first int) (Page, error) {
	return ask(ctx, d.cohort, d.at, "page "+question, max(first, 1), func(people [][]schema.PersonaID) ([]Page, error) {
		return d.timeline().Pages(ctx, d.workspace, people, f, after, first, operationOf(ctx).wanted)
	})
}
