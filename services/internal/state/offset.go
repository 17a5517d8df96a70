package state

import (
	"encoding/binary"
	"fmt"

	"github.com/dossier-cdp/dossier/schema"
)

// Offset is how far a role has folded one partition of a topic.
type Offset struct {
	Generation uint32
	Next       int64  // the first offset that is not folded
	Mark       []byte // what the caller checks the log by at the next start, such as a topic id and the hash of the last record
}

// Stored form of an offset:
//
//	key    0x00 'o' topic 0x00 partition(4, big endian)
//	value  generation(4, big endian) next(8, big endian) mark
var offsetPrefix = []byte{0, 'o'}

// SetOffset notes with the batch how far a partition is folded. This makes the batch and the progress one fact.
func (b *Batch) SetOffset(topic string, partition int32, o Offset) error {
	value := binary.BigEndian.AppendUint32(nil, o.Generation)
	value = binary.BigEndian.AppendUint64(value, uint64(o.Next))
	return b.Set(offsetKey(topic, partition), append(value, o.Mark...))
}

func offsetKey(topic string, partition int32) []byte {
	return binary.BigEndian.AppendUint32(offsetTopic(topic), uint32(partition))
}

func offsetTopic(topic string) []byte {
	return append(append(append([]byte(nil), offsetPrefix...), topic...), 0)
}

// Offsets gives the offsets of a topic by partition. A partition that was never folded is absent.
func Offsets(r Reader, topic string) (map[int32]Offset, error) {
	out := map[int32]Offset{}
	prefix := offsetTopic(topic)
	err := r.Scan(prefix, After(prefix), func(key, value []byte) error {
		if len(key) != len(prefix)+4 || len(value) < 12 {
			return schema.Classify(schema.Fatal, fmt.Errorf("damaged offset of topic %s in the state store", topic))
		}
		out[int32(binary.BigEndian.Uint32(key[len(prefix):]))] = Offset{
			Generation: binary.BigEndian.Uint32(value),
			Next:       int64(binary.BigEndian.Uint64(value[4:])),
			Mark:       append([]byte(nil), value[12:]...),
		}
		return nil
	})
	return out, err
}
