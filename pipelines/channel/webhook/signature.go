package webhook

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// The codes of a webhook that is not believed.
const (
	CodeSignatureMissing = "signature_missing"
	CodeSignatureWrong   = "signature_wrong"
	CodeTimestampInvalid = "timestamp_invalid"
	CodeTimestampTooOld  = "timestamp_too_old"
	CodeTimestampAhead   = "timestamp_in_future"
	CodeSecretInvalid    = "secret_invalid"
)

// DefaultTolerance is how far the time of a webhook may be from ours.
const DefaultTolerance = 5 * time.Minute

// The schemes of a signature.
const (
	SchemeStandard = "standard" // Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature
	SchemeHMAC     = "hmac"     // an HMAC in a header of the provider's own
	SchemeForm     = "form"     // an HMAC of the address and the sorted form values, as Twilio signs
	SchemeToken    = "token"    // the secret itself in a header
)

// The headers of Standard Webhooks.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// secretPrefix announces a secret of Standard Webhooks.
const secretPrefix = "whsec_"

// Signature says how a source signs. Its members are those of the configuration.
type Signature struct {
	Scheme    string   `json:"scheme"`
	Secrets   []string `json:"secrets"`   // secret:NAME; several while a secret is being changed
	Tolerance string   `json:"tolerance"` // a duration such as 5m; empty: 5m
	Header    string   `json:"header"`    // of hmac, form and token: where the signature is
	Hash      string   `json:"hash"`      // sha1, sha256 (default), sha512
	Encoding  string   `json:"encoding"`  // hex (default) or base64
	Prefix    string   `json:"prefix"`    // before the signature in the header, such as sha256=
	Field     string   `json:"field"`     // the header is a list of NAME=VALUE: the name of the signatures, such as v1
	Timestamp string   `json:"timestamp"` // the header with the time of sending, in seconds since 1970 or RFC 3339
	TimeField string   `json:"timeField"` // or its name in the list of Header, such as t
	Signed    string   `json:"signed"`    // what is signed: {timestamp} and {body} stand for themselves. Default: {body}
	URL       string   `json:"url"`       // of form: the address that the provider was given

	tolerance time.Duration
	hash      func() hash.Hash
}

// Request is what a webhook is verified by.
type Request struct {
	Header http.Header
	Body   []byte
	Form   url.Values // of the scheme form
	Query  string     // of the scheme form: what follows the ? of the address, if anything
}

func refuse(code, reason, hint string) *schema.Refusal { return schema.Refuse(code, reason, hint) }

func invalid(reason, hint string) error { return schema.Refuse("configuration_invalid", reason, hint) }

// prepare checks the members and fills in what was left out.
func (s *Signature) prepare() error {
	if len(s.Secrets) == 0 {
		return invalid("a signature needs secrets", "name at least one, such as secret:ZENDESK")
	}
	for _, name := range s.Secrets {
		if _, ok := SecretName(name); !ok {
			return invalid("a secret stands in the configuration", "write secret:NAME (of A-Z, 0-9 and _), and put its value in DIR/keys/NAME or the environment")
		}
	}
	s.tolerance = DefaultTolerance
	if s.Tolerance != "" {
		d, err := time.ParseDuration(s.Tolerance)
		if err != nil || d < time.Second || d > 24*time.Hour {
			return invalid("tolerance is no duration between 1s and 24h", "write one such as 5m")
		}
		s.tolerance = d
	}
	hashes := map[string]func() hash.Hash{"": sha256.New, "sha256": sha256.New, "sha1": sha1.New, "sha512": sha512.New}
	known := false
	if s.hash, known = hashes[s.Hash]; !known {
		return invalid("hash is none of sha1, sha256, sha512", "see how the provider signs")
	}
	if !slices.Contains([]string{"", "hex", "base64"}, s.Encoding) {
		return invalid("encoding is none of hex, base64", "see how the provider signs")
	}
	own := s.Header != ""
	switch s.Scheme {
	case SchemeStandard:
		if own || s.Hash != "" || s.Encoding != "" || s.Prefix != "" || s.Field != "" || s.Timestamp != "" || s.TimeField != "" || s.Signed != "" || s.URL != "" {
			return invalid("the scheme standard has secrets and tolerance alone", "leave the other members out, or choose the scheme hmac")
		}
	case SchemeHMAC:
		if !own || s.URL != "" {
			return invalid("the scheme hmac needs a header, and no url", "name the header that the signature is in")
		}
		if (s.Field == "") && s.TimeField != "" {
			return invalid("timeField without field", "field and timeField belong to a header that is a list of NAME=VALUE")
		}
		timed := s.Timestamp != "" || s.TimeField != ""
		if s.Signed == "" {
			s.Signed = "{body}"
		}
		if !strings.Contains(s.Signed, "{body}") || timed != strings.Contains(s.Signed, "{timestamp}") {
			return invalid("signed names {body}, and {timestamp} exactly if timestamp or timeField says where it is", "such as {timestamp}.{body}")
		}
	case SchemeForm:
		if at, err := url.Parse(s.URL); !own || err != nil || at.Host == "" {
			return invalid("the scheme form needs a header and the url that the provider was given", "such as X-Twilio-Signature and https://hooks.example.com/hooks/sms")
		}
	case SchemeToken:
		if !own {
			return invalid("the scheme token needs a header", "name the header that the token is in")
		}
	default:
		return invalid("a signature's scheme is none of standard, hmac, form, token", "see deploy/mappings/hooks/README.md")
	}
	return nil
}

