package graphql

import (
	"context"
	"encoding/json"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

// Caller is who asks: the workspace, the person or tool held responsible, and what they may do.
type Caller struct {
	Workspace string
	Actor     string
	Scopes    []string
	MaxCost   int // of one operation; 0: DefaultMaxCost
}

// Identifier is a value to look people up by, as somebody wrote it.
type Identifier struct {
	Kind, Value string
	Country     string // ISO 3166 alpha-2 for national phone numbers; empty: none
}

// Person is a profile with all that identity knows of it.
type Person struct {
	ID                        schema.ProfileID
	Known                     bool
	Quarantined               bool
	FirstContact, LastContact schema.Instant // 0: none
	Personas                  []Persona      // sorted by id
	Traits                    []Trait        // sorted by name
	Identifiers               []Held         // sorted by kind, value
	Consents                  []Consent
	Possible                  []Possible
}

// Persona is one account of a person.
type Persona struct {
	ID                        schema.ProfileID // public id of (persona, epoch)
	Persona                   schema.PersonaID // what timeline rows carry
	Epoch                     uint32
	Source                    string
	Trust                     schema.Trust
	Account                   schema.Account
	FirstContact, LastContact schema.Instant
}

// Candidate is one value of a trait.
type Candidate struct {
	Value     json.RawMessage
	Source    string
	Persona   schema.ProfileID
	Time      schema.Instant
	Assurance schema.Assurance
}

// Trait is one line of the golden record.
type Trait struct {
	Name string
	Candidate
	RunnersUp []Candidate
}

// Held is an identifier of a person.
type Held struct {
	Kind, Value         string
	Assurance           schema.Assurance
	Confirmed           bool // said by a server key, or nobody but public keys knows the person
	Sources             []string
	FirstSeen, LastSeen schema.Instant
}

// Consent is what holds for one contact point or account, on one channel and for one purpose, and the statement that decides it.
type Consent struct {
	Kind, Value                    string
	Channel                        schema.Channel
	Purpose                        string
	State                          schema.ConsentState
	Allowed                        bool   // the answer: granted for this very contact point, not expired, refused nowhere
	Reason                         string // why
	LegalBasis, TextVersion, Proof string
	Source                         string
	Time, Expiry                   schema.Instant
}

// Possible is another profile that was kept apart.
type Possible struct {
	Profile schema.ProfileID
	Reason  string
	Kinds   []string
}

// Explanation answers why and how.
type Explanation struct {
	Same     bool
	Profiles []schema.ProfileID
	Summary  string
	Steps    []Step
	Weighing *Weighing // of why: how the two are weighed; nil without a model
	Joints   []Joint   // of how: what weights joined, in order
}

// Step is one join or refusal.
type Step struct {
	Joined  bool
	Stratum int
	Force   string
	Rule    string
	Kind    string // "": none
	Value   string // as given by a source; "" if not known
	A, B    schema.ProfileID
	Event   schema.EventID // of an assertion; zero: none
}

// Profiles answers who is who. All answers are of the present, never stale: an implementation that has not caught up says so by an
// *Error with code NOT_READY.
type Profiles interface {
	// Owners lists every profile that owns an identifier, sorted by id; nil if none.
	Owners(ctx context.Context, workspace string, id Identifier) ([]schema.ProfileID, error)
	// People gives the profiles that now hold the ids (persona or profile ids ever handed out), in their order; nil where an id was
	// never handed out. One call is one round trip.
	People(ctx context.Context, workspace string, ids []schema.ProfileID) ([]*Person, error)
	// Page lists profile ids after one, by id.
	Page(ctx context.Context, workspace string, after schema.ProfileID, limit int) ([]schema.ProfileID, error)
	// Why explains two identifiers. An identifier that nobody owns is an *Error with code UNKNOWN_IDENTIFIER.
	Why(ctx context.Context, workspace string, a, b Identifier) (*Explanation, error)
	// How explains one profile; nil if the id was never handed out.
	How(ctx context.Context, workspace string, id schema.ProfileID) (*Explanation, error)
	// Count gives the numbers of profiles and personas.
	Count(ctx context.Context, workspace string) (profiles, personas int64, err error)
	// Then gives the owners of an identifier in a past, sorted by id, as they were; none if nobody owned it. At most MaxFirst are read: of more, their ids are all
	// that is given.
	Then(ctx context.Context, workspace string, id Identifier, past Past) (*Former, error)
}

// Past says as of when somebody is told; at least one of the two is set, and both are inclusive.
type Past struct {
	KnownAt schema.Instant // by what the log had recorded then, under the configuration of then; 0: by all that it holds
	AsOf    schema.Instant // of what had happened by then; 0: of all
}

// IsZero says whether it is no past.
func (p Past) IsZero() bool { return p == Past{} }

// Former is what a look into the past found.
type Former struct {
	Owners  []schema.ProfileID // sorted
	People  []*Person          // of Owners, in their order; those of whom nothing had happened are left out
	History History
}

// History says what an answer about the past rests on.
type History struct {
	Past
	Configuration string         // the hash of the one that decided who is who; "": the default
	Reaches       schema.Instant // when the log recorded the first event that it still holds; 0: it holds none
	Erased        int            // decisions to erase since then: what they took is in no answer any more, this one too
}

// Filter chooses interactions. A zero field chooses all.
type Filter struct {
	Channels []schema.Channel
	Types    []schema.Type
	From, To schema.Instant // OccurredAt in [From, To); 0: open
}

// Cursor is a place in a timeline: newest first, by (OccurredAt, id).
type Cursor struct {
	OccurredAt schema.Instant
	ID         schema.EventID
}

// Interaction is one contact.
type Interaction struct {
	ID                                          schema.EventID
	Persona                                     schema.PersonaID
	OccurredAt                                  schema.Instant
	Type                                        schema.Type
	Channel                                     schema.Channel
	Actor                                       schema.Actor
	Source, ActorID, Name                       string
	Conversation, Case, Parent, Mention, Entity string
	Text, Language, Rating, RatingScale         string
	Amount, Currency                            string
	Properties                                  json.RawMessage
	Verbatim                                    *Verbatim // nil where nothing was read
}

// Verbatim is what was read in a text, as corrected.
type Verbatim struct {
	verbatim.Kept
	Correction  schema.EventID // that counts; zero: none
	CorrectedBy string
	CorrectedAt schema.Instant
}

// Verbatims knows how texts are read.
type Verbatims interface {
	// Themes gives the tree in force.
	Themes(workspace string) []verbatim.Theme
}

// Page is a part of a timeline.
type Page struct {
	Interactions []Interaction // newest first
	More         bool
	Total        int64 // events of the whole timeline; −1 if they were not counted
}

// Case is the state of one case by its latest event.
type Case struct {
	ID                                string         // the source's own name of it
	First                             schema.EventID // its earliest event
	State                             string         // open, resolved, reopened
	OpenedAt, ResolvedAt, LastContact schema.Instant
}

// Waiting is a case as care keeps it, with what it waits for.
type Waiting struct {
	Case                                    // ID is empty for a conversation that no source has put in a case
	Profile                schema.ProfileID // whose it is; only in the inbox
	Channel, Theme         string
	WaitingSince           schema.Instant // the earliest word of the customer that no human has answered; 0 if there is none
	DueAt                  schema.Instant // of the reply or the resolution, whichever is first; 0 if there is no target
	Promised               schema.Instant // when the earliest open promise is due; 0 if there is none
	Promises, Kept, Broken uint32
	Priority               care.Priority
	Reasons                []string       // of the criticality
	ValueSnapshot          string         // version of the value snapshot that Priority.Value is told by; empty: none, or it is not read yet
	Asked                  schema.Instant // when it was asked, for which Priority and overdue hold

	Owner, Team, Brand, Resolution string
	Complaint                      bool
	NextStep                       string
	NextStepDue                    schema.Instant
	ReplyDue, ResolutionDue        schema.Instant // 0 if there is no target, or nothing is waited for
	Calendar                       string         // version of the calendar that deadlines are counted in
	OpenLeft                       care.Span      // of the calendar's open time up to DueAt; NoSpan if it has passed, or the calendar is no longer known
	Tasks                          []care.Task
	Told                           []care.Promise // every promise, in the order of time
	Notes                          []care.Note
	Gestures                       []care.Gesture
	Moderations                    []care.Moderation
	Flags                          []string
}

// LastContact is a conversation with a customer, as care keeps it.
type LastContact struct {
	ID               schema.EventID // its first event
	Case             schema.EventID // the first event of its case
	Channel, Outcome string
	Theme            string
	Complaint        bool
	OpenedAt, LastAt schema.Instant
	Agents           []string
	Promises         []care.Promise // of its case, made in it or after it and before the next one
	Asked            schema.Instant // for which overdue holds
}

// Alert is one that was raised.
type Alert struct {
	care.Alert
	RaisedAt schema.Instant
	About    *Waiting // its case as it is now; nil without one, and if it is gone
}

// AlertFilter chooses alerts. A zero field chooses all.
type AlertFilter struct {
	Rules    []string
	From, To schema.Instant // raised in [From, To); 0: open
}

// Care reads the cases. Each method answers as of now and first served first (care.Weights).
type Care interface {
	// About gives the case that an event belongs to, open or not; nil if there is none.
	About(ctx context.Context, workspace string, event schema.EventID) (*Waiting, error)
	// Alerts gives those that were raised, newest first, after a place by (RaisedAt, id).
	Alerts(ctx context.Context, workspace string, f AlertFilter, after *Cursor, first int) (list []Alert, more bool, err error)
	// Inbox gives a part of the workspace's, by other weights than those in force if there are any. at is the time of asking, 0 for now; the answers tell it.
	Inbox(ctx context.Context, workspace string, simulated *care.Weights, at schema.Instant, skip, first int) (list []Waiting, asked schema.Instant, more bool, err error)
	// Open gives those of each of several people.
	Open(ctx context.Context, workspace string, people [][]schema.PersonaID) ([][]Waiting, error)
	// Cases gives the cases that a source keeps of each of several people, resolved ones too, the one with the latest contact first. kept is false where
	// no role keeps cases.
	Cases(ctx context.Context, workspace string, people [][]schema.PersonaID) (list [][]Waiting, kept bool, err error)
	// Contacts gives the latest conversations of each of several people, newest first.
	Contacts(ctx context.Context, workspace string, people [][]schema.PersonaID, first int) ([][]LastContact, error)
}

// Satisfaction sums up what a person answered.
type Satisfaction struct {
	Answers                     int64
	LastRating, LastRatingScale string
	LastAnswerAt                schema.Instant
}

// Money is an amount, exact.
type Money struct{ Amount, Currency string }

// Value sums up what a person bought, the latest version of each order; what was cancelled is counted, and in no sum.
type Value struct {
	Orders                    int64
	Cancelled                 int64
	Spent                     []Money        // sorted by currency
	FirstOrderAt, LastOrderAt schema.Instant // 0: none
}

// Wanted is what somebody asks for of a timeline.
type Wanted struct {
	// Fields of interactions, named as in the SDL and sorted. ID, Persona and OccurredAt are always read, the others may be left empty.
	// nil is all.
	Fields []string
	Total  bool // Page.Total as well, where a page begins with the newest event
}

// Timeline reads interactions. Each method takes the personas of several people and answers for each: one call is one query.
type Timeline interface {
	Pages(ctx context.Context, workspace string, people [][]schema.PersonaID, f Filter, after *Cursor, first int, w Wanted) ([]Page, error)
	Totals(ctx context.Context, workspace string, people [][]schema.PersonaID, f Filter) ([]int64, error)
	Cases(ctx context.Context, workspace string, people [][]schema.PersonaID) ([][]Case, error)
	Satisfaction(ctx context.Context, workspace string, people [][]schema.PersonaID) ([]Satisfaction, error)
	Value(ctx context.Context, workspace string, people [][]schema.PersonaID) ([]Value, error)
	// Purchases gives the days on which people bought, by what had happened before an instant.
	Purchases(ctx context.Context, workspace string, people [][]schema.PersonaID, before schema.Instant) ([][]value.Purchase, error)
	// Interactions gives events by id; what is not there is left out.
	Interactions(ctx context.Context, workspace string, ids []schema.EventID) ([]Interaction, error)
	// Count gives the number of events.
	Count(ctx context.Context, workspace string) (int64, error)
	// Then is the timeline as of a past: what was not recorded, or had not happened, by then is left out of Pages, Totals, Cases, Satisfaction and Value.
	Then(past Past) Timeline
}

// Snapshot is a value snapshot with who took it.
type Snapshot struct {
	*value.Snapshot
	Version       string
	Actor, Reason string
	TakenAt       schema.Instant
}

// Values knows the value snapshots of a workspace, oldest first. The latest one that was taken is in force. They are read only.
type Values interface {
	Snapshots(workspace string) ([]Snapshot, error)
}

// Freshness is the time from accepted to visible, in seconds, since the start.
type Freshness struct {
	N             int64
	P50, P90, P99 float64
}

// Figures are what the installation measures of itself.
type Figures interface {
	Freshness() Freshness
	MapBehind() int64
}

// Measures answers care's metrics (package metric names them). What is wrong with a question is an *Error.
type Measures interface {
	// Figure answers a metric and its groups.
	Figure(ctx context.Context, name string, q metric.Query) (metric.Answer, error)
	// Rising counts what is spoken of in a period and in the one before it; without from and to, of the last seven days.
	Rising(ctx context.Context, q metric.Query) ([]metric.Spoken, error)
	// Crises finds the crises of a period; without from and to, of the last thirty days.
	Crises(ctx context.Context, q metric.Query) ([]reputation.Crisis, error)
	// Voices gives the events of the posts that speak most of a crisis.
	Voices(ctx context.Context, q metric.Query, c reputation.Crisis, first int) ([]schema.EventID, error)
	// Rows lists the rows of a figure by (At, ID), those that do not count too. more says that there are others.
	Rows(ctx context.Context, name string, q metric.Query, after *metric.After, first int) (list []metric.Row, more bool, err error)
}

// SegmentLine is a segment with the definitions that it has had, oldest first.
type SegmentLine struct {
	*segment.Segment
	Versions []SegmentVersion
}

// SegmentVersion is one definition with who gave it; nil is that the segment was taken out.
type SegmentVersion struct {
	Definition    json.RawMessage
	Actor, Reason string
	At            schema.Instant
}

// PreviewWanted is what somebody asks for beside the count.
type PreviewWanted struct {
	Sample                   int
	Changes, Reach, Overlaps bool
}

// Preview is who is in a definition. The counts are exact, as the tables are at that moment.
type Preview struct {
	Segment           *segment.Segment
	At                schema.Instant
	Count, People     uint64 // of all
	Entering, Leaving uint64 // if it were saved under its name
	Sample            []schema.ProfileID
	Reach             []Reach
	Overlaps          []Overlap
	Unscored          bool // it asks for a score, and nobody has one
}

// Reach is how many of the members may be contacted now for a purpose on a channel.
type Reach struct {
	Purpose, Channel string
	People           uint64
}

// Overlap is how many of the members are also in another segment.
type Overlap struct {
	Segment string
	People  uint64
}

// Explained is why somebody is in a segment, or is not.
type Explained struct {
	Profile schema.ProfileID
	Member  bool
	At      schema.Instant
	Next    schema.Instant // when time alone may change the answer; 0 if it cannot
	Reasons []segment.Reason
}

// SegmentChange is that somebody entered or left.
type SegmentChange struct {
	ID         schema.EventID
	Segment    string
	Profile    schema.ProfileID
	At         schema.Instant
	Entered    bool
	Definition string // hash of the definition that decided
	Cause      string // event, time, identity, rule, erasure
	Event      schema.EventID
	Other      schema.ProfileID // who the person is now, after a change of who is who
}

// Segments describes people. What is wrong with a definition is an *Error or a *schema.Refusal. Times of 0 are now.
type Segments interface {
	// List gives every segment, archived ones too, by name.
	List(ctx context.Context, workspace string) ([]SegmentLine, error)
	// Preview says who is in a definition; nil is the saved one of that name.
	Preview(ctx context.Context, workspace, name string, definition json.RawMessage, at schema.Instant, w PreviewWanted) (Preview, error)
	// Count says how many are in a saved segment.
	Count(ctx context.Context, workspace, name string, at schema.Instant) (uint64, error)
	// Members lists who is in a saved segment, by id, after one.
	Members(ctx context.Context, workspace, name string, at schema.Instant, after schema.ProfileID, first int) ([]schema.ProfileID, error)
	// Explain says why; nil if the id was never handed out.
	Explain(ctx context.Context, workspace, name string, id schema.ProfileID, at schema.Instant, language string) (*Explained, error)
	// Changes lists who entered and left until an instant, latest first; of one segment and one profile, or of all.
	Changes(ctx context.Context, workspace, name string, profile schema.ProfileID, before schema.Instant, first int) ([]SegmentChange, error)
	// Save makes a definition the segment of a name.
	Save(ctx context.Context, caller Caller, name string, definition json.RawMessage, reason, idempotencyKey string) (SegmentLine, error)
}

// Decision is one recorded decision before it is an event.
type Decision struct {
	Type           schema.Type // identity.linked, identity.separated, household.joined or identity.released
	A, B           schema.ProfileID
	Of             schema.EventID
	Reason         string
	IdempotencyKey string
}

// CareDecision is what an agent does for a customer, before it is an event. A zero field is not said.
type CareDecision struct {
	Type    schema.Type
	Profile schema.ProfileID // whom it is about, where Case is zero
	Case    schema.EventID   // an event of the case that it is about
	Of      schema.EventID   // the task or promise that it ends

	Number, Text                                    string
	Channel                                         schema.Channel
	Theme, Brand, Team, Owner, Priority             string
	Complaint, Safety, Legal, Vulnerable, Explained *bool
	NextStep, Resolution                            string
	Due                                             schema.Instant
	Kind, Amount, Currency                          string
	Action, Charter, Rule, Notice                   string
	Reason, IdempotencyKey                          string
}

// Delegation is what an actor may grant, and what of it was granted.
type Delegation struct {
	care.Delegation
	Granted []Money // within the allowance's time, ever without one; sorted by currency
}

// Decisions records decisions as events. A method returns when the event is durable and its effect can be read.
type Decisions interface {
	// Assert links, separates or releases.
	Assert(ctx context.Context, caller Caller, d Decision) (schema.EventID, error)
	// Consent records what a person said; the contact point, if any, must be one of the person's.
	Consent(ctx context.Context, caller Caller, profile schema.ProfileID, c schema.Consent, reason, idempotencyKey string) (schema.EventID, error)
	// Correct says what holds of the text of an event instead of what was read in it. properties are those of verbatim.corrected.
	Correct(ctx context.Context, caller Caller, of schema.EventID, properties json.RawMessage, reason, idempotencyKey string) (schema.EventID, error)
	// Care records what an agent did for a customer. What the actor may not grant is an *Error with code OVER_LIMIT, what was granted for this case
	// already one with code ALREADY_GRANTED.
	Care(ctx context.Context, caller Caller, d CareDecision) (schema.EventID, error)
	// Delegation tells what the caller may grant now.
	Delegation(ctx context.Context, caller Caller) (Delegation, error)
	// Configure makes a document the configuration and gives its hash and canonical form. A stale base is an *Error with code CONFLICT.
	Configure(ctx context.Context, caller Caller, document json.RawMessage, base, reason, idempotencyKey string) (hash string, canonical json.RawMessage, err error)
}

// Backends is everything that the resolvers read and decide through.
type Backends struct {
	Profiles  Profiles
	Matches   Matches
	Timeline  Timeline
	Figures   Figures
	Measures  Measures
	Values    Values
	Decisions Decisions
	Verbatims Verbatims
	Care      Care // nil where no role keeps cases: the inbox is empty
	Segments  Segments
	Erasures  Erasures  // nil: nobody is erased
	Companies Companies // nil: there are none
	Replays   Replays   // nil: no shadows here
	Letters   Letters   // nil: dead letters are not read here
}
