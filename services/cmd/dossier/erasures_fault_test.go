package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/keeper"
)

// struck has the steps of an erasure fail.
type struck struct {
	mu   sync.Mutex
	at   string // the step that is struck next; "" is none
	kind string // failed; applied: it took effect, and is reported as failed; dies: it took effect, and the process ends
	die  context.CancelFunc
	seen map[string]bool
}

var errStruck = schema.Classify(schema.Transient, errors.New("struck"))

func (s *struck) do(step string, real func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[step] = true
	if s.at != step {
		return real()
	}
	s.at = ""
	switch s.kind {
	case "failed":
		return errStruck
	case "applied":
		return errors.Join(real(), errStruck)
	}
	err := real()
	s.die()
	return errors.Join(err, context.Canceled)
}

// erasedTopic is the control topic in memory.
type erasedTopic struct {
	*struck
	mu      sync.Mutex
	records []eventlog.Record
	came    chan struct{}
}

func (s *erasedTopic) Ends(context.Context) ([]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []int64{int64(len(s.records))}, nil
}

func (s *erasedTopic) Read(ctx context.Context, _ int32, offset int64, wait time.Duration) (eventlog.Batch, error) {
	for {
		s.mu.Lock()
		if int64(len(s.records)) > offset {
			defer s.mu.Unlock()
			return eventlog.Batch{From: offset, Next: int64(len(s.records)), Records: s.records[offset:]}, nil
		}
		came := s.came
		s.mu.Unlock()
		select {
		case <-came:
		case <-time.After(wait):
			return eventlog.Batch{From: offset, Next: offset}, nil
		case <-ctx.Done():
			return eventlog.Batch{}, ctx.Err()
		}
	}
}

func (s *erasedTopic) Produce(_ context.Context, _ string, _ int32, messages []kafka.Message, at time.Time) (base int64, err error) {
	kind, err := schema.ParseControl(messages[0].Value)
	if err != nil {
		return 0, err
	}
	return 0, s.do("tell "+string(kind.Kind), func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, m := range messages {
			s.records = append(s.records, eventlog.Record{Position: schema.Position{Offset: int64(len(s.records))}, RecordedAt: schema.InstantOf(at), Key: m.Key, Value: m.Value})
		}
		close(s.came)
		s.came = make(chan struct{})
		return nil
	})
}

// erasedStore is a role's store: what is deleted stands in its files until they are rewritten.
type erasedStore struct {
	*struck
	mu          sync.Mutex
	rows, files map[schema.PersonaID]bool
}

func (s *erasedStore) eraseSome(ctx context.Context, some []control.Erasure) error {
	for _, e := range some {
		if err := s.erase(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (s *erasedStore) erase(_ context.Context, e control.Erasure) error {
	return s.do("erase", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.rows, e.Persona)
		return nil
	})
}

func (s *erasedStore) purge(context.Context) (p purged, err error) {
	err = s.do("purge", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.files = map[schema.PersonaID]bool{}
		for id := range s.rows {
			s.files[id] = true
		}
		return nil
	})
	return purged{files: int64(len(s.files)), digest: "d"}, err
}

// TestErasureFaults strikes each step of an erasure: the step fails, fails although it took effect, or the process ends right behind it; and the clock is set
// back by a day meanwhile. The same decision again, and a process that begins anew, carry on: the keys are gone for good, the store and its files hold the
// others alone, and the proof is told once it is so and not before.
func TestErasureFaults(t *testing.T) {
	steps := []string{"tell profile.erased", "punch", "erase", "after", "name", "purge", "tell erasure.honoured"}
	for _, step := range append([]string{""}, steps...) {
		for _, kind := range []string{"failed", "applied", "dies"} {
			if step == "" && kind != "failed" {
				continue
			}
			t.Run(fmt.Sprintf("%s %s", step, kind), func(t *testing.T) { erasureFault(t, step, kind, steps) })
		}
	}
}

