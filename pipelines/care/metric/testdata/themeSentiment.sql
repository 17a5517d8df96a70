SELECT toUInt8(grouping(text0) = 1) AS whole, if(whole = 1, CAST([], 'Array(String)'), [text0, text1]) AS keys, sum(n) AS n, uniqExactMerge(people) AS people, sum(up) AS up, sum(down) AS down, toString(sum(total)) AS sum, toString(sum(squared)) AS squares, CAST([], 'Array(UInt64)') AS marks, CAST([], 'Array(String)') AS sums, mapFilter((reason, rows) -> rows > 0, map('nothing_to_read', sum(left1))) AS reasons, CAST([], 'Array(String)') AS calendars, if(whole = 1, CAST([], 'Array(Int64)'), CAST([], 'Array(Int64)')) AS over, if(whole = 1, CAST([], 'Array(Int64)'), CAST([], 'Array(Int64)')) AS open
FROM
(
SELECT toString(key0) AS text0, toString(key1) AS text1, countIf(code = 0) AS n, uniqExactStateIf(profile, code IN (0, 0)) AS people, countIf(code = 0 AND hit > 0) AS up, countIf(code = 0 AND hit < 0) AS down, sumIf(toInt128(value), code = 0) AS total, sumIf(toInt128(value) * value, code = 0) AS squared, countIf(code = 1) AS left1
FROM
(
SELECT b.hit AS hit, b.value AS value, b.key0 AS key0, b.key1 AS key1, b.at AS at, b.code AS code, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT persona, toUInt8(multiIf(said_polarity = '', 1, 0)) AS code, toInt8(multiIf(said_polarity = 'pos', 1, said_polarity = 'neg', -1, 0)) AS hit, toInt64(ifNull(toInt64(0), 0)) AS value, said_theme AS key0, product AS key1, assumeNotNull(dated) AS at
  FROM (SELECT *, toNullable(occurred_at) AS dated FROM (SELECT *, said.1 AS said_theme, said.2 AS said_polarity
  FROM (SELECT * FROM current_verbatims WHERE workspace = {workspace:String})
  ARRAY JOIN arrayZip(themes, theme_polarities) AS said) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(said_polarity))
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
-- profiles = [01000000-0000-0000-0000-000000000000]
-- to = 2026-02-01T00:00:00Z
-- where0 = [neg]
-- workspace = main
SELECT id, event, persona, profile, at, keys, toUInt8(code = 0) AS counts, ['', 'nothing_to_read'][code + 1] AS reason, toFloat64(hit) AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, b.at AS at, b.keys AS keys, b.code AS code, b.hit AS hit, b.value AS value, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, [toString(said_theme), toString(product)] AS keys, toUInt8(multiIf(said_polarity = '', 1, 0)) AS code, toInt8(multiIf(said_polarity = 'pos', 1, said_polarity = 'neg', -1, 0)) AS hit, toInt64(ifNull(toInt64(0), 0)) AS value
  FROM (SELECT *, toNullable(occurred_at) AS dated FROM (SELECT *, said.1 AS said_theme, said.2 AS said_polarity
  FROM (SELECT * FROM current_verbatims WHERE workspace = {workspace:String})
  ARRAY JOIN arrayZip(themes, theme_polarities) AS said) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(said_polarity))
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
-- where0 = [neg]
-- workspace = main
