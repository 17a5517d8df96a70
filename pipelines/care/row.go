package care

import (
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

// Span is a duration in microseconds; NoSpan where there is none. It is never negative otherwise: an end before its start is flagged.
type Span int64

// NoSpan is a duration that is not known, or not over. It is NULL in the tables.
const NoSpan Span = -1

// Tri is what a source may say, deny, or leave open. Unknown is NULL in the tables.
type Tri uint8

// The values of Tri.
const (
	Unknown Tri = iota
	No
	Yes
)

// A zero Instant in a row is none, and NULL in the tables; a zero id is none, and a UUID of zeros.

// Conversation is one row of the table conversations: the contacts on one thread of a channel.
type Conversation struct {
	ID       schema.EventID     // of its first contact by (OccurredAt, id)
	Persona  schema.ProfileID   // public id of the customer's persona: of the first contact by the customer, else of the first
	Personas []schema.ProfileID // of all contacts, ascending

	Source    string   // of the first contact
	Channel   string   // of the first contact by the customer, else of the first; "chat" once a bot has handed over to a human
	Channels  []string // all, ascending
	Kind      string   // messages, call, callback, bot (nobody human took part or was asked for), forum, public (mentions, reviews)
	Initiator string   // actor of the first contact: customer, agent, bot, brand, system
	Thread    string   // the channel's own id of the thread; empty where the channel has none

	Case       schema.EventID // id of its case's row
	CaseNumber string         // as the case's source calls it; empty for a case of its own

	// Attributes: the first that a contact states in the order of time, else the case's. Empty where nobody says; the language is then that of the customer's
	// first words.
	Brand, Team, Queue, Store, Theme, Tier, Priority, Language, Country string

	Calendar string // version of the calendar that the open spans below were counted in: name@hash

	// Outcome: answered; waiting (the customer waits for a human); contained (a bot alone, nothing asked of a human); outbound (the customer
	// said nothing); closed (its case was resolved without a reply); unanswered (a review); for calls also abandoned, short_abandon, callback, voicemail, open (neither answered nor given up).
	Outcome string

	OpenedAt, LastAt schema.Instant // first and last contact

	FirstInboundAt, LastInboundAt schema.Instant // by the customer to a human; what was said to a bot does not count before a human is asked for
	FirstAutomaticAt              schema.Instant // first acknowledgement, or word of a bot
	FirstReplyAt                  schema.Instant // first public word of a human (or of the brand) after FirstInboundAt; of a call, when it was answered
	LastReplyAt                   schema.Instant
	WaitingSince                  schema.Instant // earliest word of the customer that no human has answered
	FirstReplyDue                 schema.Instant // deadline of the first reply, answered or not
	NextReplyDue                  schema.Instant // deadline of the reply that the customer waits for now
	FirstReplyWait                Span           // FirstReplyAt − FirstInboundAt
	FirstReplyOpen                Span           // the same, within the calendar's open hours

	// Every stretch that was answered: from the earliest unanswered word of the customer (AskedAt) to the first of a human (RepliedAt). The
	// first stretch is the first reply. Parallel; ascending.
	AskedAt, RepliedAt, ReplyDue []schema.Instant
	ReplyOpen                    []Span // within open hours

	Inbound, Outbound uint32 // by the customer, by humans
	Automatic         uint32 // by bots, acknowledgements, the system
	Thanks            uint32 // of Inbound: only thanks

	Agents     []string // who took part, ascending
	FirstAgent string   // who answered first

	// Voice.
	OfferedAt, AnsweredAt, AbandonedAt, EndedAt schema.Instant
	QueueWait                                   Span   // offered → answered or abandoned
	Talk, Hold, Wrap                            Span   // as the source states them, else from the events
	Handling                                    Span   // of a call: talk + hold + wrap; of a chat: the agent's time in it, over the chats at once
	Transfers                                   uint32 // to another agent or queue

	// Forum.
	FirstPeerAt  schema.Instant // first answer of another customer
	FirstStaffAt schema.Instant // first answer of an agent or the brand
	AcceptedAt   schema.Instant // when an answer was accepted

	ResolvedFlag Tri // the agent says that it was solved at this contact
	Resolvable   Tri // No: not resolvable at level one

	Heard // in the customers' words of it

	Events uint32   // contacts that this row is made of
	Flags  []string // what is wrong with them, ascending
}

// Case is one row of the table cases: what a customer wants, over all channels. A conversation that no source has put in a case is a case of
// its own.
type Case struct {
	ID       schema.EventID     // of its first contact by (OccurredAt, id)
	Persona  schema.ProfileID   // of the contact that opened it, else of the customer's first
	Personas []schema.ProfileID // of all contacts, ascending

	Source   string // that keeps the case, else of the first contact
	Number   string // what Source calls it; empty if no source keeps one
	Declared bool   // a source said case.opened, resolved or reopened. Resolution and reopening are measured for these alone

	Channel       string   // of the first contact
	Channels      []string // all, ascending
	Conversations []schema.EventID

	Complaint bool // the source says so: property complaint, kind or category

	Brand, Team, Queue, Store, Theme, Tier, Priority, Language, Country string // the latest that the case's source states, else as in Conversation

	Calendar string
	Owner    string // agent who owns it: stated last, else who answered last

	// State: open, waiting (for the customer), resolved, reopened, merged; for a case of its own: open while the customer waits, else answered.
	State      string
	MergedInto schema.EventID

	OpenedAt      schema.Instant // case.opened, else the first contact
	LastContactAt schema.Instant // with the customer, either way; else OpenedAt

	FirstInboundAt, LastInboundAt  schema.Instant
	FirstReplyAt                   schema.Instant // earliest of its conversations
	FirstResolvedAt                schema.Instant
	LastResolvedAt                 schema.Instant // set while it is resolved or merged; none while it is open again
	LastReopenedAt                 schema.Instant
	WaitingSince                   schema.Instant // earliest of its conversations, while it is not resolved
	FirstReplyDue                  schema.Instant
	NextReplyDue                   schema.Instant
	ResolutionDue                  schema.Instant
	FirstReplyWait, FirstReplyOpen Span
	ResolutionWait, ResolutionOpen Span // opened → FirstResolvedAt
	FullResolutionWait             Span // opened → LastResolvedAt
	FullResolutionOpen             Span
	RequesterWait                  Span // of the time between opening and last resolution (or the last contact): the customer waited for us
	AgentWait                      Span // and we waited for the customer

	Resolutions, Reopens     uint32
	Contacts                 uint32 // of the customer: stretches in which a human was asked, over all conversations, thanks left out
	ContactsBeforeResolution uint32 // of these, up to FirstResolvedAt (all, while it is not resolved)
	Inbound, Outbound        uint32
	Automatic                uint32
	Transfers                uint32
	Agents                   []string

	Resolution string // how it was resolved, as the source says last
	Explained  Tri    // an explanation was given (I8)
	Resolvable Tri    // No: not resolvable at level one

	NextStep                               string
	NextStepDue                            schema.Instant
	Tasks, TasksOpen                       uint32
	Promises, PromisesKept, PromisesBroken uint32         // a promise is broken by a later fulfilment, or when its maker says so; one that is only overdue is so for who asks
	PromiseDue                             schema.Instant // of the earliest promise that is not fulfilled

	Gestures          uint32
	GestureAmounts    []string // decimal, by currency, parallel to GestureCurrencies
	GestureCurrencies []string // ascending
	OnceAndDone       Tri      // Yes: all gestures were granted at the first contact; Unknown without gesture

	Criticality        float64  // 0 to 1 (B7): safety, legal and vulnerability 1, whether the source says so or the customer's words
	CriticalityReasons []string // ascending
	Influence          float64  // 0 to 1, of public contacts only

	Heard // in the customers' words of all its conversations and its opening

	Events  uint32
	Details []byte   // JSON: tasks, notes, promises, gestures
	Flags   []string // ascending
}

// Survey is one row of the table surveys: one questionnaire that was sent or answered, by its latest answer, or one review.
type Survey struct {
	ID      schema.EventID // of its first event by (OccurredAt, id)
	Persona schema.ProfileID

	Source string
	Survey string // what Source calls this answer (the event's entity)
	Type   string // survey.answered, survey.sent (no answer yet), review.published

	Instrument        string // nps, csat, ces (2013), ces1 (2010), company_effort, enps, rating (reviews), or what the source says
	InstrumentVersion string
	Question          string

	Rating              string // decimal; empty if none, or out of its scale
	ScaleLow, ScaleHigh string // decimal; empty if unknown
	Scale               string // as given

	SentAt                      schema.Instant
	AnsweredAt, FirstAnsweredAt schema.Instant // latest and first answer
	Answers                     uint32         // events that answer

	Channel                                                  string // that was asked about (property channel), else of the event
	Touchpoint, Brand, Team, Store, Theme, Language, Country string
	Thread                                                   string         // what the source names as the conversation
	Conversation                                             schema.EventID // that it is about; none if unknown or ambiguous
	Case                                                     schema.EventID
	CaseNumber                                               string
	Explained                                                Tri
	Employee                                                 bool // answers of employees: a scope of their own, never in customers' figures
	HasText                                                  bool
	Heard                                                                   // in the text of the answer that counts
	Event                                                    schema.EventID // the answer that counts
	Events                                                   uint32
	Flags                                                    []string
}

// Heard is what was read in the texts of a row. The first text by time says most of what it is about.
type Heard struct {
	Polarity            string   // of the first text: neg, neu, pos; empty where there is none, or nothing that can be read
	Themes              []string // of all texts, the surest of the first text first
	VerbatimCriticality string   // none, low, medium, high or critical: the gravest of all texts; empty where there is none
}

// Verbatim is one row of the table verbatims: a text of a customer and what was read in it.
type Verbatim struct {
	ID      schema.EventID // of the event that has the text
	Persona schema.ProfileID
	At      schema.Instant

	Source, Channel, Type string

	// Of the contact itself, else of its conversation, case or survey.
	Brand, Team, Store, Product, Country string

	Conversation schema.EventID // none if it belongs to none
	Case         schema.EventID
	CaseNumber   string
	Survey       schema.EventID // the row of surveys

	Said *verbatim.Kept // as corrected

	Correction  schema.EventID // that counts; none if nobody has corrected it
	CorrectedBy string
	CorrectedAt schema.Instant
}

// Mention is one row of the table mentions: a post about a brand in public, by all versions of it that came.
type Mention struct {
	ID      schema.EventID // of the first version by (OccurredAt, id)
	Event   schema.EventID // the version that counts: the latest
	Persona schema.ProfileID
	At      schema.Instant // of the first version: what is judged later was not published later

	Source   string
	Platform string // as the post states it, else its source: a source that listens to several networks says which
	Channel  string
	Brand    string // that it is about: the property, else the account that it addresses
	Store    string
	Product  string
	Language string // as the source states it, else as it was read
	Country  string
	Post     string // the platform's own id; empty if it has none
	Parent   string // the post that it answers or passes on

	Polarity string // favourable, neutral, unfavourable; empty where nobody could tell
	Judge    string // who says so: person (a correction), source (stated with the post), model; empty with the polarity
	Model    string // version, where the model judged

	Own    bool // written by the brand or an agent of it
	Repost bool // passes on another post without words of its own

	Audience reputation.Audience
}

// What may be wrong with the contacts of a row. A figure leaves out what a flag concerns.
const (
	FlagEndBeforeStart       = "end_before_start"       // a call ended before it was offered or answered; its spans are none
	FlagNegativeDuration     = "negative_duration"      // a stated duration is below zero
	FlagDurationOutOfRange   = "duration_out_of_range"  // a stated duration is more than thirty days
	FlagCircularParent       = "circular_parent"        // messages answer each other in a circle
	FlagResolvedBeforeOpened = "resolved_before_opened" // resolution waits are none
	FlagNeverOpened          = "never_opened"           // no case.opened; OpenedAt is the first contact
	FlagReopenedUnresolved   = "reopened_unresolved"    // case.reopened while it was open
	FlagAmbiguousThread      = "ambiguous_thread"       // several sources have a thread of this id: the contact stays with its own source
	FlagAmbiguousCase        = "ambiguous_case"         // several sources keep a case of this number
	FlagSeveralCases         = "several_cases"          // a conversation that contacts put in several cases: the latest counts
	FlagRatingOutOfRange     = "rating_out_of_range"    // the rating is none
	FlagRatingNotANumber     = "rating_not_a_number"    // the rating is none
	FlagScaleUnknown         = "scale_unknown"          // the scale cannot be read
	FlagAnsweredTwice        = "answered_twice"         // the latest answer counts
	FlagAnsweredUnsent       = "answered_before_sent"   // answered before it was sent
	FlagCircularMerge        = "circular_merge"         // cases merged into each other; the merge is left out
	FlagPromiseWithoutDate   = "promise_without_date"   // cannot be kept or broken
	FlagAmountNotANumber     = "amount_not_a_number"    // a gesture's amount; it is not summed
	FlagOverCap              = "gesture_over_limit"     // a gesture above its agent's limit
	FlagModerationUnfounded  = "moderation_unfounded"   // content was moderated without the charter's version or its rule
	FlagModerationUntold     = "moderation_untold"      // content was taken away, and its author not told why
	FlagGestureTwice         = "gesture_repeated"       // the same kind of gesture twice for one case
)
