package rpc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Identity is what a process shows to the others: a certificate of the installation's authority.
type Identity struct {
	folder      string
	authority   *x509.CertPool
	certificate tls.Certificate
	leaf        *x509.Certificate
	now         func() time.Time
}

// makeOne is what helps against every certificate that does not do.
const makeOne = "make one with 'dossier certificates create %s --data DIR --out %s', DIR being the keeper's data folder"

// LoadIdentity reads a certificate folder, and refuses a certificate that is not in force, is not signed by the authority beside it, or
// does not name all of the roles. The error is one line that says what to do.
func LoadIdentity(folder string, roles []string, now func() time.Time) (*Identity, error) {
	remedy := fmt.Sprintf(makeOne, strings.Join(roles, ","), folder)
	read := func(name string) ([]byte, error) {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			if path := (*os.PathError)(nil); errors.As(err, &path) {
				err = path.Err
			}
			return nil, fmt.Errorf("the certificate folder lacks %s (%w): %s", filepath.Join(folder, name), err, remedy)
		}
		return text, nil
	}
	authority, err := read(authorityFile)
	if err != nil {
		return nil, err
	}
	text, err := read(certificateFile)
	if err != nil {
		return nil, err
	}
	key, err := read(keyFile)
	if err != nil {
		return nil, err
	}
	i := &Identity{folder: folder, authority: x509.NewCertPool(), now: now}
	if !i.authority.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate in PEM: %s", filepath.Join(folder, authorityFile), remedy)
	}
	if i.certificate, err = tls.X509KeyPair(text, key); err != nil {
		return nil, fmt.Errorf("%s and %s do not go together (%w): %s", filepath.Join(folder, certificateFile), keyFile, err, remedy)
	}
	i.leaf = i.certificate.Leaf
	if err := inForce(i.leaf, now()); err != nil {
		return nil, fmt.Errorf("the certificate in %s %w: %s", folder, err, remedy)
	}
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	if _, err := i.leaf.Verify(x509.VerifyOptions{Roots: i.authority, CurrentTime: now(), KeyUsages: usages}); err != nil {
		return nil, fmt.Errorf("the certificate in %s is not signed by the authority in %s: %s", folder, filepath.Join(folder, authorityFile), remedy)
	}
	named := rolesOf(i.leaf)
	for _, role := range roles {
		if !slices.Contains(named, role) {
			return nil, fmt.Errorf("the certificate in %s is for %s, not for %s: %s", folder, strings.Join(named, ","), role, remedy)
		}
	}
	return i, nil
}

// inForce says why a certificate is not in force.
func inForce(c *x509.Certificate, now time.Time) error {
	switch {
	case now.After(c.NotAfter):
		return fmt.Errorf("expired at %s", c.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(c.NotBefore):
		return fmt.Errorf("is not in force before %s (is the clock right?)", c.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// Expires is when the certificate ends.
func (i *Identity) Expires() time.Time { return i.leaf.NotAfter }

// own says why our own certificate does not do any more.
func (i *Identity) own() error {
	if err := inForce(i.leaf, i.now()); err != nil {
		return fmt.Errorf("the certificate in %s %w: "+makeOne+", and start again", i.folder, err, strings.Join(rolesOf(i.leaf), ","), i.folder)
	}
	return nil
}

func (i *Identity) server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{i.certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: i.authority,
		Time: i.now, NextProtos: []string{"h2"},
	}
}

// client is for connections to a process that has a role.
func (i *Identity) client(role string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{i.certificate}, RootCAs: i.authority, ServerName: nameOf(role), Time: i.now,
		NextProtos: []string{"h2"},
	}
}

// untrusted says in one line what is wrong with a connection's certificates; nil if nothing is.
func untrusted(err error, role, address string) error {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) {
		c := verification.UnverifiedCertificates[0]
		var invalid x509.CertificateInvalidError
		var name x509.HostnameError
		var authority x509.UnknownAuthorityError
		switch {
		case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
			return fmt.Errorf("the certificate of %s is not in force: it is from %s to %s; make a new one with 'dossier certificates create', or set the clocks", address, c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))
		case errors.As(err, &name):
			return fmt.Errorf("the certificate of %s is for %s, not for %s: give that process one for its roles by 'dossier certificates create'", address, strings.Join(rolesOf(c), ","), role)
		case errors.As(err, &authority):
			return fmt.Errorf("the certificate of %s is signed by another authority than ours: both must be made by 'dossier certificates create' with the same keeper's data folder", address)
		}
		return fmt.Errorf("the certificate of %s does not do: %w", address, verification.Err)
	}
	// The other side's alert, after TLS 1.3's handshake has ended on ours.
	if alert := (*net.OpError)(nil); errors.As(err, &alert) && alert.Op == "remote error" {
		return fmt.Errorf("%s refuses our certificate (%w): it is expired, or not of that installation's authority; make one with 'dossier certificates create'", address, alert.Err)
	}
	return nil
}
