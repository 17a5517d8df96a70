package care

import (
	"context"
	"fmt"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Reader reads the cases that are not resolved. It is safe for concurrent use. Errors are classed.
type Reader struct {
	Conn    *clickhouse.Conn
	Weights func() care.Weights // those in force
	Now     func() time.Time
}

var _ graphql.Care = Reader{}

// openSQL gives the open cases with what their priority is made of. The order is that of care.Weights.Prioritise: the lane, then the score.
// Deadlines and waits are microseconds since 1970, 0 where there is none.
const openSQL = `WITH ifNull(toUnixTimestamp64Micro(next_reply_due), 0) AS reply_due, ifNull(toUnixTimestamp64Micro(resolution_due), 0) AS resolve_due,
  if(reply_due = 0, resolve_due, if(resolve_due = 0, reply_due, least(reply_due, resolve_due))) AS due,
  ifNull(toUnixTimestamp64Micro(waiting_since), 0) AS asked, if(asked = 0, toUnixTimestamp64Micro(opened_at), asked) AS since,
  if(due = 0, 0., if(due <= since, 1., greatest(0, {now:Int64} - since) / (due - since))) AS wait,
  multiIf(criticality >= {top:Float64}, 0, wait >= 1, 1, 2) AS lane,
  if(lane = 1, {c:Float64} * criticality + {w:Float64} * wait, {c:Float64} * criticality + {w:Float64} * least(1, wait) + {s:Float64} * influence) AS score
SELECT id, persona, personas, number, state, channel, theme, toUnixTimestamp64Micro(opened_at) AS opened, toUnixTimestamp64Micro(last_contact_at) AS contact, asked, due, wait,
  criticality, influence, criticality_reasons, promises, promises_kept, promises_broken, ifNull(toUnixTimestamp64Micro(promise_due), 0) AS promised
FROM current_cases
WHERE workspace = {workspace:String} AND state NOT IN ('resolved', 'merged', 'answered')`

const openOrder = "\nORDER BY lane, score DESC, id"

// open runs openSQL with a further condition and a limit.
func (r Reader) open(ctx context.Context, workspace string, now schema.Instant, where, limit string, more clickhouse.Params, yield func(w graphql.Waiting, persona schema.ProfileID, personas []schema.ProfileID)) error {
	weights := r.Weights()
	params := clickhouse.Params{"workspace": workspace, "now": int64(now), "top": weights.TopLane, "c": weights.Criticality, "w": weights.Wait, "s": weights.Social}
	for name, value := range more {
		params[name] = value
	}
	rows, err := r.Conn.Query(ctx, openSQL+where+openOrder+limit, params, nil)
	if err != nil {
		return fmt.Errorf("read the open cases: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		w := graphql.Waiting{Asked: now}
		var persona schema.ProfileID
		var personas []schema.ProfileID
		var opened, contact, asked, due, promised int64
		in := care.Inputs{}
		if err := rows.Scan(&w.First, &persona, &personas, &w.ID, &w.State, &w.Channel, &w.Theme, &opened, &contact, &asked, &due, &in.Wait, &in.Criticality, &in.Social, &w.Reasons,
			&w.Promises, &w.Kept, &w.Broken, &promised); err != nil {
			return fmt.Errorf("read the open cases: %w", err)
		}
		w.OpenedAt, w.LastContact, w.WaitingSince, w.DueAt, w.Promised = schema.Instant(opened), schema.Instant(contact), schema.Instant(asked), schema.Instant(due), schema.Instant(promised)
		w.Priority = weights.Prioritise(in)
		yield(w, persona, personas)
	}
	return rows.Err()
}

// Inbox gives a part of the open cases, with the profile that holds each now.
func (r Reader) Inbox(ctx context.Context, workspace string, at schema.Instant, skip, first int) (list []graphql.Waiting, asked schema.Instant, more bool, err error) {
	if asked = at; asked == 0 {
		asked = schema.InstantOf(r.Now())
	}
	var personas []schema.ProfileID
	err = r.open(ctx, workspace, asked, "", fmt.Sprintf("\nLIMIT %d OFFSET %d", first+1, skip), nil, func(w graphql.Waiting, persona schema.ProfileID, _ []schema.ProfileID) {
		w.Profile = persona
		list, personas = append(list, w), append(personas, persona)
	})
	if err != nil {
		return nil, 0, false, err
	}
	if more = len(list) > first; more {
		list, personas = list[:first], personas[:first]
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

// profiles says which profile holds each persona now; who is not in the map is a profile of its own.
func (r Reader) profiles(ctx context.Context, workspace string, personas []schema.ProfileID) (map[schema.ProfileID]schema.ProfileID, error) {
	out := map[schema.ProfileID]schema.ProfileID{}
	if len(personas) == 0 {
		return out, nil
	}
	rows, err := r.Conn.Query(ctx, "SELECT persona, profile FROM persona_map WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}",
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
	out := make([][]graphql.Waiting, len(people))
	var all []schema.PersonaID
	of := map[schema.PersonaID]int{}
	for i, personas := range people {
		for _, p := range personas {
			if _, known := of[p]; !known {
				of[p] = i
				all = append(all, p)
			}
		}
	}
	if len(all) == 0 {
		return out, nil
	}
	err := r.open(ctx, workspace, schema.InstantOf(r.Now()), " AND hasAny(personas, {all:Array(UUID)})", "", clickhouse.Params{"all": all},
		func(w graphql.Waiting, _ schema.ProfileID, personas []schema.ProfileID) {
			told := map[int]bool{}
			for _, p := range personas {
				if i, is := of[p]; is && !told[i] {
					told[i] = true
					out[i] = append(out[i], w)
				}
			}
		})
	return out, err
}
