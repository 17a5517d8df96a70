package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/channel/offline"
	"github.com/dossier-cdp/dossier/pipelines/identity"
	models "github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/pipelines/population"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/generator"
	service "github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/importer"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/state"
	"github.com/dossier-cdp/dossier/services/resolution"
)

// matchMapping reads what services/generator writes, as deploy/mappings/clients_fr.yaml does.
const matchMapping = `
name: customers
source: {column: source}
country: FR
ignore: [person_id]
events:
  - type: profile.identified
    record: record_id
    time: seen_at
    channel:
      column: source
      map: {crm: crm, ecommerce: web, store: store, callcenter: phone, support_email: email, survey: survey, social: social, web: web}
    account:
      - {kind: crm_id, value: record_id, when: {column: source, is: crm}}
      - {kind: card, value: loyalty_card, when: {column: source, is: store}}
      - {kind: handle, value: handle, when: {column: source, is: social}}
      - {kind: user_id, value: user_id}
      - {kind: cookie, value: cookie}
      - {kind: record_id, value: record_id}
    identifiers:
      - {kind: email, value: email, assurance: {column: source, map: {survey: declared}, default: verified}}
      - {kind: phone, value: phone, assurance: {column: source, map: {survey: declared}, default: verified}}
      - {kind: card, value: loyalty_card, assurance: {column: source, map: {survey: declared}, default: verified}}
      - {kind: user_id, value: user_id, assurance: {column: source, map: {survey: declared}, default: verified}}
      - {kind: cookie, value: cookie, assurance: {column: source, map: {survey: declared}, default: verified}}
      - {kind: handle, value: handle, assurance: {column: source, map: {survey: declared}, default: verified}}
    traits:
      full_name: full_name
      first_name: first_name
      last_name: last_name
      birth_date: birth_date
      street: street
      postcode: postcode
      city: city
`

// matchRate is how many records a second come to the service that weighs, unless --rate says otherwise.
const matchRate = 500

// customers invents French customers in a file of dir.
func (c *benchCommand) customers(ctx context.Context, dir string, people int) (path string, m *mapping.Mapping, err error) {
	if m, err = mapping.Compile([]byte(matchMapping), time.LoadLocation); err != nil {
		return "", nil, err
	}
	p, err := population.New(population.Plan{People: people, Seed: 1})
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, fmt.Sprintf("customers-%d.csv", people))
	f, err := os.Create(path)
	if err != nil {
		return "", nil, err
	}
	_, err = generator.Write(ctx, f, p, generator.Options{Dir: dir})
	return path, m, errors.Join(err, f.Close())
}

