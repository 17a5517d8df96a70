package demo

import (
	"encoding/json"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// event is one event of ours as JSON, see deploy/events.md.
type event struct {
	Type         string         `json:"type"`
	MessageID    string         `json:"messageId"`
	OccurredAt   string         `json:"occurredAt"`
	Source       string         `json:"source"`
	Channel      string         `json:"channel"`
	Country      string         `json:"country,omitempty"`
	Actor        *actor         `json:"actor,omitempty"`
	Account      account        `json:"account"`
	Identifiers  []identifier   `json:"identifiers,omitempty"`
	Traits       map[string]any `json:"traits,omitempty"`
	Consents     []consent      `json:"consents,omitempty"`
	Conversation string         `json:"conversation,omitempty"`
	Case         string         `json:"case,omitempty"`
	Parent       string         `json:"parent,omitempty"`
	Mention      string         `json:"mention,omitempty"`
	Entity       string         `json:"entity,omitempty"`
	Text         string         `json:"text,omitempty"`
	Language     string         `json:"language,omitempty"`
	Rating       string         `json:"rating,omitempty"`
	RatingScale  string         `json:"ratingScale,omitempty"`
	Amount       string         `json:"amount,omitempty"`
	Currency     string         `json:"currency,omitempty"`
	Name         string         `json:"name,omitempty"`
	Properties   map[string]any `json:"properties,omitempty"`
}

type actor struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
}

type account struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

type identifier struct {
	Kind         string `json:"kind"`
	Value        string `json:"value"`
	Assurance    string `json:"assurance,omitempty"`
	SupersededBy string `json:"supersededBy,omitempty"`
}

type consent struct {
	Kind        string `json:"kind,omitempty"`
	Value       string `json:"value,omitempty"`
	Channel     string `json:"channel"`
	Purpose     string `json:"purpose"`
	State       string `json:"state"`
	LegalBasis  string `json:"legalBasis,omitempty"`
	TextVersion string `json:"textVersion,omitempty"`
	Proof       string `json:"proof,omitempty"`
}

// call is one call of Segment's tracking API.
type call struct {
	Type        string         `json:"type"`
	MessageID   string         `json:"messageId"`
	Timestamp   string         `json:"timestamp"`
	UserID      string         `json:"userId,omitempty"`
	AnonymousID string         `json:"anonymousId"`
	Event       string         `json:"event,omitempty"`
	Name        string         `json:"name,omitempty"`
	Traits      map[string]any `json:"traits,omitempty"`
	Properties  map[string]any `json:"properties,omitempty"`
	Context     map[string]any `json:"context"`
}

const stamp = "2006-01-02T15:04:05.000Z07:00"

// tell sends an event of a server source. Nothing happens after the workspace's end.
func (l *life) tell(at time.Time, e event) string {
	if !at.Before(End) {
		return ""
	}
	e.MessageID, e.OccurredAt = l.messageID(), at.Format(stamp)
	l.truth.own(e.Source, schema.TrustServer, e.Account, l.Index)
	l.record(Server, at, e.MessageID, e.Source, e.Channel, e.Type, e)
	return e.MessageID
}

// called are the types that Segment's calls become.
var called = map[string]string{"identify": "profile.identified", "page": "page.viewed", "track": "track.performed"}

// browse sends a call of the web shop's browser key.
func (l *life) browse(at time.Time, c call) {
	if !at.Before(End) {
		return
	}
	c.MessageID, c.Timestamp = l.messageID(), at.Format(stamp)
	who := account{"anonymous_id", c.AnonymousID}
	if c.UserID != "" {
		who = account{"user_id", c.UserID}
	}
	l.truth.own(web, schema.TrustClient, who, l.Index)
	l.record(Client, at, c.MessageID, web, "web", called[c.Type], c)
}

func (l *life) record(class Class, at time.Time, id, source, channel, kind string, what any) {
	text, err := json.Marshal(what)
	if err != nil {
		l.err = err
		return
	}
	l.events = append(l.events, happening{at, id, class, source, text})
	l.summary.Channels[channel]++
	l.summary.Sources[source]++
	l.summary.Types[kind]++
	if class == Client {
		l.summary.Client++
	}
}
