package segments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Expire forgets what was kept of events whose retention class and year have ended. Void must know of it before. Reconsider follows.
func (s *Segments) Expire(events []schema.Clear) error {
	if !s.opened.Load() {
		return schema.Classify(schema.Transient, errors.New("expire: the state of segments is not open yet"))
	}
	s.working.Lock()
	defer s.working.Unlock()
	b := s.Store.NewBatch()
	for i := range events {
		e := &events[i]
		id := s.Public(schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch})
		if err := b.Delete(key('e', id[:], sortable(e.OccurredAt), e.ID[:])); err != nil {
			return errors.Join(fmt.Errorf("expire: %w", err), b.Discard())
		}
	}
	return b.CommitDurable()
}

// Reconsider weighs everybody anew and sends every row of people anew, when events of many people are void for another reason than an erasure. Identity,
// timeline and care must be without them. When it returns, no former row is left, nor one of somebody of whom nothing is known any more.
func (s *Segments) Reconsider(ctx context.Context) error {
	if !s.opened.Load() {
		return schema.Classify(schema.Transient, errors.New("expire: the state of segments is not open yet"))
	}
	s.working.Lock()
	b := s.Store.NewBatch()
	s.Sweep = ""
	below := s.Clock + 1 // rows that are sent from here on have it, or a higher one
	err := errors.Join(b.DeleteRange([]byte{'k'}, []byte{'k' + 1}), save(b, s.settings))
	if err != nil {
		err = errors.Join(err, b.Discard())
	} else {
		err = b.CommitDurable()
	}
	s.working.Unlock()
	if err != nil {
		return fmt.Errorf("expire: %w", err)
	}
	for { // the role goes through all of them in its own steps
		s.working.Lock()
		marked, err := s.marked(1)
		done := err == nil && s.Sweep == "-" && len(marked) == 0
		s.working.Unlock()
		if err != nil {
			return fmt.Errorf("expire: %w", err)
		}
		if done {
			break
		}
		select {
		case <-ctx.Done():
			return schema.Classify(schema.Transient, ctx.Err())
		case <-time.After(tick):
		}
	}
	if err := s.Tables.expire(ctx, s.Workspace, below); err != nil {
		return fmt.Errorf("expire: %w", err)
	}
	return nil
}

// Erase makes state and tables forget a persona's closed epoch. Identity must have erased it, and Void know of it. When it returns, no row, old or new, and
// no part of the history holds anything of it. It may be repeated, and must be after an error.
func (s *Segments) Erase(ctx context.Context, of schema.PersonaEpoch) error {
	if !s.opened.Load() {
		return schema.Classify(schema.Transient, errors.New("erase: the state of segments is not open yet"))
	}
	s.working.Lock()
	defer s.working.Unlock()
	var ids []schema.ProfileID
	for epoch := range of.Epoch + 1 {
		id := s.Public(schema.PersonaEpoch{Persona: of.Persona, Epoch: epoch})
		ids = append(ids, id)
	}
	affected := slices.Clone(ids)
	b := s.Store.NewBatch()
	drop := func() error {
		for _, id := range ids {
			held, known, err := s.Store.Get(nil, key('h', id[:]))
			if err != nil {
				return err
			}
			if known && len(held) == 16 {
				affected = append(affected, schema.ProfileID(held))
			}
			prefix := key('e', id[:])
			drawn := key('a', id[:])
			if err := errors.Join(b.DeleteRange(prefix, state.After(prefix)), b.DeleteRange(drawn, state.After(drawn)), b.Delete(key('h', id[:]))); err != nil {
				return err
			}
		}
		for _, id := range affected { // so that their rows are sent again, and outlive the deletion of what is older
			if err := errors.Join(b.Delete(key('k', id[:])), b.Set(key('d', id[:]), cause{byErasure, schema.InstantOf(s.Now()), schema.EventID{}}.append(nil))); err != nil {
				return err
			}
		}
		return nil
	}
	if err := drop(); err != nil {
		return errors.Join(err, b.Discard())
	}
	s.unlisted = true // should weighing fail, the marks remain
	if err := b.CommitDurable(); err != nil {
		return err
	}
	list := make([]marked, 0, len(affected))
	slices.SortFunc(affected, schema.ProfileID.Compare)
	affected = slices.Compact(affected)
	for _, id := range affected {
		list = append(list, marked{id, cause{byErasure, schema.InstantOf(s.Now()), schema.EventID{}}})
	}
	below := s.Clock + 1 // rows that are sent from here on have it, or a higher one
	if err := s.weigh(ctx, list, schema.InstantOf(s.Now())); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	if err := s.send(ctx); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	// The history of who is no more goes, too.
	if err := s.Tables.forget(ctx, s.Workspace, affected, ids, below); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	return s.Store.Sync()
}
