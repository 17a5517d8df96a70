package destinations

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/destination"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/retry"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Topic reads a topic of one partition; *eventlog.Log is one.
type Topic interface {
	Ends(ctx context.Context) ([]int64, error)
	Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.Batch, error)
}

// Producer appends to a topic and returns when all in-sync replicas have it.
type Producer interface {
	Produce(ctx context.Context, topic string, partition int32, messages []kafka.Message, at time.Time) (base int64, err error)
}

// Sink sends messages of one destination. The errors stand in the order of the messages; each is nil, transient or rejected. Messages of one call are
// about different people.
type Sink interface {
	Send(ctx context.Context, d *destination.Destination, messages []*destination.Message) []error
	// AtOnce is how many messages one call takes.
	AtOnce() int
}

// Config wires Destinations. Everything is needed but what says otherwise.
type Config struct {
	Workspace    string
	Decisions    Topic
	Profiles     Topic
	Producer     Producer
	People       func(ctx context.Context, workspace string, ids []schema.ProfileID) ([]*graphql.Person, error)
	Suppressed   func(p *graphql.Person) bool
	Destinations func() []*destination.Destination // in force
	Sinks        map[string]Sink                   // by kind
	Store        *state.Store                      // keys that begin with Prefix are this package's

	// Audit records that people are told of to a destination, before it is sent. It may be nil.
	Audit func(ctx context.Context, d *destination.Destination, people []string) error

	Pause    func(failed int, err error) (wait time.Duration, again bool) // before an attempt after so many that failed
	BackOff  time.Duration                                                // before the first retry of what is our own; doubles up to 64 times; 0 is 100 ms
	Look     time.Duration                                                // how often lines and the configuration are looked at; 0 is 200 ms
	Now      func() time.Time
	Logger   *slog.Logger
	Registry prometheus.Registerer // nil is none
}

// Destinations is the work. Run does it, once at a time; the other methods may be called from any goroutine.
type Destinations struct {
	Config
	mu       sync.Mutex // held by whoever changes lines
	position position
	caught   atomic.Bool // the topics are read to where they ended at the start
	opened   atomic.Bool

	wakeMu sync.Mutex
	wake   chan struct{} // closed and replaced when something was put into a line

	metrics *metrics
}

// New makes it. It reads and writes nothing yet.
func New(config Config) *Destinations {
	config.BackOff = cmp.Or(config.BackOff, 100*time.Millisecond)
	config.Look = cmp.Or(config.Look, 200*time.Millisecond)
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Destinations{Config: config, wake: make(chan struct{}), metrics: newMetrics(config.Registry)}
}

// Run sends until ctx ends, and then returns nil. Any other return is a failure after which a new start recovers.
func (d *Destinations) Run(ctx context.Context) error {
	if err := d.open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("open the lines of destinations: %w", err)
	}
	d.opened.Store(true)
	defer d.opened.Store(false)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.read(ctx) })
	group.Go(func() error { return d.lanes(ctx) })
	if err := group.Wait(); err != nil && ctx.Err() == nil || err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("serve destinations: %w", err)
	}
	return nil
}

// longPoll is how long a read waits for records. What comes meanwhile ends it, so it says only how often a log at rest is asked.
const longPoll = 5 * time.Second

// read follows the topics, one record of either at a time.
func (d *Destinations) read(ctx context.Context) error {
	decisions, profiles, err := d.ends(ctx)
	if err != nil {
		return err
	}
	var taking sync.Mutex
	follow := func(topic Topic, at func(position) int64, take func(b *eventlog.Batch) error) error {
		for ctx.Err() == nil {
			taking.Lock()
			if now := d.at(); !d.caught.Load() && now.Decisions >= decisions && now.Profiles >= profiles {
				d.caught.Store(true)
				d.tell()
			}
			taking.Unlock()
			from := at(d.at())
			var got eventlog.Batch
			err := d.retry(ctx, "read what was decided", func() (err error) {
				got, err = topic.Read(ctx, 0, from, longPoll)
				return err
			})
			if err != nil {
				return err
			}
			if got.Next == from {
				select {
				case <-ctx.Done():
				case <-time.After(d.Look / 2):
				}
				continue
			}
			taking.Lock()
			err = take(&got)
			taking.Unlock()
			if err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return follow(d.Decisions, func(p position) int64 { return p.Decisions }, d.takeDecisions)
	})
	group.Go(func() error {
		return follow(d.Profiles, func(p position) int64 { return p.Profiles }, d.takeProfiles)
	})
	return group.Wait()
}

