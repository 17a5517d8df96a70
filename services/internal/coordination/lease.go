package coordination

import (
	"context"
	"fmt"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// Lease is the right to be the only one, as long as Context lives.
type Lease struct {
	c      *Coordination
	name   string
	epoch  int64
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	until  time.Time // guarded by c.mu
}

// Acquire waits until this process holds the lease, and returns it; Run keeps renewing it. A process holds a lease once: a second
// Acquire before the first one's Lease has ended is an error.
func (c *Coordination) Acquire(ctx context.Context, name string) (*Lease, error) {
	c.mu.Lock()
	if c.acquiring[name] || c.leases[name] != nil {
		c.mu.Unlock()
		return nil, fmt.Errorf("acquire the lease %s: this process holds it or waits for it already", name)
	}
	c.acquiring[name] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.acquiring, name)
		c.member.forget(name)
		if c.leases[name] == nil {
			delete(c.member.held, name)
		}
	}()
	for {
		c.mu.Lock()
		now := c.cfg.Now()
		r, may := c.member.claim(name, now)
		if l := c.grant(name, now); l != nil {
			c.mu.Unlock()
			return l, nil
		}
		// A claim that was written is waited for; a lost one is repeated.
		wait := c.cfg.LeaseTime / 2
		if !may {
			wait = min(wait, c.member.claimable(name).Sub(now))
		}
		folded := c.folded
		c.mu.Unlock()
		if may {
			if _, err := c.write(ctx, r); err != nil && ctx.Err() == nil && schema.ClassOf(err) != schema.Transient {
				return nil, fmt.Errorf("acquire the lease %s: %w", name, err)
			}
			if !c.claimed(ctx, name, r.Sequence, wait) {
				return nil, fmt.Errorf("acquire the lease %s: %w", name, ctx.Err())
			}
			continue
		}
		timer := time.NewTimer(max(wait, time.Millisecond))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("acquire the lease %s: %w", name, ctx.Err())
		case <-folded:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// claimed waits until the claim was read back, for a while. It is false when ctx ended.
func (c *Coordination) claimed(ctx context.Context, name string, sequence uint64, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		c.mu.Lock()
		asked, folded := c.member.asked[name], c.folded
		c.mu.Unlock()
		if asked == nil || asked.sequence != sequence {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-folded:
		}
	}
}

// grant makes the lease that a claim brought. The caller holds mu.
func (c *Coordination) grant(name string, now time.Time) *Lease {
	g := c.member.held[name]
	if g == nil {
		return nil
	}
	l := &Lease{c: c, name: name, epoch: g.epoch, until: g.until}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.timer = time.AfterFunc(g.until.Sub(now), c.lapse)
	c.leases[name] = l
	c.cfg.Logger.Info("coordination: a lease is taken", "lease", name, "epoch", l.epoch)
	return l
}

// lapse ends what the clock has ended.
func (c *Coordination) lapse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle(c.cfg.Now())
}

// Name is the lease's name.
func (l *Lease) Name() string { return l.name }

// Epoch is the offset of the claim: the fencing token. The next owner's is higher.
func (l *Lease) Epoch() int64 { return l.epoch }

// Context ends the moment that the lease can no longer be trusted: when it is lost or released, or was not renewed in time by this
// process's own clock. Its cause is ErrLost where it was not released.
func (l *Lease) Context() context.Context { return l.ctx }

// Valid looks at the clock. A process that was paused may run on for a moment before Context has ended; what cannot be taken back is
// worth this question just before.
func (l *Lease) Valid() bool {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.c.member.trusted(l.name, l.epoch, l.c.cfg.Now())
}

// Release ends Context and gives the lease up, so that the next owner need not wait. What was done under the lease must have ended
// before. After an error the lease lapses by itself.
func (l *Lease) Release(ctx context.Context) error {
	c := l.c
	c.mu.Lock()
	if c.leases[l.name] != l {
		c.mu.Unlock()
		return nil // it was lost
	}
	r := c.member.release(l.name, l.epoch)
	c.end(l, errReleased)
	c.mu.Unlock()
	for {
		_, err := c.write(ctx, r)
		if err == nil {
			return nil
		}
		if schema.ClassOf(err) != schema.Transient || !sleep(ctx, c.cfg.LeaseTime/20) {
			return fmt.Errorf("release the lease %s: %w", l.name, err)
		}
	}
}

// Note writes what the owner is about to do, under a key, and returns when it is durable and counts: whoever holds the lease next finds
// it (Noted). It replaces the key's last note. ErrLost says that it does not count, or that nobody knows.
func (l *Lease) Note(ctx context.Context, key string, value []byte) error {
	c := l.c
	c.mu.Lock()
	r := c.member.note(l.name, l.epoch, key, value)
	c.mu.Unlock()
	offset := int64(-1) // of the note, once it is known
	for {
		c.mu.Lock()
		done, trusted := c.member.noted(r), c.member.trusted(l.name, l.epoch, c.cfg.Now())
		passed := offset >= 0 && c.member.state != nil && c.member.next > offset
		folded := c.folded
		c.mu.Unlock()
		switch {
		case !trusted || passed && !done:
			return fmt.Errorf("note %s under the lease %s: %w", key, l.name, ErrLost)
		case done:
			return nil
		case offset >= 0:
			select {
			case <-ctx.Done():
				return fmt.Errorf("note %s under the lease %s: %w", key, l.name, ctx.Err())
			case <-l.ctx.Done():
			case <-folded:
			}
			continue
		}
		written, err := c.write(ctx, r)
		switch {
		case err == nil:
			offset = written
		case ctx.Err() != nil || schema.ClassOf(err) != schema.Transient:
			return fmt.Errorf("note %s under the lease %s: %w", key, l.name, err)
		default:
			sleep(ctx, c.cfg.LeaseTime/50) // the same note again: a copy counts once
		}
	}
}

// Noted gives the last note under a key, this owner's or a former one's.
func (l *Lease) Noted(key string) (value []byte, found bool) { return l.c.Noted(l.name, key) }
