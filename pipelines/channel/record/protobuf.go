package record

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// protoSchema turns Protobuf's binary encoding into JSON as protojson has it: fields by their names in the .proto file, 64-bit numbers as
// strings, enums by name, Timestamp as RFC 3339. Fields without presence are there also when they are zero.
type protoSchema struct {
	file    protoreflect.FileDescriptor
	message protoreflect.MessageDescriptor // nil: by the indexes of the framing
	types   linker.Resolver
}

const protoFile = "schema.proto"

// newProtobuf compiles a .proto file, which may import those of google/protobuf. message is the full name of the records' message. It may be
// empty if the file has one alone, or if the records name it themselves (indexed).
func newProtobuf(text, message string, indexed bool, references []Reference) (*protoSchema, error) {
	sources := map[string]string{protoFile: text}
	for _, r := range references {
		sources[r.Name] = r.Text
	}
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(sources),
	})}
	files, err := c.Compile(context.Background(), protoFile)
	if err != nil {
		return nil, fmt.Errorf("read the Protobuf schema: %w", err)
	}
	s := &protoSchema{file: files[0], types: files.AsResolver()}
	switch {
	case message != "":
		found := files[0].FindDescriptorByName(protoreflect.FullName(message))
		m, isMessage := found.(protoreflect.MessageDescriptor)
		if !isMessage {
			return nil, fmt.Errorf("the Protobuf schema has no message %s: write its full name, package included", message)
		}
		s.message = m
	case indexed:
	case files[0].Messages().Len() == 1:
		s.message = files[0].Messages().Get(0)
	default:
		return nil, errors.New("the Protobuf schema has several messages: name one with the member message")
	}
	return s, nil
}

// framed reads the indexes that the wire format of schema registries puts before a message: the path to it in its file.
func (s *protoSchema) framed(value []byte) (*protoSchema, []byte, error) {
	next := func() (int64, error) {
		n, length := binary.Varint(value)
		if length <= 0 {
			return 0, errShort
		}
		value = value[length:]
		return n, nil
	}
	count, err := next()
	if err != nil {
		return nil, nil, err
	}
	path := []int64{0}
	if count != 0 {
		path = path[:0]
		for ; count > 0 && len(path) <= maxDepth; count-- {
			index, err := next()
			if err != nil {
				return nil, nil, err
			}
			path = append(path, index)
		}
	}
	within := s.file.Messages()
	var found protoreflect.MessageDescriptor
	for _, index := range path {
		if index < 0 || index >= int64(within.Len()) {
			return nil, nil, errors.New("the schema has no message at the index that the record names")
		}
		found = within.Get(int(index))
		within = found.Messages()
	}
	if found == nil || s.message != nil && found.FullName() != s.message.FullName() {
		return nil, nil, errors.New("the record is of another message than the source's")
	}
	return &protoSchema{file: s.file, message: found, types: s.types}, value, nil
}

func (s *protoSchema) json(value []byte) ([]byte, error) {
	m := dynamicpb.NewMessage(s.message)
	if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth, Resolver: s.types}).Unmarshal(value, m); err != nil {
		return nil, errors.New("the bytes are no such message")
	}
	if !known(m) {
		return nil, errors.New("it has fields that the schema does not know")
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true, Resolver: s.types}.Marshal(m)
	if err != nil {
		return nil, errors.New("the message cannot be written as JSON")
	}
	if len(text) > maxJSON {
		return nil, errLarge
	}
	return text, nil
}

// known says whether the schema has every field of a message. Nearly all bytes can be read as a message of unknown fields: what the schema
// does not know may be anything, and is neither guessed at nor lost silently.
func known(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return false
	}
	all := true
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsMap():
			if field.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
					all = known(v.Message())
					return all
				})
			}
		case field.Message() == nil:
		case field.IsList():
			for i := 0; all && i < v.List().Len(); i++ {
				all = known(v.List().Get(i).Message())
			}
		default:
			all = known(v.Message())
		}
		return all
	})
	return all
}
