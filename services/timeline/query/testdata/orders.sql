SELECT person, currency, count(), if(countIf(isNotNull(amount)) = 0, '', toString(sum(amount))), max(at)
FROM
(
  SELECT transform(persona, {personas:Array(UUID)}, {owners:Array(UInt32)}, 0) AS person, source, if(entity = '', toString(id), entity) AS subject, max(occurred_at) AS at,
    argMax(currency, (occurred_at, id)) AS currency, tupleElement(argMax(tuple(amount_value), (occurred_at, id)), 1) AS amount
  FROM events
WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)} AND type = 'order.placed'
  GROUP BY person, source, subject
)
GROUP BY person, currency
ORDER BY person, currency
-- owners = [0 0 1]
-- personas = [01000000-0000-8000-8000-000000000000 02000000-0000-8000-8000-000000000000 03000000-0000-8000-8000-000000000000]
-- workspace = main
