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

-- 13 conversations
CREATE TABLE IF NOT EXISTS conversations
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
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

-- 14 cases
CREATE TABLE IF NOT EXISTS cases
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
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

-- 15 surveys
CREATE TABLE IF NOT EXISTS surveys
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
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

-- 16 current_conversations
CREATE VIEW IF NOT EXISTS current_conversations AS
SELECT * EXCEPT (version, deleted)
FROM conversations FINAL
WHERE deleted = 0;

-- 17 current_cases
CREATE VIEW IF NOT EXISTS current_cases AS
SELECT * EXCEPT (version, deleted)
FROM cases FINAL
WHERE deleted = 0;

-- 18 current_surveys
CREATE VIEW IF NOT EXISTS current_surveys AS
SELECT * EXCEPT (version, deleted)
FROM surveys FINAL
WHERE deleted = 0;

-- 19 v_orders
CREATE OR REPLACE VIEW v_orders DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT e.workspace AS workspace, e.profile AS profile, e.source AS source, if(e.entity = '', toString(e.id), e.entity) AS order_id,
  argMaxIf(e.persona, (e.occurred_at, e.id), e.type = 'order.placed') AS persona, minIf(e.occurred_at, e.type = 'order.placed') AS placed_at,
  argMaxIf(e.channel, (e.occurred_at, e.id), e.type = 'order.placed') AS channel,
  tupleElement(argMaxIf(tuple(e.amount_value), (e.occurred_at, e.id), e.type = 'order.placed'), 1) AS amount, argMaxIf(e.currency, (e.occurred_at, e.id), e.type = 'order.placed') AS currency,
  argMaxIf(e.properties, (e.occurred_at, e.id), e.type = 'order.placed') AS properties, countIf(e.type = 'order.placed') AS versions,
  countIf(e.type != 'order.placed') > 0 OR arrayExists(p -> lowerUTF8(JSONExtractString(properties, p)) IN ('canceled', 'cancelled', 'voided', 'refunded',
    'annulé', 'annulée', 'annule', 'annulee', 'remboursé', 'remboursée', 'rembourse', 'remboursee'), ['status', 'order_status', 'orderStatus', 'statut']) AS cancelled
FROM v_events AS e
WHERE e.type = 'order.placed' OR e.type = 'track.performed' AND e.name = 'Order Cancelled' AND e.entity != ''
GROUP BY workspace, profile, source, order_id
HAVING versions > 0;

-- 20 conversations by what is said in them
ALTER TABLE conversations ADD COLUMN IF NOT EXISTS polarity LowCardinality(String), ADD COLUMN IF NOT EXISTS themes Array(LowCardinality(String)),
  ADD COLUMN IF NOT EXISTS verbatim_criticality LowCardinality(String);

-- 21 cases by what is said in them
ALTER TABLE cases ADD COLUMN IF NOT EXISTS polarity LowCardinality(String), ADD COLUMN IF NOT EXISTS themes Array(LowCardinality(String)),
  ADD COLUMN IF NOT EXISTS verbatim_criticality LowCardinality(String);

-- 22 surveys by what is said in them
ALTER TABLE surveys ADD COLUMN IF NOT EXISTS polarity LowCardinality(String), ADD COLUMN IF NOT EXISTS themes Array(LowCardinality(String)),
  ADD COLUMN IF NOT EXISTS verbatim_criticality LowCardinality(String);

-- 23 current_conversations
CREATE OR REPLACE VIEW current_conversations AS
SELECT * EXCEPT (version, deleted)
FROM conversations FINAL
WHERE deleted = 0;

-- 24 current_cases
CREATE OR REPLACE VIEW current_cases AS
SELECT * EXCEPT (version, deleted)
FROM cases FINAL
WHERE deleted = 0;

-- 25 current_surveys
CREATE OR REPLACE VIEW current_surveys AS
SELECT * EXCEPT (version, deleted)
FROM surveys FINAL
WHERE deleted = 0;

-- 26 verbatims
CREATE TABLE IF NOT EXISTS verbatims
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
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

-- 27 current_verbatims
CREATE VIEW IF NOT EXISTS current_verbatims AS
SELECT * EXCEPT (version, deleted)
FROM verbatims FINAL
WHERE deleted = 0;

