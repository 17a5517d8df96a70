package schema

import (
	"fmt"
	"strconv"
)

// ControlGeneration starts a generation of a topic: from this record on its records go to another topic of the log, GenerationTopic,
// which may have another number of partitions, and the generation before it takes none any more. Generation 0 needs no such record.
type ControlGeneration struct {
	Topic      string `json:"topic"`
	Generation uint32 `json:"generation"` // one more than that of the record before for the topic
	Partitions int32  `json:"partitions"`
	// Ends is how many records each partition of the generation before it has.
	Ends []int64 `json:"ends"`
	// Restored says that what is before this generation was restored: it is in the archive alone, whatever the log has by its name.
	Restored bool `json:"restored,omitempty"`
}

// Check refuses a record that does not follow after the generation before it, 0 if there is none.
func (g *ControlGeneration) Check(before uint32) error {
	switch {
	case g.Topic == "":
		return Refuse("generation_invalid", "a generation belongs to a topic", "")
	case g.Generation != before+1:
		return Refuse("generation_invalid", fmt.Sprintf("generation %d of %s does not follow %d", g.Generation, g.Topic, before), "")
	case g.Partitions < 1 || len(g.Ends) < 1:
		return Refuse("generation_invalid", fmt.Sprintf("generation %d of %s needs partitions, and the ends of those before", g.Generation, g.Topic), "")
	}
	return nil
}

// GenerationTopic is what a generation of a topic is called in the log.
func GenerationTopic(topic string, generation uint32) string {
	if generation == 0 {
		return topic
	}
	return topic + ".g" + strconv.FormatUint(uint64(generation), 10)
}

// ControlRingCopy is a copy of the key ring that somebody keeps outside, or one that they have destroyed. It holds no key. An
// erasure is done only when every copy with a lower version of the ring has been replaced or destroyed.
type ControlRingCopy struct {
	Name     string            `json:"name"`               // the same name again is the replacement
	Digest   string            `json:"digest,omitempty"`   // hex SHA-256 of the copy
	Versions map[string]uint64 `json:"versions,omitempty"` // of each workspace's ring; none: the copy was destroyed
}
