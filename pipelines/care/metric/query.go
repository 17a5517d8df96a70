package metric

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/schema"
)

// Reading says which of its instants puts a row into the period. They are never mixed in one figure.
type Reading uint8

// The readings. Usual is what the definition says.
const (
	Usual     Reading = iota
	EventDate         // when what is measured happened: a reply, a resolution, an answer
	Cohort            // when the row began: a request, an opening, a questionnaire
)

// Dimension is something to group or filter by.
type Dimension string

// The dimensions. Not every metric has each; days to years are of the reading's instant, in the query's zone.
const (
	Channel    Dimension = "CHANNEL"
	Team       Dimension = "TEAM"
	Brand      Dimension = "BRAND"
	Store      Dimension = "STORE"
	Theme      Dimension = "THEME"
	Touchpoint Dimension = "TOUCHPOINT"
	Source     Dimension = "SOURCE"
	Language   Dimension = "LANGUAGE"
	Country    Dimension = "COUNTRY"
	Queue      Dimension = "QUEUE"
	Tier       Dimension = "TIER"
	Priority   Dimension = "PRIORITY"
	Calendar   Dimension = "CALENDAR"
	Instrument Dimension = "INSTRUMENT"
	Explained  Dimension = "EXPLAINED"
	Complaint  Dimension = "COMPLAINT"
	Polarity   Dimension = "POLARITY"       // of the customer's first words: neg, neu, pos
	Said       Dimension = "VERBATIM_THEME" // what the customer's first words are most surely about; THEME is what the source says
	Gravity    Dimension = "CRITICALITY"    // the gravest of the customer's words: none to critical
	Product    Dimension = "PRODUCT"
	Platform   Dimension = "PLATFORM" // where a post was published
	Judge      Dimension = "JUDGE"    // who said how a post speaks of the brand: person, source, model
	Own        Dimension = "OWN"      // whether a post is the brand's own: yes, no
	Day        Dimension = "DAY"
	Week       Dimension = "WEEK"
	Month      Dimension = "MONTH"
	Year       Dimension = "YEAR"
)

// periods are grouped by as numbers and written as text: 2026-02-28, 2026-02, 2026; a week is its Monday.
var periods = map[Dimension]key{
	Day: {"toDate(at, {zone:String})", "toString(%s)"}, Week: {"toStartOfWeek(at, 1, {zone:String})", "toString(%s)"},
	Month: {"toYYYYMM(at, {zone:String})", "concat(leftPad(toString(intDiv(%s, 100)), 4, '0'), '-', leftPad(toString(modulo(%s, 100)), 2, '0'))"},
	Year:  {"toYear(at, {zone:String})", "leftPad(toString(%s), 4, '0')"},
}

func (s subject) has(by Dimension) bool {
	_, period := periods[by]
	return period || s.dimensions[by] != ""
}

// order is that in which dimensions are listed.
var order = []Dimension{
	Channel, Team, Brand, Store, Theme, Touchpoint, Source, Language, Country, Queue, Tier, Priority, Calendar, Instrument, Explained, Complaint, Polarity, Said, Gravity, Product, Platform, Judge, Own, Day, Week, Month, Year,
}

// Dimensions lists what the metric can be grouped and filtered by.
func (d Definition) Dimensions() []Dimension {
	s := d.subject
	if s.wider != nil {
		s = *s.wider
	}
	return slices.DeleteFunc(slices.Clone(order), func(by Dimension) bool { return !s.has(by) })
}

// HasOpenHours says whether the metric's durations are known within a calendar's open hours.
func (d Definition) HasOpenHours() bool { return d.hours != "" }

// Query asks for a metric. Its zero value asks for all rows of all time.
type Query struct {
	Workspace string
	From, To  schema.Instant // of the reading's instant: [From, To); 0: open
	Now       schema.Instant // up to which what is not over has run; never 0 where a statement is made
	AsOf      schema.Instant // as if nothing had happened after it; 0: as it is. Now is then AsOf
	KnownAt   schema.Instant // as an installation would answer that had read only what was recorded by then, under the configuration of then; 0: all. Without Now, now is KnownAt
	Tables    string         // how the tables are named that hold what was known at KnownAt (KnownTables); empty if and only if KnownAt is 0
	Reading   Reading
	By        []Dimension            // at most two
	Where     map[Dimension][]string // any of the values; "" is what has none
	Keys      []string               // of a list of rows: of this group alone, by By; nil: of all
	Profiles  []schema.ProfileID     // nil: everybody
	Segments  []string               // only who is in one of them, as was decided last; nil: everybody
	Latest    bool                   // of surveys: only the last answer of each person in the period
	OpenHours bool                   // durations within the calendar's open hours
	Zone      string                 // IANA; empty: UTC
	Within    int64                  // of serviceLevel, microseconds; 0: 20 s
	Window    int64                  // of fcrNoRepeat, microseconds; 0: 7 days
	Currency  string                 // of amounts, ISO 4217; empty: EUR
	Budget    float64                // of gestureSpend, in the currency; 0: none
	Priors    map[string]float64     // of a composite metric, by name

	// Reputation is what the workspace says of its brands; nil: nothing. Whoever answers sets it, no one asks for it.
	Reputation *reputation.Settings
}

