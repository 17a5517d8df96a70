package replay

import (
	"sync"
	"time"
)

// Meter knows how fast a shadow comes on: over the last ten seconds or so.
type Meter struct {
	mu      sync.Mutex
	samples []sample // ascending
}

type sample struct {
	at   time.Time
	done int64
}

const meterSpan = 10 * time.Second

// Sample notes how many events are done now.
func (m *Meter) Sample(now time.Time, done int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples = append(m.samples, sample{now, done})
	for len(m.samples) > 2 && now.Sub(m.samples[1].at) >= meterSpan {
		m.samples = m.samples[1:]
	}
}

// Rate is events a second, 0 where nothing is known yet.
func (m *Meter) Rate() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.samples) < 2 {
		return 0
	}
	first, last := m.samples[0], m.samples[len(m.samples)-1]
	return float64(last.done-first.done) / last.at.Sub(first.at).Seconds()
}
