package deadletter

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Log takes records of the topic deadletters. Submit returns nil when all in-sync replicas have them.
type Log interface {
	Submit(ctx context.Context, messages []kafka.Message) error
}

// Box is where the letters of one workspace go.
type Box struct {
	Keys   Keys
	Log    Log
	Random io.Reader // nonces; crypto/rand.Reader outside tests

	// Suppressed says whether one of the hashes that a letter lists is of somebody of whom nothing more is to be kept. nil: nobody is.
	Suppressed func(hashes []string) bool

	// Written counts letters by code: a NewCounter with its role curried. nil counts nothing.
	Written *prometheus.CounterVec
}

// Put seals letters and writes them. It returns nil when all of them are durable. One that was written before, and has been erased or has expired
// since, is not written again: nobody could open it. One that names somebody who is suppressed is not written at all.
func (b *Box) Put(ctx context.Context, letters []Letter) error {
	messages := make([]kafka.Message, 0, len(letters))
	for i := range letters {
		key, value, err := Encode(&letters[i], b.Keys, b.Random)
		if errors.Is(err, seal.ErrPunched) {
			continue
		}
		if err != nil {
			return err
		}
		if b.Suppressed != nil {
			clear, err := ReadClear(value)
			if err != nil {
				return err
			}
			if b.Suppressed(clear.Hashes) {
				continue
			}
		}
		messages = append(messages, kafka.Message{Key: key, Value: value})
	}
	if len(messages) == 0 {
		return nil
	}
	if err := b.Log.Submit(ctx, messages); err != nil {
		return fmt.Errorf("write %d dead letters: %w", len(messages), err)
	}
	b.count(letters)
	return nil
}

// submit writes what became of a letter.
func (b *Box) submit(ctx context.Context, letter string, value []byte) error {
	key, err := hex.DecodeString(letter)
	if err != nil {
		return damaged("its id is none")
	}
	if err := b.Log.Submit(ctx, []kafka.Message{{Key: key, Value: value}}); err != nil {
		return fmt.Errorf("write what became of a dead letter: %w", err)
	}
	return nil
}

// Filter chooses letters. A zero field chooses all.
type Filter struct {
	Workspace string
	Source    string
	Code      string
	Endpoint  string
	Mapping   string
	Since     schema.Instant // received at or after
	Until     schema.Instant // received before
}

// Match says whether a letter is chosen.
func (f *Filter) Match(c *Clear) bool {
	at, err := schema.ParseInstant(c.ReceivedAt)
	return (f.Workspace == "" || f.Workspace == c.Workspace) && (f.Source == "" || f.Source == c.Source) &&
		(f.Code == "" || f.Code == c.Code) && (f.Endpoint == "" || f.Endpoint == c.Endpoint) && (f.Mapping == "" || f.Mapping == c.Mapping) &&
		(f.Since == 0 || err == nil && at >= f.Since) && (f.Until == 0 || err == nil && at < f.Until)
}

// Record is one record of the topic, as a Reader gives it.
type Record struct {
	Position schema.Position
	Value    []byte
}

// Reader gives the records of the topic deadletters from its beginning to its present end, in order, until next returns false.
type Reader func(ctx context.Context, next func(Record) bool) error

// List calls each for the chosen letters in the order of the log, until it returns false. A letter that is in the log twice is given
// once. A record that is no letter is passed over and counted.
func List(ctx context.Context, read Reader, f Filter, each func(*Clear, Record) bool) (unreadable int, err error) {
	seen := map[string]struct{}{}
	err = read(ctx, func(r Record) bool {
		clear, err := ReadClear(r.Value)
		if err != nil && readResolution(r.Value) != nil {
			return true // of a letter before it
		}
		if err != nil {
			unreadable++
			return true
		}
		if _, again := seen[clear.ID]; again || !f.Match(clear) {
			return true
		}
		seen[clear.ID] = struct{}{}
		return each(clear, r)
	})
	if err != nil {
		return unreadable, fmt.Errorf("list dead letters: %w", err)
	}
	return unreadable, nil
}

// Find opens the letter of a workspace with an id. It returns nil without an error if there is none.
func Find(ctx context.Context, read Reader, keys Keys, workspace, id string) (*Opened, error) {
	var opened *Opened
	var failed error
	_, err := List(ctx, read, Filter{Workspace: workspace}, func(c *Clear, r Record) bool {
		if c.ID != id {
			return true
		}
		opened, failed = Open(r.Value, keys)
		return false
	})
	if err != nil {
		return nil, err
	}
	return opened, failed
}
