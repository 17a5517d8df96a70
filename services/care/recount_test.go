package care

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
	measured "github.com/dossier-cdp/dossier/services/metrics"
)

const (
	microsHour = schema.Instant(3_600_000_000)
	microsDay  = 24 * microsHour
)

// mail is a conversation as it was told: who wrote when. It is what the recount reads.
type mail struct {
	persona int
	theme   string
	number  string // of its case; empty: no source keeps one
	said    []said
	flag    int // what an agent says of it: 1 resolved, −1 not, 0 nothing
	flagged schema.Instant
}

type said struct {
	at schema.Instant
	by schema.Actor
}

// wait is a stretch in which the customer waited: until is 0 while it is not over.
type wait struct{ since, until schema.Instant }

// waits tells the stretches of a conversation: an acknowledgement ends none.
func (m mail) waits() (out []wait) {
	for _, s := range m.said {
		last := len(out) - 1
		switch {
		case s.by == schema.ActorCustomer && (last < 0 || out[last].until != 0):
			out = append(out, wait{since: s.at})
		case s.by == schema.ActorAgent && last >= 0 && out[last].until == 0:
			out[last].until = s.at
		}
	}
	return out
}

// filed is a case as its source told it.
type filed struct {
	number             string
	persona            int
	theme              string
	opened             schema.Instant
	resolved, reopened []schema.Instant
	unresolvable       bool
	complaint          bool
}

// opinion is an answer to a survey.
type opinion struct {
	persona    int
	instrument string
	mark       int
	at         schema.Instant
}

// bought is an order, and what became of it: 1 its last version says that it was cancelled, 2 an event of its own does, 3 its first version said so and the last
// does not, 0 nothing is said.
type bought struct {
	persona int
	at      schema.Instant
	became  int
}

// stands says whether it counts.
func (b bought) stands() bool { return b.became == 0 || b.became == 3 }

// raw is everything that was told, and the events that tell it.
type raw struct {
	mails    []mail
	cases    []filed
	opinions []opinion
	orders   []bought
	events   []*schema.Event
}

func recountPersona(n int) schema.PersonaID {
	return schema.PersonaID{0xa7, 6: 0x80, 8: 0x80, 14: byte(n >> 8), 15: byte(n)}
}

