package identity

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// What is simulated is what comes of it, to the profile, and nothing is changed or left behind by it.
func TestSimulatedIsWhatComes(t *testing.T) {
	first, last := seeds(t, 4, 100)
	merged, split := 0, 0
	for seed := first; seed <= last; seed++ {
		c := newCrowd(seed, 120)
		rng := rand.New(rand.NewPCG(seed, 21))
		model := smallModel(t, rng)
		strict := *model
		thresholds := model.Thresholds
		thresholds.Merge, thresholds.Link = thresholds.Merge+4, thresholds.Link+6
		other, err := strict.With(thresholds)
		must(t, err)
		rules := identity.DefaultRules()
		rules.GenericDegree = 3 + rng.IntN(5)
		must(t, rules.Prepare())
		log := newLog("c", 1)
		log.addEvents(0, c.events...)
		folder := t.TempDir()
		config := func(s Settings) Config {
			return Config{Folder: folder, Store: state.Options{}, Log: log, Feed: log, Settings: s}
		}
		of := func(r *running) map[schema.ProfileID]schema.ProfileID {
			out := map[schema.ProfileID]schema.ProfileID{}
			r.view(func(v *View) {
				ids, err := v.Page(schema.ProfileID{}, 1<<20)
				must(t, err)
				for _, id := range ids {
					p, err := v.Profile(id)
					must(t, err)
					for _, m := range p.Members {
						out[m.ID] = id
					}
				}
			})
			return out
		}
		for _, to := range []Settings{{Model: other}, {Rules: rules, Model: model}, {}} {
			now := start(t, config(Settings{Model: model}))
			export, before := now.export(), of(now)
			got, err := now.Simulate(t.Context(), Supposition{Settings: to, Samples: 1000})
			must(t, err)
			if again := now.export(); again != export {
				t.Fatalf("DOSSIER_SEED=%d: a simulation changed who is who", seed)
			}
			now.stop()
			left, err := os.ReadDir(folder)
			must(t, err)
			for _, f := range left {
				if strings.HasPrefix(f.Name(), simulationFolder) {
					t.Errorf("%s is left behind", f.Name())
				}
			}
			then := start(t, config(to))
			after := of(then)
			then.stop()
			want := &Simulation{Whole: true, Personas: got.Personas, All: got.All, ModelVersion: got.ModelVersion}
			want.compare(before, before, after, 1000)
			if got.Merged != want.Merged || got.Split != want.Split || got.ProfilesAfter != want.ProfilesAfter || len(got.Merges) != len(want.Merges) || len(got.Splits) != len(want.Splits) {
				t.Fatalf("DOSSIER_SEED=%d: simulated %d merged and %d split to %d profiles, came %d and %d to %d", seed, got.Merged, got.Split, got.ProfilesAfter, want.Merged, want.Split, want.ProfilesAfter)
			}
			merged, split = merged+got.Merged, split+got.Split
		}
	}
	if merged == 0 || split == 0 {
		t.Errorf("%d merged, %d split: the test shows nothing", merged, split)
	}
}

// Part by part the profiles that are counted are all there are, each once. A simulation can be given up, and only one runs at a time.
func TestSimulatedInParts(t *testing.T) {
	c := newCrowd(3, 400)
	log := newLog("c", 1)
	log.addEvents(0, c.events...)
	folder := t.TempDir()
	r := start(t, Config{Folder: folder, Log: log, Feed: log, Settings: Settings{Model: shipped(t, "fr")}})
	var profiles uint64
	r.view(func(v *View) { profiles, _, _ = v.Count() })
	q := Supposition{Settings: Settings{}, Personas: 40, Samples: 3}
	counted, parts := 0, 0
	for again := true; again; {
		s, err := r.Simulate(t.Context(), q)
		must(t, err)
		if s.Whole || s.Personas > 40+24 || len(s.Merges) > 3 || len(s.Splits) > 3 {
			t.Errorf("part %d: %+v", parts, s)
		}
		counted += s.Counted
		parts++
		q.After, again = s.Next, !s.Next.IsZero()
	}
	if counted != int(profiles) || parts < 3 {
		t.Errorf("%d profiles in %d parts, want %d", counted, parts, profiles)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Simulate(ctx, Supposition{Settings: Settings{Model: shipped(t, "fr")}}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	r.simulating.Lock()
	if _, err := r.Simulate(t.Context(), q); !errors.Is(err, ErrSimulating) {
		t.Errorf("a second one: %v", err)
	}
	r.simulating.Unlock()

	// What a crash left goes at the next start.
	must(t, os.MkdirAll(filepath.Join(folder, simulationFolder+"00000000"), 0o700))
	r.stop()
	start(t, Config{Folder: folder, Log: log, Feed: log, Settings: Settings{Model: shipped(t, "fr")}})
	if _, err := os.Stat(filepath.Join(folder, simulationFolder+"00000000")); !os.IsNotExist(err) {
		t.Errorf("a simulation's folder is left: %v", err)
	}
}
