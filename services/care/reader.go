package care

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Reader reads the cases that are not resolved. It is safe for concurrent use. Errors are classed.
type Reader struct {
	Conn  *clickhouse.Conn
	Rules func() *care.Rules // those in force
	Now   func() time.Time
	Kept  func() bool // whether a process keeps cases; nil is always
	// Openings finds the first cases of the inbox; nil reads all open ones from the table.
	Openings *Openings
}

var _ graphql.Care = Reader{}

// casesSQL gives cases with what their priority is made of. The order is that of care.Weights.Prioritise: the lane, then the score.
// Deadlines and waits are microseconds since 1970, 0 where there is none.
const casesSQL = `WITH ifNull(toUnixTimestamp64Micro(next_reply_due), 0) AS reply_due, ifNull(toUnixTimestamp64Micro(resolution_due), 0) AS resolve_due,
  if(reply_due = 0, resolve_due, if(resolve_due = 0, reply_due, least(reply_due, resolve_due))) AS due,
  ifNull(toUnixTimestamp64Micro(waiting_since), 0) AS asked, if(asked = 0, toUnixTimestamp64Micro(opened_at), asked) AS since,
  if(due = 0, 0., if(due <= since, 1., greatest(0, {now:Int64} - since) / (due - since))) AS wait,
  multiIf(criticality >= {top:Float64}, 0, wait >= 1, 1, 2) AS lane,
  if(lane = 1, {c:Float64} * criticality + {w:Float64} * wait, {c:Float64} * criticality + {w:Float64} * least(1, wait) + {s:Float64} * influence) AS score
SELECT id, version, persona, personas, number, state, channel, theme, toUnixTimestamp64Micro(opened_at) AS opened, toUnixTimestamp64Micro(last_contact_at) AS contact, asked, due,
  criticality, influence, criticality_reasons, promises, promises_kept, promises_broken, ifNull(toUnixTimestamp64Micro(promise_due), 0) AS promised,
  owner, team, brand, complaint, resolution, next_step, ifNull(toUnixTimestamp64Micro(next_step_due), 0) AS next_due, reply_due, resolve_due,
  ifNull(toUnixTimestamp64Micro(last_resolved_at), 0) AS resolved, calendar, details, flags
FROM `

// allCases reads every case.
const allCases = `(SELECT *, toUInt64(0) AS version FROM current_cases)
WHERE workspace = {workspace:String}`

// namedCases reads the cases of a set of ids. A view with FINAL reads every column of the thousand rows around each of them before it looks at the id; here that
// happens to the few rows that have the id, of which the latest version counts.
func namedCases(ids string) string {
	return `(SELECT id, version, persona, personas, number, state, channel, theme, opened_at, last_contact_at, waiting_since, next_reply_due, resolution_due, criticality, influence, criticality_reasons,
    promises, promises_kept, promises_broken, promise_due, owner, team, brand, complaint, resolution, next_step, next_step_due, last_resolved_at, calendar, details, flags, deleted
  FROM cases
  WHERE workspace = {workspace:String} AND id IN ` + ids + `
  ORDER BY version DESC
  LIMIT 1 BY id)
WHERE deleted = 0`
}

// stillOpen are the cases that somebody has to do something for.
const stillOpen = " AND state NOT IN ('resolved', 'merged', 'answered')"

const openOrder = "\nORDER BY lane, score DESC, id"

// storedCase is a case as its row has it: what does not depend on when it is read, by which weights, or on what its customer is worth.
type storedCase struct {
	graphql.Waiting // without Asked, Profile, Priority, ValueSnapshot and OpenLeft
	version         uint64
	persona         schema.ProfileID
	personas        []schema.ProfileID
	inputs          care.Inputs // without Wait and Value
	size            int         // of its texts, in bytes
}

// at tells the case as of an instant. It shares what the stored one holds, which nobody changes.
func (r Reader) at(c *storedCase, workspace string, now schema.Instant) graphql.Waiting {
	w, in, rules := c.Waiting, c.inputs, r.Rules()
	w.Asked = now
	since := w.WaitingSince
	if since == 0 {
		since = w.OpenedAt
	}
	in.Wait = waited(int64(since), int64(w.DueAt), int64(now))
	w.OpenLeft = care.NoSpan
	if w.DueAt >= now {
		if left, known := rules.Open(w.Calendar, now, w.DueAt); known {
			w.OpenLeft = left
		}
	}
	if r.Openings != nil {
		in.Value, w.ValueSnapshot = r.Openings.worth.Of(workspace, c.persona)
	}
	w.Priority = rules.Weights.Prioritise(in)
	return w
}

// waited is the time waited over the time allowed, as casesSQL has it: 0 without a deadline.
func waited(since, due, now int64) float64 {
	switch {
	case due == 0:
		return 0
	case due <= since:
		return 1
	}
	return float64(max(0, now-since)) / float64(due-since)
}

