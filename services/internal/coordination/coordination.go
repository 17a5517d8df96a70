package coordination

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Log is the topic's log. *kafka.Client is one; with the embedded broker, DeleteRecords must leave the last record.
type Log interface {
	Offsets(ctx context.Context, topic string) ([]kafka.Range, error)
	Fetch(ctx context.Context, topic string, partition int32, offset int64, maxBytes int, maxWait time.Duration) (kafka.Fetched, error)
	Produce(ctx context.Context, topic string, partition int32, messages []kafka.Message, at time.Time) (base int64, err error)
	DeleteRecords(ctx context.Context, topic string, partition int32, before int64) error
}

// DefaultLeaseTime is how long a lease outlives its owner.
const DefaultLeaseTime = 5 * time.Second

// Config of a process's part in the coordination.
type Config struct {
	Instance  string           // UUID of this process start; never used twice
	Address   string           // where this process answers the other roles, host:port; may be empty
	LeaseTime time.Duration    // 0 is DefaultLeaseTime; processes with different ones respect each other's
	Now       func() time.Time // must carry a monotonic reading; nil is time.Now
	Logger    *slog.Logger     // nil is slog.Default()
}

// Owner is a process, as the others know it.
type Owner struct {
	Instance, Address string
	Epoch             int64 // of a lease: its claim's offset. Of a role: the offset at which the process was first known to offer it
}

// ErrLost says that a lease is no longer, or not certainly, this process's. Whatever was done under it and is not finished may have
// been done by the next owner.
var ErrLost = schema.Classify(schema.Transient, errors.New("the lease is lost"))

// errReleased ends the context of a lease that was given up.
var errReleased = errors.New("the lease was released")

// Coordination is one process's part. All methods may be called from any goroutine.
type Coordination struct {
	log   Log
	cfg   Config
	share float64
	wake  chan struct{} // capacity 1: there is a sign of life to give now

	mu        sync.Mutex // guards what follows
	member    *member
	leases    map[string]*Lease
	presences map[string]*Presence
	acquiring map[string]bool
	folded    chan struct{} // closed and replaced after each read
	changed   chan struct{} // closed and replaced when an owner or a presence changed
	known     map[string]Owner
}

// Open reads the topic to its end as it is now. Run keeps reading, and must run for anything but Owner and Present to work.
func Open(ctx context.Context, log Log, cfg Config) (*Coordination, error) {
	cfg.LeaseTime = cmp.Or(cfg.LeaseTime, DefaultLeaseTime)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Instance == "" {
		return nil, errors.New("open the coordination: the process has no instance id")
	}
	hash := fnv.New32a()
	hash.Write([]byte(cfg.Instance))
	c := &Coordination{
		log: log, cfg: cfg, share: float64(hash.Sum32()) / (1 << 32), wake: make(chan struct{}, 1),
		member: newMember(cfg.Instance, cfg.Address, cfg.LeaseTime),
		leases: map[string]*Lease{}, presences: map[string]*Presence{}, acquiring: map[string]bool{},
		folded: make(chan struct{}), changed: make(chan struct{}), known: map[string]Owner{},
	}
	if err := c.read(ctx); err != nil {
		return nil, fmt.Errorf("open the coordination: %w", err)
	}
	return c, nil
}

