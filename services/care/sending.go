package care

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
	"github.com/dossier-cdp/dossier/services/internal/webhook"
)

// Sender sends a message to a destination, once. *webhook.Sender is one.
type Sender interface {
	Send(ctx context.Context, d webhook.Destination, m webhook.Message) error
}

// pending is an alert that a webhook has not got yet.
type pending struct {
	Alert  *care.Alert `json:"alert"`
	Raised string      `json:"raisedAt"`
	Failed int         `json:"failed,omitempty"`
	Next   int64       `json:"next,omitempty"` // not before, microseconds since 1970
}

// message is what a webhook gets.
type message struct {
	Type      string    `json:"type"`
	Timestamp string    `json:"timestamp"`
	Data      sentAlert `json:"data"`
	Says      says      `json:"explanation"`
}

type sentAlert struct {
	Workspace string `json:"workspace"`
	*care.Alert
}

// MarshalJSON puts the workspace beside the alert's own members.
func (s sentAlert) MarshalJSON() ([]byte, error) {
	alert, err := json.Marshal(s.Alert)
	if err != nil {
		return nil, err
	}
	workspace, err := json.Marshal(s.Workspace)
	if err != nil {
		return nil, err
	}
	return append(append(append([]byte(`{"workspace":`), workspace...), ','), alert[1:]...), nil
}

type says struct {
	English string `json:"en"`
	French  string `json:"fr"`
}

func outKey(id schema.EventID, webhook string) []byte {
	return append(append([]byte{'o'}, id[:]...), webhook...)
}

// line puts an alert in line for every webhook that wants it. What was raised so long ago that it would have been given up is not sent any more.
func (c *Care) line(batch *state.Batch, a *care.Alert, raised schema.Instant) error {
	if schema.InstantOf(c.Now())-raised > schema.Instant(24*time.Hour/time.Microsecond) {
		return nil
	}
	for i := range c.rules.Alert.Webhooks {
		hook := &c.rules.Alert.Webhooks[i]
		if !hook.Wants(a.Rule) {
			continue
		}
		value, err := json.Marshal(pending{Alert: a, Raised: raised.String()})
		if err != nil {
			return err
		}
		if err := batch.Set(outKey(a.ID, hook.Name), value); err != nil {
			return err
		}
	}
	return nil
}

// wake tells the sending that there may be something to send.
func (c *Care) wake() {
	select {
	case c.toSend <- struct{}{}:
	default: // it is told already
	}
}

// waiting is an alert in line for a webhook.
type waiting struct {
	id schema.EventID
	pending
	raised schema.Instant
}

// lines are what waits for one webhook: of each case its alerts in the order in which they were raised, and of what is no case's each by itself.
type lines map[schema.EventID][]waiting

// sideBySide is how many cases' alerts go to one webhook at once.
const sideBySide = 4