// cases runs casesSQL over a table and its condition, with a further condition and a limit.
func (r Reader) cases(ctx context.Context, workspace string, now schema.Instant, from, where, limit string, more clickhouse.Params, yield func(c *storedCase)) error {
	weights := r.Rules().Weights
	params := clickhouse.Params{"workspace": workspace, "now": int64(now), "top": weights.TopLane, "c": weights.Criticality, "w": weights.Wait, "s": weights.Social}
	for name, value := range more {
		params[name] = value
	}
	rows, err := r.Conn.Query(ctx, casesSQL+from+where+openOrder+limit, params, nil)
	if err != nil {
		return fmt.Errorf("read the open cases: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		c := &storedCase{}
		w := &c.Waiting
		var opened, contact, asked, due, promised, next, reply, resolution, resolved int64
		var complaint uint8
		var details string
		if err := rows.Scan(&w.First, &c.version, &c.persona, &c.personas, &w.ID, &w.State, &w.Channel, &w.Theme, &opened, &contact, &asked, &due, &c.inputs.Criticality, &c.inputs.Social, &w.Reasons,
			&w.Promises, &w.Kept, &w.Broken, &promised, &w.Owner, &w.Team, &w.Brand, &complaint, &w.Resolution, &w.NextStep, &next, &reply, &resolution, &resolved, &w.Calendar,
			&details, &w.Flags); err != nil {
			return fmt.Errorf("read the open cases: %w", err)
		}
		w.Complaint = complaint != 0
		w.OpenedAt, w.LastContact, w.WaitingSince, w.DueAt, w.Promised = schema.Instant(opened), schema.Instant(contact), schema.Instant(asked), schema.Instant(due), schema.Instant(promised)
		w.NextStepDue, w.ReplyDue, w.ResolutionDue, w.ResolvedAt = schema.Instant(next), schema.Instant(reply), schema.Instant(resolution), schema.Instant(resolved)
		if w.Tasks, w.Told, w.Notes, w.Gestures, err = care.ReadDetails([]byte(details)); err != nil {
			return fmt.Errorf("read the details of case %s: %w", w.First, err)
		}
		if w.Moderations, err = care.Moderations([]byte(details)); err != nil {
			return fmt.Errorf("read the details of case %s: %w", w.First, err) // Unreachable: they were just read
		}
		c.size = 2*len(details) + len(w.ID) + len(w.Owner) + len(w.NextStep) + 16*len(c.personas)
		yield(c)
	}
	return rows.Err()
}

// Inbox gives a part of the open cases, with the profile that holds each now, in the order of the weights in force or of others.
func (r Reader) Inbox(ctx context.Context, workspace string, simulated *care.Weights, at schema.Instant, skip, first int) (list []graphql.Waiting, asked schema.Instant, more bool, err error) {
	if asked = at; asked == 0 {
		asked = schema.InstantOf(r.Now())
	}
	if simulated != nil {
		inForce := *r.Rules()
		inForce.Weights = *simulated
		r.Rules = func() *care.Rules { return &inForce }
	}
	var stored []*storedCase
	if r.Openings != nil {
		var ids []schema.EventID
		if ids, more, err = r.Openings.First(ctx, workspace, r.Rules().Weights, asked, skip+first); err != nil {
			return nil, 0, false, err
		}
		if stored, err = r.named(ctx, workspace, asked, ids[min(skip, len(ids)):]); err != nil {
			return nil, 0, false, err
		}
	} else {
		err := r.cases(ctx, workspace, asked, allCases, stillOpen, fmt.Sprintf("\nLIMIT %d OFFSET %d", first+1, skip), nil, func(c *storedCase) { stored = append(stored, c) })
		if err != nil {
			return nil, 0, false, err
		}
		if more = len(stored) > first; more {
			stored = stored[:first]
		}
	}
	personas := make([]schema.ProfileID, len(stored))
	for i, c := range stored {
		w := r.at(c, workspace, asked)
		w.Profile, personas[i] = c.persona, c.persona
		list = append(list, w)
	}
	profiles, err := r.profiles(ctx, workspace, personas)
	if err != nil {
		return nil, 0, false, err
	}
	for i := range list {
		if profile, known := profiles[list[i].Profile]; known {
			list[i].Profile = profile
		}
	}
	return list, asked, more, nil
}

// named gives the open cases of some ids, in their order; those that are no more, or not open, are left out. Rows that were read before are taken from memory if the
// table has no later version of them: to read whole rows costs a page most of its time, since each lies among a thousand others.
func (r Reader) named(ctx context.Context, workspace string, now schema.Instant, ids []schema.EventID) ([]*storedCase, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	versions, err := r.versions(ctx, workspace, ids)
	if err != nil {
		return nil, err
	}
	found := r.Openings.kept.of(workspace, versions)
	var missing []schema.EventID
	for id := range versions {
		if found[id] == nil {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		err := r.cases(ctx, workspace, now, namedCases("{ids:Array(UUID)}"), stillOpen, "", clickhouse.Params{"ids": missing}, func(c *storedCase) { found[c.First] = c })
		if err != nil {
			return nil, err
		}
		r.Openings.kept.keep(workspace, missing, found)
	}
	list := make([]*storedCase, 0, len(ids))
	for _, id := range ids {
		if c := found[id]; c != nil {
			list = append(list, c)
		}
	}
	return list, nil
}

// versions gives the latest version of each of some cases; those that are no more are left out.
func (r Reader) versions(ctx context.Context, workspace string, ids []schema.EventID) (map[schema.EventID]uint64, error) {
	rows, err := r.Conn.Query(ctx, `SELECT id, max(version) AS latest FROM cases WHERE workspace = {workspace:String} AND id IN {ids:Array(UUID)} GROUP BY id HAVING argMax(deleted, version) = 0`,
		clickhouse.Params{"workspace": workspace, "ids": ids}, clickhouse.Settings{"max_threads": 1})
	if err != nil {
		return nil, fmt.Errorf("read the versions of open cases: %w", err)
	}
	defer rows.Close()
	out := make(map[schema.EventID]uint64, len(ids))
	for rows.Next() {
		var id schema.EventID
		var version uint64
		if err := rows.Scan(&id, &version); err != nil {
			return nil, fmt.Errorf("read the versions of open cases: %w", err)
		}
		out[id] = version
	}
	return out, rows.Err()
}

// profiles says which profile holds each persona now; who is not in the map is a profile of its own.
func (r Reader) profiles(ctx context.Context, workspace string, personas []schema.ProfileID) (map[schema.ProfileID]schema.ProfileID, error) {
	out := map[schema.ProfileID]schema.ProfileID{}
	if len(personas) == 0 {
		return out, nil
	}
	rows, err := r.Conn.Query(ctx, `SELECT persona, profile
FROM (SELECT persona, profile, deleted FROM persona_profile WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)} ORDER BY version DESC LIMIT 1 BY persona)
WHERE deleted = 0`,
		clickhouse.Params{"workspace": workspace, "personas": personas}, nil)
	if err != nil {
		return nil, fmt.Errorf("read whose the cases are: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var persona, profile schema.ProfileID
		if err := rows.Scan(&persona, &profile); err != nil {
			return nil, fmt.Errorf("read whose the cases are: %w", err)
		}
		out[persona] = profile
	}
	return out, rows.Err()
}

// Open gives the open cases of each of several people: those that name one of their personas.
func (r Reader) Open(ctx context.Context, workspace string, people [][]schema.PersonaID) ([][]graphql.Waiting, error) {
	return r.of(ctx, workspace, people, stillOpen)
}

// Cases gives the cases that a source keeps of each of several people, the one with the latest contact first.
func (r Reader) Cases(ctx context.Context, workspace string, people [][]schema.PersonaID) (list [][]graphql.Waiting, kept bool, err error) {
	if r.Kept != nil && !r.Kept() {
		return nil, false, nil
	}
	list, err = r.of(ctx, workspace, people, " AND number != ''")
	for _, cases := range list {
		slices.SortFunc(cases, func(a, b graphql.Waiting) int {
			return cmp.Or(cmp.Compare(b.LastContact, a.LastContact), a.First.Compare(b.First))
		})
	}
	return list, true, err
}

// places says at which place each of several people's personas stand.
func places(people [][]schema.PersonaID) (all []schema.PersonaID, of map[schema.PersonaID]int) {
	of = map[schema.PersonaID]int{}
	for i, personas := range people {
		for _, p := range personas {
			if _, known := of[p]; !known {
				of[p] = i
				all = append(all, p)
			}
		}
	}
	return all, of
}

// each calls yield once for each of the people who have one of the personas.
func each(of map[schema.PersonaID]int, personas []schema.ProfileID, yield func(person int)) {
	told := map[int]bool{}
	for _, p := range personas {
		if i, is := of[p]; is && !told[i] {
			told[i] = true
			yield(i)
		}
	}
}

// of gives the cases of each of several people that a condition lets through.
func (r Reader) of(ctx context.Context, workspace string, people [][]schema.PersonaID, where string) ([][]graphql.Waiting, error) {
	out := make([][]graphql.Waiting, len(people))
	all, of := places(people)
	if len(all) == 0 {
		return out, nil
	}
	var list []graphql.Waiting
	var whose [][]schema.ProfileID
	theirs := namedCases("(SELECT id FROM cases WHERE workspace = {workspace:String} AND hasAny(personas, {all:Array(UUID)}))")
	now := schema.InstantOf(r.Now())
	err := r.cases(ctx, workspace, now, theirs, where+" AND hasAny(personas, {all:Array(UUID)})", "", clickhouse.Params{"all": all},
		func(c *storedCase) { list, whose = append(list, r.at(c, workspace, now)), append(whose, c.personas) })
	if err != nil {
		return out, err
	}
	for n := range list {
		each(of, whose[n], func(i int) { out[i] = append(out[i], list[n]) })
	}
	return out, nil
}

// Contacts gives the latest conversations of each of several people, newest first, with what was promised in each: a promise belongs to the latest
// conversation of its case that had begun when it was made.
func (r Reader) Contacts(ctx context.Context, workspace string, people [][]schema.PersonaID, first int) ([][]graphql.LastContact, error) {
	out := make([][]graphql.LastContact, len(people))
	all, of := places(people)
	if len(all) == 0 {
		return out, nil
	}
	asked := schema.InstantOf(r.Now())
	rows, err := r.Conn.Query(ctx, `SELECT id, personas, case_id, channel, outcome, theme, toUnixTimestamp64Micro(opened_at), toUnixTimestamp64Micro(last_at) AS last, agents
FROM (SELECT id, personas, case_id, channel, outcome, theme, opened_at, last_at, agents, deleted
  FROM conversations
  WHERE workspace = {workspace:String} AND id IN (SELECT id FROM conversations WHERE workspace = {workspace:String} AND hasAny(personas, {all:Array(UUID)}))
  ORDER BY version DESC
  LIMIT 1 BY id)
WHERE deleted = 0 AND hasAny(personas, {all:Array(UUID)})
ORDER BY last DESC, id`, clickhouse.Params{"workspace": workspace, "all": all}, nil)
	if err != nil {
		return nil, fmt.Errorf("read the last conversations: %w", err)
	}
	defer rows.Close()
	cases := map[schema.EventID]bool{}
	var ids []schema.EventID
	for rows.Next() {
		c := graphql.LastContact{Asked: asked}
		var personas []schema.ProfileID
		var opened, last int64
		if err := rows.Scan(&c.ID, &personas, &c.Case, &c.Channel, &c.Outcome, &c.Theme, &opened, &last, &c.Agents); err != nil {
			return nil, fmt.Errorf("read the last conversations: %w", err)
		}
		c.OpenedAt, c.LastAt = schema.Instant(opened), schema.Instant(last)
		each(of, personas, func(i int) {
			if len(out[i]) < first {
				out[i] = append(out[i], c)
				if !cases[c.Case] {
					cases[c.Case] = true
					ids = append(ids, c.Case)
				}
			}
		})
	}
	if err := rows.Err(); err != nil || len(ids) == 0 {
		return out, err
	}
	promised, complaints, err := r.promised(ctx, workspace, ids)
	if err != nil {
		return nil, err
	}
	for _, list := range out {
		for n := range list {
			list[n].Complaint = complaints[list[n].Case]
		}
		for id, promises := range promised {
			for _, p := range promises {
				if n := during(list, id, p.MadeAt); n >= 0 {
					list[n].Promises = append(list[n].Promises, p)
				}
			}
		}
	}
	return out, nil
}

// promised gives the promises of cases, and which of these are complaints.
func (r Reader) promised(ctx context.Context, workspace string, ids []schema.EventID) (map[schema.EventID][]care.Promise, map[schema.EventID]bool, error) {
	promises, complaints := map[schema.EventID][]care.Promise{}, map[schema.EventID]bool{}
	rows, err := r.Conn.Query(ctx, `SELECT id, complaint, if(promises > 0, details, '')
FROM (SELECT id, complaint, promises, details, deleted FROM cases WHERE workspace = {workspace:String} AND id IN {ids:Array(UUID)} ORDER BY version DESC LIMIT 1 BY id)
WHERE deleted = 0`,
		clickhouse.Params{"workspace": workspace, "ids": ids}, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("read what was promised: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id schema.EventID
		var complaint uint8
		var details string
		if err := rows.Scan(&id, &complaint, &details); err != nil {
			return nil, nil, fmt.Errorf("read what was promised: %w", err)
		}
		complaints[id] = complaint != 0
		if _, promises[id], _, _, err = care.ReadDetails([]byte(details)); err != nil {
			return nil, nil, fmt.Errorf("read the details of case %s: %w", id, err)
		}
	}
	return promises, complaints, rows.Err()
}

// during finds the place of the latest conversation of a case that had begun at a time, in a list that is newest first; -1 if there is none.
func during(list []graphql.LastContact, of schema.EventID, at string) int {
	made, err := schema.ParseInstant(at)
	found := -1
	for n := range list {
		if err == nil && list[n].Case == of && list[n].OpenedAt <= made && (found < 0 || list[n].OpenedAt > list[found].OpenedAt) {
			found = n
		}
	}
	return found
}
