package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/pages"
)

// restAfter is how long nothing must come until memory is given back to the system. A look is taken twice as often.
const (
	restAfter = 10 * time.Second
	perMinute = int(time.Minute / (restAfter / 2))
)

// giveBack empties what is kept only because it may be asked for again soon, and returns what is free to the system, here and in the
// embedded engine, whose allocator keeps what a burst took for a long time.
func (i *installation) giveBack(ctx context.Context) {
	i.feed.Forget()
	if i.ring != nil {
		i.ring.Forget()
	}
	for _, letGo := range i.atRest {
		letGo()
	}
	runtime.GC() // the first of two: a pool outlives one
	debug.FreeOSMemory()
	if _, err := pages.Drop(); err != nil {
		i.logger.Debug("pages of the program stay in memory", "error", err)
	}
	if i.engine == nil {
		return
	}
	if err := i.engine.Rest(ctx); err != nil {
		i.logger.Debug("the engine gives no memory back", "error", err)
	}
}

// rest gives back what a burst of load left in the heap.
func (i *installation) rest(ctx context.Context) error {
	tick := time.NewTicker(restAfter / 2)
	defer tick.Stop()
	var before uint64
	quiet := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		moved := i.feed.Stats().Opened
		if i.events != nil {
			moved += i.events.Stats().Records
		}
		if moved != before {
			before, quiet = moved, 0
			continue
		}
		// When the load has ended, and every minute from then on: what it left to compact and to merge takes memory, too.
		if quiet++; quiet%perMinute == 2 {
			i.giveBack(ctx)
		}
	}
}
