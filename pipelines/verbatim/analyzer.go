package verbatim

import (
	"cmp"
	"slices"
	"sync"
)

// Analyzer reads texts by a model and a tree of themes. It may be used by many goroutines at once.
type Analyzer struct {
	version string
	model   *Model
	tree    *Tree
	words   *lexicon
	rules   [languages]*ruleSet
	codes   [languages][]ruleCode
	space   sync.Pool
	deep    *deep // nil in the base tier

	adjustment    *Adjustment // nil without corrections
	adjustedLabel []int       // of each label of the model, the place of its theme in the adjustment + 1, or 0
}

// New makes an analyzer. Without a tree the themes are the model's labels.
func New(m *Model, tree *Tree) *Analyzer {
	a := &Analyzer{model: m, tree: tree, words: readLexicon(), rules: shippedRules()}
	for l, set := range a.rules {
		for _, code := range set.codes {
			a.codes[l] = append(a.codes[l], ruleCodes[code])
		}
	}
	a.prepare()
	return a
}

// prepare names what reads, and makes room for it.
func (a *Analyzer) prepare() {
	a.version = a.named()
	a.space.New = func() any {
		return &scratch{room: make([]float32, max(1, a.model.Head.Hidden)), scores: make([]float32, len(a.model.Head.Themes))}
	}
}

// minKnown is the share of letter groups that a text in one of the languages has at least, if it is long enough to say.
const (
	minKnown       = .74
	minKnownLength = 30
)

// Read reads a text. hint is its language if somebody knows it, else Unknown. Nothing makes it fail: what cannot be read is abstained from. Its work is
// bounded, however long the text.
func (a *Analyzer) Read(text string, hint Language) Reading {
	s := a.space.Get().(*scratch)
	defer a.space.Put(s)
	r := Reading{Model: a.version, Polarity: Abstained, Language: hint, LanguageConfidence: 1}
	text, r.Truncated = bounded(text)
	text = ownWords(text)
	if int(hint) >= languages {
		found := a.detect(s, text)
		r.Language, r.LanguageConfidence = found.language, found.share
	}
	tokens := s.split(text)
	if r.Language == Unknown {
		a.pictures(&r, tokens)
		return r
	}
	a.embed(s, text, tokens, r.Language)
	a.polarity(&r, s, tokens)
	s.matches = a.rules[r.Language].find(tokens, s.matches[:0])
	a.weighRules(&r, s, tokens)
	a.themes(&r, s, tokens)
	return r
}

type detected struct {
	language Language
	share    float32
}

// detect tells a text's language; Unknown where too few of its letter groups are any's.
func (a *Analyzer) detect(s *scratch, text string) detected {
	l, p, known := s.detect(a.model.language, text)
	if s.latin >= minKnownLength && known < minKnown {
		return detected{Unknown, 0}
	}
	return detected{l, p}
}

// embed keeps the encoder's vector of a text, and its signs of writing, for the heads.
func (a *Analyzer) embed(s *scratch, text string, tokens []token, l Language) {
	if a.deep != nil {
		vector := a.deep.encoder.Embed(text)
		s.vector = append(append(s.vector[:0], vector[:]...), s.denseItems(tokens, l, a.words)...)
	}
}

// plainPictures are the emojis that customers send alone, and what they say then.
var plainPictures = map[string]int8{
	"😡": -80, "😠": -70, "🤬": -90, "👎": -70, "💩": -60, "😤": -50, "🤮": -80, "🤢": -60, "😢": -50, "😭": -40, "😞": -60, "😒": -50, "🙄": -45, "😩": -45,
	"💔": -60, "😕": -40, "🙁": -50, "☹": -50, "😣": -45, "😱": -30, "👍": 60, "❤": 80, "👏": 50, "😍": 80, "🥰": 80, "😊": 60, "🎉": 60, "💯": 60, "🤩": 70,
	"😁": 50, "😃": 60, "😀": 50, "🙂": 30, "👌": 50, "⭐": 40, "✅": 30, "❌": -30, "😐": 2, "🤷": 2,
}

