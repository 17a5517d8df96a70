package identity

import (
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/mix"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// benchCommit is the number of events between two commits, as in a Service that has more to fold than it can.
const benchCommit = commitRecords

// spread calls f with the events of many copies of a mix, in the order of time: the copies' people live at the same time. It gives the CPU time of f and of all
// that works beside it, without that of making the events.
func spread(b *testing.B, events []schema.Event, copies, rounds int, f func(chunk []logged)) (spent int64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	chunk := make([]logged, 0, benchCommit)
	begin, making := cpu(), int64(0)
	from := threadCPU()
	at := schema.Instant(0)
	give := func() {
		making += threadCPU() - from
		f(chunk)
		from = threadCPU()
		chunk = chunk[:0]
	}
	for round := range rounds {
		for i := range events {
			for k := range copies {
				at++
				if chunk = append(chunk, logged{event: mix.Copy(&events[i], k, round, deriver), at: at}); len(chunk) == cap(chunk) {
					give()
				}
			}
		}
	}
	give()
	return cpu() - begin - making
}

func threadCPU() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(1 /* RUSAGE_THREAD */, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func report(b *testing.B, events int, spent int64) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(spent)/float64(events)/1e3, "cpu-us/event")
	b.ReportMetric(float64(events)/float64(spent)*1e9, "events/s")
}

// sizes are the numbers of copies: the mix itself; about one and ten million events under DOSSIER_PROVE=1.
func sizes(one int) (copies []int) {
	copies = []int{1}
	if os.Getenv("DOSSIER_PROVE") == "1" {
		copies = append(copies, 1+1_000_000/one, 1+10_000_000/one)
	}
	return copies
}

var mixes = []struct {
	name   string
	of     func(testing.TB) []schema.Event
	rounds int
}{{"demo", demoMix, 1}, {"steady", demoMix, steadyRounds}, {"clients", clientsMix, 1}}

// steadyRounds make about 30 events a persona of the demo's mix: the same people go on with what they did, as they do in an installation that has been there for years.
const steadyRounds = 9

// BenchmarkFoldMemory folds a mix in memory, with everything that the durable state keeps: evidence, hubs, who is who, and the state of each persona.
func BenchmarkFoldMemory(b *testing.B) {
	for _, m := range mixes {
		b.Run(m.name, func(b *testing.B) {
			events := m.of(b)
			var spent int64
			n, personas := 0, 0
			for range b.N {
				memory := mix.NewMemory(NewHasher(prf))
				spent += spread(b, events, 1, m.rounds, func(chunk []logged) {
					for i := range chunk {
						must(b, memory.Fold(&chunk[i].event, chunk[i].at))
					}
					must(b, memory.Resolve())
				})
				n += len(events) * m.rounds
				personas += memory.Personas()
			}
			report(b, n, spent)
			b.ReportMetric(float64(n)/float64(personas), "events/persona")
		})
	}
}

// BenchmarkFoldDurable folds a mix into the stored state, flushes and compactions included.
func BenchmarkFoldDurable(b *testing.B) {
	for _, m := range mixes {
		of := []schema.Event(nil)
		for i, size := range []string{"small", "1M", "10M"} {
			b.Run(m.name+"/"+size, func(b *testing.B) {
				if of == nil {
					of = m.of(b)
				}
				all := sizes(len(of) * m.rounds)
				if i >= len(all) {
					b.Skip("set DOSSIER_PROVE=1")
				}
				var spent int64
				events := 0
				for range b.N {
					log := newLog("c", 1)
					c := Config{Workspace: workspace, Log: log, Feed: log, Hash: NewHasher(prf), Store: state.Options{Logger: quiet}}
					p, err := openProjection(b.Context(), b.TempDir(), &c, identity.DefaultRules(), weighing{})
					must(b, err)
					p.built = true // as it is once a log was read: who is who is decided with each commit
					quarter := [4]int64{}
					done, total := 0, all[i]*len(of)*m.rounds
					spent += spread(b, of, all[i], m.rounds, func(chunk []logged) {
						before := cpu()
						for i := range chunk {
							must(b, p.fold(&chunk[i].event, chunk[i].at))
						}
						must(b, p.commit())
						quarter[min(3, 4*done/total)] += cpu() - before
						done += len(chunk)
					})
					events += total
					b.ReportMetric(float64(quarter[3])/float64(total/4)/1e3, "last-quarter-cpu-us/event")
					identifiers, size := 0, 0.0 // of all rows, before the store packs them
					must(b, p.store.Scan([]byte{0}, []byte{0xff}, func(key, value []byte) error {
						if key[0] == 'h' {
							identifiers++
						}
						size += float64(len(key) + len(value))
						return nil
					}))
					personas, profiles := p.personas, p.profiles
					must(b, p.close())
					b.ReportMetric(size/float64(identifiers), "bytes/identifier")
					b.ReportMetric(size/float64(personas), "bytes/persona")
					b.ReportMetric(float64(total)/float64(personas), "events/persona")
					b.ReportMetric(float64(personas)/float64(profiles), "personas/profile")
				}
				report(b, events, spent)
			})
		}
	}
}
