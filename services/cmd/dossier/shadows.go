package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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

	changing sync.Mutex // held while one is begun, promoted or discarded
	mu       sync.Mutex // guards what follows
	all      map[string]*shadow
	known    map[string]string // name → place, of those too that are not open: whoever is erased must be erased in them
}

// mostShadows is how many there may be at once: each takes as much memory and disk as the live projections.
const mostShadows = 2

func newShadows(i *installation) *shadows {
	s := &shadows{i: i, all: map[string]*shadow{}, known: map[string]string{}}
	if !i.switches() {
		return s
	}
	places, err := s.places()
	if err != nil {
		i.logger.Error("the shadows cannot be listed", "error", err)
	}
	for _, place := range places {
		if place == i.control.State().Live(mainWorkspace).Place {
			continue
		}
		plan, found, err := replay.LoadPlan(i.placeFolder(place))
		if name := plan.Name; found || err != nil {
			s.known[cmp.Or(name, place)] = place
		}
	}
	return s
}

var errNoShadows = &schema.Refusal{
	Code: "shadows_unavailable", Reason: "a shadow needs all roles in one process", Hint: "run everything with 'dossier up', on --kafka and --clickhouse where they are elsewhere",
}

// possible refuses where the roles are in processes of their own.
func (s *shadows) possible() error {
	if !s.i.switches() {
		return errNoShadows
	}
	return nil
}

// change waits for whatever else is done about shadows, and gives what ends it. A promotion waits for requests, which must therefore not wait for it.
func (s *shadows) change(ctx context.Context) (done func()) {
	stepOut(ctx)
	s.changing.Lock()
	return s.changing.Unlock
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
	places, err := s.places()
	if err != nil {
		i.logger.Error("the shadows cannot be listed", "error", err)
	}
	for _, place := range places {
		if err := s.reopen(i.run, place); err != nil && i.run.Err() == nil {
			i.logger.Error("a shadow cannot be carried on with: discard it", "shadow", place, "error", err)
		}
	}
	return nil
}

// places are where projections are, or what is left of some.
func (s *shadows) places() ([]string, error) {
	places := []string{""}
	entries, err := os.ReadDir(s.i.folder.path("shadows"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return places, err
	}
	for _, entry := range entries {
		places = append(places, entry.Name())
	}
	return places, nil
}

// reopen opens one that there was, or removes what is left of one that is discarded or was never begun. What is live is none.
func (s *shadows) reopen(ctx context.Context, place string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if place == s.i.control.State().Live(mainWorkspace).Place {
		return replay.ForgetPlan(s.i.placeFolder(place))
	}
	plan, found, err := replay.LoadPlan(s.i.placeFolder(place))
	if err != nil {
		return err
	}
	if !found {
		return s.remove(ctx, place)
	}
	plan.Place = place
	return s.open(ctx, plan)
}

// open opens one and has it known. Call it with changing held.
func (s *shadows) open(ctx context.Context, plan replay.Plan) error {
	one, err := s.i.openShadow(ctx, plan)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[plan.Name], s.known[plan.Name] = one, plan.Place
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
	if q.Name == previousShadow {
		return manage.Shadow{}, schema.Refuse("shadow_name", "the name "+previousShadow+" is for the projections that were live before a promotion", "choose another one")
	}
	inForce := s.i.control.State().Configuration(mainWorkspace)
	plan := replay.Plan{
		Name: q.Name, Created: schema.InstantOf(time.Now()).String(), Actor: actor, Configuration: inForce.Document, Base: inForce.Hash,
		Follow: s.enacted(), From: q.From, To: q.To, Types: q.Types, Sources: q.Sources,
		Key: q.Key,
	}
	if len(plan.Configuration) == 0 {
		plan.Configuration = json.RawMessage(configuration.Default())
	}
	if q.Configuration != nil {
		hash, document, err := checkConfiguration(q.Configuration)
		if err != nil {
			return manage.Shadow{}, err
		}
		if plan.Configuration, plan.Own = document, hash != inForce.Hash; plan.Own {
			plan.Follow = nil
		}
	}
	if _, err := plan.Filter(); err != nil {
		return manage.Shadow{}, err
	}
	defer s.change(ctx)()
	if _, known := s.placeOf(q.Name); known {
		if one, err := s.find(q.Name); err == nil && q.Key != "" && one.plan.Key == q.Key {
			return one.line(ctx)
		}
		return manage.Shadow{}, &schema.Refusal{Code: "shadow_exists", Reason: "there is a shadow of this name", Hint: "discard it, or choose another name"}
	}
	if len(s.names()) >= mostShadows {
		return manage.Shadow{}, &schema.Refusal{Code: "shadows_many", Reason: fmt.Sprintf("there are %d shadows already", mostShadows), Hint: "discard one"}
	}
	if err := s.roomFor(); err != nil {
		return manage.Shadow{}, err
	}
	plan.Place = s.freePlace(q.Name)
	if err := s.remove(ctx, plan.Place); err != nil { // what one has left there
		return manage.Shadow{}, err
	}
	folder := s.i.placeFolder(plan.Place)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return manage.Shadow{}, err
	}
	if err := plan.Save(folder); err != nil {
		return manage.Shadow{}, err
	}

	if err := s.open(ctx, plan); err != nil {
		return manage.Shadow{}, errors.Join(err, replay.ForgetPlan(folder), s.remove(context.WithoutCancel(ctx), plan.Place))
	}
	return s.Shadow(ctx, q.Name)
}

