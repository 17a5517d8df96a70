package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// manyLines are n events in their order.
func manyLines(t *testing.T, n int) (lines []Line, text []byte) {
	t.Helper()
	for k := range n {
		e := *someEvents()[k%2]
		e.ID, e.OccurredAt = schema.EventID{byte(k >> 8), byte(k), 6: 0x80, 8: 0x80}, someEvents()[0].OccurredAt+schema.Instant(k/3)
		if k%2 == 0 {
			e.Text = fmt.Sprintf("événement %d\n%s", k, strings.Repeat("é", k%50))
		}
		line, err := Encoder{Personal: true}.Append(nil, &e, schema.ProfileID{byte(k % 5), 6: 0x80, 8: 0x80}, schema.Position{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parseLine(line)
		if err != nil {
			t.Fatal(err)
		}
		lines, text = append(lines, parsed), append(text, line...)
	}
	return lines, text
}

// errCrash ends a run as kill -9 does: nothing is called after it.
var errCrash = errors.New("crash")

// run gives an output what it has not got, and crashes before the event number crash of this run; −1 is never. save says after how many events
// of the run it saves.
func run(t *testing.T, out Output, lines []Line, crash, save int) error {
	t.Helper()
	p := out.Progress()
	after, err := ParseCursor(p.After)
	if err != nil {
		t.Fatal(err)
	}
	if p.End == "" {
		p.End = "7,7"
	}
	if err := out.Save(); err != nil {
		return err
	}
	taken := 0
	for _, l := range lines {
		if bytes.Compare(l.At.Key(), after.Key()) <= 0 && after != (Cursor{}) {
			continue
		}
		if taken == crash {
			return errCrash
		}
		if err := out.Take(l); err != nil {
			return err
		}
		if taken++; taken == save {
			if err := out.Save(); err != nil {
				return err
			}
		}
	}
	if taken == crash {
		return errCrash
	}
	return out.Finish()
}

// TestFileCarriesOn: a file that is cut before any event, saved or not, comes out as if it had not been.
func TestFileCarriesOn(t *testing.T) {
	lines, want := manyLines(t, 60)
	for crash := range 62 {
		path := filepath.Join(t.TempDir(), "events.ndjson")
		for attempt := 0; ; attempt++ {
			f, err := OpenFile(path, "all")
			if err != nil {
				t.Fatal(err)
			}
			at := crash
			if attempt > 3 {
				at = -1
			}
			err = run(t, f, lines, at, crash-1-attempt)
			// What a crash leaves beyond the note: half a line that the system had written out.
			if errors.Is(err, errCrash) {
				if _, err := f.part.WriteString(`{"half":`); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(f.Close()); err != nil {
				t.Fatal(err)
			}
			if err == nil {
				break
			}
			if !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			if _, err := os.Stat(path); err == nil {
				t.Fatal("a file that is not whole has its name")
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("cut before event %d: %d bytes, want %d: %v", crash, len(got), len(want), err)
		}
		if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
			t.Fatalf("%v is left", left)
		}
	}
}

// TestFileRefuses: what is there is never written over, and another run's beginning is not carried on with.
func TestFileRefuses(t *testing.T) {
	lines, _ := manyLines(t, 5)
	path := filepath.Join(t.TempDir(), "events.ndjson")
	f, err := OpenFile(path, "all")
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t, f, lines, 3, 2); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, "some"); err == nil || !strings.Contains(err.Error(), "other events") {
		t.Errorf("another question: %v", err)
	}
	if err := os.Truncate(path+".part", 10); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, "all"); err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("a part that lost its end: %v", err)
	}
	if err := os.WriteFile(path+".replay", []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, "all"); err == nil || !strings.Contains(err.Error(), "begin anew") {
		t.Errorf("a note that is none: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, "all"); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("a file that is there: %v", err)
	}
}

// rowsOf reads a folder of Parquet with the names in order.
func rowsOf(t *testing.T, folder string) (rows []columns, parts int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		part, err := parquet.ReadFile[columns](name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rows, parts = append(rows, part...), parts+1
	}
	return rows, parts
}

// TestParquet: every event is a row, in order, with every member in its column; a folder that is cut before any event comes out the same.
func TestParquet(t *testing.T) {
	lines, _ := manyLines(t, 30)
	for crash := -1; crash < 31; crash++ {
		folder := filepath.Join(t.TempDir(), "events")
		for attempt := 0; ; attempt++ {
			f, err := OpenFolder(folder, "all")
			if err != nil {
				t.Fatal(err)
			}
			f.rows = 7
			at := crash
			if attempt > 2 {
				at = -1
			}
			err = run(t, f, lines, at, -1)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if err == nil {
				break
			}
			if !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
		}
		rows, parts := rowsOf(t, folder)
		if len(rows) != len(lines) || parts != 5 {
			t.Fatalf("cut before event %d: %d rows in %d parts", crash, len(rows), parts)
		}
		for n, l := range lines {
			if rows[n].ID != l.At.ID.String() || rows[n].OccurredAt != int64(l.At.OccurredAt) {
				t.Fatalf("cut before event %d: row %d is %s", crash, n, rows[n].ID)
			}
		}
	}
}

