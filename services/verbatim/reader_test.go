package verbatim

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/native"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/pipelines/verbatim/encoder"
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
	r := NewReader(Config{Settings: func() *verbatim.Settings { return settings }})
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
			r := NewReader(Config{Settings: verbatim.DefaultSettings})
			r.Version()
			texts, n := 0, 0
			user := func() float64 {
				var u syscall.Rusage
				if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
					b.Fatal(err)
				}
				return float64(u.Utime.Nano())
			}
			runtime.GC()
			started := user()
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
			b.ReportMetric((user()-started)/float64(n), "cpu-ns/event")
			b.ReportMetric(float64(texts)/float64(n), "texts/event")
		})
	}
}

// A text is read by what was in force when it occurred, until all are restated: in whatever order decisions and texts become known.
func TestReaderFollowsDecisions(t *testing.T) {
	settings := verbatim.DefaultSettings()
	model, err := verbatim.Base()
	if err != nil {
		t.Fatal(err)
	}
	negative := verbatim.Negative
	var texts []verbatim.Corrected
	for i := range 80 {
		texts = append(texts, verbatim.Corrected{Text: fmt.Sprintf("La planche %d est arrivée toute verte.", i), Language: verbatim.French, Writer: uint64(i), Polarity: &negative})
		texts = append(texts, verbatim.Corrected{Text: fmt.Sprintf("Livraison rapide et soignée, commande %d.", i), Language: verbatim.French, Writer: uint64(i)})
	}
	adjustment, _, err := verbatim.Refit(verbatim.New(model, settings.Tree), texts)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := adjustment.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var decided []Decision
	r := NewReader(Config{
		Settings: func() *verbatim.Settings { return settings },
		Decided:  func(after int) []Decision { return decided[min(after, len(decided)):] },
	})
	at := func(instant schema.Instant) *verbatim.Kept {
		e := message("La planche du salon est arrivée toute verte.", "fr")
		e.OccurredAt = instant
		return r.Read(e)
	}
	shipped := r.Version()
	if k := at(150); k.Model != shipped || r.Latest() != shipped {
		t.Errorf("before any decision it is read by %s, in force is %s", k.Model, r.Latest())
	}
	decided = append(decided, Decision{At: 100, Adjustment: stored})
	refitted := r.Latest()
	if r.Version() == shipped || refitted == shipped {
		t.Fatal("a refit changes no version")
	}
	before, after := at(99), at(100)
	if before.Model != shipped || after.Model != refitted || before.Polarity == after.Polarity || after.Polarity != verbatim.Negative {
		t.Errorf("before the refit %s by %s, after it %s by %s", before.Polarity, before.Model, after.Polarity, after.Model)
	}
	between := r.Version()
	decided = append(decided, Decision{At: 200})
	if k := at(99); k.Model != refitted || r.Version() == between || r.Version() != refitted {
		t.Errorf("restated it is read by %s; the reader is at %s", k.Model, r.Version())
	}
	// Of another model, or damaged: it does not count, and says so to nobody who does not listen.
	decided = append(decided, Decision{At: 300, Adjustment: []byte("dossier verbatim adjustment\n")})
	if k := at(400); k.Model != refitted {
		t.Errorf("a damaged adjustment reads: %s", k.Model)
	}
}

// Where the configuration asks for the encoder tier and its weights are missing, the base tier reads under its own name.
func TestReaderWithoutEncoder(t *testing.T) {
	settings, err := verbatim.ParseSettings([]byte(`{"tier":"encoder"}`))
	if err != nil {
		t.Fatal(err)
	}
	model, err := verbatim.Base()
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader(Config{Settings: func() *verbatim.Settings { return settings }, Encoder: func() (*encoder.Encoder, error) { return nil, ErrNoEncoder }})
	if k := r.Read(message("Livraison rapide, parfait", "")); k.Polarity != verbatim.Positive || k.Model != model.Version()+"+"+settings.Version {
		t.Errorf("read as %+v", k)
	}
	if _, err := verbatim.ParseSettings([]byte(`{"tier":"deep"}`)); err == nil {
		t.Error("an unknown tier is taken")
	}
	if len(settings.Tree.Themes) == 0 {
		t.Error("a section that says nothing of themes has none")
	}
}