// SecretName reads secret:NAME. A name is of A-Z, 0-9 and _, begins with a letter, and is none of the names that configure dossier itself.
func SecretName(s string) (name string, ok bool) {
	name, ok = strings.CutPrefix(s, "secret:")
	if !ok || name == "" || len(name) > 64 || name[0] < 'A' || name[0] > 'Z' || strings.HasPrefix(name, "DOSSIER_") {
		return "", false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return "", false
		}
	}
	return name, true
}

// Verify refuses a request that was not signed with one of the secrets, or too long ago. The secrets' values are in the order of
// Secrets.
func (s *Signature) Verify(r *Request, secrets []string, now time.Time) *schema.Refusal {
	switch s.Scheme {
	case SchemeStandard:
		return s.standard(r, secrets, now)
	case SchemeForm:
		return s.form(r, secrets)
	case SchemeToken:
		return s.token(r, secrets)
	}
	return s.own(r, secrets, now)
}

func missing(header string) *schema.Refusal {
	return refuse(CodeSignatureMissing, "there is no header "+header, "have the provider sign its webhooks, or correct the source's signature")
}

func wrong() *schema.Refusal {
	return refuse(CodeSignatureWrong, "no signature is one of ours", "compare the secret with the provider's, and the address if it is signed; a proxy must not change the body")
}

// timely refuses a time that is further from ours than is tolerated. It comes after the signature: what a stranger states is no time.
func (s *Signature) timely(stated string, now time.Time) *schema.Refusal {
	at, ok := readTime(stated)
	if !ok {
		return refuse(CodeTimestampInvalid, "the time of sending is neither seconds since 1970 nor RFC 3339", "see how the provider states it")
	}
	switch away := now.Sub(at); {
	case away > s.tolerance:
		return refuse(CodeTimestampTooOld, "it was signed "+away.Truncate(time.Second).String()+" ago, "+s.tolerance.String()+" are tolerated", "send it again with a new time, or correct the clock")
	case away < -s.tolerance:
		return refuse(CodeTimestampAhead, "it was signed "+(-away).Truncate(time.Second).String()+" ahead of our clock, "+s.tolerance.String()+" are tolerated", "correct the clock")
	}
	return nil
}

func readTime(s string) (time.Time, bool) {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil && seconds >= 0 && seconds < 1<<40 {
		if seconds > 1<<35 { // the year 3058: these are milliseconds
			return time.UnixMilli(seconds), true
		}
		return time.Unix(seconds, 0), true
	}
	at, err := time.Parse(time.RFC3339, s)
	return at, err == nil
}

