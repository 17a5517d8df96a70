package main

import (
	"context"
	"fmt"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

const (
	forecastOver  = 7 * 24 * time.Hour // how far back the growth is measured
	forecastLeast = time.Hour          // what a forecast needs to stand on
	shortOfDisk   = int64(1 << 30)
	fullSoon      = 3 * 24 * time.Hour
)

// forecast says how fast a file system fills. The log says how many records came of late; each takes what a record takes on the average in
// the stores that are rebuilt from it, and what those of late took in the archive.
type forecast struct {
	free    int64 // bytes
	rebuilt int64 // bytes of ClickHouse and state on this file system
	archive bool  // the archive is on it, too
	growth  archive.Growth
	now     time.Time
}

// perDay is how many bytes a day are added, unknown before an hour's records are archived.
func (f *forecast) perDay() (bytes float64, known bool) {
	over := f.now.Sub(f.growth.Since.Time())
	if f.growth.Records == 0 || over < forecastLeast {
		return 0, false
	}
	added := float64(f.rebuilt) / float64(f.growth.Records) * float64(f.growth.RecentRecords)
	if f.archive {
		added += float64(f.growth.RecentBytes)
	}
	return added / over.Hours() * 24, true
}

// full is the time until nothing is left; it is known if it is less than a century.
func (f *forecast) full() (after time.Duration, known bool) {
	const century = 100 * 365 * 24
	perDay, known := f.perDay()
	if !known || perDay <= 0 {
		return 0, false
	}
	hours := float64(f.free) / perDay * 24
	return time.Duration(min(hours, century) * float64(time.Hour)), hours < century
}

// check is the doctor's line. parts says what takes the space.
func (f *forecast) check(name, parts string) manage.Check {
	c := manage.Check{Name: name, OK: f.free >= shortOfDisk, Detail: fmt.Sprintf("%s free; %s", size(f.free), parts)}
	perDay, known := f.perDay()
	after, ends := f.full()
	switch {
	case !known:
		c.Detail += "; no forecast before an hour's events are archived"
	case !ends:
		c.Detail += fmt.Sprintf("; %s a day, not full within a century", size(int64(perDay)))
	default:
		c.Detail += fmt.Sprintf("; %s a day, full in %.0f days", size(int64(perDay)), after.Hours()/24)
		c.OK = c.OK && after >= fullSoon
	}
	if !c.OK {
		c.Hint = "make room or enlarge the volume; deploy/runbook/dossier-disk-low.md says what can move"
	}
	return c
}

// disks forecasts the file system of the data folder, and ClickHouse's where that is a server of its own.
func (i *installation) disks(ctx context.Context) []manage.Check {
	failed := func(name string, err error) manage.Check {
		return manage.Check{Name: name, Detail: err.Error(), Hint: "check the file system and its permissions"}
	}
	now := time.Now()
	growth, err := archive.Grown(ctx, i.store, schema.InstantOf(now.Add(-forecastOver)))
	if err != nil {
		return []manage.Check{failed("disk", err)}
	}
	free, _, err := diskSpace(i.folder.dir)
	if err != nil {
		return []manage.Check{failed("disk", err)}
	}
	log, archived, clickhouse, state := i.folder.bytes("log"), i.folder.bytes("archive"), i.folder.bytes("clickhouse"), i.folder.bytes("state")
	here := forecast{free: free, rebuilt: clickhouse + state, archive: archived > 0, growth: growth, now: now}
	out := []manage.Check{here.check("disk", fmt.Sprintf("log %s, archive %s, clickhouse %s, state %s", size(log), size(archived), size(clickhouse), size(state)))}
	if i.house != nil && !i.connections.embeddedTimeline() {
		there := forecast{growth: growth, now: now}
		if there.free, there.rebuilt, err = clickhouseDisk(ctx, i.house); err != nil {
			return append(out, failed("clickhouse-disk", err))
		}
		out = append(out, there.check("clickhouse-disk", fmt.Sprintf("our tables %s", size(there.rebuilt))))
	}
	return out
}

// clickhouseDisk is what the fullest disk of a server has left, and what our tables take.
func clickhouseDisk(ctx context.Context, house *clickhouse.Conn) (free, used int64, err error) {
	var left, taken uint64
	err = house.QueryRow(ctx, "SELECT (SELECT min(unreserved_space) FROM system.disks), (SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase())", nil, nil, &left, &taken)
	return int64(min(left, 1<<62)), int64(taken), err
}
