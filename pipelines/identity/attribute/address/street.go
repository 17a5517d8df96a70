package address

import (
	"strings"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/script"
)

// The bounds of one field: of a longer one the beginning is read, of longer words too, and of more words the first ones.
const (
	longestField = 512
	longestWord  = 40
	mostWords    = 24
)

// table makes a map of lines "long: short short …", long forms included.
func table(lines string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(lines) {
		long, shorts, _ := strings.Cut(strings.TrimSpace(line), ":")
		if long == "" {
			continue
		}
		m[long] = long
		for s := range strings.FieldsSeq(shorts) {
			m[s] = long
		}
	}
	return m
}

// before are the kinds of street that stand before the name, as in French and other Romance languages, with their abbreviations. The French
// ones follow the postal standard AFNOR NF Z 10-011; the others are common knowledge.
var before = table(`
	allee: all allees ale
	avenue: av ave aven aves
	boulevard: bd bld blvd boul bvd bvr
	chaussee: chs chee
	chemin: ch che chem chm
	cite: cite
	clos:
	corniche: cor
	cour:
	cours: crs
	esplanade: esp espl
	faubourg: fg fbg faub
	galerie: gal
	hameau: ham hameaux
	impasse: imp imps ipasse
	lotissement: lot lotis
	mail:
	montee: mte
	parvis:
	passage: pas pass psg
	place: pl pce plc
	placette:
	promenade: prom
	quai: qu
	quartier: qua quart
	residence: res resid
	rond point: rpt
	route: rte rt
	rue: r ru
	ruelle: rle
	sente:
	sentier: sen
	square: sq sqr
	traverse: tra trav
	venelle: ven
	villa: vla
	voie:
	calle:
	via:
	viale:
	piazza: pza
	corso:
	rua:
	avenida: avda
	plaza:
`)

// after are the kinds of street that stand after the name, as in English, with their usual abbreviations.
var after = table(`
	avenue: av ave
	boulevard: blvd bvd
	circle: cir
	circuit: cct crct
	close: cl
	court: ct crt
	crescent: cres cr cresc
	drive: dr drv
	gardens: gdns gdn
	grove: gr grv
	highway: hwy
	lane: ln
	mews:
	parade: pde
	parkway: pkwy
	place: pl
	road: rd
	row:
	square: sq
	street: st str
	terrace: tce ter terr
	walk:
	way:
	rise:
	view:
	strasse: str
	weg:
	platz:
	allee:
	straat:
	laan:
	plein:
	gracht:
`)

// ranks are the abbreviations of titles and saints in names of streets and communes.
var ranks = table(`
	saint: st
	sainte: ste
	docteur: dr doct
	general: gal gen gl
	marechal: mal mar
	president: pdt pres
	professeur: pr prof
	commandant: cdt cmdt
	capitaine: cne capt
	colonel: col
	lieutenant: lt
	amiral: aml
	monseigneur: mgr
	notre dame: nd
	eglise: egl
	grande: gde
	grand: gd
	petit: pt
	petite: pte
`)

// articles part the words of a French street's name and are often left out.
var articles = map[string]bool{"de": true, "du": true, "des": true, "d": true, "la": true, "le": true, "les": true, "l": true}

// inside starts what is within a building or an estate, or where mail is kept.
var inside = map[string]bool{
	"bat": true, "batiment": true, "bt": true, "bldg": true, "building": true, "block": true, "apt": true, "appt": true, "app": true, "appartement": true, "apartment": true, "flat": true, "unit": true, "suite": true, "floor": true, "room": true, "esc": true, "escalier": true, "etage": true, "etg": true,
	"porte": true, "hall": true, "tour": true, "bp": true, "cs": true, "boite": true, "bte": true, "cidex": true, "po": true, "pobox": true, "box": true, "chez": true, "interphone": true, "digicode": true, "entree": true, "rdc": true, "zi": true, "za": true, "zac": true, "shop": true,
}

