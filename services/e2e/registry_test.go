package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestRegistryInput: a company's topic in Avro whose schemas are in a registry, through the binary: the registry and its password are in
// dossier.yaml, which is changed while it runs.
func TestRegistryInput(t *testing.T) {
	besideOthers(t)
	var refused atomic.Int64
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // in the forms of Confluent's API
		if user, password, _ := r.BasicAuth(); user != "dossier" || password != "hush" {
			refused.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path != "/schemas/ids/7" {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error_code":40403,"message":"Schema not found"}`)
			return
		}
		fmt.Fprint(w, `{"schema":"{\"type\":\"record\",\"name\":\"c\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"}]}"}`)
	}))
	defer registry.Close()
	company, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "crm.customers"))
	if err != nil {
		t.Fatal(err)
	}
	defer company.Close()
	producer, err := kgo.NewClient(kgo.SeedBrokers(company.ListenAddrs()...), kgo.DefaultProduceTopic("crm.customers"))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for _, value := range []string{"\x00\x00\x00\x00\x07\x04c1", "\x00\x00\x00\x00\x07\x04c2", "\x00\x00\x00\x00\x08\x04c3"} {
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Value: []byte(value), Timestamp: time.UnixMilli(1_760_000_000_000)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	i := prepare(t)
	i.dir = t.TempDir()
	i.env = append(i.env, "REGISTRY=hush")
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(i.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	clusters := "clusters:\n  company:\n    brokers: [" + strings.Join(company.ListenAddrs(), ", ") + "]\n    registry: " + registry.URL + "\n"
	file("dossier.yaml", clusters)
	i.up(t)
	i.must(t, "config", "apply", file("inputs.yaml", `
sources:
  crm:
    kafka:
      cluster: company
      topic: crm.customers
      format: avro
      registry: true
      mapping: |
        name: customers
        events: [{type: profile.identified, time: "@timestamp", account: {kind: customer_id, value: id}, properties: {}}]
`))
	for begun := time.Now(); refused.Load() == 0; time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatal("the registry is not asked")
		}
	}
	if n := counts(t, i.digest(t))["events"]; n != 0 {
		t.Errorf("%d events of records whose schema is not known", n)
	}
	file("dossier.yaml", clusters+"    registry-user: dossier\n    registry-password: secret:REGISTRY\n")
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		letters := i.must(t, "deadletters", "list")
		if counts(t, i.digest(t))["events"] == 2 && strings.Contains(letters, "schema_unknown") {
			break
		}
		if time.Since(begun) > patience {
			t.Fatalf("the records are not taken: %s", letters)
		}
	}
}
