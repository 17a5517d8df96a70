package care

import (
	"cmp"
	"iter"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

// correct brings into what was read what people have said of it since: of several corrections of a text the latest by (OccurredAt, id) counts.
// contacts are ascending, and stay as they are: who is corrected is another contact.
func correct(contacts []*Contact) []*Contact {
	var latest map[schema.EventID]*Contact
	for _, c := range contacts {
		if c.Correction != nil {
			if latest == nil {
				latest = map[schema.EventID]*Contact{}
			}
			latest[c.Target] = c
		}
	}
	if latest == nil {
		return contacts
	}
	contacts = slices.Clone(contacts)
	for i, c := range contacts {
		if by := latest[c.ID]; by != nil && c.Said != nil {
			corrected := *c
			corrected.Said, corrected.corrected = by.Correction.Apply(c.Said), by
			contacts[i] = &corrected
		}
	}
	return contacts
}

// hear takes what was read in the texts of contacts, which are ascending.
func (h *Heard) hear(contacts []*Contact) {
	worst, texts := verbatim.NotCritical, 0
	for _, c := range contacts {
		if c.Said == nil {
			continue
		}
		if texts++; texts == 1 {
			h.Polarity = c.Said.Polarity.String()
		}
		for _, t := range c.Said.Themes {
			if !slices.Contains(h.Themes, t.ID) {
				h.Themes = append(h.Themes, t.ID)
			}
		}
		worst = max(worst, c.Said.Criticality)
	}
	if texts > 0 {
		h.VerbatimCriticality = worst.String()
	}
}

// spoken is the language of the first text that has one; empty if there is none.
func spoken(contacts []*Contact) string {
	for _, c := range contacts {
		if c.Said != nil && c.Said.Language != verbatim.Unknown {
			return c.Said.Language.String()
		}
	}
	return ""
}

// hear takes what was read in all texts of the case.
func (d *dossier) hear() {
	if !d.speaks() {
		return
	}
	var all []*Contact
	for _, t := range d.threads {
		all = append(all, t.contacts...)
	}
	all = append(all, d.marks...)
	slices.SortFunc(all, compare)
	d.row.hear(all)
}

// speaks says whether a text of the case was read.
func (d *dossier) speaks() bool {
	read := func(c *Contact) bool { return c.Said != nil }
	return slices.ContainsFunc(d.marks, read) || slices.ContainsFunc(d.threads, func(t *thread) bool { return slices.ContainsFunc(t.contacts, read) })
}

// gravity gives the reasons for which a text makes its case critical, with how much: who may come to harm, goes to law or needs protection stands before all
// others (B7).
func gravity(k *verbatim.Kept) iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		weights := [...]float64{verbatim.NotCritical: 0, verbatim.Low: .25, verbatim.Medium: .5, verbatim.High: 1, verbatim.Critical: 1}
		if k.Criticality == verbatim.NotCritical {
			return
		}
		for _, r := range k.Reasons {
			if !yield(r.Code, weights[verbatim.LevelOf(r.Code)]) {
				return
			}
		}
		if len(k.Reasons) == 0 || verbatim.LevelOf(k.Reasons[0].Code) < k.Criticality {
			yield("corrected", weights[k.Criticality])
		}
	}
}

// voice gives the row of a contact's text, nil if it has none.
func (f *fold) voice(c *Contact) *Verbatim {
	if c.Said == nil {
		return nil
	}
	if v := f.said[c.ID]; v != nil {
		return v
	}
	v := &Verbatim{
		ID: c.ID, Persona: c.Persona, At: c.At, Source: c.Source, Channel: c.Channel.String(), Type: c.Type.String(), Said: c.Said,
		Brand: c.property(propBrand), Team: c.property(propTeam), Store: c.property(propStore), Product: c.property(propProduct), Country: c.Country,
	}
	if c.Type == schema.TypeReviewPublished {
		v.Product = cmp.Or(v.Product, c.Parent) // what it is about
	}
	if by := c.corrected; by != nil {
		v.Correction, v.CorrectedBy, v.CorrectedAt = by.ID, by.ActorID, by.At
	}
	if f.said == nil {
		f.said = map[schema.EventID]*Verbatim{}
	}
	f.said[c.ID] = v
	return v
}

// lend gives what a text does not say of itself.
func (v *Verbatim) lend(brand, team, store, country string) {
	v.Brand, v.Team, v.Store, v.Country = cmp.Or(v.Brand, brand), cmp.Or(v.Team, team), cmp.Or(v.Store, store), cmp.Or(v.Country, country)
}

// heardIn makes the rows of the texts of a conversation.
func (f *fold) heardIn(t *thread) {
	for _, c := range t.contacts {
		if v := f.voice(c); v != nil {
			v.Conversation, v.Case, v.CaseNumber = t.row.ID, t.row.Case, t.row.CaseNumber
			v.lend(t.row.Brand, t.row.Team, t.row.Store, t.row.Country)
		}
	}
}

// heardOf makes the rows of the texts that opened a case.
func (f *fold) heardOf(d *dossier) {
	for _, c := range d.marks {
		if v := f.voice(c); v != nil {
			v.Case, v.CaseNumber = d.row.ID, d.row.Number
			v.lend(d.row.Brand, d.row.Team, d.row.Store, d.row.Country)
		}
	}
}

// heardBy makes the rows of the comments of a survey, or names it in the row of a review.
func (f *fold) heardBy(s *Survey, events []*Contact) {
	for _, c := range events {
		if v := f.voice(c); v != nil {
			v.Survey, v.Conversation, v.Case, v.CaseNumber = s.ID, cmp.Or(v.Conversation, s.Conversation), cmp.Or(v.Case, s.Case), cmp.Or(v.CaseNumber, s.CaseNumber)
			v.lend(s.Brand, s.Team, s.Store, s.Country)
		}
	}
}

// verbatims are the rows of all texts, ascending by id.
func (f *fold) verbatims() []Verbatim {
	for _, m := range f.marks {
		f.voice(m) // of no case that is known
	}
	var rows []Verbatim
	for _, v := range f.said {
		rows = append(rows, *v)
	}
	slices.SortFunc(rows, func(a, b Verbatim) int { return a.ID.Compare(b.ID) })
	return rows
}
