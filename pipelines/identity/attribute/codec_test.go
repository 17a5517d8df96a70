package attribute_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
	"github.com/dossier-cdp/dossier/schema"
)

func sample() attribute.Attributes {
	traits := []schema.Trait{}
	for name, value := range map[string]string{
		"first_name": `"Marie-Claude"`, "last_name": `"de la Tour"`, "maiden_name": `"Dupont"`, "birth_date": `"03/04/1980"`, "gender": `"f"`, "occupation": `"boulangère"`,
		"birth_place": `"Ajaccio (2A)"`, "address": `{"street":"12 bis rue des Lilas","postal_code":"75012","city":"Paris 12"}`,
	} {
		traits = append(traits, schema.Trait{Name: name, Value: []byte(value)})
	}
	e := schema.Event{}
	e.Source, e.Traits, e.Account = "crm", traits, schema.Account{Kind: "crm_id", Value: "42"}
	e.Provenance = schema.Provenance{Trust: schema.TrustServer, Country: "FR"}
	e.Identifiers = []schema.Identifier{{Kind: "email", Value: "m.c@example.fr", Assurance: 3}, {Kind: "phone", Value: "06 12 34 56 78", Assurance: 3}, {Kind: "card", Value: "K1", Assurance: 3}}
	return attribute.FromEvent(&e, nil)
}

// What is stored is what was said, without who said it when.
func TestValuesAreStoredWhole(t *testing.T) {
	a := sample()
	if len(a.Names) == 0 || len(a.Births) == 0 || len(a.Addresses) == 0 || len(a.Mailboxes) == 0 || len(a.Phones) == 0 || len(a.Genders) == 0 || len(a.IDs) == 0 {
		t.Fatalf("the sample says too little: %+v", a)
	}
	a.Free = []attribute.Said[attribute.Free]{{Value: attribute.Free{Kind: "team", Value: "red"}}}
	b, err := attribute.DecodeValues(a.AppendValues(nil))
	if err != nil {
		t.Fatal(err)
	}
	if want := a.Bare(); !reflect.DeepEqual(b, want) {
		t.Errorf("read %+v, want %+v", b, want)
	}
}

func FuzzDecodeValues(f *testing.F) {
	a := sample()
	f.Add(a.AppendValues(nil))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := attribute.DecodeValues(b)
		if err != nil {
			return
		}
		again, err := attribute.DecodeValues(a.AppendValues(nil))
		if err != nil || !bytes.Equal(again.AppendValues(nil), a.AppendValues(nil)) {
			t.Errorf("%x is read, written and read as something else (%v)", b, err)
		}
	})
}
