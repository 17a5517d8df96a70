package record

import (
	"encoding/binary"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/linkedin/goavro/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/apipb"
	"google.golang.org/protobuf/types/known/sourcecontextpb"
	"google.golang.org/protobuf/types/known/typepb"
	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema/canonical"
)

const orderSchema = `{"type":"record","name":"Order","namespace":"com.shop","fields":[
	{"name":"id","type":"long"},
	{"name":"email","type":["null","string"],"default":null},
	{"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
	{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"day","type":{"type":"int","logicalType":"date"}},
	{"name":"status","type":{"type":"enum","name":"Status","symbols":["NEW","PAID"]}},
	{"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[{"name":"sku","type":"string"},{"name":"n","type":"int"}]}}},
	{"name":"tags","type":{"type":"map","values":"boolean"}},
	{"name":"rate","type":"double"},
	{"name":"ratio","type":"float"},
	{"name":"digest","type":{"type":"fixed","name":"Digest","size":3}},
	{"name":"parent","type":["null","Order"],"default":null}]}`

const orderJSON = `{"at":"2026-03-01T11:00:00.123Z","day":"2026-03-01","digest":"AQID","email":"ann@example.com","id":9007199254740993,` +
	`"lines":[{"n":2,"sku":"A-1"},{"n":-1,"sku":"é"}],"parent":null,"rate":0.1,"ratio":1.5,"status":"PAID","tags":{"gift":true},"total":-12.05}`

// canonicalOf makes decoded JSON comparable, and proves that it is JSON.
func canonicalOf(t testing.TB, text []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := canonical.Parse(text, canonical.Limits{})
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return string(doc.Root().AppendCanonical(nil, nil))
}

// TestAvroPeers: what two libraries write is what we read.
func TestAvroPeers(t *testing.T) {
	ours, err := newAvro(orderSchema, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 11, 0, 0, 123e6, time.UTC)
	goavroCodec, err := goavro.NewCodec(orderSchema)
	if err != nil {
		t.Fatal(err)
	}
	byGoavro, err := goavroCodec.BinaryFromNative(nil, map[string]any{
		"id": int64(9007199254740993), "email": goavro.Union("string", "ann@example.com"), "total": big.NewRat(-1205, 100), "at": at, "day": at.Truncate(24 * time.Hour),
		"status": "PAID", "lines": []any{map[string]any{"sku": "A-1", "n": 2}, map[string]any{"sku": "é", "n": -1}}, "tags": map[string]any{"gift": true},
		"rate": 0.1, "ratio": float32(1.5), "digest": []byte{1, 2, 3}, "parent": nil,
	})
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		SKU string `avro:"sku"`
		N   int    `avro:"n"`
	}
	type order struct {
		ID     int64           `avro:"id"`
		Email  *string         `avro:"email"`
		Total  *big.Rat        `avro:"total"`
		At     time.Time       `avro:"at"`
		Day    time.Time       `avro:"day"`
		Status string          `avro:"status"`
		Lines  []line          `avro:"lines"`
		Tags   map[string]bool `avro:"tags"`
		Rate   float64         `avro:"rate"`
		Ratio  float32         `avro:"ratio"`
		Digest [3]byte         `avro:"digest"`
		Parent *order          `avro:"parent"`
	}
	email := "ann@example.com"
	byHamba, err := avro.Marshal(avro.MustParse(orderSchema), order{
		ID: 9007199254740993, Email: &email, Total: big.NewRat(-1205, 100), At: at, Day: at, Status: "PAID", Lines: []line{{"A-1", 2}, {"é", -1}},
		Tags: map[string]bool{"gift": true}, Rate: 0.1, Ratio: 1.5, Digest: [3]byte{1, 2, 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string][]byte{"goavro": byGoavro, "hamba": byHamba} {
		text, err := ours.json(value)
		if got := canonicalOf(t, text, err); got != orderJSON {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, orderJSON)
		}
		for n := range value {
			if _, err := ours.json(value[:n]); err == nil {
				t.Errorf("%s: cut to %d of %d bytes it is still an order", name, n, len(value))
			}
		}
		if _, err := ours.json(append(value, 0)); err == nil {
			t.Errorf("%s: a byte is left over, and nobody noticed", name)
		}
	}
}

