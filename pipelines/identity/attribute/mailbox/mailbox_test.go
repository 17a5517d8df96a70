package mailbox_test

import (
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/mailbox"
)

func TestStem(t *testing.T) {
	for in, want := range map[string]string{
		"jean.dupont84": "jeandupont", "jeandupont": "jeandupont", "Jean_Dupont+promo": "jeandupont", "j-p.m.1984": "jpm", "@joselahaye219": "joselahaye", "hélène": "helene", "": "", "1984": "", "🌸": "", "+tag": "tag", "дмитрий": "dmitriy",
	} {
		if got := mailbox.Stem(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := mailbox.Of("jean.dupont84@example.org"); got != (mailbox.Mailbox{Local: "jean.dupont84", Domain: "example.org", Stem: "jeandupont"}) || got.String() != "jean.dupont84@example.org" {
		t.Errorf("got %+v", got)
	}
	if got := mailbox.Of("@example.org"); !got.IsZero() {
		t.Errorf("got %+v", got)
	}
}

// FuzzMailbox: the stem of a stem is itself.
func FuzzMailbox(f *testing.F) {
	f.Add("jean.dupont84", "Jean Dupont")
	f.Add("+x+", "é")
	f.Add(strings.Repeat("jean", 10_000), strings.Repeat("a ", 10_000))
	f.Fuzz(func(t *testing.T, local, full string) {
		s := mailbox.Stem(local)
		if again := mailbox.Stem(s); again != s {
			t.Fatalf("%q has the stem %q, that %q", local, s, again)
		}
		if m := mailbox.Of(local + "@" + full); m.Compare(m) != 0 {
			t.Fatal("is not equal to itself")
		}
	})
}
