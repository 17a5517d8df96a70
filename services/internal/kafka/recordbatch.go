package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/segmentio/kafka-go/compress"

	"github.com/dossier-cdp/dossier/schema"
)

// A record batch, format version 2, big-endian:
//
//	 0 base offset int64            43 producer id int64 (−1: none)
//	 8 length of what follows int32 51 producer epoch int16 (−1)
//	12 leader epoch int32 (−1)      53 base sequence int32 (−1)
//	16 magic int8 (2)               57 number of records int32
//	17 CRC-32C of what follows      61 records
//	21 attributes int16: bits 0-2 codec, 3 broker's time, 4 transactional, 5 control
//	23 last offset delta int32
//	27 first time int64, milliseconds
//	35 largest time int64
//
// A record: length varint · attributes int8 · time delta varint · offset delta varint · key · value · headers count varint ·
// headers; key, value and headers are varint length (−1: null) and bytes. All varints are zigzag.
const (
	batchLengthAt  = 8
	batchMagicAt   = 16
	batchCRCAt     = 17
	batchBodyAt    = 21
	batchDeltaAt   = 23
	batchFirstAt   = 27
	batchLargestAt = 35
	batchCountAt   = 57
	batchHeader    = 61
	batchPrefix    = 12

	attributeCodec   = 0x07
	attributeLogTime = 0x08
	attributeControl = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Message is what a producer writes. A nil key or value is null.
type Message struct {
	Key, Value []byte
	Headers    []Header
}

// Record is what a reader gets. Key, Value and Headers are slices of the fetched response: read-only, and they keep it alive.
type Record struct {
	Offset     int64
	Time       schema.Instant // millisecond precision
	Key, Value []byte
	Headers    []Header
}

// DamageError says that a record batch does not match its checksum or form.
type DamageError struct {
	Topic     string
	Partition int32
	Offset    int64
	Reason    string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s/%d is damaged at offset %d: %s", e.Topic, e.Partition, e.Offset, e.Reason)
}

// encodedSize is the number of bytes that appendRecord adds at most.
func (m *Message) encodedSize() int {
	n := 32 + len(m.Key) + len(m.Value)
	for i := range m.Headers {
		n += 10 + len(m.Headers[i].Key) + len(m.Headers[i].Value)
	}
	return n
}

// appendRecord encodes one record with the batch's own time.
func appendRecord(dst []byte, delta int, m *Message) []byte {
	body := 1 + 1 + varintSize(int64(delta)) + varbytesSize(m.Key) + varbytesSize(m.Value) + varintSize(int64(len(m.Headers)))
	for i := range m.Headers {
		h := &m.Headers[i]
		body += varintSize(int64(len(h.Key))) + len(h.Key) + varbytesSize(h.Value)
	}
	dst = binary.AppendVarint(dst, int64(body))
	dst = append(dst, 0, 0) // attributes, time delta
	dst = binary.AppendVarint(dst, int64(delta))
	dst = appendVarbytes(dst, m.Key)
	dst = appendVarbytes(dst, m.Value)
	dst = binary.AppendVarint(dst, int64(len(m.Headers)))
	for i := range m.Headers {
		h := &m.Headers[i]
		dst = binary.AppendVarint(dst, int64(len(h.Key)))
		dst = append(dst, h.Key...)
		dst = appendVarbytes(dst, h.Value)
	}
	return dst
}

func appendVarbytes(dst, b []byte) []byte {
	if b == nil {
		return binary.AppendVarint(dst, -1)
	}
	dst = binary.AppendVarint(dst, int64(len(b)))
	return append(dst, b...)
}

func varbytesSize(b []byte) int {
	if b == nil {
		return 1
	}
	return varintSize(int64(len(b))) + len(b)
}

func varintSize(v int64) int {
	u := uint64(v)<<1 ^ uint64(v>>63)
	n := 1
	for u >= 0x80 {
		u >>= 7
		n++
	}
	return n
}

// finishBatch fills in the header of b, which holds n records after batchHeader bytes, all recorded at the same millisecond.
func finishBatch(b []byte, n int, millis int64) {
	clear(b[:batchHeader])
	binary.BigEndian.PutUint32(b[batchLengthAt:], uint32(len(b)-batchPrefix))
	binary.BigEndian.PutUint32(b[12:], 0xffffffff)
	b[batchMagicAt] = 2
	binary.BigEndian.PutUint32(b[batchDeltaAt:], uint32(n-1))
	binary.BigEndian.PutUint64(b[batchFirstAt:], uint64(millis))
	binary.BigEndian.PutUint64(b[batchLargestAt:], uint64(millis))
	for i := 43; i < batchCountAt; i++ {
		b[i] = 0xff // no producer id, epoch, sequence
	}
	binary.BigEndian.PutUint32(b[batchCountAt:], uint32(n))
	binary.BigEndian.PutUint32(b[batchCRCAt:], crc32.Checksum(b[batchBodyAt:], castagnoli))
}

var errForm = errors.New("a record batch is malformed")

// decodeBatches appends the records of a fetched record set from offset from on, and returns the offset after the last whole
// batch. Brokers return whole batches and may cut the last one off: what was cut is fetched next time. An error names the base
// offset of the batch that it is in.
func decodeBatches(into []Record, b []byte, from int64) (records []Record, next, at int64, err error) {
	return decodeCommitted(into, b, from, nil)
}

// decodeCommitted is decodeBatches without the batches of aborted transactions.
func decodeCommitted(into []Record, b []byte, from int64, aborted abortions) (records []Record, next, at int64, err error) {
	next = from
	for len(b) >= batchHeader {
		base := int64(binary.BigEndian.Uint64(b))
		size := batchPrefix + int64(binary.BigEndian.Uint32(b[batchLengthAt:]))
		if size > int64(len(b)) {
			break
		}
		if size < batchHeader || b[batchMagicAt] != 2 {
			return into, next, base, errForm
		}
		batch := b[:size:size]
		b = b[size:]
		if crc32.Checksum(batch[batchBodyAt:], castagnoli) != binary.BigEndian.Uint32(batch[batchCRCAt:]) {
			return into, next, base, errors.New("a record batch does not match its checksum")
		}
		end := base + int64(int32(binary.BigEndian.Uint32(batch[batchDeltaAt:]))) + 1
		if end <= from {
			continue
		}
		attributes := binary.BigEndian.Uint16(batch[batchBodyAt:])
		if !aborted.has(batch, base, end, attributes) && attributes&attributeControl == 0 {
			if into, err = decodeRecords(into, batch, base, from, attributes); err != nil {
				return into, next, base, err
			}
		}
		next = end
	}
	return into, next, next, nil
}

func decodeRecords(into []Record, batch []byte, base, from int64, attributes uint16) ([]Record, error) {
	body := batch[batchHeader:]
	if codec := attributes & attributeCodec; codec != 0 {
		c := compress.Compression(codec).Codec()
		if c == nil {
			return into, errForm
		}
		r := c.NewReader(bytes.NewReader(body))
		plain, err := io.ReadAll(io.LimitReader(r, maxResponse))
		if closing := r.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return into, fmt.Errorf("decompress a record batch: %w", err)
		}
		body = plain
	}
	count := int(int32(binary.BigEndian.Uint32(batch[batchCountAt:])))
	first := int64(binary.BigEndian.Uint64(batch[batchFirstAt:]))
	largest := int64(binary.BigEndian.Uint64(batch[batchLargestAt:]))
	c := cursor{b: body}
	if count < 0 || count > len(body)/7+1 {
		return into, errForm
	}
	for range count {
		length := c.varint()
		if length < 0 || length > int64(len(c.b)) {
			return into, errForm
		}
		r := cursor{b: c.take(int(length))}
		r.int8()
		millis := first + r.varint()
		if attributes&attributeLogTime != 0 {
			millis = largest
		}
		record := Record{Offset: base + r.varint(), Time: schema.Instant(millis * 1000)}
		record.Key, record.Value = r.varbytes(), r.varbytes()
		headers := r.varint()
		if headers < 0 || headers > int64(len(r.b)) {
			return into, errForm
		}
		for range headers {
			key := r.varbytes()
			record.Headers = append(record.Headers, Header{string(key), r.varbytes()})
		}
		if r.short {
			return into, errForm
		}
		if record.Offset >= from {
			into = append(into, record)
		}
	}
	return into, nil
}
