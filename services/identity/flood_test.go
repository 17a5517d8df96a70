package identity

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// A public key invents personas with a customer's e-mail, phone and user id, in any order with what servers say of her. Past the limits her profiles are exported
// byte for byte as without them, and she is found by what is hers; below them her golden record and the server personas around her are.
func TestInventedPersonasChangeNobody(t *testing.T) {
	phone := func(v string) schema.Identifier {
		return schema.Identifier{Kind: "phone", Value: v, Assurance: schema.AssuranceVerified}
	}
	user := schema.Identifier{Kind: "user_id", Value: "u1", Assurance: schema.AssuranceVerified}
	hers := []schema.Event{
		contact("shop", "user_id", "u1", 10*day, email("jeanne@example.com"), phone("06 12 34 56 78"), trait("first_name", "Jeanne"), trait("last_name", "Martin")),
		contact("crm", "crm_id", "r1", 11*day, email("jeanne@example.com"), trait("first_name", "Jeanne"), trait("last_name", "Martin"), trait("address.city", "Lyon")),
		contact("store", "card", "c1", 12*day, phone("+33612345678"), trait("first_name", "Jeanne")),
		contact("desk", "conversation_id", "7", 13*day, email("jeanne@example.com")),
		contact("crm", "crm_id", "r2", 14*day, email("jeanne@example.com"), trait("first_name", "Paul"), trait("last_name", "Martin")),
	}
	invent := func(n int) schema.Event {
		options := []any{schema.TrustClient, schema.Instant(n%20) * day, email("jeanne@example.com"), phone("0612345678"), user,
			trait("first_name", "Name"+strconv.Itoa(n)), trait("last_name", "Martin"),
			schema.Consent{Kind: "email", Value: "jeanne@example.com", Channel: schema.ChannelEmail, Purpose: "news", State: schema.ConsentDenied}}
		if n%2 == 0 {
			return contact("site"+strconv.Itoa(n), "user_id", "u1", options...)
		}
		return contact("site", "anonymous_id", "v"+strconv.Itoa(n), options...)
	}
	run := func(events []schema.Event, commit int) *running {
		log := newLog("c", 1)
		log.addEvents(0, events...)
		return start(t, Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: log, Feed: log, CommitRecords: commit})
	}
	profiles := func(r *running) (lines []string) {
		r.view(func(v *View) {
			var out bytes.Buffer
			_, err := v.ExportProfiles(&out, ExportOptions{At: 50 * day})
			must(t, err)
			lines = strings.Split(strings.TrimSpace(out.String()), "\n")
		})
		return lines
	}
	quietRun := run(hers, 1)
	want := profiles(quietRun)
	quietRun.stop()

	for _, size := range []int{40, 2000} {
		for seed := range uint64(3) {
			rng := rand.New(rand.NewPCG(seed, 5))
			events := slices.Clone(hers)
			for n := range size {
				events = append(events, invent(n))
			}
			rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			r := run(events, 1+rng.IntN(200))
			got := profiles(r)
			for _, line := range want {
				if size > identity.DefaultRules().HubSize {
					if !slices.Contains(got, line) {
						t.Errorf("seed %d: among %d invented personas no profile is\n%s", seed, size, line)
					}
					continue
				}
				if !slices.ContainsFunc(got, func(l string) bool { return sameServers(t, l, line) }) {
					t.Errorf("seed %d: among %d invented personas no profile has the golden record and the server personas of\n%s", seed, size, line)
				}
			}
			r.view(func(v *View) {
				at, err := v.graph.place(hers[0].Persona)
				must(t, err)
				for _, id := range []schema.Identifier{email("jeanne@example.com"), phone("06 12 34 56 78"), user} {
					o, err := v.Owners(id.Kind, id.Value, "FR")
					must(t, err)
					if !slices.Contains(o.Profiles, at.profile) || o.Generic || size > MaxOwners && len(o.Profiles) > MaxOwners {
						t.Errorf("among %d invented personas the owners by %s are %d, generic %t, with her: %t", size, id.Kind, len(o.Profiles), o.Generic, slices.Contains(o.Profiles, at.profile))
					}
				}
			})
			r.stop()
		}
	}
}

// sameServers says whether two exported profiles have one id, golden record, and server personas.
func sameServers(t *testing.T, a, b string) bool {
	t.Helper()
	read := func(line string) (id, golden string, members []string) {
		var p struct {
			ID           string          `json:"id"`
			GoldenRecord json.RawMessage `json:"goldenRecord"`
			Personas     []struct {
				ID       string `json:"id"`
				Standing string `json:"standing"`
			} `json:"personas"`
		}
		must(t, json.Unmarshal([]byte(line), &p))
		for _, m := range p.Personas {
			if m.Standing == "known" {
				members = append(members, m.ID)
			}
		}
		return p.ID, string(p.GoldenRecord), members
	}
	idA, goldenA, membersA := read(a)
	idB, goldenB, membersB := read(b)
	return idA == idB && goldenA == goldenB && slices.Equal(membersA, membersB)
}
