package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/archive"
)

// doctor checks the installation from within: a line each, with what to do.
func (i *installation) doctor(ctx context.Context) []manage.Check {
	var out []manage.Check
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
	version, err := i.house.Version()
	check("clickhouse", "version "+version, err, "see the log of 'dossier up'")
	if i.engine != nil && i.engine.Restarts() > 3 {
		check("engine", "", fmt.Errorf("the engine was restarted %d times", i.engine.Restarts()), "look for its last words in the log of 'dossier up'; memory may be short")
	}
	who, err := i.identityPeer.Status(ctx)
	if err == nil && !who.Ready {
		err = errors.New(who.Reason)
	}
	lag := behind(ends, func(p int) int64 {
		if p < len(who.Positions) {
			return who.Positions[p].Offset
		}
		return 0
	})
	check("identity", fmt.Sprintf("%d events behind", lag), err, "wait until it has read the log")
	written, err := i.timelinePeer.Status(ctx)
	if err == nil && !written.Ready {
		err = errors.New(written.Reason)
	}
	check("timeline", fmt.Sprintf("%d events behind", behind(ends, func(p int) int64 {
		if p < len(written.Visible) {
			return written.Visible[p]
		}
		return 0
	})), err, "wait until it is rebuilt")
	health, err := archive.Verify(ctx, i.store)
	check("archive", fmt.Sprintf("%d segments, %d records, %s", health.Segments, health.Records, size(health.Bytes)), err, "restore the named file from a backup of the archive")
	now := time.Now()
	err = nil
	if now.Year() < 2025 {
		err = fmt.Errorf("the clock says %s", now.UTC().Format(time.RFC3339))
	}
	check("clock", now.UTC().Format(time.RFC3339), err, "set the system's clock")
	if err = nil; i.keeper != nil {
		info, missing := os.Stat(i.folder.path("keys", "ring"))
		if err = missing; err == nil && info.Mode().Perm()&0o077 != 0 {
			err = fmt.Errorf("others may read the key ring (mode %04o)", info.Mode().Perm())
		}
	}
	check("keys", fmt.Sprintf("ring version %d", i.ring.Version()), err, "chmod 600 on the files in keys/")
	out = append(out, i.disk())
	return out
}

// disk forecasts when the folder's file system is full, at the average growth since the folder was made.
func (i *installation) disk() manage.Check {
	free, _, err := diskSpace(i.folder.dir)
	if err != nil {
		return manage.Check{Name: "disk", Detail: err.Error(), Hint: "check the file system of the data folder"}
	}
	used := i.folder.bytes()
	detail := fmt.Sprintf("%s used, %s free", size(used), size(free))
	if info, err := os.Stat(i.folder.path("keys")); err == nil && used > 0 {
		if age := time.Since(info.ModTime()); age > time.Hour {
			days := float64(free) / (float64(used) / age.Hours() * 24)
			detail += fmt.Sprintf(", full in about %.0f days at the growth so far", min(days, 36500))
		}
	}
	c := manage.Check{Name: "disk", OK: free > 1<<30, Detail: detail}
	if !c.OK {
		c.Hint = "make room, or move the data folder: below 1 GiB the log may stop"
	}
	return c
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
