package eventlog

import "github.com/prometheus/client_golang/prometheus"

var (
	openedTotal = prometheus.NewDesc("dossier_feed_opened_total", "Events that were read and opened.", nil, nil)
	sharedTotal = prometheus.NewDesc("dossier_feed_shared_total", "Events that were handed to another role without opening them again.", nil, nil)
	keptBytes   = prometheus.NewDesc("dossier_feed_kept_bytes", "Bytes of opened events that are kept for other roles.", nil, nil)
)

// Describe and Collect make the feed a prometheus.Collector.
func (f *Feed) Describe(out chan<- *prometheus.Desc) {
	out <- openedTotal
	out <- sharedTotal
	out <- keptBytes
}

// Collect sends the figures of this moment.
func (f *Feed) Collect(out chan<- prometheus.Metric) {
	s := f.Stats()
	out <- prometheus.MustNewConstMetric(openedTotal, prometheus.CounterValue, float64(s.Opened))
	out <- prometheus.MustNewConstMetric(sharedTotal, prometheus.CounterValue, float64(s.Shared))
	out <- prometheus.MustNewConstMetric(keptBytes, prometheus.GaugeValue, float64(s.Bytes))
}
