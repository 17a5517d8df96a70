package eventlog

import (
	"context"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/services/archive"
)

// Selected says what a selective read did.
type Selected struct {
	Segments int   // that lie in what was to be read
	Skipped  int   // of these, passed over by their index
	Rebuilt  int   // indexes that were missing or altered, and were made again
	Records  int64 // read
	Matched  int64 // given to the caller
}

// Select calls yield for every record before the given ends whose clear part the filter matches, as a full read and the filter would
// find them: partition by partition, ascending. Segments of the archive whose index excludes the filter are not read. What cannot be
// read as an event matches nothing. The clear part is not authenticated: only opening the event is.
func (l *Log) Select(ctx context.Context, f *archive.Filter, ends []int64, yield func(*Record, *schema.Clear) error) (Selected, error) {
	var done Selected
	for p := range l.parts {
		if err := l.selectPartition(ctx, f, int32(p), ends[p], yield, &done); err != nil {
			return done, err
		}
	}
	return done, nil
}

func (l *Log) selectPartition(ctx context.Context, f *archive.Filter, partition int32, end int64, yield func(*Record, *schema.Clear) error, done *Selected) error {
	var refreshed *stretch
	var inside int64 // up to where a segment is read that is not to be passed over
	for at := int64(0); at < end; {
		s := l.parts[partition].at(at)
		if s != nil && s.archive != nil && at >= inside {
			if refreshed != s {
				if err := s.archive.Refresh(ctx); err != nil {
					return err
				}
				refreshed = s
			}
			if e, found := s.archive.Find(at - s.from); found {
				skip, err := skips(ctx, s.archive, e, f, done)
				if err != nil {
					return err
				}
				inside = s.from + e.Next
				if skip {
					at = inside
					continue
				}
			}
		}
		batch, err := l.Read(ctx, partition, at, time.Second)
		if err != nil {
			return err
		}
		for i := range batch.Records {
			r := &batch.Records[i]
			if r.Offset >= end {
				break
			}
			done.Records++
			var c schema.Clear
			if envelope.ReadClear(r.Value, &c) != nil || !f.Match(&c) {
				continue
			}
			done.Matched++
			if err := yield(r, &c); err != nil {
				return err
			}
		}
		at = batch.Next
	}
	return nil
}

// skips says whether a segment may be passed over.
func skips(ctx context.Context, p *archive.Partition, e archive.Entry, f *archive.Filter, done *Selected) (bool, error) {
	done.Segments++
	if f.Empty() {
		return false, nil
	}
	index, rebuilt, err := p.Index(ctx, e)
	if err != nil {
		return false, err
	}
	if rebuilt {
		done.Rebuilt++
	}
	if !index.Excludes(f) {
		return false, nil
	}
	done.Skipped++
	return true, nil
}