-- 28 v_verbatims
CREATE VIEW IF NOT EXISTS v_verbatims DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT t.workspace AS workspace,
  if(m.profile = toUUID('00000000-0000-0000-0000-000000000000'), t.persona, m.profile) AS profile,
  t.persona AS persona, t.id AS id, t.occurred_at AS occurred_at, t.source AS source, t.channel AS channel, t.type AS type,
  t.brand AS brand, t.team AS team, t.store AS store, t.product AS product, t.country AS country,
  t.language AS language, t.polarity AS polarity, t.confidence AS confidence, t.unsure AS unsure, t.act AS act, t.emotion AS emotion,
  t.themes AS themes, t.theme_polarities AS theme_polarities, t.criticality AS criticality, t.reasons AS reasons, t.reason_words AS reason_words,
  t.model AS model, t.corrected_by AS corrected_by, t.corrected_at AS corrected_at
FROM verbatims AS t FINAL
LEFT JOIN v_personas AS m ON m.workspace = t.workspace AND m.persona = t.persona
WHERE t.deleted = 0;

-- 29 people
CREATE TABLE IF NOT EXISTS people
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
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

-- 30 current_people
CREATE VIEW IF NOT EXISTS current_people AS
SELECT * EXCEPT (version, deleted) FROM people FINAL WHERE deleted = 0;

-- 31 segment_changes
CREATE TABLE IF NOT EXISTS segment_changes
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
SETTINGS index_granularity = 1024;

-- 32 current_segment_changes
CREATE VIEW IF NOT EXISTS current_segment_changes AS
SELECT * FROM segment_changes FINAL;

-- 33 alerts
CREATE TABLE IF NOT EXISTS alerts
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
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000;

-- 34 v_events
CREATE OR REPLACE VIEW v_events DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT e.workspace AS workspace,
  if(m.profile = toUUID('00000000-0000-0000-0000-000000000000'), e.persona, m.profile) AS profile,
  e.persona AS persona, e.id AS id, e.occurred_at AS occurred_at, e.received_at AS received_at, e.recorded_at AS recorded_at,
  e.source AS source, e.channel AS channel, e.type AS type, e.actor AS actor, e.actor_id AS actor_id, e.trust AS trust,
  e.conversation AS conversation, e.case_id AS case_id, e.entity AS entity, e.name AS name, e.text AS text, e.language AS language,
  e.rating AS rating, e.rating_scale AS rating_scale, e.rating_value AS rating_value,
  e.amount AS amount, e.currency AS currency, e.amount_value AS amount_value, e.properties AS properties
FROM events AS e
LEFT JOIN v_personas AS m ON m.workspace = e.workspace AND m.persona = e.persona
WHERE e.type NOT IN ('identity.linked', 'identity.separated', 'identity.released', 'household.joined');

-- 35 people with suppressions and hold-outs
ALTER TABLE people ADD COLUMN IF NOT EXISTS suppressed UInt8,
ADD COLUMN IF NOT EXISTS drawn Array(LowCardinality(String)), ADD COLUMN IF NOT EXISTS held Array(LowCardinality(String));

-- 36 current_people
CREATE OR REPLACE VIEW current_people AS
SELECT * EXCEPT (version, deleted) FROM people FINAL WHERE deleted = 0;

-- 37 mentions
CREATE TABLE IF NOT EXISTS mentions
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
SETTINGS non_replicated_deduplication_window = 1000;

-- 38 current_mentions
CREATE VIEW IF NOT EXISTS current_mentions AS
SELECT * EXCEPT (version, deleted)
FROM mentions FINAL
WHERE deleted = 0;

-- 39 v_mentions
CREATE VIEW IF NOT EXISTS v_mentions DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT t.workspace AS workspace,
  if(m.profile = toUUID('00000000-0000-0000-0000-000000000000'), t.persona, m.profile) AS profile,
  t.persona AS persona, t.id AS id, t.event AS event, t.occurred_at AS occurred_at, t.source AS source, t.platform AS platform, t.channel AS channel,
  t.brand AS brand, t.store AS store, t.product AS product, t.language AS language, t.country AS country, t.post AS post, t.parent AS parent,
  t.polarity AS polarity, t.judge AS judge, t.model AS model, t.own AS own, t.repost AS repost,
  t.reach AS reach, t.impressions AS impressions, t.followers AS followers, t.applause AS applause, t.conversation AS conversation,
  t.amplification AS amplification, t.clicks AS clicks, t.saves AS saves
FROM mentions AS t FINAL
LEFT JOIN v_personas AS m ON m.workspace = t.workspace AND m.persona = t.persona
WHERE t.deleted = 0;

