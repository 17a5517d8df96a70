package care

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

func TestMain(m *testing.M) { clickhousetest.Main(m) }

const partitions = 3

// memoryLog is a log in memory, and its feed.
type memoryLog struct {
	mu     sync.Mutex
	events [partitions][]*schema.Event
	random *rand.Rand
	faults *faults
}

func (l *memoryLog) Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.OpenedBatch, error) {
	var b eventlog.OpenedBatch
	err := l.faults.around("read", func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		b = eventlog.OpenedBatch{Partition: partition, From: offset, Next: offset}
		all := l.events[partition][offset:]
		if len(all) > 0 {
			all = all[:1+l.random.IntN(min(len(all), 9))]
		}
		for _, e := range all {
			b.Events = append(b.Events, eventlog.Opened{Position: schema.Position{Partition: partition, Offset: b.Next}, Event: e})
			b.Next++
		}
		return nil
	})
	if err == nil && b.Next == offset {
		select {
		case <-ctx.Done():
			return b, schema.Classify(schema.Transient, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
	return b, err
}

func (l *memoryLog) After(partition int32, next int64, last [16]byte) eventlog.Checkpoint {
	return eventlog.Checkpoint{Cluster: "memory", Position: schema.Position{Partition: partition, Offset: next}, Last: last}
}

func (l *memoryLog) Check(context.Context, eventlog.Checkpoint) error {
	return l.faults.around("check", func() error { return nil })
}

func (l *memoryLog) Ends(context.Context) (ends []int64, err error) {
	err = l.faults.around("ends", func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, events := range l.events {
			ends = append(ends, int64(len(events)))
		}
		return nil
	})
	return ends, err
}

// fault is what befalls one call.
type fault int

const (
	none fault = iota
	failed
	failedApplied
	crashed
	crashedAfter
	kinds
	slow // takes a while, and succeeds
)

var errCrash = errors.New("crash")

// faults decides what befalls the calls of each boundary.
type faults struct {
	mu    sync.Mutex
	calls map[string]int
	at    func(call int, what string) fault
	dead  bool
}

func (f *faults) around(what string, apply func() error) error {
	if f == nil {
		return apply()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return errCrash
	}
	kind := none
	if f.at != nil {
		kind = f.at(f.calls[what], what)
	}
	if kind == slow {
		kind = none
		f.mu.Unlock() // the others go on
		time.Sleep(20 * time.Millisecond)
		f.mu.Lock()
	}
	f.calls[what]++
	if kind == none || kind == failedApplied || kind == crashedAfter {
		if err := apply(); err != nil {
			return err
		}
	}
	switch kind {
	case failed, failedApplied:
		return schema.Classify(schema.Transient, errors.New(what))
	case crashed, crashedAfter:
		f.dead = true
		return errCrash
	}
	return nil
}

// memoryTables keep rows as ReplacingMergeTree does: every version, of which the highest counts.
type memoryTables struct {
	faults *faults
	*stored
}

type stored struct {
	mu       sync.Mutex
	identity string
	rows     map[string][]head
	persona  map[schema.EventID]schema.PersonaID // of each event that was added
	begun    uint32                              // conversations in the last bucket
	storm    bool                                // of blame in the last quarter of an hour
}

func (m memoryTables) Identity(context.Context) (identity string, err error) {
	err = m.faults.around("identity", func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		identity = m.identity
		return nil
	})
	return identity, err
}

func (m memoryTables) Newest(context.Context) (newest uint64, err error) {
	err = m.faults.around("newest", func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, rows := range m.rows {
			for _, r := range rows {
				newest = max(newest, r.version)
			}
		}
		return nil
	})
	return newest, err
}

func (m memoryTables) Insert(_ context.Context, _ string, b *Block) error {
	return m.faults.around("insert", func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.rows[b.Table] = append(m.rows[b.Table], b.heads...)
		return nil
	})
}

func (m memoryTables) Begun(_ context.Context, _ string, _, to schema.Instant, bucket care.Span) (map[string]map[schema.Instant]uint32, error) {
	counts := map[schema.Instant]uint32{}
	for d := range 10 {
		counts[to-schema.Instant(bucket)-schema.Instant(d)*86_400_000_000] = 2
	}
	counts[to-schema.Instant(bucket)] = m.begun
	return map[string]map[schema.Instant]uint32{"phone": counts}, nil
}

