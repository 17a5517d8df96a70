package destinations

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/destination"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/webhook"
)

// Secrets resolves names such as secret:NAME.
type Secrets func(names []string) ([]string, error)

// requestsAtOnce is how many requests to one destination are under way.
const requestsAtOnce = 8

// each sends messages one by one, some at the same time.
func each(messages []*destination.Message, send func(m *destination.Message) error) []error {
	errs := make([]error, len(messages))
	var group sync.WaitGroup
	room := make(chan struct{}, requestsAtOnce)
	for i, m := range messages {
		room <- struct{}{}
		group.Go(func() {
			errs[i] = send(m)
			<-room
		})
	}
	group.Wait()
	return errs
}

// all says of every message what happened to all.
func all(messages []*destination.Message, err error) []error {
	errs := make([]error, len(messages))
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// Webhooks sends by Standard Webhooks, a request for each message.
type Webhooks struct {
	Sender  *webhook.Sender
	Secrets Secrets
}

// AtOnce is how many messages one call takes.
func (Webhooks) AtOnce() int { return 64 }

// Send sends messages.
func (w Webhooks) Send(ctx context.Context, d *destination.Destination, messages []*destination.Message) []error {
	secrets, err := w.Secrets(d.Secrets)
	if err != nil {
		return all(messages, schema.Classify(schema.Transient, err)) // somebody may put it there
	}
	return each(messages, func(m *destination.Message) error {
		body, err := m.Body()
		if err != nil {
			return schema.Classify(schema.Rejected, err)
		}
		return w.Sender.Send(ctx, webhook.Destination{URL: d.URL, Secrets: secrets, Private: d.Private}, webhook.Message{ID: m.ID, Body: body})
	})
}

// Rests makes a request for each message, by the destination's mapping. The message's id is the header Idempotency-Key.
type Rests struct {
	Sender  *webhook.Sender
	Secrets Secrets
}

// AtOnce is how many messages one call takes.
func (Rests) AtOnce() int { return 64 }

// Send sends messages.
func (r Rests) Send(ctx context.Context, d *destination.Destination, messages []*destination.Message) []error {
	headers := map[string]string{"Content-Type": "application/json"}
	for name, value := range d.Headers {
		if strings.HasPrefix(value, "secret:") {
			values, err := r.Secrets([]string{value})
			if err != nil {
				return all(messages, schema.Classify(schema.Transient, err))
			}
			value = values[0]
		}
		headers[name] = value
	}
	return each(messages, func(m *destination.Message) error {
		method, address, body, err := d.Upsert(m)
		if err != nil {
			return schema.Classify(schema.Rejected, err)
		}
		own := map[string]string{"Idempotency-Key": m.ID}
		for name, value := range headers {
			own[name] = value
		}
		status, err := r.Sender.Do(ctx, webhook.Request{Method: method, URL: address, Headers: own, Body: body, Private: d.Private})
		if m.Removes() && method == http.MethodDelete && (status == http.StatusNotFound || status == http.StatusGone) {
			return nil // it is not there
		}
		return err
	})
}

// Cluster is a company's Kafka. *kafka.Client is one.
type Cluster interface {
	Partitions(ctx context.Context, topic string) (int32, error)
	Produce(ctx context.Context, topic string, partition int32, messages []kafka.Message, at time.Time) (base int64, err error)
	Close()
}

// Topics writes CloudEvents to topics: structured mode, keyed by the person, so that a partition has them in order.
type Topics struct {
	Connect func(ctx context.Context, cluster string) (Cluster, error)
	Now     func() time.Time

	mu   sync.Mutex
	open map[string]Cluster
}

// AtOnce is how many messages one call takes.
func (*Topics) AtOnce() int { return 500 }

// Close lets go of the clusters.
func (t *Topics) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.open {
		c.Close()
	}
	t.open = nil
}

func (t *Topics) cluster(ctx context.Context, name string) (Cluster, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.open[name]; c != nil {
		return c, nil
	}
	c, err := t.Connect(ctx, name)
	if err != nil {
		return nil, err
	}
	if t.open == nil {
		t.open = map[string]Cluster{}
	}
	t.open[name] = c
	return c, nil
}

