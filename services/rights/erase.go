package rights

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// maxShared is how many other people are named who share identifiers.
const maxShared = 100

// plan is an erasure that is not decided yet.
type plan struct {
	whole  *whole // nil: only letters name whoever it is
	cutOff schema.Instant
	traces []string
	held   map[string]int64
	shared []graphql.SharedWith
	holds  []control.Hold
}

// plan finds what there is to erase; nil if nothing is.
func (r *Rights) plan(ctx context.Context, workspace string, s graphql.Subject) (*plan, error) {
	w, err := r.find(ctx, workspace, s)
	if err != nil {
		return nil, err
	}
	p := &plan{whole: w, cutOff: schema.InstantOf(r.Now())}
	values := []string{s.Identifier.Value}
	if w != nil {
		values = w.values
		// What is dated ahead of its receipt must not count again when it is sent again.
		p.cutOff = max(p.cutOff, w.person.LastContact)
		if p.shared, err = r.shared(ctx, workspace, w); err != nil {
			return nil, err
		}
		p.holds = r.holding(workspace, w)
	}
	p.traces = r.traces(values)
	var rows []uuid.UUID
	if w != nil {
		rows = w.ids()
	}
	if p.held, err = r.rows(ctx, workspace, rows); err != nil {
		return nil, err
	}
	if p.held[countLetters], err = r.letters(ctx, workspace, p.traces, math.MaxInt64); err != nil {
		return nil, err
	}
	if w == nil && p.held[countLetters] == 0 {
		return nil, nil
	}
	if w != nil {
		p.held[countPersonas] = int64(len(w.personas))
	}
	return p, nil
}

// shared finds the other people who have the person's identifiers.
func (r *Rights) shared(ctx context.Context, workspace string, w *whole) ([]graphql.SharedWith, error) {
	kinds := map[schema.ProfileID][]string{}
	for i := range w.person.Identifiers {
		held := &w.person.Identifiers[i]
		owners, err := r.People.Owners(ctx, workspace, graphql.Identifier{Kind: held.Kind, Value: held.Value})
		if err != nil {
			return nil, err
		}
		for _, id := range owners {
			if id != w.person.ID && !slices.Contains(kinds[id], held.Kind) {
				kinds[id] = append(kinds[id], held.Kind)
			}
		}
	}
	out := []graphql.SharedWith{}
	for _, id := range slices.SortedFunc(maps.Keys(kinds), schema.ProfileID.Compare) {
		if len(out) == maxShared {
			break
		}
		slices.Sort(kinds[id])
		out = append(out, graphql.SharedWith{Profile: id.String(), Kinds: kinds[id]})
	}
	return out, nil
}

// shown is the plan as it is answered.
func (p *plan) shown() *graphql.Erasure {
	e := &graphql.Erasure{State: graphql.ErasurePlanned, CutOff: p.cutOff.String(), Held: counted(p.held), Left: counted(p.held), Shared: p.shared, Holds: holdLines(p.holds)}
	if p.whole == nil {
		return tidy(e)
	}
	e.Profiles = []string{p.whole.person.ID.String()}
	for _, m := range p.whole.personas {
		e.Personas = append(e.Personas, graphql.ErasedOne{
			Persona: m.ID.String(), Source: m.Source, Trust: m.Trust.String(), Kind: m.Account.Kind, Epoch: int32(m.Of.Epoch),
		})
	}
	return tidy(e)
}

// tidy has every list be one, also in JSON.
func tidy(e *graphql.Erasure) *graphql.Erasure {
	e.Profiles, e.Personas, e.Held, e.Left = nonNil(e.Profiles), nonNil(e.Personas), nonNil(e.Held), nonNil(e.Left)
	e.Shared, e.Holds, e.Steps, e.Copies, e.Known = nonNil(e.Shared), nonNil(e.Holds), nonNil(e.Steps), nonNil(e.Copies), nonNil(e.Known)
	return e
}

func nonNil[E any](list []E) []E {
	if list == nil {
		return []E{}
	}
	return list
}

