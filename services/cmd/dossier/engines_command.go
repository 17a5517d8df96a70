package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/embedded/chdb"
)

// enginesCommand runs the embedded engines alone, for the tests of installations of several processes.
type enginesCommand struct {
	Data string `required:"" type:"path" help:"The data folder of the engines." placeholder:"DIR"`
	logging
}

func (enginesCommand) Help() string {
	return `Example: dossier engines --data ./engines

It prints one line 'ready BROKER CLICKHOUSE', the values of --kafka and --clickhouse of the processes that use it. Both are for tests: neither
has copies, and the address of ClickHouse contains its password.`
}

// Run serves until a signal.
func (c *enginesCommand) Run(ctx context.Context) (err error) {
	logger := c.logger(os.Stderr)
	folder, err := openFolder(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.close()) }()
	log, err := broker.Start(ctx, broker.Config{Dir: folder.path("log"), Topics: schema.Topics(), SyncWrites: true, Logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	engine, err := chdb.Start(ctx, chdb.Config{DataDir: folder.path("clickhouse"), Logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))) }()
	house, err := url.Parse(engine.URL())
	if err != nil {
		return err
	}
	house.User, house.Path = url.UserPassword(engine.User(), engine.Password()), "/dossier"
	fmt.Printf("ready %s %s\n", log.Addr(), house)
	<-ctx.Done()
	return nil
}
