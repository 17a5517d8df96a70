package graphql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	gqlerrors "github.com/graph-gophers/graphql-go/errors"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/graph-gophers/graphql-go/introspection"
)

// Request is one operation of a document.
type Request struct {
	Query         string
	OperationName string         // needed when the document has several operations
	Variables     map[string]any // as encoding/json reads them
	ReadOnly      bool           // refuse anything but a query
}

// Response answers a Request. Without Data nothing was answered: the request was refused, and no field of a mutation has run
// unless the code is TIMEOUT or INTERNAL.
type Response struct {
	Errors []*ResponseError   `json:"errors,omitempty"`
	Data   json.RawMessage    `json:"data,omitempty"`
	People []schema.ProfileID `json:"-"` // whom the operation read, each once
	Cost   *Cost              `json:"-"` // in extensions.cost; nil: the document was refused before it had a price
}

// ResponseError is one error of a Response. Its extensions have a code, and a hint where there is something to do.
type ResponseError = gqlerrors.QueryError

// AppendJSON appends the response as JSON. Data was made of JSON, and is not read again.
func (r *Response) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	if len(r.Errors) > 0 {
		faults, err := json.Marshal(r.Errors)
		if err != nil {
			return nil, fmt.Errorf("write the errors of an answer: %w", err)
		}
		dst = append(append(dst, `"errors":`...), faults...)
		if r.Data != nil {
			dst = append(dst, ',')
		}
	}
	if r.Data != nil {
		dst = append(append(dst, `"data":`...), r.Data...)
	}
	if r.Cost != nil {
		cost, err := json.Marshal(r.Cost)
		if err != nil {
			return nil, fmt.Errorf("write the cost of an answer: %w", err) // Unreachable: numbers marshal
		}
		dst = append(append(append(dst, `,"extensions":{"cost":`...), cost...), '}')
	}
	return append(dst, '}'), nil
}

// Refused is the code with which a request was refused as a whole, or "".
func (r *Response) Refused() string {
	if r.Data != nil || len(r.Errors) == 0 {
		return ""
	}
	code, _ := r.Errors[0].Extensions["code"].(string)
	return code
}

// operation is the state of one run. The library hands its context to every resolver.
type operation struct {
	caller Caller
	cancel context.CancelCauseFunc
	types  map[string]string
	cost   *Cost // found before anything runs
	// What is asked for of timelines anywhere in the operation, found with the cost. So pages of one timeline share a read, whatever
	// each shows of it.
	wanted  Wanted
	reads   reads
	rows    atomic.Int64 // asked of the backends; a read of identity counts for lookupCost at least
	queries atomic.Int64 // of the timeline's engine
	fields  atomic.Int64 // answered
	broken  atomic.Bool  // a resolver panicked
	people  sync.Map     // schema.ProfileID, of whom it read

	// A rehearsal goes through the root fields without running them.
	rehearsal bool
	mu        sync.Mutex
	root      string // Query or Mutation
	names     []string
}

type operationKey struct{}

func operationOf(ctx context.Context) *operation {
	o, _ := ctx.Value(operationKey{}).(*operation)
	return o
}

// shown lists of whom the operation read, sorted.
func (o *operation) shown() (people []schema.ProfileID) {
	o.people.Range(func(id, _ any) bool {
		people = append(people, id.(schema.ProfileID))
		return true
	})
	slices.SortFunc(people, schema.ProfileID.Compare)
	return people
}

// spend counts rows that are about to be asked of a backend.
func spend(ctx context.Context, rows int) error {
	if o := operationOf(ctx); o != nil && o.rows.Add(int64(rows)) > MaxRows {
		return &Error{Code: CodeTooLarge, Message: fmt.Sprintf("this operation asks for more than %d rows", MaxRows), Hint: "ask for fewer people at once, or for a smaller first"}
	}
	return nil
}

// query counts a query of the timeline's engine that is about to be asked, with its rows.
func query(ctx context.Context, rows int) error {
	if o := operationOf(ctx); o != nil {
		o.queries.Add(1)
	}
	return spend(ctx, rows)
}

// mutationScopes says which scope each root field of Mutation needs. A field that is missing here is refused.
var mutationScopes = map[string]string{
	"link": scopeDecide, "decideMatch": scopeDecide, "separate": scopeDecide, "release": scopeDecide, "recordConsent": scopeCare, "correctVerbatim": scopeCare, "applyConfiguration": scopeAdmin, "saveSegment": scopeMarketing,
	"erase":       scopePrivacy,
	"startReplay": scopeAdmin, "pauseReplay": scopeAdmin, "resumeReplay": scopeAdmin, "promoteReplay": scopeAdmin, "undoPromotion": scopeAdmin, "discardReplay": scopeAdmin,
	"resolveDeadLetters": scopeAdmin,
	"recordCase":         scopeCare, "assignCase": scopeCare, "planNextStep": scopeCare, "resolveCase": scopeCare, "reopenCase": scopeCare, "addTask": scopeCare,
	"completeTask": scopeCare, "addNote": scopeCare, "promise": scopeCare, "moderateContent": scopeCare, "grantGesture": scopeCare,
}

// Execute runs one operation for a caller. A mutation is rehearsed first: when one of its fields lacks a scope, or a variable is of
// the wrong type, none of them runs.
func (s *Schema) Execute(ctx context.Context, c Caller, r Request) *Response {
	// The keyword cannot be written in another way, so a document without it holds no mutation.
	if strings.Contains(r.Query, "mutation") {
		if refused := s.rehearse(ctx, c, r); refused != nil {
			return refused
		}
	} else if _, err := need(withCaller(ctx, c), scopeRead); err != nil {
		return refuse(err)
	}
	return s.run(ctx, &operation{caller: c}, r)
}

