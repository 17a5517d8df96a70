package graphql

import (
	"context"
	"encoding/json"
	"math"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
)

// noSegments is the answer where no backend knows of segments.
func (r *resolver) segments() (Segments, error) {
	if r.backends.Segments == nil {
		return nil, &Error{Code: CodeNotAvailable, Message: "segments are not kept here", Hint: "start a process with the role segments"}
	}
	return r.backends.Segments, nil
}

// Segments resolves Query.segments.
func (r *resolver) Segments(ctx context.Context, args struct{ Archived *bool }) ([]*segmentNode, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	segments, err := r.segments()
	if err != nil {
		return nil, err
	}
	list, err := segments.List(ctx, c.Workspace)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	out := []*segmentNode{}
	for i := range list {
		if !list[i].Archived || args.Archived != nil && *args.Archived {
			out = append(out, &segmentNode{r, c, list[i]})
		}
	}
	return out, nil
}

// Segment resolves Query.segment.
func (r *resolver) Segment(ctx context.Context, args struct{ Name string }) (*segmentNode, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	segments, err := r.segments()
	if err != nil {
		return nil, err
	}
	list, err := segments.List(ctx, c.Workspace)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	for i := range list {
		if list[i].Name == args.Name {
			return &segmentNode{r, c, list[i]}, nil
		}
	}
	return nil, nil
}

type segmentNode struct {
	root   *resolver
	caller Caller
	s      SegmentLine
}

func (s *segmentNode) Name() string         { return s.s.Name }
func (s *segmentNode) Title() *string       { return optional(s.s.Title) }
func (s *segmentNode) Description() *string { return optional(s.s.Description) }
func (s *segmentNode) Owner() *string       { return optional(s.s.Owner) }
func (s *segmentNode) Zone() string         { return s.s.Location().String() }
func (s *segmentNode) Archived() bool       { return s.s.Archived }
func (s *segmentNode) Version() string      { return s.s.Version }
func (s *segmentNode) Definition() jsonValue {
	return jsonValue{s.s.Source}
}

func (s *segmentNode) Sentence(args struct{ Language *string }) (string, error) {
	language, err := languageOf(args.Language)
	return s.s.Sentence(language), err
}

func languageOf(language *string) (string, error) {
	switch plain(language) {
	case "", "en":
		return "en", nil
	case "fr":
		return "fr", nil
	}
	return "en", badInput("language is en or fr")
}

// Versions resolves Segment.versions, latest first.
func (s *segmentNode) Versions() []*segmentVersion {
	out := []*segmentVersion{}
	for i := len(s.s.Versions) - 1; i >= 0; i-- {
		out = append(out, &segmentVersion{s.s.Versions[i], int32(i + 1)})
	}
	return out
}

type segmentVersion struct {
	v      SegmentVersion
	number int32
}

func (v *segmentVersion) Number() int32          { return v.number }
func (v *segmentVersion) At() timeValue          { return timeOf(v.v.At) }
func (v *segmentVersion) Actor() string          { return v.v.Actor }
func (v *segmentVersion) Reason() *string        { return optional(v.v.Reason) }
func (v *segmentVersion) Definition() *jsonValue { return optionalJSON(v.v.Definition) }

// Count resolves Segment.count.
func (s *segmentNode) Count(ctx context.Context, args struct{ At *timeValue }) (int32, error) {
	at, err := args.At.instant()
	if err != nil {
		return 0, err
	}
	if err := query(ctx, 1); err != nil {
		return 0, err
	}
	n, err := s.root.backends.Segments.Count(ctx, s.caller.Workspace, s.s.Name, at)
	return counted(n), s.root.answer(ctx, err)
}

func counted(n uint64) int32 { return int32(min(n, math.MaxInt32)) }

// Members resolves Segment.members.
func (s *segmentNode) Members(ctx context.Context, args struct {
	First *int32
	After *string
	At    *timeValue
}) ([]gql.ID, error) {
	first, err := pageSize(args.First)
	if err != nil {
		return nil, err
	}
	at, err := args.At.instant()
	if err != nil {
		return nil, err
	}
	var after schema.ProfileID
	if args.After != nil {
		if after, err = profileIDOf(gql.ID(*args.After)); err != nil {
			return nil, err
		}
	}
	if err := query(ctx, first); err != nil {
		return nil, err
	}
	ids, err := s.root.backends.Segments.Members(ctx, s.caller.Workspace, s.s.Name, at, after, first)
	if err != nil {
		return nil, s.root.answer(ctx, err)
	}
	out := []gql.ID{}
	for _, id := range ids {
		out = append(out, gqlID(id))
	}
	return out, nil
}

