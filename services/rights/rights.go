package rights

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/retention"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/api/backend"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// Rights answers for one installation. It is safe for concurrent use.
type Rights struct {
	Control *control.Control
	People  backend.Lookups
	House   *clickhouse.Conn
	Letters deadletter.Reader
	// Events writes the events of personas as the export of events does, with clocks.
	Events func(ctx context.Context, workspace string, personas []schema.PersonaID, w io.Writer) error
	Keys   *seal.Ring
	// Collector takes in what is rectified, as everything else.
	Collector *collector.Collector
	// Visible returns when identity and tables show everything that the log and the control topic hold at the call.
	Visible func(ctx context.Context) error
	// Stale names the copies of the key ring that are older than the ring.
	Stale func() []string
	// Keeps says whether some process has the role care, or segments: an installation may be without.
	Keeps func(role string) bool
	// RetentionRules are what the configuration in force says of how long classes are kept.
	RetentionRules func() (rules *retention.Rules, classes []string)
	// Shadows names what is beside the live projections and holds as much; nil is nothing.
	Shadows func() []string
	Now     func() time.Time
}

var _ graphql.Erasures = (*Rights)(nil)

// whole is one person as far as a right needs to know.
type whole struct {
	person   *graphql.Person
	personas []*backend.Persona // the members, sorted by id
	values   []string           // by which letters name the person
}

// find gives the person whom a subject names; nil if nobody is known by it. An identifier of several people is an error with their ids.
func (r *Rights) find(ctx context.Context, workspace string, s graphql.Subject) (*whole, error) {
	id := s.ID
	if id.IsZero() {
		owners, err := r.People.Owners(ctx, workspace, s.Identifier)
		if err != nil || len(owners) == 0 {
			return nil, err
		}
		if len(owners) > 1 {
			return nil, &graphql.Error{
				Code: graphql.CodeAmbiguous, Message: fmt.Sprintf("%d profiles own this identifier", len(owners)),
				Hint: "name one of them by its id", Profiles: owners,
			}
		}
		id = owners[0]
	}
	people, err := r.People.People(ctx, workspace, []schema.ProfileID{id})
	if err != nil || len(people) == 0 || people[0] == nil {
		return nil, err
	}
	w := &whole{person: people[0]}
	for i := range w.person.Personas {
		p, err := r.People.Persona(ctx, workspace, w.person.Personas[i].ID)
		if err != nil {
			return nil, err
		}
		w.personas = append(w.personas, p)
		w.values = append(w.values, p.Account.Value)
	}
	for i := range w.person.Identifiers {
		w.values = append(w.values, w.person.Identifiers[i].Value)
	}
	if !s.ID.IsZero() {
		return w, nil
	}
	w.values = append(w.values, s.Identifier.Value)
	return w, nil
}

// ids are the public ids of the personas: what rows carry.
func (w *whole) ids() []uuid.UUID {
	out := make([]uuid.UUID, len(w.personas))
	for i, p := range w.personas {
		out[i] = uuid.UUID(p.ID)
	}
	return out
}

// unknown is the answer where nobody is known by a subject.
func unknown(s graphql.Subject) error {
	e := &graphql.Error{Code: graphql.CodeUnknown, Message: "nobody has this id: nothing is held", Hint: "check it; a persona's or profile's id is asked for"}
	if s.ID.IsZero() {
		e.Message = fmt.Sprintf("nobody is known by this %s: nothing is held", s.Identifier.Kind)
		e.Hint = "check the kind and the value"
	}
	return e
}

// The kinds of rows that are counted.
const (
	countInteractions  = "interactions"
	countConversations = "conversations"
	countCases         = "cases"
	countSurveys       = "surveys"
	countVerbatims     = "verbatims"
	countMentions      = "mentions"
	countLetters       = "deadLetters"
	countPersonas      = "personas"
)

// rows counts what the tables hold of personas, by their public ids.
func (r *Rights) rows(ctx context.Context, workspace string, ids []uuid.UUID) (map[string]int64, error) {
	out := map[string]int64{}
	if len(ids) == 0 {
		return out, nil
	}
	params := clickhouse.Params{"workspace": workspace, "personas": ids}
	for name, sql := range map[string]string{
		countInteractions:  "SELECT toInt64(count()) FROM " + schema.TableEvents + " WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}",
		countConversations: "SELECT toInt64(uniqExact(id)) FROM " + schema.TableConversations + " WHERE workspace = {workspace:String} AND (persona IN {personas:Array(UUID)} OR hasAny(personas, {personas:Array(UUID)}))",
		countCases:         "SELECT toInt64(uniqExact(id)) FROM " + schema.TableCases + " WHERE workspace = {workspace:String} AND (persona IN {personas:Array(UUID)} OR hasAny(personas, {personas:Array(UUID)}))",
		countSurveys:       "SELECT toInt64(uniqExact(id)) FROM " + schema.TableSurveys + " WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}",
		countVerbatims:     "SELECT toInt64(uniqExact(id)) FROM " + schema.TableVerbatims + " WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}",
		countMentions:      "SELECT toInt64(uniqExact(id)) FROM " + schema.TableMentions + " WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)}",
	} {
		var n int64
		if err := r.House.QueryRow(ctx, sql, params, nil, &n); err != nil {
			return nil, fmt.Errorf("count %s: %w", name, err)
		}
		out[name] = n
	}
	return out, nil
}

// letters counts the dead letters received until at that can be opened and list one of the traces.
func (r *Rights) letters(ctx context.Context, workspace string, traces []string, at schema.Instant) (n int64, err error) {
	if len(traces) == 0 {
		return 0, nil
	}
	var failed error
	_, err = deadletter.List(ctx, r.Letters, deadletter.Filter{Workspace: workspace}, func(c *deadletter.Clear, _ deadletter.Record) bool {
		received, unread := schema.ParseInstant(c.ReceivedAt)
		if unread == nil && received > at || !slices.ContainsFunc(c.Hashes, func(h string) bool { return contains(traces, h) }) {
			return true
		}
		switch _, err := c.Key(r.Keys); {
		case err == nil:
			n++
		case !errors.Is(err, seal.ErrPunched):
			failed = err
			return false
		}
		return true
	})
	return n, errors.Join(err, failed)
}

// contains looks up a sorted list.
func contains(sorted []string, s string) bool {
	_, found := slices.BinarySearch(sorted, s)
	return found
}

// traces are the hashes by which dead letters name a person, sorted.
func (r *Rights) traces(values []string) []string { return deadletter.Known(r.Keys.PRF(), values) }