// DefaultCurrency is that of amounts where a query names none.
const DefaultCurrency = "EUR"

// Bounds of a query.
const (
	MaxBy       = 2
	MaxValues   = 200    // of one filter
	MaxProfiles = 10_000 // of the profile set
	MaxGroups   = 2_000  // of one answer

	day           = 24 * hour
	defaultWithin = 20_000_000
	defaultWindow = 7 * day
)

// Fault is what is wrong with a query: for the one who asked.
type Fault struct{ Text string }

func (f *Fault) Error() string { return f.Text }

func fault(format string, args ...any) error { return &Fault{fmt.Sprintf(format, args...)} }

// check refuses what the metric cannot answer, and gives the subject with every dimension that is asked for.
func (d Definition) check(q *Query) (subject, error) {
	s := d.subject
	switch {
	case len(q.By) > MaxBy:
		return s, fault("group by at most %d dimensions", MaxBy)
	case len(q.By) == 2 && q.By[0] == q.By[1]:
		return s, fault("%s is given twice", q.By[0])
	case q.From != 0 && q.To != 0 && q.From >= q.To:
		return s, fault("the period ends before it begins: from is the first instant, to the one after the last")
	case d.Employee && (q.Profiles != nil || q.Segments != nil):
		return s, fault("%s takes no profile set: employees' answers are shown of teams alone", d.Name)
	case len(q.Profiles) > MaxProfiles:
		return s, fault("a profile set has at most %d profiles", MaxProfiles)
	case len(q.Segments) > MaxValues:
		return s, fault("a filter has at most %d values", MaxValues)
	case q.Latest && d.subject.name != surveys.name:
		return s, fault("%s counts no answers: leave answers out", d.Name)
	case q.OpenHours && d.hours == "":
		return s, fault("%s is not known within open hours", d.Name)
	case q.Within < 0 || q.Within > day:
		return s, fault("within is from 1 second to 24 hours")
	case q.Window < 0 || q.Window > 0 && (q.Window < day || q.Window > 30*day):
		return s, fault("windowDays is from 1 to 30")
	}
	switch {
	case (q.KnownAt != 0) != (q.Tables != ""):
		return s, fault("knownAt is not to be had here")
	case q.KnownAt != 0 && (q.Segments != nil || q.Profiles != nil):
		return s, fault("who is in a set of profiles or a segment is told as it is now alone: leave it out, or knownAt")
	}
	if _, some := q.Where[Brand]; some && d.Statistic == Voice {
		return s, fault("%s is of all brands of the panel: group by BRAND instead of filtering", d.Name)
	}
	if q.AsOf != 0 && q.Now != q.AsOf {
		return s, fault("asOf says up to when what is not over has run: leave now out")
	}
	if q.Currency != "" && !currency(q.Currency) {
		return s, fault("currency is three capitals, such as EUR")
	}
	if !(q.Budget >= 0) || math.IsInf(q.Budget, 0) {
		return s, fault("budget is an amount")
	}
	for name, value := range q.Priors {
		if !slices.ContainsFunc(d.Priors, func(p Prior) bool { return p.Name == name }) {
			return s, fault("%s has no prior %q; it has %s", d.Name, name, d.priorNames())
		}
		if math.IsNaN(value) || math.IsInf(value, 0) || value < 0 {
			return s, fault("the prior %s is a number of 0 or more", name)
		}
	}
	asked := slices.Clone(q.By)
	for by, values := range q.Where {
		if len(values) > MaxValues {
			return s, fault("a filter has at most %d values", MaxValues)
		}
		if _, period := periods[by]; period {
			return s, fault("filter by from and to, not by %s", by)
		}
		asked = append(asked, by)
	}
	for _, by := range asked {
		if !s.has(by) && s.wider != nil {
			s = *s.wider
		}
	}
	for _, by := range asked {
		if !s.has(by) {
			var names []string
			for _, can := range d.Dimensions() {
				names = append(names, string(can))
			}
			return s, fault("%s has no %s; it has %s", d.Name, by, strings.Join(names, ", "))
		}
		if d.Employee && by != Team && by != Month && by != Year && by != Instrument {
			return s, fault("%s is grouped and filtered by TEAM, INSTRUMENT, MONTH and YEAR alone", d.Name)
		}
	}
	return s, nil
}

// currency says whether a text is a code of ISO 4217.
func currency(code string) bool {
	return len(code) == 3 && !strings.ContainsFunc(code, func(r rune) bool { return r < 'A' || r > 'Z' })
}

func (d Definition) priorNames() string {
	names := make([]string, len(d.Priors))
	for i, p := range d.Priors {
		names[i] = p.Name
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// InForce is the reading that the query gets of a metric.
func (q Query) InForce(d Definition) Reading {
	switch {
	case q.Reading != Usual:
		return q.Reading
	case d.Cohort:
		return Cohort
	}
	return EventDate
}

func itoa(n int) string { return strconv.Itoa(n) }
