package persona

import (
	"cmp"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// Subject is what a consent is about: a contact point, or the account if Kind is empty, on one channel, for one purpose.
type Subject struct {
	Kind    string
	Normal  string // the normal form of the contact point
	Channel schema.Channel
	Purpose string
}

// Statement is one thing that the person said about a subject.
type Statement struct {
	Subject
	Value       string // the contact point, as given
	State       schema.ConsentState
	OccurredAt  schema.Instant
	Event       schema.EventID
	LegalBasis  string
	TextVersion string
	Proof       string
	Expiry      schema.Instant // 0 if it has none
}

// MaxStatements is how many statements about one subject a state holds: the latest. The earlier ones that are held answer what held at an earlier
// time (InForceAt).
const MaxStatements = 16

func (a *Subject) compare(b *Subject) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Normal, b.Normal), cmp.Compare(a.Channel, b.Channel), strings.Compare(a.Purpose, b.Purpose))
}

// moment orders statements about one subject by which one counts. Of two in one event the refusal counts.
func (a *Statement) moment(b *Statement) int {
	return cmp.Or(later(a.OccurredAt, a.Event, b.OccurredAt, b.Event), cmp.Compare(a.State, b.State),
		strings.Compare(a.Proof, b.Proof), strings.Compare(a.LegalBasis, b.LegalBasis), strings.Compare(a.TextVersion, b.TextVersion),
		cmp.Compare(a.Expiry, b.Expiry), strings.Compare(a.Value, b.Value))
}

// place orders statements by subject, then the latest first.
func (a *Statement) place(b *Statement) int {
	return cmp.Or(a.Subject.compare(&b.Subject), b.moment(a))
}

// Refused says whether the statement is a no.
func (a *Statement) Refused() bool { return a.State != schema.ConsentGranted }

// FoldConsents is Fold for what an event says of consents alone.
func (s *State) FoldConsents(e *schema.Event, kinds Kinds) (changed bool) {
	for i := range e.Consents {
		c := &e.Consents[i]
		said := Statement{
			Subject: Subject{Kind: c.Kind, Channel: c.Channel, Purpose: c.Purpose}, Value: c.Value, State: c.State,
			OccurredAt: e.OccurredAt, Event: e.ID, LegalBasis: c.LegalBasis, TextVersion: c.TextVersion, Proof: c.Proof, Expiry: c.Expiry,
		}
		if c.Kind != "" {
			said.Kind = kinds.Name(c.Kind)
			said.Normal, _ = normalize(kinds, said.Kind, c.Value, e.Provenance.Country)
		}
		changed = s.statement(&said) || changed
	}
	return changed
}

func (s *State) statement(said *Statement) (changed bool) {
	i, found := slices.BinarySearchFunc(s.Consents, said, func(a Statement, b *Statement) int { return a.place(b) })
	if found {
		return false
	}
	first := i
	for first > 0 && s.Consents[first-1].Subject == said.Subject {
		first--
	}
	if i-first >= MaxStatements {
		return false
	}
	kept := *said // with texts of its own: said's belong to an event
	for _, text := range []*string{&kept.Kind, &kept.Normal, &kept.Purpose, &kept.Value, &kept.LegalBasis, &kept.TextVersion, &kept.Proof} {
		*text = strings.Clone(*text)
	}
	s.Consents = slices.Insert(s.Consents, i, kept)
	if end := first + MaxStatements; end < len(s.Consents) && s.Consents[end].Subject == said.Subject {
		s.Consents = slices.Delete(s.Consents, end, end+1)
	}
	return true
}

// InForceAt gives the statements that count at t: of each subject the latest with OccurredAt ≤ t.
func (s *State) InForceAt(t schema.Instant) []Statement {
	var out []Statement
	for i := range s.Consents {
		said := &s.Consents[i]
		if said.OccurredAt <= t && (len(out) == 0 || out[len(out)-1].Subject != said.Subject) {
			out = append(out, *said)
		}
	}
	return out
}

// Inherited is a refusal by a persona outside the profile that reaches into it (see Consents).
type Inherited struct {
	Statement
	From      schema.ProfileID // the persona that said it
	PointOnly bool             // it reaches only its contact point, because both carry it; else the whole profile, because both were one
}

