package configuration

import (
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

func TestParse(t *testing.T) {
	a, err := Parse([]byte(`{"sources":{"shop":{"channel":"web","country":"fr","assurance":"declared"}},"identity":{"genericDegree":7}}`), time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse([]byte("{ \"identity\": {\"genericDegree\": 7.0},\n \"sources\":{\"shop\":{\"assurance\":\"declared\",\"country\":\"fr\",\"channel\":\"web\"}}}"), time.LoadLocation)
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
	empty, err := Parse(nil, time.LoadLocation)
	if err != nil || empty.Hash == a.Hash {
		t.Fatalf("the empty document: %v, %v", empty, err)
	}
	standard, err := Parse(Default(), time.LoadLocation)
	if err != nil {
		t.Fatalf("the default document is refused: %v", err)
	}
	if empty.Model != nil || standard.Model != nil {
		t.Error("there is a model though nobody asked for one")
	}
}

// A model is named, or stands in the document whole; the rules beside it are read as ever.
func TestParseModel(t *testing.T) {
	named, err := Parse([]byte(`{"identity":{"model":"fr","people":200000,"genericDegree":7}}`), time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	if named.Model == nil || named.Model.Name != "fr" || named.People != 200000 || named.Identity.GenericDegree != 7 {
		t.Errorf("model %v for %d people, degree %d", named.Model, named.People, named.Identity.GenericDegree)
	}
	text, err := named.Model.Text()
	if err != nil {
		t.Fatal(err)
	}
	own, err := Parse([]byte(`{"identity":{"model":"fr","attributes":{"code":"free:membership:digits"}}}`), time.LoadLocation)
	if err != nil || own.Model.Version() == named.Model.Version() || own.Model.Attributes["code"] == "" {
		t.Errorf("traits of one's own: %v", err)
	}
	whole, err := Parse([]byte(`{"identity":{"model":`+string(text)+`}}`), time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	if whole.Model == nil || whole.Model.Version() != named.Model.Version() {
		t.Error("a model in the document is another one than by its name")
	}
	off, err := Parse([]byte(`{"identity":{"model":"none","people":9}}`), time.LoadLocation)
	if err != nil || off.Model != nil || off.People != 0 {
		t.Errorf("none is a model: %v, %v", off, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"identity":{"model":"martian"}}`:                       "fr-careful",
		`{"identity":{"attributes":{"x":"free:x"}}}`:             "name one",
		`{"identity":{"model":"fr","attributes":{"x":"y"}}}`:     "free:NAME",
		`{"identity":{"model":{"format":9}}}`:                    "format 9",
		`{"identity":{"model":7}}`:                               "model",
		`{"identity":{"people":-1}}`:                             "people",
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
		_, err := Parse([]byte(text), time.LoadLocation)
		if err == nil || schema.ClassOf(err) != schema.Rejected || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a refusal that names %q", text, err, want)
		}
	}
}

// TestInputs: a mapping is a text as it stands in a file, or an object; what is wrong with it names the source.
func TestInputs(t *testing.T) {
	object := `{"name":"t","events":[{"type":"case.opened","time":{"column":"at","zone":"Europe/Paris","format":"%Y-%m-%d"},"record":"id"}]}`
	text := `"name: t\nlet: {b: a, a: at}\nevents: [{type: case.opened, time: b}]"`
	signature := `"signature":{"scheme":"standard","secrets":["secret:DESK"]}`
	c, err := Parse([]byte(`{"sources":{
		"desk":{"channel":"chat","hook":{"mapping":`+object+`,`+signature+`}},
		"forum":{"hook":{"id":"X-Id","mapping":`+text+`,`+signature+`}},
		"crm":{"kafka":{"topic":"crm.customers","cluster":"company","from":"2026-01-01T00:00:00Z","mapping":`+object+`}},
		"bus":{"kafka":{"topic":"events","format":"cloudevents"}}}}`), time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Hooks) != 2 || len(c.Topics) != 2 || c.Hooks["desk"].Source != "desk" || c.Topics["crm"].Cluster != "company" || c.Topics["crm"].Format != "json" {
		t.Fatalf("%+v %+v", c.Hooks, c.Topics)
	}
	for document, want := range map[string]string{
		`{"sources":{"desk":{"hook":{` + signature + `}}}}`:                                                      "source desk, hook: there is no mapping",
		`{"sources":{"desk":{"hook":{"mapping":` + object + `}}}}`:                                               "source desk, hook: a signature needs secrets",
		`{"sources":{"desk":{"hook":{"mapping":{"name":"t","evnts":[]},` + signature + `}}}}`:                    "evnts",
		`{"sources":{"desk":{"hook":{"mapping":7,` + signature + `}}}}`:                                          "source desk, hook",
		`{"sources":{"Desk!":{"hook":{"mapping":` + object + `,` + signature + `}}}}`:                            "is no word",
		`{"sources":{"crm":{"kafka":{"topic":"t","mapping":{"name":"t","events":[{"type":"no.type"}]}}}}}`:       "no.type",
		`{"sources":{"crm":{"kafka":{"topic":"t","brokers":["a:1"]}}}}`:                                          "brokers",
		`{"sources":{"crm":{"kafka":{"topic":"t","mapping":` + strings.Replace(object, "Paris", "X", 1) + `}}}}`: "Europe/X",
	} {
		_, err := Parse([]byte(document), time.LoadLocation)
		if err == nil || schema.ClassOf(err) != schema.Rejected || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want a refusal of one line that names %q", document, err, want)
		}
	}
}
