package graphql

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	gqlast "github.com/graph-gophers/graphql-go/ast"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// The cost model. A query costs at most:
//
//	1      for each field of the answer, where a list has as many members as first or ids ask for, else as assumed below
//	1      for each row that the timeline or identity is asked for
//	queryCost   for each query of the timeline's engine
//	lookupCost  for each read of identity
//
// Lists of one level are read together (cohort), so a query of the engine counts once for a list, whatever its length. deploy/graphql.md
// explains the figures to those who write queries.
const (
	queryCost  = 1000
	lookupCost = 100

	// figureQueries is what a figure of care counts for: it reads a table of care whole, on two threads.
	figureQueries = 5

	// DefaultMaxCost is what an operation may cost where neither the token nor the installation says otherwise.
	DefaultMaxCost = 500_000
)

// weight is what a field costs beside the 1 that each field costs, and how long the list is that it gives.
type weight struct {
	queries, lookups int
	perRow           int  // rows asked for, for each object that the field is of
	size             int  // members of the list; 0: no list
	each             bool // the queries are asked for each object that the field is of
	sized            bool // the arguments first and ids say how long the list is, and how many rows are asked for
}

// weights names every field of the SDL that is read for itself, or that is a list of objects. All others cost 1.
var weights = map[string]weight{
	"Query.dossiers": {lookups: 2, perRow: 2, size: 2},
	"Query.dossier":  {lookups: 2, perRow: 1},
	"Query.profile":  {lookups: 1, perRow: 1},
	"Query.profiles": {lookups: 2, sized: true},
	"Query.why":      {lookups: 1},
	"Query.how":      {lookups: 1},
	"Query.whyNot":   {lookups: 1},
	"Query.weigh":    {lookups: 1},

	"Query.possibleMatches": {lookups: 2, sized: true},
	"Query.simulate":        {lookups: 2},
	"Query.erasure":         {queries: 4},
	"Mutation.erase":        {queries: 8, lookups: 10},
	"Erasure.personas":      {size: 10},
	"Erasure.held":          {size: 5},
	"Erasure.left":          {size: 5},
	"Erasure.shared":        {size: 3},
	"Erasure.holds":         {size: 1},
	"Erasure.steps":         {size: 6},
	"Query.shadows":         {queries: 1, size: 3},
	"Query.shadow":          {queries: 1},
	"Query.shadowDiff":      {queries: 100},
	"Query.deadLetters":     {queries: 2, size: 100},
	"Query.deadLetter":      {queries: 1},
	"Query.deadLetterStats": {queries: 2, size: 50},
	"DeadLetter.history":    {size: 1},

	"Mutation.startReplay":        {queries: 10},
	"Mutation.promoteReplay":      {queries: 10},
	"Mutation.undoPromotion":      {queries: 10},
	"Mutation.discardReplay":      {queries: 10},
	"Mutation.resolveDeadLetters": {queries: 20, size: 100},

	"Query.node":       {lookups: 1, queries: 1, perRow: 1},
	"Query.inbox":      {queries: 3, sized: true},
	"Query.alerts":     {queries: 3, sized: true},
	"Query.delegation": {queries: 1, perRow: 1},

	"Dossier.goldenRecord":          {size: 10},
	"Dossier.identifiers":           {size: 10},
	"Dossier.personas":              {size: 5},
	"Dossier.consents":              {size: 5},
	"Dossier.possibleMatches":       {perRow: lookupCost, size: 2},
	"Dossier.household":             {perRow: 2 * lookupCost},
	"Dossier.timeline":              {queries: 1, sized: true},
	"Dossier.cases":                 {queries: 2, perRow: 1, size: 3},
	"Dossier.openCases":             {queries: 2, perRow: 1, size: 3},
	"Dossier.satisfaction":          {queries: 1, perRow: 1},
	"Dossier.value":                 {queries: 1, perRow: 1},
	"Profile.personas":              {size: 5},
	"Household.members":             {size: 3},
	"Simulation.merges":             {size: 10},
	"Simulation.splits":             {size: 10},
	"SimulatedChange.before":        {perRow: 1, size: 3},
	"SimulatedChange.after":         {size: 2},
	"Household.residents":           {size: 3},
	"GoldenTrait.runnersUp":         {size: 3},
	"Value.spent":                   {size: 1},
	"Value.assessment":              {queries: 1, perRow: purchaseRows},
	"Query.valueSnapshots":          {size: 10},
	"Query.themes":                  {size: 40},
	"Interaction.verbatim":          {perRow: 2},
	"Verbatim.themes":               {size: 2},
	"Verbatim.reasons":              {size: 1},
	"Explanation.steps":             {size: 10},
	"Explanation.joints":            {size: 5},
	"Weighing.fields":               {size: 10},
	"Weighing.keys":                 {size: 10},
	"FieldWeight.a":                 {size: 3},
	"FieldWeight.b":                 {size: 3},
	"Priority.criticalityReasons":   {size: 2},
	"Query.segments":                {size: 50},
	"Query.previewSegment":          {queries: 20},
	"Segment.versions":              {size: 5},
	"Segment.count":                 {queries: 5, each: true},
	"Segment.members":               {queries: 5, each: true, sized: true},
	"Segment.changes":               {queries: 2, each: true, size: 50},
	"Segment.was":                   {queries: 1, each: true},
	"Segment.explain":               {queries: 3, each: true},
	"SegmentExplanation.conditions": {size: 20},
	"SegmentPreview.reach":          {size: 10},
	"SegmentPreview.overlaps":       {size: 50},
	"Dossier.lastContacts":          {queries: 2, perRow: 3, size: 3},
	"LastContact.promises":          {size: 1},
	"LastContact.agents":            {size: 2},
	"Case.tasks":                    {size: 2},
	"Case.notes":                    {size: 2},
	"Case.moderations":              {size: 1},
	"Case.gestures":                 {size: 1},
	"Case.flags":                    {size: 1},
	"Promises.list":                 {size: 1},
	"Delegation.granted":            {size: 1},
	"Delegation.remaining":          {size: 1},
	"CaseDecision.case":             {queries: 2, perRow: 1},

	"TimelineConnection.totalCount": {queries: 1},
	"Metrics.events":                {queries: 1},
	"Metrics.catalogue":             {size: 40},
	"Metrics.risingThemes":          {queries: figureQueries, size: 20},
	"RisingTheme.interactions":      {queries: 1, each: true, perRow: 5, size: 5},
	"Query.company":                 {queries: 2, perRow: 20},
	"Query.companies":               {queries: 3, sized: true, perRow: 20},
	"Dossier.companies":             {queries: 3, each: true, perRow: 20, size: 2},
	"Company.traits":                {size: 10},
	"Company.people":                {sized: true},
	"Company.value":                 {queries: 1, each: true, perRow: 1},
	"Company.satisfaction":          {queries: 1, each: true, perRow: 1},
	"Company.openCases":             {queries: 1, each: true, perRow: 20, size: 5},
	"Company.cases":                 {queries: 1, each: true, perRow: 20, size: 10},
	"CompanyValue.spent":            {size: 1},
	"CompanyValue.lifetimeValue":    {queries: 1, each: true, perRow: 20, size: 1},
	"Metrics.kano":                  {queries: figureQueries, size: 20},
	"KanoTheme.keys":                {size: 2},
	"KanoTheme.exclusions":          {size: 3},
	"Metrics.crises":                {queries: figureQueries, size: 5},
	"Crisis.alerts":                 {size: 50},
	"Crisis.interactions":           {queries: 2, each: true, perRow: 1, size: 10},
	"Metric.parts":                  {size: 5},
	"Metric.exclusions":             {size: 5},
	"Metric.keys":                   {size: 2},
	"Metric.groups":                 {size: 50},
	"Metric.versions":               {size: 5},
	"MetricDefinition.priors":       {size: 5},
	"MetricExplanation.rows":        {queries: 1, each: true, sized: true},
}

