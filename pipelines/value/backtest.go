package value

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// Backtest compares what a snapshot would have forecast with what happened since: the model is fitted to the purchases before an instant, and its forecast
// for those customers is held against their purchases after it.
type Backtest struct {
	Snapshot *Snapshot      `json:"snapshot"`
	Weeks    []BacktestWeek `json:"weeks"`
	Groups   []BacktestBar  `json:"groups"`
}

// BacktestWeek is how many purchases (days with a purchase) all customers together were expected to make up to the end of a week after the
// snapshot's instant, and made.
type BacktestWeek struct {
	Week     int     `json:"week"`
	Expected float64 `json:"expected"`
	Happened int64   `json:"happened"`
}

// BacktestBar is the same for those who had bought again so often, over the whole time. The last bar is of all who did so more often.
type BacktestBar struct {
	Repeats   int     `json:"repeats"`
	Customers int64   `json:"customers"`
	Expected  float64 `json:"expected"`
	Happened  int64   `json:"happened"`
}

// lastBar is the number of repeat purchases from which on customers are one group.
const lastBar = 7

// Test runs a backtest over so many weeks after the settings' instant. Customers who had not bought before it are in no figure. The error of a model that
// cannot be fitted is rejected.
func Test(s Settings, weeks int, customers iter.Seq[[]Purchase]) (*Backtest, error) {
	if weeks < 1 || weeks > 520 {
		return nil, schema.Refuse("value_invalid", "the time held out is not 1 to 520 weeks", "hold out about as long as you want to see ahead")
	}
	all := slices.Collect(customers)
	snapshot, err := Take(s, slices.Values(all))
	if err != nil {
		return nil, err
	}
	if snapshot.Model == nil {
		return nil, schema.Refuse("value_empty", "there is no model to test: "+snapshot.ModelReason, "choose a later instant or a longer window")
	}
	first, last := s.window()
	out := &Backtest{Snapshot: snapshot, Weeks: make([]BacktestWeek, weeks), Groups: make([]BacktestBar, lastBar+1)}
	count := map[History]int64{}
	for _, c := range all {
		h, ok := HistoryOf(within(c, first, last), last)
		if !ok {
			continue
		}
		count[h]++
		bar := &out.Groups[min(int(h.Repeats), lastBar)]
		bar.Customers++
		before := last
		for _, p := range within(c, last+1, last+int32(weeks)*week) {
			if p.Day > before {
				before = p.Day
				out.Weeks[(p.Day-last-1)/week].Happened++
				bar.Happened++
			}
		}
	}
	histories := make([]History, 0, len(count))
	for h := range count {
		histories = append(histories, h)
	}
	slices.SortFunc(histories, byHistory)
	for _, h := range histories {
		n := float64(count[h])
		for w := range out.Weeks {
			out.Weeks[w].Expected += n * snapshot.Model.Expect(h, float64(w+1)*week)
		}
		out.Groups[min(int(h.Repeats), lastBar)].Expected += n * snapshot.Model.Expect(h, float64(weeks)*week)
	}
	happened := int64(0)
	for w := range out.Weeks {
		happened += out.Weeks[w].Happened
		out.Weeks[w].Week, out.Weeks[w].Happened = w+1, happened
	}
	for i := range out.Groups {
		out.Groups[i].Repeats = i
	}
	return out, nil
}

func byHistory(a, b History) int {
	return cmp.Or(cmp.Compare(a.Repeats, b.Repeats), cmp.Compare(a.Recency, b.Recency), cmp.Compare(a.Age, b.Age))
}

// The picture's size, in pixels: two panels above each other, each with its margins.
const (
	svgWidth, svgHeight = 760, 640
	svgLeft, svgRight   = 70, 20
	panelTop, panelHigh = 50, 220
	panelApart          = 310
)

