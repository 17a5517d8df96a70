package attribute_test

import (
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/given"
	"github.com/dossier-cdp/dossier/schema"
)

func raw(name, value string) schema.Trait { return schema.Trait{Name: name, Value: []byte(value)} }

// Traits are known under the names in use, in objects too, and under those that the configuration gives.
func TestFromTraits(t *testing.T) {
	m := attribute.Map{"club": "free:membership", "ref": "free:ref:exact", "siret": "free:siret:digits", "since": "free:since:date", "name": attribute.FieldNone, "patronyme": attribute.FieldFamily}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		traits []schema.Trait
		want   string
	}{
		{"segment", []schema.Trait{raw("firstName", `"Zoé"`), raw("lastName", `"Xqzrt"`), raw("birthday", `"1984-05-31T00:00:00Z"`), raw("address", `{"street":"12 rue Pasteur","city":"Paris","postalCode":"75012","country":"France"}`), raw("phone", `"0612345678"`), raw("email", `"zoe@example.org"`)},
			"name given=zoe family=xqzrt; birth date=1984-05-31; address number=12 type=rue street=pasteur postcode=75012 commune=paris borough=12 department=75 country=FR area=75; mailbox local=zoe domain=example.org stem=zoe; phone number=+33612345678"},
		{"french", []schema.Trait{raw("civilite", `"Mme"`), raw("prenom", `"Zoé"`), raw("nom", `"Xqzrt"`), raw("nom_naissance", `"Bvlgt"`), raw("date_naissance", `"31/05/1984"`), raw("adresse", `"12 rue Pasteur"`), raw("cp", `6600`), raw("ville", `"Antibes"`), raw("lieu_naissance", `"Lyon 3e (69)"`), raw("profession", `"Infirmière"`)},
			"name given=zoe family=xqzrt maiden=bvlgt; birth date=1984-05-31; address number=12 type=rue street=pasteur postcode=06600 commune=antibes department=06 area=06; gender is=female; birthplace commune=lyon department=69; occupation is=infirmiere"},
		{"parts", []schema.Trait{raw("birth_year", `1984`), raw("birth_month", `"5"`), raw("birth_day", `"31"`)}, "birth date=1984-05-31"},
		{"year", []schema.Trait{raw("birth_year", `84`)}, "birth date=1984-00-00"},
		{"whole address", []schema.Trait{raw("address", `"12 rue Pasteur, 75012 Paris"`)}, "address number=12 type=rue street=pasteur postcode=75012 commune=paris borough=12 department=75 area=75"},
		{"configured", []schema.Trait{raw("club", `"Les Amis"`), raw("ref", `" aB-1 "`), raw("siret", `"123 456"`), raw("since", `"31/05/2020"`), raw("name", `"Zoé Xqzrt"`), raw("patronyme", `"Xqzrt"`)},
			"name family=xqzrt; free kind=membership value=les_amis; free kind=ref value=aB-1; free kind=since value=2020-05-31; free kind=siret value=123456"},
		{"names in an array", []schema.Trait{raw("prenoms", `["Marie","Ève"]`), raw("prenom", `"Zoé"`)}, "name given=zoe further=marie_eve"},
		{"escaped", []schema.Trait{raw("prenom", `"Zo\u00e9"`)}, "name given=zoe"},
		{"nothing", []schema.Trait{raw("prenom", `null`), raw("nom", `""`), raw("email", `"test"`), raw("phone", `true`), raw("city", `{}`), raw("adresse", `[1]`), raw("unknown", `"x"`), raw("birth_date", `"?"`)}, ""},
		{"an address alone of its country", []schema.Trait{raw("country", `"FR"`)}, ""},
	} {
		a := attribute.FromTraits(c.traits, attribute.Saying{Source: "crm", Country: "FR", Assurance: schema.AssuranceVerified, At: 7}, m)
		var out strings.Builder
		print(&out, &a)
		got := strings.TrimSpace(strings.ReplaceAll(strings.TrimSpace(out.String()), "\n  ", "; "))
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
		slices.Reverse(c.traits)
		if again := attribute.FromTraits(c.traits, attribute.Saying{Source: "crm", Country: "FR", Assurance: schema.AssuranceVerified, At: 7}, m); !reflect.DeepEqual(again, a) {
			t.Errorf("%s: the order of traits decides", c.what)
		}
	}
}

