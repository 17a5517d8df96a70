package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// progress shows how far long work has come on stderr: one line that rewrites itself on a terminal, a plain line every five
// seconds elsewhere.
type progress struct {
	unit     string
	started  time.Time
	last     time.Time
	terminal bool
	shown    bool
}

func newProgress(unit string) *progress {
	return &progress{unit: unit, started: time.Now(), terminal: term.IsTerminal(int(os.Stderr.Fd()))}
}

// update shows n of total units; total 0 is unknown. It is called from one goroutine.
func (p *progress) update(n, total int64) {
	every := 5 * time.Second
	if p.terminal {
		every = 100 * time.Millisecond
	}
	if time.Since(p.last) < every {
		return
	}
	p.show(n, total)
}

func (p *progress) show(n, total int64) {
	p.last = time.Now()
	rate := float64(n) / max(time.Since(p.started).Seconds(), 0.001)
	line := fmt.Sprintf("%d %s, %.0f/s", n, p.unit, rate)
	if total > 0 {
		line = fmt.Sprintf("%d of %d %s (%d %%), %.0f/s", n, total, p.unit, 100*n/total, rate)
		if rate > 0 && n < total {
			line += fmt.Sprintf(", %s left", (time.Duration(float64(total-n)/rate) * time.Second).Round(time.Second))
		}
	}
	if p.terminal {
		fmt.Fprintf(os.Stderr, "\r\033[K%s", line)
	} else {
		fmt.Fprintln(os.Stderr, line)
	}
	p.shown = true
}

// done ends the line.
func (p *progress) done() {
	if p.terminal && p.shown {
		fmt.Fprintln(os.Stderr)
	}
}

// rows shows an import: rows, bytes of the files, rate, and how long the rest will take.
func (p *progress) rows(rows, bytes, total int64, left time.Duration, done bool) {
	every := 5 * time.Second
	if p.terminal {
		every = 100 * time.Millisecond
	}
	if !done && time.Since(p.last) < every {
		return
	}
	p.last = time.Now()
	seconds := max(time.Since(p.started).Seconds(), 0.001)
	line := fmt.Sprintf("%d rows, %.1f MB", rows, float64(bytes)/1e6)
	if total > 0 {
		line += fmt.Sprintf(" of %.1f MB (%d %%)", float64(total)/1e6, 100*bytes/total)
	}
	line += fmt.Sprintf(", %.0f rows/s", float64(rows)/seconds)
	if left > 0 && !done {
		line += fmt.Sprintf(", %s left", max(left.Round(time.Second), time.Second))
	}
	if p.terminal {
		fmt.Fprintf(os.Stderr, "\r\033[K%s", line)
	} else if time.Since(p.started) > time.Second {
		fmt.Fprintln(os.Stderr, line)
	}
	p.shown = true
}
