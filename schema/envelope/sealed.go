package envelope

import (
	"unsafe"

	"github.com/dossier-cdp/dossier/schema"
)

// Fields of Sealed and its messages in event.proto.
const (
	sealedAccount      = 1
	sealedIdentifier   = 2
	sealedTrait        = 3
	sealedConsent      = 4
	sealedConversation = 5
	sealedCase         = 6
	sealedParent       = 7
	sealedMention      = 8
	sealedEntity       = 9
	sealedText         = 10
	sealedLanguage     = 11
	sealedRating       = 12
	sealedRatingScale  = 13
	sealedAmount       = 14
	sealedCurrency     = 15
	sealedName         = 16
	sealedProperties   = 17
	sealedAssertion    = 18
	sealedActorID      = 19
	sealedProvenance   = 20

	accountKind  = 1
	accountValue = 2

	identifierKind         = 1
	identifierValue        = 2
	identifierAssurance    = 3
	identifierSupersededBy = 4

	traitName  = 1
	traitValue = 2

	consentKind        = 1
	consentValue       = 2
	consentChannel     = 3
	consentPurpose     = 4
	consentState       = 5
	consentLegalBasis  = 6
	consentTextVersion = 7
	consentProof       = 8
	consentExpiry      = 9

	assertionAPersona = 1
	assertionAEpoch   = 2
	assertionBPersona = 3
	assertionBEpoch   = 4
	assertionOf       = 5
	assertionReason   = 6

	provenanceTrust         = 1
	provenanceMessageID     = 2
	provenanceRouting       = 3
	provenanceMapping       = 4
	provenanceCountry       = 5
	provenanceLibrary       = 6
	provenanceUserAgent     = 7
	provenanceReceiptTimed  = 8
	provenanceTimeStatement = 9
)

func appendSealed(w *writer, s *schema.Sealed) {
	if s.Account != (schema.Account{}) {
		mark := w.open(sealedAccount)
		w.str(accountKind, s.Account.Kind)
		w.str(accountValue, s.Account.Value)
		w.b = append(w.b, s.Account.Unknown...)
		w.close(mark)
	}
	for i := range s.Identifiers {
		v := &s.Identifiers[i]
		mark := w.open(sealedIdentifier)
		w.str(identifierKind, v.Kind)
		w.str(identifierValue, v.Value)
		w.uint(identifierAssurance, uint64(v.Assurance))
		w.str(identifierSupersededBy, v.SupersededBy)
		w.b = append(w.b, v.Unknown...)
		w.close(mark)
	}
	for i := range s.Traits {
		v := &s.Traits[i]
		mark := w.open(sealedTrait)
		w.str(traitName, v.Name)
		w.bytes(traitValue, v.Value)
		w.b = append(w.b, v.Unknown...)
		w.close(mark)
	}
	for i := range s.Consents {
		appendConsent(w, &s.Consents[i])
	}
	w.str(sealedConversation, s.Conversation)
	w.str(sealedCase, s.Case)
	w.str(sealedParent, s.Parent)
	w.str(sealedMention, s.Mention)
	w.str(sealedEntity, s.Entity)
	w.str(sealedText, s.Text)
	w.str(sealedLanguage, s.Language)
	w.str(sealedRating, s.Rating)
	w.str(sealedRatingScale, s.RatingScale)
	w.str(sealedAmount, s.Amount)
	w.str(sealedCurrency, s.Currency)
	w.str(sealedName, s.Name)
	w.bytes(sealedProperties, s.Properties)
	if s.Assertion != nil {
		appendAssertion(w, s.Assertion)
	}
	w.str(sealedActorID, s.ActorID)
	if s.Provenance != (schema.Provenance{}) {
		appendProvenance(w, &s.Provenance)
	}
	w.b = append(w.b, s.Unknown...)
}

func appendConsent(w *writer, v *schema.Consent) {
	mark := w.open(sealedConsent)
	w.str(consentKind, v.Kind)
	w.str(consentValue, v.Value)
	w.uint(consentChannel, uint64(v.Channel))
	w.str(consentPurpose, v.Purpose)
	w.uint(consentState, uint64(v.State))
	w.str(consentLegalBasis, v.LegalBasis)
	w.str(consentTextVersion, v.TextVersion)
	w.str(consentProof, v.Proof)
	w.sint(consentExpiry, int64(v.Expiry))
	w.b = append(w.b, v.Unknown...)
	w.close(mark)
}

