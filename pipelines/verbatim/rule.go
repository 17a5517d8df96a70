package verbatim

import (
	"bytes"
	"embed"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/dossier-cdp/dossier/schema"
)

// Rules find phrases. A file of rules has a line per code or more:
//
//	code: phrase, phrase, …
//
// A phrase is words in folded form (lower case, without accents, apostrophes part words). A word may be alternatives in brackets (pas|plus), end
// in * for any ending, be followed by ? if it may be missing, be # for a number, or be ~N for up to N words of any kind. A phrase stays within
// one sentence. A line whose code begins with ! lists phrases whose words do not count for that code. # at the head of a line is a comment.

// Bounds of a file of rules.
const (
	maxPhrases     = 20000
	maxPhraseWords = 16
	maxGap         = 8
)

// element is one word of a phrase.
type element struct {
	words    []string // any of them
	begins   []string // or a word that begins so
	number   bool
	gap      int // words of any kind, up to so many; nothing else is set then
	optional bool
}

type phrase struct {
	code     int
	not      bool
	elements []element
}

// ruleSet is compiled rules: phrases by their first word.
type ruleSet struct {
	codes   []string
	byWord  map[string][]*phrase
	byStart map[string][]*phrase // the first three letters of a word that may end in anything
	numbers []*phrase
}

// startLetters is the length of the heads that phrases with an open first word are found by.
const startLetters = 3

// compileRules reads rules. An error names the line.
func compileRules(text string) (*ruleSet, error) {
	set := &ruleSet{byWord: map[string][]*phrase{}, byStart: map[string][]*phrase{}}
	number := map[string]int{}
	count := 0
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		code, list, ok := strings.Cut(line, ":")
		if !ok {
			return nil, ruleFault(n+1, "want code: phrase, phrase")
		}
		code = strings.TrimSpace(code)
		not := strings.HasPrefix(code, "!")
		code = strings.TrimPrefix(code, "!")
		if code == "" {
			return nil, ruleFault(n+1, "the code is missing")
		}
		at, ok := number[code]
		if !ok {
			at = len(set.codes)
			number[code] = at
			set.codes = append(set.codes, code)
		}
		for _, p := range strings.Split(list, ",") {
			if p = strings.TrimSpace(p); p == "" {
				continue
			}
			if count++; count > maxPhrases {
				return nil, ruleFault(n+1, fmt.Sprintf("more than %d phrases", maxPhrases))
			}
			compiled, err := compilePhrase(p)
			if err != nil {
				return nil, ruleFault(n+1, err.Error())
			}
			compiled.code, compiled.not = at, not
			set.add(compiled)
		}
	}
	return set, nil
}

func ruleFault(line int, reason string) error {
	return schema.Refuse("rules_invalid", fmt.Sprintf("line %d of the rules: %s", line, reason), "see the head of the rules that ship for how phrases are written")
}

func compilePhrase(text string) (*phrase, error) {
	p := &phrase{}
	for _, w := range strings.Fields(text) {
		var e element
		if w != "?" && strings.HasSuffix(w, "?") {
			e.optional = true
			w = w[:len(w)-1]
		}
		switch {
		case w[0] == '~':
			if len(w) != 2 || w[1] < '1' || w[1] > '0'+maxGap {
				return nil, fmt.Errorf("%q: want ~1 to ~%d", w, maxGap)
			}
			e = element{gap: int(w[1] - '0')}
		case w == "#":
			e.number = true
		default:
			w = strings.TrimSuffix(strings.TrimPrefix(w, "("), ")")
			for _, a := range strings.Split(w, "|") {
				a = foldWord(a)
				switch {
				case a == "" || a == "*":
					return nil, fmt.Errorf("%q has an empty word", text)
				case strings.HasSuffix(a, "*"):
					if a = strings.TrimSuffix(a, "*"); len(a) < startLetters {
						return nil, fmt.Errorf("%q: at least %d letters stand before *", text, startLetters)
					}
					e.begins = append(e.begins, a)
				default:
					e.words = append(e.words, a)
				}
			}
		}
		p.elements = append(p.elements, e)
	}
	if len(p.elements) == 0 || len(p.elements) > maxPhraseWords {
		return nil, fmt.Errorf("%q has %d words: 1 to %d are possible", text, len(p.elements), maxPhraseWords)
	}
	if first := p.elements[0]; first.gap > 0 || first.optional || p.elements[len(p.elements)-1].gap > 0 {
		return nil, fmt.Errorf("%q: the first word must be there, and ~ cannot be the last", text)
	}
	return p, nil
}