func (d *Destinations) at() position {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.position
}

func (d *Destinations) ends(ctx context.Context) (decisions, profiles int64, err error) {
	err = d.retry(ctx, "read the ends of the topics", func() error {
		a, err := d.Decisions.Ends(ctx)
		if err != nil {
			return err
		}
		b, err := d.Profiles.Ends(ctx)
		if err == nil {
			decisions, profiles = a[0], b[0]
		}
		return err
	})
	return decisions, profiles, err
}

// tell wakes the lanes.
func (d *Destinations) tell() {
	d.wakeMu.Lock()
	defer d.wakeMu.Unlock()
	close(d.wake)
	d.wake = make(chan struct{})
}

func (d *Destinations) told() <-chan struct{} {
	d.wakeMu.Lock()
	defer d.wakeMu.Unlock()
	return d.wake
}

// lanes keeps a lane for each destination in force.
func (d *Destinations) lanes(ctx context.Context) error {
	type running struct {
		of   *destination.Destination
		stop func()
		done chan error
	}
	lanes := map[string]*running{}
	failed := make(chan error, 1)
	stop := func(name string) {
		lanes[name].stop()
		<-lanes[name].done
		delete(lanes, name)
	}
	defer func() {
		for name := range lanes {
			stop(name)
		}
	}()
	var last []*destination.Destination
	for {
		all := d.Destinations()
		if len(all) != len(last) || len(all) > 0 && &all[0] != &last[0] {
			last = all
			inForce := map[string]*destination.Destination{}
			for _, of := range all {
				inForce[of.Name] = of
			}
			for name, l := range lanes {
				if inForce[name] == nil || !reflect.DeepEqual(inForce[name], l.of) {
					stop(name)
				}
			}
			for name, of := range inForce {
				if lanes[name] != nil || of.Paused {
					continue
				}
				laneCtx, cancel := context.WithCancel(ctx)
				l := &running{of, cancel, make(chan error, 1)}
				lanes[name] = l
				go func() {
					err := (&lane{d: d, of: of, sink: d.Sinks[of.Kind]}).run(laneCtx)
					if err != nil && laneCtx.Err() == nil {
						select {
						case failed <- fmt.Errorf("destination %s: %w", name, err):
						default:
						}
					}
					l.done <- err
				}()
			}
		}
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d.Look):
		}
	}
}

// retry runs f until it succeeds, fails for another reason than a transient one, or ctx ends.
func (d *Destinations) retry(ctx context.Context, what string, f func() error) error {
	return retry.Policy{Role: "destinations", BackOff: d.BackOff, Logger: d.Logger, Waits: graphql.NotReady}.Do(ctx, what, f)
}

// Receipt is a record of the topic decisions: what became of a message. It holds ids only.
type Receipt struct {
	Kind        string `json:"kind"` // delivery.sent, delivery.withheld, delivery.dead
	Workspace   string `json:"workspace"`
	At          string `json:"at"`
	Destination string `json:"destination"`
	ID          string `json:"id"` // of the message
	Type        string `json:"type"`
	Segment     string `json:"segment,omitempty"`
	Profile     string `json:"profile,omitempty"`
	Attempts    int    `json:"attempts"`
	Reason      string `json:"reason,omitempty"` // why not
}

// The kinds of receipts.
const (
	Sent     = "delivery.sent"
	Withheld = "delivery.withheld"
	Dead     = "delivery.dead"
)

func (d *Destinations) append(ctx context.Context, receipts []*Receipt) error {
	for len(receipts) > 0 {
		n := min(len(receipts), 1_000)
		messages := make([]kafka.Message, n)
		for i, r := range receipts[:n] {
			text, err := json.Marshal(r)
			if err != nil {
				return err
			}
			messages[i] = kafka.Message{Key: []byte(cmp.Or(r.Profile, r.Workspace)), Value: text}
		}
		err := d.retry(ctx, "record what was sent", func() error {
			_, err := d.Producer.Produce(ctx, schema.TopicDecisions, 0, messages, d.Now())
			return err
		})
		if err != nil {
			return err
		}
		receipts = receipts[n:]
	}
	return nil
}

type metrics struct {
	ended   *prometheus.CounterVec
	retries *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		ended:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dossier_destination_messages_total", Help: "Messages of a destination that were sent, withheld or given up."}, []string{"destination", "end"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dossier_destination_failed_attempts_total", Help: "Attempts to send to a destination that failed."}, []string{"destination"}),
	}
	if registry != nil {
		registry.MustRegister(m.ended, m.retries)
	}
	return m
}
