package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/dossier-cdp/dossier/schema"
)

// TLS says how connections to the brokers are encrypted. Its files are PEM.
type TLS struct {
	CA          string // the authorities that sign the brokers' certificates; empty: those of the system
	Certificate string // ours, where brokers ask for one, with those between it and its authority
	Key         string // of Certificate
}

// SASL is a login at the brokers.
type SASL struct {
	Mechanism string // plain, scram-sha-256 or scram-sha-512
	User      string
	Password  string
}

// The mechanisms of SASL.
const (
	SASLPlain       = "plain"
	SASLScramSHA256 = "scram-sha-256"
	SASLScramSHA512 = "scram-sha-512"
)

// settings reads the files. Our certificate is read again for every connection, so that one that was renewed is used without a
// restart.
func (t *TLS) settings() (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, wrong("the file of the brokers' authority %s cannot be read: %v", t.CA, cause(err))
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, wrong("the file of the brokers' authority %s has no certificate in PEM form", t.CA)
		}
	}
	if t.Certificate == "" && t.Key == "" {
		return c, nil
	}
	if t.Certificate == "" || t.Key == "" {
		return nil, wrong("a client certificate needs its key, and a key its certificate: give both --kafka-tls-cert and --kafka-tls-key")
	}
	if _, err := t.own(); err != nil {
		return nil, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return t.own() }
	return c, nil
}

func (t *TLS) own() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
	if err != nil {
		return nil, wrong("the client certificate %s with the key %s cannot be used: %v", t.Certificate, t.Key, cause(err))
	}
	return &pair, nil
}

// mechanism prepares the login.
func (s *SASL) mechanism() (sasl.Mechanism, error) {
	if s == nil {
		return nil, nil
	}
	if s.User == "" || s.Password == "" {
		return nil, wrong("a login at the brokers needs a user and a password: give --kafka-user, and --kafka-password-file or DOSSIER_KAFKA_PASSWORD")
	}
	algorithm := scram.SHA512
	switch s.Mechanism {
	case SASLPlain:
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case SASLScramSHA256:
		algorithm = scram.SHA256
	case SASLScramSHA512:
	default:
		return nil, wrong("%q is no login that brokers know: choose %s, %s or %s", s.Mechanism, SASLPlain, SASLScramSHA256, SASLScramSHA512)
	}
	m, err := scram.Mechanism(algorithm, s.User, s.Password)
	if err != nil { // its text may show the password
		return nil, wrong("the user or the password holds characters that %s does not allow", strings.ToUpper(s.Mechanism))
	}
	return m, nil
}

// wrong is an error of the configuration: trying again changes nothing.
func wrong(format string, args ...any) error {
	return schema.Classify(schema.Fatal, fmt.Errorf(format, args...))
}

// cause is what a file's error says without the path, which the caller names.
func cause(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}