func erasureFault(t *testing.T, step, kind string, steps []string) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		strike := &struck{kind: kind, seen: map[string]bool{}}
		topic := &erasedTopic{struck: strike, came: make(chan struct{})}
		gone, stays := schema.PersonaID{1, 6: 0x80, 8: 0x80}, schema.PersonaID{2, 6: 0x80, 8: 0x80}
		both := func() map[schema.PersonaID]bool { return map[schema.PersonaID]bool{gone: true, stays: true} }
		store := &erasedStore{struck: strike, rows: both(), files: both()}
		decision := &schema.Control{ID: uuid.NewString(), Kind: schema.ControlProfileErased, Workspace: mainWorkspace, Actor: "owner", Reason: "asked for it", Erasure: &schema.ControlErasure{
			Personas: []schema.ErasedPersona{{Persona: gone.String()}}, CutOff: schema.InstantOf(time.Now()),
		}}
		cutOff := decision.Erasure.CutOff
		var back time.Duration // of the clock
		// live is a process from its start to its end; done says that the decision was honoured in it.
		live := func() (done bool) {
			ctx, end := context.WithTimeout(t.Context(), time.Hour)
			defer end()
			strike.die = end
			k, err := keeper.Open(dir, [32]byte{7}, time.Now(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := k.Close(); err != nil {
					t.Error(err)
				}
			}()
			ring, err := k.Ring(mainWorkspace)
			if err != nil {
				t.Fatal(err)
			}
			c, err := control.Open(ctx, topic, topic, slog.New(slog.DiscardHandler), func() time.Time { return time.Now().Add(-back) })
			if err != nil {
				t.Fatal(err)
			}
			var running sync.WaitGroup
			defer running.Wait()
			defer end()
			running.Go(func() { _ = c.Run(ctx) }) // it ends with ctx
			if len(c.State().Workspaces()) == 0 {
				if err := c.Append(ctx, &schema.Control{ID: "w", Kind: schema.ControlWorkspaceCreated, Workspace: mainWorkspace, Actor: "test"}); err != nil {
					t.Fatal(err)
				}
				strike.at = step
			}
			known := newErasures(c, mainWorkspace)
			e := &eraser{
				erasures: known, ring: ring, forget: func() {}, logger: slog.New(slog.DiscardHandler), erase: store.eraseSome,
				after: func(context.Context, []control.Erasure) error { return strike.do("after", func() error { return nil }) },
				purger: &purger{
					control: c, workspace: mainWorkspace, role: "timeline", purge: store.purge, logger: slog.New(slog.DiscardHandler), again: make(chan struct{}, 1),
					name: func() (name string, err error) {
						return "store", strike.do("name", func() error { return nil })
					},
				},
			}
			running.Go(func() { _ = e.run(ctx) })
			running.Go(func() { // as the keeper does: a failure ends the process
				for ctx.Err() == nil {
					changed := c.Changed()
					for _, erasure := range c.State().Erasures(mainWorkspace) {
						err := strike.do("punch", func() error { return k.Punch(mainWorkspace, []schema.PersonaEpoch{erasure.PersonaEpoch}) })
						if err != nil {
							end()
							return
						}
					}
					select {
					case <-changed:
					case <-ctx.Done():
					}
				}
			})
			for c.Append(ctx, decision) != nil { // whoever asked asks again
				if ctx.Err() != nil {
					return false
				}
				time.Sleep(time.Second)
			}
			back = 24 * time.Hour
			for ctx.Err() == nil {
				if c.State().HonouredBy(mainWorkspace, "timeline", "store") == 1 {
					store.mu.Lock()
					defer store.mu.Unlock()
					if store.rows[gone] || store.files[gone] || !store.rows[stays] || !store.files[stays] {
						t.Errorf("told as honoured with rows %v and files %v", store.rows, store.files)
					}
					if !ring.Closed(gone, 0) || ring.Closed(stays, 0) {
						t.Error("the keys are not gone, or another's are")
					}
					if epoch, cut := known.epoch(gone); epoch != 1 || cut != cutOff {
						t.Errorf("epoch %d, cut-off %s, want %s", epoch, cut, cutOff)
					}
					return true
				}
				time.Sleep(10 * time.Millisecond)
			}
			return false
		}
		lives := 1
		for !live() {
			if lives++; lives > 5 {
				t.Fatal("it is never done")
			}
		}
		if !live() { // the process begins anew: nothing changes
			t.Error("begun anew it is not done")
		}
		for _, s := range steps {
			if !strike.seen[s] {
				t.Errorf("step %q was never taken", s)
			}
		}
		if strike.at != "" {
			t.Errorf("step %q was not struck", strike.at)
		}
		records := 0
		for i := range topic.records {
			if c, err := schema.ParseControl(topic.records[i].Value); err == nil && c.Kind == schema.ControlErasureHonoured {
				records++
			}
		}
		if records != 1 && (records != 2 || step != "tell erasure.honoured") {
			t.Errorf("%d records tell of it", records)
		}
	})
	rings, err := keeper.Read(dir, [32]byte{7})
	if err != nil || !rings[mainWorkspace].Closed(schema.PersonaID{1, 6: 0x80, 8: 0x80}, 0) {
		t.Errorf("on disk the keys are there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "keys", "ring")); err != nil {
		t.Error(err)
	}
}
