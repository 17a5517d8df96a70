package segments

import "github.com/prometheus/client_golang/prometheus"

type metrics struct{ weighed, seconds, changes prometheus.Counter }

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		weighed: prometheus.NewCounter(prometheus.CounterOpts{Name: "dossier_segments_weighed_total", Help: "People of whom it was decided which segments they are in."}),
		seconds: prometheus.NewCounter(prometheus.CounterOpts{Name: "dossier_segments_weighing_seconds_total", Help: "Time that deciding took."}),
		changes: prometheus.NewCounter(prometheus.CounterOpts{Name: "dossier_segments_changes_total", Help: "People who entered or left a segment."}),
	}
	if registry != nil {
		registry.MustRegister(m.weighed, m.seconds, m.changes)
	}
	return m
}
