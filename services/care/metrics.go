package care

import "github.com/prometheus/client_golang/prometheus"

// metrics are the role's figures.
type metrics struct {
	records, contacts, rows, deleted, batches, retries prometheus.Counter
	alerts, sent, unsent                               prometheus.Counter
}

// newMetrics registers the figures; without a registry they are kept and not shown.
func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "dossier", Subsystem: "care", Name: name, Help: help})
	}
	m := &metrics{
		records:  counter("records_total", "Records of the log that were read."),
		contacts: counter("contacts_total", "Events among them that concern a conversation, a case or a survey."),
		rows:     counter("rows_total", "Rows of conversations, cases and surveys that were written."),
		deleted:  counter("deleted_rows_total", "Rows among them that say that an id is gone."),
		batches:  counter("batches_total", "Batches folded."),
		retries:  counter("retries_total", "Attempts that failed and were repeated."),
		alerts:   counter("alerts_total", "Alerts raised."),
		sent:     counter("alerts_sent_total", "Alerts that a webhook took."),
		unsent:   counter("alerts_unsent_total", "Attempts to send an alert that failed."),
	}
	if r != nil {
		r.MustRegister(m.records, m.contacts, m.rows, m.deleted, m.batches, m.retries, m.alerts, m.sent, m.unsent)
	}
	return m
}
