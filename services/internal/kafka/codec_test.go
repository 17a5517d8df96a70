package kafka

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
)

func drawMessages(t *rapid.T) []Message {
	value := rapid.OneOf(rapid.Just[[]byte](nil), rapid.SliceOfN(rapid.Byte(), 0, 300))
	messages := make([]Message, rapid.IntRange(1, 20).Draw(t, "messages"))
	for i := range messages {
		messages[i].Key, messages[i].Value = value.Draw(t, "key"), value.Draw(t, "value")
		for range rapid.IntRange(0, 2).Draw(t, "headers") {
			messages[i].Headers = append(messages[i].Headers, Header{rapid.String().Draw(t, "name"), value.Draw(t, "header")})
		}
	}
	return messages
}

func encode(messages []Message, at time.Time) []byte {
	var f batchFrame
	f.start("events", 0, time.Second)
	for i := range messages {
		f.add(&messages[i])
	}
	f.finish(at)
	return f.b[f.batch:]
}

// What is encoded comes back, from any offset on, and a batch that is cut off anywhere gives the whole batches before it.
func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		messages := drawMessages(t)
		at := time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "millis"))
		b := encode(messages, at)
		if got, want := len(b), batchHeader; got < want {
			t.Fatalf("%d bytes", got)
		}
		from := rapid.Int64Range(0, int64(len(messages))).Draw(t, "from")
		records, next, _, err := decodeBatches(nil, b, from)
		if err != nil || next != int64(len(messages)) || int64(len(records)) != next-from {
			t.Fatalf("%d records, next %d, %v", len(records), next, err)
		}
		for i, r := range records {
			m := messages[from+int64(i)]
			want := Record{Offset: from + int64(i), Time: schema.InstantOf(at), Key: m.Key, Value: m.Value, Headers: m.Headers}
			if !reflect.DeepEqual(r, want) {
				t.Fatalf("got %+v, want %+v", r, want)
			}
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if records, next, _, err = decodeBatches(nil, b[:cut], 0); err != nil || len(records) != 0 || next != 0 {
			t.Fatalf("of a torn batch: %d records, next %d, %v", len(records), next, err)
		}
		b[batchBodyAt+rapid.IntRange(0, len(b)-batchBodyAt-1).Draw(t, "at")] ^= 1
		if _, _, _, err = decodeBatches(nil, b, 0); err == nil {
			t.Fatalf("an altered batch was decoded")
		}
	})
}

// kafka-go's own encoder and decoder agree with ours through a broker, with every codec that a foreign producer may use.
func TestAgreesWithKafkaGo(t *testing.T) {
	c, topic := startLog(t, 1)
	base := int64(0)
	headers := []kafkago.Header{{Key: "h", Value: []byte("v")}}
	for _, codec := range []kafkago.Compression{0, kafkago.Gzip, kafkago.Snappy, kafkago.Lz4, kafkago.Zstd} {
		at := time.UnixMilli(1_700_000_000_123)
		res, err := c.calls.Produce(t.Context(), &kafkago.ProduceRequest{
			Topic: topic, RequiredAcks: kafkago.RequireAll, Compression: codec,
			Records: kafkago.NewRecordReader(
				kafkago.Record{Time: at, Key: kafkago.NewBytes([]byte("a")), Value: kafkago.NewBytes(bytes.Repeat([]byte("x"), 1000)), Headers: headers},
				kafkago.Record{Time: at.Add(time.Second), Value: kafkago.NewBytes([]byte("second"))}),
		})
		if err != nil || res.Error != nil {
			t.Fatal(codec, err, res)
		}
		f, err := c.Fetch(t.Context(), topic, 0, base, 1<<20, time.Second)
		if err != nil || len(f.Records) != 2 || f.Next != base+2 || f.HighWater != base+2 || f.First != 0 {
			t.Fatalf("%v: %+v %v", codec, f, err)
		}
		r := f.Records
		if string(r[0].Key) != "a" || len(r[0].Value) != 1000 || r[0].Headers[0].Key != "h" || r[0].Time != schema.InstantOf(at) ||
			r[1].Key != nil || string(r[1].Value) != "second" || r[1].Time != schema.InstantOf(at.Add(time.Second)) {
			t.Fatalf("%v: %+v", codec, r)
		}
		base += 2
	}
	ours := []Message{{Key: []byte("k"), Value: []byte("v"), Headers: []Header{{"n", []byte("w")}}}, {Value: []byte{}}}
	got, err := c.Produce(t.Context(), topic, 0, ours, time.UnixMilli(77))
	if err != nil || got != base {
		t.Fatal(got, err)
	}
	res, err := c.calls.Fetch(t.Context(), &kafkago.FetchRequest{Topic: topic, Offset: base, MaxBytes: 1 << 20, MaxWait: time.Second})
	if err != nil || res.Error != nil {
		t.Fatal(err, res)
	}
	for i := range ours {
		r, err := res.Records.ReadRecord()
		if err != nil {
			t.Fatal(err)
		}
		key, err1 := kafkago.ReadAll(r.Key)
		value, err2 := kafkago.ReadAll(r.Value)
		if err1 != nil || err2 != nil || !bytes.Equal(key, ours[i].Key) || !bytes.Equal(value, ours[i].Value) || r.Offset != base+int64(i) || r.Time.UnixMilli() != 77 || len(r.Headers) != len(ours[i].Headers) {
			t.Fatalf("record %d: %+v %q %q", i, r, key, value)
		}
	}
	if _, err := res.Records.ReadRecord(); err != io.EOF {
		t.Fatal(err)
	}
}

