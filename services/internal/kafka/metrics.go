package kafka

import "github.com/prometheus/client_golang/prometheus"

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("dossier_log_"+name, help, []string{"topic"}, nil)
}

var (
	recordsTotal  = describe("records_total", "Records that the log acknowledged.")
	bytesTotal    = describe("bytes_total", "Bytes of record batches that the log acknowledged.")
	batchesTotal  = describe("batches_total", "Batches that the log acknowledged.")
	retriesTotal  = describe("retries_total", "Attempts to write a batch after the first.")
	refusedTotal  = describe("refused_submits_total", "Submits that were refused because the log was slow or gone.")
	failedTotal   = describe("failed_batches_total", "Batches that were given up.")
	bufferedBytes = describe("buffered_bytes", "Bytes accepted and not yet acknowledged.")
)

func newBatchSizes(topic string) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "dossier_log_batch_records", Help: "Records of the batches that the log acknowledged.", ConstLabels: prometheus.Labels{"topic": topic},
		Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000},
	})
}

// Describe and Collect make the batcher a prometheus.Collector. Batchers of several topics may be in one registry.
func (b *Batcher) Describe(out chan<- *prometheus.Desc) {
	b.sizes.Describe(out)
	for _, d := range []*prometheus.Desc{recordsTotal, bytesTotal, batchesTotal, retriesTotal, refusedTotal, failedTotal, bufferedBytes} {
		out <- d
	}
}

// Collect sends the figures of this moment.
func (b *Batcher) Collect(out chan<- prometheus.Metric) {
	b.sizes.Collect(out)
	s := b.Stats()
	counter := func(d *prometheus.Desc, n uint64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), b.topic)
	}
	counter(recordsTotal, s.Records)
	counter(bytesTotal, s.Bytes)
	counter(batchesTotal, s.Batches)
	counter(retriesTotal, s.Retries)
	counter(refusedTotal, s.Refused)
	counter(failedTotal, s.Failed)
	out <- prometheus.MustNewConstMetric(bufferedBytes, prometheus.GaugeValue, float64(s.Buffered), b.topic)
}
