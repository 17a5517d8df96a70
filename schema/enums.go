package schema

import "fmt"

// Trust says which class of key an event came in with. It is part of the persona, so what a public key claims never mixes with
// what a server said.
type Trust uint8

// The trust classes. The numbers are on the wire: never renumber.
const (
	TrustClient Trust = 1 // a public key, readable by anyone who opens the site
	TrustServer Trust = 2 // a secret key
)

// Assurance says how far an identifier or trait may be believed.
type Assurance uint8

// The assurances, weakest first, so that a larger one wins. The numbers are on the wire: never renumber.
const (
	AssuranceInferred Assurance = 1
	AssuranceDeclared Assurance = 2 // typed in, or said by a public key
	AssuranceVerified Assurance = 3 // server key, checked login, CRM
)

// Actor says who acted in an event.
type Actor uint8

// The actors. The numbers are on the wire: never renumber.
const (
	ActorCustomer Actor = 1
	ActorAgent    Actor = 2
	ActorBot      Actor = 3
	ActorBrand    Actor = 4
	ActorSystem   Actor = 5
)

// Channel is where a contact took place.
type Channel uint8

// The channels. The numbers are on the wire: never renumber.
const (
	ChannelPhone     Channel = 1
	ChannelEmail     Channel = 2
	ChannelWebForm   Channel = 3
	ChannelCallback  Channel = 4
	ChannelChat      Channel = 5
	ChannelBot       Channel = 6
	ChannelVideo     Channel = 7
	ChannelApp       Channel = 8
	ChannelSMS       Channel = 9
	ChannelForum     Channel = 10
	ChannelSocial    Channel = 11
	ChannelMessaging Channel = 12
	ChannelReview    Channel = 13
	ChannelStore     Channel = 14
	ChannelPost      Channel = 15
	ChannelSurvey    Channel = 16
	ChannelWeb       Channel = 17
	ChannelDevice    Channel = 18
	ChannelCRM       Channel = 19
)

// Type is what happened: past tense, noun.verb.
type Type uint16

// The built-in types. The numbers are on the wire: never renumber.
const (
	TypeProfileIdentified Type = 1
	TypeMessageReceived   Type = 2
	TypeMessageSent       Type = 3
	TypeCallOffered       Type = 4
	TypeCallAnswered      Type = 5
	TypeCallAbandoned     Type = 6
	TypeCallEnded         Type = 7
	TypeCaseOpened        Type = 8
	TypeCaseResolved      Type = 9
	TypeCaseReopened      Type = 10
	TypeSurveyAnswered    Type = 11
	TypeMentionPublished  Type = 12
	TypeMentionEngaged    Type = 13
	TypeReviewPublished   Type = 14
	TypeOrderPlaced       Type = 15
	TypeOrderDelivered    Type = 16
	TypeGestureGranted    Type = 17
	TypePageViewed        Type = 18
	TypeTrackPerformed    Type = 19 // the custom name is sealed
	TypeIdentityLinked    Type = 20
	TypeIdentitySeparated Type = 21
	TypeIdentityReleased  Type = 22
	TypeIdentityAliased   Type = 23
	TypeConsentRecorded   Type = 24
	TypeGroupJoined       Type = 25
	TypeItemOrdered       Type = 26 // one line of an order
	TypePaymentReceived   Type = 27
	TypeCallQueued        Type = 28
	TypeCallHeld          Type = 29
	TypeCallTransferred   Type = 30
	TypeCaseUpdated       Type = 31 // owner, team, priority, next step …
	TypeCaseMerged        Type = 32 // into the case that property merged_into names
	TypeTaskAdded         Type = 33
	TypeTaskCompleted     Type = 34
	TypeNoteAdded         Type = 35
	TypePromiseMade       Type = 36
	TypePromiseKept       Type = 37
	TypeSurveySent        Type = 38 // the invitation
	TypeContentModerated  Type = 39
	TypeAlertRaised       Type = 40
	TypeVerbatimCorrected Type = 41 // what was read in a text is corrected by a person
	TypePromiseBroken     Type = 42
	TypeHouseholdJoined   Type = 43 // a person's decision: two personas are two people of one home
	TypeListJoined        Type = 44 // somebody was put into a list of people; the name is the list's
	TypeListLeft          Type = 45
)

var trustNames = names[Trust]{TrustClient: "client", TrustServer: "server"}

var assuranceNames = names[Assurance]{AssuranceInferred: "inferred", AssuranceDeclared: "declared", AssuranceVerified: "verified"}

var actorNames = names[Actor]{ActorCustomer: "customer", ActorAgent: "agent", ActorBot: "bot", ActorBrand: "brand", ActorSystem: "system"}

