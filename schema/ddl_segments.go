package schema

// Tables of segments. People is what conditions on a person read, one row for each profile: traits as pipelines/segment brings them into
// form, identifier kinds, what may be sent, worth. Segment changes are the history of who entered and left what.
//
// Why a table of people beside the events: which value of a trait survives, whose client personas count, and what a refusal reaches is decided over
// all personas of a profile by rules that SQL cannot follow (package persona). The role segments asks identity whenever something of a person
// changed, and replaces the row. So a condition on a trait reads some columns of one row a person, not the whole history.
//
// Values stand in the clear, in lower case, as traits do in the events table: a condition such as startsWith cannot be asked of a hash. An erasure
// deletes the rows, old versions too. Arrays that begin with trait_ go together. The order of a row's arrays is that of their values.
const (
	TablePeople         = "people"
	TableSegmentChanges = "segment_changes"

	ViewCurrentPeople  = "current_people"          // one row for each profile, as it is now
	ViewCurrentChanges = "current_segment_changes" // each change once
)

const createPeople = `CREATE TABLE IF NOT EXISTS people
(
    workspace     LowCardinality(String),
    profile       UUID,
    version       UInt64,
    deleted       UInt8,
    trait_names   Array(LowCardinality(String)),
    trait_texts   Array(String),
    trait_numbers Array(Int64),
    trait_times   Array(Int64),
    trait_kinds   Array(UInt8),
    had           Array(String) CODEC(ZSTD(1)),
    said          Array(String) CODEC(ZSTD(1)),
    identifiers   Array(LowCardinality(String)),
    allowed       Array(LowCardinality(String)),
    allowed_until Array(Int64),
    refused       Array(LowCardinality(String)),
    recency       Nullable(Int64),
    frequency     Nullable(Int64),
    monetary      Nullable(Int64),
    alive         Nullable(Int64),
    lifetime      Nullable(Int64)
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (workspace, profile)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000`

const createCurrentPeople = `CREATE VIEW IF NOT EXISTS current_people AS
SELECT * EXCEPT (version, deleted) FROM people FINAL WHERE deleted = 0`

// A change is written under its id, so one that is written again replaces itself.
const createSegmentChanges = `CREATE TABLE IF NOT EXISTS segment_changes
(
    workspace  LowCardinality(String),
    segment    LowCardinality(String),
    profile    UUID,
    at         DateTime64(6, 'UTC'),
    id         UUID,
    entered    UInt8,
    definition String,
    cause      LowCardinality(String),
    event      UUID,
    other      UUID
)
ENGINE = ReplacingMergeTree
ORDER BY (workspace, segment, profile, at, id)
SETTINGS index_granularity = 1024`

const createCurrentSegmentChanges = `CREATE VIEW IF NOT EXISTS current_segment_changes AS
SELECT * FROM segment_changes FINAL`

// Who is on the suppression list, and what was recorded of hold-outs: the names of those in which a lot was drawn, and of those that hold the person out.
const (
	holdPeople = `ALTER TABLE people ADD COLUMN IF NOT EXISTS suppressed UInt8,
ADD COLUMN IF NOT EXISTS drawn Array(LowCardinality(String)), ADD COLUMN IF NOT EXISTS held Array(LowCardinality(String))`

	replaceCurrentPeople = `CREATE OR REPLACE VIEW current_people AS
SELECT * EXCEPT (version, deleted) FROM people FINAL WHERE deleted = 0`
)
