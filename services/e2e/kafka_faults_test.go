package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/dossier-cdp/dossier/services/internal/kafka/kafkatest"
)

// rate is how many events a second are sent while nothing is wrong.
const rate = 400

// TestKafkaFaults runs an installation on three nodes, three copies of each event of which two must be in sync, and has happen under load what
// happens to clusters. Each acknowledged event is there once, and the digest is that of an undisturbed installation.
func TestKafkaFaults(t *testing.T) {
	cluster := kafkatest.Start(t, 3)
	const topic = "faults.events"
	rounds := counted(1, 10)
	faults := []struct {
		name string
		do   func(f *disturbed)
	}{
		{"the leader is paused, and comes back as one that leads no more", func(f *disturbed) {
			paused := cluster.Leader(t, topic, 0)
			cluster.Pause(t, paused)
			f.goesOn(2 * rate)
			cluster.Resume(t, paused)
		}},
		{"the leader is asked to end while all three copies must be in sync", func(f *disturbed) {
			inSync(t, cluster, topic, 3)
			asked := cluster.Leader(t, topic, 0)
			cluster.Terminate(t, asked)
			f.waits()
			cluster.Restart(t, asked)
			f.goesOn(rate / 2)
			inSync(t, cluster, topic, 2)
		}},
		{"the leader is killed, and another node: the quorum is lost", func(f *disturbed) {
			first := cluster.Leader(t, topic, 0)
			cluster.Kill(t, first)
			f.goesOn(rate)
			second := cluster.Leader(t, topic, 0)
			cluster.Kill(t, second)
			f.waits()
			cluster.Restart(t, first, second)
		}},
	}
	events := someEvents(3000 * (rounds + 1))
	want := quietDigest(t, events)
	i := install(t, onKafka(t, cluster, "faults.", "--partitions", "3")...)
	f := &disturbed{t: t}
	f.start(i, events)
	for n := range rounds * len(faults) {
		fault := faults[n%len(faults)]
		f.goesOn(rate / 2)
		f.gap = 0
		begun := time.Now()
		fault.do(f)
		mended := time.Since(begun)
		f.goesOn(rate / 2)
		t.Logf("%s: mended after %v, %v without an acknowledgement", fault.name, mended.Round(100*time.Millisecond), f.gap.Round(100*time.Millisecond))
		cluster.Whole(t, topic)
	}
	f.end()
	t.Logf("%d acknowledged, %d of them a second time or more", f.acknowledged.Load(), f.acknowledged.Load()-int64(len(events)))
	i.sameDigest(t, want, nil)
	i.once(t, len(events))
	i.down(t)

	// It starts while a node is away, the first that it is told of.
	cluster.Kill(t, 1)
	i.up(t)
	i.sameDigest(t, want, nil)
	i.down(t)
}

// disturbed is a load that something happens to. It sends all events, in requests of 20 from four connections, and then all of them again, as
// long as the test needs it: what was accepted counts once however often it is sent.
type disturbed struct {
	t            *testing.T
	gap          time.Duration // the longest time in which nothing was acknowledged, while somebody looked
	next         atomic.Int64  // request
	acknowledged atomic.Int64
	enough       atomic.Bool
	senders      sync.WaitGroup
	failure      atomic.Pointer[error]
}

func (f *disturbed) start(i *installation, events []json.RawMessage) {
	const size, connections = 20, 4
	to := &installation{credentials: i.credentials}
	for range connections {
		f.senders.Go(func() {
			for {
				from := int(f.next.Add(1)-1) * size
				if from >= len(events) && f.enough.Load() {
					return
				}
				from %= len(events)
				for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
					_, err := to.trySend(f.t.Context(), basic(i.WriteKey), events[from:min(from+size, len(events))]...)
					if err == nil {
						break
					}
					if f.t.Context().Err() != nil {
						return // the test has failed
					}
					if !errors.Is(err, errUnavailable) || time.Since(begun) > patience {
						f.failure.CompareAndSwap(nil, &err)
						return
					}
				}
				f.acknowledged.Add(size)
				if !f.enough.Load() {
					time.Sleep(connections * size * time.Second / rate)
				}
			}
		})
	}
}

// end returns when every event was acknowledged.
func (f *disturbed) end() {
	f.t.Helper()
	f.enough.Store(true)
	f.senders.Wait()
	f.failed()
}

func (f *disturbed) failed() {
	f.t.Helper()
	if err := f.failure.Load(); err != nil {
		f.t.Fatal(*err)
	}
}

// goesOn returns when n more events are acknowledged, whatever is not mended yet.
func (f *disturbed) goesOn(n int64) {
	f.t.Helper()
	before, last, changed := f.acknowledged.Load(), int64(-1), time.Now()
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		f.failed()
		now := f.acknowledged.Load()
		if now != last {
			last, changed = now, time.Now()
		}
		f.gap = max(f.gap, time.Since(changed))
		if now >= before+n {
			return
		}
		if time.Since(begun) > patience {
			f.t.Fatalf("%d events acknowledged, want %d", now, before+n)
		}
	}
}

// waits returns when nothing has been acknowledged for two seconds, which the sender takes for an installation that is not available: it
// neither loses what it was not told is safe, nor gives up.
func (f *disturbed) waits() {
	f.t.Helper()
	last, changed := f.acknowledged.Load(), time.Now()
	for begun := time.Now(); time.Since(changed) < 2*time.Second; time.Sleep(5 * time.Millisecond) {
		f.failed()
		if now := f.acknowledged.Load(); now != last {
			last, changed = now, time.Now()
		}
		if time.Since(begun) > patience {
			f.t.Fatal("events are acknowledged that too few copies have")
		}
	}
	f.gap = max(f.gap, time.Since(changed))
}

// inSync sets how many copies must have an event before it is acknowledged.
func inSync(t *testing.T, cluster *kafkatest.Cluster, topic string, copies int) {
	t.Helper()
	admin := cluster.Client(t)
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		res, err := admin.IncrementalAlterConfigs(t.Context(), &kafkago.IncrementalAlterConfigsRequest{Resources: []kafkago.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafkago.IncrementalAlterConfigsRequestConfig{{Name: "min.insync.replicas", Value: fmt.Sprint(copies), ConfigOperation: kafkago.ConfigOperationSet}},
		}}})
		if err == nil && len(res.Resources) == 1 && res.Resources[0].Error == nil {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("the setting was not taken: %+v %v", res, err)
		}
	}
}
