package envelope

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
)

// refused fails unless err is a refusal: what cannot be read becomes a dead letter and stops nobody.
func refused(t testing.TB, what string, err error) {
	t.Helper()
	if err == nil || schema.ClassOf(err) != schema.Rejected || errors.Is(err, ErrVoid) {
		t.Fatalf("%s: got %v, want a refusal", what, err)
	}
}

func TestEveryAlteredByteIsRefused(t *testing.T) {
	e := full()
	value := sealed(t, &e)
	for i := range value {
		for _, flip := range []byte{1, 0x80, 0xff} {
			altered := bytes.Clone(value)
			altered[i] ^= flip
			var got schema.Event
			refused(t, "altered", Open(testKeys, altered, &got))
		}
	}
	for i := range value {
		var got schema.Event
		refused(t, "cut", Open(testKeys, value[:i], &got))
	}
	var got schema.Event
	refused(t, "longer", Open(testKeys, append(bytes.Clone(value), 0), &got))
	refused(t, "other key", Open(oneKey{key: seal.Key{9}}, value, &got))
	refused(t, "field beside the two", Open(testKeys, protowire.AppendString(protowire.AppendTag(bytes.Clone(value), 3, protowire.BytesType), "x"), &got))
}

// The clear part of one event with the sealed part of another one is no event.
func TestPartsOfTwoEventsAreRefused(t *testing.T) {
	a, b := full(), full()
	b.Persona[0]++
	clearOfA, _, err := split(sealed(t, &a))
	if err != nil {
		t.Fatal(err)
	}
	_, sealedOfB, err := split(sealed(t, &b))
	if err != nil {
		t.Fatal(err)
	}
	var w writer
	w.bytes(envelopeClear, clearOfA)
	w.bytes(envelopeSealed, sealedOfB)
	var got schema.Event
	refused(t, "mixed", Open(testKeys, w.b, &got))
}

func TestLaterVersionsWait(t *testing.T) {
	e := full()
	write := func(change func(*schema.Clear)) []byte {
		c := e.Clear
		c.Version = schema.EnvelopeVersion
		change(&c)
		var w writer
		mark := w.open(envelopeClear)
		appendClear(&w, &c)
		w.close(mark)
		var ad writer
		appendClear(&ad, &c)
		out, err := seal.Seal(nil, []byte("x"), ad.b, testKeys.key, new(counting))
		if err != nil {
			t.Fatal(err)
		}
		w.bytes(envelopeSealed, out)
		return w.b
	}
	for name, value := range map[string][]byte{
		"version":    write(func(c *schema.Clear) { c.Version++ }),
		"dictionary": write(func(c *schema.Clear) { c.Dictionary = NewestDictionary + 1 }),
	} {
		var got schema.Event
		err := Open(testKeys, value, &got)
		var r *schema.Refusal
		if !errors.As(err, &r) || r.Code != CodeVersion {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	s := Sealer{Keys: testKeys, Nonces: new(counting)}
	dst := []byte("before")
	for name, change := range map[string]func(*schema.Event){
		"text that is not UTF-8":       func(e *schema.Event) { e.Text = "a\xffb" },
		"name that is not UTF-8":       func(e *schema.Event) { e.Source = "\xc0\xaf" },
		"identifier that is not UTF-8": func(e *schema.Event) { e.Identifiers[1].Value = "\xed\xa0\x80" },
		"too large":                    func(e *schema.Event) { e.Text = strings.Repeat("a", LargestPlain) },
	} {
		e := full()
		change(&e)
		out, err := s.Seal(dst, &e)
		refused(t, name, err)
		if string(out) != "before" {
			t.Errorf("%s: left %q", name, out)
		}
		if strings.Contains(err.Error(), "a\xffb") {
			t.Errorf("%s: the value is in the error", name)
		}
	}
	e := full()
	if _, err := (&Sealer{Keys: oneKey{err: seal.ErrExpired}, Nonces: new(counting)}).Seal(nil, &e); !errors.Is(err, seal.ErrExpired) {
		t.Errorf("expired class: got %v", err)
	}
	if _, err := (&Sealer{Keys: testKeys, Nonces: bytes.NewReader(nil)}).Seal(nil, &e); err == nil {
		t.Error("sealed without a nonce")
	}
}

// goldenValues seeds the fuzzers.
func goldenValues(t testing.TB) (values [][]byte) {
	files, err := filepath.Glob("testdata/*.golden.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden samples (%v)", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var g golden
		if err := json.Unmarshal(text, &g); err != nil {
			t.Fatal(err)
		}
		value, err := hex.DecodeString(g.Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	return values
}

func FuzzOpen(f *testing.F) {
	for _, value := range goldenValues(f) {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		var e schema.Event
		if err := Open(testKeys, value, &e); err != nil {
			refused(t, "value", err)
		}
		var c schema.Clear
		if err := ReadClear(value, &c); err != nil {
			refused(t, "clear part", err)
		}
	})
}

// Nobody without the key gets bytes of his choice this far, but an old or a later writer may.
func FuzzSealed(f *testing.F) {
	for _, plain := range plains(5, 20) {
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		var s, again schema.Sealed
		if err := decodeSealed(bytes.Clone(plain), &s); err != nil {
			refused(t, "plaintext", err)
			return
		}
		var w writer
		appendSealed(&w, &s)
		if w.err != nil {
			t.Fatalf("what was read cannot be written: %v", w.err)
		}
		if err := decodeSealed(w.b, &again); err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%v\n got %+v\nwant %+v", err, again, s)
		}
	})
}

func FuzzDecompress(f *testing.F) {
	var w work
	for _, plain := range plains(6, 20) {
		squeezed, _ := compress(&w, plain, NewestDictionary)
		f.Add(bytes.Clone(squeezed), plain)
	}
	f.Fuzz(func(t *testing.T, squeezed, plain []byte) {
		if len(squeezed) < 10 || len(squeezed) > 1<<16 { // the length that it claims is a varint: keep it small
			return
		}
		if _, err := decompress(squeezed, NewestDictionary); err != nil {
			refused(t, "squeezed", err)
		}
		roundTrips(t, plain)
	})
}
