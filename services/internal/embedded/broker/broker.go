package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/dossier-cdp/dossier/schema"
)

// MaxBatchBytes is the largest record batch that the broker accepts. A record's key and value are somewhat below.
const MaxBatchBytes = 8 << 20

// Config says what to start.
type Config struct {
	Dir        string         // the data folder; empty keeps everything in memory, for tests
	Topics     []schema.Topic // what exists; a topic that is on disk but not here is kept and stays readable
	Partitions int32          // for topics that leave it to the installation; 0 takes what is on disk, or schema.DefaultPartitions
	SyncWrites bool           // fsync before an acknowledgement. Without it a loss of power takes about 30 s of writes
	Logger     *slog.Logger   // nil discards

	// SegmentBytes is the size of a segment file of new topics; 0 is SegmentBytes of the topic's partition count.
	SegmentBytes int64
}

// Broker is a running broker.
type Broker struct {
	cluster   *kfake.Cluster
	cfg       Config
	identity  *identity
	addr      string
	id        string
	lock      *os.File
	journal   *journal
	found     Found
	startedIn time.Duration
}

// Found is what the start read from disk.
type Found struct {
	Segments int
	Bytes    int64
	Torn     int64 // bytes of unacknowledged writes at the end of a log that a crash cut off
}

// Start opens the data folder, checks it, and serves Kafka's protocol on a loopback port that the system chooses.
// It returns ErrInUse when another process owns the folder and a *DamageError when the log on disk is not whole.
func Start(ctx context.Context, cfg Config) (*Broker, error) {
	begun := time.Now()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	identity := &identity{Version: identityVersion, Cluster: newClusterID(), Topics: map[string]topicIdentity{}}
	b := &Broker{journal: &journal{log: cfg.Logger}, cfg: cfg, identity: identity}
	var folder string
	if cfg.Dir != "" {
		if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("create the log's folder: %w", err)
		}
		lock, err := lockFolder(cfg.Dir)
		if err != nil {
			return nil, err
		}
		b.lock = lock
		folder = filepath.Join(cfg.Dir, "log")
	}
	if err := b.open(ctx, cfg, folder, identity); err != nil {
		b.Close()
		return nil, err
	}
	if b.found.Bytes > 32<<20 {
		debug.FreeOSMemory() // the engine read the whole log into the heap and needs none of it again
	}
	b.startedIn = time.Since(begun)
	return b, nil
}

func (b *Broker) open(ctx context.Context, cfg Config, folder string, known *identity) error {
	if folder != "" {
		if err := known.load(cfg.Dir, folder); err != nil {
			return err
		}
		found, err := inspect(ctx, filepath.Join(folder, "partitions"))
		if err != nil {
			return err
		}
		b.found = found
		if found.Torn > 0 {
			cfg.Logger.Warn("the end of the log was cut off by a crash; it was never acknowledged", "bytes", found.Torn)
		}
		if err := known.save(cfg.Dir); err != nil {
			return err
		}
	}
	b.id = known.Cluster
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID(known.Cluster),
		kfake.WithLogger(b.journal),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": strconv.Itoa(MaxBatchBytes)}),
	}
	if folder != "" {
		opts = append(opts, kfake.DataDir(folder))
	}
	if cfg.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return fmt.Errorf("start the embedded log: %w", err)
	}
	b.cluster = cluster
	b.addr = cluster.ListenAddrs()[0]
	if folder != "" {
		// Users' own Kafka clients find the broker by this file: its port is another at every start.
		if err := os.WriteFile(filepath.Join(cfg.Dir, "address"), []byte(b.addr+"\n"), 0o600); err != nil {
			return fmt.Errorf("say where the embedded log listens: %w", err)
		}
	}
	if n := b.journal.Truncations(); n > 0 && b.found.Torn == 0 {
		return &DamageError{Path: folder, Reason: "the engine truncated a segment that the check found whole"}
	}
	for _, t := range cfg.Topics {
		if err := b.ensure(known, t, cfg); err != nil {
			return err
		}
	}
	if folder != "" {
		return known.save(cfg.Dir)
	}
	return nil
}

