package segment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// Sentence says in words who is in: in French for fr, else in English.
func (s *Segment) Sentence(language string) string {
	w := words(language)
	out := w.say("People ", "Les personnes ") + w.clause(s.Where, false)
	if s.Exclude != nil {
		out += w.say(", but not those ", ", sauf celles ") + w.clause(s.Exclude, false)
	}
	return out + "."
}

// NodeSentence says one condition in words.
func NodeSentence(n *Node, language string) string { return words(language).clause(n, false) }

type words string

func (w words) say(en, fr string) string {
	if w == "fr" {
		return fr
	}
	return en
}

func (w words) sayf(en, fr string, args ...any) string { return fmt.Sprintf(w.say(en, fr), args...) }

func (w words) clause(n *Node, inner bool) string {
	list := func(nodes []*Node, word string) string {
		var parts []string
		for _, x := range nodes {
			parts = append(parts, w.clause(x, len(nodes) > 1))
		}
		text := strings.Join(parts, word)
		if inner && len(nodes) > 1 {
			return "(" + text + ")"
		}
		return text
	}
	switch {
	case n.All != nil:
		return list(n.All, w.say(" and ", " et "))
	case n.Any != nil:
		return list(n.Any, w.say(" or ", " ou "))
	case n.Not != nil:
		return w.sayf("of whom it is not true that they are people %s", "dont il n'est pas vrai qu'il s'agit de personnes %s", w.bracket(n.Not))
	case n.Segment != "":
		return w.sayf("who are in the segment %s", "qui sont dans le segment %s", n.Segment)
	case n.Trait != nil:
		source := ""
		if n.Trait.Source != "" {
			source = w.sayf(" by %s", " selon %s", n.Trait.Source)
		}
		return w.sayf("whose %s%s %s", "dont %s%s %s", n.Trait.Name, source, w.test(&n.Trait.Test))
	case n.Identifier != nil:
		return w.sayf("of whom an identifier of kind %s is known", "dont un identifiant de type %s est connu", n.Identifier.Kind)
	case n.Consent != nil:
		on := ""
		if n.Consent.Channel != "" {
			on = w.sayf(" by %s", " par %s", n.Consent.Channel)
		}
		if n.Consent.State == "refused" {
			return w.sayf("who have refused to be contacted for %s%s", "qui ont refusé d'être contactées pour %s%s", n.Consent.Purpose, on)
		}
		return w.sayf("who may be contacted for %s%s", "qui peuvent être contactées pour %s%s", n.Consent.Purpose, on)
	case n.event() != nil:
		return w.event(n.event())
	case n.List != nil:
		return w.sayf("who are in the list %s", "qui sont dans la liste %s", n.List.Name)
	case n.Sequence != nil:
		return w.sequence(n.Sequence)
	case n.Score != nil:
		return w.sayf("whose %s is %s", "dont %s est %s", w.measure(n.Score.Measure), w.bounds(&n.Score.Range))
	}
	if h := n.HoldOut; h != nil {
		return w.sayf("who are held out of %s (%d of 100, by lot)", "qui sont dans le groupe témoin de %s (%d sur 100, par tirage au sort)", h.Name, h.Percent)
	}
	if n.Suppressed != nil {
		if *n.Suppressed {
			return w.say("who are on the suppression list", "qui sont sur la liste d'opposition")
		}
		return w.say("who are not on the suppression list", "qui ne sont pas sur la liste d'opposition")
	}
	return w.sayf("whose number by lot (%s) is from %d to %d of 100", "dont le numéro tiré au sort (%s) est de %d à %d sur 100", n.Bucket.Salt, n.Bucket.From, n.Bucket.To-1)
}

func (w words) bracket(n *Node) string { return "(" + w.clause(n, false) + ")" }

func (w words) measure(m string) string {
	switch m {
	case "recency":
		return w.say("recency class (5: bought lately)", "la classe de récence (5 : achat récent)")
	case "frequency":
		return w.say("frequency class (5: buys often)", "la classe de fréquence (5 : achète souvent)")
	case "monetary":
		return w.say("monetary class (5: spends most)", "la classe de montant (5 : dépense le plus)")
	case "alive":
		return w.say("probability of still buying", "la probabilité d'acheter encore")
	}
	return w.say("lifetime value", "la valeur à vie")
}

func (w words) bounds(r *Range) string {
	switch {
	case r.low != nil && r.high != nil && *r.low == *r.high:
		return decimalText(*r.low)
	case r.low != nil && r.high != nil:
		return w.sayf("%s to %s", "de %s à %s", decimalText(*r.low), decimalText(*r.high))
	case r.low != nil:
		return w.sayf("at least %s", "au moins %s", decimalText(*r.low))
	}
	return w.sayf("at most %s", "au plus %s", decimalText(*r.high))
}

