package match

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// Rows of an Index. Numbers are varints unless a width is given, which is big endian; a count of elements stands before them; cores and profiles are 16
// bytes. Fields are numbered as the model has them, so rows are of one model and size.
//
//	'c' core             flags(1) records values(field(1) text count flags(1)) sounds(8 each) keys(8 each) edges(core weight flags(1))
//	'b' key(8)           twice the number of its cores, plus one if they are spilled; else the cores
//	'm' key(8) core      a core that has a spilled key
//	'v' field value(16)  the same of the carriers of a value; then the same of the sounds beside it: sound(8) count
//	'w' field value(16) core    a carrier of a spilled value
//	's' field value(16) sound(8)    count
//	'g' core             part(16) profile(16), of a core that is decided together with others
//	'p' part             floor cores(16, place of the first core of its profile, profile(16)) possible matches(place place weight worth reason)
//	'q' worth(8, all bits turned) profile(16) profile(16)    weight reason: a possible match
const (
	rowCore    = 'c'
	rowBlock   = 'b'
	rowMember  = 'm'
	rowAround  = 'v'
	rowCarrier = 'w'
	rowSound   = 's'
	rowPlace   = 'g'
	rowPart    = 'p'
	rowQueue   = 'q'
)

// ErrDamaged says that a row is not what an Index wrote.
var ErrDamaged = schema.Classify(schema.Fatal, errors.New("the weights of identity are damaged: remove the state's folder, it is rebuilt from the log"))

// inlineMembers is how many cores, or sounds, stand in a row before each gets one of its own, for good.
const inlineMembers = 16

// smallMemo is the number of places of the memo of a set that only weighs.
const smallMemo = 1 << 14

// list is cores in a row, or in rows of their own.
type list struct {
	prefix         []byte // of rows of their own
	n              int
	ids            []ID // sorted; good if loaded
	loaded         bool
	spilled        bool
	added, removed []ID // if spilled, since the last write
	dirty          bool
}

func (l *list) add(id ID) {
	l.n++
	if l.loaded {
		at, _ := slices.BinarySearchFunc(l.ids, id, ID.Compare)
		l.ids = slices.Insert(l.ids, at, id)
	}
	switch {
	case l.spilled:
		l.added = append(l.added, id)
		l.removed = slices.DeleteFunc(l.removed, func(r ID) bool { return r == id })
	case l.n > inlineMembers:
		l.spilled, l.added = true, slices.Clone(l.ids)
	}
}

func (l *list) drop(id ID) {
	l.n--
	if l.loaded {
		if at, found := slices.BinarySearchFunc(l.ids, id, ID.Compare); found {
			l.ids = slices.Delete(l.ids, at, at+1)
		}
	}
	if l.spilled {
		l.removed = append(l.removed, id)
		l.added = slices.DeleteFunc(l.added, func(a ID) bool { return a == id })
	}
}

// members lists the cores. The list is the list's own.
func (x *Index) members(l *list) []ID {
	if l.loaded {
		return l.ids
	}
	l.ids = slices.Clone(l.added)
	err := x.rows.Scan(l.prefix, func(rest []byte) error {
		if len(rest) != 16 {
			return ErrDamaged
		}
		if id := ID(rest); !slices.Contains(l.removed, id) && !slices.Contains(l.added, id) {
			l.ids = append(l.ids, id)
		}
		return nil
	})
	if err != nil {
		x.fail(err)
	}
	slices.SortFunc(l.ids, ID.Compare)
	l.loaded = true
	return l.ids
}

func (l *list) append(b []byte) []byte {
	flag := uint64(0)
	if l.spilled {
		flag = 1
	}
	b = binary.AppendUvarint(b, uint64(l.n)<<1|flag)
	if !l.spilled {
		for _, id := range l.ids {
			b = append(b, id[:]...)
		}
	}
	return b
}

// writeList writes the rows of a list but its own.
func writeList(l *list, table byte, set func(key, value []byte) error) error {
	key := slices.Clone(l.prefix)
	key[0] = table
	for _, id := range l.removed {
		if err := set(append(key, id[:]...), nil); err != nil {
			return err
		}
	}
	for _, id := range l.added {
		if err := set(append(key, id[:]...), []byte{}); err != nil {
			return err
		}
	}
	return nil
}

// reading reads a row front to back. What is missing sets bad.
type rowReader struct {
	b   []byte
	bad bool
}

