package main

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// gauges shows the figures that the roles keep for themselves. What a role registers itself is not here.
type gauges struct{ i *installation }

var (
	accepted    = describe("dossier_collector_events_accepted_total", "Events acknowledged by the log.")
	refused     = describe("dossier_collector_events_refused_total", "Events refused, by code.", "code")
	requests    = describe("dossier_collector_requests_total", "Requests, by status.", "status")
	unavailable = describe("dossier_collector_unavailable_total", "Requests answered 503 because the log was slow or gone.")
	letters     = describe("dossier_collector_dead_letters_total", "Dead letters acknowledged by the log.")
	bodyBytes   = describe("dossier_collector_body_bytes_total", "Bytes of request bodies, as they came over the wire.")
	latency     = describe("dossier_collector_request_seconds", "Time to answer a request.")
	logRecords  = describe("dossier_log_records_total", "Records that the log acknowledged.")
	logBatches  = describe("dossier_log_batches_total", "Batches that the log acknowledged.")
	logRetries  = describe("dossier_log_retries_total", "Attempts to write a batch after the first.")
	logBuffered = describe("dossier_log_buffered_bytes", "Bytes accepted and not yet acknowledged.")
	lag         = describe("dossier_lag_records", "Records of the log that a role has yet to see, by partition.", "role", "partition")
	archiveLag  = describe("dossier_archive_behind_records", "Records of the log that are not archived yet.")
	archived    = describe("dossier_archive_records_total", "Records archived.")
	restarts    = describe("dossier_engine_restarts_total", "Restarts of the embedded engine.")
	ringVersion = describe("dossier_ring_version", "Version of the key ring.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe tells nothing: which labels occur is only known when it is asked.
func (g gauges) Describe(chan<- *prometheus.Desc) {}

// Collect reads the figures.
func (g gauges) Collect(out chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	r := g.i.collector.Metrics().Read()
	counter(accepted, float64(r.Accepted))
	counter(unavailable, float64(r.Unavailable))
	counter(letters, float64(r.Letters))
	counter(bodyBytes, float64(r.Bytes))
	for code, n := range r.Refused {
		counter(refused, float64(n), code)
	}
	for status, n := range r.Requests {
		counter(requests, float64(n), strconv.Itoa(status))
	}
	buckets := map[float64]uint64{}
	var total uint64
	for _, b := range r.Latency {
		if b.Bound > 0 {
			buckets[b.Bound.Seconds()] = b.Count
		}
		total = b.Count
	}
	out <- prometheus.MustNewConstHistogram(latency, total, r.Seconds, buckets)

	batches := g.i.events.Stats()
	counter(logRecords, float64(batches.Records))
	counter(logBatches, float64(batches.Batches))
	counter(logRetries, float64(batches.Retries))
	gauge(logBuffered, float64(batches.Buffered))
	counter(archived, float64(g.i.archiver.Metrics().Records.Load()))
	gauge(archiveLag, float64(g.i.archiver.Metrics().Behind.Load()))
	gauge(ringVersion, float64(g.i.keeper.Version(mainWorkspace)))
	if g.i.engine != nil {
		counter(restarts, float64(g.i.engine.Restarts()))
	}
	g.lag(gauge)
}

// lag is left out while the log does not answer.
func (g gauges) lag(gauge func(d *prometheus.Desc, v float64, labels ...string)) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	ends, err := g.i.eventLog.Ends(ctx)
	if err != nil || g.i.onlyCollector {
		return
	}
	folded := g.i.identity.Positions()
	visible, _ := g.i.timeline.Visible()
	for p, end := range ends {
		if p < len(folded) {
			gauge(lag, float64(max(0, end-folded[p].Offset)), "identity", strconv.Itoa(p))
		}
		if p < len(visible) {
			gauge(lag, float64(max(0, end-visible[p])), "timeline", strconv.Itoa(p))
		}
	}
}

func (i *installation) registerMetrics() {
	i.registry.MustRegister(gauges{i}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}
