package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/services/rights"
)

// TestRetention: what is of a class whose time is over goes for everybody, and nothing else does: rows, state, dead letters, figures, and from the log, too. What
// comes late of it is refused under a code of its own. What was taken out of the projections is, to the byte, what a rebuild from the log leaves out.
func TestRetention(t *testing.T) {
	besideOthers(t)
	i := install(t)
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	old := time.Now().UTC().Year() - 3
	i.must(t, "config", "apply", write("retention.yaml", `
sources:
  survey: {class: opinions}
retention:
  classes:
    navigation: {years: 2, types: [page.viewed], purpose: what is looked at on the site}
    opinions: {years: 2, purpose: what people think}
    standard: {years: 50}
segments:
  lookers:
    where: {event: {type: page.viewed, count: {atLeast: 3}}}
`))
	const marker = "zqexpired"
	events := func(person, year int) (all []json.RawMessage) {
		who := fmt.Sprintf(`"userId":"keep-%d","messageId":"%d-%d-`, person, person, year)
		for _, text := range []string{
			`{"type":"profile.identified","source":"crm",WHOcrm","occurredAt":"YEAR-02-01T00:00:00Z","traits":{"firstName":"Ann"},"identifiers":[{"kind":"email","value":"keepPERSON@example.com"}]}`,
			`{"type":"page.viewed","source":"web",WHOpage","occurredAt":"YEAR-02-02T00:00:00Z","name":"zqexpired YEAR page","properties":{"url":"https://shop.example/zqexpired/YEAR"},"traits":{"city":"zqexpired YEAR city"}}`,
			`{"type":"survey.answered","channel":"survey","source":"survey",WHOsurvey","occurredAt":"YEAR-02-03T00:00:00Z","entity":"zqexpired-YEAR-PERSON","rating":"2","ratingScale":"0-10","text":"zqexpired YEAR: the parcel never came"}`,
			`{"type":"message.received","channel":"email","source":"survey",WHOmessage","occurredAt":"YEAR-02-04T00:00:00Z","conversation":"c-PERSON","text":"zqexpired YEAR: my parcel never came"}`,
			`{"type":"message.received","channel":"email","source":"desk",WHOdesk","occurredAt":"YEAR-02-04T00:00:01Z","conversation":"c-PERSON","text":"my parcel of YEAR never came"}`,
		} {
			all = append(all, json.RawMessage(strings.NewReplacer("WHO", who, "YEAR", fmt.Sprint(year), "PERSON", fmt.Sprint(person)).Replace(text)))
		}
		return all
	}
	const people = 5
	for person := range people {
		for year := old; year < old+3; year++ {
			i.send(t, basic(i.WriteKey), events(person, year)...)
		}
	}
	// Somebody of whom nothing else is known, and a letter that names somebody.
	lone := json.RawMessage(fmt.Sprintf(`{"type":"page.viewed","source":"web","userId":"only-looked","messageId":"lone","occurredAt":"%d-05-05T00:00:00Z","name":"zqexpired %d lone"}`, old, old))
	i.send(t, basic(i.WriteKey), lone)
	if a := i.raw(t, "/v1/events", basic(i.WriteKey), strings.NewReader(`{"type":"page.seen","messageId":"x","userId":"keep-1","name":"zqexpired"}`)); a.status != 400 {
		t.Fatalf("a bad event: %+v", a)
	}
	i.wait(t)
	before := i.must(t, "export", "events")
	if n := strings.Count(before, marker); n < people*9 {
		t.Fatalf("%d marks before", n)
	}
	want := people*15 + 1

	apply := func(code int, args ...string) (done rights.Expiry) {
		t.Helper()
		o := i.dossier(t, append([]string{"retention", "apply", "--json"}, args...)...)
		if o.code != code {
			t.Fatalf("apply %v ended with %d: %s", args, o.code, o.stderr)
		}
		if err := json.Unmarshal([]byte(o.stdout), &done); err != nil {
			t.Fatalf("%v: %s", err, o.stdout)
		}
		return done
	}
	lookers := func(when string, want int) {
		t.Helper()
		if n := strings.Count(i.must(t, "export", "segments", "--at", time.Now().UTC().Format(time.RFC3339)), `"profile"`); n != want {
			t.Errorf("%s: %d are in the segment, want %d", when, n, want)
		}
	}
	lookers("before", people)
	planned := apply(0, "--dry-run")
	if len(planned.Years) != 2 || planned.Years[0].Class != "navigation" || planned.Years[0].Year != old || planned.Years[0].Events != people+1 || planned.Years[0].People != people+1 ||
		planned.Years[1].Events != 2*people || planned.Empty < 200 || planned.Erasure != nil {
		t.Fatalf("the plan is %+v", planned)
	}
	if got := i.must(t, "export", "events"); got != before {
		t.Error("a dry run has changed something")
	}
	// A hold keeps the class and year whole that the person has something in.
	hold := strings.TrimSpace(i.must(t, "holds", "place", "user_id:only-looked", "--reason", "a dispute"))
	if held := apply(3, "--dry-run"); len(held.Held) != 1 || held.Held[0].Class != "navigation" || len(held.Years) != 1 {
		t.Errorf("under a hold: %+v", held)
	}
	i.must(t, "holds", "lift", hold, "--reason", "settled")
	if o := i.dossier(t, "retention", "apply"); o.code != 2 {
		t.Errorf("without a reason: %d %s", o.code, o.stderr)
	}
	known := time.Now().UTC().Format(time.RFC3339Nano)
	done := apply(0, "--reason", "yearly")
	if done.Erasure == nil || done.Erasure.State != "FINISHED" || done.Erasure.Digest == "" {
		t.Fatalf("the proof is %+v", done.Erasure)
	}
	want -= 3*people + 1
	if again := apply(0, "--reason", "yearly"); again.Erasure != nil || len(again.Years) != 0 || again.Empty != 0 {
		t.Errorf("repeated: %+v", again)
	}
	gone := fmt.Sprintf("%s %d", marker, old)
	check := func(when string) {
		t.Helper()
		i.wait(t)
		for _, name := range []string{"events", "personas", "profiles", "timeline", "cases"} {
			text := i.must(t, "export", name)
			if strings.Contains(text, gone) || strings.Contains(text, "only-looked") {
				t.Errorf("%s: %s has what is kept no longer", when, name)
			}
			if kept := fmt.Sprintf("%s %d", marker, old+1); name != "profiles" && name != "personas" && !strings.Contains(text, kept) && name != "cases" {
				t.Errorf("%s: %s lacks %s", when, name, kept)
			}
		}
		if n := counts(t, i.digest(t)); n["events"] != want || n["timeline"] != want {
			t.Errorf("%s: %d events and %d rows, want %d", when, n["events"], n["timeline"], want)
		}
		if o := i.dossier(t, "show", "user_id:only-looked"); o.code != 1 {
			t.Errorf("%s: who only looked is known: %d %s", when, o.code, o.stdout)
		}
	}
	check("after it")
	lookers("after it", 0)
	late, err := i.offer(t.Context(), basic(i.WriteKey), append(events(0, old), lone)...)
	if err != nil {
		t.Fatal(err)
	}
	if late.Accepted != 2 || len(late.Refused) != 4 {
		t.Errorf("late: %+v", late)
	}
	for _, r := range late.Refused {
		if r.Code != "retention_expired" || r.Hint == "" {
			t.Errorf("a late event is refused as %+v", r)
		}
	}
	if letters := i.must(t, "deadletters", "list", "--json"); strings.Contains(letters, "retention_expired") {
		t.Errorf("what is kept no longer became a dead letter: %s", letters)
	}
	// The figure of then restates, and the answer says so.
	var told struct{ History map[string]any }
	if err := json.Unmarshal([]byte(i.must(t, "show", "user_id:keep-1", "--json", "--known-at", known)), &told); err != nil || told.History["ErasedSince"] != 1.0 {
		t.Errorf("as known before it: %v %v", told.History, err)
	}
	if text := i.must(t, "export", "events", "--known-at", known); strings.Contains(text, gone) {
		t.Error("the past has what is kept no longer")
	}
	if list := i.must(t, "retention", "list"); !strings.Contains(list, "ended") || !strings.Contains(list, "what people think") || strings.Count(list, "\n") > 15 {
		t.Errorf("the list is\n%s", list)
	}
	if audit := i.must(t, "audit", "list"); !strings.Contains(audit, "POST /v1/retention") {
		t.Errorf("the audit log lacks it: %s", audit)
	}
	digest := i.digest(t)
	i.down(t)
	found := marked{gone, "+33600000000"}.found(t, i.data)
	if len(found) > 0 {
		t.Errorf("what is kept no longer stands in %s", strings.Join(found, "\n"))
	}
	for _, part := range []string{"clickhouse", "state"} { // a full replay
		if err := os.RemoveAll(filepath.Join(i.data, part)); err != nil {
			t.Fatal(err)
		}
	}
	i.up(t)
	check("after a full replay")
	lookers("after a full replay", 0)
	i.sameDigest(t, digest, nil)
}