// read reads the topic from its first record to its end as it is now.
func (c *Coordination) read(ctx context.Context) error {
	ranges, err := c.log.Offsets(ctx, schema.TopicCoordination)
	if err != nil {
		return classed(err)
	}
	if len(ranges) != 1 {
		return schema.Classify(schema.Fatal, fmt.Errorf("topic %s has %d partitions, it must have 1", schema.TopicCoordination, len(ranges)))
	}
	c.mu.Lock()
	c.member.begin(ranges[0].First)
	c.mu.Unlock()
	for next := ranges[0].First; next < ranges[0].Next; {
		if next, err = c.step(ctx, next, time.Second); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.member.state == nil {
		return schema.Classify(schema.Fatal, fmt.Errorf("topic %s begins at offset %d without a summary, somebody else deleted its records: stop all processes, delete the topic, start again",
			schema.TopicCoordination, ranges[0].First))
	}
	return nil
}

// step folds what comes from an offset on, and gives the next one.
func (c *Coordination) step(ctx context.Context, from int64, wait time.Duration) (next int64, err error) {
	got, err := c.log.Fetch(ctx, schema.TopicCoordination, 0, from, 1<<20, wait)
	if err != nil {
		return from, classed(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	for _, r := range got.Records {
		record, err := schema.ParseCoordination(r.Value)
		if err != nil {
			c.cfg.Logger.Error("coordination: a record is ignored", "offset", r.Offset, "error", err)
			continue
		}
		c.member.fold(record, r.Offset, now)
	}
	c.settle(now)
	close(c.folded)
	c.folded = make(chan struct{})
	return got.Next, nil
}

// Run reads on, renews what is held, and keeps the topic small, until ctx ends; then it returns nil. What is held ends with it. Any
// other return is a failure after which the process must start anew.
func (c *Coordination) Run(ctx context.Context) error {
	group, ctx2 := errgroup.WithContext(ctx)
	group.Go(func() error { return c.follow(ctx2) })
	group.Go(func() error { return c.live(ctx2) })
	err := group.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.member.held)
	clear(c.member.roles)
	c.settle(c.cfg.Now())
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// follow reads on.
func (c *Coordination) follow(ctx context.Context) error {
	c.mu.Lock()
	next := c.member.next
	c.mu.Unlock()
	pause := c.cfg.LeaseTime / 100
	for ctx.Err() == nil {
		var err error
		next, err = c.step(ctx, next, 500*time.Millisecond)
		if errors.Is(err, kafka.ErrOutOfRange) {
			c.cfg.Logger.Warn("coordination: the topic was cut while this process did not read; starting from its summary")
			if err = c.read(ctx); err == nil {
				c.mu.Lock()
				next = c.member.next
				c.mu.Unlock()
			}
		}
		switch {
		case err == nil:
			pause = c.cfg.LeaseTime / 100
			continue
		case ctx.Err() != nil:
			return nil
		case schema.ClassOf(err) == schema.Fatal:
			return fmt.Errorf("follow the coordination topic: %w", err)
		}
		c.cfg.Logger.Warn("coordination: the topic cannot be read", "error", err, "retry_in", pause)
		if !sleep(ctx, pause) {
			return nil
		}
		pause = min(2*pause, c.cfg.LeaseTime/5)
	}
	return nil
}

// live gives signs of life.
func (c *Coordination) live(ctx context.Context) error {
	tick := time.NewTicker(c.cfg.LeaseTime / 5)
	defer tick.Stop()
	for {
		if err := c.sign(ctx); err != nil {
			return err
		}
		if err := c.cut(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		case <-tick.C:
		}
	}
}

// sign writes a sign of life, and another one soon if it may not have arrived.
func (c *Coordination) sign(ctx context.Context) error {
	for ctx.Err() == nil {
		c.mu.Lock()
		now := c.cfg.Now()
		r, needed := c.member.sign(now)
		c.settle(now)
		c.mu.Unlock()
		if !needed {
			return nil
		}
		_, err := c.write(ctx, r)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if schema.ClassOf(err) != schema.Transient {
			return fmt.Errorf("give a sign of life: %w", err)
		}
		c.cfg.Logger.Warn("coordination: a sign of life was not acknowledged", "error", err)
		sleep(ctx, c.cfg.LeaseTime/20)
	}
	return nil
}

// cut writes a summary and deletes what it stands for, if it is time.
func (c *Coordination) cut(ctx context.Context) error {
	c.mu.Lock()
	r, due := c.member.summary(c.cfg.Now(), c.share)
	var value []byte
	var err error
	if due {
		value, err = r.Encode() // it shares memory with the state
	}
	c.mu.Unlock()
	if !due {
		return nil
	}
	if err != nil {
		return fmt.Errorf("encode a summary: %w", err)
	}
	if _, err = c.produce(ctx, value); err == nil {
		// At this point the summary is durable.
		err = classed(c.log.DeleteRecords(ctx, schema.TopicCoordination, 0, r.State.Next))
	}
	if err != nil && ctx.Err() == nil {
		// The next summary tries again.
		c.cfg.Logger.Warn("coordination: the topic was not cut", "error", err)
	}
	return nil
}

// write writes one record and returns its offset when it is durable. After a transient error it may be there all the same, or come.
func (c *Coordination) write(ctx context.Context, r *schema.Coordination) (offset int64, err error) {
	value, err := r.Encode()
	if err != nil {
		return 0, fmt.Errorf("encode %s: %w", r.Kind, err)
	}
	return c.produce(ctx, value)
}

func (c *Coordination) produce(ctx context.Context, value []byte) (offset int64, err error) {
	limited, cancel := context.WithTimeout(ctx, c.cfg.LeaseTime/3)
	defer cancel()
	offset, err = c.log.Produce(limited, schema.TopicCoordination, 0, []kafka.Message{{Value: value}}, c.cfg.Now())
	if err != nil {
		return 0, fmt.Errorf("write to the coordination topic: %w", classed(err))
	}
	return offset, nil
}

// classed gives an error of the log its class.
func classed(err error) error {
	if err == nil {
		return nil
	}
	return schema.Classify(kafka.Class(err), err)
}

// settle ends the contexts of what is no longer trusted, and tells whoever waits for a change. The caller holds mu.
func (c *Coordination) settle(now time.Time) {
	c.member.expire(now)
	for name, l := range c.leases {
		if g := c.member.held[name]; g != nil && g.epoch == l.epoch {
			l.until = g.until
			l.timer.Reset(g.until.Sub(now))
			continue
		}
		c.cfg.Logger.Warn("coordination: a lease is lost", "lease", name, "epoch", l.epoch)
		c.end(l, ErrLost)
	}
	for role, p := range c.presences {
		if g := c.member.roles[role]; g != nil {
			p.until = g.until
			p.timer.Reset(g.until.Sub(now))
			continue
		}
		c.cfg.Logger.Warn("coordination: this process is no longer known to offer a role", "role", role)
		p.timer.Stop()
		p.cancel(ErrLost)
		delete(c.presences, role)
	}
	if known := c.owners(now); !maps.Equal(known, c.known) {
		c.known = known
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

func (c *Coordination) end(l *Lease, why error) {
	l.timer.Stop()
	l.until = time.Time{}
	l.cancel(why)
	delete(c.leases, l.name)
}

// owners lists everything that Owner and Present tell.
func (c *Coordination) owners(now time.Time) map[string]Owner {
	known := map[string]Owner{}
	if c.member.state == nil {
		return c.known
	}
	for name, lease := range c.member.leases {
		if lease.Held {
			known["lease "+name] = Owner{lease.Instance, lease.Address, lease.Epoch}
		}
	}
	for instance, seen := range c.member.instances {
		if !c.member.gone(instance, now) {
			for role, since := range seen.Roles {
				known["role "+role+" "+instance] = Owner{instance, seen.Address, since}
			}
		}
	}
	return known
}

// Owner tells who holds a lease now, as far as the topic says; it may have died a lease time ago.
func (c *Coordination) Owner(name string) (Owner, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.member.state == nil {
		return Owner{}, false
	}
	lease := c.member.leases[name]
	if lease == nil || !lease.Held {
		return Owner{}, false
	}
	return Owner{lease.Instance, lease.Address, lease.Epoch}, true
}

// Noted gives the last note under a key of a lease, whoever holds it: for those who wait for the lease and prepare.
func (c *Coordination) Noted(lease, key string) (value []byte, found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.member.state == nil || c.member.leases[lease] == nil {
		return nil, false
	}
	note, found := c.member.leases[lease].Notes[key]
	return note.Value, found
}

// Present lists the processes that offer a role, by instance, and gave a sign of life within their lease time. A process that is not
// listed, and had announced the role, has found out itself: its Presence has ended.
func (c *Coordination) Present(role string) []Owner {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.member.state == nil {
		return nil
	}
	now := c.cfg.Now()
	var present []Owner
	for instance, seen := range c.member.instances {
		if since, offers := seen.Roles[role]; offers && !c.member.gone(instance, now) {
			present = append(present, Owner{instance, seen.Address, since})
		}
	}
	slices.SortFunc(present, func(a, b Owner) int { return cmp.Compare(a.Instance, b.Instance) })
	return present
}

// Refresh returns when this process has read all that the topic holds now. Who must not overlook anybody calls it before Present: a
// process whose Announce has returned by now is listed then.
func (c *Coordination) Refresh(ctx context.Context) error {
	ranges, err := c.log.Offsets(ctx, schema.TopicCoordination)
	if err != nil {
		return fmt.Errorf("find the end of the coordination topic: %w", classed(err))
	}
	for {
		c.mu.Lock()
		done, folded := c.member.state != nil && c.member.next >= ranges[0].Next, c.folded
		c.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-folded:
		}
	}
}

// Changed is closed when what Owner or Present tells has changed. Take it before asking them.
func (c *Coordination) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// sleep says whether the pause ended before ctx did.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
