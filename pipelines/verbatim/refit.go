package verbatim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/dossier-cdp/dossier/schema"
)

// Corrected is a text and what a person said of it instead of what was read, or nothing.
type Corrected struct {
	Text     string
	Language Language // Unknown where nobody said
	// Writer tells whose text it is: a word counts that several people have written.
	Writer uint64
	// Polarity and Themes are what was said; both nil: nobody has corrected the text, which then holds the model to what it reads in it.
	Polarity *Polarity
	Themes   *[]string
}

// Refitted is what a refit says of itself. The shares are of corrected texts, each read by what was learnt from the other four fifths.
type Refitted struct {
	Corrections    int     `json:"corrections"`
	Anchors        int     `json:"anchors"` // texts that nobody corrected
	PolarityTexts  int     `json:"polarityTexts"`
	PolarityBefore float64 `json:"polarityBefore"` // share read as people say, without the corrections
	PolarityAfter  float64 `json:"polarityAfter"`
	ThemeTexts     int     `json:"themeTexts"`
	ThemesBefore   float64 `json:"themesBefore"` // micro-F1 of the themes that were learnt
	ThemesAfter    float64 `json:"themesAfter"`
	// Moved is the share of the texts that nobody corrected whose polarity is another one afterwards.
	Moved float64 `json:"moved"`
}

// Settings of a refit.
const (
	minCorrections   = 20  // of polarity or of themes
	minThemeTexts    = 8   // in which people found, or missed, a theme
	minWriters       = 3   // that have written a word
	anchorWeight     = .25 // of a text that nobody corrected
	refitEpochs      = 25
	refitRate        = .25
	refitDecay       = 2e-3
	adjustedPrior    = -2.5 // score of a theme that the model does not know, before any word of it
	adjustedFrom     = .5   // chance from which on such a theme is told
	refitFolds       = 5
	mostAdjustedText = 50000
)

// MaxRefitTexts bounds how many texts a refit looks at; AnchorTexts is how many of those that nobody corrected do.
const (
	MaxRefitTexts = mostAdjustedText
	AnchorTexts   = 3000
)

// refitSample is one text for a refit.
type refitSample struct {
	words, subjects sample // features of polarity and of themes
	polar           bool   // words has a target
	themed          bool   // subjects has one
	anchor          bool
	truth           Polarity
	was             Polarity
	offset          [polarities]float32
	themes          []float32 // offset of each theme
	told            []bool    // themes that were read
}

// Refit learns from corrections what to add to what the analyzer reads. The same texts in the same order give the same adjustment. It refuses what teaches nothing.
func Refit(a *Analyzer, texts []Corrected) (*Adjustment, Refitted, error) {
	var out Refitted
	if a.adjustment != nil {
		return nil, out, adjustmentFault("the analyzer is adjusted already")
	}
	if len(texts) > mostAdjustedText {
		return nil, out, adjustmentFault("%d texts; at most %d are looked at", len(texts), mostAdjustedText)
	}
	themes := a.refitThemes(texts)
	samples, words, subjects := a.refitSamples(texts, themes)
	polar := 0
	for i := range samples {
		s := &samples[i]
		switch {
		case s.anchor:
			out.Anchors++
			continue
		case s.polar:
			polar++
		}
		out.Corrections++
		if s.themed {
			out.ThemeTexts++
		}
	}
	out.PolarityTexts = polar
	if polar < minCorrections && (len(themes) == 0 || out.ThemeTexts < minCorrections) {
		return nil, out, schema.Refuse("corrections_few", fmt.Sprintf("%d texts have a corrected polarity, and %d themes were corrected in at least %d texts", polar, len(themes), minThemeTexts),
			fmt.Sprintf("correct the polarity of at least %d texts (correctVerbatim), or a theme in %d", minCorrections, minCorrections))
	}
	// Each fifth is read by what the others teach.
	var right, before int
	var hits, hitsBefore Counts
	for fold := range refitFolds {
		learn := func(i int) bool { return samples[i].anchor || i%refitFolds != fold }
		p := fitAdjustment(samples, learn, len(words.keys), polarities, false)
		t := fitAdjustment(samples, learn, len(subjects.keys), len(themes), true)
		for i := range samples {
			s := &samples[i]
			if learn(i) {
				continue
			}
			if s.polar {
				if s.was == s.truth {
					before++
				}
				if p.polarity(s) == s.truth {
					right++
				}
			}
			if s.themed {
				for k, told := range t.told(s) {
					countTheme(&hits, told, s.subjects.target[k] > .5)
					countTheme(&hitsBefore, s.told[k], s.subjects.target[k] > .5)
				}
			}
		}
	}
	out.PolarityBefore, out.PolarityAfter = share(before, polar), share(right, polar)
	out.ThemesBefore, out.ThemesAfter = hitsBefore.F1(), hits.F1()
	if out.PolarityAfter <= out.PolarityBefore && out.ThemesAfter <= out.ThemesBefore {
		return nil, out, schema.Refuse("corrections_teach_nothing",
			fmt.Sprintf("texts held out would be read no better: %.2f of the polarities as people say, %.2f without the corrections", out.PolarityAfter, out.PolarityBefore),
			"correct more texts, and of several people; what one rule gets wrong belongs into the tree of themes")
	}
	all := func(int) bool { return true }
	p := fitAdjustment(samples, all, len(words.keys), polarities, false)
	t := fitAdjustment(samples, all, len(subjects.keys), len(themes), true)
	if out.PolarityAfter <= out.PolarityBefore {
		clear(p.w)
	}
	if out.ThemesAfter <= out.ThemesBefore {
		themes = nil
	}
	moved := 0
	for i := range samples {
		if s := &samples[i]; s.anchor && p.polarity(s) != s.was {
			moved++
		}
	}
	out.Moved = share(moved, out.Anchors)
	adj := &Adjustment{Head: AdjustmentHead{Format: adjustmentFormat, Model: a.Version(), Texts: out.Corrections, Themes: themes}}
	adj.polarity = p.linear(words)
	if len(themes) > 0 {
		adj.themes = t.linear(subjects)
	}
	content, err := adj.content()
	if err != nil {
		return nil, out, err
	}
	adj.version = versionOf(content)
	return adj, out, nil
}

