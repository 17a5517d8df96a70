package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// keptCase is a case as GraphQL shows it.
type keptCase struct {
	ID, Case, State, Owner, Team, NextStep, Theme, Resolution string
	Complaint                                                 bool
	Tasks                                                     []struct{ Event, Text, CompletedAt string }
	Notes                                                     []struct{ Text, By string }
	Gestures                                                  []struct{ Kind, Amount, Currency, Reason string }
	Promises                                                  struct {
		Made, Kept, Broken int
		List               []struct{ Event, Text, State string }
	}
	Moderations []struct{ Event, Notice, Outcome string }
	Flags       []string
}

const caseFields = `id case state owner team nextStep theme resolution complaint tasks { event text completedAt } notes { text by } gestures { kind amount currency reason }
 promises { made kept broken list { event text state } } moderations { event notice outcome } flags`

// TestAgentsAtWork: what an agent does for a customer is an event each, and shows in the dossier, the case, the inbox and the export; refusals say why; a
// deadline that passes raises an alert, once, which a webhook gets signed; a restart changes nothing.
func TestAgentsAtWork(t *testing.T) {
	besideOthers(t)
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	var mu sync.Mutex
	got := map[string]int{}
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		verify, bad := standardwebhooks.NewWebhook(secret)
		if err != nil || bad != nil || verify.Verify(body, r.Header) != nil {
			t.Errorf("not signed: %v %v", err, bad)
		}
		var m struct {
			Type        string
			Data        struct{ Rule, DueAt string }
			Explanation struct{ En, Fr string }
		}
		if err := json.Unmarshal(body, &m); err != nil || m.Type != "alert.raised" || !strings.Contains(m.Explanation.En, m.Data.DueAt) || !strings.Contains(m.Explanation.Fr, "dépassée") {
			t.Errorf("%s: %v", body, err)
		}
		mu.Lock()
		defer mu.Unlock()
		got[r.Header.Get("Webhook-Id")]++
	}))
	defer hook.Close()
	i := install(t)
	if err := os.WriteFile(filepath.Join(i.data, "keys", "CARE_ALERTS"), []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "care.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, `
care:
  targets:
    - {channel: social, firstReply: 2s}
  limits: {agent: 20}
  allowances: {agent: {amount: 30, within: 30d}}
  roles: {test: agent}
  alerts:
    near: 0s
    webhooks:
      desk: {url: "%s/alerts", secrets: ["secret:CARE_ALERTS"], rules: [deadline_missed], private: true}
`, hook.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	i.must(t, "config", "apply", path)
	i.send(t, basic(i.WriteKey),
		json.RawMessage(`{"type":"message.received","source":"helpdesk","channel":"email","messageId":"h1","occurredAt":"2026-03-01T08:00:00Z","conversation":"h-1","case":"4711","account":{"kind":"crm_id","value":"anna"},"identifiers":{"email":"anna@example.com"},"text":"Where is it?"}`),
		json.RawMessage(`{"type":"case.opened","source":"helpdesk","channel":"email","messageId":"h2","occurredAt":"2026-03-01T08:00:01Z","conversation":"h-1","case":"4711","account":{"kind":"crm_id","value":"anna"},"properties":{"theme":"delivery"}}`),
		json.RawMessage(`{"type":"message.received","source":"chat","channel":"chat","messageId":"c1","occurredAt":"2026-03-01T09:00:00Z","userId":"anna-web","identifiers":{"email":"anna@example.com"},"text":"hello?"}`))
	i.send(t, basic(i.ClientKey),
		json.RawMessage(`{"type":"message.received","channel":"chat","messageId":"v1","occurredAt":"2026-03-01T10:00:00Z","userId":"zoe","traits":{"first_name":"Zoe"},"identifiers":{"email":"zoe@example.com"},"text":"help"}`))
	i.wait(t)
	var agent struct{ Secret string }
	if err := json.Unmarshal([]byte(i.must(t, "tokens", "create", "--name", "agent", "--actor", "test", "--scope", "care", "--scope", "read", "--scope", "unmask")), &agent); err != nil {
		t.Fatal(err)
	}
	type seen struct {
		Profile          struct{ ID string }
		GoldenRecord     []struct{ Name, Value string }
		OpenCases, Cases []keptCase
		LastContacts     []struct {
			Channel, Reason, Outcome string
			Promises                 []struct{ Text, State string }
		}
		Timeline struct{ TotalCount int }
	}
	look := func(email string) seen {
		t.Helper()
		var answer struct{ Dossiers []seen }
		i.query(t, `query($e: String!) { dossiers(identifier: {kind: "email", value: $e}) { profile { id } goldenRecord { name value } openCases { `+caseFields+` } cases { `+caseFields+` }
 lastContacts { channel reason outcome promises { text state } } timeline(first: 0) { totalCount } } }`, map[string]any{"e": email}, &answer)
		if len(answer.Dossiers) != 1 {
			t.Fatalf("%d people own %s", len(answer.Dossiers), email)
		}
		return answer.Dossiers[0]
	}
	find := func(list []keptCase, number string) keptCase {
		t.Helper()
		at := slices.IndexFunc(list, func(c keptCase) bool { return c.Case == number })
		if at < 0 {
			t.Fatalf("no case %q in %+v", number, list)
		}
		return list[at]
	}
	act := func(mutation string, variables map[string]any) (event string, c keptCase, code string) {
		t.Helper()
		declared := ""
		for _, name := range []string{"c", "p", "of"} {
			if variables[name] != nil {
				declared += "$" + name + ": ID! "
			}
		}
		var answer struct {
			Done struct {
				Event string
				Case  keptCase
			}
		}
		document := "mutation(" + declared + ") { done: " + mutation + " { event case { " + caseFields + " } } }"
		if errs := i.ask(t, agent.Secret, document, variables, &answer); len(errs) > 0 {
			return "", keptCase{}, errs[0].Extensions.Code + ": " + errs[0].Message
		}
		return answer.Done.Event, answer.Done.Case, ""
	}
	must := func(mutation string, variables map[string]any) (string, keptCase) {
		t.Helper()
		event, c, code := act(mutation, variables)
		if code != "" {
			t.Fatalf("%s: %s", mutation, code)
		}
		return event, c
	}
	anna := look("anna@example.com")
	desk, chat := find(anna.OpenCases, "4711"), find(anna.OpenCases, "")
	type opened struct {
		ID, Case, Profile string
		Priority          struct{ Lane string }
	}
	var waiting []opened
	if err := json.Unmarshal([]byte(i.must(t, "inbox", "--json")), &waiting); err != nil {
		t.Fatal(err)
	}
	if at := slices.IndexFunc(waiting, func(w opened) bool { return w.ID == desk.ID }); at < 0 || waiting[at].Case != "4711" || waiting[at].Profile != anna.Profile.ID || waiting[at].Priority.Lane != "overdue" {
		t.Errorf("the inbox is %+v", waiting)
	}
	if out := i.dossier(t, "inbox", "--first", "1", "--weights", "0.1,0.9,0,0"); out.code != 0 || !strings.Contains(out.stdout, "LANE") || !strings.Contains(out.stderr, "--after ") {
		t.Errorf("the first of the inbox: %d %s %s", out.code, out.stdout, out.stderr)
	}
	if out := i.dossier(t, "inbox", "--weights", "1,2"); out.code != 2 {
		t.Errorf("two weights: %d %s", out.code, out.stderr)
	}
	on := func(c keptCase) map[string]any { return map[string]any{"c": c.ID} }

	_, c := must(`assignCase(case: $c, to: {owner: "lea", team: "returns"}, reason: "her customer", idempotencyKey: "1")`, on(desk))
	if c.Case != "4711" || c.Owner != "lea" || c.Team != "returns" || c.Theme != "delivery" {
		t.Errorf("assigned: %+v", c)
	}
	must(`planNextStep(case: $c, step: "call her", dueAt: "2026-03-02T16:00:00Z", reason: "asked to", idempotencyKey: "2")`, on(desk))
	task, _ := must(`addTask(case: $c, text: "find the parcel", reason: "lost", idempotencyKey: "3")`, on(desk))
	_, c = must(`completeTask(case: $c, task: "`+task+`", reason: "found", idempotencyKey: "4")`, on(desk))
	if len(c.Tasks) != 1 || c.Tasks[0].CompletedAt == "" || c.NextStep != "call her" {
		t.Errorf("a task is done: %+v", c)
	}
	again, _ := must(`completeTask(case: $c, task: "`+task+`", reason: "found", idempotencyKey: "4")`, on(desk))
	if once, _ := must(`completeTask(case: $c, task: "`+task+`", reason: "found", idempotencyKey: "4")`, on(desk)); once != again {
		t.Errorf("one key, two events: %s and %s", once, again)
	}
	made, _ := must(`promise(case: $c, promise: {text: "by Tuesday", dueAt: "2099-03-03T08:00:00Z"}, reason: "the carrier", idempotencyKey: "5")`, on(desk))
	must(`promise(case: $c, promise: {text: "a call", dueAt: "2099-03-04T08:00:00Z"}, reason: "asked", idempotencyKey: "6")`, on(desk))
	must(`promise(case: $c, promise: {state: "kept", of: "`+made+`"}, reason: "it came", idempotencyKey: "7")`, on(desk))
	_, c = must(`promise(case: $c, promise: {state: "broken"}, reason: "no line", idempotencyKey: "8")`, on(desk))
	if c.Promises.Made != 2 || c.Promises.Kept != 1 || c.Promises.Broken != 1 {
		t.Errorf("promises: %+v", c.Promises)
	}
	_, c = must(`grantGesture(case: $c, gesture: {kind: "refund", amount: "18", currency: "EUR"}, reason: "the delay", idempotencyKey: "9")`, on(desk))
	if len(c.Gestures) != 1 || c.Gestures[0].Amount != "18" || c.Gestures[0].Reason != "the delay" {
		t.Errorf("a gesture: %+v", c.Gestures)
	}
	_, c = must(`addNote(case: $c, text: "très fâchée", reason: "so she sounds", idempotencyKey: "10")`, on(chat))
	if c.Case != "" || len(c.Notes) != 1 || c.Notes[0].Text != "très fâchée" || c.Notes[0].By != "test" {
		t.Errorf("a note on a conversation that is in no case: %+v", c)
	}
	of := map[string]any{"p": anna.Profile.ID, "of": chat.ID}
	_, c = must(`recordCase(profile: $p, case: {text: "chat about the parcel", of: $of, theme: "delivery", priority: "high", complaint: true}, reason: "serious", idempotencyKey: "11")`, of)
	if !strings.HasPrefix(c.Case, "D-") || !c.Complaint || len(c.Notes) != 1 || c.State != "open" {
		t.Errorf("a case of the conversation: %+v", c)
	}

	hidden, _ := must(`moderateContent(case: $c, decision: {action: "hidden", charter: "3", rule: "no insults", notice: "we hid it"}, reason: "insult", idempotencyKey: "m1")`, on(chat))
	appeal := `moderateContent(case: $c, decision: {action: "restored", charter: "3", rule: "no insults", appealOf: "` + hidden + `"}, reason: "irony", idempotencyKey: "m2")`
	_, c = must(appeal, on(chat))
	if once, _ := must(appeal, on(chat)); len(c.Moderations) != 2 || c.Moderations[0].Outcome != "restored" || c.Moderations[0].Notice != "we hid it" || c.Moderations[1].Event != once {
		t.Errorf("content was moderated: %+v", c.Moderations)
	}

	for mutation, want := range map[string]string{
		`completeTask(case: $c, task: "` + task + `", reason: "found", idempotencyKey: "r1")`:                                     "CONFLICT",
		`addTask(case: $c, text: "another", reason: "lost", idempotencyKey: "3")`:                                                 "CONFLICT",
		`grantGesture(case: $c, gesture: {kind: "Refund", amount: "1", currency: "EUR"}, reason: "r", idempotencyKey: "r2")`:      "ALREADY_GRANTED",
		`grantGesture(case: $c, gesture: {kind: "voucher", amount: "20.01", currency: "EUR"}, reason: "r", idempotencyKey: "3r")`: "OVER_LIMIT",
		`grantGesture(case: $c, gesture: {kind: "voucher", amount: "13", currency: "EUR"}, reason: "r", idempotencyKey: "r4")`:    "OVER_LIMIT", // 18 of 30 are granted
		`grantGesture(case: $c, gesture: {kind: "voucher", amount: "x", currency: "EUR"}, reason: "r", idempotencyKey: "r5")`:     "BAD_USER_INPUT",
		`promise(case: $c, promise: {state: "kept"}, reason: "r", idempotencyKey: "r6")`:                                          "BAD_USER_INPUT",
		`promise(case: $c, promise: {state: "kept", of: "` + task + `"}, reason: "r", idempotencyKey: "r7")`:                      "BAD_USER_INPUT",
	} {
		if _, _, code := act(mutation, on(desk)); !strings.HasPrefix(code, want) {
			t.Errorf("%s: %q, want %s", mutation, code, want)
		}
	}
	if _, _, code := act(`addTask(case: $c, text: "x", reason: "r", idempotencyKey: "r8")`, map[string]any{"c": "case:" + anna.Profile.ID + ":" + made[:len(made)-4] + "0000"}); !strings.HasPrefix(code, "UNKNOWN_IDENTIFIER") {
		t.Errorf("no such case: %q", code)
	}
	var may struct {
		Delegation struct {
			Role, Limit, RemainingElsewhere string
			Remaining                       []struct{ Amount, Currency string }
		}
	}
	if errs := i.ask(t, agent.Secret, `{ delegation { role limit remaining { amount currency } remainingElsewhere } }`, nil, &may); len(errs) > 0 {
		t.Errorf("%+v", errs)
	}
	if d := may.Delegation; d.Role != "agent" || d.Limit != "20" || len(d.Remaining) != 1 || d.Remaining[0].Amount != "12" || d.RemainingElsewhere != "20" {
		t.Errorf("the delegation that is left: %+v", d)
	}

	// Somebody whom only a public key knows keeps name and contact points.
	zoe := look("zoe@example.com")
	must(`addNote(profile: $p, text: "calls back", reason: "said so", idempotencyKey: "12")`, map[string]any{"p": zoe.Profile.ID})
	must(`assignCase(case: $c, to: {owner: "tom"}, reason: "free", idempotencyKey: "13")`, on(find(zoe.OpenCases, "")))
	if after := look("zoe@example.com"); len(after.GoldenRecord) != len(zoe.GoldenRecord) || after.Profile.ID != zoe.Profile.ID || after.Timeline.TotalCount != zoe.Timeline.TotalCount+2 || find(after.OpenCases, "").Owner != "tom" {
		t.Errorf("before %+v, after %+v", zoe, after)
	}

	// The deadline of a message passes.
	now := time.Now().UTC()
	i.send(t, basic(i.WriteKey), json.RawMessage(fmt.Sprintf(
		`{"type":"message.received","source":"social","channel":"social","messageId":"s1","occurredAt":%q,"mention":"@us","account":{"kind":"twitter_id","value":"77"},"text":"hello?"}`, now.Format(time.RFC3339Nano))))
	type alerts struct {
		Alerts struct {
			Edges []struct {
				Node struct {
					ID, Rule, Of, DueAt, Explanation string
					Case                             *struct{ ID string }
				}
			}
		}
	}
	read := func() (a alerts) {
		i.query(t, `{ alerts(rules: ["deadline_missed"]) { edges { node { id rule of dueAt explanation(language: "fr") case { id } } } } }`, nil, &a)
		return a
	}
	deadline := time.Now().Add(30 * time.Second)
	sent := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		return len(got)
	}
	for len(read().Alerts.Edges) == 0 || sent() == 0 {
		if time.Now().After(deadline) {
			t.Fatalf("alerts %+v, %d sent", read(), sent())
		}
		time.Sleep(100 * time.Millisecond)
	}
	raised := read()
	if n := raised.Alerts.Edges[0].Node; len(raised.Alerts.Edges) != 1 || n.Of != "reply" || n.Case == nil || !strings.Contains(n.Explanation, n.DueAt) {
		t.Errorf("%+v", raised)
	}

	before := i.digest(t)
	i.down(t)
	i.up(t)
	i.read(t)
	i.wait(t)
	if after := i.digest(t); after != before {
		t.Errorf("a restart changes the digest:\n%s\n%s", before, after)
	}
	anna = look("anna@example.com")
	if c := find(anna.Cases, "4711"); c.Owner != "lea" || len(c.Gestures) != 1 || c.Promises.Kept != 1 || len(c.Tasks) != 1 {
		t.Errorf("after a restart: %+v", c)
	}
	if len(anna.LastContacts) != 2 || anna.LastContacts[0].Channel != "chat" || anna.LastContacts[1].Reason != "delivery" || len(anna.LastContacts[1].Promises) != 2 {
		t.Errorf("last contacts: %+v", anna.LastContacts)
	}
	time.Sleep(2500 * time.Millisecond) // two looks of the role
	if again := read(); len(again.Alerts.Edges) != 1 || again.Alerts.Edges[0].Node.ID != raised.Alerts.Edges[0].Node.ID || sent() != 1 {
		t.Errorf("after a restart %+v, %v sent", again, got)
	}
	cases := 0
	export(t, i, "cases", func(line struct {
		Row    string
		Values struct{ Details string }
	}) {
		if line.Row == "case" && strings.Contains(line.Values.Details, "find the parcel") && strings.Contains(line.Values.Details, "by Tuesday") {
			cases++
		}
	})
	if cases != 1 {
		t.Errorf("%d cases of the export have what the agent did", cases)
	}
	// Who is linked is one customer in every answer and figure; released, everything is as it was, to the byte.
	figures := func() string {
		out := i.must(t, "export", "cases")
		var answer struct{ Metrics json.RawMessage }
		i.query(t, `{ metrics { metric(name: "firstReply", of: {now: "2099-01-01T00:00:00Z"}) { value n people open parts { name value } exclusions { reason n } } } }`, nil, &answer)
		return out + string(answer.Metrics)
	}
	for n := range 5 { // figures of fewer than five people are hidden
		i.send(t, basic(i.WriteKey), json.RawMessage(fmt.Sprintf(
			`{"type":"message.received","source":"chat","channel":"chat","messageId":"w%d","occurredAt":"2026-03-01T11:00:00Z","userId":"walk-in-%d","text":"hello?"}`, n, n)))
	}
	i.wait(t)
	told, people := figures(), i.exports(t)
	open := len(anna.OpenCases) + len(look("zoe@example.com").OpenCases)
	var link struct{ Done struct{ Event string } }
	i.query(t, linking, map[string]any{"a": anna.Profile.ID, "b": zoe.Profile.ID, "reason": "one household card", "key": "link"}, &link)
	if one := look("zoe@example.com"); one.Profile.ID != look("anna@example.com").Profile.ID || len(one.OpenCases) != open {
		t.Errorf("linked, the customer has %d open cases, want %d", len(one.OpenCases), open)
	}
	if linked := figures(); linked == told {
		t.Error("a link restates nothing")
	}
	i.query(t, releasing, map[string]any{"of": link.Done.Event, "reason": "two people", "key": "release"}, &struct{}{})
	if released := figures(); released != told {
		t.Errorf("released, the figures are\n%s\nthey were\n%s", released, told)
	}
	i.sameExports(t, people)
	// Without the scope nothing is done.
	if errs := i.ask(t, i.newToken(t, "read"), `mutation($c: ID!) { addNote(case: $c, text: "x", reason: "r", idempotencyKey: "f") { event } }`, on(desk), nil); len(errs) != 1 || errs[0].Extensions.Code != "FORBIDDEN" {
		t.Errorf("%+v", errs)
	}
}
