package intake

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what the intake did since it started. The zero value is ready. It is safe for concurrent use.
type Metrics struct {
	mu      sync.Mutex
	sources map[string]*Reading
}

// Reading is what the intake did for one source.
type Reading struct {
	Records  int64           // read
	Accepted int64           // events
	Refused  int64           // rows and events
	Lost     int64           // records that were removed from the topic before they were read
	Failures int64           // attempts that failed
	Behind   map[int32]int64 // records that are not read yet, by partition
}

func (m *Metrics) change(source string, f func(r *Reading)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sources == nil {
		m.sources = map[string]*Reading{}
	}
	r := m.sources[source]
	if r == nil {
		r = &Reading{Behind: map[int32]int64{}}
		m.sources[source] = r
	}
	f(r)
}

func (m *Metrics) records(source string, n int64) {
	m.change(source, func(r *Reading) { r.Records += n })
}
func (m *Metrics) accepted(source string, n int64) {
	m.change(source, func(r *Reading) { r.Accepted += n })
}
func (m *Metrics) refused(source string, n int64) {
	m.change(source, func(r *Reading) { r.Refused += n })
}
func (m *Metrics) lost(source string, n int64) { m.change(source, func(r *Reading) { r.Lost += n }) }
func (m *Metrics) failures(source string)      { m.change(source, func(r *Reading) { r.Failures++ }) }

func (m *Metrics) behind(source string, partition int32, n int64) {
	m.change(source, func(r *Reading) { r.Behind[partition] = n })
}

// forget drops the lag of a source that is read no more; its counts stay.
func (m *Metrics) forget(source string) { m.change(source, func(r *Reading) { clear(r.Behind) }) }

// Read gives the figures by source.
func (m *Metrics) Read() map[string]Reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[string]Reading, len(m.sources))
	for source, r := range m.sources {
		copied := *r
		copied.Behind = make(map[int32]int64, len(r.Behind))
		for p, n := range r.Behind {
			copied.Behind[p] = n
		}
		out[source] = copied
	}
	return out
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("dossier_intake_"+name, help, append([]string{"source"}, labels...), nil)
}

var (
	recordsTotal  = describe("records_total", "Records read of companies' topics.")
	acceptedTotal = describe("events_total", "Events that records became.")
	refusedTotal  = describe("refused_total", "Rows and events of records that were refused.")
	lostTotal     = describe("lost_records_total", "Records that were removed from their topic before they were read.")
	failuresTotal = describe("failures_total", "Attempts to reach or read a topic, or to write its events, that failed and were repeated.")
	behindRecords = describe("behind_records", "Records of a topic that are not read yet.", "partition")
)

// Describe and Collect make the figures a prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{recordsTotal, acceptedTotal, refusedTotal, lostTotal, failuresTotal, behindRecords} {
		out <- d
	}
}

// Collect sends the figures of this moment.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	for source, r := range m.Read() {
		for d, n := range map[*prometheus.Desc]int64{
			recordsTotal: r.Records, acceptedTotal: r.Accepted, refusedTotal: r.Refused, lostTotal: r.Lost, failuresTotal: r.Failures,
		} {
			out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), source)
		}
		for p, n := range r.Behind {
			out <- prometheus.MustNewConstMetric(behindRecords, prometheus.GaugeValue, float64(n), source, strconv.Itoa(int(p)))
		}
	}
}
