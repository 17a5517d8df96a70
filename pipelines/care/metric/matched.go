package metric

// spent are cases with what was given in them, in the query's currency.
var spent = subject{
	name: "case", event: "id",
	from: `SELECT *, arraySum(arrayMap((a, c) -> if(c = {currency}, a, toDecimal128(0, 10)), gesture_amounts, gesture_currencies)) AS amount
  FROM current_cases WHERE workspace = {workspace:String}`,
	dimensions: cases.dimensions,
}

// kept are the same cases, by what all terms of a relationship's return have.
var kept = subject{name: "case", event: "id", from: spent.from, dimensions: attributes(nil)}

// public are cases that began in public, each with what became of private cases of the same theme in the period: controls of them, of which so many were
// answered within four hours and had a gesture. peers are the public cases of the theme.
var public = subject{
	name: "case", event: "id",
	from: `SELECT *, if(controls = 0, 0., answered / controls) AS expected
  FROM
  (
    SELECT *, countIf(compared) OVER theme_of AS controls, countIf(compared AND quick = 1) OVER theme_of AS answered, countIf(compared AND gestures > 0) OVER theme_of AS given,
      countIf(is_public = 1) OVER theme_of AS peers
    FROM
    (
      SELECT *, toUInt8(channel IN ('social', 'review', 'forum')) AS is_public, toInt8(ifNull(first_reply_wait <= 14400000000, 0)) AS quick,
        is_public = 0 AND state != 'merged' AND isNotNull(first_inbound_at) AND (isNotNull(first_reply_wait) OR first_inbound_at <= {now} - INTERVAL 4 HOUR) AS compared
      FROM current_cases
      WHERE workspace = {workspace:String} AND opened_at >= {from:DateTime64(6)} AND opened_at < {to:DateTime64(6)}
    )
    WINDOW theme_of AS (PARTITION BY theme)
  )`,
	dimensions: cases.dimensions,
}

// firstComplaints are people by their first complaint in the period.
const firstComplaints = `SELECT if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, c.opened_at AS began,
      c.id AS id, c.persona AS persona, c.theme AS theme, c.channel AS channel, c.team AS team, c.brand AS brand, c.store AS store, c.source AS source,
      c.language AS language, c.country AS country
    FROM current_cases AS c ANY LEFT JOIN ({hashed}) AS w ON w.member = cityHash64(c.persona)
    WHERE c.workspace = {workspace:String} AND c.complaint = 1 AND c.opened_at >= {from:DateTime64(6)} AND c.opened_at < {to:DateTime64(6)}
    ORDER BY began ASC, id ASC
    LIMIT 1 BY who`

// The strata of who is like whom: by tenure, number of orders and last order, as they are at an instant. stratumAt is for the array orders.
func stratumAt(at string) string {
	return `multiIf(dateDiff('day', arrayMin(arrayFilter(t -> t <= ` + at + `, orders)), ` + at + `) < 90, 0, dateDiff('day', arrayMin(arrayFilter(t -> t <= ` + at + `, orders)), ` + at + `) < 365, 1, 2) AS tenure,
      multiIf(arrayCount(t -> t <= ` + at + `, orders) <= 1, 1, arrayCount(t -> t <= ` + at + `, orders) <= 2, 2, arrayCount(t -> t <= ` + at + `, orders) <= 5, 3, 4) AS often,
      toUInt8(dateDiff('day', arrayMax(arrayFilter(t -> t <= ` + at + `, orders)), ` + at + `) < 90) AS lately`
}

// matched are complainants beside customers who never complained and were like them on the first day of the month of the complaint: controls of them, of which
// the share expected ordered nothing for 180 days. peers are the complainants of the stratum.
var matched = subject{
	name: "person", event: "id", who: "holding",
	from: `SELECT e.*, e.who AS holding, c.controls AS controls, if(c.controls = 0, 0., c.gone / c.controls) AS expected
  FROM
  (
    SELECT *, count() OVER (PARTITION BY month, tenure, often, lately) AS peers
    FROM
    (
      SELECT f.*, o.orders AS orders, toStartOfMonth(began) AS month,
      arrayExists(t -> t <= began, orders) AS bought_before, arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, orders) AS bought_later,
      ` + stratumAt("began") + `
      FROM (` + firstComplaints + `) AS f
      LEFT JOIN ` + ordersByPerson + ` AS o ON o.who = f.who
    )
  ) AS e
  LEFT JOIN
  (
    SELECT month, tenure, often, lately, count() AS controls, countIf(NOT bought_later) AS gone
    FROM
    (
      SELECT month, toDateTime64(month, 6, 'UTC') AS since, arrayExists(t -> t > since AND t <= since + INTERVAL 180 DAY, orders) AS bought_later,
      ` + stratumAt("since") + `
      FROM (SELECT orders FROM ` + ordersByPerson + ` WHERE who NOT IN (SELECT who FROM ` + complaintsByPerson + `)) AS p
      CROSS JOIN (SELECT DISTINCT toStartOfMonth(opened_at) AS month FROM current_cases WHERE workspace = {workspace:String} AND complaint = 1 AND opened_at >= {from:DateTime64(6)} AND opened_at < {to:DateTime64(6)}) AS m
      WHERE arrayExists(t -> t <= toDateTime64(month, 6, 'UTC'), orders)
    )
    GROUP BY month, tenure, often, lately
  ) AS c ON c.month = e.month AND c.tenure = e.tenure AND c.often = e.often AND c.lately = e.lately`,
	dimensions: attributes(nil),
}

