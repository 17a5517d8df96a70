package e2e

import (
	"bufio"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// importFile imports a file of the data folder by the mapping that is named after it.
func (i *installation) importFile(t *testing.T, mapping string, path ...string) {
	t.Helper()
	out := i.must(t, "import", shared(t, path...), "--map", root(t, "deploy", "mappings", mapping+".yaml"), "--wait")
	if !strings.Contains(out, ", refused 0\n") {
		t.Fatal(out)
	}
}

// everyFile is the data folder, but for clients_fr.csv, which has a test of its own.
func everyFile() [][]string {
	files := [][]string{
		{"olist_customers", "care", "olist", "customers.csv"},
		{"olist_orders", "care", "olist", "orders.csv"},
		{"olist_order_items", "care", "olist", "order_items.csv"},
		{"olist_order_payments", "care", "olist", "order_payments.csv"},
		{"olist_order_reviews", "care", "olist", "order_reviews.csv"},
		{"olist_products", "care", "olist", "products.csv"},
		{"olist_sellers", "care", "olist", "sellers.csv"},
		{"olist_categories", "care", "olist", "categories.csv"},
		{"cdnow", "care", "cdnow.txt"},
		{"cdnow_expected", "care", "cdnow_expected.csv"},
		{"airline_tweets", "care", "airline_tweets.csv"},
		{"fake_1000", "identity", "fake_1000.csv"},
		{"febrl3", "identity", "febrl3.csv"},
		{"historical", "identity", "historical.csv"},
		{"verbatim_dev", "verbatim", "dev.tsv.gz"},
	}
	if proving() {
		files = append(files, []string{"verbatim_train", "verbatim", "train.tsv.gz"})
	}
	return files
}

// TestData imports every file of the data folder and compares what people can ask with recounts from the files: each contact of each
// person through the exports, and through GraphQL, there of every tenth person unless the counts are full. Importing again adds nothing.
func TestData(t *testing.T) {
	besideOthers(t)
	shared(t)
	i := install(t)
	want, total := recount(t)
	for _, file := range everyFile() {
		i.importFile(t, file[0], file[1:]...)
	}
	digest := i.digest(t)
	if n := counts(t, digest)["timeline"]; n != total {
		t.Errorf("%d events, want %d", n, total)
	}
	t.Run("export", func(t *testing.T) { exported(t, i, want) })
	random := seeded(t)
	t.Run("graphql", func(t *testing.T) { asked(t, i, want, random) })
	t.Run("again", func(t *testing.T) {
		files := everyFile()
		random.Shuffle(len(files), func(a, b int) { files[a], files[b] = files[b], files[a] })
		for _, file := range files[:counted(5, len(files))] {
			i.importFile(t, file[0], file[1:]...)
		}
		i.sameDigest(t, digest, nil)
	})
}

// recount reads the files: the contacts of all people by source, and how many events there are in all.
func recount(t *testing.T) (want map[string]ledger, total int) {
	t.Helper()
	want = map[string]ledger{"olist": recountOlist(t), "cdnow": recountCDNOW(t), "twitter": recountTweets(t)}
	for _, l := range want {
		for _, contacts := range l {
			total += len(contacts)
		}
	}
	total += len(rows(t, shared(t, "identity", "fake_1000.csv")))
	total += len(rows(t, shared(t, "identity", "febrl3.csv")))
	total += len(rows(t, shared(t, "identity", "historical.csv")))
	total += lines(t, shared(t, "verbatim", "dev.tsv.gz"))
	if proving() {
		total += lines(t, shared(t, "verbatim", "train.tsv.gz"))
	}
	return want, total
}

// utc reads a time of the shop, which states no zone.
func utc(local string) string { return strings.Replace(local, " ", "T", 1) + "Z" }

func recountOlist(t *testing.T) ledger {
	t.Helper()
	l, of := ledger{}, map[string]person{}
	for _, row := range rows(t, shared(t, "care", "olist", "customers.csv")) {
		of[row["customer_id"]] = person{"olist", row["customer_unique_id"]}
	}
	bought, buyer := map[string]string{}, map[string]person{}
	for _, row := range rows(t, shared(t, "care", "olist", "orders.csv")) {
		order, who, at := row["order_id"], of[row["customer_id"]], utc(row["order_purchase_timestamp"])
		bought[order], buyer[order] = at, who
		l.add(t, who, contact{Type: "profile.identified", OccurredAt: at})
		l.add(t, who, contact{Type: "order.placed", OccurredAt: at, Entity: order})
		if arrived := row["order_delivered_customer_date"]; arrived != "" {
			l.add(t, who, contact{Type: "order.delivered", OccurredAt: utc(arrived), Entity: order})
		}
	}
	for _, row := range rows(t, shared(t, "care", "olist", "order_items.csv")) {
		order := row["order_id"]
		l.add(t, buyer[order], contact{Type: "item.ordered", OccurredAt: bought[order], Amount: row["price"], Currency: "BRL", Entity: order + "/" + row["order_item_id"], Parent: order})
	}
	for _, row := range rows(t, shared(t, "care", "olist", "order_payments.csv")) {
		order := row["order_id"]
		l.add(t, buyer[order], contact{Type: "payment.received", OccurredAt: bought[order], Amount: row["payment_value"], Currency: "BRL", Entity: order + "/" + row["payment_sequential"], Parent: order})
	}
	for _, row := range rows(t, shared(t, "care", "olist", "order_reviews.csv")) {
		order := row["order_id"]
		l.add(t, buyer[order], contact{Type: "review.published", OccurredAt: utc(row["review_answer_timestamp"]), Entity: row["review_id"] + "/" + order, Parent: order, Text: row["review_comment_message"], Rating: row["review_score"]})
	}
	return l
}

func recountCDNOW(t *testing.T) ledger {
	t.Helper()
	f, err := os.Open(shared(t, "care", "cdnow.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	l, seen, repeated := ledger{}, map[string]bool{}, 0
	in := bufio.NewScanner(f)
	in.Scan() // the header
	for in.Scan() {
		fields := strings.Fields(in.Text())
		if line := strings.Join(fields, " "); seen[line] {
			repeated++
		} else {
			seen[line] = true
		}
		day := fields[1]
		l.add(t, person{"cdnow", fields[0]}, contact{Type: "order.placed", OccurredAt: fmt.Sprintf("%s-%s-%sT00:00:00Z", day[:4], day[4:6], day[6:]), Amount: fields[3], Currency: "USD"})
	}
	if repeated != 255 {
		t.Fatalf("%d rows repeat", repeated)
	}
	return l
}

func recountTweets(t *testing.T) ledger {
	t.Helper()
	l := ledger{}
	for _, row := range rows(t, shared(t, "care", "airline_tweets.csv")) {
		brand := row["airline"]
		if brand == "Delta" { // the label is wrong: those tweets speak to JetBlue
			brand = "JetBlue"
		}
		l.add(t, person{"twitter", row["author"]}, contact{Type: "mention.published", OccurredAt: row["created_at"], Mention: brand, Entity: row["tweet_id"], Text: row["text"]})
	}
	return l
}

// exported compares the recount with `dossier export timeline`.
func exported(t *testing.T, i *installation, want map[string]ledger) {
	got := ledger{}
	holder, held := map[person]string{}, map[string]person{}
	export(t, i, "timeline", func(line struct {
		contact
		Source, Profile string
		Account         struct{ Value string }
	}) {
		p := person{line.Source, line.Account.Value}
		if want[line.Source] == nil {
			return
		}
		got.add(t, p, line.contact)
		if was, known := holder[p]; known && was != line.Profile {
			t.Errorf("%v is in the profiles %s and %s", p, was, line.Profile)
		}
		if was, known := held[line.Profile]; known && was != p {
			t.Errorf("the profile %s holds %v and %v", line.Profile, was, p)
		}
		holder[p], held[line.Profile] = line.Profile, p
	})
	for source, l := range want {
		got.compare(t, source, l)
	}
}

// aDossier is what the tests ask of each person.
type aDossier struct {
	ID       string
	Personas []struct{ Source, Account string }
	Dossier  struct {
		Value struct {
			Orders      int
			LastOrderAt string
			Spent       []struct{ Amount, Currency string }
		}
		Satisfaction struct {
			Answers      int
			LastAnswerAt string
			LastRating   string
		}
		Timeline struct {
			TotalCount int
			PageInfo   struct {
				HasNextPage bool
				EndCursor   string
			}
			Edges []struct{ Node struct{ contact } }
		}
	}
}

const timelineFields = `totalCount pageInfo { hasNextPage endCursor } edges { node { type occurredAt amount currency entity parent mention text rating } }`

// asked asks for people of the sources by GraphQL, chosen by chance, and compares timelines and figures with the recount.
func asked(t *testing.T, i *installation, everybody map[string]ledger, random *rand.Rand) {
	var ids []string
	want := map[string]ledger{}
	for source := range everybody {
		want[source] = ledger{}
	}
	export(t, i, "personas", func(line struct {
		ID, Source string
		Account    struct{ Value string }
	}) {
		if want[line.Source] != nil && random.IntN(counted(10, 1)) == 0 {
			p := person{line.Source, line.Account.Value}
			ids, want[line.Source][p] = append(ids, line.ID), everybody[line.Source][p]
		}
	})
	t.Logf("%d people", len(ids))
	got := ledger{}
	for some := range slices.Chunk(ids, 300) {
		var answer struct {
			Profiles struct{ Edges []struct{ Node aDossier } }
		}
		i.query(t, `query($ids: [ID!]) { profiles(ids: $ids, first: 300) { edges { node { id personas { source account }
			dossier { value { orders lastOrderAt spent { amount currency } } satisfaction { answers lastAnswerAt lastRating }
			timeline(first: 30) { `+timelineFields+` } } } } } }`, map[string]any{"ids": some}, &answer)
		if len(answer.Profiles.Edges) != len(some) {
			t.Errorf("%d profiles of %d people", len(answer.Profiles.Edges), len(some))
		}
		for n := range answer.Profiles.Edges {
			d := &answer.Profiles.Edges[n].Node
			if len(d.Personas) != 1 {
				t.Fatalf("the profile %s has %d personas", d.ID, len(d.Personas))
			}
			p := person{d.Personas[0].Source, d.Personas[0].Account}
			got[p] = wholeTimeline(t, i, d)
			sameFigures(t, p, d, want[p.source][p])
		}
	}
	for source, l := range want {
		got.compare(t, source, l)
	}
}

// wholeTimeline follows the pages of one person's timeline to its end.
func wholeTimeline(t *testing.T, i *installation, d *aDossier) []contact {
	t.Helper()
	var contacts []contact
	last := "9999"
	timeline := d.Dossier.Timeline
	for {
		for _, e := range timeline.Edges {
			if e.Node.OccurredAt > last {
				t.Errorf("the timeline of %s is not newest first: %s after %s", d.ID, e.Node.OccurredAt, last)
			}
			last = e.Node.OccurredAt
			contacts = append(contacts, e.Node.contact.plain(t))
		}
		if !timeline.PageInfo.HasNextPage {
			break
		}
		var answer struct{ Profile aDossier }
		i.query(t, `query($id: ID!, $after: String) { profile(id: $id) { id dossier { timeline(first: 30, after: $after) { `+timelineFields+` } } } }`,
			map[string]any{"id": d.ID, "after": timeline.PageInfo.EndCursor}, &answer)
		timeline = answer.Profile.Dossier.Timeline
	}
	if d.Dossier.Timeline.TotalCount != len(contacts) {
		t.Errorf("the timeline of %s has %d of %d contacts", d.ID, len(contacts), d.Dossier.Timeline.TotalCount)
	}
	return contacts
}

// sameFigures holds the dossier's own figures to the recount.
func sameFigures(t *testing.T, p person, d *aDossier, want []contact) {
	t.Helper()
	orders, spent, last := figures(want, "order.placed")
	got, currencies := new(big.Rat), 0
	for _, s := range d.Dossier.Value.Spent {
		amount, ok := new(big.Rat).SetString(s.Amount)
		if !ok {
			t.Errorf("%v spent %q", p, s.Amount)
			continue
		}
		got.Add(got, amount)
		currencies++
	}
	if v := d.Dossier.Value; v.Orders != orders || v.LastOrderAt != last || got.Cmp(spent) != 0 || currencies > 1 {
		t.Errorf("%v: %d orders, %s spent, last %s; want %d, %s, %s", p, v.Orders, got.FloatString(2), v.LastOrderAt, orders, spent.FloatString(2), last)
	}
	answers, _, answered := figures(want, "review.published")
	if s := d.Dossier.Satisfaction; s.Answers != answers || s.LastAnswerAt != answered {
		t.Errorf("%v: %d answers, last %s; want %d, %s", p, s.Answers, s.LastAnswerAt, answers, answered)
	}
}

// TestClientsFR: who is who among 24,123 records of eight sources, held to the labels of the file.
func TestClientsFR(t *testing.T) {
	besideOthers(t)
	path := shared(t, "identity", "clients_fr.csv")
	i := install(t)
	i.importFile(t, "clients_fr", "identity", "clients_fr.csv")
	digest := i.digest(t)

	holder := map[string]string{} // persona → profile
	export(t, i, "profiles", func(line struct {
		ID       string
		Personas []struct{ ID string }
	}) {
		for _, p := range line.Personas {
			if was, known := holder[p.ID]; known {
				t.Errorf("the persona %s is in the profiles %s and %s", p.ID, was, line.ID)
			}
			holder[p.ID] = line.ID
		}
	})
	profile := map[string]string{} // record → profile
	export(t, i, "timeline --clocks", func(line struct {
		Persona, Profile string
		Provenance       struct{ MessageID string }
	}) {
		profile[line.Provenance.MessageID] = holder[line.Persona]
		if line.Profile != holder[line.Persona] {
			t.Errorf("record %s is of %s in the timeline and of %s in the profiles", line.Provenance.MessageID, line.Profile, holder[line.Persona])
		}
	})

	size, label, both := map[string]int{}, map[string]int{}, map[[2]string]int{}
	held := map[string]int{}
	records := rows(t, path)
	for _, row := range records {
		p := profile[row["record_id"]]
		if p == "" {
			t.Fatalf("record %s is in no profile", row["record_id"])
		}
		if held[p]++; row["person_id"] == "" {
			continue // not scored
		}
		size[p]++
		label[row["person_id"]]++
		both[[2]string{p, row["person_id"]}]++
	}
	pairs := func(n int) float64 { return float64(n) * float64(n-1) / 2 }
	var predicted, actual, right float64
	for _, n := range size {
		predicted += pairs(n)
	}
	for _, n := range label {
		actual += pairs(n)
	}
	for _, n := range both {
		right += pairs(n)
	}
	largest := 0
	for _, n := range held {
		largest = max(largest, n)
	}
	precision, recall := right/predicted, right/actual
	t.Logf("%d records, %d profiles: precision %.4f, recall %.4f, largest profile %d", len(records), len(held), precision, recall, largest)
	if precision < .88 || recall < .70 || largest > 12 {
		t.Errorf("precision %.4f, recall %.4f, largest profile %d; want at least .88 and .70, and at most 12", precision, recall, largest)
	}
	i.importFile(t, "clients_fr", "identity", "clients_fr.csv")
	i.sameDigest(t, digest, nil)
}
