package care

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// cluster is a set of linked contacts while a batch works on it.
type cluster struct {
	id     clusterID
	stored []clusterID // what it is made of in the store; the first is where it stays, if there is one
	fresh  []care.Contact
	into   *cluster // if it has become part of another
}

func (k *cluster) root() *cluster {
	for k.into != nil {
		k = k.into
	}
	return k
}

// gathering is a batch on its way from contacts to clusters.
type gathering struct {
	store    *state.Store
	byLink   map[care.Link]*cluster // of the links that the batch has seen
	byStored map[clusterID]*cluster
	all      []*cluster
	scratch  []care.Link
	links    []care.Link // new, or of another cluster than before
}

// add puts a contact into the cluster of its links.
func (g *gathering) add(contact care.Contact) error {
	g.scratch = contact.Links(g.scratch[:0])
	var home *cluster
	for _, l := range g.scratch {
		k := g.byLink[l]
		if k == nil {
			value, found, err := g.store.Get(nil, linkKey(l))
			if err != nil {
				return err
			}
			if found {
				if len(value) != 16 {
					return errDamaged
				}
				k = g.stored(clusterID(value))
			}
		}
		if k != nil {
			k = k.root()
		}
		switch {
		case k == nil || k == home:
		case home == nil:
			home = k
		default:
			home = g.join(home, k)
		}
	}
	if home == nil {
		home = &cluster{id: clusterID(g.scratch[0])}
		g.all = append(g.all, home)
	}
	for _, l := range g.scratch {
		if known, is := g.byLink[l]; !is || known.root() != home {
			g.links = append(g.links, l)
		}
		g.byLink[l] = home
	}
	home.fresh = append(home.fresh, contact)
	return nil
}

func (g *gathering) stored(id clusterID) *cluster {
	k := g.byStored[id]
	if k == nil {
		k = &cluster{id: id, stored: []clusterID{id}}
		g.byStored[id] = k
		g.all = append(g.all, k)
	}
	return k
}

// join makes one cluster of two. What has stored contacts stays.
func (g *gathering) join(a, b *cluster) *cluster {
	if len(a.stored) == 0 && len(b.stored) > 0 {
		a, b = b, a
	}
	a.stored, a.fresh = append(a.stored, b.stored...), append(a.fresh, b.fresh...)
	b.into, b.stored, b.fresh = a, nil, nil
	return a
}

// rewriting collects what changes in the tables and in the state store.
type rewriting struct {
	c             *Care
	version       uint64
	batch         *state.Batch
	conversations *block[care.Conversation]
	cases         *block[care.Case]
	surveys       *block[care.Survey]
	verbatims     *block[care.Verbatim]
	rows, deleted int
}

func (c *Care) rewrite() *rewriting {
	return &rewriting{
		c: c, version: c.version(), batch: c.Store.NewBatch(),
		conversations: newBlock(conversationsTable, conversationColumns), cases: newBlock(casesTable, caseColumns), surveys: newBlock(surveysTable, surveyColumns),
		verbatims: newBlock(verbatimsTable, verbatimColumns),
	}
}

