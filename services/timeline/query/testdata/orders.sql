SELECT person, currency, count(), if(countIf(isNotNull(amount) AND NOT cancelled) = 0, '', toString(sumIf(amount, NOT cancelled))),
  min(placed), max(placed), countIf(cancelled)
FROM
(
  SELECT transform(persona, {personas:Array(UUID)}, {owners:Array(UInt32)}, 0) AS person, source, if(entity = '', toString(id), entity) AS subject,
    minIf(occurred_at, type = 'order.placed') AS placed,
    argMaxIf(currency, (occurred_at, id), type = 'order.placed') AS currency,
    tupleElement(argMaxIf(tuple(amount_value), (occurred_at, id), type = 'order.placed'), 1) AS amount,
    countIf(type != 'order.placed') > 0 OR argMaxIf(arrayExists(p -> lowerUTF8(JSONExtractString(properties, p)) IN {cancelled:Array(String)}, {states:Array(String)}),
      (occurred_at, id), type = 'order.placed') AS cancelled
  FROM events
WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}
    AND (type = 'order.placed' OR type = 'track.performed' AND name = 'Order Cancelled' AND entity != '')
  GROUP BY person, source, subject
  HAVING countIf(type = 'order.placed') > 0
)
GROUP BY person, currency
ORDER BY person, currency
-- cancelled = [canceled cancelled voided refunded annulé annulée annule annulee remboursé remboursée rembourse remboursee]
-- owners = [0 0 1]
-- personas = [01000000-0000-8000-8000-000000000000 02000000-0000-8000-8000-000000000000 03000000-0000-8000-8000-000000000000]
-- states = [status order_status orderStatus statut]
-- workspace = main
