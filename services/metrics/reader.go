package metrics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"
	_ "time/tzdata" // zones are known wherever the binary runs

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Reader answers figures. It is safe for concurrent use. Errors are classed; what is wrong with a question is a *graphql.Error.
type Reader struct {
	House *clickhouse.Conn
	// Configuration gives the hash of the configuration in force, "" before the first change.
	Configuration func(workspace string) string
	// Reputation gives what the workspace says of its brands; nil: nothing.
	Reputation func(workspace string) *reputation.Settings
	Now        func() time.Time
	// Known makes the tables of what was known at an instant, or gives those that are made; nil: knownAt is refused.
	Known func(ctx context.Context, workspace string, at schema.Instant) (*Known, error)
	slots chan struct{}
}

// Known is what was known at an instant, in tables of its own.
type Known struct {
	Tables        string // how their names begin
	Configuration string // hash of the configuration that was in force; empty: the default
	Erased        int    // decisions to erase that were taken since: of those people nothing is told
	Release       func() // gives it back, once
}

var _ graphql.Measures = (*Reader)(nil)

// The bounds of one statement, and of all that run at the same time.
const (
	atOnce     = 4
	maxThreads = 2
	maxMemory  = 2 << 30
)

// New makes a reader. now is the clock up to which what is not over has run.
func New(house *clickhouse.Conn, configuration func(workspace string) string, now func() time.Time) *Reader {
	return &Reader{House: house, Configuration: configuration, Now: now, slots: make(chan struct{}, atOnce)}
}

var reading = clickhouse.Settings{"max_threads": maxThreads, "max_memory_usage": maxMemory, "join_use_nulls": 0, "group_by_use_nulls": 0,
	// The relation of who is who is small beside the rows: one hash of it is probed twice as fast as several between which rows are first dealt out.
	"join_algorithm": "hash",
	// The smaller relation stands on the right everywhere. Left to itself the engine turns joins round and hashes every row, at twice the cost of a figure.
	"query_plan_join_swap_table": "false",
	// What a statement reads of a table in several places is of the same rows.
	"enable_shared_storage_snapshot_in_query": 1,
}

// timed sets up to when what is not over has run, and opens what was known then, if that is asked for. release gives it back.
func (r *Reader) timed(ctx context.Context, d metric.Definition, q *metric.Query) (past *Known, release func(), err error) {
	if q.Now == 0 {
		q.Now = schema.InstantOf(r.Now())
		if q.KnownAt != 0 {
			q.Now = q.KnownAt
		}
	}
	if q.KnownAt == 0 {
		return nil, func() {}, nil
	}
	if r.Known == nil {
		return nil, nil, &graphql.Error{Code: graphql.CodeNotAvailable, Message: "what was known at a time is not told here", Hint: "ask a process with the roles identity and care, or 'dossier up'"}
	}
	probe := *q
	probe.Tables = "known_" // what is wrong with the question is said before anything is made
	if _, err := d.Count(probe); err != nil {
		return nil, nil, refused(err)
	}
	if past, err = r.Known(ctx, q.Workspace, q.KnownAt); err != nil {
		return nil, nil, refused(err)
	}
	q.Tables = past.Tables
	return past, past.Release, nil
}

// Figure answers a metric and its groups.
func (r *Reader) Figure(ctx context.Context, name string, q metric.Query) (metric.Answer, error) {
	d, err := definition(name, q)
	if err != nil {
		return metric.Answer{}, err
	}
	past, release, err := r.timed(ctx, d, &q)
	if err != nil {
		return metric.Answer{}, err
	}
	defer release()
	r.settle(&q)
	s, err := d.Count(q)
	if err != nil {
		return metric.Answer{}, refused(err)
	}
	tallies, err := r.count(ctx, s)
	if err != nil {
		return metric.Answer{}, err
	}
	if len(tallies) > metric.MaxGroups+1 {
		return metric.Answer{}, &graphql.Error{
			Code: graphql.CodeTooLarge, Message: fmt.Sprintf("there are more than %d groups", metric.MaxGroups), Hint: "choose a shorter period, a filter, or another dimension",
		}
	}
	d.Complete(tallies)
	others := map[string][]metric.Tally{}
	for _, name := range d.Uses() {
		if others[name], err = r.beside(ctx, name, q); err != nil {
			return metric.Answer{}, err
		}
	}
	a := metric.Answer{Now: q.Now}
	a.Whole, a.Groups = d.Figures(q, tallies, others)
	a.Versions, err = r.versions(ctx, d, q, past, a.Whole)
	return a, err
}

