package e2e

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/twmb/franz-go/pkg/kgo"
)

// told is what a destination was told: message ids in the order of arrival, with what they say.
type told struct {
	mu  sync.Mutex
	all []toldOne
}

type toldOne struct{ id, kind, profile, email, name string }

func (s *told) add(x toldOne) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, x)
}

// of gives what was told of somebody, in order.
func (s *told) of(profile string) (out []toldOne) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.all {
		if x.profile == profile {
			out = append(out, x)
		}
	}
	return out
}

// audienceMessage is the data of a webhook, and of a CloudEvent.
type audienceMessage struct {
	Segment, Profile string
	Identifiers      []struct{ Kind, Value string }
	Traits           map[string]string
}

func (m *audienceMessage) one(id, kind string) toldOne {
	x := toldOne{id: id, kind: strings.TrimPrefix(kind, "audience."), profile: m.Profile, name: m.Traits["first_name"]}
	for _, p := range m.Identifiers {
		if p.Kind == "email" {
			x.email = p.Value
		}
	}
	return x
}

const audienceConfiguration = `
segments:
  vip: {where: {trait: {name: tier, op: is, value: gold, unseen: true}}}
destinations:
  desk: {kind: webhook, url: "%[1]s/hook", secrets: ["secret:DESK"], private: true, segments: [vip], purpose: news, channel: email, include: {identifiers: [email], traits: [first_name]}}
  bus: {kind: kafka, cluster: company, topic: audiences, segments: [vip], purpose: news, channel: email, include: {identifiers: [email]}}
  sheet: {kind: file, segments: [vip], purpose: news, channel: email, include: {identifiers: [email], traits: [first_name]}}
  lake: {kind: file, format: parquet, segments: [vip], purpose: news, channel: email}
  crm: {kind: rest, url: "%[1]s/crm/{profile}", private: true, headers: {Authorization: "secret:CRM"}, segments: [vip], purpose: news, channel: email,
        include: {identifiers: [email], traits: [first_name]}, body: {externalId: profile, "contact.email": identifier.email, "contact.first": trait.first_name, origin: =dossier}}
`