// drop forgets a connection that failed: the next attempt opens it anew, perhaps by other settings.
func (t *Topics) drop(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.open[name]; c != nil {
		c.Close()
		delete(t.open, name)
	}
}

// Send sends messages.
func (t *Topics) Send(ctx context.Context, d *destination.Destination, messages []*destination.Message) []error {
	again := func(err error) error { // a cluster that is not there, or not yet, may come
		if schema.ClassOf(err) == schema.Fatal {
			return schema.Classify(schema.Transient, errors.New(err.Error()))
		}
		return err
	}
	c, err := t.cluster(ctx, d.Cluster)
	if err != nil {
		return all(messages, again(err))
	}
	n, err := c.Partitions(ctx, d.Topic)
	if err == nil && n == 0 {
		err = schema.Classify(schema.Transient, fmt.Errorf("there is no topic %s: create it", d.Topic))
	}
	if err != nil {
		t.drop(d.Cluster)
		return all(messages, again(err))
	}
	errs := make([]error, len(messages))
	batches := make([][]kafka.Message, n)
	places := make([][]int, n)
	for i, m := range messages {
		text, err := m.CloudEvent()
		if err != nil {
			errs[i] = schema.Classify(schema.Rejected, err)
			continue
		}
		h := fnv.New32a()
		h.Write([]byte(m.Key())) // it never fails
		p := int(h.Sum32() % uint32(n))
		batches[p] = append(batches[p], kafka.Message{Key: []byte(m.Key()), Value: text, Headers: []kafka.Header{{Key: "content-type", Value: []byte("application/cloudevents+json; charset=UTF-8")}}})
		places[p] = append(places[p], i)
	}
	for p, batch := range batches {
		if len(batch) == 0 {
			continue
		}
		if _, err := c.Produce(ctx, d.Topic, int32(p), batch, t.Now()); err != nil {
			t.drop(d.Cluster)
			for _, i := range places[p] {
				errs[i] = again(err)
			}
		}
	}
	return errs
}

// Files writes a file for each call into a folder of the destination's name: CSV or Parquet. A file is whole when it has its name; which one is
// newer its name says.
type Files struct {
	Folder string
	Now    func() time.Time
}

// AtOnce is how many messages one call takes.
func (Files) AtOnce() int { return 10_000 }

// Send writes messages.
func (f Files) Send(_ context.Context, d *destination.Destination, messages []*destination.Message) []error {
	return all(messages, f.write(d, messages))
}

func (f Files) write(d *destination.Destination, messages []*destination.Message) error {
	rows := make([][]string, len(messages))
	for i, m := range messages {
		rows[i] = d.Row(m)
	}
	var text []byte
	ending := ".csv"
	if d.Format == "parquet" {
		text, ending = parquet(d.Columns(), rows), ".parquet"
	} else {
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		if err := w.Write(d.Columns()); err != nil {
			return err // Unreachable: memory takes it
		}
		for _, row := range rows {
			for i := range row {
				row[i] = harmless(row[i])
			}
		}
		if err := w.WriteAll(rows); err != nil {
			return err // Unreachable: memory takes it
		}
		text = b.Bytes()
	}
	folder := filepath.Join(f.Folder, d.Name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return schema.Classify(schema.Transient, fmt.Errorf("make the folder of the destination: %w", bare(err)))
	}
	name := f.Now().UTC().Format("20060102T150405.000000Z") + "-" + messages[0].ID[:8] + ending
	if err := writeWhole(folder, name, text); err != nil {
		return schema.Classify(schema.Transient, fmt.Errorf("write a file of the destination: %w", bare(err)))
	}
	return nil
}

// harmless keeps a spreadsheet from taking a value for a formula.
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) && !plainNumber(s) {
		return "'" + s
	}
	return s
}

// plainNumber says whether a text is a number, or a telephone number: digits after a sign.
func plainNumber(s string) bool {
	return len(s) > 1 && (s[0] == '-' || s[0] == '+') && strings.Trim(s[1:], "0123456789.") == ""
}

// writeWhole writes a file that is whole once it has its name.
func writeWhole(folder, name string, text []byte) (err error) {
	temporary := filepath.Join(folder, "."+name)
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if err := os.Rename(temporary, filepath.Join(folder, name)); err != nil {
		return err
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// bare takes the path out of an error.
func bare(err error) error {
	if e := (*os.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
