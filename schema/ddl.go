package schema

// Tables and views of the timeline.
const (
	TableEvents         = "events"          // each event once; plain reads are exact
	TablePersonaProfile = "persona_profile" // versions of the persona map; never read directly
	ViewPersonaMap      = "persona_map"     // the newest version of each entry
)

// FirstYearBucket is the partition of all events that occurred before 2000.
const FirstYearBucket = 1999

// YearBucket is the partition of the events table that an instant falls into: its year in UTC, and one bucket for everything
// before 2000. It is the Go twin of the PARTITION BY of migration 1.
func YearBucket(at Instant) int { return max(at.Year(), FirstYearBucket) }

// Instants that the timeline can hold: what ClickHouse's DateTime64(6) and its clients agree on.
const (
	FirstTimelineInstant Instant = -2_208_988_800_000_000 // 1900-01-01T00:00:00Z
	EndTimelineInstant   Instant = 9_214_646_400_000_000  // 2262-01-01T00:00:00Z, exclusive
)

// ProjectionTables are the tables that roles fill from the log.
func ProjectionTables() []string {
	return []string{
		TableEvents, TablePersonaProfile, TableConversations, TableCases, TableSurveys, TableAlerts, TableVerbatims, TablePeople, TableSegmentChanges,
	}
}

// Migrations lists the ClickHouse DDL in the order in which it is applied. A step that was released is never edited; its number
// is its place in the list. Every statement works on a server and on the embedded engine alike, and may be repeated.
//
// On a cluster the same columns and keys stand on ReplicatedMergeTree; that step is added when it is built.
func Migrations() []Migration {
	return []Migration{
		{1, "events", createEvents},
		{2, "persona_profile", createPersonaProfile},
		{3, "persona_map", createPersonaMap},
		{4, "events in compact parts", compactEvents},
		{5, ViewPersonas, createViewPersonas},
		{6, ViewEvents, createViewEvents},
		{7, ViewMessages, createViewMessages},
		{8, ViewOrders, createViewOrders},
		{9, ViewSurveys, createViewSurveys},
		{10, ViewCases, createViewCases},
		{11, ViewProfiles, createViewProfiles},
		{12, "events deduplicated for longer", longerDeduplication},
		{13, TableConversations, createConversations},
		{14, TableCases, createCases},
		{15, TableSurveys, createSurveys},
		{16, ViewCurrentConversations, createCurrentConversations},
		{17, ViewCurrentCases, createCurrentCases},
		{18, ViewCurrentSurveys, createCurrentSurveys},
		{19, ViewOrders, replaceViewOrders},
		{20, "conversations by what is said in them", hearConversations},
		{21, "cases by what is said in them", hearCases},
		{22, "surveys by what is said in them", hearSurveys},
		{23, ViewCurrentConversations, replaceCurrentConversations},
		{24, ViewCurrentCases, replaceCurrentCases},
		{25, ViewCurrentSurveys, replaceCurrentSurveys},
		{26, TableVerbatims, createVerbatims},
		{27, ViewCurrentVerbatims, createCurrentVerbatims},
		{28, ViewVerbatims, createViewVerbatims},
		{29, TablePeople, createPeople},
		{30, ViewCurrentPeople, createCurrentPeople},
		{31, TableSegmentChanges, createSegmentChanges},
		{32, ViewCurrentChanges, createCurrentSegmentChanges},
		{33, TableAlerts, createAlerts},
		{34, ViewEvents, replaceViewEvents},
		{35, "people with suppressions and hold-outs", holdPeople},
		{36, ViewCurrentPeople, replaceCurrentPeople},
		{37, TableMentions, createMentions},
		{38, ViewCurrentMentions, createCurrentMentions},
		{39, ViewMentions, createViewMentions},
	}
}

// The sort key answers a dossier: the rows of one persona lie together in the order of time. Granules of 1,024 rows keep the
// reads of many personas short. All columns of the key come from the event alone, so the key of a row never changes.
//
// persona is the public id of (persona, epoch), which is the persona itself until its first erasure. So a reader who asks for the
// personas of a profile never sees a row that an erasure has voided and not yet deleted.
//
// identifiers, traits, consents, assertion, properties and provenance are canonical JSON, empty if the event has none. amount and
// rating are kept as given; the _value columns are what figures add up, NULL where the text is not a decimal number.
//
// Deduplication by token is off by default on tables without replicas; the window turns it on and is counted in inserts.
const createEvents = `CREATE TABLE IF NOT EXISTS events
(
    workspace      LowCardinality(String),
    persona        UUID,
    occurred_at    DateTime64(6, 'UTC'),
    id             UUID CODEC(NONE),
    epoch          UInt32,
    source         LowCardinality(String),
    channel        LowCardinality(String),
    type           LowCardinality(String),
    actor          LowCardinality(String),
    trust          LowCardinality(String),
    retention      LowCardinality(String),
    received_at    DateTime64(6, 'UTC'),
    recorded_at    DateTime64(6, 'UTC'),
    skew           Int64,
    account_kind   LowCardinality(String),
    account        String,
    identifiers    String CODEC(ZSTD(1)),
    traits         String CODEC(ZSTD(1)),
    consents       String CODEC(ZSTD(1)),
    assertion      String CODEC(ZSTD(1)),
    conversation   String,
    case_id        String,
    parent         String,
    mention        String,
    entity         String,
    text           String CODEC(ZSTD(1)),
    language       LowCardinality(String),
    rating         String,
    rating_scale   LowCardinality(String),
    amount         String,
    currency       LowCardinality(String),
    name           String,
    properties     String CODEC(ZSTD(1)),
    actor_id       String,
    provenance     String CODEC(ZSTD(1)),
    log_generation UInt32,
    log_partition  Int32,
    log_offset     Int64,
    rating_value   Nullable(Decimal(18, 6)) MATERIALIZED toDecimal64OrNull(rating, 6),
    amount_value   Nullable(Decimal(38, 10)) MATERIALIZED toDecimal128OrNull(amount, 10),
    INDEX id_bloom id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY greatest(toYear(occurred_at), 1999)
ORDER BY (workspace, persona, occurred_at, id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000`

// persona_profile keeps versions by log position; persona is the public id, as in events. It is not partitioned, since which profile a persona belongs to is what changes,
// and versions in different partitions would never replace each other.
const createPersonaProfile = `CREATE TABLE IF NOT EXISTS persona_profile
(
    workspace LowCardinality(String),
    persona   UUID,
    profile   UUID,
    version   UInt64,
    deleted   UInt8
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (workspace, persona)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000`

const createPersonaMap = `CREATE VIEW IF NOT EXISTS persona_map AS
SELECT workspace, persona, profile, version
FROM persona_profile FINAL
WHERE deleted = 0`

// A dossier reads many columns of few rows. A compact part keeps all columns in one file, which makes such a read, an insert and a
// merge cheaper: no file, buffer and sync for each of forty columns. A scan of few columns costs up to twice as much. Parts beyond the
// limit, in uncompressed bytes, keep a file for each column.
const compactEvents = "ALTER TABLE events MODIFY SETTING min_bytes_for_wide_part = 1073741824"

// A former owner of the timeline may have an insert under way while the next one goes on. Its token must still be known when it lands:
// package timeline says how many blocks can come between.
const longerDeduplication = "ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 10000"