// SVG draws the backtest in French or English: above the purchases of all customers week by week, forecast and happened; below the purchases of a customer by how
// often he had bought before. The same backtest is the same bytes.
func (b *Backtest) SVG(french bool) []byte {
	say := func(en, fr string) string {
		if french {
			return fr
		}
		return en
	}
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="#222">`+"\n", svgWidth, svgHeight)
	fmt.Fprintf(&out, "<title>%s</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", say("Forecast and what happened", "Prévision et réalité"), svgWidth, svgHeight)
	weeks := b.Weeks[len(b.Weeks)-1]
	label := func(x, y float64, anchor, text string) {
		fmt.Fprintf(&out, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, text)
	}
	at := b.Snapshot.Settings.At
	if i, err := schema.ParseInstant(at); err == nil {
		at = time.UnixMicro(int64(i)).UTC().Format(time.DateOnly)
	}
	label(svgLeft, 20, "start", fmt.Sprintf(say("%d customers at %s: purchases in the %d weeks after, %.0f forecast, %d happened (%+.1f %%)",
		"%d clients au %s : achats des %d semaines suivantes, %.0f prévus, %d réalisés (%+.1f %%)"),
		b.Snapshot.Customers, at, weeks.Week, weeks.Expected, weeks.Happened, 100*(weeks.Expected/max(1, float64(weeks.Happened))-1)))
	label(svgLeft, 40, "start", say("line: forecast (BG/NBD) · dots: happened", "ligne : prévision (BG/NBD) · points : réalité"))

	wide := float64(svgWidth - svgLeft - svgRight)
	axis := func(top, most float64) func(v float64) float64 {
		bottom := top + panelHigh
		up := func(v float64) float64 { return bottom - v/most*panelHigh }
		for _, tick := range ticks(most) {
			fmt.Fprintf(&out, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/>`+"\n", svgLeft, svgWidth-svgRight, up(tick), up(tick))
			label(svgLeft-6, up(tick)+4, "end", fmt.Sprintf("%g", tick))
		}
		return up
	}
	up := axis(panelTop, 1.05*max(weeks.Expected, float64(weeks.Happened), 1))
	across := func(w int) float64 { return svgLeft + wide*float64(w)/float64(weeks.Week) }
	fmt.Fprintf(&out, `<polyline fill="none" stroke="#2563a8" stroke-width="2" points="%d,%.1f`, svgLeft, up(0))
	for _, w := range b.Weeks {
		fmt.Fprintf(&out, " %.1f,%.1f", across(w.Week), up(w.Expected))
	}
	out.WriteString("\"/>\n")
	for _, w := range b.Weeks {
		fmt.Fprintf(&out, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="#c2410c"/>`+"\n", across(w.Week), up(float64(w.Happened)))
	}
	label(svgWidth-svgRight, panelTop+panelHigh+18, "end", fmt.Sprintf(say("week %d", "semaine %d"), weeks.Week))

	most := 0.0
	for _, g := range b.Groups {
		if g.Customers > 0 {
			most = max(most, g.Expected/float64(g.Customers), float64(g.Happened)/float64(g.Customers))
		}
	}
	up = axis(panelTop+panelApart, 1.05*max(most, .01))
	label(svgLeft, panelTop+panelApart-12, "start", say("purchases of a customer in these weeks, by repeat purchases before", "achats par client sur ces semaines, selon les réachats d'avant"))
	slot := wide / float64(len(b.Groups))
	for i, g := range b.Groups {
		x := svgLeft + slot*(float64(i)+.5)
		name := fmt.Sprint(g.Repeats)
		if i == lastBar {
			name += "+"
		}
		label(x, panelTop+panelApart+panelHigh+18, "middle", fmt.Sprintf("%s (n %d)", name, g.Customers))
		if g.Customers == 0 {
			continue
		}
		for j, v := range []float64{g.Expected, float64(g.Happened)} {
			y := up(v / float64(g.Customers))
			fmt.Fprintf(&out, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x+float64(j-1)*slot*.3, y, slot*.28,
				panelTop+panelApart+panelHigh-y, []string{"#2563a8", "#c2410c"}[j])
		}
	}
	out.WriteString("</svg>\n")
	return []byte(out.String())
}

// ticks are round values from 0 to at most an end: 1, 2 or 5 times a power of ten apart, four to nine of them.
func ticks(most float64) (out []float64) {
	unit := math.Pow(10, math.Floor(math.Log10(most)))
	switch lead := most / unit; {
	case lead < 2:
		unit /= 5
	case lead < 5:
		unit /= 2
	}
	for i := 0; float64(i)*unit <= most; i++ {
		out = append(out, float64(i)*unit)
	}
	return out
}
