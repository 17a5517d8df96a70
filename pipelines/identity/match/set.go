package match

import (
	mathbits "math/bits"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// Value is one value of a record in normal form: the field it belongs to, and the text.
type Value struct{ Field, Text string }

// Core is what is weighed: one or more records that stratum 0 found to be one person.
type Core struct {
	ID      schema.ProfileID
	Records [][]Value // of each record, its values
}

// Set is a set of cores under one model, and who is who among them: a function of the set and the model, whatever the order in which
// cores were put, changed and removed. It must not be used concurrently.
//
// What one Put touches: at most Model.BlockSize cores per blocking key of the core are compared with it, at most maxKeys keys; when a key
// or a value becomes too common by it, the pairs of its BlockSize cores, or the carriers of the value, are looked at once more. Resolve
// then decides the regions of what changed, at most regionLimit cores each.
type Set struct {
	model      *Model
	tables     []*table
	nameTable  int
	recipes    []recipe
	parted     []part // all parts of the recipes, each once
	unlessBoth []int  // of each table: the table that it yields to, or -1
	prior      Bits
	household  *Bits
	floor      Bits
	limit      int // regionLimit
	carriers   int // carrierLimit
	expected   int // see Expect
	class      int // how many doublings the set is larger than what the model was estimated on

	cores   []core
	free    []int32
	slots   map[schema.ProfileID]int32
	records int
	blocks  blocks
	beside  surroundings
	sounds  map[string]int32 // the numbers of what given names sound like
	said    []value          // of the core whose profile is made
	dirty   []int32          // cores that changed since the last Resolve; some may be gone
	parts   [][]int32        // the cores that were decided together, by number; 0 is for those that were decided alone
	unused  []int32          // numbers of parts
	round   uint32           // of Resolve
	stamps  []uint32
	stamp   uint32

	Work Work
}

// Work counts what was done, for reports.
type Work struct {
	Compared int // profiles scored to propose pairs
	Most     int // profiles scored to propose pairs, for one core
	Decided  int // profiles scored to decide regions
	Regions  int
	Largest  int // cores of the largest region
}

// core is a core as the set holds it.
type core struct {
	id      schema.ProfileID
	used    bool
	weak    bool // no name
	records int32
	dirty   bool
	round   uint32 // in which it was decided last
	part    int32  // the number of the cores with which it was decided then
	group   int32  // the slot of the smallest core of its profile, as last decided
	values  []value
	sounds  []int32 // of its given names, or what stands for them; distinct
	keys    []key
	own     *profile
	edges   []edge
}

// value is one value of one record.
type value struct{ table, id int32 }

// edge is a core that this one may be one person with.
type edge struct {
	to        int32
	weight    Bits
	forbidden bool
	kin       bool // too far apart to be one person, and of one household: decided together so that the two are listed, and for nothing else
}

// NewSet makes an empty set.
func NewSet(m *Model) *Set {
	s := &Set{
		model: m, nameTable: -1, limit: regionLimit, carriers: carrierLimit, prior: inBits(m.Prior - m.Thresholds.Caution), floor: inBits(m.Thresholds.Floor),
		slots: map[schema.ProfileID]int32{}, beside: newSurroundings(), sounds: map[string]int32{}, parts: make([][]int32, 1),
	}
	for i := range m.Fields {
		if m.Fields[i].Compare == "name" {
			s.nameTable = i
		}
		s.tables = append(s.tables, newTable(m, &m.Fields[i]))
	}
	for i := range m.Fields {
		s.unlessBoth = append(s.unlessBoth, slices.IndexFunc(m.Fields, func(f Field) bool { return f.Name == m.Fields[i].UnlessBoth }))
	}
	for _, key := range m.Blocking {
		r, err := m.recipeOf(key)
		if err != nil {
			panic(err) // Prepare checked it
		}
		s.addRecipe(r)
	}
	if m.Household != nil {
		h := inBits(*m.Household)
		s.household = &h
	}
	return s
}

func inBits(b float64) Bits { return Bits(b * float64(bit)) }

// Len is the number of cores.
func (s *Set) Len() int { return len(s.slots) }

// Put adds a core, or replaces what the set knows of it.
func (s *Set) Put(c Core) {
	if slot, ok := s.slots[c.ID]; ok {
		if s.same(slot, c.Records) {
			return
		}
		s.remove(slot)
	}
	slot := int32(len(s.cores))
	if n := len(s.free); n > 0 {
		slot, s.free = s.free[n-1], s.free[:n-1]
	} else {
		s.cores = append(s.cores, core{})
		s.stamps = append(s.stamps, 0)
	}
	s.slots[c.ID] = slot
	in := &s.cores[slot]
	*in = core{id: c.ID, used: true, weak: true, records: int32(len(c.Records)), group: slot}
	for _, values := range c.Records {
		in.values = append(in.values, s.read(values)...)
		in.keys = append(in.keys, s.keys(values)...)
	}
	in.keys = ordered(in.keys)
	in.keys = in.keys[:min(len(in.keys), maxKeys)]
	for _, v := range in.values {
		if int(v.table) == s.nameTable {
			in.weak = false
			if g := s.tables[v.table].called[v.id].readings[0].given; g != nil && !slices.Contains(in.sounds, s.sound(g.sound)) {
				in.sounds = append(in.sounds, s.sound(g.sound))
			}
		}
	}
	if len(in.sounds) == 0 && !in.weak {
		in.sounds = append(in.sounds, s.sound(""))
	}
	for _, v := range in.values {
		if mail := s.standsFor(v); in.weak && mail != "" && !slices.Contains(in.sounds, s.sound(mail)) {
			in.sounds = append(in.sounds, s.sound(mail))
		}
	}
	s.records += len(c.Records)
	s.touch(slot)
	if s.grow() {
		s.index(slot)
		s.rebuild()
		return
	}
	s.index(slot)
	s.propose(slot)
}

// maxKeys bounds the blocking keys of one core.
const maxKeys = 256

// read gives a record's values their ids.
func (s *Set) read(values []Value) []value {
	out := make([]value, 0, len(values))
	for i, t := range s.tables {
		for _, v := range values {
			if v.Field == t.field.Name {
				out = append(out, value{int32(i), t.id(v.Text)})
			}
		}
	}
	return out
}

func (s *Set) same(slot int32, records [][]Value) bool {
	in := &s.cores[slot]
	if int(in.records) != len(records) {
		return false
	}
	var values []value
	for _, r := range records {
		values = append(values, s.read(r)...)
	}
	return slices.Equal(values, in.values)
}

// Remove takes a core out. The set is then as if it had never been there.
func (s *Set) Remove(id schema.ProfileID) {
	if slot, ok := s.slots[id]; ok {
		s.remove(slot)
	}
}

func (s *Set) remove(slot int32) {
	in := &s.cores[slot]
	s.unpropose(slot)
	for _, k := range in.keys {
		if members := s.blocks.drop(k, slot); len(members) == s.most(k) {
			s.revive(members)
		}
	}
	var again []int32
	for _, v := range distinct(in.values) {
		if s.genericAt(v.table) == 0 {
			continue
		}
		before := s.generic(v)
		s.surroundLess(v, slot)
		if before && !s.generic(v) {
			again = append(again, s.beside.carriers(v)...)
		}
	}
	s.records -= int(in.records)
	for _, m := range s.dissolve(in.part) {
		s.touch(m)
	}
	delete(s.slots, in.id)
	*in = core{}
	s.free = append(s.free, slot)
	s.refresh(again)
	if s.grow() {
		s.rebuild()
	}
}

func distinct(values []value) []value {
	out := slices.Clone(values)
	slices.SortFunc(out, value.compare)
	return slices.Compact(out)
}

// genericAt says beside how many given names a value of a table is no evidence any more; 0: any number.
func (s *Set) genericAt(table int32) int {
	switch s.model.Fields[table].Compare {
	case "mailbox", "key", "id":
		return s.model.Thresholds.Generic
	case "date":
		return s.model.Thresholds.GenericDates << s.class // the larger the set, the more people are born on one day
	}
	return 0
}

// carrierLimit is how many cores may carry a value before it is no evidence, whatever stands beside it: a call centre's number on a hundred
// thousand nameless tickets.
const carrierLimit = 500

// index enters a core into the blocks and the values' surroundings.
func (s *Set) index(slot int32) {
	in := &s.cores[slot]
	for _, k := range in.keys {
		if members := s.blocks.add(k, slot); len(members) == s.most(k)+1 {
			s.close(members)
		}
	}
	var again []int32
	for _, v := range distinct(in.values) {
		if s.genericAt(v.table) == 0 {
			continue
		}
		before := s.generic(v)
		s.surround(v, slot)
		if !before && s.generic(v) {
			again = append(again, slices.DeleteFunc(slices.Clone(s.beside.carriers(v)), func(c int32) bool { return c == slot })...)
		}
	}
	in.own = s.profileOf(slot)
	s.refresh(again)
}

// profileOf gives a core's values without those that are no evidence.
func (s *Set) profileOf(slot int32) *profile {
	in := &s.cores[slot]
	said := append(s.said[:0], in.values...)
	s.said = said
	slices.SortFunc(said, value.compare)
	p := &profile{cores: []int32{slot}, records: in.records, shares: make([]share, 0, len(said)), ends: make([]int32, len(s.tables))}
	kept := false
	for i, v := range said {
		if i > 0 && v == said[i-1] {
			if kept {
				p.shares[len(p.shares)-1].count++
			}
			continue
		}
		if kept = !s.generic(v); kept {
			p.add(v.table, share{v.id, 1})
		}
	}
	return p
}

// refresh weighs cores anew whose values changed what they mean.
func (s *Set) refresh(slots []int32) {
	slices.Sort(slots)
	for _, slot := range slices.Compact(slots) {
		s.unpropose(slot)
		s.cores[slot].own = s.profileOf(slot)
		s.propose(slot)
	}
}

// propose compares a core with all that share a blocking key with it, and keeps the edges.
func (s *Set) propose(slot int32) {
	in := &s.cores[slot]
	if in.own == nil {
		return
	}
	s.stamp++
	s.stamps[slot] = s.stamp
	before := s.Work.Compared
	for _, k := range in.keys {
		members := s.blocks.members(k)
		if len(members) > s.most(k) {
			continue
		}
		for _, m := range members {
			if s.stamps[m] == s.stamp {
				continue
			}
			s.stamps[m] = s.stamp
			s.weigh(slot, m)
		}
	}
	s.Work.Most = max(s.Work.Most, s.Work.Compared-before)
	s.touch(slot)
}

// weigh makes the edge of two cores, if they are near enough.
func (s *Set) weigh(a, b int32) {
	x, y := &s.cores[a], &s.cores[b]
	if x.own == nil || y.own == nil {
		return
	}
	s.Work.Compared++
	sc := s.score(x.own, y.own)
	kin := sc.posterior < s.floor
	if kin && (x.weak || y.weak || !s.housed(x.own, y.own)) {
		return
	}
	x.edges = append(x.edges, edge{b, sc.posterior, sc.forbidden, kin})
	y.edges = append(y.edges, edge{a, sc.posterior, sc.forbidden, kin})
	s.touch(a)
	s.touch(b)
}

// unpropose drops all edges of a core.
func (s *Set) unpropose(slot int32) {
	in := &s.cores[slot]
	for _, e := range in.edges {
		s.dropEdge(e.to, slot)
		s.touch(e.to)
	}
	in.edges = in.edges[:0]
	s.touch(slot)
}

func (s *Set) dropEdge(from, to int32) {
	in := &s.cores[from]
	at := slices.IndexFunc(in.edges, func(e edge) bool { return e.to == to })
	last := len(in.edges) - 1
	in.edges[at] = in.edges[last]
	in.edges = in.edges[:last]
}

// close drops the edges that only a block carried which is too large now.
func (s *Set) close(members []int32) {
	for _, m := range members {
		in := &s.cores[m]
		for i := 0; i < len(in.edges); i++ {
			e := in.edges[i]
			if _, found := slices.BinarySearch(members, e.to); !found || s.blocked(m, e.to) {
				continue
			}
			s.dropEdge(e.to, m)
			s.dropEdge(m, e.to)
			s.touch(m)
			s.touch(e.to)
			i--
		}
	}
}

// revive weighs the pairs of a block that is small enough again.
func (s *Set) revive(members []int32) {
	members = slices.Clone(members)
	for i, m := range members {
		s.stamp++
		for _, e := range s.cores[m].edges {
			s.stamps[e.to] = s.stamp
		}
		for _, o := range members[:i] {
			if s.stamps[o] != s.stamp {
				s.weigh(m, o)
			}
		}
	}
}

// blocked says whether two cores share a key whose block proposes.
func (s *Set) blocked(a, b int32) bool {
	x, y := s.cores[a].keys, s.cores[b].keys
	for len(x) > 0 && len(y) > 0 {
		switch {
		case x[0] < y[0]:
			x = x[1:]
		case x[0] > y[0]:
			y = y[1:]
		default:
			if s.blocks.count(x[0]) <= s.most(x[0]) {
				return true
			}
			x, y = x[1:], y[1:]
		}
	}
	return false
}

// touch has the next Resolve decide a core anew.
func (s *Set) touch(slot int32) {
	if in := &s.cores[slot]; !in.dirty {
		in.dirty = true
		s.dirty = append(s.dirty, slot)
	}
}

// grow says whether the set has come into another class of size: the more people, the rarer is it that two are one. Every doubling past
// what the model was estimated on takes one bit from the prior, and everything is weighed anew: once per doubling.
func (s *Set) grow() bool {
	class := max(mathbits.Len(uint(max(s.records, s.expected)/s.model.Records))-1, 0)
	if class == s.class {
		return false
	}
	s.class = class
	s.prior = inBits(s.model.Prior-s.model.Thresholds.Caution) - Bits(class)*bit
	return true
}

// Expect says how many records will come, about: until Settle everything is weighed as for so many, so that it need not be weighed anew at each doubling on the
// way. It changes nothing of who is who after Settle.
func (s *Set) Expect(records int) {
	s.expected = records
	if s.grow() {
		s.rebuild()
	}
}

// Settle ends Expect: from now on the records that there are decide. Call Resolve afterwards.
func (s *Set) Settle() { s.Expect(0) }

// rebuild weighs everything anew.
func (s *Set) rebuild() {
	for i := range s.cores {
		if s.cores[i].used {
			s.cores[i].edges = s.cores[i].edges[:0]
			s.cores[i].own = s.profileOf(int32(i))
			s.touch(int32(i))
		}
	}
	for i := range s.cores {
		if !s.cores[i].used {
			continue
		}
		s.stamp++
		for _, k := range s.cores[i].keys {
			members := s.blocks.members(k)
			if len(members) > s.most(k) {
				continue
			}
			for _, m := range members {
				if m < int32(i) && s.stamps[m] != s.stamp {
					s.stamps[m] = s.stamp
					s.weigh(int32(i), m)
				}
			}
		}
	}
}
