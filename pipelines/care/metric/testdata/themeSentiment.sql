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
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, [toString(said_theme), toString(product)] AS keys, '' AS calendar,
    multiIf(said_polarity = '', 'nothing_to_read', 0, '', '') AS reason, toInt8(multiIf(said_polarity = 'pos', 1, said_polarity = 'neg', -1, 0)) AS hit, toInt64(ifNull(toInt64(0), 0)) AS value, emptyArrayUInt8() AS marks
  FROM (SELECT *, toNullable(occurred_at) AS dated FROM (SELECT *, said.1 AS said_theme, said.2 AS said_polarity
  FROM (SELECT * FROM current_verbatims WHERE workspace = {workspace:String})
  ARRAY JOIN arrayZip(themes, theme_polarities) AS said) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(said_polarity))
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
-- where0 = [neg]
-- workspace = main
SELECT id, event, persona, profile, at, keys, toUInt8(reason = '') AS counts, reason, toFloat64(hit) AS value
FROM
(
SELECT b.id AS id, b.event AS event, b.persona AS persona, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile,
  b.at AS at, b.keys AS keys, b.calendar AS calendar, b.reason AS reason, b.hit AS hit, b.value AS value, b.marks AS marks
FROM
(
  SELECT id, id AS event, persona, assumeNotNull(dated) AS at, [toString(said_theme), toString(product)] AS keys, '' AS calendar,
    multiIf(said_polarity = '', 'nothing_to_read', 0, '', '') AS reason, toInt8(multiIf(said_polarity = 'pos', 1, said_polarity = 'neg', -1, 0)) AS hit, toInt64(ifNull(toInt64(0), 0)) AS value, emptyArrayUInt8() AS marks
  FROM (SELECT *, toNullable(occurred_at) AS dated FROM (SELECT *, said.1 AS said_theme, said.2 AS said_polarity
  FROM (SELECT * FROM current_verbatims WHERE workspace = {workspace:String})
  ARRAY JOIN arrayZip(themes, theme_polarities) AS said) WHERE 1)
  WHERE isNotNull(dated) AND dated >= {from:DateTime64(6)} AND dated < {to:DateTime64(6)} AND has({where0:Array(String)}, toString(said_polarity))
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
-- where0 = [neg]
-- workspace = main