func countTheme(c *Counts, told, true bool) {
	if told {
		c.Given++
	}
	if true {
		c.Real++
	}
	if told && true {
		c.Hits++
	}
}

// refitThemes are the themes that people named, or took away, in enough texts; the commonest first.
func (a *Analyzer) refitThemes(texts []Corrected) []string {
	counts := map[string]int{}
	for _, t := range texts {
		if t.Themes == nil {
			continue
		}
		r := a.Read(t.Text, t.Language)
		seen := map[string]bool{}
		for _, id := range *t.Themes {
			seen[id] = true
		}
		for _, theme := range r.Themes {
			if !theme.Rule {
				seen[theme.ID] = true
			}
		}
		for id := range seen {
			counts[id]++
		}
	}
	var ids []string
	for id, n := range counts {
		if n >= minThemeTexts && validTheme(id) {
			ids = append(ids, id)
		}
	}
	sort.Slice(ids, func(i, j int) bool {
		if counts[ids[i]] != counts[ids[j]] {
			return counts[ids[i]] > counts[ids[j]]
		}
		return ids[i] < ids[j]
	})
	ids = ids[:min(len(ids), maxAdjustedThemes)]
	slices.Sort(ids)
	return ids
}

// refitVocabulary numbers features and tells how many people wrote each.
type refitVocabulary struct {
	*vocabulary
	idf []uint8
}

