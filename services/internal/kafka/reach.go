package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/dossier-cdp/dossier/schema"
)

// unreached says in one line why no broker could be talked to and what to do about it. err is what the first request met: the
// client library's words for it are often about something else, so each address is looked at once more, by itself.
func unreached(ctx context.Context, cfg Config, settings *tls.Config, err error) error {
	if code := kafkago.Error(0); errors.As(err, &code) && cfg.SASL != nil {
		switch code {
		case kafkago.SASLAuthenticationFailed:
			return wrong("the brokers refuse the login of user %s: check --kafka-user and the password, and that the user has a %s password there", cfg.SASL.User, strings.ToUpper(cfg.SASL.Mechanism))
		case kafkago.UnsupportedSASLMechanism:
			return wrong("the brokers do not offer %s: choose another --kafka-sasl, or another port in --kafka", strings.ToUpper(cfg.SASL.Mechanism))
		case kafkago.IllegalSASLState, kafkago.UnsupportedVersion:
			return wrong("the brokers ask for no login at this port: leave --kafka-sasl away, or give the port that does in --kafka")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*cfg.Timeout)
	defer cancel()
	for _, address := range cfg.Brokers {
		if why := (prober{cfg, settings, address}).probe(ctx); why != nil {
			return why
		}
	}
	return fmt.Errorf("the brokers at %s answer, but not with the cluster's layout: %w", strings.Join(cfg.Brokers, ", "), err)
}

// prober looks at one address.
type prober struct {
	cfg      Config
	settings *tls.Config // nil without TLS
	address  string
}

// probe finds out what is wrong with an address; nil if nothing is.
func (p prober) probe(ctx context.Context) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return p.unreachable(err)
	}
	defer conn.Close() //nolint:errcheck // it was only looked at
	if p.settings == nil {
		err = p.versions(ctx, conn)
		switch {
		case err != nil && p.speaksTLS(ctx):
			return wrong("the broker at %s speaks TLS: give --kafka-tls-ca, the file of the authority that signed its certificate, or its port without TLS in --kafka", p.address)
		case err != nil:
			return wrong("what listens at %s does not answer as a Kafka broker does (%v): check the port in --kafka", p.address, plainly(err))
		case p.cfg.SASL == nil && p.wantsLogin(ctx):
			return wrong("the broker at %s wants a login: give --kafka-sasl, --kafka-user and --kafka-password-file", p.address)
		}
		return nil
	}
	settings := p.settings.Clone()
	if settings.ServerName == "" {
		if settings.ServerName, _, err = net.SplitHostPort(p.address); err != nil {
			return p.unreachable(err)
		}
	}
	secure := tls.Client(conn, settings)
	if err = p.handshake(ctx, secure); err == nil {
		err = p.versions(ctx, secure) // with TLS 1.3 a broker says only now what it thinks of our certificate
	}
	if err == nil {
		if p.cfg.SASL == nil && p.wantsLogin(ctx) {
			return wrong("the broker at %s wants a login: give --kafka-sasl, --kafka-user and --kafka-password-file", p.address)
		}
		return nil
	}
	return p.insecure(ctx, err)
}

// insecure explains a failed TLS handshake.
func (p prober) insecure(ctx context.Context, err error) error {
	unknown, invalid, name := x509.UnknownAuthorityError{}, x509.CertificateInvalidError{}, x509.HostnameError{}
	alert := tls.AlertError(0)
	switch {
	case errors.As(err, &unknown):
		from := "by the system's authorities"
		if p.cfg.TLS.CA != "" {
			from = "by an authority in " + p.cfg.TLS.CA
		}
		return wrong("the certificate of the broker at %s is not signed %s: give the file of its authority as --kafka-tls-ca", p.address, from)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return wrong("the certificate of the broker at %s has expired or is not valid yet (from %s to %s): renew it, or set the clock of this machine",
			p.address, invalid.Cert.NotBefore.UTC().Format(time.RFC3339), invalid.Cert.NotAfter.UTC().Format(time.RFC3339))
	case errors.As(err, &name):
		return wrong("the certificate of the broker at %s is for %s: use that name in --kafka and in the broker's advertised.listeners, or give the broker a certificate for its own",
			p.address, strings.Join(append(name.Certificate.DNSNames, addresses(name.Certificate.IPAddresses)...), ", "))
	case p.speaksPlainly(ctx):
		return wrong("the broker at %s does not speak TLS at this port: leave --kafka-tls-ca away, or give its TLS port in --kafka", p.address)
	case errors.As(err, &alert) || remoteAlert(err):
		if p.cfg.TLS.Certificate == "" {
			return wrong("the broker at %s wants a client certificate (%v): give --kafka-tls-cert and --kafka-tls-key", p.address, plainly(err))
		}
		return wrong("the broker at %s refuses the client certificate %s (%v): renew it, or have it signed by an authority that the broker trusts", p.address, p.cfg.TLS.Certificate, plainly(err))
	}
	return wrong("no TLS connection to the broker at %s: %v", p.address, plainly(err))
}

