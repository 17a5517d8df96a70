package e2e

import (
	"encoding/json"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// beyondTheLease is longer than a lease outlives its owner, and than others take to notice.
const beyondTheLease = 7 * time.Second

// trio are the roles of which one process works and another stands by.
const trio = "identity,timeline,archive,care"

// other is the process that did not hold the lease.
func other(owner string) string {
	if owner == trio {
		return trio + "-2"
	}
	return trio
}

// TestPartitions takes the network away between two processes, under load: what one sends is lost, and nobody says so. Whoever can no longer know
// that it is the owner stops, another goes on, and what the former one had begun adds nothing.
func TestPartitions(t *testing.T) {
	besideOthers(t)
	stories := newSeries(t, 4, 600)
	w := wiring(t, "keeper", "collector,api", trio, trio+"-2")
	i := w.installation(t)

	stories.during(t, i, 0, "the owner of identity, timeline and archive is cut off from the log", func(f *disturbed) {
		former := w.owner(t, "identity", trio, trio+"-2")
		w.links[former].toLog(silent)
		remains(beyondTheLease, 40*time.Second)
		for _, role := range []string{"identity", "timeline", "archive", "care"} {
			if now := w.owner(t, role, other(former)); now == former {
				t.Errorf("%s still has its owner, who cannot read the log", role)
			}
		}
		if metrics := metricsOf(t, w.all[former]); strings.Contains(metrics, "dossier_lease_held{") {
			t.Error("who cannot read the log takes itself for an owner")
		}
		f.goesOn(rate)
		w.links[former].toLog(whole)
		f.goesOn(rate)
	})
	stories.during(t, i, 1, "the collector is cut off from the log", func(f *disturbed) {
		w.links["collector,api"].toLog(silent)
		f.waits()
		remains(0, 30*time.Second)
		w.links["collector,api"].toLog(whole)
		f.goesOn(rate)
	})
	stories.during(t, i, 2, "api and identity are cut off from each other", func(f *disturbed) {
		owner := w.owner(t, "identity", trio, trio+"-2")
		w.links[owner].others.set(silent)
		begun := time.Now()
		errs := i.ask(t, i.APIToken, `{ dossier(identifier: {kind: "crm_id", value: "c1"}) { id } }`, nil, nil)
		if took := time.Since(begun); len(errs) == 0 || took > time.Minute {
			t.Errorf("a question that cannot be answered: %v after %v", errs, took)
		}
		f.goesOn(rate)
		w.links[owner].others.set(whole)
	})
	stories.during(t, i, 3, "the keeper is cut off from the log and from everybody", func(f *disturbed) {
		w.links["keeper"].toLog(silent)
		w.links["keeper"].others.set(silent)
		remains(beyondTheLease, 40*time.Second)
		f.goesOn(rate)
		w.links["keeper"].toLog(whole)
		w.links["keeper"].others.set(whole)
		f.goesOn(rate)
	})
}

// TestPaused stops processes for longer than their leases last, and has them go on: each finds out that it is no owner any more before it
// changes anything.
func TestPaused(t *testing.T) {
	besideOthers(t)
	stories := newSeries(t, 3, 600)
	w := wiring(t, "keeper", "collector,api", trio, trio+"-2")
	i := w.installation(t)
	pause := func(name string) func() {
		w.all[name].signal(t, syscall.SIGSTOP)
		return func() { w.all[name].signal(t, syscall.SIGCONT) }
	}
	stories.during(t, i, 0, "the owner of identity, timeline and archive is paused", func(f *disturbed) {
		for range counted(1, 5) {
			former := w.owner(t, "identity", trio, trio+"-2")
			resume := pause(former)
			time.Sleep(beyondTheLease)
			for _, role := range []string{"identity", "timeline", "archive", "care"} {
				w.owner(t, role, other(former))
			}
			f.goesOn(rate / 2)
			resume()
			f.goesOn(rate / 2)
			for _, role := range []string{"identity", "timeline", "archive", "care"} {
				w.owner(t, role, other(former)) // it did not take anything back
			}
		}
	})
	stories.during(t, i, 1, "the keeper is paused", func(f *disturbed) {
		resume := pause("keeper")
		time.Sleep(beyondTheLease)
		f.goesOn(rate / 2)
		resume()
		f.goesOn(rate / 2)
	})
	stories.during(t, i, 2, "the collector is paused", func(f *disturbed) {
		resume := pause("collector,api")
		f.waits()
		time.Sleep(beyondTheLease)
		resume()
		f.goesOn(rate)
	})
	w.forgetting(t, i, "collector,api")
	if proving() {
		t.Run("clocks set", clocksSet)
	}
}

// forgetting erases a person while a collector is paused, with events of hers on the way to it: none of them is taken when it goes on.
func (w *wired) forgetting(t *testing.T, i *installation, collector string) {
	t.Helper()
	event := json.RawMessage(`{"type":"message.received","channel":"email","source":"shop","messageId":"gone","occurredAt":"2025-01-01T00:00:00Z","userId":"to-be-erased","text":"` + unforgettable + `"}`)
	i.send(t, basic(i.WriteKey), event)
	persona := i.persona(t, "shop", "to-be-erased")
	w.all[collector].signal(t, syscall.SIGSTOP)
	erase(t, w.place.client(t), map[string]bool{persona: true})
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			if r, err := i.offer(t.Context(), basic(i.WriteKey), event); err == nil && r.Accepted > 0 {
				t.Error("a collector that was paused during an erasure takes an event of the erased")
			}
		})
	}
	time.Sleep(beyondTheLease)
	w.all[collector].signal(t, syscall.SIGCONT)
	senders.Wait()
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if r, err := i.offer(t.Context(), basic(i.WriteKey), event); err == nil && len(r.Refused) == 1 && r.Refused[0].Code == "erased" {
			break
		}
		if time.Since(begun) > patience {
			t.Fatal("the erasure is not honoured")
		}
	}
	for _, name := range []string{"events", "personas", "profiles", "timeline"} {
		if text := i.must(t, "export", name, "--clocks"); strings.Contains(text, unforgettable) || strings.Contains(text, persona) {
			t.Errorf("%s still has the erased", name)
		}
	}
}
