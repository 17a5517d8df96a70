package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// decisionSource is the source of events that decisions make.
const decisionSource = "dossier"

// Decisions records decisions as events, through the collector as everything else.
//
// The same idempotency key of the same actor is the same decision: it is looked up among those that were taken before another one is
// made, and refused if it says something else. Decisions are taken one at a time, in whatever process, so two calls at once with one key make one event, and
// what may be done once is.
type Decisions struct {
	Collector *collector.Collector
	Control   *control.Control
	People    Lookups
	House     *clickhouse.Conn
	// Visible returns when everything that is in the log can be read.
	Visible func(ctx context.Context) error
	// Check refuses a configuration that no role could run under.
	Check func(document []byte) (hash string, canonical []byte, err error)
	Now   func() time.Time
	Cases CaseReader
	Rules func() *care.Rules // of care, in force

	// Alone gives the right to decide among several processes that may: the context ends with it, and end gives it back. nil where there is no other process.
	Alone func(ctx context.Context) (under context.Context, end func(), err error)

	mu sync.Mutex
}

var _ graphql.Decisions = (*Decisions)(nil)

// alone takes a decision while nobody else takes one, after all that was decided before can be read, and returns when this one can be.
func (d *Decisions) alone(ctx context.Context, decide func(ctx context.Context) (schema.EventID, error)) (schema.EventID, error) {
	id, err := func() (schema.EventID, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		under := ctx
		if d.Alone != nil {
			var end func()
			var err error
			if under, end, err = d.Alone(ctx); err != nil {
				return schema.EventID{}, fmt.Errorf("wait for the right to decide: %w", err)
			}
			defer end()
		}
		if err := d.Visible(under); err != nil {
			return schema.EventID{}, err
		}
		return decide(under)
	}()
	if err != nil {
		return schema.EventID{}, err
	}
	return id, d.Visible(ctx)
}

func token(c graphql.Caller) access.Token {
	return access.Token{Name: c.Actor, Actor: c.Actor, Workspace: c.Workspace, Scopes: c.Scopes}
}

// native is the part of our event JSON that decisions use.
type native struct {
	Type        string             `json:"type"`
	MessageID   string             `json:"messageId"`
	OccurredAt  string             `json:"occurredAt"`
	Source      string             `json:"source"`
	Channel     string             `json:"channel"`
	Actor       string             `json:"actor"`
	Account     *account           `json:"account,omitempty"`
	Identifiers []nativeIdentifier `json:"identifiers,omitempty"`
	assertion
	Consents   []nativeConsent `json:"consents,omitempty"`
	Properties json.RawMessage `json:"properties,omitempty"` // canonical
	Trust      string          `json:"trust,omitempty"`
	Case       string          `json:"case,omitempty"`
	Text       string          `json:"text,omitempty"`
	Amount     string          `json:"amount,omitempty"`
	Currency   string          `json:"currency,omitempty"`
}

// assertion has the members that say what is linked, separated or released.
type assertion struct {
	A      *personaEpoch `json:"a,omitempty"`
	B      *personaEpoch `json:"b,omitempty"`
	Of     string        `json:"of,omitempty"`
	Reason string        `json:"reason,omitempty"`
}

// explained are the properties that say why a consent is recorded: only an assertion has a reason of its own.
func explained(reason string) json.RawMessage {
	return append(canonical.AppendString([]byte(`{"reason":`), reason), '}')
}

// explanation are the properties that say what an agent did and why, in the words that care reads (deploy/events.md).
type explanation struct {
	Reason       string `json:"reason"`
	CaseSource   string `json:"case_source,omitempty"`
	AboutSource  string `json:"about_source,omitempty"`
	AboutMessage string `json:"about_message,omitempty"`
	ID           string `json:"id,omitempty"`
	Theme        string `json:"theme,omitempty"`
	Brand        string `json:"brand,omitempty"`
	Team         string `json:"team,omitempty"`
	Owner        string `json:"owner,omitempty"`
	Priority     string `json:"priority,omitempty"`
	Complaint    string `json:"complaint,omitempty"`
	Safety       string `json:"safety,omitempty"`
	Legal        string `json:"legal,omitempty"`
	Vulnerable   string `json:"vulnerable,omitempty"`
	Explained    string `json:"explanation_given,omitempty"`
	NextStep     string `json:"next_step,omitempty"`
	DueAt        string `json:"due_at,omitempty"`
	Resolution   string `json:"resolution,omitempty"`
	Kind         string `json:"kind,omitempty"`
	Role         string `json:"role,omitempty"`
	Action       string `json:"action,omitempty"`
	Charter      string `json:"charter_version,omitempty"`
	Rule         string `json:"rule,omitempty"`
	Notice       string `json:"notice,omitempty"`
	AppealOf     string `json:"appeal_of,omitempty"`
}

type account struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

type nativeIdentifier struct {
	Kind      string `json:"kind"`
	Value     string `json:"value"`
	Assurance string `json:"assurance"`
}

type personaEpoch struct {
	Persona string `json:"persona"`
	Epoch   uint32 `json:"epoch"`
}

