SELECT toUInt32(0) AS person, id, persona, occurred_at, type, case_id, text, count() OVER () AS total
FROM events
WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}
ORDER BY occurred_at DESC, id DESC
LIMIT {limit:UInt64}
-- limit = 51
-- personas = [01000000-0000-8000-8000-000000000000 02000000-0000-8000-8000-000000000000]
-- workspace = main
