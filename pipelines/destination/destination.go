package destination

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
)

// The kinds of destinations.
const (
	Webhook = "webhook" // Standard Webhooks
	Kafka   = "kafka"   // a topic, as CloudEvents
	File    = "file"    // files in a folder, as CSV or Parquet
	Rest    = "rest"    // a request for each person, by a mapping
)

// The feeds that a destination may take.
const (
	Segments = "segments"
	Alerts   = "alerts"
	Profiles = "profiles" // merges and splits
)

// Limits.
const (
	MaxDestinations = 50
	MaxRate         = 10_000 // messages a second
	DefaultRate     = 100
)

// Destination is where messages go. The zero value of what is not said is good, but for what its kind needs.
type Destination struct {
	Name string `json:"-"`

	Kind     string           `json:"kind"`
	Feeds    []string         `json:"feeds,omitempty"`    // segments (also where absent), alerts, profiles
	Segments []string         `json:"segments,omitempty"` // whose audiences
	Purpose  string           `json:"purpose,omitempty"`  // what for: consent is asked for it
	Channel  string           `json:"channel,omitempty"`  // by what; empty is any
	HoldOut  *segment.HoldOut `json:"holdOut,omitempty"`
	Cap      *Cap             `json:"cap,omitempty"`
	Include  Include          `json:"include,omitzero"`
	Rate     float64          `json:"rate,omitempty"` // messages a second at most; 0 is DefaultRate
	Paused   bool             `json:"paused,omitempty"`

	URL     string   `json:"url,omitempty"`     // of webhook and rest; of rest with {profile}, {segment}
	Secrets []string `json:"secrets,omitempty"` // of webhook: secret:NAME
	Private bool     `json:"private,omitempty"` // plain HTTP, and addresses within one's own network, are allowed

	Cluster string `json:"cluster,omitempty"` // of kafka: a cluster of dossier.yaml; empty is the log's own, where a company's topics may stand beside ours
	Topic   string `json:"topic,omitempty"`

	Format string `json:"format,omitempty"` // of file: csv (also ""), parquet

	Method       string            `json:"method,omitempty"`       // of rest: PUT (also ""), POST, PATCH
	RemoveMethod string            `json:"removeMethod,omitempty"` // DELETE (also ""), POST, PUT, PATCH
	Headers      map[string]string `json:"headers,omitempty"`      // values may be secret:NAME
	Body         map[string]string `json:"body,omitempty"`         // member, nested by dots → profile, segment, change, at, id, identifier.KIND, trait.NAME, or =TEXT
}

// Cap is how often a person may be told of there.
type Cap struct {
	AtMost int    `json:"atMost"`
	Within string `json:"within"` // such as 7d; days have 24 hours here

	window schema.Instant
}

// Include is what is told of a person beside the id.
type Include struct {
	Identifiers []string `json:"identifiers,omitempty"` // kinds: contact points, of which each has the consent
	Traits      []string `json:"traits,omitempty"`
}

// IsZero says whether nothing is.
func (i Include) IsZero() bool { return i.Identifiers == nil && i.Traits == nil }

// Parse reads the section of a configuration: destinations by name. set is the segments that they may name. What is wrong is a *schema.Refusal.
func Parse(section map[string]json.RawMessage, set segment.Set) (out []*Destination, err error) {
	if len(section) > MaxDestinations {
		return nil, refuse("destinations", fmt.Sprintf("there are %d", len(section)), fmt.Sprintf("keep at most %d", MaxDestinations))
	}
	for _, name := range slices.Sorted(maps.Keys(section)) {
		d := &Destination{Name: name}
		if len(name) == 0 || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return nil, refuse("destinations", fmt.Sprintf("%.80q is no word of a-z, 0-9, - and _, of 1 to 64", name), "rename it")
		}
		decoder := json.NewDecoder(bytes.NewReader(section[name]))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(d); err != nil {
			return nil, refuse(name, strings.TrimPrefix(err.Error(), "json: "), "see deploy/destinations.md")
		}
		if reason, hint := d.check(set); reason != "" {
			return nil, refuse(name, reason, hint)
		}
		out = append(out, d)
	}
	return out, nil
}

func refuse(where, reason, hint string) error {
	return schema.Refuse("destination_invalid", "destination "+where+": "+reason, hint)
}

