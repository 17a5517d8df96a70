package verbatim

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"runtime"
	"sort"
	"sync"

	"github.com/dossier-cdp/dossier/pipelines/verbatim/encoder"
	"github.com/dossier-cdp/dossier/pipelines/verbatim/matrix"
)

// Settings of the estimation of heads, chosen on texts held out.
const (
	polarityNets   = 3
	polarityHidden = 128
	themeHeads     = 2
	themeWidth     = 192
	headBatch      = 64
)

// headSample is one text for a head.
type headSample struct {
	x      []float32
	target []float32
	weight float32
}

// TrainHeads learns what the encoder tier adds to a model that was learnt from the same texts. A seventh is held out from a first estimation, of model and nets alike: it
// sets how much the nets count beside the model, and the thresholds. It is deterministic on one kind of processor.
func TrainHeads(texts []Labelled, m *Model, e Encoder, how Training) (*Heads, Trained, error) {
	if how.None == 0 {
		how.None = defaultNone
	}
	kept, check, err := checked(texts)
	out := Trained{Check: check}
	if err != nil {
		return nil, out, err
	}
	t := &trainer{how: Training{Name: how.Name, None: defaultNone, Seed: how.Seed}, labels: m.Head.Themes}
	for i := range kept {
		if kept[i].Language == Unknown {
			kept[i].Language = t.detect(m.language, kept[i].Text)
		}
	}
	learn, held := heldOut(kept)
	out.Held = len(held)
	trial := t.model(learn, m.language)
	trial.Head.Sharpness = m.Head.Sharpness
	h := &Heads{Head: HeadsHead{Format: headsFormat, Name: how.Name, Model: m.Version(), Encoder: e.Version(), Texts: len(kept)}}
	seen, proof := vectors(learn, trial, e), vectors(held, trial, e)
	h.fit(learn, seen, m.Head.Themes, how)
	h.tunePolarity(held, proof, &out)
	h.tuneThemes(held, proof, trial, &out)
	if !learnt(out.MacroF1, out.Held) {
		return nil, out, labelFault("the labels teach nothing: on texts held out the macro-F1 of polarity is %.2f, and guessing has 0.33", out.MacroF1)
	}
	h.fit(append(learn, held...), append(seen, proof...), m.Head.Themes, how)
	stored, err := h.Encode()
	if err != nil {
		return nil, out, err
	}
	sum := sha256.Sum256(stored)
	h.version = hex.EncodeToString(sum[:6])
	return h, out, nil
}

// fit estimates the nets.
func (h *Heads) fit(texts []Labelled, seen []seenText, themes []string, how Training) {
	h.polarity, h.themes, h.Head.PolarityHidden, h.Head.ThemesHidden = nil, nil, nil, nil
	samples := polaritySamples(texts, seen, how)
	for n := range polarityNets {
		h.polarity = append(h.polarity, fitPerceptron(samples, headFitting{polarityInputs, polarityHidden, polarities, 8, 1e-3, false, how.Seed + uint64(n)}))
		h.Head.PolarityHidden = append(h.Head.PolarityHidden, polarityHidden)
	}
	if k := len(themes); k > 0 {
		samples = themeSamples(texts, seen, themes)
		for n := range themeHeads {
			h.themes = append(h.themes, fitPerceptron(samples, headFitting{themeInputs, themeWidth, k, 12, 1e-3, true, how.Seed + 10 + uint64(n)}))
			h.Head.ThemesHidden = append(h.Head.ThemesHidden, themeWidth)
		}
	}
}

// seenText is what heads and model see of a text.
type seenText struct {
	x      []float32 // vector and signs
	own    [polarities]float32
	themes []float32 // the model's scores
}

// vectors reads texts by encoder and model, on all cores.
func vectors(texts []Labelled, m *Model, e Encoder) []seenText {
	a := New(m, nil)
	out := make([]seenText, len(texts))
	var wait sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wait.Go(func() {
			s := a.space.Get().(*scratch)
			defer a.space.Put(s)
			for i := w; i < len(texts); i += workers {
				text, _ := bounded(texts[i].Text)
				tokens := s.split(text)
				vector := e.Embed(text)
				o := &out[i]
				o.x = append(o.x, vector[:]...)
				o.x = append(o.x, s.denseItems(tokens, texts[i].Language, a.words)...)
				o.own = a.shares(s, tokens, texts[i].Language)
				if m.themes != nil {
					m.themes.scores(s.themeItems(tokens, texts[i].Language), s.room, s.scores)
					o.themes = append(o.themes, s.scores...)
				}
			}
		})
	}
	wait.Wait()
	return out
}

