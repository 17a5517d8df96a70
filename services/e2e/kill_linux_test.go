package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKilled kills `up` and the engine's process again and again, under load and without warning. Each acknowledged event is there
// once, none is there twice, and everything is as in an installation that nobody disturbed.
func TestKilled(t *testing.T) {
	besideOthers(t)
	rounds := counted(3, 10)
	events := someEvents(3000 * (rounds + 1))
	quiet := install(t)
	var calm load
	calm.start(t, quiet, events)
	calm.end(t)
	want := quiet.digest(t)
	if n := counts(t, want); n["events"] != len(events) || n["timeline"] != len(events) {
		t.Fatalf("%d events sent, digest\n%s", len(events), want)
	}
	quiet.down(t)

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	i := install(t)
	var l load
	l.start(t, i, events)
	for round := range rounds {
		l.reached(t, len(events)*(round+1)/(rounds+1)-random.IntN(1000))
		engine := i.engine(t)
		if round%2 == 1 {
			signal(t, engine)
			gone(t, engine)
			continue
		}
		i.kill(t)
		gone(t, engine)
		i.up(t)
	}
	l.end(t)
	i.sameDigest(t, want, nil)

	copies := map[string]int{}
	export(t, i, "timeline --clocks", func(line struct{ Provenance struct{ MessageID string } }) { copies[line.Provenance.MessageID]++ })
	for k := range events {
		if id := fmt.Sprintf("load-%d", k); copies[id] != 1 {
			t.Errorf("the acknowledged event %s is there %d times", id, copies[id])
		}
	}
	if t.Failed() {
		return
	}
	engine := i.engine(t)
	i.down(t)
	gone(t, engine)
	i.up(t)
	i.sameDigest(t, want, nil)
}

// TestKilledAtOnce kills a first start at any moment: the next one finishes what it began.
func TestKilledAtOnce(t *testing.T) {
	besideOthers(t)
	random := rand.New(rand.NewPCG(rand.Uint64(), 0))
	i := prepare(t)
	for range counted(3, 20) {
		i.beginning(t)
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		i.kill(t)
	}
	i.up(t)
	i.send(t, basic(i.WriteKey), someEvents(20)...)
	if n := counts(t, i.digest(t)); n["events"] != 20 || n["timeline"] != 20 {
		t.Fatal(n)
	}
}

// engine gives the process id of the embedded engine: the only child of up.
func (i *installation) engine(t *testing.T) int {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(10 * time.Millisecond) {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", i.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			children, err := os.ReadFile(task)
			if err != nil {
				continue // the thread has ended
			}
			for _, child := range strings.Fields(string(children)) {
				pid, err := strconv.Atoi(child)
				if err != nil {
					t.Fatal(err)
				}
				return pid
			}
		}
	}
	t.Fatalf("up has no engine process: %s", i.log)
	return 0
}

func signal(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// gone returns when a process has ended. A zombie has.
func gone(t *testing.T, pid int) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Fatalf("the process %d was left behind", pid)
}
