// Package machine tells what the machine, or the container that the process lives in, has to give.
package machine

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// Memory returns the bytes of memory that this process may use: what the machine has, or the limit of the control group (version 2) that the
// process is in or of one above it, where that is less. It returns 0 where neither can be known.
func Memory() int64 { return memory(os.DirFS("/")) }

// Resident returns the bytes of memory that a process takes, pages of files that it has mapped included; 0 where that cannot be known.
func Resident(pid int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

func memory(root fs.FS) int64 {
	total := installed(root)
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return total
	}
	for line := range strings.Lines(string(text)) {
		group, unified := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		if !unified {
			continue // of version 1
		}
		for {
			if limit, ok := limit(root, path.Join("sys/fs/cgroup", group, "memory.max")); ok && (total == 0 || limit < total) {
				total = limit
			}
			if group == "" || group == "." {
				break
			}
			group = path.Dir(group)
		}
	}
	return total
}

// limit reads a memory.max: bytes, or "max" for no limit.
func limit(root fs.FS, name string) (int64, bool) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
	return n, err == nil && n > 0
}

// installed is the machine's memory in bytes.
func installed(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if f := bytes.Fields(line); len(f) >= 2 && string(f[0]) == "MemTotal:" {
			kib, err := strconv.ParseInt(string(f[1]), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
