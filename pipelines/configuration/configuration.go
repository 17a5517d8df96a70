// Package configuration reads the document that a workspace runs under: its sources, identity rules and survivorship.
//
// A document is JSON (the command line turns YAML into it). It is content-addressed: Hash is the SHA-256 of its canonical form,
// so two documents that say the same in another order are one. A section that is absent is the default, so old documents keep
// working under new code; a member that nobody knows is refused, so a typing error never passes for a setting.
//
// It holds no secrets: they appear only as secret:NAME.
package configuration

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/record"
	"github.com/dossier-cdp/dossier/pipelines/channel/webhook"
	"github.com/dossier-cdp/dossier/pipelines/destination"
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
	"github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/pipelines/retention"
	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// Configuration is a document made ready for use. It is read-only.
type Configuration struct {
	Hash         string // hex SHA-256 of Document
	IdentityHash string // hex SHA-256 of what identity depends on: another one means that identity is rebuilt
	Document     []byte // canonical JSON
	Sources      map[string]*channel.Source
	Hooks        map[string]*webhook.Hook // by source: those that take webhooks
	Topics       map[string]*record.Topic // by source: those that read a company's topic
	Identity     *identity.Rules
	Model        *match.Model // what stratum 2 weighs by; nil is no stratum 2
	People       int          // for how many records the model's prior is meant; 0 is the number that it was estimated on
	Survivorship *persona.Rules
	Care         *care.Rules
	Verbatim     *verbatim.Settings
	Reputation   *reputation.Settings
	Segments     segment.Set
	Ground       segment.Ground // what segments rest on: lists, and legal bases
	Destinations []*destination.Destination
	Retention    *retention.Rules
}

type document struct {
	Sources      map[string]source `json:"sources"`
	Identity     json.RawMessage   `json:"identity"`
	Survivorship json.RawMessage   `json:"survivorship"`
	Care         json.RawMessage   `json:"care"`
	Verbatim     json.RawMessage   `json:"verbatim"`
	Reputation   json.RawMessage   `json:"reputation"`

	Segments     map[string]json.RawMessage `json:"segments"`
	Destinations map[string]json.RawMessage `json:"destinations"`

	Retention         json.RawMessage `json:"retention"`
	Lists             json.RawMessage `json:"lists"`
	SpecialCategories json.RawMessage `json:"specialCategories"`
}

type source struct {
	Channel     string   `json:"channel"`
	Country     string   `json:"country"`
	Assurance   string   `json:"assurance"`
	AccountKind string   `json:"accountKind"`
	Actor       string   `json:"actor"`
	Agents      []string `json:"agents"`
	Bots        []string `json:"bots"`
	Class       string   `json:"class"`
	Hook        *hook    `json:"hook"`
	Kafka       *topic   `json:"kafka"`
}

// hook is how a source's webhooks are verified and read.
type hook struct {
	Mapping   json.RawMessage   `json:"mapping"`
	Signature webhook.Signature `json:"signature"`
	ID        string            `json:"id"` // the header with the provider's id of a webhook
}

// topic is a company's topic that a source reads.
type topic struct {
	record.Settings
	Mapping json.RawMessage `json:"mapping"`
}

const maxBytes = 4 << 20

// Zones finds a time zone by its IANA name; mappings name them. time.LoadLocation is one.
type Zones func(name string) (*time.Location, error)

// Parse reads a document. What is wrong with it is a *schema.Refusal that names the member.
func Parse(text []byte, zones Zones) (*Configuration, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}")
	}
	if len(text) > maxBytes {
		return nil, refuse(fmt.Sprintf("the document has %d bytes", len(text)), "keep it under 4 MiB")
	}
	parsed, err := canonical.Parse(text, canonical.Limits{Depth: 32})
	if err != nil {
		return nil, err
	}
	c := &Configuration{Document: parsed.Root().AppendCanonical(nil, nil)}
	sum := sha256.Sum256(c.Document)
	c.Hash = hex.EncodeToString(sum[:])

	var d document
	if err := strict(c.Document, &d, "the document"); err != nil {
		return nil, err
	}
	c.Sources = make(map[string]*channel.Source, len(d.Sources))
	c.Hooks, c.Topics = map[string]*webhook.Hook{}, map[string]*record.Topic{}
	names := make([]string, 0, len(d.Sources))
	for name := range d.Sources {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s, err := d.Sources[name].ready(name)
		if err != nil {
			return nil, err
		}
		c.Sources[name] = s
		if err := c.inputs(name, d.Sources[name], zones); err != nil {
			return nil, err
		}
	}
	if err := c.identity(d.Identity); err != nil {
		return nil, err
	}
	c.Survivorship = &persona.Rules{}
	if d.Survivorship != nil {
		if err := strict(d.Survivorship, c.Survivorship, "survivorship"); err != nil {
			return nil, err
		}
		if err := c.Survivorship.Validate(); err != nil {
			return nil, err
		}
	}
	if c.Care, err = d.care(zones); err != nil {
		return nil, err
	}
	c.Verbatim = verbatim.DefaultSettings()
	if d.Verbatim != nil && string(d.Verbatim) != "null" {
		if c.Verbatim, err = verbatim.ParseSettings(d.Verbatim); err != nil {
			reason := err.Error()
			if r := (*schema.Refusal)(nil); errors.As(err, &r) {
				reason = r.Reason
			}
			return nil, refuse("verbatim: "+reason, "see deploy/verbatim.md")
		}
	}
	c.Reputation = reputation.DefaultSettings()
	if d.Reputation != nil && string(d.Reputation) != "null" {
		if c.Reputation, err = reputation.ParseSettings(d.Reputation); err != nil {
			return nil, refuse("reputation: "+err.Error(), "see deploy/reputation.md")
		}
	}
	if c.Ground, err = segment.ParseGround(d.Lists, d.SpecialCategories); err != nil {
		return nil, err
	}
	if err := c.segments(d.Segments, zones); err != nil {
		return nil, err
	}
	if c.Destinations, err = destination.Parse(d.Destinations, c.Segments); err != nil {
		return nil, err
	}
	if err := c.retention(d.Retention); err != nil {
		return nil, err
	}
	sum = sha256.Sum256(d.Identity)
	c.IdentityHash = hex.EncodeToString(sum[:])
	return c, nil
}

