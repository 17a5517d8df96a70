package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// Destination is where messages go.
type Destination struct {
	URL     string
	Secrets []string // whsec_ and base64, as Standard Webhooks writes them; each signs. At least one
	Private bool     // plain HTTP, and addresses that are not public, are allowed
}

// Message is what is sent. The id is no secret, holds no full stop, and names the message in every attempt.
type Message struct {
	ID   string
	Body []byte // JSON
}

// Check says what is wrong with the address of a destination, in one line.
func (d Destination) Check() error {
	u, err := url.Parse(d.URL)
	switch {
	case err != nil || u.Host == "":
		return errors.New("the url is none: write one such as https://example.com/hooks")
	case u.User != nil:
		return errors.New("the url holds a user: leave it out, messages are signed")
	case u.Scheme == "https" || u.Scheme == "http" && d.Private:
		return nil
	}
	return errors.New("the url is not https: write https, or private: true for one within your own network")
}

// keyOf is the key that a secret holds.
func keyOf(secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) < 16 {
		return nil, errors.New("a secret is no secret of Standard Webhooks: write whsec_ and at least 24 characters of base64")
	}
	return key, nil
}

// CheckSecret says what is wrong with a secret, without showing it.
func CheckSecret(secret string) error {
	_, err := keyOf(secret)
	return err
}

// Sign is the header webhook-signature of a message.
func Sign(secrets []string, id string, at time.Time, body []byte) (string, error) {
	var out []string
	for _, secret := range secrets {
		key, err := keyOf(secret)
		if err != nil {
			return "", err
		}
		h := hmac.New(sha256.New, key)
		fmt.Fprintf(h, "%s.%d.", id, at.Unix()) // it never fails
		h.Write(body)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	if len(out) == 0 {
		return "", errors.New("a destination without a secret: nobody could verify what is sent")
	}
	return strings.Join(out, " "), nil
}

// Sender sends. It is safe for concurrent use. The zero value of its fields is good.
type Sender struct {
	Timeout time.Duration // of one attempt; 0 is 15 s
	Now     func() time.Time

	client http.Client
}

// New makes a sender.
func New() *Sender {
	s := &Sender{}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.client.Transport = &http.Transport{
		DialContext: dial, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns: 16, IdleConnTimeout: time.Minute, DisableCompression: true, ForceAttemptHTTP2: true,
	}
	return s
}

type privateKey struct{}

// errPrivate is what a dial ends with that would lead inside.
var errPrivate = errors.New("the name resolves to an address that is not public: write private: true if it is meant")

// dial connects to public addresses, or to any where the context says so. It looks at the address that is dialled, after its name was resolved.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, to string, _ syscall.RawConn) error {
		if allowed, _ := ctx.Value(privateKey{}).(bool); allowed {
			return nil
		}
		at, err := netip.ParseAddrPort(to)
		if err != nil || !public(at.Addr()) {
			return errPrivate
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}

// special are blocks that are not public beside those that netip names (IANA's registries of special-purpose addresses).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
}

// public says whether an address is one that anybody may reach.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// Refused is an answer that is not 2xx.
type Refused struct {
	Status int
	After  time.Duration // that the receiver asks to wait (Retry-After); 0 if it does not
}

func (r *Refused) Error() string { return "the destination answered " + strconv.Itoa(r.Status) }

// Send tries once. nil is a 2xx. A transient error may be tried again, though the message may have arrived; a rejected one never succeeds: the
// destination is gone (410), takes no body of this size (413), or is configured wrongly.
func (s *Sender) Send(ctx context.Context, d Destination, m Message) error {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	at := now()
	signature, err := Sign(d.Secrets, m.ID, at, m.Body)
	if err == nil {
		err = d.Check()
	}
	if err != nil {
		return schema.Classify(schema.Rejected, err)
	}
	_, err = s.Do(ctx, Request{http.MethodPost, d.URL, map[string]string{
		"Content-Type": "application/json", "Webhook-Id": m.ID, "Webhook-Timestamp": strconv.FormatInt(at.Unix(), 10), "Webhook-Signature": signature,
	}, m.Body, d.Private})
	return err
}

// Request is one that is sent to an address of the configuration.
type Request struct {
	Method, URL string
	Headers     map[string]string
	Body        []byte
	Private     bool // plain HTTP, and addresses that are not public, are allowed
}

// Do tries a request once, within the same bounds as Send, and with the same errors. What is answered is not given.
func (s *Sender) Do(ctx context.Context, r Request) (status int, err error) {
	if err := (Destination{URL: r.URL, Private: r.Private}).Check(); err != nil {
		return 0, schema.Classify(schema.Rejected, err)
	}
	timeout := s.Timeout
	if timeout == 0 {
		timeout = 15 * time.Second
	}
	limited, cancel := context.WithTimeout(context.WithValue(ctx, privateKey{}, r.Private), timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(limited, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return 0, schema.Classify(schema.Rejected, errors.New("the url is none: write one such as https://example.com/hooks"))
	}
	request.Header.Set("User-Agent", "dossier")
	for name, value := range r.Headers {
		request.Header.Set(name, value)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, schema.Classify(schema.Transient, fmt.Errorf("reach the destination: %w", plain(err)))
	}
	defer response.Body.Close()
	// What is left of a small answer is read, so that the connection serves again.
	if _, err := io.CopyN(io.Discard, response.Body, 64<<10); err != nil && !errors.Is(err, io.EOF) {
		return 0, schema.Classify(schema.Transient, errors.New("the destination's answer broke off"))
	}
	if response.StatusCode/100 == 2 {
		return response.StatusCode, nil
	}
	refused := &Refused{Status: response.StatusCode}
	if wait, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && wait > 0 {
		refused.After = min(time.Duration(wait)*time.Second, 24*time.Hour)
	}
	class := schema.Transient
	if refused.Status == http.StatusGone || refused.Status == http.StatusRequestEntityTooLarge {
		class = schema.Rejected
	}
	return response.StatusCode, schema.Classify(class, refused)
}

// plain takes the address out of an error of the client: its path and query may be a secret.
func plain(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// Pause is how long to wait after so many failed attempts, at least 1: 5 s, 30 s, 2, 10 and 30 minutes, 1, 2, 4 and 8 hours, as Standard Webhooks
// proposes; ok is false after the last, when the message is given up, some 16 hours after the first.
func Pause(failed int, err error) (wait time.Duration, ok bool) {
	pauses := [...]time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
	}
	if schema.ClassOf(err) == schema.Rejected || failed > len(pauses) {
		return 0, false
	}
	wait = pauses[max(1, failed)-1]
	if refused := (*Refused)(nil); errors.As(err, &refused) {
		wait = max(wait, refused.After)
	}
	return wait, true
}
