package schema

// Tables of care, and what of them to read. A row is what the events of one conversation, case or survey come to; package care of the
// pipelines documents every column on its row type. When a late event changes it, the same id comes again with a higher version; when
// events turn out to belong together, an id may go (deleted). So the tables are never read directly, only through the views.
//
// Nothing of the sort key changes with the events but the id, and there is no partition: versions in two partitions would never replace
// each other. Waits and durations are in microseconds, NULL where there is none; a UUID of zeros is none.
const (
	TableConversations = "conversations"
	TableCases         = "cases"
	TableSurveys       = "surveys"

	ViewCurrentConversations = "current_conversations" // one row for each conversation, as it is now
	ViewCurrentCases         = "current_cases"         // one row for each case
	ViewCurrentSurveys       = "current_surveys"       // one row for each survey sent or answered, and each review
)

const createConversations = `CREATE TABLE IF NOT EXISTS conversations
(
    workspace          LowCardinality(String),
    id                 UUID CODEC(NONE),
    version            UInt64,
    deleted            UInt8,
    persona            UUID,
    personas           Array(UUID),
    source             LowCardinality(String),
    channel            LowCardinality(String),
    channels           Array(LowCardinality(String)),
    kind               LowCardinality(String),
    initiator          LowCardinality(String),
    thread             String,
    case_id            UUID,
    case_number        String,
    brand              LowCardinality(String),
    team               LowCardinality(String),
    queue              LowCardinality(String),
    store              LowCardinality(String),
    theme              LowCardinality(String),
    tier               LowCardinality(String),
    priority           LowCardinality(String),
    language           LowCardinality(String),
    country            LowCardinality(String),
    calendar           LowCardinality(String),
    outcome            LowCardinality(String),
    opened_at          DateTime64(6, 'UTC'),
    last_at            DateTime64(6, 'UTC'),
    first_inbound_at   Nullable(DateTime64(6, 'UTC')),
    last_inbound_at    Nullable(DateTime64(6, 'UTC')),
    first_automatic_at Nullable(DateTime64(6, 'UTC')),
    first_reply_at     Nullable(DateTime64(6, 'UTC')),
    last_reply_at      Nullable(DateTime64(6, 'UTC')),
    waiting_since      Nullable(DateTime64(6, 'UTC')),
    first_reply_due    Nullable(DateTime64(6, 'UTC')),
    next_reply_due     Nullable(DateTime64(6, 'UTC')),
    first_reply_wait   Nullable(Int64),
    first_reply_open   Nullable(Int64),
    asked_at           Array(DateTime64(6, 'UTC')),
    replied_at         Array(DateTime64(6, 'UTC')),
    reply_due          Array(DateTime64(6, 'UTC')),
    reply_open         Array(Int64),
    inbound            UInt32,
    outbound           UInt32,
    automatic          UInt32,
    thanks             UInt32,
    agents             Array(String),
    first_agent        String,
    offered_at         Nullable(DateTime64(6, 'UTC')),
    answered_at        Nullable(DateTime64(6, 'UTC')),
    abandoned_at       Nullable(DateTime64(6, 'UTC')),
    ended_at           Nullable(DateTime64(6, 'UTC')),
    queue_wait         Nullable(Int64),
    talk               Nullable(Int64),
    hold               Nullable(Int64),
    wrap               Nullable(Int64),
    handling           Nullable(Int64),
    transfers          UInt32,
    first_peer_at      Nullable(DateTime64(6, 'UTC')),
    first_staff_at     Nullable(DateTime64(6, 'UTC')),
    accepted_at        Nullable(DateTime64(6, 'UTC')),
    resolved_flag      Nullable(UInt8),
    resolvable         Nullable(UInt8),
    events             UInt32,
    flags              Array(LowCardinality(String)),
    INDEX personas_bloom personas TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (workspace, id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000`

