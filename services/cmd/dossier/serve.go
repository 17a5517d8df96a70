package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/rpc"
)

type serveCommand struct {
	Roles  []string `required:"" help:"What this process does: any of keeper, archive, identity, timeline, collector, api." placeholder:"ROLES"`
	Data   string   `default:"./dossier-data" type:"path" help:"The data folder of this process; the keeper's holds the key ring." placeholder:"DIR"`
	Listen string   `default:"127.0.0.1:8080" help:"Where to serve HTTP: what the roles answer, and health and figures." placeholder:"ADDR"`
	connections
	limits
	Partitions  int32         `help:"Partitions of the events topic where it is not there yet (default: 4). Later 'dossier partitions' changes their number."`
	RPC         string        `name:"rpc" default:"127.0.0.1:0" help:"Where to answer the processes with other roles." placeholder:"ADDR"`
	Advertise   string        `help:"The address at which they reach it, HOST:PORT (default: what --rpc listens on)." placeholder:"ADDR"`
	Certificate string        `required:"" type:"path" help:"The folder that 'dossier certificates create' made for these roles." placeholder:"FOLDER"`
	PublicURL   string        `help:"The address of the api and the collectors that the keeper writes into credentials.json (default: its own)." placeholder:"URL"`
	Pprof       string        `help:"Serve Go's profiles on this loopback address, such as 127.0.0.1:6060." placeholder:"ADDR"`
	LeaseTime   time.Duration `hidden:"" default:"5s" help:"How long a lease outlives its owner."`
	logging
	spans
}

func (serveCommand) Help() string {
	return `Example: dossier serve --roles identity --data /var/lib/dossier --listen 0.0.0.0:8080 --rpc 0.0.0.0:7443 --advertise identity-1:7443 --certificate /etc/dossier/identity --kafka kafka:9092 --clickhouse http://clickhouse:8123/dossier --archive s3://dossier/main

One process of an installation of several. They find each other through the log: each must reach the same brokers, ClickHouse and archive,
and has a certificate of the keeper's authority. One process has the role keeper; collector and api may run any number of times; of
identity, timeline and archive one at a time works and the others stand by. When it serves, it prints one line 'ready http://HOST:PORT'.
The keeper's first start makes the workspace main and writes DIR/credentials.json.`
}

// Run starts the roles, serves until a signal, and stops in the reverse order.
func (c *serveCommand) Run(ctx context.Context) (err error) {
	logger := c.logger(os.Stderr)
	slog.SetDefault(logger)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(memoryLimit())
	}
	tracer, err := c.tracer(logger)
	if err != nil {
		return err
	}
	roles, err := parseRoles(c.Roles)
	if err != nil {
		return &exit{exitMisused, err}
	}
	if err := c.shared(roles); err != nil {
		return &exit{exitMisused, err}
	}
	names := make([]string, len(roles))
	for n, r := range roles {
		names[n] = string(r)
	}
	identity, err := rpc.LoadIdentity(c.Certificate, names, time.Now)
	if err != nil {
		return err
	}
	// The ports first: nothing is touched when one is taken.
	listener, err := listen(c.Listen, "--listen")
	if err != nil {
		return err
	}
	peers, err := listen(c.RPC, "--rpc")
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	close := func(err error) error { return errors.Join(err, listener.Close(), peers.Close()) }
	advertise := c.Advertise
	if advertise == "" {
		if advertise, err = reachableAt(peers.Addr()); err != nil {
			return close(err)
		}
	}
	if c.Pprof != "" {
		if err := servePprof(c.Pprof, logger); err != nil {
			return close(err)
		}
	}
	folder, err := openFolder(c.Data)
	if err != nil {
		return close(err)
	}
	defer func() { err = errors.Join(err, folder.close()) }()
	installation := &installation{
		folder: folder, listener: listener, connections: c.connections, limits: c.limits, partitions: c.Partitions, logger: logger, tracer: tracer, roles: roles, publicURL: c.PublicURL,
		sharing: &sharing{listener: peers, advertise: advertise, certificate: identity, leaseTime: c.LeaseTime},
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
	fmt.Printf("ready %s\n", installation.address())
	return installation.wait(ctx)
}

// shared makes sure that what the processes of an installation share is no part of this one.
func (c *serveCommand) shared(roles roles) error {
	switch {
	case c.embeddedLog():
		return errors.New("the processes of an installation share a log: give the addresses of the brokers with --kafka, or run everything in one process with 'dossier up'")
	case c.Partitions < 0 || c.Partitions > 1000:
		return fmt.Errorf("%d partitions are not possible: choose from 1 to 1000", c.Partitions)
	case c.embeddedTimeline() && roles.has(identityRole, timelineRole, careRole, segmentsRole, apiRole):
		return errors.New("the roles identity, timeline, care, segments and api share ClickHouse: give its address with --clickhouse")
	case c.Archive == "":
		return errors.New("the processes of an installation share the archive: give its place with --archive, a folder that all of them see, or s3://BUCKET/PREFIX")
	}
	return nil
}

// listen takes an address of our own.
func listen(address, flag string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the address %s is taken: stop what listens there, or choose another with %s", address, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another with %s", address, errors.Unwrap(err), flag)
	}
	return listener, nil
}

// reachableAt is the address that others are told where none is given: one that listens everywhere does not say how it is reached.
func reachableAt(addr net.Addr) (string, error) {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return "", &exit{exitMisused, errors.New("--rpc listens on every address: say with --advertise HOST:PORT at which of them the other processes reach this one")}
	}
	return addr.String(), nil
}