// invent tells a year of random dealings of so many personas. No two instants are alike.
func invent(r *rand.Rand, personas, mails int) *raw {
	w := &raw{}
	begun := schema.Instant(1_735_689_600_000_000) // 2025-01-01
	unique := map[schema.Instant]bool{}
	at := func(t schema.Instant) schema.Instant {
		for unique[t] {
			t++
		}
		unique[t] = true
		return t
	}
	some := func(most schema.Instant) schema.Instant { return schema.Instant(1 + r.Int64N(int64(most))) }
	tell := func(persona int, when schema.Instant, kind schema.Type, change func(e *schema.Event)) {
		e := &schema.Event{}
		binary.BigEndian.PutUint64(e.ID[8:], uint64(len(w.events)+1))
		e.ID[6], e.Workspace, e.Source, e.Type, e.Persona, e.OccurredAt = 0x80, "main", "desk", kind, recountPersona(persona), when
		e.Channel, e.Actor, e.Provenance.MessageID = schema.ChannelEmail, schema.ActorCustomer, fmt.Sprint("m", len(w.events))
		change(e)
		w.events = append(w.events, e)
	}
	themes := []string{"late", "lost", "refund"}
	for i := range mails {
		m := mail{persona: r.IntN(personas), theme: themes[r.IntN(3)]}
		if r.IntN(5) > 0 {
			m.number = fmt.Sprint("c", i)
			if r.IntN(6) == 0 && len(w.cases) > 0 { // a further conversation about an earlier case
				of := w.cases[r.IntN(len(w.cases))]
				m.number, m.persona, m.theme = of.number, of.persona, of.theme
			}
		}
		when := at(begun + some(300*microsDay))
		m.said = append(m.said, said{when, schema.ActorCustomer})
		unanswered := r.IntN(6) == 0
		for range r.IntN(6) {
			when = at(when + some([]schema.Instant{2 * microsHour, 5 * microsHour, 40 * microsHour}[r.IntN(3)]))
			by := []schema.Actor{schema.ActorCustomer, schema.ActorAgent, schema.ActorAgent, schema.ActorSystem}[r.IntN(4)]
			if unanswered && by == schema.ActorAgent {
				by = schema.ActorSystem
			}
			m.said = append(m.said, said{when, by})
		}
		for n, s := range m.said {
			kind, actor := schema.TypeMessageSent, "anna"
			if s.by == schema.ActorCustomer {
				kind, actor = schema.TypeMessageReceived, ""
			}
			properties := fmt.Sprintf(`{"theme":%q}`, m.theme)
			if s.by == schema.ActorAgent && m.flag == 0 && r.IntN(2) == 0 {
				m.flag, m.flagged = 1-2*r.IntN(2), s.at
				properties = fmt.Sprintf(`{"first_contact_resolution":%t}`, m.flag > 0)
			}
			tell(m.persona, s.at, kind, func(e *schema.Event) {
				e.Actor, e.ActorID, e.Conversation, e.Case, e.Properties, e.Text = s.by, actor, fmt.Sprint("thread", i), m.number, []byte(properties), fmt.Sprint("where is it ", n)
			})
		}
		w.mails = append(w.mails, m)
		if m.number != fmt.Sprint("c", i) {
			continue
		}
		c := filed{number: m.number, persona: m.persona, theme: m.theme, opened: at(m.said[0].at + some(microsHour/60)), unresolvable: r.IntN(5) == 0, complaint: r.IntN(3) == 0}
		mark := func(kind schema.Type, when schema.Instant, properties string) {
			tell(c.persona, when, kind, func(e *schema.Event) {
				e.Actor, e.ActorID, e.Case, e.Entity, e.Properties = schema.ActorAgent, "anna", c.number, c.number, []byte(properties)
			})
		}
		mark(schema.TypeCaseOpened, c.opened, fmt.Sprintf(`{"theme":%q,"resolvable":%t,"complaint":%t}`, c.theme, !c.unresolvable, c.complaint))
		for now := when; r.IntN(4) > 0; {
			now = at(max(now, c.opened) + some(60*microsHour))
			c.resolved = append(c.resolved, now)
			mark(schema.TypeCaseResolved, now, `{}`)
			if r.IntN(3) > 0 {
				break
			}
			now = at(now + some(30*microsHour))
			c.reopened = append(c.reopened, now)
			mark(schema.TypeCaseReopened, now, `{}`)
		}
		w.cases = append(w.cases, c)
	}
	for i := range mails / 2 {
		o := opinion{r.IntN(personas), "nps", r.IntN(11), at(begun + some(330*microsDay))}
		scale := "0-10"
		if r.IntN(2) == 0 {
			o.instrument, o.mark, scale = "csat", 1+r.IntN(5), "1-5"
		}
		tell(o.persona, o.at, schema.TypeSurveyAnswered, func(e *schema.Event) {
			e.Entity, e.Rating, e.RatingScale, e.Properties = fmt.Sprint("s", i), strconv.Itoa(o.mark), scale, fmt.Appendf(nil, `{"survey":%q,"theme":"late"}`, o.instrument)
		})
		w.opinions = append(w.opinions, o)
	}
	for range mails {
		w.orders = append(w.orders, bought{r.IntN(personas), at(begun + some(200*microsDay)), []int{0, 0, 0, 1, 2, 3}[r.IntN(6)]})
	}
	return w
}

// counted is a share counted again: of n rows hits, of so many people.
type counted struct{ hits, n, people int64 }

func (c *counted) add(who map[int]bool, person int, hit bool) {
	who[person] = true
	c.n, c.people = c.n+1, int64(len(who))
	if hit {
		c.hits++
	}
}