// Spoken: a quiet week, and a storm of blame in the last three times five minutes, if any are to be.
func (m memoryTables) Spoken(_ context.Context, _ string, from, to schema.Instant) (map[string]map[schema.Instant]reputation.Tally, error) {
	of := map[schema.Instant]reputation.Tally{from: {Neutral: 1}}
	if m.storm {
		for n := range schema.Instant(3) {
			of[to-(n+1)*schema.Instant(reputation.Bucket)] = reputation.Tally{Unfavourable: 40}
		}
	}
	return map[string]map[schema.Instant]reputation.Tally{"garance": of}, nil
}

func (m memoryTables) remove(tables []string, gone func(h head) bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, table := range tables {
		m.rows[table] = slices.DeleteFunc(m.rows[table], gone)
	}
	return nil
}

func (m memoryTables) Forget(_ context.Context, _, table string, ids []schema.EventID, below uint64) error {
	return m.faults.around("forget", func() error {
		return m.remove([]string{table}, func(h head) bool { return h.version < below && slices.Contains(ids, h.id) })
	})
}

// Named gives every row, which is more than it must: a row keeps no list of personas here.
func (m memoryTables) Named(_ context.Context, _, table string, _ []schema.ProfileID) (ids []schema.EventID, err error) {
	err = m.faults.around("named", func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, h := range m.rows[table] {
			if !slices.Contains(ids, h.id) {
				ids = append(ids, h.id)
			}
		}
		return nil
	})
	return ids, err
}

func (m memoryTables) Sweep(_ context.Context, _ string, below uint64) error {
	return m.faults.around("sweep", func() error { return m.remove(tableNames[:], func(h head) bool { return h.version < below }) })
}

// current is what stands in the tables: table, id and digest of each row.
func (s *stored) current() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for table, rows := range s.rows {
		if table == schema.TableAlerts {
			continue // they are no fold of the set
		}
		newest := map[schema.EventID]head{}
		for _, r := range rows {
			if r.version >= newest[r.id].version {
				newest[r.id] = r
			}
		}
		for _, r := range newest {
			if !r.deleted {
				out = append(out, fmt.Sprintf("%s %s %x", table, r.id, r.digest))
			}
		}
	}
	slices.Sort(out)
	return out
}

