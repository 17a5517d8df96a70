package segments

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

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
