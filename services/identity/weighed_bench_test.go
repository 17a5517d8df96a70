package identity

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// benchmarkWeighed decides under the model fr after every record, as the service does when records come one by one, and reports of the last ones the mean CPU time of the
// goroutine that folds, and how long a record took from consumed to decided and committed: read that on a quiet machine. What comes before them is built at once.
func benchmarkWeighed(b *testing.B, events []schema.Event, last int) {
	model := shipped(b, "fr")
	for b.Loop() {
		log := newLog("c", 1)
		c := Config{Workspace: workspace, Log: log, Feed: log, Hash: NewHasher(prf), Store: state.Options{Logger: quiet}}
		p, err := openProjection(b.Context(), b.TempDir(), &c, identity.DefaultRules(), weighing{model, model.Records})
		must(b, err)
		at := schema.Instant(0)
		fold := func(e *schema.Event) {
			at++
			must(b, p.fold(e, at))
		}
		before := len(events) - last
		for i := range events[:before] {
			if fold(&events[i]); i%4096 == 4095 {
				must(b, p.commit())
			}
		}
		must(b, p.commit())
		for d, done := (decision{}), false; !done; {
			done, err = p.decideSome(&d)
			must(b, err)
		}
		must(b, p.finishBuilding())
		runtime.LockOSThread()
		spent := make([]int64, 0, last)
		from := threadCPU()
		for i := range events[before:] {
			begun := time.Now()
			fold(&events[before+i])
			must(b, p.commit())
			spent = append(spent, int64(time.Since(begun)))
		}
		all := threadCPU() - from
		runtime.UnlockOSThread()
		slices.Sort(spent)
		ms := func(ns int64) float64 { return float64(ns) / 1e6 }
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(ms(all)/float64(last), "cpu-ms/record")
		b.ReportMetric(ms(spent[last/2]), "p50-ms")
		b.ReportMetric(ms(spent[last*99/100]), "p99-ms")
		b.ReportMetric(ms(spent[last-1]), "max-ms")
		must(b, p.close())
	}
}

// BenchmarkWeighedClients is the labelled file of clients.
func BenchmarkWeighedClients(b *testing.B) {
	events, _ := labelledClients(b)
	benchmarkWeighed(b, events, 4000)
}

// BenchmarkWeighedCrowd is 35 full names among 3,300 people.
func BenchmarkWeighedCrowd(b *testing.B) { benchmarkWeighed(b, newCrowd(1, 20_000).events, 1000) }