// events are contacts of some people in threads, calls, cases and surveys, with copies, spread over the partitions.
func events(r *rand.Rand, n int) (out []*schema.Event) {
	types := []schema.Type{
		schema.TypeMessageReceived, schema.TypeMessageReceived, schema.TypeMessageSent, schema.TypeMessageSent, schema.TypeCaseOpened, schema.TypeCaseResolved, schema.TypeCaseReopened,
		schema.TypeSurveyAnswered, schema.TypeMentionPublished, schema.TypeGestureGranted, schema.TypePageViewed, schema.TypeCallOffered, schema.TypeCallAnswered,
	}
	for i := range n {
		e := &schema.Event{}
		binary.BigEndian.PutUint64(e.ID[8:], uint64(i+1))
		e.Workspace, e.Source, e.Type = "main", fmt.Sprint("s", r.IntN(2)), types[r.IntN(len(types))]
		e.Persona[0], e.Persona[15] = 0xa7, byte(1+r.IntN(5))
		e.OccurredAt = schema.Instant(1_772_442_000_000_000 + int64(r.IntN(14*24*3600))*1_000_000)
		e.Channel, e.Actor = []schema.Channel{schema.ChannelEmail, schema.ChannelSMS, schema.ChannelChat}[r.IntN(3)], schema.ActorCustomer
		if e.Type != schema.TypeMessageReceived && e.Type != schema.TypeSurveyAnswered && e.Type != schema.TypeMentionPublished {
			e.Actor, e.ActorID = schema.ActorAgent, "anna"
		}
		if r.IntN(4) > 0 {
			e.Conversation = fmt.Sprint("t", r.IntN(n/6+1))
		}
		if r.IntN(3) == 0 {
			e.Case = fmt.Sprint("c", r.IntN(n/12+1))
		}
		e.Provenance.MessageID = fmt.Sprint("m", i)
		if r.IntN(8) == 0 {
			e.Parent = fmt.Sprint("m", r.IntN(n))
		}
		e.Entity, e.Rating, e.RatingScale = fmt.Sprint("e", r.IntN(n)), fmt.Sprint(r.IntN(12)), "0-10"
		e.Properties = fmt.Appendf(nil, `{"priority":"high","talk_seconds":%d}`, r.IntN(900))
		if r.IntN(2) == 0 {
			e.Text = strings.Repeat("x", 1+r.IntN(40))
		}
		if i > 0 && r.IntN(8) == 0 { // somebody corrects a text, of whomever
			of := out[r.IntN(len(out))]
			correct(e, of, []string{"neg", "neu", "pos"}[r.IntN(3)])
		}
		out = append(out, e)
		if r.IntN(9) == 0 {
			out = append(out, e)
		}
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// correct makes an event a correction of another one's text.
func correct(e, of *schema.Event, polarity string) {
	*e = schema.Event{Clear: e.Clear}
	e.Persona, e.Type, e.Actor, e.ActorID = of.Persona, schema.TypeVerbatimCorrected, schema.ActorAgent, "anna"
	e.Assertion = &schema.Assertion{A: schema.PersonaEpoch{Persona: of.Persona}, Of: of.ID, Reason: "read it"}
	e.Properties = fmt.Appendf(nil, `{"polarity":%q,"themes":["corrected"]}`, polarity)
}

// readBy reads by the length of a text and its version.
type readBy string

func (t readBy) Version() string { return string(t) }

func (t readBy) Read(e *schema.Event) *verbatim.Kept {
	n := len(e.Text) + len(t)
	k := &verbatim.Kept{Language: verbatim.French, Polarity: verbatim.Polarity(n % 3), Confidence: uint16(10 * n), Model: string(t), Themes: []verbatim.KeptTheme{{ID: fmt.Sprint("t", n%4)}}}
	if n%5 == 0 {
		k.Criticality, k.Reasons = verbatim.High, []verbatim.Reason{{Code: "legal", Words: "avocat"}}
	}
	return k
}

// want is what the tables must hold: the fold of the set.
func want(all []*schema.Event, rules *care.Rules, void func(c *schema.Clear) bool) []string {
	return wantBy(readBy("1"), all, rules, void)
}

func wantBy(t Texts, all []*schema.Event, rules *care.Rules, void func(c *schema.Clear) bool) []string {
	var contacts []care.Contact
	for _, e := range all {
		if c, ok := care.Of(e, e.Persona); ok && (void == nil || !void(&e.Clear)) {
			if c.Voiced(e) {
				c.Said = t.Read(e)
			}
			contacts = append(contacts, c)
		}
	}
	rows := care.Fold(contacts, rules)
	var out []string
	conversations, cases, surveys := newBlock(conversationsTable, conversationColumns), newBlock(casesTable, caseColumns), newBlock(surveysTable, surveyColumns)
	for _, r := range rows.Conversations {
		out = append(out, fmt.Sprintf("conversations %s %x", r.ID, conversations.encode(r.ID, &r)))
	}
	for _, r := range rows.Cases {
		out = append(out, fmt.Sprintf("cases %s %x", r.ID, cases.encode(r.ID, &r)))
	}
	for _, r := range rows.Surveys {
		out = append(out, fmt.Sprintf("surveys %s %x", r.ID, surveys.encode(r.ID, &r)))
	}
	verbatims := newBlock(verbatimsTable, verbatimColumns)
	for _, r := range rows.Verbatims {
		out = append(out, fmt.Sprintf("verbatims %s %x", r.ID, verbatims.encode(r.ID, &r)))
	}
	mentions := newBlock(mentionsTable, mentionColumns)
	for _, r := range rows.Mentions {
		out = append(out, fmt.Sprintf("mentions %s %x", r.ID, mentions.encode(r.ID, &r)))
	}
	slices.Sort(out)
	return out
}

// world is an installation of the role, in memory but for its state.
type world struct {
	watched *reputation.Settings // brands; nil watches none
	t       testing.TB
	log     *memoryLog
	tables  *stored
	store   *state.Store
	dir     string
	rules   *care.Rules
	texts   Texts
	void    func(c *schema.Clear) bool
	memory  int64 // of clusters: 1 keeps none, 30,000 some

	decided *memoryDecided // nil: no alerts
	now     func() time.Time
	sender  Sender
	notes   *memoryNotes // nil: without a lease
}

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{t: t, log: &memoryLog{random: rand.New(rand.NewPCG(seed, 1))}, tables: &stored{identity: "a", rows: map[string][]head{}, persona: map[schema.EventID]schema.PersonaID{}}, dir: t.TempDir(), rules: care.DefaultRules(), texts: readBy("1"), memory: []int64{1, 30_000, 0}[seed%3]}
	w.open()
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) open() {
	store, err := state.Open(w.dir, state.Options{CacheBytes: 1 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	w.store = store
}

func (w *world) add(r *rand.Rand, all []*schema.Event) {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	for _, e := range all {
		w.tables.persona[e.ID] = e.Persona
		p := r.IntN(partitions)
		w.log.events[p] = append(w.log.events[p], e)
	}
}

func (w *world) role(f *faults) *Care {
	w.log.faults = f
	config := Config{
		Workspace: "main", Feed: w.log, Log: w.log, Partitions: partitions, Tables: memoryTables{f, w.tables}, Store: w.store,
		Public: func(p schema.PersonaEpoch) schema.ProfileID { return p.Persona }, Rules: func() *care.Rules { return w.rules },
		Texts: w.texts, Void: w.void, MemoryBytes: w.memory, BatchRecords: 25, Linger: time.Millisecond, Tick: 5 * time.Millisecond, BackOff: time.Microsecond, Logger: slog.New(slog.DiscardHandler), Now: w.now, Sender: w.sender,
		Secrets: func(names []string) ([]string, error) { return names, nil },
	}
	if w.decided != nil {
		w.decided.faults = f
		config.Decided = w.decided
	}
	if w.watched != nil {
		config.Reputation = func() *reputation.Settings { return w.watched }
	}
	return New(config)
}

// run lets the role work until it has caught up, then calls then, which may be nil. It gives the error that the role ended with.
func (w *world) run(f *faults, then func(c *Care) error) error {
	c := w.role(f)
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		if w.notes != nil {
			w.notes.faults = f
			ended <- c.Lead(ctx, w.notes)
			return
		}
		ended <- c.Run(ctx)
	}()
	ready := make(chan error, 1)
	go func() {
		ends := make([]int64, partitions)
		w.log.mu.Lock()
		for p := range ends {
			ends[p] = int64(len(w.log.events[p]))
		}
		w.log.mu.Unlock()
		err := c.WaitFor(ctx, ends)
		if err == nil && then != nil {
			err = then(c)
		}
		ready <- err
	}()
	select {
	case err := <-ended:
		cancel()
		<-ready
		return err
	case err := <-ready:
		cancel()
		return errors.Join(err, <-ended)
	}
}

func (w *world) same(seed uint64, all []*schema.Event) {
	w.t.Helper()
	got, want := w.tables.current(), wantBy(w.texts, all, w.rules, w.void)
	if !slices.Equal(got, want) {
		missing := slices.DeleteFunc(slices.Clone(want), func(line string) bool { return slices.Contains(got, line) })
		more := slices.DeleteFunc(slices.Clone(got), func(line string) bool { return slices.Contains(want, line) })
		w.t.Fatalf("seed %d: the tables lack\n%s\nand have beyond\n%s", seed, strings.Join(missing, "\n"), strings.Join(more, "\n"))
	}
}

// A fault at any call of any boundary, and the tables are the fold of the set once the role has caught up; likewise when the log grows
// between the lives, and when the state or the tables are lost.
func TestFaultAtEveryBoundary(t *testing.T) {
	seed := uint64(0)
	for _, what := range []string{"identity", "newest", "ends", "check", "read", "insert", "sweep"} {
		for kind := failed; kind < kinds; kind++ {
			for _, call := range []int{0, 1, 4} {
				seed++
				r := rand.New(rand.NewPCG(seed, 2))
				w := newWorld(t, seed)
				all := events(r, 60)
				w.add(r, all[:40])
				hit := false
				f := &faults{calls: map[string]int{}, at: func(n int, w string) fault {
					if w == what && n == call {
						hit = true
						return kind
					}
					return none
				}}
				err := w.run(f, nil)
				if dead := kind == crashed || kind == crashedAfter; err != nil && !(dead && errors.Is(err, errCrash)) {
					t.Fatalf("%s, call %d, fault %d: %v", what, call, kind, err)
				} else if dead && hit && err == nil && what != "read" {
					t.Fatalf("%s, call %d: the crash was not told", what, call)
				}
				w.add(r, all[40:])
				if err := w.run(nil, nil); err != nil {
					t.Fatal(err)
				}
				w.same(seed, all)
			}
		}
	}
}

// Crashes one after the other, in a log that grows meanwhile.
func TestAnyCrashes(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 3))
		w := newWorld(t, seed)
		all := events(r, 150)
		rest := all
		for len(rest) > 0 {
			n := min(len(rest), 10+r.IntN(40))
			w.add(r, rest[:n])
			rest = rest[n:]
			f := &faults{calls: map[string]int{}}
			chance := rand.New(rand.NewPCG(seed, uint64(len(rest))))
			f.at = func(int, string) fault {
				if chance.IntN(12) == 0 {
					return 1 + fault(chance.IntN(int(kinds)-1))
				}
				return none
			}
			if err := w.run(f, nil); err != nil && !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
		}
		if err := w.run(nil, nil); err != nil {
			t.Fatal(err)
		}
		w.same(seed, all)
	}
}

