package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/machine"
	"github.com/dossier-cdp/dossier/services/internal/pages"
)

// restAfter is how long nothing must come until memory is given back to the system. A look is taken twice as often.
const restAfter = 10 * time.Second

// manyQuestions to GraphQL between two looks are no rest: ten a second.
const manyQuestions = 50

// grownAgain is how much more than the last give-back left behind, in bytes, is given back before its time: merges and compactions of a
// large load go on for minutes, and what they took stays with whoever allocated it.
const grownAgain = 128 << 20

// looks counts those in which nothing had come.
type looks struct {
	quiet int   // since something came
	given int   // since memory was given back
	left  int64 // bytes resident since then; 0 for not known
}

// due says at which looks memory is given back: after 10, 40 and 100 seconds, since what a load left to compact and to merge takes memory,
// too, then as soon as it has grown for that reason, and every 10 minutes. It costs up to half a second of CPU.
func (l looks) due(resident int64) bool {
	const second, minute = 5, 12 // a look every 5 seconds
	if l.quiet == 10/second || l.quiet == 40/second || l.quiet == 100/second || l.quiet > 100/second && l.quiet%(10*minute) == 0 {
		return true
	}
	return l.left > 0 && l.given >= 20/second && resident > l.left+grownAgain
}

// resident is the memory that this process and the embedded engine take, in bytes; 0 where it cannot be known.
func (i *installation) resident() int64 {
	own := machine.Resident(os.Getpid())
	if own == 0 || i.engine == nil {
		return own
	}
	return own + machine.Resident(i.engine.PID())
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
	if p := i.projections(); p != nil && p != i {
		for _, letGo := range p.atRest {
			letGo()
		}
	}
	runtime.GC() // the first of two: a pool outlives one
	debug.FreeOSMemory()
	pages.Trim()
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
	var nothing looks
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
			before, nothing = moved, looks{}
			continue
		}
		nothing.quiet++
		nothing.given++
		if nothing.due(i.resident()) {
			i.giveBack(ctx)
			nothing.given, nothing.left = 0, i.resident()
		}
	}
}
