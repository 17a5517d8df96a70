package care

import (
	"fmt"
	"math"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

// post is a version of a public post.
func post(n uint64, minute float64, properties string) Contact {
	c := Contact{ID: eventID(n), At: at(minute), Type: schema.TypeMentionPublished, Channel: schema.ChannelSocial, Actor: schema.ActorCustomer, Persona: persona(1), Source: "listening", Entity: "p1", Mention: "garance"}
	c.read([]byte(properties))
	return c
}

// A post is one row, by its latest version: published when the first was, with the latest counts that any states, judged by a person before its source before the model.
func TestMention(t *testing.T) {
	said := post(1, 0, `{"platform":"Twitter","retweet_count":3,"likes":10,"followers":50}`)
	said = saying(said, verbatim.Positive, verbatim.NotCritical, "", "delivery") // positive, as it was read
	later := post(2, 60, `{"sentiment":"négatif","likes":12,"reach":900}`)
	row := func(contacts ...Contact) string {
		rows := Fold(contacts, DefaultRules())
		if len(rows.Mentions) != 1 {
			t.Fatalf("%d rows", len(rows.Mentions))
		}
		m := rows.Mentions[0]
		return fmt.Sprint(m.ID == eventID(1), m.At == at(0), " ", m.Platform, " ", m.Brand, " ", m.Polarity, " ", m.Judge, " ", m.Audience, m.Own, m.Repost)
	}
	if got := row(said); got != "true true twitter garance favourable model {-1 -1 50 10 -1 3 -1 -1} false false" {
		t.Error(got)
	}
	if got := row(later, said); got != "true true twitter garance unfavourable source {900 -1 50 12 -1 3 -1 -1} false false" {
		t.Error(got)
	}
	own := post(1, 0, `{"repost":true}`)
	own.Actor = schema.ActorBrand
	if got := row(own); got != "true true listening garance   {-1 -1 -1 -1 -1 -1 -1 -1} true true" {
		t.Error(got)
	}
	if got := row(later, said, correcting(3, 90, eventID(1), `{"polarity":"neu"}`)); got != "true true twitter garance neutral person {900 -1 50 12 -1 3 -1 -1} false false" {
		t.Error(got)
	}
}

// A customer's influence is that of the posts in the case, and followers are none of it: 999 reposts of one post are half of the scale, a sixth of which one post can tell.
func TestInfluenceOfPosts(t *testing.T) {
	for properties, want := range map[string]float64{`{"followers":9000000}`: 0, `{"retweet_count":1000}`: math.Round(.5/6*1e6) / 1e6, `{"likes":1000}`: 0} {
		rows := Fold([]Contact{post(1, 0, properties)}, DefaultRules())
		if len(rows.Cases) != 1 || rows.Cases[0].Influence != want {
			t.Errorf("%s: %+v, want %v", properties, rows.Cases[0].Influence, want)
		}
	}
}
