package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/dossier-cdp/dossier/schema"
)

// TestClass has a row for each thing that brokers, the network and the client library were seen to say.
func TestClass(t *testing.T) {
	over := func(op string, err error) error {
		return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, err)}
	}
	for _, c := range []struct {
		name string
		err  error
		want schema.ErrorClass
	}{
		{"the broker dies in flight", io.ErrUnexpectedEOF, schema.Transient},
		{"the broker dies in flight", over("read", syscall.ECONNRESET), schema.Transient},
		{"the broker dies in flight", over("write", syscall.EPIPE), schema.Transient},
		{"the client is closed under a request", net.ErrClosed, schema.Transient},
		{"the broker is down", over("connect", syscall.ECONNREFUSED), schema.Transient},
		{"no route to the broker", over("connect", syscall.EHOSTUNREACH), schema.Transient},
		{"the broker's name is not known, as while a cluster starts", &net.DNSError{Err: "no such host", Name: "kafka", IsNotFound: true}, schema.Transient},
		{"the broker is down at first contact", protocol.NewErrNoTopic("events"), schema.Transient},
		{"unknown to the cache", protocol.NewErrNoPartition("events", 1), schema.Transient},
		{"no leader in the cache", protocol.NewErrNoLeader("events", 1), schema.Transient},
		{"the broker hangs", os.ErrDeadlineExceeded, schema.Transient},
		{"the broker hangs", context.DeadlineExceeded, schema.Transient},
		{"the caller gave up", context.Canceled, schema.Transient},
		{"the leader changed", kafkago.NotLeaderForPartition, schema.Transient},
		{"the leader changed", kafkago.FencedLeaderEpoch, schema.Transient},
		{"the leader changed", kafkago.UnknownLeaderEpoch, schema.Transient},
		{"the leader is being chosen", kafkago.LeaderNotAvailable, schema.Transient},
		{"the new leader does not know the end yet", kafkago.OffsetNotAvailable, schema.Transient},
		{"the controller changed", kafkago.NotController, schema.Transient},
		{"unknown to the broker, as just after it was created", kafkago.UnknownTopicOrPartition, schema.Transient},
		{"unknown to the broker, as just after it was created", kafkago.UnknownTopicID, schema.Transient},
		{"the in-sync replicas are not fenced yet", kafkago.RequestTimedOut, schema.Transient},
		{"too few in-sync replicas", kafkago.NotEnoughReplicas, schema.Transient},
		{"too few in-sync replicas, and written", kafkago.NotEnoughReplicasAfterAppend, schema.Transient},
		{"a replica is being moved", kafkago.ReassignmentInProgress, schema.Transient},
		{"a replica is not there", kafkago.ReplicaNotAvailable, schema.Transient},
		{"a broker that starts", kafkago.BrokerNotAvailable, schema.Transient},
		{"a broker that starts", kafkago.StaleBrokerEpoch, schema.Transient},
		{"a broker that starts knows no users yet", kafkago.SASLAuthenticationFailed, schema.Transient},
		{"a broker whose listener is not up yet", kafkago.ListenerNotFound, schema.Transient},
		{"the broker's disk fails", kafkago.KafkaStorageError, schema.Transient},
		{"the broker meets what it does not know", kafkago.Unknown, schema.Transient},
		{"a batch was damaged on its way", kafkago.InvalidMessage, schema.Transient},
		{"rights are being changed", kafkago.TopicAuthorizationFailed, schema.Transient},
		{"quota", kafkago.ThrottlingQuotaExceeded, schema.Transient},
		{"the certificate expired while we run", &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, schema.Transient},
		{"something else answers at the port", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, schema.Transient},

		{"too large", kafkago.MessageSizeTooLarge, schema.Rejected},
		{"too large", kafkago.RecordListTooLarge, schema.Rejected},
		{"not a record", kafkago.InvalidRecord, schema.Rejected},
		{"a time that the topic does not take", kafkago.InvalidTimestamp, schema.Rejected},
		{"ours", schema.Refuse("x", "y", ""), schema.Rejected},

		{"an offset that the log does not hold", kafkago.OffsetOutOfRange, schema.Fatal},
		{"an offset that the log does not hold", ErrOutOfRange, schema.Fatal},
		{"the topic is there", kafkago.TopicAlreadyExists, schema.Fatal},
		{"fewer partitions than there are", kafkago.InvalidPartitionNumber, schema.Fatal},
		{"more copies than brokers", kafkago.InvalidReplicationFactor, schema.Fatal},
		{"a setting that the broker does not take", kafkago.InvalidConfiguration, schema.Fatal},
		{"a name that no topic can have", kafkago.InvalidTopic, schema.Fatal},
		{"the cluster forbids it", kafkago.PolicyViolation, schema.Fatal},
		{"the cluster forbids it", kafkago.ClusterAuthorizationFailed, schema.Fatal},
		{"a broker that is too old", kafkago.UnsupportedVersion, schema.Fatal},
		{"a login that the broker does not offer", kafkago.UnsupportedSASLMechanism, schema.Fatal},
		{"a login where none is asked for", kafkago.IllegalSASLState, schema.Fatal},
		{"damage", &DamageError{}, schema.Fatal},
		{"something new", errors.New("something new"), schema.Fatal},
	} {
		for _, err := range []error{c.err, fmt.Errorf("wrapped: %w", c.err), failed(c.err, "produce to %s", "events")} {
			if got := Class(err); got != c.want {
				t.Errorf("%s: %v: got %v, want %v", c.name, err, got, c.want)
			}
		}
		if got := schema.ClassOf(failed(c.err, "fetch")); got != c.want {
			t.Errorf("%s: who knows only the schema's classes gets %v, want %v", c.name, got, c.want)
		}
	}
}
