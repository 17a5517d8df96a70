package care

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// open has the case of a story, whose first line is the customer's.
func openCase(t *testing.T, rules *Rules, contacts []Contact) *Case {
	t.Helper()
	rows := Fold(contacts, rules)
	if len(rows.Cases) != 1 {
		t.Fatalf("%d cases", len(rows.Cases))
	}
	return &rows.Cases[0]
}

func TestAlerts(t *testing.T) {
	settings := Settings{Alerts: &AlertsSettings{Near: "10m", Complaint: "2h"}}
	rules, err := settings.Rules(time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	minuteOf := func(at schema.Instant) float64 { return float64(Span(at-atZero)) / float64(minute) }
	tell := func(c *Case) (out []string) {
		for _, a := range rules.Alerts(c) {
			line := a.Rule
			if a.Of != "" {
				line += " " + a.Of
			}
			out = append(out, line+" "+strings.TrimSuffix(time.Duration(minuteOf(a.At)*float64(time.Minute)).Round(time.Second).String(), "0s"))
		}
		return out
	}
	// A complaint on a social network: an hour for the reply; nobody keeps it, so that its resolution has a deadline as long as it is open.
	asked := story(schema.ChannelSocial, "0 customer")
	asked[0].state(propComplaint, "true")
	c := openCase(t, rules, asked)
	want := []string{"deadline_near reply 50m", "deadline_missed reply 1h0m", "complaint_unanswered 2h0m", "deadline_near resolution 23h50m", "deadline_missed resolution 24h0m"}
	if got := tell(c); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// One microsecond after the deadline it is missed, at the deadline it is not.
	for _, a := range rules.Alerts(c) {
		if a.Rule == AlertDeadlineMissed && a.At != a.Due+1 || a.Rule == AlertDeadlineNear && a.At != a.Due-schema.Instant(10*minute) {
			t.Errorf("%+v", a)
		}
	}
	// Answered in time there is nothing to raise.
	if got := tell(openCase(t, rules, story(schema.ChannelSocial, "0 customer", "30 agent"))); len(got) != 0 {
		t.Errorf("answered: %q", got)
	}
	// The same alert has the same id, though an earlier event makes the case begin with another one; another wait has another.
	ids := map[schema.EventID]bool{}
	for _, a := range rules.Alerts(c) {
		ids[a.Identify()] = true
	}
	if len(ids) != len(want) {
		t.Errorf("%d ids of %d alerts", len(ids), len(want))
	}
	kept := story(schema.ChannelEmail, "0 opened", "1 customer")
	for i := range kept {
		kept[i].Case = "7"
	}
	first := rules.Alerts(openCase(t, rules, kept))
	other := story(schema.ChannelEmail, "0.5 note")
	other[0].ID, other[0].Thread, other[0].Message = eventID(77), "", "n"
	late := story(schema.ChannelEmail, "-1 note")
	late[0].ID, late[0].Thread, late[0].Message = eventID(78), "", "l"
	again := rules.Alerts(openCase(t, rules, append(append(kept, other...), late...)))
	for i := range first {
		if i >= len(again) || first[i].Identify() != again[i].Identify() {
			t.Errorf("a note changes the id of %+v", first[i])
		}
	}
	for _, a := range rules.Alerts(c) {
		a.Identify()
		for _, language := range []string{"en", "fr"} {
			if says := a.Explain(language); !strings.Contains(says, a.Due.String()) {
				t.Errorf("%s: %q", language, says)
			}
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var back Alert
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		back.name = a.name
		if back != a {
			t.Errorf("%s is read as %+v", text, back)
		}
	}
}

var atZero = at(0)

func TestSpike(t *testing.T) {
	rules := DefaultRules()
	bucket, day := schema.Instant(rules.Alert.Spike.Bucket), schema.Instant(24*hour)
	end := rules.Alert.Spike.Floor(at(0))
	usual := func(n uint32, days int) map[schema.Instant]uint32 {
		counts := map[schema.Instant]uint32{}
		for d := 1; d <= days; d++ {
			for b := schema.Instant(-8); b <= 8; b++ {
				counts[end-bucket-schema.Instant(d)*day+b*bucket] = n + uint32(d%3) // 0, 1 or 2 more
			}
		}
		return counts
	}
	for _, x := range []struct {
		name   string
		counts map[schema.Instant]uint32
		now    uint32
		want   bool
	}{
		{"as ever", usual(20, 28), 22, false},
		{"a little more", usual(20, 28), 26, false},
		{"far more", usual(20, 28), 60, true},
		{"silence, then nine", usual(0, 28), 9, false},
		{"silence, then twelve", usual(0, 28), 12, true},
		{"three days are not enough to know", usual(20, 3), 200, false},
	} {
		x.counts[end-bucket] = x.now
		a, is := rules.Spike("phone", x.counts, end)
		if is != x.want {
			t.Errorf("%s: %v, %+v", x.name, is, a)
		}
		if is && (a.Count != x.now || a.Z <= 4 || a.Identify() == (schema.EventID{}) || !strings.Contains(a.Explain("fr"), "phone")) {
			t.Errorf("%s: %+v", x.name, a)
		}
	}
	// One past peak does not hide the next: neither median nor deviation moves.
	counts := usual(20, 28)
	counts[end-bucket-7*day] = 5000
	counts[end-bucket] = 60
	if _, is := rules.Spike("phone", counts, end); !is {
		t.Error("a past peak hides a spike")
	}
}

func TestAlertSettings(t *testing.T) {
	hook := func(text string) Settings {
		var s Settings
		if err := json.Unmarshal([]byte(`{"alerts":{"webhooks":{"desk":`+text+`}}}`), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	good, err := hook(`{"url":"https://example.com/a","secrets":["secret:A"],"rules":["deadline_missed"]}`).Rules(time.LoadLocation)
	if err != nil || len(good.Alert.Webhooks) != 1 || !good.Alert.Webhooks[0].Wants(AlertDeadlineMissed) || good.Alert.Webhooks[0].Wants(AlertSpike) || good.Alert.Near != DefaultAlerts().Near {
		t.Fatalf("%+v, %v", good, err)
	}
	for name, s := range map[string]Settings{
		"http": hook(`{"url":"http://example.com/a","secrets":["secret:A"]}`), "no url": hook(`{"secrets":["secret:A"]}`), "no secret": hook(`{"url":"https://example.com/a"}`),
		"a secret in the clear": hook(`{"url":"https://example.com/a","secrets":["whsec_abc"]}`), "no such rule": hook(`{"url":"https://example.com/a","secrets":["secret:A"],"rules":["late"]}`),
		"a user":       hook(`{"url":"https://u@example.com/a","secrets":["secret:A"]}`),
		"near":         {Alerts: &AlertsSettings{Near: "soon"}},
		"a bad bucket": {Alerts: &AlertsSettings{Spike: &SpikeRule{Bucket: "7m"}}},
	} {
		if _, err := s.Rules(time.LoadLocation); err == nil || strings.Contains(err.Error(), "whsec_abc") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
