package main

import (
	"context"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/timeline/query"
)

// recall reads events back from the timeline.
func (i *installation) recall(ctx context.Context, personas []schema.ProfileID, p identity.Past, yield func(identity.Recalled) error) error {
	q := query.Recall{Workspace: mainWorkspace, Personas: personas, Past: query.Past{Recorded: p.KnownAt, Occurred: p.AsOf}}
	return query.Reader{Conn: i.house}.Recall(ctx, q, func(node schema.ProfileID, e *schema.Event, recorded schema.Instant) error {
		return yield(identity.Recalled{Node: node, Event: e, Recorded: recorded})
	})
}

// since counts the decisions to erase that were taken after a time.
func (i *installation) since(at schema.Instant) (erased int) {
	for _, e := range i.control.State().Erased(mainWorkspace) {
		if e.At > at {
			erased++
		}
	}
	return erased
}

// viewFor is a view of who is who for an export: now, or as of a past.
func (i *installation) viewFor(ctx context.Context, o manage.ExportOptions) (*identity.View, error) {
	past := identity.Past{KnownAt: o.KnownAt, AsOf: o.AsOf}
	if past.IsZero() {
		return i.identity.View()
	}
	settings, err := i.configuration.settingsAt(past.KnownAt)
	if err != nil {
		return nil, err
	}
	if past.KnownAt == 0 {
		return i.identity.AsOf(ctx, past, i.recall)
	}
	return i.identity.WholeView(ctx, past, settings, i.recall, 0)
}
