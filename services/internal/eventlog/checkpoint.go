package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dossier-cdp/dossier/schema"
)

// Checkpoint is how far a role has read one partition: the generation is the one that was written then. Its store keeps it in the same batch as the state that it speaks of.
type Checkpoint struct {
	Cluster  string          // the log's own id
	Position schema.Position // where to go on
	Last     [16]byte        // digest of the record before it; zero at offset 0
}

// Start is the checkpoint of a role that has read nothing.
func (l *Log) Start(partition int32) Checkpoint {
	return Checkpoint{Cluster: l.cluster, Position: schema.Position{Generation: l.current.Number, Partition: partition}}
}

// After is the checkpoint of a role that has read up to next, the offset after the record whose digest is last.
func (l *Log) After(partition int32, next int64, last [16]byte) Checkpoint {
	c := l.Start(partition)
	c.Position.Offset, c.Last = next, last
	return c
}

// ErrOtherLog means that a checkpoint was not made by this log. The role's state belongs to another history: it must be dropped
// and rebuilt, or the right log restored.
var ErrOtherLog = errors.New("this is not the log that the state was built from")

// Check makes sure that the log still is the one that the checkpoint was made by: the same id, the same generation or a later one,
// an end that is not before it, and the same last record. Anything else is ErrOtherLog, which is fatal.
func (l *Log) Check(ctx context.Context, c Checkpoint) error {
	other := func(format string, args ...any) error {
		return schema.Classify(schema.Fatal, fmt.Errorf("%s/%d: %w: %s", l.topic, c.Position.Partition, ErrOtherLog, fmt.Sprintf(format, args...)))
	}
	switch {
	case c.Position.Partition < 0 || c.Position.Partition >= l.Partitions():
		return other("it has %d partitions", l.Partitions())
	case c.Position.Generation > l.current.Number:
		return other("it is generation %d, the state is of %d", l.current.Number, c.Position.Generation)
	case c.Cluster != l.cluster:
		return other("its id is %s, the state is of %s", l.cluster, c.Cluster)
	case c.Position.Offset == 0:
		return nil
	}
	ends, err := l.Ends(ctx)
	if err != nil {
		return err
	}
	if end := ends[c.Position.Partition]; c.Position.Offset > end {
		return other("it ends at offset %d, the state has read up to %d", end, c.Position.Offset)
	}
	b, err := l.readOne(ctx, c.Position.Partition, c.Position.Offset-1)
	if err != nil {
		return err
	}
	if b != c.Last {
		return other("the record at offset %d is another one", c.Position.Offset-1)
	}
	return nil
}

// AppendBinary encodes the checkpoint: generation, partition, offset, digest, cluster id.
func (c Checkpoint) AppendBinary(dst []byte) ([]byte, error) {
	dst = binary.BigEndian.AppendUint32(dst, c.Position.Generation)
	dst = binary.BigEndian.AppendUint32(dst, uint32(c.Position.Partition))
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Position.Offset))
	dst = append(dst, c.Last[:]...)
	return append(dst, c.Cluster...), nil
}

// UnmarshalBinary is the inverse of AppendBinary.
func (c *Checkpoint) UnmarshalBinary(b []byte) error {
	if len(b) < 32 {
		return fmt.Errorf("a checkpoint of %d bytes is cut off", len(b))
	}
	c.Position.Generation = binary.BigEndian.Uint32(b)
	c.Position.Partition = int32(binary.BigEndian.Uint32(b[4:]))
	c.Position.Offset = int64(binary.BigEndian.Uint64(b[8:]))
	copy(c.Last[:], b[16:])
	c.Cluster = string(b[32:])
	return nil
}
