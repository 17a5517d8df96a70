// Package retry repeats what fails for a time: the one way in which the roles wait for what they depend on.
package retry

import (
	"context"
	"log/slog"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// Policy says how a role waits.
type Policy struct {
	Role    string        // the first word of what is logged
	BackOff time.Duration // before the second attempt; it doubles up to 64 times
	Logger  *slog.Logger
	Failed  func()           // is called for each attempt that is logged; nil does nothing
	Waits   func(error) bool // says of an error that it ends by itself and is not worth a line; nil says so of none
}

// Do runs f until it succeeds, fails for another reason than a transient one, or ctx ends, and returns its last error or that of ctx.
// what completes the sentence "cannot … now" in the log.
func (p Policy) Do(ctx context.Context, what string, f func() error) error {
	for attempt := 0; ; attempt++ {
		err := f()
		waits := err != nil && p.Waits != nil && p.Waits(err)
		if err == nil || !waits && schema.ClassOf(err) != schema.Transient || ctx.Err() != nil {
			return err
		}
		pause := p.BackOff << min(attempt, 6)
		if !waits {
			if p.Failed != nil {
				p.Failed()
			}
			p.Logger.Warn(p.Role+": cannot "+what+" now", "error", err, "attempt", attempt+1, "retry_in", pause)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