func foldWord(w string) string {
	var b []byte
	for _, r := range w {
		b = appendFolded(b, r)
	}
	return string(b)
}

func (set *ruleSet) add(p *phrase) {
	first := p.elements[0]
	for _, w := range first.words {
		set.byWord[w] = append(set.byWord[w], p)
	}
	for _, w := range first.begins {
		set.byStart[w[:startLetters]] = append(set.byStart[w[:startLetters]], p)
	}
	if first.number {
		set.numbers = append(set.numbers, p)
	}
}

// match is where a phrase was found: tokens from and up to.
type match struct {
	code     int
	from, to int
	not      bool
}

// find adds what is found in the tokens. Its work is bounded by their number: a phrase is tried at its first word only, in a bounded number of steps.
func (set *ruleSet) find(tokens []token, out []match) []match {
	first := len(out)
	for i := range tokens {
		t := &tokens[i]
		for _, p := range set.byWord[string(t.text)] {
			out = p.match(tokens, i, out)
		}
		if t.kind == number {
			for _, p := range set.numbers {
				out = p.match(tokens, i, out)
			}
		}
		if len(t.text) >= startLetters {
			for _, p := range set.byStart[string(t.text[:startLetters])] {
				if begins(p.elements[0].begins, t.text) {
					out = p.match(tokens, i, out)
				}
			}
		}
	}
	// What a rule excepts does not count.
	kept := first
	for i := first; i < len(out); i++ {
		excepted := out[i].not
		for j := first; j < len(out) && !excepted; j++ {
			excepted = out[j].not && out[j].code == out[i].code && out[i].from < out[j].to && out[j].from < out[i].to
		}
		if !excepted {
			out[kept], out[i] = out[i], out[kept]
			kept++
		}
	}
	out = out[:kept]
	sort.SliceStable(out[first:], func(i, j int) bool { return out[first+i].from < out[first+j].from })
	return out
}

// maxMatches bounds what is kept of one text.
const maxMatches = 200

func (p *phrase) match(tokens []token, at int, out []match) []match {
	if len(out) >= maxMatches {
		return out
	}
	steps := 0
	if end := p.rest(tokens, at+1, 1, &steps); end > 0 {
		out = append(out, match{p.code, at, end, p.not})
	}
	return out
}

// rest matches the elements from e on; it gives the place after the last word, or 0.
func (p *phrase) rest(tokens []token, at, e int, steps *int) int {
	if e == len(p.elements) {
		return at
	}
	if *steps++; *steps > 200 {
		return 0
	}
	el := &p.elements[e]
	if el.gap > 0 {
		for n := 0; n <= el.gap && at+n < len(tokens); n++ {
			if end := p.rest(tokens, at+n, e+1, steps); end > 0 {
				return end
			}
			if tokens[at+n].edge {
				return 0
			}
		}
		return 0
	}
	if at < len(tokens) && el.fits(&tokens[at]) {
		if end := p.rest(tokens, at+1, e+1, steps); end > 0 {
			return end
		}
	}
	if el.optional {
		return p.rest(tokens, at, e+1, steps)
	}
	return 0
}

func (el *element) fits(t *token) bool {
	if el.number {
		return t.kind == number
	}
	for _, w := range el.words {
		if string(t.text) == w {
			return true
		}
	}
	return begins(el.begins, t.text)
}

func begins(heads []string, w []byte) bool {
	for _, h := range heads {
		if len(w) >= len(h) && string(w[:len(h)]) == h {
			return true
		}
	}
	return false
}

// words gives what was found as it is told to people: the folded words, joined by blanks.
func (m match) words(tokens []token) string {
	var b bytes.Buffer
	for _, t := range tokens[m.from:m.to] {
		if t.kind == handle || t.kind == link {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.Write(t.text)
	}
	return b.String()
}

//go:embed rules/*.txt
var ruleFiles embed.FS

// shippedRules are the rules of each language.
var shippedRules = sync.OnceValue(func() [languages]*ruleSet {
	var out [languages]*ruleSet
	for l := range out {
		text, err := ruleFiles.ReadFile("rules/" + languageCodes[l] + ".txt")
		if err != nil {
			panic("verbatim: " + err.Error()) // a build without them is no build
		}
		if out[l], err = compileRules(string(text)); err != nil {
			panic("verbatim: rules of " + languageCodes[l] + ": " + err.Error())
		}
	}
	return out
})
