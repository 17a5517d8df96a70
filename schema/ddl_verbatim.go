package schema

// What customers write, as it was read. The texts themselves stand in events, where each row is written once and for ever; what is read in them changes with
// corrections and with models, so it has a table of its own, kept as those of care are (ddl_care.go). Conversations, cases and surveys have what their texts
// come to.
const (
	TableVerbatims       = "verbatims"
	ViewCurrentVerbatims = "current_verbatims" // one row for each text, as it is read now
)

const hearColumns = ` ADD COLUMN IF NOT EXISTS polarity LowCardinality(String), ADD COLUMN IF NOT EXISTS themes Array(LowCardinality(String)),
  ADD COLUMN IF NOT EXISTS verbatim_criticality LowCardinality(String)`

const (
	hearConversations = "ALTER TABLE conversations" + hearColumns
	hearCases         = "ALTER TABLE cases" + hearColumns
	hearSurveys       = "ALTER TABLE surveys" + hearColumns
)

// A view keeps the columns that there were when it was made.
const (
	replaceCurrentConversations = `CREATE OR REPLACE VIEW current_conversations AS
SELECT * EXCEPT (version, deleted)
FROM conversations FINAL
WHERE deleted = 0`
	replaceCurrentCases = `CREATE OR REPLACE VIEW current_cases AS
SELECT * EXCEPT (version, deleted)
FROM cases FINAL
WHERE deleted = 0`
	replaceCurrentSurveys = `CREATE OR REPLACE VIEW current_surveys AS
SELECT * EXCEPT (version, deleted)
FROM surveys FINAL
WHERE deleted = 0`
)

// themes, theme_polarities and theme_confidences are parallel, the surest theme first; reasons and reason_words likewise, the gravest first. polarity is neg,
// neu, pos or empty. A UUID of zeros is none.
const createVerbatims = `CREATE TABLE IF NOT EXISTS verbatims
(
    workspace         LowCardinality(String),
    id                UUID CODEC(NONE),
    version           UInt64,
    deleted           UInt8,
    persona           UUID,
    occurred_at       DateTime64(6, 'UTC'),
    source            LowCardinality(String),
    channel           LowCardinality(String),
    type              LowCardinality(String),
    brand             LowCardinality(String),
    team              LowCardinality(String),
    store             LowCardinality(String),
    product           LowCardinality(String),
    country           LowCardinality(String),
    conversation      UUID,
    case_id           UUID,
    case_number       String,
    survey            UUID,
    language          LowCardinality(String),
    polarity          LowCardinality(String),
    confidence        Float64,
    unsure            UInt8,
    truncated         UInt8,
    act               LowCardinality(String),
    emotion           LowCardinality(String),
    themes            Array(LowCardinality(String)),
    theme_polarities  Array(LowCardinality(String)),
    theme_confidences Array(Float64),
    criticality       LowCardinality(String),
    reasons           Array(LowCardinality(String)),
    reason_words      Array(String),
    model             LowCardinality(String),
    correction        UUID,
    corrected_by      String,
    corrected_at      Nullable(DateTime64(6, 'UTC')),
    INDEX persona_bloom persona TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (workspace, id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000`

const createCurrentVerbatims = `CREATE VIEW IF NOT EXISTS current_verbatims AS
SELECT * EXCEPT (version, deleted)
FROM verbatims FINAL
WHERE deleted = 0`