func TestProvenance(t *testing.T) {
	e := schema.Event{Clear: schema.Clear{Source: "web", OccurredAt: 5}, Sealed: schema.Sealed{
		Account:     schema.Account{Kind: "user_id", Value: "u_1"},
		Identifiers: []schema.Identifier{{Kind: "email", Value: "Zoe@example.org", Assurance: schema.AssuranceVerified}, {Kind: "ip", Value: "203.0.113.1"}, {Kind: "email", Value: "none"}},
		Traits:      []schema.Trait{raw("gender", `"F"`)},
		Provenance:  schema.Provenance{Trust: schema.TrustClient, Country: "FR"},
	}}
	a := attribute.FromEvent(&e, nil)
	want := attribute.Provenance{Source: "web", Assurance: schema.AssuranceDeclared, First: 5, Last: 5}
	if len(a.Mailboxes) != 1 || a.Mailboxes[0].Provenance != want || len(a.IDs) != 1 || a.IDs[0].Provenance != want || len(a.Genders) != 1 || a.Genders[0].Value != given.Female {
		t.Errorf("got %+v", a)
	}
	later := a
	later.Mailboxes = []attribute.Said[attribute.Mailbox]{{Value: a.Mailboxes[0].Value, Provenance: attribute.Provenance{Source: "web", Assurance: schema.AssuranceVerified, First: 2, Last: 9}}}
	if got := attribute.Join(a, later).Mailboxes; len(got) != 1 || got[0].Provenance != (attribute.Provenance{Source: "web", Assurance: schema.AssuranceVerified, First: 2, Last: 9}) {
		t.Errorf("got %+v", got)
	}
}

// FuzzFromTraits: whatever traits say, attributes are sets within their bounds and texts are texts.
func FuzzFromTraits(f *testing.F) {
	f.Add("full_name", `"DUPONT Jean"`, "birth_date", `"31/05/1984"`, "FR")
	f.Add("address", `{"city":"Paris","x":{"y":[1]}}`, "prenoms", `["a",1]`, "")
	f.Add("email", `"a@b.c"`, "phone", `"+"`, "US")
	f.Add("occupation", `"ﷺﷺﷺﷺﷺﷺﷺﷺﷺﷺ"`, "birthplace", `"Lyon 3e (69)"`, "FR")
	f.Fuzz(func(t *testing.T, name, value, name2, value2, country string) {
		traits := []schema.Trait{raw(name, value), raw(name2, value2)}
		s := attribute.Saying{Source: "crm", Country: country, Assurance: schema.AssuranceDeclared, At: 1}
		m := attribute.Map{"a": "free:a", "b": "free:b:exact"}
		a := attribute.FromTraits(traits, s, m)
		if joined := attribute.Join(a, a); !reflect.DeepEqual(joined, a) {
			t.Fatalf("joined with itself\n%+v\nis\n%+v", a, joined)
		}
		var out strings.Builder
		print(&out, &a)
		if out.Len() > 20_000 {
			t.Fatalf("%d bytes", out.Len())
		}
		if utf8.ValidString(value+value2) && !utf8.ValidString(out.String()) {
			t.Fatalf("%q is no text", out.String())
		}
	})
}

// cpu reports the processor time of an operation, which a busy machine does not change. Call what it returns when done.
func cpu(b *testing.B) func() {
	b.ReportAllocs()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkFromEvent(b *testing.B) {
	for _, name := range shipped {
		b.Run(name, func(b *testing.B) {
			_, events := events(b, name)
			attribute.FromEvent(events[0], nil)
			done := cpu(b)
			for i := range b.N {
				attribute.FromEvent(events[i%len(events)], nil)
			}
			done()
		})
	}
}
