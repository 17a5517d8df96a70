SELECT toUInt8(1) AS whole, CAST([], 'Array(String)') AS keys, sum(n) AS n, uniqExactMerge(people) AS people, sum(up) AS up, sum(down) AS down, toString(sum(total)) AS sum, toString(sum(squared)) AS squares, [sum(marked0), sum(marked1), sum(marked2), sum(marked3), sum(marked4)] AS marks, CAST([], 'Array(String)') AS sums, mapFilter((reason, rows) -> rows > 0, map('follow_up_ongoing', sum(left1))) AS reasons, CAST([], 'Array(String)') AS calendars, CAST([], 'Array(Int64)') AS over, CAST([], 'Array(Int64)') AS open
FROM
(
SELECT countIf(code = 0) AS n, uniqExactStateIf(profile, code IN (0, 0)) AS people, countIf(code = 0 AND hit > 0) AS up, countIf(code = 0 AND hit < 0) AS down, sumIf(toInt128(value), code = 0) AS total, sumIf(toInt128(value) * value, code = 0) AS squared, countIf(code = 0 AND mark0 = 1) AS marked0, countIf(code = 0 AND mark1 = 1) AS marked1, countIf(code = 0 AND mark2 = 1) AS marked2, countIf(code = 0 AND mark3 = 1) AS marked3, countIf(code = 0 AND mark4 = 1) AS marked4, countIf(code = 1) AS left1
FROM
(
SELECT b.hit AS hit, b.value AS value, b.mark0 AS mark0, b.mark1 AS mark1, b.mark2 AS mark2, b.mark3 AS mark3, b.mark4 AS mark4, b.at AS at, b.code AS code, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT persona, toUInt8(multiIf(began + INTERVAL 180 DAY > {now:DateTime64(6)}, 1, 0)) AS code, toInt8(if((content_later OR bought_later) AND NOT complained_again, 1, 0)) AS hit, toInt64(ifNull(toInt64(0), 0)) AS value, toUInt8(ifNull(answered_later, 0)) AS mark0, toUInt8(ifNull(answered_later AND (content_later OR bought_later) AND NOT complained_again, 0)) AS mark1, toUInt8(ifNull(content_later, 0)) AS mark2, toUInt8(ifNull(bought_later, 0)) AS mark3, toUInt8(ifNull(complained_again, 0)) AS mark4, assumeNotNull(dated) AS at
  FROM (SELECT *, toNullable(began) AS dated FROM (SELECT e.*, e.who AS holding, a.answers AS answers, a.good AS good, o.orders AS orders, k.complaints AS complaints,
    arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, answers) AS answered_later,
    arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, good) AS content_later,
    arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, orders) AS bought_later,
    arrayExists(c -> c.1 > began AND c.1 <= began + INTERVAL 30 DAY AND c.2 = theme, complaints) AS complained_again
  FROM
  (
    SELECT who, at AS began, id, persona, event, theme, channel, team, brand, store, source, language, country, episode
    FROM
    (
      SELECT d.*, if(w.holder = 0, cityHash64(d.persona), w.holder) AS who
      FROM
      (
        SELECT id, persona, event, assumeNotNull(answered_at) AS at, toString(theme) AS theme, toString(channel) AS channel, toString(team) AS team, toString(brand) AS brand,
          toString(store) AS store, toString(source) AS source, toString(language) AS language, toString(country) AS country, 'survey' AS episode
        FROM current_surveys
        WHERE workspace = {workspace:String} AND employee = 0 AND isNotNull(answered_at) AND (instrument = 'nps' AND rating <= 6 AND scale_high = 10 OR instrument = 'csat' AND rating <= 2 AND scale_low = 1 AND scale_high = 5)
        UNION ALL
        SELECT id, persona, id, assumeNotNull(first_resolved_at), toString(theme), toString(channel), toString(team), toString(brand),
          toString(store), toString(source), toString(language), toString(country), 'complaint'
        FROM current_cases
        WHERE workspace = {workspace:String} AND complaint = 1 AND isNotNull(first_resolved_at)
      ) AS d
      ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(d.persona)
      WHERE at >= {from:DateTime64(6)} AND at < {to:DateTime64(6)}
    )
    ORDER BY at ASC, id ASC
    LIMIT 1 BY who
  ) AS e
  LEFT JOIN
  (
    SELECT if(w.holder = 0, cityHash64(s.persona), w.holder) AS who,
      groupArray(assumeNotNull(s.answered_at)) AS answers, groupArrayIf(assumeNotNull(s.answered_at), (s.instrument = 'nps' AND s.rating >= 7 AND s.scale_high = 10 OR s.instrument = 'csat' AND s.rating >= 4 AND s.scale_low = 1 AND s.scale_high = 5)) AS good
    FROM current_surveys AS s ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(s.persona)
    WHERE s.workspace = {workspace:String} AND s.employee = 0 AND isNotNull(s.answered_at) AND isNotNull(s.rating) AND s.instrument IN ('nps', 'csat')
    GROUP BY who
  ) AS a ON a.who = e.who
  LEFT JOIN (SELECT who, groupArray(placed_at) AS orders FROM (SELECT who, placed_at, amount, currency
    FROM
    (
      SELECT if(w.holder = 0, v.person, w.holder) AS who, v.source AS source, v.number AS number, minIf(v.occurred_at, v.placed) AS placed_at,
        tupleElement(argMaxIf(tuple(v.amount_value), (v.occurred_at, v.id), v.placed), 1) AS amount, argMaxIf(v.currency, (v.occurred_at, v.id), v.placed) AS currency,
        argMaxIf(v.cancelled, (v.occurred_at, v.id), v.placed) AS cancelled, countIf(v.placed) AS versions, countIf(NOT v.placed) AS undone
      FROM
      (
        SELECT cityHash64(persona) AS person, occurred_at, id, source, if(entity = '', toString(id), entity) AS number, type = 'order.placed' AS placed, amount_value, currency,
          toUInt8(multiSearchAnyCaseInsensitive(properties, ['cancel', 'void', 'refund', 'annul', 'rembours'])
            AND arrayExists(p -> lowerUTF8(JSONExtractString(properties, p)) IN ('canceled', 'cancelled', 'voided', 'refunded',
              'annulé', 'annulée', 'annule', 'annulee', 'remboursé', 'remboursée', 'rembourse', 'remboursee'), ['status', 'order_status', 'orderStatus', 'statut'])) AS cancelled
        FROM events WHERE workspace = {workspace:String} AND (type = 'order.placed' OR type = 'track.performed' AND name = 'Order Cancelled' AND entity != '')
      ) AS v
      ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = v.person
      GROUP BY who, source, number
    )
    WHERE versions > 0 AND undone = 0 AND cancelled = 0) GROUP BY who) AS o ON o.who = e.who
  LEFT JOIN (
    SELECT if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, groupArray((c.opened_at, toString(c.theme))) AS complaints
    FROM current_cases AS c ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(c.persona)
    WHERE c.workspace = {workspace:String} AND c.complaint = 1
    GROUP BY who
  ) AS k ON k.who = e.who) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(brand)) AND has({where1:Array(String)}, toString(theme))
) AS b
LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS m ON m.member = b.persona
WHERE profile IN {profiles:Array(UUID)}
)
)
-- from = 2026-01-01T00:00:00Z
-- now = 2026-05-28T20:26:40Z
-- profiles = [01000000-0000-0000-0000-000000000000]
-- to = 2026-02-01T00:00:00Z
-- where0 = [garance]
-- where1 = [late ]
-- workspace = main
SELECT id, event, persona, profile, at, keys, toUInt8(code = 0) AS counts, ['', 'follow_up_ongoing'][code + 1] AS reason, toFloat64(hit) AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, b.at AS at, b.keys AS keys, b.code AS code, b.hit AS hit, b.value AS value, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT id, event AS event, persona, assumeNotNull(dated) AS at, CAST([], 'Array(String)') AS keys, toUInt8(multiIf(began + INTERVAL 180 DAY > {now:DateTime64(6)}, 1, 0)) AS code, toInt8(if((content_later OR bought_later) AND NOT complained_again, 1, 0)) AS hit, toInt64(ifNull(toInt64(0), 0)) AS value
  FROM (SELECT *, toNullable(began) AS dated FROM (SELECT e.*, e.who AS holding, a.answers AS answers, a.good AS good, o.orders AS orders, k.complaints AS complaints,
    arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, answers) AS answered_later,
    arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, good) AS content_later,
    arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, orders) AS bought_later,
    arrayExists(c -> c.1 > began AND c.1 <= began + INTERVAL 30 DAY AND c.2 = theme, complaints) AS complained_again
  FROM
  (
    SELECT who, at AS began, id, persona, event, theme, channel, team, brand, store, source, language, country, episode
    FROM
    (
      SELECT d.*, if(w.holder = 0, cityHash64(d.persona), w.holder) AS who
      FROM
      (
        SELECT id, persona, event, assumeNotNull(answered_at) AS at, toString(theme) AS theme, toString(channel) AS channel, toString(team) AS team, toString(brand) AS brand,
          toString(store) AS store, toString(source) AS source, toString(language) AS language, toString(country) AS country, 'survey' AS episode
        FROM current_surveys
        WHERE workspace = {workspace:String} AND employee = 0 AND isNotNull(answered_at) AND (instrument = 'nps' AND rating <= 6 AND scale_high = 10 OR instrument = 'csat' AND rating <= 2 AND scale_low = 1 AND scale_high = 5)
        UNION ALL
        SELECT id, persona, id, assumeNotNull(first_resolved_at), toString(theme), toString(channel), toString(team), toString(brand),
          toString(store), toString(source), toString(language), toString(country), 'complaint'
        FROM current_cases
        WHERE workspace = {workspace:String} AND complaint = 1 AND isNotNull(first_resolved_at)
      ) AS d
      ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(d.persona)
      WHERE at >= {from:DateTime64(6)} AND at < {to:DateTime64(6)}
    )
    ORDER BY at ASC, id ASC
    LIMIT 1 BY who
  ) AS e
  LEFT JOIN
  (
    SELECT if(w.holder = 0, cityHash64(s.persona), w.holder) AS who,
      groupArray(assumeNotNull(s.answered_at)) AS answers, groupArrayIf(assumeNotNull(s.answered_at), (s.instrument = 'nps' AND s.rating >= 7 AND s.scale_high = 10 OR s.instrument = 'csat' AND s.rating >= 4 AND s.scale_low = 1 AND s.scale_high = 5)) AS good
    FROM current_surveys AS s ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(s.persona)
    WHERE s.workspace = {workspace:String} AND s.employee = 0 AND isNotNull(s.answered_at) AND isNotNull(s.rating) AND s.instrument IN ('nps', 'csat')
    GROUP BY who
  ) AS a ON a.who = e.who
  LEFT JOIN (SELECT who, groupArray(placed_at) AS orders FROM (SELECT who, placed_at, amount, currency
    FROM
    (
      SELECT if(w.holder = 0, v.person, w.holder) AS who, v.source AS source, v.number AS number, minIf(v.occurred_at, v.placed) AS placed_at,
        tupleElement(argMaxIf(tuple(v.amount_value), (v.occurred_at, v.id), v.placed), 1) AS amount, argMaxIf(v.currency, (v.occurred_at, v.id), v.placed) AS currency,
        argMaxIf(v.cancelled, (v.occurred_at, v.id), v.placed) AS cancelled, countIf(v.placed) AS versions, countIf(NOT v.placed) AS undone
      FROM
      (
        SELECT cityHash64(persona) AS person, occurred_at, id, source, if(entity = '', toString(id), entity) AS number, type = 'order.placed' AS placed, amount_value, currency,
          toUInt8(multiSearchAnyCaseInsensitive(properties, ['cancel', 'void', 'refund', 'annul', 'rembours'])
            AND arrayExists(p -> lowerUTF8(JSONExtractString(properties, p)) IN ('canceled', 'cancelled', 'voided', 'refunded',
              'annulé', 'annulée', 'annule', 'annulee', 'remboursé', 'remboursée', 'rembourse', 'remboursee'), ['status', 'order_status', 'orderStatus', 'statut'])) AS cancelled
        FROM events WHERE workspace = {workspace:String} AND (type = 'order.placed' OR type = 'track.performed' AND name = 'Order Cancelled' AND entity != '')
      ) AS v
      ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = v.person
      GROUP BY who, source, number
    )
    WHERE versions > 0 AND undone = 0 AND cancelled = 0) GROUP BY who) AS o ON o.who = e.who
  LEFT JOIN (
    SELECT if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, groupArray((c.opened_at, toString(c.theme))) AS complaints
    FROM current_cases AS c ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(c.persona)
    WHERE c.workspace = {workspace:String} AND c.complaint = 1
    GROUP BY who
  ) AS k ON k.who = e.who) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(brand)) AND has({where1:Array(String)}, toString(theme))
) AS b
LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS m ON m.member = b.persona
WHERE profile IN {profiles:Array(UUID)}
)
WHERE at >= {after:DateTime64(6)} AND keys = {keys:Array(String)}
ORDER BY at ASC, id ASC, reason ASC, value ASC
LIMIT 51
OFFSET 2
-- after = 1970-01-01T00:00:00.000005Z
-- from = 2026-01-01T00:00:00Z
-- keys = [email 2026-01]
-- now = 2026-05-28T20:26:40Z
-- profiles = [01000000-0000-0000-0000-000000000000]
-- to = 2026-02-01T00:00:00Z
-- where0 = [garance]
-- where1 = [late ]
-- workspace = main
