package query

import (
	"context"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/timeline"
)

// Past bounds what is read by when it was recorded and when it happened, both inclusive; 0 is no bound.
type Past struct{ Recorded, Occurred schema.Instant }

// IsZero says whether nothing is left out.
func (p Past) IsZero() bool { return p == Past{} }

func (p Past) where(params clickhouse.Params) (sql string) {
	if p.Recorded != 0 {
		sql += "\n  AND recorded_at <= {recorded:DateTime64(6, 'UTC')}"
		params["recorded"] = bounded(p.Recorded)
	}
	if p.Occurred != 0 {
		sql += "\n  AND occurred_at <= {occurred:DateTime64(6, 'UTC')}"
		params["occurred"] = bounded(p.Occurred)
	}
	return sql
}

// Recall reads what identity reads of the events of personas.
type Recall struct {
	Workspace string
	Personas  []schema.PersonaID
	Past      Past
}

// Statement reads the events, in no particular order. Decisions about two personas are not read.
func (q Recall) Statement() Statement {
	params := clickhouse.Params{"workspace": q.Workspace, "personas": q.Personas, "decisions": decisions}
	return Statement{"SELECT persona, id, occurred_at, recorded_at, source, channel, type, trust, account_kind, account, identifiers, traits, consents, provenance\n" +
		"FROM events\nWHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}\n  AND type NOT IN {decisions:Array(String)}" + q.Past.where(params), params}
}

// Recall calls yield with each event and the public id of its persona and epoch. The event is yield's to keep; what identity does not read of one is not set, nor is
// its persona.
func (r Reader) Recall(ctx context.Context, q Recall, yield func(persona schema.ProfileID, e *schema.Event, recorded schema.Instant) error) error {
	if len(q.Personas) == 0 {
		return nil
	}
	return r.each(ctx, q.Statement(), func(rows *clickhouse.Rows) error {
		e := &schema.Event{}
		var persona schema.ProfileID
		var recorded schema.Instant
		var channel, kind, trust, identifiers, traits, consents, provenance string
		err := rows.Scan(&persona, &e.ID, &e.OccurredAt, &recorded, &e.Source, &channel, &kind, &trust, &e.Account.Kind, &e.Account.Value, &identifiers, &traits, &consents, &provenance)
		if err != nil {
			return err
		}
		known := make([]bool, 3)
		e.Channel, known[0] = schema.ParseChannel(channel)
		e.Type, known[1] = schema.ParseType(kind)
		e.Provenance.Trust, known[2] = schema.ParseTrust(trust)
		if !known[0] || !known[1] || !known[2] {
			return unknownRow(e.ID)
		}
		e.Workspace = q.Workspace
		details := timeline.Details{Identifiers: []byte(identifiers), Traits: []byte(traits), Consents: []byte(consents), Provenance: []byte(provenance)}
		if err := details.Into(e); err != nil {
			return err
		}
		return yield(persona, e, recorded)
	})
}
