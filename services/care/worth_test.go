package care

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

// What a customer is worth moves a case among those that are not late, is told with the snapshot that says so, counts what all personas of the person bought, and
// lifts nobody over who waits too long. Without a snapshot it says nothing.
func TestWorth(t *testing.T) {
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	now := schema.Instant(1_772_442_000_000_000)
	days := func(n, amount int) (all []value.Purchase) {
		for i := range n {
			all = append(all, value.Purchase{Day: value.DayOf(now) - int32(20*i) - 10, Currency: "EUR", Amount: float64(amount)})
		}
		return all
	}
	var everybody [][]value.Purchase
	for n := range 200 {
		everybody = append(everybody, days(1+n%10, 10+n/2))
	}
	snapshot, err := value.Take(value.Settings{At: now.String(), Horizon: 365, Margin: .3, Discount: .1}, slices.Values(everybody))
	if err != nil {
		t.Fatal(err)
	}
	id := func(n byte) schema.ProfileID { return schema.ProfileID{6: 0x80, 8: 0x80, 15: n} }
	rich, card, poor, late := id(1), id(2), id(3), id(4) // what the rich one buys is on the card
	for n, c := range []struct {
		persona schema.ProfileID
		waits   int64 // hours of the 24 allowed
	}{{poor, 6}, {rich, 6}, {late, 30}} {
		asked := int64(now) - c.waits*3_600_000_000
		err := conn.Exec(t.Context(), fmt.Sprintf(`INSERT INTO cases (workspace, id, version, persona, personas, state, opened_at, waiting_since, next_reply_due, criticality) VALUES
('main', '%s', 1, '%s', ['%s'], 'open', fromUnixTimestamp64Micro(%d), fromUnixTimestamp64Micro(%d), fromUnixTimestamp64Micro(%d), .3)`, id(byte(11+n)), c.persona, c.persona, asked, asked, asked+24*3_600_000_000), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []schema.ProfileID{rich, card} {
		if err := conn.Exec(t.Context(), fmt.Sprintf("INSERT INTO persona_profile (workspace, persona, profile, version, deleted) VALUES ('main', '%s', '%s', 1, 0)", p, rich), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	bought := map[schema.ProfileID][]value.Purchase{card: days(10, 108), poor: days(2, 11), late: days(10, 109)}
	taken := snapshot
	worth := &Worth{
		Conn: conn, Now: time.Now,
		Latest: func(string) (*value.Snapshot, string, error) {
			if taken == nil {
				return nil, "", nil
			}
			return taken, taken.Version(), nil
		},
		Purchases: func(_ context.Context, _ string, people [][]schema.PersonaID, _ schema.Instant) ([][]value.Purchase, error) {
			out := make([][]value.Purchase, len(people))
			for i, personas := range people {
				for _, p := range personas {
					out[i] = append(out[i], bought[p]...)
				}
			}
			return out, nil
		},
	}
	rules := care.DefaultRules()
	reader := Reader{Conn: conn, Rules: func() *care.Rules { return rules }, Now: now.Time, Openings: NewOpenings(conn, time.Now, worth)}
	const want = "late lane 1 more than half true; rich lane 2 more than half true; poor lane 2 more than half false; "
	var told string
	for range 500 { // who is not read yet is worth nothing, and the order may be of a moment before
		list, _, _, err := reader.Inbox(t.Context(), "main", nil, now, 0, 10)
		if err != nil || len(list) != 3 {
			t.Fatalf("%d cases, %v", len(list), err)
		}
		told = ""
		for _, w := range list {
			if w.ValueSnapshot != "" && w.ValueSnapshot != snapshot.Version() {
				t.Fatalf("the value is told by %q", w.ValueSnapshot)
			}
			if w.ValueSnapshot == "" {
				told = "not read yet"
				break
			}
			name := map[schema.ProfileID]string{rich: "rich", poor: "poor", late: "late"}[w.Profile]
			told += fmt.Sprintf("%s lane %d more than half %v; ", name, w.Priority.Lane, w.Priority.Value > .5)
			// .55 × .3 + .20 × 6/24 + .15 × value, of what is not late
			if score := 100 * (.55*.3 + .20*.25 + .15*w.Priority.Value); name != "late" && (w.Priority.Score < score-1e-4 || w.Priority.Score > score+1e-4) {
				t.Errorf("%s has %v, want %v", name, w.Priority.Score, score)
			}
		}
		if told == want {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if told != want {
		t.Errorf("the inbox is %q, want %q", told, want)
	}
	taken = nil
	list, _, _, err := reader.Inbox(t.Context(), "main", nil, now, 0, 10)
	if err != nil || len(list) != 3 || list[1].Priority.Value != 0 || list[1].ValueSnapshot != "" {
		t.Errorf("without a snapshot %+v, %v", list, err)
	}
}
