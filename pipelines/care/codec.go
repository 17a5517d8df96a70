package care

import (
	"encoding/binary"
	"errors"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

// Stored form of a contact, without its id:
//
//	version(1) = 1, persona(16), epoch (uvarint), public id(16), at (varint), type (uvarint), channel(1), actor(1), flags(1),
//	then fields until the end: number(1), length (uvarint), bytes
//
// A field's number is its place in texts; a reading (verbatim.AppendKept), what a correction is about and says are fields of their own; properties follow
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

func (c *Contact) texts() [15]*string {
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
	for i, text := range c.texts() {
		field(byte(i), *text)
	}
	if c.Said != nil {
		field(saidField, string(verbatim.AppendKept(nil, c.Said)))
	}
	if c.Correction != nil {
		field(targetField, string(c.Target[:]))
		field(correctField, string(c.correction))
	}
	for i, text := range c.properties {
		field(byte(propertyField+i), text)
	}
	return dst
}

var errContact = schema.Classify(schema.Fatal, errors.New("a contact in the state of care cannot be read: it is damaged, or of a later release; remove the state and it is rebuilt"))

// ReadContact decodes what AppendContact wrote.
func ReadContact(id schema.EventID, b []byte) (c Contact, err error) {
	c.ID = id
	if len(b) < 1+len(c.Of.Persona) || b[0] != contactVersion {
		return Contact{}, errContact
	}
	b = b[1+copy(c.Of.Persona[:], b[1:]):]
	number := func() (v uint64) {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			err = errContact
			return 0
		}
		b = b[n:]
		return v
	}
	c.Of.Epoch = uint32(number())
	if err != nil || len(b) < len(c.Persona) {
		return Contact{}, errContact
	}
	b = b[copy(c.Persona[:], b):]
	at, n := binary.Varint(b)
	if n <= 0 {
		return Contact{}, errContact
	}
	b = b[n:]
	c.At, c.Type = schema.Instant(at), schema.Type(number())
	if err != nil || len(b) < 3 {
		return Contact{}, errContact
	}
	c.Channel, c.Actor = schema.Channel(b[0]), schema.Actor(b[1])
	c.Thanks, c.HasText, c.Automatic = b[2]&flagThanks != 0, b[2]&flagText != 0, b[2]&flagAutomatic != 0
	whole := string(b[3:])
	b = b[3:]
	start := len(b)
	texts := c.texts()
	for len(b) > 0 {
		field := int(b[0])
		b = b[1:]
		length := number()
		if err != nil || length > uint64(len(b)) {
			return Contact{}, errContact
		}
		from := start - len(b)
		text := whole[from : from+int(length)]
		b = b[length:]
		switch {
		case field < len(texts):
			*texts[field] = text
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
			c.properties[field-propertyField] = text
		default:
			return Contact{}, errContact
		}
	}
	return c, nil
}
