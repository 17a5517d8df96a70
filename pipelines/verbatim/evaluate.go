package verbatim

import (
	"runtime"
	"slices"
	"sort"
	"sync"
	"unicode/utf8"
)

// Evaluation says how texts are read whose truth is known.
type Evaluation struct {
	Model     string               `json:"model"`
	Texts     int                  `json:"texts"`
	Detection []DetectionFigure    `json:"detection,omitempty"` // by length, where languages are known
	Languages []LanguageEvaluation `json:"languages"`           // by code
	Themes    []ThemeEvaluation    `json:"themes,omitempty"`    // the commonest first
}

// DetectionFigure is how often the language was found out.
type DetectionFigure struct {
	Length string  `json:"length"` // under 25 characters, or longer
	N      int     `json:"n"`
	Right  float64 `json:"right"`
}

// LanguageEvaluation is how texts of one language are read. Texts without any opinion (none) are neutral; mixed ones are not measured.
type LanguageEvaluation struct {
	Language       string        `json:"language"`
	N              int           `json:"n"` // texts with a polarity
	Abstained      int           `json:"abstained"`
	Accuracy       float64       `json:"accuracy"`
	MacroF1        float64       `json:"macroF1"`
	PolarN         int           `json:"polarN"` // that people called positive or negative
	PolarAccuracy  float64       `json:"polarAccuracy"`
	NegativeN      int           `json:"negativeN"`
	NegativeRecall float64       `json:"negativeRecall"`
	NeutralN       int           `json:"neutralN"`
	NeutralF1      float64       `json:"neutralF1"`
	Curve          []CurveFigure `json:"curve,omitempty"`
	ThemeN         int           `json:"themeN"` // themes that people gave, of those that can be told
	ThemeMicroF1   float64       `json:"themeMicroF1"`

	Confusion Confusion `json:"confusion"`
}

// CurveFigure is how often polarity is right where the surest texts alone get one: the others are left to people.
type CurveFigure struct {
	Share      float64 `json:"share"`      // of the texts, the surest
	Confidence float64 `json:"confidence"` // from which on
	Accuracy   float64 `json:"accuracy"`   // of all of them
	Polar      float64 `json:"polar"`      // of the surest texts among those that people called positive or negative
}

