package identity

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// A state of an earlier form is built anew and says the same; one of a later form is refused, and stays.
func TestStateFormats(t *testing.T) {
	crm := contact("crm", "crm_id", "C-1", day, email("ann@example.com"), trait("first_name", "Ann"))
	shop := contact("shop", "user_id", "u1", 2*day, email("ann@example.com"), trait("first_name", "Ann"))
	c := inMemory(newLog("c", 1), crm, shop)
	r := start(t, c)
	want := r.export()
	name := filepath.Base(r.current.projection.dir)
	r.stop()
	change := func(edit func(b *state.Batch) error) {
		t.Helper()
		store, err := state.Open(filepath.Join(c.Folder, name), state.Options{FS: c.Store.FS, Logger: quiet})
		must(t, err)
		b := store.NewBatch()
		must(t, edit(b))
		must(t, b.Commit())
		must(t, store.Close())
	}
	for form, edit := range map[string]func(b *state.Batch) error{
		"before it was noted": func(b *state.Batch) error { return b.Delete(counterKey("format")) },
		"an earlier one":      func(b *state.Batch) error { return setCounter(b, "format", stateFormat-1) },
	} {
		change(func(b *state.Batch) error {
			if err := setCounter(b, "personas", 77); err != nil { // what only the form of then explains
				return err
			}
			return edit(b)
		})
		r := start(t, c)
		if got := r.export(); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", form, got, want)
		}
		r.stop()
	}
	change(func(b *state.Batch) error { return setCounter(b, "format", stateFormat+1) })
	later := c
	later.Workspace, later.Logger, later.Hash = workspace, quiet, NewHasher(prf)
	for range 2 {
		if _, err := Open(t.Context(), later); err == nil || !strings.Contains(err.Error(), "newer dossier") || schema.ClassOf(err) != schema.Fatal {
			t.Errorf("a later form: %v", err)
		}
	}
}
