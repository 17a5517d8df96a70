package care

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// tended is a chat without a thread of its own, and a case that the desk keeps, with what agents did about both by another product.
func tended() (contacts []Contact) {
	add := func(minute float64, t schema.Type, fill func(c *Contact)) {
		c := Contact{ID: eventID(uint64(len(contacts) + 1)), At: at(minute), Source: "dossier", Channel: schema.ChannelCRM, Type: t, Persona: persona(1), Actor: schema.ActorAgent, ActorID: "lea"}
		fill(&c)
		contacts = append(contacts, c)
	}
	about := func(c *Contact) { c.state(propAboutSource, "chat"); c.state(propAboutMessage, "c1") }
	on := func(c *Contact) { c.Case = "7"; c.state(propCaseSource, "desk") }
	add(0, schema.TypeMessageReceived, func(c *Contact) {
		c.Source, c.Channel, c.Actor, c.ActorID, c.Message = "chat", schema.ChannelChat, schema.ActorCustomer, "", "c1"
	})
	add(1, schema.TypeCaseOpened, func(c *Contact) { c.Source, c.Case = "desk", "7" })
	add(1, schema.TypeCaseOpened, func(c *Contact) { c.Source, c.Case = "other", "7" }) // another system calls another case so
	add(2, schema.TypeNoteAdded, func(c *Contact) { about(c); c.Note = "angry" })
	add(3, schema.TypeCaseUpdated, func(c *Contact) { about(c); c.state(propOwner, "lea") })
	add(4, schema.TypeTaskAdded, func(c *Contact) { on(c); c.Note = "find it" })                                     // 6
	add(5, schema.TypePromiseMade, func(c *Contact) { on(c); c.Note = "today"; c.state(propDue, at(60).String()) })  // 7
	add(6, schema.TypePromiseMade, func(c *Contact) { on(c); c.Note = "a call"; c.state(propDue, at(90).String()) }) // 8
	add(7, schema.TypePromiseBroken, func(c *Contact) { on(c); c.state(propID, eventID(8).String()) })
	add(8, schema.TypePromiseKept, func(c *Contact) { on(c); c.state(propID, eventID(7).String()) })
	add(9, schema.TypeTaskCompleted, func(c *Contact) { on(c); c.state(propID, eventID(6).String()) })
	add(10, schema.TypeGestureGranted, func(c *Contact) { on(c); c.Amount, c.Currency = "5", "EUR"; c.state(propKind, "voucher") })
	add(11, schema.TypeGestureGranted, func(c *Contact) { on(c); c.Amount, c.Currency = "5", "EUR"; c.state(propKind, "Voucher") })
	add(12, schema.TypeCaseUpdated, func(c *Contact) { on(c); c.state(propOwner, "tom"); c.state(propPriority, "high") })
	return contacts
}

// What agents do shows in the case that they did it for, of whichever system, and in the conversation that no system keeps: in any order, with copies.
func TestAgentsTend(t *testing.T) {
	all := tended()
	rows := Fold(slices.Clone(all), DefaultRules())
	if len(rows.Conversations) != 1 || len(rows.Cases) != 3 {
		t.Fatalf("%d conversations, %d cases", len(rows.Conversations), len(rows.Cases))
	}
	var chat, desk, other *Case
	for i := range rows.Cases {
		switch c := &rows.Cases[i]; {
		case c.Number == "":
			chat = c
		case c.Source == "desk":
			desk = c
		case c.Source == "other":
			other = c
		}
	}
	if chat == nil || desk == nil || other == nil {
		t.Fatalf("%+v", rows.Cases)
	}
	_, _, notes, _, err := ReadDetails(chat.Details)
	if err != nil || len(notes) != 1 || notes[0].Text != "angry" || chat.Owner != "lea" || chat.State != "open" {
		t.Errorf("the chat: %+v, %s, %v", chat, chat.Details, err)
	}
	tasks, promises, _, gestures, err := ReadDetails(desk.Details)
	if err != nil || len(tasks) != 1 || tasks[0].CompletedAt != at(9).String() || desk.TasksOpen != 0 || desk.Owner != "tom" || desk.Priority != "high" {
		t.Errorf("the desk's: %+v, %s, %v", desk, desk.Details, err)
	}
	if len(promises) != 2 || promises[0].State(at(70)) != "kept" || promises[1].State(at(70)) != "broken" || desk.PromisesKept != 1 || desk.PromisesBroken != 1 || desk.PromiseDue != 0 {
		t.Errorf("promises %+v, kept %d, broken %d", promises, desk.PromisesKept, desk.PromisesBroken)
	}
	if len(gestures) != 2 || !slices.Contains(desk.Flags, FlagGestureTwice) || desk.GestureAmounts[0] != "10" {
		t.Errorf("gestures %+v, flags %v", gestures, desk.Flags)
	}
	if len(other.Details) != 0 || other.Owner != "" {
		t.Errorf("the other system's case has taken over: %+v", other)
	}
	// The links hold together what the fold does: every mark is found from what it is about.
	linked := map[Link]bool{}
	for _, l := range all[0].Links(nil) {
		linked[l] = true
	}
	for _, at := range []int{3, 4} {
		if !slices.ContainsFunc(all[at].Links(nil), func(l Link) bool { return linked[l] }) {
			t.Errorf("contact %d shares no link with the chat", at+1)
		}
	}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 4))
		shuffled := slices.Clone(all)
		for range 4 {
			shuffled = append(shuffled, all[r.IntN(len(all))])
		}
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := Fold(shuffled, DefaultRules()); !reflect.DeepEqual(got, rows) {
			t.Fatalf("seed %d: another order gives %+v", seed, got)
		}
	}
	for i := range all {
		back, err := ReadContact(all[i].ID, string(AppendContact(nil, &all[i])))
		if err != nil || !reflect.DeepEqual(back, all[i]) {
			t.Errorf("contact %d is stored as %+v, %v", i, back, err)
		}
	}
}