// ensure creates the topic, or checks that the one on disk is the one that the identity file knows.
func (b *Broker) ensure(known *identity, t schema.Topic, cfg Config) error {
	asked := cmp.Or(t.Partitions, cfg.Partitions)
	partitions := cmp.Or(asked, schema.DefaultPartitions)
	segment := cfg.SegmentBytes
	if segment == 0 {
		segment = SegmentBytes(partitions)
	}
	want, recorded := known.Topics[t.Name]
	have := b.cluster.TopicInfo(t.Name)
	if have == nil {
		if recorded {
			return &DamageError{Path: t.Name, Reason: "this topic is missing from the log folder; restore it, or start a new data folder"}
		}
		err := b.cluster.CreateTopic(t.Name, partitions, map[string]string{
			"segment.bytes":     strconv.FormatInt(segment, 10),
			"max.message.bytes": strconv.Itoa(MaxBatchBytes),
			"cleanup.policy":    "delete",
			"retention.ms":      "-1",
			"retention.bytes":   "-1",
		})
		if err != nil {
			return fmt.Errorf("create topic %s: %w", t.Name, err)
		}
		have = b.cluster.TopicInfo(t.Name)
	}
	id := fmt.Sprintf("%x", have.TopicID)
	if recorded && want.ID != id {
		return &DamageError{Path: t.Name, Reason: "the log folder holds another topic of this name; it was replaced"}
	}
	on := int32(len(b.cluster.PartitionInfos(t.Name)))
	if asked == 0 {
		partitions = on
	}
	if on != partitions {
		return schema.Classify(schema.Fatal, fmt.Errorf("topic %s has %d partitions, %d are configured: a change of the partition count needs a new generation", t.Name, on, partitions))
	}
	known.Topics[t.Name] = topicIdentity{ID: id, Partitions: partitions}
	return nil
}

// Ensure creates a topic, or checks the one that is there, as Start does with those of its Config: for topics that are known only
// from what the log holds. It is not safe for concurrent use.
func (b *Broker) Ensure(t schema.Topic) error {
	if err := b.ensure(b.identity, t, b.cfg); err != nil {
		return err
	}
	if b.cfg.Dir == "" {
		return nil
	}
	return b.identity.save(b.cfg.Dir)
}

// SegmentBytes is the size of a log segment file of a topic. Records are dropped by whole segments, so the smallest log that
// the archive can reach is a segment for each partition: 64 MiB for a topic of four partitions or more, 2 MiB for one.
func SegmentBytes(partitions int32) int64 {
	switch {
	case partitions <= 1:
		return 2 << 20
	case partitions <= 4:
		return 16 << 20
	default:
		return max(1<<20, 64<<20/int64(partitions))
	}
}

// Addr is the address to connect to, host:port on loopback.
func (b *Broker) Addr() string { return b.addr }

// ClusterID is the id of this log, made at its first start.
func (b *Broker) ClusterID() string { return b.id }

// Found says what the start read from disk.
func (b *Broker) Found() Found { return b.found }

// StartedIn is how long Start took.
func (b *Broker) StartedIn() time.Duration { return b.startedIn }

// Truncations counts the segments that the engine cut off because it could not read on. More than Found.Torn explains is damage.
func (b *Broker) Truncations() int64 { return b.journal.Truncations() }

// Bytes is how much the topic's partitions hold now.
func (b *Broker) Bytes(topic string) int64 {
	var n int64
	for _, p := range b.cluster.PartitionInfos(topic) {
		n += p.NumBytes
	}
	return n
}

// DeleteRecords drops the records below before, but never the last record of the partition.
func (b *Broker) DeleteRecords(topic string, partition int32, before int64) error {
	info := b.cluster.PartitionInfo(topic, partition)
	if info == nil {
		return fmt.Errorf("delete records of %s/%d: no such partition", topic, partition)
	}
	before = min(before, info.HighWatermark-1)
	if before <= info.LogStartOffset {
		return nil
	}
	if err := b.cluster.DeleteRecords(topic, partition, before); err != nil {
		return fmt.Errorf("delete records of %s/%d below %d: %w", topic, partition, before, err)
	}
	return nil
}

// Close stops serving, writes the engine's snapshot so that the next start knows the log's start, and gives the folder back.
func (b *Broker) Close() error {
	if b.cluster != nil {
		b.cluster.Close()
	}
	if b.lock == nil {
		return nil
	}
	lock := b.lock
	b.lock = nil
	return lock.Close()
}

// ErrInUse is returned when another process owns the data folder.
var ErrInUse = errors.New("the data folder is in use by another process")
