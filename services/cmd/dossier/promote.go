package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/pipelines/configuration"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/replay"
)

// Promotion has every reader turn from the live projections to those of a shadow. One record of the control topic decides it (schema.ControlPromotion): it names
// the place of what is live and carries the configuration, so either both change or neither does, and its position is the point of the log. The steps:
//
//  1. both sets have read the log to its end as of now, and have erased whom the control topic has as erased; else it is refused;
//  2. beside the live projections a plan is laid that makes them a shadow, "previous". What is live is no shadow, so nothing comes of it yet;
//  3. the crossing is shut: questions wait, those under way end; events are taken all the while. Both sets are closed;
//  4. the record is appended. Until it is there the old set is live, after a crash too; from then on the new one is;
//  5. the new set is opened as the live one, the way a start does, and the crossing is opened; the former is opened as the shadow.
//
// It is undone by promoting "previous", until that is discarded. Decisions are not repeated: the new set takes memberships and alerts over from the topic
// decisions (package segments, package care), and destinations their receipts. The change feed of who is who says that everything is to be read again.

// previousShadow is what the projections are called that were live before the last promotion.
const previousShadow = "previous"

const (
	crossingPatience = 3 * time.Second  // for questions under way when projections are exchanged
	decidingPatience = 30 * time.Second // for the record to be there
	openingPatience  = time.Minute      // for the other set to answer
)

// Promote has a shadow take the place of the live projections. Asked again, it says what is live.
func (s *shadows) Promote(ctx context.Context, actor, name, reason string) (out manage.Promotion, err error) {
	if err := s.possible(); err != nil {
		return out, err
	}
	defer s.change(ctx)()
	live := s.i.control.State().Live(mainWorkspace)
	if _, known := s.placeOf(name); !known && live.Shadow == name && name != "" {
		return s.promotion(), nil
	}
	one, err := s.find(name)
	if err != nil {
		return out, err
	}
	record, former, err := s.planPromotion(one, live, actor, reason)
	if err != nil {
		return out, err
	}
	if err := errors.Join(s.i.projections().visible(ctx), one.own.visible(ctx)); err != nil {
		return out, err
	}
	if err := s.erasedIn(one); err != nil {
		return out, err
	}
	if err := former.Save(s.i.placeFolder(former.Place)); err != nil {
		return out, fmt.Errorf("note what was live: %w", err)
	}
	s.i.logger.Info("a shadow is promoted", "shadow", name, "step", "noted")
	if err := s.exchange(context.WithoutCancel(ctx), one, record, former); err != nil {
		return out, err
	}
	return s.promotion(), nil
}

// Undo promotes what was live before the last promotion.
func (s *shadows) Undo(ctx context.Context, actor, reason string) (out manage.Promotion, err error) {
	if _, known := s.placeOf(previousShadow); !known && s.possible() == nil {
		return out, schema.Refuse("previous_unknown", "there is nothing to go back to", "it is kept from a promotion until 'dossier replay discard previous'")
	}
	return s.Promote(ctx, actor, previousShadow, reason)
}

// promotion is the last one.
func (s *shadows) promotion() manage.Promotion {
	live := s.i.control.State().Live(mainWorkspace)
	out := manage.Promotion{Shadow: live.Shadow, Position: live.Position, At: live.At.String(), Hash: s.i.control.State().Configuration(mainWorkspace).Hash}
	_, out.Undoable = s.placeOf(previousShadow)
	return out
}

