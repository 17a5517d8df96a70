package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/configuration"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/replay"
)

// shadows are those of this process, which has everything to itself.
type shadows struct {
	i    *installation
	live liveWatch

	changing sync.Mutex // held while one is begun or discarded
	mu       sync.Mutex // guards all
	all      map[string]*shadow
}

// mostShadows is how many there may be at once: each takes as much memory and disk as the live projections.
const mostShadows = 2

func newShadows(i *installation) *shadows { return &shadows{i: i, all: map[string]*shadow{}} }

var errNoShadows = &schema.Refusal{
	Code: "shadows_unavailable", Reason: "a shadow needs all roles in one process", Hint: "run everything with 'dossier up', on --kafka and --clickhouse where they are elsewhere",
}

// possible refuses where the roles are in processes of their own.
func (s *shadows) possible() error {
	if s.i.coordination != nil || !s.i.roles.has(apiRole) {
		return errNoShadows
	}
	return nil
}

func (s *shadows) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all) > 0
}

func (s *shadows) list() []*shadow {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*shadow, 0, len(s.all))
	for _, one := range s.all {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *shadow) int { return cmp.Compare(a.plan.Name, b.plan.Name) })
	return all
}

func (s *shadows) find(name string) (*shadow, error) {
	if err := s.possible(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.all[name]; one != nil {
		return one, nil
	}
	return nil, &schema.Refusal{Code: "shadow_unknown", Reason: "there is no shadow of this name", Hint: "list them with 'dossier replay status'"}
}

// resume carries on with the shadows that there were, once everything live is ready, and removes what a discarded one has left.
func (s *shadows) resume() error {
	i := s.i
	if s.possible() != nil || i.shadow != nil {
		return nil
	}
	if err := until(i.run, 50*time.Millisecond, func() bool { ready, _ := i.whyNotReady(); return ready }); err != nil {
		return nil // stopping
	}
	i.group.Go(func() error {
		i.watch(i.run, &s.live, s.any)
		return nil
	})
	entries, err := os.ReadDir(i.folder.path("shadows"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		i.logger.Error("the shadows cannot be listed", "error", err)
	}
	for _, entry := range entries {
		if err := s.reopen(i.run, entry.Name()); err != nil && i.run.Err() == nil {
			i.logger.Error("a shadow cannot be carried on with: discard it", "shadow", entry.Name(), "error", err)
		}
	}
	return nil
}

// reopen opens one that there was, or removes what is left of one that is discarded or was never begun.
func (s *shadows) reopen(ctx context.Context, name string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	plan, found, err := replay.LoadPlan(s.i.folder.path("shadows", name))
	if err != nil {
		return err
	}
	if !found {
		return s.remove(ctx, name)
	}
	one, err := s.i.openShadow(ctx, plan)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[name] = one
	return nil
}

// Start begins a shadow.
func (s *shadows) Start(ctx context.Context, actor string, q manage.ShadowQuestion) (manage.Shadow, error) {
	if err := s.possible(); err != nil {
		return manage.Shadow{}, err
	}
	if err := replay.CheckName(q.Name); err != nil {
		return manage.Shadow{}, err
	}
	inForce := s.i.control.State().Configuration(mainWorkspace)
	plan := replay.Plan{
		Name: q.Name, Created: schema.InstantOf(time.Now()).String(), Actor: actor, Configuration: inForce.Document,
		Changes: len(s.i.control.State().Changes(mainWorkspace)), From: q.From, To: q.To, Types: q.Types, Sources: q.Sources,
	}
	if len(plan.Configuration) == 0 {
		plan.Configuration = json.RawMessage(configuration.Default())
	}
	if q.Configuration != nil {
		hash, document, err := checkConfiguration(q.Configuration)
		if err != nil {
			return manage.Shadow{}, err
		}
		plan.Configuration, plan.Own = document, hash != inForce.Hash
	}
	if _, err := plan.Filter(); err != nil {
		return manage.Shadow{}, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.find(q.Name); err == nil {
		return manage.Shadow{}, &schema.Refusal{Code: "shadow_exists", Reason: "there is a shadow of this name", Hint: "discard it, or choose another name"}
	}
	if len(s.list()) >= mostShadows {
		return manage.Shadow{}, &schema.Refusal{Code: "shadows_many", Reason: fmt.Sprintf("there are %d shadows already", mostShadows), Hint: "discard one"}
	}
	if err := s.roomFor(); err != nil {
		return manage.Shadow{}, err
	}
	if err := s.remove(ctx, q.Name); err != nil { // what one of this name has left
		return manage.Shadow{}, err
	}
	folder := s.i.folder.path("shadows", q.Name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return manage.Shadow{}, err
	}
	if err := plan.Save(folder); err != nil {
		return manage.Shadow{}, err
	}
	one, err := s.i.openShadow(ctx, plan)
	if err != nil {
		return manage.Shadow{}, errors.Join(err, replay.ForgetPlan(folder), s.remove(context.WithoutCancel(ctx), q.Name))
	}
	s.mu.Lock()
	s.all[q.Name] = one
	s.mu.Unlock()
	return one.line(ctx)
}

// roomFor refuses a shadow for which the disk has no room: it takes about what the live projections take.
func (s *shadows) roomFor() error {
	i := s.i
	wanted := i.folder.bytes("state") + i.folder.bytes("clickhouse") + diskReserve
	free, _, err := diskSpace(i.folder.dir)
	if err != nil {
		return fmt.Errorf("read the room left for a shadow: %w", err)
	}
	if free < wanted {
		return &schema.Refusal{
			Code: "disk_full", Reason: fmt.Sprintf("a shadow takes about %s, and %s are left", size(wanted), size(free)), Hint: "make room; nothing was changed",
		}
	}
	return nil
}

// Shadows tells of all.
func (s *shadows) Shadows(ctx context.Context) ([]manage.Shadow, error) {
	if err := s.possible(); err != nil {
		return nil, err
	}
	lines := []manage.Shadow{}
	for _, one := range s.list() {
		line, err := one.line(ctx)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// Shadow tells of one.
func (s *shadows) Shadow(ctx context.Context, name string) (manage.Shadow, error) {
	one, err := s.find(name)
	if err != nil {
		return manage.Shadow{}, err
	}
	return one.line(ctx)
}

// Pause holds a shadow, or lets it go on: also one that has failed, which is opened anew.
func (s *shadows) Pause(ctx context.Context, name string, paused bool) (manage.Shadow, error) {
	one, err := s.find(name)
	if err != nil {
		return manage.Shadow{}, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	plan := one.plan
	plan.Paused = paused
	if err := plan.Save(one.own.folder.dir); err != nil {
		return manage.Shadow{}, err
	}
	if one.failed.Load() != nil && !paused {
		if err := one.close(context.WithoutCancel(ctx)); err != nil {
			s.i.logger.Warn("a failed shadow was closed with an error", "shadow", name, "error", err)
		}
		if one, err = s.i.openShadow(ctx, plan); err != nil {
			return manage.Shadow{}, err
		}
		s.mu.Lock()
		s.all[name] = one
		s.mu.Unlock()
	}
	one.gate.Pause(paused)
	return one.line(ctx)
}

// Discard ends a shadow and removes all of it. What a crash leaves of it is removed at the next start.
func (s *shadows) Discard(ctx context.Context, name string) error {
	one, err := s.find(name)
	if err != nil {
		return err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	// From here on it is none any more.
	if err := replay.ForgetPlan(one.own.folder.dir); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.all, name)
	s.mu.Unlock()
	ctx = context.WithoutCancel(ctx)
	if err := one.close(ctx); err != nil {
		s.i.logger.Warn("a discarded shadow was closed with an error", "shadow", name, "error", err)
	}
	return s.remove(ctx, name)
}

// remove removes tables and folder of what is no shadow any more.
func (s *shadows) remove(ctx context.Context, name string) error {
	if err := replay.CheckName(name); err != nil {
		return nil // no folder of ours
	}
	if err := s.i.house.Exec(ctx, "DROP DATABASE IF EXISTS "+clickhouse.QuoteName(s.i.database(name))+" SYNC", nil, nil); err != nil {
		return fmt.Errorf("remove the tables of the shadow %s: %w", name, err)
	}
	return os.RemoveAll(s.i.folder.path("shadows", name))
}

// Exports are the projections of a shadow.
func (s *shadows) Exports(name string) (map[string]manage.Export, error) {
	one, err := s.find(name)
	if err != nil {
		return nil, err
	}
	if failed := one.failed.Load(); failed != nil {
		return nil, &schema.Refusal{Code: "shadow_failed", Reason: "the shadow has failed: " + (*failed).Error(), Hint: "resume it when that is mended, or discard it"}
	}
	if one.gate.Paused() {
		return nil, &schema.Refusal{Code: "shadow_paused", Reason: "the shadow is paused, so it does not come to the end of the log", Hint: "resume it with 'dossier replay resume " + name + "'"}
	}
	return one.own.exports(), nil
}

// stop closes the shadows before what they stand on.
func (s *shadows) stop(ctx context.Context) error {
	var failures []error
	for _, one := range s.list() {
		failures = append(failures, one.close(ctx))
	}
	return errors.Join(failures...)
}

// rest lets go of what the shadows keep only because it may be asked for again soon.
func (s *shadows) rest() {
	for _, one := range s.list() {
		one.own.feed.Forget()
		for _, letGo := range one.own.atRest {
			letGo()
		}
	}
}

// names of all that hold something of people.
func (s *shadows) names() (names []string) {
	for _, one := range s.list() {
		names = append(names, one.plan.Name)
	}
	return names
}
