package graphql

import (
	"context"
	"fmt"
	"math"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/schema"
)

// pastCost is what a look into the past counts for, in rows: it reads the events of all who bear on the answer.
const pastCost = 10 * lookupCost

// The past: asOf is what had happened by a time, knownAt what we knew by a time. A person in the past is asked for by an identifier, since who owns it is part of
// the answer, and everything below that person is of the same past.

// formerDossiers answers the owners of an identifier in a past, unless they are refused.
func (r *resolver) formerDossiers(ctx context.Context, c Caller, in identifierInput, past Past, refuse func([]schema.ProfileID) error) ([]*dossier, error) {
	id := in.identifier()
	if id.Kind == "id" || id.Kind == "profile" || id.Kind == "persona" {
		p, err := profileIDOf(gql.ID(id.Value))
		if err != nil {
			return nil, err
		}
		id = Identifier{Kind: "profile", Value: p.String()}
	}
	former, err := once(&operationOf(ctx).reads, fmt.Sprintf("then %q %v", id, past), func() (*Former, error) {
		if err := spend(ctx, pastCost); err != nil {
			return nil, err
		}
		former, err := r.backends.Profiles.Then(ctx, c.Workspace, id, past)
		if o := operationOf(ctx); o != nil && former != nil {
			for _, p := range former.People {
				o.people.Store(p.ID, nil)
			}
		}
		return former, err
	})
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	if err := refuse(former.Owners); err != nil {
		return nil, err
	}
	subjects, err := r.subjects(ctx, c, former.People, &former.History)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	out := make([]*dossier, len(subjects))
	for i, s := range subjects {
		out[i] = &dossier{s}
	}
	return out, nil
}

// timeline is what the person's contacts are read from: all, or those of the past.
func (s *subject) timeline() Timeline {
	if s.history == nil {
		return s.root.backends.Timeline
	}
	return s.root.backends.Timeline.Then(s.history.Past)
}

// onlyNow refuses a field that is not told of the past.
func (s *subject) onlyNow(field string) error {
	return &Error{Code: CodeNotAvailable, Message: field + " is told as it is now alone", Hint: "leave it out, or asOf and knownAt"}
}

// History resolves Dossier.history.
func (d *dossier) History() *history {
	if d.history == nil {
		return nil
	}
	return &history{d.subject.history}
}

type history struct{ h *History }

func (h *history) AsOf() *timeValue        { return optionalTime(h.h.AsOf) }
func (h *history) KnownAt() *timeValue     { return optionalTime(h.h.KnownAt) }
func (h *history) Configuration() string   { return h.h.Configuration }
func (h *history) ReachesBack() *timeValue { return optionalTime(h.h.Reaches) }
func (h *history) ErasedSince() int32      { return int32(min(h.h.Erased, math.MaxInt32)) }
