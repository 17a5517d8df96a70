package state

import "hash/maphash"

// Filter remembers keys in about 12 bits each. Of a key that was never added it says so 99 times of 100, and of one that was never that it was not: who adds each key
// that he writes need not look into the store for most of those that are not there. It belongs to one goroutine.
type Filter struct {
	seed  maphash.Seed
	parts []filterPart // each four times as large as the one before; keys are added to the last
}

// A filterPart is a Bloom filter in blocks of a line of memory: all bits of a key are in one of them.
type filterPart struct {
	blocks [][8]uint64
	room   int // keys that may still be added
}

const (
	filterFirst = 1 << 10 // blocks of the first part
	filterKeys  = 512 / 12
)

// NewFilter makes a filter of no key.
func NewFilter() *Filter { return &Filter{seed: maphash.MakeSeed()} }

// Add adds a key.
func (f *Filter) Add(key []byte) {
	h := maphash.Bytes(f.seed, key)
	if f.may(h) {
		return
	}
	if n := len(f.parts); n == 0 || f.parts[n-1].room == 0 {
		blocks := filterFirst << (2 * n)
		f.parts = append(f.parts, filterPart{make([][8]uint64, blocks), blocks * filterKeys})
	}
	p := &f.parts[len(f.parts)-1]
	p.room--
	block, bits := p.find(h)
	for range filterBits {
		block[bits>>6&7] |= 1 << (bits & 63)
		bits >>= 9
	}
}

// May says whether a key may have been added.
func (f *Filter) May(key []byte) bool { return f.may(maphash.Bytes(f.seed, key)) }

const filterBits = 6

func (f *Filter) may(h uint64) bool {
	for i := len(f.parts) - 1; i >= 0; i-- {
		block, bits := f.parts[i].find(h)
		all := uint64(1)
		for range filterBits {
			all &= block[bits>>6&7] >> (bits & 63)
			bits >>= 9
		}
		if all != 0 {
			return true
		}
	}
	return false
}

// find gives the block of a hash, and nine bits for each of the places in it. The block comes of the hash's low bits; the places are mixed from all of it.
func (p *filterPart) find(h uint64) (block *[8]uint64, bits uint64) {
	return &p.blocks[h&uint64(len(p.blocks)-1)], (h ^ h>>32) * 0x9e3779b97f4a7c15 >> 8
}

// Bytes is how much the filter takes.
func (f *Filter) Bytes() (n int) {
	for i := range f.parts {
		n += 64 * len(f.parts[i].blocks)
	}
	return n
}
