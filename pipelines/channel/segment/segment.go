// Package segment maps the calls of Segment's tracking API to events.
//
//	identify → profile.identified   traits become traits; e-mail and phone in them become identifiers too
//	track    → track.performed      the event's name is sealed; "Order Completed" with an order_id → order.placed; "Order Cancelled" keeps the order as its entity
//	page     → page.viewed          so does screen
//	group    → group.joined
//	alias    → identity.aliased     previousId becomes an identifier
//
// The account is the userId, else the anonymousId. Nothing that was sent is lost: an event's Properties are the properties as they
// were sent, with the context under "$context" and top-level members that this package does not know under "$event". What belongs to one
// transmission is not kept: sentAt, receivedAt, writeKey, api_key, integrations, _metadata.
package segment

import (
	"crypto/sha256"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/schema/ids"
)

// Mapping names this mapper in an event's provenance.
const Mapping = "segment"

// Properties that hold what is not a property. A sender's own of these names are refused.
const (
	contextKey = "$context"
	eventKey   = "$event"
)

// The calls, by the names that Segment's paths and type members use.
var calls = map[string]schema.Type{
	"identify": schema.TypeProfileIdentified, "track": schema.TypeTrackPerformed, "page": schema.TypePageViewed,
	"screen": schema.TypePageViewed, "group": schema.TypeGroupJoined, "alias": schema.TypeIdentityAliased,
}

// routing has the hash of the rules for account, type and time, by call. A change of one of these rules needs a new text, or
// events that are sent again would not be recognised.
var routing = func() map[string][32]byte {
	hashes := map[string][32]byte{}
	for call := range calls {
		hashes[call] = sha256.Sum256([]byte("segment 1: account userId else anonymousId; time originalTimestamp else timestamp; type " + call))
	}
	return hashes
}()

// Map reads one call into m. call is the name of the path; on the batch path it is empty and the item's type says it. context is
// what the batch says for all of its items, or the zero Node. A refusal leaves m unusable until its next Reset.
func Map(item, context canonical.Node, call string, s *channel.Sender, m *channel.Mapped) *schema.Refusal {
	m.Reset()
	if item.Kind() != canonical.Object {
		return schema.Refuse(channel.CodeNotAnObject, "a call is a JSON object", "send an object with type, userId or anonymousId")
	}
	if call == "" {
		call, _ = item.Get("type").Str()
	}
	kind, known := calls[call]
	if !known {
		if call == "" {
			return schema.Refuse(channel.CodeTypeMissing, "type is missing", "send type: identify, track, page, screen, group or alias")
		}
		return schema.Refuse(channel.CodeTypeUnknown, "type is none of Segment's calls", "send type: identify, track, page, screen, group or alias")
	}
	e := &m.Event
	e.Source, e.Type = s.Source.Name, kind
	m.Routing = routing[call]
	merged := item.WithContext(context).Get("context")
	if r := provenance(item, merged, s, m); r != nil {
		return r
	}
	if r := identifiers(item, merged, call, s, m); r != nil {
		return r
	}
	if r := clocks(item, s, m); r != nil {
		return r
	}
	if r := content(item, call, m); r != nil {
		return r
	}
	if r := properties(item, merged, m); r != nil {
		return r
	}
	e.Channel = place(item, call, s)
	m.NameActor(s)
	if !item.Get("type").Exists() {
		// The path said it. Beneath a batch the same call says it itself, and is the same event.
		item = canonical.Merge(item, typeOf[call])
	}
	m.Fingerprint = ids.Fingerprint(item, context)
	return nil
}

// typeOf has the object {"type": call} for each call.
var typeOf = func() map[string]canonical.Node {
	objects := map[string]canonical.Node{}
	for call := range calls {
		doc, err := canonical.Parse([]byte(`{"type":"`+call+`"}`), canonical.Limits{})
		if err != nil {
			panic(err)
		}
		objects[call] = doc.Root()
	}
	return objects
}()

