package ids

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/schema/seal"
)

var add = flag.Bool("add", false, "write the golden files that are missing; never one that is there")

const folder = "../testdata/ids"

// The golden files hold inputs and the ids that they give, for ever. Key is the pseudonym key.
type (
	personaCase struct {
		Key, Workspace, Source, Trust, Kind, Account string
		Persona                                      string
	}
	eventCase struct {
		Key, Workspace, Source, Trust, Routing, MessageID, Fingerprint string
		Receipt                                                        int64 `json:",omitempty"` // microseconds; only if the payload states no time
		Event                                                          string
	}
	publicCase struct {
		Key, Persona string
		Epoch        uint32
		Public       string
	}
	// fingerprintCase has texts that say the same: Items[i] within Contexts[i].
	fingerprintCase struct {
		Name        string
		Items       []string
		Contexts    []string `json:",omitempty"`
		Fingerprint string
	}
)

func key(t testing.TB, s string) seal.Key {
	return seal.Key(bytes32(t, s))
}

func bytes32(t testing.TB, s string) [32]byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 {
		t.Fatalf("%q is no 32 bytes: %v", s, err)
	}
	return [32]byte(b)
}

func deriver(t testing.TB, hexKey string) *Deriver { return New(seal.NewPRF(key(t, hexKey))) }

func (c *personaCase) derive(t testing.TB) string {
	trust, ok := schema.ParseTrust(c.Trust)
	if !ok {
		t.Fatalf("no trust class %q", c.Trust)
	}
	return deriver(t, c.Key).Persona(c.Workspace, c.Source, trust, schema.Account{Kind: c.Kind, Value: c.Account}).String()
}

func (c *eventCase) derive(t testing.TB) string {
	trust, ok := schema.ParseTrust(c.Trust)
	if !ok {
		t.Fatalf("no trust class %q", c.Trust)
	}
	return deriver(t, c.Key).Event(EventInput{
		Workspace: c.Workspace, Source: c.Source, Trust: trust, Routing: bytes32(t, c.Routing), MessageID: c.MessageID,
		Fingerprint: bytes32(t, c.Fingerprint), Receipt: schema.Instant(c.Receipt),
	}).String()
}

func (c *publicCase) derive(t testing.TB) string {
	persona, err := schema.ParsePersonaID(c.Persona)
	if err != nil {
		t.Fatal(err)
	}
	return deriver(t, c.Key).Public(schema.PersonaEpoch{Persona: persona, Epoch: c.Epoch}).String()
}

func (c *fingerprintCase) derive(t testing.TB, i int) string {
	item := parse(t, c.Items[i])
	var context canonical.Node
	if i < len(c.Contexts) && c.Contexts[i] != "" {
		context = parse(t, c.Contexts[i])
	}
	sum := Fingerprint(item, context)
	return hex.EncodeToString(sum[:])
}

