package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// doctor checks the installation from within: a line each, with what to do.
func (i *installation) doctor(ctx context.Context) []manage.Check {
	var out []manage.Check
	p := i.projections()
	if p == nil {
		return []manage.Check{{Name: "projections", Detail: "they are being switched", Hint: "ask again in a moment"}}
	}
	check := func(name, detail string, err error, hint string) {
		c := manage.Check{Name: name, OK: err == nil, Detail: detail}
		if err != nil {
			c.Detail, c.Hint = err.Error(), hint
		}
		out = append(out, c)
	}
	ends, err := i.eventLog.Ends(ctx)
	var total int64
	for _, e := range ends {
		total += e
	}
	check("log", fmt.Sprintf("%d events in %d partitions", total, len(ends)), err, "see the log of 'dossier up'; with --kafka, check that the brokers answer")
	if i.embedded != nil && i.embedded.Truncations() > 0 {
		check("log-damage", "", fmt.Errorf("the log was cut %d times", i.embedded.Truncations()), "restore the log from a backup: acknowledged events are missing")
	}
	version, err := p.house.Version()
	check("clickhouse", "version "+version, err, "see the log of 'dossier up'")
	rows, err := p.tables(ctx)
	check("tables", fmt.Sprintf("%d events in the timeline", rows), err, "start the role timeline again: it makes the tables and fills them from the log")
	count, err := i.topics(ctx)
	check("topics", fmt.Sprintf("%d", count), err, "start a keeper or 'dossier up' again: it makes what is missing; what was deleted must be restored")
	if i.engine != nil && i.engine.Restarts() > 3 {
		check("engine", "", fmt.Errorf("the engine was restarted %d times", i.engine.Restarts()), "look for its last words in the log of 'dossier up'; memory may be short")
	}
	who, err := p.identityPeer.Status(ctx)
	if err == nil && !who.Ready {
		err = errors.New(who.Reason)
	}
	lag := behind(ends, func(p int) int64 {
		if p < len(who.Positions) {
			return who.Positions[p].Offset
		}
		return 0
	})
	check("identity", fmt.Sprintf("%d events behind", lag), farBehind(lag, err), "wait until it has read the log; if the number does not fall, see deploy/runbook/dossier-lag.md")
	written, err := p.timelinePeer.Status(ctx)
	if err == nil && !written.Ready {
		err = errors.New(written.Reason)
	}
	lag = behind(ends, at(written.Visible))
	check("timeline", fmt.Sprintf("%d events behind", lag), farBehind(lag, err), "wait until it has caught up; if the number does not fall, see deploy/runbook/dossier-lag.md")
	cared, err := p.carePeer.Status(ctx)
	if err == nil && !cared.Ready {
		err = errors.New("care: its state is being opened")
	}
	lag = behind(ends, at(cared.Visible))
	check("care", fmt.Sprintf("%d events behind", lag), farBehind(lag, err), "start a process with the role care, or wait until it has caught up; see deploy/runbook/dossier-lag.md")
	decided, err := p.segmentsPeer.Status(ctx)
	if err == nil && !decided.Ready {
		err = errors.New("segments: its state is being opened")
	}
	lag = behind(ends, at(decided.Read))
	waits := behind(ends, at(decided.Settled))
	detail := fmt.Sprintf("%d events behind", lag)
	if waits > lag {
		detail += fmt.Sprintf(", not everybody is weighed by the last %d yet", waits)
	}
	check("segments", detail, farBehind(lag, err), "start a process with the role segments, or wait until it has caught up; see deploy/runbook/dossier-lag.md")
	health, err := archive.Verify(ctx, i.store)
	check("archive", fmt.Sprintf("%d segments, %d records, %s", health.Segments, health.Records, size(health.Bytes)), err, "restore the named file from a backup of the archive")
	check("clock", time.Now().UTC().Format(time.RFC3339), i.clocks(ctx, ends), "synchronise the clocks of all machines, by NTP")
	if err = nil; i.keeper != nil {
		info, missing := os.Stat(i.folder.path("keys", "ring"))
		if err = missing; err == nil && info.Mode().Perm()&0o077 != 0 {
			err = fmt.Errorf("others may read the key ring (mode %04o)", info.Mode().Perm())
		}
	}
	check("keys", fmt.Sprintf("ring version %d", i.ring.Version()), err, "chmod 600 on the files in keys/")
	return append(out, i.disks(ctx)...)
}