// settle adds what the workspace says of itself.
func (r *Reader) settle(q *metric.Query) {
	if r.Reputation != nil {
		q.Reputation = r.Reputation(q.Workspace)
	}
}

// risingDays is the period of rising themes where none is said, in microseconds.
const risingDays = 7 * 86_400_000_000

// Rising counts what is spoken of in a period and in the one before it.
func (r *Reader) Rising(ctx context.Context, q metric.Query) (list []metric.Spoken, err error) {
	if q.KnownAt != 0 {
		return nil, &graphql.Error{Code: graphql.CodeBadInput, Message: "what rises is told as it is known now alone", Hint: "leave knownAt out"}
	}
	if q.Now == 0 {
		q.Now = schema.InstantOf(r.Now())
	}
	if q.From == 0 && q.To == 0 {
		q.From, q.To = q.Now-risingDays, q.Now
	}
	s, err := metric.Rising(q)
	if err != nil {
		return nil, refused(err)
	}
	err = r.each(ctx, s, func(rows *clickhouse.Rows) error {
		var x metric.Spoken
		var n, before, people, negative uint64
		err := rows.Scan(&x.Theme, &n, &before, &people, &negative, &x.Newest)
		x.N, x.Before, x.People, x.Negative = int64(n), int64(before), int64(people), int64(negative)
		list = append(list, x)
		return err
	})
	return list, err
}

// crisisDays is the period in which crises are looked for where none is said, in microseconds.
const crisisDays = 30 * 86_400_000_000

// Crises finds the crises of the brands that are watched in a period.
func (r *Reader) Crises(ctx context.Context, q metric.Query) ([]reputation.Crisis, error) {
	if q.Now == 0 {
		q.Now = schema.InstantOf(r.Now())
	}
	if q.To == 0 {
		q.To = q.Now
	}
	if q.From == 0 {
		q.From = q.To - crisisDays
	}
	r.settle(&q)
	s, err := metric.Watch(q)
	if err != nil {
		return nil, refused(err)
	}
	var list []metric.Watched
	err = r.each(ctx, s, func(rows *clickhouse.Rows) error {
		var w metric.Watched
		var at int64
		var n [4]uint64
		err := rows.Scan(&w.Brand, &at, &n[0], &n[1], &n[2], &n[3])
		w.At, w.Tally = schema.Instant(at), reputation.Tally{Favourable: int64(n[0]), Neutral: int64(n[1]), Unfavourable: int64(n[2]), Unjudged: int64(n[3])}
		list = append(list, w)
		return err
	})
	return metric.Crises(q, list), err
}

// Voices gives the events of the posts that speak most of a crisis.
func (r *Reader) Voices(ctx context.Context, q metric.Query, c reputation.Crisis, first int) (events []schema.EventID, err error) {
	err = r.each(ctx, metric.Voices(q, c, first), func(rows *clickhouse.Rows) error {
		var id schema.EventID
		err := rows.Scan(&id)
		events = append(events, id)
		return err
	})
	return events, err
}

// beside counts another metric by the same question, for a formula that needs it.
func (r *Reader) beside(ctx context.Context, name string, q metric.Query) ([]metric.Tally, error) {
	d, err := definition(name, q)
	if err != nil {
		return nil, err
	}
	q.Priors = nil // they are of the metric that was asked for
	s, err := d.Count(q)
	if err != nil {
		return nil, refused(err)
	}
	tallies, err := r.count(ctx, s)
	if err == nil {
		d.Complete(tallies)
	}
	return tallies, err
}

