package importer

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
	"time"
)

// The size of one request.
const (
	batchEvents = 1000
	batchBytes  = 1 << 20
)

// patience is how long a collector may be unavailable before an import gives up.
const patience = 10 * time.Minute

// batch is what one request carries. All events of a row are in one batch.
type batch struct {
	body   []byte
	events []sent
}

// sent is one event of a batch, with what is needed to say why it was refused.
type sent struct {
	from, to int // in body
	key      string
	line     *line // the row that it is of
}

func (b *batch) full() bool { return len(b.events) >= batchEvents || len(b.body) >= batchBytes }

// outcome is what the collector said.
type outcome struct {
	Accepted int `json:"accepted"`
	Refused  []struct {
		Index              int
		Code, Reason, Hint string
	} `json:"refused"`
	Error struct{ Code, Reason, Hint string }
}

// sender posts batches.
type sender struct {
	client *http.Client
	url    string
	key    string
	slots  chan struct{} // one for each request at once, of all files together
	wait   func(ctx context.Context, d time.Duration) error
}

// send posts a batch until the collector has answered for each of its events. Where the batch is too large for the collector it
// is sent in halves. An error means that the import must end; what was sent before stays, and sending it again changes nothing.
func (s *sender) send(ctx context.Context, b *batch, done func(*batch, *outcome)) error {
	started := time.Now()
	backOff := 100 * time.Millisecond
	for {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		status, o, after, err := s.post(ctx, b.body)
		<-s.slots
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && status == http.StatusRequestEntityTooLarge && len(b.events) > 1:
			left, right := b.halves()
			if err := s.send(ctx, left, done); err != nil {
				return err
			}
			return s.send(ctx, right, done)
		case err == nil && (status == http.StatusOK || (status == http.StatusBadRequest || status == http.StatusForbidden) && len(o.Refused) == len(b.events)):
			done(b, o)
			return nil
		case err == nil && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests:
			return fmt.Errorf("the collector answered %d: %s: %s; %s", status, o.Error.Code, o.Error.Reason, o.Error.Hint)
		case time.Since(started) > patience:
			if err == nil {
				err = fmt.Errorf("it answered %d: %s", status, o.Error.Reason)
			}
			return fmt.Errorf("the collector was not available for %s: %w", patience, err)
		}
		if after > 0 {
			err = s.wait(ctx, after)
		} else {
			err = s.wait(ctx, backOff)
			backOff = min(2*backOff, 5*time.Second)
		}
		if err != nil {
			return err
		}
	}
}

func (s *sender) post(ctx context.Context, body []byte) (status int, o *outcome, after time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(s.url, "/")+"/v1/events", bytes.NewReader(body))
	if err != nil {
		return 0, nil, 0, err
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.SetBasicAuth(s.key, "")
	response, err := s.client.Do(request)
	if err != nil {
		return 0, nil, 0, err
	}
	defer response.Body.Close() // it was read to its end
	text, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return 0, nil, 0, err
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		after = time.Duration(seconds) * time.Second
	}
	o = &outcome{}
	if err := json.Unmarshal(text, o); err != nil && response.StatusCode == http.StatusOK {
		return 0, nil, 0, errors.New("the answer is no JSON: is this a collector?")
	}
	return response.StatusCode, o, after, nil
}

// halves cuts a batch in two, between events.
func (b *batch) halves() (left, right *batch) {
	middle := len(b.events) / 2
	for middle+1 < len(b.events) && b.events[middle].line == b.events[middle-1].line {
		middle++ // the events of a row stay together
	}
	at := b.events[middle].from
	left = &batch{body: b.body[:at:at], events: b.events[:middle]}
	right = &batch{body: b.body[at:]}
	for _, e := range b.events[middle:] {
		e.from, e.to = e.from-at, e.to-at
		right.events = append(right.events, e)
	}
	return left, right
}

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
