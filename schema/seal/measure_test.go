//go:build unix

package seal

import (
	"syscall"
	"testing"
)

// measure runs op b.N times and reports its processor time, which other work on the machine disturbs less than elapsed time.
func measure(b *testing.B, op func()) {
	b.ReportAllocs()
	before := processorNanoseconds(b)
	for b.Loop() {
		op()
	}
	b.ReportMetric(float64(processorNanoseconds(b)-before)/float64(b.N), "cpu-ns/op")
}

func processorNanoseconds(b *testing.B) int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}
