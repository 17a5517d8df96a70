package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/native"
	"github.com/dossier-cdp/dossier/pipelines/channel/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

var update = flag.Bool("update", false, "write the golden files")

// generated is the demo workspace, made once for all tests.
type generated struct {
	summary Summary
	events  []sent
}

type sent struct {
	class  Class
	source string
	text   json.RawMessage
}

var workspace = sync.OnceValue(func() *generated {
	g := &generated{}
	summary, err := Generate(Seed, func(class Class, source string, text json.RawMessage) error {
		g.events = append(g.events, sent{class, source, text})
		return nil
	})
	if err != nil {
		panic(err)
	}
	g.summary = summary
	return g
})

func digest(events []sent) string {
	h := sha256.New()
	for _, e := range events {
		fmt.Fprintf(h, "%d %s %s\n", e.class, e.source, e.text)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestGolden holds the bytes of the workspace, and what there is of everything: the example queries and the documentation rest on it.
func TestGolden(t *testing.T) {
	g := workspace()
	var out bytes.Buffer
	fmt.Fprintf(&out, "digest %s\nevents %d\nclient %d\naccounts %d\nhouseholds %d\n", digest(g.events), g.summary.Events, g.summary.Client, g.summary.Truth.Accounts(), g.summary.Truth.People[People-1].Household)
	for _, list := range []struct {
		name   string
		counts map[string]int
	}{{"channel", g.summary.Channels}, {"source", g.summary.Sources}, {"type", g.summary.Types}} {
		for _, key := range slices.Sorted(maps.Keys(list.counts)) {
			fmt.Fprintf(&out, "%s %s %d\n", list.name, key, list.counts[key])
		}
	}
	path := filepath.Join("testdata", "golden.txt")
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("the workspace has changed; if that is meant, run with -update and read the difference:\n%s", out.String())
	}
}

// TestSeed says that the seed and nothing else decides.
func TestSeed(t *testing.T) {
	first := digest(workspace().events)
	for _, c := range []struct {
		seed uint64
		same bool
	}{{Seed, true}, {Seed + 1, false}} {
		var events []sent
		summary, err := Generate(c.seed, func(class Class, source string, text json.RawMessage) error {
			events = append(events, sent{class, source, text})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if same := digest(events) == first; same != c.same {
			t.Errorf("seed %d: same bytes %t, want %t", c.seed, same, c.same)
		}
		if len(summary.Truth.People) != People {
			t.Errorf("seed %d: %d people", c.seed, len(summary.Truth.People))
		}
	}
}

func TestEmitError(t *testing.T) {
	want := fmt.Errorf("full")
	n := 0
	_, err := Generate(Seed, func(Class, string, json.RawMessage) error {
		if n++; n == 3 {
			return want
		}
		return nil
	})
	if err != want || n != 3 {
		t.Errorf("got %v after %d events", err, n)
	}
}

// TestShape holds the workspace to what it is for.
func TestShape(t *testing.T) {
	s := workspace().summary
	if len(s.Truth.People) != 2000 || len(s.Channels) != 12 || len(s.Sources) != 12 {
		t.Errorf("%d people, %d channels, %d sources; want 2000, 12, 12", len(s.Truth.People), len(s.Channels), len(s.Sources))
	}
	if s.Events < 57_000 || s.Events > 63_000 {
		t.Errorf("%d events, want about 60,000", s.Events)
	}
	for _, kind := range []schema.Type{
		schema.TypeProfileIdentified, schema.TypeMessageReceived, schema.TypeMessageSent, schema.TypeCallOffered, schema.TypeCallAnswered, schema.TypeCallAbandoned, schema.TypeCallEnded,
		schema.TypeCaseOpened, schema.TypeCaseResolved, schema.TypeCaseReopened, schema.TypeSurveyAnswered, schema.TypeMentionPublished, schema.TypeMentionEngaged, schema.TypeReviewPublished,
		schema.TypeOrderPlaced, schema.TypeOrderDelivered, schema.TypeGestureGranted, schema.TypePageViewed, schema.TypeTrackPerformed, schema.TypeConsentRecorded,
	} {
		if s.Types[kind.String()] < 50 {
			t.Errorf("%d events of type %s, want at least 50", s.Types[kind.String()], kind)
		}
	}
	french, married, moved, shared, replaced, twins, namesakes, homonyms := 0, 0, 0, 0, 0, 0, 0, 0
	births, names, everywhere := map[string]int{}, map[string]int{}, map[string]int{}
	for _, p := range s.Truth.People {
		french += count(p.French)
		married += count(p.Maiden != "")
		moved += count(!p.moved.IsZero())
		shared += count(p.mailbox != "")
		replaced += count(len(p.cards) > 1)
		births[fmt.Sprint(p.Household, p.Birth)]++
		names[fmt.Sprint(p.Household, p.Given, p.Family)]++
		everywhere[p.Given+p.Family]++
	}
	for _, m := range []struct {
		in  map[string]int
		out *int
	}{{births, &twins}, {names, &namesakes}, {everywhere, &homonyms}} {
		for _, n := range m.in {
			*m.out += count(n > 1)
		}
	}
	for _, c := range []struct {
		what     string
		n, least int
	}{
		{"speak French", french, 1000}, {"speak English", People - french, 400}, {"married", married, 20}, {"moved", moved, 80}, {"share a mailbox", shared, 200}, {"replaced a card", replaced, 50},
		{"pairs of twins", twins, 10}, {"namesakes in one house", namesakes, 20}, {"names that several have", homonyms, 60},
	} {
		if c.n < c.least {
			t.Errorf("%s: %d, want at least %d", c.what, c.n, c.least)
		}
	}
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// mapped passes an event through the mapper that the collector has for it.
func mapped(t *testing.T, e sent, m *channel.Mapped) {
	t.Helper()
	doc, err := canonical.Parse(e.text, canonical.Limits{Depth: 64})
	if err != nil {
		t.Fatalf("%s: %v", e.text, err)
	}
	defer doc.Release()
	s := &channel.Sender{
		Workspace: "main", Source: &channel.Source{Name: "server"}, Sources: func(name string) *channel.Source { return &channel.Source{Name: name} },
		Trust: schema.TrustServer, ReceivedAt: schema.InstantOf(End), Limits: channel.NativeLimits(),
	}
	var refusal *schema.Refusal
	if e.class == Server {
		refusal = native.Map(doc.Root(), s, m)
	} else {
		s.Source, s.Trust, s.Limits = &channel.Source{Name: web}, schema.TrustClient, channel.SegmentLimits()
		refusal = segment.Map(doc.Root(), canonical.Node{}, "", s, m)
	}
	if refusal != nil {
		t.Fatalf("%s: %s", e.text, refusal)
	}
}

var (
	mail      = regexp.MustCompile(`[\w.+-]+@[\w-]+(\.[\w-]+)+`)
	unfilled  = regexp.MustCompile(`\{[A-Za-z ]*\}`)
	articles  = regexp.MustCompile(`(?i)\b(le|la|de|du|ma) (étagère|écharpe|[aeiou]\w+ (en|de))\b| a (oak|alpaca|[aeiou]\w+ \w+ case)`)
	fictional = regexp.MustCompile(`^(\+33|0033|0)(63998|19900|26191|35301|46571|53649)\d{4}$|^(\+44|0)(7700900|2079460|1614960|1314960|1174960|1134960)\d{3}$|^(\+1)?(617|718)55501\d\d$`)
	separator = strings.NewReplacer(" ", "", ".", "", "-", "", "(", "", ")", "")
)

// TestAccepted holds every event to the mappers that the collector has, to the span of the workspace and to the promise that nobody
// in it exists; and the truth to the accounts that the mappers choose.
func TestAccepted(t *testing.T) {
	g := workspace()
	ids, times := map[string]bool{}, time.Time{}
	var m channel.Mapped
	for _, e := range g.events {
		mapped(t, e, &m)
		v := &m.Event
		if v.Source != e.source {
			t.Fatalf("%s: source %q, want %q", e.text, v.Source, e.source)
		}
		if _, known := g.summary.Truth.accounts[accountOf{v.Source, v.Account.Kind, v.Account.Value, v.Provenance.Trust}]; !known {
			t.Fatalf("%s: the truth does not know the account", e.text)
		}
		at := v.OccurredAt.Time()
		if v.Provenance.ReceiptTimed || at.Before(Begin) || !at.Before(End) || at.Before(times) {
			t.Fatalf("%s: occurred at %s, want one in the span and not before the last one", e.text, at)
		}
		times = at
		if id := v.Provenance.MessageID; id == "" || ids[id] {
			t.Fatalf("%s: message id %q is empty or not the first", e.text, id)
		} else {
			ids[id] = true
		}
		for _, i := range v.Identifiers {
			if i.Kind == "phone" && !fictional.MatchString(separator.Replace(i.Value)) {
				t.Fatalf("%s: %s may be somebody's number", e.text, i.Value)
			}
		}
		for _, address := range mail.FindAllString(string(e.text), -1) {
			if !strings.HasSuffix(address, ".example") {
				t.Fatalf("%s: %s may be somebody's address", e.text, address)
			}
		}
		if unfilled.MatchString(v.Text) {
			t.Fatalf("a text has a gap: %s", v.Text)
		}
		if articles.MatchString(v.Text) {
			t.Errorf("an article is wrong: %s", v.Text)
		}
	}
}

// TestCases follows every case: opened first, and resolved after each opening.
func TestCases(t *testing.T) {
	state := map[string]string{}
	for _, e := range workspace().events {
		if e.class != Server {
			continue
		}
		var v event
		if err := json.Unmarshal(e.text, &v); err != nil {
			t.Fatal(err)
		}
		was, known := state[v.Case]
		switch {
		case v.Case == "":
			continue
		case v.Type == "case.opened" && !known, v.Type == "case.resolved" && (was == "case.opened" || was == "case.reopened"), v.Type == "case.reopened" && was == "case.resolved":
			state[v.Case] = v.Type
		case strings.HasPrefix(v.Type, "case."):
			t.Fatalf("%s %s after %q", v.Case, v.Type, was)
		case !known:
			t.Fatalf("%s names %s before it was opened", v.MessageID, v.Case)
		}
	}
	if len(state) < 500 {
		t.Errorf("%d cases, want at least 500", len(state))
	}
}
