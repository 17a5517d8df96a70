package schema

import (
	"encoding/json"
	"fmt"
)

// ControlKind is what a control event does.
type ControlKind string

// The kinds of control events.
const (
	ControlWorkspaceCreated     ControlKind = "workspace.created"
	ControlKeyCreated           ControlKind = "key.created"
	ControlKeyRevoked           ControlKind = "key.revoked"
	ControlTokenCreated         ControlKind = "token.created"
	ControlTokenRevoked         ControlKind = "token.revoked"
	ControlConfigurationChanged ControlKind = "configuration.changed"
	ControlProfileErased        ControlKind = "profile.erased"
	ControlRetentionExpired     ControlKind = "retention.expired"
	ControlInstallationStarted  ControlKind = "installation.started"
	ControlGenerationStarted    ControlKind = "log.generation.started" // of the installation, no workspace's
	ControlRingCopied           ControlKind = "ring.copied"            // of the installation, no workspace's
	ControlRingChanged          ControlKind = "ring.changed"
	ControlValueTaken           ControlKind = "value.taken"
	ControlVerbatimRefitted     ControlKind = "verbatim.refitted"
	ControlVerbatimRestated     ControlKind = "verbatim.restated"
	ControlErasureHonoured      ControlKind = "erasure.honoured"
	ControlHoldPlaced           ControlKind = "hold.placed"
	ControlHoldLifted           ControlKind = "hold.lifted"
	ControlSuppressed           ControlKind = "profile.suppressed"
	ControlUnsuppressed         ControlKind = "profile.unsuppressed"
	ControlProjectionsPromoted  ControlKind = "projections.promoted"
)

// Control is one record of the control topic: a decision about the installation, with who took it and why. It holds no personal
// data: secrets appear as hashes, persons as persona ids.
//
// On the wire it is one JSON object; members of later versions are ignored by older readers.
type Control struct {
	ID        string      `json:"id"` // UUID; the same id twice is the same decision
	Kind      ControlKind `json:"kind"`
	Workspace string      `json:"workspace"`
	Actor     string      `json:"actor"`
	Reason    string      `json:"reason,omitempty"`

	Key           *ControlAccess        `json:"key,omitempty"`
	Token         *ControlAccess        `json:"token,omitempty"`
	Configuration *ControlConfiguration `json:"configuration,omitempty"`
	Erasure       *ControlErasure       `json:"erasure,omitempty"`
	Installation  *ControlInstallation  `json:"installation,omitempty"`
	Generation    *ControlGeneration    `json:"generation,omitempty"`
	RingCopy      *ControlRingCopy      `json:"ringCopy,omitempty"`
	Ring          *ControlRing          `json:"ring,omitempty"`
	Value         *ControlValue         `json:"value,omitempty"`
	Reading       *ControlReading       `json:"reading,omitempty"`
	Honoured      *ControlHonoured      `json:"honoured,omitempty"`
	Hold          *ControlHold          `json:"hold,omitempty"`
	Suppression   *ControlSuppression   `json:"suppression,omitempty"`
	Regulation    *ControlRegulation    `json:"regulation,omitempty"` // of erasures and suppressions that were asked for as one
	Promotion     *ControlPromotion     `json:"promotion,omitempty"`  // with Configuration, whose document is in force from here on
}

// ControlAccess is a write key or a token. A revocation carries the id alone.
type ControlAccess struct {
	ID     string   `json:"id"`
	Name   string   `json:"name,omitempty"`
	Hash   string   `json:"hash,omitempty"`   // hex SHA-256 of the secret, which has 256 random bits
	Source string   `json:"source,omitempty"` // write keys: the source of events that name none
	Trust  string   `json:"trust,omitempty"`  // write keys: client or server
	Actor  string   `json:"actor,omitempty"`  // tokens: on whose behalf
	Scopes []string `json:"scopes,omitempty"` // tokens

	MaxCost int `json:"maxCost,omitempty"` // tokens: of one GraphQL operation; 0: the installation's limit
}

// ControlConfiguration is a whole configuration document and the hash of the one that it was based on. A stale base is refused
// when the event is folded, so two people cannot overwrite each other unseen.
type ControlConfiguration struct {
	Document json.RawMessage `json:"document"`
	Hash     string          `json:"hash"`
	Base     string          `json:"base"`
}

// ControlPromotion has every reader turn from one set of projections to another that was built beside it, under the configuration of the same record. It is
// refused when it is folded if the configuration or the set in force is not the one that it was based on.
type ControlPromotion struct {
	Place  string  `json:"place"`            // of the set that is live from here on: the folder and the tables of a shadow; "" is the first set's
	Former string  `json:"former"`           // of the set that was live
	Shadow string  `json:"shadow"`           // what the set was called as a shadow
	Follow []int64 `json:"follow,omitempty"` // positions of the earlier configurations whose rules of care still measure what began under them
	Own    bool    `json:"own,omitempty"`    // the document's own rules of care come after those
}

// ControlInstallation says whose the log is: the first one in the topic counts. So an installation finds out at its start that it was
// given the topics of another one, whose events it could not open.
type ControlInstallation struct {
	Ring string `json:"ring"` // seal.Ring.Fingerprint, hex
}

