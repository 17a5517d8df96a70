package care

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

// Stored form of a contact, without its id:
//
//	version(1) = 1, persona(16), epoch (uvarint), public id(16), at (varint), type (uvarint), channel(1), actor(1), flags(1),
//	then fields until the end: number(1), length (uvarint), bytes
//
// A field's number is its place in fields; a reading (verbatim.AppendKept), what a correction is about and says are fields of their own; properties follow
// from propertyField on. What is empty is left out.
const (
	contactVersion = 1
	saidField      = 40
	targetField    = 41
	correctField   = 42
	propertyField  = 64

	flagThanks    = 1
	flagText      = 2
	flagAutomatic = 4
)

func (c *Contact) fields() [15]*string {
	return [15]*string{
		&c.Source, &c.ActorID, &c.Country, &c.Thread, &c.Message, &c.Parent, &c.Case, &c.Entity, &c.Mention, &c.Rating, &c.Scale, &c.Amount,
		&c.Currency, &c.Language, &c.Note,
	}
}

// AppendContact encodes a contact.
func AppendContact(dst []byte, c *Contact) []byte {
	dst = append(dst, contactVersion)
	dst = append(dst, c.Of.Persona[:]...)
	dst = binary.AppendUvarint(dst, uint64(c.Of.Epoch))
	dst = append(dst, c.Persona[:]...)
	dst = binary.AppendVarint(dst, int64(c.At))
	dst = binary.AppendUvarint(dst, uint64(c.Type))
	flags := byte(0)
	if c.Thanks {
		flags |= flagThanks
	}
	if c.HasText {
		flags |= flagText
	}
	if c.Automatic {
		flags |= flagAutomatic
	}
	dst = append(dst, byte(c.Channel), byte(c.Actor), flags)
	field := func(number byte, text string) {
		if text != "" {
			dst = append(dst, number)
			dst = binary.AppendUvarint(dst, uint64(len(text)))
			dst = append(dst, text...)
		}
	}
	for i, text := range c.fields() {
		field(byte(i), *text)
	}
	if c.Said != nil {
		field(saidField, string(verbatim.AppendKept(nil, c.Said)))
	}
	if c.Correction != nil {
		field(targetField, string(c.Target[:]))
		field(correctField, string(c.correction))
	}
	for at, left := 0, c.stated; left != 0; at, left = at+1, left&(left-1) {
		field(byte(propertyField+bits.TrailingZeros64(left)), c.texts[at])
	}
	return dst
}

var errContact = schema.Classify(schema.Fatal, errors.New("a contact in the state of care cannot be read: it is damaged, or of a later release; remove the state and it is rebuilt"))

// ReadContact decodes what AppendContact wrote. The contact's texts are parts of what was read.
func ReadContact(id schema.EventID, in string) (c Contact, err error) {
	c.ID = id
	if len(in) < 1+len(c.Of.Persona) || in[0] != contactVersion {
		return Contact{}, errContact
	}
	in = in[1+copy(c.Of.Persona[:], in[1:]):]
	bad := false
	number := func() uint64 {
		v, n := uvarint(in)
		if n <= 0 {
			bad = true
			return 0
		}
		in = in[n:]
		return v
	}
	c.Of.Epoch = uint32(number())
	if bad || len(in) < len(c.Persona) {
		return Contact{}, errContact
	}
	in = in[copy(c.Persona[:], in):]
	at := number()
	c.At = schema.Instant(at>>1) ^ -schema.Instant(at&1) // zigzag
	c.Type = schema.Type(number())
	if bad || len(in) < 3 {
		return Contact{}, errContact
	}
	c.Channel, c.Actor = schema.Channel(in[0]), schema.Actor(in[1])
	c.Thanks, c.HasText, c.Automatic = in[2]&flagThanks != 0, in[2]&flagText != 0, in[2]&flagAutomatic != 0
	in = in[3:]
	fields := c.fields()
	for len(in) > 0 {
		field := int(in[0])
		in = in[1:]
		length := number()
		if bad || length > uint64(len(in)) {
			return Contact{}, errContact
		}
		text := in[:length]
		in = in[length:]
		switch {
		case field < len(fields):
			*fields[field] = text
		case field == saidField:
			if c.Said, err = verbatim.ReadKept([]byte(text)); err != nil {
				return Contact{}, errContact
			}
		case field == targetField && length == uint64(len(c.Target)):
			copy(c.Target[:], text)
		case field == correctField:
			correction, refused := verbatim.ParseCorrection([]byte(text))
			if refused != nil {
				return Contact{}, errContact
			}
			c.Correction, c.correction = &correction, []byte(text)
		case field >= propertyField && field < propertyField+int(numProperties):
			if p := property(field - propertyField); c.stated>>p == 0 && text != "" { // they ascend
				c.stated, c.texts = c.stated|1<<p, append(c.texts, text)
			} else {
				c.state(p, text)
			}
		default:
			return Contact{}, errContact
		}
	}
	return c, nil
}

// uvarint is binary.Uvarint of a text.
func uvarint(s string) (v uint64, n int) {
	for i := range min(len(s), binary.MaxVarintLen64) {
		b := s[i]
		if b < 0x80 {
			if i == binary.MaxVarintLen64-1 && b > 1 {
				return 0, -1
			}
			return v | uint64(b)<<(7*i), i + 1
		}
		v |= uint64(b&0x7f) << (7 * i)
	}
	return 0, 0
}
