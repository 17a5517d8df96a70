SELECT toUInt8(grouping(keys) = 1) AS whole, keys, countIf(reason = '') AS n, uniqExactIf(profile, reason IN ('', 'open')) AS people,
  countIf(reason = '' AND hit > 0) AS up, countIf(reason = '' AND hit < 0) AS down,
  toString(sumIf(toInt128(value), reason = '')) AS sum, toString(sumIf(toInt128(value) * value, reason = '')) AS squares,
  sumForEachIf(marks, reason = '') AS marks, sumMapIf(map(reason, toUInt64(1)), reason != '') AS reasons,
  arraySort(groupUniqArrayIf(calendar, calendar != '' AND reason IN ('', 'open'))) AS calendars,
  CAST([], 'Array(Int64)') AS over, CAST([], 'Array(Int64)') AS open
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile,
  b.at AS at, b.keys AS keys, b.calendar AS calendar, b.reason AS reason, b.hit AS hit, b.value AS value, b.marks AS marks
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, [toString(channel), formatDateTime(at, '%Y-%m', {zone:String})] AS keys, '' AS calendar,
    multiIf(NOT bought_before, 'never_a_customer', began + INTERVAL 180 DAY > {now:DateTime64(6)}, 'follow_up_ongoing', 0, '', '') AS reason, toInt8(if(bought_later, 0, 1)) AS hit, toInt64(ifNull(toInt64(0), 0)) AS value, emptyArrayUInt8() AS marks
  FROM (SELECT *, toNullable(began) AS dated FROM (SELECT e.*, o.orders AS orders,
    arrayExists(t -> t <= began, orders) AS bought_before, arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, orders) AS bought_later
  FROM
  (
    SELECT if(w.holder = toUUID('00000000-0000-0000-0000-000000000000'), c.persona, w.holder) AS who, c.opened_at AS began,
      c.id AS id, c.persona AS persona, c.theme AS theme, c.channel AS channel, c.team AS team, c.brand AS brand, c.store AS store, c.source AS source,
      c.language AS language, c.country AS country
    FROM current_cases AS c LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}) AS w ON w.member = c.persona
    WHERE c.workspace = {workspace:String} AND c.complaint = 1 AND c.opened_at >= {from:DateTime64(6)} AND c.opened_at < {to:DateTime64(6)}
    ORDER BY began ASC, id ASC
    LIMIT 1 BY who
  ) AS e
  LEFT JOIN (
    SELECT who, groupArray(at) AS orders
    FROM
    (
      SELECT if(w.holder = toUUID('00000000-0000-0000-0000-000000000000'), v.persona, w.holder) AS who, min(v.occurred_at) AS at
      FROM (SELECT persona, occurred_at, source, if(entity = '', toString(id), entity) AS number FROM events WHERE workspace = {workspace:String} AND type = 'order.placed') AS v
      LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}) AS w ON w.member = v.persona
      GROUP BY who, v.source, v.number
    )
    GROUP BY who
  ) AS o ON o.who = e.who) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(brand)) AND has({where1:Array(String)}, toString(theme))
) AS b
LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}) AS m ON m.member = b.persona
WHERE has({profiles:Array(UUID)}, profile)
)
GROUP BY GROUPING SETS ((keys), ())
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
SELECT id, event, persona, profile, at, keys, toUInt8(reason = '') AS counts, reason, toFloat64(hit) AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile,
  b.at AS at, b.keys AS keys, b.calendar AS calendar, b.reason AS reason, b.hit AS hit, b.value AS value, b.marks AS marks
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, [toString(channel), formatDateTime(at, '%Y-%m', {zone:String})] AS keys, '' AS calendar,
    multiIf(NOT bought_before, 'never_a_customer', began + INTERVAL 180 DAY > {now:DateTime64(6)}, 'follow_up_ongoing', 0, '', '') AS reason, toInt8(if(bought_later, 0, 1)) AS hit, toInt64(ifNull(toInt64(0), 0)) AS value, emptyArrayUInt8() AS marks
  FROM (SELECT *, toNullable(began) AS dated FROM (SELECT e.*, o.orders AS orders,
    arrayExists(t -> t <= began, orders) AS bought_before, arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, orders) AS bought_later
  FROM
  (
    SELECT if(w.holder = toUUID('00000000-0000-0000-0000-000000000000'), c.persona, w.holder) AS who, c.opened_at AS began,
      c.id AS id, c.persona AS persona, c.theme AS theme, c.channel AS channel, c.team AS team, c.brand AS brand, c.store AS store, c.source AS source,
      c.language AS language, c.country AS country
    FROM current_cases AS c LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}) AS w ON w.member = c.persona
    WHERE c.workspace = {workspace:String} AND c.complaint = 1 AND c.opened_at >= {from:DateTime64(6)} AND c.opened_at < {to:DateTime64(6)}
    ORDER BY began ASC, id ASC
    LIMIT 1 BY who
  ) AS e
  LEFT JOIN (
    SELECT who, groupArray(at) AS orders
    FROM
    (
      SELECT if(w.holder = toUUID('00000000-0000-0000-0000-000000000000'), v.persona, w.holder) AS who, min(v.occurred_at) AS at
      FROM (SELECT persona, occurred_at, source, if(entity = '', toString(id), entity) AS number FROM events WHERE workspace = {workspace:String} AND type = 'order.placed') AS v
      LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}) AS w ON w.member = v.persona
      GROUP BY who, v.source, v.number
    )
    GROUP BY who
  ) AS o ON o.who = e.who) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(brand)) AND has({where1:Array(String)}, toString(theme))
) AS b
LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}) AS m ON m.member = b.persona
WHERE has({profiles:Array(UUID)}, profile)
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
