package record

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
)

// The wire format of schema registries. A value begins with
//
//	0x00 id(4, big endian)     or     0x01 GUID(16)
//
// or a header has the same bytes and the value none of them. Of Protobuf the path to the message in its file follows: in the value, or in the
// header.

// schemaHeader is the header that names a value's schema.
const schemaHeader = "__value_schema_id"

// named finds which schema a record names, a number or a GUID, and gives what follows of the value, behind the path of the header if it has
// one.
func named(r *Record) (id string, rest []byte, err error) {
	if header := r.header(schemaHeader); header != "" {
		id, path, err := schemaID([]byte(header))
		if err != nil {
			return "", nil, fmt.Errorf("the header %s: %w", schemaHeader, err)
		}
		return id, append(path[:len(path):len(path)], r.Value...), nil
	}
	return schemaID(r.Value)
}

func schemaID(b []byte) (id string, rest []byte, err error) {
	switch {
	case len(b) >= 5 && b[0] == 0:
		return strconv.FormatUint(uint64(binary.BigEndian.Uint32(b[1:])), 10), b[5:], nil
	case len(b) >= 17 && b[0] == 1:
		digits := hex.EncodeToString(b[1:17])
		return strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-"), b[17:], nil
	}
	return "", nil, errors.New("it does not begin with a zero and the id of a schema, nor with a one and a GUID")
}

// SchemaText is a schema as a registry has it.
type SchemaText struct {
	Type       string // AVRO, PROTOBUF or JSON; empty is AVRO, as registries say it
	Text       string
	References []Reference // what it refers to, those first to which others of them refer
}

// Reference is a schema that another one refers to by a name: of Protobuf the path of an import.
type Reference struct{ Name, Text string }

// learned are the schemas that records of a topic have named so far.
type learned struct {
	mu   sync.RWMutex
	byID map[string]decoder
}

func (l *learned) find(id string) (decoder, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	d, known := l.byID[id]
	return d, known
}

// decodes says that values are read by a schema: JSON is JSON, whatever schema it has.
func (t *Topic) decodes() bool { return t.Format == FormatAvro || t.Format == FormatProtobuf }

// Unknown tells which schema must be learned before a record can be read; false if none.
func (t *Topic) Unknown(r *Record) (id string, unknown bool) {
	if !t.Registry || !t.decodes() || r.Value == nil {
		return "", false
	}
	id, _, err := named(r)
	if err != nil {
		return "", false
	}
	_, known := t.learned.find(id)
	return id, !known
}

// Learn takes the schema that a registry has under an id: records that name it can be read from then on. One that cannot be used refuses
// them, with the reason.
func (t *Topic) Learn(id string, s SchemaText) {
	wanted, has := strings.ToUpper(t.Format), s.Type
	if has == "" {
		has = "AVRO"
	}
	d, err := decoder(nil), error(nil)
	if has != wanted {
		err = fmt.Errorf("it is of type %s", has)
	} else {
		d, err = t.compile(s)
	}
	if err != nil {
		d = unusable{schema.Refuse(channel.CodeSchemaUnknown, fmt.Sprintf("schema %s of the registry cannot be used: %v", id, err), "correct the source's format, or the schema")}
	}
	t.learned.mu.Lock()
	defer t.learned.mu.Unlock()
	t.learned.byID[id] = d
}

// unusable is a schema by which nothing is read.
type unusable struct{ refusal *schema.Refusal }

func (u unusable) json([]byte) ([]byte, error) { return nil, u.refusal }

func (t *Topic) compile(s SchemaText) (decoder, error) {
	if t.Format == FormatAvro {
		return newAvro(s.Text, s.References)
	}
	return newProtobuf(s.Text, t.Message, t.Framing != "", s.References)
}