func provenance(item, context canonical.Node, s *channel.Sender, m *channel.Mapped) *schema.Refusal {
	id, r := channel.Scalar(item.Get("messageId"), "messageId")
	if r != nil {
		return r
	}
	if r := s.Limits.CheckMessageID(id); r != nil {
		return r
	}
	p := &m.Event.Provenance
	p.Trust, p.MessageID, p.Mapping, p.Country = s.Trust, id, Mapping, s.Source.Country
	p.UserAgent = channel.LooseText(context.Get("userAgent"))
	if library := context.Get("library"); library.Kind() == canonical.Object {
		p.Library = channel.LooseText(library.Get("name"))
		if version := channel.LooseText(library.Get("version")); version != "" {
			p.Library += "/" + version
		}
	}
	return nil
}

// identifiers reads who the call is about.
func identifiers(item, context canonical.Node, call string, s *channel.Sender, m *channel.Mapped) *schema.Refusal {
	user, r := channel.Scalar(item.Get("userId"), "userId")
	if r != nil {
		return r
	}
	anonymous, r := channel.Scalar(item.Get("anonymousId"), "anonymousId")
	if r != nil {
		return r
	}
	userKind, assurance := s.Source.UserKind(), s.Assurance()
	if r := m.AddIdentifier(userKind, user, assurance); r != nil {
		return r
	}
	if r := m.AddIdentifier("anonymous_id", anonymous, assurance); r != nil {
		return r
	}
	switch {
	case user != "":
		m.Event.Account = schema.Account{Kind: userKind, Value: user}
	case anonymous != "":
		m.Event.Account = schema.Account{Kind: "anonymous_id", Value: anonymous}
	default:
		return channel.NoIdentity()
	}
	if call == "alias" {
		previous, r := channel.Scalar(item.Get("previousId"), "previousId")
		if r != nil {
			return r
		}
		if previous == "" {
			return schema.Refuse(channel.CodeNoPreviousID, "an alias call without previousId", "send previousId, the id that userId replaces")
		}
		kind := userKind
		if previous == anonymous || isUUID(previous) {
			kind = "anonymous_id"
		}
		if r := m.AddIdentifier(kind, previous, assurance); r != nil {
			return r
		}
	}
	traits := item.Get("traits")
	if call == "group" {
		traits = canonical.Node{} // the group's, not the person's
	}
	for _, from := range [...]canonical.Node{traits, context.Get("traits")} {
		if r := contactPoints(from, assurance, m); r != nil {
			return r
		}
	}
	if device := context.Get("device"); device.Exists() {
		if r := add(m, "device_id", device.Get("id"), assurance); r != nil {
			return r
		}
		if tracked, said := device.Get("adTrackingEnabled").Bool(); tracked || !said {
			if r := add(m, "advertising_id", device.Get("advertisingId"), assurance); r != nil {
				return r
			}
		}
	}
	return externalIDs(context.Get("externalIds"), assurance, m)
}

func contactPoints(traits canonical.Node, assurance schema.Assurance, m *channel.Mapped) *schema.Refusal {
	if r := add(m, "email", traits.Get("email"), assurance); r != nil {
		return r
	}
	return add(m, "phone", traits.Get("phone"), assurance)
}

// add appends an identifier whose value is a string or a number; anything else is no identifier, and stays where it was sent.
func add(m *channel.Mapped, kind string, value canonical.Node, assurance schema.Assurance) *schema.Refusal {
	s, r := channel.Scalar(value, kind)
	if r != nil || len(s) > channel.MaxIdentifier {
		return nil
	}
	return m.AddIdentifier(kind, s, assurance)
}

