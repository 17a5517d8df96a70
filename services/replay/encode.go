package replay

import (
	"fmt"
	"net/url"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/services/timeline/query"
)

// Format is how an event is written.
type Format string

// The formats. A stream or a topic has the first two.
const (
	NDJSON      Format = "ndjson"      // a line of canonical JSON, as `dossier export events` writes it
	CloudEvents Format = "cloudevents" // the same as data of a CloudEvent 1.0 in JSON, one a line
	Parquet     Format = "parquet"     // a folder of files with a column for each member
)

// ParseFormat reads a format that comes as lines.
func ParseFormat(text string) (Format, error) {
	switch f := Format(text); f {
	case "":
		return NDJSON, nil
	case NDJSON, CloudEvents:
		return f, nil
	}
	return "", fmt.Errorf("there is no format %q of lines: choose ndjson or cloudevents", text)
}

// Encoder writes events as lines.
type Encoder struct {
	Format   Format // NDJSON or CloudEvents
	Personal bool   // with what is sealed: account, identifiers, traits, text, amounts, properties …
	Clocks   bool   // with receipt and record times, provenance and position, which differ between installations
}

// Append writes one event and a newline. persona is the public id of the event's persona and epoch.
//
// A CloudEvent has the id, type and time of the event, the source /dossier/WORKSPACE/SOURCE, the persona as subject and partitionkey (the extension
// "partitioning"), and what NDJSON writes as data. Its members are in the order of their keys.
func (x Encoder) Append(dst []byte, e *schema.Event, persona schema.ProfileID, at schema.Position, recorded schema.Instant) (_ []byte, err error) {
	if x.Format == CloudEvents {
		dst = append(dst, `{"data":`...)
	}
	if x.Personal {
		dst, err = query.AppendEvent(dst, e, persona, x.Clocks, at, recorded)
	} else {
		dst = x.appendClear(dst, &e.Clear, persona, at, recorded)
	}
	if err != nil || x.Format != CloudEvents {
		return dst, err
	}
	dst = append(dst[:len(dst)-1], `,"datacontenttype":"application/json"`...) // without the newline
	dst = appendMember(dst, "id", e.ID.String())
	dst = appendMember(dst, "partitionkey", persona.String())
	dst = appendMember(dst, "source", "/dossier/"+url.PathEscape(e.Workspace)+"/"+url.PathEscape(e.Source))
	dst = appendMember(dst, "specversion", "1.0")
	dst = appendMember(dst, "subject", persona.String())
	dst = appendMember(dst, "time", e.OccurredAt.String())
	dst = appendMember(dst, "type", e.Type.String())
	return append(dst, '}', '\n'), nil
}

// appendClear writes what is not sealed, by the names that the whole event has for it.
func (x Encoder) appendClear(dst []byte, c *schema.Clear, persona schema.ProfileID, at schema.Position, recorded schema.Instant) []byte {
	dst = append(dst, `{"actor":`...)
	dst = canonical.AppendString(dst, c.Actor.String())
	dst = appendMember(dst, "channel", c.Channel.String())
	dst = appendMember(dst, "id", c.ID.String())
	dst = appendMember(dst, "occurredAt", c.OccurredAt.String())
	dst = appendMember(dst, "persona", persona.String())
	if x.Clocks {
		dst = fmt.Appendf(dst, `,"position":{"generation":%d,"offset":%d,"partition":%d}`, at.Generation, at.Offset, at.Partition)
		dst = appendMember(dst, "receivedAt", c.ReceivedAt.String())
		dst = appendMember(dst, "recordedAt", recorded.String())
	}
	dst = appendMember(dst, "retention", c.Key.Class)
	if x.Clocks {
		dst = fmt.Appendf(dst, `,"skew":%d`, c.Skew)
	}
	dst = appendMember(dst, "source", c.Source)
	dst = appendMember(dst, "type", c.Type.String())
	return append(dst, '}', '\n')
}

// appendMember writes a member behind another one, or nothing if it is empty. The key must need no escapes.
func appendMember(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return canonical.AppendString(append(append(append(dst, `,"`...), key...), `":`...), value)
}