// send sends what is in line until ctx ends. Webhooks do not wait for each other, nor cases for other cases. The alerts of one case go to a webhook one after
// the other, and none before an earlier one has arrived or was given up.
func (c *Care) send(ctx context.Context) error {
	if c.Decided == nil || c.Sender == nil {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex // guards busy
	busy := map[string]bool{}
	group.Go(func() error {
		for {
			due, later, err := c.inLine()
			if err != nil {
				return err
			}
			for hook, of := range due {
				mu.Lock()
				was := busy[hook]
				busy[hook] = true
				mu.Unlock()
				if was {
					continue
				}
				group.Go(func() error {
					err := c.sendTo(ctx, hook, of)
					mu.Lock()
					delete(busy, hook)
					mu.Unlock()
					c.wake()
					return err
				})
			}
			wait := time.Hour
			if later { // a look at a short line costs nothing, and a clock that is set does not hold it up
				wait = c.Tick
			}
			timer := time.NewTimer(wait)
			select {
			case <-c.toSend:
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return nil
			}
			timer.Stop()
		}
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("send alerts: %w", err)
	}
	return nil
}

// inLine gives what is due, by webhook; later says whether something is in line that is not.
func (c *Care) inLine() (due map[string]lines, later bool, err error) {
	due = map[string]lines{}
	prefix := []byte{'o'}
	err = c.Store.Scan(prefix, state.After(prefix), func(key, value []byte) error {
		var e waiting
		if len(key) < 17 || json.Unmarshal(value, &e.pending) != nil || e.Alert == nil {
			return errDamaged
		}
		var err error
		if e.raised, err = schema.ParseInstant(e.Raised); err != nil {
			return errDamaged
		}
		e.id = schema.EventID(key[1:17])
		hook := string(key[17:])
		if due[hook] == nil {
			due[hook] = lines{}
		}
		of := cmp.Or(e.Alert.Case, e.id)
		due[hook][of] = append(due[hook][of], e)
		return nil
	})
	now := int64(schema.InstantOf(c.Now()))
	for hook, of := range due {
		for subject, line := range of {
			slices.SortFunc(line, func(a, b waiting) int {
				return cmp.Or(cmp.Compare(a.raised, b.raised), cmp.Compare(a.Alert.At, b.Alert.At), a.id.Compare(b.id))
			})
			if line[0].Next > now {
				later = true
				delete(of, subject)
			}
		}
		if len(of) == 0 {
			delete(due, hook)
		}
	}
	return due, later, err
}

// sendTo sends to one webhook what is due there.
func (c *Care) sendTo(ctx context.Context, hook string, all lines) error {
	to, secrets, refused := c.destination(c.Rules(), hook)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for _, line := range all {
		group.Go(func() error {
			for i := range line {
				if on, err := c.sendNext(ctx, hook, to, secrets, refused, &line[i]); err != nil || !on {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// sendNext makes an attempt for an alert, and records what came of it; on says whether those behind it may follow.
func (c *Care) sendNext(ctx context.Context, hook string, to *care.AlertWebhook, secrets []string, refused error, e *waiting) (on bool, err error) {
	if ctx.Err() != nil {
		return false, nil
	}
	failure := refused
	if failure == nil {
		failure = c.sendOne(ctx, to, secrets, e.Alert, e.Raised)
	}
	if ctx.Err() != nil {
		return false, nil
	}
	done := decision{Kind: kindSent, Workspace: c.Workspace, At: schema.InstantOf(c.Now()).String(), ID: e.id.String(), Webhook: hook, Attempts: e.Failed + 1}
	if failure == nil {
		c.metrics.sent.Inc()
	} else {
		c.metrics.unsent.Inc()
		e.Failed++
		pause, again := webhook.Pause(e.Failed, failure)
		c.Logger.Warn("care: an alert was not sent", "webhook", hook, "alert", e.id, "error", failure, "attempt", e.Failed, "again", again, "retry_in", pause)
		if again {
			e.Next = int64(schema.InstantOf(c.Now()) + schema.Instant(pause/time.Microsecond))
			value, err := json.Marshal(e.pending)
			if err != nil {
				return false, err
			}
			return false, c.setOut(outKey(e.id, hook), value)
		}
		done.Kind, done.Attempts, done.Reason = kindGivenUp, e.Failed, failure.Error()
	}
	value, err := json.Marshal(done)
	if err != nil {
		return false, err
	}
	// Written twice after a failure, it says the same.
	if err := c.retry(ctx, "record what was sent", func() error { return c.Decided.Append(ctx, []byte(c.Workspace), [][]byte{value}) }); err != nil {
		return false, err
	}
	return true, c.setOut(outKey(e.id, hook), nil)
}

// setOut writes or, by nil, deletes an entry of the line.
func (c *Care) setOut(key, value []byte) error {
	b := c.Store.NewBatch()
	err := b.Delete(key)
	if value != nil {
		err = b.Set(key, value)
	}
	if err != nil {
		return errors.Join(err, b.Discard())
	}
	return b.Commit()
}

// destination finds a webhook of the rules in force, and its secrets.
func (c *Care) destination(rules *care.Rules, name string) (*care.AlertWebhook, []string, error) {
	for i := range rules.Alert.Webhooks {
		hook := &rules.Alert.Webhooks[i]
		if hook.Name != name {
			continue
		}
		if c.Secrets == nil {
			break
		}
		secrets, err := c.Secrets(hook.Secrets)
		if err != nil {
			return nil, nil, schema.Classify(schema.Transient, err)
		}
		return hook, secrets, nil
	}
	return nil, nil, schema.Classify(schema.Rejected, errors.New("the webhook is no longer configured"))
}

// sendOne makes one attempt. The message's id is the alert's, the same in every attempt.
func (c *Care) sendOne(ctx context.Context, to *care.AlertWebhook, secrets []string, a *care.Alert, raised string) error {
	body, err := json.Marshal(message{Type: kindRaised, Timestamp: raised, Data: sentAlert{c.Workspace, a}, Says: says{a.Explain("en"), a.Explain("fr")}})
	if err != nil {
		return schema.Classify(schema.Rejected, err)
	}
	return c.Sender.Send(ctx, webhook.Destination{URL: to.URL, Secrets: secrets, Private: to.Private}, webhook.Message{ID: a.ID.String(), Body: body})
}
