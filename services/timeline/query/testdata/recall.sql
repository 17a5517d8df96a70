SELECT persona, id, occurred_at, recorded_at, source, channel, type, trust, account_kind, account, identifiers, traits, consents, provenance
FROM events
WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}
  AND type NOT IN {decisions:Array(String)}
  AND recorded_at <= {recorded:DateTime64(6, 'UTC')}
  AND occurred_at <= {occurred:DateTime64(6, 'UTC')}
-- decisions = [identity.linked identity.separated identity.released household.joined]
-- occurred = 2025-06-15T15:06:40Z
-- personas = [01000000-0000-8000-8000-000000000000 02000000-0000-8000-8000-000000000000]
-- recorded = 2025-10-09T08:53:20Z
-- workspace = main
