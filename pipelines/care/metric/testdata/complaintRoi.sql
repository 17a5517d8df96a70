SELECT toUInt8(1) AS whole, CAST([], 'Array(String)') AS keys, sum(n) AS n, uniqExactMerge(people) AS people, sum(up) AS up, sum(down) AS down, toString(sum(total)) AS sum, toString(sum(squared)) AS squares, [sum(marked0), sum(marked1), sum(marked2), sum(marked3), sum(marked4), sum(marked5), sum(marked6), sum(marked7)] AS marks, [toString(sum(summed0))] AS sums, mapFilter((reason, rows) -> rows > 0, map('follow_up_ongoing', sum(left1))) AS reasons, CAST([], 'Array(String)') AS calendars, CAST([], 'Array(Int64)') AS over, CAST([], 'Array(Int64)') AS open
FROM
(
SELECT countIf(code = 0) AS n, uniqExactStateIf(profile, code IN (0, 0)) AS people, countIf(code = 0 AND hit > 0) AS up, countIf(code = 0 AND hit < 0) AS down, sumIf(toInt128(value), code = 0) AS total, sumIf(toInt128(value) * value, code = 0) AS squared, countIf(code = 0 AND mark0 = 1) AS marked0, countIf(code = 0 AND mark1 = 1) AS marked1, countIf(code = 0 AND mark2 = 1) AS marked2, countIf(code = 0 AND mark3 = 1) AS marked3, countIf(code = 0 AND mark4 = 1) AS marked4, countIf(code = 0 AND mark5 = 1) AS marked5, countIf(code = 0 AND mark6 = 1) AS marked6, countIf(code = 0 AND mark7 = 1) AS marked7, sumIf(toInt128(sum0), code = 0) AS summed0, countIf(code = 1) AS left1
FROM
(
SELECT b.hit AS hit, b.value AS value, b.mark0 AS mark0, b.mark1 AS mark1, b.mark2 AS mark2, b.mark3 AS mark3, b.mark4 AS mark4, b.mark5 AS mark5, b.mark6 AS mark6, b.mark7 AS mark7, b.sum0 AS sum0, b.at AS at, b.code AS code, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT persona, toUInt8(multiIf(began + INTERVAL 180 DAY > {now:DateTime64(6)}, 1, 0)) AS code, toInt8(if(bought_later, 1, 0)) AS hit, toInt64(ifNull(toInt64(spend * 1000000), 0)) AS value, toUInt8(ifNull(feeling = 'satisfied', 0)) AS mark0, toUInt8(ifNull(feeling = 'mollified', 0)) AS mark1, toUInt8(ifNull(feeling = 'dissatisfied', 0)) AS mark2, toUInt8(ifNull(feeling = '', 0)) AS mark3, toUInt8(ifNull(feeling = 'satisfied' AND bought_later, 0)) AS mark4, toUInt8(ifNull(feeling = 'mollified' AND bought_later, 0)) AS mark5, toUInt8(ifNull(feeling = 'dissatisfied' AND bought_later, 0)) AS mark6, toUInt8(ifNull(feeling = '' AND bought_later, 0)) AS mark7, toInt64(ifNull(toInt64(given * 1000000), 0)) AS sum0, assumeNotNull(dated) AS at
  FROM (SELECT *, toNullable(began) AS dated FROM (SELECT e.*, e.who AS holding, o.bought AS bought, arrayExists(b -> b.1 > began AND b.1 <= began + INTERVAL 180 DAY, bought) AS bought_later,
    arraySum(arrayMap(b -> if(b.1 <= began AND b.1 > began - INTERVAL 1 YEAR AND b.3, b.2, toDecimal128(0, 10)), bought)) AS spend,
    arraySum(arrayMap(x -> if(x.1 >= began AND x.1 < began + INTERVAL 180 DAY, x.2, toDecimal128(0, 10)), g.gifts)) AS given,
    arrayLast(x -> 1, arrayFilter(x -> x.1 > began AND x.1 <= began + INTERVAL 180 DAY, a.answers)).2 AS feeling
  FROM (SELECT if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, c.opened_at AS began,
      c.id AS id, c.persona AS persona, c.theme AS theme, c.channel AS channel, c.team AS team, c.brand AS brand, c.store AS store, c.source AS source,
      c.language AS language, c.country AS country
    FROM current_cases AS c ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(c.persona)
    WHERE c.workspace = {workspace:String} AND c.complaint = 1 AND c.opened_at >= {from:DateTime64(6)} AND c.opened_at < {to:DateTime64(6)}
    ORDER BY began ASC, id ASC
    LIMIT 1 BY who) AS e
  LEFT JOIN
  (
    SELECT who, groupArray((placed_at, ifNull(amount, toDecimal128(0, 10)), currency = {currency:String})) AS bought FROM (SELECT who, placed_at, amount, currency
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
    WHERE versions > 0 AND undone = 0 AND cancelled = 0) GROUP BY who
  ) AS o ON o.who = e.who
  LEFT JOIN
  (
    SELECT if(w.holder = 0, cityHash64(s.persona), w.holder) AS who,
      arraySort(groupArray((assumeNotNull(s.answered_at), multiIf(s.instrument = 'nps' AND s.rating >= 9 OR s.instrument = 'csat' AND s.rating >= 4, 'satisfied', s.instrument = 'nps' AND s.rating >= 7 OR s.instrument = 'csat' AND s.rating >= 3, 'mollified', 'dissatisfied')))) AS answers
    FROM current_surveys AS s ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(s.persona)
    WHERE s.workspace = {workspace:String} AND s.employee = 0 AND isNotNull(s.answered_at) AND isNotNull(s.rating)
      AND (s.instrument = 'nps' AND s.scale_high = 10 OR s.instrument = 'csat' AND s.scale_low = 1 AND s.scale_high = 5)
    GROUP BY who
  ) AS a ON a.who = e.who
  LEFT JOIN
  (
    SELECT if(w.holder = 0, cityHash64(k.persona), w.holder) AS who, groupArray((k.opened_at, k.amount)) AS gifts
    FROM (SELECT *, arraySum(arrayMap((a, c) -> if(c = {currency:String}, a, toDecimal128(0, 10)), gesture_amounts, gesture_currencies)) AS amount
  FROM current_cases WHERE workspace = {workspace:String}) AS k ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(k.persona)
    WHERE k.complaint = 1 AND k.gestures > 0
    GROUP BY who
  ) AS g ON g.who = e.who) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(brand)) AND has({where1:Array(String)}, toString(theme))
) AS b
LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS m ON m.member = b.persona
WHERE 0
)
)
-- currency = EUR
-- from = 2026-01-01T00:00:00Z
-- now = 2026-05-28T20:26:40Z
-- to = 2026-02-01T00:00:00Z
-- where0 = [garance]
-- where1 = [late ]
-- workspace = main
SELECT id, event, persona, profile, at, keys, toUInt8(code = 0) AS counts, ['', 'follow_up_ongoing'][code + 1] AS reason, value / 1000000 AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, b.at AS at, b.keys AS keys, b.code AS code, b.hit AS hit, b.value AS value, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, CAST([], 'Array(String)') AS keys, toUInt8(multiIf(began + INTERVAL 180 DAY > {now:DateTime64(6)}, 1, 0)) AS code, toInt8(if(bought_later, 1, 0)) AS hit, toInt64(ifNull(toInt64(spend * 1000000), 0)) AS value
  FROM (SELECT *, toNullable(began) AS dated FROM (SELECT e.*, e.who AS holding, o.bought AS bought, arrayExists(b -> b.1 > began AND b.1 <= began + INTERVAL 180 DAY, bought) AS bought_later,
    arraySum(arrayMap(b -> if(b.1 <= began AND b.1 > began - INTERVAL 1 YEAR AND b.3, b.2, toDecimal128(0, 10)), bought)) AS spend,
    arraySum(arrayMap(x -> if(x.1 >= began AND x.1 < began + INTERVAL 180 DAY, x.2, toDecimal128(0, 10)), g.gifts)) AS given,
    arrayLast(x -> 1, arrayFilter(x -> x.1 > began AND x.1 <= began + INTERVAL 180 DAY, a.answers)).2 AS feeling
  FROM (SELECT if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, c.opened_at AS began,
      c.id AS id, c.persona AS persona, c.theme AS theme, c.channel AS channel, c.team AS team, c.brand AS brand, c.store AS store, c.source AS source,
      c.language AS language, c.country AS country
    FROM current_cases AS c ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(c.persona)
    WHERE c.workspace = {workspace:String} AND c.complaint = 1 AND c.opened_at >= {from:DateTime64(6)} AND c.opened_at < {to:DateTime64(6)}
    ORDER BY began ASC, id ASC
    LIMIT 1 BY who) AS e
  LEFT JOIN
  (
    SELECT who, groupArray((placed_at, ifNull(amount, toDecimal128(0, 10)), currency = {currency:String})) AS bought FROM (SELECT who, placed_at, amount, currency
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
    WHERE versions > 0 AND undone = 0 AND cancelled = 0) GROUP BY who
  ) AS o ON o.who = e.who
  LEFT JOIN
  (
    SELECT if(w.holder = 0, cityHash64(s.persona), w.holder) AS who,
      arraySort(groupArray((assumeNotNull(s.answered_at), multiIf(s.instrument = 'nps' AND s.rating >= 9 OR s.instrument = 'csat' AND s.rating >= 4, 'satisfied', s.instrument = 'nps' AND s.rating >= 7 OR s.instrument = 'csat' AND s.rating >= 3, 'mollified', 'dissatisfied')))) AS answers
    FROM current_surveys AS s ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(s.persona)
    WHERE s.workspace = {workspace:String} AND s.employee = 0 AND isNotNull(s.answered_at) AND isNotNull(s.rating)
      AND (s.instrument = 'nps' AND s.scale_high = 10 OR s.instrument = 'csat' AND s.scale_low = 1 AND s.scale_high = 5)
    GROUP BY who
  ) AS a ON a.who = e.who
  LEFT JOIN
  (
    SELECT if(w.holder = 0, cityHash64(k.persona), w.holder) AS who, groupArray((k.opened_at, k.amount)) AS gifts
    FROM (SELECT *, arraySum(arrayMap((a, c) -> if(c = {currency:String}, a, toDecimal128(0, 10)), gesture_amounts, gesture_currencies)) AS amount
  FROM current_cases WHERE workspace = {workspace:String}) AS k ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(k.persona)
    WHERE k.complaint = 1 AND k.gestures > 0
    GROUP BY who
  ) AS g ON g.who = e.who) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(brand)) AND has({where1:Array(String)}, toString(theme))
) AS b
LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS m ON m.member = b.persona
WHERE 0
)
WHERE at >= {after:DateTime64(6)} AND keys = {keys:Array(String)}
ORDER BY at ASC, id ASC, reason ASC, value ASC
LIMIT 51
OFFSET 2
-- after = 1970-01-01T00:00:00.000005Z
-- currency = EUR
-- from = 2026-01-01T00:00:00Z
-- keys = [email 2026-01]
-- now = 2026-05-28T20:26:40Z
-- to = 2026-02-01T00:00:00Z
-- where0 = [garance]
-- where1 = [late ]
-- workspace = main
