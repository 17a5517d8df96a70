package schema

import (
	"fmt"
	"time"
)

// Instant is a point in time in microseconds since 1970-01-01T00:00:00Z. Every clock of an event has this precision; what is
// finer is cut, never rounded, so that copies of an event agree.
type Instant int64

// InstantOf cuts t to microseconds, towards the past.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMicro()) }

// Time gives the instant as a time in UTC.
func (i Instant) Time() time.Time { return time.UnixMicro(int64(i)).UTC() }

// Year is the calendar year in UTC, which chooses the secret that an event is sealed under.
func (i Instant) Year() int { return i.Time().Year() }

// String writes RFC 3339 in UTC with as many fraction digits as are needed, at most six.
func (i Instant) String() string { return i.Time().Format(time.RFC3339Nano) }

// ParseInstant reads RFC 3339 and cuts to microseconds.
func ParseInstant(s string) (Instant, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, fmt.Errorf("want a time such as 2026-02-28T09:30:00Z: %w", err)
	}
	return InstantOf(t), nil
}
