// Package audit records who saw or changed what of people: each right exercised, and each read of personal values, in a chain of hashes.
//
// Each process that answers is a writer with a chain of its own: a record has the hash of the one before it, and the first one that of the last record that the
// topic had when the writer began. So a record that is changed, left out or put in is found by Verify, and only the newest ones of all can be cut off
// unseen.
//
// A record holds no personal data: people appear as ids, and the purpose is what the caller stated. A right is recorded before it is answered. Reads are
// recorded in the order in which they were answered, a moment later: a process that is killed may lose those of its last moment (Writer.Add).
//
// The topic audit is beside the control topic, since that is read whole at every start and this one grows with every read.
package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Record is one record of the topic, as JSON.
type Record struct {
	Writer   string   `json:"writer"`
	Number   int64    `json:"number"` // of the writer's, from 1
	At       string   `json:"at"`
	Actor    string   `json:"actor"`
	Action   string   `json:"action"`            // such as graphql, or POST /v1/access
	Purpose  string   `json:"purpose,omitempty"` // as the caller stated it
	Scopes   []string `json:"scopes"`            // of the caller's token
	Profiles []string `json:"profiles"`          // whose values were shown, at most MaxProfiles
	People   int      `json:"people"`            // how many there were
	Previous string   `json:"previous"`          // hash of the record before; empty for the first of all
	Hash     string   `json:"hash"`              // hex SHA-256 of the record as JSON with an empty hash
}

// MaxProfiles is how many people a record names.
const MaxProfiles = 100

// PurposeHeader is the header of a request in which a caller states what for.
const PurposeHeader = "Dossier-Purpose"

// MaxPurpose bounds a stated purpose, in bytes.
const MaxPurpose = 200

func (r *Record) sum() (string, error) {
	unsigned := *r
	unsigned.Hash = ""
	text, err := json.Marshal(&unsigned)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Producer appends to a topic and returns when all in-sync replicas have it. *kafka.Client is one.
type Producer interface {
	Produce(ctx context.Context, topic string, partition int32, messages []kafka.Message, at time.Time) (base int64, err error)
}

// Writer writes one chain. It is safe for concurrent use; Run must run.
type Writer struct {
	producer Producer
	logger   *slog.Logger
	now      func() time.Time
	name     string

	mu      sync.Mutex
	number  int64
	last    string // hash of the record added last
	pending []kafka.Message
	written chan struct{} // closed and replaced when pending gets shorter
	wake    chan struct{} // room for one
}

const (
	maxPending = 10_000 // records that wait to be written: then readers wait, too
	atOnce     = 500    // of one write
)

// NewWriter begins a chain behind the last record that the topic has; previous is its hash, empty if it has none.
func NewWriter(producer Producer, previous string, logger *slog.Logger, now func() time.Time) *Writer {
	return &Writer{
		producer: producer, logger: logger, now: now, name: uuid.NewString(), last: previous, written: make(chan struct{}), wake: make(chan struct{}, 1),
	}
}

// Add records what was done. It returns when the record has its place in the chain; Flush says when it is durable. While too many wait, it waits, until ctx ends.
func (w *Writer) Add(ctx context.Context, r Record) error {
	if r.People = max(r.People, len(r.Profiles)); len(r.Profiles) > MaxProfiles {
		r.Profiles = r.Profiles[:MaxProfiles]
	}
	if r.Profiles == nil {
		r.Profiles = []string{}
	}
	if len(r.Purpose) > MaxPurpose {
		r.Purpose = string(bytes.ToValidUTF8([]byte(r.Purpose[:MaxPurpose]), nil))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pending) >= maxPending {
		written := w.written
		w.mu.Unlock()
		var err error
		select {
		case <-written:
		case <-ctx.Done():
			err = schema.Classify(schema.Transient, ctx.Err())
		}
		w.mu.Lock()
		if err != nil {
			return fmt.Errorf("wait for the audit log: %w", err)
		}
	}
	r.Writer, r.Number, r.Previous, r.At = w.name, w.number+1, w.last, schema.InstantOf(w.now()).String()
	hash, err := r.sum()
	if err != nil {
		return fmt.Errorf("hash a record of the audit log: %w", err)
	}
	r.Hash = hash
	text, err := json.Marshal(&r)
	if err != nil {
		return fmt.Errorf("encode a record of the audit log: %w", err)
	}
	w.number, w.last = r.Number, hash
	w.pending = append(w.pending, kafka.Message{Key: []byte(w.name), Value: text})
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}

// Flush returns when everything that was added before is durable.
func (w *Writer) Flush(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for upTo := w.number; w.number-int64(len(w.pending)) < upTo; {
		written := w.written
		w.mu.Unlock()
		var err error
		select {
		case <-written:
		case <-ctx.Done():
			err = schema.Classify(schema.Transient, ctx.Err())
		}
		w.mu.Lock()
		if err != nil {
			return fmt.Errorf("wait for the audit log: %w", err)
		}
	}
	return nil
}

// Run writes what is added, in order, until ctx ends and nothing waits, or the log does not take it for a while.
func (w *Writer) Run(ctx context.Context) error {
	const last = 5 * time.Second // after ctx has ended
	writing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(last, cancel) })()
	pause := 100 * time.Millisecond
	for {
		w.mu.Lock()
		some := w.pending[:min(len(w.pending), atOnce)]
		w.mu.Unlock()
		if len(some) == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-w.wake:
			}
			continue
		}
		if _, err := w.producer.Produce(writing, schema.TopicAudit, 0, some, w.now()); err != nil {
			if writing.Err() != nil {
				w.logger.Error("records of the audit log are lost: the log did not take them before the end", "records", len(some))
				return nil
			}
			w.logger.Warn("the audit log is not written", "error", err, "retry_in", pause)
			select {
			case <-writing.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, 5*time.Second)
			continue
		}
		pause = 100 * time.Millisecond
		w.mu.Lock()
		w.pending = append([]kafka.Message(nil), w.pending[len(some):]...)
		close(w.written)
		w.written = make(chan struct{})
		w.mu.Unlock()
	}
}

