package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/channel/native"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
)

// CodeNotReplayable is a letter that cannot be taken in by itself.
const CodeNotReplayable = "letter_not_replayable"

// Again takes in a dead letter once more: with the rights of the key that sent it, as received when it was received, by the rules of now. payload stands in
// for what was sent; nil is as it was. Where the letter came by a mapping and payload is given, payload is one native event.
//
// The same letter with the same payload is the same event, so repeating it adds nothing. What is refused again is in the receipt, and becomes no other
// letter. With dry nothing is written.
func (c *Collector) Again(ctx context.Context, l *deadletter.Opened, payload []byte, dry bool) (Receipt, error) {
	received, err := schema.ParseInstant(l.ReceivedAt)
	trust, known := schema.ParseTrust(l.Trust)
	if err != nil || !known {
		return Receipt{}, notReplayable("it does not say when and by what key it came")
	}
	in := intakes.Get().(*intake)
	in.c, in.endpoint, in.again = c, l.Endpoint, received
	who := caller{workspace: l.Workspace, source: l.Source, trust: trust}
	text := l.Raw
	if payload != nil {
		text = payload
	}
	var f *failure
	call, plain := plainCalls[l.Endpoint]
	switch {
	case plain:
		if in.call = call; call == "" {
			text = batchOf(text, l.Context)
		}
		if f = in.takeApart(text, ""); f == nil {
			f = c.prepare(in, who, text)
		}
	case l.Mapping == native.Mapping || payload != nil:
		in.native, in.cloud = true, payload == nil && isCloudEvent(text)
		if f = in.takeApart(text, ""); f == nil {
			f = c.prepare(in, who, text)
		}
	case strings.HasPrefix(l.Endpoint, hookPath):
		f = c.hookAgain(in, l)
	default:
		return Receipt{}, notReplayable("it came by the mapping " + l.Mapping + " of a topic or a file")
	}
	if f != nil {
		return Receipt{}, f.classed()
	}
	in.letters = in.letters[:0]
	if !dry {
		if f := c.write(ctx, in); f != nil {
			return Receipt{}, f.classed()
		}
	}
	receipt := Receipt{Accepted: in.receipt.Accepted, IDs: slices.Clone(in.receipt.IDs), Refused: slices.Clone(in.receipt.Refused)}
	in.release()
	return receipt, nil
}

func notReplayable(why string) error {
	return schema.Refuse(CodeNotReplayable, "the letter cannot be replayed as it is: "+why, "give --payload with one native event (deploy/events.md), or have its source send it again")
}

// batchOf puts an item back into a batch with what that said for all of its items.
func batchOf(item, context []byte) []byte {
	b := append([]byte(`{"batch":[`), item...)
	b = append(b, ']')
	if len(context) > 0 {
		b = append(append(b, `,"context":`...), context...)
	}
	return append(b, '}')
}

// isCloudEvent says whether an event is in CloudEvents' structured form.
func isCloudEvent(text []byte) bool {
	var about struct {
		SpecVersion string `json:"specversion"`
	}
	return json.Unmarshal(text, &about) == nil && about.SpecVersion != ""
}

// hookAgain maps a webhook by the source's mapping as it is now. Its signature was good when it came.
func (c *Collector) hookAgain(in *intake, l *deadletter.Opened) *failure {
	workspace, ready := c.workspace(l.Workspace)
	if !ready || workspace.Hook == nil {
		return fail(http.StatusServiceUnavailable, "not_ready", "the workspace is not served here yet", "try again")
	}
	hook, known := workspace.Hook(l.Source)
	if !known {
		return fail(http.StatusBadRequest, "source_unknown", "the source takes webhooks no more", "give it the member hook again: dossier config apply")
	}
	var about map[string]string
	if len(l.Context) > 0 && json.Unmarshal(l.Context, &about) != nil {
		about = nil
	}
	header := http.Header{}
	for name, value := range about {
		if name, is := strings.CutPrefix(name, "@header."); is {
			header.Set(name, value)
		}
	}
	var form url.Values
	if !bytes.HasPrefix(bytes.TrimSpace(l.Raw), []byte("{")) && !bytes.HasPrefix(bytes.TrimSpace(l.Raw), []byte("[")) {
		if parsed, err := url.ParseQuery(string(l.Raw)); err == nil {
			form = parsed
		}
	}
	pieces, refusal := hook.Pieces(header, l.Raw, form, in.again)
	if refusal != nil {
		pieces = []mapping.Piece{{Refusal: refusal, Raw: l.Raw}}
	}
	return c.deliver(in, &Delivery{Workspace: l.Workspace, Source: l.Source, Endpoint: l.Endpoint, Mapping: hook.MappingName(), Pieces: pieces})
}
