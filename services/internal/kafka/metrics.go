package kafka

import "github.com/prometheus/client_golang/prometheus"

// figures are what a batcher shows, with its topic as a constant label: batchers of several topics may be in one registry.
type figures struct {
	sizes prometheus.Histogram // records of the acknowledged batches

	records, bytes, batches, retries, refused, failed, buffered *prometheus.Desc
}

func newFigures(topic string) figures {
	labels := prometheus.Labels{"topic": topic}
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("dossier_log_"+name, help, nil, labels)
	}
	return figures{
		sizes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "dossier_log_batch_records", Help: "Records of the batches that the log acknowledged.", ConstLabels: labels,
			Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000},
		}),
		records:  describe("records_total", "Records that the log acknowledged."),
		bytes:    describe("bytes_total", "Bytes of record batches that the log acknowledged."),
		batches:  describe("batches_total", "Batches that the log acknowledged."),
		retries:  describe("retries_total", "Attempts to write a batch after the first."),
		refused:  describe("refused_submits_total", "Submits that were refused because the log was slow or gone."),
		failed:   describe("failed_batches_total", "Batches that were given up."),
		buffered: describe("buffered_bytes", "Bytes accepted and not yet acknowledged."),
	}
}

// Describe and Collect make the batcher a prometheus.Collector.
func (b *Batcher) Describe(out chan<- *prometheus.Desc) {
	f := &b.figures
	f.sizes.Describe(out)
	for _, d := range []*prometheus.Desc{f.records, f.bytes, f.batches, f.retries, f.refused, f.failed, f.buffered} {
		out <- d
	}
}

// Collect sends the figures of this moment.
func (b *Batcher) Collect(out chan<- prometheus.Metric) {
	f, s := &b.figures, b.Stats()
	counter := func(d *prometheus.Desc, n uint64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	f.sizes.Collect(out)
	counter(f.records, s.Records)
	counter(f.bytes, s.Bytes)
	counter(f.batches, s.Batches)
	counter(f.retries, s.Retries)
	counter(f.refused, s.Refused)
	counter(f.failed, s.Failed)
	out <- prometheus.MustNewConstMetric(f.buffered, prometheus.GaugeValue, float64(s.Buffered))
}
