package deadletter

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

func ring(t testing.TB) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing("main", seal.Key{7}, []string{"standard"}, 2020, 2030, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func letter(raw string) *Letter {
	return &Letter{
		Workspace: "main", Source: "shop", Trust: schema.TrustServer, Endpoint: "/v1/batch", Mapping: "segment",
		Refusal: *schema.Refuse("no_event_name", "a track call without event", "send event"), Index: 3, Raw: []byte(raw), Context: []byte(`{"ip":"203.0.113.7"}`),
		ReceivedAt: schema.InstantOf(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
	}
}

func TestRoundTrip(t *testing.T) {
	r := ring(t)
	for _, raw := range []string{`{"userId":"u1"}`, "", "\x00\xff not JSON", strings.Repeat("x", 1<<20)} {
		key, value, err := Encode(letter(raw), r, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if raw != "" && len(raw) < 100 && bytes.Contains(value, []byte(raw)) {
			t.Fatal("the content lies open")
		}
		opened, err := Open(value, r)
		if err != nil {
			t.Fatal(err)
		}
		if string(opened.Raw) != raw || string(opened.Context) != `{"ip":"203.0.113.7"}` || opened.Code != "no_event_name" || opened.Index != 3 || opened.ID != fmt.Sprintf("%x", key) || opened.Bytes != len(raw) {
			t.Fatalf("%+v", opened.Clear)
		}
		again, _, err := Encode(letter(raw), r, rand.Reader)
		if err != nil || !bytes.Equal(key, again) {
			t.Fatal("one letter has two ids", err)
		}
	}
}

func TestAlteredAndErasedLetters(t *testing.T) {
	r := ring(t)
	key, value, err := Encode(letter(`{"userId":"u1"}`), r, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for i := range value {
		altered := bytes.Clone(value)
		altered[i] ^= 1
		if _, err := Open(altered, r); err == nil {
			t.Fatalf("byte %d was altered, and nobody noticed", i)
		}
	}
	for n := range value {
		if _, err := Open(value[:n], r); err == nil {
			t.Fatalf("cut to %d bytes, and nobody noticed", n)
		}
	}
	if !r.PunchLetter([16]byte(key)) {
		t.Fatal("nothing to punch")
	}
	if _, err := Open(value, r); !errors.Is(err, seal.ErrPunched) {
		t.Fatalf("an erased letter: %v", err)
	}
	if _, err := ReadClear(value); err != nil {
		t.Fatal("the clear part of an erased letter cannot be read", err)
	}
}

// TestTracesReachEveryForm: an erasure that knows a value finds every letter that holds it, however it is written there.
func TestTracesReachEveryForm(t *testing.T) {
	prf := ring(t).PRF()
	for _, c := range []struct{ raw, value string }{
		{`{"userId":"u_e56865"}`, "u_e56865"},
		{`{"userId":42}`, "042"[1:]},
		{`{"traits":{"email":"Ann.Lee@Example.com"}}`, "ann.lee@example.com"},
		{`{"text":"write to ann.lee@example.com, please."}`, "ANN.LEE@example.com"},
		{`{"text":"<ann.lee@example.com>"}`, "ann.lee@example.com"},
		{`{"email":"ann.lee\u0040example.com"}`, "ann.lee@example.com"},
		{`{"text":"\"ann.lee@example.com\"\nhello"}`, "ann.lee@example.com"},
		{`{"phone":"+33 6 91 60 35 37"}`, "0691603537"},
		{`{"phone":"0033691603537"}`, "06 91 60 35 37"},
		{`{"text":"call me on 06.91.60.35.37 tonight"}`, "+33691603537"},
		{`{"phone":691603537}`, "06 91 60 35 37"},
		{`{"card":"26614871742"}`, "26614871742"},
		{`{"identifiers":[{"kind":"cookie","value":"c_84e77502"}]}`, "c_84e77502"},
		{`id,email` + "\n" + `7,ann.lee@example.com`, "ann.lee@example.com"},
		{`broken {"email":"ann.lee@example.com`, "ann.lee@example.com"},
	} {
		hashes, overflow := Traces(prf, []byte(c.raw))
		if overflow {
			t.Fatal(c.raw)
		}
		found := slices.ContainsFunc(Trace(c.value), func(form string) bool { return slices.Contains(hashes, HashTrace(prf, form)) })
		if want := len(c.value) >= shortestID; found != want {
			t.Errorf("%s: %q found: %v", c.raw, c.value, found)
		}
	}
	if hashes, _ := Traces(prf, []byte(`{"text":"where is my parcel, please"}`)); len(hashes) != 0 {
		t.Errorf("words of a language leave %d traces", len(hashes))
	}
	if hashes, overflow := Traces(prf, []byte(strings.Repeat("x", 10)+strings.Join(numbers(2000), " "))); !overflow || hashes != nil {
		t.Errorf("2,000 ids: %d hashes, overflow %v", len(hashes), overflow)
	}
}

func numbers(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("id_%d", i))
	}
	return list
}

func TestExpiry(t *testing.T) {
	for raw, expires := range map[string]bool{`{"userId":"u_1"}`: false, `{"text":"hello"}`: true, strings.Join(numbers(2000), " "): true} {
		l := letter(raw)
		l.Context = nil
		_, value, err := Encode(l, ring(t), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		clear, err := ReadClear(value)
		if err != nil {
			t.Fatal(err)
		}
		at, does := clear.ExpiresAt()
		if does != expires || does && at.String() != "2026-04-01T00:00:00Z" {
			t.Errorf("%.20s: expires %v at %s", raw, does, at)
		}
	}
}

// keep is a log in memory.
type keep struct{ records []Record }

func (k *keep) Submit(_ context.Context, messages []kafka.Message) error {
	for _, m := range messages {
		k.records = append(k.records, Record{Position: schema.Position{Offset: int64(len(k.records))}, Value: m.Value})
	}
	return nil
}

func (k *keep) read(_ context.Context, next func(Record) bool) error {
	for _, r := range k.records {
		if !next(r) {
			break
		}
	}
	return nil
}

func TestListAndFind(t *testing.T) {
	r, log := ring(t), &keep{}
	box := &Box{Keys: r, Log: log, Random: rand.Reader}
	one, two := letter(`{"userId":"u_1"}`), letter(`{"userId":"u_2"}`)
	two.Source, two.Refusal.Code = "site", "time_invalid"
	if err := box.Put(context.Background(), []Letter{*one, *two, *one}); err != nil {
		t.Fatal(err)
	}
	log.records = append(log.records, Record{Value: []byte("no letter")})
	count := func(f Filter) (n, unreadable int) {
		unreadable, err := List(context.Background(), log.read, f, func(*Clear, Record) bool { n++; return true })
		if err != nil {
			t.Fatal(err)
		}
		return n, unreadable
	}
	if n, unreadable := count(Filter{}); n != 2 || unreadable != 1 {
		t.Fatalf("%d letters, %d unreadable", n, unreadable)
	}
	for f, want := range map[Filter]int{{Source: "site"}: 1, {Code: "no_event_name"}: 1, {Workspace: "other"}: 0, {Since: one.ReceivedAt}: 2, {Since: one.ReceivedAt + 1}: 0} {
		if n, _ := count(f); n != want {
			t.Errorf("%+v: %d letters", f, n)
		}
	}
	clear, err := ReadClear(log.records[1].Value)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Find(context.Background(), log.read, r, "main", clear.ID)
	if err != nil || opened == nil || string(opened.Raw) != `{"userId":"u_2"}` {
		t.Fatalf("%v %+v", err, opened)
	}
	if opened, err := Find(context.Background(), log.read, r, "other", clear.ID); err != nil || opened != nil {
		t.Fatal("another workspace's letter is shown", err)
	}
}

func FuzzOpen(f *testing.F) {
	r := ring(f)
	_, value, err := Encode(letter(`{"userId":"u1"}`), r, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(value)
	f.Add([]byte{1, 0, 0, 0, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, b []byte) {
		if opened, err := Open(b, r); err == nil && !bytes.Equal(b, value) {
			t.Fatalf("something else opens: %+v", opened.Clear)
		}
	})
}
