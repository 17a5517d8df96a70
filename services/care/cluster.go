package care

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// cluster is a set of linked contacts in memory: what the state store has of it after the last commit or, while a batch works on it, after that batch.
//
// Between batches its contacts are packed: as bytes they take a fifth of the memory, and the garbage collector need not look through them.
type cluster struct {
	id     clusterID
	packed string         // of each contact its id(16), length (uvarint) and stored form, in order; empty while a batch works on it
	n      int            // contacts
	rows   []written      // of the tables, ascending by table and id
	look   schema.Instant // when it is looked at for alerts next, if looks
	looks  bool

	counted int // of clusters.bytes
	at      int // its place in clusters.order
	used    int // the batch that touched it last

	// While a batch works on it.
	touched  bool
	gone     bool               // it has become part of another
	contacts []*care.Contact    // in order, each once; none of them ever changes
	raw      []string           // parallel: their stored form
	pending  []schema.EventID   // contacts to be stored
	personas []schema.PersonaID // that it had no contact of
}

// footprint is about how many bytes of memory a packed cluster takes.
func (k *cluster) footprint() int { return 300 + len(k.packed) + 32*len(k.rows) + 150*k.n }

// unpack makes the contacts of a packed cluster ready to be worked on.
func (k *cluster) unpack() error {
	if k.packed == "" {
		return nil
	}
	all := make([]care.Contact, k.n)
	k.contacts, k.raw = make([]*care.Contact, k.n, k.n+4), make([]string, k.n, k.n+4)
	left := k.packed
	for i := range all {
		length, n := 0, 0
		if len(left) > 16 {
			v, read := binary.Uvarint([]byte(left[16:min(len(left), 16+binary.MaxVarintLen64)]))
			length, n = int(v), read
		}
		if n <= 0 || length > len(left)-16-n {
			return errDamaged // Unreachable: pack wrote it
		}
		var err error
		k.raw[i] = left[16+n : 16+n+length]
		if all[i], err = care.ReadContact(schema.EventID([]byte(left[:16])), k.raw[i]); err != nil {
			return err
		}
		k.contacts[i] = &all[i]
		left = left[16+n+length:]
	}
	k.packed = ""
	return nil
}

// pack ends the work on a cluster.
func (k *cluster) pack() {
	if k.n = len(k.contacts); k.n > 0 {
		size := 0
		for _, raw := range k.raw {
			size += 16 + 2 + len(raw)
		}
		b := make([]byte, 0, size)
		for i, contact := range k.contacts {
			b = append(b, contact.ID[:]...)
			b = binary.AppendUvarint(b, uint64(len(k.raw[i])))
			b = append(b, k.raw[i]...)
		}
		k.packed = string(b)
	}
	k.touched, k.contacts, k.raw, k.pending, k.personas = false, nil, nil, nil, nil
}

// insert puts a contact into a cluster that is worked on. It takes the place of a copy.
func (k *cluster) insert(contact *care.Contact, raw string) {
	if !k.has(contact.Of.Persona) {
		k.personas = append(k.personas, contact.Of.Persona)
	}
	var at int
	var copied bool
	if k.contacts, at, copied = care.Insert(k.contacts, contact); copied {
		k.raw[at] = raw
	} else {
		k.raw = slices.Insert(k.raw, at, raw)
	}
	k.pending = append(k.pending, contact.ID)
}

// has says whether the cluster has a contact of a persona.
func (k *cluster) has(p schema.PersonaID) bool {
	return slices.ContainsFunc(k.contacts, func(c *care.Contact) bool { return c.Of.Persona == p })
}

// clusters are those that are in memory, up to a limit. They belong to whoever holds Care.working. After a failed batch they are forgotten all.
type clusters struct {
	store *state.Store
	limit int64
	bytes int64
	byID  map[clusterID]*cluster
	order []*cluster // in no order
	batch int        // counts batches

	// links lead to clusters in memory. A link that is not here may lead to one all the same: the store knows.
	links map[care.Link]*cluster
	known known
}

// known tells most links that the store does not have: nearly every message brings one, and to look for it in the store's files costs more than to fold it.
// What the store had at the start is read beside the work; until that is done every link is looked up.
type known struct {
	filter *state.Filter      // nil: nothing is known
	since  []care.Link        // that were stored while the store is read
	read   chan *state.Filter // what the store had; nil once that is taken over
}

