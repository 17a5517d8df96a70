package reputation

import "testing"

// Settings that cannot hold are refused with what to do; a rating of people with the reason.
func TestSettings(t *testing.T) {
	for text, want := range map[string]string{
		`{"socialRating": true}`:                           "socialRating: " + RefusedRating,
		`{"panels": [{"platform": "x", "brands": ["a"]}]}`: "panel 1: it compares fewer than two brands",
		`{"panels": [{"brands": ["a", "b"]}]}`:             "panel 1: it has no platform; write one as posts name it, or the source's name",
		`{"watch": {"alert": 0}}`:                          "watch: alert is a robust z above 0, such as 4",
		`{"errors": {"fr": {"favourable": [1, 2, 3]}}}`:    `errors, "fr": it wants favourable, neutral and unfavourable: of the texts that truly are, how many are read as each of the three`,
		`{"own": [""]}`:                                    "own: a brand has a name of 1 to 200 bytes",
		`{"panels": [{"platform": "x", "brands": ["a", "b"]}, {"platform": "X", "brands": ["a", "c"]}]}`: "panel 2: x has a panel already; shares of two panels cannot be compared",
	} {
		if _, err := ParseSettings([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	if s, err := ParseSettings([]byte(`{"socialRating": false, "watch": {"days": 3, "enter": 2}}`)); err != nil || s.Watch.History != 3*288 || s.Watch.Enter != 2 || s.Watch.Alert != 4 {
		t.Errorf("%+v, %v", s, err)
	}
}
