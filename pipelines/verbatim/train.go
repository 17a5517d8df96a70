package verbatim

import (
	"math"
	"math/rand/v2"
	"sort"
)

// Training says how a model is learnt. The zero value with a name is a good one.
type Training struct {
	Name string
	// None weighs texts without any opinion (none), which are many and dull: the higher, the more texts are called neutral. 0 is 0.35.
	None float32
	// ThemeTexts is how many texts a theme must have to be learnt. 0 is 60.
	ThemeTexts int
	// Start gives what the texts cannot teach: languages, where fewer than two are labelled.
	Start *Model
	Seed  uint64
}

// Trained is what a training says of itself. The figures are of a seventh of the texts, held out from a first estimation; the model is then
// estimated on all.
type Trained struct {
	Check
	Held     int     `json:"held"`
	Accuracy float64 `json:"accuracy"` // of polarity
	MacroF1  float64 `json:"macroF1"`  // of polarity
	MicroF1  float64 `json:"microF1"`  // of themes
}

// Settings of the estimation, chosen on texts held out.
const (
	wordRarest   = 3
	themeRarest  = 5
	letterRarest = 8
	themeHidden  = 48
	themeNets    = 2 // estimated from other seeds, and added up
	textsALang   = 8000
	defaultNone  = .35
)

// learnt says whether a macro-F1 over n texts held out is more than luck: three classes by lot have a third, give or take two standard errors.
func learnt(macro float64, n int) bool {
	return macro >= max(.38, 1./3+2*math.Sqrt(2./9/float64(max(n, 1))))
}

// Train learns a model. It is deterministic: the same texts in the same order give the same model, to the byte.
func Train(texts []Labelled, how Training) (*Model, Trained, error) {
	if how.None == 0 {
		how.None = defaultNone
	}
	if how.ThemeTexts == 0 {
		how.ThemeTexts = 60
	}
	kept, check, err := checked(texts)
	out := Trained{Check: check}
	if err != nil {
		return nil, out, err
	}
	t := &trainer{how: how}
	language, err := t.language(kept)
	if err != nil {
		return nil, out, err
	}
	for i := range kept {
		if kept[i].Language == Unknown {
			kept[i].Language = t.detect(language, kept[i].Text)
		}
	}
	t.chooseThemes(kept)
	learn, held := heldOut(kept)
	trial := t.model(learn, language)
	out.Held = len(held)
	t.calibrate(trial, held, &out)
	if !learnt(out.MacroF1, out.Held) {
		return nil, out, labelFault("the labels teach nothing: on texts held out the macro-F1 of polarity is %.2f, and guessing has 0.33", out.MacroF1)
	}
	m := t.model(kept, language)
	m.Head.Sharpness, m.Head.Abstain, m.Head.Thresholds = trial.Head.Sharpness, trial.Head.Abstain, trial.Head.Thresholds
	return m, out, m.seal()
}

// heldOut parts a seventh off, in blocks: neighbours in a file resemble each other, and translations stand at the same place of their language.
func heldOut(texts []Labelled) (learn, held []Labelled) {
	block := 25
	if len(texts) < 2000 {
		block = 1
	}
	var count [256]int
	for _, t := range texts {
		n := count[t.Language]
		count[t.Language]++
		if n/block%7 == 3 {
			held = append(held, t)
		} else {
			learn = append(learn, t)
		}
	}
	return learn, held
}

type trainer struct {
	how    Training
	s      scratch
	labels []string
}

// language learns to tell languages apart, on whole texts and on their first words.
func (t *trainer) language(texts []Labelled) (*linear, error) {
	var by [languages][]string
	some := 0
	for _, x := range texts {
		if int(x.Language) < languages {
			if by[x.Language] = append(by[x.Language], x.Text); len(by[x.Language]) == minLabelled {
				some++
			}
		}
	}
	if some < 2 {
		if t.how.Start == nil {
			return nil, labelFault("fewer than two languages are labelled, and there is no model to take them from")
		}
		return t.how.Start.language, nil
	}
	v := newVocabulary()
	var samples []sample
	random := rand.New(rand.NewPCG(t.how.Seed, 3))
	put := func(text string, l int) {
		x := sample{weight: 1, target: make([]float32, languages)}
		x.index, x.value = v.items(t.s.letterItems(text))
		x.target[l] = 1
		samples = append(samples, x)
	}
	for l, list := range by {
		step := max(1, len(list)/textsALang)
		for i := 0; i < len(list); i += step {
			put(list[i], l)
			put(shorter(list[i], 12+random.IntN(25)), l)
			put(shorter(list[i], 3+random.IntN(15)), l)
		}
	}
	idf := weigh(samples, v, letterRarest)
	return fitLinear(samples, v, idf, fitting{classes: languages, epochs: 4, rate: .3, seed: t.how.Seed}), nil
}

