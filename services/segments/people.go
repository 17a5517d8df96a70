package segments

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// PersonOf brings what identity knows of a person into the form of conditions. Facts and worth are added by the caller.
func PersonOf(p *graphql.Person) *segment.Person {
	out := &segment.Person{ID: p.ID}
	for i := range p.Traits {
		t := &p.Traits[i]
		k := segment.TraitOf(t.Name, t.Value)
		k.Had = append(k.Had, segment.Said{Source: t.Source, Text: k.Text})
		for _, r := range t.RunnersUp {
			k.Had = append(k.Had, segment.Said{Source: r.Source, Text: segment.TextOf(r.Value)})
		}
		out.Traits = append(out.Traits, k)
	}
	slices.SortFunc(out.Traits, func(a, b segment.Known) int { return strings.Compare(a.Name, b.Name) })
	for i := range p.Identifiers {
		if kind := identifier.Of(p.Identifiers[i].Kind).Name; p.Identifiers[i].Confirmed && !slices.Contains(out.Identifiers, kind) {
			out.Identifiers = append(out.Identifiers, kind)
		}
	}
	slices.Sort(out.Identifiers)
	for i := range p.Consents {
		c := &p.Consents[i]
		permission := segment.Permission{Purpose: c.Purpose, Channel: c.Channel.String()}
		switch {
		case c.Allowed:
			permission.Until = c.Expiry
			out.Allowed = append(out.Allowed, permission)
		case c.State != schema.ConsentGranted:
			out.Refused = append(out.Refused, permission)
		}
	}
	for _, list := range []*[]segment.Permission{&out.Allowed, &out.Refused} {
		slices.SortFunc(*list, func(a, b segment.Permission) int {
			return strings.Compare(fmt.Sprint(a.Purpose, "\x00", a.Channel, "\x00", int64(a.Until)), fmt.Sprint(b.Purpose, "\x00", b.Channel, "\x00", int64(b.Until)))
		})
		*list = slices.Compact(*list)
	}
	return out
}

// WorthOf brings an assessment into the form of conditions; nil if there is none.
func WorthOf(a value.Assessment, known bool) *segment.Worth {
	if !known {
		return nil
	}
	w := &segment.Worth{Recency: int64(a.RFM.Recency), Frequency: int64(a.RFM.Frequency), Monetary: int64(a.RFM.Monetary)}
	const most = 1e18 // in millionths
	if a.Alive != nil {
		w.Alive, w.HasAlive = int64(*a.Alive*1e6), true
	}
	if a.Lifetime != nil && *a.Lifetime < most/1e6 && *a.Lifetime > -most/1e6 {
		w.Lifetime, w.HasLifetime = int64(*a.Lifetime*1e6), true
	}
	return w
}

// row is a person as the table has one. Its slices go together by column.
type row struct {
	profile                         schema.ProfileID
	deleted                         uint8
	names, texts                    []string
	numbers, times                  []int64
	kinds                           []uint8
	had, said, identifiers, refused []string
	allowed                         []string
	until                           []int64
	worth                           [5]*int64 // recency, frequency, monetary, alive, lifetime
	suppressed                      uint8
	drawn, held                     []string
}

func rowOf(p *segment.Person) *row {
	r := &row{profile: p.ID, identifiers: p.Identifiers}
	for i := range p.Traits {
		k := &p.Traits[i]
		kind := uint8(0)
		if k.HasNumber {
			kind |= segment.KindNumber
		}
		if k.HasTime {
			kind |= segment.KindTime
		}
		r.names, r.texts, r.numbers, r.times, r.kinds = append(r.names, k.Name), append(r.texts, k.Text), append(r.numbers, k.Number), append(r.times, int64(k.Time)), append(r.kinds, kind)
		for _, said := range k.Had {
			r.had, r.said = append(r.had, segment.HadKey(k.Name, said.Text)), append(r.said, segment.SaidKey(k.Name, said.Source, said.Text))
		}
	}
	for _, a := range p.Allowed {
		r.allowed, r.until = append(r.allowed, segment.ConsentKey(a.Purpose, a.Channel)), append(r.until, int64(a.Until))
	}
	for _, a := range p.Refused {
		r.refused = append(r.refused, segment.ConsentKey(a.Purpose, a.Channel))
	}
	if p.Suppressed {
		r.suppressed = 1
	}
	for _, d := range p.Drawn {
		if r.drawn = append(r.drawn, d.Name); d.Held {
			r.held = append(r.held, d.Name)
		}
	}
	if w := p.Worth; w != nil {
		for i, class := range []int64{w.Recency, w.Frequency, w.Monetary} {
			if class > 0 {
				millionths := class * 1_000_000
				r.worth[i] = &millionths
			}
		}
		if w.HasAlive {
			r.worth[3] = &w.Alive
		}
		if w.HasLifetime {
			r.worth[4] = &w.Lifetime
		}
	}
	return r
}