// recount counts every share of a world once more, row by row, with nothing of the product's but what was told. holder says who a persona is.
func (w *raw) recount(holder func(persona int) int, now schema.Instant) map[string]counted {
	out := map[string]*counted{}
	people := map[string]map[int]bool{}
	count := func(name string, persona int, hit bool) {
		if out[name] == nil {
			out[name], people[name] = &counted{}, map[int]bool{}
		}
		out[name].add(people[name], holder(persona), hit)
	}
	byNumber := map[string]filed{}
	for _, c := range w.cases {
		byNumber[c.number] = c
	}
	// closed says that a case was resolved for good while the customer had no answer.
	closed := func(m mail, since schema.Instant) bool {
		c, kept := byNumber[m.number]
		return kept && slices.ContainsFunc(c.resolved, func(t schema.Instant) bool { return t > since }) && m.number != ""
	}
	const band = 24 * microsHour
	for i, m := range w.mails {
		waits := m.waits()
		for n, s := range waits {
			over := s.until != 0
			if !over && closed(m, s.since) {
				continue
			}
			due := s.since + band // where nothing is configured, a day around the clock
			sla, first := "slaNextReply", n == 0
			if first {
				sla = "slaFirstReply"
			}
			if over || due < now {
				count(sla, m.persona, over && s.until <= due)
			}
			if first && (over || s.since <= now-band) {
				count("replyBands", m.persona, over && s.until-s.since <= band)
			}
		}
		if m.flag != 0 {
			count("fcrFlag", m.persona, m.flag > 0)
		}
		// Nobody of the same profile asks about the same within a week, on any conversation.
		if asked := m.said[0].at; asked+7*microsDay <= now {
			again := slices.ContainsFunc(w.mails, func(other mail) bool {
				later := other.said[0].at
				return holder(other.persona) == holder(m.persona) && other.theme == m.theme && later > asked && later <= asked+7*microsDay
			})
			count("fcrNoRepeat", w.mails[i].persona, !again)
		}
	}
	for _, c := range w.cases {
		var asked []schema.Instant
		for _, m := range w.mails {
			if m.number == c.number {
				for _, s := range m.waits() {
					asked = append(asked, s.since)
				}
			}
		}
		first := schema.Instant(math.MaxInt64)
		if len(c.resolved) > 0 {
			first = c.resolved[0]
		}
		before, after := 0, 0
		for _, t := range asked {
			if t <= first {
				before++
			} else {
				after++
			}
		}
		if len(c.resolved) > 0 {
			count("reopenRate", c.persona, len(c.reopened) > 0 || after > 0)
		}
		if len(c.resolved) > 0 || len(asked) > 1 {
			once := len(c.resolved) > 0 && before <= 1
			count("fcrGross", c.persona, once)
			if !c.unresolvable {
				count("fcrNet", c.persona, once)
			}
		}
	}

	// People: their first episode, and what came after it.
	type episode struct {
		at      schema.Instant
		persona int
		theme   string
	}
	const follow, month = 180 * microsDay, 30 * microsDay
	unhappy, complained := map[int]episode{}, map[int]episode{}
	earlier := func(all map[int]episode, e episode) {
		if was, is := all[holder(e.persona)]; !is || e.at < was.at {
			all[holder(e.persona)] = e
		}
	}
	for _, o := range w.opinions {
		if o.instrument == "nps" && o.mark <= 6 || o.instrument == "csat" && o.mark <= 2 {
			earlier(unhappy, episode{o.at, o.persona, "late"})
		}
	}
	for _, c := range w.cases {
		if c.complaint {
			earlier(complained, episode{c.opened, c.persona, c.theme})
			if len(c.resolved) > 0 {
				earlier(unhappy, episode{c.resolved[0], c.persona, c.theme})
			}
		}
	}
	for person, e := range unhappy {
		if e.at+follow > now {
			continue
		}
		good := slices.ContainsFunc(w.opinions, func(o opinion) bool {
			return holder(o.persona) == person && o.at > e.at && o.at <= e.at+follow && (o.instrument == "nps" && o.mark >= 7 || o.instrument == "csat" && o.mark >= 4)
		})
		again := slices.ContainsFunc(w.orders, func(o bought) bool {
			return o.stands() && holder(o.persona) == person && o.at > e.at && o.at <= e.at+follow
		})
		worse := slices.ContainsFunc(w.cases, func(c filed) bool {
			return c.complaint && holder(c.persona) == person && c.theme == e.theme && c.opened > e.at && c.opened <= e.at+month
		})
		count("recoveryRate", e.persona, (good || again) && !worse)
	}
	for person, e := range complained {
		before := slices.ContainsFunc(w.orders, func(o bought) bool { return o.stands() && holder(o.persona) == person && o.at <= e.at })
		after := slices.ContainsFunc(w.orders, func(o bought) bool {
			return o.stands() && holder(o.persona) == person && o.at > e.at && o.at <= e.at+follow
		})
		if before && e.at+follow <= now {
			count("churnAfterComplaint", e.persona, !after)
		}
	}
	all := map[string]counted{}
	for name, c := range out {
		all[name] = *c
	}
	return all
}