func (c *Configuration) retention(text []byte) (err error) {
	var settings retention.Settings
	if text != nil && string(text) != "null" {
		if err := strict(text, &settings, "retention"); err != nil {
			return err
		}
	}
	c.Retention, err = retention.Parse(settings)
	return err
}

// Classes are the retention classes that events may be of, sorted.
func (c *Configuration) Classes() []string {
	classes := map[string]bool{channel.DefaultClass: true}
	for _, s := range c.Sources {
		classes[s.RetentionClass()] = true
	}
	for name := range c.Retention.Classes {
		classes[name] = true
	}
	return slices.Sorted(maps.Keys(classes))
}

// CareOf reads what a document says of care, and nothing else of it.
func CareOf(raw []byte, zones func(name string) (*time.Location, error)) (*care.Rules, error) {
	var d document
	if len(raw) > 0 {
		if err := strict(raw, &d, "the document"); err != nil {
			return nil, err
		}
	}
	return d.care(zones)
}

func (d *document) care(zones func(name string) (*time.Location, error)) (*care.Rules, error) {
	var settings care.Settings
	if d.Care != nil {
		if err := strict(d.Care, &settings, "care"); err != nil {
			return nil, err
		}
	}
	rules, err := settings.Rules(zones)
	if err != nil {
		return nil, refuse("care: "+err.Error(), "see deploy/care.md")
	}
	return rules, nil
}

// maxSegments bounds how many segments a workspace has, archived ones included.
const maxSegments = 500

func (c *Configuration) segments(definitions map[string]json.RawMessage, zones Zones) error {
	c.Segments = segment.Set{}
	if len(definitions) > maxSegments {
		return refuse(fmt.Sprintf("there are %d segments", len(definitions)), fmt.Sprintf("keep at most %d", maxSegments))
	}
	for _, name := range slices.Sorted(maps.Keys(definitions)) {
		s, err := segment.Parse(name, definitions[name], zones)
		if err != nil {
			return err
		}
		if err := s.Rest(c.Ground); err != nil {
			return err
		}
		c.Segments[name] = s
	}
	return c.Segments.Check()
}

// section is the section identity: its rules, and what stratum 2 weighs by.
type section struct {
	*identity.Rules
	// Model is the name of a model that ships, "none", or a whole model. Absent is none.
	Model json.RawMessage `json:"model,omitempty"`
	// People is for how many records the model's prior is meant: with each doubling past what it was estimated on one bit more is asked.
	People int `json:"people,omitempty"`
	// Attributes are traits of the workspace's own that tell who somebody is: by the trait's name, a known field, or a free kind (match.Model.Attributed).
	Attributes attribute.Map `json:"attributes,omitempty"`
}

// NoModel is what a document says that has nothing weighed.
const NoModel = "none"

// Identity reads a section identity by itself: rules, and what stratum 2 weighs by. What cannot be meant is a *schema.Refusal.
func Identity(section []byte) (rules *identity.Rules, model *match.Model, people int, err error) {
	c := &Configuration{}
	err = c.identity(section)
	return c.Identity, c.Model, c.People, err
}

