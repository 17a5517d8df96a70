// Package load makes load for benchmarks: batches of realistic events over keep-alive connections, with latencies, and the CPU and
// memory of a process tree. It is a generator only: nothing here checks what was stored.
package load

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Plan says what to send.
type Plan struct {
	URL    string // of the installation
	Key    string // a write key
	Users  int    // different people, who come one after the other; each has a user id and an anonymous id
	First  int    // who comes first: where an earlier run ended
	Batch  int    // events a request
	Conns  int    // connections, each with one request in flight
	Rate   int    // events a second over all connections; 0 is as fast as it goes
	Events int64  // so many in all; 0: until For is over
	For    time.Duration
	Warm   time.Duration // not measured, at the beginning
}

// Result is what was measured after the warm-up.
type Result struct {
	Events    int64
	Elapsed   time.Duration
	Failures  int64 // requests not answered 200
	Latencies []time.Duration
}

// PerSecond is the rate of acknowledged events.
func (r *Result) PerSecond() float64 { return float64(r.Events) / r.Elapsed.Seconds() }

// Quantile gives the latency that a share q of the requests stays below.
func (r *Result) Quantile(q float64) time.Duration { return Quantile(r.Latencies, q) }

// Quantile sorts latencies and gives the one at share q; 0 if there are none.
func Quantile(latencies []time.Duration, q float64) time.Duration {
	if len(latencies) == 0 {
		return 0
	}
	slices.Sort(latencies)
	return latencies[min(len(latencies)-1, int(q*float64(len(latencies))))]
}

var (
	names      = []string{"Product Viewed", "Product Added", "Checkout Started", "Product Clicked", "Cart Viewed", "Coupon Applied"}
	categories = []string{"Games", "Kitchen", "Garden", "Books", "Audio", "Outdoor"}
	brands     = []string{"Hasbro", "Lodge", "Fiskars", "Penguin", "Sennheiser", "Patagonia"}
	agents     = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36",
		"Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
	}
)

// User names a person of a plan.
func User(n int) string { return fmt.Sprintf("user-%0*d", userDigits, n) }

// A template is an event whose person, message id and time are filled in when it is sent: the generator must cost next to nothing
// beside what it measures.
type template struct {
	text            []byte
	message, time   int // where 40 and 24 characters go
	user, anonymous int // where userDigits go
}

const (
	userDigits    = 7
	messageLength = 40
	timeLayout    = "2006-01-02T15:04:05.000Z"
)

// templates makes n track events of about 640 bytes.
func templates(r *rand.Rand, n int) []template {
	message, at := strings.Repeat("m", messageLength), strings.Repeat("t", len(timeLayout))
	out := make([]template, n)
	for i := range out {
		k := r.IntN(len(categories))
		sku := fmt.Sprintf("%c-%03d", 'A'+r.IntN(26), r.IntN(1000))
		text := fmt.Appendf(nil, `{"type":"track","event":"%s","messageId":"%s","anonymousId":"9d6c1f0e-0000-4000-8000-00000%s","userId":"%s","channel":"web",`+
			`"originalTimestamp":"%s","properties":{"product_id":"%012x","sku":"%s","category":"%s","name":"A fine thing for every day","brand":"%s","price":%.2f,`+
			`"quantity":%d,"currency":"EUR"},"context":{"library":{"name":"load","version":"1.0.0"},"locale":"fr-FR","ip":"203.0.113.%d","page":{"path":"/p/%s"},"userAgent":"%s"}}`,
			names[r.IntN(len(names))], message, User(0)[len("user-"):], User(0), at, r.Int64N(1<<47), sku, categories[k],
			brands[k], 1+r.Float64()*400, 1+r.IntN(9), r.IntN(256), strings.ToLower(sku), agents[r.IntN(len(agents))])
		out[i] = template{
			text, bytes.Index(text, []byte(message)), bytes.Index(text, []byte(at)),
			bytes.Index(text, []byte(`"userId":"user-`)) + len(`"userId":"user-`), bytes.Index(text, []byte("-8000-00000")) + len("-8000-00000"),
		}
	}
	return out
}

