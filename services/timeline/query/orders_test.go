package query

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/timeline"
)

// TestOrdersThatStand: an order counts once, on the day of its first version and by its latest one, and for no amount when it was cancelled: in the dossier, in
// what the models are fitted to, and in the view. As it was known at an instant, what came later had not happened.
func TestOrdersThatStand(t *testing.T) {
	const day = schema.Instant(86_400_000_000)
	at := func(days int) schema.Instant { return noon + schema.Instant(days)*day }
	n := 0
	order := func(p byte, days int, id, amount, state string) timeline.Row {
		n++
		return row(n, persona(p), at(days), func(e *schema.Event) {
			e.Type, e.Entity, e.Amount, e.Currency = schema.TypeOrderPlaced, id, amount, "EUR"
			if state != "" {
				e.Properties = fmt.Appendf(nil, `{"order_status":%q}`, state)
			}
		})
	}
	cancelled := func(p byte, days int, id string) timeline.Row {
		n++
		return row(n, persona(p), at(days), func(e *schema.Event) { e.Name, e.Entity = "Order Cancelled", id })
	}
	rows := []timeline.Row{
		order(1, 0, "o1", "10", "created"), order(1, 3, "o1", "12.5", "delivered"), // one order of day 0, for 12.50
		order(1, 1, "o2", "99", ""), order(1, 2, "o2", "99", "Annulée"), // cancelled by its second version
		order(2, 4, "o3", "5", ""), cancelled(2, 6, "o3"), order(2, 7, "o3", "5", ""), // cancelled for good
		order(2, 5, "o4", "2", ""), order(2, 5, "o5", "3", ""), // one day of purchase
		order(3, 5, "o1", "7", "canceled"),                                     // of another person, all cancelled
		cancelled(4, 5, "o9"),                                                  // of an order that nobody placed
		order(4, 0, "o8", "1", "cancelled"), order(4, 1, "o8", "1", "shipped"), // stands again by its latest version
	}
	r := rand.New(rand.NewPCG(6, 6))
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	reader := stored(t, rows)
	err := reader.Conn.Insert(t.Context(), schema.TablePersonaProfile, []string{"workspace", "persona", "profile", "version", "deleted"}, "", nil, func(b *clickhouse.Batch) error {
		return b.Append("main", uuid.UUID(persona(2)), uuid.UUID(persona(1)), uint64(1), uint8(0))
	})
	if err != nil {
		t.Fatal(err)
	}
	people := [][]schema.PersonaID{{persona(1), persona(2)}, {persona(3)}, {persona(4)}, {persona(9)}}
	got, err := reader.Value(t.Context(), "main", people)
	if err != nil {
		t.Fatal(err)
	}
	want := []graphql.Value{
		{Orders: 5, Cancelled: 2, Spent: []graphql.Money{{Amount: "17.50", Currency: "EUR"}}, FirstOrderAt: at(0), LastOrderAt: at(5)},
		{Orders: 1, Cancelled: 1, FirstOrderAt: at(5), LastOrderAt: at(5)}, {Orders: 1, Spent: []graphql.Money{{Amount: "1.00", Currency: "EUR"}}, FirstOrderAt: at(0), LastOrderAt: at(0)}, {},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("value %v, want %v", got, want)
	}
	first := value.DayOf(noon)
	for _, c := range []struct {
		before int
		want   [][]value.Purchase
	}{
		{9, [][]value.Purchase{{{Day: first, Currency: "EUR", Amount: 12.5}, {Day: first + 5, Currency: "EUR", Amount: 5}}, nil, {{Day: first, Currency: "EUR", Amount: 1}}, nil}},
		{2, [][]value.Purchase{{{Day: first, Currency: "EUR", Amount: 10}, {Day: first + 1, Currency: "EUR", Amount: 99}}, nil, {{Day: first, Currency: "EUR", Amount: 1}}, nil}},
	} {
		got, err := reader.Purchases(t.Context(), "main", people, at(c.before))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("before day %d: %v, %v; want %v", c.before, got, err, c.want)
		}
		var all, wanted [][]value.Purchase
		for p, err := range reader.AllPurchases(t.Context(), "main", at(c.before)) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
		}
		for _, p := range c.want {
			if p != nil {
				wanted = append(wanted, p)
			}
		}
		if fmt.Sprint(all) != fmt.Sprint(wanted) {
			t.Errorf("of all before day %d: %v, want %v", c.before, all, wanted)
		}
	}
	view := asked(t, reader, "toString(profile), order_id, toString(dateDiff('day', fromUnixTimestamp64Micro(1750000000000000, 'UTC'), placed_at)), toString(amount), toString(versions), toString(cancelled)] AS row FROM v_orders ORDER BY profile, order_id)")
	one, three, four := persona(1).String(), persona(3).String(), persona(4).String()
	if want := one + " | o1 | 0 | 12.5 | 2 | 0\n" + one + " | o2 | 1 | 99 | 2 | 1\n" + one + " | o3 | 4 | 5 | 2 | 1\n" + one + " | o4 | 5 | 2 | 1 | 0\n" + one + " | o5 | 5 | 3 | 1 | 0\n" +
		three + " | o1 | 5 | 7 | 1 | 1\n" + four + " | o8 | 0 | 1 | 2 | 0"; view != want {
		t.Errorf("v_orders is\n%s\nwant\n%s", view, want)
	}
	// The words of the view are those of the program.
	for _, word := range schema.CancelledStates() {
		if !containsQuoted(schema.Migrations(), word) {
			t.Errorf("v_orders does not know %q", word)
		}
	}
}

func containsQuoted(migrations []schema.Migration, word string) bool {
	for _, m := range migrations {
		if m.Name == schema.ViewOrders && m.Number > 8 {
			return strings.Contains(m.SQL, "'"+word+"'")
		}
	}
	return false
}
