package metrics

import (
	"fmt"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

// TestGestures works out what was given, and what going public brings.
func TestGestures(t *testing.T) {
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	r := New(conn, nil, time.Now)
	next := 0
	put := func(channel, theme, opened, more string) {
		next++
		table(t, conn, schema.TableCases, fmt.Sprintf("id=r%d; persona=p%d; channel=%s; theme=%s; opened_at=%s; first_inbound_at=%s; %s", next, next, channel, theme, opened, opened, more))
	}
	gift := func(amounts, currencies, once, more string) {
		put("store", "gifts", "02-02 10:00", "state=resolved; first_reply_wait=60000000; gestures=1; gesture_amounts="+amounts+"; gesture_currencies="+currencies+"; once_and_done="+once+more)
	}
	gift("[10]", "['EUR']", "1", "")
	gift("[20]", "['EUR']", "0", "; flags=['gesture_over_limit']")
	gift("[5, 30]", "['CHF', 'EUR']", "1", "")
	gift("[7]", "['CHF']", "1", "")
	gift("[15]", "['EUR']", "1", "")
	gift("[25]", "['EUR']", "0", "")
	next++
	table(t, conn, schema.TableCases, fmt.Sprintf("id=r%d; persona=p%d; channel=store; opened_at=02-02 10:00; state=merged; gestures=1; gesture_amounts=[1000]; gesture_currencies=['EUR']", next, next))
	for range 4 {
		put("store", "gifts", "02-02 10:00", "state=resolved; first_reply_wait=60000000")
	}
	february := metric.Query{Now: in2026(t, "04-01 00:00"), From: in2026(t, "02-01 00:00"), To: in2026(t, "03-01 00:00")}
	// 6 of 10 cases; 4 of the 6 were given once and for all, one was above the limit.
	check(t, r, "gestureRate", february, "60 n=10 people=10 onceAndDone=66.6667 overLimit=16.6667 -merged:1")
	// 10 + 20 + 30 + 15 + 25 EUR in 5 cases; of a budget of 400 that is a quarter. 5 + 7 CHF are not added, and hidden when asked for: two people.
	february.Budget = 400
	check(t, r, "gestureSpend", february, "100 n=5 people=5 mean=20 budget=400 budgetUsed=25 budgetLeft=300 -merged:1 -other_currency:1")
	february.Currency = "CHF"
	check(t, r, "gestureSpend", february, "hidden n=2 people=2 -merged:1 -other_currency:4")

	// Late parcels: by mail 4 of 10 are answered within four hours and 2 get a gesture, in public 4 of 5. Lost ones: by mail 5 of 5, in public 0 of 1.
	quick, slow := "state=resolved; first_reply_wait=3600000000", "state=resolved; first_reply_wait=14400000001"
	for i := range 10 {
		more := slow
		if i < 4 {
			more = quick
		}
		if i > 7 {
			more += "; gestures=1"
		}
		put("email", "late", "03-02 10:00", more)
	}
	for i := range 5 {
		more := quick
		if i == 4 {
			more = slow
		}
		if i < 3 {
			more += "; gestures=1"
		}
		put("social", "late", "03-02 10:00", more)
		put("phone", "lost", "03-02 10:00", quick)
	}
	put("review", "lost", "03-02 10:00", "state=open; first_reply_wait=NULL")
	put("social", "late", "03-31 23:00", "state=open; first_reply_wait=NULL") // may still be answered in time
	put("social", "praise", "03-02 10:00", quick)                             // nobody wrote of it in private
	march := metric.Query{Now: in2026(t, "04-01 00:00"), From: in2026(t, "03-01 00:00")}
	// Seen: 4 of 6. To be expected: (5 × 4/10 + 1 × 5/5) / 6 = 1/2. Gestures: 3 of 6, to be expected 5 × 2/10 of 6.
	check(t, r, "channelPremium", march, "16.6667 n=6 people=6 observed=66.6667 expected=50 gesturePremium=33.3333 gestures=50 gesturesExpected=16.6667 -no_control:1 -too_young:1")
}

// TestDeliveries works out which orders came late.
func TestDeliveries(t *testing.T) {
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	r := New(conn, nil, time.Now)
	next := 0
	put := func(order int, kind, at, properties string) {
		next++
		insert := fmt.Sprintf("INSERT INTO events (workspace, persona, id, occurred_at, type, source, entity, properties) VALUES ('main', '%s', %s, %s, '%s', 'shop', 'o%d', '%s')",
			person(order), literal(fmt.Sprint("r", next)), literal(at), kind, order, properties)
		if err := conn.Exec(t.Context(), insert, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	for order := 1; order <= 9; order++ {
		put(order, "order.placed", "03-01 10:00", `{"order_estimated_delivery_date":"2026-03-05 00:00:00"}`)
	}
	put(1, "order.delivered", "03-04 10:00", "")
	put(2, "order.delivered", "03-05 23:59", "") // on the day: kept
	put(3, "order.delivered", "03-06 00:00", "") // late
	put(4, "order.delivered", "03-09 10:00", "") // late
	put(4, "order.delivered", "03-04 10:00", "") // it says that it came before: the first delivery counts
	put(6, "order.placed", "03-02 10:00", `{"estimated_delivery_date":"2026-03-05T12:00:00Z"}`)
	put(6, "order.delivered", "03-05 12:01", "") // late, by the promise of its latest version
	put(7, "order.placed", "03-02 10:00", `{"status":"cancelled"}`)
	put(8, "order.placed", "03-02 10:00", `{"promised_at":"2026-04-05"}`)
	put(9, "order.placed", "03-02 10:00", `{}`)
	// o5 never came. Late are o3, o5 and o6 of o1 to o6.
	check(t, r, "lateDeliveries", metric.Query{Now: in2026(t, "04-01 00:00")}, "50 n=6 people=6 -cancelled:1 -no_promise:1 -not_due:1")
}

// TestReturns works out who leaves beyond what was to be expected, what complainants weigh, and what it all brings.
func TestReturns(t *testing.T) {
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	r := New(conn, nil, time.Now)
	next := 0
	order := func(who int, at, amount, currency, properties string) {
		next++
		insert := fmt.Sprintf("INSERT INTO events (workspace, persona, id, occurred_at, type, source, entity, amount, currency, properties) VALUES ('main', '%s', %s, %s, 'order.placed', 'shop', 'o%d', '%s', '%s', '%s')",
			person(who), literal(fmt.Sprint("r", next)), literal(at), next, amount, currency, properties)
		if err := conn.Exec(t.Context(), insert, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	complaint := func(who int, opened, more string) {
		next++
		table(t, conn, schema.TableCases, fmt.Sprintf("id=r%d; persona=p%d; complaint=1; declared=1; channel=email; state=resolved; contacts=2; opened_at=%s%s", next, who, opened, more))
	}
	survey := func(who int, instrument, at, rating, low, high string) {
		next++
		table(t, conn, schema.TableSurveys, fmt.Sprintf("id=r%d; event=r%d; persona=p%d; type=survey.answered; instrument=%s; answered_at=%s; rating=%s; scale_low=%s; scale_high=%s", next, next, who, instrument, at, rating, low, high))
	}
	for who := 1; who <= 5; who++ {
		order(who, "02-20 10:00", "100", "EUR", "")
		more := ""
		if who == 1 {
			more = "; gestures=1; gesture_amounts=[35]; gesture_currencies=['EUR']"
		}
		complaint(who, "03-10 10:00", more)
	}
	order(1, "05-01 10:00", "40", "EUR", "")
	order(2, "05-01 10:00", "40", "EUR", "")
	complaint(6, "03-10 10:00", "") // never ordered
	for _, day := range []string{"01-03", "01-04", "01-05", "01-06", "01-07", "01-08"} {
		order(7, day+" 10:00", "0", "EUR", "") // nobody is like p7
	}
	complaint(7, "03-10 10:00", "")
	order(8, "02-20 10:00", "100", "EUR", "")
	complaint(8, "09-20 10:00", "") // less than 180 days ago
	for who := 21; who <= 30; who++ {
		order(who, "02-20 10:00", "200", "EUR", "")
		if who <= 27 {
			order(who, "04-01 10:00", "10", "EUR", "")
		}
	}
	order(30, "02-21 10:00", "999", "CHF", "")
	order(30, "02-22 10:00", "5000", "EUR", `{"status":"cancelled"}`)
	all := metric.Query{Now: in2026(t, "10-01 00:00")}
	// p30 has three orders on 1 March, so is not like p1 to p5, who have one; of the nine who are, two ordered nothing in 180 days: 2/9. Of the five three.
	check(t, r, "churnExcess", all, "37.7778 n=5 people=5 observed=60 expected=22.2222 -follow_up_ongoing:1 -never_a_customer:1 -no_control:1")
	// p1 and p2 140, p3, p4, p5 and p8 100: 680. With 10 × 200 and 7 × 10 of the others 2,750. Francs and what was cancelled do not count.
	check(t, r, "valueAtStake", all, "24.7273 n=8 people=8 amount=680 ofAll=2750")

	survey(1, "csat", "03-20 10:00", "5", "1", "5")
	survey(2, "csat", "03-20 10:00", "3", "1", "5")
	survey(3, "nps", "03-20 10:00", "2", "0", "10")
	survey(4, "csat", "03-20 10:00", "1", "1", "5")
	survey(4, "csat", "04-20 10:00", "4", "1", "5") // the last answer counts
	survey(31, "nps", "03-20 10:00", "9", "0", "10")
	survey(32, "nps", "03-20 10:00", "10", "0", "10")
	all.Priors = map[string]float64{"rNotComplained": .25, "marginRate": .5, "years": 1, "serviceCost": 5, "kPlus": 3, "cPlus": .1, "kMinus": 10, "cMinus": .02, "avoidedRepeats": 0}
	// Seven complainants ordered for 500 in the year before: a margin of 500/7 × .5 = 35.714 each. Saved: satisfied p1, p4 (1 − 2 × .25), mollified p2
	// (1 − .25), dissatisfied p3 (−.25), unanswered p5, p6, p7 (−.75): .25 × 35.714 = 8.929. Mouth: (2 × 3 × .1 − 1 × 10 × .02) × 35.714 = 14.286. Cost:
	// 7 × 5 + 35 = 70. (8.929 + 14.286 − 70) / 70.
	check(t, r, "complaintRoi", all, "-66.8367 n=7 people=7 repurchaseSatisfied=50 repurchaseMollified=100 repurchaseDissatisfied=0 repurchaseUnanswered=0 "+
		"saved=8.9286 mouth=14.2857 avoidedRepeats=0 service=35 gestures=35 marginPerPerson=35.7143 prior.rNotComplained=0.25 prior.marginRate=0.5 prior.years=1 prior.serviceCost=5 "+
		"prior.kMinus=10 prior.cMinus=0.02 prior.avoidedRepeats=0 prior.kPlus=3 prior.cPlus=0.1 -follow_up_ongoing:1")
	// What is not given leaves a band: of rNotComplained alone from .09, ((2 − 7 × .09) × 35.714 + 14.286 − 70) / 70, to .37.
	delete(all.Priors, "rNotComplained")
	all.Workspace = "main"
	a, err := r.Figure(t.Context(), "complaintRoi", all)
	if err != nil {
		t.Fatal(err)
	}
	if low, high := short(a.Whole.Low), short(a.Whole.High); low != "-109.6939" || high != "-9.6939" {
		t.Errorf("the band is %s to %s, want -109.6939 to -9.6939", low, high)
	}
	all.Priors["rotComplained"] = .1
	if _, err := r.Figure(t.Context(), "complaintRoi", all); err == nil {
		t.Error("a prior that there is not is taken")
	}

	next++
	table(t, conn, schema.TableConversations, fmt.Sprintf("id=r%d; persona=p40; kind=forum; channel=forum; opened_at=03-02 10:00; last_at=03-02 10:00; first_peer_at=03-02 11:00", next),
		fmt.Sprintf("id=r%d; persona=p41; kind=forum; channel=forum; opened_at=03-02 10:00; last_at=03-02 10:00; first_staff_at=03-02 11:00; first_peer_at=03-02 12:00", next+1))
	// Retention: three of five left where 10/9 were to be expected: −1.889 × 35.714 = −67.460. Referral: two promoters × 3 × .1 × 35.714 = 21.429. One question was
	// first answered by a peer: 2. Cost: 8 cases of 2 contacts at 2, and 35: 67. (−67.460 + 21.429 + 2) / 67.
	all.Priors = map[string]float64{"marginRate": .5, "years": 1, "contactCost": 2, "earnedMediaWeight": 0, "earnedMedia": 0, "kPlus": 3, "cPlus": .1}
	check(t, r, "ror", all, "-65.7191 n=8 people=8 retention=-67.4604 referral=21.4286 earnedMedia=0 peersHelp=2 contacts=16 contactsCost=32 gestures=35 marginPerPerson=35.7143 "+
		"prior.marginRate=0.5 prior.years=1 prior.contactCost=2 prior.earnedMediaWeight=0 prior.earnedMedia=0 prior.kPlus=3 prior.cPlus=0.1")
}
