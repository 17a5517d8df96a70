package main

import (
	"context"
	"io"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/state"
	"github.com/dossier-cdp/dossier/services/timeline/personamap"
	"github.com/dossier-cdp/dossier/services/timeline/query"
)

// settings are what the configuration in force says of identity.
func (c *configurations) settings() identity.Settings {
	inForce := c.current.Load()
	countries := map[string]bool{}
	var list []string
	for _, name := range inForce.SourceNames() {
		if country := inForce.Sources[name].Country; country != "" && !countries[country] {
			countries[country] = true
			list = append(list, country)
		}
	}
	return identity.Settings{Hash: inForce.Hash, Rules: inForce.Identity, Survivorship: *inForce.Survivorship, Countries: list}
}

func (i *installation) startIdentity(ctx context.Context) (err error) {
	if i.people, err = personamap.Open(ctx, i.house, mainWorkspace, func(p schema.PersonaEpoch) bool { return i.ring.Closed(p.Persona, p.Epoch) }); err != nil {
		return err
	}
	var known []identity.Erasure
	for _, e := range i.control.State().Erasures(mainWorkspace) {
		known = append(known, identity.Erasure{Of: e.PersonaEpoch, CutOff: e.CutOff})
	}
	i.identity, err = identity.Open(ctx, identity.Config{
		Workspace: mainWorkspace, Folder: i.folder.path("state", "identity"), Feed: i.feed, Log: i.eventLog,
		Hash: identity.NewHasher(i.ring.PRF()), Settings: i.configuration.settings(), Erasures: known,
		Sinks: []identity.Sink{
			&identity.ProfilesTopic{Workspace: mainWorkspace, Producer: i.client, Now: time.Now},
			i.people,
		},
		Store: state.Options{Logger: i.logger}, Logger: i.logger,
	})
	if err != nil {
		return err
	}
	i.onStop(func(context.Context) error { return i.identity.Close() })
	i.group.Go(func() error { return i.identity.Run(i.run) })
	return nil
}

// visible returns when everything that the log holds now is in identity and in the timeline, and nothing is left there of those whom
// the control topic has as erased: a start repeats erasures while it serves already.
func (i *installation) visible(ctx context.Context) error {
	ends, err := i.eventLog.Ends(ctx)
	if err != nil {
		return err
	}
	var last []schema.Position
	for p, end := range ends {
		if end > 0 {
			last = append(last, schema.Position{Generation: generation, Partition: int32(p), Offset: end - 1})
		}
	}
	if err := i.identity.WaitFor(ctx, last...); err != nil {
		return err
	}
	if err := i.timeline.WaitFor(ctx, ends); err != nil {
		return err
	}
	return i.erasures.wait(ctx)
}

// exports are the projections as canonical NDJSON. Each waits until it has what the log holds at the call.
func (i *installation) exports() map[string]manage.Export {
	fromIdentity := func(write func(v *identity.View, w io.Writer, o identity.ExportOptions) (int, error)) manage.Export {
		return func(ctx context.Context, _ string, w io.Writer, o manage.ExportOptions) error {
			if err := i.visible(ctx); err != nil {
				return err
			}
			view, err := i.identity.View()
			if err != nil {
				return err
			}
			_, err = write(view, w, identity.ExportOptions{Clocks: o.Clocks, At: o.At})
			if closed := view.Close(); err == nil {
				err = closed
			}
			return err
		}
	}
	return map[string]manage.Export{
		"events":   i.exportEvents,
		"personas": fromIdentity((*identity.View).ExportPersonas),
		"profiles": fromIdentity((*identity.View).ExportProfiles),
		"timeline": i.exportTimeline,
	}
}

// exportTimeline writes every contact with the profile that holds it.
func (i *installation) exportTimeline(ctx context.Context, workspace string, w io.Writer, o manage.ExportOptions) error {
	ends, err := i.eventLog.Ends(ctx)
	if err != nil {
		return err
	}
	if err := i.visible(ctx); err != nil {
		return err
	}
	view, err := i.identity.View()
	if err != nil {
		return err
	}
	_, err = query.Reader{Conn: i.house}.Export(ctx, query.Export{
		Workspace: workspace, Clocks: o.Clocks, Before: ends, Generation: generation,
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
	if closed := view.Close(); err == nil {
		err = closed
	}
	return err
}

// behind is how many records of the log a role has yet to see.
func behind(ends []int64, next func(partition int) int64) (n int64) {
	for p, end := range ends {
		n += max(0, end-next(p))
	}
	return n
}