type nativeConsent struct {
	Kind        string `json:"kind,omitempty"`
	Value       string `json:"value,omitempty"`
	Channel     string `json:"channel"`
	Purpose     string `json:"purpose"`
	State       string `json:"state"`
	LegalBasis  string `json:"legalBasis,omitempty"`
	TextVersion string `json:"textVersion,omitempty"`
	Proof       string `json:"proof,omitempty"`
	Expiry      string `json:"expiry,omitempty"`
}

func epochOf(p *Persona) *personaEpoch {
	return &personaEpoch{p.Of.Persona.String(), p.Of.Epoch}
}

// Assert links, separates or releases.
func (d *Decisions) Assert(ctx context.Context, caller graphql.Caller, in graphql.Decision) (schema.EventID, error) {
	return d.alone(ctx, func(ctx context.Context) (schema.EventID, error) { return d.assert(ctx, caller, in) })
}

func (d *Decisions) assert(ctx context.Context, caller graphql.Caller, in graphql.Decision) (schema.EventID, error) {
	event := native{Type: in.Type.String(), assertion: assertion{Reason: in.Reason}}
	if in.Type == schema.TypeIdentityReleased {
		of, persona, err := d.assertion(ctx, caller.Workspace, in.Of)
		if err != nil {
			return schema.EventID{}, err
		}
		m, err := d.People.Persona(ctx, caller.Workspace, persona)
		if err != nil {
			return schema.EventID{}, err
		}
		event.Of, event.A = of.String(), epochOf(m)
	} else {
		a, err := d.People.Persona(ctx, caller.Workspace, in.A)
		if err != nil {
			return schema.EventID{}, err
		}
		b, err := d.People.Persona(ctx, caller.Workspace, in.B)
		if err != nil {
			return schema.EventID{}, err
		}
		if b.ID.Compare(a.ID) < 0 { // whichever is named first, it is one decision
			a, b = b, a
		}
		event.A, event.B = epochOf(a), epochOf(b)
	}
	before, err := d.recorded(ctx, caller, in.IdempotencyKey)
	if err != nil || before != nil {
		return before.answer(before.says(&event), err)
	}
	return d.record(ctx, caller, in.IdempotencyKey, event)
}

// assertion finds the persona that a link or separation belongs to.
func (d *Decisions) assertion(ctx context.Context, workspace string, id schema.EventID) (schema.EventID, schema.ProfileID, error) {
	var persona uuid.UUID
	err := d.House.QueryRow(ctx, `SELECT persona FROM events WHERE workspace = {workspace:String} AND id = {id:UUID}
  AND type IN ('identity.linked', 'identity.separated', 'household.joined')`, clickhouse.Params{"workspace": workspace, "id": uuid.UUID(id)}, nil, &persona)
	if errors.Is(err, clickhouse.ErrNoRows) {
		return id, schema.ProfileID{}, &graphql.Error{Code: graphql.CodeBadInput, Message: "there is no link or separation with this event id", Hint: "take the id that link or separate answered"}
	}
	return id, schema.ProfileID(persona), err
}

// Consent records what a person said. The contact point, if any, must be one of the person's.
//
// Where only public keys know the person, it makes a server persona of the same account, which joins the client's by that account. An account that is
// nobody's (a call, a form) joins nothing: there the contact point does, as declared as it was.
func (d *Decisions) Consent(ctx context.Context, caller graphql.Caller, profile schema.ProfileID, c schema.Consent, reason, key string) (schema.EventID, error) {
	return d.alone(ctx, func(ctx context.Context) (schema.EventID, error) {
		return d.consent(ctx, caller, profile, c, reason, key)
	})
}

func (d *Decisions) consent(ctx context.Context, caller graphql.Caller, profile schema.ProfileID, c schema.Consent, reason, key string) (schema.EventID, error) {
	m, err := d.People.Speaker(ctx, caller.Workspace, profile, &c)
	if err != nil {
		return schema.EventID{}, err
	}
	said := nativeConsent{
		Kind: c.Kind, Value: c.Value, Channel: c.Channel.String(), Purpose: c.Purpose, State: c.State.String(),
		LegalBasis: c.LegalBasis, TextVersion: c.TextVersion, Proof: c.Proof,
	}
	if c.Expiry != 0 {
		said.Expiry = c.Expiry.String()
	}
	event := native{
		Type: schema.TypeConsentRecorded.String(), Consents: []nativeConsent{said}, Source: m.Source,
		Account:    &account{m.Account.Kind, m.Account.Value},
		Properties: explained(reason),
	}
	before, err := d.recorded(ctx, caller, key)
	if err == nil && before.says(&event) {
		same, err := d.onePerson(ctx, caller.Workspace, profile, before.persona)
		return before.answer(same, err)
	}
	if err != nil || before != nil {
		return before.answer(false, err)
	}
	if m.Trust != schema.TrustServer && !identifier.Of(m.Account.Kind).Evidence {
		if c.Kind == "" {
			return schema.EventID{}, &graphql.Error{Code: graphql.CodeBadInput, Message: "nothing of this person is an account: only a contact is known", Hint: "record the consent for one of the dossier's contact points"}
		}
		event.Identifiers = []nativeIdentifier{{c.Kind, c.Value, schema.AssuranceDeclared.String()}}
	}
	return d.record(ctx, caller, key, event)
}

