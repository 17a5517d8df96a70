package envelope

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
)

var add = flag.Bool("add", false, "write the golden samples that are missing; never one that is there")

// golden is one value as it lies in the log, and the event that it must be read as, for ever.
type golden struct {
	Key    string // hexadecimal
	Value  string // hexadecimal
	Clear  schema.Clear
	Sealed schema.Sealed
}

// counting is a source of nonces for samples.
type counting byte

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(*c)
		*c++
	}
	return len(p), nil
}

func unknown(num protowire.Number, content string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, num, protowire.BytesType), content))
}

// samples are what golden files are made of. Add to them; a change here changes no file. The tags of unknown fields in nested messages are
// ASCII, since JSON keeps no other bytes in a string.
func samples() map[string]schema.Event {
	late := full()
	late.Clear.Unknown = []byte(unknown(90, "clear"))
	late.Sealed.Unknown = []byte(unknown(91, "sealed"))
	late.Account.Unknown = unknown(12, "account")
	late.Identifiers[0].Unknown = unknown(13, "identifier")
	late.Traits[0].Unknown = unknown(14, "trait")
	late.Consents[0].Unknown = unknown(15, "consent")
	late.Assertion.Unknown = unknown(12, "assertion")
	late.Provenance.Unknown = unknown(13, "provenance")
	tiny := schema.Event{Clear: full().Clear}
	old := full()
	old.OccurredAt, old.Key = -1, schema.KeyID{Class: "standard", Year: 1969}
	long := full()
	long.Text = strings.Repeat("Où est mon colis ? ", 2000)
	out := map[string]schema.Event{"1-full": full(), "1-empty": tiny, "1-before-1970": old, "1-of-a-later-writer": late, "1-long": long}
	c := newCorpus(11)
	for _, name := range []string{"1-typical-a", "1-typical-b", "1-typical-c", "1-typical-d", "1-typical-e", "1-typical-f"} {
		out[name] = c.event()
	}
	return out
}

func TestGoldenSamples(t *testing.T) {
	if *add {
		addGolden(t)
	}
	files, err := filepath.Glob("testdata/*.golden.json")
	if err != nil || len(files) < 11 {
		t.Fatalf("found %d golden samples (%v)", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want golden
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		key, err := hex.DecodeString(want.Key)
		if err != nil {
			t.Fatal(err)
		}
		value, err := hex.DecodeString(want.Value)
		if err != nil {
			t.Fatal(err)
		}
		keys := oneKey{key: seal.Key(key)}
		var e schema.Event
		if err := Open(keys, value, &e); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if !reflect.DeepEqual(e, schema.Event{Clear: want.Clear, Sealed: want.Sealed}) {
			t.Errorf("%s\n got %+v\nwant %+v\n     %+v", file, e, want.Clear, want.Sealed)
		}
		// What this version writes of it has the same plaintext and the same clear part.
		clearBytes, sealed, err := split(value)
		if err != nil {
			t.Fatal(err)
		}
		cipher, err := keys.EventCipher(e.Persona, e.Key)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := unseal(e.Dictionary, sealed, clearBytes, cipher)
		if err != nil {
			t.Fatal(err)
		}
		var c, s writer
		appendClear(&c, &e.Clear)
		appendSealed(&s, &e.Sealed)
		if !bytes.Equal(c.b, clearBytes) || !bytes.Equal(s.b, plain) {
			t.Errorf("%s: is written as\n%x\n%x\nis\n%x\n%x", file, c.b, s.b, clearBytes, plain)
		}
	}
}

func addGolden(t *testing.T) {
	for name, e := range samples() {
		file := filepath.Join("testdata", name+".golden.json")
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		s := Sealer{Keys: testKeys, Nonces: new(counting)}
		value, err := s.Seal(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(golden{hex.EncodeToString(testKeys.key[:]), hex.EncodeToString(value), e.Clear, e.Sealed}, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
