// Package customerio reads requests of Customer.io's Track API, version 1, as the calls of Segment's API that they stand for:
//
//	PUT  customers/ID           identify   every attribute is a trait; anonymous_id is the anonymousId
//	POST customers/ID/events    track      name, data, timestamp (seconds) and id are event, properties, timestamp and messageId;
//	                                       of type page or screen that call
//	POST events                 track      of the anonymous_id
//	PUT  customers/ID/devices   identify   the device is in the context
//	POST merge_customers        alias      primary is the userId, secondary the previousId
//
// An ID that is an e-mail address is a user id, and the trait email. What else a body holds is in context.track. Nothing is refused here: what
// is wrong with a call its mapper says, and the dead letter holds what was sent.
package customerio

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/schema/canonical"
)

// Call gives the call that a request stands for, and its JSON. path is escaped, and stands behind the version. ok is false if the API has no such
// request, or one that says nothing of a customer. A body that is no JSON object comes back as it is.
func Call(method, path string, body []byte) (call string, text []byte, ok bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for n, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return "", nil, false
		}
		parts[n] = plain
	}
	customer, about := "", strings.Join(parts, "/")
	if parts[0] == "customers" && len(parts) > 1 && parts[1] != "" {
		customer, about = parts[1], strings.Join(append([]string{"customers/ID"}, parts[2:]...), "/")
	}
	var translate func(customer string, n canonical.Node) []byte
	switch method + " " + about {
	case http.MethodPut + " customers/ID":
		call, translate = "identify", identify
	case http.MethodPut + " customers/ID/devices":
		call, translate = "identify", device
	case http.MethodPost + " customers/ID/events", http.MethodPost + " events":
		call, translate = "track", event
	case http.MethodPost + " merge_customers":
		call, translate = "alias", merge
	default:
		return "", nil, false
	}
	if len(body) == 0 {
		body = []byte("{}")
	}
	doc, err := canonical.Parse(body, canonical.Limits{})
	if err != nil {
		return call, body, true
	}
	defer doc.Release()
	n := doc.Root()
	if n.Kind() != canonical.Object {
		return call, body, true
	}
	if kind, _ := n.Get("type").Str(); call == "track" && (kind == "page" || kind == "screen") {
		call = kind
	}
	return call, translate(customer, n), true
}

// object is a JSON object that is being written.
type object []byte

func (o *object) key(name string) {
	if len(*o) == 0 {
		*o = append(*o, '{')
	} else {
		*o = append(*o, ',')
	}
	*o = append(canonical.AppendString(*o, name), ':')
}

// text writes a member that is a text; an empty one is left out.
func (o *object) text(name, value string) {
	if value != "" {
		o.key(name)
		*o = canonical.AppendString(*o, value)
	}
}

// node writes a member as it is; one that is not there is left out.
func (o *object) node(name string, n canonical.Node) {
	if n.Exists() {
		o.key(name)
		*o = n.AppendCanonical(*o, nil)
	}
}

// rest writes the members of n that are not named, if there are any.
func (o *object) rest(name string, n canonical.Node, but ...string) {
	named := func(key string) bool {
		for _, one := range but {
			if key == one {
				return true
			}
		}
		return false
	}
	left := false
	n.Each(func(key string, _ canonical.Node) bool {
		left = left || !named(key)
		return !left
	})
	if left {
		o.key(name)
		*o = n.AppendCanonical(*o, func(depth int, key string) bool { return depth == 0 && named(key) })
	}
}

func (o *object) end() []byte {
	if len(*o) == 0 {
		*o = append(*o, '{')
	}
	return append(*o, '}')
}

func identify(customer string, n canonical.Node) []byte {
	var o, traits object
	o.text("type", "identify")
	o.text("userId", customer)
	o.node("anonymousId", n.Get("anonymous_id"))
	if strings.Contains(customer, "@") && !n.Get("email").Exists() {
		traits.text("email", customer)
	}
	n.Each(func(key string, v canonical.Node) bool {
		if key != "anonymous_id" {
			traits.node(key, v)
		}
		return true
	})
	o.key("traits")
	o = append(o, traits.end()...)
	return o.end()
}

func event(customer string, n canonical.Node) []byte {
	var o object
	name, kind := "event", "track"
	if k, _ := n.Get("type").Str(); k == "page" || k == "screen" {
		name, kind = "name", k
	}
	o.text("type", kind)
	o.text("userId", customer)
	o.node("anonymousId", n.Get("anonymous_id"))
	o.node(name, n.Get("name"))
	o.node("properties", n.Get("data"))
	o.node("messageId", n.Get("id"))
	if at, is := seconds(n.Get("timestamp")); is {
		o.text("timestamp", at)
	} else {
		o.node("timestamp", n.Get("timestamp"))
	}
	var context object
	context.rest("track", n, "type", "anonymous_id", "name", "data", "id", "timestamp")
	if len(context) > 0 {
		o.key("context")
		o = append(o, context.end()...)
	}
	return o.end()
}

// latest is the last second that a time may have.
const latest = 253402300799

// seconds reads a time that is a number of seconds since 1970, as a number or a text.
func seconds(n canonical.Node) (at string, ok bool) {
	text, is := n.Num()
	if !is {
		text, _ = n.Str()
	}
	s, err := strconv.ParseInt(text, 10, 64)
	if err != nil || s < 0 || s > latest {
		return "", false
	}
	return time.Unix(s, 0).UTC().Format(time.RFC3339), true
}

func device(customer string, n canonical.Node) []byte {
	var o, context, d object
	o.text("type", "identify")
	o.text("userId", customer)
	d.node("token", n.Path("device", "id"))
	d.node("type", n.Path("device", "platform"))
	context.key("device")
	context = append(context, d.end()...)
	context.node("track", n)
	o.key("context")
	o = append(o, context.end()...)
	return o.end()
}

func merge(_ string, n canonical.Node) []byte {
	var o, context object
	o.text("type", "alias")
	o.node("userId", who(n.Get("primary")))
	o.node("previousId", who(n.Get("secondary")))
	context.node("track", n)
	o.key("context")
	o = append(o, context.end()...)
	return o.end()
}

// who is the id by which a customer is named.
func who(n canonical.Node) canonical.Node {
	for _, kind := range []string{"id", "email", "cio_id"} {
		if id := n.Get(kind); id.Exists() {
			return id
		}
	}
	return canonical.Node{}
}
