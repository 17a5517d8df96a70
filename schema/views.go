package schema

// Views for people who read the timeline by SQL. Their names and columns are stable: columns are added, never renamed or taken away, by a
// new view under the next migration. deploy/sql.md documents them. They hold personal values in the clear: an account that reads them
// needs the right to see those.
//
// Each view reads with the rights of who made it, so that a reader needs no right on the tables below.
const (
	ViewPersonas = "v_personas" // who is who now: one row for each persona that has ever been placed
	ViewEvents   = "v_events"   // one row for each event
	ViewMessages = "v_messages" // one row for each message received or sent
	ViewOrders   = "v_orders"   // one row for each order, by its latest version
	ViewSurveys  = "v_surveys"  // one row for each answer to a survey and each review, by its latest version
	ViewCases    = "v_cases"    // one row for each case, by its latest event
	ViewProfiles = "v_profiles" // one row for each profile that has an event

	ViewVerbatims = "v_verbatims" // one row for each text of a customer, with what was read in it
	ViewMentions  = "v_mentions"  // one row for each public post about a brand, by its latest version
)

// Views lists what a reader may read.
func Views() []string {
	return []string{ViewPersonas, ViewEvents, ViewMessages, ViewOrders, ViewSurveys, ViewCases, ViewProfiles, ViewVerbatims, ViewMentions}
}

const asDefiner = " DEFINER = CURRENT_USER SQL SECURITY DEFINER AS\n"

const createViewPersonas = "CREATE VIEW IF NOT EXISTS v_personas" + asDefiner + `SELECT workspace, persona, profile
FROM persona_profile FINAL
WHERE deleted = 0`

// A persona that the map does not know yet is a profile of its own. Decisions of people about two personas are no contacts.
const createViewEvents = "CREATE VIEW IF NOT EXISTS v_events" + asDefiner + `SELECT e.workspace AS workspace,
  if(m.profile = toUUID('00000000-0000-0000-0000-000000000000'), e.persona, m.profile) AS profile,
  e.persona AS persona, e.id AS id, e.occurred_at AS occurred_at, e.received_at AS received_at, e.recorded_at AS recorded_at,
  e.source AS source, e.channel AS channel, e.type AS type, e.actor AS actor, e.actor_id AS actor_id, e.trust AS trust,
  e.conversation AS conversation, e.case_id AS case_id, e.entity AS entity, e.name AS name, e.text AS text, e.language AS language,
  e.rating AS rating, e.rating_scale AS rating_scale, e.rating_value AS rating_value,
  e.amount AS amount, e.currency AS currency, e.amount_value AS amount_value, e.properties AS properties
FROM events AS e
LEFT JOIN v_personas AS m ON m.workspace = e.workspace AND m.persona = e.persona
WHERE e.type NOT IN ('identity.linked', 'identity.separated', 'identity.released')`

// household.joined is a decision too. What was created on createViewEvents reads the view by its name.
const replaceViewEvents = "CREATE OR REPLACE VIEW v_events" + asDefiner + `SELECT e.workspace AS workspace,
  if(m.profile = toUUID('00000000-0000-0000-0000-000000000000'), e.persona, m.profile) AS profile,
  e.persona AS persona, e.id AS id, e.occurred_at AS occurred_at, e.received_at AS received_at, e.recorded_at AS recorded_at,
  e.source AS source, e.channel AS channel, e.type AS type, e.actor AS actor, e.actor_id AS actor_id, e.trust AS trust,
  e.conversation AS conversation, e.case_id AS case_id, e.entity AS entity, e.name AS name, e.text AS text, e.language AS language,
  e.rating AS rating, e.rating_scale AS rating_scale, e.rating_value AS rating_value,
  e.amount AS amount, e.currency AS currency, e.amount_value AS amount_value, e.properties AS properties
FROM events AS e
LEFT JOIN v_personas AS m ON m.workspace = e.workspace AND m.persona = e.persona
WHERE e.type NOT IN ('identity.linked', 'identity.separated', 'identity.released', 'household.joined')`

const createViewMessages = "CREATE VIEW IF NOT EXISTS v_messages" + asDefiner + `SELECT workspace, profile, persona, id, occurred_at, source, channel,
  if(type = 'message.sent', 'sent', 'received') AS direction, actor, actor_id, conversation, case_id, text, language
FROM v_events
WHERE type IN ('message.received', 'message.sent')`

// An order is one for a person and a source, however often and by however many personas it was sent, as in the dossier.
const createViewOrders = "CREATE VIEW IF NOT EXISTS v_orders" + asDefiner + `SELECT e.workspace AS workspace, e.profile AS profile, e.source AS source, if(e.entity = '', toString(e.id), e.entity) AS order_id,
  argMax(e.persona, (e.occurred_at, e.id)) AS persona, max(e.occurred_at) AS placed_at, argMax(e.channel, (e.occurred_at, e.id)) AS channel,
  tupleElement(argMax(tuple(e.amount_value), (e.occurred_at, e.id)), 1) AS amount, argMax(e.currency, (e.occurred_at, e.id)) AS currency,
  argMax(e.properties, (e.occurred_at, e.id)) AS properties, count() AS versions
FROM v_events AS e
WHERE e.type = 'order.placed'
GROUP BY workspace, profile, source, order_id`

