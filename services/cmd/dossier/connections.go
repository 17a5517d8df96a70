package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// connections are the flags that say where the engines are. A command that needs an engine embeds them. Passwords come from a file or
// the environment, never from the command line, which others on the machine can read.
type connections struct {
	Brokers          []string `name:"kafka" help:"Brokers to use instead of the embedded log, HOST:PORT,…" placeholder:"ADDRS"`
	TopicPrefix      string   `help:"What the names of all topics begin with, so that several installations share a cluster." placeholder:"PREFIX"`
	KafkaReplication int      `help:"Copies of each event in the cluster (default: one on each broker, up to 3)." placeholder:"N"`
	KafkaTLS         bool     `name:"kafka-tls" help:"Encrypt connections to the brokers; their certificates are signed by an authority that the system knows."`
	KafkaTLSCA       string   `name:"kafka-tls-ca" type:"path" help:"The authority that signs the brokers' certificates (PEM); encrypts." placeholder:"FILE"`
	KafkaTLSCert     string   `name:"kafka-tls-cert" type:"path" help:"Our certificate, where brokers ask for one (PEM); encrypts." placeholder:"FILE"`
	KafkaTLSKey      string   `name:"kafka-tls-key" type:"path" help:"The key of our certificate (PEM)." placeholder:"FILE"`
	KafkaSASL        string   `name:"kafka-sasl" enum:",plain,scram-sha-256,scram-sha-512" default:"" help:"How to log in at the brokers: plain, scram-sha-256 or scram-sha-512." placeholder:"HOW"`
	KafkaUser        string   `help:"The user to log in as." placeholder:"NAME"`
	KafkaPassword    string   `name:"kafka-password-file" type:"path" help:"The file of the user's password; DOSSIER_KAFKA_PASSWORD may hold it instead." placeholder:"FILE"`

	Archive string `help:"Where the archive is, if not in the data folder: another folder, or s3://BUCKET/PREFIX?endpoint=URL&region=NAME." placeholder:"PLACE"`

	Clickhouse         string `help:"ClickHouse to use instead of the embedded engine, http://host:8123/database or https://…" placeholder:"URL"`
	ClickhouseUser     string `help:"The user at ClickHouse, if the address does not name one." placeholder:"NAME"`
	ClickhousePassword string `name:"clickhouse-password-file" type:"path" help:"The file of that user's password; DOSSIER_CLICKHOUSE_PASSWORD may hold it instead." placeholder:"FILE"`
}

// embeddedLog says that no broker is given, so that the log is embedded.
func (c *connections) embeddedLog() bool { return len(c.Brokers) == 0 }

// embeddedTimeline says that no ClickHouse is given, so that the engine is embedded.
func (c *connections) embeddedTimeline() bool { return c.Clickhouse == "" }

// Kafka gives the settings of the client. For an embedded log they lack the address, which is known once it runs.
func (c *connections) Kafka() (kafka.Config, error) {
	if c.embeddedLog() {
		for flag, given := range map[string]bool{
			"--topic-prefix": c.TopicPrefix != "", "--kafka-replication": c.KafkaReplication != 0, "--kafka-sasl": c.KafkaSASL != "", "--kafka-tls": c.encrypted(),
		} {
			if given {
				return kafka.Config{}, &exit{exitMisused, fmt.Errorf("%s is about brokers: give their addresses with --kafka", flag)}
			}
		}
		return kafka.Config{}, nil
	}
	config := kafka.Config{Brokers: c.Brokers, TopicPrefix: c.TopicPrefix, CheckTopics: true}
	if c.encrypted() {
		config.TLS = &kafka.TLS{CA: c.KafkaTLSCA, Certificate: c.KafkaTLSCert, Key: c.KafkaTLSKey}
	}
	if c.KafkaSASL == "" {
		if c.KafkaUser != "" || c.KafkaPassword != "" {
			return kafka.Config{}, &exit{exitMisused, errors.New("a user or a password of the brokers is given, but not how to log in: give --kafka-sasl")}
		}
		return config, nil
	}
	password, err := secret("DOSSIER_KAFKA_PASSWORD", "--kafka-password-file", c.KafkaPassword)
	if err != nil {
		return kafka.Config{}, err
	}
	config.SASL = &kafka.SASL{Mechanism: c.KafkaSASL, User: c.KafkaUser, Password: password}
	return config, nil
}

func (c *connections) encrypted() bool {
	return c.KafkaTLS || c.KafkaTLSCA != "" || c.KafkaTLSCert != "" || c.KafkaTLSKey != ""
}

// ClickHouse gives the settings of the client. For an embedded engine they are empty.
func (c *connections) ClickHouse() (clickhouse.Config, error) {
	password, err := secret("DOSSIER_CLICKHOUSE_PASSWORD", "--clickhouse-password-file", c.ClickhousePassword)
	if err != nil {
		return clickhouse.Config{}, err
	}
	if c.embeddedTimeline() && (c.ClickhouseUser != "" || c.ClickhousePassword != "") {
		return clickhouse.Config{}, &exit{exitMisused, errors.New("a user or a password of ClickHouse is given, but not where it is: give --clickhouse")}
	}
	return clickhouse.Config{URL: c.Clickhouse, User: c.ClickhouseUser, Password: password}, nil
}

// secret reads a password from a file, or from the environment if no file is given. Editors and secret stores end a file with a
// newline, which is no part of it; any other space at its ends or line within is a mistake that nobody would find later.
func secret(variable, flag, path string) (string, error) {
	value, from := []byte(os.Getenv(variable)), variable
	if path != "" {
		from = flag + " " + path
		var err error
		if value, err = os.ReadFile(path); err != nil {
			return "", fmt.Errorf("the password in %s cannot be read: %w", from, reason(err))
		}
	}
	if path != "" && len(bytes.TrimSpace(value)) == 0 {
		return "", fmt.Errorf("the password in %s is empty", from)
	}
	return cleanSecret(value, "the password in "+from)
}
