package segments

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/pipelines/segment/segmenttest"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

// store puts a world into the tables, as the roles do.
func store(t *testing.T, conn *clickhouse.Conn, w *segmenttest.World, version uint64) {
	t.Helper()
	for _, table := range []string{"events", "people", "persona_profile"} {
		if err := conn.Exec(t.Context(), "TRUNCATE TABLE "+table, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	var rows []*row
	for _, p := range w.People {
		rows = append(rows, rowOf(p))
	}
	if err := (Tables{conn}).put(t.Context(), "main", version, rows); err != nil {
		t.Fatal(err)
	}
	err := conn.Insert(t.Context(), "persona_profile", []string{"workspace", "persona", "profile", "version", "deleted"}, "", nil, func(b *clickhouse.Batch) error {
		for persona, profile := range w.Of {
			if persona == profile && w.R.IntN(2) == 0 {
				continue // not known to the map yet
			}
			if err := b.Append("main", uuid.UUID(persona), uuid.UUID(profile), version, uint8(0)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	columns := []string{"workspace", "persona", "occurred_at", "id", "source", "channel", "type", "actor", "conversation", "case_id", "entity", "rating", "rating_scale", "amount", "currency", "name", "properties", "language"}
	err = conn.Insert(t.Context(), "events", columns, "", nil, func(b *clickhouse.Batch) error {
		for persona, events := range w.Events {
			for _, e := range events {
				if err := b.Append("main", uuid.UUID(persona), e.OccurredAt.Time(), uuid.UUID(e.ID), e.Source, e.Channel.String(), e.Type.String(), e.Actor.String(), e.Conversation, e.Case, e.Entity,
					e.Rating, e.RatingScale, e.Amount, e.Currency, e.Name, string(e.Properties), e.Language); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// said puts rows of care of a world's personas into the tables, and gives the people what the role would read of them.
func said(t *testing.T, conn *clickhouse.Conn, w *segmenttest.World) {
	t.Helper()
	one := func(of ...string) string { return of[w.R.IntN(len(of))] }
	moment := func() time.Time {
		return (w.Now + schema.Instant(w.R.Int64N(12*86_400_000_000)) - 9*86_400_000_000).Time()
	}
	maybe := func() *time.Time {
		if w.R.IntN(3) == 0 {
			return nil
		}
		at := moment()
		if w.R.IntN(6) == 0 {
			at = w.Now.Time()
		}
		return &at
	}
	flag := func() uint8 { return uint8(w.R.IntN(2)) }
	themes := func() []string { return [][]string{{}, {"delivery"}, {"price", "delivery"}, {"price"}}[w.R.IntN(4)] }
	var personas []schema.ProfileID
	for persona := range w.Of {
		personas = append(personas, persona)
	}
	slices.SortFunc(personas, schema.ProfileID.Compare) // the map's order must not change what a seed draws
	id := uint64(0)
	insert := func(table string, columns []string, row func(id uuid.UUID, persona schema.ProfileID) []any) {
		if err := conn.Exec(t.Context(), "TRUNCATE TABLE "+table, nil, nil); err != nil {
			t.Fatal(err)
		}
		err := conn.Insert(t.Context(), table, append([]string{"workspace", "id", "version", "deleted", "persona"}, columns...), "", nil, func(b *clickhouse.Batch) error {
			for _, persona := range personas {
				for range w.R.IntN(3) {
					id++
					key := uuid.UUID{0: byte(id), 1: byte(id >> 8), 6: 0x80, 8: 0x80, 15: 9}
					versions := 1 + w.R.IntN(2) // of which the latest counts
					for v := range versions {
						if err := b.Append(append([]any{"main", key, uint64(v + 1), uint8(w.R.IntN(8) / 7), uuid.UUID(persona)}, row(key, persona)...)...); err != nil {
							return err
						}
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	insert("conversations", []string{"opened_at", "channel", "waiting_since", "first_reply_due", "first_reply_at", "inbound"}, func(uuid.UUID, schema.ProfileID) []any {
		return []any{moment(), one("email", "phone"), maybe(), maybe(), maybe(), uint32(w.R.IntN(4))}
	})
	insert("cases", []string{"opened_at", "channel", "state", "complaint", "resolution_due", "last_resolved_at", "themes", "verbatim_criticality"}, func(uuid.UUID, schema.ProfileID) []any {
		return []any{moment(), one("email", "phone"), one("open", "reopened", "resolved", "merged"), flag(), maybe(), maybe(), themes(), one("", "none", "high")}
	})
	insert("surveys", []string{"answered_at", "channel", "instrument", "rating"}, func(uuid.UUID, schema.ProfileID) []any {
		var rating any
		if w.R.IntN(4) > 0 {
			rating = fmt.Sprintf("%d.%d", w.R.IntN(10), w.R.IntN(10))
		}
		return []any{maybe(), one("email", "phone"), one("nps", "csat", "enps"), rating}
	})
	insert("verbatims", []string{"occurred_at", "channel", "polarity", "themes", "theme_polarities"}, func(uuid.UUID, schema.ProfileID) []any {
		of := themes()
		polarities := make([]string, len(of))
		for i := range of {
			polarities[i] = one("neg", "pos", "neu")
		}
		return []any{moment(), one("email", "phone"), one("neg", "neu", "pos", ""), of, polarities}
	})
	facts, err := (Tables{conn}).Care(t.Context(), "main", segment.CareKinds(), personas)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range w.People {
		for _, persona := range personas {
			if w.Of[persona] == p.ID {
				p.Events = append(p.Events, facts[persona]...)
			}
		}
	}
}

// TestOneMeaning holds the evaluation of single people against the compiled statement: invented segments over invented people, who must be the same. The
// seed is printed; DOSSIER_SEED repeats it.
func TestOneMeaning(t *testing.T) {
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	seed, cases := rand.Uint64(), 80
	if os.Getenv("DOSSIER_PROVE") != "" {
		cases = 10_000
	}
	if text := os.Getenv("DOSSIER_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	const each = 40 // segments of one world
	in, out := 0, 0
	for world := range (cases + each - 1) / each {
		w := segmenttest.New(r, 60)
		store(t, conn, w, uint64(world+1))
		set := segment.Set{"base": w.Segment("base")}
		said(t, conn, w)
		for range each {
			set["s"] = w.Segment("s", "base")
			s := set["s"]
			var want []string
			for _, p := range w.People {
				if set.Evaluate(s, p, w.Now).Member {
					want = append(want, p.ID.String())
				}
			}
			in, out = in+len(want), out+len(w.People)-len(want)
			q := set.Compile(s, "main", w.Now)
			rows, err := conn.Query(t.Context(), q.SQL, q.Params, nil)
			if err != nil {
				t.Fatalf("world %d: %v\n%s\n%s", world, err, s.Source, q.SQL)
			}
			var got []string
			for rows.Next() {
				var id schema.ProfileID
				if err := rows.Scan(&id); err != nil {
					t.Fatal(err)
				}
				got = append(got, id.String())
			}
			if err := rows.Err(); err != nil {
				t.Fatalf("world %d: %v\n%s\n%s", world, err, s.Source, q.SQL)
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("world %d at %s: %s\nbase %s\nthe engine has %d, the evaluation %d: %s\n%s", world, w.Now, s.Source, set["base"].Source, len(got), len(want), difference(w, set, s, got, want), q.SQL)
			}
		}
	}
	if in < cases || out < cases {
		t.Errorf("of %d cases %d memberships and %d others: the segments say too little", cases, in, out)
	}
}

// difference shows the first person of whom the two differ.
func difference(w *segmenttest.World, set segment.Set, s *segment.Segment, got, want []string) string {
	for _, p := range w.People {
		id := p.ID.String()
		if slices.Contains(got, id) == slices.Contains(want, id) {
			continue
		}
		_, reasons := set.Explain(s, p, w.Now, "en")
		text := fmt.Sprintf("%s: %+v\n", id, *p)
		for _, f := range p.Events {
			text += fmt.Sprintf("  %s %+v\n", f.At, *f)
		}
		for _, x := range reasons {
			text += fmt.Sprintf("  %v %s (%s)\n", x.Met, x.Sentence, x.Found)
		}
		return text
	}
	return "in the order alone"
}

// TestTimeAlone holds that between the instants that Evaluate names nothing changes: an evaluation that looks only then sees every change.
func TestTimeAlone(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("DOSSIER_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	changes := 0
	for range 2_000 {
		w := segmenttest.New(r, 3)
		set := segment.Set{"base": w.Segment("base")}
		set["s"] = w.Segment("s", "base")
		for _, p := range w.People {
			at := w.Now
			o := set.Evaluate(set["s"], p, at)
			for range 60 {
				later := at + schema.Instant(r.Int64N(6*3_600_000_000))
				for o.Next != 0 && o.Next <= later { // what a timer does
					at = o.Next
					next := set.Evaluate(set["s"], p, at)
					if next.Next != 0 && next.Next <= at {
						t.Fatalf("%s: at %s the next instant is %s", set["s"].Source, at, next.Next)
					}
					if next.Member != o.Member {
						changes++
					}
					o = next
				}
				at = later
				if got := set.Evaluate(set["s"], p, at); got.Member != o.Member {
					t.Fatalf("%s\nbase %s\nat %s it is %v, and nobody was told: %+v", set["s"].Source, set["base"].Source, at, got.Member, *p)
				}
			}
		}
	}
	if changes < 50 {
		t.Errorf("%d changes by time alone: the segments say too little", changes)
	}
}