// stakes are complainants with what they ordered in the year before the period's end, and what everybody did.
var stakes = subject{
	name: "person", event: "id", who: "holding",
	from: `SELECT e.*, e.who AS holding, o.spend AS spend, (SELECT ifNull(sum(amount), toDecimal128(0, 10)) FROM (` + ordersOfTheYear + `)) AS all_spend
  FROM (` + firstComplaints + `) AS e
  LEFT JOIN (SELECT who, sum(amount) AS spend FROM (` + ordersOfTheYear + `) GROUP BY who) AS o ON o.who = e.who`,
	dimensions: attributes(nil),
}

// ordersOfTheYear are the orders that stand, in the query's currency, of the year before the period's end or, if it is open, before now.
const ordersOfTheYear = `SELECT who, assumeNotNull(amount) AS amount FROM (` + standing + `)
    WHERE isNotNull(amount) AND currency = {currency} AND placed_at < least({to:DateTime64(6)}, {now}) AND placed_at >= least({to:DateTime64(6)}, {now}) - INTERVAL 1 YEAR`

// standing are the orders that stand, as v_orders has them, by whom and with what figures need alone: placed when their first version was, and as the latest has
// them. Whether a version is cancelled is said of each while it is read, so that no properties are carried on.
const standing = `SELECT who, placed_at, amount, currency
    FROM
    (
      SELECT if(w.holder = 0, v.person, w.holder) AS who, v.source AS source, v.number AS number, minIf(v.occurred_at, v.placed) AS placed_at,
        tupleElement(argMaxIf(tuple(v.amount_value), (v.occurred_at, v.id), v.placed), 1) AS amount, argMaxIf(v.currency, (v.occurred_at, v.id), v.placed) AS currency,
        argMaxIf(v.cancelled, (v.occurred_at, v.id), v.placed) AS cancelled, countIf(v.placed) AS versions, countIf(NOT v.placed) AS undone
      FROM
      (
        SELECT cityHash64(persona) AS person, occurred_at, id, source, if(entity = '', toString(id), entity) AS number, type = 'order.placed' AS placed, amount_value, currency,
          ` + saysCancelled + ` AS cancelled
        FROM events WHERE workspace = {workspace:String} AND (type = 'order.placed' OR type = 'track.performed' AND name = 'Order Cancelled' AND entity != '')
      ) AS v
      ANY LEFT JOIN ({hashed}) AS w ON w.member = v.person
      GROUP BY who, source, number
    )
    WHERE versions > 0 AND undone = 0 AND cancelled = 0`

// saysCancelled says whether an order's properties call it cancelled. The words are those of CancelledStates; most properties have none of their stems, which costs
// less to see than to read JSON.
const saysCancelled = `toUInt8(multiSearchAnyCaseInsensitive(properties, ['cancel', 'void', 'refund', 'annul', 'rembours'])
            AND arrayExists(p -> lowerUTF8(JSONExtractString(properties, p)) IN ('canceled', 'cancelled', 'voided', 'refunded',
              'annulé', 'annulée', 'annule', 'annulee', 'remboursé', 'remboursée', 'rembourse', 'remboursee'), ['status', 'order_status', 'orderStatus', 'statut']))`

