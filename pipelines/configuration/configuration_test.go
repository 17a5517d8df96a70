package configuration

import (
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

func TestParse(t *testing.T) {
	a, err := Parse([]byte(`{"sources":{"shop":{"channel":"web","country":"fr","assurance":"declared"}},"identity":{"genericDegree":7}}`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse([]byte("{ \"identity\": {\"genericDegree\": 7.0},\n \"sources\":{\"shop\":{\"assurance\":\"declared\",\"country\":\"fr\",\"channel\":\"web\"}}}"))
	if err != nil {
		t.Fatal(err)
	}
	if a.Hash != b.Hash || a.IdentityHash != b.IdentityHash {
		t.Errorf("one document in two spellings has hashes %s and %s", a.Hash, b.Hash)
	}
	shop := a.Source("shop")
	if shop.Channel != schema.ChannelWeb || shop.Country != "FR" || shop.Assurance != schema.AssuranceDeclared {
		t.Errorf("shop is %+v", shop)
	}
	if a.Identity.GenericDegree != 7 || len(a.Identity.Kinds) == 0 {
		t.Errorf("identity is %+v: the given member with the defaults of the others", a.Identity)
	}
	if a.Source("till").Name != "till" {
		t.Error("a source that is not declared has no default")
	}
	empty, err := Parse(nil)
	if err != nil || empty.Hash == a.Hash {
		t.Fatalf("the empty document: %v, %v", empty, err)
	}
	if _, err := Parse(Default()); err != nil {
		t.Errorf("the default document is refused: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"sauces":{}}`:                                          "sauces",
		`{"sources":{"shop":{"chanel":"web"}}}`:                  "chanel",
		`{"sources":{"shop":{"channel":"pigeon"}}}`:              "source shop",
		`{"sources":{"shop":{"country":"France"}}}`:              "two letters",
		`{"sources":{"shop":{"assurance":"sure"}}}`:              "assurance",
		`{"sources":{"shop":{"actor":"ghost"}}}`:                 "actor",
		`{"identity":{"genericDegree":0}}`:                       "genericDegree",
		`{"survivorship":{"default":{"order":"best"}}}`:          "best",
		`{"sources":{},"sources":{}}`:                            "",
		`[1]`:                                                    "",
		`{"sources":`:                                            "",
		`{"identity":{"kinds":[{"kind":"x","strength":"big"}]}}`: "big",
	} {
		_, err := Parse([]byte(text))
		if err == nil || schema.ClassOf(err) != schema.Rejected || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a refusal that names %q", text, err, want)
		}
	}
}
