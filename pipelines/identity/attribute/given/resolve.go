package given

import "sync"

// longestMisspelt bounds the words that Resolve reads.
const longestMisspelt = 20

// clearly is by how many classes a name must be commoner than every other near one to be what a misspelt word stands for.
const clearly = 4

// A word's hash is the sum of its letters, each times step to the power of its place, so that the hash of a word with one edit follows
// from sums of its parts. back is the inverse of step modulo 2^32.
const (
	step uint32 = 0x9E3779B1
	back uint32 = 0x0E8B2F51
)

// powers are the powers of step.
var powers = func() (p [longestMisspelt + 2]uint32) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * step
	}
	return p
}()

func hash(word string) (h uint32) {
	for i := range len(word) {
		h += uint32(word[i]) * powers[i]
	}
	return h
}

// filterBits is the logarithm of the number of bits of the filter.
const filterBits = 18

func place(h uint32) (word, bit uint32) {
	h *= 0x85EBCA6B
	h ^= h >> 15
	at := h >> (32 - filterBits)
	return at / 64, at % 64
}

// filter says of a hash whether a known name may have it: one in seventeen of others passes too. It spares most candidates of Resolve the map.
var filter = sync.OnceValue(func() *[1 << filterBits / 64]uint64 {
	f := new([1 << filterBits / 64]uint64)
	for name := range entries() {
		if len(name) <= longestMisspelt+1 {
			word, bit := place(hash(name))
			f[word] |= 1 << bit
		}
	}
	return f
})

// Resolve gives the known name that a word stands for: the word itself if it is known; else the one known name that is one edit away (a
// letter more, less or other, or two neighbours swapped), if there is only one or it is at least 2^clearly times commoner by rank than
// each other. Words of less than four letters are not resolved, nor are words of more than twenty.
func Resolve(word string) (name string, ok bool) {
	known := entries()
	if _, ok := known[word]; ok {
		return word, true
	}
	n := len(word)
	if n < 4 || n > longestMisspelt {
		return "", false
	}
	var before, after [longestMisspelt + 1]uint32 // sums of the letters before i, and from i on
	for i := range n {
		before[i+1] = before[i] + uint32(word[i])*powers[i]
	}
	for i := n - 1; i >= 0; i-- {
		after[i] = after[i+1] + uint32(word[i])*powers[i]
	}
	whole := before[n]
	passes := filter()
	var room [longestMisspelt + 1]byte
	best, class, rival := "", uint8(255), uint8(255)
	try := func(b []byte) {
		e, ok := known[string(b)]
		if !ok || string(b) == best {
			return
		}
		switch c := e.Class(); {
		case c < class || c == class && string(b) < best:
			best, class, rival = string(b), c, class
		case c < rival:
			rival = c
		}
	}
	may := func(h uint32) bool {
		word, bit := place(h)
		return passes[word]>>bit&1 == 1
	}
	for i := range n {
		others := whole - uint32(word[i])*powers[i]
		less := before[i] + after[i+1]*back
		if may(less) { // a letter less
			copy(room[:], word[:i])
			copy(room[i:], word[i+1:])
			try(room[:n-1])
		}
		if i+1 < n && word[i] != word[i+1] { // neighbours swapped
			if may(others - uint32(word[i+1])*powers[i+1] + uint32(word[i+1])*powers[i] + uint32(word[i])*powers[i+1]) {
				copy(room[:], word)
				room[i], room[i+1] = word[i+1], word[i]
				try(room[:n])
			}
		}
		for c := byte('a'); c <= 'z'; c++ { // another letter
			if c != word[i] && may(others+uint32(c)*powers[i]) {
				copy(room[:], word)
				room[i] = c
				try(room[:n])
			}
		}
	}
	for i := range n + 1 { // a letter more
		others := before[i] + after[i]*step
		for c := byte('a'); c <= 'z'; c++ {
			if may(others + uint32(c)*powers[i]) {
				copy(room[:], word[:i])
				room[i] = c
				copy(room[i+1:], word[i:])
				try(room[:n+1])
			}
		}
	}
	if best == "" || rival != 255 && rival < class+clearly {
		return "", false
	}
	return best, true
}
