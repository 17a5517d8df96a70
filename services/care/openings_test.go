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
		switch round {
		case 4:
			clock = clock.Add(2 * reloadEvery) // read again beside the answers
		case 6:
			clock = clock.Add(2 * reloadLatest) // and before them
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
	for tries := 0; ; tries++ {
		ids, _, err := index.Openings.First(t.Context(), "main", rules.Weights, now, 50)
		if err == nil && len(ids) == 0 {
			break
		}
		if err != nil || tries > 500 {
			t.Fatalf("%d cases are known that are no more, %v", len(ids), err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Rows are remembered by their version, up to a number of bytes, and forgotten when their case is gone.
func TestKeptCases(t *testing.T) {
	k := &keptCases{}
	t.Cleanup(func() { k.forget.Stop() })
	id := func(n int) schema.EventID { return schema.EventID{byte(n >> 8), byte(n)} }
	for n := range 40 {
		k.keep("main", []schema.EventID{id(n)}, map[schema.EventID]*storedCase{id(n): {version: 7, size: mostKept / 20}})
	}
	if len(k.rows) < 10 || len(k.rows) > 20 || k.bytes > mostKept {
		t.Fatalf("%d rows are remembered, of %d bytes", len(k.rows), k.bytes)
	}
	var known []schema.EventID
	for at := range k.rows {
		known = append(known, at.id)
	}
	if found := k.of("main", map[schema.EventID]uint64{known[0]: 7, known[1]: 8}); len(found) != 1 || found[known[0]] == nil {
		t.Errorf("%d rows are told, and only one stands as it was", len(found))
	}
	if found := k.of("other", map[schema.EventID]uint64{known[0]: 7}); len(found) != 0 {
		t.Error("a row is told in another workspace")
	}
	k.gone("main", known[0])
	if found := k.of("main", map[schema.EventID]uint64{known[0]: 7, known[1]: 7}); len(found) != 0 {
		t.Error("rows are told that are gone, or were replaced")
	}
	if k.clear(); len(k.rows) != 0 || k.bytes != 0 {
		t.Error("rows are remembered for ever")
	}
}
