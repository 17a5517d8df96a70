package control

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"sort"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/access"
)

// State is the control topic folded up to a point. A State is immutable once published: Fold returns a new one.
type State struct {
	Next       int64  // offset after the last folded record
	ring       string // fingerprint of the key ring of the installation that the log belongs to
	workspaces map[string]*workspace
	keys       map[string]access.WriteKey // by hash of the secret
	tokens     map[string]access.Token    // by hash of the secret
	hashOf     map[string]string          // key or token id → hash
	seen       map[string]bool            // ids of folded decisions
	refused    map[string]string          // id → why a decision had no effect
	house      house
}

type workspace struct {
	name           string
	configuration  Configuration
	configurations []Change
	enacted        []Change // those whose rules of care count
	live           Live
	erasures       []Erasure
	traces         []Traces
	ring           schema.ControlRing
	values         []Value
	readings       []Reading
	segments       map[string][]SegmentVersion
	rights         rights
}

// Configuration is the document in force.
type Configuration struct {
	Hash     string
	Document json.RawMessage
}

// Change is one line of the configuration's history.
type Change struct {
	ID, Hash, Base, Actor, Reason string
	At                            schema.Instant // RecordedAt
	Position                      int64
	Document                      json.RawMessage
}

// Live says which set of projections readers read.
type Live struct {
	Place    string // folder and tables; "" is the first set's
	Former   string // the set before; the same as Place before the first promotion
	Shadow   string // what the set was called as a shadow; "" is the first set
	Position int64  // of the decision in the control topic; 0 is none
	At       schema.Instant
}

// Erasure closes an epoch of a persona, or ends a retention class and year for everybody.
type Erasure struct {
	schema.PersonaEpoch
	CutOff schema.Instant

	Expired *schema.ExpiredYear // nil: it is of a persona
}

// Traces are what one erasure knows the erased by; see schema.ControlErasure.
type Traces struct {
	At     schema.Instant // when the erasure was recorded: what was received later is of somebody new
	Hashes []string
}

// Value is a snapshot of what customers are worth, with who took it.
type Value struct {
	schema.ControlValue
	Actor, Reason string
	At            schema.Instant // RecordedAt
}

// Reading is a model refitted by corrections, or a restatement, with who decided it.
type Reading struct {
	schema.ControlReading
	Restated bool // all texts are read by the version in force from here on
	Actor    string
	Reason   string
	At       schema.Instant
}

// SegmentVersion is one definition that a segment has had, with who gave it.
type SegmentVersion struct {
	Definition    json.RawMessage // nil: the segment was taken out
	Actor, Reason string
	At            schema.Instant // RecordedAt
}

func newState() *State {
	return &State{
		workspaces: map[string]*workspace{}, keys: map[string]access.WriteKey{}, tokens: map[string]access.Token{},
		hashOf: map[string]string{}, seen: map[string]bool{}, refused: map[string]string{},
	}
}

func (s *State) clone() *State {
	c := newState()
	c.Next, c.ring = s.Next, s.ring
	for name, w := range s.workspaces {
		copied := *w
		copied.configurations = slices.Clone(w.configurations)
		copied.enacted = slices.Clone(w.enacted)
		copied.erasures = slices.Clone(w.erasures)
		copied.traces = slices.Clone(w.traces)
		copied.values = slices.Clone(w.values)
		copied.readings = slices.Clone(w.readings)
		copied.segments = maps.Clone(w.segments) // its slices are only ever appended to by the newest state
		copied.rights = w.rights.clone()
		c.workspaces[name] = &copied
	}
	for k, v := range s.keys {
		c.keys[k] = v
	}
	for k, v := range s.tokens {
		c.tokens[k] = v
	}
	for k, v := range s.hashOf {
		c.hashOf[k] = v
	}
	for k := range s.seen {
		c.seen[k] = true
	}
	for k, v := range s.refused {
		c.refused[k] = v
	}
	c.house = s.house.clone()
	return c
}

