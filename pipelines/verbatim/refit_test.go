package verbatim_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

// What people of a trade write in a way that no general model knows: "verte" is bad there.
func correctedTexts(t testing.TB, n int) []verbatim.Corrected {
	t.Helper()
	negative, positive := verbatim.Negative, verbatim.Positive
	themes := []string{"grume"}
	none := []string{}
	var out []verbatim.Corrected
	heads := []string{"La planche", "Le chevron", "La poutre", "Cette latte", "Ce tasseau", "Le lot"}
	for i := range n {
		c := verbatim.Corrected{Text: fmt.Sprintf("%s du %d est arrivée toute verte.", heads[i%len(heads)], i), Language: verbatim.French, Writer: uint64(i)}
		c.Polarity, c.Themes = &negative, &themes
		if i%2 == 1 {
			c.Text = fmt.Sprintf("%s du %d est bien sèche et craque.", heads[i%len(heads)], i)
			c.Polarity, c.Themes = &positive, &none
		}
		out = append(out, c)
	}
	for i := range n {
		out = append(out, verbatim.Corrected{Text: fmt.Sprintf("Livraison rapide et soignée, rien à dire, commande %d.", i), Language: verbatim.French, Writer: uint64(i)})
	}
	return out
}

func TestRefit(t *testing.T) {
	shipped := verbatim.New(base(t), nil)
	texts := correctedTexts(t, 120)
	adjustment, told, err := verbatim.Refit(shipped, texts)
	if err != nil {
		t.Fatalf("%v, %+v", err, told)
	}
	t.Logf("%+v", told)
	if told.Corrections != 120 || told.Anchors != 120 || told.PolarityAfter < .95 || told.PolarityAfter <= told.PolarityBefore || told.ThemesAfter < .9 || told.Moved > .05 {
		t.Errorf("%+v", told)
	}
	stored, err := adjustment.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if again, _, err := verbatim.Refit(shipped, texts); err != nil || again.Version() != adjustment.Version() {
		t.Errorf("the same corrections make another version: %v", err)
	}
	read, err := verbatim.ParseAdjustment(stored)
	if err != nil || read.Version() != adjustment.Version() {
		t.Fatalf("stored and read: %v", err)
	}
	refitted, err := shipped.Adjusted(read)
	if err != nil {
		t.Fatal(err)
	}
	if refitted.Version() != shipped.Version()+"."+read.Version() {
		t.Errorf("the version is %s", refitted.Version())
	}
	green := refitted.Read("Les lambris sont arrivés tout verte.", verbatim.French)
	if green.Polarity != verbatim.Negative || !strings.Contains(green.ThemeList(), "grume") || green.Model != refitted.Version() {
		t.Errorf("after the refit: %s, %s, by %s", green.Polarity, green.ThemeList(), green.Model)
	}
	// What nobody corrected is read as before.
	for _, text := range []string{"Excellent accueil et conseils très professionnels.", "Je porte plainte.", "The charger caught fire during the night."} {
		was, is := shipped.Read(text, verbatim.Unknown), refitted.Read(text, verbatim.Unknown)
		if was.Polarity != is.Polarity || was.Criticality != is.Criticality || was.ThemeList() != is.ThemeList() {
			t.Errorf("%q was %s, is %s", text, was.Polarity, is.Polarity)
		}
	}
	if _, err := refitted.Adjusted(read); err == nil {
		t.Error("an adjusted analyzer is adjusted again")
	}
	if _, _, err := verbatim.Refit(refitted, texts); err == nil {
		t.Error("a refit learns beside corrections")
	}
}

// A word of fewer than three writers is in no adjustment, however often it was written.
func TestRefitKeepsNoWriter(t *testing.T) {
	texts := correctedTexts(t, 120)
	for i := range texts {
		texts[i].Writer = uint64(i % 2)
	}
	var refusal *schema.Refusal
	if _, told, err := verbatim.Refit(verbatim.New(base(t), nil), texts); !errors.As(err, &refusal) {
		t.Errorf("two writers taught something: %v, %+v", err, told)
	}
}

func TestRefitRefuses(t *testing.T) {
	shipped := verbatim.New(base(t), nil)
	var refusal *schema.Refusal
	for what, texts := range map[string][]verbatim.Corrected{"nothing": nil, "a few": correctedTexts(t, 6)} {
		if _, _, err := verbatim.Refit(shipped, texts); !errors.As(err, &refusal) || refusal.Code != "corrections_few" || refusal.Hint == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Labels by lot: what was said of one text says nothing of another.
	texts := correctedTexts(t, 120)
	polarities := []verbatim.Polarity{verbatim.Negative, verbatim.Neutral, verbatim.Positive}
	for i := range 120 {
		texts[i].Text, texts[i].Themes = "La planche est arrivée.", nil
		texts[i].Polarity = &polarities[(i*i+i/7)%3]
	}
	if _, told, err := verbatim.Refit(shipped, texts); err == nil && told.PolarityAfter <= told.PolarityBefore {
		t.Errorf("labels by lot teach: %+v", told)
	}
	adjustment, _, err := verbatim.Refit(shipped, correctedTexts(t, 120))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := adjustment.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string][]byte{"nothing": nil, "a text": []byte("hello"), "its half": stored[:len(stored)/2], "a model": bytes.Replace(stored, []byte("adjustment"), []byte("model"), 1)} {
		if _, err := verbatim.ParseAdjustment(b); !errors.As(err, &refusal) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
	adjustment.Head.Model = "another"
	if _, err := shipped.Adjusted(adjustment); !errors.As(err, &refusal) || refusal.Hint == "" {
		t.Errorf("of another model: %v", err)
	}
}

func FuzzParseAdjustment(f *testing.F) {
	adjustment, _, err := verbatim.Refit(verbatim.New(base(f), nil), correctedTexts(f, 60))
	if err != nil {
		f.Fatal(err)
	}
	stored, err := adjustment.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stored)
	f.Add(stored[:60])
	shipped := verbatim.New(base(f), nil)
	f.Fuzz(func(_ *testing.T, b []byte) {
		a, err := verbatim.ParseAdjustment(b)
		if err != nil {
			return
		}
		if refitted, err := shipped.Adjusted(a); err == nil {
			refitted.Read("La planche est verte", verbatim.French)
		}
	})
}