// ControlErasure closes epochs of personas. Events of those epochs, and events that occurred at or before the cut-off, are void, and so are the dead
// letters received until then that list one of the traces.
type ControlErasure struct {
	Personas []ErasedPersona `json:"personas"`
	CutOff   Instant         `json:"cutOff"` // microseconds since 1970
	// Traces are the keyed hashes of what the erased were known by (accounts, e-mail addresses, phone numbers, other ids), in every form in which dead
	// letters list it: 32 hex digits each. Whoever decides the erasure computes them (package deadletter) while the identifiers are still known.
	Traces []string `json:"traces,omitempty"`
	// Held counts what was held of the erased when it was decided, by store: what the proof compares.
	Held map[string]int64 `json:"held,omitempty"`
	// Expired are the classes and years that a decision of kind retention.expired ends for everybody. It names no personas.
	Expired []ExpiredYear `json:"expired,omitempty"`
}

// ExpiredYear is a retention class in a year of OccurredAt, in UTC. Its events are void: those that are there and those that come.
type ExpiredYear struct {
	Class string `json:"class"`
	Year  int    `json:"year"`
}

// String is the form in which it is named in texts, such as standard/2019.
func (e ExpiredYear) String() string { return fmt.Sprintf("%s/%d", e.Class, e.Year) }

// ControlHonoured says that one store holds nothing any more of anybody whom the workspace's decisions to erase name, up to a number of them: neither in its rows
// nor in the bytes of its files.
type ControlHonoured struct {
	Role    string `json:"role"`    // keeper, letters, identity, timeline, care
	Store   string `json:"store"`   // tells it from other stores of the role
	Through int    `json:"through"` // of the workspace's records of profile.erased, from the first
	Files   int64  `json:"files"`   // that the store consists of now
	Bytes   int64  `json:"bytes"`
	Digest  string `json:"digest,omitempty"`  // hex SHA-256 of their names and sizes, or of the engine's own checksums
	Version uint64 `json:"version,omitempty"` // of the key ring
}

// ControlHold forbids to erase personas until it is lifted: what the law has one keep. A lifting carries the id alone.
type ControlHold struct {
	ID       string          `json:"id"`
	Personas []ErasedPersona `json:"personas,omitempty"`
}

// ControlSuppression has collectors refuse what comes of personas, and whatever carries an identifier of one of these keyed hashes
// (seal.PRF.IdentifierHash, 32 hex digits). Withdrawn, it names the same.
type ControlSuppression struct {
	Personas    []string `json:"personas,omitempty"`
	Identifiers []string `json:"identifiers,omitempty"`
	// Traces are the hashes of the same values as dead letters list them, in every form: what names the suppressed is no dead letter either.
	Traces []string `json:"traces,omitempty"`
}

// ControlRegulation is what several decisions were asked for as.
type ControlRegulation struct {
	ID       string `json:"id"`
	Type     string `json:"type"`     // such as SUPPRESS_WITH_DELETE
	Subjects int    `json:"subjects"` // how many were named
}

// ControlRing says under which version of a workspace's key ring the log is written from here on. A process that holds an older one does not start; the keeper
// makes an older one, such as a restored copy, forget what was erased since.
type ControlRing struct {
	Version uint64 `json:"version"`
	// Secrets commits to the secrets of classes and years up to the year Through, after so many classes and years had ended (seal.Ring.Commitment): so that a ring
	// which lacks nothing but erasures is told from one that cannot open the log.
	Secrets string `json:"secrets,omitempty"`
	Through int    `json:"through,omitempty"`
	Expired int    `json:"expired,omitempty"`
}

// ControlValue is a snapshot of package value, as its Encode wrote it: figures over all customers, and nothing of any one.
type ControlValue struct {
	Version  string          `json:"version"`
	Snapshot json.RawMessage `json:"snapshot"`
}

// ControlReading is what corrections of people add to the model that reads texts (package verbatim): weights of hashes of words that several people wrote, and no text. A text is
// read by what was in force when it occurred, until a restatement has all texts read by the latest; a restatement carries its version alone.
type ControlReading struct {
	Version    string `json:"version"`
	Adjustment []byte `json:"adjustment,omitempty"` // as Adjustment.Encode wrote it
	Texts      int    `json:"texts,omitempty"`      // corrected ones that it was learnt from
}

// ErasedPersona names the epoch that an erasure closes.
type ErasedPersona struct {
	Persona string `json:"persona"`
	Epoch   uint32 `json:"epoch"`
}

// ParseControl reads a control record. What is not one is rejected.
func ParseControl(b []byte) (*Control, error) {
	c := &Control{}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, Refuse("control_invalid", fmt.Sprintf("not a control record: %v", err), "the control topic is written by Dossier alone")
	}
	if c.ID == "" || c.Kind == "" {
		return nil, Refuse("control_invalid", "a control record without id or kind", "the control topic is written by Dossier alone")
	}
	return c, nil
}

// Encode gives the wire form.
func (c *Control) Encode() ([]byte, error) { return json.Marshal(c) }
