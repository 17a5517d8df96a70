SELECT transform(persona, {personas:Array(UUID)}, {owners:Array(UInt32)}, 0) AS person, id, persona, occurred_at, type, channel, actor, source, actor_id, name, conversation, case_id, parent, mention, entity, text, language, rating, rating_scale, amount, currency, properties
FROM events
WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}
  AND recorded_at <= {recorded:DateTime64(6, 'UTC')}
  AND occurred_at <= {occurred:DateTime64(6, 'UTC')}
ORDER BY person, occurred_at DESC, id DESC
LIMIT {limit:UInt64} BY person
-- limit = 51
-- occurred = 2025-06-15T15:06:40Z
-- owners = [0 0 1]
-- personas = [01000000-0000-8000-8000-000000000000 02000000-0000-8000-8000-000000000000 03000000-0000-8000-8000-000000000000]
-- recorded = 2025-10-09T08:53:20Z
-- workspace = main
