package care

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rickar/cal/v2"
	austria "github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/us"

	"github.com/dossier-cdp/dossier/schema"
)

// Settings are the section care of a configuration. What is absent is as in DefaultRules.
type Settings struct {
	Calendars    map[string]CalendarSettings `json:"calendars,omitempty"`
	Targets      []TargetSettings            `json:"targets,omitempty"` // the first that matches counts; the default ones follow
	Gaps         map[string]string           `json:"gaps,omitempty"`    // by channel, such as "72h"
	ShortAbandon string                      `json:"shortAbandon,omitempty"`
	ChatIdle     string                      `json:"chatIdle,omitempty"`
	Weights      *WeightSettings             `json:"weights,omitempty"`
	Restate      bool                        `json:"restate,omitempty"` // measure what began before by these targets and calendars, too
	Limits       map[string]json.Number      `json:"limits,omitempty"`  // by role, the most that it may grant at once; "" is everybody else

	Alerts *AlertsSettings `json:"alerts,omitempty"`

	Roles      map[string]string            `json:"roles,omitempty"`      // by actor (of its token), the role; "" is everybody else
	Allowances map[string]AllowanceSettings `json:"allowances,omitempty"` // by role, what one actor may grant within a time
}

// AlertsSettings are when alerts are raised. A duration of 0s is never, an absent one as in DefaultAlerts.
type AlertsSettings struct {
	Near      string                     `json:"near,omitempty"`
	Complaint string                     `json:"complaint,omitempty"`
	Fresh     string                     `json:"fresh,omitempty"`
	Spike     *SpikeRule                 `json:"spike,omitempty"`
	Webhooks  map[string]WebhookSettings `json:"webhooks,omitempty"` // by name
}

// SpikeRule is when more customers than usual speak up on a channel.
type SpikeRule struct {
	Bucket  string  `json:"bucket,omitempty"`
	Days    int     `json:"days,omitempty"`
	Z       float64 `json:"z,omitempty"`
	Minimum uint32  `json:"minimum,omitempty"`
}

// WebhookSettings are where alerts are sent.
type WebhookSettings struct {
	URL     string   `json:"url"`
	Secrets []string `json:"secrets"`         // secret:NAME
	Rules   []string `json:"rules,omitempty"` // absent is all
	Private bool     `json:"private,omitempty"`
}

func (s *AlertsSettings) alerts() (out AlertSettings, err error) {
	out = DefaultAlerts()
	if s == nil {
		return out, nil
	}
	read := func(name, text string, into *Span) {
		if text != "" && err == nil {
			*into, err = duration("alerts, "+name, text)
		}
	}
	read("near", s.Near, &out.Near)
	read("complaint", s.Complaint, &out.Complaint)
	read("fresh", s.Fresh, &out.Fresh)
	if p := s.Spike; p != nil {
		read("spike, bucket", p.Bucket, &out.Spike.Bucket)
		out.Spike.Z, out.Spike.Minimum, out.Spike.Days = cmp.Or(p.Z, out.Spike.Z), cmp.Or(p.Minimum, out.Spike.Minimum), cmp.Or(p.Days, out.Spike.Days)
		b := out.Spike.Bucket
		if err == nil && (b > 0 && (b < minute || b > hour || 24*hour%b != 0) || out.Spike.Days < leastDays || out.Spike.Days > 92 || out.Spike.Z <= 0) {
			return out, fmt.Errorf("alerts, spike: bucket is 0s, or from 1m to 1h and a part of a day; days are %d to 92; z is above 0", leastDays)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Webhooks)) {
		w := s.Webhooks[name]
		where := "alerts, webhook " + name
		u, bad := url.Parse(w.URL)
		switch {
		case bad != nil || u.Host == "" || u.User != nil:
			return out, fmt.Errorf("%s: its url is none; write one such as https://example.com/hooks, without a user", where)
		case u.Scheme != "https" && !(u.Scheme == "http" && w.Private):
			return out, fmt.Errorf("%s: its url is not https; write https, or private: true for one within your own network", where)
		case len(w.Secrets) == 0:
			return out, fmt.Errorf("%s: it has no secrets; write secrets: [\"secret:NAME\"]", where)
		}
		for _, reference := range w.Secrets {
			if name, is := strings.CutPrefix(reference, "secret:"); !is || name == "" {
				return out, fmt.Errorf("%s: a secret is written as secret:NAME, and its value put into the environment or the folder of keys", where)
			}
		}
		for _, rule := range w.Rules {
			if !slices.Contains(AlertRules(), rule) {
				return out, fmt.Errorf("%s: there is no rule %q; there are %s", where, rule, strings.Join(AlertRules(), ", "))
			}
		}
		out.Webhooks = append(out.Webhooks, AlertWebhook{Name: name, URL: w.URL, Secrets: w.Secrets, Rules: w.Rules, Private: w.Private})
	}
	return out, err
}

