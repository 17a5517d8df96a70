package rights

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/backend"
	"github.com/dossier-cdp/dossier/services/internal/access"
)

// rectification is one native event that says what is right.
type rectification struct {
	Type       string                     `json:"type"`
	MessageID  string                     `json:"messageId"`
	OccurredAt string                     `json:"occurredAt"`
	Source     string                     `json:"source"`
	Channel    string                     `json:"channel"`
	Account    map[string]string          `json:"account"`
	Traits     map[string]json.RawMessage `json:"traits"`
	Properties map[string]string          `json:"properties"`
}

// Rectify records what is right of a person, as an event of an account that a server key knows. It is newer than what was said before, so it survives until that
// source says otherwise: have the source corrected, too.
func (r *Rights) Rectify(ctx context.Context, c graphql.Caller, s graphql.Subject, traits map[string]json.RawMessage, reason, key string) (schema.EventID, error) {
	if err := r.Visible(ctx); err != nil {
		return schema.EventID{}, err
	}
	w, err := r.find(ctx, c.Workspace, s)
	if err != nil {
		return schema.EventID{}, err
	}
	if w == nil {
		return schema.EventID{}, unknown(s)
	}
	var of *backend.Persona
	for _, p := range w.personas {
		if of == nil || p.ID == w.person.ID && of.Trust != schema.TrustServer || p.Trust == schema.TrustServer && (of.Trust != schema.TrustServer || p.ID == w.person.ID) {
			of = p
		}
	}
	text, err := json.Marshal(rectification{
		Type: schema.TypeProfileIdentified.String(), MessageID: "rectification:" + key, OccurredAt: schema.InstantOf(r.Now()).String(), Source: of.Source,
		Channel: schema.ChannelCRM.String(), Account: map[string]string{"kind": of.Account.Kind, "value": of.Account.Value}, Traits: traits,
		Properties: map[string]string{"reason": reason},
	})
	if err != nil {
		return schema.EventID{}, err
	}
	receipt, err := r.Collector.Accept(ctx, access.Token{Name: c.Actor, Actor: c.Actor, Workspace: c.Workspace, Scopes: c.Scopes}, text)
	if err != nil {
		return schema.EventID{}, err
	}
	if len(receipt.Refused) > 0 {
		f := &receipt.Refused[0]
		return schema.EventID{}, &graphql.Error{Code: graphql.CodeBadInput, Message: f.Code + ": " + f.Reason, Hint: f.Hint}
	}
	if len(receipt.IDs) != 1 {
		return schema.EventID{}, fmt.Errorf("a rectification was answered with %d ids", len(receipt.IDs))
	}
	return receipt.IDs[0], r.Visible(ctx)
}
