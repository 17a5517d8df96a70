package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"

	"github.com/klauspost/compress/s2"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// A segment file. Integers are little-endian or varints as encoding/binary writes them (zigzag where marked z).
//
//	0  magic "DSSEGM01"
//	8  frames, one after the other:
//	     compressed size uint32 · raw size uint32 · first offset int64 · records uint32 · S2 block
//	…  end of frames: 20 zero bytes
//	…  trailer: generation uint32 · partition int32 · from int64 · next int64 · records uint64 ·
//	     smallest and largest record time int64 (microseconds) · raw bytes int64 · SHA-256 of all raw bytes · topic
//	−4 trailer size uint32
//
// A frame's raw bytes are its records, offsets ascending by one:
//
//	time z, milliseconds after the previous record of the frame (the first: after 1970) · key · value · headers count · headers
//
// key, value and a header's value are a varint length + 1 (0: null) and bytes; a header's name is a length and bytes. The log
// holds milliseconds, so nothing is lost.
const (
	segmentMagic   = "DSSEGM01"
	frameHeader    = 20
	frameTarget    = 512 << 10 // raw bytes: what a reader decompresses at once
	trailerFixed   = 4 + 4 + 8 + 8 + 8 + 8 + 8 + 8 + sha256.Size
	maxFrameRaw    = 64 << 20
	segmentMinimum = len(segmentMagic) + frameHeader + trailerFixed + 4
)

// Summary says what a segment holds.
type Summary struct {
	Topic        string
	Generation   uint32
	Partition    int32
	From, Next   int64 // offsets [From, Next)
	Earliest     schema.Instant
	Latest       schema.Instant
	RawBytes     int64
	RawDigest    [sha256.Size]byte
	SegmentBytes int64
	Digest       [sha256.Size]byte // of the file: its name
}

// Records is the number of records in the segment.
func (s *Summary) Records() int64 { return s.Next - s.From }

// Name is the file's name.
func (s *Summary) Name() string { return hex.EncodeToString(s.Digest[:]) + ".segment" }

// builder writes one segment in memory. Its size stays a little above what was added.
type builder struct {
	summary Summary
	file    []byte
	raw     []byte
	last    int64 // milliseconds of the previous record of the frame
	first   int64 // offset of the frame's first record
	digest  hash.Hash
	packed  []byte
}

func newBuilder() *builder { return &builder{digest: sha256.New()} }

// start begins a segment at an offset, keeping the builder's memory.
func (b *builder) start(topic string, generation uint32, partition int32, from int64) {
	b.summary = Summary{Topic: topic, Generation: generation, Partition: partition, From: from, Next: from}
	b.file = append(b.file[:0], segmentMagic...)
	b.raw = b.raw[:0]
	b.digest.Reset()
}

// add appends a record, which must have the next offset.
func (b *builder) add(r *kafka.Record) error {
	s := &b.summary
	if r.Offset != s.Next {
		return &GapError{s.Topic, s.Partition, s.Next, r.Offset}
	}
	if len(b.raw) == 0 {
		b.first, b.last = r.Offset, 0
	}
	millis := int64(r.Time) / 1000
	before := len(b.raw)
	b.raw = binary.AppendVarint(b.raw, millis-b.last)
	b.raw = appendNullable(b.raw, r.Key)
	b.raw = appendNullable(b.raw, r.Value)
	b.raw = binary.AppendUvarint(b.raw, uint64(len(r.Headers)))
	for i := range r.Headers {
		b.raw = binary.AppendUvarint(b.raw, uint64(len(r.Headers[i].Key)))
		b.raw = append(b.raw, r.Headers[i].Key...)
		b.raw = appendNullable(b.raw, r.Headers[i].Value)
	}
	b.last = millis
	if s.Next == s.From {
		s.Earliest, s.Latest = r.Time, r.Time
	}
	s.Earliest, s.Latest = min(s.Earliest, r.Time), max(s.Latest, r.Time)
	s.Next++
	s.RawBytes += int64(len(b.raw) - before)
	if len(b.raw) >= frameTarget {
		b.flush()
	}
	return nil
}