// Changes resolves Segment.changes.
func (s *segmentNode) Changes(ctx context.Context, args struct {
	First   *int32
	Until   *timeValue
	Profile *gql.ID
}) ([]*segmentChange, error) {
	first, err := pageSize(args.First)
	if err != nil {
		return nil, err
	}
	until, err := args.Until.instant()
	if err != nil {
		return nil, err
	}
	var profile schema.ProfileID
	if args.Profile != nil {
		if profile, err = profileIDOf(*args.Profile); err != nil {
			return nil, err
		}
	}
	if err := query(ctx, first); err != nil {
		return nil, err
	}
	list, err := s.root.backends.Segments.Changes(ctx, s.caller.Workspace, s.s.Name, profile, until, first)
	if err != nil {
		return nil, s.root.answer(ctx, err)
	}
	out := []*segmentChange{}
	for i := range list {
		out = append(out, &segmentChange{list[i]})
	}
	return out, nil
}

// Was resolves Segment.was: by the latest change until then.
func (s *segmentNode) Was(ctx context.Context, args struct {
	Profile gql.ID
	At      timeValue
}) (bool, error) {
	if args.At.fault != nil {
		return false, args.At.fault
	}
	id, err := profileIDOf(args.Profile)
	if err != nil {
		return false, err
	}
	if err := query(ctx, 1); err != nil {
		return false, err
	}
	list, err := s.root.backends.Segments.Changes(ctx, s.caller.Workspace, s.s.Name, id, args.At.Instant, 1)
	return len(list) == 1 && list[0].Entered, s.root.answer(ctx, err)
}

type segmentChange struct{ c SegmentChange }

func (c *segmentChange) ID() gql.ID      { return gqlID(c.c.ID) }
func (c *segmentChange) Segment() string { return c.c.Segment }
func (c *segmentChange) Profile() gql.ID { return gqlID(c.c.Profile) }
func (c *segmentChange) At() timeValue   { return timeOf(c.c.At) }
func (c *segmentChange) Entered() bool   { return c.c.Entered }
func (c *segmentChange) Version() *string {
	return optional(c.c.Definition)
}
func (c *segmentChange) Cause() string { return c.c.Cause }
func (c *segmentChange) Event() *gql.ID {
	if c.c.Event.IsZero() {
		return nil
	}
	id := gqlID(c.c.Event)
	return &id
}
func (c *segmentChange) Now() *gql.ID {
	if c.c.Other.IsZero() {
		return nil
	}
	id := gqlID(c.c.Other)
	return &id
}

// Explain resolves Segment.explain.
func (s *segmentNode) Explain(ctx context.Context, args struct {
	Profile  gql.ID
	At       *timeValue
	Language *string
}) (*segmentExplanation, error) {
	id, err := profileIDOf(args.Profile)
	if err != nil {
		return nil, err
	}
	at, err := args.At.instant()
	if err != nil {
		return nil, err
	}
	language, err := languageOf(args.Language)
	if err != nil {
		return nil, err
	}
	if err := query(ctx, 1); err != nil {
		return nil, err
	}
	e, err := s.root.backends.Segments.Explain(ctx, s.caller.Workspace, s.s.Name, id, at, language)
	if err != nil || e == nil {
		return nil, s.root.answer(ctx, err)
	}
	return &segmentExplanation{e, veilOf(s.caller)}, nil
}

type segmentExplanation struct {
	e    *Explained
	veil veil
}

func (e *segmentExplanation) Profile() gql.ID  { return gqlID(e.e.Profile) }
func (e *segmentExplanation) Member() bool     { return e.e.Member }
func (e *segmentExplanation) At() timeValue    { return timeOf(e.e.At) }
func (e *segmentExplanation) Next() *timeValue { return optionalTime(e.e.Next) }
func (e *segmentExplanation) Conditions() []*segmentCondition {
	out := []*segmentCondition{}
	for i := range e.e.Reasons {
		out = append(out, &segmentCondition{&e.e.Reasons[i], e.veil})
	}
	return out
}

type segmentCondition struct {
	r    *segment.Reason
	veil veil
}

func (c *segmentCondition) Sentence() string { return c.r.Sentence }
func (c *segmentCondition) Met() bool        { return c.r.Met }
func (c *segmentCondition) Exclude() bool    { return c.r.Exclude }

// Found resolves SegmentCondition.found.
func (c *segmentCondition) Found() *string {
	if c.r.Found == "" || len(c.r.Events) == 0 && bool(c.veil) {
		return nil
	}
	return &c.r.Found
}

