package control

import (
	"reflect"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
)

func TestGenerationsFollow(t *testing.T) {
	s := newState()
	decide := func(id string, g schema.ControlGeneration) string {
		s = s.clone()
		s.apply(&schema.Control{ID: id, Kind: schema.ControlGenerationStarted, Generation: &g}, 1, 1)
		return s.Refused(id)
	}
	if got := s.Generations("events"); !reflect.DeepEqual(got, []eventlog.Generation{{Live: "events"}}) {
		t.Errorf("at first: %+v", got)
	}
	if why := decide("a", schema.ControlGeneration{Topic: "events", Generation: 1, Partitions: 6, Ends: []int64{3, 4}}); why != "" {
		t.Errorf("the first: %s", why)
	}
	for id, wrong := range map[string]schema.ControlGeneration{
		"same again":    {Topic: "events", Generation: 1, Partitions: 6, Ends: []int64{3, 4}},
		"one left out":  {Topic: "events", Generation: 3, Partitions: 6, Ends: []int64{3, 4}},
		"no partitions": {Topic: "events", Generation: 2, Ends: []int64{3, 4}},
		"no ends":       {Topic: "events", Generation: 2, Partitions: 6},
		"no topic":      {Generation: 1, Partitions: 6, Ends: []int64{3}},
	} {
		if decide(id, wrong) == "" {
			t.Errorf("%s was taken", id)
		}
	}
	want := []eventlog.Generation{{Live: "events", Ends: []int64{3, 4}}, {Number: 1, Live: "events.g1"}}
	if got := s.Generations("events"); !reflect.DeepEqual(got, want) {
		t.Errorf("after one: %+v", got)
	}
	decide("b", schema.ControlGeneration{Topic: "events", Generation: 2, Partitions: 2, Ends: []int64{5, 5, 5, 5, 5, 5}, Restored: true})
	want = []eventlog.Generation{{Ends: []int64{3, 4}}, {Number: 1, Ends: []int64{5, 5, 5, 5, 5, 5}}, {Number: 2, Live: "events.g2"}}
	if got := s.Generations("events"); !reflect.DeepEqual(got, want) {
		t.Errorf("after a restore: %+v", got)
	}
}

func TestRingCopies(t *testing.T) {
	s := newState()
	decide := func(id string, c schema.ControlRingCopy) {
		s = s.clone()
		s.apply(&schema.Control{ID: id, Kind: schema.ControlRingCopied, Actor: "owner", RingCopy: &c}, 7, 1)
	}
	decide("1", schema.ControlRingCopy{Name: "safe", Digest: "aa", Versions: map[string]uint64{"main": 3}})
	before := s
	decide("2", schema.ControlRingCopy{Name: "bank", Digest: "bb", Versions: map[string]uint64{"main": 4}})
	decide("3", schema.ControlRingCopy{Name: "safe", Digest: "cc", Versions: map[string]uint64{"main": 5}})
	got := s.RingCopies()
	if len(got) != 2 || got[0].Name != "bank" || got[1].Digest != "cc" || got[1].Versions["main"] != 5 || got[1].Actor != "owner" || got[1].At != 7 {
		t.Errorf("got %+v", got)
	}
	decide("4", schema.ControlRingCopy{Name: "bank"})
	if got := s.RingCopies(); len(got) != 1 || got[0].Name != "safe" {
		t.Errorf("after one was destroyed: %+v", got)
	}
	if got := before.RingCopies(); len(got) != 1 || got[0].Digest != "aa" {
		t.Errorf("an earlier state changed: %+v", got)
	}
}
