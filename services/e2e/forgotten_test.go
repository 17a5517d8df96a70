package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/services/archive"
)

// marked is a person of whom every value that anybody keeps has the marker in it.
type marked struct {
	marker string // small letters
	phone  string // whose last digits nobody else has
}

// forms are the bytes in which the person may stand in a file.
func (m marked) forms() map[string][]byte {
	word := []byte(m.marker)
	forms := map[string][]byte{"plain": word, "hex": []byte(hex.EncodeToString(word)), "phone": []byte(m.phone[len(m.phone)-9:])}
	for shift := range 3 { // of where the word begins in what is encoded; the letters at its ends depend on its neighbours
		whole := base64.StdEncoding.EncodeToString(append(make([]byte, shift), word...))
		forms[fmt.Sprintf("base64, shifted by %d", shift)] = []byte(whole[(shift*8+5)/6 : (shift*8+8*len(word))/6])
	}
	var small, large bytes.Buffer
	for _, unit := range utf16.Encode([]rune(m.marker)) {
		small.Write([]byte{byte(unit), byte(unit >> 8)})
		large.Write([]byte{byte(unit >> 8), byte(unit)})
	}
	forms["UTF-16LE"], forms["UTF-16BE"] = small.Bytes(), large.Bytes()
	return forms
}

// events are what a company's systems send of the person by the native path.
func (m marked) events() (out []json.RawMessage) {
	for _, text := range []string{
		`{"type":"profile.identified","channel":"crm","source":"crm","messageId":"MARK-1","occurredAt":"2026-01-01T00:00:00Z","userId":"MARK-user","identifiers":[{"kind":"email","value":"MARK@example.com"},{"kind":"phone","value":"PHONE"},{"kind":"card","value":"MARK-card"}],"traits":{"firstName":"MARKgiven","lastName":"MARKfamily","birthDate":"1980-02-03","address":{"street":"1 MARK street","city":"MARKcity"}},"consents":[{"kind":"email","value":"MARK@example.com","channel":"email","purpose":"MARKnews","state":"granted","proof":"MARK proof","legalBasis":"consent","textVersion":"1"}]}`,
		`{"type":"message.received","channel":"email","source":"desk2","messageId":"MARK-2","occurredAt":"2026-01-02T00:00:00Z","userId":"MARK-user","conversation":"MARK-conversation","case":"MARK-case","parent":"MARK-parent","mention":"@MARKbrand","entity":"MARK-entity","text":"My parcel MARK never came, call PHONE","language":"en","properties":{"MARKname":"MARKvalue","list":[{"c":"MARKdeep"}]},"library":"MARKlib/1","userAgent":"MARKagent"}`,
		`{"type":"case.opened","channel":"email","source":"desk2","messageId":"MARK-3","occurredAt":"2026-01-02T00:00:01Z","userId":"MARK-user","conversation":"MARK-conversation","case":"MARK-case","text":"MARK complains"}`,
		`{"type":"survey.answered","channel":"survey","source":"survey","messageId":"MARK-4","occurredAt":"2026-01-05T00:00:00Z","userId":"MARK-user","entity":"MARK-survey","case":"MARK-case","rating":"2","ratingScale":"0-10","text":"MARK is not happy"}`,
		`{"type":"order.placed","channel":"web","source":"shop","messageId":"MARK-5","occurredAt":"2026-01-06T00:00:00Z","userId":"MARK-user","anonymousId":"MARK-browser","entity":"MARK-order","amount":"12.50","currency":"EUR","properties":{"note":"leave it with MARK"}}`,
		`{"type":"track.performed","channel":"web","source":"shop","messageId":"MARK-6","occurredAt":"2026-01-07T00:00:00Z","userId":"MARK-user","name":"MARKed a page"}`,
	} {
		out = append(out, json.RawMessage(m.fill(text)))
	}
	return out
}

func (m marked) fill(text string) string {
	return strings.NewReplacer("MARK", m.marker, "PHONE", m.phone).Replace(text)
}