// append writes the event of a person with a message id of its own.
func (t *template) append(dst []byte, user int, run int64, conn, n, i int, at []byte) []byte {
	from := len(dst)
	dst = append(dst, t.text...)
	copy(dst[from+t.time:], at)
	for digit := range userDigits {
		c := byte('0' + user%10)
		dst[from+t.user+userDigits-1-digit], dst[from+t.anonymous+userDigits-1-digit] = c, c
		user /= 10
	}
	id := dst[from+t.message : from+t.message+messageLength]
	for place, v := range [4]uint64{uint64(run), uint64(conn), uint64(n), uint64(i)} {
		for digit := range 9 {
			id[place*10+8-digit] = "0123456789abcdef"[v>>(4*digit)&15]
		}
		id[place*10+9] = '-'
	}
	return dst
}

// Run sends until the plan is done or ctx ends.
func Run(ctx context.Context, p Plan) *Result {
	total := &Result{}
	if p.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.Warm+p.For)
		defer cancel()
	}
	prepared := templates(rand.New(rand.NewPCG(1, 7)), 4093) // a prime: a person does not get the same events again and again
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: p.Conns, MaxConnsPerHost: p.Conns, DisableCompression: true}}
	defer client.CloseIdleConnections()
	started := time.Now()
	measured := started.Add(p.Warm)
	run := started.UnixNano()
	var sent atomic.Int64
	var mu sync.Mutex
	var wait sync.WaitGroup
	for c := range p.Conns {
		wait.Go(func() {
			next := p.First + c*97
			var body []byte
			var latencies []time.Duration
			var events, failures int64
			for n := 0; ctx.Err() == nil; n++ {
				first := sent.Add(int64(p.Batch)) - int64(p.Batch)
				if p.Events > 0 && first >= p.Events {
					break
				}
				if p.Rate > 0 {
					due := started.Add(time.Duration(float64(first) / float64(p.Rate) * float64(time.Second)))
					if !sleep(ctx, time.Until(due)) {
						break
					}
				}
				body = append(body[:0], `{"batch":[`...)
				at := time.Now().UTC().AppendFormat(nil, timeLayout)
				for i := range p.Batch {
					if i > 0 {
						body = append(body, ',')
					}
					next++
					body = prepared[next%len(prepared)].append(body, next%p.Users, run, c, n, i, at)
				}
				body = append(body, `]}`...)
				begun := time.Now()
				ok := post(ctx, client, p, body)
				if ctx.Err() != nil {
					break
				}
				if begun.Before(measured) {
					continue
				}
				if !ok {
					failures++
					continue
				}
				events += int64(p.Batch)
				latencies = append(latencies, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			total.Events += events
			total.Failures += failures
			total.Latencies = append(total.Latencies, latencies...)
		})
	}
	wait.Wait()
	total.Elapsed = time.Since(measured)
	return total
}

func post(ctx context.Context, client *http.Client, p Plan, body []byte) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+"/v1/batch", bytes.NewReader(body))
	if err != nil {
		return false
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(p.Key+":")))
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return false
	}
	return response.StatusCode == http.StatusOK
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// ticksPerSecond is Linux's clock tick of /proc.
const ticksPerSecond = 100

// CPU is the processor time of a process and its children, ended ones included. It reads /proc: 0 where there is none.
func CPU(pid int) time.Duration {
	return time.Duration(ticks(pid)) * time.Second / ticksPerSecond
}

func ticks(pid int) uint64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+2:]))
	var n uint64
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		v, err := strconv.ParseUint(f, 10, 64)
		if err == nil {
			n += v
		}
	}
	for _, child := range children(pid) {
		n += ticks(child)
	}
	return n
}

func children(pid int) (out []int) {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for _, word := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(word); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// RSS is the resident memory of a process and its children in bytes.
func RSS(pid int) (n int64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			v, err := strconv.ParseInt(strings.Fields(kb)[0], 10, 64)
			if err == nil {
				n = v << 10
			}
		}
	}
	for _, child := range children(pid) {
		n += RSS(child)
	}
	return n
}
