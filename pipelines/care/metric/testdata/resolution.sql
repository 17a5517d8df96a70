SELECT toUInt8(1) AS whole, CAST([], 'Array(String)') AS keys, sum(n) AS n, uniqExactMerge(people) AS people, sum(up) AS up, sum(down) AS down, '0' AS sum, '0' AS squares, CAST([], 'Array(UInt64)') AS marks, CAST([], 'Array(String)') AS sums, mapFilter((reason, rows) -> rows > 0, map('merged', sum(left1), 'undeclared', sum(left2), 'bad_times', sum(left3), 'open', sum(left4))) AS reasons, arraySort(arrayFilter(c -> c != '', arrayMap(c -> toString(c), groupUniqArrayArray(timings)))) AS calendars, any(overs) AS over, any(opens) AS open
FROM
(
SELECT countIf(code = 0) AS n, uniqExactStateIf(profile, code IN (0, 4)) AS people, countIf(code = 0 AND hit > 0) AS up, countIf(code = 0 AND hit < 0) AS down, countIf(code = 1) AS left1, countIf(code = 2) AS left2, countIf(code = 3) AS left3, countIf(code = 4) AS left4, groupUniqArrayIf(timed, code IN (0, 4)) AS timings, groupArrayIf(value, code = 0) AS overs, groupArrayIf(value, code = 4) AS opens
FROM
(
SELECT b.hit AS hit, b.value AS value, b.timed AS timed, b.at AS at, b.code AS code, if(m.holder = 0, b.person, m.holder) AS profile
FROM
(
  SELECT cityHash64(persona) AS person, toUInt8(multiIf(state = 'merged', 1, declared = 0, 2, has(flags, 'resolved_before_opened'), 3, isNull(first_resolved_at), 4, 0)) AS code, toInt8(0) AS hit, toInt64(ifNull(if(isNull(first_resolved_at), toUnixTimestamp64Micro({now:DateTime64(6)}) - toUnixTimestamp64Micro(opened_at), ifNull(resolution_wait, 0)), 0)) AS value, calendar AS timed, assumeNotNull(dated) AS at
  FROM (SELECT *, toNullable(opened_at) AS dated FROM (SELECT * FROM current_cases WHERE workspace = {workspace:String}) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)}
) AS b
ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS m ON m.member = b.person
)
)
-- from = 2026-01-01T00:00:00Z
-- now = 2026-05-28T20:26:40Z
-- to = 2026-02-01T00:00:00Z
-- workspace = main
SELECT id, event, persona, profile, at, keys, toUInt8(code = 0) AS counts, ['', 'merged', 'undeclared', 'bad_times', 'open'][code + 1] AS reason, value / 1000000 AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, b.at AS at, b.keys AS keys, b.code AS code, b.hit AS hit, b.value AS value, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, CAST([], 'Array(String)') AS keys, toUInt8(multiIf(state = 'merged', 1, declared = 0, 2, has(flags, 'resolved_before_opened'), 3, isNull(first_resolved_at), 4, 0)) AS code, toInt8(0) AS hit, toInt64(ifNull(if(isNull(first_resolved_at), toUnixTimestamp64Micro({now:DateTime64(6)}) - toUnixTimestamp64Micro(opened_at), ifNull(resolution_wait, 0)), 0)) AS value
  FROM (SELECT *, toNullable(opened_at) AS dated FROM (SELECT * FROM current_cases WHERE workspace = {workspace:String}) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)}
) AS b
LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS m ON m.member = b.persona
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