// farBehind is the error of a role that has none, but lags by more than a busy minute's events.
func farBehind(lag int64, err error) error {
	if err == nil && lag > 1_000_000 {
		return fmt.Errorf("%d events behind", lag)
	}
	return err
}

// topics makes sure that all topics are there.
func (i *installation) topics(ctx context.Context) (count int, err error) {
	for _, t := range schema.Topics() {
		name := t.Name
		if name == schema.TopicEvents {
			name, _ = i.eventLog.Written()
		}
		if _, missing := i.client.Partitions(ctx, name); missing != nil {
			err = errors.Join(err, fmt.Errorf("topic %s: %w", name, missing))
			continue
		}
		count++
	}
	return count, err
}

// tables makes sure that ClickHouse has our tables and takes writes.
func (i *installation) tables(ctx context.Context) (rows uint64, err error) {
	var missing []string
	for _, table := range []string{"events", "persona_profile"} {
		var there uint64
		if err := i.house.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = {name:String}", clickhouse.Params{"name": table}, nil, &there); err != nil {
			return 0, err
		}
		if there == 0 {
			missing = append(missing, table)
		}
	}
	if len(missing) > 0 {
		return 0, fmt.Errorf("the tables %s are gone", strings.Join(missing, " and "))
	}
	return rows, i.house.QueryRow(ctx, "SELECT count() FROM events", nil, nil, &rows)
}

// clockTolerance is how far clocks may be apart.
const clockTolerance = 5 * time.Second

// clocks compares our clock with ClickHouse's and with the newest records of the log.
func (i *installation) clocks(ctx context.Context, ends []int64) error {
	before := time.Now()
	var millis int64
	if err := i.house.QueryRow(ctx, "SELECT toUnixTimestamp64Milli(now64(3))", nil, nil, &millis); err != nil {
		return err
	}
	if theirs := time.UnixMilli(millis); theirs.Before(before.Add(-clockTolerance)) || theirs.After(time.Now().Add(clockTolerance)) {
		return fmt.Errorf("ClickHouse's clock says %s", theirs.UTC().Format(time.RFC3339))
	}
	for p, end := range ends {
		if end == 0 {
			continue
		}
		b, err := i.eventLog.Read(ctx, int32(p), end-1, time.Second)
		if err != nil {
			return err
		}
		for _, r := range b.Records {
			if ahead := time.Until(r.RecordedAt.Time()); ahead > clockTolerance {
				return fmt.Errorf("the log was written %v ahead of this machine's clock, %s", ahead.Round(time.Second), time.Now().UTC().Format(time.RFC3339))
			}
		}
	}
	return nil
}

// diskSpace is what the file system of a folder has left for us, and its size, in bytes.
func diskSpace(folder string) (free, size int64, err error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return 0, 0, err
	}
	return int64(fs.Bavail) * fs.Bsize, int64(fs.Blocks) * fs.Bsize, nil
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	default:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
}

// behind is how many records of the log a role has yet to see.
func behind(ends []int64, next func(partition int) int64) (n int64) {
	for p, end := range ends {
		n += max(0, end-next(p))
	}
	return n
}

// at gives how far a role is in a partition; nowhere, if it does not say.
func at(next []int64) func(partition int) int64 {
	return func(p int) int64 {
		if p < len(next) {
			return next[p]
		}
		return 0
	}
}
