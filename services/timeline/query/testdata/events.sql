SELECT toUInt32(0) AS person, id, persona, occurred_at, type, channel, actor, source, actor_id, name, conversation, case_id, parent, mention, entity, text, language, rating, rating_scale, amount, currency, properties
FROM events
WHERE workspace = {workspace:String} AND id IN {ids:Array(UUID)}
ORDER BY occurred_at, id
-- ids = [01000000-0000-8000-8000-000000000000 02000000-0000-8000-8000-000000000000]
-- workspace = main
