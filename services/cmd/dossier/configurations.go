package main

import (
	"fmt"
	"sync/atomic"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/configuration"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// configurations holds the configuration in force, ready for use.
type configurations struct {
	control *control.Control
	current atomic.Pointer[configuration.Configuration]
}

// refresh takes over what the control topic says. A document was checked before it was appended, so one that does not parse was
// written by a newer version.
func (c *configurations) refresh() error {
	inForce := c.control.State().Configuration(mainWorkspace)
	if old := c.current.Load(); old != nil && (old.Hash == inForce.Hash || inForce.Hash == "") {
		return nil
	}
	parsed, err := configuration.Parse(inForce.Document)
	if err != nil {
		return fmt.Errorf("the configuration in force cannot be read by this version of dossier: %w", err)
	}
	c.current.Store(parsed)
	return nil
}

func (c *configurations) source(name string) *channel.Source { return c.current.Load().Source(name) }
