SELECT toUInt8(grouping(text0) = 1) AS whole, if(whole = 1, CAST([], 'Array(String)'), [text0, text1]) AS keys, sum(n) AS n, uniqExactMerge(people) AS people, sum(up) AS up, sum(down) AS down, toString(sum(total)) AS sum, toString(sum(squared)) AS squares, CAST([], 'Array(UInt64)') AS marks, CAST([], 'Array(String)') AS sums, mapFilter((reason, rows) -> rows > 0, map('never_a_customer', sum(left1), 'follow_up_ongoing', sum(left2))) AS reasons, CAST([], 'Array(String)') AS calendars, if(whole = 1, CAST([], 'Array(Int64)'), CAST([], 'Array(Int64)')) AS over, if(whole = 1, CAST([], 'Array(Int64)'), CAST([], 'Array(Int64)')) AS open
FROM
(
SELECT toString(key0) AS text0, concat(leftPad(toString(intDiv(key1, 100)), 4, '0'), '-', leftPad(toString(modulo(key1, 100)), 2, '0')) AS text1, countIf(code = 0) AS n, uniqExactStateIf(profile, code IN (0, 0)) AS people, countIf(code = 0 AND hit > 0) AS up, countIf(code = 0 AND hit < 0) AS down, sumIf(toInt128(value), code = 0) AS total, sumIf(toInt128(value) * value, code = 0) AS squared, countIf(code = 1) AS left1, countIf(code = 2) AS left2
FROM
(
SELECT b.hit AS hit, b.value AS value, b.key0 AS key0, b.key1 AS key1, b.at AS at, b.code AS code, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT persona, toUInt8(multiIf(NOT bought_before, 1, began + INTERVAL 180 DAY > {now:DateTime64(6)}, 2, 0)) AS code, toInt8(if(bought_later, 0, 1)) AS hit, toInt64(ifNull(toInt64(0), 0)) AS value, channel AS key0, toYYYYMM(at, {zone:String}) AS key1, assumeNotNull(dated) AS at
  FROM (SELECT *, toNullable(began) AS dated FROM (SELECT e.*, e.who AS holding, o.orders AS orders,
    arrayExists(t -> t <= began, orders) AS bought_before, arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, orders) AS bought_later
  FROM
  (
    SELECT if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, c.opened_at AS began,
      c.id AS id, c.persona AS persona, c.theme AS theme, c.channel AS channel, c.team AS team, c.brand AS brand, c.store AS store, c.source AS source,
      c.language AS language, c.country AS country
    FROM current_cases AS c ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(c.persona)
    WHERE c.workspace = {workspace:String} AND c.complaint = 1 AND c.opened_at >= {from:DateTime64(6)} AND c.opened_at < {to:DateTime64(6)}
    ORDER BY began ASC, id ASC
    LIMIT 1 BY who
  ) AS e
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
    WHERE versions > 0 AND undone = 0 AND cancelled = 0) GROUP BY who) AS o ON o.who = e.who) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(brand)) AND has({where1:Array(String)}, toString(theme))
) AS b
LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS m ON m.member = b.persona
WHERE profile IN {profiles:Array(UUID)}
)
GROUP BY key0, key1
)
GROUP BY GROUPING SETS ((text0, text1), ())
ORDER BY whole DESC, keys ASC
LIMIT 2002
-- from = 2026-01-01T00:00:00Z
-- now = 2026-05-28T20:26:40Z
-- profiles = [01000000-0000-0000-0000-000000000000]
-- to = 2026-02-01T00:00:00Z
-- where0 = [garance]
-- where1 = [late ]
-- workspace = main
-- zone = Europe/Paris
SELECT id, event, persona, profile, at, keys, toUInt8(code = 0) AS counts, ['', 'never_a_customer', 'follow_up_ongoing'][code + 1] AS reason, toFloat64(hit) AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, b.at AS at, b.keys AS keys, b.code AS code, b.hit AS hit, b.value AS value, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, [toString(channel), concat(leftPad(toString(intDiv(toYYYYMM(at, {zone:String}), 100)), 4, '0'), '-', leftPad(toString(modulo(toYYYYMM(at, {zone:String}), 100)), 2, '0'))] AS keys, toUInt8(multiIf(NOT bought_before, 1, began + INTERVAL 180 DAY > {now:DateTime64(6)}, 2, 0)) AS code, toInt8(if(bought_later, 0, 1)) AS hit, toInt64(ifNull(toInt64(0), 0)) AS value
  FROM (SELECT *, toNullable(began) AS dated FROM (SELECT e.*, e.who AS holding, o.orders AS orders,
    arrayExists(t -> t <= began, orders) AS bought_before, arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, orders) AS bought_later
  FROM
  (
    SELECT if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, c.opened_at AS began,
      c.id AS id, c.persona AS persona, c.theme AS theme, c.channel AS channel, c.team AS team, c.brand AS brand, c.store AS store, c.source AS source,
      c.language AS language, c.country AS country
    FROM current_cases AS c ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(c.persona)
    WHERE c.workspace = {workspace:String} AND c.complaint = 1 AND c.opened_at >= {from:DateTime64(6)} AND c.opened_at < {to:DateTime64(6)}
    ORDER BY began ASC, id ASC
    LIMIT 1 BY who
  ) AS e
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
    WHERE versions > 0 AND undone = 0 AND cancelled = 0) GROUP BY who) AS o ON o.who = e.who) WHERE 1)
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
-- zone = Europe/Paris
