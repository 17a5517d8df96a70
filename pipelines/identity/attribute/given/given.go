// Package given knows given names: which words are some, whose they are, how common, which are nicknames or foreign forms of which, and which
// known name a misspelt word stands for.
//
// Words are in the form of package script. The lists (see NOTICE) are read at the first question, into about 2 MB; everything is a pure
// function of them.
package given

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"strings"
	"sync"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/script"
)

// Gender is whose a name is, or what a persona said or what its civility says. Unknown is the zero value.
type Gender uint8

// The genders. For a name, Both is one that women and men bear.
const (
	Female Gender = 1
	Male   Gender = 2
	Both   Gender = 3
	Other  Gender = 4
)

func (g Gender) String() string {
	return [...]string{"unknown", "female", "male", "both", "other"}[min(g, Other)]
}

// Entry is what is known of a name.
type Entry struct {
	Gender Gender // whose it mostly is (four to one by rank), Both, or 0
	// French and English are classes of rank by frequency among the names of one gender in France and in the United States: class 1
	// is the most frequent name, class n+1 the ranks from 2^n to 2^(n+1)−1; 0 is a name without rank there.
	French, English uint8
}

// Class is the smaller rank class of the two countries, Unranked if it has none: 1 is commonest, Common and less are names that everybody
// knows.
func (e Entry) Class() uint8 {
	c := uint8(Unranked)
	if e.French > 0 {
		c = e.French
	}
	if e.English > 0 {
		c = min(c, e.English)
	}
	return c
}

// Marks on the scale of classes.
const (
	Common   = 9  // up to rank 511
	Unranked = 15 // known, but without a rank
)

//go:embed names.txt.gz
var names []byte

//go:embed nicknames_de.txt
var nicknamesDE string

//go:embed nicknames_en.txt
var nicknamesEN string

//go:embed nicknames_es.txt
var nicknamesES string

//go:embed nicknames_fr.txt
var nicknamesFR string

//go:embed nicknames_it.txt
var nicknamesIT string

//go:embed nicknames_nl.txt
var nicknamesNL string

//go:embed nicknames_pt.txt
var nicknamesPT string

//go:embed equivalents.txt
var equivalents string

// entries holds every known name; compound names have their words parted by a blank.
var entries = sync.OnceValue(func() map[string]Entry {
	r, err := gzip.NewReader(bytes.NewReader(names))
	if err != nil {
		panic("given: embedded list: " + err.Error())
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		panic("given: embedded list: " + err.Error())
	}
	text := strings.ReplaceAll(string(raw), "-", " ")
	m := make(map[string]Entry, 18000)
	for line := range strings.Lines(text) {
		// A name, a blank, the letter of its gender, the letters of its French and English class.
		line = strings.TrimSuffix(line, "\n")
		at := len(line) - 4
		e := Entry{French: line[at+2] - 'a', English: line[at+3] - 'a'}
		switch line[at+1] {
		case 'f':
			e.Gender = Female
		case 'm':
			e.Gender = Male
		case 'b':
			e.Gender = Both
		}
		m[line[:at]] = e
	}
	return m
})

// Find gives what is known of a name, and whether it is known at all. A compound name is asked for with a blank between its words.
func Find(word string) (Entry, bool) {
	e, ok := entries()[word]
	return e, ok
}

// Known says whether a word is a known given name, or each of its words is.
func Known(word string) bool {
	if _, ok := entries()[word]; ok {
		return true
	}
	if !strings.Contains(word, " ") {
		return false
	}
	for part := range strings.SplitSeq(word, " ") {
		if _, ok := entries()[part]; !ok {
			return false
		}
	}
	return true
}

// Relation says how two different given names can be one person's.
type Relation uint8

// The relations, weakest first.
const (
	Unrelated Relation = iota
	Sibling            // two nicknames of one name (Liz and Beth), or forms of one name that are both common in France (José and Joseph)
	Nickname           // a name and its nickname: Robert and Bob
	Variant            // forms of one name in several languages or spellings: Giuseppe and Joseph, Mathieu and Matthieu
)

func (r Relation) String() string {
	return [...]string{"unrelated", "sibling", "nickname", "variant"}[min(r, Variant)]
}

// membership is a line of a list that a name stands in: as its head, as one of several heads (a variant), or as a nickname.
type membership struct {
	line uint16
	role Relation
}

const head Relation = 10

var memberships = sync.OnceValue(func() map[string][]membership {
	m := map[string][]membership{}
	line := uint16(0)
	put := func(word string, role Relation) {
		word = script.Fold(word)
		for _, have := range m[word] {
			if have.line == line {
				return
			}
		}
		m[word] = append(m[word], membership{line, role})
	}
	for _, list := range []string{nicknamesFR, nicknamesEN, nicknamesDE, nicknamesES, nicknamesIT, nicknamesNL, nicknamesPT} {
		for text := range strings.Lines(list) {
			for i, word := range strings.Fields(text) {
				if i == 0 {
					put(word, head)
				} else {
					put(word, Nickname)
				}
			}
			line++
		}
	}
	for text := range strings.Lines(equivalents) {
		for word := range strings.FieldsSeq(text) {
			put(word, Variant)
		}
		line++
	}
	return m
})

// Related finds the closest relation of two names. It is symmetric; a name is unrelated to itself.
func Related(a, b string) Relation {
	if a == b {
		return Unrelated
	}
	r := listed(a, b)
	if r == Variant && commonInFrance(a) && commonInFrance(b) {
		return Sibling
	}
	return r
}

// commonInFrance says whether a name is borne by many there, in its own right.
func commonInFrance(word string) bool {
	e := entries()[word]
	return e.French > 0 && e.French <= Common
}

func listed(a, b string) Relation {
	as, bs := memberships()[a], memberships()[b]
	closest := Unrelated
	for len(as) > 0 && len(bs) > 0 {
		switch {
		case as[0].line < bs[0].line:
			as = as[1:]
		case as[0].line > bs[0].line:
			bs = bs[1:]
		default:
			r := Nickname
			switch {
			case as[0].role == Variant:
				r = Variant
			case as[0].role == Nickname && bs[0].role == Nickname:
				r = Sibling
			}
			closest = max(closest, r)
			as, bs = as[1:], bs[1:]
		}
	}
	return closest
}
