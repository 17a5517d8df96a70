package match

import (
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
)

// comparison says how two values of a field are compared: which levels there are, what is made of a value once, and which level two
// values reach. Every level function is symmetric.
type comparison struct {
	levels []string
	make   func(w *weights, value string) any
	level  func(w *weights, a, b any) verdict
	cheap  bool // to compare costs no more than to remember
}

var comparisons = map[string]comparison{
	"name":     {levels: []string{"name"}},
	"date":     {levels: dateLevels, make: makeDate, level: dateLevel},
	"mailbox":  {levels: mailboxLevels, make: makeMailbox, level: mailboxLevel},
	"key":      {levels: []string{"same", "typo", "different"}, make: makeTerm, level: keyLevel},
	"id":       {levels: []string{"same", "different"}, make: makeTerm, level: idLevel, cheap: true},
	"term":     {levels: []string{"same", "different"}, make: makeTerm, level: termLevel, cheap: true},
	"word":     {levels: []string{"same", "typo", "garbled", "different"}, make: makeWord, level: wordLevel},
	"postcode": {levels: []string{"same", "typo", "outward", "area", "different"}, make: makePostcode, level: postcodeLevel},
	"address":  {levels: addressLevels, make: makeAddress, level: addressLevel},
	"calling":  {levels: []string{"same", "different"}, make: makeCalling, level: callingLevel},
}

type term struct {
	value     string
	frequency Bits
}

func makeTerm(w *weights, value string) any { return &term{value, w.of(value)} }

// written is a word of which nearly the same ones are told from others.
type written struct {
	spelling
	frequency Bits
}

func makeWord(w *weights, value string) any { return &written{spell(value), w.of(value)} }

func idLevel(w *weights, a, b any) verdict {
	if a == b {
		return w.verdict(0, 0, true)
	}
	return w.verdict(1, 0, true)
}

func keyLevel(w *weights, a, b any) verdict {
	if a == b {
		return w.verdict(0, 0, true)
	}
	if distance(a.(*term).value, b.(*term).value, 1) <= 1 {
		return w.verdict(1, 0, true)
	}
	return w.verdict(2, 0, true)
}

func termLevel(w *weights, a, b any) verdict {
	if a == b {
		return w.verdict(0, a.(*term).frequency, !w.tf)
	}
	return w.verdict(1, 0, true)
}

// The chance that strangers agree nearly grows with how common the commoner value is.
const (
	typoNeighbours    = 585 * bit / 1000 // log2 1.5
	partNeighbours    = 1 * bit          // log2 2
	garbledNeighbours = 3 * bit          // log2 8
	wordNeighbours    = 2 * bit          // log2 4
	crossNeighbours   = 2 * bit          // log2 4
	half              = -1 * bit
)

func wordLevel(w *weights, a, b any) verdict {
	x, y := a.(*written), b.(*written)
	if a == b {
		return w.verdict(0, x.frequency, !w.tf)
	}
	common := max(x.frequency, y.frequency)
	switch slipOf(&x.spelling, &y.spelling) {
	case typo:
		return w.verdict(1, common+typoNeighbours, !w.tf)
	case garbled:
		return w.verdict(2, min(half, common+wordNeighbours), !w.tf)
	}
	return w.verdict(3, 0, true)
}

var mailboxLevels = []string{"same", "local_part", "typo", "local_part_typo", "different"}

type mailbox struct {
	value, local, plain string
}

func makeMailbox(_ *weights, value string) any {
	local, _, _ := strings.Cut(value, "@")
	return &mailbox{value: value, local: local, plain: strings.ReplaceAll(squeeze(value), ".", "")}
}

func mailboxLevel(w *weights, a, b any) verdict {
	if a == b {
		return w.verdict(0, 0, true)
	}
	x, y := a.(*mailbox), b.(*mailbox)
	switch {
	case x.local == y.local && len(x.local) >= 5:
		return w.verdict(1, 0, true)
	case distance(x.value, y.value, 3) <= 2 || likeness(x.value, y.value) >= 950 ||
		len(x.value) > 12 && len(y.value) > 12 && distance(x.plain, y.plain, 3) <= 3:
		return w.verdict(2, 0, true)
	case len(x.local) >= 6 && len(y.local) >= 6 && distance(x.local, y.local, 1) <= 1:
		return w.verdict(3, 0, true)
	}
	return w.verdict(4, 0, true)
}

var dateLevels = []string{"same", "typo", "two_parts", "shift", "year", "decade", "different", "both_january_near", "both_january"}

const (
	dateYear      = 4
	dateDecade    = 5
	dateDifferent = 6
)

type date struct {
	text         string // yyyymmdd
	year, day    int32  // day: days since 1970
	valid        bool
	january      bool // 1 January: often what a form says for nothing
	frequency    Bits
	shiftedYears [5]int32 // day numbers one and ten years before and after
}

var shifts = [...]int32{0, 1, -1, 10, -10}

func makeDate(w *weights, value string) any {
	frequency := w.of(value)
	if len(value) == len("2006-01-02") { // of a free kind
		value = strings.ReplaceAll(value, "-", "")
	}
	d := &date{text: value, frequency: frequency}
	number := func(s string) int32 {
		n := int32(0)
		for i := range len(s) {
			n = 10*n + int32(s[i]-'0')
		}
		return n
	}
	if len(value) != 8 || strings.Trim(value, "0123456789") != "" {
		return d
	}
	d.valid = true
	d.january = value[4:] == "0101"
	d.year = number(value[:4])
	for i, s := range shifts {
		d.shiftedYears[i] = int32(time.Date(int(d.year+s), time.Month(number(value[4:6])), int(number(value[6:])), 0, 0, 0, 0, time.UTC).Unix() / 86400)
	}
	d.day = d.shiftedYears[0]
	return d
}

