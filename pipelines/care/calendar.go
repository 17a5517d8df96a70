package care

import (
	"cmp"
	"slices"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// Calendar says when a company answers. The zero Calendar is closed for ever; nil is always open. It is read-only once made.
type Calendar struct {
	Name    string
	Version string // name@hash of what it was made from
	shifts  []shift
}

// shift is the hours of one place. A calendar of several is open when any is: follow the sun.
type shift struct {
	zone       *time.Location
	week       [7][]period // by time.Weekday
	exceptions map[date][]period
	holiday    func(at time.Time) bool // of a local date; nil is never
}

// period is a part of a local day, in minutes from midnight as the clock on the wall shows them: [from, to).
type period struct{ from, to int }

type date struct {
	year  int
	month time.Month
	day   int
}

func dateOf(t time.Time) date { return date{t.Year(), t.Month(), t.Day()} }

// interval is a stretch of open time: [from, to).
type interval struct{ from, to schema.Instant }

const (
	second schema.Instant = 1_000_000
	day                   = 86_400 * second
)

// horizon bounds how far a deadline is looked for. A calendar that is never open within it gives none.
const horizon = 3 * 366

// Add gives the instant at which span of open time has passed since at: the deadline. What starts while it is closed starts at the next
// opening; a span that ends with a period ends there, not at the next opening. ok is false if the calendar is not open for that long
// within three years.
func (c *Calendar) Add(at schema.Instant, span Span) (due schema.Instant, ok bool) {
	if c == nil {
		return at + schema.Instant(span), true
	}
	left := schema.Instant(span)
	for d := floorDay(at); d < at+horizon*day; d += day {
		for _, i := range c.open(d) {
			from := max(i.from, at)
			if from >= i.to {
				continue
			}
			if from+left <= i.to {
				return from + left, true
			}
			left -= i.to - from
		}
	}
	return 0, false
}

// Open is the open time of [from, to).
func (c *Calendar) Open(from, to schema.Instant) (open Span) {
	if c == nil {
		return Span(max(0, to-from))
	}
	for d := floorDay(from); d < to; d += day {
		for _, i := range c.open(d) {
			if a, b := max(i.from, from), min(i.to, to); a < b {
				open += Span(b - a)
			}
		}
	}
	return open
}

// Is says whether the calendar is open at an instant.
func (c *Calendar) Is(at schema.Instant) bool { return c.Open(at, at+1) == 1 }

func floorDay(at schema.Instant) schema.Instant {
	d := at / day * day
	if d > at {
		d -= day
	}
	return d
}

// open gives the open intervals within a UTC day, ascending, none touching another.
func (c *Calendar) open(utcDay schema.Instant) []interval {
	var all []interval
	for i := range c.shifts {
		s := &c.shifts[i]
		noon := (utcDay + day/2).Time()
		for _, offset := range [...]int{-1, 0, 1} { // local dates that may reach into the UTC day
			local := time.Date(noon.Year(), noon.Month(), noon.Day()+offset, 12, 0, 0, 0, time.UTC)
			for _, p := range s.periods(local) {
				from, to := s.instant(local, p.from, false), s.instant(local, p.to, true)
				if from, to := max(from, utcDay), min(to, utcDay+day); from < to {
					all = append(all, interval{from, to})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b interval) int { return cmp.Compare(a.from, b.from) })
	merged := all[:0]
	for _, i := range all {
		if n := len(merged); n > 0 && i.from <= merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, i.to)
			continue
		}
		merged = append(merged, i)
	}
	return merged
}

// periods are the open periods of a local date, given as a time on it in UTC. An exception counts before a holiday, a holiday before the week.
func (s *shift) periods(local time.Time) []period {
	if p, is := s.exceptions[dateOf(local)]; is {
		return p
	}
	if s.holiday != nil && s.holiday(time.Date(local.Year(), local.Month(), local.Day(), 12, 0, 0, 0, s.zone)) {
		return nil
	}
	return s.week[local.Weekday()]
}

// instant finds when the clock on the wall shows a minute of a date. Where the clock is set forward past it, that is the moment of the
// change; where it shows it twice, a start is the first time and an end the second.
func (s *shift) instant(local time.Time, minute int, end bool) schema.Instant {
	wall := time.Date(local.Year(), local.Month(), local.Day(), 0, minute, 0, 0, time.UTC)
	offset := func(at time.Time) time.Duration {
		_, seconds := at.In(s.zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	before, after := offset(wall.Add(-24*time.Hour)), offset(wall.Add(24*time.Hour))
	first, second := wall.Add(-before), wall.Add(-after)
	shows := func(at time.Time) bool { return offset(at) == wall.Sub(at) }
	switch {
	case shows(first) && shows(second):
		if first.After(second) {
			first, second = second, first
		}
		if end {
			first = second
		}
		return schema.InstantOf(first)
	case shows(first):
		return schema.InstantOf(first)
	case shows(second):
		return schema.InstantOf(second)
	}
	change, _ := first.In(s.zone).ZoneBounds()
	return schema.InstantOf(change)
}
