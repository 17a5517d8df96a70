SELECT toUInt8(grouping(keys) = 1) AS whole, keys, countIf(reason = '') AS n, uniqExactIf(profile, reason IN ('', 'open')) AS people,
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
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, [toString(channel), formatDateTime(at, '%Y-%m', {zone:String})] AS keys, toString(calendar) AS calendar,
    multiIf(isNull(replied), 'open_hours_unknown', 0, '', '') AS reason, toInt8(0) AS hit, toInt64(ifNull(open_span, 0)) AS value, emptyArrayUInt8() AS marks
  FROM (SELECT *, toNullable(asked) AS dated FROM (SELECT *, stretch.1 AS asked, stretch.2 AS replied, stretch.3 AS due, stretch.4 AS open_span
  FROM (SELECT * FROM current_conversations WHERE workspace = {workspace:String})
  ARRAY JOIN arrayConcat(
    arraySlice(arrayMap((a, r, d, o) -> (a, toNullable(r), if(toUnixTimestamp64Micro(d) = 0, NULL, d), o), asked_at, replied_at, reply_due, reply_open), 2),
    if(isNotNull(waiting_since) AND isNotNull(first_reply_at), [(assumeNotNull(waiting_since), CAST(NULL, 'Nullable(DateTime64(6, \'UTC\'))'), next_reply_due, toInt64(-1))], [])) AS stretch) WHERE kind NOT IN ('call', 'callback', 'forum'))
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
-- zone = Europe/Paris
SELECT id, event, persona, profile, at, keys, toUInt8(reason = '') AS counts, reason, value / 1000000 AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile,
  b.at AS at, b.keys AS keys, b.calendar AS calendar, b.reason AS reason, b.hit AS hit, b.value AS value, b.marks AS marks
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, [toString(channel), formatDateTime(at, '%Y-%m', {zone:String})] AS keys, toString(calendar) AS calendar,
    multiIf(isNull(replied), 'open_hours_unknown', 0, '', '') AS reason, toInt8(0) AS hit, toInt64(ifNull(open_span, 0)) AS value, emptyArrayUInt8() AS marks
  FROM (SELECT *, toNullable(asked) AS dated FROM (SELECT *, stretch.1 AS asked, stretch.2 AS replied, stretch.3 AS due, stretch.4 AS open_span
  FROM (SELECT * FROM current_conversations WHERE workspace = {workspace:String})
  ARRAY JOIN arrayConcat(
    arraySlice(arrayMap((a, r, d, o) -> (a, toNullable(r), if(toUnixTimestamp64Micro(d) = 0, NULL, d), o), asked_at, replied_at, reply_due, reply_open), 2),
    if(isNotNull(waiting_since) AND isNotNull(first_reply_at), [(assumeNotNull(waiting_since), CAST(NULL, 'Nullable(DateTime64(6, \'UTC\'))'), next_reply_due, toInt64(-1))], [])) AS stretch) WHERE kind NOT IN ('call', 'callback', 'forum'))
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
-- zone = Europe/Paris
