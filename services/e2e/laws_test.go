package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// seeded gives a source of chance whose seed is printed.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// releases takes back every third assertion, by its event id.
func releases(inputs []input, ids []string) []input {
	var out []input
	for k, in := range inputs {
		if in.by == token && k%3 == 0 {
			out = append(out, input{token, json.RawMessage(fmt.Sprintf(`{"type":"identity.released","messageId":"release-%d","occurredAt":"2026-02-01T00:00:00Z","of":%q,"reason":"a mistake"}`, k, ids[k]))})
		}
	}
	return out
}

// TestPermutations: a nasty set of events gives one digest in every order and with any duplicates, batches, restarts and partitions.
func TestPermutations(t *testing.T) {
	besideOthers(t)
	first := install(t)
	inputs := nastyEvents(1)
	ids := first.give(t, rand.New(rand.NewPCG(0, 0)), inputs)
	inputs = append(inputs, releases(inputs, ids)...)
	first.give(t, rand.New(rand.NewPCG(0, 0)), inputs) // the releases, and everything a second time
	want := first.digest(t)
	decisions := 0
	for _, in := range inputs {
		if in.by == token {
			decisions++
		}
	}
	if n := counts(t, want); n["events"] != len(inputs) || n["timeline"] != len(inputs)-decisions || n["profiles"] >= n["personas"] {
		t.Fatalf("%d inputs, %d of them decisions, digest\n%s", len(inputs), decisions, want)
	}
	random := seeded(t)
	for k, partitions := range []int{1, 3, 8} {
		t.Run(fmt.Sprintf("%d partitions", partitions), func(t *testing.T) {
			for range counted(1, 33+k/2) {
				i := install(t, "--partitions", fmt.Sprint(partitions))
				i.args = nil // how many partitions there are is decided at the first start
				all := permuted(random, inputs)
				for range 2 {
					cut := random.IntN(len(all))
					i.give(t, random, all[:cut])
					all = all[cut:]
					if random.IntN(2) == 0 {
						i.kill(t)
					} else {
						i.down(t)
					}
					i.up(t)
				}
				i.give(t, random, all)
				i.sameDigest(t, want, first)
				i.kill(t)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// TestReleased: link + release equals never linked, and separate + release equals never separated, in personas, profiles and the
// timeline's lines of customers; every id that was handed out stays resolvable.
func TestReleased(t *testing.T) {
	besideOthers(t)
	i := install(t)
	i.give(t, rand.New(rand.NewPCG(0, 0)), nastyEvents(2)[:200])
	i.send(t, basic(i.WriteKey),
		json.RawMessage(`{"type":"order.placed","source":"shop","messageId":"x1","occurredAt":"2025-01-01T00:00:00Z","account":{"kind":"crm_id","value":"apart-1"},"identifiers":{"email":"one@example.com"},"entity":"x1","amount":"5","currency":"EUR"}`),
		json.RawMessage(`{"type":"order.placed","source":"shop","messageId":"x2","occurredAt":"2025-01-02T00:00:00Z","account":{"kind":"crm_id","value":"apart-2"},"identifiers":{"email":"two@example.com"},"entity":"x2","amount":"7","currency":"EUR"}`),
		json.RawMessage(`{"type":"order.placed","source":"till","messageId":"x3","occurredAt":"2025-01-03T00:00:00Z","account":{"kind":"crm_id","value":"apart-2"},"identifiers":{"email":"two@example.com"},"entity":"x3","amount":"9","currency":"EUR"}`))
	i.wait(t)
	never := i.exports(t)
	one, two := i.owner(t, "email", "one@example.com"), i.owner(t, "email", "two@example.com")
	if one == two || one == "" || two == "" {
		t.Fatalf("%q and %q", one, two)
	}

	// By the command line.
	link := strings.TrimSpace(i.must(t, "link", one, two, "--reason", "showed both cards"))
	if a, b := i.owner(t, "email", "one@example.com"), i.owner(t, "email", "two@example.com"); a != b {
		t.Fatalf("linked, and still %s and %s", a, b)
	}
	if o := i.dossier(t, "why", "email:one@example.com", "email:two@example.com"); o.code != 0 || !strings.Contains(o.stdout, link) {
		t.Errorf("why: %+v", o)
	}
	i.must(t, "release", link, "--reason", "they were not hers")
	i.sameExports(t, never)

	// By GraphQL: what one key decided twice is one decision.
	var answer struct{ Separate struct{ Event string } }
	crm, till := i.persona(t, "shop", "apart-2"), i.persona(t, "till", "apart-2")
	for range 2 {
		was := answer.Separate.Event
		i.query(t, `mutation($a: ID!, $b: ID!) { separate(a: $a, b: $b, reason: "twins", idempotencyKey: "s1") { event } }`, map[string]any{"a": crm, "b": till}, &answer)
		if was != "" && was != answer.Separate.Event {
			t.Errorf("one key, two decisions: %s and %s", was, answer.Separate.Event)
		}
	}
	if a, b := i.holder(t, crm), i.holder(t, till); a == b {
		t.Errorf("separated, and still one: %s", a)
	}
	var released struct{ Release struct{ Event string } }
	i.query(t, `mutation($e: ID!) { release(event: $e, reason: "no twins", idempotencyKey: "r1") { event } }`, map[string]any{"e": answer.Separate.Event}, &released)
	i.sameExports(t, never)

	for _, id := range []string{one, two, crm, till} {
		if i.holder(t, id) == "" {
			t.Errorf("the id %s resolves no more", id)
		}
	}
	i.down(t)
	i.up(t)
	i.sameExports(t, never)
}

// exports gives the exports about customers: what people decided is no contact.
func (i *installation) exports(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range []string{"personas", "profiles", "timeline"} {
		out[name] = i.must(t, "export", name)
	}
	return out
}

func (i *installation) sameExports(t *testing.T, want map[string]string) {
	t.Helper()
	for name, text := range i.exports(t) {
		a, b := strings.Split(text, "\n"), strings.Split(want[name], "\n")
		for n := range min(len(a), len(b)) {
			if a[n] != b[n] {
				t.Fatalf("%s, line %d: got\n%s\nwant\n%s", name, n+1, a[n], b[n])
			}
		}
		if len(a) != len(b) {
			t.Fatalf("%s has %d lines, want %d", name, len(a), len(b))
		}
	}
}

// owner gives the profile that owns an identifier.
func (i *installation) owner(t *testing.T, kind, value string) string {
	t.Helper()
	var answer struct {
		Dossier *struct{ Profile struct{ ID string } }
	}
	i.query(t, `query($kind: String!, $value: String!) { dossier(identifier: {kind: $kind, value: $value}) { profile { id } } }`, map[string]any{"kind": kind, "value": value}, &answer)
	if answer.Dossier == nil {
		return ""
	}
	return answer.Dossier.Profile.ID
}

// holder gives the profile that holds an id.
func (i *installation) holder(t *testing.T, id string) string {
	t.Helper()
	var answer struct{ Profile *struct{ ID string } }
	i.query(t, `query($id: ID!) { profile(id: $id) { id } }`, map[string]any{"id": id}, &answer)
	if answer.Profile == nil {
		return ""
	}
	return answer.Profile.ID
}

// persona gives the id of an account's persona.
func (i *installation) persona(t *testing.T, source, account string) (id string) {
	t.Helper()
	export(t, i, "personas", func(line struct {
		ID, Source string
		Account    struct{ Value string }
	}) {
		if line.Source == source && line.Account.Value == account {
			id = line.ID
		}
	})
	if id == "" {
		t.Fatalf("no persona of %s in %s", account, source)
	}
	return id
}
