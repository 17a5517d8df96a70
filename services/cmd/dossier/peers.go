package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/backend"
	"github.com/dossier-cdp/dossier/services/api/manage"
)

// reached is a state of the log and of the control topic that a role has worked off, or is to have worked off.
type reached struct {
	Generation uint32
	Ends       []int64 // of each partition of events, the offset after the last record
	Erasures   int     // how many of the control topic's
}

// identityPeer is the identity role as the others see it, whether it runs in this process or in another.
type identityPeer interface {
	backend.Lookups
	// WaitFor returns when lookups show what was reached, and nothing of the erased.
	WaitFor(ctx context.Context, r reached) error
	// Export writes one of identityExports as of the latest commit.
	Export(ctx context.Context, e identityExport, w io.Writer) error
	Status(ctx context.Context) (identityStatus, error)
}

// identityExport asks for a projection that who is who decides.
type identityExport struct {
	Name      string // one of identityExports
	Workspace string
	Options   manage.ExportOptions
	Before    reached // of the timeline: what came later is left out
}

// identityExports are the projections that the identity role writes.
func identityExports() []string {
	return []string{"personas", "profiles", "timeline", "matches", "households"}
}

// identityStatus is how an identity role is doing.
type identityStatus struct {
	Ready     bool
	Reason    string // why not
	Positions []schema.Position
	MapBehind int64
	Pending   int64 // erasures
}

// timelinePeer is the timeline role as the others see it.
type timelinePeer interface {
	// WaitFor returns when the events table shows what was reached, and nothing of the erased.
	WaitFor(ctx context.Context, r reached) error
	Status(ctx context.Context) (timelineStatus, error)
}

// timelineStatus is how a timeline role is doing.
type timelineStatus struct {
	Ready     bool
	Reason    string  // why not
	Visible   []int64 // of each partition, the offset up to which every event can be read
	Freshness graphql.Freshness
	Pending   int64 // erasures
}

// now is what the log and the control topic hold at this moment.
func (i *installation) now(ctx context.Context) (reached, error) {
	ends, err := i.eventLog.Ends(ctx)
	return reached{i.eventLog.Generation(), ends, i.erasures.known()}, err
}

// visible returns when everything that the log holds now is in identity and in the timeline, and nothing is left there of those whom
// the control topic has as erased.
func (i *installation) visible(ctx context.Context) error {
	r, err := i.now(ctx)
	if err != nil {
		return err
	}
	return i.shows(ctx, r)
}

func (i *installation) shows(ctx context.Context, r reached) error {
	if err := i.identityPeer.WaitFor(ctx, r); err != nil {
		return err
	}
	if err := i.timelinePeer.WaitFor(ctx, r); err != nil {
		return err
	}
	return i.caresNow(ctx, r)
}

// figures are what the installation measures of itself. What cannot be asked just now is 0.
type figures struct{ i *installation }

// figuresWithin bounds how long an answer waits for a figure.
const figuresWithin = time.Second

// Freshness is the time from accepted to visible, over the last minutes.
func (f figures) Freshness() graphql.Freshness {
	ctx, cancel := context.WithTimeout(context.Background(), figuresWithin)
	defer cancel()
	status, err := f.i.timelinePeer.Status(ctx)
	if err != nil {
		f.i.logger.Warn("the timeline does not tell its freshness", "error", err)
	}
	return status.Freshness
}

// MapBehind is how many commits of identity the persona map in ClickHouse has yet to see.
func (f figures) MapBehind() int64 {
	ctx, cancel := context.WithTimeout(context.Background(), figuresWithin)
	defer cancel()
	status, err := f.i.identityPeer.Status(ctx)
	if err != nil {
		f.i.logger.Warn("identity does not tell how far the map is", "error", err)
	}
	return status.MapBehind
}

// waiting says what is waited for, and for whom.
func waiting(role string, err error) error { return fmt.Errorf("wait for %s: %w", role, err) }