// mostKnown bounds the filter, in bytes: some 30,000,000 links. Where there are more, all are looked up.
const mostKnown = 48 << 20

// learn reads which links a store has.
func (k *known) learn(ctx context.Context, links *state.Snapshot) error {
	filter, n := state.NewFilter(), 0
	prefix := []byte{'l'}
	err := links.Scan(prefix, state.After(prefix), func(key, _ []byte) error {
		if n++; n%1024 == 0 && ctx.Err() != nil || filter.Bytes() > mostKnown {
			filter = nil
			return state.ErrStop
		}
		filter.Add(key[1:])
		return nil
	})
	if err == nil {
		k.read <- filter
	}
	return errors.Join(err, links.Close())
}

// stored notes links that are in the store from now on.
func (k *known) stored(links []care.Link) {
	if k.read != nil {
		k.since = append(k.since, links...)
		select {
		case filter := <-k.read:
			k.filter, k.read, links, k.since = filter, nil, k.since, nil
		default:
			return
		}
	}
	if k.filter != nil && k.filter.Bytes() > mostKnown {
		k.filter = nil
	}
	if k.filter == nil {
		return
	}
	for _, l := range links {
		k.filter.Add(l[:])
	}
}

// may says whether the store may have a link.
func (k *known) may(l care.Link) bool { return k.filter == nil || k.filter.May(l[:]) }

func newClusters(store *state.Store, limit int64) *clusters {
	return &clusters{store: store, limit: limit, byID: map[clusterID]*cluster{}, links: map[care.Link]*cluster{}, known: known{read: make(chan *state.Filter, 1)}}
}

// load reads a cluster from the store, ready to be worked on. It is not kept in memory.
func load(store state.Reader, id clusterID) (*cluster, error) {
	k := &cluster{id: id}
	var err error
	if k.contacts, k.raw, err = loadContacts(store, id); err != nil {
		return nil, err
	}
	value, found, err := store.Get(nil, rowsKey(id))
	if err == nil && found {
		k.rows, err = readWritten(value)
	}
	if err != nil {
		return nil, err
	}
	value, found, err = store.Get(nil, nextKey(id))
	if err == nil && found {
		k.looks = true
		k.look, err = readSorted(value)
	}
	return k, err
}

// get gives a cluster that the store has, and keeps it in memory.
func (c *clusters) get(id clusterID) (*cluster, error) {
	if k := c.byID[id]; k != nil {
		return k, nil
	}
	k, err := load(c.store, id)
	if err != nil {
		return nil, err
	}
	c.keep(k)
	return k, nil
}

func (c *clusters) keep(k *cluster) {
	k.at = len(c.order)
	c.order = append(c.order, k)
	c.byID[k.id] = k
}

// forget takes a cluster out of memory.
func (c *clusters) forget(id clusterID) {
	k := c.byID[id]
	if k == nil {
		return
	}
	c.bytes -= int64(k.counted)
	last := len(c.order) - 1
	c.order[k.at] = c.order[last]
	c.order[k.at].at = k.at
	c.order[last] = nil
	c.order = c.order[:last]
	delete(c.byID, id)
	if err := k.unpack(); err != nil {
		panic(err) // Unreachable: pack wrote it
	}
	var links []care.Link
	for _, contact := range k.contacts {
		links = contact.Links(links[:0])
		for _, l := range links {
			if c.links[l] == k {
				delete(c.links, l)
			}
		}
	}
}

// count brings the bytes of a cluster up to date.
func (c *clusters) count(k *cluster) {
	is := k.footprint()
	c.bytes += int64(is - k.counted)
	k.counted = is
}

// shrink keeps memory within a limit. What goes is, of a few that are picked by chance, what was not used for longest: where clusters come round again and
// again, the longest unused of all would always be the next that is wanted.
func (c *clusters) shrink(limit int64) {
	const picks = 3
	for c.bytes > limit && len(c.order) > 0 {
		oldest := c.order[rand.IntN(len(c.order))]
		for range picks - 1 {
			if k := c.order[rand.IntN(len(c.order))]; k.used < oldest.used {
				oldest = k
			}
		}
		c.forget(oldest.id)
	}
}

// gathering is a batch on its way from contacts to clusters.
type gathering struct {
	*clusters
	to      *state.Batch
	touched []*cluster
	scratch []care.Link
	encoded []byte
	value   []byte
	stored  *state.Lookup          // as it was before the batch: most links are new
	links   []care.Link            // new, or of another cluster than before
	into    map[clusterID]*cluster // what has become part of another
}