func (c *segmentCondition) Events() []gql.ID {
	out := []gql.ID{}
	for _, id := range c.r.Events {
		if len(out) == 100 {
			break
		}
		out = append(out, gqlID(id))
	}
	return out
}

// PreviewSegment resolves Query.previewSegment.
func (r *resolver) PreviewSegment(ctx context.Context, args struct {
	Name       *string
	Definition *jsonValue
	At         *timeValue
	Sample     *int32
	Changes    *bool
	Reach      *bool
	Overlaps   *bool
}) (*segmentPreview, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	segments, err := r.segments()
	if err != nil {
		return nil, err
	}
	name := plain(args.Name)
	var definition json.RawMessage
	if args.Definition != nil {
		definition = args.Definition.raw
		if name == "" {
			name = "preview"
		}
	} else if name == "" {
		return nil, badInput("give a definition, or the name of a segment")
	}
	at, err := args.At.instant()
	if err != nil {
		return nil, err
	}
	yes := func(b *bool) bool { return b != nil && *b }
	w := PreviewWanted{Changes: yes(args.Changes), Reach: yes(args.Reach), Overlaps: yes(args.Overlaps)}
	if args.Sample != nil {
		if w.Sample = int(*args.Sample); w.Sample < 0 || w.Sample > 100 {
			return nil, badInput("sample is 0 to 100")
		}
	}
	if err := query(ctx, 1); err != nil {
		return nil, err
	}
	p, err := segments.Preview(ctx, c.Workspace, name, definition, at, w)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return &segmentPreview{r, c, p}, nil
}

type segmentPreview struct {
	root   *resolver
	caller Caller
	p      Preview
}

func (p *segmentPreview) At() timeValue   { return timeOf(p.p.At) }
func (p *segmentPreview) Count() int32    { return counted(p.p.Count) }
func (p *segmentPreview) People() int32   { return counted(p.p.People) }
func (p *segmentPreview) Entering() int32 { return counted(p.p.Entering) }
func (p *segmentPreview) Leaving() int32  { return counted(p.p.Leaving) }
func (p *segmentPreview) Sentence(args struct{ Language *string }) (string, error) {
	language, err := languageOf(args.Language)
	return p.p.Segment.Sentence(language), err
}

// Warnings resolves SegmentPreview.warnings.
func (p *segmentPreview) Warnings() []string {
	out := []string{}
	if p.p.Unscored {
		out = append(out, "it asks for a score, and nobody has one: make a snapshot with 'dossier value snapshot' first")
	}
	switch {
	case p.p.Count == 0:
		out = append(out, "nobody is in it")
	case p.p.People > 20 && p.p.Count*100 >= p.p.People*95:
		out = append(out, "nearly everybody is in it")
	case p.p.People > 2000 && p.p.Count*1000 < p.p.People:
		out = append(out, "hardly anybody is in it")
	}
	return out
}

func (p *segmentPreview) Sample() []gql.ID {
	out := []gql.ID{}
	for _, id := range p.p.Sample {
		out = append(out, gqlID(id))
	}
	return out
}

func (p *segmentPreview) Reach() []*segmentReach {
	out := []*segmentReach{}
	for _, x := range p.p.Reach {
		out = append(out, &segmentReach{x.Purpose, x.Channel, counted(x.People)})
	}
	return out
}

func (p *segmentPreview) Overlaps() []*segmentOverlap {
	out := []*segmentOverlap{}
	for _, x := range p.p.Overlaps {
		out = append(out, &segmentOverlap{x.Segment, counted(x.People)})
	}
	return out
}

type segmentReach struct {
	Purpose, Channel string
	People           int32
}

type segmentOverlap struct {
	Segment string
	People  int32
}

// SaveSegment resolves Mutation.saveSegment.
func (r *resolver) SaveSegment(ctx context.Context, args struct {
	Name           string
	Definition     jsonValue
	Reason         string
	IdempotencyKey string
}) (*segmentNode, error) {
	c, err := need(ctx, scopeMarketing)
	if err != nil {
		return nil, err
	}
	if err := (reasoned{args.Reason, args.IdempotencyKey}).check(); err != nil {
		return nil, err
	}
	segments, err := r.segments()
	if err != nil {
		return nil, err
	}
	line, err := segments.Save(ctx, c, strings.TrimSpace(args.Name), args.Definition.raw, args.Reason, args.IdempotencyKey)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return &segmentNode{r, c, line}, nil
}