// placeOf finds where a shadow is, open or not.
func (s *shadows) placeOf(name string) (place string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	place, known = s.known[name]
	return place, known
}

// enacted are the configurations whose rules of care count now.
func (s *shadows) enacted() (positions []int64) {
	for _, change := range s.i.control.State().Enacted(mainWorkspace) {
		positions = append(positions, change.Position)
	}
	return positions
}

// freePlace is a place for a shadow of a name. The live projections may have that of a shadow that was called so.
func (s *shadows) freePlace(name string) string {
	taken := map[string]bool{s.i.control.State().Live(mainWorkspace).Place: true}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, place := range s.known {
		taken[place] = true
	}
	place := name
	for n := 2; taken[place]; n++ {
		place = fmt.Sprintf("%s_%d", name, n)
	}
	return place
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
	defer s.change(ctx)()
	one, err := s.find(name)
	if err != nil {
		return manage.Shadow{}, err
	}
	plan := one.plan
	plan.Paused = paused
	if err := plan.Save(s.i.placeFolder(plan.Place)); err != nil {
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
	if err := s.possible(); err != nil {
		return err
	}
	defer s.change(ctx)()
	place, known := s.placeOf(name)
	if !known {
		_, err := s.find(name)
		return err
	}
	one, err := s.find(name)
	if err != nil {
		one = nil // it could not be opened
	}
	// From here on it is none any more.
	if err := replay.ForgetPlan(s.i.placeFolder(place)); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.all, name)
	s.mu.Unlock()
	ctx = context.WithoutCancel(ctx)
	if one != nil {
		if err := one.close(ctx); err != nil {
			s.i.logger.Warn("a discarded shadow was closed with an error", "shadow", name, "error", err)
		}
	}
	if err := s.remove(ctx, place); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.known, name)
	s.mu.Unlock()
	return nil
}

// remove removes tables and states of a place where no projections are any more.
func (s *shadows) remove(ctx context.Context, place string) error {
	if place == "" {
		return s.removeFirst(ctx)
	}
	if err := replay.CheckName(place); err != nil {
		return nil // no folder of ours
	}
	if err := s.i.house.Exec(ctx, "DROP DATABASE IF EXISTS "+clickhouse.QuoteName(s.i.placeDatabase(place))+" SYNC", nil, nil); err != nil {
		return fmt.Errorf("remove the tables of the shadow %s: %w", place, err)
	}
	return os.RemoveAll(s.i.placeFolder(place))
}

// removeFirst removes what the first projections have left. Their database is the installation's, which may not be ours to drop: its tables are emptied,
// and its migrations stay.
func (s *shadows) removeFirst(ctx context.Context) error {
	var tables []string
	rows, err := s.i.house.Query(ctx, "SELECT name FROM system.tables WHERE database = currentDatabase() AND name IN {names:Array(String)} AND total_rows > 0 ORDER BY name",
		clickhouse.Params{"names": schema.ProjectionTables()}, nil)
	if err != nil {
		return fmt.Errorf("list the tables of the first projections: %w", err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return errors.Join(err, rows.Close())
		}
		tables = append(tables, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("list the tables of the first projections: %w", err)
	}
	for _, table := range tables {
		if err := s.i.house.Exec(ctx, "TRUNCATE TABLE "+clickhouse.QuoteName(table)+" SYNC", nil, nil); err != nil {
			return fmt.Errorf("empty the table %s of the first projections: %w", table, err)
		}
	}
	if len(tables) > 0 {
		if _, err := s.i.house.Purge(ctx, tables...); err != nil { // no former part stays either
			return err
		}
	}
	var failures []error
	for _, role := range shadowRoles() {
		failures = append(failures, os.RemoveAll(s.i.folder.path("state", string(role))))
	}
	return errors.Join(failures...)
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
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.known))
}