func counted(held map[string]int64) []graphql.ErasureCount {
	var out []graphql.ErasureCount
	for _, name := range slices.Sorted(maps.Keys(held)) {
		out = append(out, graphql.ErasureCount{Name: name, Count: int32(min(held[name], math.MaxInt32))})
	}
	return out
}

// Plan says what an erasure would take. Of somebody who is erased already it says how far that is.
func (r *Rights) Plan(ctx context.Context, c graphql.Caller, s graphql.Subject) (*graphql.Erasure, error) {
	if err := r.Visible(ctx); err != nil {
		return nil, err
	}
	p, err := r.plan(ctx, c.Workspace, s)
	if err != nil {
		return nil, err
	}
	if p != nil {
		return p.shown(), nil
	}
	if e := r.decided(c.Workspace, s); e != nil {
		return r.progress(ctx, c.Workspace, e)
	}
	return nil, unknown(s)
}

// decisionID is the id of the decision of a key: keyed, since whoever makes the key may put an identifier into it.
func (r *Rights) decisionID(what string, c graphql.Caller, key string) string {
	id := r.Keys.PRF().IdentifierHash("decision "+what+"\x00"+c.Workspace+"\x00"+c.Actor, key)
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // UUIDv8
	return uuid.UUID(id).String()
}

// Erase decides an erasure and returns when that is durable. The same key, or somebody who is erased already, carries on with that.
func (r *Rights) Erase(ctx context.Context, c graphql.Caller, s graphql.Subject, reason, key string) (*graphql.Erasure, error) {
	id := r.decisionID("erasure", c, key)
	before := r.erased(c.Workspace, id)
	if before != nil && !r.names(before, s) {
		return nil, &graphql.Error{Code: graphql.CodeConflict, Message: "another person was erased under this idempotencyKey", Hint: "choose a new idempotencyKey for each person"}
	}
	if err := r.Visible(ctx); err != nil {
		return nil, err
	}
	if before != nil {
		return r.again(ctx, c.Workspace, before, s)
	}
	p, err := r.plan(ctx, c.Workspace, s)
	if err != nil {
		return nil, err
	}
	if p == nil {
		if e := r.decided(c.Workspace, s); e != nil {
			return r.progress(ctx, c.Workspace, e)
		}
		return nil, unknown(s)
	}
	if err := r.append(ctx, c, id, reason, []*plan{p}, nil); err != nil {
		return nil, err
	}
	return r.progress(ctx, c.Workspace, r.erased(c.Workspace, id))
}

// again is the answer to a decision that was taken before: how far it is, and who is known by the same identifier since.
func (r *Rights) again(ctx context.Context, workspace string, before *control.Erased, s graphql.Subject) (*graphql.Erasure, error) {
	e, err := r.progress(ctx, workspace, before)
	if err != nil || !s.ID.IsZero() {
		return e, err
	}
	owners, err := r.People.Owners(ctx, workspace, s.Identifier)
	for _, id := range owners {
		e.Known = append(e.Known, id.String())
	}
	return e, err
}

// forbidden is why a plan must not be carried out.
func (p *plan) forbidden() error {
	if len(p.holds) == 0 {
		return nil
	}
	h := &p.holds[0]
	return &graphql.Error{Code: graphql.CodeConflict, Message: fmt.Sprintf("a hold of %s forbids it: %s", h.Actor, h.Reason), Hint: "lift it first: 'dossier holds lift " + h.ID + " --reason …'"}
}

// append decides to erase whom the plans name, as one decision.
func (r *Rights) append(ctx context.Context, c graphql.Caller, id, reason string, plans []*plan, of *schema.ControlRegulation) error {
	decision := &schema.ControlErasure{Held: map[string]int64{}, CutOff: schema.InstantOf(r.Now())}
	for _, p := range plans {
		if err := p.forbidden(); err != nil {
			return err
		}
		decision.CutOff = max(decision.CutOff, p.cutOff)
		decision.Traces = append(decision.Traces, p.traces...)
		for name, n := range p.held {
			decision.Held[name] += n
		}
		if p.whole != nil {
			for _, m := range p.whole.personas {
				decision.Personas = append(decision.Personas, schema.ErasedPersona{Persona: m.Of.Persona.String(), Epoch: m.Of.Epoch})
			}
		}
	}
	slices.Sort(decision.Traces)
	decision.Traces = slices.Compact(decision.Traces)
	slices.SortFunc(decision.Personas, func(a, b schema.ErasedPersona) int { return cmp.Compare(a.Persona, b.Persona) })
	decision.Personas = slices.Compact(decision.Personas)
	return r.Control.Append(ctx, &schema.Control{
		ID: id, Kind: schema.ControlProfileErased, Workspace: c.Workspace, Actor: c.Actor, Reason: reason, Erasure: decision, Regulation: of,
	})
}

