package archive

import (
	"context"

	"github.com/dossier-cdp/dossier/schema"
)

// Growth is what a store holds, and what of it was recorded since a time.
type Growth struct {
	Records, Bytes             int64 // all; bytes of the segment files
	RecentRecords, RecentBytes int64 // of segments whose last record is of Since or later
	Since                      schema.Instant
}

// Grown reads the manifests, and no segment. Since becomes the time of the first record, if that is later than the one asked for.
func Grown(ctx context.Context, store Store, since schema.Instant) (Growth, error) {
	g := Growth{Since: since}
	parts, err := store.Parts(ctx)
	if err != nil {
		return g, err
	}
	first := schema.Instant(0)
	for _, part := range parts {
		p, err := OpenPartition(ctx, store, part)
		if err != nil {
			return g, err
		}
		for i := range p.entries {
			e := &p.entries[i]
			if g.Records == 0 || e.Earliest < first {
				first = e.Earliest
			}
			g.Records += e.Next - e.From
			g.Bytes += e.SegmentBytes
			if e.Latest >= since {
				g.RecentRecords += e.Next - e.From
				g.RecentBytes += e.SegmentBytes
			}
		}
	}
	if g.Records > 0 {
		g.Since = max(since, first)
	}
	return g, nil
}