// apply folds one record into s. A record seen before, or one that its fold refuses (a stale base, an unknown workspace), changes
// nothing but the list of refusals.
func (s *State) apply(c *schema.Control, at schema.Instant, offset int64) {
	if s.seen[c.ID] {
		return
	}
	s.seen[c.ID] = true
	if c.Kind == schema.ControlWorkspaceCreated {
		if s.workspaces[c.Workspace] == nil {
			s.workspaces[c.Workspace] = &workspace{name: c.Workspace}
		}
		return
	}
	if whole, why := s.house.apply(c, at); whole {
		if why != "" {
			s.refused[c.ID] = why
		}
		return
	}
	if c.Kind == schema.ControlInstallationStarted {
		if s.ring != "" && s.ring != c.Installation.Ring {
			s.refused[c.ID] = "the log belongs to another installation"
			return
		}
		s.ring = c.Installation.Ring
		return
	}
	w := s.workspaces[c.Workspace]
	if w == nil {
		s.refused[c.ID] = "unknown workspace"
		return
	}
	switch c.Kind {
	case schema.ControlKeyCreated:
		trust, ok := schema.ParseTrust(c.Key.Trust)
		if !ok {
			s.refused[c.ID] = "a write key is client or server"
			return
		}
		s.keys[c.Key.Hash] = access.WriteKey{ID: c.Key.ID, Workspace: c.Workspace, Source: c.Key.Source, Trust: trust, Label: c.Key.Name}
		s.hashOf[c.Key.ID] = c.Key.Hash
	case schema.ControlKeyRevoked:
		delete(s.keys, s.hashOf[c.Key.ID])
	case schema.ControlTokenCreated:
		s.tokens[c.Token.Hash] = access.Token{ID: c.Token.ID, Name: c.Token.Name, Actor: c.Token.Actor, Workspace: c.Workspace, Scopes: c.Token.Scopes, MaxCost: c.Token.MaxCost}
		s.hashOf[c.Token.ID] = c.Token.Hash
	case schema.ControlTokenRevoked:
		delete(s.tokens, s.hashOf[c.Token.ID])
	case schema.ControlConfigurationChanged:
		if c.Configuration.Base != w.configuration.Hash {
			s.refused[c.ID] = "stale base"
			return
		}
		w.enacted = append(w.enacted, w.configure(c, at, offset))
	case schema.ControlProjectionsPromoted:
		if why := w.promote(c, at, offset); why != "" {
			s.refused[c.ID] = why
		}
	case schema.ControlValueTaken:
		w.values = append(w.values, Value{*c.Value, c.Actor, c.Reason, at})
	case schema.ControlVerbatimRefitted, schema.ControlVerbatimRestated:
		w.readings = append(w.readings, Reading{*c.Reading, c.Kind == schema.ControlVerbatimRestated, c.Actor, c.Reason, at})
	case schema.ControlRingChanged:
		if c.Ring.Version >= w.ring.Version {
			w.ring = *c.Ring
		}
	case schema.ControlProfileErased:
		for _, p := range c.Erasure.Personas {
			id, err := schema.ParsePersonaID(p.Persona)
			if err != nil {
				s.refused[c.ID] = "an erasure names a persona that is not an id"
				return
			}
			w.erasures = append(w.erasures, Erasure{PersonaEpoch: schema.PersonaEpoch{Persona: id, Epoch: p.Epoch}, CutOff: c.Erasure.CutOff})
		}
		if len(c.Erasure.Traces) > 0 {
			w.traces = append(w.traces, Traces{at, c.Erasure.Traces})
		}
		w.rights.erase(c, at, len(w.erasures))
	case schema.ControlRetentionExpired:
		for _, of := range c.Erasure.Expired {
			w.erasures = append(w.erasures, Erasure{Expired: &of})
		}
		w.rights.erase(c, at, len(w.erasures))
	default:
		w.rights.apply(c, at)
	}
}

// configure puts a document in force.
func (w *workspace) configure(c *schema.Control, at schema.Instant, offset int64) Change {
	w.configuration = Configuration{Hash: c.Configuration.Hash, Document: c.Configuration.Document}
	change := Change{
		ID: c.ID, Hash: c.Configuration.Hash, Base: c.Configuration.Base, Actor: c.Actor, Reason: c.Reason, At: at, Position: offset, Document: c.Configuration.Document,
	}
	w.configurations = append(w.configurations, change)
	w.foldSegments(c, at)
	return change
}

