package verbatim_test

import (
	"runtime"
	"syscall"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
)

// BenchmarkRead reads the shared sentences. cpu-texts/s counts the process's user CPU, so other work on the machine does not matter.
func BenchmarkRead(b *testing.B) { reads(b, verbatim.New(base(b), nil)) }

// BenchmarkReadDeep is BenchmarkRead of the encoder tier.
func BenchmarkReadDeep(b *testing.B) {
	if a := deep(b); a != nil {
		reads(b, a)
	}
}

func reads(b *testing.B, a *verbatim.Analyzer) {
	rows := shared(b, "dev")
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	a.Read(rows[0].Text, verbatim.Unknown)
	b.ReportMetric(float64(before.HeapAlloc)/1e6, "heap-MB")
	user := func() float64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return float64(u.Utime.Nano()) / 1e9
	}
	b.ReportAllocs()
	b.ResetTimer()
	started := user()
	for i := range b.N {
		a.Read(rows[i*7919%len(rows)].Text, verbatim.Unknown)
	}
	b.ReportMetric(float64(b.N)/(user()-started), "cpu-texts/s")
}