var repeats = map[string]bool{"bis": true, "ter": true, "quater": true, "quinquies": true, "b": true, "t": true, "q": true, "a": true, "c": true, "e": true, "f": true, "g": true, "h": true}

// street reads the way to the door: number, kind and name of the street, and the rest.
func (a *Address) street(s string, french, numbered bool) {
	var room [mostWords]string
	words := cut(room[:0], s)
	// The street starts at its kind; a number stands before it. What comes before that is the rest of the way.
	at := -1
	for i, w := range words {
		if french && isBefore(words, i) && (i == 0 || !articles[words[i-1]]) {
			at = i
			break
		}
		if _, rest, ok := glued(w); ok && french && before[rest] != "" {
			at = i
			break
		}
	}
	start := max(at, 0)
	if at < 0 {
		for start < len(words) && inside[words[start]] && start+1 < len(words) { // "unit 5 12 kent"
			start += 2
		}
		if start >= len(words) {
			start = 0
		}
	}
	number := start
	for at >= 0 && number > 0 && start-number < 3 && (leadingDigits(words[number-1]) > 0 || repeats[words[number-1]] && number > 1 && leadingDigits(words[number-2]) > 0) {
		number--
	}
	if number > 0 && number < start && inside[words[number-1]] { // "apt 5 12 rue": the 5 belongs to apt
		if number+1 < start {
			number++
		}
	}
	box := join(words[:number], false)
	words = words[number:]
	if !numbered {
		words = a.number(words, french)
	} else if len(words) > 1 && words[0] == a.Number {
		words = words[1:]
	}
	words = a.kind(words, french)
	end := len(words)
	for i := 1; i < len(words); i++ {
		if inside[words[i]] && !(words[i] == "tour" && articles[words[i-1]]) {
			end = i
			break
		}
	}
	if end < len(words) {
		box = strings.TrimSpace(box + " " + join(words[end:], false))
		words = words[:end]
	}
	if a.Type == "" && !french && len(words) > 1 {
		words = a.kind(words, false)
	}
	a.Street = join(words, french)
	if a.Street == "" && a.Type == "" {
		a.Street, box = box, ""
	}
	a.Box = strings.TrimSpace(a.Box + " " + box)
}

// isBefore says whether the words at i are a kind of street before a name.
func isBefore(words []string, i int) bool {
	w := words[i]
	if i+1 < len(words) && w == "rond" && words[i+1] == "point" {
		return true
	}
	return before[w] != "" && (len(w) > 1 || i > 0 && leadingDigits(words[i-1]) > 0 || i == 0 || repeats[words[i-1]])
}

// number takes the house number from the start of the words.
func (a *Address) number(words []string, french bool) []string {
	if len(words) == 0 {
		return words
	}
	digits := leadingDigits(words[0])
	if digits == 0 {
		// A number after the name, as in German: "hauptstr 5a".
		if last := words[len(words)-1]; !french && len(words) > 1 && leadingDigits(last) > 0 && leadingDigits(last) < 5 && len(last)-leadingDigits(last) < 2 {
			a.Number, a.Repeat = last[:leadingDigits(last)], last[leadingDigits(last):]
			return words[:len(words)-1]
		}
		return words
	}
	if len(words) == 1 {
		return words // a street that is a number, or nothing
	}
	number, rest, _ := glued(words[0])
	if rest != "" && !repeats[rest] && before[rest] == "" {
		return words // "11novembre", "1er"
	}
	if french && len(words) > 1 && rest == "" && before[words[1]] == "" && month(words[1]) {
		return words // "8 mai 1945"
	}
	a.Number = number
	words = words[1:]
	switch {
	case rest == "":
	case repeats[rest]:
		a.Repeat = rest
	default:
		return append([]string{rest}, words...)
	}
	for len(words) > 1 && leadingDigits(words[0]) == len(words[0]) { // the end of a range: 12-14
		words = words[1:]
	}
	if a.Repeat == "" && len(words) > 1 && repeats[words[0]] && (len(words[0]) > 1 || !french || isBefore(words, 1)) {
		a.Repeat = words[0]
		words = words[1:]
	}
	return words
}

