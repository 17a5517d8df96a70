package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/dossier-cdp/dossier/schema"
)

// MaxBatchBytes is the largest record batch: topics are created so that they take it.
const MaxBatchBytes = 8 << 20

// dialTimeout bounds a connect with its first exchange. A broker that hangs still takes connections, and while it is tried the layout
// is not brought up to date.
const dialTimeout = 2 * time.Second

// Config says which log to talk to.
type Config struct {
	Brokers     []string      // host:port, at least one
	TopicPrefix string        // before the name of every topic, so that several installations share a cluster; part of no name elsewhere
	TLS         *TLS          // nil: connections are not encrypted
	SASL        *SASL         // nil: no login
	CheckTopics bool          // EnsureTopics checks settings and copies: for a cluster that others may have set up
	Timeout     time.Duration // of one request; 0 is 5 s
	MetadataTTL time.Duration // how long the cluster's layout is believed; 0 is 500 ms, which bounds the gap after a leader's death
	Dial        func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client talks to one log. It is safe for concurrent use. Every error has a class: see Class.
type Client struct {
	prefix      string
	user        string // who is logged in, or ""
	checkTopics bool
	timeout     time.Duration
	addr        net.Addr
	router      *router
	calls       *kafkago.Client
	stop        context.CancelFunc
}

// Open prepares a client and checks that a broker answers. An error says in one line what is wrong with address, certificate or
// login, and what to do; it is transient if the same may work later.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if len(cfg.Brokers) == 0 {
		return nil, wrong("open the log: no broker address is given")
	}
	for _, address := range cfg.Brokers {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, wrong("the broker address %q is not HOST:PORT: correct --kafka", address)
		}
	}
	if !validPrefix(cfg.TopicPrefix) {
		return nil, wrong("the topic prefix %q cannot stand in a topic's name: use up to 100 letters, digits, dots, dashes and underscores", cfg.TopicPrefix)
	}
	settings, err := cfg.TLS.settings()
	if err != nil {
		return nil, err
	}
	login, err := cfg.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.MetadataTTL == 0 {
		cfg.MetadataTTL = 500 * time.Millisecond
	}
	background, stop := context.WithCancel(context.Background())
	c := &Client{
		prefix: cfg.TopicPrefix, checkTopics: cfg.CheckTopics,
		timeout: cfg.Timeout,
		addr:    kafkago.TCP(cfg.Brokers...),
		router: newRouter(func(topics []string) *kafkago.Transport {
			return &kafkago.Transport{
				ClientID:       clientID,
				MetadataTTL:    cfg.MetadataTTL,
				MetadataTopics: topics,
				Dial:           cfg.Dial,
				TLS:            settings,
				SASL:           login,
				DialTimeout:    min(cfg.Timeout, dialTimeout),
				Context:        background,
			}
		}),
		stop: stop,
	}
	if cfg.SASL != nil {
		c.user = cfg.SASL.User
	}
	c.calls = &kafkago.Client{Addr: c.addr, Timeout: cfg.Timeout, Transport: c.router}
	if err := c.reached(ctx); err != nil {
		c.Close()
		return nil, failed(unreached(ctx, cfg, settings, err), "open the log")
	}
	return c, nil
}

// validPrefix leaves room for the names of topics, which have at most 249 characters.
func validPrefix(prefix string) bool {
	for _, r := range prefix {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_' {
			return false
		}
	}
	return len(prefix) <= 100
}

// reached returns when the cluster's layout is known. The client library gives up asking for it after MetadataTTL, which is short of what a
// busy broker may take the first time, and asks again.
func (c *Client) reached(ctx context.Context) error {
	for begun := time.Now(); ; {
		_, err := c.ClusterID(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || time.Since(begun) > c.timeout {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// name is the topic's name in the cluster, whose layout is followed from now on. Every request goes through it, and nothing else knows
// the prefix.
func (c *Client) name(topic string) string {
	name := c.prefix + topic
	c.router.follow(name)
	return name
}

// failed wraps an error of the log with what was tried, and with its class.
func failed(err error, format string, args ...any) error {
	return schema.Classify(Class(err), fmt.Errorf(format+": %w", append(args, err)...))
}

// Close ends the background work. Requests under way fail.
func (c *Client) Close() {
	c.router.close()
	c.stop()
}

// ClusterID names the log that the brokers serve: another id is another log.
func (c *Client) ClusterID(ctx context.Context) (string, error) {
	res, err := c.calls.Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{}})
	if err != nil {
		return "", failed(err, "read the cluster's id")
	}
	return res.ClusterID, nil
}

// Partitions tells how many partitions the topic has. A topic that does not exist is a transient error: the cluster's layout may
// be older than the topic.
func (c *Client) Partitions(ctx context.Context, topic string) (int32, error) {
	res, err := c.calls.Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{c.name(topic)}})
	if err == nil && len(res.Topics) == 1 {
		err = res.Topics[0].Error
	}
	if err != nil {
		return 0, failed(err, "read the partitions of %s", c.name(topic))
	}
	return int32(len(res.Topics[0].Partitions)), nil
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
	res, err := c.calls.ListOffsets(ctx, &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{c.name(topic): asked}})
	if err != nil {
		return nil, failed(err, "list the offsets of %s", c.name(topic))
	}
	got := res.Topics[c.name(topic)]
	slices.SortFunc(got, func(a, b kafkago.PartitionOffsets) int { return a.Partition - b.Partition })
	ranges := make([]Range, n)
	for i, p := range got {
		if p.Error != nil {
			return nil, failed(p.Error, "list the offsets of %s/%d", c.name(topic), p.Partition)
		}
		if p.Partition != i || i >= len(ranges) {
			return nil, failed(kafkago.LeaderNotAvailable, "list the offsets of %s", c.name(topic))
		}
		ranges[i] = Range{p.FirstOffset, p.LastOffset}
	}
	if len(got) != len(ranges) {
		return nil, failed(kafkago.LeaderNotAvailable, "list the offsets of %s", c.name(topic))
	}
	return ranges, nil
}

// DeleteRecords drops the records of a partition below before. A caller that shares the log with the embedded broker must leave
// the last record: see package broker. A before that the log does not hold is ErrOutOfRange; of one below the first Apache Kafka says
// that it is done.
func (c *Client) DeleteRecords(ctx context.Context, topic string, partition int32, before int64) error {
	frame := appendHeader(nil, keyDeleteRecords, versionDeleteRecords)
	frame = appendInt32(frame, 1)
	frame = appendString(frame, c.name(topic))
	frame = appendInt32(frame, 1)
	frame = appendInt32(frame, partition)
	frame = appendInt64(frame, before)
	frame = appendInt32(frame, int32(c.timeout.Milliseconds()))
	r, err := c.exchange(ctx, &exchange{keyDeleteRecords, c.name(topic), partition, finishFrame(frame)})
	if err == nil {
		r.int32() // throttle
		r.count(8)
		r.string()
		r.count(14)
		r.int32() // partition
		r.int64() // low watermark
		if err = codeError(r.int16(), r); errors.Is(err, kafkago.OffsetOutOfRange) {
			err = schema.Classify(schema.Fatal, ErrOutOfRange)
		}
	}
	if err != nil {
		return failed(err, "delete the records of %s/%d below %d", c.name(topic), partition, before)
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
	m, err := c.router.RoundTrip(ctx, c.addr, x)
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