// externalIDs reads context.externalIds: id, type, collection, encoding. Encoded ids and other collections are left in $context.
func externalIDs(list canonical.Node, assurance schema.Assurance, m *channel.Mapped) (refusal *schema.Refusal) {
	if list.Kind() != canonical.Array {
		return nil
	}
	list.Each(func(_ string, external canonical.Node) bool {
		collection, encoding := channel.LooseText(external.Get("collection")), channel.LooseText(external.Get("encoding"))
		if collection != "" && collection != "users" || encoding != "" && encoding != "none" {
			return true
		}
		if kind := kindOf(channel.LooseText(external.Get("type"))); channel.IsName(kind) {
			refusal = add(m, kind, external.Get("id"), assurance)
		}
		return refusal == nil
	})
	return refusal
}

// kindOf turns Segment's type of an external id into a kind: lower case, and _ for every other character.
func kindOf(segmentType string) string {
	switch segmentType {
	case "userId", "user":
		return "user_id"
	case "anonymousId":
		return "anonymous_id"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, segmentType)
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f':
		default:
			return false
		}
	}
	return true
}

// clocks reads when it happened: originalTimestamp, else timestamp.
func clocks(item canonical.Node, s *channel.Sender, m *channel.Mapped) *schema.Refusal {
	sentAt := s.SentAt
	if stated := channel.LooseText(item.Get("sentAt")); stated != "" {
		// The skew informs and decides nothing, so a sentAt that cannot be read refuses nothing.
		if at, r := channel.ParseTime("sentAt", stated); r == nil {
			sentAt = at
		}
	}
	for _, field := range [...]string{"originalTimestamp", "timestamp"} {
		stated, r := channel.Text(item.Get(field), field)
		if r != nil {
			return r
		}
		if stated != "" {
			return m.State(s, field, stated, sentAt)
		}
	}
	return m.State(s, "", "", sentAt)
}

// content reads what the call says beside who and when.
func content(item canonical.Node, call string, m *channel.Mapped) *schema.Refusal {
	e := &m.Event
	switch call {
	case "identify":
		return m.AddTraits(item.Get("traits"), "traits")
	case "track":
		name, r := channel.Scalar(item.Get("event"), "event")
		if r != nil {
			return r
		}
		if strings.TrimSpace(name) == "" {
			return schema.Refuse(channel.CodeNoEventName, "a track call without event", "send event, the name of what happened")
		}
		e.Name = name
		commerce(item.Get("properties"), m)
	case "page", "screen":
		name, r := channel.Scalar(item.Get("name"), "name")
		if r != nil {
			return r
		}
		if name == "" {
			name = channel.LooseText(item.Get("properties").Get("name"))
		}
		e.Name = name
	case "group":
		group, r := channel.Scalar(item.Get("groupId"), "groupId")
		if r != nil {
			return r
		}
		if group == "" {
			return schema.Refuse(channel.CodeNoGroupID, "a group call without groupId", "send groupId")
		}
		e.Entity = group
	}
	return nil
}

// commerce reads the properties that Segment's e-commerce specification names. They inform: one of another form is left where
// it is.
func commerce(properties canonical.Node, m *channel.Mapped) {
	if properties.Kind() != canonical.Object {
		return
	}
	e := &m.Event
	amounts := []string{"revenue", "value"}
	if e.Name == "Order Completed" {
		for _, field := range [...]string{"order_id", "orderId"} { // the specification's name, and the Go SDK's
			if order, r := channel.Scalar(properties.Get(field), field); r == nil && order != "" {
				e.Type, e.Entity = schema.TypeOrderPlaced, order
				amounts = []string{"total", "revenue", "value"}
				break
			}
		}
	}
	if e.Name == "Order Cancelled" { // it takes back the order of this id
		for _, field := range [...]string{"order_id", "orderId"} {
			if order, r := channel.Scalar(properties.Get(field), field); r == nil && order != "" {
				e.Entity = order
				break
			}
		}
	}
	for _, field := range amounts {
		if amount, r := channel.Decimal(properties.Get(field), field); r == nil && amount != "" {
			e.Amount = amount
			break
		}
	}
	if currency := channel.LooseText(properties.Get("currency")); len(currency) == 3 && e.Amount != "" {
		e.Currency = strings.ToUpper(currency)
	}
}

