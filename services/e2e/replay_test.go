package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReplayEvents: what comes back is what was accepted, once each and in order, whole or filtered, in one run or in two; and what is personal only
// to whom it may be shown, with a record of it.
func TestReplayEvents(t *testing.T) {
	besideOthers(t)
	i := install(t)
	at := func(n int) string { return fmt.Sprintf("2026-01-%02dT%02d:00:00Z", 1+n%28, n%24) }
	accepted := map[string]string{} // text by event id
	var events []json.RawMessage
	var texts []string
	for n := range 300 {
		texts = append(texts, fmt.Sprintf("Où est mon colis n° %d ? Where is it?", n))
		events = append(events, json.RawMessage(fmt.Sprintf(
			`{"type":%q,"channel":"email","source":%q,"messageId":"%d","occurredAt":%q,"account":{"kind":"crm_id","value":"%d"},"identifiers":{"email":"personne.%d@exemple.fr"},"text":%q}`,
			[]string{"message.received", "order.placed"}[n%2], []string{"crm", "boutique"}[n%3/2], n, at(n), n%40, n%40, texts[n])))
	}
	for n, id := range i.send(t, basic(i.WriteKey), events...) {
		accepted[id] = texts[n]
	}
	i.send(t, basic(i.WriteKey), events[:50]...) // copies
	i.wait(t)
	type line struct{ ID, OccurredAt, Persona, Type, Source, Text string }
	full := i.must(t, "replay", "--personal", "--purpose", "rebuild of the report")
	var last line
	lastOf := map[string]string{}
	for text := range strings.Lines(full) {
		l := decoded[line](t, []byte(text))
		if want, known := accepted[l.ID]; !known || want != l.Text {
			t.Fatalf("an event that was not accepted so: %s", text)
		}
		delete(accepted, l.ID)
		if l.OccurredAt < lastOf[l.Persona] {
			t.Fatalf("an event of a persona before an earlier one: %s", text)
		}
		lastOf[l.Persona], last = l.OccurredAt, l
	}
	if len(accepted) > 0 || last.ID == "" {
		t.Fatalf("%d accepted events do not come back", len(accepted))
	}

	t.Run("clear", func(t *testing.T) {
		got := i.must(t, "replay", "events", "--to", "stdout")
		if strings.Count(got, "\n") != 300 || strings.Contains(got, "colis") || strings.Contains(got, "exemple.fr") || strings.Contains(got, "account") {
			t.Errorf("without --personal: %s", got[:min(len(got), 500)])
		}
		if l := decoded[line](t, []byte(got[:strings.IndexByte(got, '\n')+1])); l.ID == "" || l.Persona == "" || l.Type == "" || l.Source == "" {
			t.Errorf("the clear part is %+v", l)
		}
	})
	t.Run("filtered", func(t *testing.T) {
		for _, c := range []struct {
			flags []string
			keep  func(l line) bool
		}{
			{[]string{"--types", "order.placed"}, func(l line) bool { return l.Type == "order.placed" }},
			{[]string{"--types", "order.placed,message.received", "--sources", "boutique"}, func(l line) bool { return l.Source == "boutique" }},
			{[]string{"--from", "2026-01-05T00:00:00Z", "--until", "2026-01-09T00:00:00Z"}, func(l line) bool {
				return l.OccurredAt >= "2026-01-05T00:00:00Z" && l.OccurredAt < "2026-01-09T00:00:00Z"
			}},
			{[]string{"--sources", "nobody"}, func(line) bool { return false }},
		} {
			var want strings.Builder
			for text := range strings.Lines(full) {
				if c.keep(decoded[line](t, []byte(text))) {
					want.WriteString(text)
				}
			}
			if got := i.must(t, append([]string{"replay", "--personal"}, c.flags...)...); got != want.String() {
				t.Errorf("%v: %d lines, want %d", c.flags, strings.Count(got, "\n"), strings.Count(want.String(), "\n"))
			}
		}
	})
	t.Run("file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "événements.ndjson")
		i.must(t, "replay", "--personal", "--to", "file", "--out", path)
		if got, err := os.ReadFile(path); err != nil || string(got) != full {
			t.Errorf("the file is not what goes to stdout: %v", err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others may read the file: %v %v", info.Mode(), err)
		}
		if o := i.dossier(t, "replay", "--personal", "--to", "file", "--out", path); o.code != 1 || !strings.Contains(o.stderr, "there already") {
			t.Errorf("a file that is there: %d, %s", o.code, o.stderr)
		}
		folder := filepath.Join(t.TempDir(), "parquet")
		i.must(t, "replay", "--to", "file", "--format", "parquet", "--out", folder)
		if part, err := os.ReadFile(filepath.Join(folder, "part-00001.parquet")); err != nil || !strings.HasPrefix(string(part), "PAR1") || !strings.HasSuffix(string(part), "PAR1") {
			t.Errorf("no file of Parquet: %v", err)
		}
	})
	t.Run("topic", func(t *testing.T) {
		installedIn(t, "", "kcat")
		note := filepath.Join(t.TempDir(), "note")
		args := []string{"replay", "--personal", "--to", "topic", "--topic", "encore", "--note", note}
		if len(i.place.brokers) > 0 {
			args = append(args, "--kafka", i.place.brokers[0])
		}
		i.must(t, args...)
		i.must(t, args...) // adds nothing
		var got []string
		for text := range strings.Lines(string(runIn(t, "", "kcat", "-C", "-b", i.broker(t), "-t", "encore", "-e", "-q", "-f", `%k %s\n`))) {
			key, value, _ := strings.Cut(text, " ")
			event := decoded[struct {
				SpecVersion, ID, Source, Type, Time, Subject, DataContentType string
				Data                                                          json.RawMessage
			}](t, []byte(value))
			l := decoded[line](t, event.Data)
			if event.SpecVersion != "1.0" || event.ID != l.ID || event.Type != l.Type || event.Time != l.OccurredAt || event.Subject != l.Persona || key != l.Persona || event.Source != "/dossier/main/"+l.Source || event.DataContentType != "application/json" {
				t.Fatalf("a CloudEvent is %s", text)
			}
			got = append(got, string(event.Data)+"\n")
		}
		if want := slices.Sorted(strings.Lines(full)); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("the topic has %d events, want %d", len(got), len(want))
		}
	})
	t.Run("scope", func(t *testing.T) {
		token := decoded[struct{ Secret string }](t, []byte(i.must(t, "tokens", "create", "--name", "bi", "--actor", "bi", "--scope", "read", "--scope", "unmask", "--json")))
		if o := i.dossier(t, "replay", "--personal", "--url", i.URL, "--token", token.Secret); o.code != 1 || !strings.Contains(o.stderr, "privacy") || o.stdout != "" {
			t.Errorf("without the scope privacy: %d, %s", o.code, o.stderr)
		}
		if o := i.dossier(t, "replay", "--url", i.URL, "--token", token.Secret); o.code != 0 || strings.Count(o.stdout, "\n") != 300 {
			t.Errorf("the clear part without the scope privacy: %d, %s", o.code, o.stderr)
		}
		seen := decoded[[]struct{ Action, Purpose string }](t, []byte(i.must(t, "audit", "list", "--json", "--limit", "1000")))
		recorded := 0
		for _, r := range seen {
			if r.Action == "GET /v1/replay/personal" && r.Purpose == "rebuild of the report" {
				recorded++
			}
			if r.Action == "GET /v1/replay" {
				t.Error("a read of clear parts is recorded")
			}
		}
		if recorded != 1 {
			t.Errorf("the read is recorded %d times", recorded)
		}
	})
	t.Run("misused", func(t *testing.T) {
		for _, c := range []struct {
			code  int
			flags []string
		}{
			{1, []string{"--types", "order.eaten"}}, {1, []string{"--from", "yesterday"}}, {1, []string{"--from", "2026-02-01T00:00:00Z", "--until", "2026-01-01T00:00:00Z"}},
			{2, []string{"--to", "file"}}, {2, []string{"--to", "topic"}}, {2, []string{"--to", "topic", "--topic", i.topic("events")}},
			{2, []string{"--format", "parquet"}}, {2, []string{"--after", "x"}}, {1, []string{"--after", last.OccurredAt + "/" + last.ID, "--log-end", "999999999"}},
		} {
			if o := i.dossier(t, append([]string{"replay"}, c.flags...)...); o.code != c.code || o.stdout != "" {
				t.Errorf("%v: %d: %s", c.flags, o.code, o.stderr)
			}
		}
	})
	// In two runs, with others writing between: last, since it adds events.
	t.Run("resumed", func(t *testing.T) {
		o := i.dossier(t, "replay", "--personal", "--json")
		end := decoded[struct{ Events, After, End any }](t, []byte(o.stderr[strings.IndexByte(o.stderr, '{'):])).End
		i.send(t, basic(i.WriteKey), json.RawMessage(`{"type":"message.received","channel":"email","source":"crm","messageId":"later","occurredAt":"2026-01-10T00:00:30Z","account":{"kind":"crm_id","value":"1"},"text":"plus tard"}`))
		i.wait(t)
		lines := slices.Collect(strings.Lines(full))
		for _, n := range []int{0, 1, 150, 298, 299} {
			l := decoded[line](t, []byte(lines[n]))
			got := i.must(t, "replay", "--personal", "--after", l.OccurredAt+"/"+l.ID, "--log-end", fmt.Sprint(end))
			if got != strings.Join(lines[n+1:], "") {
				t.Errorf("behind event %d: %d lines", n, strings.Count(got, "\n"))
			}
		}
		if got := i.must(t, "replay", "--personal"); strings.Count(got, "\n") != 301 || !strings.Contains(got, "plus tard") {
			t.Error("a new run lacks what came since")
		}
	})
}
