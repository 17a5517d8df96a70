package metrics

import (
	"fmt"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

// TestAsOf asks on 1 April how things stood on 10 March, and works that out by hand: what came later is taken back, or left out with a reason.
func TestAsOf(t *testing.T) {
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	r := New(conn, nil, time.Now)
	next := 0
	row := func(name, more string) {
		next++
		table(t, conn, name, fmt.Sprintf("id=r%d; persona=p%d; channel=email; %s", next, next, more))
	}
	message := func(asked, more string) {
		row(schema.TableConversations, fmt.Sprintf("kind=messages; initiator=customer; opened_at=%s; first_inbound_at=%s; first_reply_due=%s; %s", asked, asked, later(asked, 600), more))
	}
	answered := func(asked, replied string, minutes int) {
		message(asked, fmt.Sprintf("outcome=answered; last_at=%s; first_reply_at=%s; first_reply_wait=%d", replied, replied, minutes*60_000_000))
	}
	answered("03-02 10:00", "03-02 11:00", 60)
	answered("03-02 10:00", "03-02 12:00", 120)
	answered("03-02 10:00", "03-02 13:00", 180)
	answered("03-09 20:00", "03-11 10:00", 2280) // waited on the 10th, for four hours
	answered("03-20 10:00", "03-20 11:00", 60)   // was not there
	message("03-09 12:00", "outcome=closed; last_at=03-09 12:00; waiting_since=03-09 12:00")
	message("03-09 23:00", "outcome=waiting; last_at=03-09 23:00; waiting_since=03-09 23:00")
	// Answered again and again: one wait was over, one was under way since the 9th at 22:00, one had not begun.
	row(schema.TableConversations, "kind=messages; initiator=customer; outcome=answered; opened_at=03-05 10:00; last_at=03-15 10:00; first_inbound_at=03-05 10:00; first_reply_at=03-05 11:00; first_reply_wait=3600000000; "+
		"first_reply_due=03-05 20:00; asked_at=['2026-03-05 10:00:00', '2026-03-06 10:00:00', '2026-03-09 22:00:00', '2026-03-14 10:00:00']; replied_at=['2026-03-05 11:00:00', '2026-03-06 10:30:00', '2026-03-12 10:00:00', '2026-03-15 10:00:00']; "+
		"reply_due=['2026-03-05 20:00:00', '2026-03-06 20:00:00', '2026-03-10 08:00:00', '2026-03-14 20:00:00']; reply_open=[0, 0, 0, 0]")
	as := metric.Query{AsOf: in2026(t, "03-10 00:00"), Now: in2026(t, "03-10 00:00")}
	// 60, 60, 120, 180 minutes; two wait, for 240 and 60: at 60 five or six are at risk. Closed without an answer is left out. Of six 2/3 are left after 60,
	// 4/9 after 120.
	check(t, r, "firstReply", as, "7200 n=4 people=6 open=2 p90=none mean=6300 openShare=33.3333 p50OfOver=3600 p90OfOver=10800 -closed_unanswered:1")
	// Within ten hours: four are, too few people to show; the two who wait are not due.
	check(t, r, "slaFirstReply", as, "hidden n=4 people=4 -closed_unanswered:1 -not_due:2")
	// One later wait of 30 minutes, and one of two hours so far.
	as.Profiles = nil
	nextReply, err := r.Figure(t.Context(), "nextReply", metric.Query{Workspace: "main", AsOf: as.AsOf, Now: as.Now})
	if err != nil {
		t.Fatal(err)
	}
	if nextReply.Whole.N != 1 || nextReply.Whole.Open != 1 {
		t.Errorf("%d later waits were over and %d not, want 1 and 1", nextReply.Whole.N, nextReply.Whole.Open)
	}

	solved := func(opened, first, last, reopened string) {
		row(schema.TableCases, fmt.Sprintf("declared=1; state=resolved; contacts=2; contacts_before_resolution=1; resolutions=1; opened_at=%s; last_contact_at=%s; first_resolved_at=%s; last_resolved_at=%s; last_reopened_at=%s; resolution_wait=%d; full_resolution_wait=%d",
			opened, opened, first, last, reopened, 3_600_000_000, 7_200_000_000))
	}
	for range 5 {
		solved("03-02 10:00", "03-02 11:00", "03-02 12:00", "NULL")
	}
	solved("03-02 10:00", "03-20 11:00", "03-20 11:00", "NULL")        // open on the 10th
	solved("03-02 10:00", "03-02 11:00", "03-20 12:00", "03-19 10:00") // resolved on the 10th, opened again after it
	solved("03-20 10:00", "03-20 11:00", "03-20 12:00", "NULL")
	// Six took an hour, and one has been open for 182.
	check(t, r, "resolution", as, "3600 n=6 people=7 open=1 p90=none mean=3600 openShare=14.2857 p50OfOver=3600 p90OfOver=3600")
	// Of the one opened again since the row does not say when it had been resolved.
	check(t, r, "fullResolution", as, "7200 n=5 people=6 open=1 p90=none mean=7200 openShare=16.6667 p50OfOver=7200 p90OfOver=7200 -changed_since:1")

	survey := func(first, last, rating string) {
		row(schema.TableSurveys, fmt.Sprintf("event=r%d; type=survey.answered; instrument=csat; scale_low=1; scale_high=5; sent_at=02-01 10:00; first_answered_at=%s; answered_at=%s; rating=%s", next+1, first, last, rating))
	}
	for range 4 {
		survey("03-02 10:00", "03-02 10:00", "5")
	}
	survey("03-02 10:00", "03-02 10:00", "1")
	survey("03-12 10:00", "03-12 10:00", "1") // not answered on the 10th
	survey("03-02 10:00", "03-12 10:00", "1") // answered otherwise on the 10th, and nobody knows how
	check(t, r, "csat", as, "80 n=5 people=5 mean=4.2 -changed_since:1")
	// Six of seven had answered.
	check(t, r, "responseRate", as, "85.7143 n=7 people=7")
	for _, d := range metric.Catalogue() {
		if _, err := r.Figure(t.Context(), d.Name, metric.Query{Workspace: "main", AsOf: as.AsOf, Now: as.Now}); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
	if _, err := r.Figure(t.Context(), "csat", metric.Query{Workspace: "main", AsOf: as.AsOf, Now: in2026(t, "03-11 00:00")}); err == nil {
		t.Error("another now than asOf is taken")
	}
}
