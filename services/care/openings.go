package care

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Openings keeps in memory what the order of the inbox is made of: of each open case its id, customer, deadline and weights' inputs, some 120 bytes. Before each answer it
// takes over what was written since; a table of a million cases is not read through to find fifty. A case's content comes from the table, by id, or is that of the
// version which the table has (keptCases): a case which has gone from there can cost a page an entry, and what is no more is never shown. It is safe for
// concurrent use.
type Openings struct {
	conn  *clickhouse.Conn
	now   func() time.Time
	worth *Worth
	kept  keptCases

	mu    sync.Mutex
	known map[string]*openings // by workspace
}

type openings struct {
	mu     sync.Mutex
	loaded time.Time
	anew   chan *openings // one that is read beside, when there is; nil: none is being read
	seen   uint64         // the highest version that was taken over
	valued uint64         // what was known of customers' worth when the list was
	list   []opening
	at     map[schema.EventID]int // in list
}

type opening struct {
	id                     schema.EventID
	persona                schema.ProfileID
	criticality, influence float64
	value                  float64 // what the customer is worth
	since, due             int64   // microseconds since 1970; due 0: no deadline
}

// An entry may outlive a row that went without a trace, by an erasure or a table built anew. So all is read again beside the answers where it is older than
// reloadEvery, and before the next answer where nobody has asked for longer than reloadLatest.
const (
	reloadEvery  = time.Minute
	reloadLatest = 10 * time.Minute
	reloadLimit  = 2 * time.Minute // for a reading beside the answers
)

// NewOpenings makes an index that reads on first use. now is the clock of reloads alone. worth says what customers are worth; nil says nothing of anybody.
func NewOpenings(conn *clickhouse.Conn, now func() time.Time, worth *Worth) *Openings {
	return &Openings{conn: conn, now: now, worth: worth, known: map[string]*openings{}}
}

const openingColumns = `persona, criticality, influence, ifNull(toUnixTimestamp64Micro(waiting_since), toUnixTimestamp64Micro(opened_at)) AS since,
  ifNull(least(ifNull(next_reply_due, resolution_due), ifNull(resolution_due, next_reply_due)), toDateTime64(0, 6, 'UTC')) AS due`

// First gives the ids of the first n open cases by weights at an instant, in their order, and whether there are others.
func (o *Openings) First(ctx context.Context, workspace string, w care.Weights, at schema.Instant, n int) (ids []schema.EventID, more bool, err error) {
	o.mu.Lock()
	all := o.known[workspace]
	if all == nil {
		all = &openings{}
		o.known[workspace] = all
	}
	o.mu.Unlock()
	all.mu.Lock()
	defer all.mu.Unlock()
	switch age := o.now().Sub(all.loaded); {
	case all.at == nil || age > reloadLatest:
		err = o.load(ctx, workspace, all)
	default:
		if age > reloadEvery {
			o.refresh(workspace, all)
		}
		err = o.follow(ctx, workspace, all)
	}
	if err != nil {
		all.at = nil // anew, next time
		return nil, false, fmt.Errorf("read the open cases: %w", err)
	}
	all.valued = o.worth.fill(workspace, all.list, all.valued)
	return all.first(w, int64(at), n), len(all.list) > n, nil
}

// refresh has all open cases read beside the answers, and takes them over once they are. The caller holds all.mu.
func (o *Openings) refresh(workspace string, all *openings) {
	if all.anew == nil {
		read := make(chan *openings, 1)
		all.anew = read
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), reloadLimit)
			defer cancel()
			next := &openings{}
			if o.load(ctx, workspace, next) != nil {
				next = nil // tried again with the next answer
			}
			read <- next
		}()
		return
	}
	select {
	case next := <-all.anew:
		all.anew = nil
		if next != nil {
			all.loaded, all.seen, all.list, all.at, all.valued = next.loaded, next.seen, next.list, next.at, next.valued
		}
	default:
	}
}

// load reads all open cases.
func (o *Openings) load(ctx context.Context, workspace string, all *openings) error {
	all.loaded = o.now()
	p := clickhouse.Params{"workspace": workspace}
	// What is written between the two reads is taken over again by the next one.
	if err := o.conn.QueryRow(ctx, "SELECT max(version) FROM cases WHERE workspace = {workspace:String}", p, nil, &all.seen); err != nil {
		return err
	}
	all.list, all.at, all.valued = nil, map[schema.EventID]int{}, 0
	return o.read(ctx, "SELECT id, toUInt64(0) AS version, toUInt8(0) AS gone, "+openingColumns+" FROM current_cases WHERE workspace = {workspace:String}"+stillOpen, p, func(c opening, _ uint64, _ bool) {
		all.put(c)
	})
}