func addresses(ips []net.IP) (out []string) {
	for _, ip := range ips {
		out = append(out, ip.String())
	}
	return out
}

// remoteAlert says whether the peer ended a handshake with an alert; the standard library gives its text alone.
func remoteAlert(err error) bool {
	op := (*net.OpError)(nil)
	return errors.As(err, &op) && op.Op == "remote error"
}

// unreachable explains a failed connect.
func (p prober) unreachable(err error) error {
	name := (*net.DNSError)(nil)
	why := fmt.Errorf("nothing can be reached at %s (%w): check --kafka, and that the broker runs and no firewall is between", p.address, plainly(err))
	if errors.As(err, &name) {
		why = fmt.Errorf("the broker address %s has no host that is known here (%w): check --kafka", p.address, plainly(err))
	}
	return schema.Classify(schema.Transient, why)
}

// plainly cuts an error of the network to what happened, which says no port of ours.
func plainly(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}

func (p prober) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	dial := p.cfg.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return dial(ctx, "tcp", p.address)
}

func (p prober) handshake(ctx context.Context, conn *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	return conn.HandshakeContext(ctx)
}

const (
	keyAPIVersions = 18
	keyMetadata    = 3
)

// versions asks what the broker can do, which every broker answers before a login.
func (p prober) versions(ctx context.Context, conn net.Conn) error {
	return p.ask(ctx, conn, appendHeader(nil, keyAPIVersions, 0))
}

// ask sends one request and looks whether what comes back is an answer to it.
func (p prober) ask(ctx context.Context, conn net.Conn, frame []byte) error {
	deadline := time.Now().Add(p.cfg.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write(finishFrame(frame)); err != nil {
		return err
	}
	var head [8]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return noEOF(err)
	}
	if binary.BigEndian.Uint32(head[:]) > maxResponse || binary.BigEndian.Uint32(head[4:]) != correlation {
		return errors.New("another protocol")
	}
	return nil
}

// speaksTLS says whether the port answers a TLS handshake, whatever its certificate is worth.
func (p prober) speaksTLS(ctx context.Context) bool {
	conn, err := p.dial(ctx)
	if err != nil {
		return false
	}
	defer conn.Close()                                                                              //nolint:errcheck // it was only looked at
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) // nothing is sent over it
	err = p.handshake(ctx, secure)
	return err == nil || remoteAlert(err)
}

// speaksPlainly says whether the port answers Kafka's protocol without TLS.
func (p prober) speaksPlainly(ctx context.Context) bool {
	conn, err := p.dial(ctx)
	if err != nil {
		return false
	}
	defer conn.Close() //nolint:errcheck // it was only looked at
	return p.versions(ctx, conn) == nil
}

// wantsLogin says whether the broker closes the connection over a request that needs one.
func (p prober) wantsLogin(ctx context.Context) bool {
	conn, err := p.dial(ctx)
	if err != nil {
		return false
	}
	defer conn.Close() //nolint:errcheck // it was only looked at
	if p.settings != nil {
		settings := p.settings.Clone()
		settings.InsecureSkipVerify = true // it was verified a moment ago, and nothing is sent over it
		conn = tls.Client(conn, settings)
	}
	if p.versions(ctx, conn) != nil {
		return false
	}
	frame := appendInt32(appendHeader(nil, keyMetadata, 4), 0) // of no topic
	return p.ask(ctx, conn, append(frame, 0)) != nil
}