// TestRecount counts what care measures in random dealings once more from what was told, and compares with what comes out of the role, of the tables and of the
// statements: with everybody a person of their own, with some linked, and released again.
func TestRecount(t *testing.T) {
	rounds, size := 1, 260
	if os.Getenv("DOSSIER_PROVE") != "" {
		rounds, size = 20, 900
	}
	for round := range rounds {
		seed := uint64(time.Now().UnixNano()) + uint64(round)
		if given := os.Getenv("DOSSIER_SEED"); given != "" {
			n, err := strconv.ParseUint(given, 10, 64)
			if err != nil {
				t.Fatalf("DOSSIER_SEED: %v", err)
			}
			seed = n
		}
		t.Logf("seed %d (DOSSIER_SEED)", seed)
		recountWorld(t, rand.New(rand.NewPCG(seed, 8)), seed, size)
	}
}

// recounted are the figures that TestRecount compares.
var recounted = []string{"replyBands", "slaFirstReply", "slaNextReply", "fcrGross", "fcrNet", "fcrNoRepeat", "fcrFlag", "reopenRate", "recoveryRate", "churnAfterComplaint"}

// telling invents dealings until each figure counts some and not all of enough: one that is 0 of 3 would prove little. What comes later than now is not told.
func telling(t *testing.T, r *rand.Rand, personas, size int, now schema.Instant) *raw {
	t.Helper()
	alone := func(persona int) int { return persona }
	for range 100 {
		told := invent(r, personas, size)
		told.until(now)
		figures := told.recount(alone, now)
		if !slices.ContainsFunc(recounted, func(name string) bool {
			f := figures[name]
			return f.n < int64(size/40) || f.hits == 0 || f.hits == f.n
		}) {
			return told
		}
	}
	t.Fatal("no dealings of 100 that were invented prove anything")
	return nil
}