func appendAssertion(w *writer, v *schema.Assertion) {
	mark := w.open(sealedAssertion)
	if !v.A.Persona.IsZero() {
		w.bytes(assertionAPersona, v.A.Persona[:])
	}
	w.uint(assertionAEpoch, uint64(v.A.Epoch))
	if !v.B.Persona.IsZero() {
		w.bytes(assertionBPersona, v.B.Persona[:])
	}
	w.uint(assertionBEpoch, uint64(v.B.Epoch))
	if !v.Of.IsZero() {
		w.bytes(assertionOf, v.Of[:])
	}
	w.str(assertionReason, v.Reason)
	w.b = append(w.b, v.Unknown...)
	w.close(mark)
}

func appendProvenance(w *writer, v *schema.Provenance) {
	mark := w.open(sealedProvenance)
	w.uint(provenanceTrust, uint64(v.Trust))
	w.str(provenanceMessageID, v.MessageID)
	w.str(provenanceRouting, v.Routing)
	w.str(provenanceMapping, v.Mapping)
	w.str(provenanceCountry, v.Country)
	w.str(provenanceLibrary, v.Library)
	w.str(provenanceUserAgent, v.UserAgent)
	w.bool(provenanceReceiptTimed, v.ReceiptTimed)
	w.str(provenanceTimeStatement, v.TimeStatement)
	w.b = append(w.b, v.Unknown...)
	w.close(mark)
}

// str takes a string as a part of the plaintext, without a copy. The plaintext of an event is allocated for this event alone and
// never written again, and no byte of a string is also in a slice that the event hands out.
func (r *reader) str() string {
	r.valid()
	if len(r.value) == 0 {
		return ""
	}
	return unsafe.String(&r.value[0], len(r.value))
}

// slice takes bytes as a part of the plaintext, without a copy; appending to it reallocates.
func (r *reader) slice() []byte {
	if len(r.value) == 0 {
		return nil
	}
	return r.value[:len(r.value):len(r.value)]
}

// decodeSealed reads plain, which belongs to s from now on.
func decodeSealed(plain []byte, s *schema.Sealed) error {
	*s = schema.Sealed{}
	if err := makeRoom(plain, s); err != nil {
		return err
	}
	r := reader{b: plain}
	for r.next() {
		var err error
		switch r.key() {
		case sized(sealedAccount):
			err = decodeAccount(r.value, &s.Account)
		case sized(sealedIdentifier):
			s.Identifiers = append(s.Identifiers, schema.Identifier{})
			err = decodeIdentifier(r.value, &s.Identifiers[len(s.Identifiers)-1])
		case sized(sealedTrait):
			s.Traits = append(s.Traits, schema.Trait{})
			err = decodeTrait(r.value, &s.Traits[len(s.Traits)-1])
		case sized(sealedConsent):
			s.Consents = append(s.Consents, schema.Consent{})
			err = decodeConsent(r.value, &s.Consents[len(s.Consents)-1])
		case sized(sealedConversation):
			s.Conversation = r.str()
		case sized(sealedCase):
			s.Case = r.str()
		case sized(sealedParent):
			s.Parent = r.str()
		case sized(sealedMention):
			s.Mention = r.str()
		case sized(sealedEntity):
			s.Entity = r.str()
		case sized(sealedText):
			s.Text = r.str()
		case sized(sealedLanguage):
			s.Language = r.interned()
		case sized(sealedRating):
			s.Rating = r.str()
		case sized(sealedRatingScale):
			s.RatingScale = r.interned()
		case sized(sealedAmount):
			s.Amount = r.str()
		case sized(sealedCurrency):
			s.Currency = r.interned()
		case sized(sealedName):
			s.Name = r.str()
		case sized(sealedProperties):
			s.Properties = r.slice()
		case sized(sealedAssertion):
			if s.Assertion == nil {
				s.Assertion = new(schema.Assertion)
			}
			err = decodeAssertion(r.value, s.Assertion)
		case sized(sealedActorID):
			s.ActorID = r.str()
		case sized(sealedProvenance):
			err = decodeProvenance(r.value, &s.Provenance)
		default:
			s.Unknown = append(s.Unknown, r.raw...)
		}
		if err != nil {
			return err
		}
	}
	return r.err
}

