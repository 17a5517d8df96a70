package value

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// shared opens a file of the shared data, or skips.
func shared(t testing.TB, name string) *os.File {
	t.Helper()
	root := os.Getenv("DOSSIER_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(root, "data", name))
	if os.IsNotExist(err) && os.Getenv("CI") == "" {
		t.Skipf("%s is missing: set DOSSIER_SHARED to the folder that holds data/", name)
	}
	if err != nil {
		t.Fatalf("%v: set DOSSIER_SHARED to the folder that holds data/", err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func dayOf(t testing.TB, layout, text string) int32 {
	t.Helper()
	at, err := time.Parse(layout, text)
	if err != nil {
		t.Fatal(err)
	}
	return DayOf(schema.InstantOf(at))
}

// cdnow reads the purchases of each customer.
func cdnow(t testing.TB) map[string][]Purchase {
	t.Helper()
	lines := bufio.NewScanner(shared(t, "care/cdnow.txt"))
	out := map[string][]Purchase{}
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) != 4 || f[0] == "customer_id" {
			continue
		}
		amount, err := strconv.ParseFloat(f[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		out[f[0]] = append(out[f[0]], Purchase{dayOf(t, "20060102", f[1]), "USD", amount})
	}
	if len(out) != 23_570 {
		t.Fatalf("%d customers, want 23,570", len(out))
	}
	return out
}

// expectation is a line of cdnow_expected.csv.
type expectation struct {
	customer                            string
	repeats, holdout                    int
	recency, age, expected, probability float64
}

func expectations(t testing.TB) (out []expectation) {
	t.Helper()
	rows, err := csv.NewReader(shared(t, "care/cdnow_expected.csv")).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		var f [6]float64
		for i := range f {
			if f[i], err = strconv.ParseFloat(row[i+1], 64); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, expectation{row[0], int(f[0]), int(f[3]), f[1], f[2], f[4], f[5]})
	}
	return out
}

// calibration is the published sample's: 39 weeks, to the end of September.
var calibration = Settings{At: "1997-10-01T00:00:00Z", Horizon: 39 * 7, Margin: .3, Discount: .1}

// TestPublishedCDNOW fits the published sample of CDNOW and compares with what the paper and the reference print: parameters, and each customer's history,
// expectation and P(alive).
func TestPublishedCDNOW(t *testing.T) {
	purchases, want := cdnow(t), expectations(t)
	histories := make([]History, 0, len(want))
	_, last := calibration.window()
	for _, w := range want {
		h, ok := HistoryOf(purchases[w.customer], last)
		if !ok || int(h.Repeats) != w.repeats || math.Abs(float64(h.Recency)/7-w.recency) > 1e-6 || math.Abs(float64(h.Age)/7-w.age) > 1e-6 {
			t.Fatalf("customer %s has history %+v, want %+v", w.customer, h, w)
		}
		histories = append(histories, h)
	}
	f, fit, err := FitFrequency(append([]History{}, histories...))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("r %.5f α %.4f a %.5f b %.5f, log-likelihood %.3f in %d steps over %d groups", f.R, f.Alpha, f.A, f.B, fit.LogLikelihood, fit.Steps, fit.Groups)
	for _, c := range []struct {
		name            string
		got, want, near float64
	}{
		{"r", f.R, .24259, 1e-4}, {"α", f.Alpha, 4.4136, 1e-3}, {"a", f.A, .79292, 5e-4}, {"b", f.B, 2.42591, 2e-3},
		// Fader, Hardie, Lee 2005, table 2: −9,582.4.
		{"log-likelihood", fit.LogLikelihood, -9582.4, .05},
	} {
		if math.Abs(c.got-c.want) > c.near {
			t.Errorf("%s is %v, want %v", c.name, c.got, c.want)
		}
	}
	var expected, happened, worstE, worstP float64
	for i, w := range want {
		e, p := f.Expect(histories[i], float64(calibration.Horizon)), f.Alive(histories[i])
		worstE, worstP = max(worstE, math.Abs(e-w.expected)), max(worstP, math.Abs(p-w.probability))
		expected, happened = expected+e, happened+float64(w.holdout)
	}
	t.Logf("%d customers: expectation differs by at most %.1e, P(alive) by %.1e; expected %.1f, happened %.0f", len(want), worstE, worstP, expected, happened)
	if worstE > 1e-3 || worstP > 1e-3 {
		t.Errorf("a customer's expectation differs by %v, P(alive) by %v, want at most 1e-3", worstE, worstP)
	}
	if math.Abs(expected-1653.4) > .2 || happened != 1882 {
		t.Errorf("expected %v and happened %v, want 1653.4 and 1882", expected, happened)
	}
}

// TestPublishedSpend fits the same customers' spending: Fader and Hardie 2013 print p 6.25, q 3.74, γ 15.44 for the 946 with a repeat purchase.
func TestPublishedSpend(t *testing.T) {
	purchases := cdnow(t)
	var averages []Average
	first, last := calibration.window()
	for _, w := range expectations(t) {
		if s, ok := mainSpending(spendingOf(within(purchases[w.customer], first, last))); ok && s.repeats > 0 {
			averages = append(averages, s.average())
		}
	}
	s, fit, correlation, err := FitSpend(averages)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("p %.3f q %.3f γ %.3f, correlation %.3f, %d customers, %d steps", s.P, s.Q, s.Gamma, correlation, fit.Customers, fit.Steps)
	if math.Abs(s.P-6.25) > .02 || math.Abs(s.Q-3.74) > .02 || math.Abs(s.Gamma-15.44) > .1 || fit.Customers < 940 || fit.Customers > 946 {
		t.Errorf("p %v q %v γ %v of %d customers, want 6.25, 3.74, 15.44 of 946", s.P, s.Q, s.Gamma, fit.Customers)
	}
}

// TestBacktestCDNOW holds the published sample's forecast for the 39 weeks after against what happened, and draws it.
func TestBacktestCDNOW(t *testing.T) {
	purchases := cdnow(t)
	var customers [][]Purchase
	want := expectations(t)
	for _, w := range want {
		customers = append(customers, purchases[w.customer])
	}
	b, err := Test(calibration, 39, slices.Values(customers))
	if err != nil {
		t.Fatal(err)
	}
	end := b.Weeks[38]
	if math.Abs(end.Expected-1653.4) > .2 || end.Happened != 1882 {
		t.Errorf("after 39 weeks %+v, want 1653.4 and 1882", end)
	}
	for i, g := range b.Groups {
		var expected float64
		var happened, n int64
		for _, w := range want { // from the file alone
			if min(w.repeats, lastBar) == i {
				expected, happened, n = expected+w.expected, happened+int64(w.holdout), n+1
			}
		}
		if g.Customers != n || g.Happened != happened || math.Abs(g.Expected-expected) > 1e-3*float64(n) {
			t.Errorf("of those with %d repeats %+v, want %d, %v, %d", i, g, n, expected, happened)
		}
	}
	for name, french := range map[string]bool{"en": false, "fr": true} {
		picture := b.SVG(french)
		d := xml.NewDecoder(bytes.NewReader(picture))
		circles := 0
		for {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
				circles++
			}
		}
		if circles != 39 || bytes.Contains(picture, []byte("NaN")) || !bytes.Contains(picture, []byte("1882")) {
			t.Errorf("%s: %d dots in\n%s", name, circles, picture)
		}
		if to := os.Getenv("DOSSIER_PICTURES"); to != "" {
			if err := os.WriteFile(filepath.Join(to, "cdnow_"+name+".svg"), picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
