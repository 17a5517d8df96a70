package canonical

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/dossier-cdp/dossier/schema"
)

// Limits bound what a text may make us do. A zero field takes the default.
type Limits struct {
	Depth  int // containers within containers; default DefaultDepth
	Values int // values in the whole text, 40 bytes of memory each at most; default DefaultValues
}

// The default limits. NumberDigits is not negotiable: it is part of the canonical form.
const (
	DefaultDepth  = 64
	DefaultValues = 1 << 20
	NumberDigits  = 1000
)

// The codes of this package's refusals.
const (
	CodeSyntax        = "not_json"
	CodeUTF8          = "invalid_utf8"
	CodeSurrogate     = "lone_surrogate"
	CodeDuplicateKey  = "duplicate_key"
	CodeTooDeep       = "too_deep"
	CodeTooManyValues = "too_many_values"
	CodeNumber        = "number_too_long"
	CodeTooLarge      = "body_too_large"
)

// Kind says what a node is.
type Kind uint8

// The kinds. A Node that is not there has kind Absent.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

func (k Kind) String() string {
	return [...]string{"absent", "null", "bool", "number", "string", "array", "object"}[k]
}

// node is one value. Offsets point into Doc.src unless a flag says Doc.text.
type node struct {
	start, end       int32 // the value as sent
	keyStart, keyEnd int32 // the unescaped key, if this is a member of an object
	from, to         int32 // containers: Doc.kids; strings with escapes: Doc.text
	kind             Kind
	flags            flags
}

type flags uint8

const (
	flagCanonical  flags = 1 << iota // the bytes as sent are the canonical form
	flagEscaped                      // the string lies in Doc.text
	flagKeyEscaped                   // the key lies in Doc.text
	flagTrue                         // of a Bool
)

// Doc is a parsed text. It is read-only between Parse and Release, so any number of goroutines may read it.
type Doc struct {
	src    string
	text   string  // unescaped strings, end to end
	nodes  []node  // the root is the first
	kids   []int32 // children of containers; those of objects in canonical order
	faults []fault

	stack     []int32 // children of the containers that are still open
	unescaped []byte
}

// fault is a refusal of one value in a text that is otherwise JSON.
type fault struct {
	at   int32
	code string
}

var docs = sync.Pool{New: func() any { return new(Doc) }}

// Parse reads one JSON text. It does not keep b. An error is a *schema.Refusal, its Reason names the byte.
//
// The Doc comes from a pool: give it back with Release, or leave it to the collector of garbage.
func Parse(b []byte, lim Limits) (*Doc, error) {
	d, err := ParseEach(b, lim)
	if err != nil {
		return nil, err
	}
	if err := d.Root().Fault(); err != nil {
		d.Release()
		return nil, err
	}
	return d, nil
}

// ParseEach reads a text of several items, of which single ones may be refused. It fails only where the text cannot be read
// at all (not JSON, too deep, too many values). Faults of single values (invalid UTF-8, lone surrogates, duplicate keys, numbers too
// long) are left to Node.Fault, which the caller must ask for each item that it uses, and to Node.FaultOutside for the rest.
func ParseEach(b []byte, lim Limits) (*Doc, error) {
	if len(b) > math.MaxInt32-1 {
		return nil, schema.Refuse(CodeTooLarge, "a JSON text has at most 2 GiB", "send it in parts")
	}
	if lim.Depth == 0 {
		lim.Depth = DefaultDepth
	}
	if lim.Values == 0 {
		lim.Values = DefaultValues
	}
	d := docs.Get().(*Doc)
	d.src = string(b)
	p := parser{d: d, s: d.src, lim: lim}
	err := p.run()
	d.unescaped = d.unescaped[:0]
	if err != nil {
		d.Release()
		return nil, err
	}
	return d, nil
}

// Release empties the Doc and gives its arena back. Its nodes must not be used any more; strings that came from them stay valid.
func (d *Doc) Release() {
	const keep = 1 << 16 // an arena that one huge text has blown up is not kept for the small ones
	if cap(d.nodes) > keep || cap(d.unescaped) > 1<<20 {
		*d = Doc{}
	}
	d.src, d.text = "", ""
	d.nodes, d.kids, d.faults = d.nodes[:0], d.kids[:0], d.faults[:0]
	d.stack, d.unescaped = d.stack[:0], d.unescaped[:0]
	docs.Put(d)
}

// Root is the value of the text.
func (d *Doc) Root() Node { return Node{d: d} }

type parser struct {
	d   *Doc
	s   string
	i   int
	lim Limits
	err *schema.Refusal
}

