package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel/record"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Cluster is a company's Kafka. *kafka.Client is one.
type Cluster interface {
	Partitions(ctx context.Context, topic string) (int32, error)
	Offsets(ctx context.Context, topic string) ([]kafka.Range, error)
	OffsetsAt(ctx context.Context, topic string, at time.Time) ([]int64, error)
	FetchCommitted(ctx context.Context, topic string, partition int32, offset int64, maxBytes int, maxWait time.Duration) (kafka.Fetched, error)
	Close()
}

// Config wires an Intake.
type Config struct {
	Workspace string
	Topics    func() map[string]*record.Topic // what the configuration in force has, by source
	Changed   func() <-chan struct{}          // closed when Topics may give something else; asked before Topics
	Connect   func(ctx context.Context, cluster string) (Cluster, error)
	// ClusterDigest changes when a cluster is to be reached in another way; Changed tells of that, too. nil: it never is.
	ClusterDigest func(cluster string) string
	Registry      func(cluster string) (Registry, error) // of the schemas of a cluster's records; needed where a topic asks for one
	Deliver       func(ctx context.Context, d collector.Delivery) (collector.Receipt, error)
	Positions     Positions // how far each partition was read
	Metrics       *Metrics
	Logger        *slog.Logger
	Look          time.Duration // how often a topic is looked at for new partitions; 0 is 30 s
	Pause         time.Duration // the first pause after a failure; it grows to 30 s; 0 is 100 ms
	Keep          time.Duration // how often positions are kept; 0 is 1 s
}

// Intake reads topics. One at a time reads those of a workspace; two of them would do no harm but double work.
type Intake struct{ cfg Config }

// New makes an Intake.
func New(cfg Config) *Intake {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = &Metrics{}
	}
	if cfg.Registry == nil {
		cfg.Registry = func(string) (Registry, error) {
			return nil, schema.Classify(schema.Transient, errors.New("there is no schema registry here"))
		}
	}
	if cfg.ClusterDigest == nil {
		cfg.ClusterDigest = func(string) string { return "" }
	}
	if cfg.Look == 0 {
		cfg.Look = 30 * time.Second
	}
	if cfg.Pause == 0 {
		cfg.Pause = 100 * time.Millisecond
	}
	if cfg.Keep == 0 {
		cfg.Keep = time.Second
	}
	return &Intake{cfg}
}

// Run reads every topic of the configuration in force until ctx ends. It fails only where what keeps the positions does, for good: after that
// nobody knows how far the topics were read.
func (i *Intake) Run(ctx context.Context) error {
	type reading struct {
		hash string
		stop context.CancelFunc
		done chan struct{}
	}
	readings := map[string]reading{}
	failed := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for _, r := range readings {
			<-r.done
		}
	}()
	for {
		changed := i.cfg.Changed()
		topics := i.cfg.Topics()
		for source, r := range readings {
			if t := topics[source]; t == nil || i.hash(t) != r.hash {
				r.stop()
				<-r.done
				delete(readings, source)
				i.cfg.Metrics.forget(source)
			}
		}
		for _, source := range slices.Sorted(maps.Keys(topics)) {
			t := topics[source]
			if _, reads := readings[source]; reads {
				continue
			}
			reads, stop := context.WithCancel(ctx)
			r := reading{hash: i.hash(t), stop: stop, done: make(chan struct{})}
			readings[source] = r
			go func() {
				defer close(r.done)
				if err := i.topic(reads, t); err != nil && reads.Err() == nil {
					select {
					case failed <- err:
					default:
					}
				}
			}()
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-changed:
		}
	}
}

// hash changes with everything by which a topic is read.
func (i *Intake) hash(t *record.Topic) string { return t.Hash + i.cfg.ClusterDigest(t.Cluster) }

