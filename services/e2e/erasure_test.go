package e2e

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// outside starts an installation on a log of its own process, as on a real cluster, and gives a client of that log.
func outside(t *testing.T) (*installation, *kafka.Client) {
	t.Helper()
	if onCluster() {
		i := install(t)
		return i, i.place.client(t)
	}
	b, err := broker.Start(t.Context(), broker.Config{Dir: t.TempDir(), Topics: schema.Topics(), Partitions: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return install(t, "--kafka", b.Addr()), place{brokers: []string{b.Addr()}}.client(t)
}

// cutOff is the time up to which erased people's events are void.
var cutOff = time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC)

const unforgettable = "this shall be forgotten"

// TestErased: wherever an erasure stands among the events that it voids, the digest is the same, and nothing of the erased is left.
// The record is appended to the log as any role of another process would.
func TestErased(t *testing.T) {
	besideOthers(t)
	inputs := nastyEvents(3)
	inputs = append(inputs, input{server, json.RawMessage(`{"type":"message.received","channel":"email","source":"shop","messageId":"gone","occurredAt":"2025-01-01T00:00:00Z","userId":"u1","text":"` + unforgettable + `"}`)})
	inputs = without(inputs, `"identity.`, `"u1"`, `"a1"`, `"c1"`)

	// Whose event is what, from an installation that erases nobody.
	reference := install(t)
	ids := reference.give(t, rand.New(rand.NewPCG(0, 0)), inputs)
	erased := map[string]bool{reference.persona(t, "shop", "u1"): true, reference.persona(t, "web", "a1"): true, reference.persona(t, "crm", "c1"): true}
	later := map[string]bool{} // by event id: of the erased, after the cut-off
	export(t, reference, "events", func(line struct{ ID, Persona, OccurredAt string }) {
		later[line.ID] = erased[line.Persona] && line.OccurredAt > cutOff.Format(time.RFC3339)
	})
	reference.kill(t)
	var before, after []input
	for k, in := range inputs {
		if later[ids[k]] {
			after = append(after, in)
		} else {
			before = append(before, in)
		}
	}
	if len(after) == 0 {
		t.Fatal("the erased have no later life")
	}
	probe := inputs[len(inputs)-1].event

	random := seeded(t)
	want := ""
	for _, way := range []struct {
		name string
		cut  int
	}{{"first", 0}, {"at the end", len(before)}, {"between", random.IntN(len(before))}} {
		name, cut := way.name, way.cut
		i, log := outside(t)
		all := slices.Clone(before)
		random.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
		i.giveErased(t, random, all[:cut])
		if name == "at the end" {
			i.wait(t)
		}
		// Two letters that cannot be delivered, one of which names the erased.
		for _, who := range []string{"erased@example.com", "another@example.com"} {
			if a := i.raw(t, "/v1/events", basic(i.WriteKey), strings.NewReader(`{"type":"call.exploded","messageId":"to-`+who+`","text":"write to `+strings.ToUpper(who)+`"}`)); a.status != 400 {
				t.Fatalf("a bad event: %+v", a)
			}
		}
		if letters := strings.Count(i.must(t, "deadletters", "list"), "type_unknown"); letters != 2 {
			t.Fatalf("%d dead letters, want 2", letters)
		}
		erase(t, log, erased, "Erased@Example.com", "u1")
		if name == "between" {
			i.kill(t) // with the erasure in the log and perhaps not honoured
			i.up(t)
		}
		for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) { // until the collector knows
			r, err := i.offer(t.Context(), basic(i.WriteKey), probe)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Refused) == 1 && r.Refused[0].Code == "erased" {
				break
			}
			if time.Since(begun) > patience {
				t.Fatalf("%s: the erasure is not honoured", name)
			}
		}
		i.giveErased(t, random, all[cut:])
		i.giveErased(t, random, permuted(random, after))
		i.down(t)
		i.up(t)
		if want == "" {
			want = i.digest(t)
		} else {
			i.sameDigest(t, want, nil)
			if t.Failed() {
				t.Logf("the erasure stood %s", name)
			}
		}
		for _, export := range []string{"events", "personas", "profiles", "timeline"} {
			text := i.must(t, "export", export, "--clocks")
			if strings.Contains(text, unforgettable) {
				t.Errorf("%s: %s still has the erased", name, export)
			}
		}
		if letters := i.fewLetters(t, 1); strings.Count(letters, "\n") > 2 || !strings.Contains(i.must(t, "deadletters", "show", strings.Fields(strings.Split(letters, "\n")[1])[0]), "ANOTHER@EXAMPLE.COM") {
			t.Errorf("%s: what was refused as erased, or names the erased, is kept: %s", name, letters)
		}
		if t.Failed() {
			return
		}
		i.kill(t)
	}
}

// without leaves out the inputs that hold the first text and any of the others.
func without(inputs []input, text string, any ...string) []input {
	var out []input
	for _, in := range inputs {
		drop := false
		for _, other := range any {
			drop = drop || strings.Contains(string(in.event), text) && strings.Contains(string(in.event), other)
		}
		if !drop {
			out = append(out, in)
		}
	}
	return out
}

// giveErased sends inputs of which the erased people's may be refused.
func (i *installation) giveErased(t *testing.T, random *rand.Rand, inputs []input) {
	t.Helper()
	authorization := map[by]string{server: basic(i.WriteKey), browser: basic(i.ClientKey), token: "Bearer " + i.APIToken}
	for len(inputs) > 0 {
		var some []json.RawMessage
		with := inputs[0].by
		for size := 1 + random.IntN(30); len(inputs) > 0 && len(some) < size && inputs[0].by == with; inputs = inputs[1:] {
			some = append(some, rewritten(random, inputs[0].event))
		}
		r, err := i.offer(t.Context(), authorization[with], some...)
		if err != nil {
			t.Fatal(err)
		}
		for _, refused := range r.Refused {
			if refused.Code != "erased" {
				t.Fatalf("%s: %+v", some[refused.Index], refused)
			}
		}
	}
}

// fewLetters gives the list of dead letters once it has at most so many lines under its head.
func (i *installation) fewLetters(t *testing.T, most int) string {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		list := i.must(t, "deadletters", "list")
		if strings.Count(list, "\n") <= most+1 || time.Since(begun) > 20*time.Second {
			return list
		}
	}
}

// erase appends the erasure of personas, who are known by values.
func erase(t *testing.T, log *kafka.Client, personas map[string]bool, values ...string) {
	t.Helper()
	master, err := hex.DecodeString(strings.TrimPrefix(masterKey, "DOSSIER_MASTER_KEY="))
	if err != nil {
		t.Fatal(err)
	}
	pseudonym, err := seal.PseudonymKey(seal.Key(master), "main")
	if err != nil {
		t.Fatal(err)
	}
	record := schema.Control{ID: fmt.Sprintf("erasure-%d", len(personas)), Kind: schema.ControlProfileErased, Workspace: "main", Actor: "test", Reason: "asked for it",
		Erasure: &schema.ControlErasure{CutOff: schema.InstantOf(cutOff), Traces: deadletter.Known(seal.NewPRF(pseudonym), values)}}
	for id := range personas {
		record.Erasure.Personas = append(record.Erasure.Personas, schema.ErasedPersona{Persona: id})
	}
	value, err := record.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Produce(t.Context(), schema.TopicControl, 0, []kafka.Message{{Key: []byte(record.ID), Value: value}}, time.Now()); err != nil {
		t.Fatal(err)
	}
}
