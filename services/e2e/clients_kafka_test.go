package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// pipe runs `dossier open` on values.
func (i *installation) pipe(t *testing.T, values []byte, flags ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t), append([]string{"open", "--data", i.data}, flags...)...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = environment(i.env...), t.TempDir(), bytes.NewReader(values), &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return outcome{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// opened gives the lines that `dossier open` writes, sorted. It must open all of them.
func (i *installation) opened(t *testing.T, values []byte, flags ...string) []string {
	t.Helper()
	o := i.pipe(t, values, flags...)
	lines := slices.Sorted(strings.Lines(o.stdout))
	if want := fmt.Sprintf("opened %d, gone 0, damaged 0", len(lines)); o.code != 0 || !strings.Contains(o.stderr, want) {
		t.Fatalf("dossier open ended with %d and says %q, want %s", o.code, o.stderr, want)
	}
	return lines
}

// TestKafkaClients: kcat and kafkajs, unmodified, read the topics. What they read of events is opened with the ring and
// equals the export; without the ring, no personal value is in it.
func TestKafkaClients(t *testing.T) {
	besideOthers(t)
	installedIn(t, sdks, "node", "kcat")
	i := install(t)
	var events []json.RawMessage
	for n := range 200 {
		events = append(events, json.RawMessage(fmt.Sprintf(`{"type":"message.received","channel":"email","source":"crm","messageId":"%d","occurredAt":"2026-01-02T00:00:00Z","account":{"kind":"crm_id","value":"%d"},"identifiers":{"email":"person.%d@example.com"},"text":"Où est mon colis n° %d ?\n%s"}`, n, n%40, n%40, n, strings.Repeat("é", n))))
	}
	i.send(t, basic(i.WriteKey), events...)
	i.wait(t)
	want := slices.Sorted(strings.Lines(i.must(t, "export", "events")))
	if len(want) != len(events) {
		t.Fatalf("the export has %d events", len(want))
	}
	broker := i.broker(t)
	t.Run("kcat", func(t *testing.T) {
		values := runIn(t, "", "kcat", "-C", "-b", broker, "-t", i.topic(schema.TopicEvents), "-e", "-q", "-f", `%S %s\n`)
		if bytes.Contains(values, []byte("example.com")) || bytes.Contains(values, []byte("colis")) {
			t.Error("the topic holds personal values in the clear")
		}
		if got := i.opened(t, values); !slices.Equal(got, want) {
			t.Errorf("kcat read %d events, and they are not those of the export", len(got))
		}
		changes := runIn(t, "", "kcat", "-C", "-b", broker, "-t", i.topic(schema.TopicProfiles), "-e", "-q", "-f", `%s\n`)
		created := 0
		for line := range strings.Lines(string(changes)) {
			if decoded[struct{ Kind string }](t, []byte(line)).Kind == "created" {
				created++
			}
		}
		if created != 40 {
			t.Errorf("the topic profiles tells of %d people, want 40", created)
		}
	})
	t.Run("kafkajs", func(t *testing.T) {
		values := runIn(t, sdks, "node", "consume.mjs", broker, i.topic(schema.TopicEvents))
		if got := i.opened(t, values, "--base64"); !slices.Equal(got, want) {
			t.Errorf("kafkajs read %d events, and they are not those of the export", len(got))
		}
	})
	t.Run("open", func(t *testing.T) {
		for _, c := range []struct {
			name, input string
			flags       []string
			code        int
			want        string
		}{
			{"no framing", "nonsense", nil, 1, "want the value's length"},
			{"cut short", "100 abc", nil, 1, "ends before its 100 bytes"},
			{"no value", "-1 \n0 \n", nil, 3, "damaged 1"},
			{"no event", "3 abc\n3 def\n", nil, 3, "damaged 2"},
			{"no base64", "!!!", []string{"--base64"}, 1, "base64"},
			{"nothing", "", nil, 0, "opened 0, gone 0, damaged 0"},
			{"another workspace", "", []string{"--workspace", "nobody"}, 1, "there is no workspace"},
			{"no folder", "", []string{"--data", t.TempDir()}, 1, "no key ring"},
		} {
			o := i.pipe(t, []byte(c.input), c.flags...)
			if o.code != c.code || !strings.Contains(o.stderr, c.want) {
				t.Errorf("%s: %d %s", c.name, o.code, o.stderr)
			}
		}
	})
}

// people gives persona → profile, from the export of profiles.
func (i *installation) people(t *testing.T) map[string]string {
	t.Helper()
	table := map[string]string{}
	export(t, i, "profiles", func(p struct {
		ID       string
		Personas []struct{ ID string }
	}) {
		for _, persona := range p.Personas {
			table[persona.ID] = p.ID
		}
	})
	return table
}

// TestProfileFeed: the example consumers, in Go and in Python, follow merges and splits, and end with what the export says.
func TestProfileFeed(t *testing.T) {
	besideOthers(t)
	python := "../../deploy/clients/python/.venv/bin/python"
	installedIn(t, "", python)
	i := install(t)
	contact := func(source, account, email string, n int) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"type":"profile.identified","channel":"crm","source":%q,"messageId":"%d","occurredAt":"2026-01-%02dT00:00:00Z","account":{"kind":"crm_id","value":%q},"identifiers":{"email":%q}}`, source, n, n, account, email))
	}
	i.send(t, basic(i.WriteKey), contact("crm", "1", "ann@example.com", 1), contact("shop", "2", "bob@example.com", 2), contact("crm", "3", "eve@example.com", 3))
	i.wait(t)
	table := filepath.Join(t.TempDir(), "people.json")
	consumers := map[string]func() string{
		"go": func() string {
			return string(runWith(t, []string{"GOWORK=off"}, "../../deploy/clients/go", "go", "run", ".", "-brokers", i.broker(t), "-topic", i.topic(schema.TopicProfiles), "-url", i.URL, "-token", i.APIToken, "-table", table+".go", "-until-end"))
		},
		"python": func() string {
			return string(runIn(t, "../../deploy/clients/python", ".venv/bin/python", "profile_changes.py", "--brokers", i.broker(t), "--topic", i.topic(schema.TopicProfiles), "--url", i.URL, "--token", i.APIToken, "--table", table+".python", "--until-end"))
		},
	}
	said := map[string][]string{}
	follow := func(step string) {
		t.Helper()
		want := i.people(t)
		for name, consume := range consumers {
			lines := slices.Sorted(strings.Lines(consume()))
			said[step] = append(said[step], strings.Join(lines, ""))
			b, err := os.ReadFile(table + "." + name)
			if err != nil {
				t.Fatal(err)
			}
			got := decoded[struct{ Profiles map[string]string }](t, b).Profiles
			if !maps.Equal(got, want) {
				t.Errorf("%s: %s has %v, the export %v", step, name, got, want)
			}
		}
		if s := said[step]; s[0] != s[1] {
			t.Errorf("%s: the two say\n%s\nand\n%s", step, s[0], s[1])
		}
	}
	follow("begun")
	ann, bob := i.owner(t, "email", "ann@example.com"), i.owner(t, "email", "bob@example.com")
	var linked struct{ Link struct{ Event string } }
	i.query(t, `mutation($a: ID!, $b: ID!) { link(a: $a, b: $b, reason: "the same person", idempotencyKey: "1") { event } }`, map[string]any{"a": ann, "b": bob}, &linked)
	i.send(t, basic(i.WriteKey), contact("crm", "4", "dan@example.com", 4))
	i.wait(t)
	follow("merged")
	if !strings.Contains(said["merged"][0], "->") {
		t.Errorf("the merge was not told: %q", said["merged"])
	}
	i.query(t, `mutation($e: ID!) { release(event: $e, reason: "they are two", idempotencyKey: "2") { event } }`, map[string]any{"e": linked.Link.Event}, &struct{}{})
	i.wait(t)
	follow("split")
	if !strings.Contains(said["split"][0], "->") || strings.Contains(said["begun"][0], "->") {
		t.Errorf("%q", said)
	}
	// A restart that built everything anew: the feed says so, and the consumers end with the same table.
	i.down(t)
	if err := os.RemoveAll(filepath.Join(i.data, "state")); err != nil {
		t.Fatal(err)
	}
	i.up(t)
	i.wait(t)
	follow("rebuilt")
}
