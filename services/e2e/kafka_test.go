package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/dossier-cdp/dossier/services/internal/kafka/kafkatest"
)

// onKafka are the flags of `up` that put the log into a cluster, in topics of its own.
func onKafka(t *testing.T, cluster *kafkatest.Cluster, prefix string, more ...string) []string {
	t.Helper()
	return append([]string{"--kafka", strings.Join(cluster.Brokers(t, kafkatest.Plaintext), ","), "--topic-prefix", prefix}, more...)
}

// TestKafka runs installations on one node of Apache Kafka: what they answer is what an embedded log would have them answer.
func TestKafka(t *testing.T) {
	cluster := kafkatest.Start(t, 1)
	t.Run("one digest", func(t *testing.T) { kafkaDigest(t, cluster) })
	t.Run("killed and cut", func(t *testing.T) { kafkaKilled(t, cluster) })
	t.Run("bad start", func(t *testing.T) { kafkaBadStart(t, cluster) })
}

// kafkaDigest: the same set of events has one digest, on the embedded log and in a cluster, in any order, over any connection, with
// any number of partitions, restarts and duplicates.
func kafkaDigest(t *testing.T, cluster *kafkatest.Cluster) {
	embedded := install(t)
	inputs := nastyEvents(1)
	ids := embedded.give(t, rand.New(rand.NewPCG(0, 0)), inputs)
	inputs = append(inputs, releases(inputs, ids)...)
	embedded.give(t, rand.New(rand.NewPCG(0, 0)), inputs[len(ids):])
	want := embedded.digest(t)

	random := seeded(t)
	secure := []string{
		"--kafka", strings.Join(cluster.Brokers(t, kafkatest.SASLSSL), ","), "--kafka-tls-ca", cluster.File("tls", "ca.pem"),
		"--kafka-sasl", "scram-sha-512", "--kafka-user", kafkatest.User,
	}
	for round := range counted(1, 10) {
		prefix := fmt.Sprintf("digest-%d.", round)
		i := prepare(t, append(secure, "--topic-prefix", prefix, "--partitions", fmt.Sprint(1+random.IntN(6)))...)
		i.env = append(i.env, "DOSSIER_KAFKA_PASSWORD="+kafkatest.Password+"\n") // as secret stores end it
		i.up(t)
		all := permuted(random, inputs)
		cut := random.IntN(len(all))
		i.give(t, random, all[:cut])
		i.kill(t)
		i.args = onKafka(t, cluster, prefix) // how many partitions there are is decided at the first start
		i.up(t)
		i.give(t, random, all[cut:])
		i.sameDigest(t, want, embedded)
		i.down(t)
	}
}

// kafkaKilled: `up` is killed under load, the archive has Kafka drop what it holds, every projection is lost and built again from archive and
// topics, and each acknowledged event is there once.
func kafkaKilled(t *testing.T, cluster *kafkatest.Cluster) {
	rounds := counted(2, 10)
	events := someEvents(4000 * (rounds + 1))
	want := quietDigest(t, events)
	random := seeded(t)
	i := install(t, onKafka(t, cluster, "killed.", "--partitions", "1")...)
	var l load
	l.start(t, i, events)
	for round := range rounds {
		l.reached(t, len(events)*(round+1)/(rounds+1)-random.IntN(1000))
		i.kill(t)
		i.up(t)
	}
	l.end(t)
	i.sameDigest(t, want, nil)
	i.once(t, len(events))

	// Cut by the archive role with DeleteRecords, in the cluster itself.
	admin := cluster.Client(t)
	first := int64(0)
	for begun := time.Now(); first == 0; time.Sleep(100 * time.Millisecond) {
		res, err := admin.ListOffsets(t.Context(), &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{"killed.events": {kafkago.FirstOffsetOf(0)}}})
		if err == nil && len(res.Topics["killed.events"]) == 1 {
			first = res.Topics["killed.events"][0].FirstOffset
		}
		if time.Since(begun) > patience {
			t.Fatalf("nothing was dropped from the cluster: %+v %v", res, err)
		}
	}
	t.Logf("the cluster dropped the first %d records", first)
	i.down(t)
	for _, lost := range []string{"state", "clickhouse"} {
		if err := os.RemoveAll(filepath.Join(i.data, lost)); err != nil {
			t.Fatal(err)
		}
	}
	i.up(t)
	i.sameDigest(t, want, nil)
	i.down(t)
}

// quietDigest gives the digest of events that an undisturbed installation on the embedded log accepted.
func quietDigest(t *testing.T, events []json.RawMessage) string {
	t.Helper()
	quiet := install(t)
	var calm load
	calm.start(t, quiet, events)
	calm.end(t)
	want := quiet.digest(t)
	if n := counts(t, want); n["events"] != len(events) || n["timeline"] != len(events) {
		t.Fatalf("%d events sent, digest\n%s", len(events), want)
	}
	quiet.down(t)
	return want
}

// once fails for each of the first n events of someEvents that is not in the timeline exactly once.
func (i *installation) once(t *testing.T, n int) {
	t.Helper()
	copies := map[string]int{}
	export(t, i, "timeline --clocks", func(line struct{ Provenance struct{ MessageID string } }) { copies[line.Provenance.MessageID]++ })
	for k := range n {
		if id := fmt.Sprintf("load-%d", k); copies[id] != 1 {
			t.Errorf("the acknowledged event %s is there %d times", id, copies[id])
		}
	}
	if len(copies) != n {
		t.Errorf("%d events are there, %d were sent", len(copies), n)
	}
}

