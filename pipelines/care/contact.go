package care

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// Contact is what care keeps of an event. It holds no text of the customer, but for what agents write down about a case and the words for which a text is
// critical.
type Contact struct {
	ID      schema.EventID
	Of      schema.PersonaEpoch // whose event it is
	Persona schema.ProfileID    // public id of Of
	At      schema.Instant      // OccurredAt

	Source  string
	Type    schema.Type
	Channel schema.Channel
	Actor   schema.Actor
	ActorID string
	Country string

	Thread  string // the channel's own id of the conversation
	Message string // the sender's id of this message
	Parent  string // what it answers
	Case    string
	Entity  string // order, case, survey, post or review that it is
	Mention string

	Rating, Scale, Amount, Currency, Language string

	Thanks    bool // the text is only thanks
	HasText   bool
	Automatic bool // an acknowledgement or an absence notice, whoever sends it

	Note string // text of tasks, notes, promises and gestures

	// Said is what was read in the text, where it is a customer's word; who makes the contact sets it (Voiced). It is read-only.
	Said *verbatim.Kept

	Target     schema.EventID       // verbatim.corrected: the event whose text it is about
	Correction *verbatim.Correction // verbatim.corrected: what holds instead
	correction []byte               // as it came
	corrected  *Contact             // while it is folded: the correction that Said has in it

	// What the event states of the properties that care understands: a bit for each, and their texts in the order of the bits. Few events state more than five.
	stated uint64
	texts  []string
}

// property is what the contact states; empty if nothing.
func (c *Contact) property(p property) string {
	if c.stated>>p&1 == 0 {
		return ""
	}
	return c.texts[bits.OnesCount64(c.stated&(1<<p-1))]
}

// state takes over what is stated; empty takes it away.
func (c *Contact) state(p property, text string) {
	at := bits.OnesCount64(c.stated & (1<<p - 1))
	switch is := c.stated>>p&1 == 1; {
	case is && text == "":
		c.stated &^= 1 << p
		c.texts = slices.Delete(slices.Clone(c.texts), at, at+1)
	case is:
		c.texts = slices.Clone(c.texts) // a copy of the contact may share them
		c.texts[at] = text
	case text != "":
		c.stated |= 1 << p
		c.texts = slices.Insert(slices.Clip(c.texts), at, text)
	}
}

// property is one that care understands, of at most 64. The numbers are in the state store: never renumber.
type property uint8

const (
	propBrand property = iota
	propTeam
	propQueue
	propStore
	propTheme
	propTier
	propPriority
	propWait
	propTalk
	propHold
	propWrap
	propHandling
	propConcurrency
	propDirection
	propCallback
	propVoicemail
	propHandover
	propPrivate
	propOwner
	propNextStep
	propDue
	propMergedInto
	propResolution
	propReason
	propExplained
	propComplaint
	propKind
	propFirstContact
	propResolvable
	propSurvey
	propInstrument
	propVersion
	propQuestion
	propTouchpoint
	propChannel
	propEmployee
	propAccepted
	propStaff
	propFollowers
	propCriticality
	propSafety
	propLegal
	propVulnerable
	propReferences
	propID
	propLimit
	propRole
	propResolved
	propProduct
	propCaseSource
	propAboutSource
	propAboutMessage
	propCharter
	propRule
	propAction
	propNotice
	propAppeal
	propPlatform
	propSentiment
	propRepost
	propAudience // several members as one: packAudience
	numProperties
)

// propertyNames are the members of an event's properties that care reads, in snake case; the first one that is there counts. They are
// matched whatever their case and underscores are, so talkSeconds is talk_seconds.
var propertyNames = [numProperties][]string{
	propBrand: {"brand"}, propTeam: {"team", "group"}, propQueue: {"queue", "line"}, propStore: {"store", "store_id", "shop"},
	propTheme: {"theme", "topic", "category"}, propTier: {"tier"}, propPriority: {"priority"},
	propWait: {"wait_seconds"}, propTalk: {"talk_seconds"}, propHold: {"hold_seconds"}, propWrap: {"wrap_up_seconds", "wrap_seconds"},
	propHandling: {"handling_seconds"}, propConcurrency: {"concurrency"}, propDirection: {"direction"},
	propCallback: {"callback"}, propVoicemail: {"voicemail"}, propHandover: {"handover"}, propPrivate: {"private", "internal"},
	propOwner: {"owner", "assignee"}, propNextStep: {"next_step"}, propDue: {"due_at", "due"}, propMergedInto: {"merged_into"},
	propResolution: {"resolution"}, propReason: {"reason"}, propExplained: {"explained", "explanation_given"}, propComplaint: {"complaint"}, propKind: {"kind"},
	propFirstContact: {"first_contact_resolution"}, propResolvable: {"resolvable"},
	propSurvey: {"survey"}, propInstrument: {"instrument"}, propVersion: {"instrument_version", "version"}, propQuestion: {"question"}, propTouchpoint: {"touchpoint"},
	propChannel: {"channel"}, propEmployee: {"employee"}, propAccepted: {"accepted"}, propStaff: {"staff"}, propFollowers: {"followers"},
	propCriticality: {"criticality"}, propSafety: {"safety"}, propLegal: {"legal"}, propVulnerable: {"vulnerable", "vulnerability"},
	propReferences: {"references", "in_reply_to"}, propID: {"id", "task", "promise"}, propLimit: {"limit"}, propRole: {"role"}, propResolved: {"resolved"},
	propProduct:    {"product", "product_id", "sku"},
	propCaseSource: {"case_source"}, propAboutSource: {"about_source"}, propAboutMessage: {"about_message"},
	propCharter: {"charter_version", "charter"}, propRule: {"rule"}, propAction: {"action"}, propNotice: {"notice"}, propAppeal: {"appeal_of"},
	propPlatform: {"platform", "network"}, propSentiment: {"sentiment", "polarity"}, propRepost: {"repost", "retweet", "is_repost", "is_retweet", "shared"},
}