func (s *Schema) rehearse(ctx context.Context, c Caller, r Request) *Response {
	plan := &operation{caller: c, rehearsal: true}
	if response := s.run(ctx, plan, r); response.Refused() != "" {
		return response
	}
	if plan.root != "Mutation" {
		if _, err := need(withCaller(ctx, c), scopeRead); err != nil {
			return refuse(err)
		}
		return nil
	}
	if r.ReadOnly {
		return refuse(&Error{Code: CodeMethod, Message: "a mutation cannot be asked for by GET", Hint: "send it by POST"})
	}
	for _, name := range plan.names {
		scope, ok := mutationScopes[name]
		if !ok && name == "__typename" {
			continue
		}
		if _, err := need(withCaller(ctx, c), scope); err != nil {
			return refuse(err)
		}
	}
	return nil
}

func (s *Schema) run(ctx context.Context, o *operation, r Request) (response *Response) {
	defer func() {
		// The library recovers from the panics of resolvers, and not from its own while it reads a document.
		if value := recover(); value != nil {
			s.panics.LogPanic(ctx, value)
			response = refuse(internal())
		}
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	o.cancel, o.types = cancel, s.types
	ctx = context.WithValue(withCaller(ctx, o.caller), operationKey{}, o)
	answer := s.schema.Exec(ctx, r.Query, r.OperationName, r.Variables)
	if cause := context.Cause(ctx); cause != nil {
		e := (*Error)(nil)
		if !errors.As(cause, &e) {
			e = timeout()
		}
		response = refuse(e)
		response.Cost = o.spent()
		return response
	}
	if o.broken.Load() {
		return refuse(internal())
	}
	if o.rehearsal {
		// Of the fields that were kept from running the library says that their context is over.
		answer.Errors = slices.DeleteFunc(answer.Errors, func(e *gqlerrors.QueryError) bool { return e.Message == context.Canceled.Error() })
	}
	response = &Response{Errors: answer.Errors, Data: answer.Data, Cost: o.spent(), People: o.shown()}
	for _, e := range response.Errors {
		coded(e)
		if e.Path == nil {
			response.Data = nil // not of a field: the request is refused
		}
	}
	// Resolvers fail in any order; the answer is the same every time.
	slices.SortStableFunc(response.Errors, func(a, b *ResponseError) int { return strings.Compare(fmt.Sprint(a.Path), fmt.Sprint(b.Path)) })
	if n := len(response.Errors); n > maxErrors {
		response.Errors = response.Errors[:maxErrors]
	}
	return response
}

func refuse(err error) *Response {
	e := &gqlerrors.QueryError{Message: err.Error()}
	if coded := (*Error)(nil); errors.As(err, &coded) {
		e.Extensions = coded.Extensions()
	}
	return &Response{Errors: []*gqlerrors.QueryError{e}}
}

// watch sees every query before it runs and every field before it is resolved. The library calls it a tracer.
type watch struct{}

// TraceQuery checks variables: the library would leave out a field whose variable has the wrong type, and run the others. Then it checks
// the price. variables have their defaults, and operation is the one that was chosen.
func (watch) TraceQuery(ctx context.Context, document, operation string, variables map[string]any, types map[string]*introspection.Type) (context.Context, func([]*gqlerrors.QueryError)) {
	o, finish := operationOf(ctx), func([]*gqlerrors.QueryError) {}
	for name, t := range types {
		value, given := variables[name]
		if !given {
			continue
		}
		if want := mismatch(t, value); want != "" {
			o.cancel(&Error{Code: CodeBadInput, Message: fmt.Sprintf("variable $%s does not fit its type: want %s", name, want)})
			return ctx, finish
		}
	}
	if !o.rehearsal {
		if err := o.price(document, operation, variables); err != nil {
			o.cancel(err)
		}
	}
	return ctx, finish
}

// TraceField counts, and in a rehearsal keeps the field from running: the library runs no field whose context is over.
func (watch) TraceField(ctx context.Context, _, typeName, fieldName string, _ bool, _ map[string]any) (context.Context, func(*gqlerrors.QueryError)) {
	o := operationOf(ctx)
	if o == nil {
		return ctx, ignore // within a root field that a rehearsal keeps from running: introspection goes on all the same
	}
	if o.rehearsal {
		o.mu.Lock()
		o.root, o.names = typeName, append(o.names, fieldName)
		o.mu.Unlock()
		return over, ignore
	}
	if o.fields.Add(1) > MaxFields {
		o.cancel(&Error{Code: CodeTooLarge, Message: fmt.Sprintf("the answer has more than %d fields", MaxFields), Hint: "select less, or ask for fewer rows"})
	}
	return ctx, ignore
}

func ignore(*gqlerrors.QueryError) {}

// over is a context that has ended.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// panics reports a resolver's panic without the value, which could hold anything.
type panics struct{ report func(error) }

// LogPanic reports.
func (p panics) LogPanic(_ context.Context, value any) {
	what := fmt.Sprintf("%T", value)
	if e, ok := value.(runtime.Error); ok {
		what = e.Error()
	}
	p.report(fmt.Errorf("a resolver panicked: %s\n%s", what, debug.Stack()))
}

// MakePanicError makes the whole answer an error: after a panic its bytes may be cut.
func (panics) MakePanicError(ctx context.Context, _ any) *gqlerrors.QueryError {
	if o := operationOf(ctx); o != nil {
		o.broken.Store(true)
	}
	return refuse(internal()).Errors[0]
}
