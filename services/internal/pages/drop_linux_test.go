package pages

import (
	"os"
	"testing"
)

func TestDrop(t *testing.T) {
	file, err := os.ReadFile("/proc/self/statm")
	if err != nil || len(file) == 0 {
		t.Fatalf("no memory map: %v", err)
	}
	bytes, err := Drop()
	if err != nil {
		t.Fatal(err)
	}
	if bytes < 1<<20 {
		t.Errorf("%d bytes let go of; this program alone has more than a megabyte of code", bytes)
	}
	if again, err := Drop(); err != nil || again >= bytes {
		t.Errorf("then %d bytes (%v): what was let go of is still there", again, err)
	}
}

func TestParseMapping(t *testing.T) {
	for line, clean := range map[string]bool{
		"7f0000000000-7f0000001000 r-xp 00000000 fe:00 12 /lib/engine.so":      true,
		"7f0000000000-7f0000001000 r--p 00000000 fe:00 12 /a folder/engine.so": true,
		"7f0000000000-7f0000001000 rw-p 00000000 fe:00 12 /lib/engine.so":      false,
		"7f0000000000-7f0000001000 r--s 00000000 fe:00 12 /data/table":         false,
		"7f0000000000-7f0000001000 r-xp 00000000 00:00 0 [vdso]":               false,
		"7f0000000000-7f0000001000 r--p 00000000 00:00 0 ":                     false,
	} {
		m, err := parseMapping(line)
		if err != nil || m.to-m.from != 4096 {
			t.Fatalf("%s: %+v, %v", line, m, err)
		}
		m.note("Rss", "      4 kB")
		if m.clean() != clean {
			t.Errorf("%s: clean %v", line, !clean)
		}
		m.note("Anonymous", " 4 kB")
		if m.clean() {
			t.Errorf("%s: a page of its own would be lost", line)
		}
	}
	if _, err := parseMapping("nonsense"); err == nil {
		t.Error("no error")
	}
}