// named is a property with the place of a name among those of its.
type named struct {
	property
	rank int
}

var propertyOf = func() map[string]named {
	of := map[string]named{}
	for p, names := range propertyNames {
		for rank, name := range names {
			of[plainName(name)] = named{property(p), rank}
		}
	}
	return of
}()

func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '_' || r == '-' || r == ' ':
			return -1
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// Concerns says whether events of a type are contacts of care.
func Concerns(t schema.Type) bool {
	return isContact(t) || isMark(t) || isSurvey(t) || t == schema.TypeVerbatimCorrected
}

// isContact are the types that make conversations.
func isContact(t schema.Type) bool {
	switch t {
	case schema.TypeMessageReceived, schema.TypeMessageSent, schema.TypeCallOffered, schema.TypeCallQueued, schema.TypeCallAnswered, schema.TypeCallHeld,
		schema.TypeCallTransferred, schema.TypeCallAbandoned, schema.TypeCallEnded, schema.TypeMentionPublished, schema.TypeMentionEngaged, schema.TypeReviewPublished:
		return true
	}
	return false
}

func isCall(t schema.Type) bool {
	switch t {
	case schema.TypeCallOffered, schema.TypeCallQueued, schema.TypeCallAnswered, schema.TypeCallHeld, schema.TypeCallTransferred, schema.TypeCallAbandoned, schema.TypeCallEnded:
		return true
	}
	return false
}

// isMark are the types that say something about a case.
func isMark(t schema.Type) bool {
	switch t {
	case schema.TypeCaseOpened, schema.TypeCaseResolved, schema.TypeCaseReopened, schema.TypeCaseUpdated, schema.TypeCaseMerged, schema.TypeTaskAdded,
		schema.TypeTaskCompleted, schema.TypeNoteAdded, schema.TypePromiseMade, schema.TypePromiseKept, schema.TypePromiseBroken, schema.TypeGestureGranted, schema.TypeContentModerated:
		return true
	}
	return false
}

// keepsCase are the types by which a source shows that a case is its own.
func keepsCase(t schema.Type) bool {
	switch t {
	case schema.TypeCaseOpened, schema.TypeCaseResolved, schema.TypeCaseReopened, schema.TypeCaseUpdated, schema.TypeCaseMerged:
		return true
	}
	return false
}

func isSurvey(t schema.Type) bool {
	return t == schema.TypeSurveySent || t == schema.TypeSurveyAnswered || t == schema.TypeReviewPublished
}

// maxNote bounds what is kept of the text of a note, in bytes.
const maxNote = 4 << 10

// Of gives what care keeps of an event; ok is false if it is none of its types. persona is the public id of the event's persona and epoch.
func Of(e *schema.Event, persona schema.ProfileID) (c Contact, ok bool) {
	if !Concerns(e.Type) {
		return Contact{}, false
	}
	c = Contact{
		ID: e.ID, Of: schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch}, Persona: persona, At: e.OccurredAt,
		Source: e.Source, Type: e.Type, Channel: e.Channel, Actor: e.Actor, ActorID: e.ActorID, Country: e.Provenance.Country,
		Thread: e.Conversation, Message: e.Provenance.MessageID, Parent: e.Parent, Case: e.Case, Entity: e.Entity, Mention: e.Mention,
		Rating: e.Rating, Scale: e.RatingScale, Amount: e.Amount, Currency: e.Currency, Language: e.Language,
		HasText: e.Text != "",
	}
	if e.Type == schema.TypeVerbatimCorrected {
		return c.corrects(e)
	}
	c.read(e.Properties)
	if c.Thread == "" && !isMark(e.Type) && !isSurvey(e.Type) {
		switch e.Account.Kind {
		case "conversation_id", "call_id":
			c.Thread = e.Account.Value
		}
	}
	switch {
	case isMark(e.Type):
		if c.Note = e.Text; len(c.Note) > maxNote {
			c.Note = strings.ToValidUTF8(c.Note[:maxNote], "")
		}
	case isContact(e.Type):
		c.Thanks = OnlyThanks(e.Text)
	}
	return c, true
}

