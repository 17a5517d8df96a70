package query

import (
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Statement is one query.
type Statement struct {
	SQL    string
	Params clickhouse.Params
}

// Filter chooses events. A zero field chooses all.
type Filter struct {
	Channels []schema.Channel
	Types    []schema.Type
	From, To schema.Instant // OccurredAt in [From, To); 0: open
}

// Cursor is a place in a timeline.
type Cursor struct {
	OccurredAt schema.Instant
	ID         schema.EventID
}

// Page is a part of the timelines of several people, each newest first. After is the place of the last event that was seen.
//
// Events of one microsecond come in the order of ClickHouse's UUIDs, which is the same at every read, and not that of their bytes.
type Page struct {
	Workspace string
	People    [][]schema.PersonaID
	Filter    Filter
	After     *Cursor
	First     int // events of each person
	Wanted    graphql.Wanted
	Past      Past
}

// Statement reads the page, one event more than First for each person.
func (q Page) Statement() Statement {
	s := about(q.Workspace, q.People).then(q.Past)
	where := s.where() + s.filter(q.Filter)
	if q.After != nil {
		where += "\n  AND (occurred_at, id) < ({afterTime:DateTime64(6, 'UTC')}, {afterId:UUID})"
		s.params["afterTime"], s.params["afterId"] = bounded(q.After.OccurredAt), q.After.ID
	}
	s.params["limit"] = uint64(q.First + 1)
	total := ""
	if q.counted() {
		// The engine looks at all rows of the people to find the newest, so to count them costs nothing beside, and a query of its own
		// some 5 ms of CPU.
		total = ", count() OVER (PARTITION BY person) AS total"
		if s.one {
			total = ", count() OVER () AS total"
		}
	}
	if s.one {
		return s.statement("SELECT toUInt32(0) AS person, " + columnsOf(q.Wanted.Fields) + total + "\nFROM events" + where +
			"\nORDER BY occurred_at DESC, id DESC\nLIMIT {limit:UInt64}")
	}
	return s.statement("SELECT " + s.person + " AS person, " + columnsOf(q.Wanted.Fields) + total + "\nFROM events" + where +
		"\nORDER BY person, occurred_at DESC, id DESC\nLIMIT {limit:UInt64} BY person")
}

// counted says whether the rows tell how many events their person has.
func (q Page) counted() bool { return q.Wanted.Total && q.After == nil }

// Total counts the events of several people.
type Total struct {
	Workspace string
	People    [][]schema.PersonaID
	Filter    Filter
	Past      Past
}

// Statement gives person and count; people without any event are left out.
func (q Total) Statement() Statement {
	s := about(q.Workspace, q.People).then(q.Past)
	return s.statement("SELECT " + s.person + " AS person, count()\nFROM events" + s.where() + s.filter(q.Filter) + "\nGROUP BY person\nORDER BY person")
}

// Events reads events by id. The index on id leaves about one granule in a hundred to be read beside those that hold them: it is for
// single events, not for timelines.
type Events struct {
	Workspace string
	IDs       []schema.EventID
}

// Statement reads the events.
func (q Events) Statement() Statement {
	return Statement{
		SQL:    "SELECT toUInt32(0) AS person, " + columnsOf(nil) + "\nFROM events\nWHERE workspace = {workspace:String} AND id IN {ids:Array(UUID)}\nORDER BY occurred_at, id",
		Params: clickhouse.Params{"workspace": q.Workspace, "ids": q.IDs},
	}
}

// columnsOf are the columns that fields of interactions come from, in the order of interactionRow.into. Every column costs the engine
// some 0.4 ms of CPU, however few the rows.
func columnsOf(fields []string) string {
	columns := "id, persona, occurred_at"
	for _, c := range interactionColumns {
		if fields == nil || slices.Contains(fields, c.field) {
			columns += ", " + c.column
		}
	}
	return columns
}

// interactionColumn is a column of an interaction beside the three that are always read.
type interactionColumn struct {
	field, column string
	into          func(r *interactionRow) any
}

// interactionRow is a row as it is scanned.
type interactionRow struct {
	person                           uint32
	kind, channel, actor, properties string
	graphql.Interaction
}

var interactionColumns = []interactionColumn{
	{"type", "type", func(r *interactionRow) any { return &r.kind }},
	{"channel", "channel", func(r *interactionRow) any { return &r.channel }},
	{"actor", "actor", func(r *interactionRow) any { return &r.actor }},
	{"source", "source", func(r *interactionRow) any { return &r.Source }},
	{"actorId", "actor_id", func(r *interactionRow) any { return &r.ActorID }},
	{"name", "name", func(r *interactionRow) any { return &r.Name }},
	{"conversation", "conversation", func(r *interactionRow) any { return &r.Conversation }},
	{"case", "case_id", func(r *interactionRow) any { return &r.Case }},
	{"parent", "parent", func(r *interactionRow) any { return &r.Parent }},
	{"mention", "mention", func(r *interactionRow) any { return &r.Mention }},
	{"entity", "entity", func(r *interactionRow) any { return &r.Entity }},
	{"text", "text", func(r *interactionRow) any { return &r.Text }},
	{"language", "language", func(r *interactionRow) any { return &r.Language }},
	{"rating", "rating", func(r *interactionRow) any { return &r.Rating }},
	{"ratingScale", "rating_scale", func(r *interactionRow) any { return &r.RatingScale }},
	{"amount", "amount", func(r *interactionRow) any { return &r.Amount }},
	{"currency", "currency", func(r *interactionRow) any { return &r.Currency }},
	{"properties", "properties", func(r *interactionRow) any { return &r.properties }},
}

// selection is what the queries about people have in common.
type selection struct {
	params clickhouse.Params
	one    bool   // one person
	person string // SQL that gives the place of the row's person among People
	past   Past
}

// about selects the rows of people. A persona is of one person; of several the first counts.
func about(workspace string, people [][]schema.PersonaID) *selection {
	s := &selection{params: clickhouse.Params{"workspace": workspace}, one: len(people) == 1}
	var personas []schema.PersonaID
	var owners []uint32
	seen := map[schema.PersonaID]bool{}
	for i, p := range people {
		for _, id := range p {
			if !seen[id] {
				seen[id] = true
				personas, owners = append(personas, id), append(owners, uint32(i))
			}
		}
	}
	s.params["personas"] = personas
	s.person = "toUInt32(0)"
	if !s.one {
		s.params["owners"] = owners
		s.person = "transform(persona, {personas:Array(UUID)}, {owners:Array(UInt32)}, 0)"
	}
	return s
}

// then leaves out what is not of a past.
func (s *selection) then(p Past) *selection {
	s.past = p
	return s
}

func (s *selection) where() string {
	return "\nWHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}" + s.past.where(s.params)
}

func (s *selection) filter(f Filter) string {
	var b strings.Builder
	if len(f.Channels) > 0 {
		b.WriteString("\n  AND channel IN {channels:Array(String)}")
		s.params["channels"] = words(f.Channels)
	}
	if len(f.Types) > 0 {
		b.WriteString("\n  AND type IN {types:Array(String)}")
		s.params["types"] = words(f.Types)
	}
	if f.From != 0 {
		b.WriteString("\n  AND occurred_at >= {from:DateTime64(6, 'UTC')}")
		s.params["from"] = bounded(f.From)
	}
	if f.To != 0 {
		b.WriteString("\n  AND occurred_at < {to:DateTime64(6, 'UTC')}")
		s.params["to"] = bounded(f.To)
	}
	return b.String()
}

func (s *selection) statement(sql string) Statement { return Statement{sql, s.params} }

// bounded brings an instant into what the table can hold, so that an open-ended choice stays one.
func bounded(at schema.Instant) schema.Instant {
	return min(max(at, schema.FirstTimelineInstant), schema.EndTimelineInstant)
}

func words[T interface{ String() string }](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.String()
	}
	return out
}
