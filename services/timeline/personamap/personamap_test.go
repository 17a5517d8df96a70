package personamap

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

func TestMain(m *testing.M) { clickhousetest.Main(m) }

func id(n int) schema.PersonaID {
	return schema.PersonaID{byte(n >> 8), byte(n), 6: 0x80, 8: 0x80}
}

func moved(n int) identity.Moved {
	return identity.Moved{Node: id(n), Of: schema.PersonaEpoch{Persona: id(n)}}
}

// read gives the map as text, sorted.
func read(t *testing.T, conn *clickhouse.Conn, workspace string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT persona, profile, version FROM persona_map WHERE workspace = {workspace:String}", clickhouse.Params{"workspace": workspace}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var persona, profile schema.PersonaID
		var version uint64
		if err := rows.Scan(&persona, &profile, &version); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(persona, profile, version))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func TestNewestVersionCounts(t *testing.T) {
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	erased := id(7)
	closed := func(p schema.PersonaEpoch) bool { return p.Persona == erased }
	w, err := Open(t.Context(), conn, "main", closed)
	if err != nil || w.Version() != 0 {
		t.Fatalf("an empty map has version %d, %v", w.Version(), err)
	}
	whole := func(yield func(identity.Placed, error) bool) {
		for n := range 10 {
			if !yield(identity.Placed{Moved: moved(n), Profile: id(n)}, nil) {
				return
			}
		}
	}
	if err := w.Rebuilt(t.Context(), 5, iter.Seq2[identity.Placed, error](whole)); err != nil {
		t.Fatal(err)
	}
	if w.Version() != 5 {
		t.Errorf("version %d after the whole was written, want 5", w.Version())
	}

	type told struct {
		version uint64
		change  identity.Change
	}
	r := rand.New(rand.NewPCG(3, 3))
	want := map[int]string{}
	for n := range 10 {
		if n != 7 {
			want[n] = fmt.Sprint(id(n), id(n), 5)
		}
	}
	var all []told
	for version := uint64(6); version < 60; version++ {
		n, to := r.IntN(10), r.IntN(10)
		all = append(all, told{version, identity.Change{Kind: identity.Merged, To: id(to), Personas: []identity.Moved{moved(n)}}})
		if n != 7 {
			want[n] = fmt.Sprint(id(n), id(to), version)
		}
	}
	all = append(all, all[3:20]...) // told again
	for i, c := range all {
		if err := w.Changed(t.Context(), c.version, []identity.Change{c.change}); err != nil {
			t.Fatal(err)
		}
		if i%9 == 0 {
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.Version() != 59 {
		t.Errorf("version %d, want 59", w.Version())
	}
	if again, err := Open(t.Context(), conn, "main", closed); err != nil || again.Version() < 58 {
		t.Errorf("opened again: version %d, %v", again.Version(), err)
	}
	var lines []string
	for _, line := range want {
		lines = append(lines, line)
	}
	slices.Sort(lines)
	if got := read(t, conn, "main"); !slices.Equal(got, lines) {
		t.Errorf("the map is\n%v, want\n%v", got, lines)
	}
	if got := read(t, conn, "other"); len(got) != 0 {
		t.Errorf("another workspace sees %v", got)
	}
}
