SELECT profile, toInt32(toDate32(placed)) AS day, currency, ifNull(toFloat64(sum(amount)), 0)
FROM
(
  SELECT profile, source, if(entity = '', toString(id), entity) AS subject,
    minIf(occurred_at, type = 'order.placed') AS placed,
    argMaxIf(currency, (occurred_at, id), type = 'order.placed') AS currency,
    tupleElement(argMaxIf(tuple(amount_value), (occurred_at, id), type = 'order.placed'), 1) AS amount,
    countIf(type != 'order.placed') > 0 OR argMaxIf(arrayExists(p -> lowerUTF8(JSONExtractString(properties, p)) IN {cancelled:Array(String)}, {states:Array(String)}),
      (occurred_at, id), type = 'order.placed') AS cancelled
  FROM v_events
  WHERE workspace = {workspace:String} AND occurred_at < {before:DateTime64(6, 'UTC')} AND (type = 'order.placed' OR type = 'track.performed' AND name = 'Order Cancelled' AND entity != '')
  GROUP BY profile, source, subject
  HAVING countIf(type = 'order.placed') > 0
)
WHERE NOT cancelled
GROUP BY profile, day, currency
ORDER BY profile, day, currency
-- before = 2025-06-15T15:06:40Z
-- cancelled = [canceled cancelled voided refunded annulé annulée annule annulee remboursé remboursée rembourse remboursee]
-- states = [status order_status orderStatus statut]
-- workspace = main