func (r *rowReader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *rowReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *rowReader) number() int {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > 1<<62 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return int(n)
}

func (r *rowReader) signed() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

// count reads how many elements of at least so many bytes follow.
func (r *rowReader) count(size int) int {
	n := r.number()
	if n > len(r.b)/size {
		r.bad, r.b = true, nil
		return 0
	}
	return n
}

func (r *rowReader) id() (id ID) {
	copy(id[:], r.take(16))
	return id
}

func (r *rowReader) word() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *rowReader) text() string { return string(r.take(r.number())) }

func (r *rowReader) list(l *list) {
	n := r.number()
	l.n, l.spilled = n>>1, n&1 == 1
	if l.loaded = !l.spilled; l.loaded {
		if l.n > len(r.b)/16 {
			r.bad = true
			return
		}
		l.ids = make([]ID, l.n)
		for i := range l.ids {
			l.ids[i] = r.id()
		}
	}
}

// get reads a row; nil if there is none.
func (x *Index) get(key []byte) *rowReader {
	if x.err != nil {
		return nil
	}
	value, found, err := x.rows.Get(key)
	if err != nil {
		x.fail(err)
	}
	if err != nil || !found {
		return nil
	}
	return &rowReader{b: value}
}

func (x *Index) check(r *rowReader) {
	if r.bad || len(r.b) > 0 {
		x.fail(ErrDamaged)
	}
}

func (x *Index) idKey(table byte, id ID) []byte {
	x.key = append(append(x.key[:0], table), id[:]...)
	return x.key
}

func blockKey(k key) []byte { return binary.BigEndian.AppendUint64([]byte{rowBlock}, uint64(k)) }

func (k aroundKey) row(table byte) []byte {
	return append([]byte{table, byte(k.table)}, k.hash[:]...)
}

// The flags of a core, a value and an edge.
const (
	flagWeak      = 1
	flagAsserted  = 2
	flagGeneric   = 1
	flagForbidden = 1
	flagKin       = 2
)

// core gives a core; one that is not there if it is unknown.
func (x *Index) core(id ID) *indexed {
	if in, ok := x.cores[id]; ok {
		return in
	}
	in := &indexed{id: id}
	if r := x.get(x.idKey(rowCore, id)); r != nil {
		in.there = true
		flags := r.byte()
		in.weak, in.asserted = flags&flagWeak != 0, flags&flagAsserted != 0
		in.records = int32(r.number())
		for n := r.count(4); n > 0 && !r.bad; n-- {
			table := int32(r.byte())
			text := r.text()
			if r.bad || int(table) >= len(x.s.tables) {
				r.bad = true
				break
			}
			w := worn{value: value{table, x.s.tables[table].id(text)}, count: int32(r.number())}
			w.generic = r.byte()&flagGeneric != 0
			in.values = append(in.values, w)
		}
		for n := r.count(8); n > 0 && !r.bad; n-- {
			in.sounds = append(in.sounds, r.word())
		}
		for n := r.count(8); n > 0 && !r.bad; n-- {
			k := key(r.word())
			if r.bad || k.recipe() >= len(x.s.recipes) {
				r.bad = true
				break
			}
			in.keys = append(in.keys, k)
		}
		for n := r.count(18); n > 0 && !r.bad; n-- {
			e := link{to: r.id(), weight: Bits(r.signed())}
			flags := r.byte()
			e.forbidden, e.kin = flags&flagForbidden != 0, flags&flagKin != 0
			in.edges = append(in.edges, e)
		}
		x.check(r)
		slices.SortFunc(in.values, func(a, b worn) int { return a.value.compare(b.value) }) // the numbers of texts are this process's
	}
	x.cores[id] = in
	return in
}

func (x *Index) appendCore(b []byte, in *indexed) []byte {
	flags := byte(0)
	if in.weak {
		flags |= flagWeak
	}
	if in.asserted {
		flags |= flagAsserted
	}
	b = binary.AppendUvarint(append(b, flags), uint64(in.records))
	b = binary.AppendUvarint(b, uint64(len(in.values)))
	for _, v := range in.values {
		text := x.s.tables[v.table].texts[v.id]
		b = binary.AppendUvarint(append(b, byte(v.table)), uint64(len(text)))
		b = binary.AppendUvarint(append(b, text...), uint64(v.count))
		flags := byte(0)
		if v.generic {
			flags = flagGeneric
		}
		b = append(b, flags)
	}
	b = binary.AppendUvarint(b, uint64(len(in.sounds)))
	for _, s := range in.sounds {
		b = binary.BigEndian.AppendUint64(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(in.keys)))
	for _, k := range in.keys {
		b = binary.BigEndian.AppendUint64(b, uint64(k))
	}
	b = binary.AppendUvarint(b, uint64(len(in.edges)))
	for _, e := range in.edges {
		b = binary.AppendVarint(append(b, e.to[:]...), int64(e.weight))
		flags := byte(0)
		if e.forbidden {
			flags = flagForbidden
		}
		if e.kin {
			flags |= flagKin
		}
		b = append(b, flags)
	}
	return b
}

