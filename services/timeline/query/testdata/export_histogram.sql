SELECT intDiv(toUnixTimestamp64Micro(occurred_at) - {zero:Int64}, {unit:Int64}) AS slot, count()
FROM events
WHERE workspace = {workspace:String} AND occurred_at >= {from:DateTime64(6, 'UTC')} AND occurred_at < {to:DateTime64(6, 'UTC')}
  AND type NOT IN {decisions:Array(String)}
GROUP BY slot
ORDER BY slot
-- decisions = [identity.linked identity.separated identity.released household.joined]
-- from = 2023-11-14T22:13:20Z
-- to = 2023-11-15T22:13:20Z
-- unit = 86400000000
-- workspace = main
-- zero = -2208988800000000
