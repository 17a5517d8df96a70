package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/pages"
)

// restAfter is how long nothing must come until memory is given back to the system. A look is taken twice as often.
const restAfter = 10 * time.Second

// manyQuestions to GraphQL between two looks are no rest: ten a second.
const manyQuestions = 50

// due says at which looks in which nothing had come memory is given back: after 10, 40 and 100 seconds, since what a load left to compact
// and to merge takes memory, too, and every 10 minutes from then on. It costs up to half a second of CPU.
func due(quiet int) bool {
	const second, minute = 5, 12 // a look every 5 seconds
	return quiet == 10/second || quiet == 40/second || quiet == 100/second || quiet > 100/second && quiet%(10*minute) == 0
}

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
	var asked int64
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
		// Who is asked often is not at rest either: to give back takes a part of a second, and what was dropped is read again.
		questions := i.asked.Load() - asked
		asked += questions
		if moved != before || questions > manyQuestions {
			before, quiet = moved, 0
			continue
		}
		quiet++
		if due(quiet) {
			i.giveBack(ctx)
		}
	}
}
