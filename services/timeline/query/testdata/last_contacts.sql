SELECT transform(persona, {personas:Array(UUID)}, {owners:Array(UInt32)}, 0) AS person, count(), min(occurred_at), max(occurred_at)
FROM events
WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}
GROUP BY person
ORDER BY person
-- owners = [0 0 1]
-- personas = [01000000-0000-8000-8000-000000000000 02000000-0000-8000-8000-000000000000 03000000-0000-8000-8000-000000000000]
-- workspace = main