// promote makes another set of projections the live one, with its configuration; why says what forbids it.
func (w *workspace) promote(c *schema.Control, at schema.Instant, offset int64) (why string) {
	switch {
	case c.Promotion.Former != w.live.Place:
		return "another set of projections is live by now"
	case c.Promotion.Place == w.live.Place:
		return "it is live already"
	case c.Configuration.Base != w.configuration.Hash:
		return "stale base"
	}
	var enacted []Change
	for _, change := range w.configurations {
		if slices.Contains(c.Promotion.Follow, change.Position) {
			enacted = append(enacted, change)
		}
	}
	if c.Configuration.Hash != w.configuration.Hash {
		if change := w.configure(c, at, offset); c.Promotion.Own {
			enacted = append(enacted, change)
		}
	}
	w.enacted = enacted
	w.live = Live{Place: c.Promotion.Place, Former: c.Promotion.Former, Shadow: c.Promotion.Shadow, Position: offset, At: at}
	return ""
}

// foldSegments notes which segments a configuration changes.
func (w *workspace) foldSegments(c *schema.Control, at schema.Instant) {
	var document struct {
		Segments map[string]json.RawMessage `json:"segments"`
	}
	if json.Unmarshal(c.Configuration.Document, &document) != nil {
		return // Unreachable: a document was checked before it was appended
	}
	if w.segments == nil {
		w.segments = map[string][]SegmentVersion{}
	}
	note := func(name string, definition json.RawMessage) {
		versions := w.segments[name]
		if n := len(versions); n > 0 && bytes.Equal(versions[n-1].Definition, definition) || n == 0 && definition == nil {
			return
		}
		w.segments[name] = append(slices.Clip(versions), SegmentVersion{definition, c.Actor, c.Reason, at})
	}
	for name, definition := range document.Segments {
		note(name, definition)
	}
	for name := range w.segments {
		if _, there := document.Segments[name]; !there {
			note(name, nil)
		}
	}
}

// valid says whether a record has the part that its kind needs.
func valid(c *schema.Control) bool {
	switch c.Kind {
	case schema.ControlWorkspaceCreated:
		return c.Workspace != ""
	case schema.ControlKeyCreated, schema.ControlKeyRevoked:
		return c.Key != nil
	case schema.ControlTokenCreated, schema.ControlTokenRevoked:
		return c.Token != nil
	case schema.ControlConfigurationChanged:
		return c.Configuration != nil
	case schema.ControlProfileErased:
		return c.Erasure != nil && len(c.Erasure.Expired) == 0
	case schema.ControlRetentionExpired:
		return c.Erasure != nil && len(c.Erasure.Expired) > 0 && len(c.Erasure.Personas) == 0
	case schema.ControlInstallationStarted:
		return c.Installation != nil && c.Installation.Ring != ""
	case schema.ControlGenerationStarted:
		return c.Generation != nil
	case schema.ControlRingCopied:
		return c.RingCopy != nil && c.RingCopy.Name != ""
	case schema.ControlRingChanged:
		return c.Ring != nil
	case schema.ControlValueTaken:
		return c.Value != nil && c.Value.Version != ""
	case schema.ControlVerbatimRefitted:
		return c.Reading != nil && c.Reading.Version != "" && len(c.Reading.Adjustment) > 0
	case schema.ControlVerbatimRestated:
		return c.Reading != nil
	case schema.ControlErasureHonoured:
		return c.Honoured != nil && c.Honoured.Role != ""
	case schema.ControlHoldPlaced, schema.ControlHoldLifted:
		return c.Hold != nil && c.Hold.ID != ""
	case schema.ControlSuppressed, schema.ControlUnsuppressed:
		return c.Suppression != nil
	case schema.ControlProjectionsPromoted:
		return c.Promotion != nil && c.Configuration != nil
	}
	return false
}

// HashSecret is how a key or token is stored: hex SHA-256. The secrets have 256 random bits, so a slow hash would add nothing.
func HashSecret(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}

// WriteKey finds the key with this secret.
func (s *State) WriteKey(secret string) (access.WriteKey, bool) {
	hash := HashSecret(secret)
	k, ok := s.keys[hash]
	return k, ok && subtle.ConstantTimeCompare([]byte(hash), []byte(s.hashOf[k.ID])) == 1
}

