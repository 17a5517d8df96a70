package destination

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
)

func parse(t *testing.T, text string) (*Destination, error) {
	t.Helper()
	s, err := segment.Parse("vip", []byte(`{"where":{"trait":{"name":"tier","op":"is","value":"gold"}}}`), time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Parse(map[string]json.RawMessage{"d": json.RawMessage(text)}, segment.Set{"vip": s})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// TestRefuses: what cannot be meant is refused in one line that says what to write; no secret may stand in a configuration.
func TestRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"kind":"pigeon","purpose":"news"}`:                                                                                   "pigeon",
		`{"kind":"file"}`:                                                                                                      "purpose",
		`{"kind":"file","purpose":"news","chanel":"email"}`:                                                                    "chanel",
		`{"kind":"file","purpose":"news","channel":"emial"}`:                                                                   "emial",
		`{"kind":"file","purpose":"news","segments":["vpi"]}`:                                                                  "vpi",
		`{"kind":"file","purpose":"news","format":"xls"}`:                                                                      "xls",
		`{"kind":"file","feeds":["weather"]}`:                                                                                  "weather",
		`{"kind":"file","feeds":["alerts"],"segments":["vip"]}`:                                                                "feeds",
		`{"kind":"file","purpose":"news","rate":-1}`:                                                                           "rate",
		`{"kind":"file","purpose":"news","cap":{"atMost":0,"within":"7d"}}`:                                                    "cap",
		`{"kind":"file","purpose":"news","cap":{"atMost":1,"within":"1000y"}}`:                                                 "cap",
		`{"kind":"file","purpose":"news","holdOut":{"name":"x","percent":100}}`:                                                "hold-out",
		`{"kind":"webhook","purpose":"news","url":"https://example.com"}`:                                                      "secret",
		`{"kind":"webhook","purpose":"news","url":"https://e.com","secrets":["x"]}`:                                            "secret:NAME",
		`{"kind":"webhook","purpose":"news","url":"http://e.com","secrets":["secret:X"]}`:                                      "https",
		`{"kind":"webhook","purpose":"news","url":"::","secrets":["secret:X"]}`:                                                "url",
		`{"kind":"kafka","purpose":"news"}`:                                                                                    "topic",
		`{"kind":"kafka","purpose":"news","topic":"events"}`:                                                                   "own",
		`{"kind":"rest","purpose":"news","url":"https://e.com"}`:                                                               "mapping",
		`{"kind":"rest","purpose":"news","url":"https://u:p@e.com","body":{"a":"profile"}}`:                                    "user",
		`{"kind":"rest","purpose":"news","url":"https://e.com","headers":{"Authorization":"Bearer x"},"body":{"a":"profile"}}`: "secret:NAME",
		`{"kind":"rest","purpose":"news","url":"https://e.com","body":{"a":"identifier.email"}}`:                               "include",
		`{"kind":"rest","purpose":"news","url":"https://e.com","body":{"a":"proflie"}}`:                                        "proflie",
		`{"kind":"rest","purpose":"news","url":"https://e.com","method":"GET","body":{"a":"profile"}}`:                         "method",
	} {
		_, err := parse(t, text)
		if err == nil || schema.ClassOf(err) != schema.Rejected || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "Bearer x") {
			t.Errorf("%s: %v, want a refusal that names %q", text, err, want)
		}
	}
}

// TestMay: a contact point leaves with a consent of its own alone; what is no contact point leaves with the person.
func TestMay(t *testing.T) {
	d, err := parse(t, `{"kind":"file","purpose":"news","channel":"email","include":{"identifiers":["email","card"]}}`)
	if err != nil {
		t.Fatal(err)
	}
	r := &Recipient{
		Consents: []Consent{
			{Kind: "email", Value: "a@example.com", Purpose: "news", Channel: "email", Allowed: true, Until: 100},
			{Kind: "email", Value: "b@example.com", Purpose: "news", Channel: "email"},
			{Kind: "email", Value: "b@example.com", Purpose: "survey", Channel: "email", Allowed: true},
		},
		Identifiers: []Point{{"email", "a@example.com"}, {"email", "b@example.com"}, {"card", "7"}, {"phone", "1"}},
	}
	points, reason := d.May(r, 99)
	if reason != "" || len(points) != 2 || points[0].Value != "a@example.com" || points[1].Value != "7" {
		t.Errorf("%v %q", points, reason)
	}
	if points, reason := d.May(r, 100); reason != NoConsent || points != nil {
		t.Errorf("an expired consent: %v %q", points, reason)
	}
}
