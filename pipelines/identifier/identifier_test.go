package identifier_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/schema"
)

func TestNormalize(t *testing.T) {
	for _, c := range []struct{ kind, value, country, want string }{
		{"email", " Jeanne.Martin@Example.COM ", "", "jeanne.martin@example.com"},
		{"email", "jeanne+shop@example.com", "", "jeanne@example.com"},
		{"email", "J.ean.ne+x@googlemail.com", "", "jeanne@gmail.com"},
		{"email", "jeanne@münchen.de", "", "jeanne@xn--mnchen-3ya.de"},
		{"email", "jeanne@XN--MNCHEN-3YA.de", "", "jeanne@xn--mnchen-3ya.de"},
		{"email", "mailto:jeanne@example.com", "", "jeanne@example.com"},
		{"email", "jean.ne@outlook.fr", "", "jean.ne@outlook.fr"},
		{"mail", "A@example.com", "", "a@example.com"},
		{"phone", "06 12 34 56 78", "FR", "+33612345678"},
		{"phone", "0033 612345678", "fr", "+33612345678"},
		{"phone", "+33 (0)6 12 34 56 78", "", "+33612345678"},
		{"phone", "06.12.34.56.78", "FR", "+33612345678"},
		{"phone", "(415) 555-2671", "US", "+14155552671"},
		{"whatsapp_id", "+33612345678", "", "+33612345678"},
		{"card", "26 614-871.742", "", "26614871742"},
		{"card", "ab 12", "", "AB12"},
		{"user_id", "U_1", "", "U_1"},
		{"user_id", "é", "", "é"},
		{"twitter_id", "@JeanneM", "", "jeannem"},
		{"handle", "@jeannem", "", "jeannem"},
		{"device_id", "6D92078A-8246-4BA4-AE5B-76104861E7DC", "", "6d92078a-8246-4ba4-ae5b-76104861e7dc"},
		{"anonymous_id", "aBc", "", "aBc"},
		{"braze_id", " x ", "", "x"},
		{"address", "12 bd. Carnot, 06 000", "", "12 boulevard carnot, 06000"},
		{"address", "12, Boulevard CARNOT, 06000", "", "12 boulevard carnot, 06000"},
	} {
		got, err := identifier.Normalize(c.kind, c.value, c.country)
		if err != nil || got != c.want {
			t.Errorf("%s %q in %s: got %q, %v, want %q", c.kind, c.value, c.country, got, err, c.want)
		}
	}
}

func TestNormalizeRefuses(t *testing.T) {
	for _, c := range []struct{ kind, value, country, code string }{
		{"user_id", "", "", "identifier_empty"},
		{"user_id", " \t\u200b", "", "identifier_empty"},
		{"user_id", "null", "", "identifier_placeholder"},
		{"user_id", "-1", "", "identifier_placeholder"},
		{"user_id", "0000-0000", "", "identifier_placeholder"},
		{"anonymous_id", "00000000-0000-0000-0000-000000000000", "", "identifier_placeholder"},
		{"user_id", "Anonymous", "", "identifier_placeholder"},
		{"user_id", "[object Object]", "", "identifier_placeholder"},
		{"user_id", strings.Repeat("x", 513), "", "identifier_invalid"},
		{"user_id", "\xff", "", "identifier_invalid"},
		{"phone", "0000000000", "FR", "identifier_placeholder"},
		{"phone", "+33 99999999", "", "identifier_invalid"},
		{"phone", "0612345678", "", "identifier_invalid"},
		{"phone", "12", "FR", "identifier_invalid"},
		{"email", "no-reply@example.com", "", "identifier_placeholder"},
		{"email", "jeanne", "", "identifier_invalid"},
		{"email", "@example.com", "", "identifier_invalid"},
		{"email", "a b@example.com", "", "identifier_invalid"},
		{"email", "a@localhost", "", "identifier_invalid"},
		{"address", "rue Carnot, 06000", "", "identifier_invalid"},
		{"address", "12 rue Carnot", "", "identifier_invalid"},
	} {
		got, err := identifier.Normalize(c.kind, c.value, c.country)
		refusal := (*schema.Refusal)(nil)
		if !errors.As(err, &refusal) || refusal.Code != c.code {
			t.Errorf("%s %q: got %q, %v, want %s", c.kind, c.value, got, err, c.code)
		}
		if len(c.value) > 3 && err != nil && strings.Contains(err.Error(), c.value) {
			t.Errorf("%s: the refusal shows the value: %v", c.kind, err)
		}
	}
}

func TestMask(t *testing.T) {
	for _, c := range []struct{ kind, value, want string }{
		{"email", "jeanne.martin@example.com", "j•••@e•••.com"},
		{"phone", "+33612345678", "+33•••78"},
		{"phone", "0612345678", "•••78"},
		{"card", "26614871742", "•••42"},
		{"card", "123", "•••"},
		{"twitter_id", "@jeanne", "j•••"},
		{"address", "12 boulevard Carnot, 06000", "•••, 06000"},
		{"user_id", "", ""},
	} {
		if got := identifier.Mask(c.kind, c.value); got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.kind, c.value, got, c.want)
		}
	}
}

func TestRoleMailbox(t *testing.T) {
	if _, err := identifier.Normalize("email", "contact@example.com", ""); err != nil {
		t.Errorf("a role mailbox may be a person's only one: %v", err)
	}
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		kind                      string
		account, device, evidence bool
	}{
		{"user_id", true, false, true}, {"card", true, false, true}, {"twitter_id", true, false, true}, {"email", false, false, true},
		{"cookie", false, true, true}, {"anonymous_id", false, true, true}, {"conversation_id", false, false, false}, {"record_id", false, false, false},
		{"salesforce_id", true, false, true}, {"nickname", false, false, true},
	} {
		k := identifier.Of(c.kind)
		if k.Account != c.account || k.Device != c.device || k.Evidence != c.evidence {
			t.Errorf("%s: got %+v", c.kind, k)
		}
	}
}

// FuzzNormalize: a normal form is its own normal form, is valid UTF-8, and masking never panics.
func FuzzNormalize(f *testing.F) {
	for _, kind := range []string{"email", "phone", "card", "user_id", "handle", "device_id", "address", "other"} {
		f.Add(kind, " Jean.Ne+x@GMAIL.com", "FR")
		f.Add(kind, "+33 6 12 34 56 78", "FR")
		f.Add(kind, "١٢ rue Ⅻ, 75001", "")
		f.Add(kind, "@ @a", "US")
	}
	f.Fuzz(func(t *testing.T, kind, value, country string) {
		identifier.Mask(kind, value)
		normal, err := identifier.Normalize(kind, value, country)
		if err != nil {
			return
		}
		if !utf8.ValidString(normal) || normal == "" {
			t.Fatalf("normal form %q of %q", normal, value)
		}
		again, err := identifier.Normalize(kind, normal, country)
		if err != nil || again != normal {
			t.Fatalf("%s %q in %q: normal form %q has normal form %q, %v", kind, value, country, normal, again, err)
		}
	})
}
