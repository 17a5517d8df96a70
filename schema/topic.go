package schema

// Topic declares a Kafka topic. Every topic is created explicitly, none is compacted, none has a time or size retention: only
// the archive role drops ranges, after verifying them.
type Topic struct {
	Name       string
	Partitions int32 // 0: the installation's choice (DefaultPartitions)
	Archived   bool
}

// DefaultPartitions is the number of partitions of the events topic where the installation does not choose.
const DefaultPartitions = 4

// The topics.
const (
	TopicEvents       = "events"       // envelopes, keyed by persona
	TopicControl      = "control"      // workspaces, access, configuration, erasures; read to its end before anything else
	TopicCoordination = "coordination" // leases and batch intents
	TopicDeadLetters  = "deadletters"
	TopicProfiles     = "profiles"  // merges, splits, changes of canonical persona; ids only
	TopicDecisions    = "decisions" // segments entered and left, things sent
	TopicAudit        = "audit"     // who saw or changed what of people, in chains of hashes; not in control, which is read whole at every start
)

// Topics lists every topic.
func Topics() []Topic {
	return []Topic{
		{Name: TopicEvents, Archived: true},
		{Name: TopicControl, Partitions: 1, Archived: true},
		{Name: TopicCoordination, Partitions: 1},
		{Name: TopicDeadLetters, Partitions: 1, Archived: true},
		{Name: TopicProfiles, Partitions: 1, Archived: true},
		{Name: TopicDecisions, Partitions: 1, Archived: true},
		{Name: TopicAudit, Partitions: 1, Archived: true},
	}
}
