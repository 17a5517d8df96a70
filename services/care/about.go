package care

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Kept is a case as it is kept, for whoever acts on it.
type Kept struct {
	ID      schema.EventID
	Persona schema.ProfileID // whose it is
	Source  string           // that keeps it; of a conversation by itself, of its first contact
	Number  string           // what Source calls it; empty for a conversation that is in no case
	Channel string
	State   string

	// Message is the sender's id of the first contact of its first conversation, and MessageSource who sent it; both empty without a conversation.
	Message, MessageSource string

	Tasks    []care.Task
	Promises []care.Promise
	Notes    []care.Note
	Gestures []care.Gesture

	Moderations []care.Moderation
}

// Case gives the case that an event belongs to; nil if there is none. It need not be the first event of the case, though that is found fastest.
func (r Reader) Case(ctx context.Context, workspace string, event schema.EventID) (*Kept, error) {
	id, err := r.caseOf(ctx, workspace, event)
	if err != nil || id.IsZero() {
		return nil, err
	}
	k := &Kept{ID: id}
	var details string
	var conversations []schema.EventID
	err = r.Conn.QueryRow(ctx, `SELECT persona, source, number, channel, state, conversations, details FROM current_cases
WHERE workspace = {workspace:String} AND id = {id:UUID}`, clickhouse.Params{"workspace": workspace, "id": uuid.UUID(id)}, nil,
		&k.Persona, &k.Source, &k.Number, &k.Channel, &k.State, &conversations, &details)
	if err != nil {
		return nil, fmt.Errorf("read case %s: %w", id, err)
	}
	if k.Tasks, k.Promises, k.Notes, k.Gestures, err = care.ReadDetails([]byte(details)); err != nil {
		return nil, fmt.Errorf("read the details of case %s: %w", id, err)
	}
	if k.Moderations, err = care.Moderations([]byte(details)); err != nil {
		return nil, fmt.Errorf("read the details of case %s: %w", id, err) // Unreachable: they were just read
	}
	if len(conversations) == 0 {
		return k, nil
	}
	err = r.Conn.QueryRow(ctx, `SELECT source, JSONExtractString(provenance, 'messageId') FROM events
WHERE workspace = {workspace:String} AND id = {id:UUID} LIMIT 1`, clickhouse.Params{"workspace": workspace, "id": uuid.UUID(conversations[0])}, nil, &k.MessageSource, &k.Message)
	if err != nil && !errors.Is(err, clickhouse.ErrNoRows) {
		return nil, fmt.Errorf("read the first contact of case %s: %w", id, err)
	}
	return k, nil
}

// caseOf finds the case that an event belongs to: the one that begins with it; else the one that it names; else the one of the conversation that
// it lies in, or that it names a message of. Zero if there is none.
func (r Reader) caseOf(ctx context.Context, workspace string, event schema.EventID) (id schema.EventID, err error) {
	params := clickhouse.Params{"workspace": workspace, "event": uuid.UUID(event)}
	find := func(what, query string) (bool, error) {
		var found uuid.UUID
		err := r.Conn.QueryRow(ctx, query, params, nil, &found)
		if errors.Is(err, clickhouse.ErrNoRows) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("find the case of an event by %s: %w", what, err)
		}
		id = schema.EventID(found)
		return !id.IsZero(), nil
	}
	if found, err := find("its id", `SELECT id FROM current_cases WHERE workspace = {workspace:String} AND id = {event:UUID}`); err != nil || found {
		return id, err
	}
	var persona uuid.UUID
	var at schema.Instant
	var kind, source, number, thread, keeper, aboutSource, aboutMessage string
	err = r.Conn.QueryRow(ctx, `SELECT persona, occurred_at, type, source, case_id, conversation, JSONExtractString(properties, 'case_source'), JSONExtractString(properties, 'about_source'),
  JSONExtractString(properties, 'about_message') FROM events WHERE workspace = {workspace:String} AND id = {event:UUID} LIMIT 1`, params, nil,
		&persona, &at, &kind, &source, &number, &thread, &keeper, &aboutSource, &aboutMessage)
	if errors.Is(err, clickhouse.ErrNoRows) {
		return schema.EventID{}, nil
	}
	if err != nil {
		return schema.EventID{}, fmt.Errorf("read an event of a case: %w", err)
	}
	params["persona"], params["at"], params["source"], params["thread"] = persona, at, source, thread
	if number != "" {
		if keeper != "" {
			params["source"] = keeper
		}
		params["number"] = number
		found, err := find("its number", `SELECT id FROM current_cases WHERE workspace = {workspace:String} AND has(personas, {persona:UUID}) AND number = {number:String}
ORDER BY source = {source:String} DESC, id LIMIT 1`)
		if err != nil || found {
			return id, err
		}
	}
	if aboutMessage != "" {
		params["aboutSource"], params["aboutMessage"] = aboutSource, aboutMessage
		var first uuid.UUID
		var whose uuid.UUID
		var then schema.Instant
		err := r.Conn.QueryRow(ctx, `SELECT id, persona, occurred_at FROM events WHERE workspace = {workspace:String} AND source = {aboutSource:String}
  AND JSONExtractString(provenance, 'messageId') = {aboutMessage:String}
  AND persona IN (SELECT arrayJoin(personas) FROM current_conversations WHERE workspace = {workspace:String} AND has(personas, {persona:UUID}))
ORDER BY occurred_at, id LIMIT 1`, params, nil, &first, &whose, &then)
		switch {
		case errors.Is(err, clickhouse.ErrNoRows):
			return schema.EventID{}, nil
		case err != nil:
			return schema.EventID{}, fmt.Errorf("find what an event is about: %w", err)
		}
		return r.caseOf(ctx, workspace, schema.EventID(first))
	}
	_, err = find("its conversation", `SELECT case_id FROM current_conversations WHERE workspace = {workspace:String} AND has(personas, {persona:UUID}) AND source = {source:String}
  AND ({thread:String} = '' OR thread = {thread:String}) AND opened_at <= {at:DateTime64(6, 'UTC')} AND last_at >= {at:DateTime64(6, 'UTC')}
ORDER BY opened_at DESC, id LIMIT 1`)
	return id, err
}

// Numbered says whether a source keeps a case of this number.
func (r Reader) Numbered(ctx context.Context, workspace, source, number string) (taken bool, err error) {
	var n uint64
	err = r.Conn.QueryRow(ctx, `SELECT count() FROM current_cases WHERE workspace = {workspace:String} AND source = {source:String} AND number = {number:String}`,
		clickhouse.Params{"workspace": workspace, "source": source, "number": number}, nil, &n)
	if err != nil {
		return false, fmt.Errorf("look for a case by its number: %w", err)
	}
	return n > 0, nil
}

// About gives the case that an event belongs to, open or not; nil if there is none.
func (r Reader) About(ctx context.Context, workspace string, event schema.EventID) (*graphql.Waiting, error) {
	id, err := r.caseOf(ctx, workspace, event)
	if err != nil || id.IsZero() {
		return nil, err
	}
	found, err := r.byID(ctx, workspace, []schema.EventID{id})
	return found[id], err
}
