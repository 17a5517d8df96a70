package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/care/stat"
)

// KanoClass is how people would take it if a company had something, and if it had not.
type KanoClass string

// The classes. Mixed is of a theme whose two commonest classes chance may have put in this order; Unclassed has no answer that can be classed.
const (
	Attractive     KanoClass = "attractive"      // delights where it is, is not missed where it is not
	OneDimensional KanoClass = "one_dimensional" // the more the better
	MustBe         KanoClass = "must_be"         // goes without saying, and angers where it is missing
	Indifferent    KanoClass = "indifferent"
	Reverse        KanoClass = "reverse" // is rather not wanted
	Questionable   KanoClass = "questionable"
	Mixed          KanoClass = "mixed"
	Unclassed      KanoClass = ""
)

// kanoTable is the evaluation table of N. Kano, N. Seraku, F. Takahashi, S. Tsuji (Attractive quality and must-be quality, 1984): rows are the answer to "if it
// had this", columns to "if it had not", each 1 (I like it), 2 (I expect it), 3 (neutral), 4 (I can live with it), 5 (I dislike it).
//
//	        1 2 3 4 5
//	1 like  Q A A A O
//	2       R I I I M
//	3       R I I I M
//	4       R I I I M
//	5       R R R R Q
var kanoTable = [5][5]KanoClass{
	{Questionable, Attractive, Attractive, Attractive, OneDimensional},
	{Reverse, Indifferent, Indifferent, Indifferent, MustBe},
	{Reverse, Indifferent, Indifferent, Indifferent, MustBe},
	{Reverse, Indifferent, Indifferent, Indifferent, MustBe},
	{Reverse, Reverse, Reverse, Reverse, Questionable},
}

// KanoOf classes a pair of answers, each 1 to 5; Unclassed if one is not.
func KanoOf(functional, dysfunctional int) KanoClass {
	if functional < 1 || functional > 5 || dysfunctional < 1 || dysfunctional > 5 {
		return Unclassed
	}
	return kanoTable[functional-1][dysfunctional-1]
}

// KanoCounts counts people by class.
type KanoCounts struct{ Attractive, OneDimensional, MustBe, Indifferent, Reverse, Questionable int64 }

// N is how many there are.
func (c KanoCounts) N() int64 {
	return c.Attractive + c.OneDimensional + c.MustBe + c.Indifferent + c.Reverse + c.Questionable
}

// Class is the commonest class. Of equally common ones that counts which weighs more in what is to be done: must-be, one-dimensional, attractive, indifferent, reverse,
// questionable (E. Sauerwein and others, 1996). It is Mixed unless it is commoner than the next beyond chance, by D. Fong's test at a tenth (Center for Quality of Management
// Journal 2, 1993): |a − b| < 1.65 √((a + b)(2n − a − b) / 2n) is chance.
func (c KanoCounts) Class() (class, commonest KanoClass) {
	type counted struct {
		class KanoClass
		n     int64
	}
	all := []counted{{MustBe, c.MustBe}, {OneDimensional, c.OneDimensional}, {Attractive, c.Attractive}, {Indifferent, c.Indifferent}, {Reverse, c.Reverse}, {Questionable, c.Questionable}}
	slices.SortStableFunc(all, func(a, b counted) int { return cmp.Compare(b.n, a.n) })
	if all[0].n == 0 {
		return Unclassed, Unclassed
	}
	a, b, n := float64(all[0].n), float64(all[1].n), float64(c.N())
	if a-b < 1.65*math.Sqrt((a+b)*(2*n-a-b)/(2*n)) {
		return Mixed, all[0].class
	}
	return all[0].class, all[0].class
}

// KanoTheme is what people answered of a theme.
type KanoTheme struct {
	Keys          []string // of the query's By: the theme, and what else
	Class         KanoClass
	Commonest     KanoClass
	Counts        KanoCounts
	People        int64
	Better, Worse stat.Estimate // (A + O) / (A + O + M + I), and −(O + M) / of the same: C. Berger and others, 1993; Wilson's intervals
	Suppressed    bool          // of fewer than stat.MinimumPeople: nothing is told
	Exclusions    []Exclusion
}

// kanoMetric is the metric whose rows are the pairs.
const kanoMetric = "kanoBetter"