func (x *Index) block(k key) *block {
	if b, ok := x.blocks[k]; ok {
		return b
	}
	b := &block{key: k, list: list{prefix: blockKey(k), loaded: true}}
	if r := x.get(b.prefix); r != nil {
		r.list(&b.list)
		x.check(r)
	}
	b.prefix[0] = rowMember
	x.blocks[k] = b
	return b
}

func (x *Index) around(v value) *around {
	sum := sha256.Sum256([]byte(x.s.tables[v.table].texts[v.id]))
	k := aroundKey{table: v.table, hash: [16]byte(sum[:16])}
	if a, ok := x.arounds[k]; ok {
		return a
	}
	a := &around{key: k, list: list{prefix: k.row(rowAround), loaded: true}, sounds: map[uint64]int32{}}
	if r := x.get(a.prefix); r != nil {
		r.list(&a.list)
		n := r.number()
		a.distinct, a.apart = n>>1, n&1 == 1
		for n = a.distinct; n > 0 && !a.apart && !r.bad; n-- {
			sound := r.word()
			a.sounds[sound] = int32(r.number())
		}
		x.check(r)
	}
	a.prefix[0] = rowCarrier
	x.arounds[k] = a
	return a
}

func (a *around) soundKey(sound uint64) []byte {
	return binary.BigEndian.AppendUint64(a.key.row(rowSound), sound)
}

// soundRow reads how many carriers of a value have a given name that sounds so.
func (x *Index) soundRow(a *around, sound uint64) int32 {
	r := x.get(a.soundKey(sound))
	if r == nil {
		return 0
	}
	n := r.number()
	x.check(r)
	return int32(n)
}

func (a *around) append(b []byte) []byte {
	b = a.list.append(b)
	flag := uint64(0)
	if a.apart {
		flag = 1
	}
	b = binary.AppendUvarint(b, uint64(a.distinct)<<1|flag)
	if a.apart {
		return b
	}
	sounds := make([]uint64, 0, len(a.sounds))
	for s := range a.sounds {
		sounds = append(sounds, s)
	}
	slices.Sort(sounds)
	for _, s := range sounds {
		b = binary.AppendUvarint(binary.BigEndian.AppendUint64(b, s), uint64(a.sounds[s]))
	}
	return b
}

// place says where a core is.
func (x *Index) place(id ID) *placed {
	if p, ok := x.places[id]; ok {
		return p
	}
	p := &placed{final: id, was: id}
	if r := x.get(x.idKey(rowPlace, id)); r != nil {
		p.part, p.final = r.id(), r.id()
		p.was = p.final
		x.check(r)
	}
	x.places[id] = p
	return p
}

// unit gives a part; nil if there is none.
func (x *Index) unit(id ID) *unit {
	if p, ok := x.units[id]; ok {
		return p
	}
	var p *unit
	if r := x.get(x.idKey(rowPart, id)); r != nil {
		p = &unit{floor: Bits(r.signed())}
		for n := r.count(33); n > 0 && !r.bad; n-- {
			p.Cores = append(p.Cores, r.id())
			p.groups = append(p.groups, r.number())
			p.finals = append(p.finals, r.id())
		}
		for n := r.count(5); n > 0 && !r.bad; n-- {
			m := maybe{a: r.number(), b: r.number(), weight: Bits(r.signed()), worth: r.signed(), reason: Reason(r.text())}
			p.possible = append(p.possible, m)
			r.bad = r.bad || m.a >= len(p.Cores) || m.b >= len(p.Cores)
		}
		for _, g := range p.groups {
			r.bad = r.bad || g >= len(p.Cores)
		}
		x.check(r)
	}
	x.units[id] = p
	return p
}

