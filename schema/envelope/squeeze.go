package envelope

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/klauspost/compress/s2"
)

// squeezer compresses small payloads against a dictionary, into an S2 block that s2.Dict decodes.
//
// s2.Dict.Encode clears a table of 64 KiB for every payload, which costs more than all the rest for one of 500 bytes. This encoder
// looks words up in a table of the dictionary that is made once, and in one of 2 KiB for the payload itself.
type squeezer struct {
	dict  []byte
	table [1 << dictBits][2]uint32 // where in dict a hash was seen, latest and earliest
}

const (
	dictBits  = 14
	localBits = 10

	// longestDict keeps every offset into the dictionary within 16 bits for payloads of up to longestSqueezed.
	longestDict     = 32 << 10
	longestSqueezed = 1<<16 - 1 - longestDict

	shortestMatch = 4
)

func newSqueezer(dict []byte) *squeezer {
	s := &squeezer{dict: dict}
	for i := 0; i+8 <= len(dict); i++ {
		h := hash(binary.LittleEndian.Uint64(dict[i:]))
		slot := &s.table[h>>(64-dictBits)]
		slot[0] = entry(i, h)
		if slot[1] == 0 {
			slot[1] = slot[0]
		}
	}
	return s
}

// entry is a place in the dictionary, plus 1, above 16 more bits of its hash: most words that are not there are told by them, without
// a look at the dictionary.
func entry(at int, h uint64) uint32 { return uint32(at+1)<<16 | uint32(h>>(48-dictBits)&0xffff) }

// hash spreads five bytes over the upper bits.
func hash(x uint64) uint64 { return (x << 24) * 889523592379 }

// squeeze appends the S2 block of src, which has at most longestSqueezed bytes.
func (q *squeezer) squeeze(dst, src []byte) []byte {
	dst = slices.Grow(dst, s2.MaxEncodedLen(len(src))+16)
	d := len(dst)
	dst = dst[:cap(dst)]
	d += binary.PutUvarint(dst[d:], uint64(len(src)))
	var local [1 << localBits]uint16 // where in src a hash was seen, plus 1
	dict := q.dict
	done := 0 // all before it is written
	for s := 0; s+8 <= len(src); {
		x := binary.LittleEndian.Uint64(src[s:])
		h := hash(x)
		slot := &local[h>>(64-localBits)]
		near := int(*slot) - 1
		*slot = uint16(s + 1)

		length, offset := 0, 0
		if near >= 0 {
			if diff := x ^ binary.LittleEndian.Uint64(src[near:]); uint32(diff) == 0 {
				length, offset = alike(diff, src[s:], src[near:]), s-near
			}
		}
		tag := entry(-1, h)
		for _, e := range q.table[h>>(64-dictBits)] {
			if e&0xffff != tag || e == 0 {
				continue
			}
			far := int(e>>16) - 1
			if diff := x ^ binary.LittleEndian.Uint64(dict[far:]); uint32(diff) == 0 {
				if n := alike(diff, src[s:], dict[far:]); n > length+1 {
					length, offset = n, s+len(dict)-far
				}
			}
		}
		if length < shortestMatch {
			s += 1 + (s-done)>>2
			continue
		}
		start := s
		if offset <= s {
			for start > done && start > offset && src[start-1] == src[start-1-offset] {
				start--
			}
		} else {
			for start > done && start-1+len(dict)-offset >= 0 && src[start-1] == dict[start-1+len(dict)-offset] {
				start--
			}
		}
		d += putLiteral(dst[d:], src, done, start)
		s += length
		d += putCopy(dst[d:], offset, s-start)
		done = s
		if s+6 <= len(src) { // what follows a match often follows it again
			local[hash(binary.LittleEndian.Uint64(src[s-2:]))>>(64-localBits)] = uint16(s - 1)
		}
	}
	d += putLiteral(dst[d:], src, done, len(src))
	return dst[:d]
}

// alike counts the bytes that a and b, of at least eight bytes each, begin with alike; diff is the difference of their first eight.
func alike(diff uint64, a, b []byte) int {
	if diff != 0 {
		return bits.TrailingZeros64(diff) / 8
	}
	n := min(len(a), len(b))
	a, b = a[:n], b[:n]
	i := 8
	for ; i+8 <= n; i += 8 {
		if diff := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); diff != 0 {
			return i + bits.TrailingZeros64(diff)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// The elements of an S2 block: a literal, a copy of 4 to 11 bytes from less than 2 KiB back, a copy of up to 64 bytes from less
// than 64 KiB back.
const (
	tagLiteral = 0
	tagCopy1   = 1
	tagCopy2   = 2
)

// putLiteral writes a literal to the front of dst and returns its length there. dst has room for it and 16 bytes more.
func putLiteral(dst, src []byte, from, to int) int {
	n := to - from
	d := 0
	switch {
	case n <= 0:
		return 0
	case n <= 16 && from+16 <= len(src): // most are short: two words are cheaper than a call
		dst[0] = byte(n-1)<<2 | tagLiteral
		binary.LittleEndian.PutUint64(dst[1:], binary.LittleEndian.Uint64(src[from:]))
		binary.LittleEndian.PutUint64(dst[9:], binary.LittleEndian.Uint64(src[from+8:]))
		return n + 1
	case n <= 60:
		dst[0] = byte(n-1)<<2 | tagLiteral
		d = 1
	case n <= 1<<8:
		dst[0], dst[1] = 60<<2|tagLiteral, byte(n-1)
		d = 2
	default:
		dst[0], dst[1], dst[2] = 61<<2|tagLiteral, byte(n-1), byte((n-1)>>8)
		d = 3
	}
	return d + copy(dst[d:], src[from:to])
}

// putCopy writes copies to the front of dst and returns their length there.
func putCopy(dst []byte, offset, length int) int {
	d := 0
	for length > 64 {
		n := 64
		if length < 64+shortestMatch {
			n = 60 // the rest stays long enough for a short copy
		}
		dst[d], dst[d+1], dst[d+2] = byte(n-1)<<2|tagCopy2, byte(offset), byte(offset>>8)
		d += 3
		length -= n
	}
	if length >= 4 && length <= 11 && offset < 1<<11 {
		dst[d], dst[d+1] = byte(offset>>8)<<5|byte(length-4)<<2|tagCopy1, byte(offset)
		return d + 2
	}
	dst[d], dst[d+1], dst[d+2] = byte(length-1)<<2|tagCopy2, byte(offset), byte(offset>>8)
	return d + 3
}
