package timeline

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the role's figures.
type metrics struct {
	recent     freshness
	freshness  prometheus.Histogram
	sizes      prometheus.Histogram
	rows       prometheus.Counter
	records    prometheus.Counter
	batches    prometheus.Counter
	duplicates prometheus.Counter
	voids      prometheus.Counter
	letters    prometheus.Counter
	retries    prometheus.Counter
}

// newMetrics registers the figures; without a registry they are kept and not shown.
func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "dossier", Subsystem: "timeline", Name: name, Help: help})
	}
	m := &metrics{
		freshness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "dossier", Subsystem: "timeline", Name: "freshness_seconds",
			Help:    "From the collector's receipt of an event to its row being visible.",
			Buckets: []float64{.05, .1, .2, .3, .4, .5, .75, 1, 1.5, 2, 5, 10, 30, 60, 300, 3600},
		}),
		sizes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "dossier", Subsystem: "timeline", Name: "batch_rows",
			Help:    "Rows of the batches written.",
			Buckets: []float64{1, 10, 30, 100, 300, 1000, 3000, 10_000, 20_000},
		}),
		rows:       counter("rows_total", "Rows written to the events table."),
		records:    counter("records_total", "Records of the log that were folded."),
		batches:    counter("batches_total", "Batches written."),
		duplicates: counter("duplicates_total", "Copies of events whose row was there already."),
		voids:      counter("voids_total", "Void events that were skipped."),
		letters:    counter("dead_letters_total", "Events that cannot be a row."),
		retries:    counter("retries_total", "Attempts that failed and were repeated."),
	}
	if r != nil {
		r.MustRegister(m.freshness, m.sizes, m.rows, m.records, m.batches, m.duplicates, m.voids, m.letters, m.retries)
	}
	return m
}

// observe counts a batch that became visible now.
func (m *metrics) observe(now time.Time, records int, rows []Row) {
	m.batches.Inc()
	m.sizes.Observe(float64(len(rows)))
	m.records.Add(float64(records))
	m.rows.Add(float64(len(rows)))
	m.recent.add(now, func(yield func(time.Duration)) {
		for _, r := range rows {
			delay := now.Sub(r.Event.ReceivedAt.Time())
			m.freshness.Observe(delay.Seconds())
			yield(delay)
		}
	})
}
