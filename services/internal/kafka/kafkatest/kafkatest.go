// Package kafkatest runs real Apache Kafka on loopback for tests: one node or three, from the jars that deploy/testing/kafka fetches, with
// listeners for plaintext, TLS and SASL, and nodes that can be killed, paused and started again.
//
// A cluster ends with its test, or by Close if several tests share it; its nodes end with the process that started them in any case.
package kafkatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// The listeners of every node.
const (
	Plaintext     = "plaintext"
	SSL           = "ssl" // asks for a client certificate
	SASLSSL       = "sasl_ssl"
	SASLPlaintext = "sasl_plaintext"
)

// The user that every listener with SASL knows, by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512.
const (
	User     = "dossier"
	Password = "dossier-secret"
)

// patience is how long a node may take to serve: tests assert what happens, never how fast.
const patience = 3 * time.Minute

// Cluster is a running cluster. Its nodes have the numbers from 1.
type Cluster struct {
	dir    string
	script string
	nodes  []*node
}

type node struct {
	number int
	cmd    *exec.Cmd
	ended  chan struct{}
}

// Start lays out a cluster of one node or three and starts it. Settings are lines for the server.properties of every node. It ends with
// the test. Without Java or the jars the test is skipped, and fails where CI is set.
func Start(t testing.TB, nodes int, settings ...string) *Cluster {
	t.Helper()
	c, err := Launch(t.TempDir(), nodes, settings...)
	if errors.Is(err, ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		for _, n := range c.nodes {
			if t.Failed() {
				t.Logf("the last words of node %d:\n%s", n.number, c.words(n))
			}
		}
	})
	return c
}

// ErrMissing says that Java or Kafka's jars are not there.
var ErrMissing = errors.New("run make test-tools")

// Launch is Start for a cluster that several tests share: it lies in dir, and lives until Close. It is ErrMissing if there is nothing to
// start.
func Launch(dir string, nodes int, settings ...string) (*Cluster, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return nil, fmt.Errorf("java is missing: install Java 17, or %w", ErrMissing)
	}
	program, err := script()
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, script: program}
	extra := filepath.Join(c.dir, "extra.properties")
	if err := os.WriteFile(extra, []byte(strings.Join(settings, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	// A second time, since another program may have taken a port that was free, or memory may be short for a moment.
	var out []byte
	for range 2 {
		layout := exec.Command(c.script, "format", strconv.Itoa(nodes), c.dir)
		layout.Env = append(os.Environ(), "EXTRA="+extra)
		if out, err = layout.CombinedOutput(); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("kafka cannot be laid out, %w: %v: %s", ErrMissing, err, out)
	}
	for number := range nodes {
		c.nodes = append(c.nodes, &node{number: number + 1})
	}
	for _, n := range c.nodes {
		err = errors.Join(err, c.launch(n))
	}
	for _, n := range c.nodes {
		if err == nil {
			err = c.await(n)
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close kills every node. Its folder stays.
func (c *Cluster) Close() (err error) {
	for _, n := range c.nodes {
		err = errors.Join(err, n.end())
	}
	return err
}

func script() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("the test does not know where it is")
	}
	return filepath.Abs(filepath.Join(filepath.Dir(file), "..", "..", "..", "..", "deploy", "testing", "kafka", "kafka.sh"))
}

// Brokers gives the addresses of a listener.
func (c *Cluster) Brokers(t testing.TB, listener string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(c.dir, "brokers."+listener))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), ",")
}

// File gives the path of a file of the cluster's folder, such as tls, ca.pem.
func (c *Cluster) File(parts ...string) string {
	return filepath.Join(append([]string{c.dir}, parts...)...)
}

func (c *Cluster) log(n *node) string { return c.File(fmt.Sprintf("node%d", n.number), "log") }

// words are what a node logged last.
func (c *Cluster) words(n *node) []byte {
	b, err := os.ReadFile(c.log(n))
	if err != nil {
		return []byte(err.Error())
	}
	return b[max(0, len(b)-4000):]
}

func (c *Cluster) launch(n *node) error {
	log, err := os.Create(c.log(n))
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the node has its own
	cmd := exec.Command(c.script, "run", strconv.Itoa(n.number), c.dir)
	cmd.Env = append(os.Environ(), "JVM_EXTRA=-XX:TieredStopAtLevel=1") // a node of a test does not live long enough for the better compiler
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = endedWithTheTest()
	if err := cmd.Start(); err != nil {
		return err
	}
	n.cmd, n.ended = cmd, make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		cmd.Wait() //nolint:errcheck // how it ended does not matter
		close(ended)
	}(n.cmd, n.ended)
	return nil
}