// outcomes are complainants with what they felt after it, whether they bought again, what they had bought in the year before it, and what was given to them.
// The last answer to NPS or CSAT within 180 days says what they felt; who answered nothing is told apart.
var outcomes = subject{
	name: "person", event: "id", who: "holding",
	from: `SELECT e.*, e.who AS holding, o.bought AS bought, arrayExists(b -> b.1 > began AND b.1 <= began + INTERVAL 180 DAY, bought) AS bought_later,
    arraySum(arrayMap(b -> if(b.1 <= began AND b.1 > began - INTERVAL 1 YEAR AND b.3, b.2, toDecimal128(0, 10)), bought)) AS spend,
    arraySum(arrayMap(x -> if(x.1 >= began AND x.1 < began + INTERVAL 180 DAY, x.2, toDecimal128(0, 10)), g.gifts)) AS given,
    arrayLast(x -> 1, arrayFilter(x -> x.1 > began AND x.1 <= began + INTERVAL 180 DAY, a.answers)).2 AS feeling
  FROM (` + firstComplaints + `) AS e
  LEFT JOIN
  (
    SELECT who, groupArray((placed_at, ifNull(amount, toDecimal128(0, 10)), currency = {currency})) AS bought FROM (` + standing + `) GROUP BY who
  ) AS o ON o.who = e.who
  LEFT JOIN
  (
    SELECT if(w.holder = 0, cityHash64(s.persona), w.holder) AS who,
      arraySort(groupArray((assumeNotNull(s.answered_at), multiIf(` + happyAgain + `, 'satisfied', ` + mollified + `, 'mollified', 'dissatisfied')))) AS answers
    FROM current_surveys AS s ANY LEFT JOIN ({hashed}) AS w ON w.member = cityHash64(s.persona)
    WHERE s.workspace = {workspace:String} AND s.employee = 0 AND isNotNull(s.answered_at) AND isNotNull(s.rating)
      AND (s.instrument = 'nps' AND s.scale_high = 10 OR s.instrument = 'csat' AND s.scale_low = 1 AND s.scale_high = 5)
    GROUP BY who
  ) AS a ON a.who = e.who
  LEFT JOIN
  (
    SELECT if(w.holder = 0, cityHash64(k.persona), w.holder) AS who, groupArray((k.opened_at, k.amount)) AS gifts
    FROM (` + spentOf + `) AS k ANY LEFT JOIN ({hashed}) AS w ON w.member = cityHash64(k.persona)
    WHERE k.complaint = 1 AND k.gestures > 0
    GROUP BY who
  ) AS g ON g.who = e.who`,
	dimensions: attributes(nil),
}

const (
	happyAgain = "s.instrument = 'nps' AND s.rating >= 9 OR s.instrument = 'csat' AND s.rating >= 4"
	mollified  = "s.instrument = 'nps' AND s.rating >= 7 OR s.instrument = 'csat' AND s.rating >= 3"
)

var spentOf = spent.from

// deliveries are orders with the promise of their latest version and the time of their first delivery.
var deliveries = subject{
	name: "order", event: "id",
	from: `SELECT *, parseDateTime64BestEffortOrNull(arrayFirst(x -> x != '', arrayMap(p -> JSONExtractString(said, p), ` + promiseNames + `)), 6, 'UTC') AS stated,
    if(toUnixTimestamp64Micro(stated) % 86400000000 = 0, stated + toIntervalMicrosecond(86399999999), stated) AS promised,
    arrayExists(p -> lowerUTF8(JSONExtractString(said, p)) IN ('canceled', 'cancelled', 'voided', 'refunded', 'annulé', 'annulée', 'annule', 'annulee', 'remboursé', 'remboursée', 'rembourse', 'remboursee'),
      ['status', 'order_status', 'orderStatus', 'statut']) AS cancelled
  FROM
  (
    SELECT e.source AS source, e.entity AS entity, argMinIf(e.id, (e.occurred_at, e.id), e.type = 'order.placed') AS id, argMinIf(e.persona, (e.occurred_at, e.id), e.type = 'order.placed') AS persona,
      argMinIf(e.channel, (e.occurred_at, e.id), e.type = 'order.placed') AS channel, minIf(e.occurred_at, e.type = 'order.placed') AS placed,
      argMaxIf(e.properties, (e.occurred_at, e.id), e.type = 'order.placed') AS said, minIfOrNull(e.occurred_at, e.type = 'order.delivered') AS delivered
    FROM events AS e WHERE e.workspace = {workspace:String} AND e.type IN ('order.placed', 'order.delivered') AND e.entity != ''
    GROUP BY source, entity
    HAVING countIf(e.type = 'order.placed') > 0
  )`,
	dimensions: map[Dimension]string{Channel: "channel", Source: "source"},
}

// promiseNames are the members of an order's properties that promise a date, the first that is there counts.
const promiseNames = "['promised_at', 'promised_delivery_date', 'estimated_delivery_date', 'estimatedDeliveryDate', 'order_estimated_delivery_date']"
