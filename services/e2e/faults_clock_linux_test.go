package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// steppedClock is what a binary with a clock of its own has in package time. The offset, in seconds, is read ten times a second from the file
// that the environment names; what measures durations is left alone, as when somebody sets a machine's clock. time.Now
// is called where a goroutine may not enter the system, hence the raw calls.
const steppedClock = `

var steppedBy, steppedNext int64
var steppedText [16]byte
var steppedFile = func() (path [4096]byte) {
	name, _ := syscall.Getenv("STEPPED_CLOCK")
	copy(path[:len(path)-1], name)
	return path
}()

func stepped(mono int64) int64 {
	if mono < steppedNext {
		return steppedBy
	}
	steppedNext = mono + 1e8
	here := -100
	fd, _, failed := syscall.RawSyscall6(syscall.SYS_OPENAT, uintptr(here), uintptr(unsafe.Pointer(&steppedFile[0])), syscall.O_RDONLY, 0, 0, 0)
	if failed != 0 {
		return steppedBy
	}
	n, _, failed := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&steppedText[0])), uintptr(len(steppedText)))
	syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0)
	if failed != 0 || n > uintptr(len(steppedText)) {
		return steppedBy
	}
	by, sign := int64(0), int64(1)
	for _, c := range steppedText[:n] {
		switch {
		case c == '-':
			sign = -1
		case c >= '0' && c <= '9':
			by = 10*by + int64(c-'0')
		}
	}
	steppedBy = sign * by
	return steppedBy
}
`

// steppedBinary builds the product with a clock that can be set.
func steppedBinary(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(strings.TrimSpace(string(out)), "src", "time", "time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	const now = "\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {\n"
	if strings.Count(string(text), "func Now() Time {\n"+now) != 1 {
		t.Fatal("time.Now is not what it was in Go 1.26: see how its clock can be set now")
	}
	changed := strings.Replace(string(text), "func Now() Time {\n"+now, "func Now() Time {\n"+strings.Replace(now, "\tif", "\tsec += stepped(mono)\n\tif", 1), 1)
	changed = strings.Replace(changed, "import (\n", "import (\n\t\"syscall\"\n\t\"unsafe\"\n", 1) + steppedClock
	folder := t.TempDir()
	write := func(name string, text []byte) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{source: write("time.go", []byte(changed))}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "dossier")
	build := exec.Command("go", "build", "-trimpath", "-overlay", write("overlay.json", overlay), "-o", path, "../cmd/dossier")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the binary: %v: %s", err, out)
	}
	return path
}

// setClock has a process's clock go wrong by some time.
func (w *wired) setClock(t *testing.T, name string, by time.Duration) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name+".clock"), fmt.Appendf(nil, "%d", int64(by/time.Second)), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // it is looked at ten times a second
}

// clocksSet sets the clocks of processes back and forward by an hour, under load. The time at which a record was recorded never falls within a
// partition, no lease is lost by it, and nothing else changes. It takes a binary of its own, of which every package is built anew.
func clocksSet(t *testing.T) {
	stories := newSeries(t, 3, 600)
	w := wiringOf(t, steppedBinary(t), "keeper", "collector,api", trio, trio+"-2")
	i := w.installation(t)
	owner := w.owner(t, "identity", trio, trio+"-2")
	for k, name := range []string{"collector,api", owner, "keeper"} {
		stories.during(t, i, k, "the clock is set back and forward by an hour: "+name, func(f *disturbed) {
			for _, by := range []time.Duration{-time.Hour, time.Hour, 0} {
				w.setClock(t, name, by)
				f.goesOn(rate)
				time.Sleep(beyondTheLease)
			}
		})
	}
	for _, role := range []string{"identity", "timeline", "archive", "care"} {
		if now := w.owner(t, role, trio, trio+"-2"); now != owner {
			t.Errorf("%s changed its owner", role)
		}
	}
	if strings.Contains(w.log.String(), "a lease is lost") {
		t.Error("a lease was lost")
	}
	log := w.place.client(t)
	ranges, err := log.Offsets(t.Context(), schema.TopicEvents)
	if err != nil {
		t.Fatal(err)
	}
	least, most := schema.Instant(math.MaxInt64), schema.Instant(math.MinInt64)
	for p, r := range ranges {
		last := schema.Instant(math.MinInt64)
		for at := r.First; at < r.Next; {
			got, err := log.Fetch(t.Context(), schema.TopicEvents, int32(p), at, 1<<20, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			for _, record := range got.Records {
				if record.Time < last {
					t.Errorf("partition %d, offset %d: recorded at %v, after one at %v", p, record.Offset, record.Time, last)
				}
				last = record.Time
				least, most = min(least, last), max(most, last)
			}
			at = got.Next
		}
	}
	if most-least < schema.Instant(50*time.Minute/time.Microsecond) {
		t.Errorf("the clock was never wrong: records from %v to %v", least, most)
	}
}