// ThemeEvaluation is how one theme is found.
type ThemeEvaluation struct {
	Theme     string  `json:"theme"`
	N         int     `json:"n"` // texts that people gave it
	Given     int     `json:"given"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// curveShares are the shares of texts that an abstention curve is told at.
var curveShares = []int{100, 90, 80, 70, 60, 50}

// shortText is the number of characters below which a text's language is told apart as of a short one.
const shortText = 25

type evaluated struct {
	detected Language
	reading  Reading
}

// Evaluate reads labelled texts and says how far it is right. A language that people stated is believed. Themes count where they are named by people anywhere and can be told.
func Evaluate(a *Analyzer, texts []Labelled) *Evaluation {
	read := make([]evaluated, len(texts))
	var wait sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wait.Go(func() {
			for i := w; i < len(texts); i += workers {
				read[i] = evaluated{a.Detect(texts[i].Text), a.Read(texts[i].Text, texts[i].Language)}
			}
		})
	}
	wait.Wait()
	out := &Evaluation{Model: a.Version(), Texts: len(texts)}
	out.detection(texts, read)
	tellable := a.tellable()
	themed := map[string]bool{}
	for _, t := range texts {
		themed[t.Group] = themed[t.Group] || len(t.Themes) > 0
	}
	themes := map[string]*Counts{}
	byLanguage := map[string]*LanguageEvaluation{}
	answers := map[string][]answer{}
	counts := map[string]*Counts{}
	for i, t := range texts {
		r := &read[i].reading
		code := t.Language.String()
		if int(t.Language) >= languages {
			code = r.Language.String()
		}
		l := byLanguage[code]
		if l == nil {
			l = &LanguageEvaluation{Language: code}
			byLanguage[code], counts[code] = l, &Counts{}
		}
		if class, ok := t.Polarity.Class(); ok {
			if r.Polarity == Abstained {
				l.Abstained++
			} else {
				l.Confusion[class][r.Polarity]++
				answers[code] = append(answers[code], answer{r.Confidence, class, r.Polarity == class})
			}
		}
		if themed[t.Group] {
			countThemes(t.Themes, r, tellable, themes, counts[code])
		}
	}
	for code, l := range byLanguage {
		l.settle(answers[code], counts[code])
		out.Languages = append(out.Languages, *l)
	}
	slices.SortFunc(out.Languages, func(a, b LanguageEvaluation) int { return compare(a.Language, b.Language) })
	for id, c := range themes {
		out.Themes = append(out.Themes, ThemeEvaluation{id, c.Real, c.Given, share(c.Hits, c.Given), share(c.Hits, c.Real), c.F1()})
	}
	sort.Slice(out.Themes, func(i, j int) bool {
		if out.Themes[i].N != out.Themes[j].N {
			return out.Themes[i].N > out.Themes[j].N
		}
		return out.Themes[i].Theme < out.Themes[j].Theme
	})
	return out
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// answer is one text's polarity: how sure, what people say, and whether it was right.
type answer struct {
	sure  float32
	truth Polarity
	right bool
}

func (l *LanguageEvaluation) settle(answers []answer, themes *Counts) {
	c := &l.Confusion
	row := func(p Polarity) int { return c[p][Negative] + c[p][Neutral] + c[p][Positive] }
	l.N, l.Accuracy, l.MacroF1 = c.N(), c.Accuracy(), c.MacroF1()
	l.NegativeN, l.NeutralN, l.PolarN = row(Negative), row(Neutral), row(Negative)+row(Positive)
	l.PolarAccuracy, l.NegativeRecall, l.NeutralF1 = c.PolarAccuracy(), c.Recall(Negative), c.F1(Neutral)
	l.ThemeN, l.ThemeMicroF1 = themes.Real, themes.F1()
	slices.SortStableFunc(answers, func(a, b answer) int {
		switch {
		case a.sure > b.sure:
			return -1
		case a.sure < b.sure:
			return 1
		}
		return 0
	})
	var polar []answer
	for _, a := range answers {
		if a.truth != Neutral {
			polar = append(polar, a)
		}
	}
	right := func(list []answer) int {
		n := 0
		for _, a := range list {
			if a.right {
				n++
			}
		}
		return n
	}
	for _, part := range curveShares {
		all, some := answers[:len(answers)*part/100], polar[:len(polar)*part/100]
		if len(all) == 0 {
			break
		}
		l.Curve = append(l.Curve, CurveFigure{float64(part) / 100, float64(all[len(all)-1].sure), share(right(all), len(all)), share(right(some), len(some))})
	}
}

// tellable are the themes that a reading can have.
func (a *Analyzer) tellable() map[string]bool {
	ids := map[string]bool{}
	for _, label := range a.model.Head.Themes {
		if id, ok := a.themeOf(label); ok {
			ids[id] = true
		}
	}
	if a.tree != nil {
		for _, t := range a.tree.Themes {
			ids[t.ID] = true
		}
	}
	return ids
}

func countThemes(real []string, r *Reading, tellable map[string]bool, themes map[string]*Counts, all *Counts) {
	of := func(id string) *Counts {
		if themes[id] == nil {
			themes[id] = &Counts{}
		}
		return themes[id]
	}
	for _, id := range real {
		if tellable[id] {
			of(id).Real++
			all.Real++
		}
	}
	for _, t := range r.Themes {
		of(t.ID).Given++
		all.Given++
		if slices.Contains(real, t.ID) {
			of(t.ID).Hits++
			all.Hits++
		}
	}
}

func (e *Evaluation) detection(texts []Labelled, read []evaluated) {
	figures := []DetectionFigure{{Length: "under 25 characters"}, {Length: "longer"}}
	right := make([]int, len(figures))
	for i, t := range texts {
		if int(t.Language) >= languages {
			continue
		}
		at := 1
		if utf8.RuneCountInString(t.Text) < shortText {
			at = 0
		}
		figures[at].N++
		if read[i].detected == t.Language {
			right[at]++
		}
	}
	for at := range figures {
		if figures[at].Right = share(right[at], figures[at].N); figures[at].N > 0 {
			e.Detection = append(e.Detection, figures[at])
		}
	}
}

// Language gives the figures of a language, empty ones if there are none.
func (e *Evaluation) Language(l Language) LanguageEvaluation {
	for _, x := range e.Languages {
		if x.Language == l.String() {
			return x
		}
	}
	return LanguageEvaluation{Language: l.String()}
}

// Detect finds out a text's language as Read does where nobody says it.
func (a *Analyzer) Detect(text string) Language {
	s := a.space.Get().(*scratch)
	defer a.space.Put(s)
	text, _ = bounded(text)
	return a.detect(s, ownWords(text)).language
}
