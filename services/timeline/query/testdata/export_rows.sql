SELECT id, persona, occurred_at, epoch, source, channel, type, actor, trust, account_kind, account, identifiers, traits, consents,
  assertion, conversation, case_id, parent, mention, entity, text, language, rating, rating_scale, amount, currency, name, properties,
  actor_id, retention, received_at, recorded_at, skew, provenance, log_generation, log_partition, log_offset
FROM events
WHERE workspace = {workspace:String} AND occurred_at >= {from:DateTime64(6, 'UTC')} AND occurred_at < {to:DateTime64(6, 'UTC')}
  AND type NOT IN {decisions:Array(String)}
  AND (log_generation < {generation:UInt32} OR log_generation = {generation:UInt32}
    AND log_offset < transform(log_partition, {partitions:Array(Int32)}, {before:Array(Int64)}, toInt64(0)))
  AND startsWith(toString(id), {prefix:String})
-- before = [100 200]
-- decisions = [identity.linked identity.separated identity.released household.joined]
-- from = 2023-11-14T22:13:20Z
-- generation = 2
-- partitions = [0 1]
-- prefix = a7
-- to = 2023-11-15T22:13:20Z
-- workspace = main
