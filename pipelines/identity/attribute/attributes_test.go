package attribute_test

import (
	"reflect"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
	"github.com/dossier-cdp/dossier/schema"
)

// unsafeString is a string that changes with b, as those of events in a reader's memory do.
func unsafeString(b []byte) string { return unsafe.String(&b[0], len(b)) }

func trait(name, value string) schema.Trait {
	return schema.Trait{Name: name, Value: []byte(`"` + value + `"`)}
}

// words are values that several fields can hold, so that unions meet.
var words = []string{"Jeanne", "MARTIN Jeanne", "Martin", "1984-05-31", "31/05/1984", "12 bis rue de la Gare", "75012", "Paris", "jeanne.martin@example.org", "06 12 34 56 78", "F"}

func drawn(t *rapid.T, label string) attribute.Attributes {
	s := attribute.Saying{Source: rapid.SampledFrom([]string{"crm", "web"}).Draw(t, label+" source"), Country: "FR", Assurance: schema.Assurance(rapid.IntRange(1, 3).Draw(t, label+" assurance")), At: schema.Instant(rapid.Int64Range(0, 9).Draw(t, label+" at"))}
	var traits []schema.Trait
	for range rapid.IntRange(0, 6).Draw(t, label+" traits") {
		name := rapid.SampledFrom([]string{"first_name", "last_name", "full_name", "birth_date", "street", "postcode", "city", "email", "phone", "gender", "occupation"}).Draw(t, label+" name")
		value := rapid.OneOf(rapid.SampledFrom(words), rapid.StringMatching(`[a-z]{1,6}( [a-z]{1,6})?`)).Draw(t, label+" value")
		traits = append(traits, trait(name, value))
	}
	return attribute.FromTraits(traits, s, nil)
}

func union(parts []attribute.Attributes) (a attribute.Attributes) {
	for _, p := range parts {
		a = attribute.Join(a, p)
	}
	return a
}

// Joining is idempotent, commutative and associative, with values past the limit in play.
func TestJoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var parts []attribute.Attributes
		for range rapid.IntRange(1, 60).Draw(t, "parts") {
			parts = append(parts, drawn(t, "part"))
		}
		want := union(parts)
		shuffled := rapid.Permutation(parts).Draw(t, "order")
		if got := union(append(shuffled, parts...)); !reflect.DeepEqual(got, want) {
			t.Fatalf("another order gives\n%+v\nnot\n%+v", got, want)
		}
		cut := rapid.IntRange(0, len(parts)).Draw(t, "cut")
		if got := attribute.Join(union(parts[:cut]), union(parts[cut:])); !reflect.DeepEqual(got, want) {
			t.Fatalf("joined in halves\n%+v\nnot\n%+v", got, want)
		}
		if len(want.Names) > attribute.Limit {
			t.Fatalf("%d names", len(want.Names))
		}
	})
}

func TestMapNamesWhatIsWrong(t *testing.T) {
	if err := (attribute.Map{"nickname": attribute.FieldGiven, "club": "free:membership"}).Validate(); err != nil {
		t.Error(err)
	}
	for _, m := range []attribute.Map{{"club": "membership"}, {"club": "free:"}, {"club": ""}} {
		if err := m.Validate(); err == nil {
			t.Errorf("%v passes", m)
		}
	}
}