// erased finds a decision by its id.
func (r *Rights) erased(workspace, id string) *control.Erased {
	all := r.Control.State().Erased(workspace)
	for i := range all {
		if all[i].ID == id {
			return &all[i]
		}
	}
	return nil
}

// decided finds the latest decision to erase whom a subject names.
func (r *Rights) decided(workspace string, s graphql.Subject) *control.Erased {
	all := r.Control.State().Erased(workspace)
	for i := len(all) - 1; i >= 0; i-- {
		if r.names(&all[i], s) {
			return &all[i]
		}
	}
	return nil
}

// names says whether a decision is about whom a subject names: by an id that the person had, or by all forms of an identifier.
func (r *Rights) names(e *control.Erased, s graphql.Subject) bool {
	if !s.ID.IsZero() {
		derive := ids.New(r.Keys.PRF())
		return slices.ContainsFunc(e.Personas, func(p schema.PersonaEpoch) bool { return derive.Public(p) == s.ID })
	}
	forms := deadletter.Known(r.Keys.PRF(), []string{s.Identifier.Value})
	return len(forms) > 0 && !slices.ContainsFunc(forms, func(h string) bool { return !contains(e.Traces, h) })
}

// Erasure says how far an erasure is; nil if there is none of the id.
func (r *Rights) Erasure(ctx context.Context, c graphql.Caller, id string) (*graphql.Erasure, error) {
	e := r.erased(c.Workspace, id)
	if e == nil {
		return nil, nil
	}
	return r.progress(ctx, c.Workspace, e)
}

// Erasures lists the decisions to erase, newest first, without asking the stores what is left.
func (r *Rights) Erasures(workspace string) []*graphql.Erasure {
	state := r.Control.State()
	all := state.Erased(workspace)
	out := []*graphql.Erasure{}
	for i := len(all) - 1; i >= 0; i-- {
		e := r.decision(&all[i])
		done := r.steps(state, workspace, &all[i], e)
		e.State = r.state(e, done)
		out = append(out, tidy(e))
	}
	return out
}

// decision is what was decided.
func (r *Rights) decision(e *control.Erased) *graphql.Erasure {
	out := &graphql.Erasure{
		ID: e.ID, State: graphql.ErasureRunning, Actor: e.Actor, Reason: e.Reason, RequestedAt: e.At.String(), CutOff: e.CutOff.String(), Held: counted(e.Held),
	}
	derive := ids.New(r.Keys.PRF())
	for _, p := range e.Personas {
		out.Personas = append(out.Personas, graphql.ErasedOne{Persona: derive.Public(p).String(), Epoch: int32(p.Epoch)})
	}
	return out
}

// The roles whose word an erasure needs, in the order in which it goes its way.
func (r *Rights) needed() []struct{ name, detail string } {
	needed := []struct{ name, detail string }{
		{"keeper", "every collector seals in the next epoch; the keys of the events are given up, and the old key ring is overwritten"},
		{"letters", "the keys of the dead letters that name the person are given up"},
		{"identity", "traits, identifiers, links and consents are deleted, and the files that held them are rewritten"},
		{"timeline", "rows and index are deleted, and the parts and files that held them are gone"},
	}
	for _, may := range []struct{ name, detail string }{
		{"care", "conversations, cases, surveys and what was read in texts are deleted, and the parts and files that held them are gone"},
		{"segments", "the person's row and the history of segments are deleted, and the parts and files that held them are gone"},
	} {
		if r.Keeps(may.name) {
			needed = append(needed, may)
		}
	}
	if r.Shadows == nil {
		return needed
	}
	for _, name := range r.Shadows() {
		for _, role := range []string{"identity", "timeline", "care", "segments"} {
			needed = append(needed, struct{ name, detail string }{role + "/" + name, "the same in the shadow " + name})
		}
	}
	return needed
}

