package care

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Erasure voids the events of a persona that are of its closed epoch, of an earlier one, or that occurred at or before the cut-off.
type Erasure struct {
	schema.PersonaEpoch
	CutOff schema.Instant
}

// Erase makes state and tables forget what erasures void. Void must know of them before; then nothing of it can come after. When it returns,
// no row, old or new, holds anything of it. It may be repeated, and must be after an error. Several erasures together cost the engine about as much as one.
func (c *Care) Erase(ctx context.Context, erasures ...Erasure) (err error) {
	if !c.opened.Load() {
		return schema.Classify(schema.Transient, errors.New("erase: the state of care is not open yet"))
	}
	c.working.Lock()
	defer c.working.Unlock()
	clusters, of := map[clusterID]bool{}, map[schema.PersonaID][]Erasure{}
	for _, e := range erasures {
		of[e.Persona] = append(of[e.Persona], e)
		if err := c.clustersOf(e.Persona, func(k clusterID) { clusters[k] = true }); err != nil {
			return fmt.Errorf("erase: find the conversations: %w", err)
		}
	}
	return c.without(ctx, "erase", inOrder(clusters), func(contact *care.Contact) bool {
		return slices.ContainsFunc(of[contact.Of.Persona], func(e Erasure) bool { return contact.Of.Epoch <= e.Epoch || contact.At <= e.CutOff })
	})
}

// Expire makes state and tables forget events whose retention class and year have ended, as Erase does an erasure. Void must know of it before.
func (c *Care) Expire(ctx context.Context, events []schema.Clear) error {
	if !c.opened.Load() {
		return schema.Classify(schema.Transient, errors.New("expire: the state of care is not open yet"))
	}
	c.working.Lock()
	defer c.working.Unlock()
	void := make(map[schema.EventID]bool, len(events))
	clusters := map[clusterID]bool{}
	seen := map[schema.PersonaID]bool{}
	for _, e := range events {
		void[e.ID] = true
		if seen[e.Persona] {
			continue
		}
		seen[e.Persona] = true
		if err := c.clustersOf(e.Persona, func(k clusterID) { clusters[k] = true }); err != nil {
			return fmt.Errorf("expire: find the conversations: %w", err)
		}
	}
	return c.without(ctx, "expire", inOrder(clusters), func(contact *care.Contact) bool { return void[contact.ID] })
}

func inOrder(clusters map[clusterID]bool) []clusterID {
	return slices.SortedFunc(maps.Keys(clusters), func(a, b clusterID) int { return bytes.Compare(a[:], b[:]) })
}

// clustersOf finds the conversations that a persona has contacts in.
func (c *Care) clustersOf(persona schema.PersonaID, yield func(clusterID)) error {
	prefix := personaPrefix(persona)
	return c.Store.Scan(prefix, state.After(prefix), func(key, _ []byte) error {
		if len(key) != len(prefix)+16 {
			return errDamaged
		}
		yield(clusterID(key[len(prefix):]))
		return nil
	})
}

