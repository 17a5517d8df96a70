package native

import (
	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// consents reads what the person allowed and refused.
func (v *event) consents() {
	list := v.item.Get("consents")
	switch list.Kind() {
	case canonical.Absent, canonical.Null:
		if v.m.Event.Type == schema.TypeConsentRecorded {
			v.refuse(consentInvalid("consent.recorded without consents"))
		}
		return
	case canonical.Array:
	default:
		v.refuse(channel.FieldInvalid("consents", "an array"))
		return
	}
	if v.s.Trust != schema.TrustServer {
		v.refuse(channel.NotForClientKey("consents"))
		return
	}
	list.Each(func(_ string, n canonical.Node) bool {
		v.consent(n)
		return v.refusal == nil
	})
	if v.m.Event.Type == schema.TypeConsentRecorded && len(v.m.Event.Consents) == 0 {
		v.refuse(consentInvalid("consent.recorded without consents"))
	}
}

func consentInvalid(what string) *schema.Refusal {
	return schema.Refuse(channel.CodeConsentInvalid, what, "send purpose, channel and state (granted, denied or withdrawn), and with a grant its proof")
}

func (v *event) consent(n canonical.Node) {
	c := schema.Consent{
		Kind: channel.LooseText(n.Get("kind")), Purpose: channel.LooseText(n.Get("purpose")),
		LegalBasis: channel.LooseText(n.Get("legalBasis")), TextVersion: channel.LooseText(n.Get("textVersion")), Proof: channel.LooseText(n.Get("proof")),
	}
	value, r := channel.Scalar(n.Get("value"), "a consent's value")
	v.refuse(r)
	c.Value = value
	var known bool
	if c.State, known = schema.ParseConsentState(channel.LooseText(n.Get("state"))); !known {
		v.refuse(consentInvalid("a consent without a state"))
	}
	if c.Channel, known = schema.ParseChannel(channel.LooseText(n.Get("channel"))); !known {
		v.refuse(consentInvalid("a consent without a channel"))
	}
	switch {
	case c.Purpose == "":
		v.refuse(consentInvalid("a consent without a purpose"))
	case c.State == schema.ConsentGranted && c.Proof == "":
		v.refuse(consentInvalid("a grant without proof"))
	case (c.Kind == "") != (c.Value == ""):
		v.refuse(consentInvalid("a consent with half a contact point"))
	case c.Kind != "":
		v.refuse(channel.CheckIdentifier(c.Kind, c.Value))
	}
	if expiry := channel.LooseText(n.Get("expiry")); expiry != "" {
		at, r := channel.ParseTime("expiry", expiry)
		v.refuse(r)
		c.Expiry = at
	}
	v.m.Event.Consents = append(v.m.Event.Consents, c)
}

func assertionInvalid(what, hint string) *schema.Refusal {
	return schema.Refuse(channel.CodeAssertionInvalid, what, hint)
}

// assertion reads a person's decision about two personas: a and b, or of, the event that is withdrawn; or about a text: a, and of, its event.
func (v *event) assertion() {
	e := &v.m.Event
	a, b, of := v.item.Get("a"), v.item.Get("b"), v.text("of")
	pair := e.Type.Pairs()
	corrects := e.Type == schema.TypeVerbatimCorrected
	if !pair && !corrects && e.Type != schema.TypeIdentityReleased {
		if a.Exists() || b.Exists() || of != "" || v.item.Get("reason").Exists() {
			v.refuse(assertionInvalid("a, b, of and reason belong to identity.linked, identity.separated, household.joined, identity.released and verbatim.corrected", "leave them out"))
		}
		return
	}
	as := &schema.Assertion{Reason: v.text("reason")}
	as.A, as.B = v.persona(a, "a"), v.persona(b, "b")
	if v.refusal != nil {
		return
	}
	zero := schema.PersonaEpoch{}
	switch {
	case corrects:
		v.correction(as, of, b)
	case pair:
		switch {
		case as.A == zero || as.B == zero:
			v.refuse(assertionInvalid("a link, a separation or a household needs two personas", "send a and b: each a persona's id, or an object of source and account"))
		case as.A.Persona == as.B.Persona:
			v.refuse(assertionInvalid("a and b are one persona", "send two different personas"))
		case of != "":
			v.refuse(assertionInvalid("of belongs to identity.released", "leave it out"))
		}
	default:
		id, err := schema.ParseEventID(of)
		if err != nil {
			v.refuse(assertionInvalid("a release needs the id of the event that it withdraws", "send of: the id that the link or separation was answered with"))
		}
		as.Of = id
	}
	e.Assertion, v.m.About = as, as.A
	if as.A == zero {
		// A release that names no persona stands by itself, beside what it withdraws.
		e.Account = schema.Account{Kind: "record_id", Value: "release of " + of}
	}
}

// correction reads what a person says of what was read in a text: a, whose text it is, of, its event, and the properties that hold instead.
func (v *event) correction(as *schema.Assertion, of string, b canonical.Node) {
	id, err := schema.ParseEventID(of)
	switch {
	case err != nil:
		v.refuse(assertionInvalid("a correction needs the id of the event whose text it is about", "send of: the id of the interaction"))
	case as.A == schema.PersonaEpoch{}:
		v.refuse(assertionInvalid("a correction needs the persona whose text it is about", "send a: the persona of the interaction"))
	case b.Exists():
		v.refuse(assertionInvalid("b belongs to identity.linked, identity.separated and household.joined", "leave it out"))
	}
	_, r := verbatim.ParseCorrection(v.m.Event.Properties)
	v.refuse(r)
	as.Of = id
}

// persona reads one side of an assertion: an id, an object of persona and epoch, or an object of source, trust and account.
func (v *event) persona(n canonical.Node, field string) (p schema.PersonaEpoch) {
	want := channel.FieldInvalid(field, "a persona's id, an object of persona and epoch, or an object of source and account")
	text, isText := n.Str()
	switch {
	case !n.Exists() || n.Kind() == canonical.Null:
		return p
	case n.Kind() == canonical.Object && n.Get("account").Exists():
		return v.personaOf(n, want)
	case n.Kind() == canonical.Object:
		text, isText = n.Get("persona").Str()
	}
	id, err := schema.ParsePersonaID(text)
	if !isText || err != nil {
		v.refuse(want)
		return p
	}
	p.Persona = id
	if stated, ok := n.Get("epoch").Num(); ok {
		for _, digit := range []byte(stated) {
			if digit < '0' || digit > '9' || p.Epoch > 1<<27 {
				v.refuse(want)
				return schema.PersonaEpoch{}
			}
			p.Epoch = p.Epoch*10 + uint32(digit-'0')
		}
	} else if v.s.Epoch != nil {
		p.Epoch = v.s.Epoch(id)
	}
	return p
}

// personaOf derives the persona of an account of a source.
func (v *event) personaOf(n canonical.Node, want *schema.Refusal) (p schema.PersonaEpoch) {
	a := schema.Account{Kind: channel.LooseText(n.Get("account").Get("kind"))}
	value, r := channel.Scalar(n.Get("account").Get("value"), "account.value")
	v.refuse(r)
	a.Value = value
	trust := schema.TrustServer
	if word := channel.LooseText(n.Get("trust")); word != "" {
		stated, known := schema.ParseTrust(word)
		if !known {
			v.refuse(want)
		}
		trust = stated
	}
	source := channel.LooseText(n.Get("source"))
	if source == "" {
		source = v.source.Name
	}
	if v.refusal != nil || a.Value == "" || !channel.IsName(a.Kind) || v.s.Persona == nil {
		v.refuse(want)
		return p
	}
	p.Persona = v.s.Persona(source, trust, a)
	if v.s.Epoch != nil {
		p.Epoch = v.s.Epoch(p.Persona)
	}
	return p
}