const createCases = `CREATE TABLE IF NOT EXISTS cases
(
    workspace                  LowCardinality(String),
    id                         UUID CODEC(NONE),
    version                    UInt64,
    deleted                    UInt8,
    persona                    UUID,
    personas                   Array(UUID),
    source                     LowCardinality(String),
    number                     String,
    declared                   UInt8,
    channel                    LowCardinality(String),
    channels                   Array(LowCardinality(String)),
    conversations              Array(UUID),
    complaint                  UInt8,
    brand                      LowCardinality(String),
    team                       LowCardinality(String),
    queue                      LowCardinality(String),
    store                      LowCardinality(String),
    theme                      LowCardinality(String),
    tier                       LowCardinality(String),
    priority                   LowCardinality(String),
    language                   LowCardinality(String),
    country                    LowCardinality(String),
    calendar                   LowCardinality(String),
    owner                      String,
    state                      LowCardinality(String),
    merged_into                UUID,
    opened_at                  DateTime64(6, 'UTC'),
    last_contact_at            DateTime64(6, 'UTC'),
    first_inbound_at           Nullable(DateTime64(6, 'UTC')),
    last_inbound_at            Nullable(DateTime64(6, 'UTC')),
    first_reply_at             Nullable(DateTime64(6, 'UTC')),
    first_resolved_at          Nullable(DateTime64(6, 'UTC')),
    last_resolved_at           Nullable(DateTime64(6, 'UTC')),
    last_reopened_at           Nullable(DateTime64(6, 'UTC')),
    waiting_since              Nullable(DateTime64(6, 'UTC')),
    first_reply_due            Nullable(DateTime64(6, 'UTC')),
    next_reply_due             Nullable(DateTime64(6, 'UTC')),
    resolution_due             Nullable(DateTime64(6, 'UTC')),
    first_reply_wait           Nullable(Int64),
    first_reply_open           Nullable(Int64),
    resolution_wait            Nullable(Int64),
    resolution_open            Nullable(Int64),
    full_resolution_wait       Nullable(Int64),
    full_resolution_open       Nullable(Int64),
    requester_wait             Int64,
    agent_wait                 Int64,
    resolutions                UInt32,
    reopens                    UInt32,
    contacts                   UInt32,
    contacts_before_resolution UInt32,
    inbound                    UInt32,
    outbound                   UInt32,
    automatic                  UInt32,
    transfers                  UInt32,
    agents                     Array(String),
    resolution                 LowCardinality(String),
    explained                  Nullable(UInt8),
    resolvable                 Nullable(UInt8),
    next_step                  String,
    next_step_due              Nullable(DateTime64(6, 'UTC')),
    tasks                      UInt32,
    tasks_open                 UInt32,
    promises                   UInt32,
    promises_kept              UInt32,
    promises_broken            UInt32,
    promise_due                Nullable(DateTime64(6, 'UTC')),
    gestures                   UInt32,
    gesture_amounts            Array(Decimal(38, 10)),
    gesture_currencies         Array(LowCardinality(String)),
    once_and_done              Nullable(UInt8),
    criticality                Float64,
    criticality_reasons        Array(LowCardinality(String)),
    influence                  Float64,
    events                     UInt32,
    details                    String CODEC(ZSTD(1)),
    flags                      Array(LowCardinality(String)),
    INDEX personas_bloom personas TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (workspace, id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000`

const createSurveys = `CREATE TABLE IF NOT EXISTS surveys
(
    workspace          LowCardinality(String),
    id                 UUID CODEC(NONE),
    version            UInt64,
    deleted            UInt8,
    persona            UUID,
    source             LowCardinality(String),
    survey             String,
    type               LowCardinality(String),
    instrument         LowCardinality(String),
    instrument_version LowCardinality(String),
    question           String,
    rating             Nullable(Decimal(18, 6)),
    scale_low          Nullable(Decimal(18, 6)),
    scale_high         Nullable(Decimal(18, 6)),
    scale              LowCardinality(String),
    sent_at            Nullable(DateTime64(6, 'UTC')),
    answered_at        Nullable(DateTime64(6, 'UTC')),
    first_answered_at  Nullable(DateTime64(6, 'UTC')),
    answers            UInt32,
    channel            LowCardinality(String),
    touchpoint         LowCardinality(String),
    brand              LowCardinality(String),
    team               LowCardinality(String),
    store              LowCardinality(String),
    theme              LowCardinality(String),
    language           LowCardinality(String),
    country            LowCardinality(String),
    thread             String,
    conversation       UUID,
    case_id            UUID,
    case_number        String,
    explained          Nullable(UInt8),
    employee           UInt8,
    has_text           UInt8,
    event              UUID,
    events             UInt32,
    flags              Array(LowCardinality(String))
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (workspace, id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000`

const createCurrentConversations = `CREATE VIEW IF NOT EXISTS current_conversations AS
SELECT * EXCEPT (version, deleted)
FROM conversations FINAL
WHERE deleted = 0`

const createCurrentCases = `CREATE VIEW IF NOT EXISTS current_cases AS
SELECT * EXCEPT (version, deleted)
FROM cases FINAL
WHERE deleted = 0`

const createCurrentSurveys = `CREATE VIEW IF NOT EXISTS current_surveys AS
SELECT * EXCEPT (version, deleted)
FROM surveys FINAL
WHERE deleted = 0`

// TableAlerts has the alerts that were raised, each once: read it with FINAL. A row comes from the topic decisions, and its version is the offset of
// the record; nothing of it changes. It names no persona: case_id is the event by which the case was known then.
const TableAlerts = "alerts"

const createAlerts = `CREATE TABLE IF NOT EXISTS alerts
(
    workspace LowCardinality(String),
    id        UUID CODEC(NONE),
    version   UInt64,
    deleted   UInt8,
    rule      LowCardinality(String),
    case_id   UUID,
    raised_at DateTime64(6, 'UTC'),
    at        DateTime64(6, 'UTC'),
    channel   LowCardinality(String),
    team      LowCardinality(String),
    brand     LowCardinality(String),
    theme     LowCardinality(String),
    alert     String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (workspace, id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000`
