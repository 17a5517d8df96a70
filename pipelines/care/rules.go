package care

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// Rules are what a fold depends on beside the contacts. They are read-only once made.
type Rules struct {
	Version string // hash of the section of the configuration, and of the earlier ones that still count
	Restate bool   // they hold for what began before them, too

	// Gaps end a conversation where the channel gives no thread, or one thread for ever: so long a silence, and the next contact begins
	// another one.
	Gaps map[schema.Channel]Span

	// ShortAbandon is the queue wait below which a call that was given up is no abandoned call (Amazon Connect).
	ShortAbandon Span

	// ChatIdle is the silence in a chat beyond which nobody works on it, until somebody writes again.
	ChatIdle Span

	Targets   []Target // the first that matches counts
	Calendars map[string]*Calendar

	// Earlier are the rules that were in force before, oldest first. What began under them keeps their targets and calendars.
	Earlier []Dated

	Weights Weights
	Limits  map[string]string // the most that a role may grant at once, decimal; the role "" is everybody else's

	Alert AlertSettings // when alerts are raised, and where they are sent

	Roles      map[string]string    // by actor, the role that it grants gestures in; the actor "" is everybody else
	Allowances map[string]Allowance // by role, what one actor may grant within a time; the role "" is everybody else's
}

// Allowance is what one actor may grant within a time up to now. It holds in each currency.
type Allowance struct {
	Amount string // decimal
	Within Span
}

// Target is how fast a company wants to answer. An empty condition holds for all.
type Target struct {
	Channel, Priority, Tier, Brand, Team string
	Calendar                             string // empty is around the clock
	FirstReply, NextReply, Resolution    Span   // NoSpan is no target
}

const (
	minute = Span(60_000_000)
	hour   = 60 * minute
)

// DefaultRules are those of a workspace that has configured none: an hour and a day on social networks (R1), a day elsewhere (R2's acceptable),
// around the clock, and none for reviews.
func DefaultRules() *Rules {
	return &Rules{
		Version: "default",
		Gaps: map[schema.Channel]Span{
			schema.ChannelPhone: hour, schema.ChannelCallback: 24 * hour, schema.ChannelEmail: 7 * 24 * hour, schema.ChannelWebForm: 7 * 24 * hour,
			schema.ChannelChat: 2 * hour, schema.ChannelVideo: hour, schema.ChannelApp: 24 * hour, schema.ChannelSMS: 3 * 24 * hour,
			schema.ChannelForum: 7 * 24 * hour, schema.ChannelSocial: 24 * hour, schema.ChannelMessaging: 3 * 24 * hour, schema.ChannelReview: 0,
			schema.ChannelStore: 4 * hour, schema.ChannelPost: 14 * 24 * hour,
		},
		ShortAbandon: Span(5 * time.Second / time.Microsecond),
		ChatIdle:     10 * minute,
		Targets: []Target{
			{Channel: "social", FirstReply: hour, NextReply: hour, Resolution: 24 * hour},
			{Channel: "review", FirstReply: NoSpan, NextReply: NoSpan, Resolution: NoSpan},
			{FirstReply: 24 * hour, NextReply: 24 * hour, Resolution: NoSpan},
		},
		Weights: DefaultWeights(),
		Alert:   DefaultAlerts(),
	}
}

// Dated are rules that were in force up to an instant, without any Earlier of their own.
type Dated struct {
	Until schema.Instant // exclusive
	Rules *Rules
}

// At are the rules whose targets and calendars measure what began at an instant: those that were in force then.
func (r *Rules) At(at schema.Instant) *Rules {
	for _, e := range r.Earlier {
		if at < e.Until {
			return e.Rules
		}
	}
	return r
}

// Enacted are rules with the instant from which they are in force.
type Enacted struct {
	From  schema.Instant
	Rules *Rules
}

// Succeeding gives the last of a workspace's rules, oldest first, with the earlier ones that still measure the past. The first that differ from the
// default ones hold for everything before them too: nobody had chosen others. Rules that restate hold for everything before them.
func Succeeding(history []Enacted) *Rules {
	var line []Enacted
	for _, next := range history {
		switch {
		case next.Rules.Restate || len(line) == 1 && line[0].Rules.Version == DefaultRules().Version:
			line = []Enacted{next}
		case len(line) == 0 || line[len(line)-1].Rules.Version != next.Rules.Version:
			line = append(line, next)
		}
	}
	if len(line) < 2 {
		if len(line) == 0 {
			return DefaultRules()
		}
		return line[0].Rules
	}
	last := *line[len(line)-1].Rules
	h := sha256.New()
	for i, e := range line[:len(line)-1] {
		until := line[i+1].From
		last.Earlier = append(last.Earlier, Dated{until, e.Rules})
		fmt.Fprintf(h, "%s %d\n", e.Rules.Version, until) // it never fails
	}
	fmt.Fprintln(h, last.Version)
	last.Version = hex.EncodeToString(h.Sum(nil)[:8])
	return &last
}

// gap is the silence that ends a conversation on a channel.
func (r *Rules) gap(c schema.Channel) Span {
	if g, is := r.Gaps[c]; is {
		return g
	}
	return 24 * hour
}

// clocks are the target that holds for a conversation or case, with its calendar.
type clocks struct {
	Target
	calendar *Calendar
}

func (r *Rules) clocks(channel, priority, tier, brand, team string) clocks {
	matches := func(want, is string) bool { return want == "" || want == is }
	for _, t := range r.Targets {
		if matches(t.Channel, channel) && matches(t.Priority, priority) && matches(t.Tier, tier) && matches(t.Brand, brand) && matches(t.Team, team) {
			return clocks{t, r.Calendars[t.Calendar]}
		}
	}
	return clocks{Target: Target{FirstReply: NoSpan, NextReply: NoSpan, Resolution: NoSpan}}
}

// due is a deadline; 0 if there is none.
func (c clocks) due(from schema.Instant, span Span) schema.Instant {
	if span == NoSpan || from == 0 {
		return 0
	}
	at, ok := c.calendar.Add(from, span)
	if !ok {
		return 0
	}
	return at
}

// Open is the open time from one instant to another in a calendar of a version; ok is false if it is none of these rules'.
func (r *Rules) Open(version string, from, to schema.Instant) (open Span, ok bool) {
	if version == (clocks{}).version() {
		return (*Calendar)(nil).Open(from, to), true
	}
	for _, c := range r.Calendars {
		if c.Version == version {
			return c.Open(from, to), true
		}
	}
	return NoSpan, false
}

// version names the calendar.
func (c clocks) version() string {
	if c.calendar == nil {
		return "always"
	}
	return c.calendar.Version
}
