package deadletter

import "github.com/prometheus/client_golang/prometheus"

// NewCounter counts letters that the log acknowledged, by the role that wrote them and the code of their refusal. Codes are
// constants of the product, so they are few.
func NewCounter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dossier_dead_letters_total", Help: "Dead letters acknowledged by the log, by role and code.",
	}, []string{"role", "code"})
}

// count counts letters that are durable now.
func (b *Box) count(letters []Letter) {
	if b.Written == nil {
		return
	}
	for i := range letters {
		b.Written.WithLabelValues(letters[i].Refusal.Code).Inc()
	}
}