// An order is placed when its first version is, and no longer stands if its latest version says so, or Segment's Order Cancelled: placed_at is the
// time of the first version since this view, and cancelled is new. The words are those of CancelledStates.
const replaceViewOrders = "CREATE OR REPLACE VIEW v_orders" + asDefiner + `SELECT e.workspace AS workspace, e.profile AS profile, e.source AS source, if(e.entity = '', toString(e.id), e.entity) AS order_id,
  argMaxIf(e.persona, (e.occurred_at, e.id), e.type = 'order.placed') AS persona, minIf(e.occurred_at, e.type = 'order.placed') AS placed_at,
  argMaxIf(e.channel, (e.occurred_at, e.id), e.type = 'order.placed') AS channel,
  tupleElement(argMaxIf(tuple(e.amount_value), (e.occurred_at, e.id), e.type = 'order.placed'), 1) AS amount, argMaxIf(e.currency, (e.occurred_at, e.id), e.type = 'order.placed') AS currency,
  argMaxIf(e.properties, (e.occurred_at, e.id), e.type = 'order.placed') AS properties, countIf(e.type = 'order.placed') AS versions,
  countIf(e.type != 'order.placed') > 0 OR arrayExists(p -> lowerUTF8(JSONExtractString(properties, p)) IN ('canceled', 'cancelled', 'voided', 'refunded',
    'annulé', 'annulée', 'annule', 'annulee', 'remboursé', 'remboursée', 'rembourse', 'remboursee'), ['status', 'order_status', 'orderStatus', 'statut']) AS cancelled
FROM v_events AS e
WHERE e.type = 'order.placed' OR e.type = 'track.performed' AND e.name = 'Order Cancelled' AND e.entity != ''
GROUP BY workspace, profile, source, order_id
HAVING versions > 0`

const createViewSurveys = "CREATE VIEW IF NOT EXISTS v_surveys" + asDefiner + `SELECT e.workspace AS workspace, e.profile AS profile, e.source AS source, if(e.entity = '', toString(e.id), e.entity) AS answer_id,
  argMax(e.type, (e.occurred_at, e.id)) AS type, argMax(e.persona, (e.occurred_at, e.id)) AS persona, max(e.occurred_at) AS answered_at,
  argMax(e.channel, (e.occurred_at, e.id)) AS channel, tupleElement(argMax(tuple(e.rating_value), (e.occurred_at, e.id)), 1) AS rating,
  argMax(e.rating_scale, (e.occurred_at, e.id)) AS rating_scale, argMax(e.text, (e.occurred_at, e.id)) AS text, argMax(e.language, (e.occurred_at, e.id)) AS language,
  count() AS versions
FROM v_events AS e
WHERE e.type IN ('survey.answered', 'review.published')
GROUP BY workspace, profile, source, answer_id`

const createViewCases = "CREATE VIEW IF NOT EXISTS v_cases" + asDefiner + `SELECT e.workspace AS workspace, e.profile AS profile, e.case_id AS case_id,
  transform(argMaxIf(e.type, (e.occurred_at, e.id), e.type IN ('case.opened', 'case.resolved', 'case.reopened')), ['case.resolved', 'case.reopened'], ['resolved', 'reopened'], 'open') AS state,
  minIfOrNull(e.occurred_at, e.type = 'case.opened') AS opened_at, maxIfOrNull(e.occurred_at, e.type = 'case.resolved') AS resolved_at,
  max(e.occurred_at) AS last_contact_at, count() AS interactions
FROM v_events AS e
WHERE e.case_id != ''
GROUP BY workspace, profile, case_id`

const createViewProfiles = "CREATE VIEW IF NOT EXISTS v_profiles" + asDefiner + `SELECT workspace, profile, uniqExact(persona) AS personas, count() AS interactions,
  min(occurred_at) AS first_contact_at, max(occurred_at) AS last_contact_at
FROM v_events
GROUP BY workspace, profile`

// A text is in v_events under the same id.
const createViewVerbatims = "CREATE VIEW IF NOT EXISTS v_verbatims" + asDefiner + `SELECT t.workspace AS workspace,
  if(m.profile = toUUID('00000000-0000-0000-0000-000000000000'), t.persona, m.profile) AS profile,
  t.persona AS persona, t.id AS id, t.occurred_at AS occurred_at, t.source AS source, t.channel AS channel, t.type AS type,
  t.brand AS brand, t.team AS team, t.store AS store, t.product AS product, t.country AS country,
  t.language AS language, t.polarity AS polarity, t.confidence AS confidence, t.unsure AS unsure, t.act AS act, t.emotion AS emotion,
  t.themes AS themes, t.theme_polarities AS theme_polarities, t.criticality AS criticality, t.reasons AS reasons, t.reason_words AS reason_words,
  t.model AS model, t.corrected_by AS corrected_by, t.corrected_at AS corrected_at
FROM verbatims AS t FINAL
LEFT JOIN v_personas AS m ON m.workspace = t.workspace AND m.persona = t.persona
WHERE t.deleted = 0`
