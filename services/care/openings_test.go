package care

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

// The index gives the pages that the table gives, whatever was written in between: new cases, new versions, cases that are resolved, opened again or gone, and
// rows that come twice.
func TestOpenings(t *testing.T) {
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 3))
	now := schema.Instant(1_772_442_000_000_000)
	rules := care.DefaultRules()
	table := Reader{Conn: conn, Rules: func() *care.Rules { return rules }, Now: now.Time}
	index := table
	clock := time.Unix(0, 0)
	index.Openings = NewOpenings(conn, func() time.Time { return clock }, nil)
	version := 0
	for round := range 8 {
		var values []string
		for range 1 + r.IntN(40) {
			version++
			id := schema.EventID{byte(r.IntN(60)), 6: 0x80, 8: 0x80}
			due := "NULL"
			if r.IntN(3) > 0 {
				due = fmt.Sprintf("fromUnixTimestamp64Micro(%d)", int64(now)+r.Int64N(40_000_000_000)-20_000_000_000)
			}
			row := fmt.Sprintf("('main', '%s', %d, %d, '%s', ['open', 'waiting', 'resolved', 'reopened', 'merged', 'answered'][%d], fromUnixTimestamp64Micro(%d), %s, %s, %v, %v)", id, version, r.IntN(9)/8, schema.ProfileID(id),
				1+r.IntN(6), int64(now)-r.Int64N(90_000_000_000), due, due, r.Float64(), r.Float64())
			for range 1 + r.IntN(2) {
				values = append(values, row)
			}
		}
		r.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
		if err := conn.Exec(t.Context(), "INSERT INTO cases (workspace, id, version, deleted, persona, state, opened_at, next_reply_due, resolution_due, criticality, influence) VALUES "+strings.Join(values, ", "), nil, nil); err != nil {
			t.Fatal(err)
		}
		if round == 5 {
			clock = clock.Add(2 * reloadEvery)
		}
		for skip := 0; ; skip += 7 {
			want, _, wantMore, err := table.Inbox(t.Context(), "main", nil, now, skip, 7)
			if err != nil {
				t.Fatal(err)
			}
			got, _, more, err := index.Inbox(t.Context(), "main", nil, now, skip, 7)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) || more != wantMore {
				t.Fatalf("seed %d, round %d: from %d on\n%+v\nwant\n%+v", seed, round, skip, got, want)
			}
			if !more {
				break
			}
		}
	}
	// What went without a trace costs a page an entry, until all is read again.
	if err := conn.Exec(t.Context(), "TRUNCATE TABLE cases", nil, nil); err != nil {
		t.Fatal(err)
	}
	if list, _, _, err := index.Inbox(t.Context(), "main", nil, now, 0, 50); err != nil || len(list) != 0 {
		t.Errorf("%d cases are shown that are no more, %v", len(list), err)
	}
	clock = clock.Add(2 * reloadEvery)
	if ids, _, err := index.Openings.First(t.Context(), "main", rules.Weights, now, 50); err != nil || len(ids) != 0 {
		t.Errorf("%d cases are known that are no more, %v", len(ids), err)
	}
}
