package care

import (
	"cmp"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// answers folds the surveys and reviews: one row for each questionnaire, by its latest answer.
func (f *fold) answers() (rows []Survey) {
	type key struct{ source, survey string }
	groups := map[key][]*Contact{}
	for _, c := range f.surveys {
		k := key{c.Source, c.survey()}
		groups[k] = append(groups[k], c)
	}
	for _, group := range groups { // sorted by who calls
		rows = append(rows, f.survey(group))
	}
	return rows
}

func (f *fold) survey(events []*Contact) Survey {
	first := events[0]
	r := Survey{ID: first.ID, Persona: first.Persona, Source: first.Source, Survey: first.Entity, Type: first.Type.String(), Event: first.ID, Events: uint32(len(events))}
	var flags flags
	latest := first
	for _, c := range events {
		if c.Type == schema.TypeSurveySent {
			if r.SentAt == 0 {
				r.SentAt = c.At
			}
			continue
		}
		r.Answers++
		if r.FirstAnsweredAt == 0 {
			r.FirstAnsweredAt = c.At
		}
		latest, r.AnsweredAt, r.Type, r.Event, r.Persona = c, c.At, c.Type.String(), c.ID, c.Persona
	}
	if r.Answers > 1 {
		flags.add(FlagAnsweredTwice)
	}
	if r.SentAt != 0 && r.FirstAnsweredAt != 0 && r.FirstAnsweredAt < r.SentAt {
		flags.add(FlagAnsweredUnsent)
	}
	others := slices.Clone(events)
	slices.Reverse(others)
	attributes := attributes{brand: &r.Brand, team: &r.Team, store: &r.Store, theme: &r.Theme, language: &r.Language, country: &r.Country}
	attributes.take(latest)
	say := func(p property) string {
		if text := latest.property(p); text != "" {
			return text
		}
		for _, c := range others {
			if text := c.property(p); text != "" {
				return text
			}
		}
		return ""
	}
	for _, c := range others {
		attributes.take(c)
		r.Thread, r.CaseNumber = cmp.Or(r.Thread, c.Thread), cmp.Or(r.CaseNumber, c.Case)
		if flag := c.says(propExplained); flag != Unknown && r.Explained == Unknown {
			r.Explained = flag
		}
	}
	r.Question, r.Touchpoint = say(propQuestion), say(propTouchpoint)
	r.Instrument, r.InstrumentVersion = instrument(cmp.Or(say(propInstrument), say(propSurvey)), latest.Type)
	r.InstrumentVersion = cmp.Or(say(propVersion), r.InstrumentVersion)
	r.Employee = yes(say(propEmployee)) || r.Instrument == "enps"
	r.HasText = latest.HasText
	r.hear([]*Contact{latest})
	if r.Answers > 0 {
		r.rate(latest, &flags)
	}

	t, ambiguous := f.about(&Contact{Source: r.Source, Thread: cmp.Or(r.Thread, reviewThread(latest)), At: latest.At})
	if ambiguous {
		flags.add(FlagAmbiguousThread)
	}
	r.Channel = latest.Channel.String()
	var about *dossier
	if t != nil {
		r.Conversation = t.row.ID
		if latest.Type != schema.TypeReviewPublished {
			r.Channel = t.row.Channel
		}
		about = f.cases[t.key]
		t.lend(&r)
	}
	if key, ambiguousCase, ok := f.keyOf(latest, r.CaseNumber); ok && f.cases[key] != nil {
		about = f.cases[key]
	} else if ambiguousCase {
		flags.add(FlagAmbiguousCase)
	}
	if about != nil {
		r.Case, r.CaseNumber = about.row.ID, cmp.Or(r.CaseNumber, about.row.Number)
		for _, field := range [...]struct {
			into *string
			from string
		}{{&r.Brand, about.row.Brand}, {&r.Team, about.row.Team}, {&r.Store, about.row.Store}, {&r.Theme, about.row.Theme}} {
			if *field.into == "" {
				*field.into = field.from
			}
		}
		if r.Explained == Unknown {
			r.Explained = about.row.Explained
		}
	}
	r.Channel = cmp.Or(say(propChannel), r.Channel)
	r.Flags = flags
	r.Language = cmp.Or(r.Language, spoken([]*Contact{latest}))
	f.heardBy(&r, events)
	return r
}

func reviewThread(c *Contact) string {
	if c.Type == schema.TypeReviewPublished {
		return c.Entity
	}
	return ""
}

// lend gives a survey what its conversation says of itself.
func (t *thread) lend(r *Survey) {
	for _, field := range [...]struct {
		into *string
		from string
	}{{&r.Brand, t.row.Brand}, {&r.Team, t.row.Team}, {&r.Store, t.row.Store}, {&r.Theme, t.row.Theme}} {
		if *field.into == "" {
			*field.into = field.from
		}
	}
}

// instruments are the questionnaires that are known, by what sources call them, with the scale that holds where none is stated.
var instruments = []struct{ prefix, name, version, scale string }{
	{"enps", "enps", "", "0-10"}, {"nps", "nps", "", "0-10"}, {"csat", "csat", "", "1-5"}, {"ces1", "ces1", "2010", "1-5"}, {"ces_1", "ces1", "2010", "1-5"}, {"ces_v1", "ces1", "2010", "1-5"},
	{"ces2", "ces", "2013", "1-7"}, {"ces", "ces", "2013", "1-7"}, {"company_effort", "company_effort", "", "1-5"}, {"effort_entreprise", "company_effort", "", "1-5"},
	{"kano", "kano", "", "1-5"}, {"notoriety", "notoriety", "", "0-1"}, {"notoriété", "notoriety", "", "0-1"}, {"notoriete", "notoriety", "", "0-1"}, {"awareness", "notoriety", "", "0-1"},
}

// instrument reads what a source calls a questionnaire: the name of a known one, alone or before a sign (nps-2026).
func instrument(stated string, kind schema.Type) (name, version string) {
	plain := strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '.' {
			return '_'
		}
		return r
	}, strings.ToLower(strings.TrimSpace(stated)))
	for _, i := range instruments {
		if rest, found := strings.CutPrefix(plain, i.prefix); found && (rest == "" || rest[0] == '_') {
			return i.name, i.version
		}
	}
	switch {
	case plain != "":
		return plain, ""
	case kind == schema.TypeReviewPublished:
		return "rating", ""
	}
	return "survey", ""
}