func dateLevel(w *weights, a, b any) verdict {
	x, y := a.(*date), b.(*date)
	if a == b {
		return w.verdict(0, x.frequency, !w.tf)
	}
	return w.verdict(dateApart(x, y), 0, true)
}

func dateApart(x, y *date) int {
	if !x.valid || !y.valid {
		return 6
	}
	if x.january && y.january {
		if distance(x.text[:4], y.text[:4], 1) <= 1 {
			return 7
		}
		return 8
	}
	sameYear := x.year == y.year
	if !(x.january || y.january) || !sameYear {
		if distance(x.text, y.text, 1) <= 1 || sameYear && x.text[4:6] == y.text[6:] && x.text[6:] == y.text[4:6] {
			return 1
		}
	}
	if sameYear && (x.january || y.january) {
		return 4
	}
	parts := 0
	for _, r := range [...][2]int{{0, 4}, {4, 6}, {6, 8}} {
		if x.text[r[0]:r[1]] == y.text[r[0]:r[1]] {
			parts++
		}
	}
	if parts >= 2 {
		return 2
	}
	for i := range shifts {
		if apart(x.day, y.shiftedYears[i]) <= 33 || apart(y.day, x.shiftedYears[i]) <= 33 {
			return 3
		}
	}
	if sameYear {
		return 4
	}
	if apart(x.year, y.year) <= 10 {
		return 5
	}
	return 6
}

func apart(a, b int32) int32 { return max(a-b, b-a) }

type postcode struct {
	value, outward, area string
	frequency            Bits
}

func makePostcode(w *weights, value string) any {
	p := &postcode{value: value, frequency: w.of(value)}
	if i := strings.IndexByte(value, ' '); i > 0 {
		p.outward = value[:i]
		k := 0
		for k < i && (value[k] < '0' || value[k] > '9') {
			k++
		}
		if k > 0 && k < i {
			p.area = value[:k]
		}
	}
	return p
}

func postcodeLevel(w *weights, a, b any) verdict {
	x, y := a.(*postcode), b.(*postcode)
	switch {
	case a == b:
		return w.verdict(0, x.frequency, !w.tf)
	case distance(x.value, y.value, 1) <= 1:
		return w.verdict(1, max(x.frequency, y.frequency)+typoNeighbours, !w.tf)
	case x.outward != "" && x.outward == y.outward:
		return w.verdict(2, 0, true)
	case x.area != "" && x.area == y.area:
		return w.verdict(3, 0, true)
	}
	return w.verdict(4, 0, true)
}

var addressLevels = []string{"same", "near", "town", "town_other_street", "different", "postcode_typo"}

// address has the value number|street|postcode|commune.
type address struct {
	number, street, postcode, commune   string
	postcodeFrequency, communeFrequency Bits
}

func makeAddress(w *weights, value string) any {
	p := strings.SplitN(value, "|", 4)
	a := &address{number: p[0], street: p[1], postcode: p[2], commune: p[3]}
	a.postcodeFrequency, a.communeFrequency = w.of(a.postcode), w.of("commune "+a.commune)
	return a
}

func addressLevel(w *weights, a, b any) verdict {
	x, y := a.(*address), b.(*address)
	codes := x.postcode != "" && y.postcode != ""
	communes := x.commune != "" && y.commune != ""
	town := codes && x.postcode == y.postcode || communes && x.commune == y.commune
	if !codes && communes && len(x.commune) >= 5 && len(y.commune) >= 5 && distance(x.commune, y.commune, 2) <= 2 {
		town = true
	}
	frequency := max(x.postcodeFrequency, y.postcodeFrequency)
	if !codes {
		frequency = max(x.communeFrequency, y.communeFrequency)
	}
	near := codes && distance(x.postcode, y.postcode, 1) <= 1
	if x.street == "" || y.street == "" {
		switch {
		case town:
			return w.verdict(2, frequency, !w.tf)
		case near:
			return w.verdict(5, 0, true)
		}
		return w.verdict(4, 0, true)
	}
	if x.number == y.number && (town || near) {
		if x.street == y.street {
			return w.verdict(0, 0, true)
		}
		if likeness(x.street, y.street) >= 850 {
			return w.verdict(1, 0, true)
		}
	}
	if town {
		return w.verdict(3, frequency, !w.tf)
	}
	return w.verdict(4, 0, true)
}

// calling is the words by which somebody is called: those of a name, or the given name that a mailbox carries.
type calling struct{ words []spelling }

func makeCalling(_ *weights, value string) any {
	c := &calling{}
	for w := range strings.FieldsSeq(value) {
		c.words = append(c.words, spell(w))
	}
	return c
}

func callingLevel(w *weights, a, b any) verdict {
	for i := range a.(*calling).words {
		for j := range b.(*calling).words {
			x, y := &a.(*calling).words[i], &b.(*calling).words[j]
			if x.word == y.word || name.IsNickname(x.word, y.word) || slipOf(x, y) == typo {
				return w.verdict(0, 0, true)
			}
		}
	}
	return w.verdict(1, 0, true)
}