func (p *parser) run() error {
	p.space()
	if p.i == len(p.s) {
		p.syntax(p.i, "a JSON value")
		return p.err
	}
	if !p.value(0) {
		return p.err
	}
	p.space()
	if p.i < len(p.s) {
		p.syntax(p.i, "nothing after the value")
		return p.err
	}
	if len(p.d.unescaped) > 0 {
		p.d.text = string(p.d.unescaped)
	}
	if len(p.d.faults) > 1 {
		sort.SliceStable(p.d.faults, func(i, j int) bool { return p.d.faults[i].at < p.d.faults[j].at })
	}
	return nil
}

// syntax records why the text is not JSON. It returns false, for the caller to return.
func (p *parser) syntax(at int, want string) bool {
	if p.err != nil {
		return false
	}
	found := "the end of the text"
	if at < len(p.s) {
		// One byte of syntax is no personal value, but a letter of one might be: letters and digits are not shown.
		if c := p.s[at]; strings.IndexByte("{}[]:,\"\\", c) >= 0 {
			found = fmt.Sprintf("%q", c)
		} else {
			found = "something else"
		}
	}
	p.err = schema.Refuse(CodeSyntax, fmt.Sprintf("at byte %d: want %s, found %s", at, want, found), "send one JSON value as RFC 8259 has it")
	return false
}

func (p *parser) fault(at int, code string) {
	p.d.faults = append(p.d.faults, fault{int32(at), code})
}

