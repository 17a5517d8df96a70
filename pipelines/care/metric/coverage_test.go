package metric

import (
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care/stat"
)

// TestCoverage draws samples of a known truth, and counts how often the interval of a figure holds it, for each kind of interval that is made here of what
// package stat has: what exceeds an expectation, how many times as often, and the figures of durations. The others are counted in package stat.
func TestCoverage(t *testing.T) {
	worlds := 1500
	if os.Getenv("DOSSIER_PROVE") != "" {
		worlds = 20_000
	}
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("DOSSIER_SEED"); given != "" {
		n, err := strconv.ParseUint(given, 10, 64)
		if err != nil {
			t.Fatalf("DOSSIER_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("seed %d (DOSSIER_SEED)", seed)
	r := rand.New(rand.NewPCG(seed, 4))
	hits := func(n int64, p float64) (k int64) {
		for range n {
			if r.Float64() < p {
				k++
			}
		}
		return k
	}
	hours := func(n int) (out []int64) { // log-normal, median an hour
		for range n {
			out = append(out, int64(math.Exp(r.NormFloat64()*1.2)*float64(hour)))
		}
		return out
	}
	found := func(name string) Definition {
		d, ok := Find(name)
		if !ok {
			t.Fatalf("there is no metric %q", name)
		}
		return d
	}
	figure := func(name string, tally Tally) Figure {
		d := found(name)
		tally.Whole, tally.People = true, tally.N+int64(len(tally.Open))
		if len(tally.Open) > 0 {
			tally.Reasons = map[string]int64{reasonOpen: int64(len(tally.Open))}
		}
		if tally.Sum == nil {
			tallies := []Tally{tally}
			d.Complete(tallies)
			tally = tallies[0]
		}
		whole, _ := d.Figures(Query{}, []Tally{tally}, nil)
		return whole
	}
	mean := math.Exp(1.2*1.2/2) * 3600
	for _, c := range []struct {
		name        string
		truth       float64
		least, most float64
		draw        func() stat.Estimate
	}{
		// Two strata of 40 and 20 that complained, of whom 60 % leave; of 80 and 50 like them who did not, 30 and 50 % do: (40 × .3 + 20 × .5) / 60.
		{"churnExcess", 60 - (40*.3+20*.5)/60*100, .93, .98, func() stat.Estimate {
			sum, spread := new(big.Int), new(big.Int)
			for _, s := range []struct {
				peers, controls int64
				leave           float64
			}{{40, 80, .3}, {20, 50, .5}} {
				expected := float64(hits(s.controls, s.leave)) / float64(s.controls)
				sum.Add(sum, big.NewInt(s.peers*int64(math.Round(expected*1_000_000))))
				spread.Add(spread, big.NewInt(s.peers*int64(math.Round(float64(s.peers)*expected*(1-expected)/float64(s.controls)*1_000_000_000))))
			}
			return figure("churnExcess", Tally{N: 60, Up: hits(60, .6), Sum: sum, Squares: new(big.Int), Sums: []*big.Int{spread}}).Estimate
		}},
		{"1.5 times as often, of 60 and 40", 1.5, .93, .98, func() stat.Estimate {
			n := hits(100, .6)
			return Spoken{N: n, Before: 100 - n}.times()
		}},
		{"replyBands of 50", 100 * (1 - math.Erfc(math.Log(24)/1.2/math.Sqrt2)/2), .93, 1, func() stat.Estimate {
			return figure("replyBands", Tally{N: 50, Over: hours(50)}).Estimate
		}},
		{"firstReply of 80, those after two hours open", 3600, .92, .98, func() stat.Estimate {
			var tally Tally
			for _, h := range hours(80) {
				if h > 2*hour {
					tally.Open = append(tally.Open, 2*hour)
				} else {
					tally.Over = append(tally.Over, h)
				}
			}
			tally.N = int64(len(tally.Over))
			return figure("firstReply", tally).Estimate
		}},
		// Student's interval of the mean of so skewed durations holds the truth a little less often than it says.
		{"handlingTime of 200", mean, .90, .97, func() stat.Estimate { return figure("handlingTime", Tally{N: 200, Over: hours(200)}).Estimate }},
		{"p90 of handlingTime of 200", 3600 * math.Exp(1.2*1.2815515655), .94, .98, func() stat.Estimate {
			f := figure("handlingTime", Tally{N: 200, Over: hours(200)})
			return f.Parts[slices.IndexFunc(f.Parts, func(p Part) bool { return p.Name == "p90" })].Estimate
		}},
	} {
		held := 0
		for range worlds {
			if e := c.draw(); e.Low <= c.truth+1e-9 && c.truth <= e.High+1e-9 {
				held++
			}
		}
		share := float64(held) / float64(worlds)
		chance := 4 * math.Sqrt(.05*.95/float64(worlds))
		t.Logf("%-46s %.3f", c.name, share)
		if share < c.least-chance || share > c.most+chance {
			t.Errorf("seed %d: %s: the interval holds the truth in %.3f of the samples, want %.2f to %.2f", seed, c.name, share, c.least, c.most)
		}
	}
}
