SELECT toUInt8(grouping(text0) = 1) AS whole, if(whole = 1, CAST([], 'Array(String)'), [text0, text1]) AS keys, sum(n) AS n, uniqExactMerge(people) AS people, sum(up) AS up, sum(down) AS down, '0' AS sum, '0' AS squares, CAST([], 'Array(UInt64)') AS marks, CAST([], 'Array(String)') AS sums, mapFilter((reason, rows) -> rows > 0, map('bot_only', sum(left1), 'brand_first', sum(left2), 'no_inbound', sum(left3), 'closed_unanswered', sum(left4), 'not_answered', sum(left5), 'no_reply_needed', sum(left6), 'open', sum(left7))) AS reasons, arraySort(arrayFilter(c -> c != '', arrayMap(c -> toString(c), groupUniqArrayArray(timings)))) AS calendars, if(whole = 1, CAST([], 'Array(Int64)'), any(overs)) AS over, if(whole = 1, CAST([], 'Array(Int64)'), any(opens)) AS open
FROM
(
SELECT toString(key0) AS text0, concat(leftPad(toString(intDiv(key1, 100)), 4, '0'), '-', leftPad(toString(modulo(key1, 100)), 2, '0')) AS text1, countIf(code = 0) AS n, uniqExactStateIf(profile, code IN (0, 7)) AS people, countIf(code = 0 AND hit > 0) AS up, countIf(code = 0 AND hit < 0) AS down, countIf(code = 1) AS left1, countIf(code = 2) AS left2, countIf(code = 3) AS left3, countIf(code = 4) AS left4, countIf(code = 5) AS left5, countIf(code = 6) AS left6, countIf(code = 7) AS left7, groupUniqArrayIf(timed, code IN (0, 7)) AS timings, groupArrayIf(value, code = 0) AS overs, groupArrayIf(value, code = 7) AS opens
FROM
(
SELECT b.hit AS hit, b.value AS value, b.key0 AS key0, b.key1 AS key1, b.timed AS timed, b.at AS at, b.code AS code, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT persona, toUInt8(multiIf(outcome = 'contained' OR kind = 'bot', 1, initiator IN ('agent', 'brand'), 2, isNull(first_inbound_at), 3, outcome = 'closed' AND isNull(first_reply_at), 4, outcome IN ('abandoned', 'short_abandon'), 5, isNull(first_reply_at) AND isNull(waiting_since), 6, isNull(first_reply_at), 7, 0)) AS code, toInt8(0) AS hit, toInt64(ifNull(if(isNull(first_reply_at), toUnixTimestamp64Micro({now:DateTime64(6)}) - toUnixTimestamp64Micro(first_inbound_at), ifNull(first_reply_wait, 0)), 0)) AS value, channel AS key0, toYYYYMM(at, {zone:String}) AS key1, calendar AS timed, assumeNotNull(dated) AS at
  FROM (SELECT *, toNullable(first_reply_at) AS dated FROM (SELECT * FROM current_conversations WHERE workspace = {workspace:String}) WHERE kind NOT IN ('call', 'callback', 'forum'))
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
SELECT id, event, persona, profile, at, keys, toUInt8(code = 0) AS counts, ['', 'bot_only', 'brand_first', 'no_inbound', 'closed_unanswered', 'not_answered', 'no_reply_needed', 'open'][code + 1] AS reason, value / 1000000 AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, b.at AS at, b.keys AS keys, b.code AS code, b.hit AS hit, b.value AS value, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, [toString(channel), concat(leftPad(toString(intDiv(toYYYYMM(at, {zone:String}), 100)), 4, '0'), '-', leftPad(toString(modulo(toYYYYMM(at, {zone:String}), 100)), 2, '0'))] AS keys, toUInt8(multiIf(outcome = 'contained' OR kind = 'bot', 1, initiator IN ('agent', 'brand'), 2, isNull(first_inbound_at), 3, outcome = 'closed' AND isNull(first_reply_at), 4, outcome IN ('abandoned', 'short_abandon'), 5, isNull(first_reply_at) AND isNull(waiting_since), 6, isNull(first_reply_at), 7, 0)) AS code, toInt8(0) AS hit, toInt64(ifNull(if(isNull(first_reply_at), toUnixTimestamp64Micro({now:DateTime64(6)}) - toUnixTimestamp64Micro(first_inbound_at), ifNull(first_reply_wait, 0)), 0)) AS value
  FROM (SELECT *, toNullable(first_reply_at) AS dated FROM (SELECT * FROM current_conversations WHERE workspace = {workspace:String}) WHERE kind NOT IN ('call', 'callback', 'forum'))
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
