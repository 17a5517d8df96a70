package main

import (
	"context"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/segments"
)

// gauges shows what belongs to the process as a whole. What a role registers itself is not here.
type gauges struct{ i *installation }

var (
	lag         = describe("dossier_lag_records", "Records of the log that a role has yet to see, by partition.", "role", "partition")
	unsettled   = describe("dossier_segments_unsettled_records", "Records of the log by which not everybody was weighed yet, by partition.", "partition")
	mapBehind   = describe("dossier_persona_map_behind_commits", "Commits of identity that the persona map in ClickHouse has yet to see.")
	restarts    = describe("dossier_engine_restarts_total", "Restarts of the embedded ClickHouse engine.")
	truncations = describe("dossier_embedded_log_truncations_total", "Times that the embedded log was cut: each lost acknowledged records.")
	ringVersion = describe("dossier_ring_version", "Version of the key ring that a role holds.", "role")
	erasing     = describe("dossier_erasures_pending", "Erasures that not every role has honoured yet.")
	ready       = describe("dossier_ready", "1 if this process answers rightly, 0 while it waits for something; /readyz says for what.")
	leaseHeld   = describe("dossier_lease_held", "1 for each lease that this process holds: the work that it does as the only one.", "lease")
	diskFree    = describe("dossier_disk_free_bytes", "Bytes left to us on the file system of the data folder.")
	diskSize    = describe("dossier_disk_size_bytes", "Bytes of the file system of the data folder.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe tells nothing: which roles and partitions there are is only known when it is asked.
func (g gauges) Describe(chan<- *prometheus.Desc) {}

// Collect reads the figures.
func (g gauges) Collect(out chan<- prometheus.Metric) {
	i := g.i
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if i.engine != nil {
		out <- prometheus.MustNewConstMetric(restarts, prometheus.CounterValue, float64(i.engine.Restarts()))
	}
	if i.embedded != nil {
		out <- prometheus.MustNewConstMetric(truncations, prometheus.CounterValue, float64(i.embedded.Truncations()))
	}
	for _, r := range i.roles {
		if r != archiveRole { // which needs no keys
			gauge(ringVersion, float64(i.ring.Version()), string(r))
		}
	}
	state := 0.0
	if ok, _ := i.whyNotReady(); ok {
		state = 1
	}
	gauge(ready, state)
	p := i.projections()
	holds := func(name, held any) bool {
		if held.(lease).Valid() {
			gauge(leaseHeld, 1, name.(string))
		}
		return true
	}
	i.held.Range(holds)
	if p != nil && p != i {
		p.held.Range(holds)
	}
	if free, size, err := diskSpace(i.folder.dir); err == nil {
		gauge(diskFree, float64(free))
		gauge(diskSize, float64(size))
	}
	if p == nil {
		return
	}
	if i.roles.has(identityRole, timelineRole, careRole, segmentsRole) {
		gauge(erasing, float64(p.pendingErasures()))
		gauges{p}.lag(gauge)
	}
	if i.roles.has(identityRole) {
		gauge(mapBehind, float64(figures{p}.MapBehind()))
	}
}

// lag is left out while the log does not answer.
func (g gauges) lag(gauge func(d *prometheus.Desc, v float64, labels ...string)) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	ends, err := g.i.eventLog.Ends(ctx)
	if err != nil {
		return
	}
	var folded []schema.Position
	if g.i.identity != nil {
		folded = g.i.identity.Positions()
	}
	var visible []int64
	if g.i.timeline != nil && g.i.timelineWrites() == nil {
		visible, _ = g.i.timeline.Visible()
	}
	var cared []int64
	if g.i.care != nil && g.i.careWrites() == nil {
		cared, _ = g.i.care.Visible()
	}
	var decided segments.Progress
	if g.i.segments != nil && g.i.segmentsDecide() == nil {
		decided, _ = g.i.segments.Progress()
	}
	for p, end := range ends {
		if p < len(folded) {
			gauge(lag, float64(max(0, end-folded[p].Offset)), "identity", strconv.Itoa(p))
		}
		if p < len(visible) {
			gauge(lag, float64(max(0, end-visible[p])), "timeline", strconv.Itoa(p))
		}
		if p < len(cared) {
			gauge(lag, float64(max(0, end-cared[p])), "care", strconv.Itoa(p))
		}
		if p < len(decided.Read) {
			gauge(lag, float64(max(0, end-decided.Read[p])), "segments", strconv.Itoa(p))
			gauge(unsettled, float64(max(0, end-decided.Settled[p])), strconv.Itoa(p))
		}
	}
}

// buildInfo is a metric that is always 1 and says in its labels what runs.
func buildInfo() prometheus.Collector {
	labels := prometheus.Labels{"revision": "unknown", "modified": "unknown", "go_version": "unknown"}
	if build, ok := debug.ReadBuildInfo(); ok {
		labels["go_version"] = build.GoVersion
		for _, s := range build.Settings {
			switch s.Key {
			case "vcs.revision":
				labels["revision"] = s.Value
			case "vcs.modified":
				labels["modified"] = s.Value
			}
		}
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "dossier_build_info", Help: "Always 1; the labels say what was built.", ConstLabels: labels})
	info.Set(1)
	return info
}

// registerMetrics shows the figures of everything that runs in this process. The timeline and the API register theirs themselves.
func (i *installation) registerMetrics() {
	i.registry.MustRegister(
		gauges{i}, buildInfo(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		i.feed, i.writtenLetters,
	)
	if i.collector != nil {
		i.registry.MustRegister(i.collector.Metrics(), i.events)
	}
	if i.letters != nil {
		i.registry.MustRegister(i.letters)
	}
	if i.archiver != nil {
		i.registry.MustRegister(i.archiver.Metrics())
	}
	if i.identity != nil { // else the live projections show theirs themselves
		i.registry.MustRegister(i.identity.Metrics())
	}
}