func (w words) list(t *Test) string {
	var parts []string
	for i, text := range t.all() {
		if i == 5 {
			parts = append(parts, w.sayf("%d others", "%d autres", len(t.all())-5))
			break
		}
		parts = append(parts, w.quote(text))
	}
	return strings.Join(parts, w.say(" or ", " ou "))
}

func (w words) quote(text string) string {
	if w == "fr" {
		return "« " + text + " »"
	}
	return strconv.Quote(text)
}

// test says a comparison as what follows the name.
func (w words) test(t *Test) string {
	switch t.Op {
	case "is", "in":
		return w.say("is ", "est ") + w.list(t)
	case "isNot", "notIn":
		return w.say("is not ", "n'est pas ") + w.list(t)
	case "everHad":
		return w.say("is or was once ", "est ou a été ") + w.list(t)
	case "contains":
		return w.say("contains ", "contient ") + w.list(t)
	case "startsWith":
		return w.say("begins with ", "commence par ") + w.list(t)
	case "endsWith":
		return w.say("ends with ", "finit par ") + w.list(t)
	case "matches":
		return w.say("matches the pattern ", "correspond au motif ") + w.list(t)
	case "exists":
		return w.say("is known", "est connu")
	case "missing":
		return w.say("is not known", "n'est pas connu")
	case "above":
		return w.say("is above ", "est au-dessus de ") + decimalText(t.number)
	case "atLeast":
		return w.say("is at least ", "est d'au moins ") + decimalText(t.number)
	case "below":
		return w.say("is below ", "est en dessous de ") + decimalText(t.number)
	case "atMost":
		return w.say("is at most ", "est d'au plus ") + decimalText(t.number)
	case "before":
		return w.say("is before ", "est avant le ") + t.Value.Text
	case "after":
		return w.say("is on or after ", "est à partir du ") + t.Value.Text
	case "within":
		return w.say("is ", "est ") + w.window(t.window)
	case "olderThan":
		return w.say("is longer ago than ", "remonte à plus de ") + w.length(t.window)
	}
	return w.say("has its anniversary within the next ", "a son anniversaire dans les prochains ") + w.length(t.window)
}

func (w words) length(x Window) string {
	unit := map[byte][2]string{'d': {"day", "jour"}, 'h': {"hour", "heure"}, 'm': {"minute", "minute"}}[x.Unit]
	name := w.say(unit[0], unit[1])
	if x.N != 1 {
		name += "s"
	}
	return fmt.Sprintf("%d %s", x.N, name)
}

func (w words) window(x Window) string {
	if x.N == 0 {
		return w.say("today", "aujourd'hui")
	}
	if w == "fr" && x.Unit != 'd' {
		return "au cours des dernières " + w.length(x)
	}
	return w.say("within the last ", "au cours des derniers ") + w.length(x)
}

var typeWords = map[schema.Type][2]string{
	schema.TypeOrderPlaced: {"orders", "commandes"}, schema.TypeMessageReceived: {"messages from them", "messages reçus"}, schema.TypeMessageSent: {"messages to them", "messages envoyés"},
	schema.TypeSurveyAnswered: {"survey answers", "réponses à une enquête"}, schema.TypeReviewPublished: {"reviews", "avis publiés"}, schema.TypePageViewed: {"pages viewed", "pages vues"},
	schema.TypeCaseOpened: {"cases opened", "dossiers ouverts"}, schema.TypeOrderDelivered: {"deliveries", "livraisons"}, schema.TypeCallOffered: {"calls", "appels"},
	schema.TypeItemOrdered: {"items ordered", "articles commandés"}, schema.TypeMentionPublished: {"public mentions", "mentions publiques"}, schema.TypeCaseResolved: {"cases resolved", "dossiers résolus"},
}

var careWords = map[schema.Type][2]string{
	kindCase: {"cases", "dossiers"}, kindConversation: {"conversations", "conversations"}, kindAnswer: {"answers about their satisfaction", "réponses sur leur satisfaction"},
	kindText: {"texts that they wrote", "textes qu'elles ont écrits"},
}

var careFieldWords = map[string][2]string{
	"firstReply": {"the first reply", "la première réponse"}, "resolved": {"the resolution", "la résolution"}, "state": {"its state", "l'état"}, "complaint": {"complaint", "la réclamation"},
	"polarity": {"the tone", "le ton"}, "criticality": {"the criticality", "la criticité"}, "themes": {"one of the themes", "un des thèmes"}, "theme": {"the theme", "le thème"},
	"negativeThemes": {"a theme spoken of badly", "un thème évoqué en mal"}, "positiveThemes": {"a theme spoken of well", "un thème évoqué en bien"}, "band": {"the NPS group", "le groupe NPS"},
	"rating": {"the rating", "la note"}, "waiting": {"waiting for an answer", "l'attente d'une réponse"}, "contacts": {"the number of contacts", "le nombre de contacts"},
}