// count runs a statement of Definition.Count.
func (r *Reader) count(ctx context.Context, s metric.Statement) (tallies []metric.Tally, err error) {
	leave, err := r.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	params := clickhouse.Params{}
	maps.Copy(params, s.Params)
	body, err := r.House.Stream(ctx, s.SQL, params, reading, "RowBinary")
	if err == nil {
		tallies, err = readTallies(body)
		err = errors.Join(err, body.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("count a metric: %w", err)
	}
	return tallies, nil
}

// enter waits for a place among those who ask the engine at once.
func (r *Reader) enter(ctx context.Context) (leave func(), err error) {
	select {
	case r.slots <- struct{}{}:
		return func() { <-r.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Rows lists the rows of a figure by time, those that do not count too. more says that there are others.
func (r *Reader) Rows(ctx context.Context, name string, q metric.Query, after *metric.After, first int) (list []metric.Row, more bool, err error) {
	d, err := definition(name, q)
	if err != nil {
		return nil, false, err
	}
	_, release, err := r.timed(ctx, d, &q)
	if err != nil {
		return nil, false, err
	}
	defer release()
	r.settle(&q)
	s, err := d.List(q, after, first+1)
	if err != nil {
		return nil, false, refused(err)
	}
	err = r.each(ctx, s, func(rows *clickhouse.Rows) error {
		var row metric.Row
		var counts uint8
		err := rows.Scan(&row.ID, &row.Event, &row.Persona, &row.Profile, &row.At, &row.Keys, &counts, &row.Reason, &row.Value)
		row.Counts = counts == 1
		list = append(list, row)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if more = len(list) > first; more {
		list = list[:first]
	}
	return list, more, nil
}

// definition finds a metric, and refuses a zone that there is not.
func definition(name string, q metric.Query) (metric.Definition, error) {
	d, ok := metric.Find(name)
	if !ok {
		return d, &graphql.Error{Code: graphql.CodeBadInput, Message: "there is no metric of this name", Hint: "metrics { catalogue { name } } lists them"}
	}
	if _, err := time.LoadLocation(q.Zone); err != nil || q.Zone == "Local" {
		return d, &graphql.Error{Code: graphql.CodeBadInput, Message: "there is no such time zone", Hint: "name one as Europe/Paris is named"}
	}
	return d, nil
}

// refused gives what is wrong with a question its code.
func refused(err error) error {
	if r := (*schema.Refusal)(nil); errors.As(err, &r) {
		return &graphql.Error{Code: graphql.CodeNotAvailable, Message: r.Reason, Hint: r.Hint}
	}
	if f := (*metric.Fault)(nil); errors.As(err, &f) {
		return &graphql.Error{Code: graphql.CodeBadInput, Message: f.Error()}
	}
	return err
}

// versions says what the figure stands on.
func (r *Reader) versions(ctx context.Context, d metric.Definition, q metric.Query, past *Known, f metric.Figure) ([]metric.Version, error) {
	out := []metric.Version{{Name: "definition", Value: d.Name + "@" + strconv.Itoa(d.Version)}}
	configuration := "default"
	if past == nil {
		var identity uint64
		err := r.House.QueryRow(ctx, "SELECT max(version) FROM persona_profile WHERE workspace = {workspace:String}", clickhouse.Params{"workspace": q.Workspace}, reading, &identity)
		if err != nil {
			return nil, fmt.Errorf("read the version of the persona map: %w", err)
		}
		out = append(out, metric.Version{Name: "identity", Value: strconv.FormatUint(identity, 10)})
		if r.Configuration != nil && r.Configuration(q.Workspace) != "" {
			configuration = r.Configuration(q.Workspace)
		}
	} else {
		out = append(out, metric.Version{Name: "knownAt", Value: q.KnownAt.String()}, metric.Version{Name: "erasedSince", Value: strconv.Itoa(past.Erased)})
		configuration = cmp.Or(past.Configuration, configuration)
	}
	out = append(out, metric.Version{Name: "configuration", Value: configuration})
	if d.Unit == metric.Money || d.Statistic == metric.Composite || d.Statistic == metric.Fraction {
		out = append(out, metric.Version{Name: "currency", Value: cmp.Or(q.Currency, metric.DefaultCurrency)})
	}
	for _, c := range f.Calendars {
		out = append(out, metric.Version{Name: d.Stamp(), Value: c})
	}
	return append(out, metric.Version{Name: "now", Value: q.Now.String()}), nil
}

// each runs a statement and calls scan for every row.
func (r *Reader) each(ctx context.Context, s metric.Statement, scan func(rows *clickhouse.Rows) error) error {
	leave, err := r.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	params := clickhouse.Params{}
	maps.Copy(params, s.Params)
	rows, err := r.House.Query(ctx, s.SQL, params, reading)
	if err != nil {
		return fmt.Errorf("count a metric: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("count a metric: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("count a metric: %w", err)
	}
	return nil
}