func (p *parser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// add appends a node that begins at start and returns its index, or -1 if there are too many.
func (p *parser) add(start int, kind Kind) int {
	n := len(p.d.nodes)
	if n >= p.lim.Values {
		p.err = schema.Refuse(CodeTooManyValues, fmt.Sprintf("at byte %d: more than %d values in one text", start, p.lim.Values), "send it in parts")
		return -1
	}
	p.d.nodes = append(p.d.nodes, node{start: int32(start), kind: kind})
	return n
}

// value reads the value that begins at p.i, which is not whitespace and not the end.
func (p *parser) value(depth int) bool {
	start := p.i
	switch c := p.s[p.i]; c {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		n := p.add(start, String)
		if n < 0 {
			return false
		}
		from, to, escaped, ok := p.str()
		if !ok {
			return false
		}
		nd := &p.d.nodes[n]
		nd.end = int32(p.i)
		if escaped {
			nd.flags, nd.from, nd.to = flagEscaped, from, to
		} else {
			nd.flags = flagCanonical
		}
		return true
	case 't':
		return p.literal("true", Bool, flagTrue)
	case 'f':
		return p.literal("false", Bool, 0)
	case 'n':
		return p.literal("null", Null, 0)
	default:
		if c == '-' || c-'0' <= 9 {
			return p.number()
		}
		return p.syntax(start, "a JSON value")
	}
}

func (p *parser) literal(word string, kind Kind, f flags) bool {
	start := p.i
	if !strings.HasPrefix(p.s[start:], word) {
		return p.syntax(start, "a JSON value")
	}
	n := p.add(start, kind)
	if n < 0 {
		return false
	}
	p.i += len(word)
	p.d.nodes[n].end = int32(p.i)
	p.d.nodes[n].flags = f | flagCanonical
	return true
}

func (p *parser) open(depth int, kind Kind) (n, base int, ok bool) {
	if depth >= p.lim.Depth {
		p.err = schema.Refuse(CodeTooDeep, fmt.Sprintf("at byte %d: nested deeper than %d", p.i, p.lim.Depth), "send a flatter value")
		return 0, 0, false
	}
	n = p.add(p.i, kind)
	p.i++
	p.space()
	return n, len(p.d.stack), n >= 0
}

// shut closes container n, whose children are on the stack from base. raw is the length that the container has if it was
// sent without whitespace; canonical says that every part of it is in canonical form and order.
func (p *parser) shut(n, base, raw int, canonical bool) {
	d := p.d
	nd := &d.nodes[n]
	nd.end = int32(p.i)
	nd.from = int32(len(d.kids))
	d.kids = append(d.kids, d.stack[base:]...)
	nd.to = int32(len(d.kids))
	d.stack = d.stack[:base]
	if canonical && raw == int(nd.end-nd.start) {
		nd.flags |= flagCanonical
	}
}

func (p *parser) array(depth int) bool {
	n, base, ok := p.open(depth, Array)
	if !ok {
		return false
	}
	raw, canonical := 2, true
	if p.i < len(p.s) && p.s[p.i] == ']' {
		p.i++
		p.shut(n, base, raw, canonical)
		return true
	}
	for {
		if p.i == len(p.s) {
			return p.syntax(p.i, "a JSON value")
		}
		kid := len(p.d.nodes)
		if !p.value(depth + 1) {
			return false
		}
		p.d.stack = append(p.d.stack, int32(kid))
		k := &p.d.nodes[kid]
		canonical = canonical && k.flags&flagCanonical != 0
		raw += int(k.end-k.start) + 1
		p.space()
		if p.i == len(p.s) {
			return p.syntax(p.i, `"," or "]"`)
		}
		switch p.s[p.i] {
		case ',':
			p.i++
			p.space()
		case ']':
			p.i++
			p.shut(n, base, raw-1, canonical)
			return true
		default:
			return p.syntax(p.i, `"," or "]"`)
		}
	}
}

func (p *parser) object(depth int) bool {
	n, base, ok := p.open(depth, Object)
	if !ok {
		return false
	}
	raw, canonical := 2, true
	if p.i < len(p.s) && p.s[p.i] == '}' {
		p.i++
		p.shut(n, base, raw, canonical)
		return true
	}
	for {
		if p.i == len(p.s) || p.s[p.i] != '"' {
			return p.syntax(p.i, "a key in quotes")
		}
		keyStart := p.i
		from, to, escaped, ok := p.str()
		if !ok {
			return false
		}
		raw += p.i - keyStart
		p.space()
		if p.i == len(p.s) || p.s[p.i] != ':' {
			return p.syntax(p.i, `":"`)
		}
		p.i++
		p.space()
		if p.i == len(p.s) {
			return p.syntax(p.i, "a JSON value")
		}
		kid := len(p.d.nodes)
		if !p.value(depth + 1) {
			return false
		}
		p.d.stack = append(p.d.stack, int32(kid))
		k := &p.d.nodes[kid]
		k.keyStart, k.keyEnd = from, to
		if escaped {
			k.flags |= flagKeyEscaped
		}
		canonical = canonical && k.flags&flagCanonical != 0 && !escaped
		raw += int(k.end-k.start) + 2
		p.space()
		if p.i == len(p.s) {
			return p.syntax(p.i, `"," or "}"`)
		}
		switch p.s[p.i] {
		case ',':
			p.i++
			p.space()
		case '}':
			p.i++
			sorted := p.sort(p.d.stack[base:])
			p.shut(n, base, raw-1, canonical && sorted)
			return true
		default:
			return p.syntax(p.i, `"," or "}"`)
		}
	}
}

// key is the unescaped key of a member while the text is still being read.
func (p *parser) key(kid int32) string {
	k := &p.d.nodes[kid]
	if k.flags&flagKeyEscaped != 0 {
		return string(p.d.unescaped[k.keyStart:k.keyEnd])
	}
	return p.s[k.keyStart:k.keyEnd]
}

// sort orders members by key, those of one key as they came, and finds duplicates. It says whether they came in order.
func (p *parser) sort(kids []int32) bool {
	sorted := true
	if len(kids) <= 24 {
		for i := 1; i < len(kids); i++ {
			kid := kids[i]
			key := p.key(kid)
			j := i
			for j > 0 && key < p.key(kids[j-1]) {
				kids[j] = kids[j-1]
				j--
			}
			if j < i {
				kids[j] = kid
				sorted = false
			}
		}
	} else {
		order := func(a, b int32) int { return strings.Compare(p.key(a), p.key(b)) }
		if sorted = slices.IsSortedFunc(kids, order); !sorted {
			slices.SortStableFunc(kids, order)
		}
	}
	for i := 1; i < len(kids); i++ {
		if p.key(kids[i-1]) == p.key(kids[i]) {
			p.fault(int(p.d.nodes[kids[i]].start), CodeDuplicateKey)
		}
	}
	return sorted
}

func (p *parser) digits() bool {
	start := p.i
	for p.i < len(p.s) && p.s[p.i]-'0' <= 9 {
		p.i++
	}
	return p.i > start
}

func (p *parser) number() bool {
	s, start := p.s, p.i
	n := p.add(start, Number)
	if n < 0 {
		return false
	}
	canonical := true
	if s[p.i] == '-' {
		p.i++
	}
	whole := p.i
	if !p.digits() {
		return p.syntax(p.i, "a digit")
	}
	if s[whole] == '0' {
		if p.i > whole+1 {
			return p.syntax(whole+1, "no digit after a leading 0")
		}
		if whole > start { // -0, or -0.5: look at it again
			canonical = false
		}
	}
	point := 0
	if p.i < len(s) && s[p.i] == '.' {
		point = 1
		p.i++
		if !p.digits() {
			return p.syntax(p.i, "a digit")
		}
		if s[p.i-1] == '0' {
			canonical = false
		}
	}
	if p.i < len(s) && s[p.i]|0x20 == 'e' {
		canonical = false
		p.i++
		if p.i < len(s) && (s[p.i] == '+' || s[p.i] == '-') {
			p.i++
		}
		if !p.digits() {
			return p.syntax(p.i, "a digit")
		}
	}
	nd := &p.d.nodes[n]
	nd.end = int32(p.i)
	if canonical && p.i-whole-point <= NumberDigits {
		nd.flags |= flagCanonical
	} else if !plainFits(s[start:p.i]) {
		p.fault(start, CodeNumber)
	}
	return true
}