func TestAvroNumbers(t *testing.T) {
	ours, err := newAvro(`{"type":"record","name":"n","fields":[{"name":"i","type":"int"},{"name":"l","type":"long"},{"name":"d","type":"double"},
		{"name":"c","type":{"type":"bytes","logicalType":"decimal","precision":30,"scale":9}}]}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := goavro.NewCodec(`{"type":"record","name":"n","fields":[{"name":"i","type":"int"},{"name":"l","type":"long"},{"name":"d","type":"double"},
		{"name":"c","type":{"type":"bytes","logicalType":"decimal","precision":30,"scale":9}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		i, l, d := rapid.Int32().Draw(t, "i"), rapid.Int64().Draw(t, "l"), rapid.Float64().Draw(t, "d")
		c := new(big.Rat).SetFrac(big.NewInt(rapid.Int64().Draw(t, "c")), big.NewInt(1_000_000_000))
		value, err := codec.BinaryFromNative(nil, map[string]any{"i": i, "l": l, "d": d, "c": c})
		if err != nil {
			t.Fatal(err)
		}
		text, err := ours.json(value)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := canonical.Parse(text, canonical.Limits{})
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		number := func(name string) *big.Rat {
			s, _ := doc.Root().Get(name).Num()
			r, ok := new(big.Rat).SetString(s)
			if !ok {
				t.Fatalf("%s is no number in %s", name, text)
			}
			return r
		}
		if number("i").Cmp(big.NewRat(int64(i), 1)) != 0 || number("l").Cmp(new(big.Rat).SetInt64(l)) != 0 || number("c").Cmp(c) != 0 {
			t.Fatalf("%s", text)
		}
		if f, _ := number("d").Float64(); f != d && !(f == 0 && d == 0) {
			t.Fatalf("%v became %s", d, text)
		}
	})
	for _, f := range []float64{math.NaN(), math.Inf(1)} {
		value, err := codec.BinaryFromNative(nil, map[string]any{"i": 0, "l": 0, "d": f, "c": big.NewRat(0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		text, err := ours.json(value)
		if got := canonicalOf(t, text, err); !strings.Contains(got, `"d":null`) {
			t.Errorf("%v became %s", f, got)
		}
	}
}

// TestAvroHostile: bytes that ask for more memory or stack than they are worth are refused.
func TestAvroHostile(t *testing.T) {
	for name, c := range map[string]struct {
		schema string
		value  []byte
	}{
		"a million million nulls": {`{"type":"array","items":"null"}`, binary.AppendVarint(nil, 1<<40)},
		"the smallest count":      {`{"type":"array","items":"int"}`, binary.AppendVarint(nil, math.MinInt64)},
		"a long text":             {`"bytes"`, binary.AppendVarint(nil, math.MaxInt64)},
		"a negative length":       {`"string"`, binary.AppendVarint(nil, -5)},
		"nested without end":      {orderSchema, nil},
		"arrays in arrays":        {`{"type":"record","name":"a","fields":[{"name":"b","type":{"type":"array","items":"a"}}]}`, []byte(strings.Repeat("\x02", 1<<20))},
	} {
		d, err := newAvro(c.schema, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.json(c.value); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

const apiProto = `syntax = "proto3";
package google.protobuf;
import "google/protobuf/source_context.proto";
import "google/protobuf/type.proto";
message Api {
  string name = 1;
  repeated Method methods = 2;
  repeated Option options = 3;
  string version = 4;
  SourceContext source_context = 5;
  repeated Mixin mixins = 6;
  Syntax syntax = 7;
}
message Method { string name = 1; string request_type_url = 2; bool request_streaming = 3; }
message Mixin { string name = 1; string root = 2; }`

// TestProtobufPeer: a message that generated code of another compilation of the file has written.
func TestProtobufPeer(t *testing.T) {
	s, err := newProtobuf(apiProto, "google.protobuf.Api", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	value, err := proto.Marshal(&apipb.Api{
		Name: "dossier", Version: "1", Methods: []*apipb.Method{{Name: "Get", RequestTypeUrl: "u", RequestStreaming: true}},
		SourceContext: &sourcecontextpb.SourceContext{FileName: "f"}, Syntax: typepb.Syntax_SYNTAX_PROTO3,
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.json(value)
	want := `{"methods":[{"name":"Get","request_streaming":true,"request_type_url":"u"}],"mixins":[],"name":"dossier","options":[],"source_context":{"file_name":"f"},"syntax":"SYNTAX_PROTO3","version":"1"}`
	if got := canonicalOf(t, text, err); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	unknown, err := proto.Marshal(&apipb.Api{Name: "x", Methods: []*apipb.Method{{Name: "Get", ResponseTypeUrl: "what the file does not have"}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string][]byte{"a field that the file does not have": unknown, "JSON": []byte(`{"name":"dossier"}`), "cut": value[:len(value)-1]} {
		if text, err := s.json(value); err == nil {
			t.Errorf("%s is taken as %s", name, text)
		}
	}
	deep := strings.Repeat("\x0a\x00", 1)
	for range 200 {
		deep = "\x0a" + string(binary.AppendUvarint(nil, uint64(len(deep)))) + deep
	}
	tree, err := newProtobuf(`syntax = "proto3"; message Tree { Tree kid = 1; }`, "", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.json([]byte(deep)); err == nil {
		t.Error("200 levels are taken")
	}
}

func TestSchemasRefused(t *testing.T) {
	if _, err := newAvro(`{"type":"recrd"}`, nil); err == nil {
		t.Error("a schema of no type is taken")
	}
	for text, message := range map[string]string{
		"message A {": "", `syntax = "proto3"; message A {} message B {}`: "", `syntax = "proto3"; package p; message A {}`: "A",
		`syntax = "proto3"; import "other.proto"; message A {}`: "",
	} {
		if _, err := newProtobuf(text, message, false, nil); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

func FuzzDecode(f *testing.F) {
	avroOrder, err := newAvro(orderSchema, nil)
	if err != nil {
		f.Fatal(err)
	}
	api, err := newProtobuf(apiProto, "", true, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("\x82\x80\x80\x80\x80\x80\x80\x20\x02\x02a\x02\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x0a\x07dossier"))
	f.Fuzz(func(t *testing.T, value []byte) {
		if text, err := avroOrder.json(value); err == nil {
			again, err := avroOrder.json(value)
			if err != nil || string(text) != string(again) {
				t.Fatal("one value becomes two texts")
			}
		}
		if framed, rest, err := api.framed(value); err == nil {
			if text, err := framed.json(rest); err == nil {
				canonicalOf(t, text, nil)
			}
		}
	})
}
