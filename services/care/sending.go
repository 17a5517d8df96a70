package care

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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

// send sends what is in line until ctx ends. Each webhook has a line of its own time: one that fails holds up no other for longer than an attempt takes.
func (c *Care) send(ctx context.Context) error {
	if c.Decided == nil || c.Sender == nil {
		return nil
	}
	for {
		next, err := c.sendDue(ctx)
		if err != nil {
			return fmt.Errorf("send alerts: %w", err)
		}
		wait := time.Hour
		if next != 0 { // a look at a short line costs nothing, and a clock that is set does not hold it up
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
}

// sendDue sends what is due; next is when something else is, 0 if nothing is in line.
func (c *Care) sendDue(ctx context.Context) (next schema.Instant, err error) {
	type entry struct {
		id   schema.EventID
		hook string
		pending
	}
	var due []entry
	now := schema.InstantOf(c.Now())
	prefix := []byte{'o'}
	err = c.Store.Scan(prefix, state.After(prefix), func(key, value []byte) error {
		var e entry
		if len(key) < 17 || json.Unmarshal(value, &e.pending) != nil || e.Alert == nil {
			return errDamaged
		}
		if at := schema.Instant(e.Next); at > now {
			if next == 0 || at < next {
				next = at
			}
			return nil
		}
		e.id, e.hook = schema.EventID(key[1:17]), string(key[17:])
		due = append(due, e)
		return nil
	})
	if err != nil {
		return 0, err
	}
	rules := c.Rules()
	for _, e := range due {
		if ctx.Err() != nil {
			return 0, nil
		}
		to, secrets, err := c.destination(rules, e.hook)
		if err == nil {
			err = c.sendOne(ctx, to, secrets, e.Alert, e.Raised)
		}
		if ctx.Err() != nil {
			return 0, nil
		}
		done := decision{Kind: kindSent, Workspace: c.Workspace, At: schema.InstantOf(c.Now()).String(), ID: e.id.String(), Webhook: e.hook, Attempts: e.Failed + 1}
		if err != nil {
			c.metrics.unsent.Inc()
			e.Failed++
			pause, again := webhook.Pause(e.Failed, err)
			c.Logger.Warn("care: an alert was not sent", "webhook", e.hook, "alert", e.id, "error", err, "attempt", e.Failed, "again", again, "retry_in", pause)
			if again {
				at := schema.InstantOf(c.Now()) + schema.Instant(pause/time.Microsecond)
				e.Next = int64(at)
				value, err := json.Marshal(e.pending)
				if err != nil {
					return 0, err
				}
				if err := c.setOut(outKey(e.id, e.hook), value); err != nil {
					return 0, err
				}
				if next == 0 || at < next {
					next = at
				}
				continue
			}
			done.Kind, done.Attempts, done.Reason = kindGivenUp, e.Failed, err.Error()
		} else {
			c.metrics.sent.Inc()
		}
		value, err := json.Marshal(done)
		if err != nil {
			return 0, err
		}
		// Written twice after a failure, it says the same.
		if err := c.retry(ctx, "record what was sent", func() error { return c.Decided.Append(ctx, []byte(c.Workspace), [][]byte{value}) }); err != nil {
			return 0, err
		}
		if err := c.setOut(outKey(e.id, e.hook), nil); err != nil {
			return 0, err
		}
	}
	return next, nil
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
