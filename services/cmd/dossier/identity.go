package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/backend"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/state"
	"github.com/dossier-cdp/dossier/services/timeline/personamap"
	"github.com/dossier-cdp/dossier/services/timeline/query"
)

// identityLease is held by the identity role that answers for a workspace.
func identityLease(workspace string) string { return "identity/" + workspace }

// startIdentity folds the log into who is who. Every process with this role folds, so that it can take over at once; the one that holds
// the lease answers, and tells the sinks.
func (i *installation) startIdentity(ctx context.Context) (err error) {
	if i.people, err = personamap.Open(ctx, i.house, mainWorkspace, func(p schema.PersonaEpoch) bool { return i.ring.Closed(p.Persona, p.Epoch) }); err != nil {
		return err
	}
	var known []identity.Erasure
	for _, e := range i.control.State().Erasures(mainWorkspace) {
		if e.Expired == nil {
			known = append(known, identity.Erasure{Of: e.PersonaEpoch, CutOff: e.CutOff})
		}
	}
	i.identity, err = identity.Open(ctx, identity.Config{
		Workspace: mainWorkspace, Folder: i.state("identity"), Feed: i.reads(), Log: i.eventLog,
		Hash: identity.NewHasher(i.ring.PRF()), Settings: i.configuration.settings(), Erasures: known,
		Sinks: []identity.Sink{
			&identity.ProfilesTopic{Workspace: mainWorkspace, Producer: i.changeFeed(), Now: time.Now, Promotion: i.promoted},
			i.people,
		},
		StandBy: i.coordination != nil, Store: state.Options{CacheBytes: identityCache(), Logger: i.logger}, Logger: i.logger, Trace: i.tracer.Fold("identity fold"),
	})
	if err != nil {
		return err
	}
	i.onRest(i.identity.Rest)
	i.profiles = backend.Profiles{Identity: i.identity, Now: time.Now, History: backend.History{Settings: i.configuration.settingsAt, Recall: i.recall, Since: i.since}}
	i.onStop(func(context.Context) error { return i.identity.Close() })
	i.group.Go(func() error { return i.identity.Run(i.run) })

	i.identityErased = &eraser{
		erasures: i.erasures, ring: i.ring, forget: i.feed.Forget, logger: i.logger, seeded: i.seeded,
		erase: func(ctx context.Context, some []control.Erasure) error {
			for _, e := range some {
				if err := i.identity.Erase(ctx, identity.Erasure{Of: e.PersonaEpoch, CutOff: e.CutOff}); err != nil {
					return err
				}
			}
			return nil
		},
		expire: func(ctx context.Context, _ []schema.ExpiredYear) error {
			if err := i.reconfigureIdentity(); err != nil {
				return err
			}
			return i.identity.Settle(ctx)
		},
		purger: i.newPurger("identity", i.identity.StoreName, func(ctx context.Context) (purged, error) {
			p, err := i.identity.Purge(ctx)
			return purged{p.Files, p.Bytes, p.Digest}, err
		}),
	}
	i.group.Go(func() error { return i.identityErased.run(i.run) })
	i.group.Go(func() error {
		return i.configuration.run(i.run, i.reconfigureIdentity)
	})
	if i.coordination != nil {
		i.hold(identityLease(mainWorkspace), nil, i.leadIdentity)
	}
	return nil
}

// reconfigureIdentity has identity take over what is in force, and what is kept no longer.
func (i *installation) reconfigureIdentity() error {
	i.reconfiguring.Lock()
	defer i.reconfiguring.Unlock()
	return i.identity.Reconfigure(i.run, i.configuration.settings())
}

// leadIdentity answers for the workspace until ctx ends. It does so only once it has folded what the log held when it took the lease: what
// the owner before has answered must not be taken back.
func (i *installation) leadIdentity(ctx context.Context, l lease) error {
	var now reached
	err := persist(ctx, i.logger, retryAfter, func() (err error) {
		now, err = i.now(ctx)
		return err
	})
	if err == nil {
		err = ownIdentity{&i.profiles, i}.WaitFor(ctx, now)
	}
	if err != nil {
		return ended(ctx, err)
	}
	i.identityLead.Store(&l)
	defer i.identityLead.Store(nil)
	i.identity.Lead(ctx, l)
	return nil
}

// identityAnswers refuses while another process is the one to ask.
func (i *installation) identityAnswers() error {
	if l := i.identityLead.Load(); l == nil || !(*l).Valid() {
		return errStandsBy
	}
	return nil
}

// ownIdentity is the identity role of this process.
type ownIdentity struct {
	*backend.Profiles
	i *installation
}

func (o ownIdentity) WaitFor(ctx context.Context, r reached) error {
	var last []schema.Position
	for p, end := range r.Ends {
		if end > 0 {
			last = append(last, schema.Position{Generation: r.Generation, Partition: int32(p), Offset: end - 1})
		}
	}
	if err := o.i.identity.WaitFor(ctx, last...); err != nil {
		return waiting("identity", err)
	}
	return o.i.identityErased.wait(ctx, r.Erasures)
}

func (o ownIdentity) Status(context.Context) (s identityStatus, err error) {
	s.Ready, s.Reason, _ = o.i.identity.Ready()
	s.Positions, s.Pending = o.i.identity.Positions(), o.i.identityErased.pending()
	if version, err := o.i.identity.Version(); err == nil { // else it is still reading the log
		s.MapBehind = max(0, int64(version)-int64(o.i.people.Version()))
	}
	return s, nil
}

// Export writes a projection from one commit.
func (o ownIdentity) Export(ctx context.Context, e identityExport, w io.Writer) (err error) {
	view, err := o.i.viewFor(ctx, e.Options)
	if err != nil {
		return err
	}
	defer func() {
		if closed := view.Close(); err == nil {
			err = closed
		}
	}()
	options := identity.ExportOptions{Clocks: e.Options.Clocks, At: e.Options.At}
	switch e.Name {
	case "personas":
		_, err = view.ExportPersonas(w, options)
	case "profiles":
		_, err = view.ExportProfiles(w, options)
	case "matches":
		_, err = view.ExportMatches(w)
	case "households":
		_, err = view.ExportHouseholds(w)
	case "timeline":
		err = o.i.exportTimeline(ctx, view, e, w)
	default:
		err = fmt.Errorf("identity writes no export %q", e.Name)
	}
	return err
}

// exportTimeline writes every contact with the profile that holds it.
func (i *installation) exportTimeline(ctx context.Context, view *identity.View, e identityExport, w io.Writer) error {
	_, err := query.Reader{Conn: i.house}.Export(ctx, query.Export{
		Workspace: e.Workspace, Past: query.Past{Recorded: e.Options.KnownAt, Occurred: e.Options.AsOf}, Clocks: e.Options.Clocks, Before: e.Before.Ends, Generation: e.Before.Generation,
		Profile: func(persona schema.PersonaID) (schema.ProfileID, error) {
			owners, err := view.Owners("persona", persona.String(), "")
			if err != nil || len(owners.Profiles) == 0 {
				return persona, err
			}
			return owners.Profiles[0], nil
		},
	}, func(line []byte) error {
		if _, err := w.Write(line); err != nil {
			return err
		}
		if len(line) == 0 || line[len(line)-1] != '\n' {
			_, err := w.Write([]byte{'\n'})
			return err
		}
		return nil
	})
	return err
}