// makeRoom counts the repeated fields, so that each list is allocated once. It counts those that come where writers put them.
func makeRoom(plain []byte, s *schema.Sealed) error {
	var identifiers, traits, consents int
	r := reader{b: plain}
	for r.next() && r.num <= sealedConsent {
		switch r.key() {
		case sized(sealedIdentifier):
			identifiers++
		case sized(sealedTrait):
			traits++
		case sized(sealedConsent):
			consents++
		}
	}
	if identifiers > 0 {
		s.Identifiers = make([]schema.Identifier, 0, identifiers)
	}
	if traits > 0 {
		s.Traits = make([]schema.Trait, 0, traits)
	}
	if consents > 0 {
		s.Consents = make([]schema.Consent, 0, consents)
	}
	return r.err
}

func decodeAccount(b []byte, v *schema.Account) error {
	r := reader{b: b}
	for r.next() {
		switch r.key() {
		case sized(accountKind):
			v.Kind = r.interned()
		case sized(accountValue):
			v.Value = r.str()
		default:
			v.Unknown += string(r.raw)
		}
	}
	return r.err
}

func decodeIdentifier(b []byte, v *schema.Identifier) error {
	r := reader{b: b}
	for r.next() {
		switch r.key() {
		case sized(identifierKind):
			v.Kind = r.interned()
		case sized(identifierValue):
			v.Value = r.str()
		case varint(identifierAssurance):
			v.Assurance = schema.Assurance(r.enum())
		case sized(identifierSupersededBy):
			v.SupersededBy = r.str()
		default:
			v.Unknown += string(r.raw)
		}
	}
	return r.err
}

func decodeTrait(b []byte, v *schema.Trait) error {
	r := reader{b: b}
	for r.next() {
		switch r.key() {
		case sized(traitName):
			v.Name = r.interned()
		case sized(traitValue):
			v.Value = r.slice()
		default:
			v.Unknown += string(r.raw)
		}
	}
	return r.err
}

func decodeConsent(b []byte, v *schema.Consent) error {
	r := reader{b: b}
	for r.next() {
		switch r.key() {
		case sized(consentKind):
			v.Kind = r.interned()
		case sized(consentValue):
			v.Value = r.str()
		case varint(consentChannel):
			v.Channel = schema.Channel(r.enum())
		case sized(consentPurpose):
			v.Purpose = r.interned()
		case varint(consentState):
			v.State = schema.ConsentState(r.enum())
		case sized(consentLegalBasis):
			v.LegalBasis = r.interned()
		case sized(consentTextVersion):
			v.TextVersion = r.interned()
		case sized(consentProof):
			v.Proof = r.str()
		case varint(consentExpiry):
			v.Expiry = schema.Instant(r.sint())
		default:
			v.Unknown += string(r.raw)
		}
	}
	return r.err
}

func decodeAssertion(b []byte, v *schema.Assertion) error {
	r := reader{b: b}
	for r.next() {
		switch r.key() {
		case sized(assertionAPersona):
			v.A.Persona = r.id()
		case varint(assertionAEpoch):
			v.A.Epoch = uint32(r.within(1<<32 - 1))
		case sized(assertionBPersona):
			v.B.Persona = r.id()
		case varint(assertionBEpoch):
			v.B.Epoch = uint32(r.within(1<<32 - 1))
		case sized(assertionOf):
			v.Of = r.id()
		case sized(assertionReason):
			v.Reason = r.str()
		default:
			v.Unknown += string(r.raw)
		}
	}
	return r.err
}

func decodeProvenance(b []byte, v *schema.Provenance) error {
	r := reader{b: b}
	for r.next() {
		switch r.key() {
		case varint(provenanceTrust):
			v.Trust = schema.Trust(r.enum())
		case sized(provenanceMessageID):
			v.MessageID = r.str()
		case sized(provenanceRouting):
			v.Routing = r.str()
		case sized(provenanceMapping):
			v.Mapping = r.interned()
		case sized(provenanceCountry):
			v.Country = r.interned()
		case sized(provenanceLibrary):
			v.Library = r.str()
		case sized(provenanceUserAgent):
			v.UserAgent = r.str()
		case varint(provenanceReceiptTimed):
			v.ReceiptTimed = r.v != 0
		case sized(provenanceTimeStatement):
			v.TimeStatement = r.str()
		default:
			v.Unknown += string(r.raw)
		}
	}
	return r.err
}
