package channel

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// TestAccountDoesNotDependOnOrder: whichever way identifiers are sent, the account is the same.
func TestAccountDoesNotDependOnOrder(t *testing.T) {
	list := []schema.Identifier{
		{Kind: "email", Value: "a@b.fr"}, {Kind: "cookie", Value: "c2"}, {Kind: "cookie", Value: "c1"}, {Kind: "card", Value: "9"},
		{Kind: "card", Value: "8"}, {Kind: "twitter_id", Value: "ann"}, {Kind: "order_id", Value: "o"}, {Kind: "call_id", Value: "x"},
	}
	for _, c := range []struct {
		from int // of list
		want schema.Account
	}{
		{0, schema.Account{Kind: "card", Value: "8"}},
		{5, schema.Account{Kind: "twitter_id", Value: "ann"}},
		{6, schema.Account{Kind: "call_id", Value: "x"}},
	} {
		for seed := range uint64(200) {
			m := Mapped{}
			m.Event.Identifiers = append(m.Event.Identifiers, list[c.from:]...)
			random := rand.New(rand.NewPCG(seed, 0))
			random.Shuffle(len(m.Event.Identifiers), func(i, j int) {
				m.Event.Identifiers[i], m.Event.Identifiers[j] = m.Event.Identifiers[j], m.Event.Identifiers[i]
			})
			if m.ChooseAccount(&Source{}); m.Event.Account != c.want || m.OwnPersona {
				t.Fatalf("seed %d: %+v, want %+v", seed, m.Event.Account, c.want)
			}
		}
	}
	m := Mapped{}
	m.Event.Identifiers = list[:1]
	if m.ChooseAccount(&Source{}); !m.OwnPersona {
		t.Fatalf("an e-mail address is an account: %+v", m.Event.Account)
	}
	m.Event.Identifiers = list
	if m.ChooseAccount(&Source{AccountKind: "cookie"}); m.Event.Account != (schema.Account{Kind: "cookie", Value: "c1"}) {
		t.Fatalf("the source's own kind does not come first: %+v", m.Event.Account)
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-01T11:00:00Z":               "2026-03-01T11:00:00Z",
		"2026-03-01 11:00:00+01:00":          "2026-03-01T10:00:00Z",
		"2026-03-01T11:00:00.123456789+0100": "2026-03-01T10:00:00.123456Z",
		"2026-03-01T11:00Z":                  "2026-03-01T11:00:00Z",
		"1899-12-31T23:59:59Z":               "",
		"2026-03-01T11:00:00":                "",
		"2026-03-01":                         "",
		"2026-02-30T11:00:00Z":               "",
		"":                                   "",
		"0000-00-00T00:00:00Z":               "",
	} {
		at, r := ParseTime("timestamp", text)
		if (r == nil) != (want != "") || r == nil && at.String() != want {
			t.Errorf("%q: %s, %v", text, at, r)
		}
		if r != nil && (r.Code != CodeTimeInvalid || r.Hint == "") {
			t.Errorf("%q: %v", text, r)
		}
	}
}

// TestWhereALongEventGoes: the hint names the other path on the one whose events are short, and not on that path itself.
func TestWhereALongEventGoes(t *testing.T) {
	for _, c := range []struct {
		limits Limits
		other  bool
	}{{SegmentLimits(), true}, {NativeLimits(), false}} {
		r := c.limits.Check(canonical.Node{}, c.limits.EventBytes+1)
		if r == nil || r.Code != CodeEventTooLarge || strings.Contains(r.Hint, "/v1/events") != c.other {
			t.Errorf("%d bytes: %v", c.limits.EventBytes+1, r)
		}
		if r := c.limits.Check(canonical.Node{}, 2); r != nil {
			t.Errorf("a short one: %v", r)
		}
	}
}