// shorter cuts a text after a word.
func shorter(text string, n int) string {
	for i := range text {
		if i >= n && text[i] == ' ' {
			return text[:i]
		}
	}
	return text
}

func (t *trainer) detect(m *linear, text string) Language {
	l, _, _ := t.s.detect(m, text)
	return l
}

// model estimates everything but the calibration.
func (t *trainer) model(texts []Labelled, language *linear) *Model {
	m := &Model{language: language, Head: Head{Format: modelFormat, Name: t.how.Name, Texts: len(texts), Sharpness: 1, Dense: denseFeatures}}
	m.polarity = t.polarity(texts)
	t.themes(m, texts)
	return m
}

func (t *trainer) polarity(texts []Labelled) *linear {
	groups := map[string]int{}
	classes := map[string]*[polarities]int{}
	largest := 0
	for _, x := range texts {
		class, ok := x.Polarity.Class()
		if !ok {
			continue
		}
		groups[x.Group]++
		largest = max(largest, groups[x.Group])
		if classes[x.Group] == nil {
			classes[x.Group] = &[polarities]int{}
		}
		classes[x.Group][class]++
	}
	v := newVocabulary()
	var samples []sample
	l := readLexicon()
	for _, x := range texts {
		class, ok := x.Polarity.Class()
		if !ok {
			continue
		}
		text, _ := bounded(x.Text)
		tokens := t.s.split(text)
		s := sample{target: make([]float32, polarities)}
		s.index, s.value = v.items(t.s.wordItems(tokens, x.Language))
		s.dense = append(s.dense, t.s.denseItems(tokens, x.Language, l)...)
		s.target[class] = 1
		s.weight = rootShare(largest, groups[x.Group], 3)
		n := classes[x.Group]
		switch {
		case x.Polarity == LabelNone:
			s.weight *= t.how.None
		case class != Neutral:
			s.weight *= rootShare(max(n[Negative], n[Positive]), n[class], 2)
		}
		samples = append(samples, s)
	}
	idf := weigh(samples, v, wordRarest)
	return fitLinear(samples, v, idf, fitting{classes: polarities, epochs: 5, rate: .1, seed: t.how.Seed})
}

// rootShare is the root of how many times smaller a group is than the largest.
func rootShare(largest, n int, most float64) float32 {
	if n == 0 {
		return 1
	}
	return float32(min(most, math.Sqrt(float64(largest)/float64(n))))
}

// chooseThemes takes the themes that have enough texts, the commonest first.
func (t *trainer) chooseThemes(texts []Labelled) {
	counts := map[string]int{}
	for _, x := range texts {
		for _, theme := range x.Themes {
			counts[theme]++
		}
	}
	for theme, n := range counts {
		if n >= t.how.ThemeTexts {
			t.labels = append(t.labels, theme)
		}
	}
	sort.Slice(t.labels, func(i, j int) bool {
		a, b := t.labels[i], t.labels[j]
		if counts[a] != counts[b] {
			return counts[a] > counts[b]
		}
		return a < b
	})
	t.labels = t.labels[:min(len(t.labels), maxThemes)]
}

func (t *trainer) themes(m *Model, texts []Labelled) {
	themed := map[string]bool{}
	for _, x := range texts {
		themed[x.Group] = themed[x.Group] || len(x.Themes) > 0
	}
	if len(t.labels) == 0 {
		return
	}
	at := map[string]int{}
	for i, theme := range t.labels {
		at[theme] = i
	}
	v := newVocabulary()
	var samples []sample
	for _, x := range texts {
		if !themed[x.Group] {
			continue
		}
		s := sample{weight: 1, target: make([]float32, len(t.labels))}
		text, _ := bounded(x.Text)
		s.index, s.value = v.items(t.s.themeItems(t.s.split(text), x.Language))
		for _, theme := range x.Themes {
			if k, ok := at[theme]; ok {
				s.target[k] = 1
			}
		}
		samples = append(samples, s)
	}
	idf := weigh(samples, v, themeRarest)
	var all []float32
	joined := &net{bias: make([]float32, len(t.labels))}
	width := themeHidden * themeNets
	all = make([]float32, len(v.keys)*width)
	for n := range themeNets {
		vectors, out, bias := fitNet(samples, len(v.keys), netFitting{
			labels: len(t.labels), hidden: themeHidden, epochs: 6, rate: .15, drop: .5, seed: t.how.Seed + uint64(n),
		})
		for i := range v.keys {
			copy(all[i*width+n*themeHidden:][:themeHidden], vectors[i*themeHidden:][:themeHidden])
		}
		for _, w := range out {
			joined.out = append(joined.out, w/themeNets)
		}
		for c, b := range bias {
			joined.bias[c] += b / themeNets
		}
	}
	joined.table, joined.scale = newTable(all, idf, v.keys, width)
	m.themes = joined
	m.Head.Themes, m.Head.Hidden, m.Head.Thresholds = t.labels, width, make([]float32, len(t.labels))
	for i := range m.Head.Thresholds {
		m.Head.Thresholds[i] = .25
	}
}

