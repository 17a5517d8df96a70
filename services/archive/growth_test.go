package archive

import (
	"crypto/sha256"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// TestGrown counts segments of ten records, one a day of the year, in two partitions.
func TestGrown(t *testing.T) {
	const day = schema.Instant(86_400_000_000)
	store, err := OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if g, err := Grown(t.Context(), store, 5*day); err != nil || g != (Growth{Since: 5 * day}) {
		t.Errorf("an empty store: %+v, %v", g, err)
	}
	var bytes int64
	for partition := range int32(2) {
		part := Part{"events", 0, partition}
		p, err := OpenPartition(t.Context(), store, part)
		if err != nil {
			t.Fatal(err)
		}
		for segment := range int64(3) { // days 100 to 109, 110 to 119, 120 to 129
			w := NewSegmentWriter(part, 10*segment)
			for n := range int64(10) {
				if err := w.Add(&kafka.Record{Offset: 10*segment + n, Time: schema.Instant(100+10*segment+n) * day, Value: []byte("x")}); err != nil {
					t.Fatal(err)
				}
			}
			file, _ := w.Finish()
			s, err := OpenSegment(file, sha256.Sum256(file))
			if err != nil {
				t.Fatal(err)
			}
			e, err := s.Entry()
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Import(t.Context(), e, file); err != nil {
				t.Fatal(err)
			}
			bytes += int64(len(file))
		}
	}
	for _, c := range []struct{ since, want, recent schema.Instant }{{0, 100, 60}, {115, 115, 40}, {125, 125, 20}, {200, 200, 0}} {
		g, err := Grown(t.Context(), store, c.since*day)
		if err != nil || g.Records != 60 || g.Bytes != bytes || g.RecentRecords != int64(c.recent) || g.Since != c.want*day || (g.RecentBytes == 0) != (c.recent == 0) {
			t.Errorf("since day %d: %+v, %v", c.since, g, err)
		}
	}
}
