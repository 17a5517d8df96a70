package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
)

// moment is what an installation told when it had read no more.
type moment struct {
	at       string
	exports  map[string]string
	dossiers map[string]map[string]any // by profile
	figures  map[string]any            // by metric
}

// pastMetrics are metrics of every table that figures are read from: conversations, cases, surveys, verbatims, orders, and who is who. All of them under DOSSIER_PROVE.
var pastMetrics = []string{"nps", "csat", "firstReply", "nextReply", "slaFirstReply", "handlingTime", "resolution", "fcrNoRepeat", "recoveryRate", "verbatimSentiment", "themeSentiment", "lateDeliveries", "valueAtStake"}

// dealings are what nine customers and those who serve them do in a step: each writes and is answered, but one; cases are resolved, some of those before opened again; surveys are
// answered; orders are placed, and from the second step on one of a former step is cancelled. From the second step on a customer turns out to have two accounts.
func dealings(step int) (events []json.RawMessage) {
	n := 0
	add := func(format string, values ...any) {
		n++
		events = append(events, json.RawMessage(fmt.Sprintf(`{"messageId":"past-%d-%d","source":"desk",%s}`, step, n, fmt.Sprintf(format, values...))))
	}
	for c := range 9 {
		user, thread := fmt.Sprintf("past-%d-%d", step, c), fmt.Sprintf("past-case-%d-%d", step, c)
		identifiers := ""
		if step > 0 && c == 0 { // who wrote in the step before
			identifiers = fmt.Sprintf(`,"identifiers":{"email":"past-%d@example.com"}`, step-1)
		} else if c == 1 {
			identifiers = fmt.Sprintf(`,"identifiers":{"email":"past-%d@example.com"}`, step)
		}
		at := func(hour int) string {
			return time.Date(2026, 3, 1+step, hour, c, 0, 0, time.UTC).Format(time.RFC3339)
		}
		of := fmt.Sprintf(`"account":{"kind":"user_id","value":%q}%s`, user, identifiers)
		in := fmt.Sprintf(`"channel":"email","conversation":%q,"case":%q`, thread, thread)
		add(`"type":"message.received",%s,%s,"occurredAt":%q,"text":"My parcel has not arrived, I am very disappointed.","properties":{"theme":"late"}`, in, of, at(8))
		add(`"type":"case.opened",%s,%s,"occurredAt":%q,"actor":{"kind":"agent","id":"lea"},"properties":{"theme":"late","complaint":true}`, in, of, at(9))
		if c > 0 {
			add(`"type":"message.sent",%s,%s,"occurredAt":%q,"actor":{"kind":"agent","id":"lea"},"text":"It is on its way."`, in, of, at(8+c))
			add(`"type":"case.resolved",%s,%s,"occurredAt":%q,"actor":{"kind":"agent","id":"lea"}`, in, of, at(20))
		}
		add(`"type":"survey.answered","channel":"survey",%s,"occurredAt":%q,"entity":"past-survey-%d-%d","rating":"%d","ratingScale":"0-10","properties":{"survey":"nps"}`, of, at(21), step, c, c+step)
		add(`"type":"order.placed","channel":"web",%s,"occurredAt":%q,"entity":"past-order-%d-%d","amount":"%d","currency":"EUR","properties":{"promised_at":"2026-03-05"}`, of, at(7), step, c, 10+c)
		if step > 0 && c < 3 {
			former := fmt.Sprintf(`"account":{"kind":"user_id","value":"past-%d-%d"}`, step-1, c+3)
			if add(`"type":"order.placed","channel":"web",%s,"occurredAt":%q,"entity":"past-order-%d-%d","amount":"10","currency":"EUR","properties":{"status":"cancelled"}`, former, at(22), step-1, c+3); c == 0 {
				add(`"type":"case.reopened","channel":"email","case":"past-case-%d-%d",%s,"occurredAt":%q,"actor":{"kind":"agent","id":"lea"}`, step-1, c+3, former, at(23))
			}
		}
	}
	return events
}

