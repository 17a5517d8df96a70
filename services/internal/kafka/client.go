package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/dossier-cdp/dossier/schema"
)

// MaxBatchBytes is the largest record batch: topics are created so that they take it.
const MaxBatchBytes = 8 << 20

// Config says which log to talk to.
type Config struct {
	Brokers     []string      // host:port, at least one
	Timeout     time.Duration // of one request; 0 is 5 s
	MetadataTTL time.Duration // how long the cluster's layout is believed; 0 is 500 ms, which bounds the gap after a leader's death
	Dial        func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client talks to one log. It is safe for concurrent use. Every error has a class: see Class.
type Client struct {
	timeout   time.Duration
	addr      net.Addr
	transport *kafkago.Transport
	calls     *kafkago.Client
	stop      context.CancelFunc
}

// Open prepares a client and checks that a broker answers.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if len(cfg.Brokers) == 0 {
		return nil, schema.Classify(schema.Fatal, errors.New("open the log: no broker address is given"))
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.MetadataTTL == 0 {
		cfg.MetadataTTL = 500 * time.Millisecond
	}
	background, stop := context.WithCancel(context.Background())
	c := &Client{
		timeout: cfg.Timeout,
		addr:    kafkago.TCP(cfg.Brokers...),
		transport: &kafkago.Transport{
			ClientID:    clientID,
			MetadataTTL: cfg.MetadataTTL,
			Dial:        cfg.Dial,
			DialTimeout: min(cfg.Timeout, 5*time.Second),
			Context:     background,
		},
		stop: stop,
	}
	c.calls = &kafkago.Client{Addr: c.addr, Timeout: cfg.Timeout, Transport: c.transport}
	if _, err := c.ClusterID(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return c, nil
}

// Close ends the background work. Requests under way fail.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
	c.stop()
}

// ClusterID names the log that the brokers serve: another id is another log.
func (c *Client) ClusterID(ctx context.Context) (string, error) {
	res, err := c.calls.Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{}})
	if err != nil {
		return "", fmt.Errorf("read the cluster's id: %w", err)
	}
	return res.ClusterID, nil
}

// Partitions tells how many partitions the topic has. A topic that does not exist is a transient error: the cluster's layout may
// be older than the topic.
func (c *Client) Partitions(ctx context.Context, topic string) (int32, error) {
	res, err := c.calls.Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{topic}})
	if err == nil && len(res.Topics) == 1 {
		err = res.Topics[0].Error
	}
	if err != nil {
		return 0, fmt.Errorf("read the partitions of %s: %w", topic, err)
	}
	return int32(len(res.Topics[0].Partitions)), nil
}

