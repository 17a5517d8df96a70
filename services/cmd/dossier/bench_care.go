package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"syscall"
	"time"

	rules "github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/schema"
	service "github.com/dossier-cdp/dossier/services/care"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/load"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// care folds Store contacts into conversations, cases and surveys with the role's stored state, without log, decryption and ClickHouse: rows are made and
// encoded, and then dropped. Twenty thousand cases go on at any time, each with twelve contacts by two channels, so most contacts meet a cluster that is stored.
// The rate is for one core: what its whole time would do. The limit is the same fold of the same contacts with nothing stored.
func (c *benchCommand) care(ctx context.Context) (out benchResult, err error) {
	dir, err := os.MkdirTemp(c.Dir, "dossier-bench-care-")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	store, err := state.Open(dir, state.Options{CacheBytes: 16 << 20, MemTableBytes: 32 << 20, Logger: quiet})
	if err != nil {
		return out, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	flow, in := &flow{grown: make(chan struct{})}, rules.DefaultRules()
	role := service.New(service.Config{
		Workspace: mainWorkspace, Feed: flow, Log: flow, Partitions: 1, Generation: 1, Tables: &dropped{}, Store: store, MemoryBytes: careMemory(), Logger: quiet,
		Public: func(p schema.PersonaEpoch) schema.ProfileID { return p.Persona }, Rules: func() *rules.Rules { return in },
	})
	ended := make(chan error, 1)
	go func() { ended <- role.Run(ctx) }()
	if err := until(ctx, time.Millisecond, func() bool { _, ready := role.Visible(); return ready }); err != nil {
		return out, errors.Join(err, store.Close())
	}

	runtime.LockOSThread()
	var failed error
	n, alone := int64(0), time.Duration(0)
	began, making := used(syscall.RUSAGE_SELF), time.Duration(0)
	for n < c.Store && failed == nil {
		before := used(rusageThread)
		chunk := make([]schema.Event, 0, foldChunk)
		for len(chunk) < foldChunk {
			chunk = append(chunk, careEvent(n))
			n++
		}
		alone += foldAlone(chunk, in)
		making += used(rusageThread) - before
		last := flow.add(chunk)
		failed = role.WaitFor(ctx, []int64{last.Offset + 1})
	}
	spent := used(syscall.RUSAGE_SELF) - began - making
	runtime.UnlockOSThread()
	size, err := sizeOf(dir)
	cancel()
	err = errors.Join(failed, err, <-ended, store.Close())
	cpu := float64(spent.Microseconds()) / float64(n)
	return benchResult{
		N: n, PerSecond: 1e6 / cpu, CPU: cpu, LimitPerSecond: float64(n) / alone.Seconds(), Limit: "the pure fold alone", RSS: float64(load.RSS(os.Getpid())) / 1e6,
		Note: fmt.Sprintf("(a core; %.0f bytes on disk a contact)", float64(size)/float64(n)),
	}, err
}

// foldAlone folds the contacts of each case of a chunk at once, and gives the CPU time that it took.
func foldAlone(chunk []schema.Event, in *rules.Rules) time.Duration {
	before := used(rusageThread)
	byCase := map[string][]rules.Contact{}
	for i := range chunk {
		if contact, ok := rules.Of(&chunk[i], chunk[i].Persona); ok {
			byCase[chunk[i].Case] = append(byCase[chunk[i].Case], contact)
		}
	}
	for _, contacts := range byCase {
		rules.Fold(contacts, in)
	}
	return used(rusageThread) - before
}

// careEvent is the n-th contact of the benchmark: of cases that go on side by side, in the order of time.
func careEvent(n int64) schema.Event {
	const together = 20_000
	steps := [...]struct {
		kind    schema.Type
		actor   schema.Actor
		channel schema.Channel
		text    string
	}{
		{schema.TypeMessageReceived, schema.ActorCustomer, schema.ChannelEmail, "Bonjour, mon colis n'est toujours pas arrivé, pouvez-vous m'aider ?"},
		{schema.TypeCaseOpened, schema.ActorAgent, schema.ChannelCRM, ""},
		{schema.TypeMessageSent, schema.ActorBot, schema.ChannelEmail, "Nous avons bien reçu votre message."},
		{schema.TypeMessageSent, schema.ActorAgent, schema.ChannelEmail, "Bonjour, je regarde cela tout de suite."},
		{schema.TypeMessageReceived, schema.ActorCustomer, schema.ChannelEmail, "Toujours rien ce matin."},
		{schema.TypeNoteAdded, schema.ActorAgent, schema.ChannelCRM, "transporteur appelé"},
		{schema.TypeMessageReceived, schema.ActorCustomer, schema.ChannelSocial, "Still waiting for my parcel, nobody answers!"},
		{schema.TypeMessageSent, schema.ActorBrand, schema.ChannelSocial, "We are sorry, it arrives today."},
		{schema.TypeGestureGranted, schema.ActorAgent, schema.ChannelCRM, ""},
		{schema.TypeMessageReceived, schema.ActorCustomer, schema.ChannelEmail, "Merci !"},
		{schema.TypeCaseResolved, schema.ActorAgent, schema.ChannelCRM, ""},
		{schema.TypeSurveyAnswered, schema.ActorCustomer, schema.ChannelSurvey, ""},
	}
	block, within := n/(together*int64(len(steps))), n%(together*int64(len(steps)))
	number, step := block*together+within%together, within/together
	s := steps[step]
	var e schema.Event
	e.Workspace, e.Source, e.Channel, e.Type, e.OccurredAt = mainWorkspace, "desk", s.channel, s.kind, measuredFrom+schema.Instant(n)*1_000_000
	e.Account = schema.Account{Kind: "user_id", Value: fmt.Sprint("user", number)}
	e.Actor, e.Case, e.Text, e.Language = s.actor, fmt.Sprint("case ", number), s.text, "fr"
	e.Provenance = schema.Provenance{MessageID: fmt.Sprint("m", n), Country: "FR"}
	binary.BigEndian.PutUint64(e.ID[:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(e.Persona[:], uint64(number+1)*0xbf58476d1ce4e5b9)
	switch s.kind {
	case schema.TypeMessageReceived, schema.TypeMessageSent:
		e.Conversation = fmt.Sprint(s.channel, " ", number)
		e.Properties = []byte(`{"category":"delivery","queue":"parcels","team":"lyon"}`)
	case schema.TypeGestureGranted:
		e.Amount, e.Currency, e.Properties = "10", "EUR", []byte(`{"reason":"late","role":"agent"}`)
	case schema.TypeSurveyAnswered:
		e.Entity, e.Rating, e.RatingScale, e.Properties = fmt.Sprint("s", number), "9", "0-10", []byte(`{"instrument":"nps","touchpoint":"delivery"}`)
	}
	if e.Actor == schema.ActorAgent {
		e.ActorID = "agent 7"
	}
	return e
}

// dropped are tables that take rows and keep none.
type dropped struct{}

func (*dropped) Identity(context.Context) (string, error)             { return "bench", nil }
func (*dropped) Newest(context.Context) (uint64, error)               { return 0, nil }
func (*dropped) Insert(context.Context, string, *service.Block) error { return nil }
func (*dropped) Sweep(context.Context, string, uint64) error          { return nil }
func (*dropped) Named(context.Context, string, string, []schema.ProfileID) ([]schema.EventID, error) {
	return nil, nil
}

func (*dropped) Forget(context.Context, string, string, []schema.EventID, uint64) error { return nil }

// Begun implements service.Tables.
func (*dropped) Begun(context.Context, string, schema.Instant, schema.Instant, rules.Span) (map[string]map[schema.Instant]uint32, error) {
	return nil, nil
}

func (*dropped) Spoken(context.Context, string, schema.Instant, schema.Instant) (map[string]map[schema.Instant]reputation.Tally, error) {
	return nil, nil
}

// inbox measures the first 50 of 100,000 open cases among a million, and then how soon a new message is in the inbox and in the dossier of an installation.
func (c *benchCommand) inbox(ctx context.Context) (out benchResult, err error) {
	const open, all = 100_000, 1_000_000
	m, err := c.measure(ctx)
	if err != nil {
		return out, err
	}
	out, err = m.firstPages(ctx, open, all, c.For)
	if err = errors.Join(err, m.stop()); err != nil {
		return out, err
	}
	out.Bench = "inbox"
	if err := c.print(out); err != nil {
		return out, err
	}
	return c.arrival(ctx)
}

func (m *measured) firstPages(ctx context.Context, open, all int64, during time.Duration) (out benchResult, err error) {
	p := clickhouse.Params{"personas": all / 4, "version": 1, "open": open}
	if err := m.fill(ctx, fillCases, 0, all, p); err != nil {
		return out, err
	}
	if err := m.fill(ctx, fillPersonas, 0, all/4, nil); err != nil {
		return out, err
	}
	p["version"] = 2
	for i := range int64(10) { // open cases are written again and again
		if err := m.fill(ctx, fillCases, open*i/100, open*(i+1)/100, p); err != nil {
			return out, err
		}
	}
	if err := m.quiet(ctx); err != nil {
		return out, err
	}
	inForce := rules.DefaultRules()
	reader := service.Reader{Conn: m.house, Rules: func() *rules.Rules { return inForce }, Now: measuredTo.Time, Openings: service.NewOpenings(m.house, time.Now, nil)}
	var times []time.Duration
	before := load.CPU(os.Getpid())
	began := time.Now()
	for i := 0; time.Since(began) < during; i++ {
		asked := time.Now()
		list, _, more, err := reader.Inbox(ctx, mainWorkspace, nil, 0, 0, 50)
		if err != nil {
			return out, err
		}
		if len(list) != 50 || !more {
			return out, fmt.Errorf("the inbox has %d cases", len(list))
		}
		if i == 0 {
			fmt.Fprintf(os.Stderr, "the first page after a start took %.0f ms\n", milliseconds(time.Since(asked)))
			continue
		}
		times = append(times, time.Since(asked))
	}
	return benchResult{
		N: int64(len(times)), PerSecond: float64(len(times)) / time.Since(began).Seconds(), CPU: float64((load.CPU(os.Getpid()) - before).Microseconds()) / float64(max(1, len(times))),
		P50: milliseconds(load.Quantile(times, .5)), P99: milliseconds(load.Quantile(times, .99)), RSS: float64(load.RSS(os.Getpid())) / 1e6,
		Note: fmt.Sprintf("(the first 50 of %d open cases among %d, one after the other, without GraphQL)", open, all),
	}, nil
}

// arrival measures the time from the acknowledgement of a message to its being in the inbox and in the dossier. It polls, so the figures include half a poll.
func (c *benchCommand) arrival(ctx context.Context) (out benchResult, err error) {
	s, err := c.start(ctx)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	var times []time.Duration
	before, began := s.cpu(), time.Now()
	for n := 0; time.Since(began) < c.For && ctx.Err() == nil; n++ {
		user := fmt.Sprintf("new-%d", n)
		key := *s.client
		key.APIToken = s.WriteKey
		response, err := key.do(ctx, "POST", "/v1/events", map[string]any{
			"type": "message.received", "source": "desk", "channel": "email", "userId": user, "messageId": user, "conversation": user, "text": "Where is my parcel?",
			"occurredAt": time.Now().UTC().Format(time.RFC3339Nano),
		})
		if err == nil {
			err = response.Body.Close()
		}
		if err != nil {
			return out, err
		}
		acknowledged := time.Now()
		for {
			var answer struct {
				Dossier *struct {
					Timeline  struct{ Edges []struct{ Cursor string } }
					OpenCases []struct{ ID string }
				}
				Inbox struct {
					Edges []struct{ Node struct{ ID string } }
				}
			}
			err := s.client.query(ctx, `query($v: String!) { dossier(identifier: {kind: "user_id", value: $v}) { timeline(first: 1) { edges { cursor } } openCases { id } } inbox(first: 100) { edges { node { id } } } }`,
				map[string]any{"v": user}, &answer)
			if err != nil {
				return out, err
			}
			if d := answer.Dossier; d != nil && len(d.Timeline.Edges) == 1 && len(d.OpenCases) == 1 && (n >= 100 || len(answer.Inbox.Edges) == n+1) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		times = append(times, time.Since(acknowledged))
	}
	elapsed := time.Since(began)
	return benchResult{
		N: int64(len(times)), PerSecond: float64(len(times)) / elapsed.Seconds(), P50: milliseconds(load.Quantile(times, .5)), P99: milliseconds(load.Quantile(times, .99)), RSS: s.rss(),
		CPU: float64((s.cpu() - before).Microseconds()) / float64(max(1, len(times))), Note: "(from a message acknowledged to its case in inbox and dossier)",
	}, nil
}
