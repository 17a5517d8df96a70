package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	rules "github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/services/care"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/metrics"
	texts "github.com/dossier-cdp/dossier/services/verbatim"
)

// pasts are what was known at some instants, in tables of ClickHouse that are in its memory alone: care folded, and who was who, from the log as it was then. Making
// one reads the whole log; so they are kept while somebody asks, and dropped after a while, for another instant, and as soon as somebody is erased.
type pasts struct {
	i *installation

	making sync.Mutex // held while one is made: one at a time
	mu     sync.Mutex
	kept   []*past // the last used is last
	swept  bool    // what a former process has left
	watch  sync.Once
}

// past is what was known at an instant.
type past struct {
	at       schema.Instant
	erased   int // decisions to erase that were honoured when it was made
	tables   string
	config   string
	used     int // by how many it is being read
	dropped  bool
	forget   *time.Timer
	released chan struct{}
}

const (
	mostPasts  = 2
	pastFor    = 10 * time.Minute // after it was last asked for
	pastPrefix = "known_"
	strayAfter = 24 * time.Hour // after which a table is one that a killed process has left
)

// newPasts makes none yet. It is nil where this process does not hold who was who.
func (i *installation) newPasts() func(ctx context.Context, workspace string, at schema.Instant) (*metrics.Known, error) {
	if !i.roles.has(identityRole) || !i.roles.has(careRole) {
		return nil
	}
	p := &pasts{i: i}
	i.onStop(func(ctx context.Context) error { return p.close(ctx) })
	return p.known
}

// erasures counts the decisions to erase.
func (p *pasts) erasures() int { return len(p.i.control.State().Erased(mainWorkspace)) }

// known gives what was known at an instant.
func (p *pasts) known(ctx context.Context, workspace string, at schema.Instant) (*metrics.Known, error) {
	if at > schema.InstantOf(time.Now()) {
		return nil, &metric.Fault{Text: "knownAt is a time that has passed"}
	}
	if found := p.take(at); found != nil {
		return p.give(found), nil
	}
	p.making.Lock()
	defer p.making.Unlock()
	if found := p.take(at); found != nil { // while we waited
		return p.give(found), nil
	}
	made, err := p.make(ctx, workspace, at)
	if err != nil {
		return nil, err
	}
	p.watch.Do(func() { p.i.group.Go(func() error { p.follow(); return nil }) })
	p.mu.Lock()
	made.used = 1
	p.kept = append(p.kept, made)
	var over []*past
	for len(p.kept)-len(over) > mostPasts {
		over = append(over, p.kept[len(over)])
	}
	p.mu.Unlock()
	for _, old := range over {
		p.drop(old)
	}
	return p.give(made), nil
}

// take finds one that is made, and counts its reader.
func (p *pasts) take(at schema.Instant) *past {
	erased := p.erasures()
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, k := range p.kept {
		if k.at == at && k.erased == erased && !k.dropped {
			p.kept = append(append(p.kept[:n:n], p.kept[n+1:]...), k)
			k.used++
			return k
		}
	}
	return nil
}

func (p *pasts) give(k *past) *metrics.Known {
	var once sync.Once
	return &metrics.Known{Tables: k.tables, Configuration: k.config, Erased: p.i.since(k.at), Release: func() {
		once.Do(func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			k.used--
			switch {
			case k.dropped && k.used == 0:
				close(k.released)
			case k.forget == nil:
				k.forget = time.AfterFunc(pastFor, func() { p.drop(k) })
			default:
				k.forget.Reset(pastFor)
			}
		})
	}}
}

// drop takes one out, and drops its tables once nobody reads them.
func (p *pasts) drop(k *past) {
	p.mu.Lock()
	if k.dropped {
		p.mu.Unlock()
		return
	}
	k.dropped = true
	for n := range p.kept {
		if p.kept[n] == k {
			p.kept = append(p.kept[:n:n], p.kept[n+1:]...)
			break
		}
	}
	if k.used == 0 {
		close(k.released)
	}
	p.mu.Unlock()
	go func() {
		<-k.released
		if err := p.remove(k.tables); err != nil {
			p.i.logger.Warn("tables of what was known are left in memory until the engine starts again", "error", err)
		}
	}()
}

func (p *pasts) remove(tables string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return care.DropKnown(ctx, p.i.house, tables)
}

// follow drops everything as soon as somebody is erased, until the installation stops.
func (p *pasts) follow() {
	for {
		changed := p.i.control.Changed()
		erased := p.erasures()
		p.mu.Lock()
		all := append([]*past(nil), p.kept...)
		p.mu.Unlock()
		for _, k := range all {
			if k.erased != erased {
				p.drop(k)
			}
		}
		select {
		case <-changed:
		case <-p.i.run.Done():
			return
		}
	}
}

// close drops what is left.
func (p *pasts) close(ctx context.Context) error {
	p.mu.Lock()
	all := p.kept
	p.kept = nil
	p.mu.Unlock()
	var err error
	for _, k := range all {
		err = errors.Join(err, care.DropKnown(ctx, p.i.house, k.tables))
	}
	return err
}

