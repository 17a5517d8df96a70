package channel

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// Source is what one connected system declares. The zero value is a web source whose server key is believed.
type Source struct {
	Name        string           `json:"name"`
	Channel     schema.Channel   `json:"-"`           // where its contacts take place unless an event says otherwise; 0: web
	Country     string           `json:"country"`     // ISO 3166 alpha-2: national phone numbers are read by it
	Assurance   schema.Assurance `json:"-"`           // of identifiers from its server key where the event states none; 0: verified
	AccountKind string           `json:"accountKind"` // what kind its userId is; empty: user_id
	Actor       schema.Actor     `json:"-"`           // who acts where an event does not say; 0: customer
	Agents      []string         `json:"agents"`      // user ids and e-mail addresses of agents, as shell patterns such as *@shop.example
	Bots        []string         `json:"bots"`        // parts of user agents that are bots, beside the built-in ones; matched without regard to case
	Class       string           `json:"class"`       // retention class; empty: standard
}

// DefaultClass is the retention class of sources that declare none.
const DefaultClass = "standard"

// RetentionClass is the class that the source's events are sealed under.
func (s *Source) RetentionClass() string {
	if s.Class == "" {
		return DefaultClass
	}
	return s.Class
}

// UserKind is the identifier kind of the source's userId.
func (s *Source) UserKind() string {
	if s.AccountKind == "" {
		return "user_id"
	}
	return s.AccountKind
}

// Sender is who hands a payload in, and when. It is the same for all events of a request.
type Sender struct {
	Workspace  string
	Source     *Source                   // of the key; an event of a server key may name another
	Sources    func(name string) *Source // the sources of the workspace; one that is not declared has the zero settings
	Trust      schema.Trust
	Token      bool                                                                       // a token, not a write key
	May        func(scope string) bool                                                    // the token's scopes; nil: none
	Persona    func(source string, trust schema.Trust, a schema.Account) schema.PersonaID // the persona of an account, which assertions may name
	Epoch      func(schema.PersonaID) uint32                                              // the current epoch of a persona
	ReceivedAt schema.Instant
	SentAt     schema.Instant // when the request was sent, by the sender's clock; 0 if it does not say
	Limits     Limits
}

// Has says whether the sender's token carries a scope.
func (s *Sender) Has(scope string) bool { return s.May != nil && s.May(scope) }

// Assurance is how far an identifier may be believed that comes without a statement of its own.
func (s *Sender) Assurance() schema.Assurance {
	if s.Trust != schema.TrustServer {
		return schema.AssuranceDeclared
	}
	if s.Source.Assurance != 0 {
		return s.Source.Assurance
	}
	return schema.AssuranceVerified
}

// Limits bound one event. SegmentLimits and NativeLimits have the defaults.
type Limits struct {
	EventBytes int // of JSON
	MessageID  int // bytes of a message id
	Properties int // members of an event, of all objects in it together
	Depth      int // containers within containers
}

// The default limits. Segment's own apply on Segment's paths; an event of ours may carry a long text.
const (
	SegmentEventBytes = 32 << 10
	NativeEventBytes  = 2 << 20
	MaxMessageID      = 100
	MaxProperties     = 10_000
	MaxDepth          = 64
	MaxIdentifier     = 512 // bytes of an identifier's or account's value
	MaxKind           = 64  // bytes of a kind
	MaxIdentifiers    = 100 // identifiers of one event
)

// Future is how far ahead of its receipt an event may have occurred, in microseconds.
const Future = 24 * 3600 * 1_000_000

// Check refuses an event that is too large or has too many members. bytes is the length of its JSON.
func (l Limits) Check(n canonical.Node, bytes int) *schema.Refusal {
	if bytes > l.EventBytes {
		hint := "send less in one event"
		if l.EventBytes < NativeEventBytes {
			hint += ", or send it to /v1/events, which takes longer ones"
		}
		return schema.Refuse(CodeEventTooLarge, fmt.Sprintf("an event has at most %d bytes of JSON here, this one has %d", l.EventBytes, bytes), hint)
	}
	// A member takes two bytes at the least, so what is short need not be counted.
	if bytes/2 > l.Properties && Count(n, l.Properties) > l.Properties {
		return schema.Refuse(CodeTooManyProperties, fmt.Sprintf("an event has at most %d members, counted through all levels", l.Properties), "send fewer properties in one event")
	}
	return nil
}

// CheckMessageID refuses a message id that is too long.
func (l Limits) CheckMessageID(id string) *schema.Refusal {
	if len(id) > l.MessageID {
		return schema.Refuse(CodeMessageIDTooLong, fmt.Sprintf("messageId has at most %d bytes, this one has %d", l.MessageID, len(id)), "send a shorter id that is unique, such as a UUID")
	}
	return nil
}

// SegmentLimits are the limits of Segment's API.
func SegmentLimits() Limits {
	return Limits{EventBytes: SegmentEventBytes, MessageID: MaxMessageID, Properties: MaxProperties, Depth: MaxDepth}
}

// NativeLimits are the limits of our own event JSON.
func NativeLimits() Limits {
	return Limits{EventBytes: NativeEventBytes, MessageID: MaxMessageID, Properties: MaxProperties, Depth: MaxDepth}
}

