package control

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// TestPromotion: a promotion changes what is live and the configuration together, or nothing; and the rules of care that count are those that the promoted projections followed.
func TestPromotion(t *testing.T) {
	s := newState()
	offset := int64(0)
	give := func(c *schema.Control) string {
		offset++
		c.ID, c.Workspace = fmt.Sprint(offset), "main"
		s = s.clone()
		s.apply(c, schema.Instant(offset), offset)
		return s.Refused(c.ID)
	}
	configuration := func(hash, base string) *schema.ControlConfiguration {
		return &schema.ControlConfiguration{Hash: hash, Base: base, Document: json.RawMessage(`{"is":"` + hash + `"}`)}
	}
	change := func(hash, base string) string {
		return give(&schema.Control{Kind: schema.ControlConfigurationChanged, Configuration: configuration(hash, base)})
	}
	promote := func(place, former, hash, base string, own bool, follow ...int64) string {
		return give(&schema.Control{
			Kind: schema.ControlProjectionsPromoted, Configuration: configuration(hash, base),
			Promotion: &schema.ControlPromotion{Place: place, Former: former, Shadow: place, Own: own, Follow: follow},
		})
	}
	is := func(place, hash string, enacted ...int64) {
		t.Helper()
		var positions []int64
		for _, c := range s.Enacted("main") {
			positions = append(positions, c.Position)
		}
		if s.Live("main").Place != place || s.Configuration("main").Hash != hash || !slices.Equal(positions, enacted) {
			t.Fatalf("after %d: %+v is live under %s, and %v are enacted", offset, s.Live("main"), s.Configuration("main").Hash, positions)
		}
	}
	give(&schema.Control{Kind: schema.ControlWorkspaceCreated}) // 1
	change("a", "")                                             // 2
	change("b", "a")                                            // 3
	is("", "b", 2, 3)
	for _, refused := range []struct{ place, former, hash, base string }{
		{"x", "y", "c", "b"}, {"x", "", "c", "a"}, {"", "", "c", "b"},
	} { // 4, 5, 6
		if promote(refused.place, refused.former, refused.hash, refused.base, true) == "" {
			t.Errorf("%+v was promoted", refused)
		}
		is("", "b", 2, 3)
	}
	if why := promote("x", "", "c", "b", true); why != "" { // 7
		t.Fatal(why)
	}
	is("x", "c", 7) // its own rules, as if there had never been others
	if promote("y", "", "d", "b", true) == "" {
		t.Error("of two promotions from one set both count") // 8
	}
	is("x", "c", 7)
	change("e", "c") // 9
	is("x", "e", 7, 9)
	if why := promote("", "x", "b", "e", false, 2, 3); why != "" { // 10: undone
		t.Fatal(why)
	}
	is("", "b", 2, 3)
	if n := len(s.Changes("main")); n != 5 {
		t.Errorf("the history of the configuration has %d lines", n)
	}
	if why := promote("x", "", "b", "b", false, 2, 3); why != "" { // 11: the same configuration
		t.Fatal(why)
	}
	is("x", "b", 2, 3)
	if n := len(s.Changes("main")); n != 5 {
		t.Errorf("a promotion under the configuration in force is a change of it: %d lines", n)
	}
	if live := s.Live("main"); live.Former != "" || live.Position != 11 || live.At != 11 || live.Shadow != "x" {
		t.Errorf("%+v", live)
	}
}
