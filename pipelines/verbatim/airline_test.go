package verbatim_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/pipelines/verbatim/encoder/encodertest"
)

// airline gives labelled tweets to airlines: to learn from, and a fifth held out. The weights that tests make of them are kept nowhere: the licence of the tweets lets nobody ship them.
func airline(t *testing.T) (learn, held []verbatim.Labelled) {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "care", "airline_tweets.csv"))
	if os.IsNotExist(err) && os.Getenv("CI") == "" {
		t.Skip("the data is missing: airline_tweets.csv")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for n, row := range rows[1:] {
		l := verbatim.Labelled{Text: row[5], Language: verbatim.English, Group: "no complaint"}
		l.Polarity, _ = verbatim.ParseLabel(row[8])
		if row[9] != "" {
			l.Themes, l.Group = []string{row[9]}, "complaint" // reasons are learnt from what has one
		}
		if n%5 == 4 {
			held = append(held, l)
		} else {
			learn = append(learn, l)
		}
	}
	return learn, held
}

// reasons holds an analyzer against the complaints held out.
func reasons(t *testing.T, a *verbatim.Analyzer, held []verbatim.Labelled, want float64) {
	t.Helper()
	var all verbatim.Counts
	var polarity verbatim.Confusion
	for _, l := range held {
		r := a.Read(l.Text, verbatim.English)
		if class, ok := l.Polarity.Class(); ok && r.Polarity != verbatim.Abstained {
			polarity[class][r.Polarity]++
		}
		if len(l.Themes) == 0 {
			continue
		}
		all.Real++
		for _, theme := range r.Themes {
			all.Given++
			if theme.ID == l.Themes[0] {
				all.Hits++
			}
		}
	}
	t.Logf("reasons: micro-F1 %.4f (n %d); sentiment: accuracy %.3f, macro-F1 %.3f (n %d)", all.F1(), all.Real, polarity.Accuracy(), polarity.MacroF1(), polarity.N())
	if all.F1() < want {
		t.Errorf("reasons have a micro-F1 of %.4f, want %.3f", all.F1(), want)
	}
}

// TestAirlineReasons learns why customers of airlines complain from four fifths of the labelled tweets, and tells it of the others; at full counts in the encoder tier, too.
func TestAirlineReasons(t *testing.T) {
	learn, held := airline(t)
	how := verbatim.Training{Name: "airline", ThemeTexts: 30, Start: base(t), Seed: 1}
	m, _, err := verbatim.Train(learn, how)
	if err != nil {
		t.Fatal(err)
	}
	reasons(t, verbatim.New(m, nil), held, .60)
	if os.Getenv("DOSSIER_PROVE") == "" {
		return
	}
	e := encodertest.Open(t)
	if e == nil {
		return
	}
	h, _, err := verbatim.TrainHeads(learn, m, e, how)
	if err != nil {
		t.Fatal(err)
	}
	a, err := verbatim.NewDeep(m, nil, e, h)
	if err != nil {
		t.Fatal(err)
	}
	reasons(t, a, held, .645)
}

// TestMemory: the model that ships, ready to read, takes less than 60 MB of heap.
func TestMemory(t *testing.T) {
	stored, err := base(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m, err := verbatim.Parse(stored)
	if err != nil {
		t.Fatal(err)
	}
	a := verbatim.New(m, verbatim.DefaultSettings().Tree)
	a.Read(cross, verbatim.Unknown)
	runtime.GC()
	runtime.ReadMemStats(&after)
	mb := float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)) / (1 << 20)
	t.Logf("a model takes %.1f MB of heap beside its %.1f MB stored", mb, float64(len(stored))/(1<<20))
	if mb > 60 {
		t.Errorf("a model takes %.1f MB of heap, want at most 60", mb)
	}
	runtime.KeepAlive(a)
	runtime.KeepAlive(stored)
}
