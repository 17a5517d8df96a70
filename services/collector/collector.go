package collector

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/webhook"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Log takes events. Submit returns nil when all in-sync replicas have every message, or an error after which the messages may
// or may not be in the log and may still be in use. *kafka.Batcher over the events topic is one.
type Log interface {
	Submit(ctx context.Context, messages []kafka.Message) error
}

// Sealer writes the wire form of an event behind dst. *envelope.Sealer is one.
type Sealer interface {
	Seal(dst []byte, e *schema.Event) ([]byte, error)
}

// DeadLetters keeps what was refused. Put returns nil when all in-sync replicas have every letter. It may be called with letters
// of several sources of one workspace.
type DeadLetters interface {
	Put(ctx context.Context, letters []deadletter.Letter) error
}

// Workspace is what the collector needs of one workspace. Everything in it is safe for concurrent use.
type Workspace struct {
	Name    string
	Ids     *ids.Deriver
	Sealer  Sealer
	Letters DeadLetters
	// Epoch tells the epoch that events of a persona are sealed in: 1 + the highest that any erasure closes, from the moment at
	// which the erasure is in the log. Events that occurred at or before cutOff are refused; NoCutOff if there was no erasure.
	Epoch func(schema.PersonaID) (epoch uint32, cutOff schema.Instant)
	// Suppressed says whether nothing of an event's person is to be kept; country reads national phone numbers. What tokens decide is kept all the same. nil:
	// nobody is.
	Suppressed func(e *schema.Event, country string) bool
	// Source tells the settings of a source; one that is not declared has the zero settings and its name.
	Source func(name string) *channel.Source
	// Class is the retention class of an event of a type and source. nil: that of its source.
	Class func(source *channel.Source, t schema.Type) string
	// Expired says whether nothing of a class is kept any more that occurred in a year, from the moment at which that is decided. nil: everything is.
	Expired func(class string, year int) bool
	// Holds says whether there are keys of a class. One that configuration has just named gets them in a moment: its events are held back. nil: there are.
	Holds func(class string) bool
	// Hook finds how a source's webhooks are verified and read; false if it takes none. nil: no source does.
	Hook func(source string) (*webhook.Hook, bool)
	// Secrets gives the values of secret:NAME, in the order of the names. An error names the one that is not there, or is unusable.
	Secrets func(names []string) ([]string, error)
}

// NoCutOff is the cut-off of a person who was never erased.
const NoCutOff = schema.Instant(math.MinInt64)

// Limits bound requests. A zero field takes its default.
type Limits struct {
	Body          int64         // bytes of one body, decompressed; default 5 MiB
	SegmentEvents int           // events of one batch on Segment's path; default 2,500
	NativeEvents  int           // events of one request to /v1/events; default 10,000
	InFlight      int64         // bytes of all bodies that are being read or mapped; default 64 MiB. Memory is about three times that
	ReadTimeout   time.Duration // for one body to arrive; default 15 s
	WriteTimeout  time.Duration // for the log to acknowledge; default 10 s
	Segment       channel.Limits
	Native        channel.Limits
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.Body, 5<<20)
	setDefault(&l.SegmentEvents, 2500)
	setDefault(&l.NativeEvents, 10_000)
	setDefault(&l.InFlight, 64<<20)
	setDefault(&l.ReadTimeout, 15*time.Second)
	setDefault(&l.WriteTimeout, 10*time.Second)
	setDefault(&l.Segment, channel.SegmentLimits())
	setDefault(&l.Native, channel.NativeLimits())
	return l
}

func setDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// Config wires a Collector.
type Config struct {
	Access    access.Access
	Log       Log
	Workspace func(name string) (*Workspace, bool) // false: not here, or not ready
	Hooks     string                               // the workspace whose sources take webhooks; default main
	Room      func() bool                          // whether the log has room for what would be accepted; nil: always
	Limits    Limits
	Now       func() time.Time // default time.Now
	Logger    *slog.Logger     // default slog.Default
}

// Collector takes events in. It is safe for concurrent use.
type Collector struct {
	access    access.Access
	log       Log
	workspace func(name string) (*Workspace, bool)
	hooks     string
	room      func() bool
	limits    Limits
	now       func() time.Time
	logger    *slog.Logger
	budget    budget
	receipts  atomic.Int64 // the last receipt given, in microseconds
	metrics   Metrics
}

// New makes a Collector.
func New(cfg Config) *Collector {
	c := &Collector{
		access: cfg.Access, log: cfg.Log, workspace: cfg.Workspace, hooks: cmp.Or(cfg.Hooks, "main"), room: cfg.Room, limits: cfg.Limits.withDefaults(), now: cfg.Now, logger: cfg.Logger,
	}
	if c.room == nil {
		c.room = func() bool { return true }
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.logger == nil {
		c.logger = slog.Default()
	}
	c.budget.left.Store(c.limits.InFlight)
	c.metrics.init()
	c.metrics.held = func() int64 { return c.limits.InFlight - c.budget.left.Load() }
	return c
}

// Metrics are the collector's counters.
func (c *Collector) Metrics() *Metrics { return &c.metrics }

// receipt gives n instants in a row that no other request of this process has, beginning at our clock: events without a time of
// their own are told apart by their receipt.
func (c *Collector) receipt(n int) schema.Instant {
	for {
		last := c.receipts.Load()
		first := max(int64(schema.InstantOf(c.now())), last+1)
		if c.receipts.CompareAndSwap(last, first+int64(n)-1) {
			return schema.Instant(first)
		}
	}
}

// budget bounds the bytes of all bodies at once.
type budget struct{ left atomic.Int64 }

// take reserves n bytes, or reports that there are not so many.
func (b *budget) take(n int64) bool {
	if b.left.Add(-n) < 0 {
		b.left.Add(n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.left.Add(n) }
