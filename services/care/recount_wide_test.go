package care

import (
	"context"
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
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
	measured "github.com/dossier-cdp/dossier/services/metrics"
)

// recountedWide are the figures that TestRecountWide compares, recountedFiles those that are counted again from files and the demo workspace (services/e2e,
// TestMeasures).
var (
	recountedWide = []string{
		"nps", "csat", "ces1", "ces2", "companyEffort", "enps", "responseRate", "firstReply", "nextReply", "resolution", "fullResolution", "requesterWait", "agentWait", "slaResolution",
		"speedOfAnswer", "answerRate", "serviceLevel", "abandonment", "handlingTime", "forumAnswer", "forumCoverage", "forumPeer", "forumStaff", "forumAccepted",
		"verbatimSentiment", "themeSentiment", "criticalShare", "gestureRate", "gestureSpend", "channelPremium", "churnExcess", "valueAtStake", "complaintRoi", "ror",
	}
	recountedFiles = []string{"reviewRating", "lateDeliveries", "shareOfVoice", "mentionSentiment", "netSentiment", "mentionVolume"}
	// byHand are the figures that are only worked out by hand yet (services/metrics, TestReputation): to be counted again, too.
	byHand = []string{
		"kanoBetter", "kanoWorse", "mentionReach", "engagementByReach", "engagementByImpressions", "engagementByFollowers", "amplification", "notoriety", "reviewReplies",
	}
)

// Every metric of the catalogue is counted again somewhere, another way, or is listed as lacking it.
func TestEveryMetricIsRecounted(t *testing.T) {
	for _, d := range metric.Catalogue() {
		if !slices.Contains(recounted, d.Name) && !slices.Contains(recountedWide, d.Name) && !slices.Contains(recountedFiles, d.Name) && !slices.Contains(byHand, d.Name) {
			t.Errorf("%s is never counted again", d.Name)
		}
	}
	for _, name := range slices.Concat(recounted, recountedWide, recountedFiles, byHand) {
		if _, known := metric.Find(name); !known {
			t.Errorf("%s is counted again, and is no metric", name)
		}
	}
}

// matter is a case with its one conversation, told by the source crm: who asked and who answered in turn, and what its source made of it.
type matter struct {
	persona            int
	theme              string
	channel            schema.Channel
	asks, replies      []schema.Instant // in turn
	resolved, reopened []schema.Instant // in turn, after all words
	complaint          bool
	gifts              []gift
}

type gift struct {
	currency string
	amount   int
}

// asked is a questionnaire: when it was sent and answered, 0 if it was not; of several answers the last.
type questionnaire struct {
	persona        int
	instrument     string
	sent, answered schema.Instant
	mark           int
	text           string
}

// ring is a call.
type ring struct {
	persona                      int
	offered, answered, abandoned schema.Instant
	talk, wrap                   int // seconds; ended if it was answered
}

// question is one of a forum. peers and staff are the instants of answers.
type question struct {
	persona     int
	at          schema.Instant
	peers       []schema.Instant
	staff       []schema.Instant
	hasAccepted schema.Instant
}

// purchase is an order that stands.
type purchase struct {
	persona  int
	at       schema.Instant
	amount   int
	currency string
}

// wide is everything that was told.
type wide struct {
	matters        []matter
	questionnaires []questionnaire
	rings          []ring
	questions      []question
	purchases      []purchase
	events         []*schema.Event
	orders         []string // rows of events
}

const wideBegin = schema.Instant(1_735_689_600_000_000) // 2025-01-01

