package control

import (
	"encoding/json"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// Snapshots stand in the order in which they were taken; the same decision twice is one, and a state that was handed out does not change.
func TestValues(t *testing.T) {
	s := newState()
	s.apply(&schema.Control{ID: "w", Kind: schema.ControlWorkspaceCreated, Workspace: "main"}, 1, 0)
	take := func(id, version string, at schema.Instant) {
		s = s.clone()
		s.apply(&schema.Control{
			ID: id, Kind: schema.ControlValueTaken, Workspace: "main", Actor: "ann", Reason: "spring",
			Value: &schema.ControlValue{Version: version, Snapshot: json.RawMessage(`{}`)},
		}, at, int64(at))
	}
	take("a", "v1", 5)
	before := s
	take("b", "v2", 6)
	take("a", "v1", 7)
	take("c", "v1", 8) // the same snapshot, taken again, is in force again
	if got := s.Values("main"); len(got) != 3 || got[0].Version != "v1" || got[1].Version != "v2" || got[2].Version != "v1" || got[1].At != 6 || got[0].Actor != "ann" {
		t.Errorf("%+v", got)
	}
	if got := before.Values("main"); len(got) != 1 {
		t.Errorf("the state before has %+v", got)
	}
	if got := s.Values("other"); got != nil {
		t.Errorf("another workspace has %+v", got)
	}
	if valid(&schema.Control{ID: "x", Kind: schema.ControlValueTaken}) || valid(&schema.Control{ID: "x", Kind: schema.ControlValueTaken, Value: &schema.ControlValue{}}) {
		t.Error("a snapshot without content is valid")
	}
}
