package timeline

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
)

// Row is one event on its way to the table.
type Row struct {
	Position   schema.Position
	RecordedAt schema.Instant
	Persona    schema.ProfileID // the public id of the event's persona and epoch
	Event      *schema.Event    // shared with other roles: read only
}

func (r Row) bucket() int { return schema.YearBucket(r.Event.OccurredAt) }

// Column is a column of a Block in ClickHouse's terms. Values is a slice of string, []byte, time.Time, uuid.UUID, uint32, int32,
// uint64, uint8 or int64.
type Column struct {
	Name   string
	Type   string // as sent; the server converts String to LowCardinality(String), which costs it less than it costs us
	Values any
}

// Block is rows of one table by column.
type Block struct {
	Table   string
	Rows    int
	Columns []Column
}

// BlockOf builds a block of events of its own.
func BlockOf(rows []Row) *Block { return (&builder{}).block(rows) }

// builder turns rows into a block. It is used again and again by one goroutine, so that a batch allocates little.
type builder struct {
	workspace, source, channel, kind, actor, trust, retention []string
	persona, id                                               []uuid.UUID
	occurredAt, receivedAt, recordedAt                        []time.Time
	epoch                                                     []uint32
	skew                                                      []int64
	accountKind, account                                      []string
	identifiers, traits, consents, assertion                  [][]byte
	conversation, caseID, parent, mention, entity             []string
	text, language, rating, ratingScale, amount, currency     []string
	name                                                      []string
	properties                                                [][]byte
	actorID                                                   []string
	provenance                                                [][]byte
	generation                                                []uint32
	partition                                                 []int32
	offset                                                    []int64

	arena []byte // the JSON of the block: one growing buffer, since columns refer to parts of it
}

// block builds the block of rows. It is valid until reset, which must come before the next one.
func (b *builder) block(rows []Row) *Block {
	b.grow(len(rows))
	for _, r := range rows {
		b.append(r)
	}
	return &Block{Table: schema.TableEvents, Rows: len(rows), Columns: []Column{
		{"workspace", "String", b.workspace},
		{"persona", "UUID", b.persona},
		{"occurred_at", "DateTime64(6, 'UTC')", b.occurredAt},
		{"id", "UUID", b.id},
		{"epoch", "UInt32", b.epoch},
		{"source", "String", b.source},
		{"channel", "String", b.channel},
		{"type", "String", b.kind},
		{"actor", "String", b.actor},
		{"trust", "String", b.trust},
		{"retention", "String", b.retention},
		{"received_at", "DateTime64(6, 'UTC')", b.receivedAt},
		{"recorded_at", "DateTime64(6, 'UTC')", b.recordedAt},
		{"skew", "Int64", b.skew},
		{"account_kind", "String", b.accountKind},
		{"account", "String", b.account},
		{"identifiers", "String", b.identifiers},
		{"traits", "String", b.traits},
		{"consents", "String", b.consents},
		{"assertion", "String", b.assertion},
		{"conversation", "String", b.conversation},
		{"case_id", "String", b.caseID},
		{"parent", "String", b.parent},
		{"mention", "String", b.mention},
		{"entity", "String", b.entity},
		{"text", "String", b.text},
		{"language", "String", b.language},
		{"rating", "String", b.rating},
		{"rating_scale", "String", b.ratingScale},
		{"amount", "String", b.amount},
		{"currency", "String", b.currency},
		{"name", "String", b.name},
		{"properties", "String", b.properties},
		{"actor_id", "String", b.actorID},
		{"provenance", "String", b.provenance},
		{"log_generation", "UInt32", b.generation},
		{"log_partition", "Int32", b.partition},
		{"log_offset", "Int64", b.offset},
	}}
}