// write folds a batch, makes it visible and commits it.
func (c *Care) write(ctx context.Context, batch []chunk, overlap []int64) (err error) {
	c.working.Lock()
	defer c.working.Unlock()
	g := &gathering{store: c.Store, byLink: map[care.Link]*cluster{}, byStored: map[clusterID]*cluster{}}
	records, contacts := int64(0), 0
	ended := 0      // partitions whose texts are all read anew
	reread := false // a former life may have read it
	for _, k := range batch {
		if k.last {
			ended++
		}
		if !k.again {
			records += k.next - k.from
		}
		reread = reread || !k.again && int(k.partition) < len(overlap) && k.from < overlap[k.partition]
		for _, contact := range k.contacts {
			if c.void(&contact) {
				continue
			}
			contacts++
			if err := g.add(contact); err != nil {
				return err
			}
		}
	}
	begun, building, err := c.building()
	if err != nil {
		return err
	}
	w := c.rewrite()
	defer func() {
		if w.batch != nil {
			err = errors.Join(err, w.batch.Discard())
		}
	}()
	for _, k := range g.all {
		if k.into != nil {
			continue
		}
		// What a build from nothing leaves behind in its first life has a lower rank, and goes at its end.
		if err := w.cluster(k, reread && !(building && begun == c.rank)); err != nil {
			return err
		}
	}
	for _, l := range g.links {
		if err := w.setLink(l, g.byLink[l].root().id); err != nil {
			return err
		}
	}
	if err := w.send(ctx); err != nil {
		return err
	}
	// At this point the rows are visible.
	for _, k := range batch {
		if k.again {
			continue
		}
		if err := w.batch.SetOffset(schema.TopicEvents, k.partition, state.Offset{Generation: c.Generation, Next: k.next, Mark: k.mark}); err != nil {
			return err
		}
	}
	commit := w.batch
	w.batch = nil
	if err := commit.Commit(); err != nil {
		return fmt.Errorf("commit %d contacts: %w", contacts, err)
	}
	for _, k := range batch {
		if !k.again {
			c.visible[k.partition].Store(k.next)
		}
	}
	if err := c.readAnew(ended); err != nil {
		return err
	}
	c.metrics.batches.Inc()
	c.metrics.records.Add(float64(records))
	c.metrics.contacts.Add(float64(contacts))
	c.metrics.rows.Add(float64(w.rows))
	c.metrics.deleted.Add(float64(w.deleted))
	if building {
		if err := c.built(ctx, begun, overlap); err != nil {
			return err
		}
	}
	c.announce()
	return nil
}

// setLink notes which cluster a link leads to.
func (w *rewriting) setLink(l care.Link, to clusterID) error { return w.batch.Set(linkKey(l), to[:]) }

func (c *Care) void(contact *care.Contact) bool {
	return c.Void(&schema.Clear{
		ID: contact.ID, Workspace: c.Workspace, Persona: contact.Of.Persona, Key: schema.KeyID{Epoch: contact.Of.Epoch}, OccurredAt: contact.At,
	})
}

// building says whether the state is being built from nothing, and under which rank that began.
func (c *Care) building() (begun uint64, building bool, err error) {
	value, found, err := c.Store.Get(nil, keyBuilding)
	if err != nil || !found {
		return 0, false, err
	}
	begun, n := binary.Uvarint(value)
	if n <= 0 {
		return 0, false, errDamaged
	}
	return begun, true, nil
}

// built deletes what a lost state has left behind, once everything is folded that the log held at the start.
func (c *Care) built(ctx context.Context, begun uint64, overlap []int64) error {
	for p, end := range overlap {
		if p < len(c.visible) && c.visible[p].Load() < end {
			return nil
		}
	}
	return c.swept(ctx, begun)
}

// swept deletes the rows of ranks below, and notes that there are none.
func (c *Care) swept(ctx context.Context, below uint64) error {
	err := c.retry(ctx, "delete what an earlier state has left", func() error { return c.Tables.Sweep(ctx, c.Workspace, below<<rankShift) })
	if err != nil {
		return err
	}
	b := c.Store.NewBatch()
	if err := b.Delete(keyBuilding); err != nil {
		return errors.Join(err, b.Discard())
	}
	return b.CommitDurable()
}