// pictures reads a text that has nothing but emojis, or no language that is known.
func (a *Analyzer) pictures(r *Reading, tokens []token) {
	sum, n := 0, 0
	for _, t := range tokens {
		if t.kind == picture {
			v, ok := plainPictures[string(t.text)]
			if !ok {
				v = a.words.pictures[string(t.text)]
			}
			if v != 0 {
				sum += int(v)
				n++
			}
		}
	}
	if n == 0 {
		return
	}
	r.Unsure = true // a picture is often ironic
	switch mean := sum / n; {
	case mean > 15:
		r.Polarity, r.Shares = Positive, [polarities]float32{.15, .25, .6}
	case mean < -15:
		r.Polarity, r.Shares = Negative, [polarities]float32{.6, .25, .15}
	default:
		r.Polarity, r.Shares = Neutral, [polarities]float32{.2, .6, .2}
	}
	r.Confidence = r.Shares[r.Polarity]
}

func (a *Analyzer) polarity(r *Reading, s *scratch, tokens []token) {
	content := false
	for _, t := range tokens {
		content = content || t.kind == word || t.kind == tag || t.kind == picture
	}
	if !content {
		return
	}
	r.Shares = a.shares(s, tokens, r.Language)
	if a.deep != nil {
		r.Shares = a.deep.heads.polarityScores(r.Shares, s.vector)
		softmax(r.Shares[:])
	}
	r.settle(a.abstain())
}

// abstain is the confidence below which a person should look.
func (a *Analyzer) abstain() float32 {
	if a.deep != nil {
		return a.deep.heads.Head.Abstain
	}
	return a.model.Head.Abstain
}

// settle makes the polarity of the shares.
func (r *Reading) settle(limit float32) {
	r.Polarity = largestOf(r.Shares)
	r.Confidence = r.Shares[r.Polarity]
	r.Unsure = r.Confidence < limit
}

// shares are the chances of each polarity, as the model sees them.
func (a *Analyzer) shares(s *scratch, tokens []token, l Language) (out [polarities]float32) {
	dense := s.denseItems(tokens, l, a.words)
	a.model.polarity.scores(s.wordItems(tokens, l), dense, out[:])
	for c := range out {
		out[c] /= a.model.Head.Sharpness
	}
	softmax(out[:])
	return out
}

// Bounds of what is told of one text.
const (
	maxThemesTold  = 12
	maxThemesFound = 64 // before the surest are told
	maxClauses     = 12
)

func (a *Analyzer) themes(r *Reading, s *scratch, tokens []token) {
	tell := func(t ThemeReading) {
		for at := range r.Themes {
			if r.Themes[at].ID == t.ID {
				if t.Rule {
					r.Themes[at].Rule, r.Themes[at].Confidence = true, 1
				}
				return
			}
		}
		if len(r.Themes) < maxThemesFound {
			r.Themes = append(r.Themes, t)
		}
	}
	known, limits := a.themeScores(s, tokens, r.Language)
	var more []float32 // what corrections add
	if a.adjustment != nil && a.adjustment.themes != nil {
		more = make([]float32, len(a.adjustment.Head.Themes))
		if a.adjustment.themes.scores(s.themeItems(tokens, r.Language), nil, more) == 0 {
			more = nil
		}
	}
	found := make([]bool, len(more)) // by a label of the model
	for k, x := range s.scores {
		if known < 2 {
			break
		}
		if more != nil && a.adjustedLabel[k] > 0 {
			x += more[a.adjustedLabel[k]-1]
			found[a.adjustedLabel[k]-1] = true
		}
		if p := sigmoid(x); p >= limits[k] {
			if id, ok := a.themeOf(a.model.Head.Themes[k]); ok {
				tell(ThemeReading{ID: id, Confidence: p, Polarity: r.Polarity, label: k + 1})
			}
		}
	}
	for k, x := range more {
		if p := sigmoid(x + adjustedPrior); !found[k] && p >= adjustedFrom {
			tell(ThemeReading{ID: a.adjustment.Head.Themes[k], Confidence: p, Polarity: r.Polarity})
		}
	}
	ruled := len(s.matches)
	if a.tree != nil && a.tree.rules[r.Language] != nil {
		s.matches = a.tree.rules[r.Language].find(tokens, s.matches)
		for _, m := range s.matches[ruled:] {
			tell(ThemeReading{ID: a.tree.Themes[m.code].ID, Confidence: 1, Rule: true, Polarity: r.Polarity})
		}
	}
	if len(r.Themes) == 0 {
		return
	}
	a.perClause(r, s, tokens, s.matches[ruled:])
	slices.SortStableFunc(r.Themes, func(a, b ThemeReading) int { return cmp.Compare(b.Confidence, a.Confidence) })
	r.Themes = r.Themes[:min(len(r.Themes), maxThemesTold)]
}