// follow takes over what was written since. The table's one writer writes one version after the other, so what is higher than all before is what is new.
func (o *Openings) follow(ctx context.Context, workspace string, all *openings) error {
	type change struct {
		opening
		version uint64
		gone    bool
	}
	latest := map[schema.EventID]change{}
	err := o.read(ctx, "SELECT id, version, toUInt8(deleted = 1 OR NOT (1"+stillOpen+")) AS gone, "+openingColumns+" FROM cases WHERE workspace = {workspace:String} AND version > {seen:UInt64}",
		clickhouse.Params{"workspace": workspace, "seen": all.seen}, func(c opening, version uint64, gone bool) {
			if version >= latest[c.id].version {
				latest[c.id] = change{c, version, gone}
			}
		})
	if err != nil {
		return err
	}
	for id, c := range latest {
		all.seen = max(all.seen, c.version)
		if c.gone {
			all.remove(id)
			o.kept.gone(workspace, id)
		} else {
			c.value, _ = o.worth.Of(workspace, c.persona)
			all.put(c.opening)
		}
	}
	return nil
}

func (o *Openings) read(ctx context.Context, sql string, p clickhouse.Params, yield func(c opening, version uint64, gone bool)) error {
	rows, err := o.conn.Query(ctx, sql, p, clickhouse.Settings{"max_threads": 2})
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c opening
		var version uint64
		var gone uint8
		var due schema.Instant
		if err := rows.Scan(&c.id, &version, &gone, &c.persona, &c.criticality, &c.influence, &c.since, &due); err != nil {
			return err
		}
		c.due = int64(due)
		yield(c, version, gone == 1)
	}
	return rows.Err()
}

func (a *openings) put(c opening) {
	if i, is := a.at[c.id]; is {
		a.list[i] = c
		return
	}
	a.at[c.id] = len(a.list)
	a.list = append(a.list, c)
}

func (a *openings) remove(id schema.EventID) {
	i, is := a.at[id]
	if !is {
		return
	}
	last := len(a.list) - 1
	a.list[i] = a.list[last]
	a.at[a.list[i].id] = i
	a.list = a.list[:last]
	delete(a.at, id)
}

// place is where a case stands in the inbox.
type place struct {
	lane  care.Lane
	score float64
	id    schema.EventID
}

func (p place) compare(other place) int {
	return cmp.Or(cmp.Compare(p.lane, other.lane), cmp.Compare(other.score, p.score), p.id.Compare(other.id))
}

// first are the ids of the first n, found in one pass. The formulas are those of the statement that reads the cases.
func (a *openings) first(w care.Weights, now int64, n int) []schema.EventID {
	top := &lastFirst{}
	for _, c := range a.list {
		wait := waited(c.since, c.due, now)
		p := place{lane: care.LaneOpen, id: c.id}
		switch {
		case c.criticality >= w.TopLane:
			p.lane = care.LaneCritical
		case wait >= 1:
			p.lane = care.LaneOverdue
		}
		if p.lane == care.LaneOverdue {
			p.score = w.Criticality*c.criticality + w.Wait*wait
		} else {
			p.score = w.Criticality*c.criticality + w.Wait*min(1, wait) + w.Value*c.value + w.Social*c.influence
		}
		if len(*top) < n {
			heap.Push(top, p)
		} else if n > 0 && p.compare((*top)[0]) < 0 {
			(*top)[0] = p
			heap.Fix(top, 0)
		}
	}
	slices.SortFunc(*top, place.compare)
	ids := make([]schema.EventID, len(*top))
	for i, p := range *top {
		ids[i] = p.id
	}
	return ids
}

// lastFirst is a heap whose first is the one that stands last.
type lastFirst []place

func (h lastFirst) Len() int           { return len(h) }
func (h lastFirst) Less(i, j int) bool { return h[i].compare(h[j]) > 0 }
func (h lastFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lastFirst) Push(x any)        { *h = append(*h, x.(place)) }

// Pop takes the one that stands last.
func (h *lastFirst) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	*h = (*h)[:last]
	return p
}