// found names the files of a folder in which a form of the person stands, compressed blocks opened.
func (m marked) found(t *testing.T, dir string) (found []string) {
	t.Helper()
	forms := m.forms()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := strings.CutPrefix(path, dir)
		texts := map[string][]byte{"as it is": content}
		switch filepath.Ext(path) {
		case ".bin":
			// A file of columns: blocks with a checksum each. What is read before something else comes is looked at.
			opened, err := io.ReadAll(compress.NewReader(bytes.NewReader(content)))
			if err != nil && len(opened) == 0 && len(content) > 0 {
				return fmt.Errorf("open the blocks of %s: %w", name, err)
			}
			texts["blocks"] = opened
		case ".segment":
			if texts["records"], err = recordsOf(content); err != nil {
				return fmt.Errorf("open the records of %s: %w", name, err)
			}
		case ".sst":
			if texts["rows"], err = rowsOf(content); err != nil {
				return fmt.Errorf("open the rows of %s: %w", name, err)
			}
		}
		for where, text := range texts {
			text = bytes.ToLower(text)
			for form, word := range forms {
				if bytes.Contains(text, bytes.ToLower(word)) {
					found = append(found, fmt.Sprintf("%s (%s, %s)", name, where, form))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// recordsOf gives every record of a file of the archive, its frames opened.
func recordsOf(content []byte) (all []byte, err error) {
	s, err := archive.OpenSegment(content, sha256.Sum256(content))
	if err != nil {
		return nil, err
	}
	for at := s.From; at < s.Next; {
		records, err := s.Read(at)
		if err != nil {
			return nil, err
		}
		for i := range records {
			all = append(append(append(append(all, records[i].Key...), ' '), records[i].Value...), ' ')
			for _, h := range records[i].Headers {
				all = append(append(append(all, h.Key...), h.Value...), ' ')
			}
		}
		at += int64(len(records))
	}
	return all, nil
}

// rowsOf gives every key and value of a table of a role's state, those that a later one hides, too.
func rowsOf(content []byte) (rows []byte, err error) {
	files := vfs.NewMem()
	w, err := files.Create("table", vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	f, err := files.Open("table")
	if err != nil {
		return nil, err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return nil, err
	}
	options := &pebble.Options{}
	options.EnsureDefaults()
	r, err := sstable.NewReader(context.Background(), readable, options.MakeReaderOptions())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	it, err := r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for kv := it.First(); kv != nil; kv = it.Next() {
		value, _, err := kv.Value(nil)
		if err != nil {
			return nil, err
		}
		rows = append(append(append(rows, kv.K.UserKey...), ' '), value...)
	}
	return rows, it.Error()
}

// come has the person come in by every path: the native one, both of Segment's trusts, a webhook, an import, and refused on each.
func (m marked) come(t *testing.T, i *installation) {
	t.Helper()
	i.send(t, basic(i.WriteKey), m.events()...)
	for path, body := range map[string]string{
		"/v1/identify": `{"userId":"MARK-user","anonymousId":"MARK-browser","messageId":"MARK-7","timestamp":"2026-01-08T00:00:00Z","traits":{"email":"MARK@example.com","phone":"PHONE","firstName":"MARKgiven"},"context":{"ip":"192.0.2.1","page":{"url":"https://shop.example/?who=MARK"},"userAgent":"MARKagent"}}`,
		"/v1/track":    `{"userId":"MARK-user","event":"MARK bought","messageId":"MARK-8","timestamp":"2026-01-09T00:00:00Z","properties":{"order_id":"MARK-order-2","total":12.5}}`,
		"/v1/page":     `{"anonymousId":"MARK-browser","name":"MARK home","messageId":"MARK-9","timestamp":"2026-01-10T00:00:00Z","properties":{"url":"https://shop.example/MARK"}}`,
	} {
		for _, key := range []string{i.WriteKey, i.ClientKey} {
			if a := i.raw(t, path, basic(key), strings.NewReader(m.fill(body))); a.status != 200 {
				t.Fatalf("%s: %+v", path, a)
			}
		}
	}
	// Refused: each letter names the person somehow.
	for _, body := range []string{
		`{"type":"call.exploded","messageId":"MARK-10","userId":"MARK-user","text":"MARK"}`,
		`{"type":"call.exploded","messageId":"11","text":"write to MARK@example.com"}`,
		`{"type":"message.received","messageId":"12","occurredAt":"yesterday","userId":"nobody","text":"my number is PHONE, says MARK"}`,
	} {
		if a := i.raw(t, "/v1/events", basic(i.WriteKey), strings.NewReader(m.fill(body))); a.status != 400 {
			t.Fatalf("a bad event: %+v", a)
		}
	}
	hook := m.fill(`{"id":"MARK-13","at":"2026-03-01T11:00:00Z","who":"MARK-user","text":"où est mon colis, MARK ?"}`)
	h := hmac.New(sha256.New, []byte("hush"))
	h.Write([]byte(hook)) // a hash takes everything
	if a := i.raw(t, "/hooks/desk", "", strings.NewReader(hook), "X-Signature", "sha256="+hex.EncodeToString(h.Sum(nil))); a.status != 200 {
		t.Fatalf("a webhook: %+v", a)
	}
	dir := t.TempDir() // of whoever imports: no business of the installation's
	file, mapping := filepath.Join(dir, "rows.csv"), filepath.Join(dir, "rows.yaml")
	for name, text := range map[string]string{
		file: m.fill("id,at,who,mail,note\nMARK-14,2026-02-01T00:00:00Z,MARK-user,MARK@example.com,MARK wrote by hand\n"),
		mapping: `name: rows
source: till
events:
  - type: note.added
    record: id
    time: {column: at}
    channel: store
    account: {kind: user_id, value: who}
    identifiers: [{kind: email, value: mail}]
    text: note
`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	i.must(t, "import", file, "--map", mapping, "--wait")
}

// proof is what `dossier erase --json` prints.
type proof struct {
	ID, State, Digest, CutOff string
	Held, Left                []struct {
		Name  string
		Count int
	}
	Steps []struct {
		Name string
		Done bool
	}
	Known []string
}

// TestForgotten: a person came in by every path, with a marker in every field. She is erased, the process killed as soon as that is decided; the same
// command carries on. Then no file of the installation has a form of the marker, whoever stayed lost nothing, and whoever has everything that is there
// now, and the log from before, opens nothing of hers.
func TestForgotten(t *testing.T) {
	besideOthers(t)
	random := seeded(t)
	gone, stays := marked{"zqgoner", "+33644556677"}, marked{"zqstayer", "+33655443322"}
	i := prepare(t)
	i.dir = t.TempDir()
	i.env = append(i.env, "DESK_SECRET=hush")
	i.up(t)
	configuration := filepath.Join(i.dir, "hooks.yaml")
	if err := os.WriteFile(configuration, []byte(strings.Replace(inputs[:strings.Index(inputs, "  crm:")], "kind: customer_id", "kind: user_id", 1)+`
segments:
  reachable: {where: {identifier: {kind: email}}}
  buyers: {where: {event: {type: order.placed}}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	i.must(t, "config", "apply", configuration)
	gone.come(t, i)
	stays.come(t, i)
	i.wait(t)
	for _, m := range []marked{gone, stays} {
		if text := i.must(t, "export", "events"); strings.Count(text, m.marker) < 14 {
			t.Fatalf("the export has %s %d times", m.marker, strings.Count(text, m.marker))
		}
	}
	for _, name := range []string{"personas", "profiles", "timeline", "cases", "segments"} { // what they write on their way stands nowhere
		i.must(t, "export", name, "--at", time.Now().UTC().Format(time.RFC3339))
	}
	if members := strings.Count(i.must(t, "export", "segments", "--at", time.Now().UTC().Format(time.RFC3339)), `"profile"`); members != 4 {
		t.Fatalf("%d members of the segments, want two of each", members)
	}
	// What a copy of the log has from before. Whoever holds one store reads what the README says of it: her data stand in the engine and in the states alone.
	i.down(t)
	for _, m := range []marked{gone, stays} {
		found := m.found(t, i.data)
		if len(found) < 3 {
			t.Fatalf("the search finds %s in %q alone", m.marker, found)
		}
		for _, place := range found {
			if !strings.HasPrefix(place, "/clickhouse/") && !strings.HasPrefix(place, "/state/") || strings.HasPrefix(place, "/state/intake") {
				t.Errorf("%s stands in %s", m.marker, place)
			}
		}
	}
	before := t.TempDir()
	for _, part := range []string{"log", "archive"} {
		if err := os.CopyFS(filepath.Join(before, part), os.DirFS(filepath.Join(i.data, part))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	i.up(t)
	subject := "email:" + strings.ToUpper(gone.marker) + "@example.com"
	var planned proof
	if err := json.Unmarshal([]byte(i.must(t, "erase", subject, "--dry-run", "--json")), &planned); err != nil {
		t.Fatal(err)
	}
	if planned.State != "INITIALIZED" || planned.ID != "" || len(planned.Held) == 0 {
		t.Fatalf("the plan is %+v", planned)
	}
	if again := i.must(t, "erasures", "list", "--json"); strings.TrimSpace(again) != "[]" {
		t.Fatalf("a plan has decided: %s", again)
	}
	// Everything that is held, with its origin; and what is wrong can be corrected.
	i.must(t, "rectify", "email:"+stays.marker+"@example.com", "--set", `lastName="`+stays.marker+`-married"`, "--reason", "she married")
	for _, m := range []marked{gone, stays} {
		text := i.must(t, "access", "email:"+m.marker+"@example.com", "--reason", "asked for it")
		var file struct {
			Events                                 []struct{ Source, Type string }
			Conversations, Cases, Surveys, Letters []json.RawMessage
			DeadLetters                            []struct{ Payload json.RawMessage }
			GoldenRecord                           []struct {
				Name, Source string
				Value        any
			}
		}
		if err := json.Unmarshal([]byte(text), &file); err != nil {
			t.Fatal(err)
		}
		sources := map[string]bool{}
		for _, e := range file.Events {
			sources[e.Source] = true
		}
		if len(file.Events) < 12 || len(sources) < 6 || len(file.Conversations) == 0 || len(file.Cases) == 0 || len(file.Surveys) == 0 || len(file.DeadLetters) < 3 {
			t.Errorf("the file of %s has %d events of %d sources, %d conversations, %d cases, %d surveys, %d letters", m.marker, len(file.Events), len(sources),
				len(file.Conversations), len(file.Cases), len(file.Surveys), len(file.DeadLetters))
		}
		for _, other := range []marked{gone, stays} {
			if other != m && strings.Contains(strings.ToLower(text), other.marker) {
				t.Errorf("the file of %s has %s", m.marker, other.marker)
			}
		}
		for _, trait := range file.GoldenRecord {
			if trait.Name == "lastName" && m == stays && trait.Value != stays.marker+"-married" {
				t.Errorf("rectified: %+v", trait)
			}
		}
	}
	page := filepath.Join(t.TempDir(), "page.html")
	i.must(t, "access", "email:"+stays.marker+"@example.com", "--reason", "asked for it", "--page", page, "--language", "fr")
	if text, err := os.ReadFile(page); err != nil || !bytes.Contains(text, []byte("Ce qui est conservé à votre sujet")) || bytes.Count(text, []byte(stays.marker)) < 30 {
		t.Errorf("the page: %d bytes %v", len(text), err)
	}
	var seen []struct {
		Actor, Action, Purpose string
		Profiles               []string
	}
	i.must(t, "show", "email:"+stays.marker+"@example.com", "--purpose", "to answer her letter")
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if err := json.Unmarshal([]byte(i.must(t, "audit", "list", "--json")), &seen); err != nil {
			t.Fatal(err)
		}
		reads, rights := 0, 0
		for _, r := range seen {
			if r.Action == "graphql" && r.Purpose == "to answer her letter" && len(r.Profiles) > 0 {
				reads++
			}
			if r.Action == "POST /v1/access" && len(r.Profiles) == 1 {
				rights++
			}
		}
		if reads > 0 && rights == 3 {
			break
		}
		if time.Since(begun) > patience {
			t.Fatalf("the audit log has %d reads and %d accesses: %+v", reads, rights, seen)
		}
	}
	// A hold forbids it.
	hold := strings.TrimSpace(i.must(t, "holds", "place", subject, "--reason", "an invoice in dispute"))
	if o := i.dossier(t, "erase", subject, "--reason", "asked for it"); o.code != 1 || !strings.Contains(o.stderr, "an invoice in dispute") {
		t.Fatalf("held: %d %s", o.code, o.stderr)
	}
	i.must(t, "holds", "lift", hold, "--reason", "it is settled")
	// Killed at some moment of the way, the same command carries on.
	erase := func() outcome { return i.dossier(t, "erase", subject, "--reason", "asked for it", "--json") }
	for range counted(1, 20) {
		begun := make(chan outcome, 1)
		go func() { begun <- erase() }()
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		i.kill(t)
		<-begun
		i.up(t)
	}
	var done, again proof
	o := erase()
	if err := json.Unmarshal([]byte(o.stdout), &done); err != nil || o.code != 0 {
		t.Fatalf("erase ended with %d: %s %v", o.code, o.stderr, err)
	}
	if done.State != "FINISHED" || done.Digest == "" || len(done.Steps) < 5 {
		t.Fatalf("the proof is %+v", done)
	}
	held := 0
	for _, n := range done.Held {
		held += n.Count
	}
	for _, n := range done.Left {
		if n.Count != 0 {
			t.Errorf("%d %s are left", n.Count, n.Name)
		}
	}
	if held < 20 {
		t.Errorf("%d rows were held: %+v", held, done.Held)
	}
	if err := json.Unmarshal([]byte(i.must(t, "erase", subject, "--reason", "asked for it", "--json")), &again); err != nil || again.ID != done.ID || again.Digest != done.Digest {
		t.Errorf("repeated: %+v, first %+v %v", again, done, err)
	}
	if o := i.dossier(t, "erase", "email:nobody.at.all@example.com", "--reason", "asked for it"); o.code != 1 || !strings.Contains(o.stderr, "nothing is held") {
		t.Errorf("somebody unknown: %d %s", o.code, o.stderr)
	}
	// What comes late is refused, and kept nowhere.
	late, err := i.offer(t.Context(), basic(i.WriteKey), gone.events()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range late.Refused {
		if r.Code != "erased" {
			t.Errorf("a late event is refused as %s", r.Code)
		}
	}
	if late.Accepted > 0 {
		t.Errorf("%d late events were accepted", late.Accepted)
	}
	i.wait(t)
	if text := i.must(t, "export", "events", "--clocks"); strings.Contains(text, gone.marker) || strings.Count(text, stays.marker) < 14 {
		t.Error("the export has the erased, or lacks another")
	}
	i.down(t)
	if found := gone.found(t, i.data); len(found) > 0 {
		t.Errorf("the erased stands in %s", strings.Join(found, "\n"))
	}
	for _, part := range []string{"clickhouse", "state"} { // a full replay
		if err := os.RemoveAll(filepath.Join(i.data, part)); err != nil {
			t.Fatal(err)
		}
	}
	i.up(t)
	i.wait(t)
	if text := i.must(t, "export", "events", "--clocks"); strings.Contains(text, gone.marker) || strings.Count(text, stays.marker) < 14 {
		t.Error("after a full replay the export has the erased, or lacks another")
	}
	if chains := i.must(t, "audit", "verify"); strings.Count(chains, "whole") < 3 {
		t.Errorf("the chains of the audit log: %s", chains)
	}
	i.down(t)
	if found := gone.found(t, i.data); len(found) > 0 {
		t.Errorf("after a full replay the erased stands in %s", strings.Join(found, "\n"))
	}
	if line, exposed := exposedIn(i.log.String(), gone.marker); exposed {
		t.Errorf("the log has %s", line)
	}
	if found := stays.found(t, i.data); len(found) < 3 {
		t.Errorf("of who stayed the search finds %q alone", found)
	}

	// Somebody has all of it, and puts the log from before in the place of the log.
	thief := prepare(t)
	thief.env = append(thief.env, "DESK_SECRET=hush")
	if err := os.CopyFS(thief.data, os.DirFS(i.data)); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"log", "archive", "clickhouse", "state"} {
		if err := os.RemoveAll(filepath.Join(thief.data, part)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(thief.data, os.DirFS(before)); err != nil {
		t.Fatal(err)
	}
	thief.up(t)
	thief.wait(t)
	text := thief.must(t, "export", "events", "--clocks")
	if strings.Contains(text, gone.marker) || strings.Count(text, stays.marker) < 14 {
		t.Error("the log from before gives the erased, or not the other")
	}
	letters := 0
	var list []struct{ ID string }
	if err := json.Unmarshal([]byte(thief.must(t, "deadletters", "list", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		letter := thief.must(t, "deadletters", "show", l.ID)
		if strings.Contains(strings.ToLower(letter), gone.marker) {
			t.Errorf("a dead letter from before gives the erased: %s", letter)
		}
		letters += strings.Count(letter, stays.marker)
	}
	if letters < 3 {
		t.Errorf("of who stayed %d dead letters open", letters)
	}
}

// exposedIn gives the first line that has a word.
func exposedIn(text, word string) (string, bool) {
	for line := range strings.Lines(text) {
		if strings.Contains(strings.ToLower(line), word) {
			return line, true
		}
	}
	return "", false
}

// TestRegulations: the verbs and states of Segment's API; who is suppressed is refused on every path until that is withdrawn.
func TestRegulations(t *testing.T) {
	besideOthers(t)
	i := install(t)
	i.send(t, basic(i.WriteKey),
		json.RawMessage(`{"type":"profile.identified","source":"crm","messageId":"1","occurredAt":"2026-01-01T00:00:00Z","userId":"reg-1","identifiers":{"email":"reg.1@example.com"}}`),
		json.RawMessage(`{"type":"profile.identified","source":"crm","messageId":"2","occurredAt":"2026-01-01T00:00:00Z","userId":"reg-2","identifiers":{"email":"reg.2@example.com"}}`))
	i.wait(t)
	regulate := func(kind string, ids ...string) string {
		t.Helper()
		body, err := json.Marshal(map[string]any{"regulationType": kind, "subjectType": "USER_ID", "subjectIds": ids})
		if err != nil {
			t.Fatal(err)
		}
		a := i.raw(t, "/regulations", "Bearer "+i.APIToken, bytes.NewReader(body))
		var answer struct{ Data struct{ RegulateID string } }
		if err := json.Unmarshal([]byte(a.body), &answer); err != nil || a.status != 200 || answer.Data.RegulateID == "" {
			t.Fatalf("%s: %d %s", kind, a.status, a.body)
		}
		return answer.Data.RegulateID
	}
	finished := func(id string) {
		t.Helper()
		for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.URL+"/regulations/"+id, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+i.APIToken)
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			var answer struct {
				Data struct {
					Regulation struct{ OverallStatus string }
				}
			}
			err = json.NewDecoder(response.Body).Decode(&answer)
			if err := errors.Join(err, response.Body.Close()); err != nil {
				t.Fatal(err)
			}
			if answer.Data.Regulation.OverallStatus == "FINISHED" {
				return
			}
			if answer.Data.Regulation.OverallStatus != "RUNNING" || time.Since(begun) > patience {
				t.Fatalf("the regulation is %+v", answer)
			}
		}
	}
	n := 10
	send := func(who string) (code string) {
		t.Helper()
		n++
		r, err := i.offer(t.Context(), basic(i.WriteKey), json.RawMessage(fmt.Sprintf(
			`{"type":"message.received","source":"shop","messageId":"%d","occurredAt":"%s","userId":"%s","text":"hello"}`, n, time.Now().UTC().Format(time.RFC3339Nano), who)))
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Refused) > 0 {
			return r.Refused[0].Code
		}
		return ""
	}
	finished(regulate("SUPPRESS_ONLY", "reg-1", "reg-9"))
	for who, want := range map[string]string{"reg-1": "suppressed", "reg-2": "", "reg-9": "suppressed"} {
		if code := send(who); code != want {
			t.Errorf("%s: %q, want %q", who, code, want)
		}
	}
	if a := i.raw(t, "/v1/identify", basic(i.ClientKey), strings.NewReader(`{"anonymousId":"n","userId":"reg-1","messageId":"x","timestamp":"2026-01-08T00:00:00Z"}`)); strings.Contains(a.body, `"accepted":1`) {
		t.Errorf("a browser's event of the suppressed: %+v", a)
	}
	for n, body := range []string{
		`{"type":"call.exploded","messageId":"x1","userId":"reg-1","text":"a"}`, `{"type":"message.received","messageId":"x2","occurredAt":"soon","userId":"REG-1"}`,
		`{"type":"call.exploded","messageId":"x3","userId":"reg-2","text":"b"}`, `{"userId":"reg-1", "cut`,
	} {
		if a := i.raw(t, "/v1/events", basic(i.WriteKey), strings.NewReader(body)); a.status != 400 {
			t.Errorf("malformed event %d: %+v", n, a)
		}
	}
	if letters := i.must(t, "deadletters", "list"); strings.Contains(letters, "suppressed") || strings.Count(letters, "type_unknown") != 1 || strings.Count(letters, "\n") != 2 {
		t.Errorf("what is suppressed is a dead letter, or another's is none: %s", letters)
	}
	finished(regulate("UNSUPPRESS", "reg-1", "reg-9"))
	if code := send("reg-1"); code != "" {
		t.Errorf("unsuppressed: %q", code)
	}
	finished(regulate("SUPPRESS_WITH_DELETE", "reg-1", "reg-9"))
	if code := send("reg-1"); code != "suppressed" {
		t.Errorf("deleted and suppressed: %q", code)
	}
	finished(regulate("DELETE_ONLY", "reg-2"))
	i.wait(t)
	if text := i.must(t, "export", "events"); strings.Contains(text, "reg.1@") || strings.Contains(text, "reg.2@") {
		t.Error("the deleted are there")
	}
	if code := send("reg-2"); code != "" { // a new, empty person
		t.Errorf("a contact after the deletion: %q", code)
	}
	i.wait(t)
	if text := i.must(t, "show", "user_id:reg-2"); strings.Contains(text, "reg.2@") {
		t.Error("the new person has the old one's address")
	}
	for _, bad := range []string{`{"regulationType":"FORGET","subjectType":"USER_ID","subjectIds":["a"]}`, `{"regulationType":"DELETE_ONLY","subjectType":"OBJECT_ID","subjectIds":["a"]}`, `{"regulationType":"DELETE_ONLY","subjectType":"USER_ID","subjectIds":[]}`} {
		if a := i.raw(t, "/regulations", "Bearer "+i.APIToken, strings.NewReader(bad)); a.status != 400 || a.Error.Hint == "" {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
}

// TestDeadLettersRepaired: letters are counted by what is wrong with them, replayed as received when they were received, repaired by a change of their members or
// another payload; twice adds nothing, and what was done stays with the letter.
func TestDeadLettersRepaired(t *testing.T) {
	besideOthers(t)
	i := install(t)
	bad := func(path, body string) {
		t.Helper()
		if a := i.raw(t, path, basic(i.WriteKey), strings.NewReader(body)); a.status != 400 && !strings.Contains(a.body, "refused") && a.status != 200 {
			t.Fatalf("%s: %+v", path, a)
		}
	}
	for n := range 3 {
		bad("/v1/events", fmt.Sprintf(`{"type":"message.got","channel":"email","source":"shop","messageId":"r-%d","userId":"repair-%d","text":"où est mon colis ?"}`, n, n))
	}
	bad("/v1/batch", `{"batch":[{"type":"track","userId":"repair-9","messageId":"r-9","timestamp":"2026-01-01T00:00:00Z","properties":{"total":1.50}}],"context":{"ip":"192.0.2.1"}}`)
	bad("/v1/events", `{"type":"profile.identified","source":"crm","messageId":"r-10","occurredAt":"soon","userId":"repair-10"}`)
	type stat struct {
		Code          string
		Letters, Open int
	}
	stats := func() map[string]stat {
		t.Helper()
		out := map[string]stat{}
		var lines []stat
		if err := json.Unmarshal([]byte(i.must(t, "deadletters", "stats", "--json")), &lines); err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			out[l.Code] = l
		}
		return out
	}
	if got := stats(); got["type_unknown"].Letters != 3 || got["no_event_name"].Open != 1 || got["time_invalid"].Letters != 1 {
		t.Fatalf("%+v", got)
	}
	if o := i.dossier(t, "deadletters", "replay", "--code", "type_unknown"); o.code != 3 || strings.Count(o.stdout, "type_unknown") != 3 {
		t.Errorf("replayed as they were: %d %s %s", o.code, o.stdout, o.stderr)
	}
	if text := i.must(t, "deadletters", "repair", "--code", "type_unknown", "--set", `type="message.received"`, "--dry-run"); strings.Count(text, "repaired") != 3 {
		t.Errorf("a dry run: %s", text)
	}
	i.wait(t)
	if n := counts(t, i.digest(t))["events"]; n != 0 {
		t.Fatalf("a dry run has made %d events", n)
	}
	repair := []string{"deadletters", "repair", "--code", "type_unknown", "--set", `type="message.received"`, "--reason", "the till was misconfigured"}
	first := i.must(t, repair...)
	i.must(t, "deadletters", "repair", "--code", "no_event_name", "--set", `event="Order Completed"`, "--rename", "properties.total=properties.revenue")
	i.wait(t)
	want := i.digest(t)
	if n := counts(t, want)["events"]; n != 4 {
		t.Errorf("%d events after the repair, want 4", n)
	}
	id := ""
	for line := range strings.Lines(first) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == "repaired" {
			id = f[0]
		}
	}
	i.must(t, "deadletters", "repair", id, "--set", `type="message.received"`) // once more
	i.wait(t)
	i.sameDigest(t, want, nil)
	var shown struct {
		State   string
		Payload struct{ Type string }
		History []struct {
			Action, Actor, Reason, Code string
			Events                      []string
			Payload                     struct{ Type string }
		}
	}
	if err := json.Unmarshal([]byte(i.must(t, "deadletters", "show", id)), &shown); err != nil {
		t.Fatal(err)
	}
	if shown.State != "repaired" || shown.Payload.Type != "message.got" || len(shown.History) != 3 || shown.History[0].Code != "type_unknown" ||
		shown.History[1].Payload.Type != "message.received" || shown.History[1].Reason != "the till was misconfigured" || shown.History[1].Actor == "" || len(shown.History[1].Events) != 1 {
		t.Errorf("%+v", shown)
	}
	file := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(file, []byte(`{"type":"profile.identified","source":"crm","messageId":"r-10","occurredAt":"2026-01-01T00:00:00Z","userId":"repair-10"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var open []struct{ ID, Code string }
	if err := json.Unmarshal([]byte(i.must(t, "deadletters", "list", "--json")), &open); err != nil || len(open) != 1 {
		t.Fatalf("%+v %v", open, err)
	}
	i.must(t, "deadletters", "repair", open[0].ID, "--payload", file)
	i.must(t, "deadletters", "drop", open[0].ID, "--reason", "it is repaired")
	if list := i.must(t, "deadletters", "list", "--json"); strings.TrimSpace(list) != "[]" {
		t.Errorf("still open: %s", list)
	}
	i.wait(t)
	if n := counts(t, i.digest(t))["events"]; n != 5 {
		t.Errorf("%d events in the end, want 5", n)
	}
	for _, wrong := range [][]string{{"repair", id}, {"replay"}, {"repair", id, "--set", "type"}, {"replay", id, "--code", "x"}} {
		if o := i.dossier(t, append([]string{"deadletters"}, wrong...)...); o.code != 2 {
			t.Errorf("%v: %d %s", wrong, o.code, o.stderr)
		}
	}
	if o := i.dossier(t, "deadletters", "replay", "00112233445566778899aabbccddeeff"); o.code != 3 || !strings.Contains(o.stdout, "letter_unknown") {
		t.Errorf("an unknown letter: %d %s", o.code, o.stdout)
	}
}
