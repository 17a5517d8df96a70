package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/services/demo"
)

type upCommand struct {
	Data   string `default:"./dossier-data" type:"path" help:"The data folder; made at the first start." placeholder:"DIR"`
	Listen string `default:"127.0.0.1:8080" help:"Where to serve HTTP." placeholder:"ADDR"`
	connections
	limits
	Demo          bool   `help:"Load the demo workspace at the first start, and print three queries to try."`
	Partitions    int32  `help:"Partitions of the events topic (default: 4 at the first start). Another number than before starts a new generation of the log; no other process may take events meanwhile."`
	Pprof         string `help:"Serve Go's profiles on this loopback address, such as 127.0.0.1:6060." placeholder:"ADDR"`
	OnlyCollector bool   `hidden:"" help:"Run the collector and the log alone, for benchmarks."`
	logging
	spans
}

func (upCommand) Help() string {
	return `Example: dossier up --data ./dossier-data --listen 127.0.0.1:8080

When it serves, it prints one line 'ready http://HOST:PORT' to stdout. A first start makes the workspace main and writes
DIR/credentials.json. DOSSIER_MASTER_KEY (64 hex digits) or DOSSIER_MASTER_KEY_FILE gives the master key; else a first start
makes one in DIR/keys. Ctrl-C stops cleanly, and the same command carries on.`
}

// Run starts an installation, serves until a signal, and stops in the reverse order.
func (c *upCommand) Run(ctx context.Context) (err error) {
	logger := c.logger(os.Stderr)
	slog.SetDefault(logger)
	if os.Getenv("GOMEMLIMIT") == "" {
		// The heap may grow to five times what lives, which cuts the time spent on collecting it under load, but not past the limit.
		debug.SetMemoryLimit(memoryLimit())
		debug.SetGCPercent(400)
	}
	tracer, err := c.tracer(logger)
	if err != nil {
		return err
	}
	// The port first: nothing is touched when it is taken.
	listener, err := listen(c.Listen, "--listen")
	if err != nil {
		return err
	}
	if c.Pprof != "" {
		if err := servePprof(c.Pprof, logger); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	folder, err := openFolder(c.Data)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, folder.close()) }()

	installation := &installation{
		folder: folder, listener: listener, connections: c.connections, limits: c.limits, partitions: c.Partitions, logger: logger, tracer: tracer,
		roles: allRoles(), leases: alone{},
	}
	if c.OnlyCollector {
		installation.roles = roles{keeperRole, collectorRole}
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err = errors.Join(err, installation.stop(stopping, err))
	}()
	if err := installation.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // asked to stop while starting
		}
		return err
	}
	fmt.Printf("ready %s\n", installation.credentials.URL)
	if c.Demo {
		if err := c.demo(ctx, installation); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return installation.wait(ctx)
}

// demo loads the demo workspace if it has not been loaded to its end, and says what to try.
func (c *upCommand) demo(ctx context.Context, i *installation) error {
	done := i.folder.path("demo-loaded")
	if _, err := os.Stat(done); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "loading the demo workspace: 2,000 people, 12 channels, 18 months")
		progress := newProgress("events")
		err := demo.Load(ctx, demo.Config{
			URL: i.credentials.URL, ServerKey: i.credentials.WriteKey, ClientKey: i.credentials.ClientKey, Progress: progress.update,
		})
		progress.done()
		if err != nil {
			return fmt.Errorf("load the demo workspace: %w", err)
		}
		if err := i.projections().visible(ctx); err != nil {
			return fmt.Errorf("wait for the demo workspace: %w", err)
		}
		if err := os.WriteFile(done, nil, 0o600); err != nil {
			return err
		}
	}
	cr := i.credentials
	fmt.Fprintf(os.Stderr, "\naddress      %s\nserver key   %s\nbrowser key  %s\nAPI token    %s\n\nTry:\n\n%s\n",
		cr.URL, cr.WriteKey, cr.ClientKey, cr.APIToken, strings.Join(demo.Queries(cr.URL, cr.APIToken), "\n\n"))
	return nil
}
