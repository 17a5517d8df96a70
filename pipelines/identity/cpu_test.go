package identity_test

import (
	"syscall"
	"testing"
	"time"
)

// cpu reports the processor time an operation took, which a busy machine does not change. Call what it returns when done.
func cpu(b *testing.B) func() {
	b.ReportAllocs()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}
