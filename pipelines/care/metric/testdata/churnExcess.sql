SELECT toUInt8(grouping(text0) = 1) AS whole, if(whole = 1, CAST([], 'Array(String)'), [text0]) AS keys, sum(n) AS n, uniqExactMerge(people) AS people, sum(up) AS up, sum(down) AS down, toString(sum(total)) AS sum, toString(sum(squared)) AS squares, CAST([], 'Array(UInt64)') AS marks, [toString(sum(summed0))] AS sums, mapFilter((reason, rows) -> rows > 0, map('never_a_customer', sum(left1), 'follow_up_ongoing', sum(left2), 'no_control', sum(left3))) AS reasons, CAST([], 'Array(String)') AS calendars, if(whole = 1, CAST([], 'Array(Int64)'), CAST([], 'Array(Int64)')) AS over, if(whole = 1, CAST([], 'Array(Int64)'), CAST([], 'Array(Int64)')) AS open
FROM
(
SELECT toString(key0) AS text0, countIf(code = 0) AS n, uniqExactStateIf(profile, code IN (0, 0)) AS people, countIf(code = 0 AND hit > 0) AS up, countIf(code = 0 AND hit < 0) AS down, sumIf(toInt128(value), code = 0) AS total, sumIf(toInt128(value) * value, code = 0) AS squared, sumIf(toInt128(sum0), code = 0) AS summed0, countIf(code = 1) AS left1, countIf(code = 2) AS left2, countIf(code = 3) AS left3
FROM
(
SELECT b.hit AS hit, b.value AS value, b.sum0 AS sum0, b.key0 AS key0, b.at AS at, b.code AS code, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT persona, toUInt8(multiIf(NOT bought_before, 1, began + INTERVAL 180 DAY > {now:DateTime64(6)}, 2, controls = 0, 3, 0)) AS code, toInt8(if(bought_later, 0, 1)) AS hit, toInt64(ifNull(toInt64(round(expected * 1000000)), 0)) AS value, toInt64(ifNull(round(peers * expected * (1 - expected) / greatest(controls, 1) * 1000000000), 0)) AS sum0, channel AS key0, assumeNotNull(dated) AS at
  FROM (SELECT *, toNullable(began) AS dated FROM (SELECT e.*, e.who AS holding, c.controls AS controls, if(c.controls = 0, 0., c.gone / c.controls) AS expected
  FROM
  (
    SELECT *, count() OVER (PARTITION BY month, tenure, often, lately) AS peers
    FROM
    (
      SELECT f.*, o.orders AS orders, toStartOfMonth(began) AS month,
      arrayExists(t -> t <= began, orders) AS bought_before, arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, orders) AS bought_later,
      multiIf(dateDiff('day', arrayMin(arrayFilter(t -> t <= began, orders)), began) < 90, 0, dateDiff('day', arrayMin(arrayFilter(t -> t <= began, orders)), began) < 365, 1, 2) AS tenure,
      multiIf(arrayCount(t -> t <= began, orders) <= 1, 1, arrayCount(t -> t <= began, orders) <= 2, 2, arrayCount(t -> t <= began, orders) <= 5, 3, 4) AS often,
      toUInt8(dateDiff('day', arrayMax(arrayFilter(t -> t <= began, orders)), began) < 90) AS lately
      FROM (SELECT if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, c.opened_at AS began,
      c.id AS id, c.persona AS persona, c.theme AS theme, c.channel AS channel, c.team AS team, c.brand AS brand, c.store AS store, c.source AS source,
      c.language AS language, c.country AS country
    FROM current_cases AS c ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(c.persona)
    WHERE c.workspace = {workspace:String} AND c.complaint = 1 AND c.opened_at >= {from:DateTime64(6)} AND c.opened_at < {to:DateTime64(6)}
    ORDER BY began ASC, id ASC
    LIMIT 1 BY who) AS f
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
    WHERE versions > 0 AND undone = 0 AND cancelled = 0) GROUP BY who) AS o ON o.who = f.who
    )
  ) AS e
  LEFT JOIN
  (
    SELECT month, tenure, often, lately, count() AS controls, countIf(NOT bought_later) AS gone
    FROM
    (
      SELECT month, toDateTime64(month, 6, 'UTC') AS since, arrayExists(t -> t > since AND t <= since + INTERVAL 180 DAY, orders) AS bought_later,
      multiIf(dateDiff('day', arrayMin(arrayFilter(t -> t <= since, orders)), since) < 90, 0, dateDiff('day', arrayMin(arrayFilter(t -> t <= since, orders)), since) < 365, 1, 2) AS tenure,
      multiIf(arrayCount(t -> t <= since, orders) <= 1, 1, arrayCount(t -> t <= since, orders) <= 2, 2, arrayCount(t -> t <= since, orders) <= 5, 3, 4) AS often,
      toUInt8(dateDiff('day', arrayMax(arrayFilter(t -> t <= since, orders)), since) < 90) AS lately
      FROM (SELECT orders FROM (SELECT who, groupArray(placed_at) AS orders FROM (SELECT who, placed_at, amount, currency
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
    WHERE versions > 0 AND undone = 0 AND cancelled = 0) GROUP BY who) WHERE who NOT IN (SELECT who FROM (
    SELECT if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, groupArray((c.opened_at, toString(c.theme))) AS complaints
    FROM current_cases AS c ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(c.persona)
    WHERE c.workspace = {workspace:String} AND c.complaint = 1
    GROUP BY who
  ))) AS p
      CROSS JOIN (SELECT DISTINCT toStartOfMonth(opened_at) AS month FROM current_cases WHERE workspace = {workspace:String} AND complaint = 1 AND opened_at >= {from:DateTime64(6)} AND opened_at < {to:DateTime64(6)}) AS m
      WHERE arrayExists(t -> t <= toDateTime64(month, 6, 'UTC'), orders)
    )
    GROUP BY month, tenure, often, lately
  ) AS c ON c.month = e.month AND c.tenure = e.tenure AND c.often = e.often AND c.lately = e.lately) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(brand)) AND has({where1:Array(String)}, toString(theme))
) AS b
LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS m ON m.member = b.persona
WHERE profile IN {profiles:Array(UUID)}
)
GROUP BY key0
)
GROUP BY GROUPING SETS ((text0), ())
ORDER BY whole DESC, keys ASC
LIMIT 2002
-- from = 2026-01-01T00:00:00Z
-- now = 2026-05-28T20:26:40Z
-- profiles = [01000000-0000-0000-0000-000000000000]
-- to = 2026-02-01T00:00:00Z
-- where0 = [garance]
-- where1 = [late ]
-- workspace = main
SELECT id, event, persona, profile, at, keys, toUInt8(code = 0) AS counts, ['', 'never_a_customer', 'follow_up_ongoing', 'no_control'][code + 1] AS reason, value / 1000000 AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, b.at AS at, b.keys AS keys, b.code AS code, b.hit AS hit, b.value AS value, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, [toString(channel)] AS keys, toUInt8(multiIf(NOT bought_before, 1, began + INTERVAL 180 DAY > {now:DateTime64(6)}, 2, controls = 0, 3, 0)) AS code, toInt8(if(bought_later, 0, 1)) AS hit, toInt64(ifNull(toInt64(round(expected * 1000000)), 0)) AS value
  FROM (SELECT *, toNullable(began) AS dated FROM (SELECT e.*, e.who AS holding, c.controls AS controls, if(c.controls = 0, 0., c.gone / c.controls) AS expected
  FROM
  (
    SELECT *, count() OVER (PARTITION BY month, tenure, often, lately) AS peers
    FROM
    (
      SELECT f.*, o.orders AS orders, toStartOfMonth(began) AS month,
      arrayExists(t -> t <= began, orders) AS bought_before, arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, orders) AS bought_later,
      multiIf(dateDiff('day', arrayMin(arrayFilter(t -> t <= began, orders)), began) < 90, 0, dateDiff('day', arrayMin(arrayFilter(t -> t <= began, orders)), began) < 365, 1, 2) AS tenure,
      multiIf(arrayCount(t -> t <= began, orders) <= 1, 1, arrayCount(t -> t <= began, orders) <= 2, 2, arrayCount(t -> t <= began, orders) <= 5, 3, 4) AS often,
      toUInt8(dateDiff('day', arrayMax(arrayFilter(t -> t <= began, orders)), began) < 90) AS lately
      FROM (SELECT if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, c.opened_at AS began,
      c.id AS id, c.persona AS persona, c.theme AS theme, c.channel AS channel, c.team AS team, c.brand AS brand, c.store AS store, c.source AS source,
      c.language AS language, c.country AS country
    FROM current_cases AS c ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(c.persona)
    WHERE c.workspace = {workspace:String} AND c.complaint = 1 AND c.opened_at >= {from:DateTime64(6)} AND c.opened_at < {to:DateTime64(6)}
    ORDER BY began ASC, id ASC
    LIMIT 1 BY who) AS f
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
    WHERE versions > 0 AND undone = 0 AND cancelled = 0) GROUP BY who) AS o ON o.who = f.who
    )
  ) AS e
  LEFT JOIN
  (
    SELECT month, tenure, often, lately, count() AS controls, countIf(NOT bought_later) AS gone
    FROM
    (
      SELECT month, toDateTime64(month, 6, 'UTC') AS since, arrayExists(t -> t > since AND t <= since + INTERVAL 180 DAY, orders) AS bought_later,
      multiIf(dateDiff('day', arrayMin(arrayFilter(t -> t <= since, orders)), since) < 90, 0, dateDiff('day', arrayMin(arrayFilter(t -> t <= since, orders)), since) < 365, 1, 2) AS tenure,
      multiIf(arrayCount(t -> t <= since, orders) <= 1, 1, arrayCount(t -> t <= since, orders) <= 2, 2, arrayCount(t -> t <= since, orders) <= 5, 3, 4) AS often,
      toUInt8(dateDiff('day', arrayMax(arrayFilter(t -> t <= since, orders)), since) < 90) AS lately
      FROM (SELECT orders FROM (SELECT who, groupArray(placed_at) AS orders FROM (SELECT who, placed_at, amount, currency
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
    WHERE versions > 0 AND undone = 0 AND cancelled = 0) GROUP BY who) WHERE who NOT IN (SELECT who FROM (
    SELECT if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, groupArray((c.opened_at, toString(c.theme))) AS complaints
    FROM current_cases AS c ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(c.persona)
    WHERE c.workspace = {workspace:String} AND c.complaint = 1
    GROUP BY who
  ))) AS p
      CROSS JOIN (SELECT DISTINCT toStartOfMonth(opened_at) AS month FROM current_cases WHERE workspace = {workspace:String} AND complaint = 1 AND opened_at >= {from:DateTime64(6)} AND opened_at < {to:DateTime64(6)}) AS m
      WHERE arrayExists(t -> t <= toDateTime64(month, 6, 'UTC'), orders)
    )
    GROUP BY month, tenure, often, lately
  ) AS c ON c.month = e.month AND c.tenure = e.tenure AND c.often = e.often AND c.lately = e.lately) WHERE 1)
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
