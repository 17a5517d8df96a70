-- 1 events
CREATE TABLE IF NOT EXISTS events
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
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

-- 2 persona_profile
CREATE TABLE IF NOT EXISTS persona_profile
(
    workspace LowCardinality(String),
    persona   UUID,
    profile   UUID,
    version   UInt64,
    deleted   UInt8
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (workspace, persona)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

-- 3 persona_map
CREATE VIEW IF NOT EXISTS persona_map AS
SELECT workspace, persona, profile, version
FROM persona_profile FINAL
WHERE deleted = 0;

-- 4 events in compact parts
ALTER TABLE events MODIFY SETTING min_bytes_for_wide_part = 1073741824;

-- 5 v_personas
CREATE VIEW IF NOT EXISTS v_personas DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT workspace, persona, profile
FROM persona_profile FINAL
WHERE deleted = 0;

-- 6 v_events
CREATE VIEW IF NOT EXISTS v_events DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT e.workspace AS workspace,
  if(m.profile = toUUID('00000000-0000-0000-0000-000000000000'), e.persona, m.profile) AS profile,
  e.persona AS persona, e.id AS id, e.occurred_at AS occurred_at, e.received_at AS received_at, e.recorded_at AS recorded_at,
  e.source AS source, e.channel AS channel, e.type AS type, e.actor AS actor, e.actor_id AS actor_id, e.trust AS trust,
  e.conversation AS conversation, e.case_id AS case_id, e.entity AS entity, e.name AS name, e.text AS text, e.language AS language,
  e.rating AS rating, e.rating_scale AS rating_scale, e.rating_value AS rating_value,
  e.amount AS amount, e.currency AS currency, e.amount_value AS amount_value, e.properties AS properties
FROM events AS e
LEFT JOIN v_personas AS m ON m.workspace = e.workspace AND m.persona = e.persona
WHERE e.type NOT IN ('identity.linked', 'identity.separated', 'identity.released');

-- 7 v_messages
CREATE VIEW IF NOT EXISTS v_messages DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT workspace, profile, persona, id, occurred_at, source, channel,
  if(type = 'message.sent', 'sent', 'received') AS direction, actor, actor_id, conversation, case_id, text, language
FROM v_events
WHERE type IN ('message.received', 'message.sent');

-- 8 v_orders
CREATE VIEW IF NOT EXISTS v_orders DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT e.workspace AS workspace, e.profile AS profile, e.source AS source, if(e.entity = '', toString(e.id), e.entity) AS order_id,
  argMax(e.persona, (e.occurred_at, e.id)) AS persona, max(e.occurred_at) AS placed_at, argMax(e.channel, (e.occurred_at, e.id)) AS channel,
  tupleElement(argMax(tuple(e.amount_value), (e.occurred_at, e.id)), 1) AS amount, argMax(e.currency, (e.occurred_at, e.id)) AS currency,
  argMax(e.properties, (e.occurred_at, e.id)) AS properties, count() AS versions
FROM v_events AS e
WHERE e.type = 'order.placed'
GROUP BY workspace, profile, source, order_id;

-- 9 v_surveys
CREATE VIEW IF NOT EXISTS v_surveys DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT e.workspace AS workspace, e.profile AS profile, e.source AS source, if(e.entity = '', toString(e.id), e.entity) AS answer_id,
  argMax(e.type, (e.occurred_at, e.id)) AS type, argMax(e.persona, (e.occurred_at, e.id)) AS persona, max(e.occurred_at) AS answered_at,
  argMax(e.channel, (e.occurred_at, e.id)) AS channel, tupleElement(argMax(tuple(e.rating_value), (e.occurred_at, e.id)), 1) AS rating,
  argMax(e.rating_scale, (e.occurred_at, e.id)) AS rating_scale, argMax(e.text, (e.occurred_at, e.id)) AS text, argMax(e.language, (e.occurred_at, e.id)) AS language,
  count() AS versions
FROM v_events AS e
WHERE e.type IN ('survey.answered', 'review.published')
GROUP BY workspace, profile, source, answer_id;

-- 10 v_cases
CREATE VIEW IF NOT EXISTS v_cases DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT e.workspace AS workspace, e.profile AS profile, e.case_id AS case_id,
  transform(argMaxIf(e.type, (e.occurred_at, e.id), e.type IN ('case.opened', 'case.resolved', 'case.reopened')), ['case.resolved', 'case.reopened'], ['resolved', 'reopened'], 'open') AS state,
  minIfOrNull(e.occurred_at, e.type = 'case.opened') AS opened_at, maxIfOrNull(e.occurred_at, e.type = 'case.resolved') AS resolved_at,
  max(e.occurred_at) AS last_contact_at, count() AS interactions
FROM v_events AS e
WHERE e.case_id != ''
GROUP BY workspace, profile, case_id;

-- 11 v_profiles
CREATE VIEW IF NOT EXISTS v_profiles DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT workspace, profile, uniqExact(persona) AS personas, count() AS interactions,
  min(occurred_at) AS first_contact_at, max(occurred_at) AS last_contact_at
FROM v_events
GROUP BY workspace, profile;

-- 12 events deduplicated for longer
ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 10000;