// inventWide tells of a year. Personas are people of their own.
func inventWide(r *rand.Rand, personas, size int) *wide {
	w := &wide{}
	unique := map[schema.Instant]bool{}
	at := func(t schema.Instant) schema.Instant {
		for unique[t] {
			t++
		}
		unique[t] = true
		return t
	}
	some := func(most schema.Instant) schema.Instant { return schema.Instant(1 + r.Int64N(int64(most))) }
	tell := func(source string, persona int, when schema.Instant, kind schema.Type, channel schema.Channel, actor schema.Actor, change func(e *schema.Event)) {
		e := &schema.Event{}
		e.ID, e.Workspace, e.Source, e.Type, e.Persona, e.OccurredAt = eventNumber(len(w.events)+1), "main", source, kind, recountPersona(persona), when
		e.Channel, e.Actor, e.Provenance.MessageID = channel, actor, fmt.Sprint("m", len(w.events))
		if actor == schema.ActorAgent {
			e.ActorID = "lea"
		}
		if change != nil {
			change(e)
		}
		w.events = append(w.events, e)
	}
	themes := []string{"late", "lost"}
	for i := range size {
		m := matter{persona: r.IntN(personas), theme: themes[r.IntN(2)], channel: []schema.Channel{schema.ChannelSocial, schema.ChannelEmail, schema.ChannelChat}[r.IntN(3)], complaint: r.IntN(2) == 0}
		number, thread := fmt.Sprint("w", i), fmt.Sprint("words", i)
		when := at(wideBegin + some(280*microsDay))
		for turn := range 1 + r.IntN(5) {
			if turn > 0 {
				when = at(when + some([]schema.Instant{2 * microsHour, 12 * microsHour}[r.IntN(2)]))
			}
			properties := []byte(fmt.Sprintf(`{"theme":%q}`, m.theme))
			if turn%2 == 0 {
				m.asks = append(m.asks, when)
				tell("crm", m.persona, when, schema.TypeMessageReceived, m.channel, schema.ActorCustomer, func(e *schema.Event) {
					e.Conversation, e.Case, e.Properties, e.Text = thread, number, properties, "where is it "+strings.Repeat("x", r.IntN(30))
				})
			} else {
				m.replies = append(m.replies, when)
				tell("crm", m.persona, when, schema.TypeMessageSent, m.channel, schema.ActorAgent, func(e *schema.Event) { e.Conversation, e.Case, e.Properties = thread, number, properties })
			}
		}
		mark := func(kind schema.Type, when schema.Instant, properties string, change func(e *schema.Event)) {
			tell("crm", m.persona, when, kind, m.channel, schema.ActorAgent, func(e *schema.Event) {
				e.Case, e.Entity, e.Properties = number, number, []byte(properties)
				if change != nil {
					change(e)
				}
			})
		}
		mark(schema.TypeCaseOpened, at(m.asks[0]+1), fmt.Sprintf(`{"theme":%q,"complaint":%t}`, m.theme, m.complaint), nil)
		for r.IntN(4) > 0 {
			when = at(when + some(30*microsHour))
			m.resolved = append(m.resolved, when)
			mark(schema.TypeCaseResolved, when, `{}`, nil)
			if r.IntN(3) > 0 {
				break
			}
			when = at(when + some(30*microsHour))
			m.reopened = append(m.reopened, when)
			mark(schema.TypeCaseReopened, when, `{}`, nil)
		}
		for range r.IntN(3) * r.IntN(2) {
			g := gift{[]string{"EUR", "EUR", "CHF"}[r.IntN(3)], 1 + r.IntN(40)}
			m.gifts = append(m.gifts, g)
			mark(schema.TypeGestureGranted, at(m.asks[0]+some(microsHour)), `{"reason":"late"}`, func(e *schema.Event) { e.Entity, e.Amount, e.Currency = "", strconv.Itoa(g.amount), g.currency })
		}
		w.matters = append(w.matters, m)
	}
	instruments := []struct {
		name      string
		low, high int
	}{{"nps", 0, 10}, {"csat", 1, 5}, {"ces1", 1, 5}, {"ces2", 1, 7}, {"company_effort", 1, 5}, {"enps", 0, 10}}
	for i := range size * 2 {
		in := instruments[r.IntN(len(instruments))]
		q := questionnaire{persona: r.IntN(personas), instrument: in.name}
		when := at(wideBegin + some(300*microsDay))
		entity, properties := fmt.Sprint("q", i), fmt.Sprintf(`{"survey":%q,"employee":%t}`, in.name, in.name == "enps")
		if r.IntN(3) > 0 {
			q.sent = when
			tell("svy", q.persona, when, schema.TypeSurveySent, schema.ChannelEmail, schema.ActorBrand, func(e *schema.Event) { e.Entity, e.Properties = entity, []byte(properties) })
		}
		if q.sent == 0 || r.IntN(4) > 0 {
			for range 1 + r.IntN(2) { // the last answer counts
				when = at(when + some(60*microsHour))
				q.answered, q.mark, q.text = when, in.low+r.IntN(in.high-in.low+1), strings.Repeat("y", r.IntN(12))
				tell("svy", q.persona, when, schema.TypeSurveyAnswered, schema.ChannelSurvey, schema.ActorCustomer, func(e *schema.Event) {
					e.Entity, e.Properties, e.Rating, e.RatingScale, e.Text = entity, []byte(properties), strconv.Itoa(q.mark), fmt.Sprintf("%d-%d", in.low, in.high), q.text
				})
			}
		}
		w.questionnaires = append(w.questionnaires, q)
	}
	for i := range size {
		c := ring{persona: personas + r.IntN(personas), offered: at(wideBegin + some(300*microsDay))}
		thread := fmt.Sprint("ring", i)
		say := func(when schema.Instant, kind schema.Type, actor schema.Actor, properties string) {
			tell("pbx", c.persona, when, kind, schema.ChannelPhone, actor, func(e *schema.Event) { e.Conversation, e.Properties = thread, []byte(properties) })
		}
		say(c.offered, schema.TypeCallOffered, schema.ActorCustomer, `{}`)
		switch r.IntN(5) {
		case 0:
			c.abandoned = at(c.offered + some(40_000_000))
			say(c.abandoned, schema.TypeCallAbandoned, schema.ActorCustomer, `{}`)
		case 1: // under way
		default:
			c.answered, c.talk, c.wrap = at(c.offered+some(40_000_000)), r.IntN(500), r.IntN(90)
			say(c.answered, schema.TypeCallAnswered, schema.ActorAgent, `{}`)
			say(at(c.answered+schema.Instant(c.talk+c.wrap+1)*1_000_000), schema.TypeCallEnded, schema.ActorAgent, fmt.Sprintf(`{"talk_seconds":%d,"wrap_up_seconds":%d}`, c.talk, c.wrap))
		}
		w.rings = append(w.rings, c)
	}
	for i := range size {
		q := question{persona: 2*personas + r.IntN(personas), at: at(wideBegin + some(309*microsDay))}
		thread, when := fmt.Sprint("topic", i), q.at
		say := func(persona int, kind schema.Type, actor schema.Actor, accepted bool) {
			tell("forum", persona, when, kind, schema.ChannelForum, actor, func(e *schema.Event) {
				e.Conversation, e.Properties, e.Text = thread, []byte(fmt.Sprintf(`{"accepted":%t}`, accepted)), "how do I "+strings.Repeat("z", r.IntN(20))
			})
		}
		say(q.persona, schema.TypeMessageReceived, schema.ActorCustomer, false)
		answers := r.IntN(3)
		for n := range answers {
			when = at(when + some(9*microsHour))
			accepted := n == answers-1 && r.IntN(2) == 0
			if r.IntN(2) == 0 {
				q.peers = append(q.peers, when)
				say(3*personas+r.IntN(9), schema.TypeMessageReceived, schema.ActorCustomer, accepted)
			} else {
				q.staff = append(q.staff, when)
				say(q.persona, schema.TypeMessageSent, schema.ActorAgent, accepted)
			}
			if accepted {
				q.hasAccepted = when
			}
		}
		w.questions = append(w.questions, q)
	}
	for i := range size * 3 {
		p := purchase{r.IntN(personas), at(wideBegin + some(300*microsDay)), 1 + r.IntN(200), []string{"EUR", "EUR", "EUR", "CHF"}[r.IntN(4)]}
		w.orders = append(w.orders, fmt.Sprintf("('main', '%s', fromUnixTimestamp64Micro(%d), '%s', 'order.placed', 'shop', 'p%d', '%d', '%s')",
			recountPersona(p.persona), int64(p.at), eventNumber(2_000_000+i), i, p.amount, p.currency))
		w.purchases = append(w.purchases, p)
	}
	return w
}

