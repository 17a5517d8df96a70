package care

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Alerts are decisions: a rule comes true by time alone, with no event, and the alert is recorded in the topic decisions once and for all. What the
// topic holds is read back before the next is raised, so no restart, replay or lost state raises one again: the topic is the truth, state and table are
// made of it.
//
// Whenever a cluster is folded, the next instant at which one of its cases could come to an alert is noted. When that has passed, and everything is folded
// that the log held by then, the cluster is folded once more and its alerts are raised: an answer that was given in time but is read late raises none.

// Decided is the topic decisions.
type Decided interface {
	// Read gives the records from an offset on, oldest first, at least one unless it is the end.
	Read(ctx context.Context, offset int64) (values [][]byte, next int64, err error)
	// Append adds records, which are in the log for good when it returns. After a transient error they may be.
	Append(ctx context.Context, key []byte, values [][]byte) error
}

// The kinds of records that this role adds to the topic, and reads back. There are others.
const (
	kindRaised  = "alert.raised"
	kindSent    = "alert.sent"
	kindGivenUp = "alert.given_up"
)

// decision is a record of the topic. It holds no personal data.
type decision struct {
	Kind      string      `json:"kind"`
	Workspace string      `json:"workspace"`
	At        string      `json:"at"` // when it was decided
	Alert     *care.Alert `json:"alert,omitempty"`

	// Of what was sent, or was given up.
	ID       string `json:"id,omitempty"`
	Webhook  string `json:"webhook,omitempty"`
	Attempts int    `json:"attempts,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// alertRow is a row of the table.
type alertRow struct {
	care.Alert
	raised schema.Instant
	text   string
}

var alertColumns = []column[alertRow]{
	id("id", func(r *alertRow) schema.EventID { return r.ID }),
	text("rule", func(r *alertRow) string { return r.Rule }),
	id("case_id", func(r *alertRow) schema.EventID { return r.Case }),
	instant("raised_at", func(r *alertRow) schema.Instant { return r.raised }),
	instant("at", func(r *alertRow) schema.Instant { return r.At }),
	text("channel", func(r *alertRow) string { return r.Channel }),
	text("team", func(r *alertRow) string { return r.Team }),
	text("brand", func(r *alertRow) string { return r.Brand }),
	text("theme", func(r *alertRow) string { return r.Theme }),
	text("alert", func(r *alertRow) string { return r.text }),
}

// Stored form, beside what store.go has:
//
//	'a' alert(16)                  →  nothing: it was raised
//	't' instant(8) cluster(16)     →  nothing: the cluster is looked at then. The instant is big-endian with its sign turned, so that they sort
//	'n' cluster(16)                →  the instant(8) of the above
//	'o' alert(16) webhook          →  what is to be sent there (JSON of pending)
func raisedKey(id schema.EventID) []byte { return append([]byte{'a'}, id[:]...) }

func appendSorted(dst []byte, at schema.Instant) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(at)^1<<63)
}

func dueKey(at schema.Instant, k clusterID) []byte {
	return append(appendSorted([]byte{'t'}, at), k[:]...)
}

func nextKey(k clusterID) []byte { return append([]byte{'n'}, k[:]...) }

func readSorted(b []byte) (schema.Instant, error) {
	if len(b) != 8 {
		return 0, errDamaged
	}
	return schema.Instant(binary.BigEndian.Uint64(b) ^ 1<<63), nil
}

// schedule notes when a cluster is looked at next.
func (w *rewriting) schedule(k *cluster, cases []care.Case) error {
	if w.c.Decided == nil && !w.c.Silent {
		return nil
	}
	next, is, err := w.c.nextLook(cases, schema.InstantOf(w.c.Now()))
	if err != nil || is == k.looks && (!is || next == k.look) {
		return err
	}
	if err := unschedule(w.batch, k); err != nil {
		return err
	}
	k.look, k.looks = next, is
	if is {
		return errors.Join(w.batch.Set(dueKey(next, k.id), nil), w.batch.Set(nextKey(k.id), appendSorted(nil, next)))
	}
	return nil
}

// unschedule forgets when a cluster is looked at.
func unschedule(b *state.Batch, k *cluster) error {
	if !k.looks {
		return nil
	}
	k.looks = false
	return errors.Join(b.Delete(dueKey(k.look, k.id)), b.Delete(nextKey(k.id)))
}

// nextLook is the earliest instant of an alert that is neither raised nor too old to be.
func (c *Care) nextLook(cases []care.Case, now schema.Instant) (next schema.Instant, is bool, err error) {
	for i := range cases {
		for _, a := range c.rules.Alerts(&cases[i]) {
			if a.At < now-schema.Instant(c.rules.Alert.Fresh) || is && a.At >= next {
				continue
			}
			if a.At <= now {
				_, known, err := c.Store.Get(nil, raisedKey(a.Identify()))
				if err != nil {
					return 0, false, err
				}
				if known {
					continue
				}
			}
			next, is = a.At, true
		}
	}
	return next, is, nil
}

// watch is what the role remembers between two looks.
type watch struct {
	upTo   schema.Instant // looks up to here are due once ends are visible; 0 is none
	ends   []int64
	bucket schema.Instant // the end of the last bucket that was looked at for a spike
	heard  schema.Instant // the end of the last five minutes that were looked at for a crisis
}

// tick raises what is due, once a second. It reads nothing but one key while nothing is.
func (c *Care) tick(ctx context.Context, s *watch) error {
	if c.Decided == nil {
		return nil
	}
	now := schema.InstantOf(c.Now())
	if s.upTo == 0 {
		due, err := c.anyDue(now)
		if err != nil {
			return err
		}
		if !due && c.bucket(now) == s.bucket && c.five(now) == s.heard {
			return nil
		}
		if err := c.retry(ctx, "read the log's ends", func() (err error) { s.ends, err = c.Log.Ends(ctx); return err }); err != nil {
			return err
		}
		s.upTo = now
	}
	for p, end := range s.ends {
		if p < len(c.visible) && c.visible[p].Load() < end {
			return nil // an answer may be among what is not folded yet
		}
	}
	upTo := s.upTo
	s.upTo = 0
	c.working.Lock()
	defer c.working.Unlock()
	if err := c.learn(ctx); err != nil {
		return err
	}
	for {
		more, err := c.look(ctx, upTo)
		if err != nil || !more {
			if err != nil {
				return fmt.Errorf("raise alerts: %w", err)
			}
			break
		}
	}
	if b := c.bucket(upTo); b != s.bucket {
		s.bucket = b
		if err := c.spikes(ctx, b); err != nil {
			return err
		}
	}
	if end := c.five(upTo); end != s.heard {
		since := s.heard
		if since == 0 { // after a start: an hour, which raises nothing twice
			since = end - 12*schema.Instant(reputation.Bucket)
		}
		s.heard = end
		return c.outcries(ctx, since, end)
	}
	return nil
}

// five is the end of the last five minutes that are over for so long that their events are there; 0 if nothing is watched.
func (c *Care) five(now schema.Instant) schema.Instant {
	if c.Reputation == nil {
		return 0
	}
	return reputation.Floor(now - late)
}

// outcries raises what came true in (since, end] of what is said of brands in public.
func (c *Care) outcries(ctx context.Context, since, end schema.Instant) error {
	s := c.Reputation()
	since = max(since, end-schema.Instant(c.rules.Alert.Fresh))
	from := end - 2*schema.Instant(s.Watch.History)*schema.Instant(reputation.Bucket)
	var tallies map[string]map[schema.Instant]reputation.Tally
	err := c.retry(ctx, "count mentions", func() (err error) {
		tallies, err = c.Tables.Spoken(ctx, c.Workspace, from, end)
		return err
	})
	if err != nil {
		return fmt.Errorf("look for crises: %w", err)
	}
	start := end // of what was collected, whatever the brand
	for _, of := range tallies {
		for at := range of {
			start = min(start, at)
		}
	}
	var raise []care.Alert
	for brand, of := range tallies {
		if !s.Watches(brand) {
			continue
		}
		for _, a := range c.rules.Outcry(s.Watch, brand, of, start, since, end) {
			a.Identify()
			raise = append(raise, a)
		}
	}
	return c.raiseAlerts(ctx, raise)
}

// Spoken counts the posts about each brand that others published in [from, to), by the beginning of the five minutes.
func (c ClickHouse) Spoken(ctx context.Context, workspace string, from, to schema.Instant) (map[string]map[schema.Instant]reputation.Tally, error) {
	rows, err := c.Conn.Query(ctx, `SELECT toString(brand), intDiv(toUnixTimestamp64Micro(occurred_at), {bucket:Int64}) * {bucket:Int64} AS begin,
  countIf(polarity = 'favourable'), countIf(polarity = 'neutral'), countIf(polarity = 'unfavourable'), countIf(polarity = '')
FROM current_mentions
WHERE workspace = {workspace:String} AND occurred_at >= {from:DateTime64(6, 'UTC')} AND occurred_at < {to:DateTime64(6, 'UTC')} AND own = 0 AND brand != ''
GROUP BY brand, begin`, clickhouse.Params{"workspace": workspace, "from": from, "to": to, "bucket": reputation.Bucket}, nil)
	if err != nil {
		return nil, fmt.Errorf("count mentions: %w", err)
	}
	defer rows.Close()
	out := map[string]map[schema.Instant]reputation.Tally{}
	for rows.Next() {
		var brand string
		var begin int64
		var n [4]uint64
		if err := rows.Scan(&brand, &begin, &n[0], &n[1], &n[2], &n[3]); err != nil {
			return nil, fmt.Errorf("count mentions: %w", err)
		}
		if out[brand] == nil {
			out[brand] = map[schema.Instant]reputation.Tally{}
		}
		out[brand][schema.Instant(begin)] = reputation.Tally{Favourable: int64(n[0]), Neutral: int64(n[1]), Unfavourable: int64(n[2]), Unjudged: int64(n[3])}
	}
	return out, rows.Err()
}

// late is how long a bucket waits for events that come late.
const late = schema.Instant(60 * time.Second / time.Microsecond)

// bucket is the end of the last bucket that is over for so long that its events are there; 0 if spikes are not watched.
func (c *Care) bucket(now schema.Instant) schema.Instant {
	if c.rules.Alert.Spike.Bucket == 0 {
		return 0
	}
	return c.rules.Alert.Spike.Floor(now - late)
}

var errEnough = errors.New("enough")

func (c *Care) anyDue(now schema.Instant) (due bool, err error) {
	err = c.Store.Scan([]byte{'t'}, appendSorted([]byte{'t'}, now+1), func(_, _ []byte) error {
		due = true
		return errEnough
	})
	return due, ignore(err, errEnough)
}

// looks is how many clusters are looked at in one go.
const looks = 500

// look raises the alerts of the clusters that are due; more says that there are others.
func (c *Care) look(ctx context.Context, upTo schema.Instant) (more bool, err error) {
	var clusters []clusterID
	var keys [][]byte
	err = c.Store.Scan([]byte{'t'}, appendSorted([]byte{'t'}, upTo+1), func(key, _ []byte) error {
		if len(key) != 1+8+16 {
			return errDamaged
		}
		if len(clusters) == looks {
			more = true
			return errEnough
		}
		clusters, keys = append(clusters, clusterID(key[9:])), append(keys, append([]byte{}, key...))
		return nil
	})
	if err := ignore(err, errEnough); err != nil || len(clusters) == 0 {
		return false, err
	}
	var raise []care.Alert
	next := make([]schema.Instant, len(clusters))
	for i, k := range clusters {
		contacts, _, err := loadContacts(c.Store, k)
		if err != nil {
			return false, err
		}
		cases := c.folder.Fold(contacts).Cases
		for n := range cases {
			for _, a := range c.rules.Alerts(&cases[n]) {
				switch {
				case a.At > upTo:
					if next[i] == 0 || a.At < next[i] {
						next[i] = a.At
					}
				case a.At >= upTo-schema.Instant(c.rules.Alert.Fresh):
					a.Identify()
					raise = append(raise, a)
				}
			}
		}
	}
	if err := c.raiseAlerts(ctx, raise); err != nil {
		return false, err
	}
	// At this point what was due is in the topic, and the state knows it.
	b := c.Store.NewBatch()
	for i, k := range clusters {
		c.clusters.forget(k) // it knows of the look that is over
		err = errors.Join(err, b.Delete(keys[i]), b.Delete(nextKey(k)))
		if next[i] != 0 {
			err = errors.Join(err, b.Set(dueKey(next[i], k), nil), b.Set(nextKey(k), appendSorted(nil, next[i])))
		}
	}
	if err != nil {
		return false, errors.Join(err, b.Discard())
	}
	return more, b.Commit()
}

// raiseAlerts records the alerts that were not raised yet, and takes them over.
func (c *Care) raiseAlerts(ctx context.Context, alerts []care.Alert) error {
	return c.retry(ctx, "record alerts", func() error {
		if err := c.learn(ctx); err != nil { // an attempt before may have been written
			return err
		}
		var values [][]byte
		for i := range alerts {
			_, known, err := c.Store.Get(nil, raisedKey(alerts[i].ID))
			if err != nil {
				return err
			}
			if known {
				continue
			}
			value, err := json.Marshal(decision{Kind: kindRaised, Workspace: c.Workspace, At: schema.InstantOf(c.Now()).String(), Alert: &alerts[i]})
			if err != nil {
				return err
			}
			values = append(values, value)
		}
		if len(values) == 0 {
			return nil
		}
		if err := c.Decided.Append(ctx, []byte(c.Workspace), values); err != nil {
			return err
		}
		c.metrics.alerts.Add(float64(len(values)))
		return c.learn(ctx)
	})
}

// learn reads what the topic holds beyond what the state knows: the alerts get into the state, into the table, and in line to be sent.
func (c *Care) learn(ctx context.Context) error {
	for {
		offsets, err := state.Offsets(c.Store, schema.TopicDecisions)
		if err != nil {
			return err
		}
		from := offsets[0].Next
		var values [][]byte
		var next int64
		err = c.retry(ctx, "read what was decided", func() (err error) { values, next, err = c.Decided.Read(ctx, from); return err })
		if err != nil || next == from {
			return err
		}
		if err := c.take(ctx, values, from, next); err != nil {
			return fmt.Errorf("take over decisions [%d, %d): %w", from, next, err)
		}
	}
}

// take takes over the records of [from, next).
func (c *Care) take(ctx context.Context, values [][]byte, from, next int64) (err error) {
	rows := &block[alertRow]{table: schema.TableAlerts, columns: alertColumns, filled: make([]filled, len(alertColumns)), parts: make([]part, len(alertColumns))}
	batch := c.Store.NewBatch()
	defer func() {
		if batch != nil {
			err = errors.Join(err, batch.Discard())
		}
	}()
	told := map[schema.EventID]bool{}
	for i, value := range values {
		var d decision
		if json.Unmarshal(value, &d) != nil || d.Workspace != c.Workspace {
			continue // of another kind, or of a later release
		}
		switch {
		case d.Kind == kindRaised && d.Alert != nil:
			at, err := schema.ParseInstant(d.At)
			if err != nil {
				continue
			}
			text, err := json.Marshal(d.Alert)
			if err != nil {
				return err
			}
			row := alertRow{*d.Alert, at, string(text)}
			rows.encode(row.ID, &row)
			rows.add(c.Workspace, uint64(from)+uint64(i)+1, false)
			_, known, err := c.Store.Get(nil, raisedKey(row.ID))
			if err != nil {
				return err
			}
			if known || told[row.ID] {
				continue
			}
			told[row.ID] = true
			if err := errors.Join(batch.Set(raisedKey(row.ID), nil), c.line(batch, d.Alert, at)); err != nil {
				return err
			}
		case d.Kind == kindSent || d.Kind == kindGivenUp:
			if id, err := schema.ParseEventID(d.ID); err == nil {
				if err := batch.Delete(outKey(id, d.Webhook)); err != nil {
					return err
				}
			}
		}
	}
	if b := rows.done(); b.Rows > 0 {
		attempt := 0
		err := c.retry(ctx, "write alerts", func() error {
			limited, cancel := context.WithTimeout(ctx, c.InsertLimit)
			defer cancel()
			attempt++
			return c.Tables.Insert(limited, fmt.Sprintf("%s/%d/%d/%d", b.Table, c.rank, from, attempt), b)
		})
		if err != nil {
			return err
		}
	}
	if err := batch.SetOffset(schema.TopicDecisions, 0, state.Offset{Next: next}); err != nil {
		return err
	}
	commit := batch
	batch = nil
	if err := commit.Commit(); err != nil {
		return err
	}
	c.wake()
	return nil
}

// spikes raises what is unusual in the bucket that ends at an instant.
func (c *Care) spikes(ctx context.Context, end schema.Instant) error {
	s := c.rules.Alert.Spike
	from := end - schema.Instant(s.Days)*schema.Instant(24*time.Hour/time.Microsecond) - 2*schema.Instant(s.Bucket)
	var counts map[string]map[schema.Instant]uint32
	err := c.retry(ctx, "count conversations", func() (err error) {
		counts, err = c.Tables.Begun(ctx, c.Workspace, from, end, s.Bucket)
		return err
	})
	if err != nil {
		return fmt.Errorf("look for spikes: %w", err)
	}
	var raise []care.Alert
	for channel, of := range counts {
		if a, is := c.rules.Spike(channel, of, end); is {
			a.Identify()
			raise = append(raise, a)
		}
	}
	return c.raiseAlerts(ctx, raise)
}

// Begun counts the conversations that customers began in [from, to), by channel and beginning of the bucket.
func (c ClickHouse) Begun(ctx context.Context, workspace string, from, to schema.Instant, bucket care.Span) (map[string]map[schema.Instant]uint32, error) {
	rows, err := c.Conn.Query(ctx, `SELECT toString(channel), intDiv(toUnixTimestamp64Micro(opened_at), {bucket:Int64}) * {bucket:Int64} AS begin, count()
FROM current_conversations
WHERE workspace = {workspace:String} AND opened_at >= {from:DateTime64(6, 'UTC')} AND opened_at < {to:DateTime64(6, 'UTC')} AND initiator = 'customer'
GROUP BY channel, begin`, clickhouse.Params{"workspace": workspace, "from": from, "to": to, "bucket": int64(bucket)}, nil)
	if err != nil {
		return nil, fmt.Errorf("count conversations: %w", err)
	}
	defer rows.Close()
	out := map[string]map[schema.Instant]uint32{}
	for rows.Next() {
		var channel string
		var begin int64
		var n uint64
		if err := rows.Scan(&channel, &begin, &n); err != nil {
			return nil, fmt.Errorf("count conversations: %w", err)
		}
		if out[channel] == nil {
			out[channel] = map[schema.Instant]uint32{}
		}
		out[channel][schema.Instant(begin)] = uint32(n)
	}
	return out, rows.Err()
}
