package coordination

import (
	"context"
	"fmt"
	"time"
)

// Presence is this process being known to offer a role that any number of processes may offer.
type Presence struct {
	c      *Coordination
	role   string
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	until  time.Time // guarded by c.mu
}

// Announce makes this process known for a role, and returns when every process that reads the topic from now on lists it. Run keeps
// renewing it.
//
// Who must not be overlooked (a collector, by an erasure) announces itself first, then reads what was decided, then acts, and stops
// acting when Context ends: from then on the others may no longer count on it.
func (c *Coordination) Announce(ctx context.Context, role string) (*Presence, error) {
	c.mu.Lock()
	if c.member.roles[role] != nil {
		c.mu.Unlock()
		return nil, fmt.Errorf("announce the role %s: this process has announced it already", role)
	}
	mine := &grant{}
	c.member.roles[role] = mine
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	for {
		c.mu.Lock()
		now := c.cfg.Now()
		if g := c.member.roles[role]; g == mine && !g.until.IsZero() {
			p := &Presence{c: c, role: role, until: g.until}
			p.ctx, p.cancel = context.WithCancelCause(context.Background())
			p.timer = time.AfterFunc(g.until.Sub(now), c.lapse)
			c.presences[role] = p
			c.mu.Unlock()
			return p, nil
		}
		c.member.roles[role] = mine // it lapsed before anybody had it
		folded := c.folded
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			c.mu.Lock()
			delete(c.member.roles, role)
			c.mu.Unlock()
			return nil, fmt.Errorf("announce the role %s: %w", role, ctx.Err())
		case <-folded:
		}
	}
}

// Context ends when the others may no longer list this process: it was withdrawn, or no sign of life was read back in time by its own
// clock. Its cause is ErrLost where it was not withdrawn. Announce may then be called again.
func (p *Presence) Context() context.Context { return p.ctx }

// Valid looks at the clock: see Lease.Valid.
func (p *Presence) Valid() bool {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	return p.c.cfg.Now().Before(p.until)
}

// Withdraw ends Context and tells the others with the next sign of life. What the role does must have ended before.
func (p *Presence) Withdraw() {
	c := p.c
	c.mu.Lock()
	if c.presences[p.role] == p {
		p.timer.Stop()
		p.until = time.Time{}
		p.cancel(errReleased)
		delete(c.presences, p.role)
		delete(c.member.roles, p.role)
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
