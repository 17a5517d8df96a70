package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Source gives a backup what it copies. Origin is one, in the installation; Remote is one, over HTTP.
type Source interface {
	// Plan says up to where a backup begun now goes, and what of it is archived.
	Plan(ctx context.Context) (*Plan, error)
	// Segment gives an archived file that the plan names.
	Segment(ctx context.Context, part archive.Part, name string) ([]byte, error)
	// Range gives records that were not archived at the plan, from an offset on, as a segment file: as many as fit, up to next.
	Range(ctx context.Context, part archive.Part, from, next int64) ([]byte, error)
}

// Plan is up to where a backup goes.
type Plan struct {
	Installation string     `json:"installation"`
	Made         string     `json:"made"`
	Parts        []PlanPart `json:"parts"`
}

// PlanPart is one partition of one generation.
type PlanPart struct {
	Topic      string `json:"topic"`
	Generation uint32 `json:"generation"`
	Partition  int32  `json:"partition"`
	Records    int64  `json:"records"`  // up to here the backup goes
	Manifest   string `json:"manifest"` // what of it is archived, as the archive's manifest says it
}

// Origin is a Source over the log and archive of a running installation. It keeps nothing between calls: archived files never change,
// and what is not archived yet can be read as long as the installation lives.
type Origin struct {
	Store archive.Store
	Logs  func(ctx context.Context) ([]*eventlog.Log, error) // of every archived topic; control last
	Now   func() time.Time
}

// Plan takes the ends of all topics, the control topic's last.
func (o *Origin) Plan(ctx context.Context) (*Plan, error) {
	plan := &Plan{Made: schema.InstantOf(o.Now()).String()}
	logs, err := o.Logs(ctx)
	if err != nil {
		return nil, err
	}
	for _, log := range logs {
		extents, err := log.Extents(ctx)
		if err != nil {
			return nil, err
		}
		for _, x := range extents {
			p, err := archive.OpenPartition(ctx, o.Store, x.Part)
			if err != nil {
				return nil, err
			}
			records := x.To - x.From
			var manifest []byte
			entries := p.Entries(records)
			for i := range entries {
				var prev *archive.Entry
				if i > 0 {
					prev = &entries[i-1]
				}
				if manifest, err = archive.AppendEntry(manifest, prev, &entries[i]); err != nil {
					return nil, err
				}
			}
			plan.Parts = append(plan.Parts, PlanPart{x.Part.Topic, x.Part.Generation, x.Part.Partition, records, string(manifest)})
		}
	}
	control := logs[len(logs)-1]
	first, err := control.Read(ctx, 0, 0, 0)
	if err != nil {
		return nil, err
	}
	if len(first.Records) == 0 {
		return nil, errNoControl
	}
	r := &first.Records[0]
	id := archive.RecordDigest(0, &kafka.Record{Offset: r.Offset, Time: r.RecordedAt, Key: r.Key, Value: r.Value, Headers: r.Headers})
	plan.Installation = hex.EncodeToString(id[:])
	return plan, nil
}

// Segment reads the archive.
func (o *Origin) Segment(ctx context.Context, part archive.Part, name string) ([]byte, error) {
	file, err := o.Store.Get(ctx, part, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, schema.Classify(schema.Fatal, &archive.DamageError{Path: o.Store.Locate(part, name), Err: errors.New("it is missing; restore it from a backup")})
	}
	return file, err
}

// rangeBytes is about how much one Range gives, before compression.
const rangeBytes = 8 << 20

// Range reads the sequence of archive and log.
func (o *Origin) Range(ctx context.Context, part archive.Part, from, next int64) ([]byte, error) {
	logs, err := o.Logs(ctx)
	if err != nil {
		return nil, err
	}
	for _, log := range logs {
		if log.Topic() != part.Topic {
			continue
		}
		extents, err := log.Extents(ctx)
		if err != nil {
			return nil, err
		}
		for _, x := range extents {
			if x.Part != part {
				continue
			}
			if from < 0 || from >= next || next > x.To-x.From {
				return nil, schema.Refuse("range_invalid", fmt.Sprintf("%s holds %d records, not those from %d to %d", part, x.To-x.From, from, next), "")
			}
			return o.read(ctx, log, x, from, next)
		}
	}
	return nil, schema.Refuse("part_unknown", fmt.Sprintf("there is no %s here", part), "")
}

func (o *Origin) read(ctx context.Context, log *eventlog.Log, x eventlog.Extent, from, next int64) ([]byte, error) {
	w := archive.NewSegmentWriter(x.Part, from)
	for at := from; at < next && w.RawBytes() < rangeBytes; {
		batch, err := log.Read(ctx, x.Part.Partition, x.From+at, time.Second)
		if err != nil {
			return nil, err
		}
		for i := range batch.Records {
			if at == next || w.RawBytes() >= rangeBytes {
				break
			}
			r := &batch.Records[i]
			if err := w.Add(&kafka.Record{Offset: at, Time: r.RecordedAt, Key: r.Key, Value: r.Value, Headers: r.Headers}); err != nil {
				return nil, schema.Classify(schema.Fatal, err)
			}
			at++
		}
	}
	file, _ := w.Finish()
	return file, nil
}
