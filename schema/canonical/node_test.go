package canonical

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

func root(t testing.TB, text string) Node {
	t.Helper()
	d, err := Parse([]byte(text), Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d.Root()
}

func TestAbsentNodes(t *testing.T) {
	n := root(t, `{"a":{"b":[1]},"s":"x"}`)
	for name, absent := range map[string]Node{
		"zero": {}, "member": n.Get("z"), "deep": n.Path("a", "z", "y"), "of a string": n.Get("s").Get("a"), "element": n.Path("a", "b").At(1), "before": n.Path("a", "b").At(-1),
		"of an object": n.At(0),
	} {
		if absent.Exists() || absent.Kind() != Absent || absent.Len() != 0 || absent.Raw() != nil || absent.RawString() != "" || absent.Fault() != nil {
			t.Errorf("%s: is there", name)
		}
		_, s := absent.Str()
		_, u := absent.Num()
		_, b := absent.Bool()
		if s || u || b || len(absent.AppendCanonical(nil, nil)) > 0 {
			t.Errorf("%s: has a value", name)
		}
		absent.Each(func(string, Node) bool { t.Errorf("%s: has members", name); return true })
	}
}

func TestReading(t *testing.T) {
	n := root(t, ` {"s":"a\u00e9", "n": 1.50e1 ,"t":true,"f":false,"l":[1,"x",[]],"o":{ "z":1, "y":2 },"\u006b":null} `)
	if s, ok := n.Get("s").Str(); !ok || s != "aé" {
		t.Errorf("got %q", s)
	}
	if v, ok := n.Get("n").Num(); !ok || v != "15" || n.Get("n").RawString() != "1.50e1" {
		t.Errorf("got %q, %q", v, n.Get("n").RawString())
	}
	if v, ok := n.Get("t").Bool(); !ok || !v {
		t.Error("true is not true")
	}
	if v, ok := n.Get("f").Bool(); !ok || v {
		t.Error("false is not false")
	}
	if got := string(n.Get("o").Raw()); got != `{ "z":1, "y":2 }` {
		t.Errorf("got %q", got)
	}
	if n.Get("k").Kind() != Null || n.Get("l").Len() != 3 || n.Get("l").At(2).Kind() != Array {
		t.Error("members are wrong")
	}
	count := 0
	n.Each(func(string, Node) bool { count++; return count < 3 })
	if count != 3 {
		t.Errorf("Each went on to %d", count)
	}
	if start, end := n.Get("t").Span(); start != 34 || end != 38 {
		t.Errorf("true is at %d to %d", start, end)
	}
}

func TestLargeObjects(t *testing.T) {
	var b strings.Builder
	b.WriteByte('{')
	for i := range 10_000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"k%d":%d`, (i*7919)%10_000, i)
	}
	n := root(t, b.String()+"}")
	for i := range 10_000 {
		if v, ok := n.Get(fmt.Sprintf("k%d", (i*7919)%10_000)).Num(); !ok || v != fmt.Sprint(i) {
			t.Fatalf("member %d is %q", i, v)
		}
	}
	if n.Get("k10000").Exists() || n.Get("").Exists() {
		t.Error("found a member that is not there")
	}
	_, err := Parse([]byte(b.String()+`,"k77":0}`), Limits{})
	var r *schema.Refusal
	if !errors.As(err, &r) || r.Code != CodeDuplicateKey {
		t.Errorf("a key twice among many: got %v", err)
	}
}

// A view reads like the object that it stands for.
func TestViewsReadLikeObjects(t *testing.T) {
	for _, c := range []struct{ item, context, want string }{
		{`{"type":"t"}`, `{"a":1}`, `{"context":{"a":1},"type":"t"}`},
		{`{}`, `{"a":1}`, `{"context":{"a":1}}`},
		{`{"z":1}`, `{}`, `{"context":{},"z":1}`},
		{`{"context":{"b":2},"a":0,"z":9}`, `{"a":1}`, `{"a":0,"context":{"a":1,"b":2},"z":9}`},
		{`{"context":{"a":{"x":1}}}`, `{"a":{"x":2,"y":3},"c":[1, 2]}`, `{"context":{"a":{"x":1,"y":3},"c":[1,2]}}`},
		{`{"context":{"a":1}}`, `{"a":{"x":2}}`, `{"context":{"a":1}}`},
		{`{"context":{"a":{"x":2}}}`, `{"a":1}`, `{"context":{"a":{"x":2}}}`},
		{`{"context":null,"b":1}`, `{"a":1}`, `{"b":1,"context":null}`},
		{`{"context":"x"}`, `{"a":1}`, `{"context":"x"}`},
		{`{"b":1}`, `null`, `{"b":1}`},
		{`{"b":1}`, ``, `{"b":1}`},
		{`{"conteww":1,"contexu":2,"context":{}}`, `{"b\"":1,"a":"\n"}`, `{"context":{"a":"\n","b\"":1},"contexu":2,"conteww":1}`},
		{`[1]`, `{"a":1}`, `[1]`},
	} {
		var context Node
		if c.context != "" {
			context = root(t, c.context)
		}
		view, plain := root(t, c.item).WithContext(context), root(t, c.want)
		want := string(plain.AppendCanonical(nil, nil))
		if got := string(view.AppendCanonical(nil, nil)); got != want {
			t.Errorf("%s within %s: got %s, want %s", c.item, c.context, got, want)
			continue
		}
		alike(t, view, plain)
	}
}

func alike(t *testing.T, view, plain Node) {
	t.Helper()
	if view.Kind() != plain.Kind() || view.Len() != plain.Len() {
		t.Errorf("got %s of %d, want %s of %d", view.Kind(), view.Len(), plain.Kind(), plain.Len())
		return
	}
	plain.Each(func(key string, v Node) bool {
		if plain.Kind() == Object {
			alike(t, view.Get(key), v)
			if view.Path(key).RawString() != view.Get(key).RawString() {
				t.Errorf("Path and Get differ at %q", key)
			}
		}
		return true
	})
	if view.Get("not there").Exists() {
		t.Error("a member that is not there is there")
	}
	for stop := 1; stop <= view.Len(); stop++ {
		count := 0
		view.Each(func(string, Node) bool { count++; return count < stop })
		if count != stop {
			t.Errorf("Each went on to %d, not to %d", count, stop)
		}
	}
	skip := func(depth int, key string) bool { return depth == 0 && key == "context" || key == "a" }
	if got, want := string(view.AppendCanonical(nil, skip)), string(plain.AppendCanonical(nil, skip)); got != want {
		t.Errorf("without some members: got %s, want %s", got, want)
	}
}

// One bad item of a batch does not spoil the others.
func TestFaultsBelongToItems(t *testing.T) {
	text := "{\"batch\":[{\"a\":1},{\"a\":1,\"a\":2},{\"b\":\"\xff\"},{\"c\":\"\\ud800\"},{\"d\":[1e1000]},{\"e\":1},{\"\xfe\":1}],\"context\":{}}"
	if _, err := Parse([]byte(text), Limits{}); err == nil {
		t.Error("Parse accepts faults")
	}
	d, err := ParseEach([]byte(text), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	want := []string{"", CodeDuplicateKey, CodeUTF8, CodeSurrogate, CodeNumber, "", CodeUTF8}
	items := d.Root().Get("batch")
	for i := range want {
		code := ""
		var r *schema.Refusal
		if err := items.At(i).Fault(); errors.As(err, &r) {
			code = r.Code
		}
		if code != want[i] {
			t.Errorf("item %d: got %q, want %q", i, code, want[i])
		}
	}
	if d.Root().Fault() == nil || d.Root().Get("context").Fault() != nil {
		t.Error("the whole has faults, the context none")
	}
	if items.At(0).WithContext(d.Root().Get("context")).Fault() != nil {
		t.Error("a view of two sound parts has a fault")
	}
	if items.At(0).WithContext(items.At(2)).Fault() == nil {
		t.Error("a view above a fault has none")
	}
	if err := d.Root().FaultOutside(items); err != nil {
		t.Errorf("all faults lie within items, but got %v", err)
	}
	for _, text := range []string{`{"batch":[{"a":1,"a":2}],"batch":[]}`, `{"context":{"b":1,"b":2},"batch":[{"a":1,"a":2}]}`, "{\"batch\":[1e1000],\"\xff\":1}"} {
		d, err := ParseEach([]byte(text), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if d.Root().FaultOutside(d.Root().Get("batch")) == nil {
			t.Errorf("%q: the fault beside the items is not found", text)
		}
		d.Release()
	}
	// What is refused can still be walked, so that a dead letter can be looked into.
	if n := len(d.Root().AppendCanonical(nil, nil)); n == 0 {
		t.Error("nothing to see")
	}
}

func TestStringsOutliveTheDoc(t *testing.T) {
	d, err := Parse([]byte(`{"a":"first","b":"fir\u0073t"}`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := d.Root().Get("a").Str()
	b, _ := d.Root().Get("b").Str()
	d.Release()
	for range 10 {
		other, err := Parse([]byte(`{"x":"other","y":"oth\u0065r"}`), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		other.Release()
	}
	if a != "first" || b != "first" {
		t.Errorf("got %q and %q", a, b)
	}
}

const track = `{"type":"track","event":"Product Viewed","messageId":"abcdef01-0003-4000-8000-00000000004d","anonymousId":"5b5a1ac6-5d60-4f4d-b0f7-8f3b2a9d3f02","userId":"user-000042","channel":"web","originalTimestamp":"2026-11-21T10:00:00.000Z","properties":{"product_id":"0123456789ab","sku":"K-123","category":"Kitchen","name":"Cast Iron Skillet 26cm","brand":"Lodge","price":123.40,"quantity":3,"currency":"USD"},"context":{"library":{"name":"RudderLabs JavaScript SDK","version":"3.7.1"},"locale":"fr-FR","ip":"203.0.113.7","page":{"path":"/p/k-123"},"userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36"}}`

// cpu reports the processor time of an operation, garbage collection included: on a shared machine the clock on the wall measures the
// neighbours. Call the result when the loop is over.
func cpu(b *testing.B) (report func()) {
	now := func() int64 {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		return usage.Utime.Nano() + usage.Stime.Nano()
	}
	start := now()
	return func() { b.ReportMetric(float64(now()-start)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkParseAndCanonical(b *testing.B) {
	text := []byte(track)
	out := make([]byte, 0, 1024)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	report := cpu(b)
	for b.Loop() {
		d, err := Parse(text, Limits{})
		if err != nil {
			b.Fatal(err)
		}
		out = d.Root().AppendCanonical(out[:0], nil)
		d.Release()
	}
	report()
}

func BenchmarkParse(b *testing.B) {
	for _, events := range []int{1, 100} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			text := []byte(`{"batch":[` + strings.Repeat(track+",", events-1) + track + `]}`)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			report := cpu(b)
			for b.Loop() {
				d, err := Parse(text, Limits{})
				if err != nil {
					b.Fatal(err)
				}
				d.Release()
			}
			report()
		})
	}
}

func BenchmarkGet(b *testing.B) {
	n := root(b, track)
	b.ReportAllocs()
	report := cpu(b)
	for b.Loop() {
		if _, ok := n.Path("context", "page", "path").Str(); !ok {
			b.Fatal("not there")
		}
	}
	report()
}
