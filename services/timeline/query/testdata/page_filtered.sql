SELECT toUInt32(0) AS person, id, persona, occurred_at, type, channel, actor, source, actor_id, name, conversation, case_id, parent, mention, entity, text, language, rating, rating_scale, amount, currency, properties
FROM events
WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}
  AND channel IN {channels:Array(String)}
  AND type IN {types:Array(String)}
  AND occurred_at >= {from:DateTime64(6, 'UTC')}
  AND occurred_at < {to:DateTime64(6, 'UTC')}
  AND (occurred_at, id) < ({afterTime:DateTime64(6, 'UTC')}, {afterId:UUID})
ORDER BY occurred_at DESC, id DESC
LIMIT {limit:UInt64}
-- afterId = 09000000-0000-8000-8000-000000000000
-- afterTime = 2025-06-15T15:06:40.000001Z
-- channels = [phone email]
-- from = 2023-11-14T22:13:20Z
-- limit = 21
-- personas = [01000000-0000-8000-8000-000000000000 02000000-0000-8000-8000-000000000000]
-- to = 2027-01-15T08:00:00Z
-- types = [message.received]
-- workspace = main