// add puts a contact into the cluster of its links.
func (g *gathering) add(contact *care.Contact) error {
	g.encoded = care.AppendContact(g.encoded[:0], contact)
	raw := string(g.encoded)
	// What is kept holds on to nothing of the event.
	kept, err := care.ReadContact(contact.ID, raw)
	if err != nil {
		return err
	}
	g.scratch = kept.Links(g.scratch[:0])
	var home *cluster
	for _, l := range g.scratch {
		k := g.clusters.links[l]
		if k == nil {
			found := g.known.may(l)
			if found {
				if g.value, found, err = g.stored.Get(g.value[:0], linkKey(l)); err != nil {
					return err
				}
			}
			switch {
			case !found:
				g.links = append(g.links, l)
				continue
			case len(g.value) != 16:
				return errDamaged
			}
			if k, err = g.find(clusterID(g.value)); err != nil {
				return err
			}
			g.clusters.links[l] = k
		}
		switch {
		case home == nil:
			home = k
		case home != k:
			if home, err = g.join(home, k); err != nil {
				return err
			}
		}
	}
	if home == nil {
		home = &cluster{id: clusterID(g.scratch[0])}
		g.keep(home)
	}
	for _, l := range g.scratch {
		g.clusters.links[l] = home
	}
	if err := g.touch(home); err != nil {
		return err
	}
	home.insert(&kept, raw)
	return nil
}

// find gives the cluster that the store knows by an id, or what that has become part of since.
func (g *gathering) find(id clusterID) (*cluster, error) {
	for k := g.into[id]; k != nil; k = g.into[k.id] {
		if !k.gone {
			return k, nil
		}
	}
	return g.get(id)
}

func (g *gathering) touch(k *cluster) error {
	if k.touched {
		return nil
	}
	k.touched, k.used = true, g.batch
	g.touched = append(g.touched, k)
	return k.unpack()
}

// join makes one cluster of two: the smaller one moves.
func (g *gathering) join(a, b *cluster) (*cluster, error) {
	if err := errors.Join(g.touch(a), g.touch(b)); err != nil {
		return nil, err
	}
	if len(a.contacts) < len(b.contacts) || len(a.contacts) == len(b.contacts) && bytes.Compare(a.id[:], b.id[:]) > 0 {
		a, b = b, a
	}
	g.forget(b.id)
	b.gone = true
	if g.into == nil {
		g.into = map[clusterID]*cluster{}
	}
	g.into[b.id] = a
	err := errors.Join(g.to.Delete(rowsKey(b.id)), unschedule(g.to, b))
	for i, contact := range b.contacts {
		err = errors.Join(err, g.to.Delete(contactKey(b.id, contact.ID)), g.to.Delete(personaKey(contact.Of.Persona, b.id)))
		for _, l := range contact.Links(nil) {
			g.clusters.links[l] = a
			g.links = append(g.links, l)
		}
		a.insert(contact, b.raw[i])
	}
	a.rows = append(a.rows, b.rows...)
	slices.SortFunc(a.rows, written.compare)
	return a, err
}

// put writes what a batch has brought to the state's batch: contacts, personas, links.
func (g *gathering) put() error {
	for _, k := range g.touched {
		if k.gone {
			continue
		}
		slices.SortFunc(k.pending, schema.EventID.Compare)
		for i, contact := range k.contacts {
			if _, is := slices.BinarySearchFunc(k.pending, contact.ID, schema.EventID.Compare); !is {
				continue
			}
			if err := g.to.Set(contactKey(k.id, contact.ID), []byte(k.raw[i])); err != nil {
				return err
			}
		}
		for _, p := range k.personas {
			if err := g.to.Set(personaKey(p, k.id), nil); err != nil {
				return err
			}
		}
	}
	for _, l := range g.links {
		k := g.clusters.links[l]
		if err := g.to.Set(linkKey(l), k.id[:]); err != nil {
			return err
		}
	}
	return nil
}

// done ends the batch, once it is committed.
func (g *gathering) done() {
	for _, k := range g.touched {
		if !k.gone {
			k.pack()
			g.count(k)
		}
	}
	g.known.stored(g.links)
	g.shrink(g.limit)
}

func (r written) compare(other written) int {
	return cmp.Or(cmp.Compare(r.table, other.table), r.id.Compare(other.id))
}
