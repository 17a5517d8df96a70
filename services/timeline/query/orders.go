package query

import (
	"context"
	"fmt"
	"iter"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// An order is one for a person and a source, however often it was sent: it was placed when its first version was, and its latest version says for how much
// and whether it still stands. It is cancelled for good by Segment's Order Cancelled. The view v_orders says the same.
const (
	orderRows  = "(type = 'order.placed' OR type = 'track.performed' AND name = 'Order Cancelled' AND entity != '')"
	orderNamed = "if(entity = '', toString(id), entity) AS subject"
	orderFacts = `minIf(occurred_at, type = 'order.placed') AS placed,
    argMaxIf(currency, (occurred_at, id), type = 'order.placed') AS currency,
    tupleElement(argMaxIf(tuple(amount_value), (occurred_at, id), type = 'order.placed'), 1) AS amount,
    countIf(type != 'order.placed') > 0 OR argMaxIf(arrayExists(p -> lowerUTF8(JSONExtractString(properties, p)) IN {cancelled:Array(String)}, {states:Array(String)}),
      (occurred_at, id), type = 'order.placed') AS cancelled`
	orderIsPlaced = "HAVING countIf(type = 'order.placed') > 0"
)

// orderParams adds what orderFacts needs.
func orderParams(p clickhouse.Params) clickhouse.Params {
	p["cancelled"], p["states"] = schema.CancelledStates(), schema.OrderStateProperties()
	return p
}

// Orders sums up what several people ordered. An order counts once; amounts are added as decimals, those of cancelled orders are left out.
type Orders struct {
	Workspace string
	People    [][]schema.PersonaID
	Past      Past
}

// Statement gives person, currency, the number of orders, the sum of those that stand as text ("" if no amount is known), when the first and the last were placed, and
// how many were cancelled.
func (q Orders) Statement() Statement {
	s := about(q.Workspace, q.People).then(q.Past)
	orderParams(s.params)
	return s.statement("SELECT person, currency, count(), if(countIf(isNotNull(amount) AND NOT cancelled) = 0, '', toString(sumIf(amount, NOT cancelled))),\n" +
		"  min(placed), max(placed), countIf(cancelled)\n" +
		"FROM\n(\n  SELECT " + s.person + " AS person, source, " + orderNamed + ",\n    " + orderFacts +
		"\n  FROM events" + s.where() + "\n    AND " + orderRows + "\n  GROUP BY person, source, subject\n  " + orderIsPlaced + "\n" +
		")\nGROUP BY person, currency\nORDER BY person, currency")
}

// purchaseColumns give a day of purchase in one currency. An amount that nobody knows is 0.
const purchaseColumns = "toInt32(toDate32(placed)) AS day, currency, ifNull(toFloat64(sum(amount)), 0)"

// Purchases gives the days on which several people bought, by what was known before an instant.
type Purchases struct {
	Workspace string
	People    [][]schema.PersonaID
	Before    schema.Instant
}

// Statement gives person, day since 1970, currency and amount.
func (q Purchases) Statement() Statement {
	s := about(q.Workspace, q.People)
	orderParams(s.params)
	s.params["before"] = bounded(q.Before)
	return s.statement("SELECT person, " + purchaseColumns + "\nFROM\n(\n  SELECT " + s.person + " AS person, source, " + orderNamed + ",\n    " + orderFacts +
		"\n  FROM events" + s.where() + "\n    AND occurred_at < {before:DateTime64(6, 'UTC')} AND " + orderRows +
		"\n  GROUP BY person, source, subject\n  " + orderIsPlaced + "\n)\nWHERE NOT cancelled\nGROUP BY person, day, currency\nORDER BY person, day, currency")
}

// AllPurchases gives the days on which everybody bought, by what was known before an instant. It scans the orders of the workspace, and takes who
// is who from the map.
type AllPurchases struct {
	Workspace string
	Before    schema.Instant
}

// Statement gives profile, day since 1970, currency and amount.
func (q AllPurchases) Statement() Statement {
	params := orderParams(clickhouse.Params{"workspace": q.Workspace, "before": bounded(q.Before)})
	return Statement{"SELECT profile, " + purchaseColumns + "\nFROM\n(\n  SELECT profile, source, " + orderNamed + ",\n    " + orderFacts +
		"\n  FROM v_events\n  WHERE workspace = {workspace:String} AND occurred_at < {before:DateTime64(6, 'UTC')} AND " + orderRows +
		"\n  GROUP BY profile, source, subject\n  " + orderIsPlaced + "\n)\nWHERE NOT cancelled\nGROUP BY profile, day, currency\nORDER BY profile, day, currency", params}
}

// Value sums up the orders of each of several people.
func (r Reader) Value(ctx context.Context, workspace string, people [][]schema.PersonaID) ([]graphql.Value, error) {
	out := make([]graphql.Value, len(people))
	err := r.each(ctx, Orders{workspace, people, r.Past}.Statement(), func(rows *clickhouse.Rows) error {
		var person uint32
		var n, cancelled uint64
		var m graphql.Money
		var first, last schema.Instant
		if err := rows.Scan(&person, &m.Currency, &n, &m.Amount, &first, &last, &cancelled); err != nil {
			return err
		}
		v := &out[person]
		v.Cancelled += int64(cancelled)
		if v.Orders == 0 || first < v.FirstOrderAt {
			v.FirstOrderAt = first
		}
		if v.Orders == 0 || last > v.LastOrderAt {
			v.LastOrderAt = last
		}
		v.Orders += int64(n)
		if m.Amount != "" {
			m.Amount = minorUnits(m.Amount, m.Currency)
			v.Spent = append(v.Spent, m)
		}
		return nil
	})
	return out, err
}

// Purchases gives the days on which each of several people bought.
func (r Reader) Purchases(ctx context.Context, workspace string, people [][]schema.PersonaID, before schema.Instant) ([][]value.Purchase, error) {
	out := make([][]value.Purchase, len(people))
	err := r.each(ctx, Purchases{workspace, people, before}.Statement(), func(rows *clickhouse.Rows) error {
		var person uint32
		var p value.Purchase
		if err := rows.Scan(&person, &p.Day, &p.Currency, &p.Amount); err != nil {
			return err
		}
		out[person] = append(out[person], p)
		return nil
	})
	return out, err
}

// AllPurchases gives the days on which each profile bought, one profile after the other. It scans. The slice is the consumer's. After
// an error it ends.
func (r Reader) AllPurchases(ctx context.Context, workspace string, before schema.Instant) iter.Seq2[[]value.Purchase, error] {
	return func(yield func([]value.Purchase, error) bool) {
		s := AllPurchases{workspace, before}.Statement()
		rows, err := r.Conn.Query(ctx, s.SQL, s.Params, nil)
		if err != nil {
			yield(nil, fmt.Errorf("read all purchases: %w", err))
			return
		}
		defer rows.Close()
		var of uuid.UUID
		var purchases []value.Purchase
		for rows.Next() {
			var profile uuid.UUID
			var p value.Purchase
			if err := rows.Scan(&profile, &p.Day, &p.Currency, &p.Amount); err != nil {
				yield(nil, fmt.Errorf("read all purchases: %w", err))
				return
			}
			if profile != of && len(purchases) > 0 {
				if !yield(purchases, nil) {
					return
				}
				purchases = nil
			}
			of, purchases = profile, append(purchases, p)
		}
		if err := rows.Err(); err != nil {
			yield(nil, fmt.Errorf("read all purchases: %w", err))
			return
		}
		if len(purchases) > 0 {
			yield(purchases, nil)
		}
	}
}
