package e2e

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/services/demo"
)

// workspace gives the first n events of the demo workspace as they are sent.
func workspace(t *testing.T, n int) []input {
	t.Helper()
	var inputs []input
	full := errors.New("enough")
	_, err := demo.Generate(demo.Seed, func(class demo.Class, _ string, event json.RawMessage) error {
		if len(inputs) == n {
			return full
		}
		inputs = append(inputs, input{map[demo.Class]by{demo.Server: server, demo.Client: browser}[class], event})
		return nil
	})
	if err != nil && !errors.Is(err, full) {
		t.Fatal(err)
	}
	return inputs
}

// deliver sends events of the demo workspace in their order for each key, in requests of so many, over so many connections.
func (i *installation) deliver(t *testing.T, inputs []input, size, connections int) {
	t.Helper()
	work := make(chan []input, len(inputs)+2)
	open := map[by][]input{}
	for _, in := range inputs {
		if open[in.by] = append(open[in.by], in); len(open[in.by]) == size {
			work <- open[in.by]
			delete(open, in.by)
		}
	}
	for _, rest := range open {
		work <- rest
	}
	close(work)
	var senders sync.WaitGroup
	for range connections {
		senders.Go(func() {
			for some := range work {
				if err := i.deliverOne(t, some); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	senders.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// deliverOne sends a request: Segment's calls with the browser key, native events with the server key.
func (i *installation) deliverOne(t *testing.T, inputs []input) error {
	body, path, authorization := []byte("["), "/v1/events", basic(i.WriteKey)
	if inputs[0].by == browser {
		body, path, authorization = []byte(`{"batch":[`), "/v1/batch", basic(i.ClientKey)
	}
	for n, in := range inputs {
		if n > 0 {
			body = append(body, ',')
		}
		body = append(body, in.event...)
	}
	body = append(body, ']')
	if inputs[0].by == browser {
		body = append(body, '}')
	}
	status, answer, err := i.tryPost(t.Context(), path, authorization, body)
	if err != nil {
		return err
	}
	var r receipt
	if err := json.Unmarshal(answer, &r); err != nil || status != 200 || len(r.Refused) > 0 {
		return errors.New(string(answer))
	}
	return nil
}

// TestDemoFiveWays: the demo workspace gives one digest in order, shuffled, backwards and twice, on a log of another process, and
// after everything that can be rebuilt is lost.
func TestDemoFiveWays(t *testing.T) {
	besideOthers(t)
	inputs := workspace(t, counted(3000, 1<<30))
	var want string
	t.Run("in order, several connections", func(t *testing.T) {
		i := install(t)
		i.deliver(t, inputs, 200, 4)
		want = i.digest(t)
		n := counts(t, want)
		if n["events"] != len(inputs) || n["timeline"] != len(inputs) || n["profiles"] >= n["personas"] {
			t.Fatalf("%d events sent, digest\n%s", len(inputs), want)
		}
		t.Logf("digest\n%s", want)
	})
	if t.Failed() {
		return
	}
	random := seeded(t)
	t.Run("shuffled, one partition, restarted", func(t *testing.T) {
		shuffled := slices.Clone(inputs)
		random.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
		i := install(t, "--partitions", "1")
		i.deliver(t, shuffled[:len(shuffled)/2], 500, 1)
		i.down(t)
		i.up(t)
		i.deliver(t, shuffled[len(shuffled)/2:], 500, 1)
		i.sameDigest(t, want, nil)
	})
	t.Run("backwards and twice, eight partitions, killed", func(t *testing.T) {
		backwards := slices.Clone(inputs)
		slices.Reverse(backwards)
		i := install(t, "--partitions", "8")
		i.deliver(t, backwards, 300, 4)
		i.kill(t)
		i.up(t)
		i.deliver(t, rewrittenAll(random, inputs), 100, 4)
		i.sameDigest(t, want, nil)
	})
	t.Run("a log of another process", func(t *testing.T) {
		i, _ := outside(t)
		i.deliver(t, inputs, 1000, 2)
		i.sameDigest(t, want, nil)
	})
	t.Run("rebuilt from the log", func(t *testing.T) {
		i := install(t)
		i.deliver(t, inputs, 1000, 4)
		i.wait(t)
		for _, lost := range [][]string{{"state"}, {"clickhouse"}, {"state", "clickhouse"}} {
			i.down(t)
			for _, folder := range lost {
				if err := os.RemoveAll(filepath.Join(i.data, folder)); err != nil {
					t.Fatal(err)
				}
			}
			i.up(t)
			i.sameDigest(t, want, nil)
			i.mapped(t)
		}
	})
}

// mapped returns when the persona map, on which figures and segments stand, has seen all that identity has.
func (i *installation) mapped(t *testing.T) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var answer struct{ Metrics struct{ MapBehind int } }
		i.query(t, `{ metrics { mapBehind } }`, nil, &answer)
		if answer.Metrics.MapBehind == 0 {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("the persona map is %d commits behind", answer.Metrics.MapBehind)
		}
	}
}

func rewrittenAll(random *rand.Rand, inputs []input) []input {
	out := make([]input, len(inputs))
	for n, in := range inputs {
		out[n] = input{in.by, rewritten(random, in.event)}
	}
	return out
}
