package match

import (
	"cmp"
	"hash/fnv"
	mathbits "math/bits"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// ID names a core.
type ID = schema.ProfileID

// Rows are where an Index keeps what it knows. A key begins with one byte that names the table (row.go).
type Rows interface {
	// Get reads a row as it was last written; the value is valid until the next call.
	Get(key []byte) (value []byte, found bool, err error)
	// Scan calls f with what follows the prefix in the keys that begin with it, in order.
	Scan(prefix []byte, f func(rest []byte) error) error
}

// World is what an Index asks of the strata below.
type World interface {
	// First gives the one of several cores whose id their profile has.
	First(cores []ID) (ID, error)
	// Apart lists cores from which somebody separated a core; some may be gone.
	Apart(core ID) ([]ID, error)
	// Conflict says which constraint of the exact strata keeps two sets of cores from being one person; "" if none does.
	Conflict(p, q []ID) (Reason, error)
}

// Index is a Set whose cores lie in rows, of which it reads what a change touches: who is who among any number of cores, with memory for few.
// It decides what a Set of the same cores decides. It must not be used concurrently.
//
// The size of the set (Set.grow) is what it is told, not what it counts: who somebody is does not change because strangers were imported, and no record
// makes all others be weighed anew.
//
// What one Put reads and writes at most: the core's blocking keys (maxKeys); of each open one its cores (Model.BlockSize), whose edges it
// makes; when a key closes or opens by it, the edges among those; when a value becomes too common by it, or ceases to be, the carriers
// (carrierLimit) and their keys. Resolve then reads at most regionLimit cores for each part that it decides.
//
// After an error the Index is good for nothing.
type Index struct {
	s       *Set // weighs; it holds the cores of the decision that is made
	rows    Rows
	world   World
	cores   map[ID]*indexed
	blocks  map[key]*block
	arounds map[aroundKey]*around
	places  map[ID]*placed
	units   map[ID]*unit
	queued  map[string][]byte // rows of the queue since the last write; nil: gone
	touched []ID
	renamed map[ID]struct{} // parts in which the order of cores may have changed
	changed changed
	err     error
	key     []byte
	row     []byte
}

// NewIndex makes an index over rows. The set is one that NewScale made under the same model and size; nobody else may use it meanwhile.
func NewIndex(s *Set, rows Rows, world World) *Index {
	x := &Index{s: s, rows: rows, world: world, queued: map[string][]byte{}, renamed: map[ID]struct{}{}}
	x.forget()
	return x
}

// NewScale makes a set that only weighs, for so many records: the more there are, the rarer is it that two are one.
func NewScale(m *Model, records int) *Set {
	s := NewSet(m)
	s.class = max(mathbits.Len(uint(records/m.Records))-1, 0)
	s.prior -= Bits(s.class) * bit
	for _, t := range s.tables {
		t.seen = make(memo, smallMemo)
	}
	return s
}

// Worn says whether a set that only weighs remembers so many texts that another one should take its place.
func (s *Set) Worn() bool {
	n := 0
	for _, t := range s.tables {
		n += len(t.texts)
	}
	return n > 1<<17
}

func (x *Index) forget() {
	x.changed = changed{}
	x.cores, x.blocks, x.arounds = map[ID]*indexed{}, map[key]*block{}, map[aroundKey]*around{}
	x.places, x.units = map[ID]*placed{}, map[ID]*unit{}
}

// indexed is a core.
type indexed struct {
	id       ID
	there    bool
	dirty    bool
	touched  bool
	asserted bool // somebody separated it from another
	weak     bool // no name
	records  int32
	values   []worn   // sorted by table and id
	sounds   []uint64 // of its given names, sorted
	keys     []key    // sorted
	edges    []link
	own      *profile // nil until it is asked for
}

// worn is a value that a core carries.
type worn struct {
	value
	count   int32
	generic bool
}

// link is an edge to another core.
type link struct {
	to        ID
	weight    Bits
	forbidden bool
	kin       bool // see edge
}

// below says whether an edge does not count at a floor.
func (e *link) below(floor Bits) bool { return e.weight < floor || e.kin && floor > kinFloor }

// block is the cores that have a blocking key.
type block struct {
	list
	key key
}

// aroundKey names a value that stands beside given names.
type aroundKey struct {
	table int32
	hash  [16]byte
}

// around is what stands beside a value.
type around struct {
	list     // of carriers
	key      aroundKey
	sounds   map[uint64]int32 // how many carriers have a given name that sounds so; of those in rows of their own, what was looked at
	distinct int
	apart    bool // the sounds are in rows of their own
	changed  map[uint64]struct{}
}

// placed is where a core is: in which part, and in which profile.
type placed struct {
	part       ID // zero: alone
	final, was ID // the profile now, and as last written
	dirty      bool
}

// unit is a part: cores that were decided together.
type unit struct {
	floor    Bits
	Cores    []ID  // sorted
	groups   []int // of each core: the place of the first core of its profile
	finals   []ID  // of each core: the id of its profile
	possible []maybe
	gone     bool
	dirty    bool
}

// maybe is a possible match between the profiles of two cores.
type maybe struct {
	a, b   int // places of the first cores of two profiles
	weight Bits
	worth  int64
	reason Reason
}

// changed is what is to be written.
type changed struct {
	cores   []*indexed
	blocks  []*block
	arounds []*around
	places  []ID
	units   []ID
}

func (x *Index) fail(err error) {
	if x.err == nil {
		x.err = err
	}
}

// read makes a core of its records.
func (x *Index) read(c Core, asserted bool) *indexed {
	in := &indexed{id: c.ID, there: true, asserted: asserted, weak: true, records: int32(len(c.Records))}
	for _, values := range c.Records {
		for _, v := range x.s.read(values) {
			at, found := slices.BinarySearchFunc(in.values, v, func(w worn, v value) int { return w.value.compare(v) })
			if !found {
				in.values = slices.Insert(in.values, at, worn{value: v})
			}
			in.values[at].count++
		}
		in.keys = append(in.keys, x.s.keys(values)...)
	}
	in.keys = ordered(in.keys)
	in.keys = in.keys[:min(len(in.keys), maxKeys)]
	sound := func(s string) {
		h := fnv.New64a()
		h.Write([]byte(s))
		in.sounds = append(in.sounds, h.Sum64())
	}
	for _, v := range in.values {
		if int(v.table) == x.s.nameTable {
			in.weak = false
			if g := x.s.tables[v.table].called[v.id].readings[0].given; g != nil {
				sound(g.sound)
			}
		}
	}
	if len(in.sounds) == 0 && !in.weak {
		sound("")
	}
	for _, v := range in.values {
		if mail := x.s.standsFor(v.value); in.weak && mail != "" {
			sound(mail)
		}
	}
	slices.Sort(in.sounds)
	in.sounds = slices.Compact(in.sounds)
	return in
}

func (v value) compare(w value) int {
	return cmp.Or(cmp.Compare(v.table, w.table), cmp.Compare(v.id, w.id))
}

// Put adds a core, or replaces what is known of it. asserted says that World.Apart may name somebody for it: it is decided anew then, since that may name
// others than before.
func (x *Index) Put(c Core, asserted bool) error {
	x.change(x.core(c.ID), x.read(c, asserted))
	if asserted && x.err == nil {
		x.touch(c.ID)
	}
	return x.err
}

// Remove takes a core out. The index is then as if it had never been there.
func (x *Index) Remove(id ID) error {
	if in := x.core(id); in.there {
		x.change(in, &indexed{id: id})
	}
	return x.err
}

// Reorder has the next Resolve ask again by which core the profile of a core is named.
func (x *Index) Reorder(id ID) error {
	if p := x.place(id); !p.part.IsZero() {
		x.renamed[p.part] = struct{}{}
	}
	return x.err
}

// change makes one core's content another's.
func (x *Index) change(in, to *indexed) {
	if x.err != nil {
		return
	}
	if in.there == to.there && in.records == to.records && slices.Equal(in.keys, to.keys) && slices.Equal(in.sounds, to.sounds) &&
		slices.EqualFunc(in.values, to.values, func(a, b worn) bool { return a.value == b.value && a.count == b.count }) {
		if in.asserted != to.asserted {
			in.asserted = to.asserted
			x.mark(in)
			x.touch(in.id)
		}
		return
	}
	x.unpropose(in)
	x.dissolve(x.place(in.id).part)
	var closing, opening []*block
	for _, k := range in.keys {
		if !slices.Contains(to.keys, k) {
			b := x.block(k)
			b.drop(in.id)
			x.markBlock(b)
			if b.n == x.s.most(k) {
				opening = append(opening, b)
			}
		}
	}
	for _, k := range to.keys {
		if !slices.Contains(in.keys, k) {
			b := x.block(k)
			b.add(in.id)
			x.markBlock(b)
			if b.n == x.s.most(k)+1 {
				closing = append(closing, b)
			}
		}
	}
	again := x.surround(in, to)
	in.there, in.asserted, in.weak, in.records, in.values, in.sounds, in.keys, in.own = to.there, to.asserted, to.weak, to.records, to.values, to.sounds, to.keys, nil
	for i := range in.values {
		v := &in.values[i]
		if x.s.genericAt(v.table) > 0 {
			v.generic = x.generic(x.around(v.value))
		}
	}
	x.mark(in)
	x.touch(in.id)
	for _, other := range again {
		x.unpropose(other)
	}
	for _, b := range closing {
		x.close(b)
	}
	for _, b := range opening {
		x.revive(b)
	}
	if in.there {
		x.propose(in)
	}
	for _, other := range again {
		x.propose(other)
	}
}

// surround notes beside which given names the values of a core stand, and gives the other cores for whom a value became too common by it, or ceased to be.
func (x *Index) surround(in, to *indexed) (again []*indexed) {
	flipped := map[value]bool{}
	note := func(v value, add bool, of *indexed) {
		if x.s.genericAt(v.table) == 0 {
			return
		}
		a := x.around(v)
		before := x.generic(a)
		step := int32(1)
		if add {
			a.add(in.id)
		} else {
			a.drop(in.id)
			step = -1
		}
		x.markAround(a)
		if x.s.tells(of.weak, v.table) {
			for _, sound := range of.sounds {
				x.bump(a, sound, step)
			}
		}
		if x.generic(a) != before {
			flipped[v] = !flipped[v]
		}
	}
	sounds := !slices.Equal(in.sounds, to.sounds)
	has := func(of *indexed, v value) bool {
		_, found := slices.BinarySearchFunc(of.values, v, func(w worn, v value) int { return w.value.compare(v) })
		return found
	}
	for _, v := range in.values {
		if sounds || !has(to, v.value) {
			note(v.value, false, in)
		}
	}
	for _, v := range to.values {
		if sounds || !has(in, v.value) {
			note(v.value, true, to)
		}
	}
	seen := map[ID]bool{in.id: true}
	for v, flip := range flipped {
		if !flip {
			continue
		}
		a := x.around(v)
		generic := x.generic(a)
		for _, id := range slices.Clone(x.members(&a.list)) {
			if id == in.id {
				continue
			}
			other := x.core(id)
			at, found := slices.BinarySearchFunc(other.values, v, func(w worn, v value) int { return w.value.compare(v) })
			if !found {
				continue
			}
			other.values[at].generic, other.own = generic, nil
			x.mark(other)
			if !seen[id] {
				seen[id] = true
				again = append(again, other)
			}
		}
	}
	return again
}

func (x *Index) generic(a *around) bool {
	return a.distinct > x.s.genericAt(a.key.table) || a.n > x.s.carriers<<x.s.class
}

func (x *Index) bump(a *around, sound uint64, by int32) {
	n, known := a.sounds[sound]
	if !known && a.apart {
		n = x.soundRow(a, sound)
	}
	switch {
	case n == 0:
		a.distinct++
	case n+by == 0:
		a.distinct--
	}
	a.sounds[sound] = n + by
	if n+by == 0 && !a.apart {
		delete(a.sounds, sound)
	}
	if a.changed == nil {
		a.changed = map[uint64]struct{}{}
	}
	a.changed[sound] = struct{}{}
	if !a.apart && a.distinct > inlineMembers {
		a.apart = true
		for s := range a.sounds {
			a.changed[s] = struct{}{}
		}
	}
}

func (x *Index) mark(in *indexed) {
	if !in.dirty {
		in.dirty = true
		x.changed.cores = append(x.changed.cores, in)
	}
}

func (x *Index) markBlock(b *block) {
	if !b.dirty {
		b.dirty = true
		x.changed.blocks = append(x.changed.blocks, b)
	}
}

func (x *Index) markAround(a *around) {
	if !a.dirty {
		a.dirty = true
		x.changed.arounds = append(x.changed.arounds, a)
	}
}

func (x *Index) markUnit(id ID, u *unit) {
	if !u.dirty {
		u.dirty = true
		x.changed.units = append(x.changed.units, id)
	}
}

func (x *Index) touch(id ID) {
	if in := x.core(id); !in.touched {
		in.touched = true
		x.touched = append(x.touched, id)
	}
}

// profile is a core's values without those that are no evidence.
func (x *Index) profile(in *indexed) *profile {
	if in.own == nil {
		p := &profile{records: in.records, ends: make([]int32, len(x.s.tables))}
		for _, v := range in.values {
			if !v.generic {
				p.add(v.table, share{v.id, v.count})
			}
		}
		in.own = p
	}
	return in.own
}

// propose compares a core with all that share an open blocking key with it and are not its neighbours yet, and keeps the edges.
func (x *Index) propose(in *indexed) {
	seen := map[ID]bool{in.id: true}
	for _, e := range in.edges {
		seen[e.to] = true
	}
	for _, k := range in.keys {
		b := x.block(k)
		if b.n > x.s.most(k) {
			continue
		}
		for _, id := range x.members(&b.list) {
			if !seen[id] {
				seen[id] = true
				x.weigh(in, x.core(id))
			}
		}
	}
	x.touch(in.id)
}

// weigh makes the edge of two cores, if they are near enough.
func (x *Index) weigh(a, b *indexed) {
	x.s.Work.Compared++
	sc := x.s.score(x.profile(a), x.profile(b))
	kin := sc.posterior < x.s.floor
	if kin && (a.weak || b.weak || !x.s.housed(x.profile(a), x.profile(b))) {
		return
	}
	a.edges = append(a.edges, link{b.id, sc.posterior, sc.forbidden, kin})
	b.edges = append(b.edges, link{a.id, sc.posterior, sc.forbidden, kin})
	x.mark(a)
	x.mark(b)
	x.touch(a.id)
	x.touch(b.id)
}

// unpropose drops all edges of a core.
func (x *Index) unpropose(in *indexed) {
	for _, e := range in.edges {
		x.unlink(x.core(e.to), in.id)
		x.touch(e.to)
	}
	in.edges = nil
	x.mark(in)
	x.touch(in.id)
}

func (x *Index) unlink(in *indexed, to ID) {
	in.edges = slices.DeleteFunc(in.edges, func(e link) bool { return e.to == to })
	x.mark(in)
}

// close drops the edges that only a block carried which is too large now.
func (x *Index) close(b *block) {
	members := slices.Clone(x.members(&b.list))
	for _, id := range members {
		in := x.core(id)
		for _, e := range slices.Clone(in.edges) {
			if _, found := slices.BinarySearchFunc(members, e.to, ID.Compare); !found {
				continue
			}
			other := x.core(e.to)
			if x.blocked(in, other) {
				continue
			}
			x.unlink(in, e.to)
			x.unlink(other, id)
			x.touch(id)
			x.touch(e.to)
		}
	}
}

// revive weighs the pairs of a block that is small enough again.
func (x *Index) revive(b *block) {
	members := slices.Clone(x.members(&b.list))
	for i, id := range members {
		in := x.core(id)
		for _, o := range members[:i] {
			if !slices.ContainsFunc(in.edges, func(e link) bool { return e.to == o }) {
				x.weigh(in, x.core(o))
			}
		}
	}
}

// blocked says whether two cores share a key whose block proposes.
func (x *Index) blocked(a, b *indexed) bool {
	for _, k := range x.both(a, b) {
		if x.block(k).n <= x.s.most(k) {
			return true
		}
	}
	return false
}

// both are the keys that two cores have in common.
func (x *Index) both(a, b *indexed) (keys []key) {
	p, q := a.keys, b.keys
	for len(p) > 0 && len(q) > 0 {
		switch {
		case p[0] < q[0]:
			p = p[1:]
		case p[0] > q[0]:
			q = q[1:]
		default:
			keys = append(keys, p[0])
			p, q = p[1:], q[1:]
		}
	}
	return keys
}