func polaritySamples(texts []Labelled, seen []seenText, how Training) (samples []headSample) {
	groups := map[string]int{}
	classes := map[string]*[polarities]int{}
	largest := 0
	for _, t := range texts {
		if class, ok := t.Polarity.Class(); ok {
			groups[t.Group]++
			largest = max(largest, groups[t.Group])
			if classes[t.Group] == nil {
				classes[t.Group] = &[polarities]int{}
			}
			classes[t.Group][class]++
		}
	}
	for i, t := range texts {
		class, ok := t.Polarity.Class()
		if !ok {
			continue
		}
		s := headSample{x: seen[i].x, target: make([]float32, polarities), weight: rootShare(largest, groups[t.Group], 3)}
		s.target[class] = 1
		n := classes[t.Group]
		switch {
		case t.Polarity == LabelNone:
			s.weight *= how.None
		case class != Neutral:
			s.weight *= rootShare(max(n[Negative], n[Positive]), n[class], 2)
		}
		samples = append(samples, s)
	}
	return samples
}

func themeSamples(texts []Labelled, seen []seenText, labels []string) (samples []headSample) {
	at, themed := map[string]int{}, map[string]bool{}
	for i, l := range labels {
		at[l] = i
	}
	for _, t := range texts {
		themed[t.Group] = themed[t.Group] || len(t.Themes) > 0
	}
	for i, t := range texts {
		if !themed[t.Group] {
			continue
		}
		s := headSample{x: seen[i].x[:themeInputs], target: make([]float32, len(labels)), weight: 1}
		for _, theme := range t.Themes {
			if k, ok := at[theme]; ok {
				s.target[k] = 1
			}
		}
		samples = append(samples, s)
	}
	return samples
}

type headFitting struct {
	in, hidden, out int
	epochs          int
	rate            float32
	labels          bool // each output for itself, else one of them
	seed            uint64
}

// adam is the estimator of one list of weights (D. Kingma, J. Ba, 2015), with weight decay apart (I. Loshchilov, F. Hutter, 2019).
type adam struct {
	w, gradient, first, second []float32
}

func newAdam(n int) *adam {
	return &adam{make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)}
}

func (a *adam) step(rate, decay float32, t int) {
	one, two := float32(1-math.Pow(.9, float64(t))), float32(1-math.Pow(.999, float64(t)))
	for i, g := range a.gradient {
		m := .9*a.first[i] + .1*g
		v := .999*a.second[i] + .001*g*g
		a.first[i], a.second[i] = m, v
		a.w[i] -= rate * (m/one/(float32(math.Sqrt(float64(v/two)))+1e-8) + decay*a.w[i])
	}
}

// fitPerceptron estimates a net with dropout of half of the hidden numbers and a fifth of the inputs.
func fitPerceptron(samples []headSample, f headFitting) perceptron {
	random := rand.New(rand.NewPCG(f.seed, 5))
	w1, b1, w2, b2 := newAdam(f.in*f.hidden), newAdam(f.hidden), newAdam(f.hidden*f.out), newAdam(f.out)
	for i := range w1.w {
		w1.w[i] = float32(random.NormFloat64() * math.Sqrt(2/float64(f.in)))
	}
	for i := range w2.w {
		w2.w[i] = float32(random.NormFloat64() * math.Sqrt(1/float64(f.hidden)))
	}
	order := make([]int, len(samples))
	for i := range order {
		order[i] = i
	}
	one, two := matrix.Pack(w1.w, f.in, f.hidden, b1.w), matrix.Pack(w2.w, f.hidden, f.out, b2.w)
	x, xt := make([]float32, headBatch*f.in), make([]float32, headBatch*f.in)
	h, back := make([]float32, headBatch*f.hidden), make([]float32, headBatch*f.hidden)
	y := make([]float32, headBatch*f.out)
	mask := make([]float32, headBatch*f.hidden)
	slopes := matrix.Dense{In: headBatch, Out: f.hidden}
	step, steps := 0, f.epochs*(len(samples)+headBatch-1)/headBatch
	for range f.epochs {
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for at := 0; at+headBatch <= len(order); at += headBatch {
			batch := order[at : at+headBatch]
			for n, i := range batch {
				for k, v := range samples[i].x {
					if v *= inputScale(k); random.Uint32()%5 == 0 {
						v = 0
					} else {
						v *= 1.25
					}
					x[n*f.in+k], xt[k*headBatch+n] = v, v
				}
			}
			one.Set(w1.w)
			two.Set(w2.w)
			one.Times(x, f.in, headBatch, h)
			for i, v := range h {
				mask[i] = 0
				if v > 0 && random.Uint32()&1 == 0 {
					mask[i] = 2
				}
				h[i] = v * mask[i]
			}
			two.Times(h, f.hidden, headBatch, y)
			clear(w2.gradient)
			clear(b2.gradient)
			clear(b1.gradient)
			clear(back)
			for n, i := range batch {
				s, row := &samples[i], y[n*f.out:][:f.out]
				if f.labels {
					for c, v := range row {
						row[c] = sigmoid(v)
					}
				} else {
					softmax(row)
				}
				hidden, slope := h[n*f.hidden:][:f.hidden], back[n*f.hidden:][:f.hidden]
				for c := range row {
					d := s.weight * (row[c] - s.target[c]) / headBatch
					if d == 0 {
						continue
					}
					b2.gradient[c] += d
					for j, v := range hidden {
						w2.gradient[j*f.out+c] += d * v
						slope[j] += d * w2.w[j*f.out+c]
					}
				}
				for j := range slope {
					slope[j] *= mask[n*f.hidden+j]
					b1.gradient[j] += slope[j]
				}
			}
			slopes.Set(back)
			slopes.Times(xt, headBatch, f.in, w1.gradient)
			step++
			rate := f.rate * float32(.5+.5*math.Cos(math.Pi*float64(step)/float64(steps+1)))
			for _, a := range []*adam{w1, b1, w2, b2} {
				a.step(rate, .01, step)
			}
		}
	}
	for k := range f.in { // so that nobody has to scale what comes in
		for j := range f.hidden {
			w1.w[k*f.hidden+j] *= inputScale(k)
		}
	}
	return perceptron{matrix.Pack(w1.w, f.in, f.hidden, b1.w), matrix.Pack(w2.w, f.hidden, f.out, b2.w), w1.w, w2.w}
}