// A state that is lost is built from the log, and what it had left behind goes.
func TestStateLost(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	w := newWorld(t, 7)
	all := events(r, 80)
	w.add(r, all)
	if err := w.run(nil, nil); err != nil {
		t.Fatal(err)
	}
	var stray head
	stray.id[0], stray.version = 9, 1<<rankShift|5
	w.tables.rows["cases"] = append(w.tables.rows["cases"], stray)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.dir = t.TempDir()
	w.open()
	if err := w.run(nil, nil); err != nil {
		t.Fatal(err)
	}
	w.same(7, all)
}

// Tables that are lost are written from the state; other rules fold everything anew, while it runs.
func TestTableLost(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	w := newWorld(t, 8)
	all := events(r, 80)
	w.add(r, all)
	if err := w.run(nil, nil); err != nil {
		t.Fatal(err)
	}
	w.tables.identity, w.tables.rows = "b", map[string][]head{}
	if err := w.run(nil, nil); err != nil {
		t.Fatal(err)
	}
	w.same(8, all)
	other := *w.rules
	other.Version, other.Gaps = "other", maps.Clone(other.Gaps)
	for c := range other.Gaps {
		other.Gaps[c] = 0
	}
	w.rules = &other
	if err := w.run(nil, nil); err != nil {
		t.Fatal(err)
	}
	w.same(8, all)
}

