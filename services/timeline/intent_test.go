package timeline

import (
	"encoding/hex"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestToken pins the forms of an intent and its tokens: a change would let an open intent of the release before be inserted twice.
func TestToken(t *testing.T) {
	i := Intent{Incarnation: Incarnation{1, 2, 3, 4, 5, 6, 7, 8}, Table: "table", Ranges: []Range{{0, 40, 90}, {1, 7, 7}, {2, 1000, 1300}}}
	if got, want := hex.EncodeToString(appendIntent(nil, i)), "02"+"0102030405060708"+"05"+hex.EncodeToString([]byte("table"))+"2832"+"0700"+"e807ac02"; got != want {
		t.Errorf("the stored form of an intent is %s, want %s", got, want)
	}
	_, second := i.halve(i.span())
	if got, want := token(i.digest(), 2026, second, 0), "events/5223683e4d80f8c5c1e7dd6eae085e2a/y2026/p2@1125-p2@1300"; got != want {
		t.Errorf("token %q, want %q", got, want)
	}
}

func drawIntent(t *rapid.T) Intent {
	i := Intent{Incarnation: Incarnation(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "incarnation")), Table: rapid.String().Draw(t, "table")}
	for p := range rapid.IntRange(1, 5).Draw(t, "partitions") {
		from := rapid.Int64Range(0, 1<<40).Draw(t, "from")
		i.Ranges = append(i.Ranges, Range{int32(p), from, from + rapid.Int64Range(0, 6).Draw(t, "length")})
	}
	return i
}

func TestIntentRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := drawIntent(t)
		back, err := readIntent(appendIntent(nil, i))
		if err != nil || !reflect.DeepEqual(back, i) {
			t.Fatalf("%+v became %+v, %v", i, back, err)
		}
	})
}

// TestHalves: halving goes on until each place stands alone, and loses none.
func TestHalves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := drawIntent(t)
		want := 0
		for _, r := range i.Ranges {
			want += int(r.To - r.From)
		}
		in := func(s span) (n int) {
			for _, r := range i.Ranges {
				for offset := r.From; offset < r.To; offset++ {
					if p := (place{r.Partition, offset}); p.compare(s.from) >= 0 && p.compare(s.to) < 0 {
						n++
					}
				}
			}
			return n
		}
		var descend func(s span, depth int)
		descend = func(s span, depth int) {
			n := in(s)
			if n < 2 {
				return
			}
			a, b := i.halve(s)
			if in(a) == 0 || in(b) == 0 || in(a)+in(b) != n || a.to != b.from {
				t.Fatalf("%+v of %d places became %+v of %d and %+v of %d", s, n, a, in(a), b, in(b))
			}
			descend(a, depth+1)
			descend(b, depth+1)
		}
		if in(i.span()) != want {
			t.Fatalf("the whole span has %d places, want %d", in(i.span()), want)
		}
		descend(i.span(), 0)
	})
}

func FuzzIntents(f *testing.F) {
	f.Add(appendIntents(nil, []Intent{{Table: "t", Ranges: []Range{{0, 1, 5}}}, {Ranges: []Range{{0, 5, 9}}}}))
	f.Add([]byte{1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := readIntents(b)
		if err != nil {
			return
		}
		again, err := readIntents(appendIntents(nil, i))
		if err != nil || !reflect.DeepEqual(again, i) {
			t.Errorf("%+v became %+v, %v", i, again, err)
		}
	})
}