func (c *Configuration) identity(text []byte) (err error) {
	s := section{Rules: identity.DefaultRules()}
	if text != nil {
		if err := strict(text, &s, "identity"); err != nil {
			return err
		}
		if err := s.Rules.Prepare(); err != nil {
			return err
		}
	}
	c.Identity = s.Rules
	if s.People < 0 || s.People > 1<<40 {
		return refuse(fmt.Sprintf("identity: people is %d", s.People), "say about how many customer records there are, or leave it out")
	}
	switch name := ""; {
	case s.Model == nil || string(s.Model) == "null":
	case s.Model[0] == '"':
		if err := json.Unmarshal(s.Model, &name); err != nil {
			return refuse("identity: the model's name cannot be read", "use one of "+NoModel+", "+strings.Join(match.Names(), ", "))
		}
		if name != NoModel {
			c.Model, err = match.Shipped(name)
		}
	default:
		c.Model, err = match.Parse(s.Model)
	}
	if err != nil {
		if r := (*schema.Refusal)(nil); errors.As(err, &r) {
			return refuse("identity: "+r.Reason, "use one of "+NoModel+", "+strings.Join(match.Names(), ", ")+", or what dossier train wrote")
		}
		return err
	}
	if c.Model == nil {
		if len(s.Attributes) > 0 {
			return refuse("identity: attributes are weighed, and no model is named", "name one: "+strings.Join(match.Names(), ", "))
		}
		return nil
	}
	c.People = s.People
	if c.Model, err = c.Model.Attributed(s.Attributes); err != nil {
		if r := (*schema.Refusal)(nil); errors.As(err, &r) {
			return refuse("identity: "+r.Reason, r.Hint)
		}
	}
	return err
}

// inputs makes ready what a source takes in beside our own API.
func (c *Configuration) inputs(name string, s source, zones Zones) error {
	if !channel.IsSourceName(name) {
		if s.Hook == nil && s.Kafka == nil {
			return nil // documents from before may have such names
		}
		return refuse("source "+name+": is no word of a-z, 0-9, _, - and .", "rename it")
	}
	wrap := func(member string, err error) error {
		if r := (*schema.Refusal)(nil); errors.As(err, &r) {
			return refuse("source "+name+", "+member+": "+r.Reason, r.Hint)
		}
		return refuse("source "+name+", "+member+": "+err.Error(), "correct it")
	}
	if s.Hook != nil {
		text, err := mappingText(s.Hook.Mapping)
		if err == nil && text == nil {
			err = schema.Refuse("", "there is no mapping", "say what its payloads mean; see deploy/mappings/hooks")
		}
		if err == nil {
			c.Hooks[name], err = webhook.New(name, text, s.Hook.Signature, s.Hook.ID, zones)
		}
		if err != nil {
			return wrap("hook", err)
		}
	}
	if s.Kafka != nil {
		text, err := mappingText(s.Kafka.Mapping)
		if err == nil {
			c.Topics[name], err = record.New(name, text, s.Kafka.Settings, zones)
		}
		if err != nil {
			return wrap("kafka", err)
		}
	}
	return nil
}

// mappingText is a mapping as YAML: a text as it stands in a file, or an object, which is YAML too. Absent is nil.
func mappingText(raw json.RawMessage) ([]byte, error) {
	if raw == nil || string(raw) == "null" {
		return nil, nil
	}
	if raw[0] != '"' {
		return raw, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, err
	}
	return []byte(text), nil
}

// Source gives the settings of a source; one that is not declared has the defaults.
func (c *Configuration) Source(name string) *channel.Source {
	if s := c.Sources[name]; s != nil {
		return s
	}
	return &channel.Source{Name: name}
}

func refuse(reason, hint string) error {
	return schema.Refuse("configuration_invalid", reason, hint)
}

func strict(text []byte, into any, where string) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return refuse(where+": "+strings.TrimPrefix(err.Error(), "json: "), "see 'dossier config show' for the members that there are")
	}
	return nil
}

func (s source) ready(name string) (*channel.Source, error) {
	out := &channel.Source{Name: name, Country: strings.ToUpper(s.Country), AccountKind: s.AccountKind, Agents: s.Agents, Bots: s.Bots, Class: s.Class}
	if len(out.Country) != 0 && len(out.Country) != 2 {
		return nil, refuse("source "+name+": country is not two letters", "use ISO 3166 alpha-2, such as FR or GB")
	}
	if s.Class != "" && !channel.IsName(s.Class) {
		return nil, refuse("source "+name+": the class is no word of a-z, 0-9 and _", "rename it")
	}
	var ok bool
	if s.Channel != "" {
		if out.Channel, ok = schema.ParseChannel(s.Channel); !ok {
			return nil, refuse("source "+name+": there is no such channel", "use one of "+join(schema.Channels()))
		}
	}
	if s.Assurance != "" {
		if out.Assurance, ok = schema.ParseAssurance(s.Assurance); !ok {
			return nil, refuse("source "+name+": there is no such assurance", "use verified, declared or inferred")
		}
	}
	if s.Actor != "" {
		if out.Actor, ok = schema.ParseActor(s.Actor); !ok {
			return nil, refuse("source "+name+": there is no such actor", "use customer, agent, bot, brand or system")
		}
	}
	return out, nil
}

func join[T fmt.Stringer](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.String()
	}
	return strings.Join(words, ", ")
}

// Default is the document before the first change, with every section written out.
func Default() []byte {
	kinds, err := json.Marshal(map[string]any{
		"sources": map[string]any{}, "identity": section{Rules: identity.DefaultRules(), Model: json.RawMessage(`"` + NoModel + `"`)}, "survivorship": &persona.Rules{},
	})
	if err != nil {
		panic(err) // Unreachable: the types marshal
	}
	return kinds
}

// SourceNames lists the declared sources, sorted.
func (c *Configuration) SourceNames() []string {
	names := make([]string, 0, len(c.Sources))
	for name := range c.Sources {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
