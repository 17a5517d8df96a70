package envelope

import (
	"crypto/rand"
	"syscall"
	"testing"

	"github.com/klauspost/compress/dict"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/dossier-cdp/dossier/schema"
)

func events(seed int64, n int) []schema.Event {
	c := newCorpus(seed)
	out := make([]schema.Event, n)
	for i := range out {
		out[i] = c.event()
	}
	return out
}

// cpu reports the processor time of an operation, garbage collection included: on a shared machine the clock on the wall measures the
// neighbours. Call the result when the loop is over.
func cpu(b *testing.B) (report func()) {
	now := func() int64 {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		return usage.Utime.Nano() + usage.Stime.Nano()
	}
	start := now()
	return func() { b.ReportMetric(float64(now()-start)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkSeal(b *testing.B) {
	list := events(7, 1000)
	s := Sealer{Keys: testKeys, Nonces: rand.Reader}
	dst := make([]byte, 0, 1<<16)
	total := 0
	b.ReportAllocs()
	report := cpu(b)
	for i := 0; b.Loop(); i++ {
		out, err := s.Seal(dst, &list[i%len(list)])
		if err != nil {
			b.Fatal(err)
		}
		total += len(out)
	}
	report()
	b.ReportMetric(float64(total)/float64(b.N), "B/value")
}

func BenchmarkOpen(b *testing.B) {
	list := events(7, 1000)
	values := make([][]byte, len(list))
	for i := range list {
		values[i] = sealed(b, &list[i])
	}
	var e schema.Event
	b.ReportAllocs()
	report := cpu(b)
	for i := 0; b.Loop(); i++ {
		if err := Open(testKeys, values[i%len(values)], &e); err != nil {
			b.Fatal(err)
		}
	}
	report()
}

func BenchmarkReadClear(b *testing.B) {
	e := full()
	value := sealed(b, &e)
	var c schema.Clear
	b.ReportAllocs()
	report := cpu(b)
	for b.Loop() {
		if err := ReadClear(value, &c); err != nil {
			b.Fatal(err)
		}
	}
	report()
}

// BenchmarkCompressors is why the payload is an S2 block and why this package makes it itself. Zstandard gets a dictionary trained by its
// own method on the same samples.
func BenchmarkCompressors(b *testing.B) {
	plain := plains(7, 1000)
	trained, err := dict.BuildZstdDict(plains(1, 6000), dict.Options{MaxDictSize: 24 << 10, HashBytes: 6, ZstdDictID: 1, ZstdLevel: zstd.SpeedFastest})
	if err != nil {
		b.Fatal(err)
	}
	zstdWriter, err := zstd.NewWriter(nil, zstd.WithEncoderDict(trained), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
	if err != nil {
		b.Fatal(err)
	}
	ours := dictionaries[NewestDictionary]
	for _, c := range []struct {
		name string
		do   func(dst, src []byte) []byte
	}{
		{"squeezer", func(dst, src []byte) []byte { return ours.squeeze(dst[:0], src) }},
		{"s2.Dict.Encode", func(dst, src []byte) []byte { return ours.s2.Encode(dst[:cap(dst)], src) }},
		{"s2.Encode_no_dictionary", func(dst, src []byte) []byte { return s2.Encode(dst[:cap(dst)], src) }},
		{"zstd_fastest", func(dst, src []byte) []byte { return zstdWriter.EncodeAll(src, dst[:0]) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			dst := make([]byte, 0, 1<<16)
			before, after := 0, 0
			report := cpu(b)
			for i := 0; b.Loop(); i++ {
				before += len(plain[i%1000])
				after += len(c.do(dst, plain[i%1000]))
			}
			report()
			b.ReportMetric(float64(before)/float64(b.N), "B/before")
			b.ReportMetric(float64(after)/float64(b.N), "B/after")
		})
	}
}

// The stages of Seal, for the one who looks where the time goes.
func BenchmarkStages(b *testing.B) {
	list := events(7, 1000)
	plain := plains(7, 1000)
	b.Run("encode", func(b *testing.B) {
		var w writer
		report := cpu(b)
		for i := 0; b.Loop(); i++ {
			w.b = w.b[:0]
			appendSealed(&w, &list[i%1000].Sealed)
		}
		report()
	})
	var wk work
	b.Run("compress", func(b *testing.B) {
		report := cpu(b)
		for i := 0; b.Loop(); i++ {
			compress(&wk, plain[i%1000], NewestDictionary)
		}
		report()
	})
	squeezed := make([][]byte, len(plain))
	for i := range plain {
		out, _ := compress(&wk, plain[i], NewestDictionary)
		squeezed[i] = append([]byte(nil), out...)
	}
	b.Run("decompress", func(b *testing.B) {
		report := cpu(b)
		for i := 0; b.Loop(); i++ {
			if _, err := decompress(squeezed[i%1000], NewestDictionary); err != nil {
				b.Fatal(err)
			}
		}
		report()
	})
	b.Run("decode", func(b *testing.B) {
		var s schema.Sealed
		report := cpu(b)
		for i := 0; b.Loop(); i++ {
			if err := decodeSealed(plain[i%1000], &s); err != nil {
				b.Fatal(err)
			}
		}
		report()
	})
}
