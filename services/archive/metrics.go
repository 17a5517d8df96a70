package archive

import "github.com/prometheus/client_golang/prometheus"

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("dossier_archive_"+name, help, nil, nil)
}

var (
	segmentsTotal     = describe("segments_total", "Segment files written.")
	recordsTotal      = describe("records_total", "Records archived.")
	rawBytesTotal     = describe("raw_bytes_total", "Bytes of records archived, before compression.")
	segmentBytesTotal = describe("segment_bytes_total", "Bytes of segment files written.")
	droppedTotal      = describe("dropped_ranges_total", "Archived ranges that the log dropped.")
	failuresTotal     = describe("failures_total", "Transient failures, each followed by a fresh start of its partition.")
	behindRecords     = describe("behind_records", "Records of the log that are not archived yet.")
	behindBytes       = describe("behind_bytes", "Bytes of the records that are not archived yet, as far as they are known.")
)

// Describe and Collect make the figures a prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{segmentsTotal, recordsTotal, rawBytesTotal, segmentBytesTotal, droppedTotal, failuresTotal, behindRecords, behindBytes} {
		out <- d
	}
}

// Collect sends the figures of this moment.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, n int64) {
		out <- prometheus.MustNewConstMetric(d, kind, float64(n))
	}
	send(segmentsTotal, prometheus.CounterValue, m.Segments.Load())
	send(recordsTotal, prometheus.CounterValue, m.Records.Load())
	send(rawBytesTotal, prometheus.CounterValue, m.RawBytes.Load())
	send(segmentBytesTotal, prometheus.CounterValue, m.Bytes.Load())
	send(droppedTotal, prometheus.CounterValue, m.Dropped.Load())
	send(failuresTotal, prometheus.CounterValue, m.Failures.Load())
	send(behindRecords, prometheus.GaugeValue, m.Behind.Load())
	send(behindBytes, prometheus.GaugeValue, m.Waiting.Load())
}
