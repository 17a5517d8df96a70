package destinations

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Line is how the line of a destination is.
type Line struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Paused  bool   `json:"paused"`
	Waiting int    `json:"waiting"` // messages, at most MostCounted
	Dead    int    `json:"dead"`    // letters, at most MostCounted
	Trying  int    `json:"trying"`  // of the first in line: attempts that failed
	Reason  string `json:"reason,omitempty"`
	Next    string `json:"next,omitempty"` // when it is tried again
}

// MostCounted is how far a line is counted.
const MostCounted = 1_000_000

// Letter is a message that was given up.
type Letter struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	At       string `json:"at"`
	Segment  string `json:"segment,omitempty"`
	Profile  string `json:"profile,omitempty"`
	Attempts int    `json:"attempts"`
	Reason   string `json:"reason"`
}

// Lines tells how the lines of the destinations in force are.
func (d *Destinations) Lines() (out []Line, err error) {
	for _, of := range d.Destinations() {
		l := Line{Name: of.Name, Kind: of.Kind, Paused: of.Paused}
		if l.Waiting, l.Dead, err = d.Length(of.Name, MostCounted); err != nil {
			return nil, err
		}
		prefix := key('q', of.Name, "")
		err = d.Store.Scan(prefix, state.After(prefix), func(_, v []byte) error {
			e := &entry{}
			if json.Unmarshal(v, e) != nil {
				return errDamaged
			}
			if l.Trying, l.Reason = e.Failed, e.Reason; e.Next != 0 {
				l.Next = e.Next.String()
			}
			return state.ErrStop
		})
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// Letters lists the dead letters of a destination, at most so many.
func (d *Destinations) Letters(name string, most int) (out []Letter, err error) {
	prefix := key('d', name, "")
	err = d.Store.Scan(prefix, state.After(prefix), func(_, v []byte) error {
		e := &entry{}
		if json.Unmarshal(v, e) != nil {
			return errDamaged
		}
		if out = append(out, Letter{e.ID, e.Type, e.At, e.Segment, e.Profile, e.Failed, e.Reason}); len(out) >= most {
			return state.ErrStop
		}
		return nil
	})
	return out, err
}

// Retry puts the dead letters of a destination into its line again, under their ids, and says how many.
func (d *Destinations) Retry(ctx context.Context, name string) (n int, err error) {
	if !d.opened.Load() {
		return 0, schema.Classify(schema.Transient, fmt.Errorf("the lines of destinations are not open yet"))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var entries []*entry
	prefix := key('d', name, "")
	err = d.Store.Scan(prefix, state.After(prefix), func(_, v []byte) error {
		e := &entry{}
		if json.Unmarshal(v, e) != nil {
			return errDamaged
		}
		if entries = append(entries, e); len(entries) == 10_000 {
			return state.ErrStop
		}
		return nil
	})
	if err != nil || len(entries) == 0 {
		return 0, err
	}
	next := d.position
	w := &writing{d: d, b: d.Store.NewBatch(), next: &next, pending: map[string]*entry{}, gone: map[string]bool{}}
	for _, e := range entries {
		e.Failed, e.Next, e.Reason = 0, 0, ""
		if err == nil {
			err = w.b.Delete(key('d', name, e.ID))
		}
		if err == nil {
			err = w.put(name, e)
		}
	}
	if err != nil {
		_ = w.b.Discard()
		return 0, err
	}
	if err := d.commit(w.b, next); err != nil {
		return 0, err
	}
	d.tell()
	return len(entries), ctx.Err()
}
