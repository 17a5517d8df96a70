package rpc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The files of a certificate folder. The names are those of Kubernetes' TLS secrets.
const (
	authorityFile   = "ca.crt" // who signs the certificates of this installation
	certificateFile = "tls.crt"
	keyFile         = "tls.key"
)

// The files of the authority, in DIR/keys of the keeper.
const (
	authorityKeyFile = "ca.key"
	issuedFile       = "certificates.ndjson" // one Issued a line
)

// authorityYears is how long an authority is in force: it is renewed by making a new one, and all certificates.
const authorityYears = 20

// Authority signs the certificates of one installation. Its key lies with the keeper: DIR/keys/ca.crt, ca.key.
type Authority struct {
	dir         string
	certificate *x509.Certificate
	key         crypto.Signer
}

// Issued is a certificate that was made. Its key is in the folder that it was made into, and nowhere else.
type Issued struct {
	Serial    string    `json:"serial"`
	Roles     []string  `json:"roles"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
}

// OpenAuthority opens the authority that lies in a folder, and makes it at its first use.
func OpenAuthority(dir string, now time.Time) (*Authority, error) {
	a := &Authority{dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, authorityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return a, a.create(now)
	}
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	if a.certificate, err = parseCertificate(text); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, authorityFile), err)
	}
	text, err = os.ReadFile(filepath.Join(dir, authorityKeyFile))
	if err != nil {
		return nil, fmt.Errorf("read the authority's key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key: put it back, or remove both files of the authority and make all certificates anew", filepath.Join(dir, authorityKeyFile))
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, authorityKeyFile), err)
	}
	a.key = key
	return a, nil
}

// clocksDiffer is how far a clock may be behind: what is made now must be in force on another machine, too, and on one whose clock is set
// back. A wrong time zone is the most that happens.
const clocksDiffer = 25 * time.Hour

func (a *Authority) create(now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the authority's key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "dossier installation authority"},
		NotBefore: now.Add(-clocksDiffer), NotAfter: now.AddDate(authorityYears, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("make the authority's certificate: %w", err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	a.key = key
	// The key first: a crash in between leaves a key that the next start replaces.
	if err := writeKey(filepath.Join(a.dir, authorityKeyFile), key); err != nil {
		return err
	}
	return writePEM(filepath.Join(a.dir, authorityFile), "CERTIFICATE", der, 0o644)
}

// Certificate makes a certificate for a process with some roles, in force from now on for some time, and writes it into a folder with its
// key and the authority's certificate. It replaces the one that is there.
func (a *Authority) Certificate(roles []string, folder string, now time.Time, lifetime time.Duration) (Issued, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Issued{}, fmt.Errorf("make a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "dossier " + strings.Join(roles, ",")},
		NotBefore: now.Add(-clocksDiffer), NotAfter: now.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, role := range roles {
		template.DNSNames = append(template.DNSNames, nameOf(role))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return Issued{}, fmt.Errorf("make a certificate: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return Issued{}, fmt.Errorf("make the folder of the certificate: %w", err)
	}
	if err := writeKey(filepath.Join(folder, keyFile), key); err != nil {
		return Issued{}, err
	}
	if err := writePEM(filepath.Join(folder, certificateFile), "CERTIFICATE", der, 0o644); err != nil {
		return Issued{}, err
	}
	if err := writePEM(filepath.Join(folder, authorityFile), "CERTIFICATE", a.certificate.Raw, 0o644); err != nil {
		return Issued{}, err
	}
	issued := Issued{fmt.Sprintf("%x", template.SerialNumber), roles, template.NotBefore.UTC().Truncate(time.Second), template.NotAfter.UTC().Truncate(time.Second)}
	return issued, a.note(issued)
}

func (a *Authority) note(issued Issued) (err error) {
	line, err := json.Marshal(issued)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(a.dir, issuedFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("note the certificate: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("note the certificate: %w", err)
	}
	return nil
}

// ReadIssued lists the certificates that the authority in a folder has made, oldest first.
func ReadIssued(dir string) ([]Issued, error) {
	text, err := os.ReadFile(filepath.Join(dir, issuedFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the certificates: %w", err)
	}
	var all []Issued
	for line := range strings.Lines(string(text)) {
		var one Issued
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, issuedFile), err)
		}
		all = append(all, one)
	}
	return all, nil
}

// nameOf is how a certificate names a role. It is resolved nowhere.
func nameOf(role string) string { return role + ".dossier" }

// rolesOf are those that a certificate names.
func rolesOf(c *x509.Certificate) (roles []string) {
	for _, name := range c.DNSNames {
		if role, ok := strings.CutSuffix(name, ".dossier"); ok {
			roles = append(roles, role)
		}
	}
	slices.Sort(roles)
	return roles
}

func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b) // never fails: crypto/rand ends the process instead
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode a key: %w", err)
	}
	return writePEM(path, "EC PRIVATE KEY", der, 0o600)
}

// writePEM replaces a file whole.
func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(path+".new", text, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it holds no certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}
