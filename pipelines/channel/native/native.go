// Package native maps our own event JSON to events: one JSON object per event, whose members are documented in deploy/events.md.
//
// It is strict. A member that it does not know, or one of another form, refuses the event: a misspelt occurredAt must not become
// an event without a time. What has no member of its own goes under properties.
package native

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/schema/ids"
)

// Mapping names this mapper in the provenance of events that name no mapping of their own.
const Mapping = "events"

// maxReference bounds what names another thing: conversation, case, parent, mention, entity, an actor's id.
const maxReference = 512

var routing = sha256.Sum256([]byte("events 1: account as stated, else the best identifier by rank and value; time occurredAt; type as stated"))

// event reads one event. Its methods record the first refusal and do nothing after it, so that the list of members reads as one.
type event struct {
	item    canonical.Node
	s       *channel.Sender
	source  *channel.Source
	m       *channel.Mapped
	refusal *schema.Refusal
}

// Map reads one event into m. A refusal leaves m unusable until its next Reset.
func Map(item canonical.Node, s *channel.Sender, m *channel.Mapped) *schema.Refusal {
	m.Reset()
	if item.Kind() != canonical.Object {
		return schema.Refuse(channel.CodeNotAnObject, "an event is a JSON object", "send an object with type and who it is about")
	}
	v := event{item: item, s: s, source: s.Source, m: m}
	v.known()
	v.kind()
	v.whence()
	v.actor()
	v.who()
	v.clocks()
	v.references()
	v.content()
	v.consents()
	v.assertion()
	v.account()
	if v.refusal != nil {
		return v.refusal
	}
	v.m.NameActor(v.sender())
	m.Fingerprint = ids.Fingerprint(item, canonical.Node{})
	return nil
}

// sender is s with the source that the event names.
func (v *event) sender() *channel.Sender {
	if v.source == v.s.Source {
		return v.s
	}
	s := *v.s
	s.Source = v.source
	return &s
}

func (v *event) refuse(r *schema.Refusal) {
	if v.refusal == nil {
		v.refusal = r
	}
}

// members are those that a native event may have.
var members = map[string]bool{
	"type": true, "messageId": true, "occurredAt": true, "sentAt": true, "source": true, "channel": true, "actor": true,
	"account": true, "userId": true, "anonymousId": true, "identifiers": true, "traits": true, "consents": true,
	"conversation": true, "case": true, "parent": true, "mention": true, "entity": true, "text": true, "language": true,
	"rating": true, "ratingScale": true, "amount": true, "currency": true, "name": true, "properties": true,
	"a": true, "b": true, "of": true, "reason": true, "mapping": true, "routing": true, "library": true, "userAgent": true,
	"country": true, "writeKey": true, "trust": true,
}

func (v *event) known() {
	v.item.Each(func(key string, _ canonical.Node) bool {
		if !members[key] {
			v.refuse(schema.Refuse(channel.CodeFieldUnknown, "an event has no member "+show(key), "correct its name, or put it under properties"))
		}
		return v.refusal == nil
	})
}

// show repeats a member's name if it looks like one: what a sender puts there by mistake may be personal.
func show(key string) string {
	if len(key) > 32 {
		return "of that name"
	}
	for _, c := range key {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' {
			return "of that name"
		}
	}
	return key
}

// text reads a string member.
func (v *event) text(key string) string {
	s, r := channel.Text(v.item.Get(key), key)
	v.refuse(r)
	return s
}

// reference reads a short member that names another thing.
func (v *event) reference(key string) string {
	s, r := channel.Scalar(v.item.Get(key), key)
	v.refuse(r)
	if len(s) > maxReference {
		v.refuse(channel.FieldInvalid(key, "at most 512 bytes long"))
	}
	return s
}

func (v *event) decimal(key string) string {
	s, r := channel.Decimal(v.item.Get(key), key)
	v.refuse(r)
	return s
}

// kind reads the type, and refuses what this sender may not send.
func (v *event) kind() {
	name := v.text("type")
	if name == "" {
		v.refuse(schema.Refuse(channel.CodeTypeMissing, "type is missing", "send a type such as message.received; deploy/events.md lists them"))
		return
	}
	if reserved[name] {
		if v.s.Trust != schema.TrustServer {
			v.refuse(channel.NotForClientKey(name))
			return
		}
		v.refuse(schema.Refuse(channel.CodeScopeMissing, name+" is no event that is sent here", "use the command or the mutation for it, with a token that has the scope"))
		return
	}
	kind, known := schema.ParseType(name)
	if !known {
		v.refuse(schema.Refuse(channel.CodeTypeUnknown, "type is not a built-in one", "send track.performed with a name for events of your own"))
		return
	}
	v.m.Event.Type = kind
	v.refuse(allowed(kind, v.s))
}