func recountWorld(t *testing.T, r *rand.Rand, seed uint64, size int) {
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	personas := size * 2 / 3
	now := schema.Instant(1_735_689_600_000_000) + 310*microsDay
	told := telling(t, r, personas, size, now)
	// Some comes twice, and nothing in order.
	all := slices.Clone(told.events)
	for range len(all) / 9 {
		all = append(all, all[r.IntN(len(all))])
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	w := newWorld(t, seed)
	w.add(r, all)
	c := w.role(nil)
	c.Tables, c.BatchRecords = ClickHouse{conn}, 200
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	ends, err := w.log.Ends(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.WaitFor(ctx, ends); err != nil {
		t.Fatal(err)
	}
	var orders []string
	for i, o := range told.orders {
		row := func(day int, kind, name, properties string) {
			orders = append(orders, fmt.Sprintf("('main', '%s', fromUnixTimestamp64Micro(%d), '%s', '%s', '%s', 'shop', 'o%d', '%s')",
				recountPersona(o.persona), int64(o.at)+int64(day)*int64(microsDay), eventNumber(1_000_000+len(orders)), kind, name, i, properties))
		}
		placed := schema.TypeOrderPlaced.String()
		switch o.became { // the first version says when it was placed
		case 1:
			row(0, placed, "", "{}")
			row(1, placed, "", []string{`{"status":"cancelled"}`, `{"order_status":"Refunded"}`, `{"statut":"annulée"}`}[i%3])
		case 2:
			row(0, placed, "", "{}")
			row(2, "track.performed", "Order Cancelled", "{}")
		case 3:
			row(0, placed, "", `{"status":"voided"}`)
			row(1, placed, "", `{"status":"paid","note":"not cancelled"}`)
		default:
			for version := range 1 + r.IntN(2) {
				row(version, placed, "", "")
			}
		}
	}
	if err := conn.Exec(ctx, "INSERT INTO events (workspace, persona, occurred_at, id, type, name, source, entity, properties) VALUES "+strings.Join(orders, ", "), nil, nil); err != nil {
		t.Fatal(err)
	}

	reader := measured.New(conn, nil, time.Now)
	holders, version := map[int]int{}, 0
	holder := func(persona int) int {
		if of, moved := holders[persona]; moved {
			return of
		}
		return persona
	}
	place := func(persona, profile int) {
		version++
		holders[persona] = profile
		sql := fmt.Sprintf("INSERT INTO persona_profile VALUES ('main', '%s', '%s', %d, 0)", recountPersona(persona), recountPersona(profile), version)
		if err := conn.Exec(ctx, sql, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	compare := func(when string) (seen map[string]metric.Figure) {
		t.Helper()
		seen = map[string]metric.Figure{}
		want := told.recount(holder, now)
		for _, name := range recounted {
			a, err := reader.Figure(ctx, name, metric.Query{Workspace: "main", Now: now})
			if err != nil {
				t.Fatal(err)
			}
			seen[name] = a.Whole
			hits := int64(-1)
			if a.Whole.Numerator != nil && a.Whole.Numerator.IsInt() {
				hits = a.Whole.Numerator.Num().Int64()
			}
			if got := (counted{hits, a.Whole.N, a.Whole.People}); got != want[name] {
				t.Errorf("seed %d, %s: %s is %+v, counted again %+v", seed, when, name, got, want[name])
			}
		}
		return seen
	}
	before := compare("everybody alone")
	for p := 0; p+1 < personas; p += 3 {
		place(p+1, p)
	}
	linked := compare("some linked")
	if linked["fcrNoRepeat"].Estimate == before["fcrNoRepeat"].Estimate && linked["recoveryRate"].People == before["recoveryRate"].People {
		t.Errorf("seed %d: a merge changes nothing", seed)
	}
	for _, name := range []string{"replyBands", "slaFirstReply", "slaNextReply", "fcrGross", "fcrNet", "fcrFlag", "reopenRate"} {
		if linked[name].Estimate != before[name].Estimate || linked[name].N != before[name].N {
			t.Errorf("seed %d: a merge changes %s", seed, name)
		}
	}
	for p := 0; p+1 < personas; p += 3 {
		place(p+1, p+1)
	}
	released := compare("released")
	for name, f := range before {
		if now, then := inWords(released[name]), inWords(f); now != then {
			t.Errorf("seed %d: %s is %s after link and release, and was %s", seed, name, now, then)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// inWords writes a figure whole.
func inWords(f metric.Figure) string {
	return fmt.Sprint(f.Estimate, f.N, f.People, f.Suppressed, f.Numerator, f.Denominator, f.Open, f.Parts, f.Exclusions, f.Calendars)
}

func eventNumber(n int) schema.EventID {
	id := schema.EventID{6: 0x80}
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// until takes back what comes after an instant.
func (w *raw) until(now schema.Instant) {
	w.events = slices.DeleteFunc(w.events, func(e *schema.Event) bool { return e.OccurredAt > now })
	w.mails = slices.DeleteFunc(w.mails, func(m mail) bool { return m.said[0].at > now })
	for i := range w.mails {
		if w.mails[i].flagged > now {
			w.mails[i].flag = 0
		}
		w.mails[i].said = slices.DeleteFunc(w.mails[i].said, func(s said) bool { return s.at > now })
	}
	w.cases = slices.DeleteFunc(w.cases, func(c filed) bool { return c.opened > now })
	late := func(t schema.Instant) bool { return t > now }
	for i := range w.cases {
		w.cases[i].resolved, w.cases[i].reopened = slices.DeleteFunc(w.cases[i].resolved, late), slices.DeleteFunc(w.cases[i].reopened, late)
	}
	w.opinions = slices.DeleteFunc(w.opinions, func(o opinion) bool { return late(o.at) })
	w.orders = slices.DeleteFunc(w.orders, func(o bought) bool { return late(o.at) })
	slices.SortFunc(w.mails, func(a, b mail) int { return cmp.Compare(a.said[0].at, b.said[0].at) })
}
