package segments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/configuration"
	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// Reader answers what the interfaces ask of segments, over the tables. It is safe for concurrent use. Errors are classed, or graphql's.
type Reader struct {
	Conn    *clickhouse.Conn
	Control *control.Control
	People  People
	// Assess is Config.Assess; nil where there is no value snapshot.
	Assess func(ctx context.Context, people []*graphql.Person) ([]*segment.Worth, error)
	// Visible returns when people, events and their order show what the log held at the call.
	Visible func(ctx context.Context) error
	// Check refuses a configuration that no role could run under, and gives its hash and canonical form.
	Check func(document []byte) (hash string, canonical []byte, err error)
	Now   func() time.Time
}

var _ graphql.Segments = (*Reader)(nil)

// engine bounds a read: those who explore must not take the engine from those who serve customers.
var engine = clickhouse.Settings{"max_threads": 2, "max_memory_usage": 4 << 30, "max_execution_time": 60}

// set is the segments in force.
func (r *Reader) set(workspace string) (segment.Set, error) {
	set, _, err := r.grounded(workspace)
	return set, err
}

// grounded is the segments in force, with what they rest on.
func (r *Reader) grounded(workspace string) (segment.Set, segment.Ground, error) {
	parsed, err := configuration.Parse(r.Control.State().Configuration(workspace).Document, time.LoadLocation)
	if err != nil {
		return nil, segment.Ground{}, err
	}
	return parsed.Segments, parsed.Ground, nil
}

// List gives the segments, archived ones too, by name.
func (r *Reader) List(_ context.Context, workspace string) ([]graphql.SegmentLine, error) {
	set, err := r.set(workspace)
	if err != nil {
		return nil, err
	}
	out := []graphql.SegmentLine{}
	for _, name := range set.Names() {
		out = append(out, r.line(workspace, set[name]))
	}
	return out, nil
}

func (r *Reader) line(workspace string, s *segment.Segment) graphql.SegmentLine {
	line := graphql.SegmentLine{Segment: s}
	for _, v := range r.Control.State().Segment(workspace, s.Name) {
		line.Versions = append(line.Versions, graphql.SegmentVersion{Definition: v.Definition, Actor: v.Actor, Reason: v.Reason, At: v.At})
	}
	return line
}

// with gives the set with one definition in it, new or saved. text nil is the saved one.
func (r *Reader) with(workspace, name string, text json.RawMessage) (segment.Set, *segment.Segment, error) {
	set, ground, err := r.grounded(workspace)
	if err != nil {
		return nil, nil, err
	}
	if text == nil {
		if set[name] == nil {
			return nil, nil, &graphql.Error{Code: graphql.CodeBadInput, Message: fmt.Sprintf("there is no segment %q", name), Hint: "'dossier segments list' names them"}
		}
		return set, set[name], nil
	}
	s, err := segment.Parse(name, text, time.LoadLocation)
	if err != nil {
		return nil, nil, err
	}
	if err := s.Rest(ground); err != nil {
		return nil, nil, err
	}
	set[name] = s
	return set, s, set.Check()
}