// readWide reads as readBy does, and hears of a second theme.
type readWide struct{ readBy }

func (t readWide) Version() string { return "wide" }

func (t readWide) Read(e *schema.Event) *verbatim.Kept {
	k := t.readBy.Read(e)
	if k.Themes[0].Polarity = verbatim.Polarity(len(e.Text) % 4); len(e.Text)%4 == 3 {
		k.Themes[0].Polarity = verbatim.Abstained
	}
	if len(e.Text)%5 == 0 {
		k.Polarity = verbatim.Abstained
	}
	if len(e.Text)%2 == 0 {
		k.Themes = append(k.Themes, verbatim.KeptTheme{ID: "second", Polarity: verbatim.Polarity(len(e.Text) % 3)})
	}
	return k
}

// figured is a figure counted again: its value, and the rows that count and that are not over.
type figured struct {
	value   float64
	n, open int64
}

// median is that of Kaplan and Meier: the first duration at which no more than half are left; NaN if that is never reached.
func median(over, open []float64) float64 {
	slices.Sort(over)
	left := 1.0
	for i := 0; i < len(over); {
		same := i
		for same < len(over) && over[same] == over[i] {
			same++
		}
		atRisk := float64(len(over) - i)
		for _, o := range open {
			if o >= over[i] {
				atRisk++
			}
		}
		if left *= 1 - float64(same-i)/atRisk; left <= .5+1e-12 {
			return over[i]
		}
		i = same
	}
	return math.NaN()
}