// make folds the log as it was.
func (p *pasts) make(ctx context.Context, workspace string, at schema.Instant) (k *past, err error) {
	i := p.i
	if err := i.visible(ctx); err != nil {
		return nil, err
	}
	k = &past{at: at, erased: p.erasures(), tables: pastPrefix + strings.ReplaceAll(uuid.NewString(), "-", "")[:12] + "_", released: make(chan struct{})}
	inForce, err := i.configuration.at(at)
	if err != nil {
		return nil, err
	}
	k.config = inForce.Hash
	if !p.swept {
		if err := p.sweep(ctx); err != nil {
			return nil, err
		}
		p.swept = true
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.remove(k.tables))
		}
	}()
	folded := care.NewKnown(inForce.Care)
	if err := p.contacts(ctx, workspace, at, i.textsAt(at, inForce.Verbatim), folded); err != nil {
		return nil, err
	}
	if err := folded.Write(ctx, i.house, workspace, k.tables); err != nil {
		return nil, err
	}
	if err := p.people(ctx, workspace, at, k.tables); err != nil {
		return nil, err
	}
	return k, nil
}

// contacts reads the log, and keeps what care would have.
func (p *pasts) contacts(ctx context.Context, workspace string, at schema.Instant, reader *texts.Reader, into *care.Known) error {
	i := p.i
	public := ids.New(i.ring.PRF())
	ends, err := i.eventLog.Ends(ctx)
	if err != nil {
		return err
	}
	for partition, end := range ends {
		for next := int64(0); next < end; {
			events, err := i.feed.Read(ctx, int32(partition), next, time.Second)
			if err != nil {
				return fmt.Errorf("read what was known: %w", err)
			}
			for n := range events.Events {
				o := &events.Events[n]
				if o.Event == nil || o.Offset >= end || o.RecordedAt > at || o.Event.Workspace != workspace || !rules.Concerns(o.Event.Type) || i.erasures.void(&o.Event.Clear) {
					continue
				}
				contact, ok := rules.Of(o.Event, public.Public(schema.PersonaEpoch{Persona: o.Event.Persona, Epoch: o.Event.Key.Epoch}))
				if !ok {
					continue
				}
				if contact.Voiced(o.Event) {
					contact.Said = reader.Read(o.Event)
				}
				if err := into.Add(&contact); err != nil {
					return err
				}
			}
			next = events.Next
		}
	}
	return nil
}

// people writes who was who.
func (p *pasts) people(ctx context.Context, workspace string, at schema.Instant, prefix string) (err error) {
	i := p.i
	settings, err := i.configuration.settingsAt(at)
	if err != nil {
		return err
	}
	view, err := i.identity.WholeView(ctx, identity.Past{KnownAt: at}, settings, i.recall, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, view.Close()) }()
	table := metric.KnownTables(prefix)["persona_map"]
	if err := i.house.Exec(ctx, "CREATE TABLE "+table+" (workspace LowCardinality(String), persona UUID, profile UUID) ENGINE = Memory", nil, nil); err != nil {
		return fmt.Errorf("make a table of who was who: %w", err)
	}
	const atOnce = 50_000
	var personas, profiles []schema.ProfileID
	flush := func() error {
		err := i.house.Insert(ctx, table, []string{"workspace", "persona", "profile"}, "", nil, func(b *clickhouse.Batch) error {
			for n := range personas {
				if err := b.Append(workspace, personas[n], profiles[n]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("write who was who: %w", err)
		}
		personas, profiles = personas[:0], profiles[:0]
		return nil
	}
	for after := (schema.ProfileID{}); ; {
		page, err := view.Page(after, 1000)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1]
		for _, id := range page {
			profile, err := view.Profile(id)
			if err != nil {
				return err
			}
			if profile == nil {
				continue
			}
			for _, m := range profile.Members {
				if m.ID != profile.ID {
					personas, profiles = append(personas, m.ID), append(profiles, profile.ID)
				}
			}
		}
		if len(personas) >= atOnce {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if len(personas) == 0 {
		return nil
	}
	return flush()
}

// sweep drops what a process that was killed has left: empty tables, since they were in memory.
func (p *pasts) sweep(ctx context.Context) error {
	rows, err := p.i.house.Query(ctx, "SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, {prefix:String}) AND metadata_modification_time < now() - {seconds:UInt32}",
		clickhouse.Params{"prefix": pastPrefix, "seconds": uint32(strayAfter / time.Second)}, nil)
	if err != nil {
		return fmt.Errorf("look for tables of what was known: %w", err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return fmt.Errorf("look for tables of what was known: %w", err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("look for tables of what was known: %w", err)
	}
	for _, name := range names {
		if err := p.i.house.Exec(ctx, "DROP TABLE IF EXISTS "+clickhouse.QuoteName(name)+" SYNC", nil, nil); err != nil {
			return fmt.Errorf("drop a table of what was known: %w", err)
		}
	}
	return nil
}

// textsAt is how texts were read at a time.
func (i *installation) textsAt(at schema.Instant, settings *verbatim.Settings) *texts.Reader {
	return texts.NewReader(texts.Config{
		Settings: func() *verbatim.Settings { return settings },
		Decided: func(after int) (out []texts.Decision) {
			for n, r := range i.control.State().Readings(mainWorkspace, 0) {
				if n >= after && r.At <= at {
					out = append(out, texts.Decision{At: r.At, Adjustment: r.Adjustment})
				}
			}
			return out
		},
		Encoder: openedEncoder, Logger: i.logger,
	})
}
