package collector

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// span is where one item lies in a body.
type span struct{ from, to int }

// parts is a body taken apart. The items are found by structure alone (quotes and brackets) and parsed one by one afterwards, so
// that one bad item does not spoil the others and memory is that of one parsed item.
type parts struct {
	items    []span
	envelope []byte // what a batch says beside its items, as an object; empty if nothing
	whole    bool   // the items are parts of one JSON text: if one is no JSON, neither is the text
}

// notJSON answers a body that is not JSON. The strict parser names the position; what it finds nothing wrong with gets the given
// one.
func notJSON(text []byte, at int, want string) *failure {
	_, err := canonical.ParseEach(text, canonical.Limits{})
	if r, ok := err.(*schema.Refusal); ok && r.Code == channel.CodeNotJSON {
		return &failure{status: http.StatusBadRequest, refusal: r}
	}
	return fail(http.StatusBadRequest, channel.CodeNotJSON, fmt.Sprintf("at byte %d: want %s", at, want), "send one JSON value as RFC 8259 has it")
}

// single takes a body that is one item.
func (p *parts) single(text []byte) *failure {
	p.whole = true
	from := skipSpace(text, 0)
	to, ok := skipValue(text, from)
	if !ok || skipSpace(text, to) != len(text) {
		return notJSON(text, to, "one JSON value")
	}
	p.items = append(p.items, span{from, to})
	return nil
}

// batch takes Segment's batch apart: an object whose member batch is an array of calls.
func (p *parts) batch(text []byte, limit int) *failure {
	p.whole = true
	p.envelope = append(p.envelope[:0], '{')
	i := skipSpace(text, 0)
	if i == len(text) || text[i] != '{' {
		return notJSON(text, i, "an object with the member batch")
	}
	i = skipSpace(text, i+1)
	found := false
	for i < len(text) && text[i] != '}' {
		keyFrom := i
		keyTo, ok := skipString(text, i)
		if !ok {
			return notJSON(text, i, "a key in quotes")
		}
		i = skipSpace(text, keyTo)
		if i == len(text) || text[i] != ':' {
			return notJSON(text, i, `":"`)
		}
		i = skipSpace(text, i+1)
		valueFrom := i
		if string(text[keyFrom:keyTo]) == `"batch"` {
			if found {
				return fail(http.StatusBadRequest, channel.CodeDuplicateKey, fmt.Sprintf("at byte %d: the member batch is there twice", keyFrom), "send it once")
			}
			found = true
			var f *failure
			if i, f = p.array(text, i, limit); f != nil {
				return f
			}
		} else {
			if i, ok = skipValue(text, i); !ok {
				return notJSON(text, i, "a JSON value")
			}
			if len(p.envelope) > 1 {
				p.envelope = append(p.envelope, ',')
			}
			p.envelope = append(append(p.envelope, text[keyFrom:keyTo]...), ':')
			p.envelope = append(p.envelope, text[valueFrom:i]...)
		}
		i = skipSpace(text, i)
		if i < len(text) && text[i] == ',' {
			if i = skipSpace(text, i+1); i < len(text) && text[i] == '}' {
				return notJSON(text, i, "a key in quotes")
			}
		} else if i == len(text) || text[i] != '}' {
			return notJSON(text, i, `"," or "}"`)
		}
	}
	if i == len(text) || skipSpace(text, i+1) != len(text) {
		return notJSON(text, i, "the end of the object")
	}
	p.envelope = append(p.envelope, '}')
	if !found {
		return fail(http.StatusBadRequest, "batch_missing", "there is no member batch", "send an object whose member batch is an array of calls")
	}
	return nil
}

