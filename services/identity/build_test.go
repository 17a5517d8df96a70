package identity

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// A build that goes to the wide store, is killed or stopped between any two of its steps, and gets more events while it decides, comes to the state that folding
// the events as they come does. Rows are compared, not answers: the counters too must agree.
func TestBuildIsAsIfFolded(t *testing.T) {
	first, last := seeds(t, 20, 300)
	for seed := first; seed <= last; seed++ {
		rng := rand.New(rand.NewPCG(seed, 6))
		w, rules := newWorld(seed, 60+int(seed%4)*40), nastyRules(rng)
		log := newLog("c", 1)
		log.addEvents(0, w.events...)
		open := func(fs vfs.FS, dir string) *projection {
			c := Config{Workspace: workspace, Log: log, Feed: log, Hash: NewHasher(prf), Store: state.Options{FS: fs, Logger: quiet}}
			p, err := openProjection(context.Background(), dir, &c, rules, weighing{})
			must(t, err)
			return p
		}
		fold := func(p *projection, upTo int) {
			for i := int(p.marks[0].Position.Offset); i < upTo; i++ {
				must(t, p.fold(&log.parts[0][i].event, log.parts[0][i].at))
				p.marks[0] = p.log.After(0, int64(i+1), log.digest(0, int64(i)))
				if rng.IntN(5) == 0 || i+1 == upTo {
					must(t, p.commit())
				}
			}
		}
		asTheyCome := open(vfs.NewMem(), "state")
		asTheyCome.built = true
		fold(asTheyCome, len(w.events))

		fs := vfs.NewCrashableMem()
		p := open(fs, "state")
		must(t, p.widen(wideBuild))
		gathered, decided := 0, decision{step: 10 + rng.IntN(40)}
		for done := false; !done; {
			switch rng.IntN(16) {
			case 0: // killed
				crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
				must(t, p.close())
				fs = crashed
				p, decided = open(fs, "state"), decision{step: decided.step}
				must(t, p.widen(wideBuild))
			case 1: // stopped
				must(t, p.close())
				p, decided = open(fs, "state"), decision{step: decided.step}
				must(t, p.widen(wideBuild))
			case 2, 3, 4, 5, 6:
				gathered = min(len(w.events), gathered+rng.IntN(40))
				fold(p, gathered)
			default:
				if int(p.marks[0].Position.Offset) < len(w.events)/2 {
					continue
				}
				fold(p, len(w.events)/2)
				var err error
				done, err = p.decideSome(&decided)
				must(t, err)
			}
		}
		must(t, p.finishBuilding())
		fold(p, len(w.events))

		rows := func(p *projection) map[string]string {
			out := map[string]string{}
			must(t, p.store.Scan([]byte{'a'}, []byte{'z'}, func(key, value []byte) error {
				switch {
				case key[0] == 'o':
				case key[0] == 'k' && string(key) != "kpersonas" && string(key) != "kprofiles":
				case key[0] == 'p': // what was merged into a row since it was written says the same as a row written anew
					n, err := decodeNode(identity.NodeID(key[1:]), value)
					must(t, err)
					_, err = n.known()
					must(t, err)
					whole, _, err := n.append(nil, nil)
					must(t, err)
					out[string(key)] = string(whole)
				default:
					out[string(key)] = string(value)
				}
				return nil
			}))
			return out
		}
		want, got := rows(asTheyCome), rows(p)
		for key, value := range want {
			if got[key] != value {
				t.Errorf("DOSSIER_SEED=%d: row %q is %x, want %x", seed, key, got[key], value)
			}
		}
		for key := range got {
			if _, found := want[key]; !found {
				t.Errorf("DOSSIER_SEED=%d: row %q should not be there", seed, key)
			}
		}
		if t.Failed() {
			return
		}
		must(t, asTheyCome.close())
		must(t, p.close())
	}
}

// What erasures take out while a build gathers or decides is not there when it ends.
func TestEraseWhileBuilding(t *testing.T) {
	ann := contact("shop", "user_id", "ann", email("ann@example.com"))
	again := contact("crm", "crm_id", "ann", email("ann@example.com"))
	log := newLog("c", 1)
	log.addEvents(0, ann, again)
	for _, deciding := range []bool{false, true} {
		c := Config{Workspace: workspace, Log: log, Feed: log, Hash: NewHasher(prf), Store: state.Options{FS: vfs.NewMem(), Logger: quiet}}
		p, err := openProjection(t.Context(), "state", &c, identity.DefaultRules(), weighing{})
		must(t, err)
		for i := range log.parts[0] {
			must(t, p.fold(&log.parts[0][i].event, log.parts[0][i].at))
		}
		must(t, p.commit())
		decided := decision{step: 1}
		if deciding {
			_, err := p.decideSome(&decided)
			must(t, err)
		}
		must(t, p.erase(schema.PersonaEpoch{Persona: ann.Persona}, 2*day))
		for done := false; !done; {
			done, err = p.decideSome(&decided)
			must(t, err)
		}
		must(t, p.finishBuilding())
		if p.personas != 1 || p.profiles != 1 {
			t.Errorf("deciding %v: %d personas and %d profiles are left, want 1", deciding, p.personas, p.profiles)
		}
		must(t, p.close())
	}
}
