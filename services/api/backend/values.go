package backend

import (
	"sync"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// Values gives the value snapshots that the control topic holds. Each is read once.
type Values struct {
	Control *control.Control

	mu   sync.Mutex
	read map[string]*value.Snapshot // by version
}

var _ graphql.Values = (*Values)(nil)

// Snapshots lists the snapshots of a workspace, oldest first. Those of a method that this program does not know are left out: their figures would
// mean something else here.
func (v *Values) Snapshots(workspace string) ([]graphql.Snapshot, error) {
	taken := v.Control.State().Values(workspace)
	out := make([]graphql.Snapshot, 0, len(taken))
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, t := range taken {
		s, known := v.read[t.Version]
		if !known {
			if v.read == nil {
				v.read = map[string]*value.Snapshot{}
			}
			var err error
			if s, err = value.ParseSnapshot(t.Snapshot); err != nil {
				s = nil
			}
			v.read[t.Version] = s
		}
		if s != nil {
			out = append(out, graphql.Snapshot{Snapshot: s, Version: t.Version, Actor: t.Actor, Reason: t.Reason, TakenAt: t.At})
		}
	}
	return out, nil
}

// Latest gives the last snapshot of a workspace and its version; nil if none was taken.
func (v *Values) Latest(workspace string) (*value.Snapshot, string, error) {
	taken, err := v.Snapshots(workspace)
	if err != nil || len(taken) == 0 {
		return nil, "", err
	}
	last := taken[len(taken)-1]
	return last.Snapshot, last.Version, nil
}