func appendNullable(dst, v []byte) []byte {
	if v == nil {
		return binary.AppendUvarint(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(v))+1)
	return append(dst, v...)
}

func (b *builder) flush() {
	if len(b.raw) == 0 {
		return
	}
	at := len(b.file)
	b.file = append(b.file, make([]byte, frameHeader)...)
	// Sealed events are random bytes: S2 finds the little that repeats beside them, and passes over the rest at a fraction of zstd's cost.
	b.packed = s2.Encode(b.packed[:cap(b.packed)], b.raw)
	b.file = append(b.file, b.packed...)
	head := b.file[at:]
	binary.LittleEndian.PutUint32(head, uint32(len(b.file)-at-frameHeader))
	binary.LittleEndian.PutUint32(head[4:], uint32(len(b.raw)))
	binary.LittleEndian.PutUint64(head[8:], uint64(b.first))
	binary.LittleEndian.PutUint32(head[16:], uint32(b.summary.Next-b.first))
	b.digest.Write(b.raw)
	b.raw = b.raw[:0]
}

// finish returns the file and what it holds. The file is the builder's until the next start.
func (b *builder) finish() ([]byte, Summary) {
	b.flush()
	s := &b.summary
	b.digest.Sum(s.RawDigest[:0])
	b.file = append(b.file, make([]byte, frameHeader)...)
	at := len(b.file)
	le := binary.LittleEndian
	b.file = le.AppendUint32(b.file, s.Generation)
	b.file = le.AppendUint32(b.file, uint32(s.Partition))
	for _, v := range []int64{s.From, s.Next, s.Records(), int64(s.Earliest), int64(s.Latest), s.RawBytes} {
		b.file = le.AppendUint64(b.file, uint64(v))
	}
	b.file = append(b.file, s.RawDigest[:]...)
	b.file = append(b.file, s.Topic...)
	b.file = le.AppendUint32(b.file, uint32(len(b.file)-at))
	s.SegmentBytes = int64(len(b.file))
	s.Digest = sha256.Sum256(b.file)
	return b.file, *s
}

// Segment is an open segment file, whole in memory as it is on disk.
type Segment struct {
	Summary
	file   []byte
	frames []frame
}

type frame struct {
	first   int64
	records int
	at, end int // of the compressed bytes in the file
	raw     int
}

// OpenSegment checks a file against the digest that names it and reads its table of frames. The file belongs to the segment
// from then on.
func OpenSegment(file []byte, want [sha256.Size]byte) (*Segment, error) {
	if got := sha256.Sum256(file); got != want {
		return nil, fmt.Errorf("its SHA-256 is %x…, not %x…: it was altered, or a write was torn", got[:8], want[:8])
	}
	s := &Segment{file: file}
	s.Digest = want
	s.SegmentBytes = int64(len(file))
	if err := s.read(); err != nil {
		return nil, err
	}
	return s, nil
}

var errSegmentForm = errors.New("it is not a segment of a known format")

func (s *Segment) read() error {
	if n := len(segmentMagic) - 2; len(s.file) > n+2 && string(s.file[:n]) == segmentMagic[:n] && string(s.file[n:n+2]) > segmentMagic[n:] {
		return errNewer
	}
	if len(s.file) < segmentMinimum || string(s.file[:len(segmentMagic)]) != segmentMagic {
		return errSegmentForm
	}
	le := binary.LittleEndian
	size := int(le.Uint32(s.file[len(s.file)-4:]))
	start := len(s.file) - 4 - size
	if size < trailerFixed || start < len(segmentMagic)+frameHeader {
		return errSegmentForm
	}
	t := s.file[start : len(s.file)-4]
	s.Generation, s.Partition = le.Uint32(t), int32(le.Uint32(t[4:]))
	s.From, s.Next = int64(le.Uint64(t[8:])), int64(le.Uint64(t[16:]))
	s.Earliest, s.Latest = schema.Instant(le.Uint64(t[32:])), schema.Instant(le.Uint64(t[40:]))
	s.RawBytes = int64(le.Uint64(t[48:]))
	copy(s.RawDigest[:], t[56:])
	s.Topic = string(t[trailerFixed:])
	if int64(le.Uint64(t[24:])) != s.Records() {
		return errSegmentForm
	}
	next, raw := s.From, int64(0)
	for at := len(segmentMagic); ; {
		if at+frameHeader > start {
			return errSegmentForm
		}
		head := s.file[at:]
		f := frame{first: int64(le.Uint64(head[8:])), records: int(le.Uint32(head[16:])), at: at + frameHeader, raw: int(le.Uint32(head[4:]))}
		f.end = f.at + int(le.Uint32(head))
		if f.raw == 0 {
			if f.end != start {
				return errSegmentForm
			}
			break
		}
		if f.end > start-frameHeader || f.first != next || f.records <= 0 || f.raw > maxFrameRaw {
			return errSegmentForm
		}
		next += int64(f.records)
		raw += int64(f.raw)
		s.frames = append(s.frames, f)
		at = f.end
	}
	if next != s.Next || raw != s.RawBytes {
		return errSegmentForm
	}
	return nil
}