// known lists the traits that somebody has.
func (r *Reader) known(ctx context.Context, workspace string) (names []string, err error) {
	rows, err := r.Conn.Query(ctx, "SELECT DISTINCT toString(arrayJoin(trait_names)) AS name FROM people WHERE workspace = {workspace:String} AND deleted = 0 ORDER BY name LIMIT 20000",
		clickhouse.Params{"workspace": workspace}, engine)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// Preview counts who is in a definition at a time, 0 for now. before is what the saved segment of that name has.
func (r *Reader) Preview(ctx context.Context, workspace, name string, text json.RawMessage, at schema.Instant, wanted graphql.PreviewWanted) (out graphql.Preview, err error) {
	saved, err := r.set(workspace)
	if err != nil {
		return out, err
	}
	was := saved[name]
	set, s, err := r.with(workspace, name, text)
	if err != nil {
		return out, err
	}
	names, err := r.known(ctx, workspace)
	if err != nil {
		return out, err
	}
	if err := s.CheckTraits(names); err != nil {
		return out, err
	}
	if out.At = at; at == 0 {
		out.At = schema.InstantOf(r.Now())
	}
	out.Segment = s
	q := set.Compile(s, workspace, out.At)
	if err := r.Conn.QueryRow(ctx, "SELECT count() FROM ("+q.SQL+")", q.Params, engine, &out.Count); err != nil {
		return out, err
	}
	if err := r.Conn.QueryRow(ctx, "SELECT count() FROM current_people WHERE workspace = {workspace:String}", clickhouse.Params{"workspace": workspace}, engine, &out.People); err != nil {
		return out, err
	}
	if set.Scores(s) {
		var scored uint64
		err := r.Conn.QueryRow(ctx, "SELECT count() FROM current_people WHERE workspace = {workspace:String} AND isNotNull(recency)", clickhouse.Params{"workspace": workspace}, engine, &scored)
		if err != nil {
			return out, err
		}
		out.Unscored = scored == 0
	}
	if text != nil && was != nil && wanted.Changes {
		both := segment.Set{}
		for n, x := range saved {
			both[n] = x
		}
		q := both.CompileOr(was, s, workspace, out.At)
		if err := r.Conn.QueryRow(ctx, "SELECT countIf(after AND NOT before), countIf(before AND NOT after) FROM ("+q.SQL+")", q.Params, engine, &out.Entering, &out.Leaving); err != nil {
			return out, err
		}
	}
	if wanted.Sample > 0 {
		q := set.Compile(s, workspace, out.At)
		if out.Sample, err = r.profiles(ctx, "SELECT profile FROM ("+q.SQL+fmt.Sprintf(") ORDER BY profile LIMIT %d", wanted.Sample), q.Params); err != nil {
			return out, err
		}
	}
	if wanted.Reach {
		q := set.CompileReach(s, workspace, out.At)
		rows, err := r.Conn.Query(ctx, q.SQL, q.Params, engine)
		if err != nil {
			return out, err
		}
		defer rows.Close()
		for rows.Next() {
			var one graphql.Reach
			if err := rows.Scan(&one.Purpose, &one.Channel, &one.People); err != nil {
				return out, err
			}
			out.Reach = append(out.Reach, one)
		}
		if err := rows.Err(); err != nil {
			return out, err
		}
	}
	if wanted.Overlaps {
		if out.Overlaps, err = r.overlaps(ctx, set, s, workspace, out.At); err != nil {
			return out, err
		}
	}
	return out, nil
}

// maxOverlaps is with how many segments one is compared.
const maxOverlaps = 50

func (r *Reader) overlaps(ctx context.Context, set segment.Set, s *segment.Segment, workspace string, at schema.Instant) (out []graphql.Overlap, err error) {
	for _, other := range set.Live() {
		if other.Name == s.Name {
			continue
		}
		if len(out) == maxOverlaps {
			break
		}
		q := set.CompileOverlap(s, []*segment.Segment{other}, workspace, at)
		one := graphql.Overlap{Segment: other.Name}
		var members uint64
		if err := r.Conn.QueryRow(ctx, q.SQL, q.Params, engine, &members, &one.People); err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (r *Reader) profiles(ctx context.Context, sql string, params clickhouse.Params) (out []schema.ProfileID, err error) {
	rows, err := r.Conn.Query(ctx, sql, params, engine)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id schema.ProfileID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// Count says how many are in a saved segment at a time, 0 for now.
func (r *Reader) Count(ctx context.Context, workspace, name string, at schema.Instant) (n uint64, err error) {
	set, s, err := r.with(workspace, name, nil)
	if err != nil {
		return 0, err
	}
	if at == 0 {
		at = schema.InstantOf(r.Now())
	}
	q := set.Compile(s, workspace, at)
	err = r.Conn.QueryRow(ctx, "SELECT count() FROM ("+q.SQL+")", q.Params, engine, &n)
	return n, err
}

// Members lists the members of a saved segment after one, in the order of the table, at a time, 0 for now.
func (r *Reader) Members(ctx context.Context, workspace, name string, at schema.Instant, after schema.ProfileID, first int) ([]schema.ProfileID, error) {
	set, s, err := r.with(workspace, name, nil)
	if err != nil {
		return nil, err
	}
	if at == 0 {
		at = schema.InstantOf(r.Now())
	}
	q := set.Compile(s, workspace, at)
	q.Params["after"] = after.String()
	return r.profiles(ctx, "SELECT profile FROM ("+q.SQL+fmt.Sprintf(") WHERE toString(profile) > {after:String} ORDER BY toString(profile) LIMIT %d", first), q.Params)
}

// Explain evaluates each condition for one person; nil if nobody has the id.
func (r *Reader) Explain(ctx context.Context, workspace, name string, id schema.ProfileID, at schema.Instant, language string) (*graphql.Explained, error) {
	set, s, err := r.with(workspace, name, nil)
	if err != nil {
		return nil, err
	}
	if at == 0 {
		at = schema.InstantOf(r.Now())
	}
	if err := r.Visible(ctx); err != nil {
		return nil, err
	}
	people, err := r.People.People(ctx, workspace, []schema.ProfileID{id})
	if err != nil || len(people) == 0 || people[0] == nil {
		return nil, err
	}
	person := PersonOf(people[0])
	one := segment.Set{} // archived segments are explained too
	for n, x := range set {
		copied := *x
		copied.Archived = n != name
		one[n] = &copied
	}
	if person.Events, err = r.facts(ctx, workspace, people[0], one.Needs()); err != nil {
		return nil, err
	}
	if kinds := one.CareNeeds(); len(kinds) > 0 {
		var personas []schema.ProfileID
		for i := range people[0].Personas {
			personas = append(personas, people[0].Personas[i].ID)
		}
		said, err := Tables{r.Conn}.Care(ctx, workspace, kinds, personas)
		if err != nil {
			return nil, err
		}
		for _, id := range personas {
			person.Events = append(person.Events, said[id]...)
		}
	}
	if r.Assess != nil {
		worth, err := r.Assess(ctx, people)
		if err != nil {
			return nil, err
		}
		if len(worth) == 1 {
			person.Worth = worth[0]
		}
	}
	outcome, reasons := set.Explain(s, person, at, language)
	return &graphql.Explained{Profile: people[0].ID, Member: outcome.Member, Next: outcome.Next, At: at, Reasons: reasons}, nil
}

// maxFacts bounds how many events of one person are looked at.
const maxFacts = 100_000

// facts reads from the timeline what conditions see of a person's events.
func (r *Reader) facts(ctx context.Context, workspace string, p *graphql.Person, needs segment.Needs) (out []*segment.Fact, err error) {
	var types []string
	for kind := range needs.Types {
		types = append(types, kind.String())
	}
	if len(types) == 0 {
		return nil, nil
	}
	slices.Sort(types)
	var personas []schema.ProfileID
	for i := range p.Personas {
		personas = append(personas, p.Personas[i].ID)
	}
	rows, err := r.Conn.Query(ctx, fmt.Sprintf(`SELECT id, toUnixTimestamp64Micro(occurred_at), toString(type), toString(source), toString(channel), toString(actor), name, entity, conversation, case_id,
 toString(language), toString(currency), toString(rating_scale), amount, rating, properties
FROM events WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)} AND type IN {types:Array(String)} LIMIT %d`, maxFacts),
		clickhouse.Params{"workspace": workspace, "personas": personas, "types": types}, engine)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e schema.Event
		var at int64
		var kind, channel, actor, properties string
		if err := rows.Scan(&e.ID, &at, &kind, &e.Source, &channel, &actor, &e.Name, &e.Entity, &e.Conversation, &e.Case, &e.Language, &e.Currency, &e.RatingScale, &e.Amount, &e.Rating, &properties); err != nil {
			return nil, err
		}
		e.OccurredAt, e.Properties = schema.Instant(at), []byte(properties)
		e.Type, _ = schema.ParseType(kind) // the table has what events had
		e.Channel, _ = schema.ParseChannel(channel)
		e.Actor, _ = schema.ParseActor(actor)
		out = append(out, segment.FactOf(&e, needs.Paths))
	}
	return out, rows.Err()
}

// Changes lists who entered and left, latest first. profile zero is everybody; name "" is every segment.
func (r *Reader) Changes(ctx context.Context, workspace, name string, profile schema.ProfileID, before schema.Instant, first int) (out []graphql.SegmentChange, err error) {
	where := ""
	params := clickhouse.Params{"workspace": workspace}
	if name != "" {
		where, params["segment"] = where+" AND segment = {segment:String}", name
	} else {
		where += " AND position(segment, '@') = 0" // audiences
	}
	if !profile.IsZero() {
		where, params["profile"] = where+" AND profile = {profile:UUID}", profile
	}
	if before != 0 {
		where, params["before"] = where+" AND at <= {before:DateTime64(6)}", before
	}
	rows, err := r.Conn.Query(ctx, "SELECT id, toString(segment), profile, toUnixTimestamp64Micro(at) AS moment, entered, definition, toString(cause), event, other FROM current_segment_changes WHERE workspace = {workspace:String}"+where+
		fmt.Sprintf(" ORDER BY at DESC, id LIMIT %d", first), params, engine)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c graphql.SegmentChange
		var at int64
		var entered uint8
		if err := rows.Scan(&c.ID, &c.Segment, &c.Profile, &at, &entered, &c.Definition, &c.Cause, &c.Event, &c.Other); err != nil {
			return nil, err
		}
		c.At, c.Entered = schema.Instant(at), entered == 1
		out = append(out, c)
	}
	return out, rows.Err()
}

// Save makes a definition a part of the configuration and gives the segment as it is then. It is tried again when somebody else changed the configuration
// meanwhile: what is saved is this segment alone.
func (r *Reader) Save(ctx context.Context, caller graphql.Caller, name string, text json.RawMessage, reason, key string) (graphql.SegmentLine, error) {
	for range 10 {
		_, s, err := r.with(caller.Workspace, name, text)
		if err != nil {
			return graphql.SegmentLine{}, err
		}
		if !s.Archived {
			names, err := r.known(ctx, caller.Workspace)
			if err != nil {
				return graphql.SegmentLine{}, err
			}
			if err := s.CheckTraits(names); err != nil {
				return graphql.SegmentLine{}, err
			}
		}
		now := r.Control.State().Configuration(caller.Workspace)
		hash, canonical, err := r.document(now, name, s)
		if err != nil {
			return graphql.SegmentLine{}, err
		}
		if hash == now.Hash {
			return r.saved(caller.Workspace, name, s)
		}
		attempt := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "segment %q %q %q %s %s", caller.Workspace, caller.Actor, key, now.Hash, hash)).String()
		err = r.Control.Append(ctx, &schema.Control{
			ID: attempt, Kind: schema.ControlConfigurationChanged, Workspace: caller.Workspace, Actor: caller.Actor, Reason: reason,
			Configuration: &schema.ControlConfiguration{Document: canonical, Hash: hash, Base: now.Hash},
		})
		if refused := (*control.ErrRefused)(nil); errors.As(err, &refused) {
			continue
		}
		if err != nil {
			return graphql.SegmentLine{}, err
		}
		return r.saved(caller.Workspace, name, s)
	}
	return graphql.SegmentLine{}, &graphql.Error{Code: graphql.CodeConflict, Message: "the configuration keeps changing", Hint: "save again"}
}

func (r *Reader) saved(workspace, name string, s *segment.Segment) (graphql.SegmentLine, error) {
	set, err := r.set(workspace)
	if err == nil && (set[name] == nil || set[name].Version != s.Version) {
		return graphql.SegmentLine{}, &graphql.Error{Code: graphql.CodeConflict, Message: "somebody else has saved this segment meanwhile", Hint: "read it as it is now and decide again"}
	}
	return r.line(workspace, s), err
}

// document is the configuration with one segment put in.
func (r *Reader) document(now control.Configuration, name string, s *segment.Segment) (hash string, canonical []byte, err error) {
	whole := map[string]json.RawMessage{}
	if len(now.Document) > 0 {
		if err := json.Unmarshal(now.Document, &whole); err != nil {
			return "", nil, err
		}
	}
	segments := map[string]json.RawMessage{}
	if len(whole["segments"]) > 0 {
		if err := json.Unmarshal(whole["segments"], &segments); err != nil {
			return "", nil, err
		}
	}
	segments[name] = s.Source
	if whole["segments"], err = json.Marshal(segments); err != nil {
		return "", nil, err
	}
	text, err := json.Marshal(whole)
	if err != nil {
		return "", nil, err
	}
	return r.Check(text)
}
