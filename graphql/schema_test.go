package graphql

import "testing"

func TestSchemaBuilds(t *testing.T) {
	if _, err := New(Backends{}, func(error) {}); err != nil {
		t.Fatal(err)
	}
}