// planPromotion says what is to be recorded, and what becomes of the live projections; or why it must not be.
func (s *shadows) planPromotion(one *shadow, live control.Live, actor, reason string) (*schema.Control, replay.Plan, error) {
	refuse := func(code, reason, hint string) (*schema.Control, replay.Plan, error) {
		return nil, replay.Plan{}, schema.Refuse(code, reason, hint)
	}
	name := one.plan.Name
	if failed := one.failed.Load(); failed != nil {
		return refuse("shadow_failed", "the shadow has failed: "+(*failed).Error(), "resume it when that is mended")
	}
	if one.gate.Paused() {
		return refuse("shadow_paused", "the shadow is paused, so it does not come to the end of the log", "resume it with 'dossier replay resume "+name+"'")
	}
	if !one.filter.Empty() {
		return refuse("shadow_partial", "the shadow is made of a part of the events: what is live shows all", "start one without from, to, types and sources")
	}
	if place, kept := s.placeOf(previousShadow); kept && place != one.plan.Place {
		return refuse("previous_kept", "what was live before the last promotion is still kept", "'dossier replay discard previous', or undo that promotion first")
	}
	state := s.i.control.State()
	inForce := state.Configuration(mainWorkspace)
	document, err := s.succeeding(one.plan, inForce)
	if err != nil {
		return nil, replay.Plan{}, err
	}
	former := replay.Plan{
		Name: previousShadow, Place: live.Place, Created: schema.InstantOf(time.Now()).String(), Actor: actor, Configuration: inForce.Document, Base: document.Hash, Follow: s.enacted(),
	}
	if len(former.Configuration) == 0 {
		former.Configuration = json.RawMessage(configuration.Default())
	}
	promotion := &schema.ControlPromotion{Place: one.plan.Place, Former: live.Place, Shadow: name, Follow: one.plan.Follow, Own: one.plan.Own}
	if name == previousShadow { // what was promoted is the shadow again that it was
		promotion.Shadow, former.Name = "", live.Shadow
	}
	return &schema.Control{
		ID: uuid.NewString(), Kind: schema.ControlProjectionsPromoted, Workspace: mainWorkspace, Actor: actor, Reason: reason, Configuration: document, Promotion: promotion,
	}, former, nil
}

// lateSections are the parts of a configuration that may have changed since a shadow was made: what it has kept does not depend on them.
var lateSections = []string{"destinations", "segments"}

// succeeding is the configuration that is in force once a shadow is live: its own, with what was changed meanwhile of segments and destinations.
func (s *shadows) succeeding(plan replay.Plan, inForce control.Configuration) (*schema.ControlConfiguration, error) {
	document := plan.Configuration
	if inForce.Hash != plan.Base {
		base := []byte(configuration.Default())
		for _, change := range s.i.control.State().Changes(mainWorkspace) {
			if change.Hash == plan.Base {
				base = change.Document
			}
		}
		merged, err := laterSections(base, inForce.Document, document)
		if err != nil {
			return nil, err
		}
		document = merged
	}
	hash, canonical, err := checkConfiguration(document)
	if err != nil {
		return nil, err
	}
	if inForce.Hash == "" { // nobody has ever changed it
		if never, _, err := checkConfiguration(configuration.Default()); err == nil && never == hash {
			hash = ""
		}
	}
	return &schema.ControlConfiguration{Document: canonical, Hash: hash, Base: inForce.Hash}, nil
}

// laterSections puts the late sections that were changed from base to inForce into a document that was made of base.
func laterSections(base, inForce, document json.RawMessage) (json.RawMessage, error) {
	var was, is, own map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(base, &was), json.Unmarshal(inForce, &is), json.Unmarshal(document, &own)); err != nil {
		return nil, fmt.Errorf("compare configurations: %w", err) // Unreachable: each was checked before it was in force
	}
	names := slices.Concat(slices.Collect(maps.Keys(was)), slices.Collect(maps.Keys(is)))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if string(was[name]) == string(is[name]) {
			continue
		}
		if !slices.Contains(lateSections, name) || string(own[name]) != string(was[name]) {
			return nil, schema.Refuse("shadow_stale", "the section "+name+" of the configuration was changed since the shadow was made", "start another one, which has that change")
		}
		if own[name] = is[name]; is[name] == nil {
			delete(own, name)
		}
	}
	return json.Marshal(own)
}

// erasedIn refuses while somebody is not erased yet in a shadow: the proof of an erasure names the stores that there were.
func (s *shadows) erasedIn(one *shadow) error {
	state := s.i.control.State()
	decided := len(state.Erased(mainWorkspace))
	for _, of := range []*eraser{one.own.identityErased, one.own.timelineErased, one.own.careErased, one.own.segmentsErased} {
		if decided == 0 {
			return nil
		}
		store, err := of.purger.name()
		if err != nil || state.HonouredBy(mainWorkspace, of.purger.role, store) < decided {
			return schema.Refuse("erasure_running", "somebody is being erased, and the shadow has not done so yet", "ask again: 'dossier replay promote' carries on")
		}
	}
	return nil
}

