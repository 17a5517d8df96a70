SELECT toUInt8(grouping(text0) = 1) AS whole, if(whole = 1, CAST([], 'Array(String)'), [text0]) AS keys, sum(n) AS n, uniqExactMerge(people) AS people, sum(up) AS up, sum(down) AS down, toString(sum(total)) AS sum, toString(sum(squared)) AS squares, CAST([], 'Array(UInt64)') AS marks, CAST([], 'Array(String)') AS sums, mapFilter((reason, rows) -> rows > 0, map('employee', sum(left1), 'no_answer', sum(left2), 'no_rating', sum(left3), 'other_scale', sum(left4))) AS reasons, CAST([], 'Array(String)') AS calendars, if(whole = 1, CAST([], 'Array(Int64)'), CAST([], 'Array(Int64)')) AS over, if(whole = 1, CAST([], 'Array(Int64)'), CAST([], 'Array(Int64)')) AS open
FROM
(
SELECT toString(key0) AS text0, countIf(code = 0) AS n, uniqExactStateIf(profile, code IN (0, 0)) AS people, countIf(code = 0 AND hit > 0) AS up, countIf(code = 0 AND hit < 0) AS down, sumIf(toInt128(value), code = 0) AS total, sumIf(toInt128(value) * value, code = 0) AS squared, countIf(code = 1) AS left1, countIf(code = 2) AS left2, countIf(code = 3) AS left3, countIf(code = 4) AS left4
FROM
(
SELECT b.hit AS hit, b.value AS value, b.key0 AS key0, b.at AS at, b.code AS code, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT persona, toUInt8(multiIf(employee = 1, 1, answered = 0, 2, isNull(rating), 3, scale_low != 0 OR scale_high != 10 OR isNull(scale_low) OR isNull(scale_high), 4, 0)) AS code, toInt8(multiIf(rating >= 9, 1, rating <= 6, -1, 0)) AS hit, toInt64(ifNull(toInt64(ifNull(rating, 0) * 1000000), 0)) AS value, complaint AS key0, assumeNotNull(dated) AS at
  FROM (SELECT *, toNullable(answered_at) AS dated FROM (SELECT s.*, toUInt8(s.type != 'survey.sent') AS answered,
    multiIf(empty(c.opened) OR c.opened[1] > s.answered_at, 'none', arrayExists(r -> r <= s.answered_at, c.resolved), 'after_resolution', 'before_resolution') AS complaint
  FROM current_surveys AS s
  ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(s.persona)
  LEFT JOIN
  (
    SELECT if(w.holder = 0, cityHash64(k.persona), w.holder) AS complainant, arraySort(groupArray(k.opened_at)) AS opened,
      groupArrayIf(assumeNotNull(k.first_resolved_at), isNotNull(k.first_resolved_at)) AS resolved
    FROM current_cases AS k ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(k.persona)
    WHERE k.workspace = {workspace:String} AND k.complaint = 1
    GROUP BY complainant
  ) AS c ON c.complainant = if(w.holder = 0, cityHash64(s.persona), w.holder)
  WHERE s.workspace = {workspace:String}) WHERE instrument = 'nps')
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
-- profiles = [01000000-0000-0000-0000-000000000000]
-- to = 2026-02-01T00:00:00Z
-- where0 = [garance]
-- where1 = [late ]
-- workspace = main
SELECT id, event, persona, profile, at, keys, toUInt8(code = 0) AS counts, ['', 'employee', 'no_answer', 'no_rating', 'other_scale'][code + 1] AS reason, toFloat64(hit) AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, b.at AS at, b.keys AS keys, b.code AS code, b.hit AS hit, b.value AS value, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT id, event AS event, persona, assumeNotNull(dated) AS at, [toString(complaint)] AS keys, toUInt8(multiIf(employee = 1, 1, answered = 0, 2, isNull(rating), 3, scale_low != 0 OR scale_high != 10 OR isNull(scale_low) OR isNull(scale_high), 4, 0)) AS code, toInt8(multiIf(rating >= 9, 1, rating <= 6, -1, 0)) AS hit, toInt64(ifNull(toInt64(ifNull(rating, 0) * 1000000), 0)) AS value
  FROM (SELECT *, toNullable(answered_at) AS dated FROM (SELECT s.*, toUInt8(s.type != 'survey.sent') AS answered,
    multiIf(empty(c.opened) OR c.opened[1] > s.answered_at, 'none', arrayExists(r -> r <= s.answered_at, c.resolved), 'after_resolution', 'before_resolution') AS complaint
  FROM current_surveys AS s
  ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(s.persona)
  LEFT JOIN
  (
    SELECT if(w.holder = 0, cityHash64(k.persona), w.holder) AS complainant, arraySort(groupArray(k.opened_at)) AS opened,
      groupArrayIf(assumeNotNull(k.first_resolved_at), isNotNull(k.first_resolved_at)) AS resolved
    FROM current_cases AS k ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(k.persona)
    WHERE k.workspace = {workspace:String} AND k.complaint = 1
    GROUP BY complainant
  ) AS c ON c.complainant = if(w.holder = 0, cityHash64(s.persona), w.holder)
  WHERE s.workspace = {workspace:String}) WHERE instrument = 'nps')
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
-- profiles = [01000000-0000-0000-0000-000000000000]
-- to = 2026-02-01T00:00:00Z
-- where0 = [garance]
-- where1 = [late ]
-- workspace = main
