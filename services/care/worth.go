package care

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Worth knows what customers are worth to a company by the last value snapshot that was taken: their percentile among all (value.Assessment.Percentile). It
// reads in the background whom it was asked about, so that nobody waits for it and no table is read for an answer; who is not read yet, or bought nothing,
// is worth 0. It is safe for concurrent use.
//
// What it knows holds for the purchases up to the snapshot. Orders that came late, merges and splits show at the latest a quarter of an hour after they were
// read again.
type Worth struct {
	Conn *clickhouse.Conn
	// Latest gives the last snapshot of a workspace and its version; nil if none was taken.
	Latest func(workspace string) (s *value.Snapshot, version string, err error)
	// Purchases gives the days on which people bought before an instant.
	Purchases func(ctx context.Context, workspace string, people [][]schema.PersonaID, before schema.Instant) ([][]value.Purchase, error)
	Now       func() time.Time

	mu      sync.Mutex
	known   map[string]*worths // by workspace
	changes uint64             // counts what was read, and taken anew
}

// worths are what is known of one workspace.
type worths struct {
	version string
	before  map[schema.ProfileID]float64 // by the same snapshot, until it is read again
	of      map[schema.ProfileID]float64 // by persona; 0 is nothing bought
	asked   map[schema.ProfileID]bool    // in line
	line    []schema.ProfileID
	reading bool
	begun   time.Time // when what is known was first asked for
}

const (
	worthFor   = 15 * time.Minute // until it is read again
	worthBatch = 500              // personas that are read at once
	mostWorths = 1_000_000        // personas that are remembered; some 100 bytes each
)

// Of gives what the holder of a persona is worth, 0 to 1, and the version of the snapshot that says so; "" while there is none, or it is not read yet.
func (w *Worth) Of(workspace string, persona schema.ProfileID) (percentile float64, version string) {
	if w == nil {
		return 0, ""
	}
	snapshot, latest, err := w.Latest(workspace)
	if err != nil || snapshot == nil {
		return 0, ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	percentile, known := w.ask(workspace, w.know(workspace, latest), snapshot, persona)
	if !known {
		return 0, ""
	}
	return percentile, latest
}

// ask gives what is known of a persona, and puts one that is not into line. The caller holds mu.
func (w *Worth) ask(workspace string, k *worths, s *value.Snapshot, persona schema.ProfileID) (percentile float64, known bool) {
	if percentile, known = k.of[persona]; known {
		return percentile, true
	}
	if !k.asked[persona] && len(k.of)+len(k.line) < mostWorths {
		k.asked[persona] = true
		k.line = append(k.line, persona)
		if !k.reading {
			k.reading = true
			go w.read(workspace, k, s)
		}
	}
	percentile, known = k.before[persona]
	return percentile, known
}

// fill brings the values of cases up to date, unless they are by seen, which it gives.
func (w *Worth) fill(workspace string, list []opening, seen uint64) (now uint64) {
	if w == nil {
		return 0
	}
	snapshot, latest, err := w.Latest(workspace)
	if err != nil || snapshot == nil {
		return seen // a snapshot stays when it was taken
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.know(workspace, latest)
	if w.changes == seen {
		return seen
	}
	for i := range list {
		list[i].value, _ = w.ask(workspace, k, snapshot, list[i].persona)
	}
	return w.changes
}

// know gives what is known by a snapshot. The caller holds mu.
func (w *Worth) know(workspace, version string) *worths {
	k := w.known[workspace]
	if now := w.Now(); k == nil || k.version != version || now.Sub(k.begun) > worthFor {
		next := &worths{version: version, of: map[schema.ProfileID]float64{}, asked: map[schema.ProfileID]bool{}, begun: now}
		if k != nil && k.version == version {
			next.before = k.of
		}
		k = next
		if w.known == nil {
			w.known = map[string]*worths{}
		}
		w.known[workspace] = k
		w.changes++
	}
	return k
}

// read reads who is in line, until nobody is. After an error those who were asked for are asked for again with what is known anew.
func (w *Worth) read(workspace string, k *worths, s *value.Snapshot) {
	for {
		w.mu.Lock()
		n := min(len(k.line), worthBatch)
		personas := k.line[:n:n]
		k.line = k.line[n:]
		k.reading = n > 0
		w.mu.Unlock()
		if n == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		found, err := w.assess(ctx, workspace, s, personas)
		cancel()
		w.mu.Lock()
		for _, p := range personas {
			if err == nil {
				k.of[p] = found[p]
				delete(k.asked, p)
			}
		}
		w.changes++
		w.mu.Unlock()
	}
}

// assess reads what the holders of personas have bought, and says what they are worth.
func (w *Worth) assess(ctx context.Context, workspace string, s *value.Snapshot, personas []schema.ProfileID) (map[schema.ProfileID]float64, error) {
	before, err := schema.ParseInstant(s.Settings.At)
	if err != nil {
		return nil, err // Unreachable: a snapshot was checked when it was read
	}
	holders, err := w.holders(ctx, workspace, personas)
	if err != nil {
		return nil, err
	}
	at := map[schema.ProfileID]int{} // by profile, in people
	var people [][]schema.PersonaID
	for persona, profile := range holders {
		i, known := at[profile]
		if !known {
			i = len(people)
			at[profile], people = i, append(people, nil)
		}
		people[i] = append(people[i], persona)
	}
	for _, p := range personas {
		if _, known := holders[p]; !known { // a profile of its own
			holders[p] = p
			at[p], people = len(people), append(people, []schema.PersonaID{p})
		}
	}
	purchases, err := w.Purchases(ctx, workspace, people, before)
	if err != nil {
		return nil, err
	}
	found := map[schema.ProfileID]float64{}
	for _, p := range personas {
		if a, bought := s.Assess(purchases[at[holders[p]]]); bought && a.Percentile != nil {
			found[p] = *a.Percentile
		}
	}
	return found, nil
}

// holders says which profile holds each of the personas, and each other one of these profiles. Who is not in it is a profile of his own.
func (w *Worth) holders(ctx context.Context, workspace string, personas []schema.ProfileID) (out map[schema.ProfileID]schema.ProfileID, err error) {
	rows, err := w.Conn.Query(ctx, `SELECT persona, profile FROM persona_map WHERE workspace = {workspace:String}
  AND profile IN (SELECT profile FROM persona_map WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)})`,
		clickhouse.Params{"workspace": workspace, "personas": personas}, clickhouse.Settings{"max_threads": 1})
	if err != nil {
		return nil, fmt.Errorf("read who the customers of cases are: %w", err)
	}
	defer rows.Close()
	out = map[schema.ProfileID]schema.ProfileID{}
	for rows.Next() {
		var persona, profile schema.ProfileID
		if err := rows.Scan(&persona, &profile); err != nil {
			return nil, fmt.Errorf("read who the customers of cases are: %w", err)
		}
		out[persona] = profile
	}
	return out, rows.Err()
}
