package archivetest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/services/archive"
)

// Store checks what every archive.Store promises. open gives the same store at every call, as another process would open it; it is
// empty at the first.
func Store(t *testing.T, open func() archive.Store) {
	ctx := t.Context()
	store := open()
	part := archive.Part{Topic: "events", Generation: 2, Partition: 3}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if parts, err := store.Parts(ctx); err != nil || len(parts) != 0 {
		t.Fatalf("an empty store has the parts %v, %v", parts, err)
	}
	if b, err := store.Manifest(ctx, part, 0); err != nil || len(b) != 0 {
		t.Fatalf("an empty store has the manifest %q, %v", b, err)
	}

	// Files.
	large := bytes.Repeat([]byte("0123456789abcdef"), 300_000)
	for name, content := range map[string][]byte{"aa.segment": large, "bb.segment": []byte("b"), "bb.index": nil} {
		must(store.Put(ctx, part, name, content))
		must(store.Put(ctx, part, name, content))
		got, err := open().Get(ctx, part, name)
		must(err)
		if !bytes.Equal(got, content) {
			t.Fatalf("%s came back with %d bytes of %d", name, len(got), len(content))
		}
		if !strings.HasSuffix(store.Locate(part, name), "events/2/3/"+name) {
			t.Errorf("%s is said to be at %s", name, store.Locate(part, name))
		}
	}
	if _, err := store.Get(ctx, part, "cc.segment"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	names, err := store.Names(ctx, part)
	must(err)
	slices.Sort(names)
	if !slices.Equal(names, []string{"aa.segment", "bb.segment"}) {
		t.Errorf("the segments are %v", names)
	}

	// A manifest grows line by line, is read from any line on, and is the same for whoever opens it.
	var whole []byte
	starts := []int64{0}
	for n := range 200 {
		if n == 130 {
			store = open()
			_, err := store.Manifest(ctx, part, 0)
			must(err)
		}
		line := fmt.Appendf(nil, "{\"line\":%d,\"filling\":%q}\n", n, strings.Repeat("x", n%40))
		must(store.Append(ctx, part, int64(len(whole)), line))
		whole = append(whole, line...)
		starts = append(starts, int64(len(whole)))
	}
	for i := 0; i < len(starts); i += 13 {
		got, err := open().Manifest(ctx, part, starts[i])
		must(err)
		if !bytes.Equal(got, whole[starts[i]:]) {
			t.Fatalf("the manifest from byte %d has %d bytes, want %d", starts[i], len(got), len(whole)-int(starts[i]))
		}
	}
	other := archive.Part{Topic: "control", Generation: 0, Partition: 10}
	must(store.Append(ctx, other, 0, []byte("first\n")))
	parts, err := open().Parts(ctx)
	must(err)
	if !slices.Equal(parts, []archive.Part{other, part}) {
		t.Errorf("the parts are %v", parts)
	}
	if err := store.Append(ctx, part, int64(len(whole))+7, []byte("far\n")); err == nil {
		got, reading := open().Manifest(ctx, part, 0)
		if reading == nil && len(got) != len(whole) {
			t.Errorf("a line beyond the end was taken up: %d bytes", len(got))
		}
		if reading == nil {
			t.Error("a line beyond the end was put, and nobody finds it")
		}
	}
}