func FuzzDecodeBatches(f *testing.F) {
	f.Add(encode([]Message{{Key: []byte("k"), Value: []byte("v"), Headers: []Header{{"n", nil}}}}, time.UnixMilli(5)), int64(0))
	f.Add(append(encode([]Message{{}, {}}, time.UnixMilli(5)), 0, 0, 0), int64(1))
	f.Fuzz(func(t *testing.T, b []byte, from int64) {
		records, next, _, err := decodeBatches(nil, bytes.Clone(b), from)
		if err == nil && next < from {
			t.Fatalf("went back from %d to %d", from, next)
		}
		for _, r := range records {
			if r.Offset < from {
				t.Fatalf("offset %d before %d", r.Offset, from)
			}
		}
		// The checksum keeps most inputs out of the inner decoder: go in behind it too.
		if len(b) > batchHeader {
			if _, err := decodeRecords(nil, bytes.Clone(b), 0, 0, 0); err != nil {
				return
			}
		}
	})
}

// FuzzDecodeFetch gives the decoder any response.
func FuzzDecodeFetch(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 200))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := decodeFetch(&cursor{b: bytes.Clone(b)}, 0); err != nil {
			return
		}
	})
}

// The hash is Java's: known values of Kafka's own test, and kafka-go's balancer on random keys.
func TestPartitionIsJavas(t *testing.T) {
	for key, want := range map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("%s: got %d, want %d", key, got, want)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	all := []int{0, 1, 2, 3, 4, 5, 6}
	for range 500 {
		key := make([]byte, 1+random.IntN(40))
		for i := range key {
			key[i] = byte(random.Uint32())
		}
		want := kafkago.Murmur2Balancer{Consistent: true}.Balance(kafkago.Message{Key: key}, all...)
		if got := Partition(key, 7); int(got) != want {
			t.Fatalf("%x: got %d, want %d", key, got, want)
		}
	}
}

// startLog starts an embedded log in memory and a client of it.
func startLog(t *testing.T, partitions int32) (*Client, string) {
	t.Helper()
	topic := schema.Topic{Name: "events", Partitions: partitions}
	b, err := broker.Start(t.Context(), broker.Config{Topics: []schema.Topic{topic}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	c, err := Open(t.Context(), Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, c.name(topic.Name)
}

func TestOffsetsAndDeleteRecords(t *testing.T) {
	c, topic := startLog(t, 3)
	for range 4 {
		if _, err := c.Produce(t.Context(), topic, 2, make([]Message, 5), time.UnixMilli(9)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.DeleteRecords(t.Context(), topic, 2, 7); err != nil {
		t.Fatal(err)
	}
	got, err := c.Offsets(t.Context(), topic)
	if want := []Range{{0, 0}, {0, 0}, {7, 20}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v %v, want %v", got, err, want)
	}
	for _, offset := range []int64{6, 21} {
		if _, err := c.Fetch(t.Context(), topic, 2, offset, 1<<20, 0); !errors.Is(err, ErrOutOfRange) || Class(err) != schema.Fatal {
			t.Errorf("offset %d: %v", offset, err)
		}
	}
	if f, err := c.Fetch(t.Context(), topic, 2, 7, 1<<20, 0); err != nil || f.Records[0].Offset != 7 || f.First != 7 {
		t.Errorf("%+v %v", f, err)
	}
	if err := c.DeleteRecords(t.Context(), topic, 2, 21); err == nil {
		t.Error("records beyond the end were deleted")
	}
}

func TestEnsureTopics(t *testing.T) {
	c, topic := startLog(t, 2)
	topics := []schema.Topic{{Name: topic, Partitions: 2}, {Name: "control", Partitions: 1}, {Name: "more"}}
	for range 2 {
		if err := c.EnsureTopics(t.Context(), topics, 3, 0); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]int32{"control": 1, "more": 3} {
		if n, err := c.Partitions(t.Context(), name); err != nil || n != want {
			t.Errorf("%s has %d partitions, %v", name, n, err)
		}
	}
	if err := c.EnsureTopics(t.Context(), topics, 4, 0); Class(err) != schema.Fatal || err == nil {
		t.Errorf("another partition count: %v", err)
	}
	if _, err := c.Partitions(t.Context(), "nowhere"); Class(err) != schema.Transient || err == nil {
		t.Errorf("a topic that is not there: %v", err)
	}
}

func TestOpenWithoutBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Brokers: []string{addr}}); err == nil || Class(err) != schema.Transient {
		t.Errorf("no broker: %v", err)
	}
	if _, err := Open(t.Context(), Config{}); err == nil || Class(err) != schema.Fatal {
		t.Errorf("no address: %v", err)
	}
}
