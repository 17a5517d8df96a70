package segment

import (
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// calendar is the days of a zone. It remembers where days begin: asking the zone again for every event is what evaluating would cost most.
type calendar struct {
	zone   *time.Location
	starts map[int]schema.Instant // by day since 1970
	now    schema.Instant
	since  map[Window]schema.Instant // where windows that end at now begin
	days   map[int][]string          // anniversaries
}

func newCalendar(zone *time.Location) *calendar {
	return &calendar{zone: zone, starts: map[int]schema.Instant{}, since: map[Window]schema.Instant{}, days: map[int][]string{}}
}

// at moves now.
func (c *calendar) at(now schema.Instant) {
	if c.now != now {
		c.now = now
		clear(c.since)
		clear(c.days)
	}
}

// start is the first instant of a window that ends at now.
func (c *calendar) start(w Window) schema.Instant {
	if t, known := c.since[w]; known {
		return t
	}
	t := w.start(c.now, c.zone)
	c.since[w] = t
	return t
}

// leaves is Window.leaves, as seen from now.
func (c *calendar) leaves(w Window, t schema.Instant) schema.Instant {
	if w.Unit != 'd' {
		return w.leaves(t, c.now, c.zone)
	}
	d := c.day(t) + w.N
	if at := c.dayStart(d); at > c.now {
		return at
	}
	return c.dayStart(d + 1)
}

const secondsOfDay = 86_400

// day is the calendar day of an instant, counted from 1970.
func (c *calendar) day(t schema.Instant) int {
	at := t.Time().In(c.zone)
	_, offset := at.Zone()
	seconds := at.Unix() + int64(offset)
	day := seconds / secondsOfDay
	if seconds%secondsOfDay < 0 {
		day--
	}
	return int(day)
}

// maxDays bounds how many days are remembered.
const maxDays = 20_000

func (c *calendar) dayStart(day int) schema.Instant {
	if t, known := c.starts[day]; known {
		return t
	}
	y, m, d := time.Unix(int64(day)*secondsOfDay, 0).UTC().Date()
	t := dayStart(y, m, d, c.zone)
	if len(c.starts) >= maxDays {
		clear(c.starts)
	}
	c.starts[day] = t
	return t
}

// anniversaries are the days from today on, as MM-DD.
func (c *calendar) anniversaries(w Window) []string {
	if list, known := c.days[w.N]; known {
		return list
	}
	list := anniversaries(w, c.now, c.zone)
	c.days[w.N] = list
	return list
}
