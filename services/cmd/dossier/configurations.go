package main

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/webhook"
	"github.com/dossier-cdp/dossier/pipelines/configuration"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/replay"
)

// configurations holds the configuration in force, ready for use.
type configurations struct {
	control *control.Control
	current atomic.Pointer[configuration.Configuration]
	pinned  *replay.Plan // whose document is in force, whatever the control topic says; nil: the control topic's
	following
}

// refresh takes over what the control topic says. A document was checked before it was appended, so one that does not parse was
// written by a newer version.
func (c *configurations) refresh() error {
	inForce := c.control.State().Configuration(mainWorkspace)
	if c.pinned != nil {
		return c.pin()
	}
	if old := c.current.Load(); old != nil && (old.Hash == inForce.Hash || inForce.Hash == "") {
		return nil
	}
	parsed, err := configuration.Parse(inForce.Document, time.LoadLocation)
	if err != nil {
		return fmt.Errorf("the configuration in force cannot be read by this version of dossier: %w", err)
	}
	parsed.Care = succeeding(c.control.State().Enacted(mainWorkspace), parsed.Care)
	c.current.Store(parsed)
	c.tell()
	return nil
}

// pin takes over the document of a shadow, once. Rules of care of its own count as if they had been in force always; else those that were in force before
// count for what began under them, as they did when the shadow was planned.
func (c *configurations) pin() error {
	if c.current.Load() != nil {
		return nil
	}
	parsed, err := configuration.Parse(c.pinned.Configuration, time.LoadLocation)
	if err != nil {
		return fmt.Errorf("the configuration of the shadow cannot be read by this version of dossier: %w", err)
	}
	if !c.pinned.Own {
		changes := slices.DeleteFunc(c.control.State().Changes(mainWorkspace), func(one control.Change) bool { return !slices.Contains(c.pinned.Follow, one.Position) })
		parsed.Care = succeeding(changes, parsed.Care)
	}
	c.current.Store(parsed)
	return nil
}

// succeeding gives the rules of care in force with those that were before. A document that this version cannot read any more counts as never written: what
// began under it is measured by the next one.
func succeeding(changes []control.Change, inForce *care.Rules) *care.Rules {
	var history []care.Enacted
	for _, change := range changes {
		if rules, err := configuration.CareOf(change.Document, time.LoadLocation); err == nil {
			history = append(history, care.Enacted{From: change.At, Rules: rules})
		}
	}
	if len(history) == 0 {
		return inForce
	}
	return care.Succeeding(history)
}

// run takes over changes as they come and tells of each, until ctx ends.
func (c *configurations) run(ctx context.Context, changedTo func() error) error {
	told := c.settings().Hash
	for {
		changed := c.control.Changed()
		if err := c.refresh(); err != nil {
			return err
		}
		if hash := c.settings().Hash; hash != told {
			if err := changedTo(); err != nil {
				return ended(ctx, err)
			}
			told = hash
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// hook is how a source takes webhooks; false if it does not.
func (c *configurations) hook(source string) (*webhook.Hook, bool) {
	h, known := c.current.Load().Hooks[source]
	return h, known
}

func (c *configurations) source(name string) *channel.Source { return c.current.Load().Source(name) }

// class is the retention class of an event.
func (c *configurations) class(source *channel.Source, t schema.Type) string {
	return c.current.Load().Retention.ClassOf(source, t)
}

// settings are what the configuration in force says of identity, without what is kept no longer.
func (c *configurations) settings() identity.Settings {
	settings := settingsOf(c.current.Load())
	for _, of := range c.control.State().Expired(mainWorkspace) {
		settings.Expired = append(settings.Expired, of.String())
	}
	slices.Sort(settings.Expired)
	return settings
}

// settingsAt are what the configuration that was in force at a time says of identity; 0 is now.
func (c *configurations) settingsAt(at schema.Instant) (identity.Settings, error) {
	if at == 0 {
		return c.settings(), nil
	}
	then, err := c.at(at)
	if err != nil {
		return identity.Settings{}, err
	}
	return settingsOf(then), nil
}

// at is the configuration that was in force at a time, with the rules of care that were before.
func (c *configurations) at(at schema.Instant) (*configuration.Configuration, error) {
	changes := c.control.State().Changes(mainWorkspace)
	for n := range changes {
		if changes[n].At > at {
			changes = changes[:n]
			break
		}
	}
	var document []byte // of the default, before the first change
	if len(changes) > 0 {
		document = changes[len(changes)-1].Document
	}
	then, err := configuration.Parse(document, time.LoadLocation)
	if err != nil {
		return nil, schema.Refuse("configuration_unreadable", "the configuration that was in force then cannot be read by this version of dossier", "ask as of a time after it was changed: 'dossier config log' lists the changes")
	}
	then.Care = succeeding(changes, then.Care)
	return then, nil
}

func settingsOf(inForce *configuration.Configuration) identity.Settings {
	countries := map[string]bool{}
	var list []string
	for _, name := range inForce.SourceNames() {
		if country := inForce.Sources[name].Country; country != "" && !countries[country] {
			countries[country] = true
			list = append(list, country)
		}
	}
	return identity.Settings{Hash: inForce.Hash, Rules: inForce.Identity, Survivorship: *inForce.Survivorship, Countries: list, Model: inForce.Model, People: inForce.People}
}