func (d *Destination) check(set segment.Set) (reason, hint string) {
	if len(d.Feeds) == 0 {
		d.Feeds = []string{Segments}
	}
	for _, f := range d.Feeds {
		if f != Segments && f != Alerts && f != Profiles {
			return fmt.Sprintf("there is no feed %.80q", f), "use segments, alerts or profiles"
		}
	}
	if d.Takes(Segments) {
		if reason, hint := d.checkAudience(set); reason != "" {
			return reason, hint
		}
	} else if len(d.Segments) > 0 {
		return "it names segments and does not take their feed", "write feeds: [segments, …]"
	}
	if d.Rate < 0 || d.Rate > MaxRate {
		return "the rate is not 0 to 10,000 messages a second", "write rate: 50"
	}
	if d.Rate == 0 {
		d.Rate = DefaultRate
	}
	if d.Cap != nil {
		w, bad := segment.ParseWindow(d.Cap.Within)
		if bad != "" || d.Cap.AtMost < 1 || w.Length() == 0 {
			return "the cap is not so many messages within a stretch of time", "write cap: {atMost: 2, within: 7d}"
		}
		d.Cap.window = w.Length()
	}
	if h := d.HoldOut; h != nil && (h.Name == "" || h.Percent < 1 || h.Percent > 99) {
		return "the hold-out is not a name with a percent of 1 to 99", "write holdOut: {name: spring, percent: 10}"
	}
	switch d.Kind {
	case Webhook:
		if len(d.Secrets) == 0 {
			return "a webhook without a secret: nobody could verify what is sent", "write secrets: [secret:NAME], and put it into keys/NAME of the data folder or the environment"
		}
		for _, s := range d.Secrets {
			if !strings.HasPrefix(s, "secret:") {
				return "a secret stands in the configuration", "write secret:NAME, and put it into keys/NAME of the data folder or the environment"
			}
		}
		return d.checkURL()
	case Rest:
		return d.checkRest()
	case Kafka:
		if d.Topic == "" || len(d.Topic) > 249 || strings.Trim(d.Topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
			return "there is no topic", "write topic: crm.audiences, and under cluster the name of a cluster of dossier.yaml"
		}
		if d.Cluster == "" && slices.ContainsFunc(schema.Topics(), func(t schema.Topic) bool { return t.Name == d.Topic }) {
			return "the topic " + d.Topic + " is Dossier's own", "write another topic"
		}
	case File:
		if d.Format != "" && d.Format != "csv" && d.Format != "parquet" {
			return fmt.Sprintf("there is no format %.80q", d.Format), "use csv or parquet"
		}
	default:
		return fmt.Sprintf("there is no kind %.80q", d.Kind), "use webhook, kafka, file or rest"
	}
	return "", ""
}

func (d *Destination) checkAudience(set segment.Set) (reason, hint string) {
	if d.Purpose == "" || len(d.Purpose) > 100 {
		return "it takes segments and has no purpose: nothing leaves without one", "write purpose: newsletter"
	}
	if d.Channel != "" {
		if _, ok := schema.ParseChannel(d.Channel); !ok {
			return fmt.Sprintf("there is no channel %.80q", d.Channel), "write channel: email"
		}
	}
	for _, name := range d.Segments {
		if set[name] == nil {
			return fmt.Sprintf("there is no segment %.80q", name), "'dossier segments list' names them"
		}
	}
	return "", ""
}

func (d *Destination) checkURL() (reason, hint string) {
	plain := strings.NewReplacer("{profile}", "x", "{segment}", "x").Replace(d.URL)
	u, err := url.Parse(plain)
	switch {
	case err != nil || u.Host == "":
		return "the url is none", "write one such as https://example.com/hooks"
	case u.User != nil:
		return "the url holds a user", "leave it out: write headers: {Authorization: secret:NAME}"
	case u.Scheme == "https" || u.Scheme == "http" && d.Private:
		return "", ""
	}
	return "the url is not https", "write https, or private: true for one within your own network"
}

