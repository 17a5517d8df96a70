package canonical

import (
	"errors"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

func canon(t *testing.T, text string) string {
	t.Helper()
	d, err := Parse([]byte(text), Limits{})
	if err != nil {
		t.Fatalf("parse %q: %v", text, err)
	}
	defer d.Release()
	return string(d.Root().AppendCanonical(nil, nil))
}

func TestCanonicalForm(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{}`, `{}`},
		{" [ ] ", `[]`},
		{`{"b":1,"a":2}`, `{"a":2,"b":1}`},
		{`{"a":1,"b":2}`, `{"a":1,"b":2}`},
		{`{ "a" : 1 }`, `{"a":1}`},
		{`{"b":{"d":[1, 2],"c":null},"a":[{"y":true,"x":false}]}`, `{"a":[{"x":false,"y":true}],"b":{"c":null,"d":[1,2]}}`},
		{`{"\u0062":1,"a":2}`, `{"a":2,"b":1}`},
		{`{"é":1,"z":2,"":3,"😀":4,"\uffff":5}`, `{"":3,"z":2,"é":1,"` + "\uffff" + `":5,"😀":4}`},
		{`"\u00e9\u20ac\ud83d\ude00"`, `"é€😀"`},
		{`"\/\"\\\b\f\n\r\t\u0000\u001f\u007f\u2028"`, `"/\"\\\b\f\n\r\t\u0000\u001f` + "\x7f\u2028" + `"`},
		{`"\u0008\u000A"`, `"\b\n"`},
		{`0`, `0`}, {`-0`, `0`}, {`0.0`, `0`}, {`-0.00`, `0`}, {`0e5`, `0`}, {`-0E-99999999999999999999`, `0`},
		{`1`, `1`}, {`-1`, `-1`}, {`1.0`, `1`}, {`1.50`, `1.5`}, {`15e-1`, `1.5`}, {`0.15E1`, `1.5`}, {`1e2`, `100`}, {`1E+2`, `100`},
		{`-0.5`, `-0.5`}, {`-5e-1`, `-0.5`}, {`5e-3`, `0.005`}, {`0.0050`, `0.005`}, {`100`, `100`}, {`100.0`, `100`}, {`1200e-1`, `120`}, {`12345e-2`, `123.45`},
		{`123456789012345678901234567890.123456789`, `123456789012345678901234567890.123456789`},
		{`1e999`, "1" + strings.Repeat("0", 999)},
		{`1e-999`, "0." + strings.Repeat("0", 998) + "1"},
		{"1." + strings.Repeat("0", 3000), `1`},
		{"0." + strings.Repeat("0", 3000) + "1e3001", `1`},
		{"1" + strings.Repeat("0", 3000) + "e-3000", `1`},
		{strings.Repeat("9", 1000), strings.Repeat("9", 1000)},
		{`true`, `true`}, {`null`, `null`},
	} {
		got := canon(t, c.in)
		if got != c.want {
			t.Errorf("canonical of %.60s\n got %.80s\nwant %.80s", c.in, got, c.want)
		}
		if again := canon(t, got); again != got {
			t.Errorf("canonical of %.60s is not stable: %.80s", got, again)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ in, code, where string }{
		{``, CodeSyntax, "byte 0"},
		{` `, CodeSyntax, "byte 1"},
		{"\ufeff{}", CodeSyntax, "byte 0"},
		{`{`, CodeSyntax, "byte 1"},
		{`{"a"`, CodeSyntax, "byte 4"},
		{`{"a":`, CodeSyntax, "byte 5"},
		{`{"a":1`, CodeSyntax, "byte 6"},
		{`{"a":1,`, CodeSyntax, "byte 7"},
		{`{"a":1,}`, CodeSyntax, "byte 7"},
		{`{a:1}`, CodeSyntax, "byte 1"},
		{`{'a':1}`, CodeSyntax, "byte 1"},
		{`[1,]`, CodeSyntax, "byte 3"},
		{`[1 2]`, CodeSyntax, "byte 3"},
		{`[`, CodeSyntax, "byte 1"},
		{`]`, CodeSyntax, "byte 0"},
		{`{}{}`, CodeSyntax, "byte 2"},
		{`1 x`, CodeSyntax, "byte 2"},
		{`nul`, CodeSyntax, "byte 0"},
		{`NaN`, CodeSyntax, "byte 0"},
		{`+1`, CodeSyntax, "byte 0"},
		{`01`, CodeSyntax, "byte 1"},
		{`-`, CodeSyntax, "byte 1"},
		{`-a`, CodeSyntax, "byte 1"},
		{`1.`, CodeSyntax, "byte 2"},
		{`.5`, CodeSyntax, "byte 0"},
		{`1e`, CodeSyntax, "byte 2"},
		{`1e+`, CodeSyntax, "byte 3"},
		{`"a`, CodeSyntax, "byte 2"},
		{`"a\`, CodeSyntax, "byte 3"},
		{`"a\x"`, CodeSyntax, "byte 3"},
		{`"\u12"`, CodeSyntax, "byte 5"},
		{`"\u12`, CodeSyntax, "byte 5"},
		{`"\u12g4"`, CodeSyntax, "byte 5"},
		{"\"a\nb\"", CodeSyntax, "byte 2"},
		{"\"a\x00b\"", CodeSyntax, "byte 2"},
		{"\"\\n\x01\"", CodeSyntax, "byte 3"},
		{"\"a\xffb\"", CodeUTF8, "byte 2"},
		{"\"\\n\xc0\xaf\"", CodeUTF8, "byte 3"},
		{"{\"k\xed\xa0\x80\":1}", CodeUTF8, "byte 3"},
		{`"x\ud800"`, CodeSurrogate, "byte 2"},
		{`"x\udc00"`, CodeSurrogate, "byte 2"},
		{`"\ud800\ud800\udc00"`, CodeSurrogate, "byte 1"},
		{`"\ud800\u0041"`, CodeSurrogate, "byte 1"},
		{`{"a":1,"b":2,"a":3}`, CodeDuplicateKey, "byte 17"},
		{`{"a":1,"\u0061":3}`, CodeDuplicateKey, "byte 16"},
		{`[0,{"x":{"":1,"":2}}]`, CodeDuplicateKey, "byte 17"},
		{`1e1000`, CodeNumber, "byte 0"},
		{`[1e-1000]`, CodeNumber, "byte 1"},
		{`-1e99999999999999999999999`, CodeNumber, "byte 0"},
		{strings.Repeat("9", 1001), CodeNumber, "byte 0"},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), CodeTooDeep, "byte 64"},
		{strings.Repeat(`{"a":`, 10_000), CodeTooDeep, "byte 320"},
		{"[" + strings.Repeat("0,", DefaultValues) + "0]", CodeTooManyValues, "byte 2097"},
	} {
		d, err := Parse([]byte(c.in), Limits{})
		var refusal *schema.Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("parse %.40q: got %v, %v, want a refusal", c.in, d, err)
			continue
		}
		if refusal.Code != c.code || !strings.HasPrefix(refusal.Reason, "at "+c.where) {
			t.Errorf("parse %.40q: got %v, want %s at %s", c.in, err, c.code, c.where)
		}
	}
	if _, err := Parse([]byte(strings.Repeat("[", 64)+strings.Repeat("]", 64)), Limits{}); err != nil {
		t.Errorf("64 levels: %v", err)
	}
}
