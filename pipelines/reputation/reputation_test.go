package reputation

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// By hand: each polarity is found in 80 of 100, and in 10 of 100 of each other, so a share q as judged is (q − .1)/.7: .45, .31 and .24 become .5, .3 and .2.
func TestCorrect(t *testing.T) {
	sample := Confusion{{80, 10, 10}, {10, 80, 10}, {10, 10, 80}}
	c, err := (Tally{Favourable: 45, Neutral: 31, Unfavourable: 24, Unjudged: 1000}).Correct(sample)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(c.Favourable.Value-.5) > 1e-12 || math.Abs(c.Neutral.Value-.3) > 1e-12 || math.Abs(c.Unfavourable.Value-.2) > 1e-12 || math.Abs(c.Net.Value-.3) > 1e-12 {
		t.Errorf("corrected %+v, want .5, .3, .2", c)
	}
	// A classifier that mistakes favourable for neutral in half of the cases, and nothing else: 20 favourable ones were 40.
	if c, err := (Tally{Favourable: 20, Neutral: 50, Unfavourable: 30}).Correct(Confusion{{50, 50, 0}, {0, 100, 0}, {0, 0, 100}}); err != nil ||
		math.Abs(c.Favourable.Value-.4) > 1e-12 || math.Abs(c.Neutral.Value-.3) > 1e-12 || math.Abs(c.Unfavourable.Value-.3) > 1e-12 {
		t.Errorf("%+v, %v; want .4, .3, .3", c, err)
	}
	if _, err := (Tally{Favourable: 9}).Correct(Confusion{{80, 10, 10}, {10, 80, 10}, {1, 1, 27}}); !errors.Is(err, ErrNoSample) {
		t.Errorf("29 unfavourable mentions in the sample: %v", err)
	}
	if c, err := (Tally{}).Correct(sample); err != nil || c.Net.Known() {
		t.Errorf("of nothing %+v, %v", c, err)
	}
	guess := Confusion{{20, 20, 20}, {20, 20, 20}, {20, 20, 20}}
	if _, err := (Tally{Favourable: 9}).Correct(guess); !errors.Is(err, ErrIndifferent) {
		t.Errorf("a classifier that guesses: %v", err)
	}
	// Fewer are judged favourable than false alarms alone would be: cut to 0.
	if c, err := (Tally{Neutral: 100}).Correct(sample); err != nil || c.Favourable.Value != 0 || c.Favourable.Low != 0 || c.Favourable.High < .001 {
		t.Errorf("none judged favourable: %+v, %v", c.Favourable, err)
	}
}

// TestCorrectCovers judges mentions of known polarity by a classifier of known error: what it counts is wrong, what is corrected holds the truth in 95 of 100.
func TestCorrectCovers(t *testing.T) {
	worlds := 1500
	if os.Getenv("DOSSIER_PROVE") != "" {
		worlds = 20_000
	}
	r := rand.New(rand.NewPCG(seed(t), 3))
	judge := [3][3]float64{{.75, .15, .1}, {.15, .7, .15}, {.05, .2, .75}}
	draw := func(p [3]float64) int {
		switch u := r.Float64(); {
		case u < p[0]:
			return 0
		case u < p[0]+p[1]:
			return 1
		}
		return 2
	}
	for _, truth := range [][3]float64{{.3, .3, .4}, {.1, .2, .7}, {.6, .3, .1}} {
		naive, covered := 0, 0
		for range worlds {
			var sample Confusion
			for range 600 {
				t := draw([3]float64{1. / 3, 1. / 3, 1. / 3})
				sample[t][draw(judge[t])]++
			}
			var tally Tally
			for range 400 {
				tally.Add(Polarity(1 + draw(judge[draw(truth)])))
			}
			c, err := tally.Correct(sample)
			if err != nil {
				t.Fatal(err)
			}
			net := truth[0] - truth[2]
			if c.Net.Low <= net && net <= c.Net.High {
				covered++
			}
			if e := tally.Net().OfJudged; e.Low <= net && net <= e.High {
				naive++
			}
		}
		t.Logf("%v: %.3f of the corrected intervals hold the truth, %.3f of the uncorrected", truth, float64(covered)/float64(worlds), float64(naive)/float64(worlds))
		if share := float64(covered) / float64(worlds); share < .93 || share > .985 {
			t.Errorf("%v: %.3f of the intervals hold the truth", truth, share)
		}
	}
}

