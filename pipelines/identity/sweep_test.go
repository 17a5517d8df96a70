package identity_test

import (
	"fmt"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
)

func TestSweep(t *testing.T) {
	rows := clients(t, sharedFile(t, "identity/clients_fr.csv"))
	try := func(label string, f func(r *identity.Rules)) {
		r := identity.DefaultRules()
		f(r)
		if err := r.Prepare(); err != nil {
			t.Fatal(err)
		}
		fmt.Println(label, scoreOf(labels(rows), resolveClients(t, rows, inOrder(len(rows)), r)))
	}
	set := func(kind string, f func(k *identity.KindRule)) func(r *identity.Rules) {
		return func(r *identity.Rules) {
			for i := range r.Kinds {
				if r.Kinds[i].Kind == kind {
					f(&r.Kinds[i])
				}
			}
		}
	}
	try("default", func(r *identity.Rules) {})
	try("user not unique", set("user_id", func(k *identity.KindRule) { k.Unique = false }))
	try("card not unique", set("card", func(k *identity.KindRule) { k.Unique = false }))
	try("neither unique", func(r *identity.Rules) {
		r.Kinds[0].Unique = false
		r.Kinds[2].Unique = false
	})
	try("card merge", set("card", func(k *identity.KindRule) { k.Strength = identity.Merge }))
	try("no given", func(r *identity.Rules) { r.GivenNames = false })
	try("no birth", func(r *identity.Rules) { r.BirthDates = false })
	try("neither, no birth", func(r *identity.Rules) {
		r.BirthDates = false
		r.Kinds[0].Unique = false
		r.Kinds[2].Unique = false
	})
	try("no address", set("address", func(k *identity.KindRule) { k.Strength = identity.None }))
	try("no name_birth", set("name_and_birth_date", func(k *identity.KindRule) { k.Strength = identity.None }))
	try("address attaches", set("address", func(k *identity.KindRule) { k.Strength = identity.Attach }))
	try("address not full", set("address", func(k *identity.KindRule) { k.FullName = false }))
	for _, g := range []int{8, 12, 30, 60} {
		try(fmt.Sprint("generic ", g), func(r *identity.Rules) { r.GenericDegree = g })
	}
	try("no limits", func(r *identity.Rules) {
		for i := range r.Kinds {
			r.Kinds[i].Limit = 0
		}
	})
}
