package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// shadowLine is what `replay status --json` tells.
type shadowLine struct {
	Name, State, Reason, Hash string
	Done, Total               int64
}

func (i *installation) shadows(t *testing.T) []shadowLine {
	t.Helper()
	return decoded[[]shadowLine](t, []byte(i.must(t, "replay", "status", "--json")))
}

func written(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sameShadow fails unless a shadow has the digest of the live projections.
func (i *installation) sameShadow(t *testing.T, name string) {
	t.Helper()
	if live, shadow := i.digest(t), i.must(t, "digest", "--shadow", name); live != shadow {
		t.Errorf("the shadow's digest is\n%swant\n%s", shadow, live)
	}
}

// TestShadow: a replay into a shadow that nothing was changed for has the digest of the live projections, also when it is killed in the middle and when
// events come meanwhile; other rules give the people that they make, and nothing live changes; whoever is erased is erased in it.
func TestShadow(t *testing.T) {
	besideOthers(t)
	i := install(t, "--log-level", "info") // which tells the steps of a promotion
	var events []json.RawMessage
	for n := range 1500 {
		// Two records of the CRM for each person, who has one mailbox.
		events = append(events, json.RawMessage(fmt.Sprintf(
			`{"type":%q,"channel":"email","source":"crm","messageId":"%d","occurredAt":"2026-01-%02dT%02d:00:00Z","account":{"kind":"crm_id","value":"%d"},"identifiers":{"email":"personne.%d@exemple.fr"},"traits":{"given_name":"Prénom%d","family_name":"Nom%d"},"conversation":"c-%d","text":"Où est mon colis n° %d ?"}`,
			[]string{"message.received", "message.sent", "order.placed"}[n%3], n, 1+n%28, n%24, n%300, n%300/2, n%300/2, n%300/2, n%500, n)))
	}
	i.send(t, basic(i.WriteKey), events...)
	i.wait(t)
	before := i.digest(t)
	profiles := counts(t, before)["profiles"]

	i.must(t, "replay", "start", "--into", "next", "--wait")
	i.sameShadow(t, "next")
	if got := i.digest(t); got != before {
		t.Errorf("the live projections have changed: %s", got)
	}
	// It follows.
	i.send(t, basic(i.WriteKey), json.RawMessage(`{"type":"message.received","channel":"email","source":"crm","messageId":"later","occurredAt":"2026-02-01T00:00:00Z","account":{"kind":"crm_id","value":"later"},"identifiers":{"email":"plus.tard@exemple.fr"},"text":"plus tard"}`))
	i.wait(t)
	i.sameShadow(t, "next")

	// Killed while another one is built, both carry on.
	if o := i.dossier(t, "replay", "start", "--into", "other"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	i.kill(t)
	i.up(t)
	for begun := time.Now(); len(i.shadows(t)) < 2; time.Sleep(100 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("after kill -9 there are the shadows %v", i.shadows(t))
		}
	}
	for _, name := range []string{"next", "other"} {
		i.must(t, "replay", "status", name, "--wait")
		i.sameShadow(t, name)
	}

	t.Run("erased", func(t *testing.T) {
		for o := i.dossier(t, "erase", "email:plus.tard@exemple.fr", "--reason", "asked for it"); o.code != 0; o = i.dossier(t, "erase", "email:plus.tard@exemple.fr", "--reason", "asked for it") {
			if !strings.Contains(o.stderr, "did not end") { // on a slow machine it takes more than one command waits
				t.Fatal(o.stderr)
			}
		}
		i.sameShadow(t, "next")
		if got := i.must(t, "export", "personas", "--shadow", "next"); strings.Contains(got, "plus.tard") {
			t.Error("the shadow still knows her")
		}
	})
	i.must(t, "replay", "discard", "other")
	t.Run("discarded", func(t *testing.T) {
		i.must(t, "replay", "discard", "next")
		if left, err := os.ReadDir(filepath.Join(i.data, "shadows")); err != nil || len(left) > 0 {
			t.Errorf("%v is left: %v", left, err)
		}
		if got := i.shadows(t); len(got) > 0 {
			t.Errorf("there are the shadows %v", got)
		}
	})
	t.Run("rules", func(t *testing.T) {
		rules := filepath.Join(t.TempDir(), "rules.yaml")
		segment := filepath.Join(t.TempDir(), "everybody.yaml")
		written(t, segment, "title: Everybody\nwhere:\n  any:\n  - event: {type: message.received, count: {atLeast: 1}}\n  - event: {type: message.sent, count: {atLeast: 1}}\n  - event: {type: order.placed, count: {atLeast: 1}}\n")
		i.must(t, "segments", "save", segment, "--reason", "test")
		written(t, rules, "identity:\n  kinds:\n    - {kind: crm_id, strength: core}\n    - {kind: email, strength: none}\n    - {kind: name_and_birth, strength: none}\n")
		live := i.digest(t)
		i.must(t, "replay", "start", "--into", "stricter", "--rules", rules, "--wait")
		got := counts(t, i.must(t, "digest", "--shadow", "stricter"))
		if got["profiles"] != 300 || profiles != 150 || got["timeline"] != 1500 {
			t.Errorf("the shadow has %v, live there are %d profiles", got, profiles)
		}
		if now := i.digest(t); now != live {
			t.Errorf("the live projections have changed: %s", now)
		}
		diff := decoded[struct {
			People struct {
				Before, After, Same, Changed, Merged, Split, Moved, Gone, New int
				Merges, Splits                                                []struct {
					Before []string
					After  []struct {
						Profile  string
						Personas []string
					}
					Cause string
				}
			}
			Rows    []struct{ Kind string }
			Figures []struct{ Name string }
		}](t, []byte(i.must(t, "replay", "diff", "stricter", "--samples", "1000", "--json")))
		p := diff.People
		if p.Before != 150 || p.After != 300 || p.Split != 150 || p.Same+p.Changed+p.Merged+p.Moved+p.Gone+p.New != 0 || len(p.Splits) != 150 || len(p.Merges) != 0 {
			t.Errorf("the difference is %d before, %d after, %d split, %d samples, %d the same, %d changed, %d merged, %d moved, %d gone, %d new",
				p.Before, p.After, p.Split, len(p.Splits), p.Same, p.Changed, p.Merged, p.Moved, p.Gone, p.New)
		}
		for _, s := range p.Splits {
			if len(s.Before) != 1 || len(s.After) != 2 || len(s.After[0].Personas) != 1 || !strings.HasPrefix(s.Cause, "was joined by email") || !strings.HasSuffix(s.Cause, "; now nothing joins them") {
				t.Fatalf("a sample is %+v", s)
			}
		}
		if text := i.must(t, "replay", "diff", "stricter"); strings.Contains(text, "exemple.fr") || !strings.Contains(text, "150 split") {
			t.Errorf("the difference reads %s", text)
		}
		if proving() { // seven starts more
			i.promoted(t)
		}
		i.must(t, "replay", "discard", "stricter")
	})
	t.Run("misused", func(t *testing.T) {
		broken := filepath.Join(t.TempDir(), "broken.yaml")
		written(t, broken, "identity:\n  rulez: 1\n")
		for _, c := range []struct {
			flags []string
			says  string
		}{
			{[]string{"start", "--into", "x", "--rules", broken}, "rulez"}, {[]string{"start", "--into", "X!"}, "small letters"},
			{[]string{"start", "--into", "x", "--from", "2027-01-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"}, "nothing between"},
			{[]string{"start", "--into", "x", "--types", "order.eaten"}, "order.eaten"}, {[]string{"status", "nobody"}, "no shadow"},
			{[]string{"discard", "nobody"}, "no shadow"}, {[]string{"promote", "nobody"}, "no shadow"}, {[]string{"promote", "--undo"}, "nothing to go back to"},
			{[]string{"start", "--into", "previous"}, "choose another"}, {[]string{"pause", "nobody"}, "no shadow"},
		} {
			if o := i.dossier(t, append([]string{"replay"}, c.flags...)...); o.code != 1 || !strings.Contains(o.stderr, c.says) || strings.Count(strings.TrimSpace(o.stderr), "\n") > 0 {
				t.Errorf("%v: %d: %s", c.flags, o.code, o.stderr)
			}
		}
		if got := i.shadows(t); len(got) > 0 {
			t.Errorf("there are the shadows %v", got)
		}
	})
}

// inSegment waits until so many are in the segment everybody, and are told to be, and gives how many changes of it are told.
func (i *installation) inSegment(t *testing.T, want int) (changes int) {
	t.Helper()
	var answer struct {
		Segment struct {
			Count   int
			Changes []struct {
				Profile string
				Entered bool
			}
		}
	}
	for begun := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		answer.Segment.Changes = nil
		if faults := i.ask(t, i.APIToken, `{ segment(name: "everybody") { count changes(first: 500) { profile entered } } }`, nil, &answer); len(faults) > 0 {
			t.Fatal(faults)
		}
		in := map[string]int{}
		for _, c := range answer.Segment.Changes {
			if c.Entered {
				in[c.Profile]++
			} else {
				in[c.Profile]--
			}
		}
		members := 0
		for profile, n := range in {
			if members += n; n < 0 || n > 1 {
				t.Fatalf("%s entered %d times more often than it left", profile, n)
			}
		}
		if answer.Segment.Count == want && members == want {
			return len(answer.Segment.Changes)
		}
		if time.Since(begun) > patience {
			t.Fatalf("%d are in the segment, of whom %d are told, want %d", answer.Segment.Count, members, want)
		}
	}
}

