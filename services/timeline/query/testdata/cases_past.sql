SELECT transform(persona, {personas:Array(UUID)}, {owners:Array(UInt32)}, 0) AS person, case_id, argMin(id, (occurred_at, id)) AS earliest,
  argMaxIf(type, (occurred_at, id), type IN ('case.opened', 'case.resolved', 'case.reopened')) AS latest,
  minIf(occurred_at, type = 'case.opened') AS opened, maxIf(occurred_at, type = 'case.resolved') AS resolved, max(occurred_at) AS contact,
  countIf(type = 'case.opened') > 0 AS has_opened, countIf(type = 'case.resolved') > 0 AS has_resolved
FROM events
WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}
  AND recorded_at <= {recorded:DateTime64(6, 'UTC')}
  AND occurred_at <= {occurred:DateTime64(6, 'UTC')} AND case_id != ''
GROUP BY person, case_id
ORDER BY person, contact DESC, case_id
-- occurred = 2025-06-15T15:06:40Z
-- owners = [0 0 1]
-- personas = [01000000-0000-8000-8000-000000000000 02000000-0000-8000-8000-000000000000 03000000-0000-8000-8000-000000000000]
-- recorded = 2025-10-09T08:53:20Z
-- workspace = main