// whence reads the source, the channel and the provenance.
func (v *event) whence() {
	e := &v.m.Event
	if name := v.text("source"); name != "" && name != v.source.Name {
		switch {
		case v.s.Trust != schema.TrustServer:
			v.refuse(channel.NotForClientKey("events of another source"))
		case !channel.IsSourceName(name):
			v.refuse(channel.FieldInvalid("source", "a word of a-z, 0-9, _, - and . that begins with a letter"))
		case v.s.Sources != nil:
			v.source = v.s.Sources(name)
		default:
			v.source = &channel.Source{Name: name}
		}
	}
	e.Source = v.source.Name
	e.Channel = v.source.Channel
	if name := v.text("channel"); name != "" {
		place, known := schema.ParseChannel(name)
		if !known {
			v.refuse(channel.FieldInvalid("channel", "one of the channels"))
		}
		e.Channel = place
	}
	if e.Channel == 0 {
		e.Channel = schema.ChannelWeb
	}
	p := &e.Provenance
	p.Trust, p.Mapping, p.Country = v.s.Trust, Mapping, v.source.Country
	v.trust()
	id, r := channel.Scalar(v.item.Get("messageId"), "messageId")
	v.refuse(r)
	p.MessageID = id
	v.refuse(v.s.Limits.CheckMessageID(p.MessageID))
	if country := v.text("country"); country != "" {
		if !channel.IsCountry(country) {
			v.refuse(channel.FieldInvalid("country", "an ISO 3166 code of two capital letters such as FR"))
		}
		p.Country = country
	}
	p.Library, p.UserAgent = v.text("library"), v.text("userAgent")
	v.m.Routing = routing
	mapping, hash := v.text("mapping"), v.text("routing")
	if mapping == "" && hash == "" {
		return
	}
	if v.s.Trust != schema.TrustServer {
		v.refuse(channel.NotForClientKey("mapping and routing"))
		return
	}
	if n, err := hex.Decode(v.m.Routing[:], []byte(hash)[:min(len(hash), 64)]); err != nil || n != 32 || len(hash) != 64 || mapping == "" {
		v.refuse(channel.FieldInvalid("routing", "64 hexadecimal digits beside the name of a mapping"))
		return
	}
	p.Mapping, p.Routing = mapping, hash
}

// trust reads of which trust class the persona is that an agent's event is about: what an agent does for somebody whom only public keys know is
// written down beside that, and makes no server persona that would hide it.
func (v *event) trust() {
	word := v.text("trust")
	if word == "" {
		return
	}
	stated, known := schema.ParseTrust(word)
	switch {
	case !known:
		v.refuse(channel.FieldInvalid("trust", "client or server"))
	case v.s.Trust != schema.TrustServer:
		v.refuse(channel.NotForClientKey("trust"))
	case !v.s.Token || !v.s.Has(scopeCare):
		v.refuse(channel.ScopeMissing("trust", scopeCare))
	case stated == schema.TrustClient && !agents[v.m.Event.Type]:
		v.refuse(channel.FieldInvalid("trust", "left out: only what agents do for a customer names the trust class of the customer's persona"))
	default:
		v.m.Event.Provenance.Trust = stated
	}
}

// actor reads who acted: a word, or an object of kind and id.
func (v *event) actor() {
	e := &v.m.Event
	n := v.item.Get("actor")
	name, isWord := n.Str()
	if n.Kind() == canonical.Object {
		name = channel.LooseText(n.Get("kind"))
		id, r := channel.Scalar(n.Get("id"), "actor.id")
		v.refuse(r)
		if len(id) > maxReference {
			v.refuse(channel.FieldInvalid("actor.id", "at most 512 bytes long"))
		}
		e.ActorID = id
	} else if !n.Exists() || n.Kind() == canonical.Null {
		return
	} else if !isWord {
		v.refuse(channel.FieldInvalid("actor", "customer, agent, bot, brand, system, or an object of kind and id"))
		return
	}
	actor, known := schema.ParseActor(name)
	if !known {
		v.refuse(channel.FieldInvalid("actor", "customer, agent, bot, brand, system, or an object of kind and id"))
		return
	}
	if v.s.Trust != schema.TrustServer && (actor != schema.ActorCustomer || e.ActorID != "") {
		v.refuse(channel.NotForClientKey("events of an actor other than the customer"))
	}
	e.Actor = actor
}

// clocks reads when it happened.
func (v *event) clocks() {
	sentAt := v.s.SentAt
	if stated := v.text("sentAt"); stated != "" {
		at, r := channel.ParseTime("sentAt", stated)
		v.refuse(r)
		sentAt = at
	}
	v.refuse(v.m.State(v.s, "occurredAt", v.text("occurredAt"), sentAt))
}

// references reads what the event points at.
func (v *event) references() {
	e := &v.m.Event
	e.Conversation, e.Case, e.Parent = v.reference("conversation"), v.reference("case"), v.reference("parent")
	e.Mention, e.Entity = v.reference("mention"), v.reference("entity")
}

// content reads what was said, rated and paid.
func (v *event) content() {
	e := &v.m.Event
	e.Text, e.Name = v.text("text"), v.text("name")
	if e.Type == schema.TypeTrackPerformed && strings.TrimSpace(e.Name) == "" {
		v.refuse(schema.Refuse(channel.CodeNoEventName, "track.performed without a name", "send name, the name of what happened"))
	}
	if e.Language = v.text("language"); len(e.Language) > 35 {
		v.refuse(channel.FieldInvalid("language", "a BCP 47 tag such as fr or pt-BR"))
	}
	e.Rating, e.RatingScale = v.decimal("rating"), v.text("ratingScale")
	e.Amount, e.Currency = v.decimal("amount"), v.text("currency")
	if e.Currency != "" && !isCurrency(e.Currency) {
		v.refuse(channel.FieldInvalid("currency", "an ISO 4217 code such as EUR"))
	}
	v.refuse(v.m.AddTraits(v.item.Get("traits"), "traits"))
	switch properties := v.item.Get("properties"); properties.Kind() {
	case canonical.Object:
		e.Properties = properties.AppendCanonical(e.Properties[:0], nil)
	case canonical.Absent, canonical.Null:
	default:
		v.refuse(channel.FieldInvalid("properties", "an object"))
	}
}

func isCurrency(s string) bool {
	if len(s) != 3 {
		return false
	}
	for i := range 3 {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}
