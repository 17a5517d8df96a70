SELECT toUInt8(1) AS whole, emptyArrayString() AS keys, countIf(reason = '') AS n, uniqExactIf(profile, reason IN ('', 'open')) AS people,
  countIf(reason = '' AND hit > 0) AS up, countIf(reason = '' AND hit < 0) AS down,
  toString(sumIf(toInt128(value), reason = '')) AS sum, toString(sumIf(toInt128(value) * value, reason = '')) AS squares,
  sumForEachIf(marks, reason = '') AS marks, sumMapIf(map(reason, toUInt64(1)), reason != '') AS reasons,
  arraySort(groupUniqArrayIf(calendar, calendar != '' AND reason IN ('', 'open'))) AS calendars,
  arraySort(groupArrayIf(value, reason = '')) AS over, arraySort(groupArrayIf(value, reason = 'open')) AS open
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile,
  b.at AS at, b.keys AS keys, b.calendar AS calendar, b.reason AS reason, b.hit AS hit, b.value AS value, b.marks AS marks
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, emptyArrayString() AS keys, toString(calendar) AS calendar,
    multiIf(state = 'merged', 'merged', declared = 0, 'undeclared', has(flags, 'resolved_before_opened'), 'bad_times', isNull(first_resolved_at), 'open', 0, '', '') AS reason, toInt8(0) AS hit, toInt64(ifNull(if(isNull(first_resolved_at), toUnixTimestamp64Micro({now:DateTime64(6)}) - toUnixTimestamp64Micro(opened_at), ifNull(resolution_wait, 0)), 0)) AS value, emptyArrayUInt8() AS marks
  FROM (SELECT *, toNullable(opened_at) AS dated FROM (SELECT * FROM current_cases WHERE workspace = {workspace:String}) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)}
) AS b
LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}) AS m ON m.member = b.persona
)
-- from = 2026-01-01T00:00:00Z
-- now = 2026-05-28T20:26:40Z
-- to = 2026-02-01T00:00:00Z
-- workspace = main
SELECT id, event, persona, profile, at, keys, toUInt8(reason = '') AS counts, reason, value / 1000000 AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile,
  b.at AS at, b.keys AS keys, b.calendar AS calendar, b.reason AS reason, b.hit AS hit, b.value AS value, b.marks AS marks
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, emptyArrayString() AS keys, toString(calendar) AS calendar,
    multiIf(state = 'merged', 'merged', declared = 0, 'undeclared', has(flags, 'resolved_before_opened'), 'bad_times', isNull(first_resolved_at), 'open', 0, '', '') AS reason, toInt8(0) AS hit, toInt64(ifNull(if(isNull(first_resolved_at), toUnixTimestamp64Micro({now:DateTime64(6)}) - toUnixTimestamp64Micro(opened_at), ifNull(resolution_wait, 0)), 0)) AS value, emptyArrayUInt8() AS marks
  FROM (SELECT *, toNullable(opened_at) AS dated FROM (SELECT * FROM current_cases WHERE workspace = {workspace:String}) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)}
) AS b
LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}) AS m ON m.member = b.persona
)
WHERE at >= {after:DateTime64(6)} AND keys = {keys:Array(String)}
ORDER BY at ASC, id ASC, reason ASC, value ASC
LIMIT 51
OFFSET 2
-- after = 1970-01-01T00:00:00.000005Z
-- from = 2026-01-01T00:00:00Z
-- keys = [email 2026-01]
-- now = 2026-05-28T20:26:40Z
-- to = 2026-02-01T00:00:00Z
-- workspace = main
