package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
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

// logIdentity is log.json of the data folder: which log the states and the archive in it were built from.
type logIdentity struct {
	Cluster     string `json:"cluster"`
	TopicPrefix string `json:"topicPrefix"`
}

// sameLog makes sure that the data folder goes with the log that was opened, and notes which one it is at the first start. It must be
// called before topics are made: with a wrong address a whole new log would begin. It tells whether the folder knew the log before.
func (f *folder) sameLog(opened logIdentity) (known bool, err error) {
	path := f.path("log.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if b, err = json.Marshal(opened); err != nil {
			return false, err
		}
		if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
			return false, fmt.Errorf("write log.json: %w", err)
		}
		return false, os.Rename(path+".new", path)
	}
	if err != nil {
		return false, fmt.Errorf("read log.json: %w", err)
	}
	var before logIdentity
	if err := json.Unmarshal(b, &before); err != nil {
		return false, fmt.Errorf("%s is not the JSON that dossier wrote: put it back, or remove it if the log is the right one: %w", path, err)
	}
	hint := "give the addresses of that log, or another --data; if all its topics were moved, remove " + path
	switch {
	case before.Cluster != opened.Cluster:
		return false, fmt.Errorf("the data folder %s was built from the log of cluster %s, and this is cluster %s: %s", f.dir, before.Cluster, opened.Cluster, hint)
	case before.TopicPrefix != opened.TopicPrefix:
		return false, fmt.Errorf("the data folder %s was built from topics whose prefix is %q, and now it is %q: %s", f.dir, before.TopicPrefix, opened.TopicPrefix, hint)
	}
	return true, nil
}

// topicsKept makes sure that the topics are in the cluster still that the data folder was built from. They would be made again, empty,
// and an installation without customers would take the place of the one that was there.
func topicsKept(ctx context.Context, f *folder, client *kafka.Client, prefix string) error {
	for _, topic := range []string{schema.TopicControl, schema.TopicEvents} {
		is, err := client.Exists(ctx, topic)
		if err != nil {
			return err
		}
		if !is {
			return fmt.Errorf("the topic %s%s is not in the cluster any more, from which the data folder %s was built: restore it from a backup with 'dossier restore', or begin anew with another --data", prefix, topic, f.dir)
		}
	}
	return nil
}
