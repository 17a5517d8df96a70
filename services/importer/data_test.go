package importer

import (
	"bufio"
	"context"
	"encoding/csv"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/schema"
)

// importShared imports a file of the data folder where refused rows may be written: a link to it in a folder of the test.
func importShared(t *testing.T, url, name string, m *mapping.Mapping, files ...string) *Summary {
	t.Helper()
	dir := t.TempDir()
	for _, file := range files {
		path, err := filepath.Abs(sharedFile(t, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, filepath.Base(file))); err != nil {
			t.Fatal(err)
		}
	}
	s, err := File(context.Background(), Config{URL: url, Key: "server-key", Mapping: m}, filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if s.Accepted != s.Read || !s.Complete() {
		t.Fatalf("%s: read %d, accepted %d: %+v", name, s.Read, s.Accepted, refusedLines(t, s))
	}
	return s
}

// TestEveryDataFile imports each file of the data folder by its mapping, but for those that have a test of their own below. The counts of rows are those of the data's README, or are
// counted by a reader of its own.
func TestEveryDataFile(t *testing.T) {
	for _, c := range []struct {
		mapping string
		files   []string // the first is imported
		rows    int64
		skipped bool
	}{
		{"clients_fr", []string{"identity/clients_fr.csv"}, 24123, false},
		{"fake_1000", []string{"identity/fake_1000.csv"}, 1000, false},
		{"febrl3", []string{"identity/febrl3.csv"}, 5000, false},
		{"historical", []string{"identity/historical.csv"}, 25329, false},
		{"cdnow_expected", []string{"care/cdnow_expected.csv"}, 0, true},
		{"olist_products", []string{"care/olist/products.csv"}, 0, true},
		{"olist_sellers", []string{"care/olist/sellers.csv"}, 0, true},
		{"olist_categories", []string{"care/olist/categories.csv"}, 0, true},
		{"verbatim_dev", []string{"verbatim/dev.tsv.gz"}, 13765, false},
		{"verbatim_train", []string{"verbatim/train.tsv.gz"}, 59463, false}, // in lines; its quotes are characters
	} {
		if c.mapping == "verbatim_train" && os.Getenv("DOSSIER_PROVE") == "" {
			continue // as verbatim_dev, only longer
		}
		t.Run(c.mapping, func(t *testing.T) {
			log, server := target(t)
			s := importShared(t, server.URL, filepath.Base(c.files[0]), mappingFile(t, c.mapping), c.files...)
			if c.skipped != (s.Skipped != "") {
				t.Fatalf("%+v", s)
			}
			if s.Read != c.rows {
				t.Fatalf("read %d rows of %d", s.Read, c.rows)
			}
			if int64(len(log.events)) != s.Events || s.Events < c.rows {
				t.Fatalf("%d events of %d accepted: some fell together", len(log.events), s.Events)
			}
		})
	}
}

// account is what one person's timeline says.
type account struct {
	counts map[schema.Type]int
	sums   map[schema.Type]*big.Rat
	last   map[schema.Type]string
}

type accounts map[string]*account

func (a accounts) add(person string, kind schema.Type, amount, at string) {
	p := a[person]
	if p == nil {
		p = &account{counts: map[schema.Type]int{}, sums: map[schema.Type]*big.Rat{}, last: map[schema.Type]string{}}
		a[person] = p
	}
	p.counts[kind]++
	if p.sums[kind] == nil {
		p.sums[kind] = new(big.Rat)
	}
	if amount != "" {
		value, ok := new(big.Rat).SetString(amount)
		if !ok {
			panic(amount)
		}
		p.sums[kind].Add(p.sums[kind], value)
	}
	p.last[kind] = max(p.last[kind], at)
}

func (a accounts) compare(t *testing.T, want accounts) {
	t.Helper()
	if len(a) != len(want) {
		t.Errorf("%d people, want %d", len(a), len(want))
	}
	wrong := 0
	for person, w := range want {
		got := a[person]
		for kind := range w.counts {
			if got == nil || got.counts[kind] != w.counts[kind] || got.sums[kind].Cmp(w.sums[kind]) != 0 || got.last[kind] != w.last[kind] {
				wrong++
				if wrong < 5 {
					t.Errorf("%s of %s: got %+v, want %+v", kind, person, got, w)
				}
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d figures are wrong", wrong)
	}
}

// table reads a csv file with the standard library's reader: a recount must not share code with what it checks.
func table(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(sharedFile(t, path))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, fields := range rows[1:] {
		row := map[string]string{}
		for i, name := range rows[0] {
			row[name] = fields[i]
		}
		out = append(out, row)
	}
	return out
}

func utc(local string) string { return strings.Replace(local, " ", "T", 1) + "Z" }

// TestOlist compares each person's orders, items, payments and reviews with a recount from the files.
func TestOlist(t *testing.T) {
	log, server := target(t)
	all := []string{"care/olist/orders.csv", "care/olist/customers.csv", "care/olist/order_items.csv", "care/olist/order_payments.csv", "care/olist/order_reviews.csv", "care/olist/products.csv", "care/olist/categories.csv", "care/olist/sellers.csv"}
	for file, name := range map[string]string{
		"customers.csv": "olist_customers", "orders.csv": "olist_orders", "order_items.csv": "olist_order_items",
		"order_payments.csv": "olist_order_payments", "order_reviews.csv": "olist_order_reviews",
	} {
		importShared(t, server.URL, file, mappingFile(t, name), all...)
	}
	got, personas := accounts{}, map[string]schema.PersonaID{}
	for _, e := range log.events {
		got.add(e.Account.Value, e.Type, e.Amount, e.OccurredAt.String())
		if id, known := personas[e.Account.Value]; known && id != e.Persona {
			t.Fatalf("one person has two personas")
		}
		personas[e.Account.Value] = e.Persona
	}
	person, bought, customer := map[string]string{}, map[string]string{}, map[string]string{}
	for _, row := range table(t, "care/olist/customers.csv") {
		person[row["customer_id"]] = row["customer_unique_id"]
	}
	want := accounts{}
	for _, row := range table(t, "care/olist/orders.csv") {
		who := person[row["customer_id"]]
		bought[row["order_id"]], customer[row["order_id"]] = utc(row["order_purchase_timestamp"]), who
		want.add(who, schema.TypeOrderPlaced, "", utc(row["order_purchase_timestamp"]))
		want.add(who, schema.TypeProfileIdentified, "", utc(row["order_purchase_timestamp"]))
		if at := row["order_delivered_customer_date"]; at != "" {
			want.add(who, schema.TypeOrderDelivered, "", utc(at))
		}
	}
	for _, row := range table(t, "care/olist/order_items.csv") {
		want.add(customer[row["order_id"]], schema.TypeItemOrdered, row["price"], bought[row["order_id"]])
	}
	for _, row := range table(t, "care/olist/order_payments.csv") {
		want.add(customer[row["order_id"]], schema.TypePaymentReceived, row["payment_value"], bought[row["order_id"]])
	}
	for _, row := range table(t, "care/olist/order_reviews.csv") {
		want.add(customer[row["order_id"]], schema.TypeReviewPublished, "", utc(row["review_answer_timestamp"]))
	}
	got.compare(t, want)
}

// TestCDNOW compares each customer's purchases with a recount: rows that repeat exactly all stay.
func TestCDNOW(t *testing.T) {
	log, server := target(t)
	if s := importShared(t, server.URL, "cdnow.txt", mappingFile(t, "cdnow"), "care/cdnow.txt"); s.Read != 69659 || len(log.events) != 69659 {
		t.Fatalf("%d rows, %d events", s.Read, len(log.events))
	}
	got, want := accounts{}, accounts{}
	for _, e := range log.events {
		got.add(e.Account.Value, e.Type, e.Amount, e.OccurredAt.String())
	}
	f, err := os.Open(sharedFile(t, "care/cdnow.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, seen, repeated := bufio.NewScanner(f), map[string]bool{}, 0
	lines.Scan()
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if seen[strings.Join(fields, " ")] {
			repeated++
		}
		seen[strings.Join(fields, " ")] = true
		day := fields[1]
		want.add(fields[0], schema.TypeOrderPlaced, fields[3], day[:4]+"-"+day[4:6]+"-"+day[6:]+"T00:00:00Z")
	}
	if repeated != 255 {
		t.Fatalf("%d rows repeat", repeated)
	}
	got.compare(t, want)
}

// TestTweets checks that every tweet is by its author and to the right brand.
func TestTweets(t *testing.T) {
	log, server := target(t)
	if s := importShared(t, server.URL, "airline_tweets.csv", mappingFile(t, "airline_tweets"), "care/airline_tweets.csv"); s.Read != 10078 || len(log.events) != 10078 {
		t.Fatalf("%d rows, %d events", s.Read, len(log.events))
	}
	byID := map[string]*schema.Event{}
	for _, e := range log.events {
		byID[e.Entity] = e
	}
	for _, row := range table(t, "care/airline_tweets.csv") {
		e := byID[row["tweet_id"]]
		brand := row["airline"]
		if brand == "Delta" {
			brand = "JetBlue"
		}
		if e == nil || e.Account.Value != row["author"] || e.Mention != brand || e.Text != strings.TrimSpace(row["text"]) || e.OccurredAt.String() != row["created_at"] {
			t.Fatalf("tweet %s: %+v", row["tweet_id"], e)
		}
	}
}