// steps adds what each role has said, and tells whether all have.
func (r *Rights) steps(state *control.State, workspace string, e *control.Erased, out *graphql.Erasure) (done bool) {
	said := state.Honoured(workspace)
	done = true
	for _, need := range r.needed() {
		found := false
		for i := range said {
			h := &said[i]
			before := slices.ContainsFunc(said[:i], func(b control.Honoured) bool { return b.Role == h.Role && b.Store == h.Store && b.Through >= e.Number })
			if h.Role != need.name || h.Through < e.Number || before {
				continue // of each store the first word that covers the decision
			}
			found = true
			detail := need.detail
			switch {
			case h.Version > 0:
				detail += fmt.Sprintf("; ring version %d", h.Version)
			default:
				detail += fmt.Sprintf("; %d files and parts, %d bytes", h.Files, h.Bytes)
			}
			out.Steps = append(out.Steps, graphql.ErasureStep{Name: h.Role, Store: h.Store, Done: true, At: h.At.String(), Detail: detail, Digest: h.Digest})
			out.FinishedAt = max(out.FinishedAt, h.At.String())
		}
		if !found {
			done = false
			out.Steps = append(out.Steps, graphql.ErasureStep{Name: need.name, Detail: need.detail})
		}
	}
	return done
}

func (r *Rights) state(e *graphql.Erasure, done bool) string {
	switch {
	case !done:
		e.FinishedAt = ""
		return graphql.ErasureRunning
	case len(r.Stale()) > 0:
		e.Copies = r.Stale()
		return graphql.ErasurePartial
	}
	return graphql.ErasureFinished
}

// progress says how far an erasure is, and once every role has said that it is done, looks whether it is so.
func (r *Rights) progress(ctx context.Context, workspace string, decision *control.Erased) (*graphql.Erasure, error) {
	state := r.Control.State()
	e := r.decision(decision)
	done := r.steps(state, workspace, decision, e)
	if done {
		left, err := r.left(ctx, workspace, decision)
		if err != nil {
			return nil, err
		}
		e.Left = counted(left)
		for _, n := range left {
			done = done && n == 0
		}
	} else {
		e.Left = e.Held
	}
	if e.State = r.state(e, done); done {
		text, err := json.Marshal(tidy(e))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		e.Digest = hex.EncodeToString(sum[:])
	}
	return tidy(e), nil
}

// left counts what is still there of whom a decision names: as anybody would find it.
func (r *Rights) left(ctx context.Context, workspace string, e *control.Erased) (map[string]int64, error) {
	if err := r.Visible(ctx); err != nil {
		return nil, err
	}
	derive := ids.New(r.Keys.PRF())
	var public []schema.ProfileID
	var rows []uuid.UUID
	open := int64(0)
	for _, p := range e.Personas {
		id := derive.Public(p)
		public, rows = append(public, id), append(rows, uuid.UUID(id))
		if !r.Keys.Closed(p.Persona, p.Epoch) {
			open++
		}
	}
	left, err := r.rows(ctx, workspace, rows)
	if err != nil {
		return nil, err
	}
	left["keys"] = open
	left[countPersonas] = 0
	if len(public) > 0 {
		people, err := r.People.People(ctx, workspace, public)
		if err != nil {
			return nil, err
		}
		for _, p := range people {
			if p != nil {
				left[countPersonas]++
			}
		}
	}
	if len(e.Expired) > 0 {
		held, err := r.heldOf(ctx, workspace, e.Expired)
		if err != nil {
			return nil, err
		}
		for _, n := range held {
			left[countInteractions] += n
		}
		for _, of := range e.Expired {
			if !r.Keys.Expired(of.Class, of.Year) {
				left["secrets"]++
			}
		}
	}
	left[countLetters], err = r.letters(ctx, workspace, e.Traces, e.At)
	return left, err
}