// valueWords are values of care's fields in French; English has the words of the definition.
var valueWords = map[string]string{
	"met": "tenue à temps", "late": "tenue en retard", "due": "à venir", "overdue": "en retard", "open": "ouvert", "waiting": "en attente", "answered": "répondu", "resolved": "résolu", "reopened": "rouvert",
	"true": "oui", "false": "non", "neg": "négatif", "neu": "neutre", "pos": "positif", "none": "aucune", "low": "faible", "medium": "moyenne", "high": "élevée", "critical": "critique",
	"detractor": "détracteur", "passive": "passif", "promoter": "promoteur",
}

// worded is a comparison with its values in the language.
func (x *Field) worded(w words, f *Filter) *Test {
	k := careOf(f.kind)
	if w != "fr" || k == nil || k.field(x.Name) == nil || k.field(x.Name).words == nil {
		return &x.Test
	}
	t := x.Test
	say := func(v Value) Value {
		if word, known := valueWords[v.Text]; known {
			v.Text = word
		}
		return v
	}
	t.Value, t.Values = say(t.Value), slices.Clone(t.Values)
	for i := range t.Values {
		t.Values[i] = say(t.Values[i])
	}
	return &t
}

// filter names events, such as order.placed by phone (amount is at least 100).
func (w words) filter(f *Filter) string {
	out := f.Type
	names, known := typeWords[f.kind]
	if f.kind >= kindsOfCare {
		names, known = careWords[f.kind], true
	}
	if known {
		out = w.say(names[0], names[1])
	}
	if len(f.Channels) > 0 {
		out += w.say(" by ", " par ") + strings.Join(f.Channels, w.say(" or ", " ou "))
	}
	var fields []string
	for _, x := range f.Where {
		name := strings.TrimPrefix(x.Name, "properties.")
		if names, known := careFieldWords[x.Name]; known && f.kind >= kindsOfCare {
			name = w.say(names[0], names[1])
		}
		fields = append(fields, name+" "+w.test(x.worded(w, f)))
	}
	if len(fields) > 0 {
		out += " (" + strings.Join(fields, w.say(" and ", " et ")) + ")"
	}
	return out
}

func (w words) event(e *Event) string {
	what := w.filter(&e.Filter)
	when := ""
	switch {
	case e.within != nil:
		when = " " + w.window(*e.within)
	case e.From != "" && e.To != "":
		when = w.sayf(" from %s until before %s", " du %s jusqu'avant le %s", e.From, e.To)
	case e.From != "":
		when = w.sayf(" since %s", " depuis le %s", e.From)
	case e.To != "":
		when = w.sayf(" before %s", " avant le %s", e.To)
	}
	switch {
	case e.stopped != nil:
		return w.sayf("with %s, but none for %s", "avec %s, mais aucun depuis %s", what, w.length(*e.stopped))
	case e.Which == "first":
		what = w.say("as the very first of them ", "comme toute première occurrence ") + what
	case e.Which == "last":
		what = w.say("as the latest of them ", "comme dernière occurrence ") + what
	}
	switch {
	case e.Sum != nil:
		unit := ""
		if e.Sum.Currency != "" {
			unit = " " + e.Sum.Currency
		}
		return w.sayf("with %s%s whose %s adds up to %s%s", "avec %s%s dont la somme (%s) est %s%s", what, when, strings.TrimPrefix(e.Sum.Field, "properties."), w.bounds(&e.Sum.Range), unit)
	case e.Count == nil:
		return w.sayf("with %s%s", "avec %s%s", what, when)
	case e.Count.high != nil && *e.Count.high == 0:
		return w.sayf("without %s%s", "sans %s%s", what, when)
	}
	if e.By != "" {
		when += w.sayf(" of one %s", " pour un même %s", strings.TrimPrefix(e.By, "properties."))
	}
	return w.sayf("with %s %s%s", "avec %s %s%s", w.bounds(e.Count), what, when)
}

func (w words) sequence(s *Sequence) string {
	in, within, same := "", "", ""
	if s.in != nil {
		in = " " + w.window(*s.in)
	}
	if s.within != nil {
		within = w.say(" within ", " dans un délai de ") + w.length(*s.within)
	}
	if s.Same != "" {
		same = w.sayf(" of the same %s", " (même %s)", s.Same)
	}
	if s.Absent {
		return w.sayf("with %s%s, not followed by %s%s%s", "avec %s%s, sans être suivi de %s%s%s", w.filter(s.First), in, w.filter(s.Then), same, within)
	}
	return w.sayf("with %s%s, followed by %s%s%s", "avec %s%s, suivi de %s%s%s", w.filter(s.First), in, w.filter(s.Then), same, within)
}
