package metrics

import (
	"fmt"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

// TestReputation works out what is said in public, what Kano's questions say, and who answers reviews.
func TestReputation(t *testing.T) {
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	settings, err := reputation.ParseSettings([]byte(`{"own": ["garance"], "panels": [{"platform": "twitter", "brands": ["lea", "garance", "nobody"]}],
		"errors": {"fr": {"favourable": [80, 10, 10], "neutral": [10, 80, 10], "unfavourable": [10, 10, 80]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	r := New(conn, nil, time.Now)
	r.Reputation = func(string) *reputation.Settings { return settings }
	next := 0
	silent := map[string]int{"reach": -1, "impressions": -1, "followers": -1, "applause": -1, "conversation": -1, "amplification": -1, "clicks": -1, "saves": -1}
	post := func(n int, brand, platform, polarity, more string, counts map[string]int) {
		for range n {
			next++
			row := fmt.Sprintf("id=r%d; event=r%d; persona=p%d; occurred_at=02-03 10:00; source=s; channel=social; brand=%s; platform=%s; polarity=%s; judge=source%s", next, next, next, brand, platform, polarity, more)
			for name, n := range silent {
				if stated, is := counts[name]; is {
					n = stated
				}
				row += fmt.Sprintf("; %s=%d", name, n)
			}
			table(t, conn, schema.TableMentions, row)
		}
	}
	post(4, "garance", "twitter", "favourable", "", nil)
	post(1, "garance", "twitter", "neutral", "", nil)
	post(5, "garance", "twitter", "unfavourable", "", nil)
	post(6, "lea", "twitter", "favourable", "", nil)
	post(1, "garance", "twitter", "favourable", "; own=1", map[string]int{"reach": 900, "applause": 90})
	post(2, "garance", "twitter", "unfavourable", "; repost=1", nil)
	post(1, "zoe", "twitter", "neutral", "", nil)
	post(5, "garance", "forum", "neutral", "", nil)
	february := metric.Query{Now: in2026(t, "04-01 00:00"), From: in2026(t, "02-01 00:00"), To: in2026(t, "03-01 00:00")}
	by := func(q metric.Query, by ...metric.Dimension) metric.Query { q.By = by; return q }
	twitter := february
	twitter.Where = map[metric.Dimension][]string{metric.Platform: {"twitter"}}

	// Of 16 posts of the panel, 10 speak of garance. The forum has no panel, and zoe is not in twitter's.
	left := " -not_in_panel:6 -own_post:1 -repost:2"
	check(t, r, "shareOfVoice", by(february, metric.Brand), "62.5 n=16 people=16"+left+
		"\ngarance: 62.5 n=10 people=10 -not_in_panel:5 -own_post:1 -repost:2\nlea: 37.5 n=6 people=6\nzoe: none n=0 people=0 -not_in_panel:1")
	// 4 favourable, 1 neutral and 7 unfavourable ones, reposts included: −3 of 12, −3 of 11 that take a side.
	twitter.Where[metric.Brand] = []string{"garance"}
	check(t, r, "mentionSentiment", twitter, "-25 n=12 people=12 favourable=33.3333 neutral=8.3333 unfavourable=58.3333 ofDecided=-27.2727 -own_post:1")
	check(t, r, "mentionVolume", twitter, "12 n=12 people=12 reposts=16.6667 -own_post:1")
	check(t, r, "netSentiment", twitter, "-25 n=12 people=12 favourable=33.3333 neutral=8.3333 unfavourable=58.3333 asJudged=-25 byModel=0 -own_post:1")
	if a, err := r.Figure(t.Context(), "shareOfVoice", metric.Query{Workspace: "main", Now: february.Now}); err != nil || len(a.Whole.Calendars) != 1 || a.Whole.Calendars[0] != "twitter@"+settings.Panels[0].Lock() {
		t.Errorf("panels %v, %v", a.Whole.Calendars, err)
	}
	if _, err := r.Figure(t.Context(), "shareOfVoice", metric.Query{Workspace: "main", Now: now, Where: map[metric.Dimension][]string{metric.Brand: {"lea"}}}); err == nil {
		t.Error("a part of the panel is taken for it")
	}
	// With a panel for the forum there are two series: no figure of both, one of each.
	both := *settings
	both.Panels = append([]reputation.Panel{{Platform: "forum", Brands: []string{"garance", "lea"}}}, settings.Panels...)
	one := settings
	settings = &both
	check(t, r, "shareOfVoice", by(february, metric.Platform), "none n=21 people=21 -not_in_panel:1 -own_post:1 -repost:2\nforum: 100 n=5 people=5\ntwitter: 62.5 n=16 people=16 -not_in_panel:1 -own_post:1 -repost:2")
	settings = one

	// Read by the model, whose errors are known in French: 45, 31 and 24 are 50, 30 and 20. As many that the source has judged, all favourable, make it 75, 15, 10.
	read := func(n int, polarity, judge, language string) {
		err := conn.Exec(t.Context(), fmt.Sprintf(`INSERT INTO mentions (workspace, version, id, event, persona, occurred_at, source, channel, brand, platform, polarity, judge, model, language)
SELECT 'main', 1, generateUUIDv4(), generateUUIDv4(), generateUUIDv4(), '2026-02-05 10:00:00', 's', 'social', 'read', 'twitter', '%s', '%s', if('%s' = 'model', 'm1', ''), '%s' FROM numbers(%d)`, polarity, judge, judge, language, n), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	read(45, "favourable", "model", "fr")
	read(31, "neutral", "model", "fr")
	read(24, "unfavourable", "model", "fr")
	read(9, "favourable", "model", "xx")
	read(7, "", "", "fr")
	corrected := february
	corrected.Where = map[metric.Dimension][]string{metric.Brand: {"read"}}
	check(t, r, "netSentiment", corrected, "30 n=100 people=100 favourable=50 neutral=30 unfavourable=20 asJudged=21 byModel=100 -no_error_sample:9 -nothing_to_read:7")
	read(100, "favourable", "person", "fr")
	check(t, r, "netSentiment", corrected, "65 n=200 people=200 favourable=75 neutral=15 unfavourable=10 asJudged=60.5 byModel=50 -no_error_sample:9 -nothing_to_read:7")

	// 3,000, 1,000 and 1,000 people measured, at most 700 and 400 estimated: between 3,000 and 6,100. 30 + 20 + 20 and 10 acts over 5,000: applause over all, replies over those of 4,000.
	post(1, "crowd", "twitter", "neutral", "", map[string]int{"reach": 3000, "applause": 10, "conversation": 15, "amplification": 5, "clicks": 40})
	post(1, "crowd", "twitter", "neutral", "", map[string]int{"reach": 1000, "applause": 20, "conversation": 0})
	post(1, "crowd", "twitter", "neutral", "", map[string]int{"reach": 1000, "applause": 30})
	post(1, "crowd", "twitter", "neutral", "", map[string]int{"impressions": 700, "followers": 600})
	post(1, "crowd", "twitter", "neutral", "", map[string]int{"followers": 400, "amplification": 3})
	post(1, "crowd", "twitter", "neutral", "", map[string]int{"reach": 0, "applause": 1})
	post(1, "crowd", "twitter", "neutral", "", nil)
	post(3, "crowd", "twitter", "neutral", "", map[string]int{"amplification": 0})
	crowd := february
	crowd.Where = map[metric.Dimension][]string{metric.Brand: {"crowd"}}
	check(t, r, "mentionReach", crowd, "6100 n=6 people=6 measured=4 estimated=2 largest=3000 -no_audience:4")
	check(t, r, "amplification", crowd, "1.6 n=5 people=5 passedOn=40 -no_count:5")
	post(2, "crowd", "twitter", "neutral", "", map[string]int{"reach": 1000, "applause": 0, "conversation": 0})
	// 80 acts over 7,000; 60 times applause over 7,000, 15 replies over 6,000, 5 reposts over 3,000, 40 clicks over 3,000.
	check(t, r, "engagementByReach", crowd, "1.1429 n=5 people=5 over=7000 applause=0.8571 conversation=0.25 amplification=0.1667 clicks=1.3333 -no_denominator:7")

	// Five posts, each shown 1,000 times, by authors whom 500 follow: 100 times applause, 5 replies, no repost and 10 clicks.
	for _, applause := range []int{10, 20, 30, 0, 40} {
		post(1, "shown", "twitter", "neutral", "", map[string]int{"impressions": 1000, "followers": 500, "applause": applause, "conversation": 1, "amplification": 0, "clicks": 2})
	}
	shown := february
	shown.Where = map[metric.Dimension][]string{metric.Brand: {"shown"}}
	check(t, r, "engagementByImpressions", shown, "2.1 n=5 people=5 over=5000 applause=2 conversation=0.1 amplification=0 clicks=0.2")
	check(t, r, "engagementByFollowers", shown, "4.2 n=5 people=5 over=2500 applause=4 conversation=0.2 amplification=0 clicks=0.4")

	// Eight are asked whether they know the brand, six do.
	for p, mark := range []int{1, 1, 0, 1, 1, 0, 1, 1} {
		next++
		table(t, conn, schema.TableSurveys, fmt.Sprintf("id=r%d; event=r%d; persona=p%d; type=survey.answered; instrument=notoriety; rating=%d; scale_low=0; scale_high=1; answered_at=02-12 10:00; channel=web; source=s", next, next, 7000+p, mark))
	}
	check(t, r, "notoriety", february, "75 n=8 people=8")

	// Kano, by people: 7 would be delighted by delivery in an hour (1, 3), 1 takes it as it comes (3, 3), 1 contradicts themselves (1, 1), 1 does not want it (5, 1), 1 answered one question.
	answer := func(p int, theme, question string, mark int) {
		next++
		table(t, conn, schema.TableSurveys, fmt.Sprintf("id=r%d; event=r%d; persona=p%d; type=survey.answered; instrument=kano; question=%s; theme=%s; rating=%d; scale_low=1; scale_high=5; answered_at=02-10 10:00; channel=web; source=s", next, next, p, question, theme, mark))
	}
	pair := func(p int, theme string, functional, dysfunctional int) {
		answer(p, theme, "functional", functional)
		answer(p, theme, "Dysfonctionnelle", dysfunctional)
	}
	for p := range 7 {
		pair(5000+p, "express", 1, 3)
	}
	pair(5007, "express", 3, 3)
	pair(5008, "express", 1, 1)
	pair(5009, "express", 5, 1)
	answer(5010, "express", "functional", 1)
	for p := range 6 {
		pair(5000+p, "invoice", 2, 5)
	}
	pair(5000, "secret", 1, 3)
	known(t, conn, 3, map[int]int{5006: 5005}) // two of them are one person: six are delighted
	check(t, r, "kanoBetter", by(february, metric.Theme),
		"50 n=14 people=7 attractive=7 one_dimensional=0 must_be=6 indifferent=1 reverse=1 questionable=1 -questionable:1 -reverse:1 -unpaired:1\n"+
			"express: 85.7143 n=7 people=7 attractive=6 one_dimensional=0 must_be=0 indifferent=1 reverse=1 questionable=1 -questionable:1 -reverse:1 -unpaired:1\n"+
			"invoice: 0 n=6 people=6 attractive=0 one_dimensional=0 must_be=6 indifferent=0 reverse=0 questionable=0\nsecret: hidden n=1 people=1")
	// Six would be annoyed without the invoice, of fourteen answers.
	check(t, r, "kanoWorse", by(february, metric.Theme),
		"42.8571 n=14 people=7 attractive=7 one_dimensional=0 must_be=6 indifferent=1 reverse=1 questionable=1 -questionable:1 -reverse:1 -unpaired:1\n"+
			"express: 0 n=7 people=7 attractive=6 one_dimensional=0 must_be=0 indifferent=1 reverse=1 questionable=1 -questionable:1 -reverse:1 -unpaired:1\n"+
			"invoice: 100 n=6 people=6 attractive=0 one_dimensional=0 must_be=6 indifferent=0 reverse=0 questionable=0\nsecret: hidden n=1 people=1")
	a, err := r.Figure(t.Context(), "kanoBetter", metric.Query{Workspace: "main", Now: now, By: []metric.Dimension{metric.Theme}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range metric.Kano(a) {
		got = append(got, fmt.Sprintf("%s %s %v %s/%s", k.Keys[0], k.Class, k.Suppressed, short(k.Better.Value), short(k.Worse.Value)))
	}
	if fmt.Sprint(got) != "[express attractive false 0.8571/0 invoice must_be false 0/-1 secret  true none/none]" {
		t.Errorf("classes %q", got)
	}

	// Six bad reviews, of which two were answered in public; one good one.
	for n := range 7 {
		next++
		rating, id := 1+n%2, next
		if n == 6 {
			rating = 5
		}
		table(t, conn, schema.TableSurveys, fmt.Sprintf("id=r%d; event=r%d; persona=p%d; type=review.published; instrument=rating; rating=%d; scale_low=1; scale_high=5; answered_at=02-11 10:00; channel=review; conversation=r%d", id, id, 6000+n, rating, id+1000))
		if n < 2 {
			table(t, conn, schema.TableConversations, fmt.Sprintf("id=r%d; persona=p%d; kind=public; channel=review; first_reply_at=02-12 10:00", id+1000, 6000+n))
		}
	}
	check(t, r, "reviewReplies", february, "33.3333 n=6 people=6 -not_negative:1")

	// A crisis: two quiet days, then many in bad tone for an hour. It has ended six hours later, and its posts come worst first.
	err = conn.Exec(t.Context(), `INSERT INTO mentions (workspace, version, id, event, persona, occurred_at, source, channel, brand, platform, polarity, judge, amplification)
SELECT 'main', 1, generateUUIDv4() AS i, i, generateUUIDv4(), if(number < 96, toDateTime('2026-02-20 00:00:00') + number * 1800, toDateTime('2026-02-22 00:00:00') + (number - 96) * 30),
  's', 'social', 'garance', 'twitter', if(number < 96, 'favourable', if(number % 10 = 0, 'neutral', 'unfavourable')), 'source', number FROM numbers(216)`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	asked := metric.Query{Workspace: "main", From: in2026(t, "02-21 00:00"), To: in2026(t, "02-23 00:00"), Now: now}
	crises, err := r.Crises(t.Context(), asked)
	if err != nil || len(crises) != 1 {
		t.Fatalf("%+v, %v", crises, err)
	}
	c := crises[0]
	if text := fmt.Sprintf("%s %s %s %s %v %d %d of %d", c.Brand, c.From, c.Recognised, c.Until, c.Ongoing, len(c.Alerts), c.Tally.Unfavourable, c.Tally.All()); text != "garance 2026-02-22T00:00:00Z 2026-02-22T00:15:00Z 2026-02-22T01:00:00Z false 12 108 of 120" {
		t.Error(text)
	}
	voices, err := r.Voices(t.Context(), asked, c, 50)
	if err != nil || len(voices) != 50 {
		t.Errorf("%d voices, %v", len(voices), err)
	}
	settings = reputation.DefaultSettings()
	settings.Own = []string{"lea"}
	if crises, err := r.Crises(t.Context(), asked); err != nil || len(crises) != 0 {
		t.Errorf("a brand that is not watched: %+v, %v", crises, err)
	}
}
