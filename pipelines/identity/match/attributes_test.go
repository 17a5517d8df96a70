package match_test

import (
	"errors"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
	"github.com/dossier-cdp/dossier/pipelines/identity/identitytest"
	"github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/schema"
)

// Traits of a workspace's own are evidence: a membership number that two records give makes them one person where the name alone does not, with a slip too; a
// known field is read from a trait of another name.
func TestOwnTraits(t *testing.T) {
	plain := shipped(t, "fr")
	own, err := plain.Attributed(attribute.Map{"code_adherent": "free:membership:digits", "usage": attribute.FieldFamily})
	if err != nil {
		t.Fatal(err)
	}
	if own.Version() == plain.Version() {
		t.Error("a model that reads other traits has the same version")
	}
	text, err := own.Text()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := match.Parse(text); err != nil || again.Version() != own.Version() {
		t.Errorf("written and read it is another one (%v)", err)
	}
	rules, err := match.CoreRules(identity.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	together := func(m *match.Model, a, b schema.Event) bool {
		p := match.NewPeople(identitytest.Hasher{}, rules, m)
		p.Add(&a)
		p.Add(&b)
		if err := p.Resolve(); err != nil {
			t.Fatal(err)
		}
		x, _ := p.Profile(a.Persona)
		y, _ := p.Profile(b.Persona)
		return x == y
	}
	a := said(1, "first_name", "Marie", "usage", "Martin", "code_adherent", "44-100 293", "postcode", "44000")
	for _, c := range []struct {
		what string
		b    schema.Event
		one  bool
	}{
		{"the same number", said(2, "first_name", "Marie", "last_name", "Martin", "code_adherent", "44100293"), true},
		{"another number", said(3, "first_name", "Marie", "last_name", "Martin", "code_adherent", "77512345"), false},
		{"the same number, another given name", said(4, "first_name", "Paul", "last_name", "Martin", "code_adherent", "44100293"), false},
	} {
		if got := together(own, a, c.b); got != c.one {
			t.Errorf("%s: one person %v, want %v", c.what, got, c.one)
		}
		if together(plain, a, c.b) {
			t.Errorf("%s: one person without the trait, too, which proves nothing", c.what)
		}
	}
	for _, traits := range []attribute.Map{{"a": "free:email"}, {"a": "nothing"}, {"a": "free:x:roman"}} {
		var refusal *schema.Refusal
		if _, err := plain.Attributed(traits); !errors.As(err, &refusal) || refusal.Hint == "" {
			t.Errorf("%v: %v", traits, err)
		}
	}
}
