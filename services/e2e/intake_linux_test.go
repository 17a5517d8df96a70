package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// customersFromEnd is a source that reads a company's topic from its end.
const customersFromEnd = `
sources:
  crm:
    channel: crm
    kafka:
      cluster: company
      topic: crm.customers
      from: end
      mapping: |
        name: customers
        events: [{type: profile.identified, time: "@timestamp", account: {kind: customer_id, value: id}, properties: {city: city}}]
`

// company is somebody's Kafka, with a topic of two partitions in which customers are written.
type company struct {
	*kfake.Cluster
	producer *kgo.Client
	written  atomic.Int64 // and acknowledged
}

func startCompany(t *testing.T) *company {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "crm.customers"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	producer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic("crm.customers"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	return &company{Cluster: cluster, producer: producer}
}

// write adds n customers.
func (c *company) write(ctx context.Context, n int) error {
	var records []*kgo.Record
	for range n {
		k := c.written.Add(1)
		records = append(records, &kgo.Record{Value: fmt.Appendf(nil, `{"id":"c%d","city":"Lyon"}`, k), Timestamp: time.UnixMilli(1_760_000_000_000 + k)})
	}
	return c.producer.ProduceSync(ctx, records...).FirstErr()
}

// clusters is the section of dossier.yaml that names it.
func (c *company) clusters() string {
	return "clusters:\n  company:\n    brokers: [" + strings.Join(c.ListenAddrs(), ", ") + "]\n"
}

// TestIntakeTakeover: the process that reads a company's topic is killed in mid-stream, the next one paused: another reads on, nothing is lost,
// nothing there twice, and of a topic that is read from its end nothing is passed over. The paused one goes on and changes nothing.
func TestIntakeTakeover(t *testing.T) {
	besideOthers(t)
	c := startCompany(t)
	if err := c.write(t.Context(), 100); err != nil { // before the source was there
		t.Fatal(err)
	}
	before := int(c.written.Load())
	s, _ := divide(t)
	if err := os.WriteFile(filepath.Join(s.dir, "dossier.yaml"), []byte(c.clusters()), 0o600); err != nil {
		t.Fatal(err)
	}
	rest := s.serve(t, "rest", "keeper,archive,identity,timeline,care,api")
	i := s.through(t, rest)
	configuration := filepath.Join(s.dir, "inputs.yaml")
	if err := os.WriteFile(configuration, []byte(customersFromEnd), 0o600); err != nil {
		t.Fatal(err)
	}
	i.must(t, "config", "apply", configuration, "--url", rest.url)

	collectors := map[string]*process{"collector-1": s.serve(t, "collector-1", "collector")}
	owner := func() string { // who reads the topic, once it does
		t.Helper()
		for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			for name, p := range collectors {
				if m := metricsOf(t, p); strings.Contains(m, `dossier_lease_held{lease="intake"`) && strings.Contains(m, `dossier_intake_behind_records{partition="1",source="crm"}`) {
					return name
				}
			}
			if time.Since(begun) > patience {
				t.Fatal("nobody reads the company's topic")
			}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	first := owner()
	writing.Go(func() {
		for ctx.Err() == nil {
			if err := c.write(t.Context(), 20); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	defer writing.Wait()
	defer stop()
	replace := func(gone string, sig syscall.Signal) (took time.Duration) {
		t.Helper()
		time.Sleep(time.Second)
		former, begun := collectors[gone], time.Now()
		former.signal(t, sig)
		delete(collectors, gone)
		owner()
		return time.Since(begun)
	}
	for name, sig := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "paused": syscall.SIGSTOP} {
		standby := "collector-after-" + name
		collectors[standby] = s.serve(t, standby, "collector")
		former := collectors[first]
		took := replace(first, sig)
		if took > 10*time.Second {
			t.Errorf("%s: another read on after %v", name, took)
		}
		t.Logf("%s: another read on after %v", name, took.Round(time.Millisecond))
		time.Sleep(500 * time.Millisecond)
		if sig == syscall.SIGSTOP {
			former.signal(t, syscall.SIGCONT)
			collectors[first] = former // it stands by
		}
		first = owner()
	}
	time.Sleep(500 * time.Millisecond)
	stop()
	writing.Wait()
	want := int(c.written.Load()) - before
	for begun := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		got := counts(t, s.digestOf(t, rest))
		if got["events"] == want && got["timeline"] == want && got["personas"] == want {
			break
		}
		if got["events"] > want || time.Since(begun) > patience {
			t.Fatalf("%v, want %d of each", got, want)
		}
	}
	t.Logf("%d records, all there once", want)
}
