package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// inputs is a configuration with a source that takes webhooks and one that reads a company's topic.
const inputs = `
sources:
  desk:
    channel: chat
    hook:
      mapping:
        name: desk
        events: [{type: message.received, record: id, time: at, text: text, account: {kind: customer_id, value: who}, properties: {}}]
      signature: {scheme: hmac, header: X-Signature, prefix: sha256=, secrets: ["secret:DESK_SECRET"]}
  crm:
    channel: crm
    kafka:
      cluster: company
      topic: crm.customers
      mapping: |
        name: customers
        events: [{type: profile.identified, time: "@timestamp", account: {kind: customer_id, value: id}, properties: {city: city}}]
`

// TestInputs: webhooks and a company's topic through the binary. Killed, and with its offsets lost, it comes to the same digest.
func TestInputs(t *testing.T) {
	besideOthers(t)
	company, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "crm.customers"))
	if err != nil {
		t.Fatal(err)
	}
	defer company.Close()
	producer, err := kgo.NewClient(kgo.SeedBrokers(company.ListenAddrs()...), kgo.DefaultProduceTopic("crm.customers"))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	send := func(from, n int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for k := from; k < from+n; k++ {
			record := kgo.Record{Value: fmt.Appendf(nil, `{"id":"c%d","city":"Lyon"}`, k), Timestamp: time.UnixMilli(1_760_000_000_000 + int64(k))}
			producer.Produce(ctx, &record, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		if err := producer.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	i := prepare(t)
	i.dir = t.TempDir()
	i.env = append(i.env, "DESK_SECRET=hush")
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(i.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file("dossier.yaml", "clusters:\n  company:\n    brokers: ["+strings.Join(company.ListenAddrs(), ", ")+"]\n")
	send(0, 3000)
	i.up(t)
	i.must(t, "config", "apply", file("inputs.yaml", inputs))

	hook := func(body, secret string) int {
		t.Helper()
		h := hmac.New(sha256.New, []byte(secret))
		h.Write([]byte(body)) // a hash takes everything
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.URL+"/hooks/desk", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Signature", "sha256="+hex.EncodeToString(h.Sum(nil)))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode
	}
	message := `{"id":"m1","at":"2026-03-01T11:00:00Z","who":"d7","text":"où est mon colis ?"}`
	for range 2 {
		if status := hook(message, "hush"); status != 200 {
			t.Fatalf("a webhook is answered %d", status)
		}
	}
	if status := hook(message, "guessed"); status != 401 {
		t.Fatalf("a stranger's webhook is answered %d", status)
	}
	reached := func(events int) string {
		t.Helper()
		for begun := time.Now(); ; time.Sleep(200 * time.Millisecond) {
			digest := i.digest(t)
			if n := counts(t, digest); n["events"] == events && n["timeline"] == events {
				return digest
			} else if n["events"] > events || time.Since(begun) > patience {
				t.Fatalf("%d events, want %d", n["events"], events)
			}
		}
	}
	reached(3001)
	if shown := i.must(t, "show", "customer_id:d7"); !strings.Contains(shown, "colis") {
		t.Errorf("the message is not in the dossier: %s", shown)
	}
	send(3000, 2000)
	i.kill(t) // somewhere in between
	i.up(t)
	want := reached(5001)
	i.down(t)
	if err := os.RemoveAll(filepath.Join(i.data, "state", "intake")); err != nil {
		t.Fatal(err)
	}
	i.up(t)
	send(5000, 1)
	if again := reached(5002); again == want {
		t.Error("the new record changed no digest")
	}
}

// TestSecretOfSeveralLines: a secret that cannot be meant so is refused at the start, with one line that names it and not its value.
func TestSecretOfSeveralLines(t *testing.T) {
	besideOthers(t)
	i := install(t)
	if err := os.WriteFile(filepath.Join(i.data, "keys", "DESK_SECRET"), []byte("hush\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "inputs.yaml")
	if err := os.WriteFile(path, []byte(strings.Split(inputs, "  crm:")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	i.must(t, "config", "apply", path)
	i.down(t)
	ready := i.beginning(t)
	select {
	case <-ready:
		t.Fatal("it starts")
	case <-i.ended:
	case <-time.After(patience):
		t.Fatal("it neither starts nor ends")
	}
	code := i.cmd.ProcessState.ExitCode()
	i.cmd = nil
	if said := i.log.String(); code != 1 || !strings.Contains(said, "DESK_SECRET begins or ends with a space or a line break") || strings.Contains(said, "hush") {
		t.Errorf("it ends with %d: %s", code, said)
	}
}