func TestShareOfVoice(t *testing.T) {
	m := func(brand, platform string, at schema.Instant, repost, own bool) Mention {
		return Mention{Platform: platform, Brand: brand, At: at, Repost: repost, Own: own}
	}
	panel := Panel{Platform: "twitter", Brands: []string{"b", "a", "c"}, Query: "@a OR @b OR @c"}
	voices, excluded := ShareOfVoice(panel, []Mention{
		m("a", "twitter", 10, false, false), m("a", "twitter", 11, false, false), m("b", "twitter", 19, false, false),
		m("a", "twitter", 12, true, false), m("a", "twitter", 12, false, true), // a repost, and a's own
		m("a", "forum", 12, false, false), m("d", "twitter", 12, false, false), m("b", "twitter", 20, false, false), m("b", "twitter", 9, false, false),
	}, 10, 20)
	if got := fmt.Sprintf("%d %s %d/%d %s %d/%d %s %d/%d", excluded, voices[0].Brand, voices[0].Mentions, voices[0].Panel, voices[1].Brand, voices[1].Mentions, voices[1].Panel,
		voices[2].Brand, voices[2].Mentions, voices[2].Panel); got != "2 a 2/3 b 1/3 c 0/3" {
		t.Error(got)
	}
	same, other := Panel{"twitter", []string{"c", "a", "b", "a"}, panel.Query}, Panel{"twitter", panel.Brands, "@a OR @b"}
	if same.Lock() != panel.Lock() || other.Lock() == panel.Lock() {
		t.Errorf("locks %s, %s, %s", panel.Lock(), same.Lock(), other.Lock())
	}
	if voices, _ := ShareOfVoice(panel, nil, 10, 20); voices[0].Share.Known() {
		t.Errorf("of nothing %+v", voices[0])
	}
}

func TestAudience(t *testing.T) {
	with := func(change func(a *Audience)) Mention {
		a := NoAudience()
		change(&a)
		return Mention{Audience: a}
	}
	mentions := []Mention{
		with(func(a *Audience) { a.Reach, a.Applause, a.Conversation, a.Amplification = 1000, 20, 5, 5 }),
		with(func(a *Audience) { a.Reach, a.Applause = 3000, 10 }),        // replies and reposts are not known
		with(func(a *Audience) { a.Followers, a.Applause = 500, 3 }),      // no reach: in no rate per reach
		with(func(a *Audience) { a.Reach = 100 }),                         // nobody says what they did
		with(func(a *Audience) { a.Impressions, a.Followers = 700, 200 }), //
		with(func(a *Audience) {}),                                        //
	}
	e := Engage(mentions, PerReach)
	if e.Mentions != 2 || e.Left != 4 || e.Over != 4000 || *e.Applause != 30./4000 || *e.Conversation != 5./1000 || *e.Amplification != 5./1000 || *e.Overall != 40./4000 {
		t.Errorf("per reach %+v", e)
	}
	if e := Engage(mentions, PerFollower); e.Mentions != 1 || *e.Applause != 3./500 || e.Conversation != nil {
		t.Errorf("per follower %+v", e)
	}
	if r := Reached(mentions); r != (Reach{3000, 1000 + 3000 + 100 + 500 + 700, 3, 2, 1}) || !r.Estimate() {
		t.Errorf("reach %+v", r)
	}
}

// TestWatch: a crisis of good tone is none, silence is no alert, and a spread is that of a sorted list.
func TestWatch(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 4))
	var mentions []Mention
	for i := range 400 { // two days of one in seven minutes or so, then a storm of praise
		mentions = append(mentions, Mention{ID: fmt.Sprint(i), Brand: "b", At: schema.Instant(i) * 7 * 60_000_000, Polarity: Polarity(1 + r.IntN(3))})
	}
	for i := range 300 {
		mentions = append(mentions, Mention{ID: fmt.Sprint("p", i), Brand: "b", At: 400*7*60_000_000 + schema.Instant(i)*10_000_000, Polarity: Favourable})
	}
	end := mentions[len(mentions)-1].At + 1
	alerts, crises := DefaultWatch().Watched("b", mentions, 0, end)
	if len(alerts) < 5 || len(crises) != 0 {
		t.Errorf("praise: %d alerts, %+v", len(alerts), crises)
	}
	for i := range mentions[400:] {
		mentions[400+i].Polarity = Unfavourable
	}
	if _, crises = DefaultWatch().Watched("b", mentions, 0, end); len(crises) != 1 || crises[0].Tally.Unfavourable < 200 {
		t.Errorf("blame: %+v", crises)
	}
	if alerts, crises := DefaultWatch().Watched("nobody", mentions, 0, end); alerts != nil || crises != nil {
		t.Errorf("of a brand that nobody mentions: %v, %v", alerts, crises)
	}
	if alerts, crises := DefaultWatch().Watched("b", mentions, end, end); alerts != nil || crises != nil {
		t.Errorf("of no time: %v, %v", alerts, crises)
	}
	u := newUsual()
	var counts []int
	for range 3000 {
		c := int(math.Exp(r.NormFloat64() * 1.3))
		u.add(c)
		counts = append(counts, c)
		if len(counts) > 60 {
			u.remove(counts[0])
			counts = counts[1:]
		}
		middle := func(v []int) int { slices.Sort(v); return v[(len(v)+1)/2-1] }
		m := middle(slices.Clone(counts))
		away := slices.Clone(counts)
		for i, c := range away {
			away[i] = max(c-m, m-c)
		}
		if median, deviation := u.spread(); int(median) != m || int(deviation) != middle(away) {
			t.Fatalf("of %v the middle is %v ± %v", counts, median, deviation)
		}
	}
}
