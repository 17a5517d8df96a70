package segment

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

func parse(t *testing.T, name, text string) *Segment {
	t.Helper()
	s, err := Parse(name, []byte(text), time.LoadLocation)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// A refusal names the place, what is wrong and what would be right.
func TestRefusals(t *testing.T) {
	deep := strings.Repeat(`{"not":`, 20) + `{"segment":"a"}` + strings.Repeat(`}`, 20)
	many := `{"any":[` + strings.TrimSuffix(strings.Repeat(`{"identifier":{"kind":"email"}},`, 10_000), ",") + `]}`
	for _, c := range []struct{ text, want string }{
		{`{}`, "where is missing"},
		{`{"where":{}}`, "has 0 conditions"},
		{`{"where":{"all":[]}}`, "empty group"},
		{`{"where":{"trait":{"name":"city","op":"is","value":"a"},"segment":"b"}}`, "has 2 conditions"},
		{`{"were":{}}`, "did you mean where"},
		{`{"where":{"trait":{"name":"city","op":"iz","value":"a"}}}`, "did you mean is"},
		{`{"where":{"trait":{"name":"city","op":"is"}}}`, "takes one value"},
		{`{"where":{"trait":{"name":"city","op":"in","values":[]}}}`, "takes values"},
		{`{"where":{"trait":{"name":"age","op":"atLeast","value":"old"}}}`, "compares numbers"},
		{`{"where":{"trait":{"name":"born","op":"before","value":"yesterday"}}}`, "compares times"},
		{`{"where":{"trait":{"name":"born","op":"within","value":"1000y"}}}`, "stretch of time"},
		{`{"where":{"event":{"type":"order.placed","within":"365000d"}}}`, "longer than ten years"},
		{`{"where":{"event":{"type":"order.place"}}}`, "did you mean order.placed"},
		{`{"where":{"event":{"type":"order.placed","channels":["mail"]}}}`, "did you mean email"},
		{`{"where":{"event":{"type":"order.placed","where":[{"field":"amunt","op":"above","value":1}]}}}`, "did you mean amount"},
		{`{"where":{"event":{"type":"order.placed","where":[{"field":"amount","op":"contains","value":1}]}}}`, "no operator"},
		{`{"where":{"event":{"type":"order.placed","sum":{"field":"amount","atLeast":100}}}}`, "several currencies"},
		{`{"where":{"event":{"type":"order.placed","count":{}}}}`, "neither atLeast nor atMost"},
		{`{"where":{"event":{"type":"order.placed","count":{"atLeast":3,"atMost":2}}}}`, "nobody is in"},
		{`{"where":{"event":{"type":"order.placed","count":{"atLeast":1.5}}}}`, "is whole"},
		{`{"where":{"trait":{"name":"city","op":"matches","value":"(a"}}}`, "cannot be read"},
		{`{"where":{"trait":{"name":"city","op":"matches","value":"` + strings.Repeat("(a*)*", 200) + `"}}}`, "too long"},
		{`{"where":{"score":{"measure":"recensy","atLeast":3}}}`, "did you mean recency"},
		{`{"where":{"bucket":{"salt":"a","from":10,"to":5}}}`, "within 0 to 100"},
		{`{"where":{"case":{"where":[{"field":"stat","op":"is","value":"open"}]}}}`, "did you mean state"},
		{`{"where":{"case":{"where":[{"field":"state","op":"is","value":"opened"}]}}}`, "did you mean open"},
		{`{"where":{"case":{"type":"case.opened"}}}`, "event alone"},
		{`{"where":{"satisfaction":{"where":[{"field":"rating","op":"contains","value":"9"}]}}}`, "no operator"},
		{`{"where":{"verbatim":{"count":{"atLeast":2},"by":"themes"}}}`, "of one text"},
		{`{"where":{"conversation":{"sum":{"field":"channel","atLeast":2}}}}`, "no number"},
		{`{"where":{"list":{"name":"A b"}}}`, "no name of a list"},
		{`{"where":{"segment":"x"},"zone":"Europe/Pari"}`, "no time zone"},
		{`{"where":` + deep + `}`, "levels"},
		{`{"where":` + many + `}`, "256 KiB"},
		{`{"where":{"any":[` + strings.TrimSuffix(strings.Repeat(`{"segment":"a"},`, 600), ",") + `]}}`, "more than 500 conditions"},
		{`{"where":{"segment":"a"},"where":{"segment":"b"}}`, "duplicate_key"},
		{`not JSON`, ""},
	} {
		_, err := Parse("s", []byte(c.text), time.LoadLocation)
		var r *schema.Refusal
		if !errors.As(err, &r) || !strings.Contains(r.Error(), c.want) {
			t.Errorf("%.80s\n got %v\nwant %s", c.text, err, c.want)
		}
	}
	for _, name := range []string{"", "Ä", "a b", strings.Repeat("x", 65), "a/../b"} {
		if _, err := Parse(name, []byte(`{"where":{"segment":"a"}}`), time.LoadLocation); err == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
}

func TestCircle(t *testing.T) {
	set := Set{}
	for name, other := range map[string]string{"a": "b", "b": "c", "c": "a"} {
		set[name] = parse(t, name, `{"where":{"not":{"segment":"`+other+`"}}}`)
	}
	if err := set.Check(); err == nil || !strings.Contains(err.Error(), "a → b → c → a") {
		t.Error(err)
	}
	set = Set{"one": parse(t, "one", `{"where":{"segment":"champion"}}`), "champions": parse(t, "champions", `{"where":{"identifier":{"kind":"email"}}}`)}
	if err := set.Check(); err == nil || !strings.Contains(err.Error(), "did you mean champions") {
		t.Error(err)
	}
	if err := set["champions"].CheckTraits(nil); err != nil {
		t.Error(err)
	}
	if err := parse(t, "x", `{"where":{"trait":{"name":"citty","op":"exists"}}}`).CheckTraits([]string{"city", "age"}); err == nil || !strings.Contains(err.Error(), "did you mean city") {
		t.Error(err)
	}
	if err := parse(t, "x", `{"where":{"trait":{"name":"citty","op":"exists","unseen":true}}}`).CheckTraits(nil); err != nil {
		t.Error(err)
	}
}

func TestSentences(t *testing.T) {
	for _, c := range []struct{ text, en, fr string }{
		{
			`{"where":{"all":[{"trait":{"name":"city","op":"in","values":["Lyon","Paris"]}},{"event":{"type":"order.placed","within":"30d","count":{"atLeast":2}}}]},"exclude":{"consent":{"purpose":"marketing","state":"refused"}}}`,
			`People whose city is "lyon" or "paris" and with at least 2 orders within the last 30 days, but not those who have refused to be contacted for marketing.`,
			`Les personnes dont city est « lyon » ou « paris » et avec au moins 2 commandes au cours des derniers 30 jours, sauf celles qui ont refusé d'être contactées pour marketing.`,
		},
		{
			`{"where":{"sequence":{"first":{"type":"survey.answered","where":[{"field":"rating","op":"atMost","value":6}]},"then":{"type":"message.sent"},"absent":true,"in":"30d"}}}`,
			`People with survey answers (rating is at most 6) within the last 30 days, not followed by messages to them.`,
			`Les personnes avec réponses à une enquête (rating est d'au plus 6) au cours des derniers 30 jours, sans être suivi de messages envoyés.`,
		},
		{
			`{"where":{"any":[{"score":{"measure":"frequency","atLeast":4}},{"event":{"type":"page.viewed","count":{"atMost":0}}}]}}`,
			`People whose frequency class (5: buys often) is at least 4 or without pages viewed.`,
			`Les personnes dont la classe de fréquence (5 : achète souvent) est au moins 4 ou sans pages vues.`,
		},
		{
			`{"where":{"all":[{"case":{"where":[{"field":"resolved","op":"is","value":"overdue"}],"within":"7d"}},{"not":{"list":{"name":"partners"}}}]}}`,
			`People with cases (the resolution is "overdue") within the last 7 days and of whom it is not true that they are people (who are in the list partners).`,
			`Les personnes avec dossiers (la résolution est « en retard ») au cours des derniers 7 jours et dont il n'est pas vrai qu'il s'agit de personnes (qui sont dans la liste partners).`,
		},
	} {
		s := parse(t, "s", c.text)
		if got := s.Sentence("en"); got != c.en {
			t.Errorf("got  %s\nwant %s", got, c.en)
		}
		if got := s.Sentence("fr"); got != c.fr {
			t.Errorf("got  %s\nwant %s", got, c.fr)
		}
	}
}

func TestNumbersAndTimes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "12": 12_000_000, "-0.5": -500_000, "1.2345678": 1_234_567, "999999999999": 999_999_999_999_000_000, "007": 7_000_000} {
		if got, ok := NumberOf(text); !ok || got != want {
			t.Errorf("%s: %d %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "-", ".5", "5.", "1e3", "+1", " 1", "1,5", "1234567890123", "0x10", "1.2.3", "--1"} {
		if got, ok := NumberOf(text); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
	for _, text := range []string{"2026-02-28", "2026-02-28t09:30:00z", "1990-12-31T23:00:00.5+02:00"} {
		if _, ok := TimeOf(text); !ok {
			t.Errorf("%s is no time", text)
		}
	}
	for _, text := range []string{"2026-02-30", "0001-01-01", "28/02/2026", "20260228", ""} {
		if _, ok := TimeOf(text); ok {
			t.Errorf("%s is a time", text)
		}
	}
}

// Evaluate says when time alone changes the answer: just before, the answer is the same; and whenever it differs, an instant was named.
func TestNext(t *testing.T) {
	instant := func(text string) schema.Instant {
		at, err := schema.ParseInstant(text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	order := &Fact{ID: schema.EventID{1}, At: instant("2026-03-27T22:30:00Z"), Type: schema.TypeOrderPlaced}
	order.Texts[factEntity] = "o1"
	p := &Person{Events: []*Fact{order}}
	s := parse(t, "s", `{"zone":"Europe/Paris","where":{"event":{"type":"order.placed","within":"2d"}}}`)
	set := Set{"s": s}
	for _, c := range []struct {
		now    string
		member bool
		next   string
	}{
		{"2026-03-27T22:29:59Z", false, "2026-03-27T22:30:00Z"}, // in the future
		{"2026-03-27T22:30:00Z", true, "2026-03-28T23:00:00Z"},  // a day may begin twice: looked at once more than is needed
		{"2026-03-29T21:59:59Z", true, "2026-03-29T22:00:00Z"},  // clocks went forward: 29 March has 23 hours
		{"2026-03-29T22:00:00Z", false, "0"},
	} {
		got := set.Evaluate(s, p, instant(c.now))
		next := "0"
		if got.Next != 0 {
			next = got.Next.String()
		}
		if got.Member != c.member || next != c.next {
			t.Errorf("%s: %v until %s, want %v until %s", c.now, got.Member, next, c.member, c.next)
		}
	}
}

// TestGround: what segments rest on is checked, and a list that is replaced, or another basis, is another version.
func TestGround(t *testing.T) {
	for _, c := range []struct{ lists, special, want string }{
		{`{"A b":{}}`, ``, "is no word"},
		{`{"a":{"since":"soon"}}`, ``, "is no time"},
		{`{"a":{"sinse":"2026-01-01"}}`, ``, "did you mean"},
		{``, `{"helth":{"basis":"research","note":"x"}}`, "did you mean health"},
		{``, `{"health":{"basis":"explicitConsents","note":"x"}}`, "did you mean explicitConsent"},
		{``, `{"health":{"basis":"research"}}`, "note is missing"},
	} {
		if _, err := ParseGround([]byte(c.lists), []byte(c.special)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %s", c.lists, c.special, err, c.want)
		}
	}
	ground, err := ParseGround([]byte(`{"partners":{"since":"2026-01-01"}}`), []byte(`{"health":{"basis":"explicitConsent","note":"form 4"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ where, want string }{
		{`{"trait":{"name":"health.status","op":"exists"}}`, ""},
		{`{"trait":{"name":"religion","op":"exists"}}`, "(religion)"},
		{`{"event":{"type":"survey.answered","where":[{"field":"properties.ethnic_group","op":"exists"}]}}`, "(origin)"},
		{`{"not":{"sequence":{"first":{"type":"order.placed","where":[{"field":"properties.syndicat","op":"exists"}]},"then":{"type":"order.placed"}}}}`, "(union)"},
		{`{"trait":{"name":"city","op":"is","value":"a"}}`, ""},
		{`{"list":{"name":"partners"}}`, ""},
		{`{"list":{"name":"partner"}}`, "did you mean partners"},
	} {
		err := parse(t, "s", `{"where":`+c.where+`}`).Rest(ground)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.where, err, c.want)
		}
	}
	version := func(g Ground) string {
		s := parse(t, "s", `{"where":{"list":{"name":"partners"}}}`)
		if err := s.Rest(g); err != nil {
			t.Fatal(err)
		}
		return s.Version
	}
	later := Ground{Lists: map[string]schema.Instant{"partners": ground.Lists["partners"] + 1}}
	if version(ground) == version(later) {
		t.Error("a list that was replaced is the same version")
	}
}
