package care

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

// at is an instant so many minutes after the beginning of the tests' time, Monday 2026-03-02 09:00 in UTC.
func at(minutes float64) schema.Instant {
	return schema.Instant(1_772_442_000_000_000 + minutes*60e6)
}

func eventID(n uint64) (id schema.EventID) {
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

func persona(n byte) (id schema.PersonaID) {
	id[15] = n
	return id
}

// random makes contacts that meet in every way: threads, references, posts, calls, cases of two sources, surveys, copies.
func random(r *rand.Rand, n int) []Contact {
	types := []schema.Type{
		schema.TypeMessageReceived, schema.TypeMessageReceived, schema.TypeMessageReceived, schema.TypeMessageSent, schema.TypeMessageSent, schema.TypeCallOffered, schema.TypeCallAnswered,
		schema.TypeCallEnded, schema.TypeCallAbandoned, schema.TypeCaseOpened, schema.TypeCaseResolved, schema.TypeCaseReopened, schema.TypeCaseMerged, schema.TypeGestureGranted,
		schema.TypeSurveyAnswered, schema.TypeSurveySent, schema.TypeMentionPublished, schema.TypeMentionEngaged, schema.TypeReviewPublished, schema.TypeTaskAdded, schema.TypePromiseMade, schema.TypePromiseKept,
	}
	channels := []schema.Channel{schema.ChannelEmail, schema.ChannelChat, schema.ChannelBot, schema.ChannelSMS, schema.ChannelSocial, schema.ChannelForum, schema.ChannelPhone}
	pick := func(prefix string, of int) string {
		if k := r.IntN(of + of/2); k < of {
			return fmt.Sprint(prefix, k)
		}
		return ""
	}
	out := make([]Contact, n)
	for i := range out {
		c := &out[i]
		c.ID, c.At, c.Type = eventID(uint64(i+1)), at(float64(r.IntN(60*24*20))), types[r.IntN(len(types))]
		c.Source, c.Channel = fmt.Sprint("s", r.IntN(3)), channels[r.IntN(len(channels))]
		c.Of.Persona = persona(byte(r.IntN(6)))
		c.Persona = c.Of.Persona
		c.Actor = []schema.Actor{schema.ActorCustomer, schema.ActorCustomer, schema.ActorAgent, schema.ActorAgent, schema.ActorBot, schema.ActorBrand, schema.ActorSystem}[r.IntN(7)]
		c.ActorID = fmt.Sprint("a", r.IntN(3))
		c.Thread, c.Parent, c.Case, c.Entity = pick("t", n/4+1), pick("m", n/3+1), pick("c", n/8+1), pick("e", n/4+1)
		c.Message = pick("m", n/2+1)
		c.Thanks, c.Automatic = r.IntN(6) == 0, r.IntN(12) == 0
		c.Rating, c.Scale, c.Mention = fmt.Sprint(r.IntN(12)), "0-10", "us"
		c.Amount, c.Currency = fmt.Sprint(r.IntN(50), ".5"), "EUR"
		c.state(propMergedInto, pick("c", n/8+1))
		c.state(propTalk, []string{"", "60", "-3", "x"}[r.IntN(4)])
		c.state(propDue, at(float64(r.IntN(60*24*20))).String())
		if r.IntN(10) == 0 {
			c.state(propReferences, pick("m", n/3+1))
		}
		if c.Type == schema.TypeMentionPublished {
			c.state(propSentiment, []string{"", "positive", "négatif", "mixed"}[r.IntN(4)])
			c.state(propAudience, []string{"", "12,,3,,,,", ",,,,7,,1"}[r.IntN(3)])
		}
		if (c.Actor == schema.ActorCustomer || isCall(c.Type)) && r.IntN(2) == 0 {
			c.Said = said(r)
		}
		if r.IntN(9) == 0 { // a correction of some contact's text, if that has one
			properties := fmt.Appendf(nil, `{"polarity":%q}`, []string{"neg", "neu", "pos"}[r.IntN(3)])
			correction, _ := verbatim.ParseCorrection(properties)
			*c = Contact{ID: c.ID, At: c.At, Type: schema.TypeVerbatimCorrected, Of: c.Of, Persona: c.Persona, Source: "dossier", Channel: schema.ChannelCRM, Actor: schema.ActorAgent,
				Target: eventID(uint64(1 + r.IntN(n))), Correction: &correction, correction: properties}
		}
	}
	return out
}

// said is something that was read.
func said(r *rand.Rand) *verbatim.Kept {
	k := &verbatim.Kept{Language: verbatim.Language(r.IntN(7)), Polarity: verbatim.Polarity(r.IntN(3)), Confidence: uint16(r.IntN(1001)), Model: "m", Criticality: verbatim.Criticality(r.IntN(5))}
	for range r.IntN(3) {
		k.Themes = append(k.Themes, verbatim.KeptTheme{ID: fmt.Sprint("t", r.IntN(5)), Polarity: verbatim.Polarity(r.IntN(3))})
	}
	if k.Criticality > verbatim.NotCritical {
		k.Reasons = []verbatim.Reason{{Code: []string{"", "unanswered", "churn", "legal", "safety"}[k.Criticality], Words: "words"}}
	}
	return k
}

func text(t *testing.T, rows Rows) string {
	t.Helper()
	b, err := json.MarshalIndent(rows, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// clusters puts contacts together that share a link, or a chain of them, as the role does.
func clusters(contacts []Contact) [][]Contact {
	sets := make(sets, len(contacts))
	for i := range sets {
		sets[i] = i
	}
	first := map[Link]int{}
	for i := range contacts {
		for _, l := range contacts[i].Links(nil) {
			if other, known := first[l]; known {
				sets.join(other, i)
			} else {
				first[l] = i
			}
		}
	}
	by := map[int][]Contact{}
	for i := range contacts {
		by[sets.root(i)] = append(by[sets.root(i)], contacts[i])
	}
	var out [][]Contact
	for _, c := range by {
		out = append(out, c)
	}
	return out
}

// A fold is a function of the set: order and copies change nothing, nor does folding each cluster of linked contacts for itself, nor the
// stored form.
func TestFoldIsOfTheSet(t *testing.T) {
	worlds := 300
	if os.Getenv("DOSSIER_PROVE") != "" {
		worlds = 20_000
	}
	for seed := range uint64(worlds) {
		r := rand.New(rand.NewPCG(seed, 6))
		contacts := random(r, 2+r.IntN(40))
		rules := DefaultRules()
		want := text(t, Fold(slices.Clone(contacts), rules))

		mixed := slices.Clone(contacts)
		for range 5 {
			mixed = append(mixed, contacts[r.IntN(len(contacts))])
		}
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		if got := text(t, Fold(slices.Clone(mixed), rules)); got != want {
			t.Fatalf("seed %d: another order gives\n%s\nwant\n%s", seed, got, want)
		}
		var apart Rows
		for _, c := range clusters(mixed) {
			for i := range c {
				stored, err := ReadContact(c[i].ID, string(AppendContact(nil, &c[i])))
				if err != nil || !reflect.DeepEqual(stored, c[i]) {
					t.Fatalf("seed %d: stored %+v, %v, want %+v", seed, stored, err, c[i])
				}
			}
			rows := Fold(c, rules)
			apart.Conversations, apart.Cases, apart.Surveys = append(apart.Conversations, rows.Conversations...), append(apart.Cases, rows.Cases...), append(apart.Surveys, rows.Surveys...)
			apart.Verbatims, apart.Mentions = append(apart.Verbatims, rows.Verbatims...), append(apart.Mentions, rows.Mentions...)
		}
		slices.SortFunc(apart.Conversations, func(a, b Conversation) int { return a.ID.Compare(b.ID) })
		slices.SortFunc(apart.Cases, func(a, b Case) int { return a.ID.Compare(b.ID) })
		slices.SortFunc(apart.Surveys, func(a, b Survey) int { return a.ID.Compare(b.ID) })
		slices.SortFunc(apart.Verbatims, func(a, b Verbatim) int { return a.ID.Compare(b.ID) })
		slices.SortFunc(apart.Mentions, func(a, b Mention) int { return a.ID.Compare(b.ID) })
		if got := text(t, apart); got != want {
			t.Fatalf("seed %d: cluster by cluster gives\n%s\nwant\n%s", seed, got, want)
		}
		check(t, seed, contacts, apart)
	}
}

// check holds rows to what must be true of any.
func check(t *testing.T, seed uint64, contacts []Contact, rows Rows) {
	t.Helper()
	made, events, texts := 0, 0, 0
	for i := range contacts {
		if contacts[i].Said != nil {
			texts++
		}
		if isContact(contacts[i].Type) {
			made++
		}
	}
	if len(rows.Verbatims) != texts {
		t.Fatalf("seed %d: %d verbatims, want each of %d texts once", seed, len(rows.Verbatims), texts)
	}
	cases := map[schema.EventID]bool{}
	for _, c := range rows.Cases {
		cases[c.ID] = true
		for _, s := range []Span{c.FirstReplyWait, c.FirstReplyOpen, c.ResolutionWait, c.FullResolutionWait} {
			if s < NoSpan {
				t.Fatalf("seed %d: a negative span in %+v", seed, c)
			}
		}
		if (c.State == "resolved" || c.State == "merged" || c.State == "answered") && c.WaitingSince != 0 {
			t.Fatalf("seed %d: a case that is %s waits", seed, c.State)
		}
		if c.RequesterWait < 0 || c.AgentWait < 0 {
			t.Fatalf("seed %d: negative waits in %+v", seed, c)
		}
	}
	for _, c := range rows.Conversations {
		events += int(c.Events)
		if !cases[c.Case] {
			t.Fatalf("seed %d: a conversation without a case: %+v", seed, c)
		}
		if len(c.AskedAt) != len(c.RepliedAt) || len(c.AskedAt) != len(c.ReplyDue) || len(c.AskedAt) != len(c.ReplyOpen) {
			t.Fatalf("seed %d: stretches that do not match: %+v", seed, c)
		}
		for i := range c.AskedAt {
			if c.RepliedAt[i] < c.AskedAt[i] {
				t.Fatalf("seed %d: answered before it was asked: %+v", seed, c)
			}
		}
		for _, s := range []Span{c.FirstReplyWait, c.QueueWait, c.Talk, c.Hold, c.Wrap, c.Handling} {
			if s < NoSpan {
				t.Fatalf("seed %d: a negative span in %+v", seed, c)
			}
		}
	}
	if events != made {
		t.Fatalf("seed %d: %d contacts in conversations, want each of %d once", seed, events, made)
	}
}
