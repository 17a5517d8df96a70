package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// messageID is the message id of the event of a decision: what its idempotency key is found by.
func messageID(key string) string { return "decision:" + key }

// past is a decision as it was recorded.
type past struct {
	id      schema.EventID
	persona schema.ProfileID
	content native // type, assertion, consents and properties
}

// recorded finds the decision that an actor took under a key, of whatever type; nil if there is none. What is in the log must be visible.
//
// It reads one narrow column of the whole table, and the others only of decisions.
func (d *Decisions) recorded(ctx context.Context, caller graphql.Caller, key string) (*past, error) {
	var id, persona uuid.UUID
	var kind, said, consents, properties, number, text, amount, currency string
	err := d.House.QueryRow(ctx, `SELECT id, persona, type, assertion, consents, properties, case_id, text, amount, currency FROM events
PREWHERE workspace = {workspace:String} AND type IN ('identity.linked', 'identity.separated', 'household.joined', 'identity.released', 'consent.recorded', 'verbatim.corrected', 'case.opened', 'case.updated',
  'case.resolved', 'case.reopened', 'task.added', 'task.completed', 'note.added', 'promise.made', 'promise.kept', 'promise.broken', 'gesture.granted', 'content.moderated')
WHERE actor_id = {actor:String} AND JSONExtractString(provenance, 'messageId') = {message:String}
ORDER BY occurred_at, id LIMIT 1`,
		clickhouse.Params{"workspace": caller.Workspace, "actor": caller.Actor, "message": messageID(key)}, nil,
		&id, &persona, &kind, &said, &consents, &properties, &number, &text, &amount, &currency)
	if errors.Is(err, clickhouse.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the decision of an idempotency key: %w", err)
	}
	p := &past{id: schema.EventID(id), persona: schema.ProfileID(persona), content: native{Type: kind, Case: number, Text: text, Amount: amount, Currency: currency}}
	for _, part := range []struct {
		text string
		to   any
	}{{said, &p.content.assertion}, {consents, &p.content.Consents}, {properties, &p.content.Properties}} {
		if part.text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(part.text), part.to); err != nil {
			return nil, fmt.Errorf("read the decision of event %s: %w", p.id, err)
		}
	}
	return p, nil
}

// says tells whether the decision says what the event does, about whomever.
func (p *past) says(event *native) bool {
	if p == nil {
		return false
	}
	a, b := &p.content, event
	same := a.Type == b.Type && a.Of == b.Of && a.Reason == b.Reason && slices.Equal(a.Consents, b.Consents)
	same = same && a.Case == b.Case && a.Text == b.Text && a.Amount == b.Amount && a.Currency == b.Currency
	return same && equal(a.A, b.A) && equal(a.B, b.B) && bytes.Equal(stated(a.Properties), stated(b.Properties))
}

// stated are properties without what the caller did not say: a role may be another one by now.
func stated(properties json.RawMessage) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(properties, &members) != nil || members["role"] == nil {
		return properties
	}
	delete(members, "role")
	out, err := json.Marshal(members)
	if err != nil {
		return properties // Unreachable: what was read marshals
	}
	return out
}

func equal[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// answer is what a decision gets whose key is taken: the event of the first time if it is the same, else a refusal.
func (p *past) answer(same bool, err error) (schema.EventID, error) {
	switch {
	case err != nil:
		return schema.EventID{}, err
	case !same:
		return schema.EventID{}, keyTaken()
	}
	return p.id, nil
}

func keyTaken() error {
	return &graphql.Error{Code: graphql.CodeConflict, Message: "another decision was taken under this idempotencyKey", Hint: "choose a new idempotencyKey for each decision; repeat one only with the same arguments"}
}