// corrects reads a correction; ok is false if it says nothing that can be understood.
func (c Contact) corrects(e *schema.Event) (Contact, bool) {
	if e.Assertion == nil {
		return Contact{}, false
	}
	correction, refused := verbatim.ParseCorrection(e.Properties)
	if refused != nil {
		return Contact{}, false
	}
	c.Target, c.Correction, c.correction, c.Note, c.HasText = e.Assertion.Of, &correction, e.Properties, e.Assertion.Reason, false
	return c, true
}

// Voiced says whether the contact has a customer's word that is to be read: e is its event. What a machine sends in a customer's absence is none.
func (c *Contact) Voiced(e *schema.Event) bool { return verbatim.Speaks(e) && !c.Automatic }

// read takes what care understands of an event's properties. What is no object or is not understood is passed over.
func (c *Contact) read(properties []byte) {
	if len(properties) == 0 {
		return
	}
	doc, err := canonical.Parse(properties, canonical.Limits{})
	if err != nil {
		return // Unreachable: the log holds canonical properties
	}
	defer doc.Release()
	var ranks [numProperties]int
	crowd := noAudience()
	doc.Root().Each(func(key string, value canonical.Node) bool {
		plain := plainName(key)
		if automatic(plain, value) {
			c.Automatic = true
		}
		if c.Type == schema.TypeMentionPublished {
			crowd.take(plain, value)
		}
		p, known := propertyOf[plain]
		if !known {
			return true
		}
		text := scalar(value, p.property == propReferences)
		if text == "" {
			return true
		}
		if rank := p.rank + 1; ranks[p.property] == 0 || rank < ranks[p.property] {
			ranks[p.property] = rank
			c.state(p.property, strings.Clone(text))
		}
		return true
	})
	if packed := crowd.pack(); packed != "" {
		c.state(propAudience, packed)
	}
}

// scalar is a value as text; of a list its texts, if a list is wanted, one a line.
func scalar(n canonical.Node, list bool) string {
	switch n.Kind() {
	case canonical.String:
		text, _ := n.Str()
		return strings.TrimSpace(text)
	case canonical.Number, canonical.Bool:
		return string(n.AppendCanonical(nil, nil))
	case canonical.Array:
		if !list {
			return ""
		}
		var all []string
		for i := range n.Len() {
			if text := scalar(n.At(i), false); text != "" {
				all = append(all, text)
			}
		}
		return strings.Join(all, "\n")
	}
	return ""
}

// automatic says whether a member marks a message that no human wrote: automatic, auto_reply, the header Auto-Submitted of RFC 3834, or a
// subject that mail programs put above absence notices and acknowledgements.
func automatic(plain string, value canonical.Node) bool {
	switch plain {
	case "automatic", "autoreply", "acknowledgement", "autoresponse":
		return yes(scalar(value, false))
	case "autosubmitted":
		text := strings.ToLower(scalar(value, false))
		return text != "" && text != "no"
	case "subject":
		subject := strings.ToLower(scalar(value, false))
		for _, prefix := range automaticSubjects {
			if strings.HasPrefix(subject, prefix) {
				return true
			}
		}
	}
	return false
}

var automaticSubjects = []string{
	"automatic reply", "auto reply", "auto-reply", "autoreply", "out of office", "réponse automatique", "reponse automatique", "absence du bureau",
	"accusé de réception", "accuse de reception", "automatische antwort", "respuesta automática", "risposta automatica",
}

func yes(text string) bool {
	switch strings.ToLower(text) {
	case "true", "1", "yes", "oui", "y":
		return true
	}
	return false
}

// says is a property that may be true, false or not there.
func (c *Contact) says(p property) Tri {
	switch {
	case c.stated>>p&1 == 0:
		return Unknown
	case yes(c.property(p)):
		return Yes
	}
	return No
}

// human says whether a person of the company acts: an agent, or whoever writes as the brand.
func (c *Contact) human() bool {
	return (c.Actor == schema.ActorAgent || c.Actor == schema.ActorBrand) && !c.Automatic
}

// keeper is the source that calls the case by the number that the contact names: its own, unless an agent acts on another one's case.
func (c *Contact) keeper() string { return cmp.Or(c.property(propCaseSource), c.Source) }

// names gives the message that a mark is about, and its source; empty if it names none. What is moderated is named as the content that it is, too.
func (c *Contact) names() (source, message string) {
	switch {
	case c.property(propAboutMessage) != "":
		return c.property(propAboutSource), c.property(propAboutMessage)
	case c.Type == schema.TypeContentModerated:
		return c.Source, cmp.Or(c.Parent, c.Entity)
	}
	return "", ""
}

// private says that the customer does not see it.
func (c *Contact) private() bool { return c.says(propPrivate) == Yes }

func compare(a, b *Contact) int {
	switch {
	case a.At < b.At:
		return -1
	case a.At > b.At:
		return 1
	}
	return a.ID.Compare(b.ID)
}