// inputScale brings the numbers of a vector, which has length 1, to about 1.
func inputScale(k int) float32 {
	if k < encoder.Dimensions {
		return 20
	}
	return 1
}

// tunePolarity sets how much the nets count beside the model: what makes the labels of each group likeliest.
func (h *Heads) tunePolarity(texts []Labelled, seen []seenText, out *Trained) {
	type one struct {
		own, nets [polarities]float32
		class     Polarity
		weight    float64
	}
	groups := map[string]int{}
	for _, t := range texts {
		if _, ok := t.Polarity.Class(); ok {
			groups[t.Group]++
		}
	}
	var all []one
	for i, t := range texts {
		class, ok := t.Polarity.Class()
		if !ok {
			continue
		}
		o := one{class: class, weight: 1 / math.Sqrt(float64(groups[t.Group]))}
		for c, v := range seen[i].own {
			o.own[c] = logOf(v)
		}
		for n := range h.polarity {
			h.polarity[n].scores(seen[i].x, o.nets[:])
		}
		for c := range o.nets {
			o.nets[c] /= float32(len(h.polarity))
		}
		all = append(all, o)
	}
	best := math.Inf(1)
	chances := func(o *one, own, nets float32) (p [polarities]float32) {
		for c := range p {
			p[c] = own*o.own[c] + nets*o.nets[c]
		}
		softmax(p[:])
		return p
	}
	for own := float32(0); own <= 1; own += .1 {
		for nets := float32(.1); nets <= 1.6; nets += .1 {
			loss := 0.0
			for i := range all {
				p := chances(&all[i], own, nets)
				loss -= all[i].weight * math.Log(float64(p[all[i].class])+1e-9)
			}
			if loss < best {
				best, h.Head.Own, h.Head.Nets = loss, own, nets
			}
		}
	}
	var table Confusion
	var sure []float64
	for i := range all {
		p := chances(&all[i], h.Head.Own, h.Head.Nets)
		top := largestOf(p)
		table[all[i].class][top]++
		sure = append(sure, float64(p[top]))
	}
	sort.Float64s(sure)
	if len(sure) > 0 {
		h.Head.Abstain = float32(math.Round(sure[len(sure)/5]*1000) / 1000)
	}
	out.Accuracy, out.MacroF1 = table.Accuracy(), table.MacroF1()
}

// tuneThemes sets how much the nets count beside the model, and the thresholds.
func (h *Heads) tuneThemes(texts []Labelled, seen []seenText, m *Model, out *Trained) {
	k := len(m.Head.Themes)
	h.Head.Thresholds = make([]float32, k)
	if len(h.themes) == 0 {
		return
	}
	themed := map[string]bool{}
	for _, t := range texts {
		themed[t.Group] = themed[t.Group] || len(t.Themes) > 0
	}
	var nets, own [][]float32
	var truths [][]bool
	for i, t := range texts {
		if !themed[t.Group] {
			continue
		}
		scores, truth := make([]float32, k), make([]bool, k)
		for n := range h.themes {
			h.themes[n].scores(seen[i].x[:themeInputs], scores)
		}
		for c := range scores {
			scores[c] /= float32(len(h.themes))
			for _, theme := range t.Themes {
				truth[c] = truth[c] || theme == m.Head.Themes[c]
			}
		}
		nets, own, truths = append(nets, scores), append(own, seen[i].themes), append(truths, truth)
	}
	chances := make([][]float32, len(nets))
	for i := range chances {
		chances[i] = make([]float32, k)
	}
	best := -1.0
	at := make([]float32, k)
	for share := float32(.2); share <= 1.01; share += .1 {
		for i := range nets {
			for c := range k {
				chances[i][c] = sigmoid((1-share)*own[i][c] + share*nets[i][c])
			}
		}
		if f := thresholds(at, chances, truths); f > best {
			best, h.Head.ThemesOwn, h.Head.ThemesNets = f, 1-share, share
			copy(h.Head.Thresholds, at)
		}
	}
	out.MicroF1 = best
}
