package graphql

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/pipelines/care/stat"
	"github.com/dossier-cdp/dossier/schema"
)

// MetricRowsPath is where the rows of figures are served whole.
const MetricRowsPath = "/v1/metrics/"

type measureArgs struct{ Of *metricInput }

type metricInput struct {
	From, To, Now, AsOf, KnownAt            *timeValue
	Reading                                 *string
	By                                      *[]string
	Where                                   *[]metricCondition
	Channels, Teams, Brands, Themes, Stores *[]string
	Profiles                                *[]gql.ID
	Identifiers                             *[]identifierInput
	Segments                                *[]string
	Answers                                 *string
	OpenHours                               *bool
	Zone                                    *string
	Within, WindowDays                      *int32
	Currency                                *string
	Budget                                  *float64
	Priors                                  *[]metricPriorInput
}

type metricPriorInput struct {
	Name  string
	Value float64
}

type metricCondition struct {
	Dimension string
	Values    []string
}

// query reads what was asked for. Whom the ids mean now is asked of identity.
func (m *metrics) query(ctx context.Context, in *metricInput) (q metric.Query, err error) {
	q.Workspace = m.workspace
	if in == nil {
		return q, nil
	}
	for _, t := range []struct {
		from *timeValue
		to   *schema.Instant
	}{{in.From, &q.From}, {in.To, &q.To}, {in.Now, &q.Now}, {in.AsOf, &q.AsOf}, {in.KnownAt, &q.KnownAt}} {
		if *t.to, err = t.from.instant(); err != nil {
			return q, err
		}
	}
	if q.AsOf != 0 && q.Now == 0 {
		q.Now = q.AsOf
	}
	if q.KnownAt != 0 && q.Now == 0 {
		q.Now = q.KnownAt
	}
	if in.Reading != nil {
		q.Reading = map[string]metric.Reading{"EVENT_DATE": metric.EventDate, "COHORT": metric.Cohort}[*in.Reading]
	}
	if in.By != nil {
		for _, by := range *in.By {
			q.By = append(q.By, metric.Dimension(by))
		}
	}
	add := func(d metric.Dimension, values []string) {
		if q.Where == nil {
			q.Where = map[metric.Dimension][]string{}
		}
		if _, twice := q.Where[d]; twice {
			err = badInput("%s is filtered twice: give all its values at once", d)
		}
		q.Where[d] = values
	}
	if in.Where != nil {
		for _, c := range *in.Where {
			add(metric.Dimension(c.Dimension), c.Values)
		}
	}
	for d, values := range map[metric.Dimension]*[]string{metric.Channel: in.Channels, metric.Team: in.Teams, metric.Brand: in.Brands, metric.Theme: in.Themes, metric.Store: in.Stores} {
		if values != nil {
			add(d, *values)
		}
	}
	if err != nil {
		return q, err
	}
	q.Latest = in.Answers != nil && *in.Answers == "LATEST"
	q.OpenHours = in.OpenHours != nil && *in.OpenHours
	if in.Zone != nil {
		q.Zone = *in.Zone
	}
	if in.Within != nil {
		if q.Within = int64(*in.Within) * 1_000_000; q.Within <= 0 {
			return q, badInput("within is from 1 second to 24 hours")
		}
	}
	if in.WindowDays != nil {
		if q.Window = int64(*in.WindowDays) * 86_400_000_000; q.Window <= 0 {
			return q, badInput("windowDays is from 1 to 30")
		}
	}
	if in.Currency != nil {
		q.Currency = *in.Currency
	}
	if in.Budget != nil {
		q.Budget = *in.Budget
	}
	if in.Priors != nil {
		q.Priors = map[string]float64{}
		for _, p := range *in.Priors {
			if _, twice := q.Priors[p.Name]; twice {
				return q, badInput("the prior %s is given twice", p.Name)
			}
			q.Priors[p.Name] = p.Value
		}
	}
	if in.Segments != nil {
		if q.Segments, err = m.segments(ctx, *in.Segments); err != nil {
			return q, err
		}
	}
	if in.Profiles != nil || in.Identifiers != nil {
		q.Profiles, err = m.holders(ctx, in.Profiles, in.Identifiers)
	}
	return q, err
}

// recalls counts a past that the operation asks for, once for each instant: the log is read for it.
func (m *metrics) recalls(ctx context.Context, q metric.Query) error {
	if q.KnownAt == 0 {
		return nil
	}
	_, err := once(&operationOf(ctx).reads, fmt.Sprintf("metrics known at %d", q.KnownAt), func() (struct{}, error) { return struct{}{}, spend(ctx, pastCost) })
	return err
}

