package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Export writes every contact of a workspace as one line of canonical JSON, sorted by OccurredAt and the bytes of the id. The same set of
// events gives the same bytes. A person's decision about two personas is no contact: link and release together leave no trace here, as
// in personas and profiles; the export of events has them.
//
// It reads window after window of the time, each small enough for memory, so that neither side ever sorts the whole. A row that comes
// in while it runs is in the export or not: give Before to leave out what was not visible at the start.
type Export struct {
	Workspace string
	From, To  schema.Instant // OccurredAt in [From, To); 0: open
	Past      Past
	Clocks    bool // with receipt and record times, provenance and log position
	// Before gives, for each partition of Generation, the offset that ends the export; rows of earlier generations are in it. nil: all.
	Before     []int64
	Generation uint32
	// Profile adds the profile that holds a persona. nil: none.
	Profile func(persona schema.PersonaID) (schema.ProfileID, error)

	windowRows uint64 // about how many rows are in memory at once; 0 is 10,000
}

// window is a part of an export: times in [from, to), and ids that begin with prefix.
type window struct {
	from, to schema.Instant
	prefix   string // hex digits
}

// decisions are the types that are no contacts.
var decisions = words([]schema.Type{schema.TypeIdentityLinked, schema.TypeIdentitySeparated, schema.TypeIdentityReleased, schema.TypeHouseholdJoined})

// units are the lengths by which time is divided, in microseconds.
var units = []int64{86_400_000_000, 60_000_000, 1_000_000, 1000, 1}

func (q Export) where(w window) (string, clickhouse.Params) {
	params := clickhouse.Params{"workspace": q.Workspace, "from": w.from, "to": w.to, "decisions": decisions}
	sql := "\nWHERE workspace = {workspace:String} AND occurred_at >= {from:DateTime64(6, 'UTC')} AND occurred_at < {to:DateTime64(6, 'UTC')}\n" +
		"  AND type NOT IN {decisions:Array(String)}" + q.Past.where(params)
	if q.Before != nil {
		var partitions []int32
		for p := range q.Before {
			partitions = append(partitions, int32(p))
		}
		sql += "\n  AND (log_generation < {generation:UInt32} OR log_generation = {generation:UInt32}\n" +
			"    AND log_offset < transform(log_partition, {partitions:Array(Int32)}, {before:Array(Int64)}, toInt64(0)))"
		params["generation"], params["partitions"], params["before"] = q.Generation, partitions, q.Before
	}
	if w.prefix != "" {
		sql += "\n  AND startsWith(toString(id), {prefix:String})"
		params["prefix"] = w.prefix
	}
	return sql, params
}

// histogram counts the rows of each unit of time within a window.
func (q Export) histogram(w window, unit int64) Statement {
	where, params := q.where(w)
	params["unit"], params["zero"] = unit, int64(schema.FirstTimelineInstant)
	return Statement{"SELECT intDiv(toUnixTimestamp64Micro(occurred_at) - {zero:Int64}, {unit:Int64}) AS slot, count()\nFROM events" + where +
		"\nGROUP BY slot\nORDER BY slot", params}
}

// rows reads a window.
func (q Export) rows(w window) Statement {
	where, params := q.where(w)
	return Statement{"SELECT " + exportColumns + "\nFROM events" + where, params}
}

const exportColumns = "id, persona, occurred_at, epoch, source, channel, type, actor, trust, account_kind, account, identifiers, traits, consents,\n" +
	"  assertion, conversation, case_id, parent, mention, entity, text, language, rating, rating_scale, amount, currency, name, properties,\n" +
	"  actor_id, retention, received_at, recorded_at, skew, provenance, log_generation, log_partition, log_offset"

// Export calls yield with each line, which ends in a newline and is valid until yield returns. It gives the number of lines.
func (r Reader) Export(ctx context.Context, q Export, yield func(line []byte) error) (lines int64, err error) {
	if q.windowRows == 0 {
		q.windowRows = 10_000
	}
	whole := window{from: schema.FirstTimelineInstant, to: schema.EndTimelineInstant}
	if q.From != 0 {
		whole.from = max(q.From, whole.from)
	}
	if q.To != 0 {
		whole.to = min(q.To, whole.to)
	}
	var rows []exported
	var line []byte
	err = r.windows(ctx, q, whole, 0, func(w window) error {
		rows = rows[:0]
		err := r.each(ctx, q.rows(w), func(from *clickhouse.Rows) error {
			rows = append(rows, exported{})
			return rows[len(rows)-1].scan(from)
		})
		if err != nil {
			return err
		}
		slices.SortFunc(rows, func(a, b exported) int { return cmp.Or(cmp.Compare(a.occurredAt, b.occurredAt), a.id.Compare(b.id)) })
		for i := range rows {
			if line, err = q.line(line[:0], &rows[i]); err != nil {
				return err
			}
			if err := yield(line); err != nil {
				return err
			}
			lines++
		}
		return nil
	})
	return lines, err
}