// rate reads the rating on its scale.
func (r *Survey) rate(c *Contact, flags *flags) {
	r.Scale = c.Scale
	scale := c.Scale
	if scale == "" {
		for _, i := range instruments {
			if i.name == r.Instrument {
				scale = i.scale
				break
			}
		}
	}
	low, high, known := readScale(scale)
	if known {
		r.ScaleLow, r.ScaleHigh = low, high
	}
	if c.Rating == "" {
		return
	}
	rating, number := decimal(c.Rating)
	if !number || len(strings.SplitN(c.Rating, ".", 2)[0]) > 12 {
		flags.add(FlagRatingNotANumber)
		return
	}
	if !known {
		flags.add(FlagScaleUnknown)
		r.Rating = c.Rating
		return
	}
	if rating.Cmp(Scaled(low)) < 0 || rating.Cmp(Scaled(high)) > 0 {
		flags.add(FlagRatingOutOfRange)
		return
	}
	r.Rating = c.Rating
}

// readScale reads a scale such as 0-10, 1–5, 1..7, "1 to 5" or "1 à 5".
func readScale(s string) (low, high string, ok bool) {
	s = strings.TrimSpace(s)
	for _, between := range []string{"..", "–", " to ", " à ", "-"} {
		from, to, found := strings.Cut(s, between)
		if !found {
			continue
		}
		from, to = strings.TrimSpace(from), strings.TrimSpace(to)
		a, isA := decimal(from)
		b, isB := decimal(to)
		if isA && isB && a.Cmp(b) < 0 && len(from) < 12 && len(to) < 12 {
			return from, to, true
		}
	}
	return "", "", false
}