// recount counts everything once more.
func (w *wide) recount(now schema.Instant) map[string]figured {
	out := map[string]figured{}
	share := func(name string, hits, n int) { out[name] = figured{float64(hits) / float64(n) * 100, int64(n), 0} }
	wait := func(name string, over, open []float64) {
		out[name] = figured{median(over, open), int64(len(over)), int64(len(open))}
	}
	mean := func(name string, values []float64) {
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		out[name] = figured{sum / float64(len(values)), int64(len(values)), 0}
	}
	seconds := func(micros schema.Instant) float64 { return float64(micros) / 1e6 }

	marks := map[string][]float64{}
	sent, replied := 0, 0
	var texts []string
	for _, q := range w.questionnaires {
		if q.answered != 0 {
			marks[q.instrument] = append(marks[q.instrument], float64(q.mark))
		}
		if q.sent != 0 && q.instrument != "enps" && q.sent <= now-14*microsDay {
			sent++
			if q.answered != 0 {
				replied++
			}
		}
	}
	for name, key := range map[string]string{"nps": "nps", "enps": "enps"} {
		up, down := 0, 0
		for _, m := range marks[key] {
			if m >= 9 {
				up++
			} else if m <= 6 {
				down++
			}
		}
		out[name] = figured{float64(up-down) / float64(len(marks[key])) * 100, int64(len(marks[key])), 0}
	}
	for name, key := range map[string]string{"csat": "csat", "companyEffort": "company_effort"} {
		up := 0
		for _, m := range marks[key] {
			if m >= 4 {
				up++
			}
		}
		share(name, up, len(marks[key]))
	}
	mean("ces1", marks["ces1"])
	mean("ces2", marks["ces2"])
	share("responseRate", replied, sent)

	// Cases of crm.
	var first, firstOpen, next, nextOpen, took, tookOpen, full, fullOpen, theirs, ours []float64
	inTime, due, gifted := 0, 0, 0
	spent, spending := 0, 0
	type premium struct{ public, quick, controls, answered int }
	byTheme := map[string]*premium{}
	for _, m := range w.matters {
		solved := len(m.resolved) > 0
		for n, ask := range m.asks {
			over, running := &next, &nextOpen
			if n == 0 {
				over, running = &first, &firstOpen
			}
			if n < len(m.replies) {
				*over = append(*over, seconds(m.replies[n]-ask))
			} else if !solved { // else it was closed without an answer
				*running = append(*running, seconds(now-ask))
			}
		}
		if solved {
			took = append(took, seconds(m.resolved[0]-m.asks[0]))
		} else {
			tookOpen = append(tookOpen, seconds(now-m.asks[0]))
		}
		if len(m.resolved) > len(m.reopened) {
			full = append(full, seconds(m.resolved[len(m.resolved)-1]-m.asks[0]))
		} else {
			fullOpen = append(fullOpen, seconds(now-m.asks[0]))
		}
		if solved {
			waited, waiting := schema.Instant(0), schema.Instant(0)
			for n, ask := range m.asks {
				if n < len(m.replies) {
					waited += m.replies[n] - ask
				} else {
					waited += m.resolved[0] - ask
				}
				if n > 0 {
					waiting += ask - m.replies[n-1]
				}
			}
			theirs, ours = append(theirs, seconds(waited)), append(ours, seconds(waiting))
		}
		if m.channel == schema.ChannelSocial { // the default target: a day around the clock
			if end := m.asks[0] + microsDay; solved || end < now {
				due++
				if solved && m.resolved[0] <= end {
					inTime++
				}
			}
		}
		if len(m.gifts) > 0 {
			gifted++
		}
		euros := 0
		for _, g := range m.gifts {
			if g.currency == "EUR" {
				euros += g.amount
			}
		}
		if euros > 0 {
			spending++
			spent += euros
		}
		p := byTheme[m.theme]
		if p == nil {
			p = &premium{}
			byTheme[m.theme] = p
		}
		known := len(m.replies) > 0 || m.asks[0] <= now-4*microsHour
		quick := len(m.replies) > 0 && m.replies[0]-m.asks[0] <= 4*microsHour
		switch {
		case !known:
		case m.channel == schema.ChannelSocial:
			p.public++
			if quick {
				p.quick++
			}
		default:
			p.controls++
			if quick {
				p.answered++
			}
		}
	}
	wait("firstReply", first, firstOpen)
	wait("nextReply", next, nextOpen)
	wait("resolution", took, tookOpen)
	wait("fullResolution", full, fullOpen)
	wait("requesterWait", theirs, nil)
	wait("agentWait", ours, nil)
	share("slaResolution", inTime, due)
	share("gestureRate", gifted, len(w.matters))
	out["gestureSpend"] = figured{float64(spent), int64(spending), 0}
	public, expected, quick := 0, 0.0, 0
	for _, p := range byTheme {
		if p.controls > 0 {
			public, quick = public+p.public, quick+p.quick
			expected += float64(p.public) * math.Round(float64(p.answered)/float64(p.controls)*1e6) / 1e6 // shares are told to a millionth
		}
	}
	out["channelPremium"] = figured{(float64(quick) - expected) / float64(public) * 100, int64(public), 0}

	// Calls.
	var waits, handled []float64
	offered, answered, abandoned, within, level := 0, 0, 0, 0, 0
	short := 0
	for _, c := range w.rings {
		switch {
		case c.answered != 0:
			offered, answered, level = offered+1, answered+1, level+1
			waits, handled = append(waits, seconds(c.answered-c.offered)), append(handled, float64(c.talk+c.wrap))
			if c.answered-c.offered <= 20_000_000 {
				within++
			}
		case c.abandoned != 0:
			offered++
			if c.abandoned-c.offered <= 5_000_000 {
				short++
			} else {
				abandoned, level = abandoned+1, level+1
			}
		}
	}
	wait("speedOfAnswer", waits, nil)
	share("answerRate", answered, offered)
	share("serviceLevel", within, level)
	share("abandonment", abandoned, offered-short)
	mean("handlingTime", handled)

	// The forum.
	var any, anyOpen, peer, peerOpen, staff, staffOpen []float64
	covered, old, accepted, replies := 0, 0, 0, 0
	for _, q := range w.questions {
		add := func(over, open *[]float64, at []schema.Instant) {
			if len(at) > 0 {
				*over = append(*over, seconds(slices.Min(at)-q.at))
			} else {
				*open = append(*open, seconds(now-q.at))
			}
		}
		all := slices.Concat(q.peers, q.staff)
		add(&any, &anyOpen, all)
		add(&peer, &peerOpen, q.peers)
		add(&staff, &staffOpen, q.staff)
		if q.at <= now-microsDay {
			old++
			if len(all) > 0 {
				covered++
			}
		}
		if len(all) > 0 {
			replies++
			if q.hasAccepted != 0 {
				accepted++
			}
		}
	}
	wait("forumAnswer", any, anyOpen)
	wait("forumPeer", peer, peerOpen)
	wait("forumStaff", staff, staffOpen)
	share("forumCoverage", covered, old)
	share("forumAccepted", accepted, replies)

	// What customers wrote, each text once, as readWide reads it.
	for _, e := range w.events {
		if e.Type == schema.TypeMessageReceived && e.Text != "" {
			texts = append(texts, e.Text)
		}
		if e.Type == schema.TypeSurveyAnswered && e.Text != "" {
			texts = append(texts, e.Text)
		}
	}
	positive, negative, readable, critical := 0, 0, 0, 0
	fond, cross, spoken := 0, 0, 0
	for _, text := range texts {
		e := &schema.Event{}
		e.Text = text
		k := readWide{}.Read(e)
		for _, theme := range k.Themes {
			switch theme.Polarity.String() {
			case "pos":
				fond, spoken = fond+1, spoken+1
			case "neg":
				cross, spoken = cross+1, spoken+1
			case "neu":
				spoken++
			}
		}
		switch k.Polarity.String() {
		case "pos":
			positive, readable = positive+1, readable+1
		case "neg":
			negative, readable = negative+1, readable+1
		case "neu":
			readable++
		}
		if c := k.Criticality.String(); c == "high" || c == "critical" {
			critical++
		}
	}
	out["verbatimSentiment"] = figured{float64(positive-negative) / float64(readable) * 100, int64(readable), 0}
	out["themeSentiment"] = figured{float64(fond-cross) / float64(spoken) * 100, int64(spoken), 0}
	share("criticalShare", critical, len(texts))

	w.returns(out, now)
	return out
}