// Reader gives the values of the topic's records in its order, until next returns false.
type Reader func(ctx context.Context, next func(value []byte) bool) error

// Filter chooses records. A zero field chooses all.
type Filter struct {
	Actor        string
	Profile      string
	Since, Until string // At in [Since, Until), as Instant writes it
	Limit        int    // the newest so many
}

// List gives the newest records first.
func List(ctx context.Context, read Reader, f Filter) ([]Record, error) {
	var out []Record
	err := read(ctx, func(value []byte) bool {
		var r Record
		if json.Unmarshal(value, &r) != nil || f.Actor != "" && r.Actor != f.Actor || f.Since != "" && r.At < f.Since || f.Until != "" && r.At >= f.Until {
			return true
		}
		if f.Profile != "" && !bytes.Contains(value, []byte(`"`+f.Profile+`"`)) {
			return true
		}
		if f.Limit > 0 && len(out) == f.Limit {
			copy(out, out[1:])
			out = out[:f.Limit-1]
		}
		out = append(out, r)
		return true
	})
	for a, b := 0, len(out)-1; a < b; a, b = a+1, b-1 {
		out[a], out[b] = out[b], out[a]
	}
	return out, err
}

// Chain is what Verify finds of one writer.
type Chain struct {
	Writer  string `json:"writer"`
	Records int64  `json:"records"`
	First   string `json:"first"`
	Last    string `json:"last"`
	Head    string `json:"head"`            // hash of its last record
	Fault   string `json:"fault,omitempty"` // the first one; empty: the chain is whole
}

// Verify follows every chain. A record that came twice, after a write whose answer was lost, counts once.
func Verify(ctx context.Context, read Reader) ([]Chain, error) {
	var chains []*Chain
	of := map[string]*Chain{}
	hashes := map[string]bool{"": true}
	unreadable := 0
	err := read(ctx, func(value []byte) bool {
		var r Record
		if json.Unmarshal(value, &r) != nil || r.Writer == "" {
			unreadable++
			return true
		}
		c := of[r.Writer]
		if c == nil {
			c = &Chain{Writer: r.Writer, First: r.At}
			of[r.Writer], chains = c, append(chains, c)
			if !hashes[r.Previous] && c.Fault == "" {
				c.Fault = "the record that it begins behind is missing"
			}
		} else if sum, err := r.sum(); hashes[r.Hash] && err == nil && sum == r.Hash {
			return true
		}
		c.check(&r)
		hashes[r.Hash] = true
		c.Records, c.Last, c.Head = c.Records+1, r.At, r.Hash
		return true
	})
	out := make([]Chain, len(chains))
	for n, c := range chains {
		out[n] = *c
	}
	if unreadable > 0 {
		out = append(out, Chain{Fault: fmt.Sprintf("%d records cannot be read", unreadable)})
	}
	return out, err
}

// check finds what is wrong with the next record of a chain.
func (c *Chain) check(r *Record) {
	if c.Fault != "" {
		return
	}
	sum, err := r.sum()
	switch {
	case err != nil || sum != r.Hash:
		c.Fault = fmt.Sprintf("record %d was changed", r.Number)
	case r.Number != c.Records+1:
		c.Fault = fmt.Sprintf("record %d follows record %d", r.Number, c.Records)
	case c.Records > 0 && r.Previous != c.Head:
		c.Fault = fmt.Sprintf("record %d does not follow the one before it", r.Number)
	}
}
