package main

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// The keeper gives up the keys of dead letters that name somebody who was erased, and of those in which nobody is named 30 days after the day of
// their receipt. The latter share a leaf of the ring with their day, so they cost it nothing that grows. Letters of either kind with a leaf of their
// own cost some 2.4 kB each for ever; those written before there were shared ones are given up so many a day: nothing shows the others meanwhile.
// Of letters that name the erased none waits.
const (
	lettersEvery  = 24 * time.Hour
	lettersFirst  = time.Minute // after the keeper has begun; and after an erasure once more, for what was on its way to the log
	expireAtOnce  = 1000
	eraseAtOnce   = 10_000 // one write of the ring each
	lettersFailed = time.Minute
)

// closedLetters are those whose keys are to be given up.
type closedLetters struct {
	erased, expired [][16]byte // with a leaf of their own
	days            []seal.Day // from the first to the last with letters that have expired and open; nil: none
	more            bool       // there are more than were asked for
	through         int        // decisions to erase of which no letter is left but these
}

func (c *closedLetters) empty() bool {
	return len(c.erased) == 0 && len(c.expired) == 0 && c.days == nil
}

// findClosed finds letters that must not be opened any more and still can be, of each kind at most so many.
func findClosed(ctx context.Context, read deadletter.Reader, keys deadletter.Keys, erasures []control.Traces, ended func(*deadletter.Clear) bool, now schema.Instant, erase, expire int) (*closedLetters, error) {
	found, failed := &closedLetters{}, error(nil)
	latest := map[string]schema.Instant{} // when somebody with this trace was erased last
	for _, e := range erasures {
		for _, hash := range e.Hashes {
			if at, known := latest[hash]; !known || at < e.At {
				latest[hash] = e.At
			}
		}
	}
	lastDay, dated := deadletter.LastDay(now)
	_, err := deadletter.List(ctx, read, deadletter.Filter{Workspace: mainWorkspace}, func(c *deadletter.Clear, _ deadletter.Record) bool {
		end, ends := c.ExpiresAt()
		day, shares := c.Day()
		isErased, isExpired := namesErased(c, latest), ends && now >= end
		if !ends && !isErased && ended(c) {
			isErased = true // retention is a decision, too: none of what it ends waits
		}
		id, malformed := hex.DecodeString(c.ID)
		if !isErased && !isExpired || malformed != nil || len(id) != 16 || shares && (!dated || day > lastDay) {
			return true
		}
		_, opens := c.Key(keys)
		switch {
		case errors.Is(opens, seal.ErrPunched):
			return true
		case opens != nil:
			failed = opens
			return false
		case shares && found.days == nil:
			found.days = []seal.Day{day, lastDay}
		case shares:
			found.days[0] = min(found.days[0], day)
		case isErased && len(found.erased) < erase:
			found.erased = append(found.erased, [16]byte(id))
		case !isErased && len(found.expired) < expire:
			found.expired = append(found.expired, [16]byte(id))
		default:
			found.more = true
		}
		return true
	})
	return found, errors.Join(err, failed)
}

// namesErased says whether a letter holds a trace of somebody who was erased after it was received.
func namesErased(c *deadletter.Clear, latest map[string]schema.Instant) bool {
	if len(latest) == 0 {
		return false
	}
	received, err := schema.ParseInstant(c.ReceivedAt)
	for _, hash := range c.Hashes {
		if at, known := latest[hash]; known && (err != nil || received <= at) {
			return true
		}
	}
	return false
}

// findLetters sends the letters of each round until ctx ends. A round begins with each erasure, a minute after it, and every day.
func (i *installation) findLetters(ctx context.Context, found chan<- *closedLetters) {
	honoured, next := 0, time.Now().Add(lettersFirst)
	for {
		changed := i.control.Changed()
		state := i.control.State()
		erasures := state.Traces(mainWorkspace)
		decided := len(state.Erased(mainWorkspace))
		if decided == honoured && time.Now().Before(next) {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			case <-time.After(time.Until(next)):
			}
			continue
		}
		closed, err := findClosed(ctx, letterReader{i}.read, i.ring, erasures, i.lettersEnded(), schema.InstantOf(time.Now()), eraseAtOnce, expireAtOnce)
		if err == nil && len(closed.erased) < eraseAtOnce {
			closed.through = decided
		}
		if err == nil && (!closed.empty() || decided > honoured) {
			select {
			case found <- closed:
			case <-ctx.Done():
				return
			}
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			i.logger.Warn("the dead letters to be given up cannot be found, and are looked for again", "error", err, "retry_in", lettersFailed)
			select {
			case <-ctx.Done():
				return
			case <-time.After(lettersFailed):
			}
			continue
		case len(closed.erased) == eraseAtOnce:
			continue // none of them waits
		case closed.more:
			i.logger.Warn("more dead letters have expired than are given up at once: the others wait", "at_once", expireAtOnce)
		}
		if next = time.Now().Add(lettersEvery); decided > honoured {
			next = time.Now().Add(lettersFirst)
		}
		honoured = decided
	}
}

// giveUpLetters has the keeper give up what was found.
func (i *installation) giveUpLetters(c *closedLetters) error {
	if c.empty() {
		return nil
	}
	if letters := append(c.erased, c.expired...); len(letters) > 0 {
		if err := i.keeper.PunchLetters(mainWorkspace, letters); err != nil {
			return err
		}
	}
	if c.days != nil {
		if err := i.keeper.PunchDays(mainWorkspace, c.days[0], c.days[1]); err != nil {
			return err
		}
	}
	i.logger.Info("dead letters of erased people, and such as name nobody and have expired, are given up",
		"erased", len(c.erased), "expired", len(c.expired), "days", c.days)
	return nil
}