// When texts are read by another version all are read anew, beside what comes, whatever befalls it on the way; and a state from before texts were read gets them.
func TestReadAnew(t *testing.T) {
	seed := uint64(100)
	for _, before := range []Texts{nil, readBy("1")} {
		for _, what := range []string{"", "read", "insert"} {
			for _, kind := range []fault{failedApplied, crashed, crashedAfter} {
				seed++
				r := rand.New(rand.NewPCG(seed, 11))
				w := newWorld(t, seed)
				all := events(r, 90)
				w.add(r, all[:60])
				w.texts = before
				if err := w.run(nil, nil); err != nil {
					t.Fatal(err)
				}
				w.texts = readBy("22")
				w.add(r, all[60:])
				restated := func(c *Care) error {
					for !c.Restated() {
						if err := t.Context().Err(); err != nil {
							return err
						}
						time.Sleep(time.Millisecond)
					}
					return nil
				}
				if what != "" {
					f := &faults{calls: map[string]int{}, at: func(n int, at string) fault {
						if at == what && n == 2 {
							return kind
						}
						return none
					}}
					if err := w.run(f, nil); err != nil && !errors.Is(err, errCrash) {
						t.Fatal(err)
					}
				}
				if err := w.run(nil, restated); err != nil {
					t.Fatal(err)
				}
				w.same(seed, all)
				var m meta
				stored, _, err := w.store.Get(nil, keyMeta)
				if err == nil {
					m, err = readMeta(stored)
				}
				if err != nil || m.reads != "22" {
					t.Errorf("the state says that %q read the texts, %v", m.reads, err)
				}
			}
		}
	}
}

