package rights

import (
	"context"
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
)

// The types of regulations, as Segment's Public API names them. There is nothing of a person's but in this installation, so to delete and to delete
// internally are one.
const (
	RegulationSuppress               = "SUPPRESS_ONLY"
	RegulationUnsuppress             = "UNSUPPRESS"
	RegulationDelete                 = "DELETE_ONLY"
	RegulationDeleteInternal         = "DELETE_INTERNAL"
	RegulationSuppressDelete         = "SUPPRESS_WITH_DELETE"
	RegulationSuppressDeleteInternal = "SUPPRESS_WITH_DELETE_INTERNAL"
)

// RegulationTypes lists them.
func RegulationTypes() []string {
	return []string{RegulationSuppress, RegulationUnsuppress, RegulationDelete, RegulationDeleteInternal, RegulationSuppressDelete, RegulationSuppressDeleteInternal}
}

// MaxSubjects is how many people one regulation may name, as with Segment.
const MaxSubjects = 5000

// Regulation is a request about several people, in the form of Segment's Public API.
type Regulation struct {
	ID            string         `json:"id"`
	Type          string         `json:"regulateType"`
	WorkspaceID   string         `json:"workspaceId"`
	OverallStatus string         `json:"overallStatus"`
	CreatedAt     string         `json:"createdAt"`
	FinishedAt    string         `json:"finishedAt,omitempty"`
	StreamStatus  []StreamStatus `json:"streamStatus"`
}

// StreamStatus is how far a regulation is with one store.
type StreamStatus struct {
	ID                string              `json:"id"`
	DestinationStatus []DestinationStatus `json:"destinationStatus"`
}

// DestinationStatus is how far it is there.
type DestinationStatus struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Status     string `json:"status"`
	ErrString  string `json:"errString"`
	FinishedAt string `json:"finishedAt,omitempty"`
}

// Regulate decides a regulation about people by identifiers of one kind and returns its id. Somebody whom nobody knows is suppressed all the same, and
// there is nothing to delete. A hold on any of them, or an identifier of several people, refuses the whole.
func (r *Rights) Regulate(ctx context.Context, c graphql.Caller, kind string, subjects []string, of, reason, id string) (string, error) {
	if err := r.Visible(ctx); err != nil {
		return "", err
	}
	deletes := slices.Contains([]string{RegulationDelete, RegulationDeleteInternal, RegulationSuppressDelete, RegulationSuppressDeleteInternal}, of)
	suppresses := slices.Contains([]string{RegulationSuppress, RegulationUnsuppress, RegulationSuppressDelete, RegulationSuppressDeleteInternal}, of)
	suppression := &schema.ControlSuppression{}
	var plans []*plan
	for n, value := range subjects {
		s := graphql.Subject{Identifier: graphql.Identifier{Kind: kind, Value: value}}
		if suppresses {
			one, err := r.suppression(ctx, c.Workspace, s)
			if err != nil {
				return "", fmt.Errorf("subject %d: %w", n+1, err)
			}
			suppression.Personas = append(suppression.Personas, one.Personas...)
			suppression.Identifiers = append(suppression.Identifiers, one.Identifiers...)
			suppression.Traces = append(suppression.Traces, one.Traces...)
		}
		if deletes {
			p, err := r.plan(ctx, c.Workspace, s)
			if err != nil {
				return "", fmt.Errorf("subject %d: %w", n+1, err)
			}
			if p == nil { // late events and letters of whom nobody knows yet
				p = &plan{cutOff: schema.InstantOf(r.Now()), traces: r.traces([]string{value})}
			}
			plans = append(plans, p)
		}
	}
	for _, p := range plans {
		if err := p.forbidden(); err != nil {
			return "", err
		}
	}
	regulation := &schema.ControlRegulation{ID: id, Type: of, Subjects: len(subjects)}
	if suppresses { // first: nothing may come between
		if _, err := r.decideSuppression(ctx, c, id+"-suppression", suppression, reason, of == RegulationUnsuppress, regulation); err != nil {
			return "", err
		}
	}
	if deletes {
		if err := r.append(ctx, c, id, reason, plans, regulation); err != nil {
			return "", err
		}
	}
	return id, nil
}

// Regulations lists them, newest first.
func (r *Rights) Regulations(workspace string) []Regulation {
	state := r.Control.State()
	var out []Regulation
	at := map[string]int{}
	add := func(of *schema.ControlRegulation, created schema.Instant) *Regulation {
		i, known := at[of.ID]
		if !known {
			i, at[of.ID] = len(out), len(out)
			out = append(out, Regulation{
				ID: of.ID, Type: of.Type, WorkspaceID: workspace, OverallStatus: graphql.ErasureFinished, CreatedAt: created.String(),
				StreamStatus: []StreamStatus{{ID: "dossier", DestinationStatus: []DestinationStatus{}}},
			})
		}
		return &out[i]
	}
	for _, s := range state.Suppressions(workspace) {
		if s.Regulation == nil {
			continue
		}
		g := add(s.Regulation, s.At)
		g.FinishedAt = s.At.String()
		g.StreamStatus[0].DestinationStatus = append(g.StreamStatus[0].DestinationStatus, DestinationStatus{
			ID: "collector", Name: "collector", Status: graphql.ErasureFinished, FinishedAt: s.At.String(),
		})
	}
	erased := state.Erased(workspace)
	for i := range erased {
		if erased[i].Regulation == nil {
			continue
		}
		g := add(erased[i].Regulation, erased[i].At)
		e := r.decision(&erased[i])
		done := r.steps(state, workspace, &erased[i], e)
		g.OverallStatus = r.state(e, done)
		g.FinishedAt = e.FinishedAt
		for _, step := range e.Steps {
			status := graphql.ErasureRunning
			if step.Done {
				status = graphql.ErasureFinished
			}
			g.StreamStatus[0].DestinationStatus = append(g.StreamStatus[0].DestinationStatus, DestinationStatus{ID: step.Name, Name: step.Name, Status: status, FinishedAt: step.At})
		}
	}
	slices.Reverse(out)
	return out
}

// Regulation finds one.
func (r *Rights) Regulation(workspace, id string) (Regulation, bool) {
	for _, g := range r.Regulations(workspace) {
		if g.ID == id {
			return g, true
		}
	}
	return Regulation{}, false
}
