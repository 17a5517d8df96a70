package care

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// story makes contacts of lines "MINUTE WHO", all in one thread and, where a case is spoken of, in one case. Who is customer, thanks, agent,
// private (an agent's inner note), bot, ack, or the end of a type's name: offered, answered, abandoned, ended, opened, resolved, reopened, note.
func story(channel schema.Channel, lines ...string) (contacts []Contact) {
	for i, line := range lines {
		var minute float64
		var who string
		if _, err := fmt.Sscan(line, &minute, &who); err != nil {
			panic(err)
		}
		c := Contact{ID: eventID(uint64(i + 1)), At: at(minute), Source: "desk", Channel: channel, Thread: "t", Message: fmt.Sprint("m", i), Persona: persona(1), Actor: schema.ActorAgent, ActorID: "anna"}
		switch who {
		case "customer", "thanks":
			c.Type, c.Actor, c.ActorID, c.Thanks = schema.TypeMessageReceived, schema.ActorCustomer, "", who == "thanks"
		case "agent":
			c.Type = schema.TypeMessageSent
		case "private":
			c.Type = schema.TypeMessageSent
			c.state(propPrivate, "true")
		case "ack":
			c.Type, c.Automatic = schema.TypeMessageSent, true
		case "bot":
			c.Type, c.Actor, c.ActorID = schema.TypeMessageSent, schema.ActorBot, "bot"
		case "offered", "abandoned":
			c.Type, c.Actor, c.ActorID = schema.TypeCallOffered, schema.ActorCustomer, ""
			if who == "abandoned" {
				c.Type = schema.TypeCallAbandoned
			}
		case "answered":
			c.Type = schema.TypeCallAnswered
		case "ended":
			c.Type = schema.TypeCallEnded
		case "note":
			c.Type, c.Case = schema.TypeNoteAdded, "7"
		case "gesture":
			c.Type, c.Case, c.Amount, c.Currency = schema.TypeGestureGranted, "7", "12.5", "EUR"
		case "opened":
			c.Type, c.Case = schema.TypeCaseOpened, "7"
		case "resolved":
			c.Type, c.Case = schema.TypeCaseResolved, "7"
		case "reopened":
			c.Type, c.Case = schema.TypeCaseReopened, "7"
		default:
			panic(who)
		}
		contacts = append(contacts, c)
	}
	return contacts
}

func minutes(s Span) string {
	if s == NoSpan {
		return "none"
	}
	return fmt.Sprint(float64(s) / float64(minute))
}

// tell says in one line what a story came to.
func tell(rows Rows) string {
	var out []string
	for _, c := range rows.Conversations {
		var stretches []string
		for i := range c.AskedAt {
			stretches = append(stretches, minutes(Span(c.RepliedAt[i]-c.AskedAt[i])))
		}
		line := fmt.Sprintf("%s %s first %s stretches %v", c.Kind, c.Outcome, minutes(c.FirstReplyWait), stretches)
		if c.WaitingSince != 0 {
			line += " waiting since " + minutes(Span(c.WaitingSince-at(0)))
		}
		out = append(out, line)
	}
	for _, c := range rows.Cases {
		if !c.Declared {
			continue
		}
		out = append(out, fmt.Sprintf("case %s resolution %s full %s reopens %d contacts %d/%d", c.State, minutes(c.ResolutionWait), minutes(c.FullResolutionWait), c.Reopens, c.ContactsBeforeResolution, c.Contacts))
		if len(c.Flags) > 0 {
			out = append(out, fmt.Sprint(c.Flags))
		}
	}
	for _, c := range rows.Conversations {
		if len(c.Flags) > 0 {
			out = append(out, fmt.Sprint(c.Flags))
		}
	}
	return strings.Join(out, "; ")
}