// calibrate sets sharpness, the abstention limit and the thresholds by texts that the model has not seen, and measures on them.
func (t *trainer) calibrate(m *Model, held []Labelled, out *Trained) {
	l := readLexicon()
	type seen struct {
		score [polarities]float32
		class Polarity
	}
	var polar []seen
	var chances [][]float32
	var truths [][]bool
	themed := map[string]bool{}
	for _, x := range held {
		themed[x.Group] = themed[x.Group] || len(x.Themes) > 0
	}
	room := make([]float32, max(1, m.Head.Hidden))
	for _, x := range held {
		text, _ := bounded(x.Text)
		tokens := t.s.split(text)
		if class, ok := x.Polarity.Class(); ok {
			s := seen{class: class}
			m.polarity.scores(t.s.wordItems(tokens, x.Language), t.s.denseItems(tokens, x.Language, l), s.score[:])
			polar = append(polar, s)
		}
		if m.themes == nil || !themed[x.Group] {
			continue
		}
		scores, truth := make([]float32, len(t.labels)), make([]bool, len(t.labels))
		m.themes.scores(t.s.themeItems(tokens, x.Language), room, scores)
		for k := range scores {
			scores[k] = sigmoid(scores[k])
			for _, theme := range x.Themes {
				truth[k] = truth[k] || theme == t.labels[k]
			}
		}
		chances, truths = append(chances, scores), append(truths, truth)
	}
	best := math.Inf(1)
	for sharp := float32(.4); sharp < 4; sharp *= 1.1 {
		loss := 0.0
		for _, s := range polar {
			p := s.score
			for c := range p {
				p[c] /= sharp
			}
			softmax(p[:])
			loss -= math.Log(float64(p[s.class]) + 1e-9)
		}
		if loss < best {
			best, m.Head.Sharpness = loss, sharp
		}
	}
	var sure []float64
	var table Confusion
	for _, s := range polar {
		p := s.score
		for c := range p {
			p[c] /= m.Head.Sharpness
		}
		softmax(p[:])
		top := largestOf(p)
		table[s.class][top]++
		sure = append(sure, float64(p[top]))
	}
	sort.Float64s(sure)
	if len(sure) > 0 {
		m.Head.Abstain = float32(math.Round(sure[len(sure)/5]*1000) / 1000)
	}
	out.Accuracy, out.MacroF1 = table.Accuracy(), table.MacroF1()
	out.MicroF1 = thresholds(m.Head.Thresholds, chances, truths)
}

func largestOf(p [polarities]float32) Polarity {
	top := Negative
	for c := range p {
		if p[c] > p[top] {
			top = Polarity(c)
		}
	}
	return top
}

// thresholds finds the one threshold with the best micro-F1, then moves each theme's half-way to its own best: what a theme's few texts say is
// half believed.
func thresholds(at []float32, chances [][]float32, truths [][]bool) float64 {
	const steps = 60
	value := func(n int) float32 { return float32(n+2) / 80 }
	// hits[k][n], given[k][n]: at threshold n
	hits, given, real := make([][steps]int, len(at)), make([][steps]int, len(at)), make([]int, len(at))
	for i, row := range chances {
		for k, p := range row {
			if truths[i][k] {
				real[k]++
			}
			for n := 0; n < steps && p >= value(n); n++ {
				given[k][n]++
				if truths[i][k] {
					hits[k][n]++
				}
			}
		}
	}
	micro := func(pick func(k int) int) float64 {
		h, g, r := 0, 0, 0
		for k := range at {
			n := pick(k)
			h, g, r = h+hits[k][n], g+given[k][n], r+real[k]
		}
		if g+r == 0 {
			return 0
		}
		return 2 * float64(h) / float64(g+r)
	}
	one, best := 0, -1.0
	for n := range steps {
		if f := micro(func(int) int { return n }); f > best {
			one, best = n, f
		}
	}
	own := make([]int, len(at))
	for k := range at {
		own[k] = one
	}
	for range 2 {
		for k := range at {
			was := own[k]
			pick := was
			for n := range steps {
				own[k] = n
				if f := micro(func(k int) int { return own[k] }); f > best {
					best, pick = f, n
				}
			}
			own[k] = pick
		}
	}
	for k := range at {
		own[k] = (own[k] + one) / 2
		at[k] = value(own[k])
	}
	return micro(func(k int) int { return own[k] })
}
