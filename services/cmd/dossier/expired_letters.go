package main

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
)

// Dead letters in which no identifier was found are given up 30 days after their receipt: the keeper punches their leaves, so that nobody opens
// them again. Each costs the ring some 2.4 kB for ever, and somebody who sends a million bodies without a name must not make it gigabytes: so
// many are given up in one round. The others wait for the next ones; nothing shows them meanwhile.
const (
	expireEvery   = 24 * time.Hour
	expireFirst   = time.Minute // after the keeper has begun
	expireAtOnce  = 1000
	expireRetries = time.Hour
)

// expiredLetters gives the ids of letters that have outlived their time and can still be opened, at most limit of them, and says whether there
// are more.
func expiredLetters(ctx context.Context, read deadletter.Reader, keys deadletter.Keys, now schema.Instant, limit int) (ids [][16]byte, more bool, err error) {
	var failed error
	_, err = deadletter.List(ctx, read, deadletter.Filter{Workspace: mainWorkspace}, func(c *deadletter.Clear, _ deadletter.Record) bool {
		end, ends := c.ExpiresAt()
		id, malformed := hex.DecodeString(c.ID)
		if !ends || now < end || malformed != nil || len(id) != 16 {
			return true
		}
		_, opens := keys.LetterKey([16]byte(id))
		switch {
		case errors.Is(opens, seal.ErrPunched):
			return true
		case opens != nil:
			failed = opens
			return false
		case len(ids) == limit:
			more = true
			return false
		}
		ids = append(ids, [16]byte(id))
		return true
	})
	return ids, more, errors.Join(err, failed)
}

// findExpired sends the letters of each round until ctx ends.
func (i *installation) findExpired(ctx context.Context, found chan<- [][16]byte) {
	for pause := expireFirst; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = expireEvery
		ids, more, err := expiredLetters(ctx, letterReader{i}.read, i.ring, schema.InstantOf(time.Now()), expireAtOnce)
		if err != nil {
			if ctx.Err() == nil {
				i.logger.Warn("the expired dead letters cannot be found, and are looked for again", "error", err)
			}
			pause = expireRetries
			continue
		}
		if more {
			i.logger.Warn("more dead letters have expired than are given up at once: the others wait", "at_once", expireAtOnce)
		}
		if len(ids) > 0 {
			select {
			case found <- ids:
			case <-ctx.Done():
				return
			}
		}
	}
}
