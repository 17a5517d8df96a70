package channel

import (
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// The span of years that an event may have occurred in.
const (
	firstYear = 1900
	lastYear  = 2262
)

// layouts are the forms of a stated time beside RFC 3339. Each names its zone: a time without one is another moment for every
// reader.
var layouts = []string{
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04Z0700",
}

// ParseTime reads a stated time: RFC 3339, with a blank for the T and without the zone's colon or the seconds too. It cuts to
// microseconds.
func ParseTime(field, s string) (schema.Instant, *schema.Refusal) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		loose := strings.Replace(s, " ", "T", 1)
		t, err = time.Parse(time.RFC3339Nano, loose)
		for i := 0; err != nil && i < len(layouts); i++ {
			t, err = time.Parse(layouts[i], loose)
		}
	}
	if err != nil {
		return 0, schema.Refuse(CodeTimeInvalid, field+" is not a time with a zone", "send RFC 3339, such as 2026-02-28T09:30:00.123Z")
	}
	if y := t.UTC().Year(); y < firstYear || y > lastYear {
		return 0, schema.Refuse(CodeTimeInvalid, field+" lies outside the years 1900 to 2262", "send the time at which it happened")
	}
	return schema.InstantOf(t), nil
}

// State sets the event's clocks from the time that the payload states, empty if none.
func (m *Mapped) State(s *Sender, field, stated string, sentAt schema.Instant) *schema.Refusal {
	e := &m.Event
	e.ReceivedAt = s.ReceivedAt
	if sentAt != 0 {
		e.Skew = int64(s.ReceivedAt - sentAt)
	}
	if stated == "" {
		e.OccurredAt = s.ReceivedAt
		e.Provenance.ReceiptTimed = true
		return nil
	}
	at, refusal := ParseTime(field, stated)
	if refusal != nil {
		return refusal
	}
	if at > s.ReceivedAt+Future {
		return schema.Refuse(CodeTimeInFuture, field+" is more than 24 hours ahead of our clock", "correct the sender's clock, or send the time at which it happened")
	}
	e.OccurredAt = at
	e.Provenance.TimeStatement = stated
	return nil
}