// Token finds the token with this secret.
func (s *State) Token(secret string) (access.Token, bool) {
	hash := HashSecret(secret)
	t, ok := s.tokens[hash]
	return t, ok && subtle.ConstantTimeCompare([]byte(hash), []byte(s.hashOf[t.ID])) == 1
}

// Ring is the fingerprint of the key ring of the installation that the log belongs to; "" before its first start.
func (s *State) Ring() string { return s.ring }

// Workspaces lists the names, sorted.
func (s *State) Workspaces() []string {
	out := make([]string, 0, len(s.workspaces))
	for name := range s.workspaces {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// WriteKeys lists the keys of a workspace by id.
func (s *State) WriteKeys(workspace string) []access.WriteKey {
	var out []access.WriteKey
	for _, k := range s.keys {
		if k.Workspace == workspace {
			out = append(out, k)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// Tokens lists the tokens of a workspace by id.
func (s *State) Tokens(workspace string) []access.Token {
	var out []access.Token
	for _, t := range s.tokens {
		if t.Workspace == workspace {
			out = append(out, t)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// Configuration gives the document in force, empty before the first change.
func (s *State) Configuration(workspace string) Configuration {
	if w := s.workspaces[workspace]; w != nil {
		return w.configuration
	}
	return Configuration{}
}

// Changes lists the configuration's history, oldest first.
func (s *State) Changes(workspace string) []Change {
	if w := s.workspaces[workspace]; w != nil {
		return slices.Clone(w.configurations)
	}
	return nil
}

// Enacted lists the configurations whose rules of care count, oldest first: the history, but for what a promotion of projections that were made without it left out.
func (s *State) Enacted(workspace string) []Change {
	if w := s.workspaces[workspace]; w != nil {
		return slices.Clone(w.enacted)
	}
	return nil
}

// Live says which set of projections is live.
func (s *State) Live(workspace string) Live {
	if w := s.workspaces[workspace]; w != nil {
		return w.live
	}
	return Live{}
}

// Values lists the value snapshots of a workspace, oldest first.
func (s *State) Values(workspace string) []Value {
	if w := s.workspaces[workspace]; w != nil {
		return slices.Clone(w.values)
	}
	return nil
}

// Readings lists what was decided of how texts are read, oldest first, after the first so many.
func (s *State) Readings(workspace string, after int) []Reading {
	if w := s.workspaces[workspace]; w != nil && after < len(w.readings) {
		return slices.Clone(w.readings[after:])
	}
	return nil
}

// Segment lists the definitions that a segment has had, oldest first.
func (s *State) Segment(workspace, name string) []SegmentVersion {
	if w := s.workspaces[workspace]; w != nil {
		return slices.Clone(w.segments[name])
	}
	return nil
}

// Expired lists the retention classes and years of a workspace that have ended, in the order of the log, each once.
func (s *State) Expired(workspace string) (all []schema.ExpiredYear) {
	if w := s.workspaces[workspace]; w != nil {
		for i := range w.erasures {
			if of := w.erasures[i].Expired; of != nil && !slices.Contains(all, *of) {
				all = append(all, *of)
			}
		}
	}
	return all
}

// Erasures lists every erasure of a workspace in the order of the log.
func (s *State) Erasures(workspace string) []Erasure {
	if w := s.workspaces[workspace]; w != nil {
		return slices.Clone(w.erasures)
	}
	return nil
}

// Traces lists what the erasures of a workspace know the erased by, in the order of the log.
func (s *State) Traces(workspace string) []Traces {
	if w := s.workspaces[workspace]; w != nil {
		return slices.Clone(w.traces)
	}
	return nil
}

// RingVersion tells which version of a workspace's key ring the log is written under; 0 before the first was told.
func (s *State) RingVersion(workspace string) uint64 {
	if w := s.workspaces[workspace]; w != nil {
		return w.ring.Version
	}
	return 0
}

// RingTold is what was told last of a workspace's key ring; zero before the first was told.
func (s *State) RingTold(workspace string) schema.ControlRing {
	if w := s.workspaces[workspace]; w != nil {
		return w.ring
	}
	return schema.ControlRing{}
}

// Refused says why a decision had no effect; "" if it took effect or is unknown.
func (s *State) Refused(id string) string { return s.refused[id] }

// Known says whether a decision has been folded.
func (s *State) Known(id string) bool { return s.seen[id] }