// What other products get wrong, by their threads' numbers (care-metrics B2 and C), and what a director would check by hand.
func TestStories(t *testing.T) {
	const email, chat, bot, phone = schema.ChannelEmail, schema.ChannelChat, schema.ChannelBot, schema.ChannelPhone
	for name, c := range map[string]struct {
		contacts []Contact
		want     string
	}{
		"Chatwoot #13312, #6409: a bot's answer is none": {
			story(email, "0 customer", "1 bot", "30 agent"), "messages answered first 30 stretches [30]"},
		"an acknowledgement is none": {
			story(email, "0 customer", "1 ack"), "messages waiting first none stretches [] waiting since 0"},
		"Chatwoot #12058: after the bot, the clock begins when a human is asked for": {
			append(story(bot, "0 customer", "0.1 bot", "2 customer"), func() Contact { c := story(chat, "10 agent")[0]; c.ID = eventID(9); return c }()),
			"messages answered first 8 stretches [8]"},
		"a bot alone keeps no clock": {
			story(bot, "0 customer", "0.1 bot"), "bot contained first none stretches []"},
		"Plain: who writes first does not answer": {
			story(email, "0 agent", "10 customer", "15 agent"), "messages answered first 5 stretches [5]"},
		"Zammad #3410: from the earliest unanswered word to the first answer": {
			story(email, "0 customer", "5 customer", "20 agent", "25 agent", "40 customer", "41 agent"), "messages answered first 20 stretches [20 1]"},
		"an inner note answers nobody": {
			story(email, "0 customer", "3 private", "9 agent"), "messages answered first 9 stretches [9]"},
		"Chatwoot #10178: nothing is owed after the resolution": {
			story(email, "0 customer", "1 opened", "10 agent", "20 customer", "31 resolved"), "messages closed first 10 stretches [10]; case resolved resolution 30 full 30 reopens 0 contacts 2/2"},
		"thanks open nothing": {
			story(email, "0 customer", "1 opened", "10 agent", "31 resolved", "40 thanks"), "messages answered first 10 stretches [10]; case resolved resolution 30 full 30 reopens 0 contacts 1/1"},
		"who writes after the resolution opens the case until answered": {
			story(email, "0 customer", "1 opened", "10 agent", "31 resolved", "60 customer"), "messages waiting first 10 stretches [10] waiting since 60; case reopened resolution 30 full none reopens 1 contacts 1/2"},
		"and then it is resolved again": {
			story(email, "0 customer", "1 opened", "10 agent", "31 resolved", "60 customer", "71 agent"), "messages answered first 10 stretches [10 11]; case resolved resolution 30 full 70 reopens 1 contacts 1/2"},
		"the source says so, too: one reopening": {
			story(email, "0 customer", "1 opened", "10 agent", "31 resolved", "60 customer", "61 reopened", "71 agent", "91 resolved"), "messages answered first 10 stretches [10 11]; case resolved resolution 30 full 90 reopens 1 contacts 1/2"},
		"Chatwoot #3570, #7679: a later note does not move the resolution": {
			story(email, "0 customer", "1 opened", "10 agent", "31 resolved", "900 note"), "messages answered first 10 stretches [10]; case resolved resolution 30 full 30 reopens 0 contacts 1/1"},
		"Chatwoot #7978: an answer counts whoever gave it, and with nobody assigned": {
			func() []Contact { c := story(email, "0 customer", "7 agent"); c[1].ActorID = ""; return c }(), "messages answered first 7 stretches [7]"},
		"resolved before it was opened": {
			story(email, "0 customer", "10 agent", "20 resolved", "31 opened"), "messages answered first 10 stretches [10]; case resolved resolution none full none reopens 0 contacts 1/1; [resolved_before_opened]"},
		"resolved without having been opened": {
			story(email, "0 customer", "10 agent", "20 resolved"), "messages answered first 10 stretches [10]; case resolved resolution 20 full 20 reopens 0 contacts 1/1; [never_opened]"},
		"a call": {
			story(phone, "0 offered", "2 answered", "9 ended"), "call answered first 2 stretches [2]"},
		"a call that is given up": {
			story(phone, "0 offered", "2 abandoned"), "call abandoned first none stretches []"},
		"a call that is given up at once": {
			story(phone, "0 offered", "0.05 abandoned"), "call short_abandon first none stretches []"},
		"a call that ends before it begins": {
			story(phone, "0 offered", "9 answered", "2 ended"), "call answered first 9 stretches [9]; [end_before_start]"},
	} {
		if got := tell(Fold(c.contacts, DefaultRules())); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// A reply a second late is a miss; Zammad #5177: a smaller target of later replies does not overrule the first.
func TestDue(t *testing.T) {
	rules := DefaultRules()
	rules.Targets = []Target{{FirstReply: 4 * hour, NextReply: hour, Resolution: 8 * hour}}
	contacts := story(schema.ChannelEmail, "0 customer", "1 opened", "240 agent", "300 customer")
	rows := Fold(contacts, rules)
	c, d := rows.Conversations[0], rows.Cases[0]
	if c.FirstReplyDue != at(240) || c.FirstReplyAt > c.FirstReplyDue || c.NextReplyDue != at(360) || d.NextReplyDue != at(360) || d.ResolutionDue != at(481) {
		t.Errorf("got %+v\n%+v", c, d)
	}
	contacts[2].At += second
	if c := Fold(contacts, rules).Conversations[0]; c.FirstReplyAt <= c.FirstReplyDue {
		t.Error("a reply a second late is in time")
	}
}

// Surveys: the latest answer counts, what is no answer on its scale has no rating, employees are apart, and what it is about is found.
func TestSurveys(t *testing.T) {
	answer := func(n uint64, minute float64, entity, rating, scale, survey string) Contact {
		c := Contact{ID: eventID(n), At: at(minute), Type: schema.TypeSurveyAnswered, Source: "polls", Channel: schema.ChannelSurvey, Actor: schema.ActorCustomer, Entity: entity, Rating: rating, Scale: scale, Thread: "t"}
		c.state(propSurvey, survey)
		return c
	}
	contacts := append(story(schema.ChannelChat, "0 customer", "3 agent"),
		answer(20, 60, "a", "9", "0-10", "nps"), answer(21, 70, "a", "6", "0-10", "nps"), answer(22, 60, "b", "12", "0-10", "NPS-2026"),
		answer(23, 60, "c", "good", "1-5", "csat"), answer(24, 60, "d", "6", "", "ces"), answer(25, 60, "e", "4", "stars", "csat"), answer(26, 60, "f", "8", "", "enps"))
	var got []string
	for _, s := range Fold(contacts, DefaultRules()).Surveys {
		got = append(got, fmt.Sprintf("%s %s %s [%s,%s] %d %s %v %v", s.Survey, s.Instrument, s.Rating, s.ScaleLow, s.ScaleHigh, s.Answers, s.Channel, s.Employee, s.Flags))
	}
	want := []string{
		"a nps 6 [0,10] 2 chat false [answered_twice]", "b nps  [0,10] 1 chat false [rating_out_of_range]", "c csat  [1,5] 1 chat false [rating_not_a_number]",
		"d ces 6 [1,7] 1 chat false []", "e csat 4 [,] 1 chat false [scale_unknown]", "f enps 8 [0,10] 1 chat true []",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Promises, tasks and gestures of a case; a circle of parents; cases that were merged.
func TestCases(t *testing.T) {
	contacts := story(schema.ChannelEmail, "0 customer", "1 opened", "10 agent", "12 gesture", "14 gesture")
	mark := func(n uint64, minute float64, kind schema.Type, id string, due float64) Contact {
		c := Contact{ID: eventID(n), At: at(minute), Type: kind, Source: "desk", Case: "7", Actor: schema.ActorAgent, ActorID: "anna"}
		c.state(propID, id)
		if due > 0 {
			c.state(propDue, at(due).String())
		}
		return c
	}
	contacts = append(contacts,
		mark(20, 11, schema.TypePromiseMade, "call", 60), mark(21, 12, schema.TypePromiseMade, "parcel", 90), mark(22, 13, schema.TypePromiseMade, "refund", 500),
		mark(23, 59, schema.TypePromiseKept, "call", 0), mark(24, 95, schema.TypePromiseKept, "parcel", 0),
		mark(25, 20, schema.TypeTaskAdded, "a", 0), mark(26, 21, schema.TypeTaskAdded, "b", 0), mark(27, 22, schema.TypeTaskCompleted, "a", 0))
	d := Fold(contacts, DefaultRules()).Cases[0]
	if d.Promises != 3 || d.PromisesKept != 1 || d.PromisesBroken != 1 || d.PromiseDue != at(500) || d.Tasks != 2 || d.TasksOpen != 1 || d.Gestures != 2 || d.OnceAndDone != Yes ||
		!slices.Equal(d.GestureAmounts, []string{"25"}) || !slices.Equal(d.GestureCurrencies, []string{"EUR"}) {
		t.Errorf("got %+v", d)
	}
	circle := story(schema.ChannelEmail, "0 customer", "1 agent")
	circle[0].Parent, circle[1].Parent = "m1", "m0"
	if c := Fold(circle, DefaultRules()).Conversations[0]; !slices.Contains(c.Flags, FlagCircularParent) {
		t.Errorf("a circle is not seen: %+v", c)
	}
	into := func(n uint64, from, to string) Contact {
		c := mark(n, float64(100+n), schema.TypeCaseMerged, "", 0)
		c.Case = from
		c.state(propMergedInto, to)
		return c
	}
	opened := mark(30, 2, schema.TypeCaseOpened, "", 0)
	opened.Case = "8"
	rows := Fold(append(story(schema.ChannelEmail, "0 customer", "1 opened"), opened, into(31, "7", "8")), DefaultRules())
	states := map[string]string{}
	for _, c := range rows.Cases {
		states[c.Number] = fmt.Sprint(c.State, " ", c.WaitingSince == at(0))
	}
	if states["7"] != "merged false" || states["8"] != "open true" {
		t.Errorf("after a merge: %v", states)
	}
	rows = Fold(append(story(schema.ChannelEmail, "0 customer", "1 opened"), opened, into(31, "7", "8"), into(32, "8", "7")), DefaultRules())
	for _, c := range rows.Cases {
		if c.State == "merged" || !slices.Contains(c.Flags, FlagCircularMerge) {
			t.Errorf("merged in a circle: %+v", c)
		}
	}
}

// Zammad #5809, #4923, Freshdesk 50000000041: a case that goes into another one loses neither its contacts nor its times.
func TestMergedCaseKeepsItsFigures(t *testing.T) {
	contacts := story(schema.ChannelEmail, "0 customer", "1 opened", "12 agent", "20 customer", "21 agent")
	mark := func(n uint64, minute float64, kind schema.Type, number string) Contact {
		return Contact{ID: eventID(n), At: at(minute), Type: kind, Source: "desk", Case: number, Actor: schema.ActorAgent, ActorID: "anna"}
	}
	into := mark(31, 30, schema.TypeCaseMerged, "7")
	into.state(propMergedInto, "8")
	rows := Fold(append(contacts, mark(30, 2, schema.TypeCaseOpened, "8"), into), DefaultRules())
	c := rows.Conversations[0]
	if c.FirstReplyWait != 12*minute || len(c.AskedAt) != 2 || c.RepliedAt[1]-c.AskedAt[1] != schema.Instant(minute) {
		t.Errorf("the conversation came to %+v", c)
	}
	for _, d := range rows.Cases {
		if d.Number == "7" && (d.State != "merged" || d.Contacts != 2 || d.FirstReplyWait != 12*minute || d.Inbound != 2 || d.Outbound != 2) {
			t.Errorf("the merged case came to %+v", d)
		}
	}
}

// Zammad #4516, #2579: without a target there is no deadline, and nothing that could be missed.
func TestNoTargetNoDeadline(t *testing.T) {
	rules := DefaultRules()
	rules.Targets = []Target{{Channel: "email", FirstReply: NoSpan, NextReply: NoSpan, Resolution: NoSpan}}
	rows := Fold(story(schema.ChannelEmail, "0 customer", "1 opened", "9000 agent", "9001 customer"), rules)
	c, d := rows.Conversations[0], rows.Cases[0]
	if c.FirstReplyDue != 0 || c.NextReplyDue != 0 || c.ReplyDue[0] != 0 || d.ResolutionDue != 0 || d.NextReplyDue != 0 || len(rules.Alerts(&d)) != 0 {
		t.Errorf("got %+v\n%+v\n%+v", c, d, rules.Alerts(&d))
	}
	if c.FirstReplyWait != 9000*minute {
		t.Errorf("first reply after %d", c.FirstReplyWait)
	}
}

func TestOnlyThanks(t *testing.T) {
	for text, want := range map[string]bool{
		"Merci beaucoup pour votre réponse rapide, c'est parfait.": true, "Super, merci !": true, "Merci Sophie, problème réglé.": true,
		"Bien reçu, je vous remercie de votre aide.": true, "C'est noté, merci et bonne journée.": true, "Parfait. Je vous remercie pour votre efficacité.": true,
		"Brilliant, thank you so much for sorting this.": true, "Thanks Anna, much appreciated.": true, "That's great, thank you for the quick reply.": true,
		"Lovely, thanks for your help.": true, "Thank you, that puts my mind at rest.": true, "Cheers, all sorted now.": true,
		"Merci, mais le colis n'est toujours pas là.": false, "Merci de me rappeler demain": false, "Thanks, but it still does not work": false, "Thanks. When will it arrive?": false,
		"Thanks for nothing": false, "Je veux un remboursement": false, "": false, "Bonjour": false,
	} {
		if got := OnlyThanks(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// What weighs, and what it may never do: a critical case is first, an overdue one before those that are not, whoever the customer is.
func TestPriority(t *testing.T) {
	w := DefaultWeights()
	critical := w.Prioritise(Inputs{Criticality: 1})
	late := w.Prioritise(Inputs{Criticality: .1, Wait: 1.2})
	star := w.Prioritise(Inputs{Criticality: .3, Wait: .9, Value: 1, Social: 1})
	if critical.Lane != LaneCritical || late.Lane != LaneOverdue || star.Lane != LaneOpen {
		t.Errorf("lanes %v %v %v", critical.Lane, late.Lane, star.Lane)
	}
	// .55 × .3 + .20 × .9 + .15 + .10 = .595
	if star.Score != 59.5 || star.Reason != "wait" {
		t.Errorf("got %+v", star)
	}
	if rich := w.Prioritise(Inputs{Criticality: .1, Wait: 1.2, Value: 1, Social: 1}); rich.Score != late.Score {
		t.Error("value moves what is overdue")
	}
}

// A change of calendar or target measures what begins after it. What began before keeps what was in force, unless the new section restates it.
func TestRulesSucceed(t *testing.T) {
	rules := func(hours string, restate bool) *Rules {
		always := map[string][]string{}
		for day := range weekdays {
			always[day] = []string{"00:00-24:00"}
		}
		r, err := Settings{
			Calendars: map[string]CalendarSettings{"c" + hours: {Zone: "UTC", Week: always}},
			Targets:   []TargetSettings{{Calendar: "c" + hours, FirstReply: hours, NextReply: hours}}, Restate: restate,
		}.Rules(time.LoadLocation)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	contacts := story(schema.ChannelEmail, "0 customer", "30 agent", "200 customer", "230 agent", "400 customer")
	due := func(r *Rules) string {
		c := Fold(contacts, r).Conversations[0]
		name, _, _ := strings.Cut(c.Calendar, "@")
		return fmt.Sprintf("%s first +%s then +%s waiting +%s", name, minutes(Span(c.FirstReplyDue-at(0))), minutes(Span(c.ReplyDue[1]-at(200))), minutes(Span(c.NextReplyDue-at(400))))
	}
	first, second, third := Enacted{at(150), rules("1h", false)}, Enacted{at(300), rules("2h", false)}, Enacted{at(350), rules("3h", true)}
	none := Enacted{at(10), DefaultRules()}
	for name, c := range map[string]struct {
		history []Enacted
		want    string
	}{
		"the first counts for what was before it":   {[]Enacted{none, first}, "c1h first +60 then +60 waiting +60"},
		"the second counts from its instant on":     {[]Enacted{none, first, second}, "c1h first +60 then +60 waiting +120"},
		"the same again is no change":               {[]Enacted{first, {at(220), first.Rules}}, "c1h first +60 then +60 waiting +60"},
		"what restates counts for everything":       {[]Enacted{first, second, third}, "c3h first +180 then +180 waiting +180"},
		"what comes after a restating one is later": {[]Enacted{first, third, {at(390), second.Rules}}, "c3h first +180 then +180 waiting +120"},
	} {
		if got := due(Succeeding(c.history)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if a, b := Succeeding([]Enacted{first}).Version, Succeeding([]Enacted{none, first}).Version; a != first.Rules.Version || b != a {
		t.Error("rules without earlier ones have another version than their own")
	}
	if a, b := Succeeding([]Enacted{first, second}).Version, Succeeding([]Enacted{first, {at(301), second.Rules}}).Version; a == b || a == second.Rules.Version {
		t.Error("the version does not tell what is measured by what")
	}
}