// cluster folds a cluster and takes over what has changed. With strays, ids of its contacts that are no row are deleted whether or not they
// are known to have been one.
func (w *rewriting) cluster(k *cluster, strays bool) error {
	contacts := slices.Clone(k.fresh)
	var read map[schema.EventID]bool // texts that were read now
	for i := range k.fresh {
		if k.fresh[i].Said != nil {
			if read == nil {
				read = map[schema.EventID]bool{}
			}
			read[k.fresh[i].ID] = true
		}
	}
	for i, id := range k.stored {
		before := len(contacts)
		var err error
		if contacts, err = loadContacts(w.c.Store, id, contacts); err != nil {
			return err
		}
		if len(read) > 0 { // what was read before is replaced
			contacts = slices.Concat(contacts[:before], slices.DeleteFunc(contacts[before:], func(c care.Contact) bool {
				if read[c.ID] && i > 0 { // it stood in a cluster that is no more, where nobody would find it for an erasure
					err = errors.Join(err, w.batch.Delete(contactKey(id, c.ID)), w.batch.Delete(personaKey(c.Of.Persona, id)))
				}
				return read[c.ID]
			}))
			if err != nil {
				return err
			}
		}
		if i == 0 {
			k.id = id
			continue
		}
		for n := before; n < len(contacts); n++ { // it moves
			if err := w.move(&contacts[n], id, k.id); err != nil {
				return err
			}
		}
	}
	for i := range k.fresh {
		contact := &k.fresh[i]
		if err := w.put(contact, k.id); err != nil {
			return err
		}
	}
	old := map[written]bool{}
	for i, id := range k.stored {
		value, found, err := w.c.Store.Get(nil, rowsKey(id))
		if err != nil {
			return err
		}
		if found {
			rows, err := readWritten(value)
			if err != nil {
				return err
			}
			for _, r := range rows {
				old[r] = true
			}
		}
		if i > 0 {
			if err := errors.Join(w.batch.Delete(rowsKey(id)), w.unschedule(id)); err != nil {
				return err
			}
		}
	}
	return w.fold(k.id, contacts, old, strays)
}

func (w *rewriting) put(contact *care.Contact, k clusterID) error {
	return errors.Join(w.batch.Set(contactKey(k, contact.ID), care.AppendContact(nil, contact)), w.batch.Set(personaKey(contact.Of.Persona, k), nil))
}

// move takes a stored contact from one cluster to another.
func (w *rewriting) move(contact *care.Contact, from, to clusterID) error {
	if err := errors.Join(w.batch.Delete(contactKey(from, contact.ID)), w.batch.Delete(personaKey(contact.Of.Persona, from))); err != nil {
		return err
	}
	for _, l := range contact.Links(nil) {
		if err := w.setLink(l, to); err != nil {
			return err
		}
	}
	return w.put(contact, to)
}

// fold makes the rows of a cluster, keeps those to send that are not among the old ones, and deletes the old ones that are no more.
func (w *rewriting) fold(k clusterID, contacts []care.Contact, old map[written]bool, strays bool) error {
	rows := care.Fold(contacts, w.c.rules)
	now := make([]written, 0, len(rows.Conversations)+len(rows.Cases)+len(rows.Surveys)+len(rows.Verbatims))
	type key struct {
		table byte
		id    schema.EventID
	}
	stand := map[key]bool{}
	for i := range rows.Conversations {
		r := written{conversationsTable, rows.Conversations[i].ID, w.conversations.encode(rows.Conversations[i].ID, &rows.Conversations[i])}
		if now = append(now, r); !old[r] || strays {
			w.conversations.add(w.c.Workspace, w.version, false)
		}
		stand[key{r.table, r.id}] = true
	}
	for i := range rows.Cases {
		r := written{casesTable, rows.Cases[i].ID, w.cases.encode(rows.Cases[i].ID, &rows.Cases[i])}
		if now = append(now, r); !old[r] || strays {
			w.cases.add(w.c.Workspace, w.version, false)
		}
		stand[key{r.table, r.id}] = true
	}
	for i := range rows.Surveys {
		r := written{surveysTable, rows.Surveys[i].ID, w.surveys.encode(rows.Surveys[i].ID, &rows.Surveys[i])}
		if now = append(now, r); !old[r] || strays {
			w.surveys.add(w.c.Workspace, w.version, false)
		}
		stand[key{r.table, r.id}] = true
	}
	for i := range rows.Verbatims {
		r := written{verbatimsTable, rows.Verbatims[i].ID, w.verbatims.encode(rows.Verbatims[i].ID, &rows.Verbatims[i])}
		if now = append(now, r); !old[r] || strays {
			w.verbatims.add(w.c.Workspace, w.version, false)
		}
		stand[key{r.table, r.id}] = true
	}
	gone := func(k key) {
		if stand[k] {
			return
		}
		stand[k] = true
		w.remove(k.table, k.id)
	}
	for r := range old {
		gone(key{r.table, r.id})
	}
	if strays {
		for i := range contacts {
			for table := range numTables {
				gone(key{table, contacts[i].ID})
			}
		}
	}
	if err := w.schedule(k, rows.Cases); err != nil {
		return err
	}
	if len(now) == 0 {
		return w.batch.Delete(rowsKey(k))
	}
	return w.batch.Set(rowsKey(k), appendWritten(nil, now))
}