// After an erasure nothing of the person is in rows, old or new, nor in the state, whatever befalls it on the way.
// A crash may lose what the state was told after the rows of it were sent. What is void then is not read again, and its rows must go all the same.
func TestReclaim(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 17))
		w := newWorld(t, seed)
		all := events(r, 70)
		w.add(r, all[:len(all)/2])
		if err := w.run(nil, nil); err != nil {
			t.Fatal(err)
		}
		kept := t.TempDir()
		if err := errors.Join(w.store.Close(), os.CopyFS(kept, os.DirFS(w.dir))); err != nil {
			t.Fatal(err)
		}
		w.open()
		w.add(r, all[len(all)/2:])
		if err := w.run(nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
		w.dir = kept // the rows of the second half stand, and the state knows nothing of it
		w.open()
		var gone schema.PersonaID
		gone[0], gone[15] = 0xa7, 2
		w.void = func(c *schema.Clear) bool { return c.Persona == gone && c.Key.Epoch == 0 }
		failures := 0
		f := &faults{calls: map[string]int{}, at: func(int, string) fault {
			if r.IntN(6) == 0 && failures < 3 {
				failures++
				return []fault{failed, failedApplied}[r.IntN(2)]
			}
			return none
		}}
		erase := func(c *Care) (err error) {
			for range 10 { // as the process does
				err = c.Erase(t.Context(), Erasure{schema.PersonaEpoch{Persona: gone}, 1_772_442_000_000_000})
				if err == nil {
					err = c.Reclaim(t.Context(), []schema.PersonaEpoch{{Persona: gone}})
				}
				if schema.ClassOf(err) != schema.Transient {
					break
				}
			}
			return err
		}
		if err := w.run(f, erase); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		w.same(seed, all)
		for table, rows := range w.tables.rows {
			for _, h := range rows {
				if w.tables.persona[h.id] == gone && !h.deleted && table != schema.TableAlerts {
					t.Fatalf("seed %d: %s still holds a row of the person", seed, table)
				}
			}
		}
	}
}

func TestErase(t *testing.T) {
	for _, kind := range []fault{none, failed, failedApplied, crashed, crashedAfter} {
		for _, what := range []string{"insert", "forget"} {
			seed := uint64(kind)*2 + uint64(len(what))
			r := rand.New(rand.NewPCG(seed, 9))
			w := newWorld(t, seed)
			all := events(r, 70)
			w.add(r, all)
			if err := w.run(nil, nil); err != nil {
				t.Fatal(err)
			}
			var gone schema.PersonaID
			gone[0], gone[15] = 0xa7, 2
			cutOff := schema.Instant(1_772_442_000_000_000)
			w.void = func(c *schema.Clear) bool { return c.Persona == gone && c.Key.Epoch == 0 }
			erase := func(c *Care) error {
				return c.Erase(t.Context(), Erasure{schema.PersonaEpoch{Persona: gone}, cutOff})
			}
			f := &faults{calls: map[string]int{}, at: func(n int, at string) fault {
				if at == what && n == 0 {
					return kind
				}
				return none
			}}
			if err := w.run(f, erase); err != nil && kind == none {
				t.Fatal(err)
			}
			if err := w.run(nil, erase); err != nil {
				t.Fatal(err)
			}
			w.same(seed, all)
			for key, value := range snapshot(t, w.store) {
				if strings.Contains(key+value, string(gone[:])) {
					t.Fatalf("%s, fault %d: the state knows the person by a key %x", what, kind, key)
				}
			}
			var ids []schema.EventID
			for _, e := range all {
				if e.Persona == gone {
					ids = append(ids, e.ID)
				}
			}
			for table, rows := range w.tables.rows {
				for _, h := range rows {
					if slices.Contains(ids, h.id) && !h.deleted {
						t.Fatalf("%s still holds a row of the person", table)
					}
				}
			}
		}
	}
}

