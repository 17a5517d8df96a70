package collector

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/dossier-cdp/dossier/schema"
)

const peerFolder = "testdata/peers"

// TestCloudEventsJavaScript: the library of CloudEvents for JavaScript, unmodified. An event is the same in every mode.
func TestCloudEventsJavaScript(t *testing.T) {
	npmPackages(t, peerFolder, "node")
	r := newRig(t, Limits{})
	r.now = time.Now()
	server := httptest.NewServer(r.Handler())
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "node", filepath.Join(peerFolder, "cloudevents.mjs"), server.URL+"/v1/events", serverKey).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	written, properties := map[string]int{}, map[string]string{}
	ids := map[schema.EventID]bool{}
	for _, e := range r.events(t) {
		id := e.Provenance.MessageID
		written[id]++
		ids[e.ID] = true
		properties[id] = string(e.Properties)
		if e.OccurredAt.String() != "2026-02-03T04:05:06.789Z" || e.Provenance.Library != "cloudevents /caisse" {
			t.Errorf("%s: %s, %s", id, e.OccurredAt, e.Provenance.Library)
		}
		if id == "o1" && (e.Type != schema.TypeOrderPlaced || e.Text != "où est ma commande ? 🎁" || e.Account.Value != "u1" || e.Amount != "12.5" && e.Amount != "12.50") {
			t.Errorf("%+v", e)
		}
		if id == "é" && e.Account.Value != "ué" {
			t.Errorf("%+v", e.Account)
		}
	}
	for id, copies := range map[string]int{"o1": 6, "t1": 2, "b1": 1, "n1": 2, "l1": 2, "é": 1} {
		if written[id] != copies {
			t.Errorf("%s was written %d times, want %d", id, written[id], copies)
		}
	}
	if len(ids) != 6 {
		t.Errorf("%d events, want 6: a mode changes nothing", len(ids))
	}
	for id, want := range map[string]string{"o1": `{"$attributes":{"region":"eu"}}`, "t1": `{"$data":"bonjour à tous"}`, "b1": `{"$data":"/wAB"}`, "n1": "", "l1": `{"$data":[1,2]}`, "é": `{"a":1}`} {
		if properties[id] != want {
			t.Errorf("%s has properties %s, want %s", id, properties[id], want)
		}
	}
}

// TestCloudEventsGo: the SDK of CloudEvents for Go, unmodified.
func TestCloudEventsGo(t *testing.T) {
	r := newRig(t, Limits{})
	r.now = time.Now()
	server := httptest.NewServer(r.Handler())
	defer server.Close()
	key := "Basic " + base64.StdEncoding.EncodeToString([]byte(serverKey+":"))
	client, err := cloudevents.NewClientHTTP(cloudevents.WithTarget(server.URL+"/v1/events"), cloudevents.WithHeader("Authorization", key))
	if err != nil {
		t.Fatal(err)
	}
	event := cloudevents.NewEvent()
	event.SetID("g1")
	event.SetSource("/desk")
	event.SetType("com.example.message.received")
	event.SetTime(time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC))
	event.SetExtension("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if err := event.SetData(cloudevents.ApplicationJSON, map[string]any{"account": map[string]string{"kind": "crm_id", "value": "7"}, "text": "bonjour"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for n, mode := range []context.Context{cloudevents.WithEncodingBinary(ctx), cloudevents.WithEncodingStructured(ctx)} {
		again := event.Clone()
		again.SetExtension("traceparent", fmt.Sprintf("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b%d-01", n)) // as each attempt has its own
		if result := client.Send(mode, again); !cloudevents.IsACK(result) {
			t.Fatalf("mode %d: %v", n, result)
		}
	}
	request, err := cehttp.NewHTTPRequestFromEvents(ctx, server.URL+"/v1/events", []cloudevents.Event{event, event})
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", key)
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != 200 {
		t.Fatalf("batch: %d %v", response.StatusCode, err)
	}
	events := r.events(t)
	if len(events) != 4 {
		t.Fatalf("%d were written, want 4", len(events))
	}
	for _, e := range events {
		if e.ID != events[0].ID || e.Type != schema.TypeMessageReceived || e.Account.Value != "7" || e.Text != "bonjour" || e.Provenance.MessageID != "g1" {
			t.Errorf("%+v", e)
		}
	}
	// What is refused is a NACK, so that the sender learns of it.
	event.SetType("com.example.profile.erased")
	if result := client.Send(ctx, event); cloudevents.IsACK(result) || !cloudevents.IsNACK(result) {
		t.Errorf("a refused event: %v", result)
	}
}
