package main

import (
	"crypto/rand"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/rights"
)

// startCollector makes what takes events: over HTTP where this process has the collector's role, and from decisions where it has the api's.
func (i *installation) startCollector() {
	i.collector = collector.New(collector.Config{
		Access: i.control, Log: i.tracer.Log(schema.TopicEvents, i.events), Workspace: i.workspace(), Room: i.room(), Now: time.Now, Logger: i.logger,
	})
	if i.coordination == nil {
		return
	}
	if i.roles.has(collectorRole) {
		i.offerIntake() // before anybody can send to it
		i.present(collectorRole)
	} else {
		i.present(apiRole)
	}
}

// suppressed says whether nothing more of an event's person is to be kept.
func (i *installation) suppressed(e *schema.Event, country string) bool {
	return i.control.State().Suppressed(mainWorkspace, e.Persona, rights.Hashes(i.ring.PRF(), e, country))
}

// workspace gives the collector what it needs of a workspace. All of it is made once.
func (i *installation) workspace() func(name string) (*collector.Workspace, bool) {
	w := &collector.Workspace{
		Name: mainWorkspace, Ids: ids.New(i.ring.PRF()), Sealer: &envelope.Sealer{Keys: i.ring, Nonces: rand.Reader},
		Letters: i.letterBox("collector"), Epoch: i.erasures.epoch, Suppressed: i.suppressed, Source: i.configuration.source,
		Class: i.configuration.class, Expired: i.erasures.ended, Holds: i.ring.Holds,
		Hook: i.configuration.hook, Secrets: i.folder.hookSecrets,
	}
	return func(name string) (*collector.Workspace, bool) { return w, name == mainWorkspace && i.mayCollect() }
}
