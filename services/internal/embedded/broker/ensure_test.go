package broker_test

import (
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// A topic that only the log's content tells of is created once, and checked at later starts.
func TestEnsure(t *testing.T) {
	dir := t.TempDir()
	next := schema.Topic{Name: "events.g1", Partitions: 3}
	b, c := start(t, dir)
	for range 2 {
		if err := b.Ensure(next); err != nil {
			t.Fatal(err)
		}
	}
	// A client knows the layout of a moment ago.
	n, err := c.Partitions(t.Context(), next.Name)
	for deadline := time.Now().Add(30 * time.Second); err != nil && time.Now().Before(deadline); n, err = c.Partitions(t.Context(), next.Name) {
		time.Sleep(20 * time.Millisecond)
	}
	if n != 3 || err != nil {
		t.Fatalf("%d partitions, %v", n, err)
	}
	c.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b, c = start(t, dir)
	if err := b.Ensure(next); err != nil {
		t.Errorf("at the next start: %v", err)
	}
	if err := b.Ensure(schema.Topic{Name: next.Name, Partitions: 4}); schema.ClassOf(err) != schema.Fatal {
		t.Errorf("another count: %v", err)
	}
	c.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}
