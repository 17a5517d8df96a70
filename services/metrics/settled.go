package metrics

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// settledTables remembers what versions parts of tables have. A part never changes, and its name with the digest of its files is never another's.
type settledTables struct {
	mu    sync.Mutex
	parts map[string]map[partKey]partSpan // by table
}

type partKey struct {
	name   string
	digest string
}

type partSpan struct {
	rows         uint64
	oldest, last uint64 // versions
}

// settle gives a statement over what is settled of its tables. A table's largest merged part has one row of each id. If every other part is newer, all
// rows up to the part's last version are alone, and stay so, however parts are merged: the tables' one writer never writes an older version.
func (r *Reader) settle(ctx context.Context, s metric.Statement) (metric.Statement, error) {
	upTo := map[string]uint64{}
	for _, table := range s.Tables() {
		version, ok, err := r.settledUpTo(ctx, table)
		if err != nil {
			return s, err
		}
		if ok {
			upTo[table] = version
		}
	}
	return s.Settled(upTo), nil
}

// mostYoung is the share of rows outside the largest part above which the whole table is merged as it is read: more of them would cost more to look
// through.
const mostYoung = .3

// fewRows is the size of a table that is not worth the trouble.
const fewRows = 50_000

func (r *Reader) settledUpTo(ctx context.Context, table string) (version uint64, ok bool, err error) {
	active, err := r.partsOf(ctx, table)
	if err != nil {
		return 0, false, fmt.Errorf("read the parts of %s: %w", table, err)
	}
	var base partKey
	all := uint64(0)
	for k, p := range active {
		all += p.rows
		if merged(k.name) && p.rows > active[base].rows {
			base = k
		}
	}
	largest := active[base]
	if largest.last == 0 || all < fewRows || float64(all-largest.rows) > mostYoung*float64(all) {
		return 0, false, nil
	}
	for k, p := range active {
		if k != base && p.oldest <= largest.last {
			return 0, false, nil
		}
	}
	return largest.last, true, nil
}

// merged says whether a part comes from a merge: its name ends with the level, or with the level and the mutation.
func merged(name string) bool {
	fields := strings.Split(name, "_")
	if len(fields) < 4 {
		return false
	}
	level, err := strconv.Atoi(fields[3])
	return err == nil && level > 0
}

// partsOf gives the active parts of a table with their versions. New ones are read, which costs their column of versions.
func (r *Reader) partsOf(ctx context.Context, table string) (map[partKey]partSpan, error) {
	r.settled.mu.Lock()
	defer r.settled.mu.Unlock()
	known, active, unread := r.settled.parts[table], map[partKey]partSpan{}, map[string]partKey{}
	rows, err := r.House.Query(ctx, "SELECT name, hash_of_all_files, rows FROM system.parts WHERE database = currentDatabase() AND table = {table:String} AND active",
		clickhouse.Params{"table": table}, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var k partKey
		var n uint64
		if err := rows.Scan(&k.name, &k.digest, &n); err != nil {
			return nil, err
		}
		if span, ok := known[k]; ok {
			active[k] = span
			continue
		}
		names, unread[k.name], active[k] = append(names, k.name), k, partSpan{n, 0, 0}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(names) > 0 {
		spans, err := r.House.Query(ctx, "SELECT toString(_part), min(version), max(version) FROM "+table+" WHERE _part IN {parts:Array(String)} GROUP BY _part",
			clickhouse.Params{"parts": names}, reading)
		if err != nil {
			return nil, err
		}
		defer spans.Close()
		for spans.Next() {
			var name string
			var span partSpan
			if err := spans.Scan(&name, &span.oldest, &span.last); err != nil {
				return nil, err
			}
			span.rows = active[unread[name]].rows
			active[unread[name]] = span
		}
		if err := spans.Err(); err != nil {
			return nil, err
		}
	}
	// A part that was merged away meanwhile was not read: its versions are not known, so nothing is settled this time, and it is not remembered.
	remember := map[partKey]partSpan{}
	for k, span := range active {
		if span.last > 0 {
			remember[k] = span
		}
	}
	if r.settled.parts == nil {
		r.settled.parts = map[string]map[partKey]partSpan{}
	}
	r.settled.parts[table] = remember
	return active, nil
}
