package schema

// What is said of brands in public, one row for each post: what package care of the pipelines makes of the versions of one post (its type Mention documents every
// column). The table is kept as those of care are (ddl_care.go). Who wrote stands there as a persona, never by name.
const (
	TableMentions       = "mentions"
	ViewCurrentMentions = "current_mentions" // one row for each post, by its latest version
)

// Granules are of the usual size: figures scan the table, and nothing asks for a single row of it. Counts are -1 where the platform says nothing.
const createMentions = `CREATE TABLE IF NOT EXISTS mentions
(
    workspace     LowCardinality(String),
    id            UUID CODEC(NONE),
    version       UInt64,
    deleted       UInt8,
    persona       UUID,
    event         UUID,
    occurred_at   DateTime64(6, 'UTC'),
    source        LowCardinality(String),
    platform      LowCardinality(String),
    channel       LowCardinality(String),
    brand         LowCardinality(String),
    store         LowCardinality(String),
    product       LowCardinality(String),
    language      LowCardinality(String),
    country       LowCardinality(String),
    post          String,
    parent        String,
    polarity      LowCardinality(String),
    judge         LowCardinality(String),
    model         LowCardinality(String),
    own           UInt8,
    repost        UInt8,
    reach         Int64,
    impressions   Int64,
    followers     Int64,
    applause      Int64,
    conversation  Int64,
    amplification Int64,
    clicks        Int64,
    saves         Int64,
    INDEX persona_bloom persona TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (workspace, id)
SETTINGS non_replicated_deduplication_window = 1000`

const createCurrentMentions = `CREATE VIEW IF NOT EXISTS current_mentions AS
SELECT * EXCEPT (version, deleted)
FROM mentions FINAL
WHERE deleted = 0`

// The text of a post is in v_events under its event.
const createViewMentions = "CREATE VIEW IF NOT EXISTS v_mentions" + asDefiner + `SELECT t.workspace AS workspace,
  if(m.profile = toUUID('00000000-0000-0000-0000-000000000000'), t.persona, m.profile) AS profile,
  t.persona AS persona, t.id AS id, t.event AS event, t.occurred_at AS occurred_at, t.source AS source, t.platform AS platform, t.channel AS channel,
  t.brand AS brand, t.store AS store, t.product AS product, t.language AS language, t.country AS country, t.post AS post, t.parent AS parent,
  t.polarity AS polarity, t.judge AS judge, t.model AS model, t.own AS own, t.repost AS repost,
  t.reach AS reach, t.impressions AS impressions, t.followers AS followers, t.applause AS applause, t.conversation AS conversation,
  t.amplification AS amplification, t.clicks AS clicks, t.saves AS saves
FROM mentions AS t FINAL
LEFT JOIN v_personas AS m ON m.workspace = t.workspace AND m.persona = t.persona
WHERE t.deleted = 0`