func (b *builder) append(r Row) {
	e := r.Event
	b.workspace = append(b.workspace, e.Workspace)
	b.persona = append(b.persona, uuid.UUID(r.Persona))
	b.occurredAt = append(b.occurredAt, e.OccurredAt.Time())
	b.id = append(b.id, uuid.UUID(e.ID))
	b.epoch = append(b.epoch, e.Key.Epoch)
	b.source = append(b.source, e.Source)
	b.channel = append(b.channel, e.Channel.String())
	b.kind = append(b.kind, e.Type.String())
	b.actor = append(b.actor, e.Actor.String())
	b.trust = append(b.trust, e.Provenance.Trust.String())
	b.retention = append(b.retention, e.Key.Class)
	b.receivedAt = append(b.receivedAt, e.ReceivedAt.Time())
	b.recordedAt = append(b.recordedAt, r.RecordedAt.Time())
	b.skew = append(b.skew, e.Skew)
	b.accountKind = append(b.accountKind, e.Account.Kind)
	b.account = append(b.account, e.Account.Value)
	b.identifiers = append(b.identifiers, b.json(len(e.Identifiers) > 0, func(dst []byte) []byte { return appendIdentifiers(dst, e.Identifiers) }))
	b.traits = append(b.traits, b.json(len(e.Traits) > 0, func(dst []byte) []byte { return appendTraits(dst, e.Traits) }))
	b.consents = append(b.consents, b.json(len(e.Consents) > 0, func(dst []byte) []byte { return appendConsents(dst, e.Consents) }))
	b.assertion = append(b.assertion, b.json(e.Assertion != nil, func(dst []byte) []byte { return appendAssertion(dst, e.Assertion) }))
	b.conversation = append(b.conversation, e.Conversation)
	b.caseID = append(b.caseID, e.Case)
	b.parent = append(b.parent, e.Parent)
	b.mention = append(b.mention, e.Mention)
	b.entity = append(b.entity, e.Entity)
	b.text = append(b.text, e.Text)
	b.language = append(b.language, e.Language)
	b.rating = append(b.rating, e.Rating)
	b.ratingScale = append(b.ratingScale, e.RatingScale)
	b.amount = append(b.amount, e.Amount)
	b.currency = append(b.currency, e.Currency)
	b.name = append(b.name, e.Name)
	b.properties = append(b.properties, e.Properties)
	b.actorID = append(b.actorID, e.ActorID)
	b.provenance = append(b.provenance, b.json(true, func(dst []byte) []byte { return appendProvenance(dst, &e.Provenance) }))
	b.generation = append(b.generation, r.Position.Generation)
	b.partition = append(b.partition, r.Position.Partition)
	b.offset = append(b.offset, r.Position.Offset)
}

// json writes one value into the arena. When the arena grows, earlier values stay where they were.
func (b *builder) json(present bool, write func(dst []byte) []byte) []byte {
	if !present {
		return nil
	}
	start := len(b.arena)
	b.arena = write(b.arena)
	return b.arena[start:len(b.arena):len(b.arena)]
}

// keptRows and keptArena bound what is held on to between small batches.
const (
	keptRows  = 4096
	keptArena = 1 << 20
)

func (b *builder) strings() []*[]string {
	return []*[]string{
		&b.workspace, &b.source, &b.channel, &b.kind, &b.actor, &b.trust, &b.retention, &b.accountKind, &b.account, &b.conversation,
		&b.caseID, &b.parent, &b.mention, &b.entity, &b.text, &b.language, &b.rating, &b.ratingScale, &b.amount, &b.currency, &b.name,
		&b.actorID,
	}
}

func (b *builder) bytes() []*[][]byte {
	return []*[][]byte{&b.identifiers, &b.traits, &b.consents, &b.assertion, &b.properties, &b.provenance}
}

// grow makes room for n rows.
func (b *builder) grow(n int) {
	for _, s := range b.strings() {
		*s = slices.Grow(*s, n)
	}
	for _, s := range b.bytes() {
		*s = slices.Grow(*s, n)
	}
	b.persona, b.id = slices.Grow(b.persona, n), slices.Grow(b.id, n)
	b.occurredAt, b.receivedAt, b.recordedAt = slices.Grow(b.occurredAt, n), slices.Grow(b.receivedAt, n), slices.Grow(b.recordedAt, n)
	b.epoch, b.generation, b.partition = slices.Grow(b.epoch, n), slices.Grow(b.generation, n), slices.Grow(b.partition, n)
	b.skew, b.offset = slices.Grow(b.skew, n), slices.Grow(b.offset, n)
}

// reset forgets the last block, and the events that it kept alive.
func (b *builder) reset() {
	if (cap(b.offset) > keptRows || cap(b.arena) > keptArena) && len(b.offset) < keptRows/4 {
		*b = builder{} // the load is over
		return
	}
	for _, s := range b.strings() {
		clear(*s)
		*s = (*s)[:0]
	}
	for _, s := range b.bytes() {
		clear(*s)
		*s = (*s)[:0]
	}
	b.persona, b.id = b.persona[:0], b.id[:0]
	b.occurredAt, b.receivedAt, b.recordedAt = b.occurredAt[:0], b.receivedAt[:0], b.recordedAt[:0]
	b.epoch, b.generation, b.partition = b.epoch[:0], b.generation[:0], b.partition[:0]
	b.skew, b.offset = b.skew[:0], b.offset[:0]
	b.arena = b.arena[:0]
}
