package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// rawEvent is what a recount reads of an event as it was sent.
type rawEvent struct {
	Type, Source, Channel, OccurredAt, Conversation, Case, Entity, Rating, Language string
	Actor                                                                           struct{ Kind string }
	Properties                                                                      struct {
		Survey      string
		Talk        int64 `json:"talk_seconds"`
		WrapUp      int64 `json:"wrap_up_seconds"`
		WaitSeconds int64 `json:"wait_seconds"`
	}
	at time.Time
}

// figureOf is a figure as it is answered.
type figureOf struct {
	Value *float64
	N     int
	Open  int
	Parts []struct {
		Name  string
		Value *float64
	}
	Groups []struct {
		Keys  []struct{ Value string }
		Value *float64
		N     int
	}
	Explain struct{ RowsPath string }
}

func (f figureOf) part(name string) float64 {
	for _, p := range f.Parts {
		if p.Name == name && p.Value != nil {
			return *p.Value
		}
	}
	return math.NaN()
}

// lower is the p-quantile of values: the smallest that the share p of them does not exceed.
func lower(values []float64, p float64) float64 {
	slices.Sort(values)
	for i, v := range values {
		if float64(i+1) >= p*float64(len(values)) {
			return v
		}
	}
	return math.NaN()
}

// TestMeasures counts what care measures in the events as they were sent, another way than the product does, and compares: the demo
// workspace, real reviews and real tweets.
func TestMeasures(t *testing.T) {
	shared(t)
	i := install(t)
	inputs := workspace(t, counted(12_000, 1<<30))
	i.deliver(t, inputs, 500, 4)
	i.importFile(t, "olist_order_reviews", "care", "olist", "order_reviews.csv")
	i.importFile(t, "olist_orders", "care", "olist", "orders.csv")
	i.importFile(t, "airline_tweets", "care", "airline_tweets.csv")

	var events []rawEvent
	for _, in := range inputs {
		var e rawEvent
		if in.by != server {
			continue
		}
		if err := json.Unmarshal(in.event, &e); err != nil {
			t.Fatal(err)
		}
		var err error
		if e.at, err = time.Parse(time.RFC3339, e.OccurredAt); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	demo := func(sources ...string) string {
		return `now: "2026-12-01T00:00:00Z", where: [{dimension: SOURCE, values: ["` + strings.Join(sources, `", "`) + `"]}]`
	}
	ask := func(name, input string) (f figureOf) {
		t.Helper()
		var answer struct{ Metrics struct{ Metric figureOf } }
		i.query(t, `{ metrics { metric(name: "`+name+`", of: {`+input+`}) { value n open parts { name value } groups { keys { value } value n } explain { rowsPath } } } }`, nil, &answer)
		return answer.Metrics.Metric
	}
	same := func(what string, got *float64, want float64) {
		t.Helper()
		if got == nil || math.Abs(*got-want) > 1e-9*max(1, math.Abs(want)) {
			t.Errorf("%s is %v, want %v", what, value(got), want)
		}
	}

	// Surveys: every answer is one entity.
	marks, byLanguage := map[string][]float64{}, map[string]int{}
	// Calls by the conversation that they name.
	type call struct {
		offered, answered, abandoned time.Time
		talk, wrap                   int64
		ended                        bool
	}
	calls := map[string]*call{}
	// Cases by number, mails by conversation.
	type caseOf struct {
		opened, resolved time.Time
		reopened         bool
	}
	cases := map[string]*caseOf{}
	asked, replied := map[string]time.Time{}, map[string]time.Time{}
	sources := map[string]map[string]bool{}
	for _, e := range events { // in the order of time
		kind, _, _ := strings.Cut(e.Type, ".")
		if sources[kind] == nil {
			sources[kind] = map[string]bool{}
		}
		sources[kind][e.Source] = true
		switch kind {
		case "survey":
			mark, err := strconv.ParseFloat(e.Rating, 64)
			if err != nil {
				t.Fatal(err)
			}
			marks[e.Properties.Survey] = append(marks[e.Properties.Survey], mark)
			if e.Properties.Survey == "nps" {
				byLanguage[e.Language]++
			}
		case "call":
			c := calls[e.Conversation]
			if c == nil {
				c = &call{}
				calls[e.Conversation] = c
			}
			switch e.Type {
			case "call.offered":
				c.offered = e.at
			case "call.answered":
				c.answered = e.at
			case "call.abandoned":
				c.abandoned = e.at
			case "call.ended":
				c.ended, c.talk, c.wrap = true, e.Properties.Talk, e.Properties.WrapUp
			}
		case "case":
			c := cases[e.Case]
			if c == nil {
				c = &caseOf{}
				cases[e.Case] = c
			}
			switch {
			case e.Type == "case.opened":
				c.opened = e.at
			case e.Type == "case.resolved" && c.resolved.IsZero():
				c.resolved = e.at
			case e.Type == "case.reopened":
				c.reopened = true
			}
		case "message":
			if e.Channel != "email" || e.Conversation == "" {
				break
			}
			_, before := asked[e.Conversation]
			_, after := replied[e.Conversation]
			switch {
			case e.Actor.Kind == "customer" && !before:
				asked[e.Conversation] = e.at
			case e.Actor.Kind == "agent" && before && !after:
				replied[e.Conversation] = e.at
			}
		}
	}
	of := func(kind string) []string { return slices.Sorted(maps.Keys(sources[kind])) }
	if len(marks["nps"]) < 20 || len(calls) < 20 || len(cases) < 20 || len(replied) < 20 {
		t.Fatalf("%d answers, %d calls, %d cases and %d mails are too few to prove anything", len(marks["nps"]), len(calls), len(cases), len(replied))
	}
	// The care role may be a moment behind the timeline.
	for begun := time.Now(); ask("nps", demo(of("survey")...)).N != len(marks["nps"]) || ask("firstReply", demo("twitter")).Open < 1; time.Sleep(100 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("%d answers are counted, want %d", ask("nps", demo(of("survey")...)).N, len(marks["nps"]))
		}
	}
	i.mapped(t)

	share := func(values []float64, ok func(float64) bool) float64 {
		n := 0.0
		for _, v := range values {
			if ok(v) {
				n++
			}
		}
		return n / float64(len(values)) * 100
	}
	nps := ask("nps", demo(of("survey")...)+", by: [LANGUAGE]")
	same("nps", nps.Value, share(marks["nps"], func(v float64) bool { return v >= 9 })-share(marks["nps"], func(v float64) bool { return v <= 6 }))
	for _, g := range nps.Groups {
		if g.N != byLanguage[g.Keys[0].Value] {
			t.Errorf("%d answers in %s, want %d", g.N, g.Keys[0].Value, byLanguage[g.Keys[0].Value])
		}
	}
	if len(nps.Groups) != len(byLanguage) {
		t.Errorf("%d languages, want %d", len(nps.Groups), len(byLanguage))
	}
	csat := ask("csat", demo(of("survey")...))
	same("csat", csat.Value, share(marks["csat"], func(v float64) bool { return v >= 4 }))
	if csat.N != len(marks["csat"]) {
		t.Errorf("%d csat answers, want %d", csat.N, len(marks["csat"]))
	}

	var waits, handling []float64
	offered, answered, abandoned := 0, 0, 0
	for _, c := range calls {
		switch {
		case !c.answered.IsZero():
			answered++
			waits = append(waits, c.answered.Sub(c.offered).Seconds())
		case !c.abandoned.IsZero():
			abandoned++
		default:
			continue // under way
		}
		offered++
		if c.ended {
			handling = append(handling, float64(c.talk+c.wrap))
		}
	}
	phone := demo(of("call")...)
	same("answer rate", ask("answerRate", phone).Value, float64(answered)/float64(offered)*100)
	same("abandonment", ask("abandonment", phone).Value, float64(abandoned)/float64(offered)*100)
	speed := ask("speedOfAnswer", phone)
	same("speed of answer", speed.Value, lower(waits, .5))
	if p90 := speed.part("p90"); p90 != lower(waits, .9) {
		t.Errorf("p90 of the speed of answer is %v, want %v", p90, lower(waits, .9))
	}
	sum := 0.0
	for _, s := range handling {
		sum += s
	}
	same("handling time", ask("handlingTime", phone).Value, sum/float64(len(handling)))

	var took []float64
	reopened := 0
	for _, c := range cases {
		if c.resolved.IsZero() {
			continue
		}
		took = append(took, c.resolved.Sub(c.opened).Seconds())
		if c.reopened {
			reopened++
		}
	}
	crm := demo(of("case")...)
	resolution := ask("resolution", crm+", reading: EVENT_DATE")
	same("resolution", resolution.Value, lower(took, .5))
	if resolution.N != len(took) {
		t.Errorf("%d cases are resolved, want %d", resolution.N, len(took))
	}
	if open := ask("resolution", crm).Open; open != len(cases)-len(took) {
		t.Errorf("%d cases are open, want %d", open, len(cases)-len(took))
	}
	same("reopen rate", ask("reopenRate", crm).Value, float64(reopened)/float64(len(took))*100)

	var replies []float64
	for conversation, at := range replied {
		replies = append(replies, at.Sub(asked[conversation]).Seconds())
	}
	mail := ask("firstReply", `now: "2026-12-01T00:00:00Z", channels: ["email"], reading: EVENT_DATE`)
	same("first reply by mail", mail.Value, lower(replies, .5))
	if mail.N != len(replies) {
		t.Errorf("%d mails are answered, want %d", mail.N, len(replies))
	}

	// Reviews: the mean and the share of 4 and 5, from the file.
	total, favourable, n := 0.0, 0.0, 0
	for _, row := range rows(t, shared(t, "care", "olist", "order_reviews.csv")) {
		mark, err := strconv.ParseFloat(row["review_score"], 64)
		if err != nil {
			t.Fatal(err)
		}
		n++
		total += mark
		if mark >= 4 {
			favourable++
		}
	}
	reviews := ask("reviewRating", demo("olist"))
	same("review rating", reviews.Value, total/float64(n))
	if p := reviews.part("favourable"); reviews.N != n || math.Abs(p-favourable/float64(n)*100) > 1e-9 {
		t.Errorf("%d reviews, %v favourable, want %d and %v", reviews.N, p, n, favourable/float64(n)*100)
	}
	// Deliveries: what came after its promised day or never, by month of the order, from the file.
	late, due := map[string]int{}, map[string]int{}
	for _, row := range rows(t, shared(t, "care", "olist", "orders.csv")) {
		if row["order_status"] == "canceled" {
			continue
		}
		day, _, _ := strings.Cut(row["order_estimated_delivery_date"], " ")
		came, _, _ := strings.Cut(row["order_delivered_customer_date"], " ")
		for _, key := range []string{"", row["order_purchase_timestamp"][:7]} {
			if due[key]++; came == "" || came > day {
				late[key]++
			}
		}
	}
	deliveries := ask("lateDeliveries", demo("olist")+", by: [MONTH]")
	same("late deliveries", deliveries.Value, float64(late[""])/float64(due[""])*100)
	if deliveries.N != due[""] || len(deliveries.Groups) < len(due)-1 { // of a month there may be cancelled orders alone
		t.Errorf("%d orders in %d months are due, want %d in %d", deliveries.N, len(deliveries.Groups), due[""], len(due)-1)
	}
	for _, g := range deliveries.Groups {
		if month := g.Keys[0].Value; g.N != due[month] {
			t.Errorf("%d orders of %s are due, want %d", g.N, month, due[month])
		} else if g.Value != nil {
			same("late deliveries of "+month, g.Value, float64(late[month])/float64(due[month])*100)
		}
	}
	// Nobody answered the tweets: each waits, none is an answer.
	tweets := map[string]bool{}
	for _, row := range rows(t, shared(t, "care", "airline_tweets.csv")) {
		tweets[row["tweet_id"]] = true
	}
	if f := ask("firstReply", demo("twitter")); f.N != 0 || f.Open != len(tweets) || f.Value != nil {
		t.Errorf("%d tweets are answered and %d wait, want 0 and %d", f.N, f.Open, len(tweets))
	}

	t.Run("reputation", func(t *testing.T) { reputationOf(t, i) })
	t.Run("value", func(t *testing.T) { valueOf(t, i) })

	// The rows make the figure, as CSV; Parquet has the same.
	file := filepath.Join(t.TempDir(), "rows.csv")
	i.must(t, "metrics", "reviewRating", "--where", "source=olist", "--rows", file)
	text, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	records, err := csv.NewReader(text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	sum, listed := 0.0, 0
	for _, record := range records[1:] {
		if record[slices.Index(records[0], "counts")] == "1" {
			v, err := strconv.ParseFloat(record[slices.Index(records[0], "value")], 64)
			if err != nil {
				t.Fatal(err)
			}
			sum, listed = sum+v, listed+1
		}
	}
	if listed != reviews.N {
		t.Errorf("%d rows count, want %d", listed, reviews.N)
	}
	same("mean of the rows", reviews.Value, sum/float64(listed))
	parquet := filepath.Join(t.TempDir(), "rows.parquet")
	i.must(t, "metrics", "reviewRating", "--where", "source=olist", "--rows", parquet)
	if b, err := os.ReadFile(parquet); err != nil || len(b) < 8 || string(b[:4]) != "PAR1" || string(b[len(b)-4:]) != "PAR1" {
		t.Errorf("the file is no Parquet: %v", err)
	}
	if out := i.must(t, "metrics", "nps", "--by", "channel", "--explain", "--language", "fr"); !strings.Contains(out, "version   identity") {
		t.Error(out)
	}
}

func value(x *float64) string {
	if x == nil {
		return "none"
	}
	return fmt.Sprint(*x)
}
