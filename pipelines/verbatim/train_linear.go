package verbatim

import (
	"math"
	"math/rand/v2"
)

// sample is one text in the form that is learnt from.
type sample struct {
	index  []int32 // of the vocabulary
	value  []float32
	dense  []float32
	target []float32 // share of each class, or 0 and 1 for each label
	weight float32
}

// vocabulary numbers features.
type vocabulary struct {
	index map[uint64]int32
	seen  []int32 // in how many texts
	keys  []uint64
}

func newVocabulary() *vocabulary { return &vocabulary{index: map[uint64]int32{}} }

// items numbers a text's features.
func (v *vocabulary) items(items []item) ([]int32, []float32) {
	index, value := make([]int32, len(items)), make([]float32, len(items))
	for i, f := range items {
		at, ok := v.index[f.hash]
		if !ok {
			at = int32(len(v.keys))
			v.index[f.hash] = at
			v.keys = append(v.keys, f.hash)
			v.seen = append(v.seen, 0)
		}
		v.seen[at]++
		index[i], value[i] = at, f.value
	}
	return index, value
}

// weigh gives features their inverse document frequency, leaves the rare ones out and brings each sample's values to length 1 together.
func weigh(samples []sample, v *vocabulary, rarest int32) []uint8 {
	idf := make([]uint8, len(v.keys))
	for i, seen := range v.seen {
		if seen >= rarest {
			idf[i] = uint8(min(255, 16*(1+math.Log(float64(len(samples)+1)/float64(seen+1)))))
		}
	}
	for i := range samples {
		s := &samples[i]
		var norm float32
		kept := 0
		for j, at := range s.index {
			if idf[at] == 0 {
				continue
			}
			value := s.value[j] * float32(idf[at])
			s.index[kept], s.value[kept] = at, value
			norm += value * value
			kept++
		}
		s.index, s.value = s.index[:kept], s.value[:kept]
		if norm > 0 {
			by := float32(1 / math.Sqrt(float64(norm)))
			for j := range s.value {
				s.value[j] *= by
			}
		}
	}
	return idf
}

// fitting says how the weights of a linear model are estimated.
type fitting struct {
	classes int
	epochs  int
	rate    float32
	seed    uint64
}

// fitLinear estimates a softmax model by AdaGrad (J. Duchi, E. Hazan, Y. Singer, 2011). The same samples in the same order and seed give the same
// bytes.
func fitLinear(samples []sample, v *vocabulary, idf []uint8, f fitting) *linear {
	k := f.classes
	w, g := make([]float32, len(v.keys)*k), make([]float32, len(v.keys)*k)
	var wd, gd []float32
	if len(samples) > 0 {
		wd, gd = make([]float32, len(samples[0].dense)*k), make([]float32, len(samples[0].dense)*k)
	}
	bias, gb := make([]float32, k), make([]float32, k)
	order := make([]int, len(samples))
	for i := range order {
		order[i] = i
	}
	random := rand.New(rand.NewPCG(f.seed, 1))
	out := make([]float32, k)
	step := func(weight, sum *float32, d, rate float32) {
		*sum += d * d
		*weight -= rate * d / float32(math.Sqrt(float64(*sum)+1e-6))
	}
	for epoch := range f.epochs {
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		rate := f.rate * (1 - .9*float32(epoch)/float32(f.epochs))
		for _, i := range order {
			s := &samples[i]
			copy(out, bias)
			for j, at := range s.index {
				x := s.value[j]
				for c, y := range w[int(at)*k : int(at)*k+k] {
					out[c] += x * y
				}
			}
			for j, x := range s.dense {
				if x != 0 {
					for c, y := range wd[j*k : j*k+k] {
						out[c] += x * y
					}
				}
			}
			softmax(out)
			for c := range out {
				out[c] = (out[c] - s.target[c]) * s.weight
			}
			for j, at := range s.index {
				x := s.value[j]
				for c, e := range out {
					step(&w[int(at)*k+c], &g[int(at)*k+c], e*x, rate)
				}
			}
			for j, x := range s.dense {
				if x != 0 {
					for c, e := range out {
						step(&wd[j*k+c], &gd[j*k+c], e*x, rate)
					}
				}
			}
			for c, e := range out {
				step(&bias[c], &gb[c], e, rate)
			}
		}
	}
	m := &linear{bias: bias, dense: wd}
	m.table, m.scale = newTable(w, idf, v.keys, k)
	return m
}