func month(w string) bool {
	switch w {
	case "janvier", "fevrier", "mars", "avril", "mai", "juin", "juillet", "aout", "septembre", "octobre", "novembre", "decembre":
		return true
	}
	return false
}

// glued parts digits from what is written onto them: "12bis", "12rue"; an o for a zero before a kind of street counts as one ("8oallee").
func glued(w string) (number, rest string, ok bool) {
	n := leadingDigits(w)
	if n == 0 {
		return "", w, false
	}
	number, rest = w[:n], w[n:]
	if len(rest) > 1 && rest[0] == 'o' && before[rest[1:]] != "" {
		number, rest = number+"0", rest[1:]
	}
	return number, rest, true
}

func leadingDigits(w string) int {
	n := 0
	for n < len(w) && w[n] >= '0' && w[n] <= '9' {
		n++
	}
	return n
}

// kind takes the kind of street: the first word in French, the last one elsewhere.
func (a *Address) kind(words []string, french bool) []string {
	if len(words) == 0 || a.Type != "" {
		return words
	}
	if len(words) == 1 {
		if name, long := compound(words[0]); long != "" && !french {
			a.Type, words[0] = long, name
		}
		return words
	}
	if french {
		if words[0] == "rond" && words[1] == "point" {
			a.Type = "rond point"
			return words[2:]
		}
		if long := before[words[0]]; long != "" {
			a.Type = long
			return words[1:]
		}
		if a.Number != "" {
			if a.Type = misspelt(words[0]); a.Type != "" {
				return words[1:]
			}
		}
		return words
	}
	last := words[len(words)-1]
	if long := after[last]; long != "" {
		a.Type = long
		return words[:len(words)-1]
	}
	if long := before[words[0]]; long != "" && len(words[0]) > 2 {
		a.Type = long
		return words[1:]
	}
	if name, long := compound(last); long != "" {
		a.Type = long
		words[len(words)-1] = name
	}
	return words
}

// misspelt is the one common kind of street that a word is an edit away from, "" if there is none.
func misspelt(w string) string {
	if len(w) < 4 {
		return ""
	}
	for _, kind := range []string{"allee", "avenue", "boulevard", "chemin", "impasse", "lotissement", "passage", "place", "promenade", "residence", "route", "square"} {
		if oneEdit(w, kind) {
			return kind
		}
	}
	return ""
}

// oneEdit says whether two different words are one letter more, less or other, or two neighbours swapped, apart.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch {
	case len(a) < len(b):
		return a[i:] == b[i+1:]
	case i == len(a):
		return false
	case a[i+1:] == b[i+1:]:
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// compound takes a kind of street off the end of a word that is written in one: "hauptstrasse", "hainesstreet".
func compound(w string) (name, long string) {
	for _, kind := range []string{"street", "strasse", "str", "straat", "avenue", "crescent", "circuit", "close", "court", "drive", "place", "platz", "plein", "gracht", "laan", "weg", "road"} {
		if name, ok := strings.CutSuffix(w, kind); ok && len(name) > 2 {
			return name, after[kind]
		}
	}
	return w, ""
}

// cut reads the words of a text.
func cut(words []string, s string) []string {
	if len(s) > longestField {
		end := longestField
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	for w := range strings.FieldsSeq(script.Split(s)) {
		if len(words) == mostWords {
			break
		}
		if len(w) > longestWord {
			end := longestWord
			for end > 0 && !utf8.RuneStart(w[end]) {
				end--
			}
			w = w[:end]
		}
		words = append(words, w)
	}
	return words
}

// join joins words, abbreviations written out; of a French street's name the articles are left out, unless there is nothing else.
func join(words []string, name bool) string {
	var b strings.Builder
	for _, w := range words {
		if name && articles[w] && len(words) > 1 {
			continue
		}
		if long := ranks[w]; long != "" {
			w = long
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	if b.Len() == 0 && len(words) > 0 {
		return strings.Join(words, " ")
	}
	return b.String()
}
