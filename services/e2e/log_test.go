package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/kafka/kafkatest"
)

// notOnKafka are the tests that are not run with DOSSIER_E2E_KAFKA, with the reason. Every other test that starts an installation has its
// log in the cluster then.
var notOnKafka = map[string]string{
	"TestUpgrade":                           "data folders of earlier formats hold the embedded log of that time",
	"TestDowngradeRefused/the_embedded_log": "the format of the embedded log's own files",
	"TestDiskFull/of_up":                    "the disk of the embedded log is filled",
	"TestKafka":                             "compares the embedded log with a cluster of its own, on every listener",
	"TestKafkaFaults":                       "has a cluster of its own, whose nodes it kills",
}

// common is the cluster that all installations of this run share, each under a topic prefix of its own. It starts with the first of them.
var common struct {
	nodes    int // 0: the log is embedded
	once     sync.Once
	folder   string
	cluster  *kafkatest.Cluster
	err      error
	prefixes atomic.Int64
}

// chooseLog reads where the log of this run is, and leaves out the tests that cannot have it there, aloud.
func chooseLog() error {
	switch chosen := os.Getenv("DOSSIER_E2E_KAFKA"); chosen {
	case "":
		return nil
	case "one":
		common.nodes = 1
	case "three":
		common.nodes = 3
	default:
		return fmt.Errorf("DOSSIER_E2E_KAFKA is %q: want one or three, the nodes of Apache Kafka that installations have their log in", chosen)
	}
	flag.Parse()
	skip := flag.Lookup("test.skip")
	left := []string{}
	if skip.Value.String() != "" {
		left = append(left, skip.Value.String())
	}
	fmt.Printf("the log is in Apache Kafka, %d nodes; not run there:\n", common.nodes)
	for _, name := range slices.Sorted(maps.Keys(notOnKafka)) {
		fmt.Printf("  %s: %s\n", name, notOnKafka[name])
		left = append(left, "^"+strings.ReplaceAll(name, "/", "$/^")+"$")
	}
	return skip.Value.Set(strings.Join(left, "|"))
}

// onCluster says whether installations of this run have their log in a cluster.
func onCluster() bool { return common.nodes > 0 }

// cluster gives the common cluster.
func cluster(t *testing.T) *kafkatest.Cluster {
	t.Helper()
	common.once.Do(func() {
		if common.folder, common.err = os.MkdirTemp("", "dossier-e2e-kafka-"); common.err == nil {
			common.cluster, common.err = kafkatest.Launch(common.folder, common.nodes)
		}
	})
	if errors.Is(common.err, kafkatest.ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(common.err)
	}
	if common.err != nil {
		t.Fatal(common.err)
	}
	return common.cluster
}

// endCluster ends the common cluster, if it was started.
func endCluster() error {
	if common.folder == "" {
		return nil
	}
	var err error
	if common.cluster != nil {
		err = common.cluster.Close()
	}
	return errors.Join(err, os.RemoveAll(common.folder))
}

// place is where an installation has its log. The zero value is the embedded one.
type place struct {
	brokers []string
	prefix  string
}

// newPlace is a place in the common cluster that nobody else has, or the embedded log. Its topics are removed with the test.
func newPlace(t *testing.T) place {
	t.Helper()
	if !onCluster() {
		return place{}
	}
	p := place{cluster(t).Brokers(t, kafkatest.Plaintext), fmt.Sprintf("t%d.", common.prefixes.Add(1))}
	t.Cleanup(func() { p.remove(t) })
	return p
}

// variables name the place to any command.
func (p place) variables() []string {
	if len(p.brokers) == 0 {
		return nil
	}
	return []string{"DOSSIER_KAFKA=" + strings.Join(p.brokers, ","), "DOSSIER_TOPIC_PREFIX=" + p.prefix}
}

// remove deletes every topic of the place.
func (p place) remove(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	transport := &kafkago.Transport{}
	defer transport.CloseIdleConnections()
	admin := &kafkago.Client{Addr: kafkago.TCP(p.brokers...), Timeout: 30 * time.Second, Transport: transport}
	found, err := admin.Metadata(ctx, &kafkago.MetadataRequest{})
	if err != nil {
		t.Error(err)
		return
	}
	var names []string
	for _, topic := range found.Topics {
		if strings.HasPrefix(topic.Name, p.prefix) {
			names = append(names, topic.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	gone, err := admin.DeleteTopics(ctx, &kafkago.DeleteTopicsRequest{Topics: names})
	if err != nil {
		t.Error(err)
		return
	}
	for name, err := range gone.Errors {
		if err != nil && !errors.Is(err, kafkago.UnknownTopicOrPartition) {
			t.Errorf("the topic %s stays: %v", name, err)
		}
	}
}

// broker gives the first address of the installation's log, embedded or not, for other programs.
func (i *installation) broker(t *testing.T) string {
	t.Helper()
	if len(i.place.brokers) > 0 {
		return i.place.brokers[0]
	}
	b, err := os.ReadFile(filepath.Join(i.data, "log", "address"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// topic is the name of a topic in the installation's log.
func (i *installation) topic(name string) string { return i.place.prefix + name }

// client gives a client of a log that other processes have, too.
func (p place) client(t *testing.T) *kafka.Client {
	t.Helper()
	log, err := kafka.Open(t.Context(), kafka.Config{Brokers: p.brokers, TopicPrefix: p.prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	return log
}