// costing adds up what one operation costs at most.
type costing struct {
	document  *ast.QueryDocument
	variables map[string]any
	types     map[string]string // "Type.field" → the type of its value, of fields with a selection
	cost      int
	visited   int
	asked     map[string]bool // fields of interactions
	total     bool            // the length of a timeline
}

// estimate is what an operation of a valid document costs at most, and what it asks for of timelines. It ends early, with
// what it has, once the cost is past the limit.
func estimate(document, operation string, variables map[string]any, types map[string]string, limit int) (int, Wanted, error) {
	doc, err := parser.ParseQuery(&ast.Source{Input: document})
	if err != nil {
		return 0, Wanted{}, fmt.Errorf("read a document that is valid: %w", err)
	}
	op := doc.Operations.ForName(operation)
	if op == nil {
		return 0, Wanted{}, fmt.Errorf("find operation %q of a document that is valid", operation)
	}
	root := "Query"
	if op.Operation == ast.Mutation {
		root = "Mutation"
	}
	c := &costing{document: doc, variables: variables, types: types, asked: map[string]bool{}}
	c.add(op.SelectionSet, root, 1, 0, limit)
	return c.cost, Wanted{append([]string{}, slices.Sorted(maps.Keys(c.asked))...), c.total}, nil
}

// add counts a selection of n objects of a type. page is what first said of the connection that the selection is of.
func (c *costing) add(set ast.SelectionSet, of string, n, page, limit int) {
	for _, s := range set {
		if c.visited++; c.cost > limit || c.visited > MaxSelections {
			return // the limit on selections refuses what is past it
		}
		switch s := s.(type) {
		case *ast.Field:
			if c.left(s.Directives) {
				continue
			}
			c.field(s, of, n, page, limit)
		case *ast.InlineFragment:
			if !c.left(s.Directives) {
				c.add(s.SelectionSet, named(s.TypeCondition, of), n, page, limit)
			}
		case *ast.FragmentSpread:
			if f := c.document.Fragments.ForName(s.Name); f != nil && !c.left(s.Directives) {
				c.add(f.SelectionSet, named(f.TypeCondition, of), n, page, limit)
			}
		}
	}
}