// topic reads one topic until ctx ends.
func (i *Intake) topic(ctx context.Context, t *record.Topic) error {
	logger := i.cfg.Logger.With("source", t.Source, "topic", t.Topic)
	cluster, err := i.connect(ctx, t, logger)
	if err != nil {
		return nil // ctx has ended
	}
	defer cluster.Close()
	kept, err := i.cfg.Positions.Kept(t.Key())
	if err != nil {
		return fmt.Errorf("read how far %s was read: %w", t.Topic, err)
	}
	first := len(kept) == 0
	reached := &progress{positions: i.cfg.Positions, key: t.Key(), logger: logger, next: kept}
	ctx, cancel := context.WithCancelCause(ctx)
	var partitions, keeping sync.WaitGroup
	keeps, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		cancel(nil)
		partitions.Wait()
		stopKeeping()
		keeping.Wait()
	}()
	keeping.Go(func() {
		if err := reached.run(keeps, i.cfg.Keep); err != nil {
			cancel(err)
		}
	})
	back := backOff{first: i.cfg.Pause}
	for known := int32(0); ; {
		n, err := i.partitions(ctx, cluster, t)
		if err == nil && n > known {
			err = i.begin(ctx, cluster, t, reached, first)
		}
		switch {
		case ctx.Err() != nil:
			return cause(ctx)
		case err != nil:
			if back.worthTelling(err) {
				logger.Warn("a topic cannot be read, and is tried again", "error", err)
			}
			i.cfg.Metrics.failures(t.Source)
			if !back.wait(ctx) {
				return cause(ctx)
			}
			continue
		}
		back.reset()
		for p := known; p < n; p++ {
			if len(t.Settings.Partitions) > 0 && !slices.Contains(t.Settings.Partitions, p) {
				continue
			}
			from, _ := reached.of(p)
			partitions.Go(func() {
				r := reader{i: i, t: t, cluster: cluster, partition: p, reached: reached, logger: logger.With("partition", p), back: backOff{first: i.cfg.Pause}}
				r.run(ctx, from)
			})
		}
		known, first = max(known, n), false
		if !sleep(ctx, i.cfg.Look) {
			return cause(ctx)
		}
	}
}

// cause is why ctx has ended, unless it was asked to.
func cause(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// connect opens the topic's cluster, however long that takes.
func (i *Intake) connect(ctx context.Context, t *record.Topic, logger *slog.Logger) (Cluster, error) {
	back := backOff{first: i.cfg.Pause}
	for {
		cluster, err := i.cfg.Connect(ctx, t.Cluster)
		if err == nil {
			return cluster, nil
		}
		if ctx.Err() == nil && back.worthTelling(err) {
			logger.Error("the cluster of a topic cannot be reached, and is tried again", "cluster", t.Cluster, "error", err)
		}
		i.cfg.Metrics.failures(t.Source)
		if !back.wait(ctx) {
			return nil, ctx.Err()
		}
	}
}

func (i *Intake) partitions(ctx context.Context, cluster Cluster, t *record.Topic) (int32, error) {
	n, err := cluster.Partitions(ctx, t.Topic)
	if err != nil {
		return 0, err
	}
	for _, p := range t.Settings.Partitions {
		if p >= n {
			return 0, fmt.Errorf("the topic has %d partitions, and the source reads partition %d: correct its partitions", n, p)
		}
	}
	return n, nil
}

// begin decides where the partitions are read from that never were. first says that none was: the topic is then read from where its source
// says, and a partition that is added later from its beginning.
func (i *Intake) begin(ctx context.Context, cluster Cluster, t *record.Topic, reached *progress, first bool) error {
	at, end, err := t.Start()
	if err != nil {
		return err // Unreachable: it was checked with the configuration
	}
	ranges, err := cluster.Offsets(ctx, t.Topic)
	if err != nil {
		return err
	}
	starts := make([]int64, len(ranges))
	for p := range ranges {
		starts[p] = ranges[p].First
		if end && first {
			starts[p] = ranges[p].Next
		}
	}
	if !at.IsZero() && first {
		if starts, err = cluster.OffsetsAt(ctx, t.Topic, at); err != nil {
			return err
		}
	}
	for p := range starts {
		if _, was := reached.of(int32(p)); !was {
			reached.reached(int32(p), starts[p])
		}
	}
	// Before anything is read: the next process must not begin elsewhere.
	return reached.keep(ctx)
}

// backOff spaces attempts, and says which failures are worth a line: the first, and those that say something else.
type backOff struct {
	first, next time.Duration
	told        string
}

const longestPause = 30 * time.Second

func (b *backOff) worthTelling(err error) bool {
	text := err.Error()
	fresh := text != b.told
	b.told = text
	return fresh
}

func (b *backOff) reset() { b.next, b.told = 0, "" }

func (b *backOff) wait(ctx context.Context) bool {
	if b.next == 0 {
		b.next = b.first
	}
	pause := b.next
	b.next = min(2*b.next, longestPause)
	return sleep(ctx, pause)
}

// sleep waits, and says whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
