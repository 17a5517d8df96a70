package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

func someRecords(t *rapid.T, from int64) []kafka.Record {
	value := rapid.OneOf(rapid.Just[[]byte](nil), rapid.SliceOfN(rapid.Byte(), 0, 40), rapid.Just(make([]byte, 300_000)))
	n := rapid.IntRange(1, 30).Draw(t, "records")
	records := make([]kafka.Record, n)
	for i := range records {
		r := &records[i]
		r.Offset = from + int64(i)
		r.Time = schema.Instant(rapid.Int64Range(-1e12, 4e12).Draw(t, "millis") * 1000)
		r.Key, r.Value = value.Draw(t, "key"), value.Draw(t, "value")
		for range rapid.IntRange(0, 2).Draw(t, "headers") {
			r.Headers = append(r.Headers, kafka.Header{Key: rapid.String().Draw(t, "name"), Value: value.Draw(t, "header")})
		}
	}
	return records
}

func build(t interface{ Fatal(...any) }, records []kafka.Record) ([]byte, Summary) {
	b := newBuilder()
	b.start("events", 3, 2, records[0].Offset)
	for i := range records {
		if err := b.add(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	return b.finish()
}

// Every record comes back as it went in, from every offset, and two builds of the same records are the same bytes.
func TestSegmentRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := someRecords(t, rapid.Int64Range(0, 1<<40).Draw(t, "from"))
		file, s := build(t, records)
		again, _ := build(t, records)
		if sha256.Sum256(file) != sha256.Sum256(again) {
			t.Fatal("two builds differ")
		}
		seg, err := OpenSegment(file, s.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if seg.Summary != s {
			t.Fatalf("summary\n%+v, wrote\n%+v", seg.Summary, s)
		}
		if err := seg.Verify(); err != nil {
			t.Fatal(err)
		}
		for at := seg.From; at < seg.Next; {
			got, err := seg.Read(at)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				want := &records[at-seg.From+int64(i)]
				if !reflect.DeepEqual(&got[i], want) {
					t.Fatalf("at %d: got %+v, want %+v", at, got[i], *want)
				}
			}
			if rest := int64(len(got)); rest == 0 || at+rest > seg.Next {
				t.Fatalf("at %d: %d records", at, rest)
			}
			if len(got) > 1 && rapid.Bool().Draw(t, "one by one") {
				at++
			} else {
				at += int64(len(got))
			}
		}
	})
}

// One changed bit anywhere is found by the name; and if the name agrees with the changed bytes, decoding does not panic.
func TestSegmentAltered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file, s := build(t, someRecords(t, 7))
		at := rapid.IntRange(0, len(file)-1).Draw(t, "at")
		file[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := OpenSegment(file, s.Digest); err == nil {
			t.Fatal("an altered file was opened")
		}
		cut := file[:at]
		if _, err := OpenSegment(cut, s.Digest); err == nil {
			t.Fatal("a torn file was opened")
		}
	})
}

// A segment with a gap is never built.
func TestBuilderRefusesGap(t *testing.T) {
	b := newBuilder()
	b.start("events", 1, 0, 5)
	if err := b.add(&kafka.Record{Offset: 5}); err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int64{5, 7, 4} {
		if err := b.add(&kafka.Record{Offset: offset}); err == nil {
			t.Errorf("offset %d was taken after 5", offset)
		}
	}
}

// FuzzOpenSegment gives the decoder bytes whose name is right, as an attacker who controls the archive and its manifest could.
func FuzzOpenSegment(f *testing.F) {
	small, _ := build(f, []kafka.Record{{Offset: 1, Time: 5000, Key: []byte("k"), Value: []byte("value"), Headers: []kafka.Header{{Key: "h"}}}, {Offset: 2}})
	f.Add(small)
	f.Add(small[:len(small)-3])
	f.Add([]byte(segmentMagic))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := OpenSegment(file, sha256.Sum256(file))
		if err != nil {
			return
		}
		if s.Verify() != nil {
			return
		}
		for at := s.From; at < s.Next; {
			records, err := s.Read(at)
			if err != nil || len(records) == 0 {
				t.Fatalf("a verified segment cannot be read at %d: %v", at, err)
			}
			at += int64(len(records))
		}
	})
}

func BenchmarkSegmentRead(b *testing.B) {
	file, s := benchmarkSegment(b)
	b.ResetTimer()
	n := 0
	for n < b.N {
		seg, err := OpenSegment(file, s.Digest)
		if err != nil {
			b.Fatal(err)
		}
		for at := seg.From; at < seg.Next; {
			records, err := seg.Read(at)
			if err != nil {
				b.Fatal(err)
			}
			at += int64(len(records))
			n += len(records)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkSegmentWrite(b *testing.B) {
	records := benchmarkRecords()
	builder := newBuilder()
	b.ResetTimer()
	n := 0
	for n < b.N {
		builder.start("events", 1, 0, 0)
		for i := range records {
			if err := builder.add(&records[i]); err != nil {
				b.Fatal(err)
			}
		}
		builder.finish()
		n += len(records)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}

func benchmarkSegment(b *testing.B) ([]byte, Summary) { return build(b, benchmarkRecords()) }

// benchmarkRecords are 8,000 of 500 random bytes, as sealed events are.
func benchmarkRecords() []kafka.Record {
	random := rand.New(rand.NewPCG(1, 2))
	records := make([]kafka.Record, 8000)
	for i := range records {
		value := make([]byte, 0, 504)
		for len(value) < 500 {
			value = binary.LittleEndian.AppendUint64(value, random.Uint64())
		}
		records[i] = kafka.Record{Offset: int64(i), Time: schema.Instant(i) * 1000, Key: value[:16], Value: value}
	}
	return records
}
