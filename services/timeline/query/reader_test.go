package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
	"github.com/dossier-cdp/dossier/services/timeline"
)

// stored puts rows into the tables of a fresh database, in blocks of one year bucket.
func stored(t testing.TB, rows []timeline.Row) Reader {
	t.Helper()
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	byBucket := map[int][]timeline.Row{}
	for _, r := range rows {
		bucket := schema.YearBucket(r.Event.OccurredAt)
		byBucket[bucket] = append(byBucket[bucket], r)
	}
	for bucket, rows := range byBucket {
		for i, part := range slices.Collect(slices.Chunk(rows, 20_000)) {
			if err := (timeline.ClickHouse{Conn: conn}).Insert(t.Context(), fmt.Sprint(bucket, i), timeline.BlockOf(part)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return Reader{Conn: conn}
}

func row(n int, p schema.PersonaID, at schema.Instant, change func(e *schema.Event)) timeline.Row {
	e := &schema.Event{}
	e.ID = schema.EventID{byte(n >> 8), byte(n), 6: 0x80, 8: 0x80 | byte(n)&0x3f, 9: byte(n * 7)}
	e.Workspace, e.Source, e.Persona, e.OccurredAt = "main", "shop", p, at
	e.ReceivedAt = at + 1000
	e.Channel, e.Type, e.Actor = schema.ChannelWeb, schema.TypeTrackPerformed, schema.ActorCustomer
	e.Provenance.Trust = schema.TrustServer
	if change != nil {
		change(e)
	}
	return timeline.Row{Position: schema.Position{Generation: 1, Offset: int64(n)}, RecordedAt: at + 2000, Persona: p, Event: e}
}

const noon = schema.Instant(1_750_000_000_000_000)

func TestPagesOfSeveralPeople(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	var rows []timeline.Row
	for n := range 600 {
		rows = append(rows, row(n, persona(byte(1+r.IntN(5))), noon+schema.Instant(r.IntN(40))*1_000_000, func(e *schema.Event) {
			if n%3 == 0 {
				e.Channel = schema.ChannelPhone
			}
		}))
	}
	rows = append(rows, row(700, persona(1), noon, func(e *schema.Event) { e.Workspace = "other" }))
	reader := stored(t, rows)
	people := [][]schema.PersonaID{{persona(1), persona(3)}, {persona(2)}, {persona(200)}, nil}
	want := make([]map[schema.EventID]bool, len(people))
	for i := range want {
		want[i] = map[schema.EventID]bool{}
	}
	for _, row := range rows {
		for i, p := range people {
			if slices.Contains(p, row.Persona) && row.Event.Workspace == "main" && row.Event.Channel == schema.ChannelPhone {
				want[i][row.Event.ID] = true
			}
		}
	}
	filter := graphql.Filter{Channels: []schema.Channel{schema.ChannelPhone}}
	totals, err := reader.Totals(t.Context(), "main", people, filter)
	if err != nil {
		t.Fatal(err)
	}
	together, err := reader.Pages(t.Context(), "main", people, filter, nil, 7, graphql.Wanted{Total: true})
	if err != nil {
		t.Fatal(err)
	}
	some, err := reader.Pages(t.Context(), "main", people, filter, nil, 7, graphql.Wanted{Fields: []string{"source", "text"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range together {
		for n, x := range together[i].Interactions {
			want := graphql.Interaction{ID: x.ID, Persona: x.Persona, OccurredAt: x.OccurredAt, Source: x.Source, Text: x.Text}
			if got := some[i].Interactions[n]; !reflect.DeepEqual(got, want) {
				t.Errorf("person %d: of source and text alone %+v, want %+v", i, got, want)
			}
		}
	}
	for i, p := range people {
		if together[i].Total != totals[i] || some[i].Total != -1 {
			t.Errorf("person %d: pages count %d and %d events, want %d and none", i, together[i].Total, some[i].Total, totals[i])
		}
		if totals[i] != int64(len(want[i])) {
			t.Errorf("person %d has %d events, want %d", i, totals[i], len(want[i]))
		}
		var after *graphql.Cursor
		got := map[schema.EventID]bool{}
		last := schema.Instant(1 << 62)
		for n := 0; ; n++ {
			pages, err := reader.Pages(t.Context(), "main", [][]schema.PersonaID{p}, filter, after, 7, graphql.Wanted{Total: true})
			if err != nil {
				t.Fatal(err)
			}
			page := pages[0]
			if n == 0 && fmt.Sprint(page) != fmt.Sprint(together[i]) {
				t.Errorf("person %d: alone %v, together %v", i, page, together[i])
			}
			for _, x := range page.Interactions {
				if got[x.ID] || x.OccurredAt > last || x.Channel != schema.ChannelPhone {
					t.Fatalf("person %d: event %v comes twice, out of order or on the wrong channel", i, x.ID)
				}
				got[x.ID], last = true, x.OccurredAt
				after = &graphql.Cursor{OccurredAt: x.OccurredAt, ID: x.ID}
			}
			if !page.More {
				break
			}
			if len(page.Interactions) != 7 {
				t.Fatalf("a page of %d with more to come", len(page.Interactions))
			}
		}
		if len(got) != len(want[i]) {
			t.Errorf("person %d: %d events by pages, want %d", i, len(got), len(want[i]))
		}
	}
	found, err := reader.Interactions(t.Context(), "main", []schema.EventID{rows[5].Event.ID, rows[600].Event.ID, event(250)})
	if err != nil || len(found) != 1 || found[0].ID != rows[5].Event.ID {
		t.Errorf("by id: %v, %v", found, err)
	}
	if n, err := reader.Count(t.Context(), "main"); err != nil || n != 600 {
		t.Errorf("Count: %d, %v", n, err)
	}
}

func TestRange(t *testing.T) {
	reader := stored(t, []timeline.Row{row(1, persona(1), noon-1, nil), row(2, persona(1), noon, nil), row(3, persona(1), noon+1, nil)})
	for _, c := range []struct {
		f    graphql.Filter
		want int64
	}{
		{graphql.Filter{From: noon}, 2}, {graphql.Filter{To: noon}, 1}, {graphql.Filter{From: noon, To: noon + 1}, 1},
		{graphql.Filter{From: -1 << 60, To: 1 << 60}, 3}, {graphql.Filter{Types: []schema.Type{schema.TypeOrderPlaced}}, 0},
	} {
		got, err := reader.Totals(t.Context(), "main", [][]schema.PersonaID{{persona(1)}}, c.f)
		if err != nil || got[0] != c.want {
			t.Errorf("%+v: %v, %v; want %d", c.f, got, err, c.want)
		}
		for _, w := range []graphql.Wanted{{Fields: []string{"type", "text"}}, {Fields: []string{"channel"}, Total: true}} {
			pages, err := reader.Pages(t.Context(), "main", [][]schema.PersonaID{{persona(1)}}, c.f, nil, 2, w)
			if err != nil || int64(len(pages[0].Interactions)) != min(c.want, 2) || pages[0].More != (c.want > 2) || w.Total && pages[0].Total != c.want {
				t.Errorf("%+v: a page of %v, %v; want %d in all", c.f, pages, err, c.want)
			}
		}
		then := reader.Then(graphql.Past{KnownAt: 1 << 60, AsOf: noon})
		pages, err := then.Pages(t.Context(), "main", [][]schema.PersonaID{{persona(1)}}, c.f, nil, 5, graphql.Wanted{Total: true})
		if err != nil || len(pages[0].Interactions) > int(c.want) {
			t.Errorf("%+v: a page of the past %v, %v", c.f, pages, err)
		}
	}
}

func TestFiguresCountEntitiesOnce(t *testing.T) {
	n := 0
	at := func(p byte, minutes int, change func(e *schema.Event)) timeline.Row {
		n++
		return row(n, persona(p), noon+schema.Instant(minutes)*60_000_000, change)
	}
	typed := func(kind schema.Type, f func(e *schema.Event)) func(e *schema.Event) {
		return func(e *schema.Event) {
			e.Type = kind
			if f != nil {
				f(e)
			}
		}
	}
	order := func(id, amount, currency string) func(e *schema.Event) {
		return typed(schema.TypeOrderPlaced, func(e *schema.Event) { e.Entity, e.Amount, e.Currency = id, amount, currency })
	}
	about := func(kind schema.Type, id string) func(e *schema.Event) {
		return typed(kind, func(e *schema.Event) { e.Case = id })
	}
	answer := func(id, rating string) func(e *schema.Event) {
		return typed(schema.TypeSurveyAnswered, func(e *schema.Event) { e.Entity, e.Rating, e.RatingScale = id, rating, "0-10" })
	}
	rows := []timeline.Row{
		at(1, 0, order("o1", "10.00", "EUR")), at(1, 5, order("o1", "12.50", "EUR")), // the second version counts
		at(2, 1, order("o2", "0.1", "EUR")), at(2, 2, order("o3", "0.2", "EUR")), at(2, 3, order("o4", "99.999999", "USD")), at(2, 9, order("o5", "unknown", "CHF")),
		at(3, 1, order("o1", "7", "EUR")), // of another person
		at(1, 0, about(schema.TypeCaseOpened, "c1")), at(1, 8, about(schema.TypeCaseResolved, "c1")), at(1, 9, about(schema.TypeMessageReceived, "c1")),
		at(1, 1, about(schema.TypeCaseOpened, "c2")), at(1, 2, about(schema.TypeCaseResolved, "c2")), at(1, 3, about(schema.TypeCaseReopened, "c2")),
		at(3, 4, about(schema.TypeMessageReceived, "c3")),
		at(1, 1, answer("s1", "3")), at(1, 2, answer("s1", "4")), at(2, 6, answer("s2", "9")), at(2, 1, answer("", "5")), at(2, 1, answer("", "5")),
	}
	reader := stored(t, rows)
	people := [][]schema.PersonaID{{persona(1), persona(2)}, {persona(3)}, {persona(9)}}
	minute := func(m int) schema.Instant { return noon + schema.Instant(m)*60_000_000 }

	value, err := reader.Value(t.Context(), "main", people)
	if err != nil {
		t.Fatal(err)
	}
	wantValue := []graphql.Value{
		{Orders: 5, Spent: []graphql.Money{{Amount: "12.80", Currency: "EUR"}, {Amount: "99.999999", Currency: "USD"}}, FirstOrderAt: minute(0), LastOrderAt: minute(9)},
		{Orders: 1, Spent: []graphql.Money{{Amount: "7.00", Currency: "EUR"}}, FirstOrderAt: minute(1), LastOrderAt: minute(1)}, {},
	}
	if fmt.Sprint(value) != fmt.Sprint(wantValue) {
		t.Errorf("value %v, want %v", value, wantValue)
	}

	cases, err := reader.Cases(t.Context(), "main", people)
	if err != nil {
		t.Fatal(err)
	}
	wantCases := [][]graphql.Case{
		{{ID: "c1", First: rows[7].Event.ID, State: "resolved", OpenedAt: minute(0), ResolvedAt: minute(8), LastContact: minute(9)}, {ID: "c2", First: rows[10].Event.ID, State: "reopened", OpenedAt: minute(1), LastContact: minute(3)}},
		{{ID: "c3", First: rows[13].Event.ID, State: "open", LastContact: minute(4)}}, nil,
	}
	if fmt.Sprint(cases) != fmt.Sprint(wantCases) {
		t.Errorf("cases %v, want %v", cases, wantCases)
	}

	satisfaction, err := reader.Satisfaction(t.Context(), "main", people)
	if err != nil {
		t.Fatal(err)
	}
	wantSatisfaction := []graphql.Satisfaction{{Answers: 4, LastRating: "9", LastRatingScale: "0-10", LastAnswerAt: minute(6)}, {}, {}}
	if fmt.Sprint(satisfaction) != fmt.Sprint(wantSatisfaction) {
		t.Errorf("satisfaction %v, want %v", satisfaction, wantSatisfaction)
	}

	contacts, err := reader.LastContacts(t.Context(), "main", people)
	if err != nil || contacts[1] != (Contacts{2, minute(1), minute(4)}) || contacts[2] != (Contacts{}) {
		t.Errorf("contacts %v, %v", contacts, err)
	}
	positions, err := reader.Positions(t.Context(), 1)
	if err != nil || len(positions) != 1 || positions[0].Offset != int64(n) {
		t.Errorf("positions %v, %v", positions, err)
	}
}

// exportOf gives the bytes of an export.
func exportOf(t *testing.T, r Reader, q Export) string {
	t.Helper()
	var b bytes.Buffer
	n, err := r.Export(t.Context(), q, func(line []byte) error { b.Write(line); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(b.Bytes(), []byte("\n")); int64(got) != n {
		t.Errorf("%d lines, the export says %d", got, n)
	}
	return b.String()
}

func TestExportIsTheSameForTheSameSet(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	var rows []timeline.Row
	years := []int{1900, 1969, 1999, 2000, 2024, 2026}
	for n := range 900 {
		at := schema.InstantOf(time.Date(years[r.IntN(len(years))], 1, 1+r.IntN(3), 0, 0, 0, 0, time.UTC))
		if n%3 == 0 {
			at = noon // very many at one microsecond
		} else if n%5 == 0 {
			at += schema.Instant(r.Int64N(86_400_000_000))
		}
		rows = append(rows, row(n, persona(byte(r.IntN(9))), at, func(e *schema.Event) {
			e.ID[0], e.ID[8] = byte(r.Uint32()), 0x80|byte(r.Uint32())&0x3f
			e.Text = "Où est ma commande ? \"vite\"\n\x00😀"
			e.Traits = []schema.Trait{{Name: "z", Value: []byte("1")}, {Name: "a\"", Value: []byte(`{"x":[null]}`)}}
			e.Identifiers = []schema.Identifier{{Kind: "email", Value: "a@b.example", Assurance: schema.AssuranceDeclared}}
			e.Consents = []schema.Consent{{Channel: schema.ChannelEmail, Purpose: "marketing", State: schema.ConsentDenied, Expiry: noon}}
			e.Properties = []byte(`{"a":1}`)
			e.Account = schema.Account{Kind: "user_id", Value: "u1"}
			e.Assertion = &schema.Assertion{A: schema.PersonaEpoch{Persona: persona(1)}, B: schema.PersonaEpoch{Persona: persona(2), Epoch: 1}, Reason: "same \\ person"}
		}))
	}
	// Decisions are in the table and not in the export.
	kept := slices.Clone(rows)
	for n, kind := range decisions {
		kept = append(kept, row(10_000+n, persona(1), noon, func(e *schema.Event) { e.Type, _ = schema.ParseType(kind) }))
	}
	reader := stored(t, kept)
	whole := exportOf(t, reader, Export{Workspace: "main"})
	if cut := exportOf(t, reader, Export{Workspace: "main", windowRows: 20}); cut != whole {
		t.Error("another window size gives other bytes")
	}

	sorted := slices.Clone(rows)
	slices.SortFunc(sorted, func(a, b timeline.Row) int {
		if d := int64(a.Event.OccurredAt) - int64(b.Event.OccurredAt); d != 0 {
			return int(d>>62 | 1)
		}
		return a.Event.ID.Compare(b.Event.ID)
	})
	lines := bytes.Split(bytes.TrimSuffix([]byte(whole), []byte("\n")), []byte("\n"))
	if len(lines) != len(rows) {
		t.Fatalf("%d lines, want %d", len(lines), len(rows))
	}
	for i, line := range lines {
		var got map[string]any
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if compact := len(again); compact < len(line)-60 {
			t.Fatalf("line %d is not compact", i+1)
		}
		if got["id"] != sorted[i].Event.ID.String() || got["occurredAt"] != sorted[i].Event.OccurredAt.String() || got["text"] != rows[0].Event.Text {
			t.Fatalf("line %d is %s, want event %v", i+1, line, sorted[i].Event.ID)
		}
	}
	const want = `{"account":{"kind":"user_id","value":"u1"},"actor":"customer","assertion":{"a":{"epoch":0,"persona":"01000000-0000-8000-8000-000000000000"},` +
		`"b":{"epoch":1,"persona":"02000000-0000-8000-8000-000000000000"},"reason":"same \\ person"},"channel":"web",` +
		`"consents":[{"channel":"email","expiry":"2025-06-15T15:06:40Z","purpose":"marketing","state":"denied"}]`
	if !bytes.HasPrefix(lines[0], []byte(want)) {
		t.Errorf("line 1 is\n%s, want\n%s…", lines[0], want)
	}

	// The same set in another order, other copies' clocks and positions, other blocks.
	shuffled := slices.Clone(rows)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for i := range shuffled {
		e := *shuffled[i].Event
		e.ReceivedAt, e.Skew, e.Provenance.UserAgent = e.ReceivedAt+77, 5, "other"
		shuffled[i].Event, shuffled[i].RecordedAt, shuffled[i].Position = &e, shuffled[i].RecordedAt+99, schema.Position{Generation: 2, Partition: 1, Offset: int64(i)}
	}
	other := stored(t, shuffled)
	if exportOf(t, other, Export{Workspace: "main"}) != whole {
		t.Error("the same set of events in another order gives other bytes")
	}
	if a, b := exportOf(t, other, Export{Workspace: "main", Clocks: true}), exportOf(t, reader, Export{Workspace: "main", Clocks: true}); a == b {
		t.Error("clocks are not in the export with clocks")
	}
	if n := bytes.Count([]byte(exportOf(t, other, Export{Workspace: "main", Generation: 2, Before: []int64{0, 300}})), []byte("\n")); n != 300 {
		t.Errorf("%d events before offset 300, want 300", n)
	}
	if n := bytes.Count([]byte(exportOf(t, reader, Export{Workspace: "main", From: noon, To: noon + 1})), []byte("\n")); n != 300 {
		t.Errorf("%d events at one microsecond, want 300", n)
	}
}