var channelNames = names[Channel]{
	ChannelPhone: "phone", ChannelEmail: "email", ChannelWebForm: "web_form", ChannelCallback: "callback", ChannelChat: "chat",
	ChannelBot: "bot", ChannelVideo: "video", ChannelApp: "app", ChannelSMS: "sms", ChannelForum: "forum", ChannelSocial: "social",
	ChannelMessaging: "messaging", ChannelReview: "review", ChannelStore: "store", ChannelPost: "post", ChannelSurvey: "survey",
	ChannelWeb: "web", ChannelDevice: "device", ChannelCRM: "crm",
}

var typeNames = names[Type]{
	TypeProfileIdentified: "profile.identified", TypeMessageReceived: "message.received", TypeMessageSent: "message.sent",
	TypeCallOffered: "call.offered", TypeCallAnswered: "call.answered", TypeCallAbandoned: "call.abandoned", TypeCallEnded: "call.ended",
	TypeCaseOpened: "case.opened", TypeCaseResolved: "case.resolved", TypeCaseReopened: "case.reopened",
	TypeSurveyAnswered: "survey.answered", TypeMentionPublished: "mention.published", TypeMentionEngaged: "mention.engaged",
	TypeReviewPublished: "review.published", TypeOrderPlaced: "order.placed", TypeOrderDelivered: "order.delivered",
	TypeGestureGranted: "gesture.granted", TypePageViewed: "page.viewed", TypeTrackPerformed: "track.performed",
	TypeIdentityLinked: "identity.linked", TypeIdentitySeparated: "identity.separated", TypeIdentityReleased: "identity.released",
	TypeIdentityAliased: "identity.aliased", TypeConsentRecorded: "consent.recorded", TypeGroupJoined: "group.joined",
	TypeItemOrdered: "item.ordered", TypePaymentReceived: "payment.received",
	TypeCallQueued: "call.queued", TypeCallHeld: "call.held", TypeCallTransferred: "call.transferred",
	TypeCaseUpdated: "case.updated", TypeCaseMerged: "case.merged", TypeTaskAdded: "task.added", TypeTaskCompleted: "task.completed",
	TypeNoteAdded: "note.added", TypePromiseMade: "promise.made", TypePromiseKept: "promise.kept", TypeSurveySent: "survey.sent",
	TypeContentModerated: "content.moderated", TypeAlertRaised: "alert.raised", TypeVerbatimCorrected: "verbatim.corrected", TypePromiseBroken: "promise.broken",
	TypeHouseholdJoined: "household.joined", TypeListJoined: "list.joined", TypeListLeft: "list.left",
}

// Pairs says whether the type is a person's decision about two personas: linked, separated, or two people of one household.
func (t Type) Pairs() bool {
	return t == TypeIdentityLinked || t == TypeIdentitySeparated || t == TypeHouseholdJoined
}

// Decides says whether the type is a person's decision about who is who: it belongs to no channel and is no contact.
func (t Type) Decides() bool { return t.Pairs() || t == TypeIdentityReleased }

func (t Trust) String() string     { return trustNames.name(t) }
func (a Assurance) String() string { return assuranceNames.name(a) }
func (a Actor) String() string     { return actorNames.name(a) }
func (c Channel) String() string   { return channelNames.name(c) }
func (t Type) String() string      { return typeNames.name(t) }

// ParseTrust reads a trust class by name.
func ParseTrust(s string) (Trust, bool) { return trustNames.parse(s) }

// ParseAssurance reads an assurance by name.
func ParseAssurance(s string) (Assurance, bool) { return assuranceNames.parse(s) }

// ParseActor reads an actor by name.
func ParseActor(s string) (Actor, bool) { return actorNames.parse(s) }

// ParseChannel reads a channel by name.
func ParseChannel(s string) (Channel, bool) { return channelNames.parse(s) }

// ParseType reads a built-in type by name.
func ParseType(s string) (Type, bool) { return typeNames.parse(s) }

// Channels lists every channel in wire order.
func Channels() []Channel { return channelNames.values() }

// Types lists every built-in type in wire order.
func Types() []Type { return typeNames.values() }

// names maps the values of an enumeration, which count up from 1, to their words.
type names[T ~uint8 | ~uint16] map[T]string

func (n names[T]) name(v T) string {
	if s, ok := n[v]; ok {
		return s
	}
	return fmt.Sprintf("unknown(%d)", uint16(v))
}

func (n names[T]) parse(s string) (T, bool) {
	for v, name := range n {
		if name == s {
			return v, true
		}
	}
	return 0, false
}

func (n names[T]) values() []T {
	out := make([]T, 0, len(n))
	for v := T(1); int(v) <= len(n); v++ {
		out = append(out, v)
	}
	return out
}