// AllowanceSettings are an allowance.
type AllowanceSettings struct {
	Amount json.Number `json:"amount"`
	Within string      `json:"within"` // such as 30d
}

// CalendarSettings are the hours of one place, or the union of other calendars: open when any of them is.
type CalendarSettings struct {
	Zone       string              `json:"zone,omitempty"`       // IANA
	Week       map[string][]string `json:"week,omitempty"`       // mon, tue, … → "09:00-12:30", …
	Exceptions map[string][]string `json:"exceptions,omitempty"` // 2026-12-24 → periods; none is closed
	Holidays   string              `json:"holidays,omitempty"`   // country, ISO 3166 alpha-2
	Union      []string            `json:"union,omitempty"`
}

// TargetSettings are a target; an empty condition holds for all, an absent duration is no target.
type TargetSettings struct {
	Channel    string `json:"channel,omitempty"`
	Priority   string `json:"priority,omitempty"`
	Tier       string `json:"tier,omitempty"`
	Brand      string `json:"brand,omitempty"`
	Team       string `json:"team,omitempty"`
	Calendar   string `json:"calendar,omitempty"`
	FirstReply string `json:"firstReply,omitempty"`
	NextReply  string `json:"nextReply,omitempty"`
	Resolution string `json:"resolution,omitempty"`
}

// WeightSettings are the weights of B7.
type WeightSettings struct {
	Criticality float64 `json:"criticality"`
	Wait        float64 `json:"wait"`
	Value       float64 `json:"value"`
	Influence   float64 `json:"influence"`
	TopLane     float64 `json:"topLane,omitempty"`
}

var weekdays = map[string]time.Weekday{"mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday, "thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday, "sun": time.Sunday}

// holidays are the public holidays that hold in a whole country.
var holidays = map[string][]*cal.Holiday{
	"AT": austria.Holidays, "BE": be.Holidays, "CA": ca.Holidays, "CH": ch.Holidays, "DE": de.Holidays, "ES": es.Holidays, "FR": fr.Holidays, "GB": gb.Holidays, "IE": ie.Holidays,
	"IT": it.Holidays, "NL": nl.Holidays, "US": us.Holidays,
}

