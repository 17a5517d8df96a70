package canonical

import (
	"fmt"
	"sort"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// Node is one value of a Doc, or nothing: the zero Node is absent, and every method may be called on it.
//
// A Node may be a view that merges another object beneath it (Merge, WithContext). A view reads like the object that it stands for and
// copies nothing.
type Node struct {
	d     *Doc
	under *Doc // the Doc of what is merged beneath, or nil
	i     int32
	j     int32 // the node that is merged beneath, in under
	// within says that under is not merged beneath this object but beneath its member "context".
	within bool
}

func (n Node) at() *node { return &n.d.nodes[n.i] }

// lower is what is merged beneath this object.
func (n Node) lower() Node {
	if n.under == nil {
		return Node{}
	}
	return Node{d: n.under, i: n.j}
}

// Merge is over with the members that only base has; where both have an object they are merged in the same way. If either is no
// object, over wins if it is there. Both must be plain nodes, not views.
func Merge(over, base Node) Node {
	switch {
	case !over.Exists():
		return base
	case over.Kind() == Object && base.Kind() == Object:
		over.under, over.j = base.d, base.i
	}
	return over
}

const contextKey = "context"

// WithContext is the object n with context merged beneath its member "context": what a batch says once for all of its items. An
// item's own context wins, member by member. A context that is no object changes nothing, nor does one beneath a node that is no
// object. Both must be plain nodes, not views.
func (n Node) WithContext(context Node) Node {
	if n.Kind() == Object && context.Kind() == Object {
		n.under, n.j, n.within = context.d, context.i, true
	}
	return n
}

// Exists says whether the node is there. A null is there.
func (n Node) Exists() bool { return n.d != nil }

// Kind says what the node is.
func (n Node) Kind() Kind {
	if n.d == nil {
		return Absent
	}
	return n.at().kind
}

// Get is the member of an object, or the zero Node.
func (n Node) Get(key string) Node {
	if n.d == nil || n.at().kind != Object {
		return Node{}
	}
	own := n.d.find(n.at(), key)
	if n.under == nil {
		return own
	}
	switch {
	case !n.within:
		return Merge(own, n.under.find(n.lower().at(), key))
	case key == contextKey:
		return Merge(own, n.lower())
	}
	return own
}

// find is the member of an object by its own words, without what is merged beneath.
func (d *Doc) find(object *node, key string) Node {
	kids := d.kids[object.from:object.to]
	if len(kids) > 16 {
		at := sort.Search(len(kids), func(i int) bool { return d.key(kids[i]) >= key })
		if at < len(kids) && d.key(kids[at]) == key {
			return Node{d: d, i: kids[at]}
		}
		return Node{}
	}
	for _, kid := range kids {
		if k := &d.nodes[kid]; int(k.keyEnd-k.keyStart) == len(key) && d.key(kid) == key {
			return Node{d: d, i: kid}
		}
	}
	return Node{}
}

func (d *Doc) key(i int32) string {
	k := &d.nodes[i]
	if k.flags&flagKeyEscaped != 0 {
		return d.text[k.keyStart:k.keyEnd]
	}
	return d.src[k.keyStart:k.keyEnd]
}

// Path is the member of the member … of an object, or the zero Node.
func (n Node) Path(keys ...string) Node {
	for _, key := range keys {
		n = n.Get(key)
	}
	return n
}

// Str is the content of a string.
func (n Node) Str() (string, bool) {
	if n.Kind() != String {
		return "", false
	}
	v := n.at()
	if v.flags&flagEscaped != 0 {
		return n.d.text[v.from:v.to], true
	}
	return n.d.src[v.start+1 : v.end-1], true
}

// Num is a number in canonical form, so that 1.50, 1.5 and 15e-1 are one. RawString has it as it was sent.
func (n Node) Num() (string, bool) {
	if n.Kind() != Number {
		return "", false
	}
	v := n.at()
	if v.flags&flagCanonical != 0 {
		return n.d.src[v.start:v.end], true
	}
	literal := n.d.src[v.start:v.end]
	if !plainFits(literal) {
		return "", false // a fault, which the caller of ParseEach has not asked for
	}
	return string(AppendNumber(nil, literal)), true
}

// Bool is the value of true or false, and whether the node is one of them.
func (n Node) Bool() (value, ok bool) {
	if n.Kind() != Bool {
		return false, false
	}
	return n.at().flags&flagTrue != 0, true
}

// Len is the number of members or elements; 0 for every other kind.
func (n Node) Len() int {
	switch n.Kind() {
	case Object:
		if n.under != nil {
			count := 0
			n.Each(func(string, Node) bool { count++; return true })
			return count
		}
		fallthrough
	case Array:
		return int(n.at().to - n.at().from)
	}
	return 0
}

// At is an element of an array, counted from 0, or the zero Node.
func (n Node) At(i int) Node {
	if n.Kind() != Array || i < 0 || i >= n.Len() {
		return Node{}
	}
	return Node{d: n.d, i: n.d.kids[int(n.at().from)+i]}
}

// Each calls f for the members of an object in canonical order (never in the order in which they were sent: nothing may depend on
// it), or for the elements of an array in theirs, with an empty key. It stops when f returns false.
func (n Node) Each(f func(key string, v Node) bool) {
	kind := n.Kind()
	if kind != Object && kind != Array {
		return
	}
	kids := n.d.kids[n.at().from:n.at().to]
	if kind == Array {
		for _, kid := range kids {
			if !f("", Node{d: n.d, i: kid}) {
				return
			}
		}
		return
	}
	if n.under == nil {
		for _, kid := range kids {
			if !f(n.d.key(kid), Node{d: n.d, i: kid}) {
				return
			}
		}
		return
	}
	n.eachMerged(kids, f)
}

// eachMerged walks two sorted lists of members at once.
func (n Node) eachMerged(kids []int32, f func(key string, v Node) bool) {
	low := n.lower()
	var lows []int32
	if !n.within {
		lows = low.d.kids[low.at().from:low.at().to]
	}
	context := n.within // still to come
	for len(kids) > 0 || len(lows) > 0 || context {
		var own, base Node
		var key string
		if len(kids) > 0 {
			own, key = Node{d: n.d, i: kids[0]}, n.d.key(kids[0])
		}
		switch {
		case context:
			if !own.Exists() || key >= contextKey {
				if key != contextKey {
					own, key = Node{}, contextKey
				}
				base, context = low, false
			}
		case len(lows) > 0:
			if lowKey := low.d.key(lows[0]); !own.Exists() || lowKey <= key {
				if lowKey != key {
					own, key = Node{}, lowKey
				}
				base, lows = Node{d: low.d, i: lows[0]}, lows[1:]
			}
		}
		if own.Exists() {
			kids = kids[1:]
		}
		if !f(key, Merge(own, base)) {
			return
		}
	}
}

// RawString is the value as it was sent; for a view its canonical form.
func (n Node) RawString() string {
	switch {
	case n.d == nil:
		return ""
	case n.under != nil:
		return string(n.AppendCanonical(nil, nil))
	}
	return n.d.src[n.at().start:n.at().end]
}

// Raw is RawString as bytes of the caller's own.
func (n Node) Raw() []byte {
	if n.d == nil {
		return nil
	}
	return []byte(n.RawString())
}

// Span is where the value lies in the text, in bytes from 0. A view lies where its own object does.
func (n Node) Span() (start, end int) {
	if n.d == nil {
		return 0, 0
	}
	return int(n.at().start), int(n.at().end)
}

// Fault is why this value is refused, as a *schema.Refusal, or nil. It finds faults of the value and of everything within; of a
// view, also those of what is merged beneath it. Parse has asked already; who uses ParseEach asks for each item.
func (n Node) Fault() error {
	if n.d == nil {
		return nil
	}
	if n.under != nil {
		if err := n.lower().Fault(); err != nil {
			return err
		}
	}
	faults := n.d.faults
	at := sort.Search(len(faults), func(i int) bool { return faults[i].at >= n.at().start })
	if at == len(faults) || faults[at].at >= n.at().end && n.i != 0 {
		return nil
	}
	return faults[at].refusal()
}

// FaultOutside is why this value is refused for something that does not lie within part, such as the items of a batch, or nil. Neither
// may be a view. A fault outside concerns all items: of a key that is there twice, Get finds the first.
func (n Node) FaultOutside(part Node) error {
	if n.d == nil {
		return nil
	}
	from, to := part.Span()
	for _, f := range n.d.faults {
		if at := int(f.at); at >= int(n.at().start) && at < int(n.at().end) && (at < from || at >= to) {
			return f.refusal()
		}
	}
	return nil
}

func (f fault) refusal() error {
	var rule, hint string
	switch f.code {
	case CodeUTF8:
		rule, hint = "a string is not UTF-8", "encode the text as UTF-8"
	case CodeSurrogate:
		rule, hint = "a \\u escape is half of a surrogate pair", "send both halves, or the character itself"
	case CodeDuplicateKey:
		rule, hint = "an object has one key twice", "send each key once"
	case CodeNumber:
		rule, hint = fmt.Sprintf("a number has more than %d digits when written without exponent", NumberDigits), "send it as a string"
	}
	return schema.Refuse(f.code, fmt.Sprintf("at byte %d: %s", f.at, rule), hint)
}

// AppendCanonical appends the canonical form. A member for which skip returns true is left out; depth is 0 for members of n
// itself, and skip may be nil. An absent node appends nothing.
func (n Node) AppendCanonical(dst []byte, skip func(depth int, key string) bool) []byte {
	return n.append(dst, 0, skip)
}

func (n Node) append(dst []byte, depth int, skip func(depth int, key string) bool) []byte {
	if n.d == nil {
		return dst
	}
	v := n.at()
	if n.under != nil {
		return n.appendMerged(dst, depth, skip)
	}
	if v.flags&flagCanonical != 0 && (skip == nil || v.kind < Array) {
		return append(dst, n.d.src[v.start:v.end]...)
	}
	switch v.kind {
	case Number:
		literal := n.d.src[v.start:v.end]
		if !plainFits(literal) {
			return append(dst, literal...) // a fault, which the caller of ParseEach has not asked for
		}
		return AppendNumber(dst, literal)
	case String:
		return AppendString(dst, n.d.text[v.from:v.to])
	case Array:
		dst = append(dst, '[')
		for i, kid := range n.d.kids[v.from:v.to] {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = Node{d: n.d, i: kid}.append(dst, depth+1, skip)
		}
		return append(dst, ']')
	default:
		dst = append(dst, '{')
		first := true
		for _, kid := range n.d.kids[v.from:v.to] {
			k := &n.d.nodes[kid]
			if skip != nil && skip(depth, n.d.key(kid)) {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			switch {
			case k.flags&flagKeyEscaped != 0:
				dst = AppendString(dst, n.d.text[k.keyStart:k.keyEnd])
			case k.start == k.keyEnd+2 && k.flags&flagCanonical != 0 && (skip == nil || k.kind < Array):
				dst = append(dst, n.d.src[k.keyStart-1:k.end]...) // key and value stand together as they are wanted
				continue
			default:
				dst = append(dst, n.d.src[k.keyStart-1:k.keyEnd+1]...) // with its quotes
			}
			dst = append(dst, ':')
			dst = Node{d: n.d, i: kid}.append(dst, depth+1, skip)
		}
		return append(dst, '}')
	}
}

func (n Node) appendMerged(dst []byte, depth int, skip func(depth int, key string) bool) []byte {
	dst = append(dst, '{')
	first := true
	n.Each(func(key string, v Node) bool {
		if skip != nil && skip(depth, key) {
			return true
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(AppendString(dst, key), ':')
		dst = v.append(dst, depth+1, skip)
		return true
	})
	return append(dst, '}')
}

// AppendString appends s as a JSON string in canonical form: only the quote, the backslash and control characters are escaped, by
// their short form if they have one, else as \u00xx. s must be UTF-8.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for {
		n := plain(s)
		dst = append(dst, s[:n]...)
		if n == len(s) {
			return append(dst, '"')
		}
		c := s[n]
		s = s[n+1:]
		if short := strings.IndexByte("\"\\\b\f\n\r\t", c); short >= 0 {
			dst = append(dst, '\\', `"\bfnrt`[short])
			continue
		}
		dst = append(dst, `\u00`...)
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
}

const hexDigits = "0123456789abcdef"