// kafkaBadStart: a start with the wrong log, topics or login is one line that says what to do, exit 1 (2 for flags that make no sense), and
// changes nothing.
func kafkaBadStart(t *testing.T, cluster *kafkatest.Cluster) {
	i := install(t, onKafka(t, cluster, "start.")...)
	i.send(t, basic(i.WriteKey), someEvents(20)...)
	digest := i.digest(t)
	i.down(t)
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	admin := cluster.Client(t)
	res, err := admin.CreateTopics(t.Context(), &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{{Topic: "made.control", NumPartitions: 3, ReplicationFactor: 1}, {Topic: "kept.events", NumPartitions: 4, ReplicationFactor: 1}}})
	if err != nil || res.Errors["made.control"] != nil || res.Errors["kept.events"] != nil {
		t.Fatal(err, res)
	}
	login := append([]string{"--kafka", strings.Join(cluster.Brokers(t, kafkatest.SASLPlaintext), ",")}, "--topic-prefix", "start.", "--kafka-sasl", "plain", "--kafka-user", kafkatest.User)
	with := func(args []string, more ...string) []string { return append(args[:len(args):len(args)], more...) }
	for _, c := range []struct {
		name  string
		data  string // default: a new folder
		env   []string
		args  []string
		code  int
		words []string
	}{
		{name: "another installation on the prefix", args: onKafka(t, cluster, "start."), code: 1, words: []string{"start.control", "another installation", "--topic-prefix"}},
		{name: "another prefix than before", data: i.data, args: onKafka(t, cluster, "other."), code: 1, words: []string{i.data, "start.", "other."}},
		{name: "another log than before", data: i.data, code: 1, words: []string{i.data, "cluster", "--data"}},
		{name: "a topic with too many partitions", args: onKafka(t, cluster, "made."), code: 1, words: []string{"made.control", "3 partitions"}},
		{name: "a topic that forgets", args: onKafka(t, cluster, "kept."), code: 1, words: []string{"kept.events", "retention.ms", "kafka-configs.sh"}},
		{name: "more copies than brokers", args: onKafka(t, cluster, "copies.", "--kafka-replication", "3"), code: 1, words: []string{"--kafka-replication", "has 1"}},
		{name: "a wrong password", args: with(login, "--kafka-password-file", write("password", "wrong\n")), code: 1, words: []string{"login", kafkatest.User}},
		{name: "a password of two lines", args: with(login, "--kafka-password-file", write("password", kafkatest.Password+"\n\n")), code: 1, words: []string{"password", "several lines"}},
		{name: "an empty password", args: with(login, "--kafka-password-file", write("password", "\n")), code: 1, words: []string{"password", "empty"}},
		{name: "no file of the password", args: with(login, "--kafka-password-file", "/nowhere"), code: 1, words: []string{"/nowhere"}},
		{name: "a password in the environment that ends with a space", env: []string{"DOSSIER_KAFKA_PASSWORD=secret "}, args: login, code: 1, words: []string{"DOSSIER_KAFKA_PASSWORD"}},
		{name: "no password", args: login, code: 1, words: []string{"--kafka-password-file"}},
		{name: "a user without a login", args: onKafka(t, cluster, "start.", "--kafka-user", "me"), code: 2, words: []string{"--kafka-sasl"}},
		{name: "a prefix for the embedded log", args: []string{"--topic-prefix", "x."}, code: 2, words: []string{"--topic-prefix", "--kafka"}},
		{name: "a prefix that no topic can have", args: onKafka(t, cluster, "a b"), code: 1, words: []string{"a b", "letters"}},
	} {
		if c.data == "" {
			c.data = filepath.Join(t.TempDir(), "data")
		}
		o := command(t, append(c.env, masterKey), append([]string{"up", "--data", c.data, "--listen", "127.0.0.1:0"}, c.args...)...)
		if o.code != c.code || o.stdout != "" || !oneLine(o.stderr) || !strings.HasPrefix(o.stderr, "dossier: ") || strings.Contains(o.stderr, kafkatest.Password) {
			t.Errorf("%s: %+v", c.name, o)
		}
		for _, word := range c.words {
			if !strings.Contains(o.stderr, word) {
				t.Errorf("%s: %q does not say %q", c.name, o.stderr, word)
			}
		}
	}
	i.up(t)
	i.sameDigest(t, digest, nil)
	i.down(t)

	// Somebody deletes a topic: it is not made again as if nothing had been there.
	gone, err := admin.DeleteTopics(t.Context(), &kafkago.DeleteTopicsRequest{Topics: []string{"start.events"}})
	if err != nil || gone.Errors["start.events"] != nil {
		t.Fatal(err, gone)
	}
	o := command(t, []string{masterKey}, append([]string{"up", "--data", i.data, "--listen", "127.0.0.1:0"}, i.args...)...)
	if o.code != 1 || !oneLine(o.stderr) || !strings.Contains(o.stderr, "start.events is not in the cluster any more") {
		t.Errorf("a topic that was deleted: %+v", o)
	}
}