// weighed leaves out what fewer than minWriters people wrote, and brings the others' values to length 1.
func weighed(samples []refitSample, of func(*refitSample) *sample, v *vocabulary, writers map[int32]map[uint64]bool) refitVocabulary {
	idf := make([]uint8, len(v.keys))
	for i, seen := range v.seen {
		if len(writers[int32(i)]) >= minWriters {
			idf[i] = uint8(min(255, 16*(1+math.Log(float64(len(samples)+1)/float64(seen+1)))))
		}
	}
	if len(v.keys) > maxAdjusted { // the commonest stay
		order := make([]int, len(v.keys))
		for i := range order {
			order[i] = i
		}
		sort.SliceStable(order, func(i, j int) bool { return v.seen[order[i]] > v.seen[order[j]] })
		for _, i := range order[maxAdjusted:] {
			idf[i] = 0
		}
	}
	for i := range samples {
		s := of(&samples[i])
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
	return refitVocabulary{v, idf}
}

func (a *Analyzer) refitSamples(texts []Corrected, themes []string) ([]refitSample, refitVocabulary, refitVocabulary) {
	words, subjects := newVocabulary(), newVocabulary()
	wordWriters, subjectWriters := map[int32]map[uint64]bool{}, map[int32]map[uint64]bool{}
	note := func(writers map[int32]map[uint64]bool, index []int32, writer uint64) {
		for _, at := range index {
			if writers[at] == nil {
				writers[at] = map[uint64]bool{}
			}
			if len(writers[at]) < minWriters {
				writers[at][writer] = true
			}
		}
	}
	at := map[string]int{}
	for k, id := range themes {
		at[id] = k
	}
	s := a.space.Get().(*scratch)
	defer a.space.Put(s)
	var samples []refitSample
	for _, t := range texts {
		r := a.Read(t.Text, t.Language)
		if r.Language == Unknown || r.Polarity == Abstained {
			continue
		}
		text, _ := bounded(t.Text)
		text = ownWords(text)
		tokens := s.split(text)
		a.embed(s, text, tokens, r.Language)
		x := refitSample{was: r.Polarity, anchor: t.Polarity == nil && t.Themes == nil}
		x.words.index, x.words.value = words.items(s.wordItems(tokens, r.Language))
		note(wordWriters, x.words.index, t.Writer)
		x.words.target, x.words.weight = make([]float32, polarities), 1
		for p := range r.Shares {
			x.offset[p] = logOf(r.Shares[p])
		}
		switch {
		case x.anchor:
			x.polar, x.words.weight = true, anchorWeight
			copy(x.words.target, r.Shares[:])
		case t.Polarity != nil && int(*t.Polarity) < polarities:
			x.polar, x.truth = true, *t.Polarity
			x.words.target[x.truth] = 1
		}
		x.subjects.index, x.subjects.value = subjects.items(s.themeItems(tokens, r.Language))
		note(subjectWriters, x.subjects.index, t.Writer)
		x.subjects.target, x.subjects.weight = make([]float32, len(themes)), 1
		x.themes, x.told = a.themeOffsets(s, tokens, r.Language, themes), make([]bool, len(themes))
		for _, theme := range r.Themes {
			if k, ok := at[theme.ID]; ok {
				x.told[k] = true
			}
		}
		switch {
		case x.anchor:
			x.themed, x.subjects.weight = true, anchorWeight
			for k := range themes {
				x.subjects.target[k] = sigmoid(x.themes[k])
			}
		case t.Themes != nil:
			x.themed = true
			for _, id := range *t.Themes {
				if k, ok := at[id]; ok {
					x.subjects.target[k] = 1
				}
			}
		}
		samples = append(samples, x)
	}
	return samples, weighed(samples, func(s *refitSample) *sample { return &s.words }, words, wordWriters),
		weighed(samples, func(s *refitSample) *sample { return &s.subjects }, subjects, subjectWriters)
}

// themeOffsets are the model's scores of themes, shifted so that a theme is told from 0 on.
func (a *Analyzer) themeOffsets(s *scratch, tokens []token, l Language, themes []string) []float32 {
	out := make([]float32, len(themes))
	for k := range out {
		out[k] = adjustedPrior
	}
	_, limits := a.themeScores(s, tokens, l)
	for n, limit := range limits {
		if id, told := a.themeOf(a.model.Head.Themes[n]); told {
			if k := slices.Index(themes, id); k >= 0 {
				out[k] = s.scores[n] - logit(limit)
			}
		}
	}
	return out
}

func logit(p float32) float32 { return logOf(p) - logOf(1-p) }

// adjusting is what a refit has learnt.
type adjusting struct {
	k int
	w []float32
}

// fitAdjustment estimates weights beside the offsets by AdaGrad with decay: of classes that exclude each other, or of labels.
func fitAdjustment(samples []refitSample, learn func(i int) bool, n, k int, labels bool) *adjusting {
	a := &adjusting{k: k, w: make([]float32, n*k)}
	g := make([]float32, n*k)
	var order []int
	for i := range samples {
		if s := &samples[i]; learn(i) && (labels && s.themed || !labels && s.polar) {
			order = append(order, i)
		}
	}
	random := rand.New(rand.NewPCG(1, 7))
	out := make([]float32, k)
	for epoch := range refitEpochs {
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		rate := refitRate * (1 - .9*float32(epoch)/refitEpochs)
		for _, i := range order {
			s := &samples[i]
			x := &s.words
			copy(out, s.offset[:min(k, polarities)])
			if labels {
				x = &s.subjects
				copy(out, s.themes)
			}
			for j, at := range x.index {
				for c, w := range a.w[int(at)*k : int(at)*k+k] {
					out[c] += x.value[j] * w
				}
			}
			if labels {
				for c, v := range out {
					out[c] = sigmoid(v)
				}
			} else {
				softmax(out)
			}
			for j, at := range x.index {
				for c := range out {
					w := &a.w[int(at)*k+c]
					d := x.weight*(out[c]-x.target[c])*x.value[j] + refitDecay**w
					sum := &g[int(at)*k+c]
					*sum += d * d
					*w -= rate * d / float32(math.Sqrt(float64(*sum)+1e-4))
				}
			}
		}
	}
	return a
}

// polarity is what a text has with the weights.
func (a *adjusting) polarity(s *refitSample) Polarity {
	scores := s.offset
	for j, at := range s.words.index {
		for c := range scores {
			scores[c] += s.words.value[j] * a.w[int(at)*a.k+c]
		}
	}
	return largestOf(scores)
}

// told says which themes a text has with the weights. What a keyword rule found stays.
func (a *adjusting) told(s *refitSample) []bool {
	out := make([]bool, a.k)
	for k := range out {
		score := s.themes[k]
		for j, at := range s.subjects.index {
			score += s.subjects.value[j] * a.w[int(at)*a.k+k]
		}
		out[k] = score >= 0 || s.told[k] && s.themes[k] < 0
	}
	return out
}

func (a *adjusting) linear(v refitVocabulary) *linear {
	l := &linear{bias: make([]float32, a.k)}
	l.table, l.scale = newTable(a.w, v.idf, v.keys, a.k)
	return l
}