// segments refuses names of segments that there are not: nobody is in them, and a figure of nobody looks like an answer.
func (m *metrics) segments(ctx context.Context, names []string) ([]string, error) {
	segments, err := m.root.segments()
	if err != nil {
		return nil, err
	}
	list, err := segments.List(ctx, m.workspace)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(list, func(s SegmentLine) bool { return s.Name == name }) {
			return nil, badInput("there is no segment %q", name)
		}
	}
	return append([]string{}, names...), nil
}

// holders gives the profiles that hold ids now, and all owners of identifiers, each once. An identifier that nobody has adds nobody.
func (m *metrics) holders(ctx context.Context, ids *[]gql.ID, identifiers *[]identifierInput) ([]schema.ProfileID, error) {
	var asked []schema.ProfileID
	if ids != nil {
		for _, id := range *ids {
			profile, err := profileIDOf(id)
			if err != nil {
				return nil, err
			}
			asked = append(asked, profile)
		}
	}
	if n := len(asked); identifiers != nil && n+len(*identifiers) > MaxIDs || n > MaxIDs {
		return nil, badInput("at most %d ids and identifiers at once", MaxIDs)
	}
	if identifiers != nil {
		for _, i := range *identifiers {
			owners, err := m.root.owners(ctx, m.workspace, i)
			if err != nil {
				return nil, err
			}
			asked = append(asked, owners...)
		}
	}
	people, err := m.root.people(ctx, m.workspace, asked)
	if err != nil {
		return nil, err
	}
	out := []schema.ProfileID{}
	for _, p := range people {
		out = append(out, p.ID)
	}
	slices.SortFunc(out, schema.ProfileID.Compare)
	return slices.Compact(out), nil
}

// Metric resolves Metrics.metric.
func (m *metrics) Metric(ctx context.Context, args struct {
	Name string
	Of   *metricInput
}) (*measure, error) {
	return m.measure(ctx, args.Name, measureArgs{args.Of})
}

// measure asks for a figure. The same figure under two aliases is counted once.
func (m *metrics) measure(ctx context.Context, name string, args measureArgs) (*measure, error) {
	d, ok := metric.Find(name)
	if !ok {
		return nil, &Error{Code: CodeBadInput, Message: "there is no metric of this name", Hint: "metrics { catalogue { name } } lists them"}
	}
	q, err := m.query(ctx, args.Of)
	if err != nil {
		return nil, m.root.answer(ctx, err)
	}
	a, err := once(&operationOf(ctx).reads, fmt.Sprintf("metric %s %v", name, q), func() (metric.Answer, error) {
		for range figureQueries {
			if err := query(ctx, 0); err != nil {
				return metric.Answer{}, err
			}
		}
		if err := m.recalls(ctx, q); err != nil {
			return metric.Answer{}, err
		}
		return m.root.backends.Measures.Figure(ctx, name, q)
	})
	if err != nil {
		return nil, m.root.answer(ctx, err)
	}
	q.Now = a.Now // the rows are those of the figure
	return &measure{m, d, q, &a, &a.Whole, true}, nil
}

// Catalogue resolves Metrics.catalogue.
func (m *metrics) Catalogue(args languageArgs) ([]*metricDefinition, error) {
	if err := args.check(); err != nil {
		return nil, err
	}
	var out []*metricDefinition
	for _, d := range metric.Catalogue() {
		out = append(out, &metricDefinition{d, args.Language})
	}
	return out, nil
}

type languageArgs struct{ Language string }

func (a languageArgs) check() error {
	if a.Language != "fr" && a.Language != "en" {
		return badInput("language is fr or en")
	}
	return nil
}

func in(language string, t metric.Text) string {
	if language == "fr" {
		return t.FR
	}
	return t.EN
}

// measure is a figure with what was asked for.
type measure struct {
	metrics    *metrics
	definition metric.Definition
	query      metric.Query
	answer     *metric.Answer
	figure     *metric.Figure
	whole      bool
}

func (m *measure) Name() string       { return m.definition.Name }
func (m *measure) Unit() string       { return string(m.definition.Unit) }
func (m *measure) Value() *float64    { return metric.Bound(m.figure.Value) }
func (m *measure) Low() *float64      { return metric.Bound(m.figure.Low) }
func (m *measure) High() *float64     { return metric.Bound(m.figure.High) }
func (m *measure) N() int32           { return int32(m.figure.N) }
func (m *measure) People() int32      { return int32(m.figure.People) }
func (m *measure) Denominator() int32 { return int32(m.figure.Denominator) }
func (m *measure) Open() int32        { return int32(m.figure.Open) }
func (m *measure) NotReached() bool   { return m.figure.NotReached }
func (m *measure) Suppressed() bool   { return m.figure.Suppressed }