// returns counts what follows complaints.
func (w *wide) returns(out map[string]figured, now schema.Instant) {
	const follow = 180 * microsDay
	began, everComplained := map[int]schema.Instant{}, map[int]bool{}
	given := map[int][]struct {
		at     schema.Instant
		amount int
	}{}
	for _, m := range w.matters {
		if !m.complaint {
			continue
		}
		if at, is := began[m.persona]; !is || m.asks[0] < at {
			began[m.persona] = m.asks[0]
		}
		everComplained[m.persona] = true
		for _, g := range m.gifts {
			if g.currency == "EUR" {
				given[m.persona] = append(given[m.persona], struct {
					at     schema.Instant
					amount int
				}{m.asks[0], g.amount})
			}
		}
	}
	orders := map[int][]purchase{}
	stake, total := 0, 0
	for _, p := range w.purchases {
		orders[p.persona] = append(orders[p.persona], p)
		if p.currency == "EUR" && p.at < now {
			total += p.amount
			if everComplained[p.persona] {
				stake += p.amount
			}
		}
	}
	out["valueAtStake"] = figured{float64(stake) / float64(total) * 100, int64(len(began)), 0}

	// strata of who is like whom at an instant; ok if there was an order by then.
	days := func(from, to schema.Instant) int64 { return int64(to)/int64(microsDay) - int64(from)/int64(microsDay) }
	stratum := func(list []purchase, at schema.Instant) (key string, later, ok bool) {
		var before []schema.Instant
		for _, p := range list {
			switch {
			case p.at <= at:
				before = append(before, p.at)
			case p.at <= at+follow:
				later = true
			}
		}
		if len(before) == 0 {
			return "", later, false
		}
		tenure, often := 2, 4
		switch d := days(slices.Min(before), at); {
		case d < 90:
			tenure = 0
		case d < 365:
			tenure = 1
		}
		switch n := len(before); {
		case n <= 1:
			often = 1
		case n <= 2:
			often = 2
		case n <= 5:
			often = 3
		}
		return fmt.Sprint(tenure, often, days(slices.Max(before), at) < 90), later, true
	}
	left, expected, matched := 0, 0.0, 0
	for person, at := range began {
		key, later, customer := stratum(orders[person], at)
		if !customer || at+follow > now {
			continue
		}
		month := at.Time().UTC()
		since := schema.InstantOf(time.Date(month.Year(), month.Month(), 1, 0, 0, 0, 0, time.UTC))
		controls, gone := 0, 0
		for other, list := range orders {
			if everComplained[other] {
				continue
			}
			if k, bought, is := stratum(list, since); is && k == key {
				controls++
				if !bought {
					gone++
				}
			}
		}
		if controls == 0 {
			continue
		}
		matched++
		if !later {
			left++
		}
		expected += math.Round(float64(gone)/float64(controls)*1e6) / 1e6
	}
	out["churnExcess"] = figured{(float64(left) - expected) / float64(matched) * 100, int64(matched), 0}

	// The return on complaint service, by its priors as they ship.
	people, again := map[string]int{}, map[string]int{}
	n, spend, gestures := 0, 0, 0
	for person, at := range began {
		if at+follow > now {
			continue
		}
		n++
		feeling, last := "", schema.Instant(0)
		for _, q := range w.questionnaires {
			if q.persona != person || q.answered <= at || q.answered > at+follow || q.answered < last || q.instrument != "nps" && q.instrument != "csat" {
				continue
			}
			last = q.answered
			switch good, fair := map[string]int{"nps": 9, "csat": 4}[q.instrument], map[string]int{"nps": 7, "csat": 3}[q.instrument]; {
			case q.mark >= good:
				feeling = "satisfied"
			case q.mark >= fair:
				feeling = "mollified"
			default:
				feeling = "dissatisfied"
			}
		}
		people[feeling]++
		later := false
		for _, p := range orders[person] {
			if p.at <= at && p.currency == "EUR" {
				spend += p.amount
			}
			later = later || p.at > at && p.at <= at+follow
		}
		if later {
			again[feeling]++
		}
		for _, g := range given[person] {
			if g.at >= at && g.at < at+follow {
				gestures += g.amount
			}
		}
	}
	const margin, rNot, service = .3, .23, 10.
	worth := float64(spend) / float64(n) * margin
	saved := 0.0
	for feeling, count := range people {
		saved += (float64(again[feeling]) - float64(count)*rNot) * worth
	}
	mouth := (float64(people["satisfied"])*3*.01 - float64(people["dissatisfied"])*11*.02) * worth
	cost := float64(n)*service + float64(gestures)
	out["complaintRoi"] = figured{(saved + mouth - cost) / cost * 100, int64(n), 0}

	// The return on relationship of crm alone: it has no promoters and no forum.
	contacts := 0
	for _, m := range w.matters {
		contacts += len(m.asks)
	}
	out["ror"] = figured{-(float64(left) - expected) * worth / (float64(contacts)*6 + out["gestureSpend"].value) * 100, int64(len(w.matters)), 0}
}

