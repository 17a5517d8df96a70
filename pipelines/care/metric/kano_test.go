package metric

import (
	"fmt"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/care/stat"
)

// The evaluation table as it is printed: rows 1 to 5 to "if it had this", columns to "if it had not".
func TestKanoTable(t *testing.T) {
	letters := map[KanoClass]string{Attractive: "A", OneDimensional: "O", MustBe: "M", Indifferent: "I", Reverse: "R", Questionable: "Q"}
	got := ""
	for f := range 5 {
		for d := range 5 {
			got += letters[KanoOf(f+1, d+1)]
		}
	}
	if got != "QAAAO"+"RIIIM"+"RIIIM"+"RIIIM"+"RRRRQ" {
		t.Error(got)
	}
	if KanoOf(0, 3) != Unclassed || KanoOf(3, 6) != Unclassed {
		t.Error("answers beyond the scale are classed")
	}
}

// Fong's test by hand. 12 must-be and 4 attractive of 20, 4 indifferent: 8 against 1.65 × √(16 × 24 / 40) = 5.11, so must-be. 8 and 6 of 20: 2 against 1.65 × √(14 × 26 / 40) = 4.98,
// so mixed. All of one kind: n against 1.65 × √(n × n / 2n): from 2 people on it is sure.
func TestKanoClass(t *testing.T) {
	for _, c := range []struct {
		counts KanoCounts
		want   string
	}{
		{KanoCounts{MustBe: 12, Attractive: 4, Indifferent: 4}, "must_be must_be"},
		{KanoCounts{OneDimensional: 8, Attractive: 6, Indifferent: 6}, "mixed one_dimensional"},
		{KanoCounts{MustBe: 7, Indifferent: 7}, "mixed must_be"}, // of equals the one that weighs more
		{KanoCounts{Reverse: 9}, "reverse reverse"},
		{KanoCounts{}, " "},
	} {
		class, commonest := c.counts.Class()
		if got := fmt.Sprint(class, " ", commonest); got != c.want {
			t.Errorf("%+v is %s, want %s", c.counts, got, c.want)
		}
	}
}

// What chance may have put in this order is mixed in either order, a theme that only unwanted answers speak of is hidden below five people, and every class says why.
func TestKano(t *testing.T) {
	part := func(class KanoClass, n float64) Part { return Part{string(class), stat.Estimate{Value: n}, 9} }
	themes := Kano(Answer{Groups: []Figure{
		{Keys: []string{"a"}, N: 10, People: 10, Parts: []Part{part(Attractive, 2), part(OneDimensional, 8), part(MustBe, 6), part(Indifferent, 4)}},
		{Keys: []string{"b"}, Parts: []Part{part(Reverse, 4)}, Exclusions: []Exclusion{{"reverse", 4}}},
		{Keys: []string{"c"}, N: 4, People: 4, Suppressed: true},
		{Keys: []string{"d"}, Parts: []Part{part(Reverse, 6)}},
	}})
	// Better 10/20, worse −14/20.
	if k := themes[0]; k.Better.Value != .5 || k.Worse.Value != -.7 || k.Worse.Low > -.7 || k.Worse.High < -.7 || k.Class != Mixed || k.Commonest != OneDimensional {
		t.Errorf("%+v", k)
	}
	if k := themes[1]; !k.Suppressed || k.Counts != (KanoCounts{}) || k.Exclusions != nil {
		t.Errorf("four people are told of: %+v", k)
	}
	if k := themes[3]; k.Class != Reverse || k.Better.Known() || k.Worse.Known() {
		t.Errorf("%+v", k)
	}
	for _, k := range themes {
		for _, language := range []string{"en", "fr"} {
			if s := k.Explain(language); len(s) < 10 || s[len(s)-1] != '.' && s[len(s)-1] != ')' {
				t.Errorf("%v explains itself as %q", k.Keys, s)
			}
		}
	}
}
