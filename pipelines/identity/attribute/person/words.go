package person

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/given"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/script"
)

// The bounds of one field: of a longer one the beginning is read, of longer words too, and of more words the first ones.
const (
	longestField = 512
	longestWord  = 40
	mostWords    = 16
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// The words that are more, or less, than names: common knowledge of the languages that this package reads, written for this project.
var (
	// particles go before a family name and are part of it.
	particles = set("de da du des dos do das del della dello degli di d le la les l van von der den dem het ten ter te vander vanden zu zum zur af av el al ben bin bint ibn ould ait bou abou abu saint sainte st ste san santa")
	// opening are the particles with which a full name in one field may start, family name first; the others start given names as well.
	opening = set("de du des van von le la les der den di da del della el ould ait bou saint sainte")
	// titles are no part of a name beside other words.
	titles = map[string]given.Gender{}
	// ranks are titles after an ordinal, after a comma and before "of" ("3rd Earl of Ely"); elsewhere they are names.
	ranks = set("baron duke earl count king queen prince princess marquis comte duc knight bishop pope major general admiral saint lord lady dame")
	// joints stand between names.
	joints = set("of the and et und")
	// birth words go before the name at birth, marriage words before the name by marriage.
	birth    = set("nee born geb geborene geboren nata nascida nacida")
	marriage = set("epouse ep epse veuve vve spouse")
	alias    = set("dit dite alias aka genannt")
	suffixes = map[string]string{"jr": "jr", "junior": "jr", "jnr": "jr", "fils": "jr", "sr": "sr", "senior": "sr", "snr": "sr", "pere": "sr", "ii": "2", "iii": "3", "iv": "4"}
)

func init() {
	for gender, words := range map[given.Gender]string{
		given.Female: "mme mlle melle mle mrs ms miss madame mademoiselle mesdames frau fraulein senora srta sra signora signorina senhora mevr mevrouw sra baroness duchess marchioness viscountess countess comtesse vicomtesse duchesse princesse",
		given.Male:   "m mr mister monsieur messieurs herr senor signor senhor dhr meneer sir mm viscount vicomte marquess baronet",
		0:            "mx dr pr prof docteur professeur rev revd reverend maitre hon rt honourable capt col lt sgt cdt adm bt bart kbe cbe obe mbe kcb cb phd md frs esq esquire archbishop dowager",
	} {
		for w := range strings.FieldsSeq(words) {
			titles[w] = gender
		}
	}
}

// word is one word of a name in folded form.
type word struct {
	text    string
	capital bool // in capitals, two letters at least
	hyphen  bool // joined to the word before by a hyphen
	ordinal bool // "2nd", "19th"
}

// sentence is a field cut into words.
type sentence struct {
	words [mostWords]word
	n     int
}

// cut reads the words of a text. What has no letter is left out.
func (t *sentence) cut(s string) {
	if len(s) > longestField {
		end := longestField
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	for t.n < mostWords {
		start := strings.IndexFunc(s, letterOrDigit)
		if start < 0 {
			return
		}
		s = s[start:]
		end := strings.IndexFunc(s, parts)
		if end < 0 {
			end = len(s)
		}
		t.add(s[:end])
		s = s[end:]
	}
}

func letterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// parts says whether a character parts words for good. Hyphens and points do so only within a word.
func parts(r rune) bool {
	return unicode.IsSpace(r) || r < utf8.RuneSelf && strings.IndexByte(",;()[]{}<>\"/&|_+*=:!?#", byte(r)) >= 0 || r == '«' || r == '»' || r == '“' || r == '”'
}

// add adds a word as written: hyphens and points within it part it.
func (t *sentence) add(raw string) {
	capital := inCapitals(raw)
	hyphened := strings.ContainsAny(raw, "-‐‑–") || strings.Count(raw, ".") > 1 // J.P. is J.-P.
	folded := script.Fold(raw)
	first := true
	for text := range strings.SplitSeq(folded, " ") {
		if t.n == mostWords {
			return
		}
		w := word{text: text, hyphen: hyphened && !first}
		if w.ordinal = text == folded && isOrdinal(text); !w.ordinal {
			w.text = trim(text)
		}
		w.capital = capital && len(w.text) > 1 && !compact(w.text)
		if w.text != "" {
			t.words[t.n] = w
			t.n++
			first = false
		}
	}
}

// trim takes digits off both ends of a word, which are no part of a name, and leaves those within, which are slips of the hand.
func trim(text string) string {
	text = strings.Trim(text, "0123456789")
	if len(text) > longestWord {
		end := longestWord
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = strings.TrimRight(text[:end], "0123456789")
	}
	return text
}

func isOrdinal(text string) bool {
	switch strings.TrimLeft(text, "0123456789") {
	case "st", "nd", "rd", "th", "e", "er", "eme":
		return text[0] >= '0' && text[0] <= '9'
	}
	return false
}

func inCapitals(raw string) bool {
	capitals := 0
	for _, r := range raw {
		switch {
		case unicode.IsUpper(r):
			capitals++
		case unicode.IsLetter(r):
			return false
		}
	}
	return capitals > 1
}

// join joins the words that pick names, in their order.
func join(words []word) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0].text
	}
	var b strings.Builder
	for i := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(words[i].text)
	}
	return b.String()
}
