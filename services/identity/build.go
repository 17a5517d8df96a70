package identity

import (
	"cmp"
	"errors"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// A state is built from the log in two steps. Until the log is read to its end, evidence is only gathered: who is who is a function of the set of events, and
// nobody may ask yet, so a person whose evidence comes in ten commits need not be decided ten times. Then all that was gathered is decided, each region once, while
// what comes meanwhile is folded as ever. A build that was interrupted goes on with the step that it was in.
//
// The rows of a large build go to a store with more memory and no log of its own; it is opened anew, as it is for serving, when all is decided.

// wideBuild is the number of records from which a build is worth opening the store twice.
const wideBuild = 100_000

// decideAtOnce is how many personas one step of deciding looks at.
const decideAtOnce = 4 << 10

// The memory of a build.
const (
	buildCacheBytes    = 256 << 20
	buildMemTableBytes = 64 << 20
)

// widen opens the store as for a build of so many records. Nobody else may use the projection.
func (p *projection) widen(records int64) error {
	if p.built || p.wide || records < wideBuild {
		return nil
	}
	o := p.options
	o.CacheBytes, o.MemTableBytes, o.Unlogged = buildCacheBytes, buildMemTableBytes, true
	p.wide = true
	return p.reopen(o)
}

func (p *projection) reopen(o state.Options) error {
	if err := errors.Join(p.graph.lookup.Close(), p.store.Close()); err != nil {
		return err
	}
	store, err := state.Open(p.dir, o)
	if err != nil {
		return err
	}
	lookup, err := store.Lookup()
	if err != nil {
		return closing(store, err)
	}
	p.store, p.graph.r, p.graph.lookup = store, store, lookup
	return nil
}

// decision is how far a build has come with deciding.
type decision struct {
	after []byte                       // the row that was looked at last
	held  map[identity.NodeID]struct{} // personas of giants that were walked through
	step  int                          // personas that one step looks at; 0 is decideAtOnce
}

// decideSome goes on with deciding who is who of what was gathered, and says whether that is done.
func (p *projection) decideSome(d *decision) (done bool, err error) {
	if !p.deciding {
		b := p.store.NewBatch()
		if err := setCounter(b, "deciding", 1); err != nil {
			return false, errors.Join(err, b.Discard())
		}
		if err := b.CommitDurable(); err != nil {
			return false, err
		}
		p.deciding = true
	}
	from := []byte{'p'}
	if d.after != nil {
		from = slices.Concat(d.after, []byte{0})
	}
	seen, step := 0, cmp.Or(d.step, decideAtOnce)
	err = p.store.Scan(from, []byte{'p' + 1}, func(key, value []byte) error {
		d.after = append(d.after[:0], key...)
		id, r := identity.NodeID(key[1:]), row{b: value}
		at := r.place(id)
		if r.bad {
			return errDamaged
		}
		p.graph.recent.Put(key, value)
		// A persona that has its place, and is not held, was in a region that was decided whole.
		_, walked := d.held[id]
		if at.profile.IsZero() || at.hold != identity.Free && !walked {
			p.touch(id)
		}
		if seen++; seen == step {
			return state.ErrStop
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	p.walked = func(r *identity.Region) {
		for id := range r.Held {
			if d.held == nil {
				d.held = map[identity.NodeID]struct{}{}
			}
			d.held[id] = struct{}{}
		}
	}
	err = p.commit()
	p.walked = nil
	return seen < step, err
}

// finishBuilding notes that the log was read to its end once and all is decided: from now on changes are handed out as they happen, and sinks that have not
// got everything yet are given the whole.
func (p *projection) finishBuilding() error {
	b := p.store.NewBatch()
	if err := setCounter(b, "built", p.version()); err != nil {
		return errors.Join(err, b.Discard())
	}
	if err := b.CommitDurable(); err != nil {
		return err
	}
	p.built = true
	if !p.wide {
		return nil
	}
	p.wide = false
	p.rest()
	return p.reopen(p.options)
}
