package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/dossier-cdp/dossier/schema"
)

// What a topic is created with. A segment is what a broker removes at once when the archive has it: with Kafka's own 1 GiB a topic
// would keep as much for each partition.
const topicSegmentBytes = 128 << 20

// EnsureTopics creates the topics that are missing, without retention by time or size, and checks those that exist. Topics that leave
// the partition count to the installation get partitions; 0 takes the count that the topic has, or schema.DefaultPartitions for a new
// one. replication is how many copies a new topic has, and an existing one at least; 0 is one on each broker, up to 3.
//
// Another partition count, or (Config.CheckTopics) a setting under which acknowledged events could be lost, is fatal, and the error says
// what to do. It returns when the leader of every partition answers, and repeats what is transient until ctx ends or half a minute is over.
func (c *Client) EnsureTopics(ctx context.Context, topics []schema.Topic, partitions int32, replication int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := c.ensureTopics(ctx, topics, partitions, replication)
		if err == nil || Class(err) != schema.Transient {
			return err
		}
		if errors.Is(err, kafkago.TopicAuthorizationFailed) || errors.Is(err, kafkago.ClusterAuthorizationFailed) {
			return c.forbidden(err) // in passing while we run, and a mistake when we start
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// forbidden says which rights are missing.
func (c *Client) forbidden(err error) error {
	whom := "this client"
	if c.user != "" {
		whom = "the user " + c.user
	}
	topics := "every topic"
	if c.prefix != "" {
		topics = "every topic whose name begins with " + c.prefix
	}
	return wrong("%s lacks rights (%w): grant it Create, Describe, DescribeConfigs, Read, Write and Delete on %s with kafka-acls.sh", whom, err, topics)
}

func (c *Client) ensureTopics(ctx context.Context, topics []schema.Topic, partitions int32, replication int) error {
	layout, err := c.calls.Metadata(ctx, &kafkago.MetadataRequest{Topics: c.names(topics)})
	if err != nil {
		return failed(err, "read the cluster's layout")
	}
	there := map[string]kafkago.Topic{}
	for _, t := range layout.Topics {
		if t.Error == nil {
			there[t.Name] = t
		} else if !errors.Is(t.Error, kafkago.UnknownTopicOrPartition) {
			return failed(t.Error, "read the layout of topic %s", t.Name)
		}
	}
	replication = cmp.Or(replication, min(3, len(layout.Brokers)))
	if replication > len(layout.Brokers) && len(there) < len(topics) {
		return wrong("%d copies of every event need as many brokers, and the cluster has %d: start more, or give a lower --kafka-replication", replication, len(layout.Brokers))
	}
	var missing []kafkago.TopicConfig
	existing := map[string]int{} // copies by name
	for _, t := range topics {
		name := c.name(t.Name)
		found, is := there[name]
		if !is {
			missing = append(missing, c.newTopic(t, partitions, replication))
			continue
		}
		existing[name] = fewest(found)
		if want := cmp.Or(t.Partitions, partitions); want != 0 && int(want) != len(found.Partitions) {
			return wrong("topic %s has %d partitions, %d are configured: a change of the partition count needs a new generation", name, len(found.Partitions), want)
		}
		if c.checkTopics && existing[name] < replication {
			return wrong("topic %s has %d copies of a partition, %d are expected: add replicas with kafka-reassign-partitions.sh, or give --kafka-replication %d if so few are meant",
				name, existing[name], replication, existing[name])
		}
	}
	if c.checkTopics && len(existing) > 0 {
		if err := c.checkSettings(ctx, existing); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		if err := c.create(ctx, missing); err != nil {
			return err
		}
	}
	for _, t := range topics {
		if _, err := c.Offsets(ctx, t.Name); err != nil {
			return err
		}
	}
	return nil
}

// Exists says whether the topic is in the cluster. It believes that one is not only after it was asked for some seconds: a broker that
// starts may not know all topics yet. What is transient it repeats until ctx ends or half a minute is over.
func (c *Client) Exists(ctx context.Context, topic string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for begun := time.Now(); ; {
		_, err := c.Partitions(ctx, topic)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, kafkago.UnknownTopicOrPartition) && time.Since(begun) > 5*time.Second:
			return false, nil
		case Class(err) != schema.Transient:
			return false, err
		}
		select {
		case <-ctx.Done():
			return false, err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// DeleteTopics removes topics with everything in them. One that is not there is no error. Nothing but a benchmark, which made them, does this.
func (c *Client) DeleteTopics(ctx context.Context, topics []schema.Topic) error {
	res, err := c.calls.DeleteTopics(ctx, &kafkago.DeleteTopicsRequest{Topics: c.names(topics)})
	if err != nil {
		return failed(err, "delete topics")
	}
	for name, err := range res.Errors {
		if err != nil && !errors.Is(err, kafkago.UnknownTopicOrPartition) {
			return failed(err, "delete topic %s", name)
		}
	}
	return nil
}

func (c *Client) names(topics []schema.Topic) []string {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = c.prefix + t.Name
	}
	c.router.follow(names...) // all at once: each change of what is followed is a new connection
	return names
}

// fewest is how many copies the partition has that has the fewest.
func fewest(t kafkago.Topic) int {
	n := math.MaxInt
	for _, p := range t.Partitions {
		n = min(n, len(p.Replicas))
	}
	return n
}

// inSync is how many copies must have an event before it is acknowledged: with three or more, two, so that one broker may be lost
// and one may be away.
func inSync(replication int) int { return max(1, min(2, replication-1)) }

func (c *Client) newTopic(t schema.Topic, partitions int32, replication int) kafkago.TopicConfig {
	created := kafkago.TopicConfig{
		Topic: c.name(t.Name), NumPartitions: int(cmp.Or(t.Partitions, partitions, schema.DefaultPartitions)), ReplicationFactor: replication,
	}
	for _, s := range append(required, setting{"max.message.bytes", strconv.Itoa(MaxBatchBytes)}) {
		created.ConfigEntries = append(created.ConfigEntries, kafkago.ConfigEntry{ConfigName: s.name, ConfigValue: s.value})
	}
	if c.checkTopics {
		created.ConfigEntries = append(created.ConfigEntries,
			kafkago.ConfigEntry{ConfigName: "segment.bytes", ConfigValue: strconv.Itoa(topicSegmentBytes)},
			kafkago.ConfigEntry{ConfigName: "min.insync.replicas", ConfigValue: strconv.Itoa(inSync(replication))},
			kafkago.ConfigEntry{ConfigName: "unclean.leader.election.enable", ConfigValue: "false"})
	}
	return created
}

type setting struct{ name, value string }

// required is what every topic must be set to: the archive alone drops records, and their time is what the producer says.
var required = []setting{
	{"cleanup.policy", "delete"},
	{"retention.ms", "-1"},
	{"retention.bytes", "-1"},
	{"message.timestamp.type", "CreateTime"},
}

func (c *Client) create(ctx context.Context, missing []kafkago.TopicConfig) error {
	res, err := c.calls.CreateTopics(ctx, &kafkago.CreateTopicsRequest{Topics: missing})
	if err != nil {
		return failed(err, "create topics")
	}
	for _, t := range missing {
		if err := res.Errors[t.Topic]; err != nil && !errors.Is(err, kafkago.TopicAlreadyExists) {
			return failed(err, "create topic %s", t.Topic)
		}
	}
	return nil
}

// checkSettings compares the settings of topics with those that this program creates them with, where another value loses
// events or their times.
func (c *Client) checkSettings(ctx context.Context, copies map[string]int) error {
	asked := []string{"max.message.bytes", "min.insync.replicas", "unclean.leader.election.enable"}
	for _, s := range required {
		asked = append(asked, s.name)
	}
	request := &kafkago.DescribeConfigsRequest{}
	for _, name := range slices.Sorted(maps.Keys(copies)) {
		request.Resources = append(request.Resources, kafkago.DescribeConfigRequestResource{
			ResourceType: kafkago.ResourceTypeTopic, ResourceName: name, ConfigNames: asked,
		})
	}
	res, err := c.calls.DescribeConfigs(ctx, request)
	if err != nil {
		return failed(err, "read the settings of the topics")
	}
	slices.SortFunc(res.Resources, func(a, b kafkago.DescribeConfigResponseResource) int {
		return cmp.Compare(a.ResourceName, b.ResourceName)
	})
	for _, r := range res.Resources {
		if r.Error != nil {
			return failed(r.Error, "read the settings of topic %s", r.ResourceName)
		}
		values := map[string]string{}
		for _, e := range r.ConfigEntries {
			values[e.ConfigName] = e.ConfigValue
		}
		if err := suitable(r.ResourceName, values, copies[r.ResourceName]); err != nil {
			return err
		}
	}
	return nil
}

// suitable checks the settings of one topic. What the broker does not tell is not checked.
func suitable(name string, values map[string]string, copies int) error {
	unfit := func(setting, should, why string) error {
		return wrong("topic %s has %s=%s, with which %s: run kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=%s",
			name, setting, values[setting], why, name, setting, should)
	}
	why := map[string]string{
		"cleanup.policy":         "Kafka would remove events",
		"retention.ms":           "Kafka would remove events before they are archived",
		"retention.bytes":        "Kafka would remove events before they are archived",
		"message.timestamp.type": "the time at which an event was recorded is lost",
	}
	for _, s := range required {
		if v, told := values[s.name]; told && v != s.value {
			return unfit(s.name, s.value, why[s.name])
		}
	}
	atLeast := func(setting string, least int, why string) error {
		if v, told := values[setting]; told {
			if n, err := strconv.Atoi(v); err != nil || n < least {
				return unfit(setting, strconv.Itoa(least), why)
			}
		}
		return nil
	}
	if err := atLeast("min.insync.replicas", inSync(copies), "an acknowledged event could be lost with one broker"); err != nil {
		return err
	}
	if n, err := strconv.Atoi(values["min.insync.replicas"]); err == nil && n > copies {
		return unfit("min.insync.replicas", strconv.Itoa(inSync(copies)), fmt.Sprintf("nothing could be written, for there are %d copies", copies))
	}
	if values["unclean.leader.election.enable"] == "true" {
		return unfit("unclean.leader.election.enable", "false", "an acknowledged event could be lost with one broker")
	}
	return atLeast("max.message.bytes", MaxBatchBytes, "large batches would be refused")
}
