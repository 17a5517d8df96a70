package identity

import (
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// kerguelen is what a source says of one customer.
func kerguelen(source, account, given string, at schema.Instant, options ...any) schema.Event {
	return contact(source, "crm_id", account, append([]any{at, trait("first_name", given), trait("last_name", "Kerguelen"), trait("birth_date", "1961-04-17")}, options...)...)
}

func runWeighed(t *testing.T, log *fakeLog) *running {
	return start(t, Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: log, Feed: log, Settings: Settings{Model: shipped(t, "fr")}})
}

// groups lists the profiles of a service as sets of indexes into events' personas.
func (r *running) groups(events ...schema.Event) (out [][]int) {
	r.t.Helper()
	r.view(func(v *View) {
		at := map[schema.ProfileID]int{}
		for i, e := range events {
			p, err := v.Profile(NewHasher(prf).Public(epochZero(e)))
			must(r.t, err)
			if p == nil {
				r.t.Fatalf("persona %d is nobody", i)
			}
			n, found := at[p.ID]
			if !found {
				n = len(out)
				at[p.ID] = n
				out = append(out, nil)
			}
			out[n] = append(out[n], i)
		}
	})
	return out
}

func (r *running) want(when string, want [][]int, events ...schema.Event) {
	r.t.Helper()
	if got := r.groups(events...); !slices.EqualFunc(got, want, slices.Equal) {
		r.t.Errorf("%s: %v, want %v", when, got, want)
	}
}

// Under a model a mailbox joins no two server personas by itself: it is weighed. Client personas and devices hang on to the profile that the weights make, not to
// one of the records that it is made of, and leave when it falls apart.
func TestClientsHangOnToWhatIsWeighed(t *testing.T) {
	shop := kerguelen("shop", "1", "Mireille", 1*day, email("mireille@example.fr"))
	till := kerguelen("till", "2", "Mireille", 2*day, email("mireille@example.fr"))
	calls := kerguelen("calls", "3", "Mireile", 3*day, schema.Identifier{Kind: "phone", Value: "06 12 34 56 78", Assurance: schema.AssuranceVerified}, email("mireille@example.fr"))
	letter := contact("site", "anonymous_id", "n", schema.TrustClient, 4*day, schema.Identifier{Kind: "email", Value: "mireille@example.fr", Assurance: schema.AssuranceDeclared})
	app := contact("app", "device_id", "d", schema.TrustClient, 5*day, schema.Identifier{Kind: "phone", Value: "06 12 34 56 78", Assurance: schema.AssuranceDeclared})
	all := []schema.Event{shop, till, calls, letter, app}
	log := newLog("c", 1)
	log.addEvents(0, all...)
	r := runWeighed(t, log)
	r.want("together", [][]int{{0, 1, 2, 3, 4}}, all...)
	id := func(e schema.Event) schema.ProfileID { return NewHasher(prf).Public(epochZero(e)) }
	r.view(func(v *View) {
		why, err := v.Why(id(letter), id(calls))
		must(t, err)
		if !why.Same || len(why.Path) == 0 || why.Path[0].A != id(letter) || why.Path[len(why.Path)-1].B != id(calls) {
			t.Errorf("why: %+v", why)
		}
		for i := 1; i < len(why.Path); i++ {
			if why.Path[i].A != why.Path[i-1].B {
				t.Errorf("the path breaks after step %d: %v", i, why.Path)
			}
		}
		how, err := v.How(id(letter))
		must(t, err)
		rules := map[identity.Rule]int{}
		for _, s := range how {
			if s.Reason == "" {
				rules[s.Rule]++
			}
		}
		if rules[identity.RuleWeigh] != 2 || rules[identity.RuleAttach] != 2 || rules[identity.RuleMerge] != 0 {
			t.Errorf("how: %v", how)
		}
	})

	// Somebody says that the till's customer is another one: the mailbox is of two then, and the subscriber could be either.
	apart := []schema.Event{
		decided(schema.TypeIdentitySeparated, 6*day, epochZero(till), epochZero(shop)),
		decided(schema.TypeIdentitySeparated, 6*day, epochZero(till), epochZero(calls)),
	}
	must(t, r.WaitFor(t.Context(), log.addEvents(0, apart...)))
	r.want("separated", [][]int{{0, 2, 4}, {1}, {3}}, all...)
	must(t, r.WaitFor(t.Context(), log.addEvents(0, released(7*day, apart[0].ID), released(7*day, apart[1].ID))))
	r.want("released", [][]int{{0, 1, 2, 3, 4}}, all...)

	// Whom somebody separated from one record of a profile, with which he shares nothing, hangs on to no other of it.
	not := decided(schema.TypeIdentitySeparated, 8*day, epochZero(app), epochZero(till))
	must(t, r.WaitFor(t.Context(), log.addEvents(0, not)))
	r.want("the app is somebody else's", [][]int{{0, 1, 2, 3}, {4}}, all...)
	r.view(func(v *View) {
		w, err := v.Weigh(id(app), id(till))
		must(t, err)
		if w.Same || w.Reason != string(identity.ReasonSeparated) {
			t.Errorf("why not the app: %+v", w)
		}
	})

	// A husband with the same mailbox makes it a household's: nobody knows whose the letter is.
	husband := kerguelen("shop", "9", "Théodore", 9*day, email("mireille@example.fr"), trait("birth_date", "1958-11-30"))
	must(t, r.WaitFor(t.Context(), log.addEvents(0, husband)))
	r.want("a household", [][]int{{0, 1, 2}, {3}, {4}, {5}}, append(all, husband)...)

	fresh := newLog("c", 1)
	fresh.addEvents(0, husband, not, app, letter, calls, till, shop, released(7*day, apart[1].ID), apart[1], apart[0], released(7*day, apart[0].ID))
	if got, want := runWeighed(t, fresh).export(), r.export(); got != want {
		t.Errorf("in another order\n%s\nwant\n%s", got, want)
	}
}

