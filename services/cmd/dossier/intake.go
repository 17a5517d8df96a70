package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"github.com/dossier-cdp/dossier/pipelines/channel/record"
	"github.com/dossier-cdp/dossier/pipelines/channel/webhook"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/intake"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// configurationFile has addresses, ports and keys.
const configurationFile = "dossier.yaml"

// cluster is a company's Kafka, as the section clusters of dossier.yaml has it.
type cluster struct {
	Brokers  []string `yaml:"brokers"`
	TLS      bool     `yaml:"tls"`
	TLSCA    string   `yaml:"tls-ca"`
	TLSCert  string   `yaml:"tls-cert"`
	TLSKey   string   `yaml:"tls-key"`
	SASL     string   `yaml:"sasl"`
	User     string   `yaml:"user"`
	Password string   `yaml:"password"` // secret:NAME
}

// readClusters reads the section clusters. A file that is not there has none.
func readClusters(path string) (map[string]cluster, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, reason(err))
	}
	whole := map[string]any{}
	if err := yaml.Unmarshal(text, &whole); err != nil {
		return nil, fmt.Errorf("%s is not YAML: %s", path, firstLine(err))
	}
	if whole["clusters"] == nil {
		return nil, nil
	}
	section, err := yaml.Marshal(whole["clusters"])
	if err != nil {
		return nil, fmt.Errorf("%s, clusters: %s", path, firstLine(err))
	}
	clusters := map[string]cluster{}
	if err := yaml.UnmarshalWithOptions(section, &clusters, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s, clusters: %s", path, firstLine(err))
	}
	for name, c := range clusters {
		if len(c.Brokers) == 0 {
			return nil, fmt.Errorf("%s, clusters: %s has no brokers: write brokers: [HOST:PORT]", path, name)
		}
		if _, ok := webhook.SecretName(c.Password); c.Password != "" && !ok {
			return nil, fmt.Errorf("%s, clusters: the password of %s stands in the file: write secret:NAME, and put it into keys/NAME of the data folder or the environment", path, name)
		}
	}
	return clusters, nil
}

// firstLine is what an error of YAML says; the place is drawn below.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// kafka gives the settings of a client.
func (c *cluster) kafka(f *folder) (kafka.Config, error) {
	config := kafka.Config{Brokers: c.Brokers}
	if c.TLS || c.TLSCA != "" || c.TLSCert != "" || c.TLSKey != "" {
		config.TLS = &kafka.TLS{CA: c.TLSCA, Certificate: c.TLSCert, Key: c.TLSKey}
	}
	if c.SASL == "" {
		return config, nil
	}
	name, _ := webhook.SecretName(c.Password)
	password, err := f.secret(name)
	if err != nil {
		return kafka.Config{}, err
	}
	config.SASL = &kafka.SASL{Mechanism: c.SASL, User: c.User, Password: password}
	return config, nil
}

// startIntake reads companies' topics whenever this process holds the lease.
func (i *installation) startIntake() error {
	clusters, err := readClusters(configurationFile)
	if err != nil {
		return err
	}
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
			Connect: func(ctx context.Context, name string) (intake.Cluster, error) { return i.connect(ctx, clusters, name) },
			Deliver: i.collector.Deliver, Positions: positions, Metrics: figures, Logger: i.logger,
		}).Run(ctx)
	})
	return nil
}

// connect opens the cluster of a name; the empty one is our own, where a company's topics may stand beside ours.
func (i *installation) connect(ctx context.Context, clusters map[string]cluster, name string) (intake.Cluster, error) {
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
	c, known := clusters[name]
	if !known {
		return nil, schema.Classify(schema.Fatal, fmt.Errorf("%s has no cluster %s: add it under clusters, and start again", configurationFile, name))
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
