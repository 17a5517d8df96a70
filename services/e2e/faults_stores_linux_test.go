package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/services/archive/archivetest"
)

// TestClickHouseFails has ClickHouse go away, refuse, and be slow, under load. Events are taken all the while.
func TestClickHouseFails(t *testing.T) {
	besideOthers(t)
	stories := newSeries(t, 5, 600)
	w := wiring(t, "keeper,collector,api", "identity,timeline,archive,care")
	i := w.installation(t)
	house := []*link{w.links["keeper,collector,api"].house, w.links["identity,timeline,archive,care"].house}
	every := func(do func(l *link)) {
		for _, l := range house {
			do(l)
		}
	}
	stories.during(t, i, 0, "ClickHouse is down", func(f *disturbed) {
		every(func(l *link) { l.set(cut) })
		remains(20*time.Second, 10*time.Minute)
		f.goesOn(rate)
		every(func(l *link) { l.set(whole) })
	})
	stories.during(t, i, 1, "ClickHouse does not answer, and nobody says so", func(f *disturbed) {
		every(func(l *link) { l.set(silent) })
		remains(4*time.Second, 3*time.Minute)
		f.goesOn(rate)
		every(func(l *link) { l.set(whole) })
	})
	stories.during(t, i, 2, "ClickHouse is set read-only", func(f *disturbed) {
		w.house.state.Store(readonly)
		remains(2*time.Second, time.Minute)
		f.goesOn(rate)
		w.house.state.Store(writable)
	})
	stories.during(t, i, 3, "ClickHouse's table is read-only", func(f *disturbed) {
		w.house.state.Store(tableOnly)
		remains(2*time.Second, time.Minute)
		f.goesOn(rate)
		w.house.state.Store(writable)
	})
	stories.during(t, i, 4, "ClickHouse is slow", func(f *disturbed) {
		every(func(l *link) { l.late.Store(int64(300 * time.Millisecond)) })
		remains(2*time.Second, 2*time.Minute)
		f.goesOn(rate)
		every(func(l *link) { l.late.Store(0) })
	})
	if log := w.log.String(); !strings.Contains(log, "READONLY") || !strings.Contains(log, "TABLE_IS_READ_ONLY") {
		t.Error("nobody noticed that ClickHouse was read-only")
	}
}

const archiveBucket = "archive"

// figure reads one of the figures that a process measures of itself, without labels.
func figure(t *testing.T, p *process, name string) float64 {
	t.Helper()
	_, rest, found := strings.Cut(metricsOf(t, p), "\n"+name+" ")
	text, _, _ := strings.Cut(rest, "\n")
	value, err := strconv.ParseFloat(text, 64)
	if !found || err != nil {
		t.Fatalf("the figure %s is not there: %v", name, err)
	}
	return value
}

// TestArchiveFails has the storage of the archive go away while the log is being copied to it. Afterwards everything is built anew from the
// archive and what is left of the log.
func TestArchiveFails(t *testing.T) {
	besideOthers(t)
	events, want := undisturbed(t, faultEvents)
	run := func(t *testing.T, fault, location string, down, mend func(), variables ...string) {
		i := prepare(t, "--partitions", "1", "--archive", location)
		i.env = append(i.env, variables...)
		i.up(t)
		p := &process{url: i.URL}
		f, begun := &disturbed{t: t}, time.Now()
		f.start(i, events)
		until := func(name string, more float64) {
			t.Helper()
			before := figure(t, p, name)
			for begun := time.Now(); figure(t, p, name) < before+more; f.goesOn(rate / 4) {
				if time.Since(begun) > patience {
					t.Fatalf("%s: %s does not rise", fault, name)
				}
			}
		}
		for range counted(1, 10) {
			f.goesOn(rate)
			down()
			until("dossier_archive_failures_total", 2)
			mend()
			until("dossier_archive_segments_total", 1)
		}
		f.proven(i, fault, len(events), want, begun)
		i.down(t)
		for _, lost := range []string{"state", "clickhouse"} {
			if err := os.RemoveAll(filepath.Join(i.data, lost)); err != nil {
				t.Fatal(err)
			}
		}
		i.up(t)
		i.sameDigest(t, want, nil)
		i.down(t)
	}
	t.Run("S3 server", func(t *testing.T) {
		gateway := archivetest.StartGateway(t, archiveBucket)
		run(t, "the archive's S3 server is down", gateway.Location(archiveBucket, "a", ""), gateway.Kill, gateway.Start, gateway.Variables()...)
	})
	if !mayMount(t) {
		return
	}
	t.Run("folder", func(t *testing.T) {
		d := newDisk(t, filepath.Join(t.TempDir(), "archive"), "64")
		remount := func(flags uintptr) func() {
			return func() {
				if err := syscall.Mount("", d.folder, "", syscall.MS_REMOUNT|flags, "size=64m"); err != nil {
					t.Fatal(err)
				}
			}
		}
		run(t, "the archive's folder is read-only", d.folder, remount(syscall.MS_RDONLY), remount(0))
	})
	if !proving() {
		return // as read-only, for the role: an append that fails
	}
	t.Run("full", func(t *testing.T) {
		d := newDisk(t, filepath.Join(t.TempDir(), "archive"), "64")
		run(t, "the archive's disk is full", d.folder, func() { d.fill(t) }, func() { d.empty(t) })
	})
}
