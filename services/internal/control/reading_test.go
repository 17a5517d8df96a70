package control

import (
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// Refits and restatements stand in the order in which they were decided; the same decision twice is one, and a state that was handed out does not change.
func TestReadings(t *testing.T) {
	s := newState()
	s.apply(&schema.Control{ID: "w", Kind: schema.ControlWorkspaceCreated, Workspace: "main"}, 1, 0)
	decide := func(id string, kind schema.ControlKind, r schema.ControlReading, at schema.Instant) {
		s = s.clone()
		s.apply(&schema.Control{ID: id, Kind: kind, Workspace: "main", Actor: "ann", Reason: "may", Reading: &r}, at, int64(at))
	}
	decide("a", schema.ControlVerbatimRefitted, schema.ControlReading{Version: "m.1", Adjustment: []byte("x"), Texts: 40}, 5)
	before := s
	decide("b", schema.ControlVerbatimRestated, schema.ControlReading{Version: "m.1"}, 6)
	decide("a", schema.ControlVerbatimRefitted, schema.ControlReading{Version: "m.1", Adjustment: []byte("x"), Texts: 40}, 7)
	got := s.Readings("main", 0)
	if len(got) != 2 || got[0].Version != "m.1" || got[0].Restated || got[0].Texts != 40 || got[0].At != 5 || got[0].Actor != "ann" || !got[1].Restated || got[1].At != 6 {
		t.Errorf("%+v", got)
	}
	if after := s.Readings("main", 1); len(after) != 1 || !after[0].Restated {
		t.Errorf("after the first: %+v", after)
	}
	if len(s.Readings("main", 2)) != 0 || len(s.Readings("other", 0)) != 0 || len(before.Readings("main", 0)) != 1 {
		t.Error("there are decisions where none were")
	}
	for _, c := range []*schema.Control{
		{ID: "x", Kind: schema.ControlVerbatimRefitted},
		{ID: "x", Kind: schema.ControlVerbatimRefitted, Reading: &schema.ControlReading{Version: "m.1"}},
		{ID: "x", Kind: schema.ControlVerbatimRestated},
	} {
		if valid(c) {
			t.Errorf("%+v is valid", c)
		}
	}
}
