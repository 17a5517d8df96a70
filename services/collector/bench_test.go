package collector

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// nullLog acknowledges everything at once.
type nullLog struct{ bytes int }

func (l *nullLog) Submit(_ context.Context, messages []kafka.Message) error {
	for i := range messages {
		l.bytes += len(messages[i].Value)
	}
	return nil
}

// loadBody is a batch of n events of the load generator's shape: 640 bytes each, 2,000 users.
func loadBody(n, seed int) string {
	var b strings.Builder
	b.WriteString(`{"batch":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		u := (seed*n + i) * 7919 % 2000
		fmt.Fprintf(&b, `{"type":"track","event":"Product Viewed","messageId":"%08x-0001-4000-8000-%012x","anonymousId":"%08x-9c1f-4d52-9d6e-%012x","userId":"user-%06d","channel":"web","originalTimestamp":"2026-03-01T11:%02d:%02d.%03dZ",`+
			`"properties":{"product_id":"%012x","sku":"G-%03d","category":"Games","name":"Monopoly: 3rd Edition","brand":"Hasbro","price":%d.%02d,"quantity":%d,"currency":"USD"},`+
			`"context":{"library":{"name":"RudderLabs JavaScript SDK","version":"3.7.1"},"locale":"en-GB","ip":"203.0.113.%d","page":{"path":"/p/g-%03d"},"userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36"}}`,
			seed, i, u, u*31, u, i%60, seed%60, i%1000, u*977, u%1000, 1+u%400, i%100, 1+i%9, u%256, u%1000)
	}
	b.WriteString(`],"sentAt":"2026-03-01T11:59:59.000Z"}`)
	return b.String()
}

// discardWriter is an http.ResponseWriter that keeps nothing.
type discardWriter struct {
	header http.Header
	status int
}

func (w *discardWriter) Header() http.Header         { return w.header }
func (w *discardWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *discardWriter) WriteHeader(status int)      { w.status = status }

// processorTime is the processor time of this process: on a machine that others use too, time on the wall says little.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBatch is the whole collector without HTTP's parser and the log: cpu-ns/event is its cost per event.
func BenchmarkBatch(b *testing.B) {
	const events = 100
	r := newRig(b, Limits{})
	log := &nullLog{}
	r.Collector.log = log
	var bodies []string
	for i := range 64 {
		bodies = append(bodies, loadBody(events, i))
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(bodies[0])))
	w := &discardWriter{header: http.Header{}}
	n := 0
	before := processorTime(b)
	for b.Loop() {
		req := httptest.NewRequest(http.MethodPost, "/v1/batch", strings.NewReader(bodies[n%len(bodies)]))
		req.SetBasicAuth(serverKey, "")
		clear(w.header)
		r.serve(w, req)
		if w.status != 200 {
			b.Fatal(w.status)
		}
		n++
	}
	b.ReportMetric(float64(processorTime(b)-before)/float64(n*events), "cpu-ns/event")
	b.ReportMetric(float64(log.bytes)/float64(n*events), "sealed-B/event")
}
