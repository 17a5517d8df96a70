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
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// decisionSource is the source of events that decisions make.
const decisionSource = "dossier"

// Decisions records decisions as events, through the collector as everything else.
//
// The same idempotency key is the same decision: its event is looked up among those of the persona that it belongs to before another
// one is made. Decisions are taken one at a time, so two calls at once with one key make one event.
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

	mu sync.Mutex
}

var _ graphql.Decisions = (*Decisions)(nil)

func token(c graphql.Caller) access.Token {
	return access.Token{Name: c.Actor, Actor: c.Actor, Workspace: c.Workspace, Scopes: c.Scopes}
}

// native is the part of our event JSON that decisions use.
type native struct {
	Type       string          `json:"type"`
	MessageID  string          `json:"messageId"`
	OccurredAt string          `json:"occurredAt"`
	Source     string          `json:"source"`
	Channel    string          `json:"channel"`
	Actor      string          `json:"actor"`
	Account    *account        `json:"account,omitempty"`
	A          *personaEpoch   `json:"a,omitempty"`
	B          *personaEpoch   `json:"b,omitempty"`
	Of         string          `json:"of,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	Consents   []nativeConsent `json:"consents,omitempty"`
	Properties map[string]any  `json:"properties,omitempty"`
}

type account struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
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
	d.mu.Lock()
	defer d.mu.Unlock()
	event := native{Type: in.Type.String(), Reason: in.Reason}
	var owner schema.ProfileID
	if in.Type == schema.TypeIdentityReleased {
		of, persona, err := d.assertion(ctx, caller.Workspace, in.Of)
		if err != nil {
			return schema.EventID{}, err
		}
		m, err := d.People.Persona(ctx, caller.Workspace, persona)
		if err != nil {
			return schema.EventID{}, err
		}
		event.Of, event.A, owner = of.String(), epochOf(m), m.ID
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
		event.A, event.B, owner = epochOf(a), epochOf(b), a.ID
	}
	return d.record(ctx, caller, owner, in.Type, in.IdempotencyKey, event)
}

// assertion finds the persona that a link or separation belongs to.
func (d *Decisions) assertion(ctx context.Context, workspace string, id schema.EventID) (schema.EventID, schema.ProfileID, error) {
	var persona uuid.UUID
	err := d.House.QueryRow(ctx, `SELECT persona FROM events WHERE workspace = {workspace:String} AND id = {id:UUID}
  AND type IN ('identity.linked', 'identity.separated')`, clickhouse.Params{"workspace": workspace, "id": uuid.UUID(id)}, nil, &persona)
	if errors.Is(err, clickhouse.ErrNoRows) {
		return id, schema.ProfileID{}, &graphql.Error{Code: graphql.CodeBadInput, Message: "there is no link or separation with this event id", Hint: "take the id that link or separate answered"}
	}
	return id, schema.ProfileID(persona), err
}

// Consent records what a person said. The contact point, if any, must be one of the person's.
func (d *Decisions) Consent(ctx context.Context, caller graphql.Caller, profile schema.ProfileID, c schema.Consent, reason, key string) (schema.EventID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, err := d.People.Speaker(ctx, caller.Workspace, profile, &c)
	if err != nil {
		return schema.EventID{}, err
	}
	owner := m.ID
	if m.Trust != schema.TrustServer {
		owner = schema.ProfileID{} // the event will belong to another persona: the server's of this account
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
		Properties: map[string]any{"reason": reason},
	}
	return d.record(ctx, caller, owner, schema.TypeConsentRecorded, key, event)
}

// record makes the event, or finds the one that the same key made before among those of owner (the zero id: of anybody), and returns
// when its effect can be read.
func (d *Decisions) record(ctx context.Context, caller graphql.Caller, owner schema.ProfileID, t schema.Type, key string, event native) (schema.EventID, error) {
	event.MessageID = "decision:" + key
	if before, found, err := d.recorded(ctx, caller.Workspace, owner, t, event.MessageID); err != nil || found {
		return before, err
	}
	event.OccurredAt = schema.InstantOf(d.Now()).String()
	event.Channel, event.Actor = schema.ChannelCRM.String(), schema.ActorAgent.String()
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
	return receipt.IDs[0], d.Visible(ctx)
}

func (d *Decisions) recorded(ctx context.Context, workspace string, owner schema.ProfileID, t schema.Type, message string) (id schema.EventID, found bool, err error) {
	var got uuid.UUID
	where, params := "", clickhouse.Params{"workspace": workspace, "type": t.String(), "message": message}
	if !owner.IsZero() {
		where, params["persona"] = " AND persona = {persona:UUID}", uuid.UUID(owner)
	}
	err = d.House.QueryRow(ctx, `SELECT id FROM events WHERE workspace = {workspace:String}`+where+` AND type = {type:String}
  AND JSONExtractString(provenance, 'messageId') = {message:String} ORDER BY occurred_at, id LIMIT 1`, params, nil, &got)
	if errors.Is(err, clickhouse.ErrNoRows) {
		return id, false, nil
	}
	return schema.EventID(got), err == nil, err
}

// Configure makes a document the configuration.
func (d *Decisions) Configure(ctx context.Context, caller graphql.Caller, document json.RawMessage, base, reason, key string) (string, json.RawMessage, error) {
	hash, canonical, err := d.Check(document)
	if err != nil {
		return "", nil, err
	}
	err = d.Control.Append(ctx, &schema.Control{
		ID:   uuid.NewSHA1(uuid.NameSpaceOID, []byte("configuration\x00"+caller.Workspace+"\x00"+key)).String(),
		Kind: schema.ControlConfigurationChanged, Workspace: caller.Workspace, Actor: caller.Actor, Reason: reason,
		Configuration: &schema.ControlConfiguration{Document: canonical, Hash: hash, Base: base},
	})
	if refused := (*control.ErrRefused)(nil); errors.As(err, &refused) {
		return "", nil, &graphql.Error{Code: graphql.CodeConflict, Message: refused.Reason, Hint: "read the configuration as it is now and change that"}
	}
	return hash, canonical, err
}