// ours are the top-level members that this package reads or that belong to one transmission. The others go to $event.
func ours(key string, e *schema.Event) bool {
	switch key {
	case "type", "event", "messageId", "anonymousId", "userId", "originalTimestamp", "context", "properties",
		"sentAt", "receivedAt", "writeKey", "api_key", "integrations", "_metadata":
		return true
	case "name":
		return e.Type == schema.TypePageViewed
	case "traits":
		return e.Type == schema.TypeProfileIdentified
	}
	return false
}

// properties writes the event's Properties: canonical, so in the order of their keys.
func properties(item, context canonical.Node, m *channel.Mapped) *schema.Refusal {
	sent := item.Get("properties")
	switch sent.Kind() {
	case canonical.Object:
		for _, key := range [...]string{contextKey, eventKey} {
			if sent.Get(key).Exists() {
				return schema.Refuse(channel.CodeReservedProperty, "a property is named "+key+", which is ours", "rename the property")
			}
		}
	case canonical.Absent, canonical.Null:
		sent = canonical.Node{}
	default:
		return channel.FieldInvalid("properties", "an object")
	}
	e := &m.Event
	out := append(e.Properties[:0], '{')
	pending := 2 // of the two keys of ours
	flush := func(before string) {
		if pending == 2 && (before == "" || before > contextKey) {
			pending--
			if context.Exists() && context.Kind() != canonical.Null {
				out = append(comma(out), `"$context":`...)
				out = context.AppendCanonical(out, nil)
			}
		}
		if pending == 1 && (before == "" || before > eventKey) {
			pending--
			out = extras(item, e, out)
		}
	}
	if first := firstKey(sent); first > eventKey {
		// The usual case: every property sorts behind ours, and is appended as one piece.
		flush("")
		body := len(out)
		out = sent.AppendCanonical(out, nil)
		if body > 1 {
			out[body] = ','
		} else {
			out = append(out[:0], out[body:]...)
		}
		e.Properties = out
		return nil
	}
	sent.Each(func(key string, v canonical.Node) bool {
		flush(key)
		out = append(canonical.AppendString(comma(out), key), ':')
		out = v.AppendCanonical(out, nil)
		return true
	})
	flush("")
	e.Properties = append(out, '}')
	if len(e.Properties) == 2 {
		e.Properties = e.Properties[:0]
	}
	return nil
}

func comma(out []byte) []byte {
	if out[len(out)-1] == '{' {
		return out
	}
	return append(out, ',')
}

func firstKey(n canonical.Node) (first string) {
	n.Each(func(key string, _ canonical.Node) bool {
		first = key
		return false
	})
	return first
}

// extras appends $event, the top-level members that this package does not know, if there are any.
func extras(item canonical.Node, e *schema.Event, out []byte) []byte {
	any := false
	item.Each(func(key string, v canonical.Node) bool {
		if ours(key, e) || key == "timestamp" && e.Provenance.TimeStatement == channel.LooseText(v) {
			return true
		}
		if !any {
			out = append(comma(out), `"$event":{`...)
			any = true
		}
		out = append(canonical.AppendString(comma(out), key), ':')
		out = v.AppendCanonical(out, nil)
		return true
	})
	if any {
		out = append(out, '}')
	}
	return out
}

// place is the event's channel: the source's, else what the call says, else the web.
func place(item canonical.Node, call string, s *channel.Sender) schema.Channel {
	if s.Source.Channel != 0 {
		return s.Source.Channel
	}
	switch channel.LooseText(item.Get("channel")) {
	case "mobile":
		return schema.ChannelApp
	case "web", "browser":
		return schema.ChannelWeb
	}
	if call == "screen" {
		return schema.ChannelApp
	}
	return schema.ChannelWeb
}
