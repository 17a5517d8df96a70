package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/dossier-cdp/dossier/pipelines/channel/webhook"
	"github.com/dossier-cdp/dossier/services/intake"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
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

	Registry         string `yaml:"registry"` // of schemas: https://HOST:PORT
	RegistryUser     string `yaml:"registry-user"`
	RegistryPassword string `yaml:"registry-password"` // secret:NAME
	RegistryCA       string `yaml:"registry-ca"`
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
		for _, password := range []string{c.Password, c.RegistryPassword} {
			if _, ok := webhook.SecretName(password); password != "" && !ok {
				return nil, fmt.Errorf("%s, clusters: the password of %s stands in the file: write secret:NAME, and put it into keys/NAME of the data folder or the environment", path, name)
			}
		}
		if u, err := url.Parse(c.Registry); c.Registry != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil) {
			return nil, fmt.Errorf("%s, clusters: the registry of %s is not of the form https://HOST:PORT, without user and password", path, name)
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

// schemas gives the registry of the schemas of the cluster's records.
func (c *cluster) schemas(f *folder) (intake.Registry, error) {
	r := &intake.HTTPRegistry{URL: c.Registry, User: c.RegistryUser, Client: http.DefaultClient}
	if c.RegistryPassword != "" {
		name, _ := webhook.SecretName(c.RegistryPassword)
		var err error
		if r.Password, err = f.secret(name); err != nil {
			return nil, err
		}
	}
	if c.RegistryCA != "" {
		text, err := os.ReadFile(c.RegistryCA)
		if err != nil {
			return nil, fmt.Errorf("read the authority of the schema registry: %w", reason(err))
		}
		authority := x509.NewCertPool()
		if !authority.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("the authority of the schema registry, %s, holds no certificate in PEM", c.RegistryCA)
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: authority, MinVersion: tls.VersionTLS12}
		r.Client = &http.Client{Transport: transport}
	}
	return r, nil
}

// clusters are those of dossier.yaml, as it is now.
type clusters struct {
	path   string
	now    atomic.Pointer[map[string]cluster]
	logger *slog.Logger
}

// openClusters reads the file. One that is wrong is refused at the start.
func openClusters(path string, logger *slog.Logger) (*clusters, error) {
	c := &clusters{path: path, logger: logger}
	read, err := readClusters(path)
	c.now.Store(&read)
	return c, err
}

// look is how often the file is read again.
const look = 5 * time.Second

// follow takes over what changes in the file, and tells of it, until ctx ends. While the file is wrong what it said before stays. What is
// read twice alike counts: editors empty a file before they write it.
func (c *clusters) follow(ctx context.Context, every time.Duration, changed func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	told, seen := "", ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		read, err := readClusters(c.path)
		if err != nil {
			if told != err.Error() {
				told = err.Error()
				c.logger.Error("the clusters stay as they were, since the file cannot be read", "error", err)
			}
			continue
		}
		told = ""
		digest, again := digestOf(read), seen
		seen = digest
		if digest == again && digest != digestOf(*c.now.Load()) {
			c.logger.Info("the clusters of the configuration file have changed", "clusters", len(read))
			c.now.Store(&read)
			changed()
		}
	}
}

// named gives a cluster.
func (c *clusters) named(name string) (cluster, bool) {
	found, known := (*c.now.Load())[name]
	return found, known
}

// digest changes with what the file says of a cluster.
func (c *clusters) digest(name string) string {
	found, known := c.named(name)
	return digestOf(map[string]cluster{fmt.Sprint(known): found})
}

func digestOf(c map[string]cluster) string {
	text, err := json.Marshal(c)
	if err != nil {
		return err.Error() // Unreachable: it has strings
	}
	return string(text)
}
