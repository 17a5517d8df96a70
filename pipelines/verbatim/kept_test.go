package verbatim_test

import (
	"reflect"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

const cross = "Mon colis est arrivé cassé et personne ne répond. Je vais saisir le médiateur, mais le vendeur était aimable."

func kept(t testing.TB, text string) *verbatim.Kept {
	t.Helper()
	model, err := verbatim.Base()
	if err != nil {
		t.Fatal(err)
	}
	r := verbatim.New(model, verbatim.DefaultSettings().Tree).Read(text, verbatim.Unknown)
	return r.Keep(model.Version())
}

func TestKept(t *testing.T) {
	for _, text := range []string{cross, "", "👍", "thanks a lot", "これは日本語です。とても長い文章ではありません。"} {
		k := kept(t, text)
		got, err := verbatim.ReadKept(verbatim.AppendKept(nil, k))
		if err != nil || !reflect.DeepEqual(got, k) {
			t.Errorf("%q: %+v came back as %+v, %v", text, k, got, err)
		}
	}
	if k := kept(t, cross); k.Polarity != verbatim.Negative || k.Criticality != verbatim.High || len(k.Themes) < 2 || k.Language != verbatim.French {
		t.Errorf("read as %+v", k)
	}
}

func FuzzReadKept(f *testing.F) {
	f.Add(verbatim.AppendKept(nil, kept(f, cross)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := verbatim.ReadKept(b)
		if err != nil {
			return
		}
		again, err := verbatim.ReadKept(verbatim.AppendKept(nil, k))
		if err != nil || !reflect.DeepEqual(again, k) {
			t.Errorf("%x: %+v came back as %+v, %v", b, k, again, err)
		}
	})
}

// A correction says what it says, and leaves the rest; the reading itself stays as it was.
func TestCorrection(t *testing.T) {
	read := kept(t, cross)
	before := *read
	for name, c := range map[string]struct {
		properties string
		holds      func(k *verbatim.Kept) bool
	}{
		"polarity": {`{"polarity":"pos"}`, func(k *verbatim.Kept) bool {
			return k.Polarity == verbatim.Positive && k.Confidence == 1000 && len(k.Themes) == len(read.Themes) && k.Criticality == read.Criticality
		}},
		"no polarity": {`{"polarity":""}`, func(k *verbatim.Kept) bool { return k.Polarity == verbatim.Abstained && k.Confidence == 0 }},
		"themes": {`{"themes":["x","delivery","x"]}`, func(k *verbatim.Kept) bool {
			return reflect.DeepEqual(k.ThemeIDs(), []string{"x", "delivery"}) && k.Themes[0].Polarity == read.Polarity && k.Polarity == read.Polarity
		}},
		"no themes":       {`{"themes":[]}`, func(k *verbatim.Kept) bool { return len(k.Themes) == 0 }},
		"criticality":     {`{"criticality":"low"}`, func(k *verbatim.Kept) bool { return k.Criticality == verbatim.Low && !has(k, "legal") }},
		"higher":          {`{"criticality":"critical"}`, func(k *verbatim.Kept) bool { return k.Criticality == verbatim.Critical && has(k, "legal") }},
		"language, other": {`{"language":"en","seen":1}`, func(k *verbatim.Kept) bool { return k.Language == verbatim.English && k.Polarity == read.Polarity }},
	} {
		correction, refused := verbatim.ParseCorrection([]byte(c.properties))
		if refused != nil {
			t.Fatalf("%s: %v", name, refused)
		}
		if got := correction.Apply(read); !c.holds(got) || got.Unsure || got.Model != read.Model {
			t.Errorf("%s: %+v", name, got)
		}
		if !reflect.DeepEqual(*read, before) {
			t.Fatalf("%s changed what was read", name)
		}
	}
	for _, bad := range []string{"", "{}", "[]", `{"polarity":"bad"}`, `{"themes":["a|b"]}`, `{"themes":[""]}`, `{"criticality":"grave"}`, `{"language":"xx"}`, `{"themes":"a"}`,
		`{"themes":["1","2","3","4","5","6","7","8","9","10","11","12","13"]}`} {
		if _, refused := verbatim.ParseCorrection([]byte(bad)); refused == nil || refused.Code != "correction_invalid" || refused.Hint == "" {
			t.Errorf("%s is taken: %v", bad, refused)
		}
	}
}

func has(k *verbatim.Kept, code string) bool {
	for _, r := range k.Reasons {
		if r.Code == code {
			return true
		}
	}
	return false
}

// What is a customer's word is read, and nothing else is.
func TestSpeaks(t *testing.T) {
	for _, c := range []struct {
		kind    schema.Type
		actor   schema.Actor
		channel schema.Channel
		speaks  bool
	}{
		{schema.TypeMessageReceived, schema.ActorCustomer, schema.ChannelEmail, true}, {schema.TypeMessageReceived, schema.ActorBot, schema.ChannelBot, false},
		{schema.TypeMessageSent, schema.ActorAgent, schema.ChannelEmail, false}, {schema.TypeSurveyAnswered, schema.ActorCustomer, schema.ChannelSurvey, true},
		{schema.TypeReviewPublished, schema.ActorCustomer, schema.ChannelReview, true}, {schema.TypeMentionPublished, schema.ActorCustomer, schema.ChannelSocial, true},
		{schema.TypeMentionPublished, schema.ActorBrand, schema.ChannelSocial, false}, {schema.TypeCallEnded, schema.ActorAgent, schema.ChannelPhone, true},
		{schema.TypeNoteAdded, schema.ActorAgent, schema.ChannelPhone, true}, {schema.TypeNoteAdded, schema.ActorAgent, schema.ChannelEmail, false},
		{schema.TypeCaseOpened, schema.ActorCustomer, schema.ChannelWebForm, true}, {schema.TypePageViewed, schema.ActorCustomer, schema.ChannelWeb, false},
	} {
		e := &schema.Event{}
		e.Text = "bonjour"
		e.Type, e.Actor, e.Channel = c.kind, c.actor, c.channel
		if got := verbatim.Speaks(e); got != c.speaks {
			t.Errorf("%s of %s on %s speaks: %v", c.kind, c.actor, c.channel, got)
		}
		if e.Text = ""; verbatim.Speaks(e) {
			t.Errorf("%s speaks without a text", c.kind)
		}
	}
}

// The tree that ships names every theme in French and English, finds by its rules in both what it is for, and tells nothing else of the model's labels.
func TestDefaultThemes(t *testing.T) {
	known := map[string]bool{}
	for _, theme := range verbatim.DefaultSettings().Tree.Themes {
		if theme.Title["fr"] == "" || theme.Title["en"] == "" || theme.TitleIn("fr") != theme.Title["fr"] {
			t.Errorf("%s has no title", theme.ID)
		}
		known[theme.ID] = true
	}
	for text, want := range map[string]string{
		"Toujours aucune nouvelle, je n'ai rien reçu et le livreur n'est pas passé.": "delivery",
		"Ma commande a dix jours de retard.":                                         "delivery.late",
		"The parcel arrived broken and the box was crushed.":                         "delivery.damaged",
		"My package is lost, tracking has not moved.":                                "delivery.lost",
		"Je voudrais échanger cet article contre une taille 40.":                     "return",
		"When will I be refunded?":                                                   "refund",
		"J'ai été débité deux fois pour le même achat.":                              "payment",
		"You charged my card twice.":                                                 "payment",
		"C'est beaucoup trop cher.":                                                  "price",
		"Excellent value for money.":                                                 "price.value",
		"Mon code promo ne passe pas.":                                               "promotion",
		"My loyalty points have disappeared.":                                        "loyalty",
		"La machine est en panne depuis lundi.":                                      "product.fault",
		"The kettle stopped working after a week.":                                   "product.fault",
		"Ce pull taille petit.":                                                      "product.size",
		"Is it back in stock?":                                                       "product.stock",
		"Il est encore sous garantie.":                                               "warranty",
		"Personne ne répond au téléphone.":                                           "service.answer",
		"The shop assistant was very rude.":                                          "service.attitude",
		"Le vendeur en magasin m'a bien conseillé.":                                  "service.competence",
		"Your website crashes at checkout.":                                          "website",
		"Je veux supprimer mon compte.":                                              "account",
		"I want to cancel my subscription.":                                          "contract",
	} {
		k := kept(t, text)
		found := false
		for _, theme := range k.Themes {
			found = found || theme.ID == want
			if !known[theme.ID] {
				t.Errorf("%q has the theme %s, which is not in the tree", text, theme.ID)
			}
		}
		if !found {
			t.Errorf("%q is about %v, want %s", text, k.ThemeIDs(), want)
		}
	}
}