// Read decodes the records of the frame that holds the offset, from it on. They share one buffer, which is theirs.
func (s *Segment) Read(offset int64) ([]kafka.Record, error) {
	if offset < s.From || offset >= s.Next {
		return nil, fmt.Errorf("it holds offsets %d to %d, not %d", s.From, s.Next, offset)
	}
	i := 0
	for offset >= s.frames[i].first+int64(s.frames[i].records) {
		i++
	}
	f := &s.frames[i]
	raw, err := s.inflate(f)
	if err != nil {
		return nil, err
	}
	return decodeFrame(raw, f.first, f.records, offset)
}

func (s *Segment) inflate(f *frame) ([]byte, error) {
	block := s.file[f.at:f.end]
	if size, err := s2.DecodedLen(block); err != nil || size != f.raw || size > maxFrameRaw {
		return nil, errSegmentForm
	}
	raw, err := s2.Decode(nil, block)
	if err != nil {
		return nil, fmt.Errorf("decompress the frame at offset %d: %w", f.first, err)
	}
	return raw, nil
}

func decodeFrame(raw []byte, first int64, count int, from int64) ([]kafka.Record, error) {
	if count > len(raw) {
		return nil, errSegmentForm
	}
	records := make([]kafka.Record, 0, first+int64(count)-from)
	r := fields{b: raw}
	millis := int64(0)
	for i := range count {
		millis += r.varint()
		record := kafka.Record{Offset: first + int64(i), Time: schema.Instant(millis * 1000), Key: r.nullable(), Value: r.nullable()}
		headers := r.uvarint()
		if headers > uint64(len(r.b)) {
			return nil, errSegmentForm
		}
		for range headers {
			name := r.take(r.uvarint())
			record.Headers = append(record.Headers, kafka.Header{Key: string(name), Value: r.nullable()})
		}
		if r.short {
			return nil, errSegmentForm
		}
		if record.Offset >= from {
			records = append(records, record)
		}
	}
	if len(r.b) != 0 {
		return nil, errSegmentForm
	}
	return records, nil
}

// fields reads the parts of a frame; after a read beyond the end it is short.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) varint() int64 {
	v, n := binary.Varint(f.b)
	return v * int64(f.skip(n))
}

func (f *fields) uvarint() uint64 {
	v, n := binary.Uvarint(f.b)
	return v * uint64(f.skip(n))
}

// skip moves on after a varint of n bytes and returns 1, or marks the end and returns 0.
func (f *fields) skip(n int) int {
	if n <= 0 {
		f.short, f.b = true, nil
		return 0
	}
	f.b = f.b[n:]
	return 1
}

func (f *fields) take(n uint64) []byte {
	if n > uint64(len(f.b)) {
		f.short, f.b = true, nil
		return nil
	}
	v := f.b[:n:n]
	f.b = f.b[n:]
	return v
}

func (f *fields) nullable() []byte {
	n := f.uvarint()
	if n == 0 {
		return nil
	}
	v := f.take(n - 1)
	if v == nil && !f.short {
		v = []byte{}
	}
	return v
}
