package reputation

import (
	"encoding/csv"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

func seed(t testing.TB) uint64 {
	s := uint64(time.Now().UnixNano())
	if given := os.Getenv("DOSSIER_SEED"); given != "" {
		n, err := strconv.ParseUint(given, 10, 64)
		if err != nil {
			t.Fatalf("DOSSIER_SEED: %v", err)
		}
		s = n
	}
	t.Logf("seed %d (DOSSIER_SEED)", s)
	return s
}

// tweets reads the labelled tweets to six airlines, and their texts by id.
func tweets(t testing.TB) ([]Mention, map[string]string) {
	t.Helper()
	root := os.Getenv("DOSSIER_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(root, "data", "care", "airline_tweets.csv"))
	if os.IsNotExist(err) && os.Getenv("CI") == "" {
		t.Skip("airline_tweets.csv is missing: set DOSSIER_SHARED to the folder that holds data/")
	}
	if err != nil {
		t.Fatalf("%v: set DOSSIER_SHARED to the folder that holds data/", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []Mention
	texts := map[string]string{}
	for _, row := range rows[1:] {
		at, err := schema.ParseInstant(row[3])
		if err != nil {
			t.Fatal(err)
		}
		reposts, err := strconv.ParseInt(row[4], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		audience := NoAudience()
		audience.Amplification = reposts
		out = append(out, Mention{
			Platform: "twitter", ID: row[0], At: at, Brand: row[2], Author: row[1], Audience: audience,
			Polarity: map[string]Polarity{"positive": Favourable, "neutral": Neutral, "negative": Unfavourable}[row[8]],
		})
		texts[row[0]] = row[5]
	}
	return out, texts
}

// recount are favourable, neutral and unfavourable tweets from 17 to 24 February 2015 as another program, in another language, counted them in the file.
var recount = map[string][8][3]int64{
	"American":       {{0, 0, 0}, {0, 0, 0}, {0, 0, 1}, {0, 0, 0}, {0, 0, 1}, {33, 34, 227}, {96, 153, 749}, {79, 125, 336}},
	"Delta":          {{29, 36, 35}, {53, 37, 80}, {56, 44, 97}, {61, 58, 58}, {36, 43, 60}, {54, 60, 147}, {57, 123, 109}, {31, 51, 55}},
	"Southwest":      {{39, 46, 103}, {61, 65, 93}, {60, 74, 68}, {53, 74, 96}, {41, 49, 142}, {36, 40, 97}, {56, 75, 94}, {37, 39, 96}},
	"US Airways":     {{27, 15, 118}, {33, 24, 192}, {25, 41, 141}, {24, 42, 150}, {21, 23, 160}, {17, 42, 415}, {32, 49, 256}, {12, 36, 149}},
	"United":         {{18, 36, 117}, {37, 52, 198}, {46, 70, 167}, {54, 66, 247}, {50, 56, 248}, {53, 78, 374}, {46, 75, 370}, {37, 58, 185}},
	"Virgin America": {{13, 11, 9}, {13, 14, 10}, {12, 17, 15}, {11, 30, 17}, {21, 11, 26}, {10, 14, 25}, {12, 17, 16}, {9, 11, 14}},
}

// TestAirlinesByDay: every count, net sentiment and share of voice by brand and day is that of the recount, in any order and with copies and earlier versions.
func TestAirlinesByDay(t *testing.T) {
	mentions, _ := tweets(t)
	r := rand.New(rand.NewPCG(seed(t), 1))
	var sent []Mention
	for _, m := range mentions {
		sent = append(sent, m)
		if r.IntN(4) == 0 {
			sent = append(sent, m)
		}
		if r.IntN(4) == 0 { // it was judged otherwise before
			earlier := m
			earlier.Polarity = Polarity(r.IntN(4))
			sent = append(sent, earlier)
			sent[len(sent)-2].Version[0] = 1 // of the same instant, a later version
			if n := len(sent) - 3; n >= 0 && sent[n].ID == m.ID {
				sent[n].Version[0] = 1
			}
		}
	}
	r.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
	latest := Latest(sent)
	if len(latest) != len(mentions) {
		t.Fatalf("%d mentions of %d", len(latest), len(mentions))
	}
	cells := ByDay(latest)
	panel := Panel{Platform: "twitter", Brands: slices.Collect(maps.Keys(recount))}
	cellsWanted := 0
	for d := range 8 {
		from, err := schema.ParseInstant(fmt.Sprintf("2015-02-%dT00:00:00Z", 17+d))
		if err != nil {
			t.Fatal(err)
		}
		voices, excluded := ShareOfVoice(panel, latest, from, from+288*bucket)
		total := int64(0)
		for _, days := range recount {
			total += days[d][0] + days[d][1] + days[d][2]
		}
		if len(voices) != 6 || excluded != 0 {
			t.Fatalf("%d voices, %d excluded", len(voices), excluded)
		}
		for _, v := range voices {
			f, n, u := recount[v.Brand][d][0], recount[v.Brand][d][1], recount[v.Brand][d][2]
			if v.Mentions != f+n+u || v.Panel != total || v.Share.Value != float64(f+n+u)/float64(total) {
				t.Errorf("%s on day %d has %+v, want %d of %d", v.Brand, d, v, f+n+u, total)
			}
			tally := cells[Cell{"twitter", v.Brand, from.String()[:10]}]
			if tally != (Tally{f, n, u, 0}) {
				t.Errorf("%s on day %d: %+v, want %d %d %d", v.Brand, d, tally, f, n, u)
			}
			if f+n+u == 0 {
				continue
			}
			cellsWanted++
			net := tally.Net()
			if want := float64(f-u) / float64(f+n+u); net.OfJudged.Value != want || net.OfJudged.Low > want || net.OfJudged.High < want {
				t.Errorf("%s on day %d: net %+v, want %v", v.Brand, d, net.OfJudged, want)
			}
			if want := float64(f-u) / float64(f+u); f+u > 0 && (net.OfDecided.Value-want > 1e-12 || want-net.OfDecided.Value > 1e-12) {
				t.Errorf("%s on day %d: net of decided %+v, want %v", v.Brand, d, net.OfDecided, want)
			}
		}
	}
	if len(cells) != cellsWanted {
		t.Errorf("%d cells, want %d", len(cells), cellsWanted)
	}
}

// TestAirlineCrises finds the evening of 22 February 2015, when snow closed airports: the crises of American, US Airways and JetBlue (whose label is Delta) and no
// other, each by what was known when it was recognised, with its verbatims.
func TestAirlineCrises(t *testing.T) {
	mentions, texts := tweets(t)
	r := rand.New(rand.NewPCG(seed(t), 2))
	r.Shuffle(len(mentions), func(i, j int) { mentions[i], mentions[j] = mentions[j], mentions[i] })
	start, end := schema.Instant(1<<62), schema.Instant(0)
	for _, m := range mentions {
		start, end = min(start, m.At), max(end, m.At+1)
	}
	want := map[string]string{
		"American":   "2015-02-22T20:00:00Z recognised 2015-02-22T20:20:00Z until 2015-02-24T19:45:00Z ongoing true, 154 alerts, 1310 of 1830 unfavourable",
		"US Airways": "2015-02-22T15:00:00Z recognised 2015-02-22T15:55:00Z until 2015-02-23T02:20:00Z ongoing false, 20 alerts, 264 of 315 unfavourable",
		"Delta":      "2015-02-22T22:10:00Z recognised 2015-02-22T22:45:00Z until 2015-02-23T01:40:00Z ongoing false, 6 alerts, 60 of 86 unfavourable",
	}
	for _, brand := range slices.Sorted(maps.Keys(recount)) {
		alerts, crises := DefaultWatch().Watched(brand, mentions, start, end)
		got := ""
		for _, c := range crises {
			got += fmt.Sprintf("%s recognised %s until %s ongoing %v, %d alerts, %d of %d unfavourable", c.From, c.Recognised, c.Until, c.Ongoing, len(c.Alerts), c.Tally.Unfavourable, c.Tally.All())
			// The verbatims, recounted: whatever of the brand lies in the time, worst first.
			n, words := 0, 0
			for _, m := range mentions {
				if m.Brand == brand && m.At >= c.From && m.At < c.Until {
					n++
				}
			}
			for i, m := range c.Mentions {
				if m.Brand != brand || i > 0 && m.Polarity > c.Mentions[i-1].Polarity {
					t.Fatalf("%s: mention %d of the crisis is %+v", brand, i, m)
				}
				if m.Polarity == Unfavourable && strings.Contains(texts[m.ID], "Cancelled Flight") {
					words++
				}
			}
			if len(c.Mentions) != n || words < 1 {
				t.Errorf("%s: %d verbatims of %d, %d of cancelled flights", brand, len(c.Mentions), n, words)
			}
			// Known at its recognition, without what came later.
			_, early := DefaultWatch().Watched(brand, mentions, start, c.Recognised)
			if len(early) != 1 || early[0].From != c.From || early[0].Recognised != c.Recognised || !early[0].Ongoing {
				t.Errorf("%s at its recognition: %+v", brand, early)
			}
			if _, before := DefaultWatch().Watched(brand, mentions, start, c.Recognised-bucket); len(before) != 0 {
				t.Errorf("%s: a crisis is known before it is recognised: %+v", brand, before)
			}
		}
		if got != want[brand] {
			t.Errorf("%s, of %d alerts: %s\nwant %s", brand, len(alerts), got, want[brand])
		}
	}
}
