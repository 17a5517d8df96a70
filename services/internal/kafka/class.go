package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/dossier-cdp/dossier/schema"
)

// Class is the one place that decides what an error of the log means. What it does not know is fatal.
func Class(err error) schema.ErrorClass {
	if c := (*schema.Classed)(nil); errors.As(err, &c) {
		return c.Class
	}
	if r := (*schema.Refusal)(nil); errors.As(err, &r) {
		return schema.Rejected
	}
	if d := (*DamageError)(nil); errors.As(err, &d) {
		return schema.Fatal
	}
	if code := kafkago.Error(0); errors.As(err, &code) {
		return classOfCode(code)
	}
	// The caller's own end, and every way in which a connection can fail. The outcome of a write is then unknown.
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return schema.Transient
	}
	if n := net.Error(nil); errors.As(err, &n) {
		return schema.Transient
	}
	// Certificates are renewed while we run: until then nothing is stored. A start refuses them, see Open.
	if v := (*tls.CertificateVerificationError)(nil); errors.As(err, &v) {
		return schema.Transient
	}
	if h := (tls.RecordHeaderError{}); errors.As(err, &h) {
		return schema.Transient
	}
	// A topic, partition or leader that the client's cache of the cluster does not have: it refreshes within seconds. An
	// unreachable broker shows up so too at first contact.
	if p := protocol.Error(""); errors.As(err, &p) {
		return schema.Transient
	}
	return schema.Fatal
}

func classOfCode(code kafkago.Error) schema.ErrorClass {
	switch code {
	case kafkago.MessageSizeTooLarge, kafkago.RecordListTooLarge, kafkago.InvalidRecord, kafkago.InvalidTimestamp:
		return schema.Rejected
	case kafkago.Unknown, kafkago.InvalidMessage, kafkago.TopicAuthorizationFailed, kafkago.KafkaStorageError, kafkago.BrokerNotAvailable,
		kafkago.ReplicaNotAvailable, kafkago.ReassignmentInProgress, kafkago.StaleBrokerEpoch:
		return schema.Transient // brokers answer so in passing, with nothing stored
	case kafkago.SASLAuthenticationFailed:
		return schema.Transient // a broker that starts does not know its users yet. Open makes it final
	}
	if code.Temporary() {
		return schema.Transient
	}
	return schema.Fatal
}

// ErrUnavailable means that the log cannot take more now: nothing was acknowledged, and the same input may be sent again. What
// was sent may still have been written.
var ErrUnavailable = errors.New("the log is not available")

// UnavailableError carries when to try again. errors.Is(err, ErrUnavailable) finds it.
type UnavailableError struct {
	RetryAfter time.Duration
	Reason     string
	Err        error // what the log said last, or nil
}

func (e *UnavailableError) Error() string {
	s := fmt.Sprintf("%v: %s; try again in %v", ErrUnavailable, e.Reason, e.RetryAfter)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// Is reports ErrUnavailable.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

func unavailable(after time.Duration, reason string, err error) error {
	return schema.Classify(schema.Transient, &UnavailableError{after, reason, err})
}

// RetryAfter tells when to try again, if err is an ErrUnavailable.
func RetryAfter(err error) (time.Duration, bool) {
	if u := (*UnavailableError)(nil); errors.As(err, &u) {
		return u.RetryAfter, true
	}
	return 0, false
}
