package care

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Alerts gives the alerts that were raised, newest first, each with its case as it is now.
func (r Reader) Alerts(ctx context.Context, workspace string, f graphql.AlertFilter, after *graphql.Cursor, first int) (list []graphql.Alert, more bool, err error) {
	where, params := "", clickhouse.Params{"workspace": workspace, "first": first + 1}
	if f.Rules != nil {
		where, params["rules"] = where+" AND rule IN {rules:Array(String)}", f.Rules
	}
	if f.From != 0 {
		where, params["from"] = where+" AND raised_at >= {from:DateTime64(6, 'UTC')}", f.From
	}
	if f.To != 0 {
		where, params["to"] = where+" AND raised_at < {to:DateTime64(6, 'UTC')}", f.To
	}
	if after != nil {
		where += " AND (raised_at, id) < ({afterTime:DateTime64(6, 'UTC')}, {afterId:UUID})"
		params["afterTime"], params["afterId"] = after.OccurredAt, after.ID
	}
	rows, err := r.Conn.Query(ctx, `SELECT toUnixTimestamp64Micro(raised_at), alert FROM alerts FINAL
WHERE workspace = {workspace:String} AND deleted = 0`+where+`
ORDER BY raised_at DESC, id DESC LIMIT {first:UInt64}`, params, nil)
	if err != nil {
		return nil, false, fmt.Errorf("read the alerts: %w", err)
	}
	defer rows.Close()
	var ids []schema.EventID
	for rows.Next() {
		var a graphql.Alert
		var raised int64
		var text string
		if err := rows.Scan(&raised, &text); err != nil {
			return nil, false, fmt.Errorf("read the alerts: %w", err)
		}
		if err := json.Unmarshal([]byte(text), &a.Alert); err != nil {
			return nil, false, fmt.Errorf("read an alert: %w", err)
		}
		a.RaisedAt = schema.Instant(raised)
		list = append(list, a)
		if !a.Case.IsZero() {
			ids = append(ids, a.Case)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, false, fmt.Errorf("read the alerts: %w", err)
	}
	if more = len(list) > first; more {
		list = list[:first]
	}
	about, err := r.byID(ctx, workspace, ids)
	if err != nil {
		return nil, false, err
	}
	for i := range list {
		a := &list[i]
		if w, is := about[a.Case]; is {
			a.About = w
		} else if !a.Case.IsZero() { // an earlier event came since, or it is erased
			if a.About, err = r.About(ctx, workspace, a.Case); err != nil {
				return nil, false, err
			}
		}
	}
	return list, more, nil
}

// byID reads cases by their ids, with the profile that holds each now.
func (r Reader) byID(ctx context.Context, workspace string, ids []schema.EventID) (map[schema.EventID]*graphql.Waiting, error) {
	out := map[schema.EventID]*graphql.Waiting{}
	if len(ids) == 0 {
		return out, nil
	}
	var list []graphql.Waiting
	var personas []schema.ProfileID
	now := schema.InstantOf(r.Now())
	err := r.cases(ctx, workspace, now, namedCases("{ids:Array(UUID)}"), "", "", clickhouse.Params{"ids": ids},
		func(c *storedCase) {
			list, personas = append(list, r.at(c, workspace, now)), append(personas, c.persona)
		})
	if err != nil {
		return nil, err
	}
	profiles, err := r.profiles(ctx, workspace, personas)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Profile = personas[i]; !profiles[personas[i]].IsZero() {
			list[i].Profile = profiles[personas[i]]
		}
		out[list[i].First] = &list[i]
	}
	return out, nil
}