// Rules makes settings ready. An error says in one sentence what to correct. zones finds a time zone by its IANA name.
func (s Settings) Rules(zones func(name string) (*time.Location, error)) (*Rules, error) {
	r := DefaultRules()
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	if string(text) == "{}" {
		return r, nil
	}
	sum := sha256.Sum256(text)
	r.Version, r.Restate = hex.EncodeToString(sum[:8]), s.Restate
	r.Calendars = map[string]*Calendar{}
	for _, name := range slices.Sorted(maps.Keys(s.Calendars)) {
		if r.Calendars[name], err = s.calendar(name, zones, 0); err != nil {
			return nil, err
		}
	}
	for name, gap := range s.Gaps {
		c, known := schema.ParseChannel(name)
		if !known {
			return nil, fmt.Errorf("gaps: there is no channel %q", name)
		}
		if r.Gaps[c], err = duration("gaps, "+name, gap); err != nil {
			return nil, err
		}
	}
	if s.ShortAbandon != "" {
		if r.ShortAbandon, err = duration("shortAbandon", s.ShortAbandon); err != nil {
			return nil, err
		}
	}
	if s.ChatIdle != "" {
		if r.ChatIdle, err = duration("chatIdle", s.ChatIdle); err != nil {
			return nil, err
		}
	}
	var targets []Target
	for i, t := range s.Targets {
		target, err := t.target(fmt.Sprintf("target %d", i+1), r.Calendars)
		if err != nil {
			return nil, err
		}
		targets = append(targets, target)
	}
	r.Targets = append(targets, r.Targets...)
	if w := s.Weights; w != nil {
		r.Weights = Weights{w.Criticality, w.Wait, w.Value, w.Influence, cmp.Or(w.TopLane, r.Weights.TopLane), r.Version}
		if err := r.Weights.Check(); err != nil {
			return nil, err
		}
	}
	for role, limit := range s.Limits {
		if v, ok := decimal(limit.String()); !ok || v.Sign() < 0 {
			return nil, fmt.Errorf("limits, %s: %s is not an amount", role, limit)
		}
		if r.Limits == nil {
			r.Limits = map[string]string{}
		}
		r.Limits[role] = limit.String()
	}
	if r.Alert, err = s.Alerts.alerts(); err != nil {
		return nil, err
	}
	r.Roles = maps.Clone(s.Roles)
	for role, a := range s.Allowances {
		if v, ok := decimal(a.Amount.String()); !ok || v.Sign() < 0 {
			return nil, fmt.Errorf("allowances, %s: %q is not an amount", role, a.Amount)
		}
		within, err := duration("allowances, "+role+", within", a.Within)
		if err != nil {
			return nil, err
		}
		if within == 0 {
			return nil, fmt.Errorf("allowances, %s: write within, such as 30d", role)
		}
		if r.Allowances == nil {
			r.Allowances = map[string]Allowance{}
		}
		r.Allowances[role] = Allowance{a.Amount.String(), within}
	}
	return r, nil
}

func (t TargetSettings) target(where string, calendars map[string]*Calendar) (out Target, err error) {
	out = Target{Channel: t.Channel, Priority: t.Priority, Tier: t.Tier, Brand: t.Brand, Team: t.Team, Calendar: t.Calendar}
	if t.Channel != "" {
		if _, known := schema.ParseChannel(t.Channel); !known {
			return out, fmt.Errorf("%s: there is no channel %q", where, t.Channel)
		}
	}
	if t.Calendar != "" && calendars[t.Calendar] == nil {
		return out, fmt.Errorf("%s: there is no calendar %q", where, t.Calendar)
	}
	for _, d := range []struct {
		name, text string
		into       *Span
	}{{"firstReply", t.FirstReply, &out.FirstReply}, {"nextReply", t.NextReply, &out.NextReply}, {"resolution", t.Resolution, &out.Resolution}} {
		if *d.into = NoSpan; d.text == "" {
			continue
		}
		if *d.into, err = duration(where+", "+d.name, d.text); err != nil {
			return out, err
		}
	}
	return out, nil
}

