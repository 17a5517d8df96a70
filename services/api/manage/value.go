package manage

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/access"
)

// Customers hands what every customer bought before an instant to use. It waits until everything that the log holds at the call is there. use may run
// once for an answer, and its error comes back.
type Customers func(ctx context.Context, workspace string, before schema.Instant, use func(customers [][]value.Purchase) error) error

// TakeValue is the body of POST /v1/value/snapshots.
type TakeValue struct {
	value.Settings
	Reason string `json:"reason,omitempty"`
}

// ValueLine is one value snapshot.
type ValueLine struct {
	Version  string          `json:"version"`
	TakenAt  string          `json:"takenAt"` // empty: it was taken by this very call
	Actor    string          `json:"actor"`
	Reason   string          `json:"reason,omitempty"`
	Snapshot json.RawMessage `json:"snapshot"`
}

// TestValue is the body of POST /v1/value/backtest.
type TestValue struct {
	value.Settings
	Weeks int `json:"weeks"`
}

// valuePaths adds what the value of customers is found by, where this process can answer it.
func (s *server) valuePaths(mux *http.ServeMux) {
	if s.Customers == nil {
		return
	}
	mux.Handle("GET /v1/value/snapshots", s.needs([]string{access.ScopeRead}, s.listValues))
	mux.Handle("POST /v1/value/snapshots", s.needs([]string{access.ScopeMarketing}, s.takeValue))
	mux.Handle("POST /v1/value/backtest", s.needs([]string{access.ScopeMarketing}, s.testValue))
}

func (s *server) listValues(w http.ResponseWriter, _ *http.Request, t access.Token) error {
	lines := []ValueLine{}
	for _, v := range slices.Backward(s.Control.State().Values(t.Workspace)) {
		lines = append(lines, ValueLine{v.Version, v.At.String(), v.Actor, v.Reason, v.Snapshot})
	}
	return writeJSON(w, lines)
}

// oneFit lets one fit run at a time: each holds the purchases of all customers.
var oneFit = make(chan struct{}, 1)

// fit runs a fit when its turn comes.
func fit(ctx context.Context, run func() error) error {
	select {
	case oneFit <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-oneFit }()
	return run()
}

// takeValue fits the models and makes them the snapshot in force. The same settings over the same events are the same snapshot, which is
// recorded again, and in force again.
func (s *server) takeValue(w http.ResponseWriter, r *http.Request, t access.Token) error {
	var in TakeValue
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := in.Check(); err != nil {
		return err
	}
	at, err := schema.ParseInstant(in.At)
	if err != nil {
		return err // Unreachable: Check has read it
	}
	var snapshot *value.Snapshot
	err = fit(r.Context(), func() error {
		return s.Customers(r.Context(), t.Workspace, at, func(customers [][]value.Purchase) (err error) {
			snapshot, err = value.Take(in.Settings, slices.Values(customers))
			return err
		})
	})
	if err != nil {
		return err
	}
	form, err := snapshot.Encode()
	if err != nil {
		return err
	}
	err = s.Control.Append(r.Context(), &schema.Control{
		ID: uuid.NewString(), Kind: schema.ControlValueTaken, Workspace: t.Workspace, Actor: t.Actor, Reason: in.Reason,
		Value: &schema.ControlValue{Version: snapshot.Version(), Snapshot: form},
	})
	if err != nil {
		return err
	}
	return writeJSON(w, ValueLine{Version: snapshot.Version(), Actor: t.Actor, Reason: in.Reason, Snapshot: form})
}

func (s *server) testValue(w http.ResponseWriter, r *http.Request, t access.Token) error {
	var in TestValue
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := in.Check(); err != nil {
		return err
	}
	at, err := schema.ParseInstant(in.At)
	if err != nil {
		return err // Unreachable: Check has read it
	}
	if in.Weeks < 1 || in.Weeks > 520 {
		return &refusal{400, "value_invalid", "the time held out is not 1 to 520 weeks", "hold out about as long as you want to see ahead"}
	}
	var tested *value.Backtest
	err = fit(r.Context(), func() error {
		until := at + schema.Instant(in.Weeks)*7*24*3_600_000_000
		return s.Customers(r.Context(), t.Workspace, until, func(customers [][]value.Purchase) (err error) {
			tested, err = value.Test(in.Settings, in.Weeks, slices.Values(customers))
			return err
		})
	})
	if err != nil {
		return err
	}
	return writeJSON(w, tested)
}