// figures asks metrics, by channel where they have one.
func (i *installation) figures(t *testing.T, names []string, of string) map[string]any {
	t.Helper()
	out := map[string]any{}
	for some := range slices.Chunk(names, 5) {
		var b strings.Builder
		for _, name := range some {
			fmt.Fprintf(&b, "%s: metric(name: %q, of: {by: [CHANNEL], %s}) { value low high n people open parts { name value n } exclusions { reason n } groups { keys { value } value n people } } ", name, name, of)
		}
		var answer struct{ Metrics map[string]any }
		i.query(t, "{ metrics { "+b.String()+"} }", nil, &answer)
		for name, figure := range answer.Metrics {
			out[name] = figure
		}
	}
	return out
}

var pastExports = []string{"events", "personas", "profiles", "timeline"}

// told gives a dossier as it is shown, but for what is told of now alone or of the past alone.
func (i *installation) told(t *testing.T, profile string, past ...string) (d, history map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(i.must(t, append([]string{"show", "profile:" + profile, "--json"}, past...)...)), &d); err != nil {
		t.Fatal(err)
	}
	history, _ = d["History"].(map[string]any)
	delete(d, "History")
	delete(d, "Household")
	return d, history
}

// TestKnownAt: what was known at an instant is, to the byte, what the installation told then, when it had read only the events recorded by then, under the
// configuration of then; for everybody by export and for some by their dossiers. The whole demo workspace at 50 instants under DOSSIER_PROVE.
func TestKnownAt(t *testing.T) {
	besideOthers(t)
	i := install(t)
	steps := counted(3, 50)
	inputs := workspace(t, counted(600, 1<<30))
	names := pastMetrics
	if os.Getenv("DOSSIER_PROVE") != "" {
		names = nil
		for _, d := range metric.Catalogue() {
			if !d.Employee {
				names = append(names, d.Name)
			}
		}
	}
	const first = `to: "2026-03-02T00:00:00Z", now: "2026-06-01T00:00:00Z"` // of the first step, which changes by the rules alone
	var moments []moment
	for step := range steps {
		i.deliver(t, inputs[step*len(inputs)/steps:(step+1)*len(inputs)/steps], 100, 2)
		var before map[string]any
		if step == steps/2 {
			before = i.figures(t, []string{"slaFirstReply"}, first)
			file := filepath.Join(t.TempDir(), "configuration.json")
			if err := os.WriteFile(file, []byte(`{"survivorship":{"default":{"order":"earliest"}},"care":{"targets":[{"firstReply":"3h"}],"restate":true}}`), 0o600); err != nil {
				t.Fatal(err)
			}
			i.must(t, "config", "apply", file, "--reason", "the first value counts")
		}
		i.send(t, basic(i.WriteKey), dealings(step)...)
		i.wait(t)
		i.mapped(t)
		if step == steps/2 { // and its rules are in every row
			for begun := time.Now(); reflect.DeepEqual(i.figures(t, []string{"slaFirstReply"}, first), before); time.Sleep(50 * time.Millisecond) {
				if time.Since(begun) > patience {
					t.Fatal("the rows are not made by the rules of the configuration")
				}
			}
		}
		m := moment{at: time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), exports: map[string]string{}, dossiers: map[string]map[string]any{}}
		for _, name := range pastExports {
			m.exports[name] = i.must(t, "export", name, "--clocks")
		}
		m.figures = i.figures(t, names, `now: "`+m.at+`"`)
		lines := strings.Split(strings.TrimSpace(m.exports["profiles"]), "\n")
		for n := range 4 {
			var p struct{ ID string }
			if err := json.Unmarshal([]byte(lines[n*(len(lines)-1)/3]), &p); err != nil {
				t.Fatal(err)
			}
			m.dossiers[p.ID], _ = i.told(t, p.ID)
		}
		moments = append(moments, m)
		time.Sleep(5 * time.Millisecond)
	}
	if reflect.DeepEqual(moments[0].figures, moments[len(moments)-1].figures) {
		t.Errorf("the figures were the same at all times, which proves nothing: %v", moments[0].figures)
	}
	for n, m := range moments {
		for _, name := range pastExports {
			if got := i.must(t, "export", name, "--clocks", "--known-at", m.at); got != m.exports[name] {
				t.Errorf("instant %d: %s had %d lines and %d bytes, and %d lines and %d bytes are told%s", n, name,
					strings.Count(m.exports[name], "\n"), len(m.exports[name]), strings.Count(got, "\n"), len(got), firstDifference(m.exports[name], got))
			}
		}
		for name, got := range i.figures(t, names, `knownAt: "`+m.at+`"`) {
			if !reflect.DeepEqual(got, m.figures[name]) {
				t.Errorf("instant %d: %s was\n%v\nand is told\n%v", n, name, m.figures[name], got)
			}
		}
		for profile, want := range m.dossiers {
			got, history := i.told(t, profile, "--known-at", m.at)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("instant %d: %s was\n%v\nand is told\n%v", n, profile, want, got)
			}
			if history["KnownAt"] == nil || history["ReachesBack"] == nil || history["ErasedSince"] != 0.0 {
				t.Errorf("instant %d: the history is %v", n, history)
			}
		}
	}
	if o := i.dossier(t, "show", "profile:00000000-0000-8000-8000-000000000000", "--known-at", moments[0].at); o.code != 1 {
		t.Errorf("nobody: %d %s", o.code, o.stderr)
	}

	// As of a time: what had happened.
	middle := occurrences(t, moments[len(moments)-1].exports["events"])
	asOf := middle[len(middle)/2]
	var earlier []string
	for line := range strings.Lines(i.must(t, "export", "events")) {
		var e struct{ OccurredAt string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if instantOf(t, e.OccurredAt).Compare(instantOf(t, asOf)) <= 0 {
			earlier = append(earlier, line)
		}
	}
	if got := i.must(t, "export", "events", "--as-of", asOf); got != strings.Join(earlier, "") || len(earlier) == 0 {
		t.Errorf("%d events had happened by %s, %d are told", len(earlier), asOf, strings.Count(got, "\n"))
	}
	people, known := 0, i.must(t, "export", "profiles", "--as-of", asOf)
	for line := range strings.Lines(known) {
		var p struct{ FirstOccurredAt, LastOccurredAt string }
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		if people++; instantOf(t, p.LastOccurredAt).After(instantOf(t, asOf)) {
			t.Errorf("somebody's last contact is after %s: %s", asOf, line)
		}
	}
	if people == 0 || known == i.must(t, "export", "profiles") {
		t.Errorf("%d profiles as of %s, as now", people, asOf)
	}

	// What was erased since is in no past, and the answer says that somebody was.
	last := moments[len(moments)-1]
	gone := ""
	for gone = range last.dossiers {
		break
	}
	i.must(t, "erase", gone, "--reason", "asked for it")
	if o := i.dossier(t, "show", "profile:"+gone, "--known-at", last.at); o.code != 1 {
		t.Errorf("the erased is in the past: %d %s", o.code, o.stdout)
	}
	if strings.Contains(i.must(t, "export", "profiles", "--known-at", last.at), gone) {
		t.Error("the erased is in the past's export")
	}
	if out := i.must(t, "metrics", "firstReply", "--known-at", last.at, "--explain"); !strings.Contains(out, "version   erasedSince 1") {
		t.Errorf("the figure does not tell of the erasure: %s", out)
	}
	for profile := range last.dossiers {
		if profile == gone {
			continue
		}
		if _, history := i.told(t, profile, "--known-at", last.at); history["ErasedSince"] != 1.0 {
			t.Errorf("the history does not tell of the erasure: %v", history)
		}
		break
	}
	for _, wrong := range [][]string{{"export", "cases", "--known-at", last.at}, {"export", "profiles", "--known-at", "yesterday"}, {"metrics", "nps", "--known-at", "2999-01-01"}, {"metrics", "nps", "--known-at", last.at, "--segment", "champions"}} {
		if o := i.dossier(t, wrong...); o.code == 0 || o.stderr == "" {
			t.Errorf("%v: %d %s", wrong, o.code, o.stderr)
		}
	}
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for n := range a {
		if n >= len(b) || a[n] != b[n] {
			return fmt.Sprintf("; line %d was\n%s\nand is\n%s", n, a[n], b[min(n, len(b)-1)])
		}
	}
	return ""
}

func occurrences(t *testing.T, events string) (times []string) {
	t.Helper()
	for line := range strings.Lines(events) { // which are in the order of time
		var e struct{ OccurredAt string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		times = append(times, e.OccurredAt)
	}
	return times
}

func instantOf(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