// EnsureTopics creates the topics that are missing, without retention by time or size, and checks the partition counts of
// those that exist. Another count is fatal: it needs a new generation of the log. Topics that leave the count to the
// installation get partitions; 0 takes the count that the topic has, or schema.DefaultPartitions for a new one. replication 0 leaves
// it to the cluster.
func (c *Client) EnsureTopics(ctx context.Context, topics []schema.Topic, partitions int32, replication int) error {
	if replication == 0 {
		replication = -1
	}
	var missing []kafkago.TopicConfig
	for _, t := range topics {
		want := t.Partitions
		if want == 0 {
			want = cmp.Or(partitions, schema.DefaultPartitions)
		}
		have, err := c.Partitions(ctx, t.Name)
		switch {
		case errors.Is(err, kafkago.UnknownTopicOrPartition):
			missing = append(missing, kafkago.TopicConfig{
				Topic: t.Name, NumPartitions: int(want), ReplicationFactor: replication,
				ConfigEntries: []kafkago.ConfigEntry{
					{ConfigName: "cleanup.policy", ConfigValue: "delete"},
					{ConfigName: "retention.ms", ConfigValue: "-1"},
					{ConfigName: "retention.bytes", ConfigValue: "-1"},
					{ConfigName: "message.timestamp.type", ConfigValue: "CreateTime"},
					{ConfigName: "max.message.bytes", ConfigValue: strconv.Itoa(MaxBatchBytes)},
				},
			})
		case err != nil:
			return err
		case have != want && (t.Partitions != 0 || partitions != 0):
			return schema.Classify(schema.Fatal, fmt.Errorf("topic %s has %d partitions, %d are configured: a change of the partition count needs a new generation", t.Name, have, want))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	res, err := c.calls.CreateTopics(ctx, &kafkago.CreateTopicsRequest{Topics: missing})
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for _, t := range topics {
		if err := res.Errors[t.Name]; err != nil && !errors.Is(err, kafkago.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", t.Name, err)
		}
	}
	return nil
}

// Range is what a partition holds: [First, Next).
type Range struct{ First, Next int64 }

// Offsets tells what each partition of the topic holds.
func (c *Client) Offsets(ctx context.Context, topic string) ([]Range, error) {
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	asked := make([]kafkago.OffsetRequest, 0, 2*n)
	for p := range int(n) {
		asked = append(asked, kafkago.FirstOffsetOf(p), kafkago.LastOffsetOf(p))
	}
	res, err := c.calls.ListOffsets(ctx, &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{topic: asked}})
	if err != nil {
		return nil, fmt.Errorf("list the offsets of %s: %w", topic, err)
	}
	got := res.Topics[topic]
	slices.SortFunc(got, func(a, b kafkago.PartitionOffsets) int { return a.Partition - b.Partition })
	ranges := make([]Range, n)
	for i, p := range got {
		if p.Error != nil {
			return nil, fmt.Errorf("list the offsets of %s/%d: %w", topic, p.Partition, p.Error)
		}
		if p.Partition != i || i >= len(ranges) {
			return nil, fmt.Errorf("list the offsets of %s: %w", topic, kafkago.LeaderNotAvailable)
		}
		ranges[i] = Range{p.FirstOffset, p.LastOffset}
	}
	if len(got) != len(ranges) {
		return nil, fmt.Errorf("list the offsets of %s: %w", topic, kafkago.LeaderNotAvailable)
	}
	return ranges, nil
}

// DeleteRecords drops the records of a partition below before. A caller that shares the log with the embedded broker must leave
// the last record: see package broker.
func (c *Client) DeleteRecords(ctx context.Context, topic string, partition int32, before int64) error {
	frame := appendHeader(nil, keyDeleteRecords, versionDeleteRecords)
	frame = appendInt32(frame, 1)
	frame = appendString(frame, topic)
	frame = appendInt32(frame, 1)
	frame = appendInt32(frame, partition)
	frame = appendInt64(frame, before)
	frame = appendInt32(frame, int32(c.timeout.Milliseconds()))
	r, err := c.exchange(ctx, &exchange{keyDeleteRecords, topic, partition, finishFrame(frame)})
	if err == nil {
		r.int32() // throttle
		r.count(8)
		r.string()
		r.count(14)
		r.int32() // partition
		r.int64() // low watermark
		err = codeError(r.int16(), r)
	}
	if err != nil {
		return fmt.Errorf("delete the records of %s/%d below %d: %w", topic, partition, before, err)
	}
	return nil
}

// exchange sends a request under the client's timeout, which the frame may lengthen by waiting itself.
func (c *Client) exchange(ctx context.Context, x *exchange) (*cursor, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.exchangeWithin(ctx, x)
}

func (c *Client) exchangeWithin(ctx context.Context, x *exchange) (*cursor, error) {
	m, err := c.transport.RoundTrip(ctx, c.addr, x)
	if err != nil {
		return nil, err
	}
	return &cursor{b: m.(*reply).body}, nil
}

// codeError makes an error of a response's code; a response that is too short is a broken connection.
func codeError(code int16, c *cursor) error {
	if c.short {
		return fmt.Errorf("a response is cut off: %w", net.ErrClosed)
	}
	if code != 0 {
		return kafkago.Error(code)
	}
	return nil
}
