SELECT toUInt8(grouping(text0) = 1) AS whole, if(whole = 1, CAST([], 'Array(String)'), [text0, text1]) AS keys, sum(n) AS n, uniqExactMerge(people) AS people, sum(up) AS up, sum(down) AS down, toString(sum(total)) AS sum, toString(sum(squared)) AS squares, CAST([], 'Array(UInt64)') AS marks, CAST([], 'Array(String)') AS sums, mapFilter((reason, rows) -> rows > 0, map('merged', sum(left1), 'other_currency', sum(left2))) AS reasons, arraySort(arrayFilter(c -> c != '', arrayMap(c -> toString(c), groupUniqArrayArray(timings)))) AS calendars, if(whole = 1, CAST([], 'Array(Int64)'), CAST([], 'Array(Int64)')) AS over, if(whole = 1, CAST([], 'Array(Int64)'), CAST([], 'Array(Int64)')) AS open
FROM
(
SELECT toString(key0) AS text0, concat(leftPad(toString(intDiv(key1, 100)), 4, '0'), '-', leftPad(toString(modulo(key1, 100)), 2, '0')) AS text1, countIf(code = 0) AS n, uniqExactStateIf(profile, code IN (0, 0)) AS people, countIf(code = 0 AND hit > 0) AS up, countIf(code = 0 AND hit < 0) AS down, sumIf(toInt128(value), code = 0) AS total, sumIf(toInt128(value) * value, code = 0) AS squared, countIf(code = 1) AS left1, countIf(code = 2) AS left2, groupUniqArrayIf(timed, code IN (0, 0)) AS timings
FROM
(
SELECT b.hit AS hit, b.value AS value, b.key0 AS key0, b.key1 AS key1, b.timed AS timed, b.at AS at, b.code AS code, if(m.holder = 0, b.person, m.holder) AS profile
FROM
(
  SELECT cityHash64(persona) AS person, toUInt8(multiIf(state = 'merged', 1, NOT has(gesture_currencies, {currency:String}), 2, 0)) AS code, toInt8(0) AS hit, toInt64(ifNull(toInt64(amount * 1000000), 0)) AS value, channel AS key0, toYYYYMM(at, {zone:String}) AS key1, calendar AS timed, assumeNotNull(dated) AS at
  FROM (SELECT *, toNullable(opened_at) AS dated FROM (SELECT *, arraySum(arrayMap((a, c) -> if(c = {currency:String}, a, toDecimal128(0, 10)), gesture_amounts, gesture_currencies)) AS amount
  FROM current_cases WHERE workspace = {workspace:String}) WHERE gestures > 0)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(brand)) AND has({where1:Array(String)}, toString(theme))
) AS b
ANY LEFT JOIN (SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS m ON m.member = b.person
)
GROUP BY key0, key1
)
GROUP BY GROUPING SETS ((text0, text1), ())
ORDER BY whole DESC, keys ASC
LIMIT 2002
-- currency = CHF
-- from = 2026-01-01T00:00:00Z
-- to = 2026-02-01T00:00:00Z
-- where0 = [garance]
-- where1 = [late ]
-- workspace = main
-- zone = Europe/Paris
SELECT id, event, persona, profile, at, keys, toUInt8(code = 0) AS counts, ['', 'merged', 'other_currency'][code + 1] AS reason, value / 1000000 AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, b.at AS at, b.keys AS keys, b.code AS code, b.hit AS hit, b.value AS value, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, [toString(channel), concat(leftPad(toString(intDiv(toYYYYMM(at, {zone:String}), 100)), 4, '0'), '-', leftPad(toString(modulo(toYYYYMM(at, {zone:String}), 100)), 2, '0'))] AS keys, toUInt8(multiIf(state = 'merged', 1, NOT has(gesture_currencies, {currency:String}), 2, 0)) AS code, toInt8(0) AS hit, toInt64(ifNull(toInt64(amount * 1000000), 0)) AS value
  FROM (SELECT *, toNullable(opened_at) AS dated FROM (SELECT *, arraySum(arrayMap((a, c) -> if(c = {currency:String}, a, toDecimal128(0, 10)), gesture_amounts, gesture_currencies)) AS amount
  FROM current_cases WHERE workspace = {workspace:String}) WHERE gestures > 0)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(brand)) AND has({where1:Array(String)}, toString(theme))
) AS b
LEFT JOIN (SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona) AS m ON m.member = b.persona
)
WHERE at >= {after:DateTime64(6)} AND keys = {keys:Array(String)}
ORDER BY at ASC, id ASC, reason ASC, value ASC
LIMIT 51
OFFSET 2
-- after = 1970-01-01T00:00:00.000005Z
-- currency = CHF
-- from = 2026-01-01T00:00:00Z
-- keys = [email 2026-01]
-- to = 2026-02-01T00:00:00Z
-- where0 = [garance]
-- where1 = [late ]
-- workspace = main
-- zone = Europe/Paris
