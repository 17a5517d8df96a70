SELECT t.persona, e.text, t.language, ''
FROM
(
  SELECT id, persona, language, correction FROM current_verbatims
  WHERE workspace = {workspace:String} AND correction = toUUID('00000000-0000-0000-0000-000000000000')
  ORDER BY occurred_at DESC, id LIMIT {limit:UInt32}
) AS t
INNER JOIN
(
  SELECT id, text FROM events
  WHERE workspace = {workspace:String} AND text != '' AND persona IN (SELECT persona FROM (SELECT id, persona, language, correction FROM current_verbatims
  WHERE workspace = {workspace:String} AND correction = toUUID('00000000-0000-0000-0000-000000000000')
  ORDER BY occurred_at DESC, id LIMIT {limit:UInt32}))
) AS e ON e.id = t.id
ORDER BY t.id
-- limit = 3000
-- workspace = main
