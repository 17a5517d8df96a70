package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/timeline"
)

// asked gives the rows of a query whose columns are text, one line each.
func asked(t *testing.T, r Reader, sql string) string {
	t.Helper()
	rows, err := r.Conn.Query(t.Context(), "SELECT arrayStringConcat(arrayMap(x -> toString(x), row), ' | ') FROM (SELECT ["+sql, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// The views count what the dossier counts: two personas of one person, orders in several versions, cases by their latest event.
func TestViews(t *testing.T) {
	at := func(n int) schema.Instant { return noon + schema.Instant(n)*60_000_000 }
	order := func(entity, amount string) func(e *schema.Event) {
		return func(e *schema.Event) {
			e.Type, e.Entity, e.Amount, e.Currency, e.Properties = schema.TypeOrderPlaced, entity, amount, "EUR", []byte(`{"items":1}`)
		}
	}
	kind := func(k schema.Type, caseID, text, rating string) func(e *schema.Event) {
		return func(e *schema.Event) {
			e.Type, e.Case, e.Text, e.Rating, e.RatingScale = k, caseID, text, rating, "0-10"
		}
	}
	rows := []timeline.Row{
		row(1, persona(1), at(1), order("o1", "10")),
		row(2, persona(2), at(2), order("o1", "12.50")), // a later version, by another persona of the same person
		row(3, persona(2), at(3), order("o2", "not a number")),
		row(4, persona(3), at(4), order("o1", "99")), // another person's
		row(5, persona(1), at(5), kind(schema.TypeCaseOpened, "k1", "", "")),
		row(6, persona(2), at(6), kind(schema.TypeCaseResolved, "k1", "", "")),
		row(7, persona(1), at(7), kind(schema.TypeMessageReceived, "k1", "où est-il ?", "")),
		row(8, persona(1), at(8), kind(schema.TypeMessageSent, "", "le voici", "")),
		row(9, persona(9), at(9), kind(schema.TypeSurveyAnswered, "", "parfait", "9")), // not in the map yet
		row(10, persona(1), at(10), func(e *schema.Event) {
			e.Type = schema.TypeIdentityLinked
			e.Assertion = &schema.Assertion{}
		}),
		row(11, persona(4), at(11), kind(schema.TypeCaseReopened, "k2", "", "")),
	}
	r := stored(t, rows)
	err := r.Conn.Insert(t.Context(), schema.TablePersonaProfile, []string{"workspace", "persona", "profile", "version", "deleted"}, "", nil, func(b *clickhouse.Batch) error {
		for _, p := range []struct {
			persona, profile byte
			version          uint64
			deleted          uint8
		}{{1, 1, 1, 0}, {2, 2, 1, 0}, {2, 1, 2, 0}, {3, 3, 1, 0}, {4, 4, 1, 0}, {4, 4, 2, 1}} {
			if err := b.Append("main", uuid.UUID(persona(p.persona)), uuid.UUID(persona(p.profile)), p.version, p.deleted); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	id := func(n byte) string { return persona(n).String() }
	for _, c := range []struct{ sql, want string }{
		{"toString(persona), toString(profile)] AS row FROM v_personas ORDER BY persona)", id(1) + " | " + id(1) + "\n" + id(2) + " | " + id(1) + "\n" + id(3) + " | " + id(3)},
		{"toString(profile), toString(count())] AS row FROM v_events GROUP BY profile ORDER BY profile)", fmt.Sprint(id(1), " | 7\n", id(3), " | 1\n", id(4), " | 1\n", id(9), " | 1")},
		{"toString(profile), order_id, ifNull(toString(amount), 'none'), currency, toString(versions), toString(persona)] AS row FROM v_orders ORDER BY profile, order_id)",
			id(1) + " | o1 | 12.5 | EUR | 2 | " + id(2) + "\n" + id(1) + " | o2 | none | EUR | 1 | " + id(2) + "\n" + id(3) + " | o1 | 99 | EUR | 1 | " + id(3)},
		{"toString(profile), case_id, state, toString(isNull(opened_at)), toString(isNull(resolved_at)), toString(interactions)] AS row FROM v_cases ORDER BY case_id)",
			id(1) + " | k1 | resolved | 0 | 0 | 3\n" + id(4) + " | k2 | reopened | 1 | 1 | 1"},
		{"direction, text, case_id] AS row FROM v_messages ORDER BY occurred_at)", "received | où est-il ? | k1\nsent | le voici | "},
		{"toString(profile), type, ifNull(toString(rating), 'none'), rating_scale, text] AS row FROM v_surveys)", id(9) + " | survey.answered | 9 | 0-10 | parfait"},
		{"toString(profile), toString(personas), toString(interactions)] AS row FROM v_profiles ORDER BY profile)", fmt.Sprint(id(1), " | 2 | 7\n", id(3), " | 1 | 1\n", id(4), " | 1 | 1\n", id(9), " | 1 | 1")},
	} {
		if got := asked(t, r, c.sql); got != c.want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", c.sql, got, c.want)
		}
	}
}