// A record that somebody separated twice is apart from both, whichever came first, also when both records had been separated before.
func TestSeparatedTwiceUnderAModel(t *testing.T) {
	var all []schema.Event
	for _, source := range []string{"shop", "till", "calls", "survey"} {
		all = append(all, kerguelen(source, "1", "Mireille", day, email("mireille@example.fr")))
	}
	log := newLog("c", 1)
	log.addEvents(0, all...)
	r := runWeighed(t, log)
	r.want("together", [][]int{{0, 1, 2, 3}}, all...)
	separate := func(a, b int) schema.Event {
		return decided(schema.TypeIdentitySeparated, 2*day, epochZero(all[a]), epochZero(all[b]))
	}
	for _, pair := range [][2]int{{0, 1}, {2, 3}, {0, 2}, {1, 3}, {0, 3}, {1, 2}} {
		must(t, r.WaitFor(t.Context(), log.addEvents(0, separate(pair[0], pair[1]))))
		for _, g := range r.groups(all...) {
			if slices.Contains(g, pair[0]) && slices.Contains(g, pair[1]) {
				t.Errorf("%v are one although they were separated", pair)
			}
		}
	}
	r.want("all apart", [][]int{{0}, {1}, {2}, {3}}, all...)
}

// Two of whom somebody said that they are of one home are two people, and one household whatever they share; released, they are what their records say.
func TestHousedIsADecision(t *testing.T) {
	a := kerguelen("shop", "1", "Mireille", 1*day, email("mireille@example.fr"))
	b := kerguelen("till", "2", "Mireille", 2*day, email("mireille@example.fr"))
	c := contact("calls", "crm_id", "3", 3*day, trait("first_name", "Karim"), trait("last_name", "Benali"), email("karim@example.fr"))
	all := []schema.Event{a, b, c}
	log := newLog("c", 1)
	log.addEvents(0, all...)
	r := runWeighed(t, log)
	r.want("alike", [][]int{{0, 1}, {2}}, all...)
	id := func(e schema.Event) schema.ProfileID { return NewHasher(prf).Public(epochZero(e)) }
	twins := decided(schema.TypeHouseholdJoined, 4*day, epochZero(a), epochZero(b))
	couple := decided(schema.TypeHouseholdJoined, 5*day, epochZero(c), epochZero(b))
	before := r.export()
	must(t, r.WaitFor(t.Context(), log.addEvents(0, twins, couple)))
	r.want("of one home", [][]int{{0}, {1}, {2}}, all...)
	r.view(func(v *View) {
		h, err := v.Household(id(a))
		must(t, err)
		if h == nil || len(h.Members) != 3 || !slices.ContainsFunc(h.Members, func(m Resident) bool {
			return m.Profile == id(c) && slices.Equal(m.Shares, []string{"decision"})
		}) {
			t.Errorf("household %+v", h)
		}
		if list, err := v.PossibleMatches(id(a)); err != nil || len(list) > 0 {
			t.Errorf("whom somebody decided about is proposed again: %v (%v)", list, err)
		}
	})
	must(t, r.WaitFor(t.Context(), log.addEvents(0, released(6*day, twins.ID), released(6*day, couple.ID))))
	if got := r.export(); got != before {
		t.Errorf("decided and released\n%s\nwant\n%s", got, before)
	}
}

