package envelope

import (
	"context"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
)

// declared compiles event.proto.
func declared(t *testing.T) protoreflect.FileDescriptor {
	t.Helper()
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}
	files, err := compiler.Compile(context.Background(), "event.proto")
	if err != nil {
		t.Fatal(err)
	}
	return files[0]
}

// fill sets fields of m at random, within what the declaration's comments allow, and fields that it does not declare.
func fill(t *rapid.T, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsList():
			list := m.Mutable(f).List()
			for range rapid.IntRange(0, 3).Draw(t, string(f.Name())) {
				item := list.NewElement()
				fill(t, item.Message())
				list.Append(item)
			}
		case !rapid.Bool().Draw(t, "has "+string(f.Name())):
		case f.Kind() == protoreflect.MessageKind:
			inner := m.Mutable(f).Message()
			fill(t, inner)
			if proto.Size(inner.Interface()) == 0 && f.Name() != "assertion" {
				m.Clear(f) // present but empty is the same as absent to the types of package schema
			}
		default:
			m.Set(f, value(t, f))
		}
	}
	if rapid.Bool().Draw(t, "has unknown fields") {
		var raw []byte
		for range rapid.IntRange(1, 3).Draw(t, "unknown") {
			num := protowire.Number(rapid.IntRange(100, 1<<20).Draw(t, "number"))
			switch rapid.IntRange(0, 3).Draw(t, "wire type") {
			case 0:
				raw = protowire.AppendVarint(protowire.AppendTag(raw, num, protowire.VarintType), rapid.Uint64().Draw(t, "varint"))
			case 1:
				raw = protowire.AppendBytes(protowire.AppendTag(raw, num, protowire.BytesType), rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "bytes"))
			case 2:
				raw = protowire.AppendFixed64(protowire.AppendTag(raw, num, protowire.Fixed64Type), rapid.Uint64().Draw(t, "fixed64"))
			case 3:
				raw = protowire.AppendTag(protowire.AppendTag(raw, num, protowire.StartGroupType), num, protowire.EndGroupType)
			}
		}
		m.SetUnknown(raw)
	}
}

func value(t *rapid.T, f protoreflect.FieldDescriptor) protoreflect.Value {
	name := string(f.Name())
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.StringN(0, 100, 300).Draw(t, name))
	case protoreflect.BytesKind:
		n := 16
		if name == "value" || name == "properties" {
			n = rapid.IntRange(0, 300).Draw(t, "length")
		}
		b := rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, name)
		if n == 16 {
			b[0] |= 1 // no id is all zeros
		}
		return protoreflect.ValueOfBytes(b)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.IntRange(0, 255).Draw(t, name)))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(rapid.Uint32().Draw(t, name))
	case protoreflect.Sint32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, name))
	case protoreflect.Sint64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, name))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, name))
	}
	t.Fatalf("event.proto declares %s as %s, which this test does not know", name, f.Kind())
	return protoreflect.Value{}
}

// What any Protocol Buffers implementation writes, the codec reads and writes again, with every unknown field at every level.
func TestCodecConformsToDeclaration(t *testing.T) {
	file := declared(t)
	clearType, sealedType := file.Messages().ByName("Clear"), file.Messages().ByName("Sealed")
	same := func(t *rapid.T, want *dynamicpb.Message, wire []byte) {
		got := dynamicpb.NewMessage(want.Descriptor())
		if err := proto.Unmarshal(wire, got); err != nil {
			t.Fatalf("the codec wrote what Protocol Buffers refuses: %v", err)
		}
		if !proto.Equal(got, want) {
			t.Fatalf("\n got %v\nwant %v", got, want)
		}
	}
	t.Run("clear", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			m := dynamicpb.NewMessage(clearType)
			fill(t, m)
			id := protoreflect.ValueOfBytes([]byte("0123456789abcdef"))
			m.Set(clearType.Fields().ByName("version"), protoreflect.ValueOfUint32(1))
			m.Set(clearType.Fields().ByName("id"), id)
			m.Set(clearType.Fields().ByName("persona"), id)
			wire, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			var c schema.Clear
			if err := decodeClear(wire, &c); err != nil {
				t.Fatal(err)
			}
			var w writer
			appendClear(&w, &c)
			if w.err != nil {
				t.Fatal(w.err)
			}
			same(t, m, w.b)
		})
	})
	t.Run("sealed", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			m := dynamicpb.NewMessage(sealedType)
			fill(t, m)
			wire, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			var s schema.Sealed
			if err := decodeSealed(wire, &s); err != nil {
				t.Fatal(err)
			}
			var w writer
			appendSealed(&w, &s)
			if w.err != nil {
				t.Fatal(w.err)
			}
			same(t, m, w.b)
		})
	})
}

// What the codec writes of typical events, Protocol Buffers reads without a field that it does not know.
func TestDeclarationCoversCodec(t *testing.T) {
	file := declared(t)
	list := append(events(3, 200), full())
	for i := range list {
		value := sealed(t, &list[i])
		envelope := dynamicpb.NewMessage(file.Messages().ByName("Envelope"))
		var w writer
		appendSealed(&w, &list[i].Sealed)
		inner := dynamicpb.NewMessage(file.Messages().ByName("Sealed"))
		for _, step := range []error{proto.Unmarshal(value, envelope), proto.Unmarshal(w.b, inner)} {
			if step != nil {
				t.Fatal(step)
			}
		}
		noUnknown(t, envelope)
		noUnknown(t, inner)
	}
}

func noUnknown(t *testing.T, m protoreflect.Message) {
	t.Helper()
	if len(m.GetUnknown()) > 0 {
		t.Errorf("%s has fields that event.proto does not declare: %x", m.Descriptor().Name(), m.GetUnknown())
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsList():
			for i := range v.List().Len() {
				noUnknown(t, v.List().Get(i).Message())
			}
		case f.Kind() == protoreflect.MessageKind:
			noUnknown(t, v.Message())
		}
		return true
	})
}

// The enumerations of event.proto are those of package schema.
func TestEnumerationsAgree(t *testing.T) {
	file := declared(t)
	for name, word := range map[string]func(uint16) string{
		"Trust":        func(v uint16) string { return schema.Trust(v).String() },
		"Assurance":    func(v uint16) string { return schema.Assurance(v).String() },
		"Actor":        func(v uint16) string { return schema.Actor(v).String() },
		"ConsentState": func(v uint16) string { return schema.ConsentState(v).String() },
		"Channel":      func(v uint16) string { return schema.Channel(v).String() },
		"Type":         func(v uint16) string { return schema.Type(v).String() },
	} {
		prefix := strings.ToUpper(name) + "_"
		if name == "ConsentState" {
			prefix = "CONSENT_STATE_"
		}
		values := file.Enums().ByName(protoreflect.Name(name)).Values()
		for i := range values.Len() {
			v := values.Get(i)
			want := prefix + strings.ToUpper(strings.ReplaceAll(word(uint16(v.Number())), ".", "_"))
			if v.Number() == 0 {
				want = prefix + "UNSPECIFIED"
			}
			if string(v.Name()) != want {
				t.Errorf("%d of %s is %s in event.proto, %s in package schema", v.Number(), name, v.Name(), want)
			}
		}
		if next := word(uint16(values.Len())); !strings.HasPrefix(next, "unknown") {
			t.Errorf("event.proto lacks %s %s", name, next)
		}
	}
}