// Kano classes the groups of an answer of the metric kanoBetter.
func Kano(a Answer) (themes []KanoTheme) {
	for _, f := range a.Groups {
		k := KanoTheme{Keys: f.Keys, People: f.People, Suppressed: f.Suppressed, Better: stat.None(), Worse: stat.None(), Exclusions: f.Exclusions}
		if !f.Suppressed {
			for _, p := range f.Parts {
				n := int64(math.Round(p.Value))
				switch KanoClass(p.Name) {
				case Attractive:
					k.Counts.Attractive = n
				case OneDimensional:
					k.Counts.OneDimensional = n
				case MustBe:
					k.Counts.MustBe = n
				case Indifferent:
					k.Counts.Indifferent = n
				case Reverse:
					k.Counts.Reverse = n
				case Questionable:
					k.Counts.Questionable = n
				}
			}
			c := k.Counts
			if few(c.N()) { // the rows that do not count are people, too
				k.Suppressed, k.Counts, k.Exclusions = true, KanoCounts{}, nil
				themes = append(themes, k)
				continue
			}
			n := c.Attractive + c.OneDimensional + c.MustBe + c.Indifferent
			k.Class, k.Commonest = c.Class()
			k.Better = stat.Proportion(c.Attractive+c.OneDimensional, n)
			if w := stat.Proportion(c.OneDimensional+c.MustBe, n); w.Known() {
				k.Worse = stat.Estimate{Value: 0 - w.Value, Low: 0 - w.High, High: 0 - w.Low} // no zero below zero
			}
		}
		themes = append(themes, k)
	}
	return themes
}

// pairs are people with their latest answers to the two questions about a theme.
var pairs = subject{
	name: "pair of answers", event: "event", who: "who",
	from: `SELECT *, multiIf(functional = 0 OR dysfunctional = 0, '', functional = 1 AND dysfunctional = 1 OR functional = 5 AND dysfunctional = 5, 'questionable',
    dysfunctional = 1 OR functional = 5, 'reverse', functional = 1 AND dysfunctional = 5, 'one_dimensional', functional = 1, 'attractive', dysfunctional = 5, 'must_be', 'indifferent') AS class
  FROM
  (
    SELECT if(w.holder = 0, cityHash64(s.persona), w.holder) AS who, s.theme AS theme, max(assumeNotNull(s.answered_at)) AS answered_at, argMax(s.id, (s.answered_at, s.id)) AS id,
      argMax(s.event, (s.answered_at, s.id)) AS event, argMax(s.persona, (s.answered_at, s.id)) AS persona, argMax(s.channel, (s.answered_at, s.id)) AS channel,
      argMax(s.team, (s.answered_at, s.id)) AS team, argMax(s.brand, (s.answered_at, s.id)) AS brand, argMax(s.store, (s.answered_at, s.id)) AS store,
      argMax(s.source, (s.answered_at, s.id)) AS source, argMax(s.language, (s.answered_at, s.id)) AS language, argMax(s.country, (s.answered_at, s.id)) AS country,
      toUInt8(argMaxIf(mark, (s.answered_at, s.id), asked = 1)) AS functional, toUInt8(argMaxIf(mark, (s.answered_at, s.id), asked = 2)) AS dysfunctional
    FROM
    (
      SELECT *, multiIf(lowerUTF8(question) IN ('functional', 'fonctionnelle', 'presence', 'présence'), 1, lowerUTF8(question) IN ('dysfunctional', 'dysfonctionnelle', 'absence'), 2, 0) AS asked,
        if(scale_low = 1 AND scale_high = 5 AND rating IN (1, 2, 3, 4, 5), toUInt8(assumeNotNull(rating)), 0) AS mark
      FROM current_surveys WHERE workspace = {workspace:String} AND instrument = 'kano' AND employee = 0 AND isNotNull(answered_at)
    ) AS s
    ANY LEFT JOIN ({hashed}) AS w ON w.member = cityHash64(s.persona)
    WHERE s.asked > 0
    GROUP BY who, theme
  )`,
	dimensions: attributes(nil),
}

