package machine

import (
	"bytes"
	"os"
	"runtime"
	"testing"
	"testing/fstest"
)

func TestMemory(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	const meminfo, gib = "MemTotal:        8388608 kB\nMemFree:  1 kB\n", int64(1) << 30
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  int64
	}{
		"nothing known":      {fstest.MapFS{}, 0},
		"a machine":          {fstest.MapFS{"proc/meminfo": file(meminfo)}, 8 * gib},
		"no limit":           {fstest.MapFS{"proc/meminfo": file(meminfo), "proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("max\n")}, 8 * gib},
		"a container":        {fstest.MapFS{"proc/meminfo": file(meminfo), "proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("1073741824\n")}, gib},
		"a limit above":      {fstest.MapFS{"proc/meminfo": file(meminfo), "proc/self/cgroup": file("0::/a/b\n"), "sys/fs/cgroup/a/memory.max": file("2147483648\n"), "sys/fs/cgroup/a/b/memory.max": file("max\n")}, 2 * gib},
		"more than there is": {fstest.MapFS{"proc/meminfo": file(meminfo), "proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("17179869184\n")}, 8 * gib},
		"version 1":          {fstest.MapFS{"proc/meminfo": file(meminfo), "proc/self/cgroup": file("5:memory:/x\n")}, 8 * gib},
		"broken":             {fstest.MapFS{"proc/meminfo": file("MemTotal: x kB\n")}, 0},
	} {
		if got := memory(c.files); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}

func TestResident(t *testing.T) {
	before := Resident(os.Getpid())
	if before < 1<<20 {
		t.Fatalf("%d bytes", before)
	}
	held := bytes.Repeat([]byte{1}, 64<<20)
	after := Resident(os.Getpid())
	if runtime.KeepAlive(held); after < before+32<<20 {
		t.Errorf("%d bytes with %d more, %d before", after, len(held), before)
	}
	if n := Resident(1 << 30); n != 0 {
		t.Errorf("%d bytes of nobody", n)
	}
}
