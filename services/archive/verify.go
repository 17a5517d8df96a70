package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Verify decodes every record of the segment and compares the raw bytes with their digest and the trailer.
func (s *Segment) Verify() error {
	digest := sha256.New()
	var first, last *kafka.Record
	for i := range s.frames {
		f := &s.frames[i]
		raw, err := s.inflate(f)
		if err != nil {
			return err
		}
		digest.Write(raw)
		records, err := decodeFrame(raw, f.first, f.records, f.first)
		if err != nil {
			return err
		}
		if len(records) != f.records {
			return errSegmentForm
		}
		for j := range records {
			r := &records[j]
			if first == nil {
				first = r
			}
			last = r
			if r.Time < s.Earliest || r.Time > s.Latest {
				return fmt.Errorf("the record at offset %d lies outside of the times that the file states", r.Offset)
			}
		}
	}
	if first == nil || first.Offset != s.From || last.Offset != s.Next-1 {
		return errSegmentForm
	}
	if [sha256.Size]byte(digest.Sum(nil)) != s.RawDigest {
		return errors.New("its records do not match their digest")
	}
	return nil
}

// Health is what Verify found.
type Health struct {
	Partitions int
	Segments   int
	Records    int64
	Bytes      int64
	Unlisted   []string // files that no manifest names, left by a crash between file and manifest: harmless
}

// Verify reads the whole archive: every manifest line, every file, every record. The error joins everything that is wrong, each
// part of it naming a file or a range; what can be counted is counted all the same.
func Verify(ctx context.Context, store Store) (Health, error) {
	var h Health
	parts, err := store.Parts(ctx)
	if err != nil {
		return h, err
	}
	var wrong []error
	for _, part := range parts {
		h.Partitions++
		p, err := OpenPartition(ctx, store, part)
		if err != nil {
			wrong = append(wrong, err)
		}
		listed := map[string]bool{}
		for i := range p.entries {
			if err := ctx.Err(); err != nil {
				return h, err
			}
			e := &p.entries[i]
			listed[e.Name()] = true
			h.Segments++
			h.Records += e.Next - e.From
			h.Bytes += e.SegmentBytes
			if err := verifyEntry(ctx, p, e); err != nil {
				wrong = append(wrong, err)
			}
		}
		names, err := store.Names(ctx, part)
		if err != nil {
			wrong = append(wrong, err)
		}
		for _, name := range names {
			if !listed[name] {
				h.Unlisted = append(h.Unlisted, store.Locate(part, name))
			}
		}
	}
	return h, errors.Join(wrong...)
}

func verifyEntry(ctx context.Context, p *Partition, e *Entry) error {
	path := p.store.Locate(p.part, e.Name())
	file, err := p.get(ctx, e)
	if err != nil {
		return err
	}
	if _, err := CheckEntry(p.part, e, file); err != nil {
		return damaged(path, err)
	}
	return nil
}