// destinations sends an audience to a webhook, a topic, files and a CRM: whoever consented, with the contact point that may be used; whoever refuses is
// taken out everywhere within five seconds, with a receipt; a pause loses nothing.
func (i *installation) destinations(t *testing.T, brokers []string) {
	t.Helper()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	desk, crm := &told{}, &told{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if profile, is := strings.CutPrefix(r.URL.Path, "/crm/"); is {
			if r.Header.Get("Authorization") != "Bearer hush" {
				t.Error("the CRM is asked without its secret")
			}
			x := toldOne{id: r.Header.Get("Idempotency-Key"), kind: "entered", profile: profile}
			if r.Method == http.MethodDelete {
				x.kind = "left"
			} else {
				var row struct {
					ExternalID, Origin string
					Contact            struct{ Email, First string }
				}
				if err := json.Unmarshal(body, &row); err != nil || row.ExternalID != profile || row.Origin != "dossier" || r.Method != http.MethodPut {
					t.Errorf("%s %s: %v", r.Method, body, err)
				}
				x.email, x.name = row.Contact.Email, row.Contact.First
			}
			crm.add(x)
			return
		}
		verify, bad := standardwebhooks.NewWebhook(secret)
		if bad != nil || verify.Verify(body, r.Header) != nil {
			t.Errorf("not signed: %v", bad)
		}
		var m struct {
			Type string
			Data audienceMessage
		}
		if err := json.Unmarshal(body, &m); err != nil || m.Data.Segment != "vip" {
			t.Errorf("%s: %v", body, err)
		}
		desk.add(m.Data.one(r.Header.Get("Webhook-Id"), m.Type))
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"DESK": secret, "CRM": "Bearer hush"} {
		if err := os.WriteFile(filepath.Join(i.data, "keys", name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bus := &told{}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics("audiences"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(consumer.Close)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		for ctx.Err() == nil {
			consumer.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				var e struct {
					SpecVersion, ID, Type, Subject string
					Data                           audienceMessage
				}
				if err := json.Unmarshal(r.Value, &e); err != nil || e.SpecVersion != "1.0" || e.Subject != string(r.Key) {
					t.Errorf("%s: %v", r.Value, err)
				}
				bus.add(e.Data.one(e.ID, e.Type))
			})
		}
	}()
	path := filepath.Join(t.TempDir(), "audiences.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, audienceConfiguration, server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	i.must(t, "config", "apply", path)
	person := func(name, state string, at int) {
		t.Helper()
		i.send(t, basic(i.WriteKey), json.RawMessage(fmt.Sprintf(`{"type":"profile.identified","source":"crm","channel":"crm","messageId":"aud-%[1]s-%[3]d","occurredAt":"2026-03-01T08:00:%02[3]dZ",
"account":{"kind":"crm_id","value":"aud-%[1]s"},"identifiers":{"email":"%[1]s@audience.example"},"traits":{"tier":"gold","first_name":"%[1]s"},
"consents":[{"kind":"email","value":"%[1]s@audience.example","channel":"email","purpose":"news","state":%[2]q,"proof":"form 7"}]}`, name, state, at)))
	}
	person("ines", "granted", 1)
	person("noah", "denied", 1)
	i.wait(t)
	id := func(name string) string {
		t.Helper()
		var answer struct {
			Dossier struct{ Profile struct{ ID string } }
		}
		i.query(t, `query($e: String!) { dossier(identifier: {kind: "email", value: $e}) { profile { id } } }`, map[string]any{"e": name + "@audience.example"}, &answer)
		return answer.Dossier.Profile.ID
	}
	ines, noah := id("ines"), id("noah")
	sheet := func(profile string) (out []toldOne) {
		files, err := filepath.Glob(filepath.Join(i.data, "destinations", "sheet", "*.csv"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files { // sorted by time
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := csv.NewReader(file).ReadAll()
			if err := file.Close(); err != nil {
				t.Error(err)
			}
			if err != nil || strings.Join(rows[0], ",") != "id,type,at,segment,profile,identifier_email,trait_first_name" {
				t.Fatalf("%s: %v %v", path, rows, err)
			}
			for _, r := range rows[1:] {
				if r[4] == profile {
					out = append(out, toldOne{r[0], strings.TrimPrefix(r[1], "audience."), r[4], r[5], r[6]})
				}
			}
		}
		return out
	}
	lake := func(profile string) (out []toldOne) {
		files, err := filepath.Glob(filepath.Join(i.data, "destinations", "lake", "*.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil || !strings.HasPrefix(string(text), "PAR1") || !strings.HasSuffix(string(text), "PAR1") {
				t.Errorf("%s is no Parquet file: %v", path, err)
			}
			if strings.Contains(string(text), profile) { // one person a file here
				out = append(out, toldOne{kind: map[bool]string{true: "left", false: "entered"}[strings.Contains(string(text), "audience.left")]})
			}
		}
		return out
	}
	all := map[string]func(profile string) []toldOne{"webhook": desk.of, "topic": bus.of, "csv": sheet, "parquet": lake, "crm": crm.of}
	// until waits until every destination was told so much of somebody.
	until := func(profile string, want ...string) time.Duration {
		t.Helper()
		begun := time.Now()
		for name, of := range all {
			for {
				var kinds []string
				for _, x := range of(profile) {
					kinds = append(kinds, x.kind)
				}
				if strings.Join(kinds, " ") == strings.Join(want, " ") {
					break
				}
				if time.Since(begun) > patience || len(kinds) > len(want) {
					t.Fatalf("the %s was told %q of somebody, want %q; %s", name, kinds, want, i.must(t, "destinations", "list"))
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
		return time.Since(begun)
	}
	until(ines, "entered")
	for name, of := range all {
		x := of(ines)[0]
		if name != "parquet" && (x.email != "ines@audience.example" || name != "topic" && x.name != "ines") {
			t.Errorf("the %s was told %+v", name, x)
		}
	}
	// A refusal takes the person out everywhere.
	person("ines", "withdrawn", 2)
	if took := until(ines, "entered", "left"); took > 5*time.Second {
		t.Errorf("a refusal took %s to be everywhere", took)
	} else {
		t.Logf("a refusal was everywhere after %s", took)
	}
	for name, of := range all {
		if x := of(noah); len(x) != 0 {
			t.Errorf("the %s was told of who has refused: %+v", name, x)
		}
		if x := of(ines); x[1].email != "" {
			t.Errorf("the %s was told the address of who has left: %+v", name, x)
		}
	}
	// What is decided in a pause waits.
	i.must(t, "destinations", "pause", "desk")
	time.Sleep(time.Second) // the lanes look at the configuration some times a second
	person("ines", "granted", 3)
	waits := func() int {
		var lines []struct {
			Name    string
			Waiting int
		}
		if err := json.Unmarshal([]byte(i.must(t, "destinations", "list", "--json")), &lines); err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if l.Name == "desk" {
				return l.Waiting
			}
		}
		return -1
	}
	for begun := time.Now(); waits() != 1; time.Sleep(50 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("%d messages wait for a paused destination", waits())
		}
	}
	if n := len(desk.of(ines)); n != 2 {
		t.Errorf("a paused destination was told %d times", n)
	}
	time.Sleep(time.Second) // the others have sent what they had
	// A kill loses nothing, and nothing comes under another id.
	i.kill(t)
	i.up(t)
	i.must(t, "destinations", "resume", "desk")
	until(ines, "entered", "left", "entered")
	for name, of := range all {
		seen := map[string]bool{}
		for _, x := range of(ines) {
			if seen[x.id] && x.id != "" {
				t.Errorf("the %s was told twice of %s", name, x.id)
			}
			seen[x.id] = true
		}
	}
	if out := i.must(t, "audit", "list", "--json"); !strings.Contains(out, "destination crm") {
		t.Error("the audit log says nothing of what was sent")
	}
}