func (d *Destination) checkRest() (reason, hint string) {
	if d.Method == "" {
		d.Method = "PUT"
	}
	if d.RemoveMethod == "" {
		d.RemoveMethod = "DELETE"
	}
	for _, m := range []string{d.Method, d.RemoveMethod} {
		if !slices.Contains([]string{"PUT", "POST", "PATCH", "DELETE"}, m) {
			return fmt.Sprintf("there is no method %.80q", m), "use PUT, POST, PATCH, and DELETE to remove"
		}
	}
	for name, value := range d.Headers {
		secret := strings.EqualFold(name, "Authorization") || strings.Contains(strings.ToLower(name), "key") || strings.Contains(strings.ToLower(name), "token")
		if secret && !strings.HasPrefix(value, "secret:") {
			return "the header " + name + " stands in the configuration", "write secret:NAME, and put it into keys/NAME of the data folder or the environment"
		}
	}
	if len(d.Body) == 0 {
		return "there is no mapping", "write body: {externalId: profile, email: identifier.email, firstName: trait.first_name}"
	}
	for member, path := range d.Body {
		kind, name, dotted := strings.Cut(path, ".")
		switch {
		case strings.HasPrefix(path, "="), slices.Contains([]string{"profile", "segment", "change", "at", "id"}, path):
		case dotted && kind == "identifier" && slices.Contains(d.Include.Identifiers, name):
		case dotted && kind == "trait" && slices.Contains(d.Include.Traits, name):
		case dotted && (kind == "identifier" || kind == "trait"):
			return fmt.Sprintf("body.%.80s names %.80s, which is not included", member, path), "write it under include"
		default:
			return fmt.Sprintf("body.%.80s: there is no %.80q", member, path), "use profile, segment, change, at, id, identifier.KIND, trait.NAME or =TEXT"
		}
	}
	return d.checkURL()
}

// Takes says whether the destination takes a feed.
func (d *Destination) Takes(feed string) bool { return slices.Contains(d.Feeds, feed) }

// Audiences are the audiences of all destinations.
func Audiences(all []*Destination) (out []*segment.Segment) {
	for _, d := range all {
		if !d.Takes(Segments) {
			continue
		}
		for _, of := range d.Segments {
			out = append(out, segment.Audience(of, d.Name, d.Purpose, d.Channel, d.HoldOut))
		}
	}
	return out
}

// Consent is what holds for one contact point of a person.
type Consent struct {
	Kind, Value      string
	Purpose, Channel string
	Allowed          bool
	Until            schema.Instant // 0 is for ever
}

// Recipient is what is known of a person at the moment of sending.
type Recipient struct {
	Consents    []Consent
	Traits      map[string]json.RawMessage
	Identifiers []Point
	Suppressed  bool
	Sent        []schema.Instant // when the person was told of there
}

// Point is an identifier of a person.
type Point struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// Why nothing leaves.
const (
	Nobody     = "person_unknown"
	Suppressed = "suppressed"
	NoConsent  = "consent_missing"
	Capped     = "frequency_cap"
)

// May decides whether a person may be told of to the destination now; reason is empty if so. points are the contact points that may be told: of those kinds
// that are included, those whose consent is given. Other identifiers that are included are told as they are: a card is nowhere to write to.
func (d *Destination) May(r *Recipient, now schema.Instant) (points []Point, reason string) {
	switch {
	case r == nil:
		return nil, Nobody
	case r.Suppressed:
		return nil, Suppressed
	}
	allowed, asked := map[Point]bool{}, map[string]bool{}
	any := false
	for _, c := range r.Consents {
		if c.Purpose != d.Purpose || d.Channel != "" && c.Channel != d.Channel {
			continue
		}
		asked[c.Kind] = true
		if c.Allowed && (c.Until == 0 || c.Until > now) {
			allowed[Point{c.Kind, c.Value}] = true
			any = true
		}
	}
	if !any {
		return nil, NoConsent
	}
	if c := d.Cap; c != nil {
		n := 0
		for _, at := range r.Sent {
			if at > now-c.window {
				n++
			}
		}
		if n >= c.AtMost {
			return nil, Capped
		}
	}
	for _, p := range r.Identifiers {
		if !slices.Contains(d.Include.Identifiers, p.Kind) {
			continue
		}
		contact := p.Kind == "email" || p.Kind == "phone" || asked[p.Kind]
		if !contact || allowed[p] {
			points = append(points, p)
		}
	}
	return points, ""
}

// Window is how long what was sent counts for the cap, in microseconds; 0 without one.
func (d *Destination) Window() schema.Instant {
	if d.Cap == nil {
		return 0
	}
	return d.Cap.window
}