// windows cuts w into windows of about windowRows, in order. level is the unit to cut by.
func (r Reader) windows(ctx context.Context, q Export, w window, level int, yield func(w window) error) error {
	type slot struct {
		number int64
		rows   uint64
	}
	var slots []slot
	unit := units[level]
	err := r.each(ctx, q.histogram(w, unit), func(rows *clickhouse.Rows) error {
		slots = append(slots, slot{})
		s := &slots[len(slots)-1]
		return rows.Scan(&s.number, &s.rows)
	})
	if err != nil {
		return err
	}
	start := func(number int64) schema.Instant { return schema.FirstTimelineInstant + schema.Instant(number*unit) }
	for i := 0; i < len(slots); {
		s := slots[i]
		part := window{from: max(w.from, start(s.number)), to: min(w.to, start(s.number+1))}
		if s.rows > q.windowRows {
			if level+1 < len(units) {
				err = r.windows(ctx, q, part, level+1, yield)
			} else {
				err = q.byPrefix(part, s.rows, yield)
			}
			i++
		} else {
			total := s.rows
			for i++; i < len(slots) && total+slots[i].rows <= q.windowRows; i++ {
				total += slots[i].rows
				part.to = min(w.to, start(slots[i].number+1))
			}
			err = yield(part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// byPrefix cuts one microsecond with too many rows by the first digits of the ids, which are evenly spread.
func (q Export) byPrefix(w window, rows uint64, yield func(w window) error) error {
	digits, parts := 1, uint64(16)
	for rows/parts > q.windowRows && digits < 8 {
		digits, parts = digits+1, parts*16
	}
	for n := range parts {
		w.prefix = fmt.Sprintf("%0*x", digits, n)
		if err := yield(w); err != nil {
			return err
		}
	}
	return nil
}

// exported is a row as it is exported.
type exported struct {
	id                                                               schema.EventID
	persona                                                          schema.PersonaID
	occurredAt, receivedAt, recordedAt                               schema.Instant
	epoch, generation                                                uint32
	source, channel, kind, actor, trust, accountKind, account        string
	identifiers, traits, consents, assertion, properties, provenance string // JSON
	conversation, caseID, parent, mention, entity, text, language    string
	rating, ratingScale, amount, currency, name, actorID, retention  string
	skew, offset                                                     int64
	partition                                                        int32
}

func (e *exported) scan(rows *clickhouse.Rows) error {
	return rows.Scan(&e.id, &e.persona, &e.occurredAt, &e.epoch, &e.source, &e.channel, &e.kind, &e.actor, &e.trust, &e.accountKind, &e.account,
		&e.identifiers, &e.traits, &e.consents, &e.assertion, &e.conversation, &e.caseID, &e.parent, &e.mention, &e.entity, &e.text, &e.language,
		&e.rating, &e.ratingScale, &e.amount, &e.currency, &e.name, &e.properties, &e.actorID, &e.retention, &e.receivedAt, &e.recordedAt, &e.skew,
		&e.provenance, &e.generation, &e.partition, &e.offset)
}

// line writes one line: the members in the order of their keys, absent ones left out.
func (q Export) line(dst []byte, e *exported) ([]byte, error) {
	dst = append(dst, '{')
	begun := false
	raw := func(key, json string) {
		if json == "" {
			return
		}
		if begun {
			dst = append(dst, ',')
		}
		begun = true
		dst = append(append(append(append(dst, '"'), key...), '"', ':'), json...)
	}
	text := func(key, value string) {
		if value != "" {
			raw(key, " ")
			dst = canonical.AppendString(dst[:len(dst)-1], value)
		}
	}
	number := func(key string, value int64) { raw(key, strconv.FormatInt(value, 10)) }
	clock := func(key string, at schema.Instant) {
		if q.Clocks {
			text(key, at.String())
		}
	}
	if e.account != "" || e.accountKind != "" {
		raw("account", string(canonical.AppendString(append(canonical.AppendString([]byte(`{"kind":`), e.accountKind), `,"value":`...), e.account))+"}")
	}
	text("actor", e.actor)
	text("actorId", e.actorID)
	text("amount", e.amount)
	raw("assertion", e.assertion)
	text("case", e.caseID)
	text("channel", e.channel)
	raw("consents", e.consents)
	text("conversation", e.conversation)
	text("currency", e.currency)
	text("entity", e.entity)
	text("id", e.id.String())
	raw("identifiers", e.identifiers)
	text("language", e.language)
	text("mention", e.mention)
	text("name", e.name)
	text("occurredAt", e.occurredAt.String())
	text("parent", e.parent)
	text("persona", e.persona.String())
	if q.Clocks {
		raw("position", fmt.Sprintf(`{"generation":%d,"offset":%d,"partition":%d}`, e.generation, e.offset, e.partition))
	}
	if q.Profile != nil {
		profile, err := q.Profile(e.persona)
		if err != nil {
			return dst, fmt.Errorf("find the profile of persona %s: %w", e.persona, err)
		}
		text("profile", profile.String())
	}
	raw("properties", e.properties)
	if q.Clocks {
		raw("provenance", e.provenance)
	}
	text("rating", e.rating)
	text("ratingScale", e.ratingScale)
	clock("receivedAt", e.receivedAt)
	clock("recordedAt", e.recordedAt)
	text("retention", e.retention)
	if q.Clocks {
		number("skew", e.skew)
	}
	text("source", e.source)
	text("text", e.text)
	raw("traits", e.traits)
	text("trust", e.trust)
	text("type", e.kind)
	return append(dst, '}', '\n'), nil
}
