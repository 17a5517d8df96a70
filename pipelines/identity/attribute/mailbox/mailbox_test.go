package mailbox_test

import (
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/mailbox"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/person"
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

func TestNameIn(t *testing.T) {
	for in, want := range map[string]person.Name{
		"jean.xqzrt84": {Given: "jean", Family: "xqzrt"}, "xqzrt_catherine": {Given: "catherine", Family: "xqzrt"}, "jeanxqzrt": {Given: "jean", Family: "xqzrt", Unsplit: true}, "xqzrtcatherine": {Given: "catherine", Family: "xqzrt", Unsplit: true},
		"catherinexqzrt": {Given: "catherine", Family: "xqzrt", Unsplit: true}, "contact": {}, "xqzrt": {}, "jean": {}, "": {}, "12345": {},
	} {
		if got := mailbox.NameIn(in); got != want {
			t.Errorf("%q: got %#v, want %#v", in, got, want)
		}
	}
}

func TestSpells(t *testing.T) {
	n := person.Name{Given: "catherine", Family: "de bonnet"}
	for stem, want := range map[string]mailbox.Spelling{
		"catherinedebonnet": mailbox.Complete, "debonnetcatherine": mailbox.Complete, "cdebonnet": mailbox.Initial, "debonnetc": mailbox.Initial, "catherined": mailbox.Initial, "catherdebonn": mailbox.Cut,
		"mamancatherine": mailbox.Part, "famille": mailbox.None, "": mailbox.None, "bonnet": mailbox.None, "catherdupont": mailbox.None,
	} {
		if got := mailbox.Spells(stem, n); got != want {
			t.Errorf("%q: got %s, want %s", stem, got, want)
		}
	}
	if got := mailbox.Spells("jean", person.Name{}); got != mailbox.None {
		t.Errorf("no name: got %s", got)
	}
}

// FuzzMailbox: the stem of a stem is itself, and names come out in normal form.
func FuzzMailbox(f *testing.F) {
	f.Add("jean.dupont84", "Jean Dupont")
	f.Add("+x+", "é")
	f.Add(strings.Repeat("jean", 10_000), strings.Repeat("a ", 10_000))
	f.Fuzz(func(t *testing.T, local, full string) {
		s := mailbox.Stem(local)
		if again := mailbox.Stem(s); again != s {
			t.Fatalf("%q has the stem %q, that %q", local, s, again)
		}
		n := mailbox.NameIn(local)
		if again, _ := person.Of(n.Parts()); again != n {
			t.Fatalf("%q carries %#v, which reads as %#v", local, n, again)
		}
		other, _ := person.Of(person.Parts{Full: full})
		mailbox.Spells(s, other)
		if m := mailbox.Of(local + "@" + full); m.Compare(m) != 0 {
			t.Fatal("is not equal to itself")
		}
	})
}
