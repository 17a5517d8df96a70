package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// What a backup needs of the archive's forms: manifests as text, and segments of what is not archived yet.

// ParseManifest reads a whole manifest. A last line that is torn is an error here.
func ParseManifest(text []byte) ([]Entry, error) {
	entries, whole, err := parseManifest(nil, text)
	if err == nil && whole != len(text) {
		err = errors.New("its last line is cut off")
	}
	if err != nil {
		return nil, fmt.Errorf("read a manifest: %w", err)
	}
	return entries, nil
}

// AppendEntry writes the manifest line of an entry behind prev, which is nil for the first.
func AppendEntry(dst []byte, prev, e *Entry) ([]byte, error) {
	line, err := e.line(prev)
	return append(dst, line...), err
}

// Entries are those that end at next or before.
func (p *Partition) Entries(next int64) []Entry {
	p.mu.RLock()
	defer p.mu.RUnlock()
	n := len(p.entries)
	for n > 0 && p.entries[n-1].Next > next {
		n--
	}
	return append([]Entry(nil), p.entries[:n]...)
}

// SegmentWriter builds one segment in memory.
type SegmentWriter struct{ b *builder }

// NewSegmentWriter begins a segment of a partition at an offset.
func NewSegmentWriter(part Part, from int64) *SegmentWriter {
	w := &SegmentWriter{newBuilder()}
	w.b.start(part.Topic, part.Generation, part.Partition, from)
	return w
}

// Add appends a record, which must have the next offset.
func (w *SegmentWriter) Add(r *kafka.Record) error { return w.b.add(r) }

// RawBytes is how much was added, before compression.
func (w *SegmentWriter) RawBytes() int64 { return w.b.summary.RawBytes }

// Finish gives the file. It must hold at least one record.
func (w *SegmentWriter) Finish() ([]byte, Summary) { return w.b.finish() }

// Entry is the manifest's entry of a segment, once Verify has passed.
func (s *Segment) Entry() (Entry, error) {
	records, err := s.Read(s.Next - 1)
	if err != nil {
		return Entry{}, err
	}
	return Entry{
		From: s.From, Next: s.Next, Earliest: s.Earliest, Latest: s.Latest, RawBytes: s.RawBytes, SegmentBytes: s.SegmentBytes,
		Digest: s.Digest, Last: RecordDigest(s.Partition, &records[0]),
	}, nil
}

// CheckEntry opens a file as the segment of an entry of a partition and verifies every record and everything that the entry says.
func CheckEntry(part Part, e *Entry, file []byte) (*Segment, error) {
	s, err := openEntry(part, e, file)
	if err != nil {
		return nil, err
	}
	if err := s.Verify(); err != nil {
		return nil, err
	}
	found, err := s.Entry()
	if err != nil {
		return nil, err
	}
	if found.Last != e.Last || found.Earliest != e.Earliest || found.Latest != e.Latest || found.RawBytes != e.RawBytes {
		return nil, errors.New("it is not what the manifest says")
	}
	return s, nil
}

// Import adds a segment behind those that the store has of the partition, as a backup holds it: the file, then its manifest line.
func (p *Partition) Import(ctx context.Context, e Entry, file []byte) error {
	if _, err := CheckEntry(p.part, &e, file); err != nil {
		return damaged(e.Name(), err)
	}
	if _, next := p.Range(); next != e.From {
		return damaged(e.Name(), fmt.Errorf("it begins at offset %d, and the archive ends at %d", e.From, next))
	}
	if err := p.store.Put(ctx, p.part, e.Name(), file); err != nil {
		return err
	}
	return p.append(ctx, e)
}