// promoted has the shadow stricter take the place of the live projections and gives it back: all readers, all or none, killed at any step, while events come and questions are
// asked. It ends as it began.
func (i *installation) promoted(t *testing.T) {
	t.Helper()
	first := i.inSegment(t, 150)
	// Two at once, while events come and questions are asked: nobody is turned away.
	stop := make(chan struct{})
	var asking, promoting sync.WaitGroup
	var failed []string
	var mu sync.Mutex
	sent := 0
	ask := func(path, authorization, body string) {
		request, err := http.NewRequest(http.MethodPost, i.URL+path, bytes.NewReader([]byte(body)))
		if err == nil {
			request.Header.Set("Authorization", authorization)
			request.Header.Set("Content-Type", "application/json")
			var response *http.Response
			if response, err = http.DefaultClient.Do(request); err == nil {
				var text bytes.Buffer
				_, err = text.ReadFrom(response.Body)
				response.Body.Close()
				if response.StatusCode != http.StatusOK || strings.Contains(text.String(), `"errors"`) {
					err = fmt.Errorf("%s: %d %s", path, response.StatusCode, text.String())
				}
			}
		}
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			failed = append(failed, err.Error())
		}
	}
	asking.Go(func() {
		for ; ; time.Sleep(20 * time.Millisecond) {
			select {
			case <-stop:
				return
			default:
			}
			sent++
			ask("/v1/events", basic(i.WriteKey), fmt.Sprintf(
				`{"type":"message.received","channel":"email","source":"crm","messageId":"during-%d","occurredAt":"2026-02-02T00:00:00Z","account":{"kind":"crm_id","value":"0"},"text":"pendant"}`, sent))
			ask("/graphql", "Bearer "+i.APIToken, `{"query":"{ dossiers(identifier: {kind: \"email\", value: \"personne.0@exemple.fr\"}) { profile { id } timeline(first: 5) { totalCount } } }"}`)
		}
	})
	for range 2 {
		promoting.Go(func() {
			if o := i.dossier(t, "replay", "promote", "stricter", "--reason", "test"); o.code != 0 {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, o.stderr)
			}
		})
	}
	promoting.Wait()
	time.Sleep(200 * time.Millisecond)
	close(stop)
	asking.Wait()
	if len(failed) > 0 {
		t.Fatalf("while a shadow was promoted: %v", failed)
	}
	i.wait(t)
	got := counts(t, i.digest(t))
	if got["profiles"] != 300 || got["timeline"] != 1500+sent {
		t.Fatalf("promoted, there are %v; %d events were sent meanwhile", got, sent)
	}
	if n := i.inSegment(t, 300); n != first+150 {
		t.Errorf("%d changes of the segment are told, want %d and the 150 that differ", n, first)
	}
	if o := i.dossier(t, "config", "show"); !strings.Contains(o.stdout, "none") {
		t.Errorf("the configuration in force is %s", o.stdout)
	}
	i.must(t, "replay", "promote", "--undo", "--reason", "test")
	if got := counts(t, i.digest(t)); got["profiles"] != 150 || got["timeline"] != 1500+sent {
		t.Fatalf("undone, there are %v", got)
	}
	i.inSegment(t, 150)
	before, after := i.digest(t), i.must(t, "digest", "--shadow", "stricter")

	for _, step := range []string{"noted", "shut", "closed", "decided", "opened", "live", "kept"} {
		line := "step=" + step
		seen := strings.Count(i.log.String(), line)
		cut := make(chan outcome)
		go func() { cut <- i.dossier(t, "replay", "promote", "stricter") }()
		for begun := time.Now(); strings.Count(i.log.String(), line) == seen; time.Sleep(time.Millisecond) {
			if time.Since(begun) > patience {
				t.Fatalf("a promotion does not come to the step %s", step)
			}
		}
		i.kill(t)
		<-cut
		i.up(t)
		live := i.digest(t)
		if live != before && live != after {
			t.Fatalf("killed at %s, the digest is neither that of before nor that of after: %s", step, live)
		}
		if decided := step != "noted" && step != "shut" && step != "closed"; decided && live != after {
			t.Errorf("killed at %s, what was decided is not live", step)
		}
		for begun := time.Now(); len(i.shadows(t)) == 0; time.Sleep(100 * time.Millisecond) {
			if time.Since(begun) > patience {
				t.Fatal("the other projections are not carried on with")
			}
		}
		i.must(t, "replay", "promote", "stricter") // the same command carries on
		if got := i.digest(t); got != after {
			t.Fatalf("killed at %s and promoted again, the digest is %s, want %s", step, got, after)
		}
		if got := i.must(t, "digest", "--shadow", "previous"); got != before {
			t.Fatalf("killed at %s, what was live before is %s, want %s", step, got, before)
		}
		i.must(t, "replay", "promote", "--undo")
		if got := i.digest(t); got != before {
			t.Fatalf("killed at %s and undone, the digest is %s, want %s", step, got, before)
		}
	}
}