// Place resolves Metric.place.
func (m *measure) Place() *int32 {
	if m.figure.Place == 0 {
		return nil
	}
	place := int32(m.figure.Place)
	return &place
}

// Numerator resolves Metric.numerator.
func (m *measure) Numerator() *float64 {
	if m.figure.Numerator == nil {
		return nil
	}
	x, _ := m.figure.Numerator.Float64()
	return &x
}

// Parts resolves Metric.parts.
func (m *measure) Parts() []*metricPart {
	out := make([]*metricPart, len(m.figure.Parts))
	for i, p := range m.figure.Parts {
		out[i] = &metricPart{p.Name, metric.Bound(p.Value), metric.Bound(p.Low), metric.Bound(p.High), int32(p.N)}
	}
	return out
}

type metricPart struct {
	Name             string
	Value, Low, High *float64
	N                int32
}

// Exclusions resolves Metric.exclusions.
func (m *measure) Exclusions() []*metricExclusion {
	out := make([]*metricExclusion, len(m.figure.Exclusions))
	for i, e := range m.figure.Exclusions {
		out[i] = &metricExclusion{e}
	}
	return out
}

type metricExclusion struct{ exclusion metric.Exclusion }

func (e *metricExclusion) Reason() string { return e.exclusion.Reason }
func (e *metricExclusion) N() int32       { return int32(e.exclusion.N) }

// Text resolves MetricExclusion.text.
func (e *metricExclusion) Text(args languageArgs) (string, error) {
	return in(args.Language, metric.Reason(e.exclusion.Reason)), args.check()
}

// Keys resolves Metric.keys.
func (m *measure) Keys() []metricKey {
	out := make([]metricKey, len(m.figure.Keys))
	for i, value := range m.figure.Keys {
		out[i] = metricKey{m.metrics, string(m.query.By[i]), value}
	}
	return out
}

type metricKey struct {
	metrics          *metrics
	Dimension, Value string
}

// Title resolves MetricKey.title: that of a theme of the tree, else the value.
func (k metricKey) Title(args struct{ Language *string }) string {
	if k.Dimension == string(metric.Said) {
		return k.metrics.themeTitle(k.Value, args.Language)
	}
	return k.Value
}

// Groups resolves Metric.groups; a group has none.
func (m *measure) Groups() []*measure {
	out := []*measure{}
	if m.whole {
		for i := range m.answer.Groups {
			out = append(out, &measure{m.metrics, m.definition, m.query, m.answer, &m.answer.Groups[i], false})
		}
	}
	return out
}

// Versions resolves Metric.versions.
func (m *measure) Versions() []metricVersion {
	out := make([]metricVersion, len(m.answer.Versions))
	for i, v := range m.answer.Versions {
		out[i] = metricVersion(v)
	}
	return out
}

type metricVersion struct{ Name, Value string }

// Definition resolves Metric.definition.
func (m *measure) Definition(args languageArgs) (*metricDefinition, error) {
	return &metricDefinition{m.definition, args.Language}, args.check()
}

// Explain resolves Metric.explain.
func (m *measure) Explain(args languageArgs) (*metricExplanation, error) {
	return &metricExplanation{m}, args.check()
}

type metricDefinition struct {
	definition metric.Definition
	language   string
}

func (d *metricDefinition) Name() string       { return d.definition.Name }
func (d *metricDefinition) Group() string      { return d.definition.Group }
func (d *metricDefinition) Title() string      { return in(d.language, d.definition.Title) }
func (d *metricDefinition) Is() string         { return in(d.language, d.definition.Is) }
func (d *metricDefinition) For() string        { return in(d.language, d.definition.For) }
func (d *metricDefinition) NotFor() string     { return in(d.language, d.definition.NotFor) }
func (d *metricDefinition) Unit() string       { return string(d.definition.Unit) }
func (d *metricDefinition) Formula() string    { return d.definition.Formula }
func (d *metricDefinition) Source() string     { return d.definition.Source }
func (d *metricDefinition) OpenHours() bool    { return d.definition.HasOpenHours() }
func (d *metricDefinition) LessIsBetter() bool { return d.definition.Lower }
func (d *metricDefinition) Version() int32     { return int32(d.definition.Version) }
func (d *metricDefinition) Reading() string    { return readingOf(d.definition, metric.Query{}) }

