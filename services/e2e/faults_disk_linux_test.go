package e2e

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// disk is a small file system of its own.
type disk struct{ folder string }

// mayMount says whether a test may mount a disk of its own, which takes the rights of root. Where it may not, package state's TestFullDisk
// is what holds; a proof is skipped then, and so not proven.
func mayMount(t *testing.T) bool {
	t.Helper()
	folder := t.TempDir()
	err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=1m")
	switch {
	case err == nil:
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Fatal(err)
		}
		return true
	case !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EACCES):
		t.Fatal(err)
	case proving():
		t.Skip("a full disk needs a disk of its own, and mounting one the rights of root")
	}
	t.Log("not run: a full disk needs a disk of its own, and mounting one the rights of root")
	return false
}

// newDisk mounts one at a folder; see mayMount.
func newDisk(t *testing.T, folder string, megabytes string) disk {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+megabytes+"m,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return disk{folder}
}

// fill leaves no byte.
func (d disk) fill(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(d.folder, "somebody-else"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []int{1 << 20, 4 << 10} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, piece))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func (d disk) empty(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(d.folder, "somebody-else")); err != nil {
		t.Fatal(err)
	}
}

// TestDiskFull fills the disk under a load: who sends is told what to do, nothing that was acknowledged is lost, and everything goes on by
// itself when there is room again.
func TestDiskFull(t *testing.T) {
	besideOthers(t)
	if !mayMount(t) {
		return
	}
	events, want := undisturbed(t, faultEvents)
	t.Run("of up", func(t *testing.T) {
		i := prepare(t)
		d := newDisk(t, i.data, "320")
		i.up(t)
		f, begun := &disturbed{t: t}, time.Now()
		f.start(i, events)
		for range counted(1, 10) {
			f.goesOn(rate)
			d.fill(t)
			f.waits()
			status, answer := i.post(t, "/v1/events", basic(i.WriteKey), events[0])
			if status != http.StatusServiceUnavailable || !strings.Contains(string(answer), `"disk_full"`) || !strings.Contains(string(answer), "make room") {
				t.Errorf("an event for a full disk is answered with %d %s", status, answer)
			}
			d.empty(t)
			f.goesOn(rate)
		}
		// Killed while the disk is full, and started on it.
		d.fill(t)
		f.waits()
		i.kill(t)
		o := command(t, i.env, "up", "--data", i.data, "--listen", "127.0.0.1:0")
		if o.code != 1 || !oneLine(o.stderr) || !strings.Contains(o.stderr, "make room") {
			t.Errorf("a start on a full disk: %+v", o)
		}
		d.empty(t)
		i.up(t)
		f.proven(i, "disk of up full", len(events), want, begun)
		i.down(t)
	})
	t.Run("of a role", func(t *testing.T) {
		s, all := divide(t, "keeper,collector,api")
		d := newDisk(t, filepath.Join(s.dir, "identity,timeline,archive,care"), "160")
		role := s.serve(t, "identity,timeline,archive,care", "identity,timeline,archive,care")
		i := s.through(t, all["keeper,collector,api"])
		f, begun := &disturbed{t: t}, time.Now()
		f.start(i, events)
		for range counted(1, 10) {
			f.goesOn(rate)
			d.fill(t)
			f.goesOn(5 * rate) // the log has room, and takes them
			d.empty(t)
			f.goesOn(rate)
		}
		d.fill(t)
		f.goesOn(rate)
		role.kill(t)
		d.empty(t)
		if !strings.Contains(s.log.String(), "the disk is full") {
			t.Error("the role did not say that its disk was full")
		}
		s.serve(t, "identity,timeline,archive,care", "identity,timeline,archive,care")
		f.proven(i, "disk of a role full", len(events), want, begun)
	})
}
