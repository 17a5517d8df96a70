package verbatim

import (
	"math"
	"math/bits"
	"sort"
)

// hash mixes bytes into 64 bits (FNV-1a with a finaliser). Models hold parts of hashes, so it never changes.
func hash(seed uint64, b []byte) uint64 {
	h := seed*0x9e3779b97f4a7c15 ^ 0xcbf29ce484222325
	for _, c := range b {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return mix(h)
}

func mix(h uint64) uint64 {
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	return h
}

// chain hashes what stands in a row.
func chain(a, b uint64) uint64 { return mix(a*31 + b*0x9e3779b97f4a7c15) }

// item is a feature of a text: its hash and how much of it there is.
type item struct {
	hash  uint64
	value float32
}

// keyOf is a feature's key, never 0.
func keyOf(h uint64) uint32 {
	if k := uint32(h >> 32); k != 0 {
		return k
	}
	return 1
}

// table holds a row of small whole numbers for each feature that a model knows. Features are told apart by 32 bits of their hash, so a
// text's unknown words meet no row, but for one in about ten thousand.
type table struct {
	width int
	keys  []uint32 // ascending
	idf   []uint8  // inverse document frequency in sixteenths
	cells []int8   // width each
	slots []uint64 // open addressing: the key, and its place in keys + 1; or 0. Both together, since a text costs as many cache misses as it has features
	shift uint
}

// prepare lays the slots out. It tells whether the keys ascend.
func (t *table) prepare() bool {
	size := 16
	for size*2 < len(t.keys)*3 {
		size *= 2
	}
	t.slots, t.shift = make([]uint64, size), uint(32-bits.Len(uint(size-1)))
	for i, key := range t.keys {
		if key == 0 || i > 0 && key <= t.keys[i-1] {
			return false
		}
		at := int(key>>t.shift) & (size - 1)
		for t.slots[at] != 0 {
			at = (at + 1) & (size - 1)
		}
		t.slots[at] = uint64(key)<<32 | uint64(i+1)
	}
	return true
}

// find gives the place of a feature, or -1.
func (t *table) find(key uint32) int {
	mask := len(t.slots) - 1
	for at := int(key>>t.shift) & mask; ; at = (at + 1) & mask {
		slot := t.slots[at]
		if slot == 0 {
			return -1
		}
		if uint32(slot>>32) == key {
			return int(uint32(slot)) - 1
		}
	}
}

// sum adds up the rows of the features, whose values are brought to length 1 together. It tells how many of them the table knows.
func (t *table) sum(items []item, out []float32) (known int) {
	clear(out)
	var norm float32
	w := t.width
	for _, f := range items {
		at := t.find(keyOf(f.hash))
		if at < 0 {
			continue
		}
		known++
		v := f.value * float32(t.idf[at])
		norm += v * v
		row := t.cells[at*w : at*w+w]
		o := out[:len(row)]
		for c, x := range row {
			o[c] += v * float32(x)
		}
	}
	if norm > 0 {
		by := float32(1 / math.Sqrt(float64(norm)))
		for c := range out {
			out[c] *= by
		}
	}
	return known
}

// newTable rounds weights to whole numbers: weights of feature i are w[i*width:], in units of the scale that it gives per column.
// Features with an idf of 0 are left out, and so is the second of two with one key.
func newTable(w []float32, idf []uint8, hashes []uint64, width int) (*table, []float32) {
	scale := make([]float32, width)
	for c := range scale {
		var all []float32
		for i := range idf {
			if a := abs(w[i*width+c]); a > 0 && idf[i] > 0 {
				all = append(all, a)
			}
		}
		scale[c] = 1
		if len(all) > 0 {
			sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
			scale[c] = all[len(all)-1-len(all)/1000] / 127
		}
	}
	var order []int
	for i, f := range idf {
		if f > 0 {
			order = append(order, i)
		}
	}
	sort.SliceStable(order, func(i, j int) bool { return keyOf(hashes[order[i]]) < keyOf(hashes[order[j]]) })
	t := &table{width: width}
	for _, i := range order {
		key := keyOf(hashes[i])
		if n := len(t.keys); n > 0 && t.keys[n-1] == key {
			continue
		}
		t.keys, t.idf = append(t.keys, key), append(t.idf, idf[i])
		for c := range width {
			t.cells = append(t.cells, int8(max(-127, min(127, math.Round(float64(w[i*width+c]/scale[c]))))))
		}
	}
	t.prepare()
	return t, scale
}

func abs(x float32) float32 { return max(x, -x) }

// softmax turns scores into shares.
func softmax(s []float32) {
	top := s[0]
	for _, v := range s {
		top = max(top, v)
	}
	var sum float32
	for i, v := range s {
		s[i] = float32(math.Exp(float64(v - top)))
		sum += s[i]
	}
	for i := range s {
		s[i] /= sum
	}
}

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }
