package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shadowLine is what `replay status --json` tells.
type shadowLine struct {
	Name, State, Reason, Hash string
	Done, Total               int64
}

func (i *installation) shadows(t *testing.T) []shadowLine {
	t.Helper()
	return decoded[[]shadowLine](t, []byte(i.must(t, "replay", "status", "--json")))
}

func written(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sameShadow fails unless a shadow has the digest of the live projections.
func (i *installation) sameShadow(t *testing.T, name string) {
	t.Helper()
	if live, shadow := i.digest(t), i.must(t, "digest", "--shadow", name); live != shadow {
		t.Errorf("the shadow's digest is\n%swant\n%s", shadow, live)
	}
}

// TestShadow: a replay into a shadow that nothing was changed for has the digest of the live projections, also when it is killed in the middle and when
// events come meanwhile; other rules give the people that they make, and nothing live changes; whoever is erased is erased in it.
func TestShadow(t *testing.T) {
	besideOthers(t)
	i := install(t)
	var events []json.RawMessage
	for n := range 1500 {
		// Two records of the CRM for each person, who has one mailbox.
		events = append(events, json.RawMessage(fmt.Sprintf(
			`{"type":%q,"channel":"email","source":"crm","messageId":"%d","occurredAt":"2026-01-%02dT%02d:00:00Z","account":{"kind":"crm_id","value":"%d"},"identifiers":{"email":"personne.%d@exemple.fr"},"traits":{"given_name":"Prénom%d","family_name":"Nom%d"},"conversation":"c-%d","text":"Où est mon colis n° %d ?"}`,
			[]string{"message.received", "message.sent", "order.placed"}[n%3], n, 1+n%28, n%24, n%300, n%300/2, n%300/2, n%300/2, n%500, n)))
	}
	i.send(t, basic(i.WriteKey), events...)
	i.wait(t)
	before := i.digest(t)
	profiles := counts(t, before)["profiles"]

	i.must(t, "replay", "start", "--into", "next", "--wait")
	i.sameShadow(t, "next")
	if got := i.digest(t); got != before {
		t.Errorf("the live projections have changed: %s", got)
	}
	// It follows.
	i.send(t, basic(i.WriteKey), json.RawMessage(`{"type":"message.received","channel":"email","source":"crm","messageId":"later","occurredAt":"2026-02-01T00:00:00Z","account":{"kind":"crm_id","value":"later"},"identifiers":{"email":"plus.tard@exemple.fr"},"text":"plus tard"}`))
	i.wait(t)
	i.sameShadow(t, "next")

	// Killed while another one is built, both carry on.
	if o := i.dossier(t, "replay", "start", "--into", "other"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	i.kill(t)
	i.up(t)
	for begun := time.Now(); len(i.shadows(t)) < 2; time.Sleep(100 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("after kill -9 there are the shadows %v", i.shadows(t))
		}
	}
	for _, name := range []string{"next", "other"} {
		i.must(t, "replay", "status", name, "--wait")
		i.sameShadow(t, name)
	}

	i.must(t, "replay", "discard", "other")
	t.Run("erased", func(t *testing.T) {
		for o := i.dossier(t, "erase", "email:plus.tard@exemple.fr", "--reason", "asked for it"); o.code != 0; o = i.dossier(t, "erase", "email:plus.tard@exemple.fr", "--reason", "asked for it") {
			if !strings.Contains(o.stderr, "did not end") { // on a slow machine it takes more than one command waits
				t.Fatal(o.stderr)
			}
		}
		i.sameShadow(t, "next")
		if got := i.must(t, "export", "personas", "--shadow", "next"); strings.Contains(got, "plus.tard") {
			t.Error("the shadow still knows her")
		}
	})
	t.Run("discarded", func(t *testing.T) {
		i.must(t, "replay", "discard", "next")
		if left, err := os.ReadDir(filepath.Join(i.data, "shadows")); err != nil || len(left) > 0 {
			t.Errorf("%v is left: %v", left, err)
		}
		if got := i.shadows(t); len(got) > 0 {
			t.Errorf("there are the shadows %v", got)
		}
	})
	t.Run("rules", func(t *testing.T) {
		rules := filepath.Join(t.TempDir(), "rules.yaml")
		written(t, rules, "identity:\n  kinds:\n    - {kind: crm_id, strength: core}\n    - {kind: email, strength: none}\n    - {kind: name_and_birth, strength: none}\n")
		live := i.digest(t)
		i.must(t, "replay", "start", "--into", "stricter", "--rules", rules, "--wait")
		got := counts(t, i.must(t, "digest", "--shadow", "stricter"))
		if got["profiles"] != 300 || profiles != 150 || got["timeline"] != 1500 {
			t.Errorf("the shadow has %v, live there are %d profiles", got, profiles)
		}
		if now := i.digest(t); now != live {
			t.Errorf("the live projections have changed: %s", now)
		}
		diff := decoded[struct {
			People struct {
				Before, After, Same, Changed, Merged, Split, Moved, Gone, New int
				Merges, Splits                                                []struct {
					Before []string
					After  []struct {
						Profile  string
						Personas []string
					}
					Cause string
				}
			}
			Rows    []struct{ Kind string }
			Figures []struct{ Name string }
		}](t, []byte(i.must(t, "replay", "diff", "stricter", "--samples", "1000", "--json")))
		p := diff.People
		if p.Before != 150 || p.After != 300 || p.Split != 150 || p.Same+p.Changed+p.Merged+p.Moved+p.Gone+p.New != 0 || len(p.Splits) != 150 || len(p.Merges) != 0 {
			t.Errorf("the difference is %d before, %d after, %d split, %d samples, %d the same, %d changed, %d merged, %d moved, %d gone, %d new",
				p.Before, p.After, p.Split, len(p.Splits), p.Same, p.Changed, p.Merged, p.Moved, p.Gone, p.New)
		}
		for _, s := range p.Splits {
			if len(s.Before) != 1 || len(s.After) != 2 || len(s.After[0].Personas) != 1 || !strings.HasPrefix(s.Cause, "was joined by email") || !strings.HasSuffix(s.Cause, "; now nothing joins them") {
				t.Fatalf("a sample is %+v", s)
			}
		}
		if text := i.must(t, "replay", "diff", "stricter"); strings.Contains(text, "exemple.fr") || !strings.Contains(text, "150 split") {
			t.Errorf("the difference reads %s", text)
		}
		i.must(t, "replay", "discard", "stricter")
	})
	t.Run("misused", func(t *testing.T) {
		broken := filepath.Join(t.TempDir(), "broken.yaml")
		written(t, broken, "identity:\n  rulez: 1\n")
		for _, c := range []struct {
			flags []string
			says  string
		}{
			{[]string{"start", "--into", "x", "--rules", broken}, "rulez"}, {[]string{"start", "--into", "X!"}, "small letters"},
			{[]string{"start", "--into", "x", "--from", "2027-01-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"}, "nothing between"},
			{[]string{"start", "--into", "x", "--types", "order.eaten"}, "order.eaten"}, {[]string{"status", "nobody"}, "no shadow"},
			{[]string{"discard", "nobody"}, "no shadow"}, {[]string{"pause", "nobody"}, "no shadow"},
		} {
			if o := i.dossier(t, append([]string{"replay"}, c.flags...)...); o.code != 1 || !strings.Contains(o.stderr, c.says) || strings.Count(strings.TrimSpace(o.stderr), "\n") > 0 {
				t.Errorf("%v: %d: %s", c.flags, o.code, o.stderr)
			}
		}
		if got := i.shadows(t); len(got) > 0 {
			t.Errorf("there are the shadows %v", got)
		}
	})
}