func (c *Cluster) await(n *node) error {
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(50 * time.Millisecond) {
		if b, err := os.ReadFile(c.log(n)); err == nil && bytes.Contains(b, []byte("Kafka Server started")) {
			return nil
		}
		select {
		case <-n.ended:
			return fmt.Errorf("node %d ended: %s", n.number, c.words(n))
		default:
		}
	}
	return fmt.Errorf("node %d does not serve: %s", n.number, c.words(n))
}

// end kills a node that still runs.
func (n *node) end() error {
	if n.cmd == nil {
		return nil
	}
	if err := n.cmd.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-n.ended
	n.cmd = nil
	return nil
}

// Kill ends a node at once, as a loss of power does.
func (c *Cluster) Kill(t testing.TB, number int) {
	t.Helper()
	if err := c.nodes[number-1].end(); err != nil {
		t.Fatal(err)
	}
}

// Terminate asks a node to end and waits until it has: it hands its partitions over.
func (c *Cluster) Terminate(t testing.TB, number int) {
	t.Helper()
	n := c.nodes[number-1]
	c.signal(t, number, syscall.SIGTERM)
	select {
	case <-n.ended:
		n.cmd = nil
	case <-time.After(patience):
		t.Fatalf("node %d does not end: %s", number, c.words(n))
	}
}

// Pause stops a node without ending it: its connections stay open and nothing answers.
func (c *Cluster) Pause(t testing.TB, number int) {
	t.Helper()
	c.signal(t, number, syscall.SIGSTOP)
}

// Resume lets a paused node go on.
func (c *Cluster) Resume(t testing.TB, number int) {
	t.Helper()
	c.signal(t, number, syscall.SIGCONT)
}

func (c *Cluster) signal(t testing.TB, number int, s syscall.Signal) {
	t.Helper()
	if err := c.nodes[number-1].cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// Restart starts nodes that have ended, on the same addresses and data, and returns when they serve. Without a quorum none does, so
// those that were lost together are started together.
func (c *Cluster) Restart(t testing.TB, numbers ...int) {
	t.Helper()
	for _, number := range numbers {
		if err := c.launch(c.nodes[number-1]); err != nil {
			t.Fatal(err)
		}
	}
	for _, number := range numbers {
		if err := c.await(c.nodes[number-1]); err != nil {
			t.Fatal(err)
		}
	}
}

// Client gives the client library's own client, for what the product does not offer.
func (c *Cluster) Client(t testing.TB) *kafkago.Client {
	t.Helper()
	transport := &kafkago.Transport{MetadataTTL: 200 * time.Millisecond}
	t.Cleanup(transport.CloseIdleConnections)
	return &kafkago.Client{Addr: kafkago.TCP(c.Brokers(t, Plaintext)...), Timeout: 10 * time.Second, Transport: transport}
}

// layout asks until every partition of the topic is good.
func (c *Cluster) layout(t testing.TB, topic string, good func(p kafkago.Partition) bool) []kafkago.Partition {
	t.Helper()
	var last any
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		// A client of its own: one that lives would show what it knew before.
		transport := &kafkago.Transport{}
		res, err := (&kafkago.Client{Addr: kafkago.TCP(c.alive(t)...), Timeout: 10 * time.Second, Transport: transport}).Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{topic}})
		transport.CloseIdleConnections()
		cancel()
		if last = err; err != nil || len(res.Topics) != 1 || len(res.Topics[0].Partitions) == 0 {
			continue
		}
		last = res.Topics[0]
		all := true
		for _, p := range res.Topics[0].Partitions {
			all = all && p.Error == nil && good(p)
		}
		if all {
			return res.Topics[0].Partitions
		}
	}
	t.Fatalf("the layout of %s does not become good: %+v", topic, last)
	return nil
}

// alive gives the addresses of the nodes that have not ended.
func (c *Cluster) alive(t testing.TB) (out []string) {
	t.Helper()
	for i, address := range c.Brokers(t, Plaintext) {
		if c.nodes[i].cmd != nil {
			out = append(out, address)
		}
	}
	return out
}

// Leader tells which node leads a partition of the topic.
func (c *Cluster) Leader(t testing.TB, topic string, partition int) int {
	t.Helper()
	for _, p := range c.layout(t, topic, func(p kafkago.Partition) bool { return p.Leader.ID > 0 }) {
		if p.ID == partition {
			return p.Leader.ID
		}
	}
	t.Fatalf("%s has no partition %d", topic, partition)
	return 0
}

// Whole returns when every partition of the topic has all its copies in sync again.
func (c *Cluster) Whole(t testing.TB, topic string) {
	t.Helper()
	c.layout(t, topic, func(p kafkago.Partition) bool { return len(p.Isr) == len(p.Replicas) })
}
