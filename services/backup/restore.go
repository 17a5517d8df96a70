package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Log takes what a restore brings back; *kafka.Client is one.
type Log interface {
	Offsets(ctx context.Context, topic string) ([]kafka.Range, error)
	Produce(ctx context.Context, topic string, partition int32, messages []kafka.Message, at time.Time) (base int64, err error)
}

// Target is where a backup is restored to.
type Target struct {
	Store archive.Store // empty
	Log   Log           // with every topic, all empty
	// Begin makes the log's topic of the generation that the restore starts.
	Begin func(ctx context.Context, topic schema.Topic) error
	// Partitions of that generation; 0: as many as the last one had.
	Partitions int32
	Now        func() time.Time
}

// Restore brings a backup back. The events' files become the archive of the new installation, and a new generation of the topic
// begins behind them. The records of the other topics, which have one partition and are few, are written to the log again, each at its
// offset and with its time. The record that starts the generation is written last: until then it is no installation, and after an
// error the target must be emptied before the next try. told may be nil.
func (f *Folder) Restore(ctx context.Context, to Target, told func(Progress)) error {
	parts, err := to.Store.Parts(ctx)
	if err != nil {
		return err
	}
	if len(parts) > 0 {
		return fmt.Errorf("the archive to restore to is not empty: it holds %s", parts[0])
	}
	progress := Progress{Total: f.Manifest.Records("")}
	tell := func(records int64) {
		progress.Records += records
		if told != nil {
			told(progress)
		}
	}
	generation := &schema.ControlGeneration{Topic: schema.TopicEvents, Restored: true}
	var control *Part
	for i := range f.Manifest.Parts {
		p := &f.Manifest.Parts[i]
		switch p.Topic {
		case schema.TopicEvents:
			if p.Generation >= generation.Generation {
				if p.Generation > generation.Generation {
					generation.Ends = nil
				}
				generation.Generation = p.Generation
				generation.Ends = append(generation.Ends, p.Records)
			}
			err = f.importArchive(ctx, p, to.Store, tell)
		case schema.TopicControl:
			control = p
		default:
			err = f.writeAgain(ctx, p, to.Log, tell)
		}
		if err != nil {
			return err
		}
	}
	if control == nil || control.Records == 0 {
		return errNoControl
	}
	if err := f.writeAgain(ctx, control, to.Log, tell); err != nil {
		return err
	}
	generation.Generation++
	generation.Partitions = to.Partitions
	if generation.Partitions == 0 {
		generation.Partitions = int32(len(generation.Ends))
	}
	return begin(ctx, to, generation, f.Manifest.Made)
}

// importArchive copies a partition of the events, file by file.
func (f *Folder) importArchive(ctx context.Context, p *Part, store archive.Store, tell func(int64)) error {
	entries, err := f.entries(ctx, p)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return nil
	}
	target, err := archive.OpenPartition(ctx, store, p.archived())
	if err != nil {
		return err
	}
	for i := range entries {
		file, _, err := f.segment(ctx, p, &entries[i])
		if err != nil {
			return err
		}
		if err := target.Import(ctx, entries[i], file); err != nil {
			return err
		}
		tell(entries[i].Next - entries[i].From)
	}
	return nil
}

// produceBytes is about how much is written at once.
const produceBytes = 1 << 20

// writeAgain writes the records of a partition to the empty topic of its name. A batch of the log has one time, so records are written
// together only while theirs is the same.
func (f *Folder) writeAgain(ctx context.Context, p *Part, log Log, tell func(int64)) error {
	if p.Generation != 0 {
		return fmt.Errorf("the backup holds generation %d of %s: this program restores later generations of events alone", p.Generation, p.Topic)
	}
	ranges, err := log.Offsets(ctx, p.Topic)
	if err != nil {
		return err
	}
	if int(p.Partition) >= len(ranges) || ranges[p.Partition].Next > 0 {
		return fmt.Errorf("the topic %s to restore to is not empty: restore to a log that nothing was written to", p.Topic)
	}
	entries, err := f.entries(ctx, p)
	if err != nil {
		return err
	}
	w := &rewriter{log: log, part: p}
	for i := range entries {
		_, s, err := f.segment(ctx, p, &entries[i])
		if err != nil {
			return err
		}
		for at := s.From; at < s.Next; {
			records, err := s.Read(at)
			if err != nil {
				return err
			}
			for n := range records {
				if err := w.add(ctx, &records[n]); err != nil {
					return err
				}
			}
			at += int64(len(records))
		}
		tell(s.Records())
	}
	return w.flush(ctx)
}

// rewriter gathers records of one time.
type rewriter struct {
	log      Log
	part     *Part
	messages []kafka.Message
	at       schema.Instant
	bytes    int
	next     int64 // the offset of the first message
}

func (w *rewriter) add(ctx context.Context, r *kafka.Record) error {
	if len(w.messages) > 0 && (r.Time != w.at || w.bytes > produceBytes) {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	if len(w.messages) == 0 {
		w.next = r.Offset
	}
	w.at = r.Time
	w.bytes += len(r.Key) + len(r.Value)
	w.messages = append(w.messages, kafka.Message{Key: r.Key, Value: r.Value, Headers: r.Headers})
	return nil
}

func (w *rewriter) flush(ctx context.Context) error {
	if len(w.messages) == 0 {
		return nil
	}
	base, err := w.log.Produce(ctx, w.part.Topic, w.part.Partition, w.messages, w.at.Time())
	if err != nil {
		return fmt.Errorf("restore %s: %w", w.part.archived(), err)
	}
	if base != w.next {
		return fmt.Errorf("restore %s: the record of offset %d was written at %d: somebody else writes to this log", w.part.archived(), w.next, base)
	}
	w.messages, w.bytes = w.messages[:0], 0
	return nil
}

func begin(ctx context.Context, to Target, g *schema.ControlGeneration, made string) error {
	topic := schema.Topic{Name: schema.GenerationTopic(g.Topic, g.Generation), Partitions: g.Partitions, Archived: true}
	if err := to.Begin(ctx, topic); err != nil {
		return err
	}
	record := &schema.Control{
		ID: uuid.NewString(), Kind: schema.ControlGenerationStarted, Actor: "dossier restore", Reason: "restored from the backup of " + made, Generation: g,
	}
	value, err := record.Encode()
	if err != nil {
		return fmt.Errorf("encode the new generation: %w", err)
	}
	if _, err := to.Log.Produce(ctx, schema.TopicControl, 0, []kafka.Message{{Value: value}}, to.Now()); err != nil {
		return errors.Join(errors.New("start the new generation"), err)
	}
	return nil
}
