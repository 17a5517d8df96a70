package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config says where Load sends the demo workspace.
type Config struct {
	URL       string               // of the installation, such as http://127.0.0.1:8080
	ServerKey string               // a server write key of the workspace
	ClientKey string               // a client write key whose source is "web"
	Progress  func(n, total int64) // called after every batch, by one goroutine at a time; may be nil
}

const (
	batchEvents = 500
	connections = 3
	patience    = 2 * time.Minute // for how long a collector that is not available is tried again
)

// Load sends the demo workspace to an installation and returns when every event is acknowledged. What it sends is the same at
// every call, so an interrupted or repeated Load adds nothing twice. It waits for a collector that is busy or away for two minutes
// at most, and ends with an error at the first event that is refused.
func Load(ctx context.Context, cfg Config) error {
	batches, total, err := cut()
	if err != nil {
		return err
	}
	return deliver(ctx, cfg, batches, total)
}

// deliver sends batches over a few connections. The first error ends it.
func deliver(ctx context.Context, cfg Config, batches []batch, total int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	transport := &http.Transport{MaxIdleConnsPerHost: connections}
	defer transport.CloseIdleConnections()
	l := &loader{cfg: cfg, client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}

	work := make(chan *batch)
	var (
		senders sync.WaitGroup
		mu      sync.Mutex
		done    int64
	)
	for range connections {
		senders.Go(func() {
			for b := range work {
				if err := l.send(ctx, b); err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				done += int64(b.events)
				if cfg.Progress != nil {
					cfg.Progress(done, total)
				}
				mu.Unlock()
			}
		})
	}
feed:
	for i := range batches {
		select {
		case work <- &batches[i]:
		case <-ctx.Done():
			break feed
		}
	}
	close(work)
	senders.Wait()
	return context.Cause(ctx)
}

// batch is one request's body.
type batch struct {
	class  Class
	events int
	body   []byte
}

// cut generates the workspace and cuts it into requests.
func cut() (batches []batch, total int64, err error) {
	open := map[Class]*batch{}
	finish := func(b *batch) {
		b.body = append(b.body, ']')
		if b.class == Client {
			b.body = append(b.body, '}')
		}
		batches = append(batches, *b)
	}
	_, err = Generate(Seed, func(class Class, _ string, event json.RawMessage) error {
		b := open[class]
		if b == nil {
			b = &batch{class: class, body: []byte("[")}
			if class == Client {
				b.body = []byte(`{"batch":[`)
			}
			open[class] = b
		}
		if b.events > 0 {
			b.body = append(b.body, ',')
		}
		b.body = append(b.body, event...)
		b.events++
		total++
		if b.events == batchEvents {
			finish(b)
			delete(open, class)
		}
		return nil
	})
	for _, class := range []Class{Server, Client} {
		if b := open[class]; b != nil {
			finish(b)
		}
	}
	return batches, total, err
}

type loader struct {
	cfg    Config
	client *http.Client
}

// receipt is what the collector answers.
type receipt struct {
	Refused []refusal `json:"refused"`
	Error   refusal   `json:"error"`
}

type refusal struct {
	Code   string `json:"code"`
	Reason string `json:"reason"`
	Hint   string `json:"hint"`
}

func (r refusal) String() string { return r.Code + ": " + r.Reason + "; " + r.Hint }

// errUnavailable marks an attempt that may succeed later.
var errUnavailable = errors.New("the collector is not available")

// send posts a batch until it is acknowledged whole.
func (l *loader) send(ctx context.Context, b *batch) error {
	started, backOff := time.Now(), 100*time.Millisecond
	for {
		after, err := l.post(ctx, b)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.Is(err, errUnavailable) || time.Since(started) > patience:
			return err
		}
		if after == 0 {
			after = backOff
			backOff = min(2*backOff, 5*time.Second)
		}
		select {
		case <-time.After(after):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// post makes one attempt. after is how long the collector asked to wait.
func (l *loader) post(ctx context.Context, b *batch) (after time.Duration, err error) {
	path, key := "/v1/events", l.cfg.ServerKey
	if b.class == Client {
		path, key = "/v1/batch", l.cfg.ClientKey
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(l.cfg.URL, "/")+path, bytes.NewReader(b.body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.SetBasicAuth(key, "")
	response, err := l.client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read to its end
	text, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		after = time.Duration(seconds) * time.Second
	}
	var r receipt
	unread := json.Unmarshal(text, &r)
	switch status := response.StatusCode; {
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return after, fmt.Errorf("%w: it answered %d %s", errUnavailable, status, r.Error)
	case unread != nil:
		return 0, fmt.Errorf("%s answered %d and no JSON: is this a collector?", path, status)
	case len(r.Refused) > 0:
		return 0, fmt.Errorf("%s refused %d of %d events, the first one with %s", path, len(r.Refused), b.events, r.Refused[0])
	case status != http.StatusOK:
		return 0, fmt.Errorf("%s answered %d: %s", path, status, r.Error)
	}
	return 0, nil
}
