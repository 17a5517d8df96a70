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
  SELECT id, event AS event, persona, assumeNotNull(dated) AS at, [toString(complaint)] AS keys, '' AS calendar,
    multiIf(employee = 1, 'employee', answered = 0, 'no_answer', isNull(rating), 'no_rating', scale_low != 0 OR scale_high != 10 OR isNull(scale_low) OR isNull(scale_high), 'other_scale', 0, '', '') AS reason, toInt8(multiIf(rating >= 9, 1, rating <= 6, -1, 0)) AS hit, toInt64(ifNull(toInt64(ifNull(rating, 0) * 1000000), 0)) AS value, emptyArrayUInt8() AS marks
  FROM (SELECT *, toNullable(answered_at) AS dated FROM (SELECT s.*, toUInt8(s.type != 'survey.sent') AS answered,
    multiIf(empty(c.opened) OR c.opened[1] > s.answered_at, 'none', arrayExists(r -> r <= s.answered_at, c.resolved), 'after_resolution', 'before_resolution') AS complaint
  FROM current_surveys AS s
  LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}) AS w ON w.member = s.persona
  LEFT JOIN
  (
    SELECT if(w.holder = toUUID('00000000-0000-0000-0000-000000000000'), k.persona, w.holder) AS complainant, arraySort(groupArray(k.opened_at)) AS opened,
      groupArrayIf(assumeNotNull(k.first_resolved_at), isNotNull(k.first_resolved_at)) AS resolved
    FROM current_cases AS k LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}) AS w ON w.member = k.persona
    WHERE k.workspace = {workspace:String} AND k.complaint = 1
    GROUP BY complainant
  ) AS c ON c.complainant = if(w.holder = toUUID('00000000-0000-0000-0000-000000000000'), s.persona, w.holder)
  WHERE s.workspace = {workspace:String}) WHERE instrument = 'nps')
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(brand)) AND has({where1:Array(String)}, toString(theme))
) AS b
LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}) AS m ON m.member = b.persona
WHERE has({profiles:Array(UUID)}, profile)
)
GROUP BY GROUPING SETS ((keys), ())
ORDER BY whole DESC, keys ASC
LIMIT 2002
-- from = 2026-01-01T00:00:00Z
-- profiles = [01000000-0000-0000-0000-000000000000]
-- to = 2026-02-01T00:00:00Z
-- where0 = [garance]
-- where1 = [late ]
-- workspace = main
SELECT id, event, persona, profile, at, keys, toUInt8(reason = '') AS counts, reason, toFloat64(hit) AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile,
  b.at AS at, b.keys AS keys, b.calendar AS calendar, b.reason AS reason, b.hit AS hit, b.value AS value, b.marks AS marks
FROM
(
  SELECT id, event AS event, persona, assumeNotNull(dated) AS at, [toString(complaint)] AS keys, '' AS calendar,
    multiIf(employee = 1, 'employee', answered = 0, 'no_answer', isNull(rating), 'no_rating', scale_low != 0 OR scale_high != 10 OR isNull(scale_low) OR isNull(scale_high), 'other_scale', 0, '', '') AS reason, toInt8(multiIf(rating >= 9, 1, rating <= 6, -1, 0)) AS hit, toInt64(ifNull(toInt64(ifNull(rating, 0) * 1000000), 0)) AS value, emptyArrayUInt8() AS marks
  FROM (SELECT *, toNullable(answered_at) AS dated FROM (SELECT s.*, toUInt8(s.type != 'survey.sent') AS answered,
    multiIf(empty(c.opened) OR c.opened[1] > s.answered_at, 'none', arrayExists(r -> r <= s.answered_at, c.resolved), 'after_resolution', 'before_resolution') AS complaint
  FROM current_surveys AS s
  LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}) AS w ON w.member = s.persona
  LEFT JOIN
  (
    SELECT if(w.holder = toUUID('00000000-0000-0000-0000-000000000000'), k.persona, w.holder) AS complainant, arraySort(groupArray(k.opened_at)) AS opened,
      groupArrayIf(assumeNotNull(k.first_resolved_at), isNotNull(k.first_resolved_at)) AS resolved
    FROM current_cases AS k LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}) AS w ON w.member = k.persona
    WHERE k.workspace = {workspace:String} AND k.complaint = 1
    GROUP BY complainant
  ) AS c ON c.complainant = if(w.holder = toUUID('00000000-0000-0000-0000-000000000000'), s.persona, w.holder)
  WHERE s.workspace = {workspace:String}) WHERE instrument = 'nps')
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
-- profiles = [01000000-0000-0000-0000-000000000000]
-- to = 2026-02-01T00:00:00Z
-- where0 = [garance]
-- where1 = [late ]
-- workspace = main
