package collector

import (
	"sort"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dossier-cdp/dossier/pipelines/channel"
)

// Metrics count what the collector did since it started. Reading is safe at any time; a reading is not one moment. It is a
// prometheus.Collector.
type Metrics struct {
	accepted    atomic.Uint64
	letters     atomic.Uint64
	bytes       atomic.Int64
	unavailable atomic.Uint64
	refused     map[string]*atomic.Uint64 // by code; the map itself is fixed
	requests    map[int]*atomic.Uint64    // by status; fixed too
	buckets     [len(latencyBounds) + 1]atomic.Uint64
	seconds     atomic.Int64 // nanoseconds, in fact
	held        func() int64 // bytes of the bodies that are being read or mapped
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("dossier_collector_"+name, help, labels, nil)
}

var (
	acceptedTotal    = describe("events_accepted_total", "Events acknowledged by the log.")
	refusedTotal     = describe("events_refused_total", "Events refused, by code.", "code")
	requestsTotal    = describe("requests_total", "Requests, by status.", "status")
	unavailableTotal = describe("unavailable_total", "Requests answered 503 because the log was slow or gone.")
	bodyBytesTotal   = describe("body_bytes_total", "Bytes of request bodies, as they came over the wire.")
	bodyBytesHeld    = describe("body_bytes", "Bytes of the request bodies that are being read or mapped now.")
	requestSeconds   = describe("request_seconds", "Time to answer a request.")
)

// Describe sends what Collect may send.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{acceptedTotal, refusedTotal, requestsTotal, unavailableTotal, bodyBytesTotal, bodyBytesHeld, requestSeconds} {
		out <- d
	}
}

// Collect sends the figures of this moment.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	r := m.Read()
	counter(acceptedTotal, r.Accepted)
	counter(unavailableTotal, r.Unavailable)
	counter(bodyBytesTotal, r.Bytes)
	for code, n := range r.Refused {
		counter(refusedTotal, n, code)
	}
	for status, n := range r.Requests {
		counter(requestsTotal, n, strconv.Itoa(status))
	}
	out <- prometheus.MustNewConstMetric(bodyBytesHeld, prometheus.GaugeValue, float64(m.held()))
	buckets := map[float64]uint64{}
	for _, b := range r.Latency[:len(r.Latency)-1] {
		buckets[b.Bound.Seconds()] = b.Count
	}
	out <- prometheus.MustNewConstHistogram(requestSeconds, r.Latency[len(r.Latency)-1].Count, r.Seconds, buckets)
}

// latencyBounds are the upper bounds of the latency histogram.
var latencyBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second,
}

var statuses = [...]int{200, 204, 400, 401, 403, 404, 405, 408, 413, 415, 503}

// otherCode counts what has a code of another package.
const otherCode = "other"

func (m *Metrics) init() {
	m.refused = map[string]*atomic.Uint64{otherCode: {}}
	for _, code := range channel.Codes() {
		m.refused[code] = &atomic.Uint64{}
	}
	m.requests = map[int]*atomic.Uint64{}
	for _, status := range statuses {
		m.requests[status] = &atomic.Uint64{}
	}
}

func (m *Metrics) refuse(code string) {
	counter, ok := m.refused[code]
	if !ok {
		counter = m.refused[otherCode]
	}
	counter.Add(1)
}

func (m *Metrics) answer(status int, took time.Duration) {
	if counter, ok := m.requests[status]; ok {
		counter.Add(1)
	}
	i := sort.Search(len(latencyBounds), func(i int) bool { return took <= latencyBounds[i] })
	m.buckets[i].Add(1)
	m.seconds.Add(int64(took))
}

// Reading is what the counters say. Refused and Requests have only what occurred.
type Reading struct {
	Accepted    uint64            // events acknowledged by the log
	Letters     uint64            // dead letters acknowledged by the log
	Bytes       uint64            // of bodies, as they came over the wire
	Unavailable uint64            // requests answered 503 because the log was slow or gone
	Refused     map[string]uint64 // events, by code
	Requests    map[int]uint64    // by status
	Latency     []Bucket          // of requests, cumulative, the last without bound
	Seconds     float64           // all requests together
}

// Bucket counts the requests that took at most Bound; the last bucket has the bound 0 and counts all.
type Bucket struct {
	Bound time.Duration
	Count uint64
}

// Read reads the counters.
func (m *Metrics) Read() Reading {
	r := Reading{
		Accepted: m.accepted.Load(), Letters: m.letters.Load(), Bytes: uint64(m.bytes.Load()), Unavailable: m.unavailable.Load(),
		Refused: map[string]uint64{}, Requests: map[int]uint64{}, Seconds: time.Duration(m.seconds.Load()).Seconds(),
	}
	for code, counter := range m.refused {
		if n := counter.Load(); n > 0 {
			r.Refused[code] = n
		}
	}
	for status, counter := range m.requests {
		if n := counter.Load(); n > 0 {
			r.Requests[status] = n
		}
	}
	total := uint64(0)
	for i := range m.buckets {
		total += m.buckets[i].Load()
		bucket := Bucket{Count: total}
		if i < len(latencyBounds) {
			bucket.Bound = latencyBounds[i]
		}
		r.Latency = append(r.Latency, bucket)
	}
	return r
}
