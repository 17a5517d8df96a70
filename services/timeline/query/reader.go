package query

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Reader reads the timeline, all of it or a past. It is safe for concurrent use. Errors are classed.
type Reader struct {
	Conn *clickhouse.Conn
	Past Past // what people's pages, totals, cases, answers and orders are told of
}

var _ graphql.Timeline = Reader{}

// Then is the reader of a past.
func (r Reader) Then(past graphql.Past) graphql.Timeline {
	return Reader{r.Conn, Past{Recorded: past.KnownAt, Occurred: past.AsOf}}
}

func unknownRow(id schema.EventID) error {
	return schema.Classify(schema.Fatal, fmt.Errorf("the row of event %s has a type, channel, actor or trust that this program does not know", id))
}

// reading is how point reads run: one thread each, since they are many, small and at the same time. The text columns are read for
// the rows of the page alone. What is read of a file is a few granules, which the page cache mostly has: to hand each read to another thread, as the engine does unless told
// otherwise, costs more than it saves.
var reading = clickhouse.Settings{
	"max_threads": 1,
	"query_plan_max_limit_for_lazy_materialization": 1000,
	"local_filesystem_read_method":                  "pread",
}

// paging is how a page of one person's timeline is read. The sort key leaves a few granules, and the newest rows come out of those: to choose columns to filter by
// first, and to analyse the statement as the engine does for large ones, takes a quarter of the time of the whole read.
var paging = func() clickhouse.Settings {
	s := maps.Clone(reading)
	s["optimize_move_to_prewhere"], s["enable_analyzer"] = 0, 0
	return s
}()

// each runs a statement and calls scan for every row.
func (r Reader) each(ctx context.Context, s Statement, scan func(rows *clickhouse.Rows) error) error {
	return r.eachBy(ctx, reading, s, scan)
}

func (r Reader) eachBy(ctx context.Context, settings clickhouse.Settings, s Statement, scan func(rows *clickhouse.Rows) error) error {
	rows, err := r.Conn.Query(ctx, s.SQL, s.Params, settings)
	if err != nil {
		return fmt.Errorf("read the timeline: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read the timeline: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the timeline: %w", err)
	}
	return nil
}