// match weighs records of invented customers under the model fr as the identity role does, without log and decryption: most of them are there before, the last ones
// come at their times, and how long each takes from then until it is decided and can be looked up is what is told.
func (c *benchCommand) match(ctx context.Context) (out benchResult, err error) {
	dir, err := os.MkdirTemp(c.Dir, "dossier-bench-match-")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path, m, err := c.customers(ctx, dir, c.People)
	if err != nil {
		return out, err
	}
	var events []schema.Event
	err = importer.Events(ctx, m, path, func(_ *importer.Record, e *schema.Event) error {
		copied := *offline.Copy(e)
		copied.Workspace = mainWorkspace
		events = append(events, copied)
		return nil
	})
	if err != nil {
		return out, err
	}
	rate := c.Rate
	if rate == 0 {
		rate = matchRate
	}
	last := min(int(c.For.Seconds()*float64(rate)), len(events)/2)
	model, err := models.Shipped("fr")
	if err != nil {
		return out, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	flow := &flow{grown: make(chan struct{})}
	before := events[:len(events)-last]
	at := flow.add(before)
	s, err := service.Open(ctx, service.Config{
		Workspace: mainWorkspace, Folder: filepath.Join(dir, "state"), Feed: flow, Log: flow, Hash: service.NewHasher(seal.NewPRF(seal.Key{1})),
		Settings: service.Settings{Rules: identity.DefaultRules(), Model: model, People: max(len(events), model.Records)},
		Store:    state.Options{CacheBytes: identityCache(), Logger: slog.New(slog.DiscardHandler)}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return out, err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	built := used(syscall.RUSAGE_SELF)
	if err = until(ctx, time.Millisecond, func() bool { ready, _, _ := s.Ready(); return ready }); err == nil {
		err = s.WaitFor(ctx, at)
	}
	built = used(syscall.RUSAGE_SELF) - built
	var took []time.Duration
	spent := used(syscall.RUSAGE_SELF)
	begun := time.Now()
	if err == nil {
		took, err = flow.drip(ctx, events[len(before):], rate, s.WaitFor)
	}
	elapsed := time.Since(begun)
	spent = used(syscall.RUSAGE_SELF) - spent
	cancel()
	if err = errors.Join(err, <-ended, s.Close()); err != nil {
		return out, err
	}
	slices.Sort(took)
	ms := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1e3
	}
	cpu := float64(spent.Microseconds()) / float64(last)
	return benchResult{
		N: int64(last), PerSecond: float64(last) / elapsed.Seconds(), CPU: cpu, P50: ms(.5), P99: ms(.99), LimitPerSecond: 1e6 / cpu, Limit: "a whole core",
		Note: fmt.Sprintf("(from due to decided, at most %.1f ms; %d records of %d customers were there before, built with %.0f µs CPU each)",
			ms(1), len(before), c.People, float64(built.Microseconds())/float64(len(before))),
	}, nil
}

// drip adds events at their times, so many a second, and tells how long each took from its time until done.
func (f *flow) drip(ctx context.Context, events []schema.Event, rate int, done func(context.Context, ...schema.Position) error) ([]time.Duration, error) {
	took := make([]time.Duration, len(events))
	begun := time.Now()
	due := func(i int) time.Time { return begun.Add(time.Duration(i) * time.Second / time.Duration(rate)) }
	f.mu.Lock()
	first := f.from + int64(len(f.events))
	f.mu.Unlock()
	given := make(chan int, len(events))
	go func() {
		defer close(given)
		for i := range events {
			timer := time.NewTimer(time.Until(due(i)))
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
			f.append(&events[i])
			given <- i
		}
	}()
	for i := range given {
		if err := done(ctx, schema.Position{Generation: 1, Offset: first + int64(i)}); err != nil {
			return nil, err
		}
		took[i] = time.Since(due(i))
	}
	return took, ctx.Err()
}

// append adds one event to those that are there.
func (f *flow) append(e *schema.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := schema.Position{Generation: 1, Offset: f.from + int64(len(f.events))}
	f.events = append(f.events, eventlog.Opened{Position: at, RecordedAt: schema.Instant(at.Offset + 1), Event: e})
	close(f.grown)
	f.grown = make(chan struct{})
}

// resolve says offline who is who among invented customers under the model fr, as `dossier resolve` does, and among a tenth of them: how the cost of a record grows.
func (c *benchCommand) resolve(ctx context.Context) (out benchResult, err error) {
	dir, err := os.MkdirTemp(c.Dir, "dossier-bench-resolve-")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	model, err := models.Shipped("fr")
	if err != nil {
		return out, err
	}
	var cpu, compared [2]float64
	var records int
	var peak int64
	for k, people := range []int{max(1, c.People/10), c.People} {
		path, m, err := c.customers(ctx, dir, people)
		if err != nil {
			return out, err
		}
		from := used(syscall.RUSAGE_SELF)
		r, err := resolution.Resolve(ctx, resolution.File{Path: path, Mapping: m, Model: model, Rules: identity.DefaultRules()})
		if err != nil {
			return out, err
		}
		records, peak = r.Summary.Records, r.Summary.PeakBytes
		cpu[k] = float64((used(syscall.RUSAGE_SELF) - from).Microseconds()) / float64(records)
		compared[k] = r.Summary.Compared
	}
	return benchResult{
		N: int64(records), PerSecond: 1e6 / cpu[1], CPU: cpu[1], LimitPerSecond: 1e6 / cpu[0], Limit: "a tenth of the customers", RSS: float64(peak) / (1 << 20),
		Note: fmt.Sprintf("(a core; %d customers; a record costs %.2f times what it costs among a tenth of them; %.1f and %.1f comparisons a record; %.1f kB a record)",
			c.People, cpu[1]/cpu[0], compared[1], compared[0], float64(peak)/1024/float64(records)),
	}, nil
}
