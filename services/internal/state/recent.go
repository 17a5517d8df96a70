package state

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
)

// Recent keeps rows that one goroutine read or wrote lately, so that asking again costs no look into the store. It is bounded in bytes: the rows that were put
// longest ago leave first. It holds no pointers but those to its chunks, so however large it is, the garbage collector has nothing to look through.
//
// The caller answers for what it holds being what the store holds: Put each row that is written, Remove each that is deleted.
type Recent struct {
	limit  int // chunks
	seed   maphash.Seed
	chunks [][]byte
	turns  []uint32 // how often each chunk was taken for new rows
	at     int      // the chunk that is written
	where  map[uint64]spot

	scratch []byte
}

// spot is where a row, or the last part of one, begins.
type spot struct{ chunk, offset uint32 }

// A chunk holds rows one behind the other: key length(2) value length(4) depth(1) [earlier part: chunk(4) offset(4) turn of that chunk(4)] key value. Depth is how many parts
// there are before this one, to which it is appended; a row whose earlier parts have left is not known. Rows that would fill more than a quarter of a chunk are not kept.
const (
	recentChunk  = 1 << 20
	recentHeader = 7
	recentPart   = 12
	recentDepth  = 15 // past it a row is written whole
)

// NewRecent makes an empty memory of at most so many bytes, beside about 25 bytes a row to find it. It takes memory only as it fills. Less than two mebibytes
// are taken for two.
func NewRecent(limit int) *Recent {
	return &Recent{limit: max(2, limit/recentChunk), seed: maphash.MakeSeed(), where: map[uint64]spot{}}
}

// Get appends the value of key to dst; found is false if it is not known here, whether or not the store has it.
func (r *Recent) Get(dst, key []byte) (value []byte, found bool) {
	h := maphash.Bytes(r.seed, key)
	s, found := r.where[h]
	if !found {
		return dst, false
	}
	p := r.part(s)
	if !bytes.Equal(p.key, key) {
		return dst, false
	}
	var parts [recentDepth + 1][]byte
	depth := p.depth
	for parts[depth] = p.value; p.depth > 0; parts[p.depth] = p.value {
		if r.turns[p.before.chunk] != p.turn {
			delete(r.where, h)
			return dst, false
		}
		p = r.part(p.before)
	}
	for _, v := range parts[:depth+1] {
		dst = append(dst, v...)
	}
	return dst, true
}

// part is a row, or a part of one.
type part struct {
	key, value []byte
	depth      int
	before     spot
	turn       uint32
	size       int // of all of it
}

func (r *Recent) part(s spot) (p part) {
	b := r.chunks[s.chunk][s.offset:]
	k, v := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint32(b[2:]))
	p.depth, p.size = int(b[6]), recentHeader+k+v
	b = b[recentHeader:]
	if p.depth > 0 {
		p.before = spot{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])}
		p.turn = binary.LittleEndian.Uint32(b[8:])
		p.size += recentPart
		b = b[recentPart:]
	}
	p.key, p.value = b[:k:k], b[k:k+v:k+v]
	return p
}

// Put notes a row. It keeps neither key nor value.
func (r *Recent) Put(key, value []byte) {
	if recentHeader+len(key)+len(value) > recentChunk/4 || len(key) > 1<<16-1 {
		r.Remove(key)
		return
	}
	r.room(recentHeader + len(key) + len(value))
	r.put(maphash.Bytes(r.seed, key), key, value, 0, spot{})
}

func (r *Recent) put(h uint64, key, value []byte, depth int, before spot) {
	c := r.chunks[r.at]
	r.where[h] = spot{uint32(r.at), uint32(len(c))}
	c = binary.LittleEndian.AppendUint16(c, uint16(len(key)))
	c = binary.LittleEndian.AppendUint32(c, uint32(len(value)))
	if c = append(c, byte(depth)); depth > 0 {
		c = binary.LittleEndian.AppendUint32(c, before.chunk)
		c = binary.LittleEndian.AppendUint32(c, before.offset)
		c = binary.LittleEndian.AppendUint32(c, r.turns[before.chunk])
	}
	r.chunks[r.at] = append(append(c, key...), value...)
}

// room makes room for so many bytes in the chunk that is written.
func (r *Recent) room(n int) {
	if len(r.chunks) == 0 || len(r.chunks[r.at])+n > recentChunk {
		r.turn()
	}
}

// Append notes that more was appended to a row (Batch.Merge), if it is known here. It costs what it appends, whatever the row has already.
func (r *Recent) Append(key, more []byte) {
	h := maphash.Bytes(r.seed, key)
	if _, found := r.where[h]; !found {
		return
	}
	n := recentHeader + recentPart + len(key) + len(more)
	if n > recentChunk/4 {
		r.Remove(key)
		return
	}
	r.room(n) // first, since rows may leave
	s, found := r.where[h]
	if !found {
		return
	}
	p := r.part(s)
	switch {
	case !bytes.Equal(p.key, key):
	case p.depth < recentDepth:
		r.put(h, key, more, p.depth+1, s)
	default:
		if r.scratch, found = r.Get(r.scratch[:0], key); found {
			r.scratch = append(r.scratch, more...)
			r.Put(key, r.scratch)
		}
	}
}

// Remove forgets a row.
func (r *Recent) Remove(key []byte) { delete(r.where, maphash.Bytes(r.seed, key)) }

// turn goes on to the next chunk: a new one while there may be more, else the oldest, whose rows leave.
func (r *Recent) turn() {
	if len(r.chunks) < r.limit {
		r.chunks, r.turns = append(r.chunks, make([]byte, 0, recentChunk)), append(r.turns, 0)
		r.at = len(r.chunks) - 1
		return
	}
	r.at = (r.at + 1) % len(r.chunks)
	c := r.chunks[r.at]
	for offset := 0; offset < len(c); {
		at := spot{uint32(r.at), uint32(offset)}
		p := r.part(at)
		h := maphash.Bytes(r.seed, p.key)
		if r.where[h] == at {
			delete(r.where, h)
		}
		offset += p.size
	}
	r.chunks[r.at] = c[:0]
	r.turns[r.at]++
}

// Bytes is how much the rows take.
func (r *Recent) Bytes() int { return len(r.chunks) * recentChunk }