// After a split a refusal stays with every contact point that was in the profile, also where only weights had joined it.
func TestRefusalsOutliveAWeighedSplit(t *testing.T) {
	news := func(value string, s schema.ConsentState) schema.Consent {
		return schema.Consent{Kind: "email", Value: value, Channel: schema.ChannelEmail, Purpose: "news", State: s}
	}
	home := schema.Trait{Name: "address", Value: []byte(`{"street":"14 rue des Acacias","postal_code":"69003","city":"Lyon"}`)}
	a := kerguelen("crm", "1", "Mireille", day, home, email("a@example.com"), news("a@example.com", schema.ConsentGranted))
	b := kerguelen("store", "2", "Mireille", day, home, email("b@example.com"), news("b@example.com", schema.ConsentGranted))
	c := kerguelen("calls", "3", "Mireile", day, home, email("c@example.com"), news("c@example.com", schema.ConsentGranted))
	all := []schema.Event{a, b, c}
	log := newLog("c", 1)
	log.addEvents(0, all...)
	r := runWeighed(t, log)
	r.want("together", [][]int{{0, 1, 2}}, all...)
	check := func(when string, e schema.Event, want bool) {
		t.Helper()
		r.view(func(v *View) {
			p, err := v.Profile(NewHasher(prf).Public(epochZero(e)))
			must(t, err)
			list := p.Consents(50 * day)
			if len(list) == 0 {
				t.Errorf("%s: no consents", when)
			}
			for _, c := range list {
				if c.Allowed != want {
					t.Errorf("%s: %s is allowed %v (%s), want %v", when, c.Normal, c.Allowed, c.Reason, want)
				}
			}
		})
	}
	check("granted", b, true)
	must(t, r.WaitFor(t.Context(), log.addEvents(0, contact("crm", "crm_id", "1", 5*day, news("a@example.com", schema.ConsentWithdrawn)))))
	check("refused", c, false)
	split := []schema.Event{
		decided(schema.TypeIdentitySeparated, 10*day, epochZero(a), epochZero(b)),
		decided(schema.TypeIdentitySeparated, 11*day, epochZero(a), epochZero(c)),
		decided(schema.TypeIdentitySeparated, 12*day, epochZero(b), epochZero(c)),
	}
	must(t, r.WaitFor(t.Context(), log.addEvents(0, split...)))
	r.want("split", [][]int{{0}, {1}, {2}}, all...)
	for i, e := range all {
		check([]string{"who refused", "who was one with her", "the third"}[i], e, false)
	}
	// What is said after the split is each one's own; that she refused does not go away by it.
	must(t, r.WaitFor(t.Context(), log.addEvents(0, contact("crm", "crm_id", "1", 20*day, news("a@example.com", schema.ConsentGranted)))))
	check("who allows it again", a, true)
	check("who did not", b, false)
	for _, s := range split {
		must(t, r.WaitFor(t.Context(), log.addEvents(0, released(21*day, s.ID))))
	}
	check("the split is taken back", b, true)
}
