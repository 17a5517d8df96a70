package main

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// crossing is the way of requests to the live projections. While they are exchanged it is closed: who is on it gets time to finish, who comes waits.
type crossing struct {
	mu     sync.Mutex
	front  http.Handler
	inside map[*pass]struct{}
	left   chan struct{} // closed and replaced when a pass is given back
	opened chan struct{} // closed when it is open
	open   bool
}

// pass is the right of one request to be on the crossing.
type pass struct {
	of   *crossing
	cut  context.CancelCauseFunc
	once sync.Once
}

type passKey struct{}

func newCrossing() *crossing {
	return &crossing{inside: map[*pass]struct{}{}, left: make(chan struct{}), opened: make(chan struct{})}
}

// give ends a pass. It may be given back before its request has ended, by a request that closes the crossing.
func (p *pass) give() {
	p.once.Do(func() {
		p.of.mu.Lock()
		defer p.of.mu.Unlock()
		delete(p.of.inside, p)
		close(p.of.left)
		p.of.left = make(chan struct{})
	})
}

// stepOut gives back the pass of the request that ctx is of, which then reads nothing of the projections any more, and outlives a cut.
func stepOut(ctx context.Context) {
	if p, is := ctx.Value(passKey{}).(*pass); is {
		p.give()
	}
}

// ServeHTTP lets a request through, as soon as the crossing is open.
func (c *crossing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for {
		c.mu.Lock()
		if c.open {
			break
		}
		opened := c.opened
		c.mu.Unlock()
		select {
		case <-opened:
		case <-r.Context().Done():
			return
		}
	}
	ctx, cut := context.WithCancelCause(r.Context())
	p := &pass{of: c, cut: cut}
	c.inside[p] = struct{}{}
	front := c.front
	c.mu.Unlock()
	defer cut(nil)
	defer p.give()
	front.ServeHTTP(w, r.WithContext(context.WithValue(ctx, passKey{}, p)))
}

// errExchanged is why a request was cut.
type errExchanged struct{}

func (errExchanged) Error() string {
	return "the projections were exchanged while this was being answered: ask again"
}

// shut has requests wait, and returns when nobody is inside. Who takes longer than patience is cut; who stays for ten times as long all the same has it open
// again, and shut is false.
func (c *crossing) shut(patience time.Duration) bool {
	c.mu.Lock()
	c.open = false
	c.opened = make(chan struct{})
	c.mu.Unlock()
	late, never := time.After(patience), time.After(10*patience)
	for {
		c.mu.Lock()
		n, left := len(c.inside), c.left
		c.mu.Unlock()
		if n == 0 {
			return true
		}
		select {
		case <-left:
		case <-late:
			c.mu.Lock()
			for p := range c.inside {
				p.cut(errExchanged{})
			}
			c.mu.Unlock()
			late = nil
		case <-never:
			c.unlock(nil)
			return false
		}
	}
}

// unlock lets requests through to a front; nil is the one that they were let through to before.
func (c *crossing) unlock(front http.Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if front != nil {
		c.front = front
	}
	if !c.open {
		c.open = true
		close(c.opened)
	}
}
