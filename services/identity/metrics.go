package identity

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count since the start. It is a prometheus.Collector.
type Metrics struct {
	Records atomic.Int64 // read
	Folded  atomic.Int64 // of those, events of this workspace that were neither void nor undecodable
	Void    atomic.Int64 // the key is gone
	Bad     atomic.Int64 // undecodable; the timeline puts them to the dead letters
	Commits atomic.Int64
}

// Metrics gives the figures; read them with Load.
func (s *Service) Metrics() *Metrics { return &s.metrics }

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("dossier_identity_"+name, help, nil, nil)
}

var (
	recordsTotal = describe("records_total", "Records of the log that were read.")
	foldedTotal  = describe("folded_total", "Events that were folded.")
	voidsTotal   = describe("voids_total", "Void events that were skipped: their key is gone.")
	badTotal     = describe("undecodable_total", "Records that can never be decoded.")
	commitsTotal = describe("commits_total", "Commits of the state.")
)

// Describe sends what Collect sends.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{recordsTotal, foldedTotal, voidsTotal, badTotal, commitsTotal} {
		out <- d
	}
}

// Collect sends the figures of this moment.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n int64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	counter(recordsTotal, m.Records.Load())
	counter(foldedTotal, m.Folded.Load())
	counter(voidsTotal, m.Void.Load())
	counter(badTotal, m.Bad.Load())
	counter(commitsTotal, m.Commits.Load())
}
