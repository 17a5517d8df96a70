package main

import (
	"context"
	"io"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/retention"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/rights"
)

// rights is what people may ask for, over whatever answers here.
func (i *installation) rights() *rights.Rights {
	return &rights.Rights{
		Control: i.control, People: i.identityPeer, House: i.house, Letters: letterReader{i}.read, Keys: i.ring, Collector: i.collector, Visible: i.visible,
		Events: i.eventsOf, Stale: i.staleCopies, Keeps: i.keeps, Shadows: i.shadows.names, Now: time.Now,
		RetentionRules: func() (*retention.Rules, []string) {
			inForce := i.configuration.current.Load()
			return inForce.Retention, inForce.Classes()
		},
	}
}

// eventsOf writes the events of personas.
func (i *installation) eventsOf(ctx context.Context, workspace string, personas []schema.PersonaID, w io.Writer) error {
	return i.exportEvents(ctx, workspace, w, manage.ExportOptions{Clocks: true, Select: archive.Filter{Personas: personas}})
}

// staleCopies names the copies of the key ring that lack what the keeper has given up since.
func (i *installation) staleCopies() (names []string) {
	for _, c := range (ringCopies{control: i.control}).List() {
		if !c.Current {
			names = append(names, c.Name)
		}
	}
	return names
}

// keeps says whether some process has a role, of those without which an installation runs, too.
func (i *installation) keeps(name string) bool {
	if i.coordination == nil {
		return i.roles.has(role(name))
	}
	lease := careLease(mainWorkspace)
	if role(name) == segmentsRole {
		lease = segmentsLease(mainWorkspace)
	}
	_, held := i.coordination.Owner(lease)
	return held
}