// TestParquetColumns: one event with its members, and without what is personal.
func TestParquetColumns(t *testing.T) {
	is := func(name string, got *string, want string) {
		t.Helper()
		if got == nil && want != "" || got != nil && *got != want {
			t.Errorf("%s is %v, want %q", name, got, want)
		}
	}
	for _, personal := range []bool{true, false} {
		folder := filepath.Join(t.TempDir(), "events")
		f, err := OpenFolder(folder, "all")
		if err != nil {
			t.Fatal(err)
		}
		if err := Lines(bytes.NewReader(encoded(t, Encoder{Personal: personal, Clocks: true})), f.Take); err != nil {
			t.Fatal(err)
		}
		if err := f.Finish(); err != nil {
			t.Fatal(err)
		}
		rows, _ := rowsOf(t, folder)
		if len(rows) != 2 {
			t.Fatalf("%d rows", len(rows))
		}
		a, b := rows[0], rows[1]
		if a.Type != "message.received" || a.Source != "service clients" || a.Channel != "email" || a.Actor != "customer" || b.Type != "order.placed" {
			t.Errorf("clear parts are %+v", a)
		}
		if a.ReceivedAt == nil || *a.ReceivedAt != int64(someEvents()[0].ReceivedAt) || *a.RecordedAt != *a.ReceivedAt+1 || *a.Skew != 42 || *a.LogOffset != 10 || *b.LogPartition != 1 || *b.LogGeneration != 1 {
			t.Error("clocks or positions are others")
		}
		if !personal {
			if a.Account != nil || a.Text != nil || a.Identifiers != nil || a.Traits != nil || a.Properties != nil || a.Trust != nil || b.Amount != nil || b.Entity != nil || b.Consents != nil {
				t.Error("a sealed member is shown")
			}
			continue
		}
		is("account_kind", a.AccountKind, "crm_id")
		is("account", a.Account, "7")
		is("text", a.Text, "Où est mon colis ?\nMerci")
		is("language", a.Language, "fr")
		is("identifiers", a.Identifiers, `[{"assurance":"verified","kind":"email","value":"élodie@exemple.fr"}]`)
		is("traits", a.Traits, `{"age":41,"given_name":"Élodie"}`)
		is("properties", a.Properties, `{"store":"Lyon"}`)
		is("amount", b.Amount, "19.90")
		is("currency", b.Currency, "GBP")
		is("text", b.Text, "")
	}
}

// broker takes messages, and fails when it is told to: before it takes a batch, or after.
type broker struct {
	got             []kafka.Message
	submits, failAt int
	applied         bool
}

func (b *broker) Submit(_ context.Context, messages []kafka.Message) error {
	failing := b.submits == b.failAt
	b.submits++
	if !failing || b.applied {
		b.got = append(b.got, messages...)
	}
	if failing {
		return errors.New("no leader")
	}
	return nil
}

// TestTopic: each event is there at least once, those of one persona in their order where first seen, through failed writes and crashes.
func TestTopic(t *testing.T) {
	lines, _ := manyLines(t, 2500)
	for _, applied := range []bool{false, true} {
		for failAt := -1; failAt < 3; failAt++ {
			b, note := &broker{failAt: failAt, applied: applied}, filepath.Join(t.TempDir(), "again.replay")
			for _, crash := range []int{1700, 1200, -1} {
				out, err := OpenTopic(t.Context(), b, note, "all", CloudEvents)
				if err != nil {
					t.Fatal(err)
				}
				out.pause = 0
				if err := run(t, out, lines, crash, 1100); err != nil && !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
			}
			seen, first := map[string]bool{}, []string{}
			for _, m := range b.got {
				if text := string(m.Value); !seen[text] {
					seen[text], first = true, append(first, text)
				}
			}
			if len(first) != len(lines) {
				t.Fatalf("%d events of %d are in the topic", len(first), len(lines))
			}
			for n, l := range lines {
				if first[n]+"\n" != string(l.Text) {
					t.Fatalf("event %d is another one", n)
				}
			}
			if key := string(b.got[3].Key); key != lines[3].Persona || string(b.got[3].Headers[0].Value) != "application/cloudevents+json; charset=UTF-8" {
				t.Errorf("the key is %s", key)
			}
			// Once it is done, the same command adds nothing.
			had := len(b.got)
			out, err := OpenTopic(t.Context(), b, note, "all", CloudEvents)
			if err != nil {
				t.Fatal(err)
			}
			if err := run(t, out, lines, -1, -1); err != nil || len(b.got) != had {
				t.Errorf("again: %v, %d more", err, len(b.got)-had)
			}
		}
	}
}
