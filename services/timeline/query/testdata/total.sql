SELECT toUInt32(0) AS person, count()
FROM events
WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}
  AND channel IN {channels:Array(String)}
  AND type IN {types:Array(String)}
  AND occurred_at >= {from:DateTime64(6, 'UTC')}
  AND occurred_at < {to:DateTime64(6, 'UTC')}
GROUP BY person
ORDER BY person
-- channels = [phone email]
-- from = 2023-11-14T22:13:20Z
-- personas = [01000000-0000-8000-8000-000000000000 02000000-0000-8000-8000-000000000000]
-- to = 2027-01-15T08:00:00Z
-- types = [message.received]
-- workspace = main
