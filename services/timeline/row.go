package timeline

import (
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Row is one event on its way to the table.
type Row struct {
	Position   schema.Position
	RecordedAt schema.Instant
	Persona    schema.ProfileID // the public id of the event's persona and epoch
	Event      *schema.Event    // shared with other roles: read only
}

func (r Row) bucket() int { return schema.YearBucket(r.Event.OccurredAt) }

// Block is rows of one table by column, as they are sent.
type Block struct {
	Table   string
	Rows    int
	Columns []clickhouse.Column
}

// BlockOf builds a block of events of its own.
func BlockOf(rows []Row) *Block { return (&builder{}).block(rows) }

// column says how a column of the events table is made. The server converts String to LowCardinality(String), which costs it less than it
// costs us.
type column struct {
	name, kind string
	append     func(dst []byte, r *Row) []byte
}

var eventColumns = []column{
	text("workspace", func(r *Row) string { return r.Event.Workspace }),
	{"persona", "UUID", func(dst []byte, r *Row) []byte { return clickhouse.AppendUUID(dst, r.Persona) }},
	instant("occurred_at", func(r *Row) schema.Instant { return r.Event.OccurredAt }),
	{"id", "UUID", func(dst []byte, r *Row) []byte { return clickhouse.AppendUUID(dst, r.Event.ID) }},
	{"epoch", "UInt32", func(dst []byte, r *Row) []byte { return clickhouse.AppendUint32(dst, r.Event.Key.Epoch) }},
	text("source", func(r *Row) string { return r.Event.Source }),
	text("channel", func(r *Row) string { return r.Event.Channel.String() }),
	text("type", func(r *Row) string { return r.Event.Type.String() }),
	text("actor", func(r *Row) string { return r.Event.Actor.String() }),
	text("trust", func(r *Row) string { return r.Event.Provenance.Trust.String() }),
	text("retention", func(r *Row) string { return r.Event.Key.Class }),
	instant("received_at", func(r *Row) schema.Instant { return r.Event.ReceivedAt }),
	instant("recorded_at", func(r *Row) schema.Instant { return r.RecordedAt }),
	{"skew", "Int64", func(dst []byte, r *Row) []byte { return clickhouse.AppendInt64(dst, r.Event.Skew) }},
	text("account_kind", func(r *Row) string { return r.Event.Account.Kind }),
	text("account", func(r *Row) string { return r.Event.Account.Value }),
	detail("identifiers", func(dst []byte, r *Row) []byte { return appendIdentifiers(dst, r.Event.Identifiers) }),
	detail("traits", func(dst []byte, r *Row) []byte { return appendTraits(dst, r.Event.Traits) }),
	detail("consents", func(dst []byte, r *Row) []byte { return appendConsents(dst, r.Event.Consents) }),
	detail("assertion", func(dst []byte, r *Row) []byte { return appendAssertion(dst, r.Event.Assertion) }),
	text("conversation", func(r *Row) string { return r.Event.Conversation }),
	text("case_id", func(r *Row) string { return r.Event.Case }),
	text("parent", func(r *Row) string { return r.Event.Parent }),
	text("mention", func(r *Row) string { return r.Event.Mention }),
	text("entity", func(r *Row) string { return r.Event.Entity }),
	text("text", func(r *Row) string { return r.Event.Text }),
	text("language", func(r *Row) string { return r.Event.Language }),
	text("rating", func(r *Row) string { return r.Event.Rating }),
	text("rating_scale", func(r *Row) string { return r.Event.RatingScale }),
	text("amount", func(r *Row) string { return r.Event.Amount }),
	text("currency", func(r *Row) string { return r.Event.Currency }),
	text("name", func(r *Row) string { return r.Event.Name }),
	{"properties", "String", func(dst []byte, r *Row) []byte { return clickhouse.AppendString(dst, r.Event.Properties) }},
	text("actor_id", func(r *Row) string { return r.Event.ActorID }),
	detail("provenance", func(dst []byte, r *Row) []byte { return appendProvenance(dst, &r.Event.Provenance) }),
	{"log_generation", "UInt32", func(dst []byte, r *Row) []byte { return clickhouse.AppendUint32(dst, r.Position.Generation) }},
	{"log_partition", "Int32", func(dst []byte, r *Row) []byte { return clickhouse.AppendInt32(dst, r.Position.Partition) }},
	{"log_offset", "Int64", func(dst []byte, r *Row) []byte { return clickhouse.AppendInt64(dst, r.Position.Offset) }},
}

func text(name string, of func(r *Row) string) column {
	return column{name, "String", func(dst []byte, r *Row) []byte { return clickhouse.AppendString(dst, of(r)) }}
}

func instant(name string, of func(r *Row) schema.Instant) column {
	return column{name, "DateTime64(6, 'UTC')", func(dst []byte, r *Row) []byte { return clickhouse.AppendInstant(dst, of(r)) }}
}

// detail is a column of JSON (detail.go).
func detail(name string, write func(dst []byte, r *Row) []byte) column {
	return column{name, "String", func(dst []byte, r *Row) []byte {
		return clickhouse.AppendText(dst, func(dst []byte) []byte { return write(dst, r) })
	}}
}

// builder turns rows into a block. It is used again and again by one goroutine, so that a batch allocates little.
type builder struct {
	columns []clickhouse.Column
}

// block builds the block of rows. It is valid until the next one.
func (b *builder) block(rows []Row) *Block {
	if b.columns == nil {
		b.columns = make([]clickhouse.Column, len(eventColumns))
		for i, c := range eventColumns {
			b.columns[i].Name, b.columns[i].Type = c.name, c.kind
		}
	}
	for i := range b.columns {
		b.columns[i].Values = b.columns[i].Values[:0]
	}
	for i := range rows {
		for n := range eventColumns {
			c := &b.columns[n]
			c.Values = eventColumns[n].append(c.Values, &rows[i])
		}
	}
	return &Block{Table: schema.TableEvents, Rows: len(rows), Columns: b.columns}
}