// exchange closes the live projections and a shadow, decides, and opens each in the place of the other. After an error what was live is live.
func (s *shadows) exchange(ctx context.Context, one *shadow, record *schema.Control, former replay.Plan) error {
	i, begun := s.i, time.Now()
	step := func(name string) {
		i.logger.Info("a shadow is promoted", "shadow", one.plan.Name, "step", name, "ms", time.Since(begun).Milliseconds())
	}
	if !i.crossing.shut(crossingPatience) {
		return schema.Refuse("projections_busy", "a question that was asked before does not end", "ask again; what was live is live")
	}
	step("shut")
	if err := s.erasedIn(one); err != nil { // decided in the last moment
		i.crossing.unlock(nil)
		return err
	}
	old := i.live.Swap(nil)
	erased := min(old.erasedBy(), one.own.erasedBy())
	if err := errors.Join(s.away(ctx, one), old.closeSet(ctx)); err != nil {
		i.logger.Warn("projections were closed with an error", "error", err)
	}
	step("closed")
	decided := s.decide(ctx, record)
	if decided == nil {
		step("decided")
	}
	if err := i.configuration.refresh(); err != nil {
		return s.fail(err)
	}
	// Whatever was decided, also by somebody else or unknown to us: the control topic says what is live.
	live := i.control.State().Live(mainWorkspace)
	opening, cancel := context.WithTimeout(ctx, openingPatience)
	defer cancel()
	i.seeded = erased
	defer func() { i.seeded = 0 }()
	if err := i.openLive(opening, live); err != nil {
		return s.fail(err)
	}
	if err := until(opening, 5*time.Millisecond, func() bool { ok, _ := i.whyNotReady(); return ok || i.run.Err() != nil }); err != nil {
		return s.fail(err)
	}
	step("opened")
	beside := one.plan
	if decided == nil {
		beside = former
		s.mu.Lock()
		delete(s.known, one.plan.Name)
		s.known[former.Name] = former.Place
		s.mu.Unlock()
	}
	front, _ := i.live.Load().front()
	i.crossing.unlock(front)
	step("live")
	if err := replay.ForgetPlan(i.placeFolder(live.Place)); err != nil {
		i.logger.Warn("the plan of what is live by now stays", "error", err)
	}
	if err := s.open(ctx, beside); err != nil {
		i.logger.Error("a shadow cannot be carried on with: discard it", "shadow", beside.Name, "error", err)
	}
	step("kept")
	return decided
}

// erasedBy is how many erasures of the control topic every role of a set has honoured.
func (i *installation) erasedBy() int64 {
	return min(i.identityErased.done.Load(), i.timelineErased.done.Load(), i.careErased.done.Load(), i.segmentsErased.done.Load())
}

// away closes a shadow without forgetting it.
func (s *shadows) away(ctx context.Context, one *shadow) error {
	s.mu.Lock()
	delete(s.all, one.plan.Name)
	s.mu.Unlock()
	return one.close(ctx)
}

// decide appends the record that decides. An error says that it is refused, or that nobody knows yet; followLive ends the process if it turns up later.
func (s *shadows) decide(ctx context.Context, record *schema.Control) error {
	deciding, cancel := context.WithTimeout(ctx, decidingPatience)
	defer cancel()
	for {
		err := s.i.control.Append(deciding, record) // the same id each time
		if refused := (*control.ErrRefused)(nil); errors.As(err, &refused) {
			return schema.Refuse("shadow_stale", "the configuration, or what is live, has changed meanwhile: "+refused.Reason, "ask again; what was live is live")
		}
		if err == nil || deciding.Err() != nil {
			return err
		}
		s.i.logger.Warn("a promotion cannot be recorded", "error", err)
		select {
		case <-deciding.Done():
			return fmt.Errorf("record the promotion: %w; what was live is live", err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// fail ends the process, with nothing live: a start reads from the control topic what is.
func (s *shadows) fail(err error) error {
	err = fmt.Errorf("open the projections that are live now: %w", err)
	s.i.group.Go(func() error { return err })
	return err
}

// followLive ends the process when a promotion turns up that it did not see through: the next start has what was decided.
func (s *shadows) followLive() error {
	i := s.i
	for {
		changed := i.control.Changed()
		if p := i.live.Load(); p != nil && p.promoted != i.control.State().Live(mainWorkspace).Position {
			s.changing.Lock() // a promotion under way sees to it itself
			p = i.live.Load()
			late := p != nil && p.promoted != i.control.State().Live(mainWorkspace).Position
			s.changing.Unlock()
			if late {
				return schema.Classify(schema.Fatal, errors.New("a promotion was decided that this process had given up: start it again"))
			}
		}
		select {
		case <-i.run.Done():
			return nil
		case <-changed:
		}
	}
}