// Dimensions resolves MetricDefinition.dimensions.
func (d *metricDefinition) Dimensions() []string {
	var out []string
	for _, by := range d.definition.Dimensions() {
		out = append(out, string(by))
	}
	return out
}

// Priors resolves MetricDefinition.priors.
func (d *metricDefinition) Priors() []metricPrior {
	out := []metricPrior{}
	for _, p := range d.definition.Priors {
		out = append(out, metricPrior{p.Name, p.Value, p.Low, p.High, in(d.language, p.Of), p.Source})
	}
	return out
}

type metricPrior struct {
	Name             string
	Value, Low, High float64
	Is, Source       string
}

func readingOf(d metric.Definition, q metric.Query) string {
	if q.InForce(d) == metric.Cohort {
		return "COHORT"
	}
	return "EVENT_DATE"
}

type metricExplanation struct{ of *measure }

func (e *metricExplanation) Formula() string { return e.of.definition.Formula }
func (e *metricExplanation) Source() string  { return e.of.definition.Source }
func (e *metricExplanation) Reading() string { return readingOf(e.of.definition, e.of.query) }

// own is the query of the figure's own rows: those of the group, if it is one.
func (e *metricExplanation) own() metric.Query {
	q := e.of.query
	if !e.of.whole {
		q.Keys = e.of.figure.Keys
	}
	return q
}

// Filters resolves MetricExplanation.filters.
func (e *metricExplanation) Filters() (jsonValue, error) {
	out := map[string]any{}
	for name, values := range e.own().Values() {
		out[name] = values
		if len(values) == 1 {
			out[name] = values[0]
		}
	}
	out["level"] = strconv.FormatFloat(stat.Level, 'g', -1, 64)
	raw, err := json.Marshal(out)
	return jsonValue{raw}, err
}

// RowsPath resolves MetricExplanation.rowsPath.
func (e *metricExplanation) RowsPath() *string {
	if e.of.definition.Employee {
		return nil
	}
	path := MetricRowsPath + url.PathEscape(e.of.definition.Name) + "?" + e.own().Values().Encode()
	return &path
}

// Rows resolves MetricExplanation.rows.
func (e *metricExplanation) Rows(ctx context.Context, args struct {
	First *int32
	After *string
}) (*metricRowConnection, error) {
	first, err := pageSize(args.First)
	if err != nil {
		return nil, err
	}
	var after *metric.After
	if args.After != nil {
		parts, err := decodeCursor(*args.After, 2)
		if err != nil {
			return nil, err
		}
		at, err1 := strconv.ParseInt(parts[0], 10, 64)
		id, err2 := strconv.ParseInt(parts[1], 10, 64)
		if err1 != nil || err2 != nil || id < 0 {
			return nil, badInput("this cursor was not handed out here")
		}
		after = &metric.After{At: schema.Instant(at), Skip: id}
	}
	root := e.of.metrics.root
	if err := query(ctx, max(first, MaxFirst)); err != nil { // so that no operation asks for the rows of very many groups
		return nil, err
	}
	rows, more, err := root.backends.Measures.Rows(ctx, e.of.definition.Name, e.own(), after, first)
	if err != nil {
		return nil, root.answer(ctx, err)
	}
	c := &metricRowConnection{PageInfo: pageInfo{HasNextPage: more, HasPreviousPage: after != nil}}
	// A conversation gives several replies, so a row is found again by its time and its place among those of that time.
	place := metric.After{}
	if after != nil {
		place = *after
	}
	for _, r := range rows {
		if r.At != place.At {
			place = metric.After{At: r.At}
		}
		place.Skip++
		c.Edges = append(c.Edges, &metricRowEdge{&metricRow{r}, encodeCursor(fmt.Sprint(int64(place.At)), fmt.Sprint(place.Skip))})
	}
	if n := len(c.Edges); n > 0 {
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &c.Edges[0].Cursor, &c.Edges[n-1].Cursor
	}
	return c, nil
}

type metricRowConnection struct {
	Edges    []*metricRowEdge
	PageInfo pageInfo
}

type metricRowEdge struct {
	Node   *metricRow
	Cursor string
}

type metricRow struct{ row metric.Row }

func (r *metricRow) ID() gql.ID      { return gqlID(r.row.ID) }
func (r *metricRow) Event() gql.ID   { return gqlID(r.row.Event) }
func (r *metricRow) Profile() gql.ID { return gqlID(r.row.Profile) }
func (r *metricRow) At() timeValue   { return timeOf(r.row.At) }
func (r *metricRow) Counts() bool    { return r.row.Counts }
func (r *metricRow) Reason() *string { return optional(r.row.Reason) }
func (r *metricRow) Value() float64  { return r.row.Value }
