package identity

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/pipelines/sighting"
	"github.com/dossier-cdp/dossier/schema"
)

// The form depends on the rules and the workspace, and on nothing else that changes from run to run.
func TestForm(t *testing.T) {
	form := func(workspace string, change func(*identity.Rules)) string {
		rules := identity.DefaultRules()
		change(rules)
		must(t, rules.Prepare())
		name, err := folderOf(workspace, rules, weighing{}, nil)
		must(t, err)
		return name
	}
	as := func(*identity.Rules) {}
	want := form("main", as)
	if len(want) != 16 || form("main", as) != want {
		t.Errorf("form %q and %q, want the same 16 digits", want, form("main", as))
	}
	if form("other", as) == want || form("main", func(r *identity.Rules) { r.HubSize++ }) == want || form("main", func(r *identity.Rules) { r.GivenNames = !r.GivenNames }) == want {
		t.Error("another workspace or other rules have the same form")
	}
}

// Rows that were cut or changed are an error or another row, never a panic; what is read is written as it was.
func FuzzRows(f *testing.F) {
	key := identity.Key{Kind: "email", Hash: [16]byte{1}}
	h := newHub(key)
	h.servers.ids, h.Servers = []identity.NodeID{{1}, {2}}, identity.SideState{Carriers: 2, Beside: []uint64{3, 4}}
	h.clients.ids, h.Clients = []identity.NodeID{{3}}, identity.SideState{Carriers: 1, Beside: []uint64{5}}
	f.Add(byte(0), h.append(nil))
	h.clients.spilled = true
	f.Add(byte(0), h.append(nil))
	h.servers.spilled = true
	f.Add(byte(0), h.append(nil))
	x := profile{identity.Cores, []identity.NodeID{{1}}, []match{{identity.NodeID{2}, identity.ReasonGivenName, []string{"email"}}}}
	f.Add(byte(1), x.append(nil))
	d, err := (&decisions{said: []identity.Assertion{{ID: schema.EventID{1}, Kind: identity.Linked, A: identity.NodeID{1}, B: identity.NodeID{2}, Actor: "a"}}}).append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(2), d)
	f.Add(byte(3), appendChanges(nil, 7, []Change{{Kind: Merged, From: schema.ProfileID{1}, To: schema.ProfileID{2}, Personas: []Moved{{schema.ProfileID{1}, schema.PersonaEpoch{Epoch: 3}}}}}))
	own := identity.NodeID{1}
	for _, at := range []place{{}, {profile: own, listed: true}, {profile: own, hold: identity.Apart}, {profile: identity.NodeID{2}, hold: identity.Cores}} {
		f.Add(byte(4), at.append(nil, own))
	}
	e := contact("shop", "user_id", "ann", email("ann@example.com"), trait("first_name", "Ann"))
	reader := identity.NewReader(NewHasher(prf), identity.DefaultRules())
	evidence, _ := reader.Read(&e, 7)
	n := node{id: evidence.ID, evidence: evidence.Clone(), state: persona.Begin(evidence.ID, &e)}
	n.state.Fold(&e, reader)
	sightings := sighting.NewReader(reader)
	sightings.Link(&e, n.state)
	written, _, err := n.append(nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(5), written)
	for range 2 {
		e.OccurredAt, e.Traits = e.OccurredAt+1000, nil
		x := sightings.Read(&e, 8, n.evidence, n.state)
		x.Join(n.evidence, n.state)
		written = x.AppendBinary(written, evidence.First)
	}
	f.Add(byte(5), written)
	f.Fuzz(func(t *testing.T, table byte, b []byte) {
		var again func([]byte) ([]byte, error)
		switch table % 6 {
		case 5:
			again = func(b []byte) ([]byte, error) {
				n, err := decodeNode(own, b)
				if err != nil {
					return nil, err
				}
				kept, _, err := n.append(nil, nil)
				if err != nil {
					return nil, err
				}
				if _, err := n.known(); err != nil {
					return nil, err
				}
				if m, err := decodeNode(own, kept); err != nil {
					t.Fatalf("row %x, written again without its state being read as %x: %v", b, kept, err)
				} else if _, err := m.known(); err != nil || !reflect.DeepEqual(m.state, n.state) || !reflect.DeepEqual(m.evidence, n.evidence) {
					t.Fatalf("row %x, written again without its state being read, says something else (%v)", b, err)
				}
				b, _, err = n.append(nil, nil)
				return b, err
			}
		case 0:
			again = func(b []byte) ([]byte, error) {
				h, err := decodeHub(key, b)
				if err != nil {
					return nil, err
				}
				return h.append(nil), nil
			}
		case 1:
			again = func(b []byte) ([]byte, error) {
				p, err := decodeProfile(b)
				if err != nil {
					return nil, err
				}
				return p.append(nil), nil
			}
		case 2:
			again = func(b []byte) ([]byte, error) {
				d, err := decodeDecisions(b)
				if err != nil {
					return nil, err
				}
				return d.append(nil)
			}
		case 3:
			again = func(b []byte) ([]byte, error) {
				version, changes, err := decodeChanges(b)
				if err != nil {
					return nil, err
				}
				return appendChanges(nil, version, changes), nil
			}
		default:
			again = func(b []byte) ([]byte, error) {
				r := row{b: b}
				p := r.place(own)
				return p.append(nil, own), r.done()
			}
		}
		once, err := again(b)
		if err != nil {
			return
		}
		twice, err := again(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("table %d: written again as %x, then %x (%v)", table%6, once, twice, err)
		}
	})
}
