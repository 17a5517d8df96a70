package match_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/pipelines/identity/match"
)

// table is rows in memory.
type table map[string]string

func (r table) Get(key []byte) ([]byte, bool, error) {
	v, found := r[string(key)]
	return []byte(v), found, nil
}

func (r table) Scan(prefix []byte, f func(rest []byte) error) error {
	var keys []string
	for k := range r {
		if strings.HasPrefix(k, string(prefix)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if err := f([]byte(k[len(prefix):])); err != nil {
			return fmt.Errorf("scan: %w", err) // as stores do
		}
	}
	return nil
}

func (r table) set(key, value []byte) error {
	if value == nil {
		delete(r, string(key))
	} else {
		r[string(key)] = string(value)
	}
	return nil
}

// smallest names a profile by its smallest core, as a Set does.
type smallest struct{ apart map[match.ID][]match.ID }

func (smallest) First(cores []match.ID) (match.ID, error) {
	return slices.MinFunc(cores, match.ID.Compare), nil
}

func (w smallest) Apart(core match.ID) ([]match.ID, error) { return w.apart[core], nil }

func (smallest) Conflict(_, _ []match.ID) (match.Reason, error) { return "", nil }

// An Index over rows decides what a Set of the same cores decides, whatever came, changed and went, when it was written, and where it was started again; and what
// is in its rows is a function of the cores too, down to the byte but for the order of edges.
func TestIndexDecidesAsASet(t *testing.T) {
	base := shipped(t, "fr")
	base.BlockSize, base.Thresholds.Generic, base.Records, base.Prior = 6, 3, 12000, -4
	for i, key := range base.Blocking { // blocks of a size of their own, past what a row holds
		if key == "birth" {
			base.Blocking[i] = "birth/18"
		}
	}
	if err := base.Prepare(); err != nil {
		t.Fatal(err)
	}
	joined, possible := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{1, 2, 3, 5, 512}).Draw(t, "limit")
		carriers := rapid.SampledFrom([]int{4, 17, 500}).Draw(t, "carriers")
		rows := table{}
		open := func() *match.Index {
			scale := match.NewScale(base, 1)
			scale.SetLimit(limit)
			scale.SetCarriers(carriers)
			return match.NewIndex(scale, rows, smallest{})
		}
		live := open()
		now := map[match.ID]match.Core{}
		check := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		write := func() {
			_, err := live.Resolve()
			check(err)
			check(live.Write(rows.set))
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			c := drawCore(t, rapid.IntRange(1, 40).Draw(t, "core"))
			if rapid.IntRange(0, 4).Draw(t, "step") == 0 {
				check(live.Remove(c.ID))
				delete(now, c.ID)
			} else {
				check(live.Put(c, false))
				now[c.ID] = c
			}
			switch rapid.IntRange(0, 5).Draw(t, "then") {
			case 0:
				_, err := live.Resolve()
				check(err)
			case 1:
				write()
			case 2:
				write()
				live.Forget()
			case 3:
				write()
				live = open()
			}
		}
		write()
		fresh := match.NewSet(base)
		fresh.SetLimit(limit)
		fresh.SetCarriers(carriers)
		var ids []match.ID
		for id, c := range now {
			ids = append(ids, id)
			fresh.Put(c)
		}
		fresh.Resolve()
		slices.SortFunc(ids, match.ID.Compare)
		want, got := state(fresh, ids), ""
		for _, id := range ids {
			p, was, err := live.Profile(id)
			check(err)
			if p != was {
				t.Errorf("core %x is in %x, written as %x", id[:2], p[:2], was[:2])
			}
			got += fmt.Sprintf("%x in %x\n", id[:2], p[:2])
			if p != id {
				joined++
			}
		}
		var maybe []match.Maybe
		for after := []byte(nil); ; {
			page, next, err := live.Queue(after, 2)
			check(err)
			if maybe = append(maybe, page...); next == nil {
				break
			}
			after = next
		}
		slices.SortStableFunc(maybe, func(p, q match.Maybe) int {
			if p.Weight != q.Weight {
				return int(q.Weight) - int(p.Weight)
			}
			if c := p.A.Compare(q.A); c != 0 {
				return c
			}
			return p.B.Compare(q.B)
		})
		for _, m := range maybe {
			got += fmt.Sprintf("%x ~ %x %d %s\n", m.A[:2], m.B[:2], m.Weight, m.Reason)
			possible++
		}
		if got != want {
			t.Fatalf("the index says\n%s\nthe set\n%s", got, want)
		}
		for _, id := range ids {
			check(live.Remove(id))
		}
		write()
		if len(rows) > 0 {
			t.Fatalf("%d rows are left of nobody", len(rows))
		}
	})
	if joined == 0 || possible == 0 {
		t.Errorf("%d joined and %d possible: the test proves nothing", joined, possible)
	}
}
