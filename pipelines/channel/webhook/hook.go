package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// Hook is the webhook of one source, ready for use. It is read-only and safe for concurrent use.
type Hook struct {
	Source    string
	Signature Signature
	Rows      *mapping.Rows
	mapping   *mapping.Mapping
	id        string // the header with the provider's id of a webhook; empty: none
}

// New makes a hook ready. text is the mapping, zone finds time zones, id is the header with the provider's id of a webhook (empty: that of
// Standard Webhooks). What is wrong is a *schema.Refusal.
func New(source string, text []byte, signature Signature, id string, zone func(string) (*time.Location, error)) (*Hook, error) {
	if err := signature.prepare(); err != nil {
		return nil, err
	}
	m, rows, err := Mapping(source, text, zone)
	if err != nil {
		return nil, err
	}
	if id == "" && signature.Scheme == SchemeStandard {
		id = headerID
	}
	return &Hook{Source: source, Signature: signature, mapping: m, Rows: rows, id: id}, nil
}

// Mapping compiles a mapping for payloads that may come more than once: it has no tables, and each of its events states a time.
func Mapping(source string, text []byte, zone func(string) (*time.Location, error)) (*mapping.Mapping, *mapping.Rows, error) {
	m, err := mapping.Compile(text, zone)
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n") // YAML's errors draw the place below
		return nil, nil, invalid(reason, "see deploy/mappings/README.md")
	}
	if len(m.Tables()) > 0 {
		return nil, nil, invalid("the mapping has lookups, which only files have", "take them out of it")
	}
	if _, skip := m.Skip(); skip {
		return nil, nil, invalid("the mapping says rows: skip", "give it events")
	}
	if key, untimed := m.Untimed(); untimed {
		return nil, nil, invalid(strings.TrimSpace("the mapping's event "+key)+" has no time, so that a payload that comes twice would be two events", "give it a time; where the payload has none, '@received' is our receipt of a webhook and '@timestamp' the time of a record")
	}
	rows, err := m.Rows(nil, source)
	if err != nil {
		return nil, nil, invalid(err.Error(), "correct the mapping")
	}
	return m, rows, nil
}

// IsForm says whether a body is form values by its Content-Type and its first byte: some SDKs announce a form and send JSON.
func IsForm(contentType string, body []byte) bool {
	if !strings.HasPrefix(contentType, "application/x-www-form-urlencoded") {
		return false
	}
	trimmed := strings.TrimLeft(string(body[:min(len(body), 64)]), " \t\r\n")
	return trimmed == "" || trimmed[0] != '{' && trimmed[0] != '['
}

// Read takes a payload apart into rows. form are its values, nil if it is JSON. A body that cannot be parsed at all is refused with
// the code not_json.
func (h *Hook) Read(header http.Header, body []byte, form url.Values, received schema.Instant) ([]mapping.Part, *schema.Refusal) {
	var parts []mapping.Part
	if form != nil {
		parts = []mapping.Part{mapping.Form(form)}
	} else {
		doc, err := canonical.Parse(body, canonical.Limits{Depth: channel.MaxDepth})
		if r := (*schema.Refusal)(nil); errors.As(err, &r) {
			return nil, r
		} else if err != nil {
			return nil, schema.Refuse(channel.CodeNotJSON, "the body cannot be read", "send one JSON value or form values")
		}
		defer doc.Release()
		var r *schema.Refusal
		if parts, r = h.mapping.Payload(doc.Root()); r != nil {
			return nil, r
		}
	}
	about := h.about(header, received)
	id := h.record(header, body)
	for i := range parts {
		row := &parts[i].Row
		row.About, row.Record = about, id
		if len(parts) > 1 {
			row.Record = mapping.Numbered(id, i+1)
		}
	}
	return parts, nil
}

// Pieces reads a payload and maps its rows. A payload that is parsed and not mapped is a piece that says why; one that cannot be parsed
// is refused.
func (h *Hook) Pieces(header http.Header, body []byte, form url.Values, received schema.Instant) ([]mapping.Piece, *schema.Refusal) {
	parts, refusal := h.Read(header, body, form, received)
	if refusal != nil && refusal.Code == channel.CodeNotJSON {
		return nil, refusal
	}
	about := h.about(header, received)
	context := func() []byte { return h.mapping.Context(about) }
	if refusal != nil {
		return []mapping.Piece{{Refusal: refusal, Raw: body, Context: context}}, nil
	}
	pieces := make([]mapping.Piece, len(parts))
	for i := range parts {
		pieces[i] = mapping.Piece{Events: h.Rows.Map(&parts[i].Row), Raw: parts[i].Raw, Context: context}
		if pieces[i].Raw == nil {
			pieces[i].Raw = body
		}
	}
	return pieces, nil
}

// MappingName names the hook's mapping.
func (h *Hook) MappingName() string { return h.mapping.Name }

// about are the columns about a payload: its receipt and its headers, but for credentials.
func (h *Hook) about(header http.Header, received schema.Instant) map[string]string {
	about := map[string]string{"@received": received.String()}
	for name := range header {
		if name != "Authorization" && name != "Cookie" {
			about["@header."+strings.ToLower(name)] = strings.ToValidUTF8(header.Get(name), "\uFFFD")
		}
	}
	return about
}

// longestID leaves room for a row's number and an event's key within a message id.
const longestID = 64

// record is the provider's id of a webhook, else one made of its content: the same whenever it is sent again.
func (h *Hook) record(header http.Header, body []byte) string {
	id := ""
	if h.id != "" {
		id = header.Get(h.id)
	}
	switch {
	case id == "":
		sum := sha256.Sum256(body)
		return "body " + hex.EncodeToString(sum[:16])
	case len(id) > longestID:
		sum := sha256.Sum256([]byte(id))
		return "id " + hex.EncodeToString(sum[:16])
	}
	return id
}
