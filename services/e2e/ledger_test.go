package e2e

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
)

// person is an account of a source.
type person struct{ source, account string }

// contact is what a recount knows of one event.
type contact struct {
	Type, OccurredAt, Amount, Currency, Entity, Parent, Mention, Text, Rating string
}

// plain makes contacts compare: amounts and ratings by value, texts without blanks around them and with the line ends to which the
// standard library's reader of csv turns all others.
func (c contact) plain(t *testing.T) contact {
	t.Helper()
	c.Amount, c.Rating, c.Text = decimal(t, c.Amount), decimal(t, c.Rating), strings.TrimSpace(strings.ReplaceAll(c.Text, "\r\n", "\n"))
	return c
}

func decimal(t *testing.T, text string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no decimal", text)
	}
	return value.RatString()
}

// ledger is every contact of every person.
type ledger map[person][]contact

func (l ledger) add(t *testing.T, p person, c contact) {
	t.Helper()
	l[p] = append(l[p], c.plain(t))
}

// figures are what a person's contacts of one type add up to.
func figures(contacts []contact, kind string) (count int, sum *big.Rat, last string) {
	sum = new(big.Rat)
	for _, c := range contacts {
		if c.Type != kind {
			continue
		}
		count++
		last = max(last, c.OccurredAt)
		if c.Amount != "" {
			amount, _ := new(big.Rat).SetString(c.Amount)
			sum.Add(sum, amount)
		}
	}
	return count, sum, last
}

// compare holds all people of a source to a recount: each contact, and so each count, sum and last date.
func (l ledger) compare(t *testing.T, source string, want ledger) {
	t.Helper()
	wrong, people := 0, 0
	tell := func(format string, args ...any) {
		t.Helper()
		if wrong++; wrong <= 5 {
			t.Errorf(format, args...)
		}
	}
	for p, contacts := range l {
		if p.source != source {
			continue
		}
		people++
		if _, there := want[p]; !there {
			tell("%v is not in the file: %+v", p, contacts)
		}
	}
	for p, contacts := range want {
		got := l[p]
		kinds := map[string]bool{}
		for _, c := range contacts {
			kinds[c.Type] = true
		}
		for kind := range kinds {
			count, sum, last := figures(got, kind)
			wantCount, wantSum, wantLast := figures(contacts, kind)
			if count != wantCount || sum.Cmp(wantSum) != 0 || last != wantLast {
				tell("%s of %v: %d, sum %s, last %s; want %d, sum %s, last %s", kind, p, count, sum.FloatString(2), last, wantCount, wantSum.FloatString(2), wantLast)
			}
		}
		sorted := func(list []contact) []string {
			var lines []string
			for _, c := range list {
				lines = append(lines, fmt.Sprintf("%+v", c))
			}
			slices.Sort(lines)
			return lines
		}
		if a, b := sorted(got), sorted(contacts); !slices.Equal(a, b) {
			tell("contacts of %v: got\n%s\nwant\n%s", p, strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
	}
	if people != len(want) {
		t.Errorf("%d people of %s, want %d", people, source, len(want))
	}
	if wrong > 0 {
		t.Errorf("%d differences for %s", wrong, source)
	}
}

// rows reads a csv file with the standard library's reader: a recount shares no code with what it checks.
func rows(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]map[string]string, 0, len(all))
	for _, fields := range all[1:] {
		row := make(map[string]string, len(fields))
		for n, name := range all[0] {
			row[strings.TrimSpace(name)] = fields[n]
		}
		out = append(out, row)
	}
	return out
}

// lines counts the lines of a file, which may be compressed, without its header.
func lines(t *testing.T, path string) int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	n := -1
	for scanner := bufio.NewScanner(in); ; n++ {
		if !scanner.Scan() {
			if err := scanner.Err(); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
}