// digest tells a row from another version of it.
func (r *row) digest() [8]byte {
	h := fnv.New64a()
	write := func(values ...any) {
		for _, v := range values {
			fmt.Fprintf(h, "%q|", v) // it never fails
		}
	}
	write(r.names, r.texts, r.had, r.said, r.identifiers, r.refused, r.allowed)
	for _, u := range r.until {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(u))
		h.Write(b[:])
	}
	if r.suppressed != 0 || r.drawn != nil {
		write(r.suppressed, r.drawn, r.held)
	}
	for i, w := range r.worth {
		if w != nil {
			fmt.Fprintf(h, "%d:%d", i, *w)
		}
	}
	return [8]byte(h.Sum(nil))
}

// Rows are the tables as this role uses them. Errors are classed. Tables keeps them in ClickHouse.
type Rows interface {
	// Identity tells these tables from any others that stood, or will stand, in their place.
	Identity(ctx context.Context) (string, error)
	// Newest is the highest version of a row of people; 0 if there is none.
	Newest(ctx context.Context) (version uint64, err error)

	// since lists the people who have a row above a version, deleted ones too.
	since(ctx context.Context, workspace string, version uint64) ([]schema.ProfileID, error)
	put(ctx context.Context, workspace string, version uint64, rows []*row) error
	record(ctx context.Context, changes []*Change) error
	empty(ctx context.Context, workspace string) error
	emptyHistory(ctx context.Context, workspace string) error
	forget(ctx context.Context, workspace string, profiles, gone []schema.ProfileID, below uint64) error
	expire(ctx context.Context, workspace string, below uint64) error
}

// Tables is ClickHouse as this role uses it. Errors are classed.
type Tables struct{ Conn *clickhouse.Conn }

// Identity implements Rows.
func (t Tables) Identity(ctx context.Context) (identity string, err error) {
	const of = `SELECT arrayStringConcat(arraySort(groupArray(toString(uuid))), ' ') FROM system.tables WHERE database = currentDatabase() AND name IN {tables:Array(String)}`
	err = t.Conn.QueryRow(ctx, of, clickhouse.Params{"tables": []string{schema.TablePeople, schema.TableSegmentChanges}}, nil, &identity)
	return identity, err
}

// Newest implements Rows.
func (t Tables) Newest(ctx context.Context) (version uint64, err error) {
	err = t.Conn.QueryRow(ctx, "SELECT max(version) FROM people", nil, nil, &version)
	return version, err
}

func (t Tables) since(ctx context.Context, workspace string, version uint64) (people []schema.ProfileID, err error) {
	const sql = "SELECT DISTINCT profile FROM people WHERE workspace = {workspace:String} AND version > {version:UInt64}"
	rows, err := t.Conn.Query(ctx, sql, clickhouse.Params{"workspace": workspace, "version": version}, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		people = append(people, schema.ProfileID(id))
	}
	return people, rows.Err()
}

var peopleColumns = []string{
	"workspace", "profile", "version", "deleted", "trait_names", "trait_texts", "trait_numbers", "trait_times", "trait_kinds", "had", "said", "identifiers",
	"allowed", "allowed_until", "refused", "recency", "frequency", "monetary", "alive", "lifetime", "suppressed", "drawn", "held",
}

