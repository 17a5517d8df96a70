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
    multiIf(outcome = 'contained' OR kind = 'bot', 'bot_only', initiator IN ('agent', 'brand'), 'brand_first', isNull(first_inbound_at), 'no_inbound', outcome = 'closed', 'closed_unanswered', outcome IN ('abandoned', 'short_abandon'), 'not_answered', isNull(first_reply_at) AND isNull(waiting_since), 'no_reply_needed', isNull(first_reply_at), 'open', 0, '', '') AS reason, toInt8(0) AS hit, toInt64(ifNull(if(isNull(first_reply_at), toUnixTimestamp64Micro({now:DateTime64(6)}) - toUnixTimestamp64Micro(first_inbound_at), ifNull(first_reply_wait, 0)), 0)) AS value, emptyArrayUInt8() AS marks
  FROM (SELECT *, toNullable(first_reply_at) AS dated FROM (SELECT * FROM current_conversations WHERE workspace = {workspace:String}) WHERE kind NOT IN ('call', 'callback', 'forum'))
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
SELECT id, event, persona, profile, at, keys, toUInt8(reason = '') AS counts, reason, value / 1000000 AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile,
  b.at AS at, b.keys AS keys, b.calendar AS calendar, b.reason AS reason, b.hit AS hit, b.value AS value, b.marks AS marks
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, [toString(channel), formatDateTime(at, '%Y-%m', {zone:String})] AS keys, toString(calendar) AS calendar,
    multiIf(outcome = 'contained' OR kind = 'bot', 'bot_only', initiator IN ('agent', 'brand'), 'brand_first', isNull(first_inbound_at), 'no_inbound', outcome = 'closed', 'closed_unanswered', outcome IN ('abandoned', 'short_abandon'), 'not_answered', isNull(first_reply_at) AND isNull(waiting_since), 'no_reply_needed', isNull(first_reply_at), 'open', 0, '', '') AS reason, toInt8(0) AS hit, toInt64(ifNull(if(isNull(first_reply_at), toUnixTimestamp64Micro({now:DateTime64(6)}) - toUnixTimestamp64Micro(first_inbound_at), ifNull(first_reply_wait, 0)), 0)) AS value, emptyArrayUInt8() AS marks
  FROM (SELECT *, toNullable(first_reply_at) AS dated FROM (SELECT * FROM current_conversations WHERE workspace = {workspace:String}) WHERE kind NOT IN ('call', 'callback', 'forum'))
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