// Consent is what holds for one contact point, or for the account of one persona, on one channel and for one purpose.
type Consent struct {
	Subject
	Value   string           // the contact point, as last given
	Account schema.ProfileID // the persona whose account it is; zero for a contact point
	State   schema.ConsentState
	Allowed bool             // the answer; everything that is not listed is no
	Reason  Reason           // why
	By      Statement        // the statement that decides
	Persona schema.ProfileID // the persona that said it
	Source  string           // that persona's source; empty if it is not of the profile
}

// Reason says why a consent is as it is.
type Reason string

// The reasons.
const (
	ReasonGranted        Reason = "granted"         // for this very contact point or account
	ReasonAccount        Reason = "account_granted" // for the account, by a persona that carries the contact point
	ReasonRefused        Reason = "refused"         // for this very contact point or account
	ReasonProfileRefused Reason = "profile_refused" // elsewhere in the profile
	ReasonInherited      Reason = "inherited"       // by a person outside the profile, see Consents
	ReasonExpired        Reason = "expired"
	ReasonOtherContact   Reason = "other_contact_point" // granted, but not for this contact point
)

// Consents decides what holds for a profile at now.
//
// Of each subject the latest statement counts, whichever persona it came through. A refusal that counts holds for the whole profile, on its channel and for
// its purpose; only a later grant for the same subject lifts it. A grant holds for its contact point alone, until it expires; a grant for an account holds for
// the contact points that this persona itself carries. Unknown is no.
//
// A client persona's statements and contact points count only if the profile has no server persona, and its grants never do: a public key proves nothing.
//
// After a split, a refusal stays with every contact point that was in the profile. Kept as a function of the set of events, this means: inherited are the
// refusals of the personas that would be in this profile if no one had separated them, as they were in force when they were separated. The caller finds them,
// since it holds the evidence. What falls apart because its evidence turned out to be none was never one person (the set says so, whatever was shown for a
// while): there, as between any two persons, a refusal reaches only the contact point that it names, wherever that is carried.
//
// The result is sorted by subject, contact points first.
func Consents(states []*State, inherited []Inherited, now schema.Instant, kinds Kinds) []Consent {
	states = trusted(states)
	type saying struct {
		Statement
		persona, account schema.ProfileID // account: zero for a contact point
		source           string
		foreign          bool // of a person outside the profile
	}
	var sayings []saying // the one that counts, for each subject
	for _, s := range states {
		for _, said := range s.InForceAt(now) {
			if s.Trust != schema.TrustServer && !said.Refused() {
				continue
			}
			x := saying{Statement: said, persona: s.ID, source: s.Source}
			if said.Kind == "" {
				x.account = s.ID
			}
			sayings = append(sayings, x)
		}
	}
	for _, in := range inherited {
		if in.PointOnly && in.Refused() && in.Kind != "" {
			sayings = append(sayings, saying{Statement: in.Statement, persona: in.From, foreign: true})
		}
	}
	slices.SortFunc(sayings, func(a, b saying) int {
		return cmp.Or(a.Subject.compare(&b.Subject), a.account.Compare(b.account), b.moment(&a.Statement), a.persona.Compare(b.persona))
	})
	sayings = slices.CompactFunc(sayings, func(a, b saying) bool { return a.Subject == b.Subject && a.account == b.account })

	type matter struct {
		channel schema.Channel
		purpose string
	}
	matterOf := func(s *Subject) matter { return matter{s.Channel, s.Purpose} }
	refusals := map[matter]saying{} // the latest, for the whole profile
	var matters []matter
	note := func(x saying) {
		if r, found := refusals[matterOf(&x.Subject)]; !found || cmp.Or(x.moment(&r.Statement), x.Subject.compare(&r.Subject), r.persona.Compare(x.persona)) > 0 {
			refusals[matterOf(&x.Subject)] = x
		}
	}
	for _, x := range sayings {
		matters = append(matters, matterOf(&x.Subject))
		if x.Refused() && !x.foreign {
			note(x)
		}
	}
	for _, in := range inherited {
		// A refusal of a contact point that the profile itself spoke of later is that contact point's own history.
		own := slices.ContainsFunc(sayings, func(x saying) bool {
			return x.Kind != "" && x.Subject == in.Subject && x.moment(&in.Statement) > 0
		})
		if in.Refused() && !in.PointOnly && !own {
			matters = append(matters, matterOf(&in.Subject))
			note(saying{Statement: in.Statement, persona: in.From, foreign: true})
		}
	}
	slices.SortFunc(matters, func(a, b matter) int {
		return cmp.Or(cmp.Compare(a.channel, b.channel), strings.Compare(a.purpose, b.purpose))
	})
	matters = slices.Compact(matters)

	decide := func(c *Consent, own *saying, accounts func(*saying) bool) {
		settle := func(x *saying, allowed bool, why Reason) {
			c.State, c.Allowed, c.Reason, c.By, c.Persona, c.Source = x.State, allowed, why, x.Statement, x.persona, x.source
		}
		expired := func(x *saying) bool { return x.Expiry != 0 && x.Expiry <= now }
		if own != nil && own.Refused() && !own.foreign {
			settle(own, false, ReasonRefused)
			return
		}
		if r, found := refusals[matterOf(&c.Subject)]; found && !r.foreign {
			settle(&r, false, ReasonProfileRefused)
			return
		} else if found {
			settle(&r, false, ReasonInherited)
			return
		}
		if own != nil && own.Refused() {
			settle(own, false, ReasonInherited)
			return
		}
		if own != nil && !expired(own) {
			settle(own, true, ReasonGranted)
			return
		}
		for i := range sayings {
			if x := &sayings[i]; x.Kind == "" && matterOf(&x.Subject) == matterOf(&c.Subject) && accounts(x) && !expired(x) {
				settle(x, true, ReasonAccount)
				return
			}
		}
		if own != nil {
			settle(own, false, ReasonExpired)
			return
		}
		for i := range sayings {
			if x := &sayings[i]; matterOf(&x.Subject) == matterOf(&c.Subject) && !x.Refused() {
				settle(x, false, ReasonOtherContact)
				return
			}
		}
	}
	find := func(subject *Subject, account schema.ProfileID) *saying {
		for i := range sayings {
			if sayings[i].Subject == *subject && sayings[i].account == account {
				return &sayings[i]
			}
		}
		return nil
	}

	var out []Consent
	for _, point := range contactPoints(states, kinds) {
		for _, m := range matters {
			c := Consent{Subject: Subject{point.Kind, point.Normal, m.channel, m.purpose}, Value: point.Value}
			decide(&c, find(&c.Subject, schema.ProfileID{}), func(x *saying) bool {
				i := slices.IndexFunc(states, func(s *State) bool { return s.ID == x.account })
				return i >= 0 && states[i].carries(point.Kind, point.Normal)
			})
			if c.Reason != "" { // else nobody said anything that reaches this contact point: unknown
				out = append(out, c)
			}
		}
	}
	for i := range sayings {
		if x := &sayings[i]; x.Kind == "" {
			c := Consent{Subject: x.Subject, Account: x.account}
			decide(&c, x, func(*saying) bool { return false })
			out = append(out, c)
		}
	}
	return out
}

// contactPoints lists the values by which the states' person can be reached, sorted, including those that only a consent names.
func contactPoints(states []*State, kinds Kinds) []Identifier {
	var out []Identifier
	for _, s := range states {
		for _, id := range s.Identifiers {
			if !id.Unusable && kinds.ContactPoint(id.Kind) {
				out = append(out, id)
			}
		}
		for _, c := range s.Consents {
			if c.Kind != "" && (s.Trust == schema.TrustServer || c.Refused()) {
				out = append(out, Identifier{Kind: c.Kind, Normal: c.Normal, Value: c.Value, Last: c.OccurredAt})
			}
		}
	}
	slices.SortFunc(out, func(a, b Identifier) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Normal, b.Normal), cmp.Compare(b.Last, a.Last), strings.Compare(b.Value, a.Value))
	})
	return slices.CompactFunc(out, func(a, b Identifier) bool { return a.Kind == b.Kind && a.Normal == b.Normal })
}
