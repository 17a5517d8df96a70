package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/dossier-cdp/dossier/pipelines/channel/record"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/intake"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// startIntake reads companies' topics whenever this process holds the lease.
func (i *installation) startIntake() error {
	clusters, err := openClusters(configurationFile, i.logger)
	if err != nil {
		return err
	}
	i.group.Go(func() error { clusters.follow(i.run, look, i.configuration.tell); return nil })
	figures := &intake.Metrics{}
	i.registry.MustRegister(figures)
	i.hold("intake", nil, func(ctx context.Context, l lease) (err error) {
		positions := intake.InNotes(l)
		if i.coordination == nil {
			store, err := state.Open(i.folder.path("state", "intake"), state.Options{CacheBytes: 1 << 20, MemTableBytes: 256 << 10, Logger: i.logger})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			positions = intake.InStore(store)
		}
		return intake.New(intake.Config{
			Workspace: mainWorkspace, Topics: i.configuration.topics, Changed: i.configuration.wait,
			ClusterDigest: clusters.digest, Registry: registries{clusters, i.folder}.of,
			Connect: func(ctx context.Context, name string) (intake.Cluster, error) { return i.connect(ctx, clusters, name) },
			Deliver: i.collector.Deliver, Positions: positions, Metrics: figures, Logger: i.logger,
		}).Run(ctx)
	})
	return nil
}

// registries are those of the clusters' schemas.
type registries struct {
	clusters *clusters
	folder   *folder
}

func (r registries) of(name string) (intake.Registry, error) {
	c, known := r.clusters.named(name)
	if !known || c.Registry == "" {
		return nil, schema.Classify(schema.Transient, fmt.Errorf("%s names no registry for the cluster %q: write registry: URL there, under clusters", configurationFile, name))
	}
	return c.schemas(r.folder)
}

// connect opens the cluster of a name; the empty one is our own, where a company's topics may stand beside ours.
func (i *installation) connect(ctx context.Context, clusters *clusters, name string) (intake.Cluster, error) {
	if name == "" {
		config, err := i.connections.Kafka()
		if err != nil {
			return nil, err
		}
		if i.embedded != nil {
			config.Brokers = []string{i.embedded.Addr()}
		}
		config.TopicPrefix = "" // a company's topic is named as it is
		return kafka.Open(ctx, config)
	}
	c, known := clusters.named(name)
	if !known {
		return nil, schema.Classify(schema.Fatal, fmt.Errorf("%s has no cluster %s: add it under clusters", configurationFile, name))
	}
	config, err := c.kafka(i.folder)
	if err != nil {
		return nil, err
	}
	return kafka.Open(ctx, config)
}

// topics are those that the configuration in force reads.
func (c *configurations) topics() map[string]*record.Topic { return c.current.Load().Topics }

// following tells of each configuration that came into force.
type following struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait gives a channel that is closed at the next one.
func (f *following) wait() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = make(chan struct{})
	}
	return f.next
}

func (f *following) tell() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next != nil {
		close(f.next)
		f.next = nil
	}
}
