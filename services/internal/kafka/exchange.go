package kafka

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/protocol"
)

// The requests that are encoded here, in the newest version without tagged fields. Every broker since Kafka 2.4 has them, and
// Kafka 4 keeps them.
const (
	keyProduce           protocol.ApiKey = 0
	keyFetch             protocol.ApiKey = 1
	keyDeleteRecords     protocol.ApiKey = 21
	versionProduce                       = 8
	versionFetch                         = 11
	versionDeleteRecords                 = 1
)

// maxResponse bounds what a response may announce, so that a peer that is not Kafka cannot make us allocate at will.
const maxResponse = 256 << 20

const clientID = "dossier"

// correlation is the id of every request encoded here. A connection carries one request at a time and is closed after an error, so
// there is nothing to tell apart; and a frame never changes once it is finished.
const correlation = 0x646f7373

// exchange is one request to the leader of a partition that writes itself and reads its response whole. The frame must not be
// changed after an error, only sent again: kafka-go gives up waiting before its connection's goroutine does.
type exchange struct {
	key       protocol.ApiKey
	topic     string
	partition int32
	frame     []byte // finished
}

// reply is the body of a response, after its header.
type reply struct {
	key  protocol.ApiKey
	body []byte
}

func (r *reply) ApiKey() protocol.ApiKey { return r.key }

func (x *exchange) ApiKey() protocol.ApiKey { return x.key }

// Broker routes the request to the partition's leader.
func (x *exchange) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	topic, ok := cluster.Topics[x.topic]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoTopic(x.topic)
	}
	partition, ok := topic.Partitions[x.partition]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoPartition(x.topic, x.partition)
	}
	leader, ok := cluster.Brokers[partition.Leader]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoLeader(x.topic, x.partition)
	}
	return leader, nil
}

// Required makes kafka-go hand the connection over.
func (x *exchange) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange sends the request and reads the response. The connection carries one request at a time and its deadline is set.
func (x *exchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if _, err := rw.Write(x.frame); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(rw, head[:]); err != nil {
		return nil, noEOF(err)
	}
	size := int64(binary.BigEndian.Uint32(head[:])) - 4
	if size < 0 || size > maxResponse {
		return nil, fmt.Errorf("the broker announces a response of %d bytes: %w", size, io.ErrUnexpectedEOF)
	}
	if binary.BigEndian.Uint32(head[4:]) != correlation {
		return nil, fmt.Errorf("the broker answers another request: %w", io.ErrUnexpectedEOF)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(rw, body); err != nil {
		return nil, noEOF(err)
	}
	return &reply{x.key, body}, nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// appendHeader starts a frame.
func appendHeader(dst []byte, key protocol.ApiKey, version int16) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(key))
	dst = binary.BigEndian.AppendUint16(dst, uint16(version))
	dst = binary.BigEndian.AppendUint32(dst, correlation)
	return appendString(dst, clientID)
}

// finishFrame fills in the size.
func finishFrame(frame []byte) []byte {
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

func appendString(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

func appendInt32(dst []byte, v int32) []byte { return binary.BigEndian.AppendUint32(dst, uint32(v)) }

func appendInt64(dst []byte, v int64) []byte { return binary.BigEndian.AppendUint64(dst, uint64(v)) }

// cursor reads Kafka's primitive types. After a read beyond the end it is short and every read is zero.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.short, c.b = true, nil
		return nil
	}
	taken := c.b[:n:n]
	c.b = c.b[n:]
	return taken
}

func (c *cursor) int8() int8 {
	if b := c.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (c *cursor) int16() int16 {
	if b := c.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) int32() int32 {
	if b := c.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *cursor) int64() int64 {
	if b := c.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// string reads a nullable string; null is empty.
func (c *cursor) string() string { return string(c.take(max(0, int(c.int16())))) }

// count reads the length of an array whose items take at least size bytes; null is empty.
func (c *cursor) count(size int) int {
	n := int(c.int32())
	if n < 0 {
		return 0
	}
	if n > len(c.b)/size {
		c.short, c.b = true, nil
		return 0
	}
	return n
}

// varint reads a zigzag varint as record batches have it.
func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.short, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

// varbytes reads bytes with a varint length; −1 is nil.
func (c *cursor) varbytes() []byte {
	n := c.varint()
	if n < 0 {
		return nil
	}
	if n > int64(len(c.b)) {
		c.short, c.b = true, nil
		return nil
	}
	return c.take(int(n))
}
