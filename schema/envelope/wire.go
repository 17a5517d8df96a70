package envelope

import (
	"fmt"
	"math"
	"sync/atomic"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dossier-cdp/dossier/schema"
)

// The codes of this package's refusals. An event that cannot be read is refused, never fatal: it goes to the dead letters whole.
const (
	CodeDamaged = "envelope_damaged"
	CodeVersion = "envelope_version"
	CodeUTF8    = "invalid_utf8"
	CodeTooBig  = "event_too_large"
)

func damaged(format string, args ...any) error {
	return schema.Refuse(CodeDamaged, fmt.Sprintf(format, args...), "")
}

// writer appends fields. A zero value is absent.
type writer struct {
	b   []byte
	err error
}

func (w *writer) tag(num protowire.Number, typ protowire.Type) {
	v := uint64(num)<<3 | uint64(typ)
	if v < 0x80 {
		w.b = append(w.b, byte(v))
		return
	}
	w.b = protowire.AppendVarint(w.b, v)
}

func (w *writer) uint(num protowire.Number, v uint64) {
	if v == 0 {
		return
	}
	w.tag(num, protowire.VarintType)
	w.b = protowire.AppendVarint(w.b, v)
}

func (w *writer) sint(num protowire.Number, v int64) {
	w.uint(num, protowire.EncodeZigZag(v))
}

func (w *writer) bool(num protowire.Number, v bool) {
	if v {
		w.uint(num, 1)
	}
}

func (w *writer) length(n int) {
	if n < 0x80 {
		w.b = append(w.b, byte(n))
		return
	}
	w.b = protowire.AppendVarint(w.b, uint64(n))
}

func (w *writer) str(num protowire.Number, s string) {
	if s == "" {
		return
	}
	w.tag(num, protowire.BytesType)
	w.length(len(s))
	w.b = append(w.b, s...)
	if !utf8.ValidString(s) {
		w.fail(num)
	}
}

func (w *writer) fail(num protowire.Number) {
	if w.err == nil {
		w.err = schema.Refuse(CodeUTF8, fmt.Sprintf("field %d of the event is not UTF-8", num), "encode the text as UTF-8")
	}
}

func (w *writer) bytes(num protowire.Number, b []byte) {
	if len(b) == 0 {
		return
	}
	w.tag(num, protowire.BytesType)
	w.length(len(b))
	w.b = append(w.b, b...)
}

// open begins a nested message, close ends it: the one byte that its length mostly needs is reserved, and more made if not.
func (w *writer) open(num protowire.Number) (mark int) {
	w.tag(num, protowire.BytesType)
	w.b = append(w.b, 0)
	return len(w.b)
}

func (w *writer) close(mark int) {
	n := len(w.b) - mark
	if n < 0x80 {
		w.b[mark-1] = byte(n)
		return
	}
	more := protowire.SizeVarint(uint64(n)) - 1
	for range more {
		w.b = append(w.b, 0)
	}
	copy(w.b[mark+more:], w.b[mark:mark+n])
	protowire.AppendVarint(w.b[:mark-1], uint64(n))
}

// reader takes fields from b. It never panics; after a fault err is set and next is false.
type reader struct {
	b     []byte
	num   protowire.Number
	typ   protowire.Type
	raw   []byte // the field with its tag
	v     uint64 // of a varint
	value []byte // of a length-delimited field
	err   error
}

func (r *reader) fail(n int) bool {
	r.err = damaged("a field of the envelope is cut short or malformed: %v", protowire.ParseError(n))
	return false
}

// next reads the next field.
func (r *reader) next() bool {
	if len(r.b) == 0 || r.err != nil {
		return false
	}
	rest := r.b
	var size int
	if rest[0] < 0x80 && rest[0] >= 8 {
		r.num, r.typ, size = protowire.Number(rest[0]>>3), protowire.Type(rest[0]&7), 1
	} else {
		r.num, r.typ, size = protowire.ConsumeTag(rest)
		if size < 0 {
			return r.fail(size)
		}
	}
	var n int
	switch r.typ {
	case protowire.VarintType:
		r.v, n = protowire.ConsumeVarint(rest[size:])
	case protowire.BytesType:
		if len(rest) > size && rest[size] < 0x80 && int(rest[size]) < len(rest)-size { // short, as most are
			n = 1 + int(rest[size])
			r.value = rest[size+1 : size+n]
			break
		}
		r.value, n = protowire.ConsumeBytes(rest[size:])
	default:
		n = protowire.ConsumeFieldValue(r.num, r.typ, rest[size:])
	}
	if n < 0 {
		return r.fail(n)
	}
	r.raw, r.b = rest[:size+n], rest[size+n:]
	return true
}

// key is what a decoder switches on: number and wire type at once. A known number with another wire type is an unknown field, as
// Protocol Buffers has it.
func (r *reader) key() uint32 { return uint32(r.num)<<3 | uint32(r.typ) }

func varint(num protowire.Number) uint32 { return uint32(num)<<3 | uint32(protowire.VarintType) }
func sized(num protowire.Number) uint32  { return uint32(num)<<3 | uint32(protowire.BytesType) }

func (r *reader) sint() int64 { return protowire.DecodeZigZag(r.v) }

// within takes a varint that must not exceed limit, such as the number of an enumeration.
func (r *reader) within(limit uint64) uint64 {
	if r.v > limit && r.err == nil {
		r.err = damaged("field %d is out of range", r.num)
	}
	return r.v
}

func (r *reader) enum() uint8 { return uint8(r.within(math.MaxUint8)) }

// id takes an id of 16 bytes.
func (r *reader) id() (id [16]byte) {
	if copy(id[:], r.value) != 16 || len(r.value) != 16 {
		if r.err == nil {
			r.err = damaged("field %d is no id of 16 bytes", r.num)
		}
	}
	return id
}

func (r *reader) valid() {
	if !utf8.Valid(r.value) && r.err == nil {
		r.err = damaged("field %d is not UTF-8", r.num)
	}
}

// interned takes a string that comes again and again, from a table of those seen lately.
func (r *reader) interned() string {
	r.valid()
	return intern(r.value)
}

// names holds names seen lately (workspaces, sources, kinds), so that decoding an event does not make them anew. It is bounded: a
// name takes the place of another one with its hash.
var names [1024]atomic.Pointer[string]

func intern(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > 40 {
		return string(b)
	}
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	slot := &names[(h^h>>16)%uint32(len(names))]
	if known := slot.Load(); known != nil && *known == string(b) {
		return *known
	}
	name := string(b)
	slot.Store(&name)
	return name
}
