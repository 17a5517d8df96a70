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

// rewriting collects what changes in the tables and in the state store.
type rewriting struct {
	c             *Care
	version       uint64
	batch         *state.Batch
	conversations *block[care.Conversation]
	cases         *block[care.Case]
	surveys       *block[care.Survey]
	verbatims     *block[care.Verbatim]
	mentions      *block[care.Mention]
	rows, deleted int
}

func (c *Care) rewrite() *rewriting {
	return &rewriting{
		c: c, version: c.version(), batch: c.Store.NewBatch(),
		conversations: newBlock(conversationsTable, conversationColumns), cases: newBlock(casesTable, caseColumns), surveys: newBlock(surveysTable, surveyColumns),
		verbatims: newBlock(verbatimsTable, verbatimColumns), mentions: newBlock(mentionsTable, mentionColumns),
	}
}

// write folds a batch, makes it visible and commits it.
func (c *Care) write(ctx context.Context, batch []chunk, overlap []int64) (err error) {
	c.working.Lock()
	defer c.working.Unlock()
	w := c.rewrite()
	defer func() {
		if w.batch != nil {
			err = errors.Join(err, w.batch.Discard())
		}
	}()
	c.clusters.batch++
	g := &gathering{clusters: c.clusters, to: w.batch}
	records := int64(0)
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
	}
	contacts, err := c.gather(g, batch)
	if err != nil {
		return err
	}
	begun, building, err := c.building()
	if err != nil {
		return err
	}
	// What a build from nothing leaves behind in its first life has a lower rank, and goes at its end.
	strays := reread && !(building && begun == c.rank)
	for _, k := range g.touched {
		if k.gone {
			continue
		}
		if err := w.fold(k, strays); err != nil {
			return err
		}
	}
	if err := g.put(); err != nil {
		return err
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
	g.done()
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

// gather puts the contacts of a batch into their clusters, and counts them.
func (c *Care) gather(g *gathering, batch []chunk) (n int, err error) {
	if g.stored, err = c.Store.Lookup(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, g.stored.Close()) }()
	for _, k := range batch {
		for i := range k.contacts {
			if c.void(&k.contacts[i]) {
				continue
			}
			n++
			if err := g.add(&k.contacts[i]); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

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

// fold makes the rows of a cluster, keeps those to send that are not among the old ones, and deletes the old ones that are no more. With strays all are sent,
// and ids of its contacts that are no row are deleted whether or not they are known to have been one.
func (w *rewriting) fold(k *cluster, strays bool) error {
	rows := w.c.folder.Fold(k.contacts)
	now := make([]written, 0, len(rows.Conversations)+len(rows.Cases)+len(rows.Surveys)+len(rows.Verbatims)+len(rows.Mentions))
	for i := range rows.Conversations {
		now = append(now, take(w, w.conversations, k, written{table: conversationsTable, id: rows.Conversations[i].ID}, &rows.Conversations[i], strays))
	}
	for i := range rows.Cases {
		now = append(now, take(w, w.cases, k, written{table: casesTable, id: rows.Cases[i].ID}, &rows.Cases[i], strays))
	}
	for i := range rows.Surveys {
		now = append(now, take(w, w.surveys, k, written{table: surveysTable, id: rows.Surveys[i].ID}, &rows.Surveys[i], strays))
	}
	for i := range rows.Verbatims {
		now = append(now, take(w, w.verbatims, k, written{table: verbatimsTable, id: rows.Verbatims[i].ID}, &rows.Verbatims[i], strays))
	}
	for i := range rows.Mentions {
		now = append(now, take(w, w.mentions, k, written{table: mentionsTable, id: rows.Mentions[i].ID}, &rows.Mentions[i], strays))
	}
	for _, r := range k.rows {
		if _, stands := slices.BinarySearchFunc(now, r, written.compare); !stands {
			w.remove(r.table, r.id)
		}
	}
	if strays {
		for _, contact := range k.contacts {
			for table := range numTables {
				r := written{table: table, id: contact.ID}
				_, stands := slices.BinarySearchFunc(now, r, written.compare)
				if _, was := k.row(table, contact.ID); !stands && !was {
					w.remove(table, contact.ID)
				}
			}
		}
	}
	if err := w.schedule(k, rows.Cases); err != nil {
		return err
	}
	same := slices.Equal(k.rows, now)
	k.rows = now
	switch {
	case same && len(now) > 0:
		return nil
	case len(now) == 0:
		return w.batch.Delete(rowsKey(k.id))
	}
	return w.batch.Set(rowsKey(k.id), appendWritten(nil, now))
}

// take encodes a row, and keeps it to be sent unless it stands in its table as it is.
func take[R any](w *rewriting, b *block[R], k *cluster, r written, row *R, strays bool) written {
	r.digest = b.encode(r.id, row)
	if at, was := k.row(r.table, r.id); strays || !was || k.rows[at].digest != r.digest {
		b.add(w.c.Workspace, w.version, false)
	}
	return r
}

// row finds a row among those that stand in the tables.
func (k *cluster) row(table byte, id schema.EventID) (at int, found bool) {
	return slices.BinarySearchFunc(k.rows, written{table: table, id: id}, written.compare)
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
	case mentionsTable:
		w.mentions.encode(id, &care.Mention{ID: id})
		w.mentions.add(w.c.Workspace, w.version, true)
	}
}

// send makes the rows visible.
func (w *rewriting) send(ctx context.Context) error {
	for _, b := range []*Block{w.conversations.done(), w.cases.done(), w.surveys.done(), w.verbatims.done(), w.mentions.done()} {
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
		k, err := load(c.Store, id)
		if err != nil {
			return err
		}
		k.rows = nil // all are sent
		if err := w.fold(k, false); err != nil {
			return err
		}
		if w.conversations.rows+w.cases.rows+w.surveys.rows+w.verbatims.rows+w.mentions.rows >= refoldRows {
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