func (p *unit) append(b []byte) []byte {
	b = binary.AppendVarint(b, int64(p.floor))
	b = binary.AppendUvarint(b, uint64(len(p.Cores)))
	for i, id := range p.Cores {
		b = binary.AppendUvarint(append(b, id[:]...), uint64(p.groups[i]))
		b = append(b, p.finals[i][:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(p.possible)))
	for _, m := range p.possible {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(m.a)), uint64(m.b))
		b = binary.AppendVarint(binary.AppendVarint(b, int64(m.weight)), m.worth)
		b = append(binary.AppendUvarint(b, uint64(len(m.reason))), m.reason...)
	}
	return b
}

// queueKey is the key of a possible match in the queue, and says whether its profiles stand the other way round in it.
func (p *unit) queueKey(m *maybe) []byte {
	b := binary.BigEndian.AppendUint64([]byte{rowQueue}, ^uint64(m.worth))
	first, second := p.finals[m.a], p.finals[m.b]
	if first.Compare(second) > 0 {
		first, second = second, first
	}
	return append(append(b, first[:]...), second[:]...)
}

func (m *maybe) queueRow() []byte {
	return append(binary.AppendVarint(nil, int64(m.weight)), m.reason...)
}

// Write gives every row that changed since the last call to set; a nil value means that the row goes. Then it gives memory back if it holds much.
func (x *Index) Write(set func(key, value []byte) error) error {
	if x.err != nil {
		return x.err
	}
	for _, in := range x.changed.cores {
		in.dirty = false
		var value []byte
		if in.there {
			x.row = x.appendCore(x.row[:0], in)
			value = x.row
		}
		if err := set(x.idKey(rowCore, in.id), value); err != nil {
			return err
		}
	}
	for _, b := range x.changed.blocks {
		if err := writeList(&b.list, rowMember, set); err != nil {
			return err
		}
		var value []byte
		if b.n > 0 {
			x.row = b.list.append(x.row[:0])
			value = x.row
		}
		if err := set(blockKey(b.key), value); err != nil {
			return err
		}
		b.dirty, b.added, b.removed = false, nil, nil
	}
	if err := x.writeArounds(set); err != nil {
		return err
	}
	if err := x.writeParts(set); err != nil {
		return err
	}
	x.changed = changed{}
	if len(x.cores)+len(x.blocks)+len(x.arounds) > indexMemory || x.s.Worn() {
		if x.s.Worn() {
			x.s = x.s.fresh()
		}
		x.forget()
	}
	return x.err
}

// indexMemory is how many rows an Index remembers.
const indexMemory = 1 << 16

// fresh is a set that weighs as this one does, and remembers nothing.
func (s *Set) fresh() *Set {
	out := NewScale(s.model, s.model.Records<<s.class)
	return out
}

func (x *Index) writeArounds(set func(key, value []byte) error) error {
	for _, a := range x.changed.arounds {
		if err := writeList(&a.list, rowCarrier, set); err != nil {
			return err
		}
		if a.apart {
			for s := range a.changed {
				var value []byte
				if n := a.sounds[s]; n > 0 {
					value = binary.AppendUvarint(nil, uint64(n))
				}
				if err := set(a.soundKey(s), value); err != nil {
					return err
				}
			}
		}
		a.dirty, a.added, a.removed, a.changed = false, nil, nil, nil
		var value []byte
		if a.n > 0 {
			x.row = a.append(x.row[:0])
			value = x.row
		}
		if err := set(a.key.row(rowAround), value); err != nil {
			return err
		}
	}
	return nil
}

func (x *Index) writeParts(set func(key, value []byte) error) error {
	for _, id := range x.changed.places {
		p := x.places[id]
		p.dirty, p.was = false, p.final
		var value []byte
		if !p.part.IsZero() {
			value = append(append(x.row[:0], p.part[:]...), p.final[:]...)
		}
		if err := set(x.idKey(rowPlace, id), value); err != nil {
			return err
		}
	}
	for _, id := range x.changed.units {
		u := x.units[id]
		if u == nil { // written as gone, under the same id
			continue
		}
		u.dirty = false
		var value []byte
		if u.gone {
			x.units[id] = nil
		} else {
			x.row = u.append(x.row[:0])
			value = x.row
		}
		if err := set(x.idKey(rowPart, id), value); err != nil {
			return err
		}
	}
	for key, value := range x.queued {
		if err := set([]byte(key), value); err != nil {
			return err
		}
	}
	clear(x.queued)
	return nil
}
