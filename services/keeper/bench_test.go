package keeper

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// One erasure, by the number of leaves punched before: each write renews the whole ring.
func BenchmarkPunch(b *testing.B) {
	for _, before := range []int{0, 1000, 10000} {
		b.Run(fmt.Sprintf("after=%d", before), func(b *testing.B) {
			dir := b.TempDir()
			k, err := Open(dir, masterA, year2026, rand.Reader)
			if err != nil {
				b.Fatal(err)
			}
			defer func() {
				if err := k.Close(); err != nil {
					b.Error(err)
				}
			}()
			if _, err := k.Ring("main"); err != nil {
				b.Fatal(err)
			}
			next := uint64(0)
			punch := func(n int) {
				epochs := make([]schema.PersonaEpoch, n)
				for i := range epochs {
					next++
					binary.BigEndian.PutUint64(epochs[i].Persona[:], next)
				}
				if err := k.Punch("main", epochs); err != nil {
					b.Fatal(err)
				}
			}
			punch(before)
			for b.Loop() {
				punch(1)
			}
			stat, err := os.Stat(filepath.Join(dir, "keys", "ring"))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(stat.Size()), "B-ring")
		})
	}
}