// themeScores leaves the scores of the model's labels in the scratch space; it gives how many features of the text are known, and the chances from which on labels are told.
func (a *Analyzer) themeScores(s *scratch, tokens []token, l Language) (known int, limits []float32) {
	if a.model.themes == nil {
		return 0, nil
	}
	known, limits = a.model.themes.scores(s.themeItems(tokens, l), s.room, s.scores), a.model.Head.Thresholds
	if a.deep != nil && known > 0 {
		a.deep.heads.themeScores(s.scores, s.vector[:themeInputs])
		known, limits = max(known, 2), a.deep.heads.Head.Thresholds
	}
	return known, limits
}

// themeOf gives the theme that a label of the model is told as; false where the tree leaves it out.
func (a *Analyzer) themeOf(label string) (string, bool) {
	if a.tree == nil {
		return label, true
	}
	at, ok := a.tree.label[label]
	switch {
	case !ok:
		return label, !a.tree.Only
	case at < 0:
		return "", false
	}
	return a.tree.Themes[at].ID, true
}

// perClause gives each theme the polarity of the clause that speaks of it most.
func (a *Analyzer) perClause(r *Reading, s *scratch, tokens []token, ruled []match) {
	var clauses [maxClauses][2]int
	n := 0
	from := 0
	for i := range tokens {
		contrast := tokens[i].kind == word && contrasts[r.Language][string(tokens[i].text)]
		if (tokens[i].edge || contrast) && n < maxClauses-1 {
			if i-from >= 2 {
				clauses[n] = [2]int{from, i}
				n++
				from = i + 1
			}
		}
	}
	if len(tokens)-from >= 2 && n < maxClauses {
		clauses[n] = [2]int{from, len(tokens)}
		n++
	}
	if n < 2 {
		return
	}
	// Where all clauses feel alike it does not matter which of them speaks of a theme.
	var felt [maxClauses]Polarity
	alike := true
	for i, c := range clauses[:n] {
		felt[i] = largestOf(a.shares(s, tokens[c[0]:c[1]], r.Language))
		alike = alike && felt[i] == felt[0]
	}
	if alike {
		for i := range r.Themes {
			r.Themes[i].Polarity = felt[0]
		}
		return
	}
	best, modelled := make([]float32, len(r.Themes)), false
	for i := range best {
		best[i] = -1e9
		modelled = modelled || r.Themes[i].label > 0
	}
	for at, c := range clauses[:n] {
		part, polarity := tokens[c[0]:c[1]], felt[at]
		if modelled {
			a.model.themes.scores(s.themeItems(part, r.Language), s.room, s.scores)
		}
		for i := range r.Themes {
			t := &r.Themes[i]
			score := float32(-1e8)
			if t.label > 0 {
				score = s.scores[t.label-1]
			}
			if t.Rule {
				for _, m := range ruled {
					if a.tree.Themes[m.code].ID == t.ID && m.from >= c[0] && m.from < c[1] {
						score = 1e6
					}
				}
			}
			if score > best[i] {
				best[i], t.Polarity = score, polarity
			}
		}
	}
}
