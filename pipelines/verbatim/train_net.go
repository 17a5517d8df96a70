package verbatim

import (
	"math"
	"math/rand/v2"
)

// netFitting says how a net is estimated.
type netFitting struct {
	labels, hidden int
	epochs         int
	rate           float32
	drop           float32 // share of a text's features that each step leaves out, so that none is leant on alone
	seed           uint64
}

// netSpace is what the steps of an estimation share.
type netSpace struct {
	vectors, out, bias         []float32
	vectorSum, outSum, biasSum []float32 // squared gradients, as AdaGrad wants them; one number per vector
	hidden, back, label        []float32
	used                       []int
}

// fitNet estimates a net over n features by AdaGrad with dropout of features: the features' vectors, the weights of dimensions per label, and the
// labels' biases. The same samples in the same order and seed give the same bytes.
func fitNet(samples []sample, n int, f netFitting) (vectors, out, bias []float32) {
	h, k := f.hidden, f.labels
	random := rand.New(rand.NewPCG(f.seed, 2))
	s := &netSpace{
		vectors: make([]float32, n*h), out: make([]float32, h*k), bias: make([]float32, k),
		vectorSum: make([]float32, n), outSum: make([]float32, h*k), biasSum: make([]float32, k),
		hidden: make([]float32, h), back: make([]float32, h), label: make([]float32, k),
	}
	for i := range s.vectors {
		s.vectors[i] = (random.Float32() - .5) * .2
	}
	for i := range s.out {
		s.out[i] = (random.Float32() - .5) * 2 / float32(math.Sqrt(float64(h)))
	}
	order := make([]int, len(samples))
	for i := range order {
		order[i] = i
	}
	for epoch := range f.epochs {
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		rate := f.rate * (1 - .95*float32(epoch)/float32(f.epochs))
		for _, i := range order {
			x := &samples[i]
			s.used = s.used[:0]
			for j := range x.index {
				if random.Float32() >= f.drop {
					s.used = append(s.used, j)
				}
			}
			s.step(x, rate, 1/(1-f.drop))
		}
	}
	return s.vectors, s.out, s.bias
}

// stepFloor keeps AdaGrad's first steps short.
const stepFloor = 1e-4

// step moves the weights a little towards one sample.
func (s *netSpace) step(x *sample, rate, up float32) {
	h, k := len(s.hidden), len(s.label)
	clear(s.hidden)
	for _, j := range s.used {
		row, v := s.vectors[int(x.index[j])*h:][:h], x.value[j]*up
		for c, e := range row {
			s.hidden[c] += v * e
		}
	}
	copy(s.label, s.bias)
	for c, v := range s.hidden {
		if v > 0 {
			for o, w := range s.out[c*k : c*k+k] {
				s.label[o] += v * w
			}
		}
	}
	for o := range s.label {
		s.label[o] = (sigmoid(s.label[o]) - x.target[o]) * x.weight
	}
	var mean float32
	for c, v := range s.hidden {
		s.back[c] = 0
		if v <= 0 {
			continue
		}
		row, sum := s.out[c*k:c*k+k], s.outSum[c*k:c*k+k]
		for o, e := range s.label {
			s.back[c] += e * row[o]
			g := e * v
			sum[o] += g * g
			row[o] -= rate * g / root(sum[o])
		}
		mean += s.back[c] * s.back[c]
	}
	for o, e := range s.label {
		s.biasSum[o] += e * e
		s.bias[o] -= rate * e / root(s.biasSum[o])
	}
	mean /= float32(h)
	for _, j := range s.used {
		at, v := int(x.index[j]), x.value[j]*up
		s.vectorSum[at] += mean * v * v
		by := rate * v / root(s.vectorSum[at])
		for c, e := range s.back {
			s.vectors[at*h+c] -= by * e
		}
	}
}

func root(x float32) float32 { return float32(math.Sqrt(float64(x) + stepFloor)) }
