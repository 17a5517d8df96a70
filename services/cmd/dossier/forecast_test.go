package main

import (
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

func TestForecast(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) schema.Instant { return schema.InstantOf(now.Add(-d)) }
	const day, gib = 24 * time.Hour, 1 << 30
	for _, c := range []struct {
		name string
		f    forecast
		ok   bool
		want string
	}{
		// 700,000 records of 100 bytes in a week are 100,000 a day; 1,000,000 records take 300 MB elsewhere: 300 bytes each.
		{"a week of a long log", forecast{free: 40 * gib, rebuilt: 300e6, archive: true, growth: archive.Growth{Records: 1e6, Bytes: 100e6, RecentRecords: 700e3, RecentBytes: 70e6, Since: ago(7 * day)}, now: now},
			true, "38.1 MiB a day, full in 1074 days"},
		{"the archive is elsewhere", forecast{free: 40 * gib, rebuilt: 300e6, growth: archive.Growth{Records: 1e6, RecentRecords: 700e3, RecentBytes: 70e6, Since: ago(7 * day)}, now: now},
			true, "28.6 MiB a day, full in 1432 days"},
		{"full tomorrow", forecast{free: 2 * gib, rebuilt: 10 * gib, archive: true, growth: archive.Growth{Records: 1e6, RecentRecords: 1e6, RecentBytes: 4 * gib, Since: ago(7 * day)}, now: now},
			false, "2.0 GiB a day, full in 1 days"},
		{"full now", forecast{free: gib / 2, growth: archive.Growth{Records: 1e6, Since: ago(30 * day)}, now: now}, false, "512.0 MiB free"},
		{"nothing came of late", forecast{free: 40 * gib, rebuilt: 300e6, archive: true, growth: archive.Growth{Records: 1e6, Since: ago(7 * day)}, now: now}, true, "not full within a century"},
		{"too young", forecast{free: 40 * gib, rebuilt: 300e6, archive: true, growth: archive.Growth{Records: 1e6, RecentRecords: 1e6, RecentBytes: 1e9, Since: ago(10 * time.Minute)}, now: now}, true, "no forecast before"},
		{"nothing archived", forecast{free: 40 * gib, growth: archive.Growth{Since: ago(7 * day)}, now: now}, true, "no forecast before"},
	} {
		check := c.f.check("disk", "parts")
		if check.OK != c.ok || !strings.Contains(check.Detail, c.want) || check.OK != (check.Hint == "") {
			t.Errorf("%s: %+v, want %q", c.name, check, c.want)
		}
	}
}

// TestClickHouseDisk asks a real engine.
func TestClickHouseDisk(t *testing.T) {
	house := clickhousetest.Start(t)
	if err := house.Exec(t.Context(), "CREATE TABLE x (n UInt64) ENGINE = MergeTree ORDER BY n AS SELECT number FROM numbers(100000)", nil, nil); err != nil {
		t.Fatal(err)
	}
	free, used, err := clickhouseDisk(t.Context(), house)
	if err != nil || free <= 0 || used < 1000 || used > 100_000_000 {
		t.Errorf("%d free, %d used: %v", free, used, err)
	}
}
