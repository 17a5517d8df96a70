SELECT toUInt8(grouping(text0) = 1) AS whole, if(whole = 1, CAST([], 'Array(String)'), [text0, text1]) AS keys, sum(n) AS n, uniqExactMerge(people) AS people, sum(up) AS up, sum(down) AS down, toString(sum(total)) AS sum, toString(sum(squared)) AS squares, CAST([], 'Array(UInt64)') AS marks, CAST([], 'Array(String)') AS sums, mapFilter((reason, rows) -> rows > 0, map('not_answered', sum(left1), 'too_young', sum(left2))) AS reasons, arraySort(arrayFilter(c -> c != '', arrayMap(c -> toString(c), groupUniqArrayArray(timings)))) AS calendars, if(whole = 1, CAST([], 'Array(Int64)'), CAST([], 'Array(Int64)')) AS over, if(whole = 1, CAST([], 'Array(Int64)'), CAST([], 'Array(Int64)')) AS open
FROM
(
SELECT toString(key0) AS text0, concat(leftPad(toString(intDiv(key1, 100)), 4, '0'), '-', leftPad(toString(modulo(key1, 100)), 2, '0')) AS text1, countIf(code = 0) AS n, uniqExactStateIf(profile, code IN (0, 0)) AS people, countIf(code = 0 AND hit > 0) AS up, countIf(code = 0 AND hit < 0) AS down, sumIf(toInt128(value), code = 0) AS total, sumIf(toInt128(value) * value, code = 0) AS squared, countIf(code = 1) AS left1, countIf(code = 2) AS left2, groupUniqArrayIf(timed, code IN (0, 0)) AS timings
FROM
(
SELECT b.hit AS hit, b.value AS value, b.key0 AS key0, b.key1 AS key1, b.timed AS timed, b.at AS at, b.code AS code, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT persona, toUInt8(multiIf(outcome IN ('abandoned', 'short_abandon', 'voicemail', 'callback', 'open'), 1, first_inbound_at + toIntervalMicrosecond({window:Int64}) > {now:DateTime64(6)}, 2, 0)) AS code, toInt8(if(isNull(next_asked) OR next_asked > asked + {window:Int64}, 1, 0)) AS hit, toInt64(ifNull(ifNull(next_asked - asked, 0), 0)) AS value, channel AS key0, toYYYYMM(at, {zone:String}) AS key1, calendar AS timed, assumeNotNull(dated) AS at
  FROM (SELECT *, toNullable(first_inbound_at) AS dated FROM (SELECT *, leadInFrame(toNullable(asked)) OVER (PARTITION BY matter ORDER BY asked ASC, id ASC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next_asked
  FROM
  (
    SELECT c.*, toUnixTimestamp64Micro(assumeNotNull(c.first_inbound_at)) AS asked, if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, cityHash64(who, theme) AS matter
    FROM (SELECT * FROM current_conversations WHERE workspace = {workspace:String} AND isNotNull(first_inbound_at)) AS c
    ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(c.persona)
  )) WHERE kind != 'bot')
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
-- window = 864000000000
-- workspace = main
-- zone = Europe/Paris
SELECT id, event, persona, profile, at, keys, toUInt8(code = 0) AS counts, ['', 'not_answered', 'too_young'][code + 1] AS reason, toFloat64(hit) AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, b.at AS at, b.keys AS keys, b.code AS code, b.hit AS hit, b.value AS value, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, [toString(channel), concat(leftPad(toString(intDiv(toYYYYMM(at, {zone:String}), 100)), 4, '0'), '-', leftPad(toString(modulo(toYYYYMM(at, {zone:String}), 100)), 2, '0'))] AS keys, toUInt8(multiIf(outcome IN ('abandoned', 'short_abandon', 'voicemail', 'callback', 'open'), 1, first_inbound_at + toIntervalMicrosecond({window:Int64}) > {now:DateTime64(6)}, 2, 0)) AS code, toInt8(if(isNull(next_asked) OR next_asked > asked + {window:Int64}, 1, 0)) AS hit, toInt64(ifNull(ifNull(next_asked - asked, 0), 0)) AS value
  FROM (SELECT *, toNullable(first_inbound_at) AS dated FROM (SELECT *, leadInFrame(toNullable(asked)) OVER (PARTITION BY matter ORDER BY asked ASC, id ASC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next_asked
  FROM
  (
    SELECT c.*, toUnixTimestamp64Micro(assumeNotNull(c.first_inbound_at)) AS asked, if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, cityHash64(who, theme) AS matter
    FROM (SELECT * FROM current_conversations WHERE workspace = {workspace:String} AND isNotNull(first_inbound_at)) AS c
    ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS w ON w.member = cityHash64(c.persona)
  )) WHERE kind != 'bot')
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
-- window = 864000000000
-- workspace = main
-- zone = Europe/Paris