// some is a slice that is not nil: the driver takes nil for NULL.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// put replaces rows of people. What comes twice replaces itself.
func (t Tables) put(ctx context.Context, workspace string, version uint64, rows []*row) error {
	return t.Conn.Insert(ctx, schema.TablePeople, peopleColumns, "", clickhouse.Settings{"insert_deduplicate": 0}, func(b *clickhouse.Batch) error {
		for _, r := range rows {
			err := b.Append(workspace, uuid.UUID(r.profile), version, r.deleted, some(r.names), some(r.texts), some(r.numbers), some(r.times), some(r.kinds), some(r.had), some(r.said),
				some(r.identifiers), some(r.allowed), some(r.until), some(r.refused), r.worth[0], r.worth[1], r.worth[2], r.worth[3], r.worth[4], r.suppressed, some(r.drawn), some(r.held))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// record adds changes to the history.
func (t Tables) record(ctx context.Context, changes []*Change) error {
	columns := []string{"workspace", "segment", "profile", "at", "id", "entered", "definition", "cause", "event", "other"}
	return t.Conn.Insert(ctx, schema.TableSegmentChanges, columns, "", nil, func(b *clickhouse.Batch) error {
		for _, c := range changes {
			if c.Kind == Drawn {
				continue // the rows of people tell
			}
			at, err := schema.ParseInstant(c.At)
			if err != nil {
				return schema.Classify(schema.Fatal, err)
			}
			var ids [4]uuid.UUID
			for i, text := range []string{c.Profile, c.ID, c.Cause.Event, c.Cause.Profile} {
				if text == "" {
					continue
				}
				if ids[i], err = uuid.Parse(text); err != nil {
					return schema.Classify(schema.Fatal, err)
				}
			}
			entered := uint8(0)
			if c.entered() {
				entered = 1
			}
			if err := b.Append(c.Workspace, c.name(), ids[0], at.Time(), ids[1], entered, c.Definition, c.Cause.Kind, ids[2], ids[3]); err != nil {
				return err
			}
		}
		return nil
	})
}

// empty deletes all rows of people of a workspace.
func (t Tables) empty(ctx context.Context, workspace string) error {
	return t.delete(ctx, schema.TablePeople, " WHERE workspace = {workspace:String}", clickhouse.Params{"workspace": workspace})
}

// emptyHistory deletes the whole history of a workspace.
func (t Tables) emptyHistory(ctx context.Context, workspace string) error {
	return t.delete(ctx, schema.TableSegmentChanges, " WHERE workspace = {workspace:String}", clickhouse.Params{"workspace": workspace})
}

// forget deletes rows of people below a version, and the history of profiles, for good: when it returns no part holds them.
func (t Tables) forget(ctx context.Context, workspace string, profiles, gone []schema.ProfileID, below uint64) error {
	where := ` WHERE workspace = {workspace:String} AND profile IN {profiles:Array(UUID)} AND version < {below:UInt64}`
	if err := t.delete(ctx, schema.TablePeople, where, clickhouse.Params{"workspace": workspace, "profiles": profiles, "below": below}); err != nil {
		return err
	}
	where = ` WHERE workspace = {workspace:String} AND profile IN {profiles:Array(UUID)}`
	return t.delete(ctx, schema.TableSegmentChanges, where, clickhouse.Params{"workspace": workspace, "profiles": gone})
}

// expire deletes the rows of people below a version, for good.
func (t Tables) expire(ctx context.Context, workspace string, below uint64) error {
	return t.delete(ctx, schema.TablePeople, " WHERE workspace = {workspace:String} AND version < {below:UInt64}", clickhouse.Params{"workspace": workspace, "below": below})
}

// delete costs a read where there is nothing to delete.
func (t Tables) delete(ctx context.Context, table, where string, params clickhouse.Params) error {
	var rows uint64
	if err := t.Conn.QueryRow(ctx, `SELECT count() FROM `+table+where, params, nil, &rows); err != nil || rows == 0 {
		return err
	}
	if err := t.Conn.Exec(ctx, `ALTER TABLE `+table+` DELETE`+where, params, clickhouse.Settings{"mutations_sync": 2}); err != nil {
		return fmt.Errorf("delete rows of %s: %w", table, err)
	}
	return nil
}

// Care reads what care keeps of personas: facts of these kinds, by persona.
func (t Tables) Care(ctx context.Context, workspace string, kinds []schema.Type, personas []schema.ProfileID) (map[schema.ProfileID][]*segment.Fact, error) {
	out := map[schema.ProfileID][]*segment.Fact{}
	for _, kind := range kinds {
		q := segment.CareRows(kind, workspace)
		q.Params["personas"] = personas
		rows, err := t.Conn.Query(ctx, q.SQL, q.Params, nil)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var persona, id uuid.UUID
			var at int64
			var fields []string
			if err := rows.Scan(&persona, &id, &at, &fields); err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			of := schema.ProfileID(persona)
			out[of] = append(out[of], segment.CareFact(kind, schema.EventID(id), schema.Instant(at), fields))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return out, nil
}
