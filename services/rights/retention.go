package rights

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// Retention is what is kept of each class, and until when.
type Retention struct {
	Classes []KeptClass `json:"classes"`
}

// KeptClass is a retention class.
type KeptClass struct {
	Class   string     `json:"class"`
	Purpose string     `json:"purpose,omitempty"`
	Years   *int       `json:"years"` // after the year of the event; null is for ever
	Types   []string   `json:"types"` // of events, whatever their source; empty: what sources declare, or whatever is of no other class
	Kept    []KeptYear `json:"kept"`
}

// KeptYear is a class in a year. Years that have ended are listed, too; years of which nothing is there and nothing has ended are not.
type KeptYear struct {
	Year   int    `json:"year"`
	Events int64  `json:"events"`
	Ends   string `json:"ends,omitempty"` // when it may go; empty: it is kept for ever
	State  string `json:"state"`          // KeptNow, KeptDue or KeptEnded
}

// The states of a class in a year.
const (
	KeptNow   = "KEPT"
	KeptDue   = "DUE" // its time is over: the next apply ends it
	KeptEnded = "ENDED"
)

// Expiry is what an apply ends, or would.
type Expiry struct {
	Years   []ExpiringYear      `json:"years"`   // what ends now, of which there are events
	Empty   int                 `json:"empty"`   // classes and years that end now without any event: what comes late of them is refused
	Held    []HeldYear          `json:"held"`    // what is due and stays, since the law has one keep what is in it
	Erasure *graphql.Erasure    `json:"erasure"` // how far the decision is; null: nothing was decided
	Holds   []graphql.LegalHold `json:"holds"`   // that keep what is held
}

// ExpiringYear is a class in a year that ends.
type ExpiringYear struct {
	schema.ExpiredYear
	Events int64 `json:"events"`
	People int64 `json:"people"` // accounts
}

// HeldYear is a class in a year that would end, were it not for a hold.
type HeldYear struct {
	schema.ExpiredYear
	Events int64 `json:"events"` // of those whom holds name
}

const pairSQL = "concat(retention, '/', toString(toYear(occurred_at, 'UTC')))"

// Retention says what is kept of each class and year, and until when.
func (r *Rights) Retention(ctx context.Context, c graphql.Caller) (*Retention, error) {
	if err := r.Visible(ctx); err != nil {
		return nil, err
	}
	const sql = "SELECT retention, toInt32(toYear(occurred_at, 'UTC')), toInt64(count()) FROM " + schema.TableEvents + " WHERE workspace = {workspace:String} GROUP BY 1, 2"
	rows, err := r.House.Query(ctx, sql, clickhouse.Params{"workspace": c.Workspace}, nil)
	if err != nil {
		return nil, fmt.Errorf("count events by class and year: %w", err)
	}
	defer rows.Close()
	kept := map[schema.ExpiredYear]int64{}
	for rows.Next() {
		var class string
		var year int32
		var n int64
		if err := rows.Scan(&class, &year, &n); err != nil {
			return nil, fmt.Errorf("count events by class and year: %w", err)
		}
		kept[schema.ExpiredYear{Class: class, Year: int(year)}] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count events by class and year: %w", err)
	}
	rules, names := r.RetentionRules()
	ended := r.Control.State().Expired(c.Workspace)
	due := rules.Due(r.Now(), ended)
	classes := map[string]map[int]KeptYear{}
	note := func(of schema.ExpiredYear, state string) {
		if classes[of.Class] == nil {
			classes[of.Class] = map[int]KeptYear{}
		}
		y := KeptYear{Year: of.Year, Events: kept[of], State: state}
		if at, ends := rules.Ends(of); ends {
			y.Ends = schema.InstantOf(at).String()
		}
		classes[of.Class][of.Year] = y
	}
	for of := range kept {
		note(of, KeptNow)
	}
	for _, of := range due {
		if kept[of] > 0 {
			note(of, KeptDue)
		}
	}
	for _, of := range ended {
		note(of, KeptEnded)
	}
	for _, name := range names {
		if classes[name] == nil {
			classes[name] = nil
		}
	}
	out := &Retention{Classes: []KeptClass{}}
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		declared := rules.Classes[name]
		k := KeptClass{Class: name, Purpose: declared.Purpose, Years: declared.Years, Types: nonNil(declared.Types), Kept: []KeptYear{}}
		for _, year := range slices.Sorted(maps.Keys(classes[name])) {
			k.Kept = append(k.Kept, classes[name][year])
		}
		out.Classes = append(out.Classes, k)
	}
	return out, nil
}

