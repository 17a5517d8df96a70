package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// parsed gives the connections of `up` as flags, variables and dossier.yaml make them.
func parsed(t *testing.T, file string, args ...string) connections {
	t.Helper()
	resolver, err := yamlConfiguration(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var all commands
	parser, err := kong.New(&all, kong.Name("dossier"), kong.DefaultEnvars("DOSSIER"), kong.Resolvers(resolver))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append([]string{"up"}, args...)); err != nil {
		t.Fatal(err)
	}
	return all.Up.connections
}

// TestConnections: the settings of the engines' clients come from flags, variables and dossier.yaml alike; passwords from a file or a
// variable, without the newline at their end.
func TestConnections(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("  \ttoo many spaces"), 0o600); err != nil {
		t.Fatal(err)
	}
	password := func(text string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	brokers := []string{"a:1", "b:2"}
	want := kafka.Config{
		Brokers: brokers, TopicPrefix: "eu.", CheckTopics: true, TLS: &kafka.TLS{CA: "/ca.pem", Certificate: "/own.pem", Key: "/own.key"},
		SASL: &kafka.SASL{Mechanism: kafka.SASLScramSHA512, User: "me", Password: "s3cret"},
	}
	const secure = "kafka: [a:1, 'b:2']\ntopic-prefix: eu.\nkafka-tls-ca: /ca.pem\nkafka-tls-cert: /own.pem\nkafka-tls-key: /own.key\nkafka-sasl: scram-sha-512\nkafka-user: me\n"
	for _, c := range []struct {
		name string
		file string
		env  map[string]string
		args []string
		want kafka.Config
	}{
		{"embedded", "", nil, nil, kafka.Config{}},
		{"addresses alone", "", nil, []string{"--kafka", "a:1,b:2"}, kafka.Config{Brokers: brokers, CheckTopics: true}},
		{"the system's authorities", "", nil, []string{"--kafka", "a:1,b:2", "--kafka-tls"}, kafka.Config{Brokers: brokers, CheckTopics: true, TLS: &kafka.TLS{}}},
		{"flags", "", nil, []string{
			"--kafka=a:1,b:2", "--topic-prefix=eu.", "--kafka-tls-ca=/ca.pem", "--kafka-tls-cert=/own.pem", "--kafka-tls-key=/own.key",
			"--kafka-sasl=scram-sha-512", "--kafka-user=me", "--kafka-password-file", password("s3cret\n"),
		}, want},
		{"file, password in the environment", secure, map[string]string{"DOSSIER_KAFKA_PASSWORD": "s3cret\r\n"}, nil, want},
		{"file, password in a file", secure + "kafka-password-file: " + password("s3cret"), nil, nil, want},
		{"variables", "", map[string]string{
			"DOSSIER_KAFKA": "a:1,b:2", "DOSSIER_TOPIC_PREFIX": "eu.", "DOSSIER_KAFKA_TLS_CA": "/ca.pem", "DOSSIER_KAFKA_TLS_CERT": "/own.pem", "DOSSIER_KAFKA_TLS_KEY": "/own.key",
			"DOSSIER_KAFKA_SASL": "scram-sha-512", "DOSSIER_KAFKA_USER": "me", "DOSSIER_KAFKA_PASSWORD_FILE": password("s3cret\r\n"),
		}, nil, want},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			to := parsed(t, c.file, c.args...)
			if got, err := to.Kafka(); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}

	to := parsed(t, "", "--clickhouse", "http://house:8123/dossier", "--clickhouse-user", "reader", "--clickhouse-password-file", password("s3cret\n"))
	if got, err := to.ClickHouse(); err != nil || got != (clickhouse.Config{URL: "http://house:8123/dossier", User: "reader", Password: "s3cret"}) {
		t.Errorf("got %+v, %v", got, err)
	}

	for name, args := range map[string][]string{
		"not where":            {"--kafka-tls"},
		"not how":              {"--kafka", "a:1", "--kafka-user", "me"},
		"not who":              {"--clickhouse-user", "me"},
		"spaces":               {"--kafka", "a:1", "--kafka-sasl", "plain", "--kafka-user", "me", "--kafka-password-file", file},
		"no password is there": {"--clickhouse", "http://house:8123", "--clickhouse-password-file", filepath.Join(t.TempDir(), "none")},
	} {
		to := parsed(t, "", args...)
		_, failure := to.Kafka()
		if _, err := to.ClickHouse(); failure == nil {
			failure = err
		}
		misused := (*exit)(nil)
		if failure == nil || strings.HasPrefix(name, "not ") != errors.As(failure, &misused) || strings.Contains(failure.Error(), "\n") {
			t.Errorf("%s: %v", name, failure)
		}
	}
}