// remove sends a row that says that an id is gone.
func (w *rewriting) remove(table byte, id schema.EventID) {
	w.deleted++
	switch table {
	case conversationsTable:
		w.conversations.encode(id, &care.Conversation{ID: id})
		w.conversations.add(w.c.Workspace, w.version, true)
	case casesTable:
		w.cases.encode(id, &care.Case{ID: id})
		w.cases.add(w.c.Workspace, w.version, true)
	case surveysTable:
		w.surveys.encode(id, &care.Survey{ID: id})
		w.surveys.add(w.c.Workspace, w.version, true)
	case verbatimsTable:
		w.verbatims.encode(id, &care.Verbatim{ID: id, Said: &verbatim.Kept{}})
		w.verbatims.add(w.c.Workspace, w.version, true)
	}
}

// send makes the rows visible.
func (w *rewriting) send(ctx context.Context) error {
	for _, b := range []*Block{w.conversations.done(), w.cases.done(), w.surveys.done(), w.verbatims.done()} {
		if b.Rows == 0 {
			continue
		}
		w.rows += b.Rows
		attempt := 0
		err := w.c.retry(ctx, "write "+b.Table, func() error {
			limited, cancel := context.WithTimeout(ctx, w.c.InsertLimit)
			defer cancel()
			// Rows that come twice replace each other. A token that was used may have been kept by a server that was killed before the rows were
			// there, so each attempt has its own.
			attempt++
			return w.c.Tables.Insert(limited, fmt.Sprintf("%s/%d/%d", b.Table, w.version, attempt), b)
		})
		if err != nil {
			return fmt.Errorf("write %d rows of %s: %w", b.Rows, b.Table, err)
		}
	}
	return nil
}

// refoldRows is how many rows are sent at once when all are folded anew.
const refoldRows = 20_000

// refold makes every row anew from the stored contacts: the tables are others than before, or the rules are.
func (c *Care) refold(ctx context.Context, m meta) (err error) {
	w := c.rewrite()
	defer func() {
		if w.batch != nil {
			err = errors.Join(err, w.batch.Discard())
		}
	}()
	flush := func() error {
		if err := w.send(ctx); err != nil {
			return err
		}
		commit := w.batch
		w.batch = nil
		if err := commit.Commit(); err != nil {
			return err
		}
		c.metrics.rows.Add(float64(w.rows))
		w = c.rewrite()
		return nil
	}
	prefix := []byte{'r'}
	var clusters []clusterID
	if err := c.Store.Scan(prefix, state.After(prefix), func(key, _ []byte) error {
		if len(key) != 17 {
			return errDamaged
		}
		clusters = append(clusters, clusterID(key[1:]))
		return nil
	}); err != nil {
		return err
	}
	for _, id := range clusters {
		contacts, err := loadContacts(c.Store, id, nil)
		if err != nil {
			return err
		}
		if err := w.fold(id, contacts, nil, false); err != nil {
			return err
		}
		if w.conversations.rows+w.cases.rows+w.surveys.rows+w.verbatims.rows >= refoldRows {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if err := c.swept(ctx, c.rank); err != nil {
		return err
	}
	return c.keep(m)
}
