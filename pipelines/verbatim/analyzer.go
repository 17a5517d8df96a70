package verbatim

import (
	"sort"
	"sync"
)

// Analyzer reads texts by a model and a tree of themes. It may be used by many goroutines at once.
type Analyzer struct {
	model *Model
	tree  *Tree
	words *lexicon
	rules [languages]*ruleSet
	codes [languages][]ruleCode
	space sync.Pool
}

// New makes an analyzer. Without a tree the themes are the model's labels.
func New(m *Model, tree *Tree) *Analyzer {
	a := &Analyzer{model: m, tree: tree, words: readLexicon(), rules: shippedRules()}
	for l, set := range a.rules {
		for _, code := range set.codes {
			a.codes[l] = append(a.codes[l], ruleCodes[code])
		}
	}
	a.space.New = func() any {
		return &scratch{room: make([]float32, max(1, m.Head.Hidden)), scores: make([]float32, len(m.Head.Themes))}
	}
	return a
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
	r := Reading{Model: a.model.version, Polarity: Abstained, Language: hint, LanguageConfidence: 1}
	text, r.Truncated = bounded(text)
	text = ownWords(text)
	if int(hint) >= languages {
		var known float32
		r.Language, r.LanguageConfidence, known = s.detect(a.model.language, text)
		if s.latin >= minKnownLength && known < minKnown {
			r.Language, r.LanguageConfidence = Unknown, 0
		}
	}
	tokens := s.split(text)
	if r.Language == Unknown {
		a.pictures(&r, tokens)
		return r
	}
	a.polarity(&r, s, tokens)
	s.matches = a.rules[r.Language].find(tokens, s.matches[:0])
	a.weighRules(&r, s, tokens)
	a.themes(&r, s, tokens)
	return r
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
	r.settle(a.model.Head.Abstain)
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
	maxThemesTold = 12
	maxClauses    = 12
)

func (a *Analyzer) themes(r *Reading, s *scratch, tokens []token) {
	told := map[string]int{}
	tell := func(t ThemeReading) {
		if at, ok := told[t.ID]; ok {
			if t.Rule {
				r.Themes[at].Rule, r.Themes[at].Confidence = true, 1
			}
			return
		}
		told[t.ID] = len(r.Themes)
		r.Themes = append(r.Themes, t)
	}
	labels := a.model.Head.Themes
	if a.model.themes != nil {
		known := a.model.themes.scores(s.themeItems(tokens, r.Language), s.room, s.scores)
		for k, x := range s.scores {
			if known < 2 {
				break
			}
			if p := sigmoid(x); p >= a.model.Head.Thresholds[k] {
				id := labels[k]
				if a.tree != nil {
					if at, ok := a.tree.label[id]; ok {
						if at < 0 {
							continue
						}
						id = a.tree.Themes[at].ID
					} else if a.tree.Only {
						continue
					}
				}
				tell(ThemeReading{ID: id, Confidence: p, Polarity: r.Polarity, label: k + 1})
			}
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
	sort.SliceStable(r.Themes, func(i, j int) bool { return r.Themes[i].Confidence > r.Themes[j].Confidence })
	r.Themes = r.Themes[:min(len(r.Themes), maxThemesTold)]
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
	best := make([]float32, len(r.Themes))
	for i := range best {
		best[i] = -1e9
	}
	for _, c := range clauses[:n] {
		part := tokens[c[0]:c[1]]
		shares := a.shares(s, part, r.Language)
		polarity := largestOf(shares)
		if a.model.themes != nil {
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
