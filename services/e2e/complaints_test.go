package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
)

// visitorAndCustomer sends what a device did before somebody logged in on it, what the customer did elsewhere, and the login that makes them one, each event twice. It
// gives the personas of the device and the account.
func visitorAndCustomer(t *testing.T, i *installation) (device, account string) {
	t.Helper()
	for range 2 {
		for n := range 5 {
			i.send(t, basic(i.ClientKey), json.RawMessage(fmt.Sprintf(
				`{"type":"page.viewed","source":"web","messageId":"page-%d","occurredAt":"2025-03-01T10:0%d:00Z","anonymousId":"device-1","name":"shoes"}`, n, n)))
		}
		for n := range 3 {
			i.send(t, basic(i.WriteKey), json.RawMessage(fmt.Sprintf(
				`{"type":"order.placed","source":"shop","messageId":"order-%d","occurredAt":"2025-02-0%dT10:00:00Z","userId":"customer-1","entity":"o%d","amount":"10.50","currency":"EUR"}`, n, n+1, n)))
		}
	}
	i.wait(t)
	return i.persona(t, "web", "device-1"), i.persona(t, "shop", "customer-1")
}

func logIn(t *testing.T, i *installation) {
	t.Helper()
	for range 2 {
		i.send(t, basic(i.WriteKey), json.RawMessage(
			`{"type":"profile.identified","source":"shop","messageId":"login","occurredAt":"2025-03-01T10:30:00Z","userId":"customer-1","anonymousId":"device-1","traits":{"first_name":"Jeanne"}}`))
	}
	i.wait(t)
}

// history is what a dossier tells of the past.
type history struct {
	Timeline struct {
		TotalCount int
		Edges      []struct {
			Node struct{ Persona, Type string }
		}
	}
	Value    struct{ Orders int }
	Personas []struct{ Persona string }
}

func (i *installation) history(t *testing.T, kind, value string) (h history) {
	t.Helper()
	var answer struct{ Dossier *history }
	i.query(t, `query($k: String!, $v: String!) { dossier(identifier: {kind: $k, value: $v}) { timeline(first: 100) { totalCount edges { node { persona type } } } value { orders } personas { persona } } }`,
		map[string]any{"k": kind, "v": value}, &answer)
	if answer.Dossier == nil {
		t.Fatalf("nobody owns %s %s", kind, value)
	}
	return *answer.Dossier
}

// TestComplaint11_HistoryMovesWithTheMerge: at the first read after a merge the dossier has what both did before it; after the split each has its own again.
func TestComplaint11_HistoryMovesWithTheMerge(t *testing.T) {
	besideOthers(t)
	i := install(t)
	device, account := visitorAndCustomer(t, i)
	if h := i.history(t, "user_id", "customer-1"); h.Timeline.TotalCount != 3 {
		t.Errorf("before the login the customer has %d contacts, want 3", h.Timeline.TotalCount)
	}
	logIn(t, i)
	of := map[string]int{}
	h := i.history(t, "user_id", "customer-1")
	for _, e := range h.Timeline.Edges {
		of[e.Node.Persona]++
	}
	if of[device] != 5 || of[account] != 4 || h.Timeline.TotalCount != 9 {
		t.Errorf("after the merge the dossier has %v, %d in all; want 5 of the device and 4 of the account", of, h.Timeline.TotalCount)
	}
	i.must(t, "separate", device, account, "--reason", "another person's tablet")
	i.wait(t)
	if h := i.history(t, "user_id", "customer-1"); h.Timeline.TotalCount != 4 {
		t.Errorf("after the split the customer has %d contacts, want 4", h.Timeline.TotalCount)
	}
}

// TestComplaint13_NothingCountsTwice: orders are counted where each is once: sent twice, before a merge and after it, they are three.
func TestComplaint13_NothingCountsTwice(t *testing.T) {
	besideOthers(t)
	i := install(t)
	visitorAndCustomer(t, i)
	if h := i.history(t, "user_id", "customer-1"); h.Value.Orders != 3 {
		t.Errorf("%d orders before the merge, want 3", h.Value.Orders)
	}
	logIn(t, i)
	visitorAndCustomer(t, i)
	if h := i.history(t, "user_id", "customer-1"); h.Value.Orders != 3 || h.Timeline.TotalCount != 9 {
		t.Errorf("%d orders and %d contacts after the merge and all sent again, want 3 and 9", h.Value.Orders, h.Timeline.TotalCount)
	}
}

// TestComplaint14_EvidenceIsKept: a merge deletes no device: its persona, its identifier and its contacts are there, and stand by themselves after a split.
func TestComplaint14_EvidenceIsKept(t *testing.T) {
	besideOthers(t)
	i := install(t)
	device, account := visitorAndCustomer(t, i)
	logIn(t, i)
	holds := func(h history, persona string) bool {
		for _, p := range h.Personas {
			if p.Persona == persona {
				return true
			}
		}
		return false
	}
	if h := i.history(t, "user_id", "customer-1"); !holds(h, device) || !holds(h, account) {
		t.Errorf("the merged dossier has the personas %v, want device and account", h.Personas)
	}
	i.must(t, "separate", device, account, "--reason", "another person's tablet")
	i.wait(t)
	if a, b := i.holder(t, device), i.holder(t, account); a != device || b != account {
		t.Errorf("after the split the device is %s and the account %s, want %s and %s", a, b, device, account)
	}
}