// Pages gives a part of the timeline of each of several people.
func (r Reader) Pages(ctx context.Context, workspace string, people [][]schema.PersonaID, f graphql.Filter, after *graphql.Cursor, first int, w graphql.Wanted) ([]graphql.Page, error) {
	q := Page{Workspace: workspace, People: people, Filter: Filter(f), First: first, Wanted: w, Past: r.Past}
	if after != nil {
		q.After = &Cursor{after.OccurredAt, after.ID}
	}
	pages := make([]graphql.Page, len(people))
	if !q.counted() {
		for i := range pages {
			pages[i].Total = -1
		}
	}
	scan := interactionScanner(w.Fields, q.counted())
	settings := reading
	if len(people) == 1 {
		settings = paging
	}
	err := r.eachBy(ctx, settings, q.Statement(), func(rows *clickhouse.Rows) error {
		person, i, total, err := scan(rows)
		if err != nil {
			return err
		}
		page := &pages[person]
		page.Total = total
		if page.More = len(page.Interactions) == first; !page.More {
			page.Interactions = append(page.Interactions, i)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if slices.Contains(w.Fields, "verbatim") || w.Fields == nil {
		var all []*graphql.Interaction
		for p := range pages {
			for i := range pages[p].Interactions {
				all = append(all, &pages[p].Interactions[i])
			}
		}
		if err := r.verbatims(ctx, workspace, all); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// Totals counts the events of each of several people.
func (r Reader) Totals(ctx context.Context, workspace string, people [][]schema.PersonaID, f graphql.Filter) ([]int64, error) {
	totals := make([]int64, len(people))
	q := Total{Workspace: workspace, People: people, Filter: Filter(f), Past: r.Past}
	err := r.each(ctx, q.Statement(), func(rows *clickhouse.Rows) error {
		var person uint32
		var n uint64
		err := rows.Scan(&person, &n)
		if err == nil {
			totals[person] = int64(n)
		}
		return err
	})
	return totals, err
}

// Cases gives the cases of each of several people, the one with the latest contact first.
func (r Reader) Cases(ctx context.Context, workspace string, people [][]schema.PersonaID) ([][]graphql.Case, error) {
	cases := make([][]graphql.Case, len(people))
	err := r.each(ctx, Cases{workspace, people, r.Past}.Statement(), func(rows *clickhouse.Rows) error {
		var person uint32
		var latest string
		var c graphql.Case
		var hasOpened, hasResolved bool
		if err := rows.Scan(&person, &c.ID, &c.First, &latest, &c.OpenedAt, &c.ResolvedAt, &c.LastContact, &hasOpened, &hasResolved); err != nil {
			return err
		}
		if !hasOpened {
			c.OpenedAt = 0
		}
		switch latest {
		case schema.TypeCaseResolved.String():
			c.State = "resolved"
		case schema.TypeCaseReopened.String():
			c.State = "reopened"
		default:
			c.State = "open"
		}
		if !hasResolved || c.State != "resolved" {
			c.ResolvedAt = 0
		}
		cases[person] = append(cases[person], c)
		return nil
	})
	return cases, err
}

// Satisfaction sums up the answers of each of several people.
func (r Reader) Satisfaction(ctx context.Context, workspace string, people [][]schema.PersonaID) ([]graphql.Satisfaction, error) {
	out := make([]graphql.Satisfaction, len(people))
	err := r.each(ctx, Answers{workspace, people, r.Past}.Statement(), func(rows *clickhouse.Rows) error {
		var person uint32
		var n uint64
		var s graphql.Satisfaction
		if err := rows.Scan(&person, &n, &s.LastRating, &s.LastRatingScale, &s.LastAnswerAt); err != nil {
			return err
		}
		s.Answers = int64(n)
		out[person] = s
		return nil
	})
	return out, err
}

// Interactions gives events by id, in the order of time; what is not there is left out.
func (r Reader) Interactions(ctx context.Context, workspace string, ids []schema.EventID) ([]graphql.Interaction, error) {
	var out []graphql.Interaction
	scan := interactionScanner(nil, false)
	err := r.each(ctx, Events{workspace, ids}.Statement(), func(rows *clickhouse.Rows) error {
		_, i, _, err := scan(rows)
		out = append(out, i)
		return err
	})
	if err != nil {
		return nil, err
	}
	all := make([]*graphql.Interaction, len(out))
	for i := range out {
		all[i] = &out[i]
	}
	return out, r.verbatims(ctx, workspace, all)
}

// Count gives the number of events of a workspace.
func (r Reader) Count(ctx context.Context, workspace string) (n int64, err error) {
	err = r.each(ctx, Count{workspace}.Statement(), func(rows *clickhouse.Rows) error {
		var count uint64
		err := rows.Scan(&count)
		n = int64(count)
		return err
	})
	return n, err
}

// Contacts are the first and last contact of a person.
type Contacts struct {
	Events      int64
	First, Last schema.Instant // 0 if there is none
}

// LastContacts gives the contacts of each of several people.
func (r Reader) LastContacts(ctx context.Context, workspace string, people [][]schema.PersonaID) ([]Contacts, error) {
	out := make([]Contacts, len(people))
	err := r.each(ctx, LastContacts{workspace, people}.Statement(), func(rows *clickhouse.Rows) error {
		var person uint32
		var n uint64
		var c Contacts
		if err := rows.Scan(&person, &n, &c.First, &c.Last); err != nil {
			return err
		}
		c.Events = int64(n)
		out[person] = c
		return nil
	})
	return out, err
}

// Newest is the newest row of a log partition.
type Newest struct {
	Partition  int32
	Offset     int64
	RecordedAt schema.Instant
}

// Positions gives the newest row of each partition that has one.
func (r Reader) Positions(ctx context.Context, generation uint32) ([]Newest, error) {
	var out []Newest
	err := r.each(ctx, Positions{generation}.Statement(), func(rows *clickhouse.Rows) error {
		var n Newest
		err := rows.Scan(&n.Partition, &n.Offset, &n.RecordedAt)
		out = append(out, n)
		return err
	})
	return out, err
}

// interactionScanner reads rows of columnsOf(fields), one after the other; counted are followed by their person's total, which is −1
// for the others.
func interactionScanner(fields []string, counted bool) func(rows *clickhouse.Rows) (person int, i graphql.Interaction, total int64, err error) {
	asked := func(field string) bool { return fields == nil || slices.Contains(fields, field) }
	var r interactionRow
	into := []any{&r.person, &r.ID, &r.Persona, &r.OccurredAt}
	for _, c := range interactionColumns {
		if asked(c.field) {
			into = append(into, c.into(&r))
		}
	}
	var number uint64
	if counted {
		into = append(into, &number)
	}
	return func(rows *clickhouse.Rows) (int, graphql.Interaction, int64, error) {
		r = interactionRow{}
		if err := rows.Scan(into...); err != nil {
			return 0, r.Interaction, 0, err
		}
		known := true
		if asked("type") {
			r.Type, known = schema.ParseType(r.kind)
		}
		if asked("channel") && known {
			r.Channel, known = schema.ParseChannel(r.channel)
		}
		if asked("actor") && known {
			r.Actor, known = schema.ParseActor(r.actor)
		}
		if !known {
			return 0, r.Interaction, 0, unknownRow(r.ID)
		}
		if r.properties != "" {
			r.Properties = json.RawMessage(r.properties)
		}
		total := int64(-1)
		if counted {
			total = int64(number)
		}
		return int(r.person), r.Interaction, total, nil
	}
}
