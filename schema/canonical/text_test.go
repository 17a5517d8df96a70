package canonical

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// AppendString against the rule written out, with what it escapes at every place of a word.
func TestAppendString(t *testing.T) {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}
	rule := func(s string) string {
		var b strings.Builder
		for _, r := range s {
			switch escape, ok := short[r]; {
			case ok:
				b.WriteString(escape)
			case r < ' ':
				fmt.Fprintf(&b, `\u%04x`, r)
			default:
				b.WriteRune(r)
			}
		}
		return `"` + b.String() + `"`
	}
	check := func(t interface{ Fatalf(string, ...any) }, s string) {
		if got := string(AppendString([]byte("x"), s)); got != "x"+rule(s) {
			t.Fatalf("%q: got %s, want %s", s, got, rule(s))
		}
	}
	for r := rune(0); r < 0x180; r++ {
		for before := range 10 {
			check(t, strings.Repeat("a", before)+string(r)+"\x01\"é")
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.String().Draw(t, "text")) })
}
