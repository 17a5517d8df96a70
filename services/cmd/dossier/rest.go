package main

import (
	"context"
	"runtime/debug"
	"time"
)

// restAfter is how long nothing must come until memory is given back to the system.
const restAfter = 20 * time.Second

// rest gives back what a burst of load left in the heap, once after each.
func (i *installation) rest(ctx context.Context) error {
	tick := time.NewTicker(restAfter)
	defer tick.Stop()
	var before uint64
	rested := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		accepted := i.events.Stats().Records
		if accepted != before {
			before, rested = accepted, false
			continue
		}
		if !rested {
			debug.FreeOSMemory()
			rested = true
		}
	}
}
