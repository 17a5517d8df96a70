package care

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

func saying(c Contact, polarity verbatim.Polarity, level verbatim.Criticality, reason string, themes ...string) Contact {
	k := &verbatim.Kept{Language: verbatim.French, Polarity: polarity, Confidence: 800, Criticality: level, Model: "m"}
	for _, id := range themes {
		k.Themes = append(k.Themes, verbatim.KeptTheme{ID: id, Polarity: polarity})
	}
	if reason != "" {
		k.Reasons = []verbatim.Reason{{Code: reason, Words: "…"}}
	}
	c.Said = k
	return c
}

func correcting(n uint64, minute float64, target schema.EventID, properties string) Contact {
	correction, refused := verbatim.ParseCorrection([]byte(properties))
	if refused != nil {
		panic(refused)
	}
	return Contact{
		ID: eventID(n), At: at(minute), Type: schema.TypeVerbatimCorrected, Persona: persona(1), Source: "dossier", Channel: schema.ChannelCRM, Actor: schema.ActorAgent, ActorID: "lea",
		Target: target, Correction: &correction, correction: []byte(properties),
	}
}

// A conversation and its case are what the customer said first, all that it was about, and as critical as the gravest word: which puts the case into the top lane.
func TestHeard(t *testing.T) {
	contacts := story(schema.ChannelEmail, "0 customer", "1 opened", "10 agent", "20 customer", "30 customer")
	contacts[0] = saying(contacts[0], verbatim.Neutral, verbatim.NotCritical, "", "delivery")
	contacts[3] = saying(contacts[3], verbatim.Negative, verbatim.High, "legal", "refund", "delivery")
	contacts[4] = saying(contacts[4], verbatim.Positive, verbatim.Low, "unanswered")
	told := func(more ...Contact) string {
		rows := Fold(append(slices.Clone(contacts), more...), DefaultRules())
		if len(rows.Verbatims) != 3 {
			t.Fatalf("%d verbatims", len(rows.Verbatims))
		}
		for _, v := range rows.Verbatims {
			if v.Conversation != rows.Conversations[0].ID || v.CaseNumber != "7" {
				t.Errorf("%+v is not of its conversation and case", v)
			}
		}
		c, k := rows.Conversations[0], rows.Cases[0]
		lane := DefaultWeights().Prioritise(Inputs{Criticality: k.Criticality}).Lane
		return fmt.Sprintf("%s %v %s %s; %s %v %s %v lane %d", c.Polarity, c.Themes, c.VerbatimCriticality, c.Language, k.Polarity, k.Themes, k.VerbatimCriticality, k.CriticalityReasons, lane)
	}
	if got, want := told(), "neu [delivery refund] high fr; neu [delivery refund] high [legal unanswered] lane 0"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Somebody says that nobody goes to law: the case leaves the lane. The later word counts, whenever it comes in.
	no, yes := correcting(50, 60, contacts[3].ID, `{"criticality":"none"}`), correcting(51, 70, contacts[3].ID, `{"criticality":"high","themes":["refund"]}`)
	if got, want := told(no), "neu [delivery refund] low fr; neu [delivery refund] low [unanswered] lane 2"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := told(yes, no), "neu [delivery refund] high fr; neu [delivery refund] high [legal unanswered] lane 0"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	rows := Fold(append(slices.Clone(contacts), no, yes), DefaultRules())
	for _, v := range rows.Verbatims {
		if v.ID == contacts[3].ID && (v.Correction != yes.ID || v.CorrectedBy != "lea" || v.CorrectedAt != yes.At) || v.ID != contacts[3].ID && v.CorrectedBy != "" {
			t.Errorf("%+v", v)
		}
	}
	// A correction of what is no text changes nothing.
	if got, want := told(correcting(52, 80, contacts[2].ID, `{"polarity":"neg"}`)), told(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The comment of a survey is its own row's, and so is a review's, of the product that it is about.
func TestHeardInSurveys(t *testing.T) {
	answer := saying(Contact{ID: eventID(1), At: at(1), Type: schema.TypeSurveyAnswered, Actor: schema.ActorCustomer, Persona: persona(1), Source: "s", Entity: "a1", HasText: true}, verbatim.Negative, verbatim.NotCritical, "", "price")
	later := saying(Contact{ID: eventID(2), At: at(9), Type: schema.TypeSurveyAnswered, Actor: schema.ActorCustomer, Persona: persona(1), Source: "s", Entity: "a1", HasText: true}, verbatim.Positive, verbatim.NotCritical, "", "store")
	later.state(propStore, "Lyon")
	review := saying(Contact{ID: eventID(3), At: at(5), Type: schema.TypeReviewPublished, Actor: schema.ActorCustomer, Persona: persona(2), Source: "s", Entity: "r1", Parent: "sku-9", HasText: true}, verbatim.Positive, verbatim.NotCritical, "", "product.quality")
	rows := Fold([]Contact{answer, later, review}, DefaultRules())
	for _, s := range rows.Surveys {
		if s.Survey == "a1" && (s.Polarity != "pos" || !slices.Equal(s.Themes, []string{"store"}) || s.Language != "fr") {
			t.Errorf("the latest answer counts: %+v", s)
		}
	}
	for _, v := range rows.Verbatims {
		if v.Survey == (schema.EventID{}) || v.ID == review.ID && (v.Product != "sku-9" || v.Conversation == (schema.EventID{})) || v.ID != review.ID && v.Store != "Lyon" {
			t.Errorf("%+v", v)
		}
	}
	if len(rows.Verbatims) != 3 {
		t.Errorf("%d verbatims", len(rows.Verbatims))
	}
}