// without takes the contacts that are void out of clusters, and out of the tables whatever came from them. c.working must be held.
func (c *Care) without(ctx context.Context, what string, clusters []clusterID, void func(*care.Contact) bool) (err error) {
	w := c.rewrite()
	defer func() {
		if w.batch != nil {
			err = errors.Join(err, w.batch.Discard())
		}
	}()
	var old [numTables][]schema.EventID
	for _, k := range clusters {
		if err := w.erase(k, void, &old); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if err := w.send(ctx); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	// At this point nobody reads the old rows any more; they are deleted before the state forgets which they are.
	for table, ids := range old {
		if len(ids) == 0 {
			continue
		}
		if err := c.Tables.Forget(ctx, c.Workspace, tableNames[table], ids, w.version); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	commit := w.batch
	w.batch = nil
	return commit.CommitDurable()
}

// Reclaim deletes what a former life sent of the erased and its state lost in a crash: rows stand in the tables before the state keeps what they came
// from, and what is void is not read again, so that nothing would ever replace them. It follows Erase, and may be repeated. It reads the columns of
// personas whole, once for all these erasures.
func (c *Care) Reclaim(ctx context.Context, erased []schema.PersonaEpoch) (err error) {
	if !c.opened.Load() {
		return schema.Classify(schema.Transient, errors.New("erase: the state of care is not open yet"))
	}
	c.working.Lock()
	defer c.working.Unlock()
	var public []schema.ProfileID
	for _, of := range erased {
		for epoch := range of.Epoch + 1 {
			public = append(public, c.Public(schema.PersonaEpoch{Persona: of.Persona, Epoch: epoch}))
		}
	}
	var lost [numTables][]schema.EventID
	stray := map[strayRow]bool{}
	for table := range lost {
		if lost[table], err = c.Tables.Named(ctx, c.Workspace, tableNames[table], public); err != nil {
			return fmt.Errorf("erase: %w", err)
		}
		for _, id := range lost[table] {
			stray[strayRow{byte(table), id}] = true
		}
	}
	if len(stray) == 0 {
		return nil
	}
	// A row that the state knows holds contacts of others, too: it is folded and sent again before the old one goes.
	var clusters []clusterID
	prefix := []byte{'r'}
	err = c.Store.Scan(prefix, state.After(prefix), func(key, value []byte) error {
		rows, err := readWritten(value)
		if err == nil && slices.ContainsFunc(rows, func(r written) bool { return stray[strayRow{r.table, r.id}] }) {
			clusters = append(clusters, clusterID(key[len(prefix):]))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("erase: find rows of others: %w", err)
	}
	w := c.rewrite()
	defer func() {
		if w.batch != nil {
			err = errors.Join(err, w.batch.Discard())
		}
	}()
	for _, k := range clusters {
		c.clusters.forget(k)
		in, err := load(c.Store, k)
		if err == nil {
			err = w.fold(in, true)
		}
		if err != nil {
			return fmt.Errorf("erase: %w", err)
		}
	}
	if err := w.send(ctx); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	for table, ids := range lost {
		if err := c.Tables.Forget(ctx, c.Workspace, tableNames[table], ids, w.version); err != nil {
			return fmt.Errorf("erase: %w", err)
		}
	}
	commit := w.batch
	w.batch = nil
	return commit.CommitDurable()
}

// strayRow is a row of one of the tables.
type strayRow struct {
	table byte
	id    schema.EventID
}

// erase takes the void contacts out of a cluster. old gets the ids of all its rows, before and after.
func (w *rewriting) erase(id clusterID, void func(*care.Contact) bool, old *[numTables][]schema.EventID) error {
	w.c.clusters.forget(id)
	k, err := load(w.c.Store, id)
	if err != nil {
		return err
	}
	all := k.contacts
	k.contacts, k.raw = nil, nil // a fold needs the contacts alone
	links, gone := map[care.Link]bool{}, map[schema.PersonaID]bool{}
	for _, contact := range all {
		if !void(contact) {
			k.contacts = append(k.contacts, contact)
			continue
		}
		gone[contact.Of.Persona] = true
		for _, l := range contact.Links(nil) {
			links[l] = true
		}
		if err := w.batch.Delete(contactKey(id, contact.ID)); err != nil {
			return err
		}
	}
	if len(k.contacts) == len(all) {
		return nil
	}
	for _, contact := range k.contacts {
		for _, l := range contact.Links(nil) {
			delete(links, l)
		}
	}
	for l := range links {
		if err := w.batch.Delete(linkKey(l)); err != nil {
			return err
		}
	}
	for persona := range gone {
		if !k.has(persona) {
			if err := w.batch.Delete(personaKey(persona, id)); err != nil {
				return err
			}
		}
	}
	for _, r := range k.rows {
		old[r.table] = append(old[r.table], r.id)
	}
	// Every row is sent again, so that those which stay outlive the deletion of what is older; and whatever was a row for a moment is deleted.
	for _, contact := range all {
		for table := range numTables {
			old[table] = append(old[table], contact.ID)
		}
	}
	return w.fold(k, true)
}
