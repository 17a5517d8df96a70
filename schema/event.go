package schema

// Event is one contact. It is immutable, belongs to one persona for ever, and is the same event wherever its id is the same.
//
// The clear part may be read by whoever holds the log. Everything personal is in the sealed part.
type Event struct {
	Clear
	Sealed
}

// EnvelopeVersion is the version that this code writes. A reader accepts every version up to it. A version 2 would keep every
// field number, add new ones, and raise this number only if an old reader would misunderstand an event without them.
const EnvelopeVersion = 1

// Clear is the part of an event that is not encrypted; it is authenticated as additional data of the sealed part.
type Clear struct {
	Version    uint32
	ID         EventID
	Workspace  string
	Source     string
	Persona    PersonaID
	Key        KeyID
	OccurredAt Instant // the time that the payload states, else the receipt
	ReceivedAt Instant // our clock at the collector; differs between copies of one event
	Skew       int64   // microseconds: receipt − sentAt; 0 if the sender gave no sentAt; never applied to OccurredAt
	Channel    Channel
	Type       Type
	Actor      Actor
	Dictionary uint32 // the compression dictionary of the sealed part; 0 is none
	Unknown    []byte // fields of a later version, kept as they came
}

// Sealed is the encrypted part of an event. A zero field is absent.
type Sealed struct {
	Account      Account
	Identifiers  []Identifier
	Traits       []Trait
	Consents     []Consent
	Conversation string // the channel's own thread id
	Case         string
	Parent       string // the message that this one answers, by the channel's id
	Mention      string // the account, page or brand that is addressed
	Entity       string // what figures count: the order, case, survey; the latest version of an entity counts
	Text         string
	Language     string // BCP 47, if the channel states it
	Rating       string // decimal, as given
	RatingScale  string // such as "0-10", "1-5"
	Amount       string // decimal, as given
	Currency     string // ISO 4217
	Name         string // the custom name of a track.performed event, the page's name
	Properties   []byte // JSON object, canonical, as the sender gave it; nil if none
	Assertion    *Assertion
	ActorID      string // the agent, bot or brand account that acted
	Provenance   Provenance
	Unknown      []byte // fields of a later version, kept as they came
}

// Account is what the source itself calls one customer.
type Account struct {
	Kind    string // such as user_id, crm_id, card, anonymous_id, conversation_id
	Value   string
	Unknown string // fields of a later version, kept as they came; no part of the id
}

// Identifier is a value by which a customer may be recognised, as the source gave it. Normalisation happens when it is folded,
// under the configuration of the day.
type Identifier struct {
	Kind         string // such as email, phone, card, user_id, anonymous_id, device_id, twitter_id
	Value        string
	Assurance    Assurance
	SupersededBy string // the value of the same kind that replaces this one (a lost card)
	Unknown      string // fields of a later version, kept as they came
}

// Trait is one property of a person, as the source gave it.
type Trait struct {
	Name    string
	Value   []byte // canonical JSON; "null" takes the trait back
	Unknown string // fields of a later version, kept as they came
}

// ConsentState is what the person said.
type ConsentState uint8

// The states of a consent. Unknown is no. The numbers are on the wire: never renumber.
const (
	ConsentGranted   ConsentState = 1
	ConsentDenied    ConsentState = 2
	ConsentWithdrawn ConsentState = 3
)

var consentNames = names[ConsentState]{ConsentGranted: "granted", ConsentDenied: "denied", ConsentWithdrawn: "withdrawn"}

func (s ConsentState) String() string { return consentNames.name(s) }

// ParseConsentState reads a consent state by name.
func ParseConsentState(s string) (ConsentState, bool) { return consentNames.parse(s) }

// Consent is one statement about (contact point or account, channel, purpose). Without a contact point it speaks of the account.
type Consent struct {
	Kind        string // identifier kind of the contact point; empty for the account itself
	Value       string // the contact point, as given
	Channel     Channel
	Purpose     string
	State       ConsentState
	LegalBasis  string
	TextVersion string
	Proof       string
	Expiry      Instant // 0 if it has none
	Unknown     string  // fields of a later version, kept as they came
}

// Assertion is a person's decision about two personas: identity.linked, identity.separated, household.joined (A and B), identity.released (Of); or about a text of
// one of them: verbatim.corrected (A and Of).
type Assertion struct {
	A, B    PersonaEpoch
	Of      EventID // what identity.released withdraws, what verbatim.corrected is about
	Reason  string
	Unknown string // fields of a later version, kept as they came
}

// Provenance says how an event came to us.
type Provenance struct {
	Trust         Trust
	MessageID     string // the sender's id, or ours by its rule
	Routing       string // hash of the mapping's rules for account, type and time
	Mapping       string // name of the mapping, such as segment, events, crm
	Country       string // ISO 3166 alpha-2, the source's: national phone numbers are read by it
	Library       string // name and version of the sending library
	UserAgent     string
	ReceiptTimed  bool   // the payload stated no time: OccurredAt is the receipt
	TimeStatement string // the payload's time, as given
	Unknown       string // fields of a later version, kept as they came
}