// TestRecountWide counts the other figures once more: surveys of every kind, replies, resolutions, calls, the forum, texts, gestures, and what follows complaints.
func TestRecountWide(t *testing.T) {
	size := 150
	if os.Getenv("DOSSIER_PROVE") != "" {
		size = 1500
	}
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("DOSSIER_SEED"); given != "" {
		n, err := strconv.ParseUint(given, 10, 64)
		if err != nil {
			t.Fatalf("DOSSIER_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("seed %d (DOSSIER_SEED)", seed)
	r := rand.New(rand.NewPCG(seed, 9))
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	now := wideBegin + 320*microsDay
	told := inventWide(r, size/2, size)
	all := slices.Clone(told.events)
	for range len(all) / 9 { // some comes twice, and nothing in order
		all = append(all, all[r.IntN(len(all))])
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	w := newWorld(t, seed)
	w.add(r, all)
	c := w.role(nil)
	c.Tables, c.BatchRecords, c.Texts = ClickHouse{conn}, 400, readWide{}
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
	if err := conn.Exec(ctx, "INSERT INTO events (workspace, persona, occurred_at, id, type, source, entity, amount, currency) VALUES "+strings.Join(told.orders, ", "), nil, nil); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	reader := measured.New(conn, nil, time.Now)
	sources := map[string]string{}
	for _, name := range []string{"firstReply", "nextReply", "resolution", "fullResolution", "requesterWait", "agentWait", "slaResolution", "gestureRate", "gestureSpend", "channelPremium", "ror"} {
		sources[name] = "crm"
	}
	sources["handlingTime"] = "pbx" // chats are handled, too
	want := told.recount(now)
	for _, name := range recountedWide {
		q := metric.Query{Workspace: "main", Now: now}
		if source := sources[name]; source != "" {
			q.Where = map[metric.Dimension][]string{metric.Source: {source}}
		}
		a, err := reader.Figure(t.Context(), name, q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, counted := want[name]
		if !counted {
			t.Errorf("%s is not counted again", name)
			continue
		}
		f := a.Whole
		if again.n < 5 {
			t.Errorf("seed %d: %s counts %d rows, which proves nothing", seed, name, again.n)
		}
		differs := math.IsNaN(f.Value) != math.IsNaN(again.value) || math.Abs(f.Value-again.value) > 1e-7*max(1, math.Abs(again.value))
		if f.N != again.n || f.Open != again.open || differs || f.Suppressed {
			t.Errorf("seed %d: %s is %v of %d rows and %d not over, counted again %v of %d and %d; left out: %v", seed, name, f.Value, f.N, f.Open, again.value, again.n, again.open, f.Exclusions)
		}
	}
}