func parse(t testing.TB, text string) canonical.Node {
	t.Helper()
	doc, err := canonical.Parse([]byte(text), canonical.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return doc.Root()
}

// read takes the cases of a golden file. With -add, a file that is missing is made of fresh ones first.
func read[T any](t *testing.T, name string, fresh []T) (cases []T) {
	t.Helper()
	file := filepath.Join(folder, name)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && *add {
		if text, err = json.MarshalIndent(fresh, "", "\t"); err == nil {
			err = os.WriteFile(file, append(text, '\n'), 0o644)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < len(fresh) {
		t.Fatalf("%s has %d cases, want at least %d: add a file for new ones", file, len(cases), len(fresh))
	}
	return cases
}

const (
	keyA  = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	keyB  = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
	some  = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	other = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

func TestGoldenPersonas(t *testing.T) {
	var fresh []personaCase
	for _, c := range []personaCase{
		{keyA, "main", "shop", "server", "user_id", "user-000042", ""},
		{keyA, "main", "shop", "client", "user_id", "user-000042", ""},
		{keyA, "main", "shop", "server", "anonymous_id", "user-000042", ""},
		{keyA, "main", "crm", "server", "user_id", "user-000042", ""},
		{keyA, "second", "shop", "server", "user_id", "user-000042", ""},
		{keyB, "main", "shop", "server", "user_id", "user-000042", ""},
		{keyA, "main", "shop", "server", "user_id", "", ""},
		{keyA, "main", "shop", "server", "user_id", "Zoé 😀 مرحبا", ""},
		{keyA, "main", "shop", "server", "user_id", "Zoe\u0301", ""},
		{keyA, "main", "shop", "server", "user_id", "a\x00b", ""},
		{keyA, "mai", "nshop", "server", "user_id", "user-000042", ""},
	} {
		c.Persona = c.derive(t)
		fresh = append(fresh, c)
	}
	seen := map[string]bool{}
	for _, c := range read(t, "personas.json", fresh) {
		if got := c.derive(t); got != c.Persona {
			t.Errorf("%+v: got %s", c, got)
		}
		if seen[c.Persona] {
			t.Errorf("%+v: another input has this id", c)
		}
		seen[c.Persona] = true
	}
}

func TestGoldenEvents(t *testing.T) {
	var fresh []eventCase
	for _, c := range []eventCase{
		{keyA, "main", "shop", "server", some, "m-1", other, 0, ""},
		{keyA, "main", "shop", "client", some, "m-1", other, 0, ""},
		{keyA, "main", "shop", "server", other, "m-1", other, 0, ""},
		{keyA, "main", "shop", "server", some, "m-1", some, 0, ""},
		{keyA, "main", "shop", "server", some, "", other, 0, ""},
		{keyA, "main", "shop", "server", some, "Zoé 😀", other, 0, ""},
		{keyA, "main", "shop", "server", some, "m-1", other, 1_780_000_000_000_001, ""},
		{keyA, "main", "shop", "server", some, "m-1", other, 1_780_000_000_000_002, ""},
		{keyA, "main", "shop", "server", some, "m-1", other, -1, ""},
		{keyA, "second", "shop", "server", some, "m-1", other, 0, ""},
		{keyA, "main", "crm", "server", some, "m-1", other, 0, ""},
		{keyB, "main", "shop", "server", some, "m-1", other, 0, ""},
	} {
		c.Event = c.derive(t)
		fresh = append(fresh, c)
	}
	seen := map[string]bool{}
	for _, c := range read(t, "events.json", fresh) {
		if got := c.derive(t); got != c.Event {
			t.Errorf("%+v: got %s", c, got)
		}
		if seen[c.Event] {
			t.Errorf("%+v: another input has this id", c)
		}
		seen[c.Event] = true
	}
}

func TestGoldenPublicIDs(t *testing.T) {
	const persona = "01234567-89ab-8cde-8f01-23456789abcd"
	var fresh []publicCase
	for _, c := range []publicCase{
		{keyA, persona, 0, ""}, {keyA, persona, 1, ""}, {keyA, persona, 2, ""}, {keyA, persona, 1<<32 - 1, ""}, {keyB, persona, 1, ""},
	} {
		c.Public = c.derive(t)
		fresh = append(fresh, c)
	}
	seen := map[string]bool{}
	for _, c := range read(t, "public.json", fresh) {
		if got := c.derive(t); got != c.Public {
			t.Errorf("%+v: got %s", c, got)
		}
		if c.Epoch == 0 && c.Public != c.Persona {
			t.Errorf("%+v: before an erasure the public id is the persona", c)
		}
		if seen[c.Public] {
			t.Errorf("%+v: another input has this id", c)
		}
		seen[c.Public] = true
	}
}

func TestGoldenFingerprints(t *testing.T) {
	var fresh []fingerprintCase
	for _, c := range []fingerprintCase{
		{"empty", []string{`{}`, ` { } `, `{"sentAt":1}`, `{"sentAt":"x","receivedAt":1,"writeKey":null,"api_key":[],"integrations":{"All":false},"_metadata":{"a":[{}]}}`}, nil, ""},
		{"key order", []string{`{"a":1,"b":{"c":2,"d":3}}`, `{"b":{"d":3,"c":2},"a":1}`, "{\n\t\"b\" : { \"d\" : 3 , \"c\" : 2 } ,\r\n \"\\u0061\" : 1 }"}, nil, ""},
		{"number forms", []string{`{"n":[0,1.5,100,-0.005]}`, `{"n":[-0,1.50,1e2,-5e-3]}`, `{"n":[0.0e9,15E-1,100.000,-0.5E-2]}`}, nil, ""},
		{"long numbers", []string{`{"n":123456789012345678901234567890.12345678901234567890}`, `{"n":12345678901234567890123456789012345678901234567890e-20}`, `{"n":123456789012345678901234567890.1234567890123456789}`}, nil, ""},
		{"neighbour of a long number", []string{`{"n":123456789012345678901234567890.1234567890123456788}`}, nil, ""},
		{"number and string", []string{`{"n":"1.5"}`}, nil, ""},
		{"unicode", []string{`{"é":"😀","ﬁ":"مرحبا","\uffff":"z","😀":"a"}`, `{"\ud83d\ude00":"\u0061","\uFFFF":"z","\ufb01":"\u0645\u0631\u062d\u0628\u0627","\u00e9":"\uD83D\uDE00"}`}, nil, ""},
		{"not normalised", []string{`{"e` + "\u0301" + `":"😀"}`}, nil, ""},
		{"escapes", []string{`{"s":"a\"b\\c/d\u0000\u001f\b\f\n\r\t\u007f\u2028"}`, `{"s":"a\u0022b\u005cc\/d\u0000\u001F\u0008\u000c\u000A\u000d\u0009` + "\x7f\u2028" + `"}`}, nil, ""},
		{"transmission below the top level counts", []string{`{"properties":{"sentAt":1}}`}, nil, ""},
		{"batch context", []string{
			`{"type":"track","context":{"ip":"203.0.113.7","library":{"name":"x","version":"1"}}}`,
			`{"type":"track"}`,
			`{"type":"track","context":{"ip":"203.0.113.7"}}`,
			`{"type":"track","context":{"library":{"version":"1"},"ip":"203.0.113.7"}}`,
			`{"sentAt":"2026-01-01T00:00:00Z","type":"track","context":{"library":{"version":"1","name":"x"},"ip":"203.0.113.7"}}`,
		}, []string{
			"", `{"library":{"version":"1","name":"x"},"ip":"203.0.113.7"}`, `{"library":{"name":"x","version":"1"},"ip":"198.51.100.1"}`,
			`{"library":{"name":"x","version":"2"}}`, `{}`,
		}, ""},
		{"a context that is null is the item's own word", []string{`{"type":"track","context":null}`, `{"type":"track","context":null}`}, []string{"", `{"ip":"203.0.113.7"}`}, ""},
		{"a batch context that is no object changes nothing", []string{`{"type":"track","z":1}`, `{"type":"track","z":1}`, `{"type":"track","z":1}`}, []string{"", `null`, `"x"`}, ""},
		{"null is not absent", []string{`{"type":"track","userId":null}`}, nil, ""},
	} {
		c.Fingerprint = c.derive(t, 0)
		fresh = append(fresh, c)
	}
	seen := map[string]string{}
	for _, c := range read(t, "fingerprints.json", fresh) {
		for i := range c.Items {
			if got := c.derive(t, i); got != c.Fingerprint {
				t.Errorf("%s, item %d: got %s, want %s", c.Name, i, got, c.Fingerprint)
			}
		}
		if name, taken := seen[c.Fingerprint]; taken {
			t.Errorf("%s has the fingerprint of %s", c.Name, name)
		}
		seen[c.Fingerprint] = c.Name
	}
}
