package identity_test

import (
	"fmt"
	"sort"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
)

func TestDiag(t *testing.T) {
	rows := clients(t, sharedFile(t, "identity/clients_fr.csv"))
	m := identity.NewMemory(plainHasher{}, identity.DefaultRules())
	for i := range rows {
		m.Add(&rows[i].event, 0)
	}
	touched := m.Nodes()
	type pm struct {
		reason identity.Reason
		kinds  string
	}
	possible := map[[2]identity.NodeID]pm{}
	prof := map[identity.NodeID]identity.NodeID{}
	hold := 0
	biggest := 0
	err := identity.Update(m, identity.DefaultRules(), touched, func(r *identity.Region, p *identity.Partition) error {
		biggest = max(biggest, r.Nodes())
		for _, x := range p.Possible {
			possible[[2]identity.NodeID{x.A, x.B}] = pm{x.Reason, fmt.Sprint(x.Kinds)}
		}
		for _, x := range p.Profiles {
			if x.Hold != 0 {
				hold++
			}
			for _, n := range x.Members {
				prof[n] = x.ID
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("holds", hold, "biggest region", biggest)
	byLabel := map[string][]int{}
	for i, r := range rows {
		if r.person != "" {
			byLabel[r.person] = append(byLabel[r.person], i)
		}
	}
	missed := map[string]int{}
	right := map[string]int{}
	ex := map[string][]string{}
	for _, list := range byLabel {
		for a := range list {
			for b := range a {
				i, j := list[a], list[b]
				p, q := prof[rows[i].event.Persona], prof[rows[j].event.Persona]
				if p == q {
					right[rows[i].event.Source+"-"+rows[j].event.Source]++
					continue
				}
				if p.Compare(q) > 0 {
					p, q = q, p
				}
				x, ok := possible[[2]identity.NodeID{p, q}]
				c := "nothing"
				if ok {
					c = string(x.reason) + x.kinds
				}
				missed[c]++
				if len(ex[c]) < 6 {
					ex[c] = append(ex[c], fmt.Sprintf("%s|%s\n      %s", rows[i].record, desc(rows[i]), desc(rows[j])))
				}
			}
		}
	}
	dump := func(m map[string]int) {
		var ks []string
		for k := range m {
			ks = append(ks, k)
		}
		sort.Slice(ks, func(a, b int) bool { return m[ks[a]] > m[ks[b]] })
		for _, k := range ks[:min(len(ks), 16)] {
			fmt.Println(m[k], k)
			for _, e := range ex[k] {
				fmt.Println("    ", e)
			}
		}
	}
	dump(missed)
	fp := map[string]int{}
	byProf := map[identity.NodeID][]int{}
	for i, r := range rows {
		byProf[prof[r.event.Persona]] = append(byProf[prof[r.event.Persona]], i)
	}
	n := 0
	for _, list := range byProf {
		bad := false
		for a := range list {
			for b := range a {
				i, j := list[a], list[b]
				if rows[i].person != "" && rows[j].person != "" && rows[i].person != rows[j].person {
					fp[rows[i].event.Source+"-"+rows[j].event.Source]++
					bad = true
				}
			}
		}
		if bad && n < 12 {
			n++
			fmt.Println("-- mixed")
			for _, i := range list {
				fmt.Println("    ", rows[i].person, desc(rows[i]))
			}
		}
	}
}

func desc(r clientsRow) string {
	s := r.event.Source
	for _, t := range r.event.Traits {
		s += " " + string(t.Value)
	}
	for _, i := range r.event.Identifiers {
		s += " " + i.Kind + ":" + i.Value
	}
	return s
}