func TestDelegation(t *testing.T) {
	settings := Settings{
		Limits: map[string]json.Number{"agent": "20", "lead": "2000"}, Roles: map[string]string{"ann": "agent", "lea": "lead", "": "guest"},
		Allowances: map[string]AllowanceSettings{"agent": {Amount: "50", Within: "30d"}, "guest": {Amount: "0", Within: "1d"}},
	}
	r, err := settings.Rules(time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		actor, amount, granted string
		want                   Excess
		left                   string // "-": nothing bounds it
	}{
		{"ann", "20", "0", Within, "20"},
		{"ann", "20.01", "0", OverLimit, "20"},
		{"ann", "10", "40", Within, "10"},
		{"ann", "10.0000000001", "40", OverAllowance, "10"},
		{"ann", "0", "0", NoAmount, "20"},
		{"ann", "-5", "0", NoAmount, "20"},
		{"ann", "1e3", "0", NoAmount, "20"},
		{"ann", "1", "70", OverAllowance, "0"},
		{"lea", "2000", "1000000", Within, "2000"},
		{"lea", "2000.5", "0", OverLimit, "2000"},
		{"somebody", "0.01", "0", OverAllowance, "0"},
	} {
		d := r.Delegation(x.actor)
		left, bounded := d.Remaining(x.granted)
		if got := d.Check(x.amount, x.granted); got != x.want || left != x.left || !bounded {
			t.Errorf("%s grants %s after %s: %v, left %q (bounded %v), want %v and %q", x.actor, x.amount, x.granted, got, left, bounded, x.want, x.left)
		}
	}
	if _, bounded := DefaultRules().Delegation("ann").Remaining("1000"); bounded {
		t.Error("without configuration nothing bounds a gesture")
	}
	for _, bad := range []Settings{
		{Allowances: map[string]AllowanceSettings{"agent": {Amount: "x", Within: "1d"}}}, {Allowances: map[string]AllowanceSettings{"agent": {Amount: "5"}}},
		{Allowances: map[string]AllowanceSettings{"agent": {Amount: "5", Within: "0s"}}}, {Limits: map[string]json.Number{"agent": "-5"}},
	} {
		if _, err := bad.Rules(time.LoadLocation); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// A chat that goes on a day later does not last a day; what the source says of chats at once holds from then on; what it says of its handling counts before.
func TestChatHandling(t *testing.T) {
	handled := func(fill func(contacts []Contact), lines ...string) string {
		contacts := story(schema.ChannelChat, lines...)
		if fill != nil {
			fill(contacts)
		}
		rows := Fold(contacts, DefaultRules())
		if len(rows.Conversations) != 1 {
			t.Fatalf("%d conversations", len(rows.Conversations))
		}
		return minutes(rows.Conversations[0].Handling)
	}
	day := []string{"0 customer", "1 agent", "5 customer", "6 agent", "1441 customer", "1442 agent"}
	for _, x := range []struct {
		want  string
		fill  func(contacts []Contact)
		lines []string
	}{
		{"5", nil, day[:4]},
		{"6", nil, day},
		{"3", func(c []Contact) { c[1].state(propConcurrency, "2") }, day}, // (4 + 1 + 1) / 2
		{"5.5", func(c []Contact) { c[5].state(propConcurrency, "2") }, day},
		{"none", nil, day[:2]},
		{"9", func(c []Contact) { c[5].state(propHandling, "540") }, day},
	} {
		if got := handled(x.fill, x.lines...); got != x.want {
			t.Errorf("%v: %s, want %s", x.lines, got, x.want)
		}
	}
}

// A decision about a post names the charter's rule and tells the author; an appeal is another decision, which tells the first how it ended.
func TestModeration(t *testing.T) {
	post := Contact{ID: eventID(1), At: at(0), Source: "forum", Channel: schema.ChannelForum, Type: schema.TypeMentionPublished, Persona: persona(1), Actor: schema.ActorCustomer, Entity: "p1"}
	decide := func(n uint64, action, notice string) Contact {
		c := Contact{ID: eventID(n), At: at(float64(n)), Source: "forum", Channel: schema.ChannelForum, Type: schema.TypeContentModerated, Persona: persona(1), Actor: schema.ActorAgent, ActorID: "tom", Entity: "p1"}
		c.state(propAction, action)
		c.state(propCharter, "3")
		c.state(propRule, "no insults")
		c.state(propNotice, notice)
		return c
	}
	appeal := decide(3, "restored", "")
	appeal.state(propAppeal, eventID(2).String())
	rows := Fold([]Contact{appeal, decide(2, "hidden", "we hid it"), post}, DefaultRules())
	if len(rows.Cases) != 1 {
		t.Fatalf("%d cases", len(rows.Cases))
	}
	list, err := Moderations(rows.Cases[0].Details)
	if err != nil || len(list) != 2 || list[0].Outcome != "restored" || list[0].Notice != "we hid it" || list[1].AppealOf != eventID(2).String() || len(rows.Cases[0].Flags) != 0 {
		t.Errorf("%+v, flags %v, %v", list, rows.Cases[0].Flags, err)
	}
	bare := decide(4, "removed", "")
	bare.state(propRule, "")
	rows = Fold([]Contact{post, bare}, DefaultRules())
	if got := rows.Cases[0].Flags; !slices.Equal(got, []string{FlagModerationUnfounded, FlagModerationUntold}) {
		t.Errorf("flags %v", got)
	}
}