// duration reads 90s, 60m, 4h or 2d; a day has 24 hours, which in a calendar are 24 open hours.
func duration(where, text string) (Span, error) {
	if days, is := strings.CutSuffix(text, "d"); is {
		hours, err := time.ParseDuration(days + "h")
		if err == nil && hours >= 0 && hours < 366*time.Hour {
			return Span(24 * hours / time.Microsecond), nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > 366*24*time.Hour {
		return 0, fmt.Errorf("%s: %q is no duration; write 90s, 60m, 4h or 2d", where, text)
	}
	return Span(d / time.Microsecond), nil
}

func (s Settings) calendar(name string, zones func(name string) (*time.Location, error), depth int) (*Calendar, error) {
	c, known := s.Calendars[name]
	where := "calendar " + name
	switch {
	case !known:
		return nil, fmt.Errorf("there is no calendar %q", name)
	case depth > 8:
		return nil, fmt.Errorf("%s: its union goes round", where)
	case len(c.Union) > 0 && (c.Zone != "" || c.Week != nil || c.Exceptions != nil || c.Holidays != ""):
		return nil, fmt.Errorf("%s: it is either a union or has hours of its own", where)
	}
	out := &Calendar{Name: name}
	h := sha256.New()
	if len(c.Union) > 0 {
		for _, part := range c.Union {
			of, err := s.calendar(part, zones, depth+1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", where, err)
			}
			out.shifts = append(out.shifts, of.shifts...)
			h.Write([]byte(of.Version)) // it never fails
		}
		out.Version = name + "@" + hex.EncodeToString(h.Sum(nil)[:4])
		return out, nil
	}
	if c.Zone == "" {
		return nil, fmt.Errorf("%s: it has no zone; write one such as Europe/Paris", where)
	}
	zone, err := zones(c.Zone)
	if err != nil {
		return nil, fmt.Errorf("%s: there is no time zone %q; write one such as Europe/Paris", where, c.Zone)
	}
	hours := shift{zone: zone, exceptions: map[date][]period{}}
	open := false
	for name, texts := range c.Week {
		weekday, known := weekdays[name]
		if !known {
			return nil, fmt.Errorf("%s: %q is no day; write mon, tue, wed, thu, fri, sat or sun", where, name)
		}
		if hours.week[weekday], err = periods(where+", "+name, texts); err != nil {
			return nil, err
		}
		open = open || len(texts) > 0
	}
	if !open {
		return nil, fmt.Errorf("%s: it is never open; give it a week", where)
	}
	for text, texts := range c.Exceptions {
		on, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no date; write one such as 2026-12-24", where, text)
		}
		if hours.exceptions[dateOf(on)], err = periods(where+", "+text, texts); err != nil {
			return nil, err
		}
	}
	if c.Holidays != "" {
		list, known := holidays[strings.ToUpper(c.Holidays)]
		if !known {
			return nil, fmt.Errorf("%s: the holidays of %q are not known; there are %s. Name others as exceptions", where, c.Holidays, strings.Join(slices.Sorted(maps.Keys(holidays)), ", "))
		}
		public := cal.NewBusinessCalendar()
		public.Cacheable = false // it is read by several at once
		public.AddHoliday(list...)
		hours.holiday = func(at time.Time) bool {
			actual, observed, _ := public.IsHoliday(at)
			return actual || observed
		}
	}
	out.shifts = append(out.shifts, hours)
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	h.Write(text)
	out.Version = name + "@" + hex.EncodeToString(h.Sum(nil)[:4])
	return out, nil
}

// periods reads "09:00-12:30"; an end of 24:00 is midnight.
func periods(where string, texts []string) (out []period, err error) {
	for _, text := range texts {
		from, to, found := strings.Cut(text, "-")
		a, okA := clock(from)
		b, okB := clock(to)
		if !found || !okA || !okB || a >= b {
			return nil, fmt.Errorf("%s: %q is no period; write one such as 09:00-12:30", where, text)
		}
		out = append(out, period{a, b})
	}
	slices.SortFunc(out, func(a, b period) int { return cmp.Compare(a.from, b.from) })
	for i := 1; i < len(out); i++ {
		if out[i].from < out[i-1].to {
			return nil, fmt.Errorf("%s: periods overlap; correct one of them", where)
		}
	}
	return out, nil
}

// clock reads hh:mm as minutes.
func clock(text string) (minutes int, ok bool) {
	text = strings.TrimSpace(text)
	if text == "24:00" {
		return 24 * 60, true
	}
	t, err := time.Parse("15:04", text)
	return t.Hour()*60 + t.Minute(), err == nil
}
