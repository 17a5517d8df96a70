package verbatim

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/native"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/services/demo"
)

func message(text, language string) *schema.Event {
	e := &schema.Event{}
	e.Type, e.Actor, e.Text, e.Language = schema.TypeMessageReceived, schema.ActorCustomer, text, language
	return e
}

// What is remembered is what would be read, whoever asks; other themes are another version, and read anew.
func TestReader(t *testing.T) {
	settings := verbatim.DefaultSettings()
	r := NewReader(func() *verbatim.Settings { return settings })
	version := r.Version()
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			for n := range 3 * cacheShards * cacheEntries / 8 {
				text := fmt.Sprintf("Le colis numéro %d est arrivé cassé", (n*7+w)%5000)
				if k := r.Read(message(text, "")); k.Polarity != verbatim.Negative || k.Language != verbatim.French || k.Model != version {
					t.Errorf("%q is read as %+v", text, k)
				}
			}
		})
	}
	wait.Wait()
	first := r.Read(message("Livraison rapide, parfait", ""))
	if again := r.Read(message("Livraison rapide, parfait", "")); again != first {
		t.Error("a text was read twice")
	}
	if hinted := r.Read(message("Livraison rapide, parfait", "it")); hinted.Language != verbatim.Italian {
		t.Errorf("a stated language is not believed: %s", hinted.Language)
	}
	r.Forget()
	again := r.Read(message("Livraison rapide, parfait", ""))
	if again == first || !reflect.DeepEqual(again, first) {
		t.Errorf("after forgetting it is read as %+v, before as %+v", again, first)
	}
	other, err := verbatim.ParseSettings([]byte(`{"only":true,"themes":[{"id":"vite","keywords":{"fr":["rapide"]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	settings = other
	if k := r.Read(message("Livraison rapide, parfait", "")); r.Version() == version || k.Model != r.Version() || !reflect.DeepEqual(k.ThemeIDs(), []string{"vite"}) {
		t.Errorf("under other themes it is read as %+v", k)
	}
}

// demoEvents are what the channels of the demo workspace send, with their texts.
func demoEvents(b *testing.B) (out []*schema.Event) {
	_, err := demo.Generate(demo.Seed, func(class demo.Class, _ string, text json.RawMessage) error {
		if class != demo.Server {
			out = append(out, &schema.Event{}) // of a browser: no texts
			return nil
		}
		doc, err := canonical.Parse(text, canonical.Limits{Depth: 64})
		if err != nil {
			return err
		}
		m := &channel.Mapped{} // it lives on in the document, which is never released
		s := &channel.Sender{
			Workspace: "main", Source: &channel.Source{Name: "server"}, Sources: func(name string) *channel.Source { return &channel.Source{Name: name} },
			Trust: schema.TrustServer, ReceivedAt: schema.InstantOf(demo.End), Limits: channel.NativeLimits(),
		}
		if refusal := native.Map(doc.Root(), s, m); refusal != nil {
			return refusal
		}
		e := m.Event
		e.Text, e.Language, e.Properties = string([]byte(e.Text)), string([]byte(e.Language)), append([]byte(nil), e.Properties...)
		out = append(out, &e)
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// BenchmarkDemo is what reading costs an event of the demo's mix, beside what care takes of the event without it. Nothing is remembered from one round to the next.
func BenchmarkDemo(b *testing.B) {
	events := demoEvents(b)
	for _, reading := range []bool{false, true} {
		b.Run(fmt.Sprintf("reading=%v", reading), func(b *testing.B) {
			r := NewReader(verbatim.DefaultSettings)
			r.Version()
			texts, n := 0, 0
			for b.Loop() {
				if n%len(events) == 0 {
					r.Forget()
				}
				e := events[n%len(events)]
				if c, ok := care.Of(e, schema.ProfileID{}); ok && c.Voiced(e) {
					texts++
					if reading {
						c.Said = r.Read(e)
					}
				}
				n++
			}
			b.ReportMetric(float64(texts)/float64(n), "texts/event")
		})
	}
}
