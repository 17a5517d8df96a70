// Package pages gives back memory that only looks used: pages of files that this process has mapped, its own program and its libraries.
package pages

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Drop lets go of the pages of mapped programs and libraries, which were needed for what ran before. They are clean, stay in the system's
// page cache, and those that are needed come back at the next touch: a mapping that holds even one page of its own is left alone.
// It returns how many bytes were resident of what it let go of.
func Drop() (bytes int64, err error) {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0, fmt.Errorf("look at the mapped files: %w", err)
	}
	defer f.Close()
	var m mapping
	for lines := bufio.NewScanner(f); ; {
		more := lines.Scan()
		line := lines.Text()
		if field, rest, found := strings.Cut(line, ":"); more && found && !strings.Contains(field, " ") {
			m.note(field, rest)
			continue
		}
		if m.clean() {
			if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED); errno != 0 {
				return bytes, fmt.Errorf("let go of mapped files: %w", errno)
			}
			bytes += m.resident << 10
		}
		if !more {
			return bytes, lines.Err()
		}
		if m, err = parseMapping(line); err != nil {
			return bytes, err
		}
	}
}

// mapping is one entry of the process's memory map; sizes are in kB.
type mapping struct {
	from, to      uintptr
	readOnly      bool  // of a file, and nobody may write to it
	resident, own int64 // own: pages that are no longer the file's
}

func parseMapping(line string) (m mapping, err error) {
	var mode, offset, device, file string
	var inode uint64
	if _, err = fmt.Sscanf(line, "%x-%x %s %s %s %d", &m.from, &m.to, &mode, &offset, &device, &inode); err != nil {
		return m, fmt.Errorf("read the memory map: %w", err)
	}
	if fields := strings.Fields(line); len(fields) > 5 {
		file = fields[5]
	}
	m.readOnly = inode != 0 && strings.HasPrefix(file, "/") && (mode == "r-xp" || mode == "r--p")
	return m, nil
}

func (m *mapping) note(field, rest string) {
	size := func() (n int64) {
		if _, err := fmt.Sscan(rest, &n); err != nil {
			m.readOnly = false // what cannot be read is left alone
		}
		return n
	}
	switch field {
	case "Rss":
		m.resident = size()
	case "Anonymous":
		m.own = size()
	}
}

func (m *mapping) clean() bool { return m.readOnly && m.own == 0 && m.resident > 0 }