// named is the type that a fragment is on. On an interface the type stays, as far as it is known.
func named(condition, of string) string {
	if condition == "" || condition == "Node" {
		return of
	}
	return condition
}

func (c *costing) field(f *ast.Field, of string, n, page, limit int) {
	switch {
	case of == "Interaction":
		c.asked[f.Name] = true
	case of == "TimelineConnection" && f.Name == "totalCount":
		c.total = true
	}
	w := weights[of+"."+f.Name]
	if c.types[of+"."+f.Name] == "Metric" && of == "Metrics" {
		w.queries = figureQueries
	}
	if w.each {
		w.queries *= n
	}
	members := n
	switch {
	case w.sized:
		page = c.pageOf(f)
		w.perRow = page
	case f.Name == "edges":
		members = n * page
	case w.size > 0:
		members = n * w.size
	}
	c.cost += n + n*w.perRow + w.queries*queryCost + w.lookups*lookupCost
	if len(f.SelectionSet) > 0 {
		c.add(f.SelectionSet, c.types[of+"."+f.Name], members, page, limit)
	}
}

// pageOf is how many members a connection has at most.
func (c *costing) pageOf(f *ast.Field) int {
	first, ids := -1, -1
	for _, a := range f.Arguments {
		switch value := a.Value; a.Name {
		case "first":
			switch v := c.value(value).(type) {
			case int64:
				first = int(v)
			case int32:
				first = int(v)
			case float64:
				first = int(v)
			}
		case "ids":
			switch v := c.value(value).(type) {
			case []any:
				ids = len(v)
			case string:
				ids = 1
			}
		}
	}
	switch {
	case ids >= 0 && (first < 0 || first > ids):
		first = ids
	case first < 0:
		first = defaultFirst
	}
	return min(first, MaxIDs)
}

// left says whether a directive leaves a selection out.
func (c *costing) left(directives ast.DirectiveList) bool {
	for _, d := range directives {
		if a := d.Arguments.ForName("if"); a != nil {
			if on, ok := c.value(a.Value).(bool); ok && on == (d.Name == "skip") {
				return true
			}
		}
	}
	return false
}

func (c *costing) value(v *ast.Value) any {
	out, err := v.Value(c.variables)
	if err != nil {
		return nil // a number that no argument of ours takes: the resolver refuses it
	}
	return out
}

// price finds what the operation may cost, before any of it runs. An error refuses it.
func (o *operation) price(document, name string, variables map[string]any) error {
	limit := o.caller.MaxCost
	if limit <= 0 {
		limit = DefaultMaxCost
	}
	cost, wanted, err := estimate(document, name, variables, o.types, limit)
	if err != nil {
		return &Error{Code: CodeParse, Message: "this document cannot be priced: " + err.Error(), Hint: "write it without unusual constructs"}
	}
	o.cost, o.wanted = &Cost{Estimate: cost, Limit: limit}, wanted
	if cost > limit {
		return &Error{
			Code: CodeTooCostly, Message: fmt.Sprintf("this query may cost %d or more, and %d is the limit", cost, limit),
			Hint: "ask for a smaller first, for fewer people at once, or for fewer fields of each",
		}
	}
	return nil
}

// spent is the cost with what was asked for and answered.
func (o *operation) spent() *Cost {
	if o.cost != nil {
		o.cost.Actual = int(o.fields.Load() + o.rows.Load() + o.queries.Load()*queryCost)
	}
	return o.cost
}

// Cost is what an operation costs by the cost model.
type Cost struct {
	Estimate int `json:"estimate"` // at most, found before anything ran
	Actual   int `json:"actual"`   // fields that were answered and rows and reads that were asked for
	Limit    int `json:"limit"`
}

// typesOf maps each field of the SDL that has fields itself ("Type.field") to the name of the type of its value.
func typesOf(sdl *gqlast.Schema) map[string]string {
	out := map[string]string{}
	for _, t := range sdl.Types {
		if object, ok := t.(*gqlast.ObjectTypeDefinition); ok {
			for _, f := range object.Fields {
				out[object.Name+"."+f.Name] = strings.Trim(f.Type.String(), "[]!")
			}
		}
	}
	return out
}
