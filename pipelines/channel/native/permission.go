package native

import (
	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
)

// The scopes that open types to tokens.
const (
	scopeDecide    = "decide"
	scopeCare      = "care"
	scopePrivacy   = "privacy"
	scopeMarketing = "marketing"
)

// customers are the types of what a customer does: all that a client key may send.
var customers = map[schema.Type]bool{
	schema.TypeProfileIdentified: true, schema.TypeMessageReceived: true, schema.TypeSurveyAnswered: true,
	schema.TypeReviewPublished: true, schema.TypeOrderPlaced: true, schema.TypePageViewed: true,
	schema.TypeTrackPerformed: true, schema.TypeGroupJoined: true, schema.TypeIdentityAliased: true,
}

// agents are the types of what agents do for a customer.
var agents = map[schema.Type]bool{
	schema.TypeCaseOpened: true, schema.TypeCaseUpdated: true, schema.TypeCaseResolved: true, schema.TypeCaseReopened: true, schema.TypeTaskAdded: true,
	schema.TypeTaskCompleted: true, schema.TypeNoteAdded: true, schema.TypePromiseMade: true, schema.TypePromiseKept: true, schema.TypePromiseBroken: true,
	schema.TypeGestureGranted: true, schema.TypeContentModerated: true,
}

// reserved are names of what is done by a command or a mutation and never sent as an event.
var reserved = map[string]bool{"profile.erased": true, "configuration.changed": true}

// allowed refuses a type that this sender may not send. A write key sends what customers, agents, bots and the brand do, a
// client key only the first of these; people's decisions about identity need a token, and a token sends nothing but what its scopes
// name.
func allowed(kind schema.Type, s *channel.Sender) *schema.Refusal {
	scope := ""
	switch {
	case kind.Decides():
		scope = scopeDecide
	case kind == schema.TypeVerbatimCorrected:
		scope = scopeCare
	}
	switch {
	case s.Trust != schema.TrustServer:
		if !customers[kind] {
			return channel.NotForClientKey(kind.String())
		}
		return nil
	case !s.Token:
		if scope != "" {
			return channel.ScopeMissing(kind.String(), scope)
		}
		return nil
	case scope != "":
		if !s.Has(scope) {
			return channel.ScopeMissing(kind.String(), scope)
		}
		return nil
	case (kind == schema.TypeConsentRecorded || kind == schema.TypeProfileIdentified) && s.Has(scopePrivacy):
		return nil
	case kind == schema.TypeListJoined || kind == schema.TypeListLeft:
		if !s.Has(scopeMarketing) {
			return channel.ScopeMissing("sending "+kind.String()+" without a write key", scopeMarketing)
		}
		return nil
	case !s.Has(scopeCare):
		return channel.ScopeMissing("sending "+kind.String()+" without a write key", scopeCare)
	}
	return nil
}
