package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/backup"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/keeper"
)

type backupCommand struct {
	target
	Dir   string `arg:"" type:"path" help:"The folder of the backup; one that is there is brought up to date."`
	Check bool   `help:"Read every record of the backup that is there instead, and name what is wrong."`
	JSON  bool   `help:"Print JSON."`
}

func (backupCommand) Help() string {
	return `Example: dossier backup /mnt/backup/dossier

It runs while the installation works, and holds everything irreplaceable but the key ring: every event, decision, configuration, key (as a
hash) and dead letter that was acknowledged before it began. A second backup into the same folder copies only what is new. The key ring has
copies of its own: 'dossier ring copy'. 'dossier restore' brings both back.`
}

func (c *backupCommand) Run(ctx context.Context) error {
	if c.Check {
		folder, err := backup.Open(c.Dir)
		if err != nil {
			return err
		}
		if err := folder.Check(ctx); err != nil {
			return err
		}
		return c.report(&folder.Manifest)
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	remote := &backup.Remote{Get: func(ctx context.Context, path string) (*http.Response, error) {
		return api.do(ctx, http.MethodGet, path, nil)
	}}
	shown := newProgress("records")
	made, err := backup.Copy(ctx, remote, c.Dir, func(p backup.Progress) { shown.update(p.Records, p.Total) })
	shown.done()
	if err != nil {
		return err
	}
	return c.report(made)
}

func (c *backupCommand) report(m *backup.Manifest) error {
	if c.JSON {
		return printJSON(m)
	}
	fmt.Printf("backup of %s: %d events, %d records in all\n", m.Made, m.Records(schema.TopicEvents), m.Records(""))
	return nil
}

type ringCommand struct {
	Copy      ringCopy      `cmd:"" help:"Write a copy of the key ring for a safe place, and register it."`
	List      ringList      `cmd:"" help:"List the registered copies of the key ring, and which must be replaced."`
	Destroyed ringDestroyed `cmd:"" help:"Note that a copy was destroyed."`
	Rotate    ringRotate    `cmd:"" help:"Keep the key ring under another ring key, and another master key if wanted, while nothing runs."`
}

func (ringCommand) Help() string {
	return "Example: dossier ring copy --name bank-safe /mnt/usb/dossier.ring\n\nWithout the key ring nothing in the log can be read. A copy opens with the master key, which is not in it. Keep it apart from the backup of the rest. An erasure is done only when every copy has been replaced by a new one of its name, or destroyed."
}

type ringCopy struct {
	target
	Name string `required:"" help:"What the copy is called; a copy of the same name is replaced by it." placeholder:"NAME"`
	File string `arg:"" type:"path" help:"Where to write it."`
	JSON bool   `help:"Print JSON."`
}

func (ringCopy) Help() string {
	return "Example: dossier ring copy --name bank-safe /mnt/usb/dossier.ring"
}

// Run replaces the file only once the new copy is whole and durable.
func (c *ringCopy) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	response, err := api.do(ctx, http.MethodPost, "/v1/ring/copies/"+url.PathEscape(c.Name), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read the copy: %w", err)
	}
	if err := writeWhole(c.File, content); err != nil {
		return fmt.Errorf("write the copy: %w; it is registered all the same: repeat this, or say 'dossier ring destroyed %s'", err, c.Name)
	}
	sum := sha256.Sum256(content)
	if c.JSON {
		return printJSON(map[string]any{"name": c.Name, "file": c.File, "digest": hex.EncodeToString(sum[:]), "bytes": len(content)})
	}
	fmt.Printf("%s  %s\n", hex.EncodeToString(sum[:]), c.File)
	return nil
}

// writeWhole replaces a file durably, readable by its owner only.
func writeWhole(path string, content []byte) error {
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

type ringList struct{ list }

func (ringList) Help() string { return "Example: dossier ring list --json" }

func (c *ringList) Run(ctx context.Context) error {
	return show(ctx, &c.list, "/v1/ring/copies", []string{"NAME", "MADE", "BY", "STATE", "DIGEST"}, func(l manage.RingCopyLine) []string {
		state := "current"
		if !l.Current {
			state = "replace it: it holds keys of erased people"
		}
		return []string{l.Name, l.Made, l.Actor, state, l.Digest}
	})
}

type ringDestroyed struct {
	target
	Name string `arg:"" help:"The copy's name."`
	JSON bool   `help:"Print JSON."`
}

func (ringDestroyed) Help() string { return "Example: dossier ring destroyed bank-safe" }

func (c *ringDestroyed) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer map[string]string
	if err := api.call(ctx, http.MethodDelete, "/v1/ring/copies/"+url.PathEscape(c.Name), nil, &answer); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(answer)
	}
	return nil
}

// archivedLogs are what a backup of this installation copies, the control topic last.
func (i *installation) archivedLogs(ctx context.Context) ([]*eventlog.Log, error) {
	logs := []*eventlog.Log{i.eventLog, i.letterLog}
	for _, topic := range []string{schema.TopicProfiles, schema.TopicDecisions, schema.TopicAudit} {
		log, err := eventlog.Open(ctx, i.client, i.store, topic, 0)
		if err != nil {
			return nil, err
		}
		logs = append(logs, log)
	}
	return append(logs, i.controlLog), nil
}

// restoreRing brings a copy of the key ring into a new data folder.
func restoreRing(dir, file string) error {
	if os.Getenv("DOSSIER_MASTER_KEY") == "" && os.Getenv("DOSSIER_MASTER_KEY_FILE") == "" {
		return errors.New("the master key is in no backup: give it by DOSSIER_MASTER_KEY or DOSSIER_MASTER_KEY_FILE")
	}
	master, _, err := keeper.LoadMasterKey(dir, os.Getenv)
	if err != nil {
		return err
	}
	copied, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the copy of the key ring: %w", err)
	}
	return keeper.Restore(dir, master, copied, time.Now(), rand.Reader)
}
