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
	at     int // the chunk that is written
	where  map[uint64]spot

	scratch []byte
}

// spot is where a row begins.
type spot struct{ chunk, offset uint32 }

// A chunk holds rows one behind the other: key length(2) value length(4) key value. Rows that would fill more than a quarter of one are not kept.
const (
	recentChunk  = 1 << 20
	recentHeader = 6
)

// NewRecent makes an empty memory of at most so many bytes, beside about 25 bytes a row to find it. It takes memory only as it fills. Less than two mebibytes
// are taken for two.
func NewRecent(limit int) *Recent {
	return &Recent{limit: max(2, limit/recentChunk), seed: maphash.MakeSeed(), where: map[uint64]spot{}}
}

// Get appends the value of key to dst; found is false if it is not known here, whether or not the store has it.
func (r *Recent) Get(dst, key []byte) (value []byte, found bool) {
	s, found := r.where[maphash.Bytes(r.seed, key)]
	if !found {
		return dst, false
	}
	k, v := r.row(s)
	if !bytes.Equal(k, key) {
		return dst, false
	}
	return append(dst, v...), true
}

func (r *Recent) row(s spot) (key, value []byte) {
	b := r.chunks[s.chunk][s.offset:]
	k, v := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint32(b[2:]))
	b = b[recentHeader:]
	return b[:k], b[k : k+v]
}

// Put notes a row. It keeps neither key nor value.
func (r *Recent) Put(key, value []byte) {
	n := recentHeader + len(key) + len(value)
	if n > recentChunk/4 || len(key) > 1<<16-1 {
		r.Remove(key)
		return
	}
	if len(r.chunks) == 0 {
		r.chunks = append(r.chunks, make([]byte, 0, recentChunk))
	}
	if len(r.chunks[r.at])+n > recentChunk {
		r.turn()
	}
	c := r.chunks[r.at]
	r.where[maphash.Bytes(r.seed, key)] = spot{uint32(r.at), uint32(len(c))}
	c = binary.LittleEndian.AppendUint16(c, uint16(len(key)))
	c = binary.LittleEndian.AppendUint32(c, uint32(len(value)))
	r.chunks[r.at] = append(append(c, key...), value...)
}

// Append notes that more was appended to a row (Batch.Merge), if it is known here.
func (r *Recent) Append(key, more []byte) {
	if old, found := r.Get(r.scratch[:0], key); found {
		r.scratch = append(old, more...)
		r.Put(key, r.scratch)
	}
}

// Remove forgets a row.
func (r *Recent) Remove(key []byte) { delete(r.where, maphash.Bytes(r.seed, key)) }

// turn goes on to the next chunk: a new one while there may be more, else the oldest, whose rows leave.
func (r *Recent) turn() {
	if len(r.chunks) < r.limit {
		r.chunks = append(r.chunks, make([]byte, 0, recentChunk))
		r.at = len(r.chunks) - 1
		return
	}
	r.at = (r.at + 1) % len(r.chunks)
	c := r.chunks[r.at]
	for offset := 0; offset < len(c); {
		key, value := r.row(spot{uint32(r.at), uint32(offset)})
		h := maphash.Bytes(r.seed, key)
		if r.where[h] == (spot{uint32(r.at), uint32(offset)}) {
			delete(r.where, h)
		}
		offset += recentHeader + len(key) + len(value)
	}
	r.chunks[r.at] = c[:0]
}

// Bytes is how much the rows take.
func (r *Recent) Bytes() int { return len(r.chunks) * recentChunk }