// heldOf counts the events of classes and years.
func (r *Rights) heldOf(ctx context.Context, workspace string, of []schema.ExpiredYear) (map[string]int64, error) {
	counted, err := r.count(ctx, workspace, of, "")
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for name, n := range counted {
		out[name] = n[0]
	}
	return out, nil
}

// count counts events and personas of classes and years; and is a further condition with the parameter personas.
func (r *Rights) count(ctx context.Context, workspace string, of []schema.ExpiredYear, and string, personas ...uuid.UUID) (map[string][2]int64, error) {
	names := make([]string, len(of))
	for n := range of {
		names[n] = of[n].String()
	}
	sql := "SELECT " + pairSQL + ", toInt64(count()), toInt64(uniqExact(persona)) FROM " + schema.TableEvents + " WHERE workspace = {workspace:String} AND " + pairSQL + " IN {names:Array(String)}" + and + " GROUP BY 1"
	params := clickhouse.Params{"workspace": workspace, "names": names}
	if and != "" {
		params["personas"] = personas
	}
	rows, err := r.House.Query(ctx, sql, params, nil)
	if err != nil {
		return nil, fmt.Errorf("count what ends: %w", err)
	}
	defer rows.Close()
	out := map[string][2]int64{}
	for rows.Next() {
		var name string
		var n [2]int64
		if err := rows.Scan(&name, &n[0], &n[1]); err != nil {
			return nil, fmt.Errorf("count what ends: %w", err)
		}
		out[name] = n
	}
	return out, rows.Err()
}

// Expire ends the classes and years whose time is over, and returns when that is decided; the roles do it, as they do an erasure. What somebody with a hold
// has something in stays whole until the hold is lifted: one secret is everybody's.
func (r *Rights) Expire(ctx context.Context, c graphql.Caller, reason string, dryRun bool) (*Expiry, error) {
	if err := r.Visible(ctx); err != nil {
		return nil, err
	}
	rules, _ := r.RetentionRules()
	state := r.Control.State()
	due := rules.Due(r.Now(), state.Expired(c.Workspace))
	out := &Expiry{Years: []ExpiringYear{}, Held: []HeldYear{}, Holds: []graphql.LegalHold{}}
	if len(due) == 0 {
		return out, nil
	}
	held, err := r.keptByHolds(ctx, c.Workspace, due)
	if err != nil {
		return nil, err
	}
	if len(held) > 0 {
		out.Holds = r.Holds(c.Workspace)
	}
	there, err := r.count(ctx, c.Workspace, due, "")
	if err != nil {
		return nil, err
	}
	decision := &schema.ControlErasure{CutOff: schema.InstantOf(r.Now()), Held: map[string]int64{}}
	for _, of := range due {
		if n := held[of.String()][0]; n > 0 {
			out.Held = append(out.Held, HeldYear{of, n})
			continue
		}
		decision.Expired = append(decision.Expired, of)
		if n := there[of.String()]; n[0] > 0 {
			out.Years = append(out.Years, ExpiringYear{of, n[0], n[1]})
			decision.Held[countInteractions] += n[0]
		} else {
			out.Empty++
		}
	}
	if dryRun || len(decision.Expired) == 0 {
		return out, nil
	}
	id := uuid.NewString()
	err = r.Control.Append(ctx, &schema.Control{
		ID: id, Kind: schema.ControlRetentionExpired, Workspace: c.Workspace, Actor: c.Actor, Reason: reason, Erasure: decision,
	})
	if err != nil {
		return nil, err
	}
	out.Erasure, err = r.progress(ctx, c.Workspace, r.erased(c.Workspace, id))
	return out, err
}

// keptByHolds counts the events of those whom holds name, by class and year.
func (r *Rights) keptByHolds(ctx context.Context, workspace string, due []schema.ExpiredYear) (map[string][2]int64, error) {
	derive := ids.New(r.Keys.PRF())
	var personas []uuid.UUID
	holds := r.Control.State().Holds(workspace)
	for i := range holds {
		personas = append(personas, heldBy(&holds[i], derive)...)
	}
	if len(personas) == 0 {
		return nil, nil
	}
	return r.count(ctx, workspace, due, " AND persona IN {personas:Array(UUID)}", personas...)
}

// heldBy are the public ids of those whom a hold names: what rows carry.
func heldBy(h *control.Hold, derive *ids.Deriver) (out []uuid.UUID) {
	for _, p := range h.Personas {
		out = append(out, uuid.UUID(derive.Public(p)))
	}
	return out
}