func snapshot(t *testing.T, s *state.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := s.Scan([]byte{1}, []byte{0xff}, func(key, value []byte) error {
		out[string(key)] = string(value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// inbox holds the open cases to their order: by lane, then by score, page by page the same as at once, and to those of one person.
func inbox(ctx context.Context, t *testing.T, conn *clickhouse.Conn, rows []string) {
	t.Helper()
	now := time.UnixMicro(1_772_442_000_000_000).Add(7 * 24 * time.Hour)
	r := Reader{Conn: conn, Rules: care.DefaultRules, Now: func() time.Time { return now }}
	whole, at, more, err := r.Inbox(ctx, "main", nil, 0, 0, 500)
	if err != nil || more || len(whole) == 0 {
		t.Fatalf("%d cases, more %v, %v", len(whole), more, err)
	}
	other := care.Weights{Wait: 1, TopLane: 1, Version: "simulated"} // of what is not overdue, the longest wait first
	tried, _, _, err := r.Inbox(ctx, "main", &other, 0, 0, 500)
	if err != nil || len(tried) != len(whole) {
		t.Fatalf("%d cases by other weights, %v", len(tried), err)
	}
	for i, c := range tried {
		if c.Priority != other.Prioritise(c.Priority.Inputs) || c.Priority.Weights != "simulated" || i > 0 && tried[i-1].Priority.Lane == c.Priority.Lane && tried[i-1].Priority.Score < c.Priority.Score-1e-5 {
			t.Errorf("by other weights: %+v", c.Priority)
		}
	}
	overdue, open := 0, map[schema.PersonaID]bool{}
	for i, c := range whole {
		if !slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, "cases "+c.First.String()) }) {
			t.Errorf("%s is no case", c.First)
		}
		if late := c.DueAt != 0 && at >= c.DueAt; late != (c.Priority.Wait >= 1) || late && c.Priority.Lane == care.LaneOpen {
			t.Errorf("due %s, asked %s: %+v", c.DueAt, at, c.Priority)
		} else if late {
			overdue++
		}
		if i > 0 {
			before := whole[i-1].Priority
			if before.Lane > c.Priority.Lane || before.Lane == c.Priority.Lane && before.Score < c.Priority.Score-1e-5 {
				t.Errorf("%+v before %+v", before, c.Priority)
			}
		}
		open[c.Profile] = true
	}
	if overdue == 0 || overdue == len(whole) {
		t.Errorf("%d of %d are overdue", overdue, len(whole))
	}
	var paged []schema.EventID
	for more := true; more; {
		var part []graphql.Waiting
		if part, _, more, err = r.Inbox(ctx, "main", nil, at, len(paged), 4); err != nil {
			t.Fatal(err)
		}
		for _, c := range part {
			paged = append(paged, c.First)
		}
	}
	if len(paged) != len(whole) || paged[len(paged)-1] != whole[len(whole)-1].First {
		t.Errorf("%d cases page by page, %d at once", len(paged), len(whole))
	}
	for p := range open {
		mine, err := r.Open(ctx, "main", [][]schema.PersonaID{{p}, {}})
		if err != nil || len(mine[0]) == 0 || len(mine[1]) != 0 {
			t.Errorf("a person has %d open cases, nobody %d, %v", len(mine[0]), len(mine[1]), err)
		}
		break
	}
}

// The engine takes every column, and shows the same bytes for the same set, in whatever order it came.
func TestEngine(t *testing.T) {
	var first string
	for seed := range uint64(2) {
		conn := clickhousetest.Start(t)
		if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(5, 5))
		all := events(r, 120)
		order := rand.New(rand.NewPCG(seed, 6))
		order.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		w := newWorld(t, seed)
		w.add(order, all)
		c := w.role(nil)
		c.Tables, c.BatchRecords = ClickHouse{conn}, 60
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		ends, _ := w.log.Ends(ctx)
		if err := c.WaitFor(ctx, ends); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Export(ctx, conn, "main", &b); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = b.String()
		} else if b.String() != first {
			t.Errorf("another order gives\n%s\nwant\n%s", b.String(), first)
		}
		if n, rows := strings.Count(first, "\n"), len(want(all, w.rules, nil)); n != rows || n == 0 {
			t.Errorf("%d rows, want %d", n, rows)
		}
		inbox(ctx, t, conn, want(all, w.rules, nil))
		var gone schema.PersonaID
		gone[0], gone[15] = 0xa7, 3
		void := func(e *schema.Clear) bool { return e.Persona == gone }
		if err := c.Erase(ctx, Erasure{schema.PersonaEpoch{Persona: gone}, 0}); err != nil {
			t.Fatal(err)
		}
		var left uint64
		if err := conn.QueryRow(ctx, "SELECT count() FROM conversations WHERE has(personas, {p:UUID})", map[string]any{"p": gone}, nil, &left); err != nil || left != 0 {
			t.Errorf("%d rows name the erased, %v", left, err)
		}
		var now uint64
		if err := conn.QueryRow(ctx, "SELECT (SELECT count() FROM current_cases) + (SELECT count() FROM current_conversations) + (SELECT count() FROM current_surveys) + (SELECT count() FROM current_verbatims) + (SELECT count() FROM current_mentions)", nil, nil, &now); err != nil || int(now) != len(want(all, w.rules, void)) {
			t.Errorf("%d rows after the erasure, want %d, %v", now, len(want(all, w.rules, void)), err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