// array takes an array apart that begins at i, and returns where it ends.
func (p *parts) array(text []byte, i, limit int) (int, *failure) {
	if i == len(text) || text[i] != '[' {
		return i, fail(http.StatusBadRequest, channel.CodeFieldInvalid, fmt.Sprintf("at byte %d: want an array of events", i), "send the events as a JSON array")
	}
	i = skipSpace(text, i+1)
	if i < len(text) && text[i] == ']' {
		return i + 1, nil
	}
	for {
		to, ok := skipValue(text, i)
		if !ok {
			return to, notJSON(text, to, "a JSON value")
		}
		if len(p.items) == limit {
			return i, tooMany(limit)
		}
		p.items = append(p.items, span{i, to})
		i = skipSpace(text, to)
		if i == len(text) {
			return i, notJSON(text, i, `"," or "]"`)
		}
		switch text[i] {
		case ',':
			i = skipSpace(text, i+1)
		case ']':
			return i + 1, nil
		default:
			return i, notJSON(text, i, `"," or "]"`)
		}
	}
}

func tooMany(limit int) *failure {
	return fail(http.StatusRequestEntityTooLarge, "too_many_events", fmt.Sprintf("a request has at most %d events here", limit), "send the events in more requests")
}

// events takes a body of /v1/events apart: one object, an array, or one object a line.
func (p *parts) events(text []byte, lines bool, limit int) *failure {
	i := skipSpace(text, 0)
	if !lines && i < len(text) && text[i] == '[' {
		p.whole = true
		end, f := p.array(text, i, limit)
		if f == nil && skipSpace(text, end) != len(text) {
			f = notJSON(text, end, "nothing after the array")
		}
		return f
	}
	if !lines {
		to, ok := skipValue(text, i)
		if ok && skipSpace(text, to) == len(text) {
			return p.single(text)
		}
		// More than one value, or a first line that is no JSON: a line each, if the second looks like one.
		next := bytes.IndexByte(text[i:], '\n')
		if next < 0 {
			return notJSON(text, to, "one JSON value")
		}
		if second := skipSpace(text, i+next); second == len(text) || text[second] != '{' {
			return notJSON(text, to, "one JSON value")
		}
	}
	return p.lines(text, limit)
}

// lines takes NDJSON apart. Blank lines are nothing.
func (p *parts) lines(text []byte, limit int) *failure {
	for from := 0; from < len(text); {
		to := bytes.IndexByte(text[from:], '\n')
		if to < 0 {
			to = len(text)
		} else {
			to += from
		}
		if start := skipSpace(text[:to], from); start < to {
			if len(p.items) == limit {
				return tooMany(limit)
			}
			p.items = append(p.items, span{start, to})
		}
		from = to + 1
	}
	return nil
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t') {
		i++
	}
	return i
}

// skipString returns the end of the string that begins at i.
func skipString(text []byte, i int) (int, bool) {
	if i == len(text) || text[i] != '"' {
		return i, false
	}
	for i++; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i + 1, true
		case '\\':
			i++
		}
	}
	return len(text), false
}

// skipValue returns the end of the value that begins at i, by its quotes and brackets alone.
func skipValue(text []byte, i int) (end int, ok bool) {
	if i >= len(text) {
		return i, false
	}
	switch text[i] {
	case '"':
		return skipString(text, i)
	case '{', '[':
	case ',', ':', ']', '}':
		return i, false
	default:
		for i < len(text) && !endsScalar[text[i]] {
			i++
		}
		return i, true
	}
	depth := 0
	for i < len(text) {
		switch structure[text[i]] {
		case 0:
			i++
		case 1:
			depth++
			i++
		case 2:
			depth--
			i++
			if depth == 0 {
				return i, true
			}
		case 3:
			if i, ok = skipString(text, i); !ok {
				return i, false
			}
		}
	}
	return i, false
}

// structure classes bytes outside strings: 1 opens, 2 closes, 3 begins a string.
var structure = [256]uint8{'{': 1, '[': 1, '}': 2, ']': 2, '"': 3}

var endsScalar = [256]bool{' ': true, '\n': true, '\r': true, '\t': true, ',': true, ']': true, '}': true}