// Mapped is what a mapper makes of a payload: an event without workspace, persona, id and key, and what they are derived from.
// It may be used again for the next event; its slices are.
type Mapped struct {
	Event       schema.Event
	Routing     [32]byte // hash of the rules for account, type and time
	Fingerprint [32]byte
	OwnPersona  bool            // the payload names nobody: the record is its own persona, by message id or fingerprint
	agents      map[string]bool // user agents: is it a robot by the built-in list

	About schema.PersonaEpoch // of an assertion: the persona that it belongs to and ends with; else zero
}

// Reset empties m for the next event and keeps its slices' memory.
func (m *Mapped) Reset() {
	e := &m.Event
	identifiers, traits, consents, properties := e.Identifiers[:0], e.Traits[:0], e.Consents[:0], e.Properties[:0]
	*m = Mapped{agents: m.agents}
	m.Event.Identifiers, m.Event.Traits, m.Event.Consents, m.Event.Properties = identifiers, traits, consents, properties
}

// AddIdentifier appends an identifier unless the event has this kind and value already; then the stronger assurance stays. Empty
// values are no identifiers. It refuses kinds and values out of form.
func (m *Mapped) AddIdentifier(kind, value string, assurance schema.Assurance) *schema.Refusal {
	if value == "" {
		return nil
	}
	if r := CheckIdentifier(kind, value); r != nil {
		return r
	}
	list := m.Event.Identifiers
	for i := range list {
		if list[i].Kind == kind && list[i].Value == value {
			list[i].Assurance = max(list[i].Assurance, assurance)
			return nil
		}
	}
	if len(list) >= MaxIdentifiers {
		return schema.Refuse(CodeIdentifierInvalid, "more than 100 identifiers in one event", "send what the contact itself carried")
	}
	m.Event.Identifiers = append(list, schema.Identifier{Kind: kind, Value: value, Assurance: assurance})
	return nil
}

// CheckIdentifier refuses an identifier out of form.
func CheckIdentifier(kind, value string) *schema.Refusal {
	if !IsName(kind) {
		return schema.Refuse(CodeIdentifierInvalid, "an identifier's kind is not a word of a-z, 0-9 and _", "send a kind such as email, phone, user_id or card")
	}
	if len(value) > MaxIdentifier {
		return schema.Refuse(CodeIdentifierInvalid, "an identifier of kind "+kind+" is longer than 512 bytes", "send the identifier alone, and long text as text or as a property")
	}
	return nil
}

// IsName says whether s is a word that may name a kind, a source or a class: a lower-case letter, then at most 63 of a-z, 0-9, _.
func IsName(s string) bool {
	if s == "" || len(s) > MaxKind || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// IsSourceName says whether s may name a source: as IsName, with - and . allowed.
func IsSourceName(s string) bool {
	return IsName(strings.NewReplacer("-", "_", ".", "_").Replace(s))
}

// IsCountry says whether s has the form of an ISO 3166 alpha-2 code.
func IsCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

// builtinBots are parts of user agents that announce a robot.
var builtinBots = []string{"bot/", "bot;", "bot)", "spider", "crawler", "headlesschrome", "phantomjs", "slurp", "facebookexternalhit", "lighthouse", "pingdom", "uptimerobot"}

func isBuiltinBot(agent string) bool {
	return slices.ContainsFunc(builtinBots, func(part string) bool { return strings.Contains(agent, part) })
}

func (s *Source) listsBot(agent string) bool {
	return slices.ContainsFunc(s.Bots, func(part string) bool { return part != "" && strings.Contains(agent, strings.ToLower(part)) })
}

// rememberedAgents bounds the memory of user agents that a Mapped has.
const rememberedAgents = 256

// isBot says whether a user agent is a robot's, by the source's list and the built-in one. It remembers what it found of recent user
// agents, which are few; that changes its speed only.
func (m *Mapped) isBot(s *Source, userAgent string) bool {
	if userAgent == "" {
		return false
	}
	builtin, seen := m.agents[userAgent]
	if !seen {
		if len(m.agents) >= rememberedAgents || m.agents == nil {
			m.agents = make(map[string]bool, 16)
		}
		builtin = isBuiltinBot(strings.ToLower(userAgent))
		m.agents[strings.Clone(userAgent)] = builtin
	}
	return builtin || len(s.Bots) > 0 && s.listsBot(strings.ToLower(userAgent))
}

// agent says whether a value is an agent's user id or e-mail address.
func (s *Source) agent(value string) bool {
	value = strings.ToLower(value)
	for _, pattern := range s.Agents {
		if ok, err := path.Match(strings.ToLower(pattern), value); err == nil && ok {
			return true
		}
	}
	return false
}

// NameActor fills in who acted where the event does not say: a robot by its user agent, an agent by account or e-mail address,
// else whom the source declares, else a customer. A client key never makes an agent.
func (m *Mapped) NameActor(s *Sender) {
	e := &m.Event
	if e.Actor == 0 {
		e.Actor = s.Source.Actor
	}
	if e.Actor == 0 && m.isBot(s.Source, e.Provenance.UserAgent) {
		e.Actor = schema.ActorBot
	}
	if e.Actor == 0 && s.Trust == schema.TrustServer && len(s.Source.Agents) > 0 {
		for _, candidate := range e.Identifiers {
			if (candidate.Kind == s.Source.UserKind() || candidate.Kind == "email") && s.Source.agent(candidate.Value) {
				e.Actor = schema.ActorAgent
				if e.ActorID == "" {
					e.ActorID = candidate.Value
				}
				break
			}
		}
	}
	if e.Actor == 0 || (s.Trust != schema.TrustServer && e.Actor != schema.ActorBot) {
		e.Actor = schema.ActorCustomer
	}
}