func (s *Signature) standard(r *Request, secrets []string, now time.Time) *schema.Refusal {
	for _, header := range [...]string{headerID, headerTimestamp, headerSignature} {
		if r.Header.Get(header) == "" {
			return missing(strings.ToLower(header))
		}
	}
	stated := r.Header.Get(headerTimestamp)
	signed := []byte(r.Header.Get(headerID) + "." + stated + ".")
	found := false
	for _, secret := range secrets {
		key, err := standardKey(secret)
		if err != nil {
			return err
		}
		want := sum(sha256.New, key, signed, r.Body)
		for given := range strings.FieldsSeq(r.Header.Get(headerSignature)) {
			version, text, _ := strings.Cut(given, ",")
			got, err := base64.StdEncoding.DecodeString(text)
			if version == "v1" && err == nil && hmac.Equal(got, want) {
				found = true
			}
		}
	}
	if !found {
		return wrong()
	}
	return s.timely(stated, now)
}

// standardKey is the key that a secret of Standard Webhooks holds.
func standardKey(secret string) ([]byte, *schema.Refusal) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(key) == 0 {
		return nil, refuse(CodeSecretInvalid, "the secret is not base64", "use the secret as the provider shows it: whsec_ and base64")
	}
	return key, nil
}

// CheckSecret refuses a value that can be no secret of this scheme.
func (s *Signature) CheckSecret(value string) *schema.Refusal {
	if s.Scheme == SchemeStandard {
		_, r := standardKey(value)
		return r
	}
	return nil
}

func sum(new func() hash.Hash, key []byte, parts ...[]byte) []byte {
	h := hmac.New(new, key)
	for _, part := range parts {
		h.Write(part) // a hash takes everything
	}
	return h.Sum(nil)
}

// decode reads a signature as the provider writes it.
func (s *Signature) decode(text string) ([]byte, bool) {
	if s.Encoding == "base64" {
		b, err := base64.StdEncoding.DecodeString(text)
		return b, err == nil
	}
	b, err := hex.DecodeString(text)
	return b, err == nil
}

// own verifies the scheme hmac.
func (s *Signature) own(r *Request, secrets []string, now time.Time) *schema.Refusal {
	header := r.Header.Get(s.Header)
	if header == "" {
		return missing(s.Header)
	}
	given, stated := []string{header}, ""
	if s.Field != "" {
		given = given[:0]
		for part := range strings.SplitSeq(header, ",") {
			switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name {
			case s.Field:
				given = append(given, value)
			case s.TimeField:
				stated = value
			}
		}
	}
	if s.Timestamp != "" {
		stated = r.Header.Get(s.Timestamp)
	}
	timed := s.Timestamp != "" || s.TimeField != ""
	if timed && stated == "" {
		return refuse(CodeTimestampInvalid, "it does not state when it was sent", "have the provider send the time, or correct the source's signature")
	}
	before, after, _ := strings.Cut(s.Signed, "{body}")
	before, after = strings.ReplaceAll(before, "{timestamp}", stated), strings.ReplaceAll(after, "{timestamp}", stated)
	found := false
	for _, secret := range secrets {
		want := sum(s.hash, []byte(secret), []byte(before), r.Body, []byte(after))
		for _, text := range given {
			text, ok := strings.CutPrefix(text, s.Prefix)
			if !ok {
				continue
			}
			if got, ok := s.decode(text); ok && hmac.Equal(got, want) {
				found = true
			}
		}
	}
	if !found {
		return wrong()
	}
	if timed {
		return s.timely(stated, now)
	}
	return nil
}

// form verifies an HMAC-SHA1 in base64 over the address and each form value's name and content, sorted by name.
func (s *Signature) form(r *Request, secrets []string) *schema.Refusal {
	header := r.Header.Get(s.Header)
	if header == "" {
		return missing(s.Header)
	}
	given, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return wrong()
	}
	address := s.URL
	if r.Query != "" && !strings.Contains(address, "?") {
		address += "?" + r.Query
	}
	signed := []byte(address)
	names := make([]string, 0, len(r.Form))
	for name := range r.Form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range r.Form[name] {
			signed = append(append(signed, name...), value...)
		}
	}
	for _, secret := range secrets {
		if hmac.Equal(given, sum(sha1.New, []byte(secret), signed)) {
			return nil
		}
	}
	return wrong()
}

func (s *Signature) token(r *Request, secrets []string) *schema.Refusal {
	given := r.Header.Get(s.Header)
	if given == "" {
		return missing(s.Header)
	}
	given, _ = strings.CutPrefix(given, s.Prefix)
	for _, secret := range secrets {
		if subtle.ConstantTimeCompare([]byte(given), []byte(secret)) == 1 {
			return nil
		}
	}
	return wrong()
}
