package resolution

import (
	"context"
	"regexp"
	"strings"
	"testing"
)

const labelledPeople = `id,first,last,email,phone,postcode,city,born,who
1,Hélène,Guérineau,helene.guerineau@example.org,0612345678,33000,Bordeaux,1975-03-02,p-1
2,Helene,Guerinau,helene.guerineau@example.org,,33000,Bordeaux,,p-1
3,Hélène,Guérineau,,06 12 34 56 78,,,1975-03-02,p-1
4,Paul,Guérineau,helene.guerineau@example.org,0612345678,33000,Bordeaux,1973-11-21,p-2
5,Zoé,Lemercier,zoe@example.net,0698765432,59000,Lille,1990-07-14,
6,Hélène,Lenoir,,,,,,p-1
`

// Scores, what blocking lost and calibration are those of the labels; a record without a label counts for nothing, and what stands before the
// label is cut away.
func TestQuality(t *testing.T) {
	f := given(t, labelledPeople)
	f.Labels, f.Label = "who", regexp.MustCompile(`p-(\d+)`)
	r, err := Resolve(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	q := r.Summary.Quality
	if q == nil || q.Labelled != 5 || q.TruePairs != 6 || q.RightPairs != 3 || q.SaidPairs != 3 {
		t.Fatalf("%+v", q)
	}
	if q.Batch.Different != 0 || q.Batch.Score != q.Score {
		t.Errorf("all at once: %+v, one at a time: %+v", q.Batch, q.Score)
	}
	if c := q.Completeness; c.TruePairs != 6 || c.Compared+c.OneCore != 3 || c.Apart != 3 || c.Share != .5 {
		t.Errorf("completeness %+v", c)
	}
	if z := q.ZeroFalse; z == nil || z.Recall != .5 || z.Bits != 0 {
		t.Errorf("recall at zero false pairs: %+v", z)
	}
	mailboxes := false
	for _, w := range q.Recipes {
		if w.Alone > w.Pairs || w.RightAlone > w.Right {
			t.Errorf("recipe %+v", w)
		}
		mailboxes = mailboxes || w.Recipe == "email" && w.Open == 1 && w.Closed == 0 && w.Pairs == 3 && w.Right == 1 // 1, 2 and 4 have one, 1 and 2 are Hélène
	}
	if !mailboxes {
		t.Errorf("recipes %+v", q.Recipes)
	}
	pairs := 0
	for _, b := range q.Reliability.Bins {
		pairs += b.Pairs
	}
	if pairs == 0 {
		t.Error("the reliability table is empty")
	}
	if s := r.Summary.Time; s.Reading <= 0 || s.Comparing <= 0 || s.Deciding <= 0 {
		t.Errorf("time %+v", s)
	}
}

func TestMissingLabels(t *testing.T) {
	f := given(t, labelledPeople)
	f.Labels = "whom"
	if _, err := Resolve(context.Background(), f); err == nil || !strings.Contains(err.Error(), "whom") {
		t.Errorf("got %v", err)
	}
	f.Labels, f.Label = "who", regexp.MustCompile(`q-(\d+)`)
	if _, err := Resolve(context.Background(), f); err == nil || strings.Contains(err.Error(), "p-1") {
		t.Errorf("got %v", err)
	}
}
