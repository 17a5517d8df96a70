package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// belongs makes sure that the log is this installation's own: that its control topic was begun with the same key ring, or was not begun
// yet. Another installation could open none of its events, and would write events that the owner cannot open. It must be called before
// anything else is written; the control topic must be followed.
func belongs(ctx context.Context, c *control.Control, ring *seal.Ring, prefix string) error {
	own, err := ring.Fingerprint()
	if err != nil {
		return err
	}
	if c.State().Ring() == "" {
		err := c.Append(ctx, &schema.Control{
			ID: uuid.NewString(), Kind: schema.ControlInstallationStarted, Workspace: ring.Workspace(), Actor: "dossier", Reason: "first start",
			Installation: &schema.ControlInstallation{Ring: own},
		})
		if refused := (*control.ErrRefused)(nil); err != nil && !errors.As(err, &refused) { // refused: another one began it a moment ago
			return fmt.Errorf("begin the control topic: %w", err)
		}
	}
	if c.State().Ring() != own {
		return fmt.Errorf("the topic %s belongs to another installation, with another key ring: give this one topics of its own by --topic-prefix, or start it with that installation's data folder or a backup of its keys", prefix+schema.TopicControl)
	}
	return nil
}