// Correct says what holds of a text instead of what was read in it. The event belongs to the persona of the text, and ends with it.
func (d *Decisions) Correct(ctx context.Context, caller graphql.Caller, of schema.EventID, properties json.RawMessage, reason, key string) (schema.EventID, error) {
	return d.alone(ctx, func(ctx context.Context) (schema.EventID, error) {
		return d.correct(ctx, caller, of, properties, reason, key)
	})
}

func (d *Decisions) correct(ctx context.Context, caller graphql.Caller, of schema.EventID, properties json.RawMessage, reason, key string) (schema.EventID, error) {
	var persona uuid.UUID
	err := d.House.QueryRow(ctx, "SELECT persona FROM current_verbatims WHERE workspace = {workspace:String} AND id = {id:UUID}",
		clickhouse.Params{"workspace": caller.Workspace, "id": uuid.UUID(of)}, nil, &persona)
	if errors.Is(err, clickhouse.ErrNoRows) {
		return schema.EventID{}, &graphql.Error{Code: graphql.CodeBadInput, Message: "no text of a customer was read under this id", Hint: "take the id of an interaction whose verbatim is not null"}
	}
	if err != nil {
		return schema.EventID{}, fmt.Errorf("find the text: %w", err)
	}
	m, err := d.People.Persona(ctx, caller.Workspace, schema.ProfileID(persona))
	if err != nil {
		return schema.EventID{}, err
	}
	parsed, err := canonical.Parse(properties, canonical.Limits{})
	if err != nil {
		return schema.EventID{}, err
	}
	defer parsed.Release()
	event := native{
		Type: schema.TypeVerbatimCorrected.String(), assertion: assertion{A: epochOf(m), Of: of.String(), Reason: reason},
		Properties: parsed.Root().AppendCanonical(nil, nil),
	}
	before, err := d.recorded(ctx, caller, key)
	if err != nil || before != nil {
		return before.answer(before.says(&event), err)
	}
	return d.record(ctx, caller, key, event)
}

// onePerson says whether two ids name one profile now.
func (d *Decisions) onePerson(ctx context.Context, workspace string, a, b schema.ProfileID) (bool, error) {
	found, err := d.People.People(ctx, workspace, []schema.ProfileID{a, b})
	return err == nil && len(found) == 2 && found[0] != nil && found[1] != nil && found[0].ID == found[1].ID, err
}

// record makes the event and returns when its effect can be read.
func (d *Decisions) record(ctx context.Context, caller graphql.Caller, key string, event native) (schema.EventID, error) {
	event.MessageID = messageID(key)
	event.OccurredAt = schema.InstantOf(d.Now()).String()
	event.Actor = schema.ActorAgent.String()
	if event.Channel == "" {
		event.Channel = schema.ChannelCRM.String()
	}
	if event.Source == "" {
		event.Source = decisionSource
	}
	text, err := json.Marshal(event)
	if err != nil {
		return schema.EventID{}, err
	}
	receipt, err := d.Collector.Accept(ctx, token(caller), text)
	if err != nil {
		return schema.EventID{}, err
	}
	if len(receipt.Refused) > 0 {
		r := receipt.Refused[0]
		return schema.EventID{}, &graphql.Error{Code: graphql.CodeBadInput, Message: r.Code + ": " + r.Reason, Hint: r.Hint}
	}
	if len(receipt.IDs) != 1 {
		return schema.EventID{}, fmt.Errorf("a decision was answered with %d ids", len(receipt.IDs))
	}
	return receipt.IDs[0], nil
}

// Configure makes a document the configuration.
func (d *Decisions) Configure(ctx context.Context, caller graphql.Caller, document json.RawMessage, base, reason, key string) (string, json.RawMessage, error) {
	hash, canonical, err := d.Check(document)
	if err != nil {
		return "", nil, err
	}
	id := uuid.NewSHA1(uuid.NameSpaceOID, []byte("configuration\x00"+caller.Workspace+"\x00"+key)).String()
	for _, c := range d.Control.State().Changes(caller.Workspace) {
		if c.ID == id && (c.Hash != hash || c.Base != base || c.Reason != reason) {
			return "", nil, keyTaken()
		}
	}
	err = d.Control.Append(ctx, &schema.Control{
		ID: id, Kind: schema.ControlConfigurationChanged, Workspace: caller.Workspace, Actor: caller.Actor, Reason: reason,
		Configuration: &schema.ControlConfiguration{Document: canonical, Hash: hash, Base: base},
	})
	if refused := (*control.ErrRefused)(nil); errors.As(err, &refused) {
		return "", nil, &graphql.Error{Code: graphql.CodeConflict, Message: refused.Reason, Hint: "read the configuration as it is now and change that, with another idempotencyKey"}
	}
	return hash, canonical, err
}
