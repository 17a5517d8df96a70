package care

import (
	"context"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Producer writes to the log. *kafka.Client is one.
type Producer interface {
	Produce(ctx context.Context, topic string, partition int32, messages []kafka.Message, at time.Time) (base int64, err error)
}

// DecisionsTopic is Decided on the topic of that name.
type DecisionsTopic struct {
	Log      *eventlog.Log
	Producer Producer
	Now      func() time.Time
}

var _ Decided = (*DecisionsTopic)(nil)

// Read gives the records from an offset on.
func (t *DecisionsTopic) Read(ctx context.Context, offset int64) (values [][]byte, next int64, err error) {
	b, err := t.Log.Read(ctx, 0, offset, 0)
	for i := range b.Records {
		values = append(values, b.Records[i].Value)
	}
	return values, b.Next, err
}

// Append adds records in one batch.
func (t *DecisionsTopic) Append(ctx context.Context, key []byte, values [][]byte) error {
	messages := make([]kafka.Message, len(values))
	for i, v := range values {
		messages[i] = kafka.Message{Key: key, Value: v}
	}
	_, err := t.Producer.Produce(ctx, schema.TopicDecisions, 0, messages, t.Now())
	return err
}
