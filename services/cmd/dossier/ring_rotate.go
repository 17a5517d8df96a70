package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dossier-cdp/dossier/services/keeper"
)

type ringRotate struct {
	Data   string `default:"./dossier-data" type:"path" help:"The data folder of the keeper, which must not be running." placeholder:"DIR"`
	Master bool   `help:"Another master key, too. One that is in DIR/keys/master is replaced there."`
	New    string `type:"existingfile" help:"With --master, where the key comes from the environment: the file with the new one, 64 hexadecimal digits." placeholder:"FILE"`
	JSON   bool   `help:"Print JSON."`
}

func (ringRotate) Help() string {
	return `Example: dossier ring rotate --data ./dossier-data
         dossier ring rotate --master

The key ring is kept under another ring key, so that whoever has copied the former one, even with the master key, opens nothing that is written from then
on. With --master the master key is another one from then on, too. No id and no key of an event changes. Cut, the same command ends it. Registered copies
of the ring open with the master key of their day: replace them, or keep that one as long as them.`
}

func (c *ringRotate) Run(context.Context) error {
	if c.New != "" && !c.Master {
		return &exit{exitMisused, errors.New("--new goes with --master")}
	}
	if err := c.rotate(); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(map[string]any{"data": c.Data, "ringKey": true, "masterKey": c.Master})
	}
	if !c.Master {
		fmt.Println("the ring key is another one")
		return nil
	}
	fmt.Println("the ring key and the master key are other ones")
	fmt.Fprintln(os.Stderr, "replace the registered copies of the key ring: they open with the former master key ('dossier ring list')")
	return nil
}

func (c *ringRotate) rotate() error {
	if !c.Master {
		master, _, err := keeper.LoadMasterKey(c.Data, os.Getenv)
		if err != nil {
			return err
		}
		return cutRotation(c.Data, keeper.RotateRingKeyOf(c.Data, master, time.Now(), rand.Reader))
	}
	var given *[32]byte
	if c.New != "" {
		key, _, err := keeper.LoadMasterKey(c.Data, func(name string) string {
			if name == "DOSSIER_MASTER_KEY_FILE" {
				return c.New
			}
			return ""
		})
		if err != nil {
			return err
		}
		given = &key
	}
	return keeper.RotateMasterOf(c.Data, given, os.Getenv, time.Now(), rand.Reader)
}

// cutRotation says what to do where the master key is wrong since a rotation was cut.
func cutRotation(data string, err error) error {
	if !errors.Is(err, keeper.ErrWrongMaster) {
		return err
	}
	for _, left := range []string{"master.new", "master.old"} {
		if _, is := os.Stat(filepath.Join(data, "keys", left)); is == nil {
			return fmt.Errorf("a rotation of the master key was cut: end it with 'dossier ring rotate --master --data %s'", data)
		}
	}
	return err
}