// kano are the two coefficients of C. Berger and others (Kano's methods for understanding customer-defined quality, 1993).
var kano = []Definition{
	kanoCoefficient(kanoMetric, "if(class IN ('attractive', 'one_dimensional'), 1, 0)", Text{"Kano : mieux (satisfaction)", "Kano: better"},
		Text{"Part des personnes que la présence d'un thème contente : attractif ou proportionnel, parmi attractif, proportionnel, obligatoire et indifférent.",
			"Share of people whom having a theme contents: attractive or one-dimensional, of attractive, one-dimensional, must-be and indifferent."}, "(A + O) / (A + O + M + I) × 100"),
	kanoCoefficient("kanoWorse", "if(class IN ('must_be', 'one_dimensional'), 1, 0)", Text{"Kano : pire (insatisfaction)", "Kano: worse"},
		Text{"Part des personnes que l'absence d'un thème mécontente : obligatoire ou proportionnel, parmi les mêmes ; on l'écrit souvent en négatif.",
			"Share of people whom lacking a theme displeases: must-be or one-dimensional, of the same; it is often written as a negative."}, "(O + M) / (A + O + M + I) × 100"),
}

func kanoCoefficient(name, hit string, title, is Text, formula string) Definition {
	return Definition{
		Name: name, Group: "kano", Statistic: Share, Unit: Percent, Version: 1, Title: title, Is: is,
		For:     Text{"Savoir, thème par thème, ce qui va de soi et ce qui ravit : grouper par THEME.", "To know, theme by theme, what goes without saying and what delights: group by THEME."},
		NotFor:  Text{"Être déduit des verbatims, qui n'en donnent que des indices ; additionner des thèmes.", "To be inferred from verbatims, which only hint; to add themes up."},
		Formula: formula + "; each person's latest pair of answers about a theme, 1 (like) to 5 (dislike), to \"if it had this\" and \"if it had not\"",
		Source:  "Kano 1984; Berger and others 1993; interval: Wilson 1927",
		subject: pairs, of: "1", happens: "answered_at", begins: "answered_at",
		leave: []exclusion{{"unpaired", "class = ''"}, {"questionable", "class = 'questionable'"}, {"reverse", "class = 'reverse'"}},
		value: "toInt64(0)", hit: hit, marks: []string{"class = 'attractive'", "class = 'one_dimensional'", "class = 'must_be'", "class = 'indifferent'"},
		parts: func(t Tally) []Part {
			return []Part{
				exactly(string(Attractive), float64(mark(t, 0)), t.N), exactly(string(OneDimensional), float64(mark(t, 1)), t.N), exactly(string(MustBe), float64(mark(t, 2)), t.N),
				exactly(string(Indifferent), float64(mark(t, 3)), t.N), exactly(string(Reverse), float64(t.Reasons["reverse"]), t.N), exactly(string(Questionable), float64(t.Reasons["questionable"]), t.N),
			}
		},
	}
}

var kanoNames = map[KanoClass]Text{
	Attractive:     {"attractif : ravit quand il est là, ne manque pas sinon", "attractive: delights where it is, and is not missed where it is not"},
	OneDimensional: {"proportionnel : plus il y en a, mieux c'est", "one-dimensional: the more of it, the better"},
	MustBe:         {"obligatoire : va de soi, et fâche quand il manque", "must-be: goes without saying, and angers where it is missing"},
	Indifferent:    {"indifférent", "indifferent"}, Reverse: {"inverse : plutôt non souhaité", "reverse: rather not wanted"},
	Questionable: {"douteux : les réponses se contredisent", "questionable: answers contradict each other"},
}

// Explain says in one sentence how the class comes about, in French (fr) or English.
func (k KanoTheme) Explain(language string) string {
	say := func(t Text) string {
		if language == "fr" {
			return t.FR
		}
		return t.EN
	}
	c := k.Counts
	switch {
	case k.Suppressed:
		return say(Text{"Moins de cinq personnes : rien n'est montré.", "Fewer than five people: nothing is shown."})
	case k.Class == Unclassed:
		return say(Text{"Personne n'a répondu aux deux questions.", "Nobody answered both questions."})
	}
	counts := fmt.Sprintf(say(Text{"%d attractif, %d proportionnel, %d obligatoire, %d indifférent, %d inverse, %d douteux", "%d attractive, %d one-dimensional, %d must-be, %d indifferent, %d reverse, %d questionable"}),
		c.Attractive, c.OneDimensional, c.MustBe, c.Indifferent, c.Reverse, c.Questionable)
	if k.Class == Mixed {
		return fmt.Sprintf(say(Text{"Partagé : %s. Le plus fréquent ne dépasse pas le suivant au-delà du hasard (Fong).", "Mixed: %s. The commonest is not commoner than the next beyond chance (Fong)."}), counts)
	}
	return fmt.Sprintf(say(Text{"Le plus souvent %s (%s).", "Mostly %s (%s)."}), say(kanoNames[k.Class]), counts)
}
