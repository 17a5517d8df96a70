package value

import (
	"cmp"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// Purchase is what one customer bought on one day in one currency: all orders of the day together.
type Purchase struct {
	Day      int32   // since 1970-01-01, UTC
	Currency string  // ISO 4217; "" if no amount was stated
	Amount   float64 // what the orders cost; 0 or less, or not stated: no part of what is said of money
}

const microsecondsOfDay = 86_400_000_000

// DayOf is the UTC day of an instant, since 1970-01-01.
func DayOf(at schema.Instant) int32 {
	day := int64(at) / microsecondsOfDay
	if int64(at) < day*microsecondsOfDay {
		day--
	}
	return int32(day)
}

// lastDay is the last day of a window that ends before an instant.
func lastDay(until schema.Instant) int32 { return DayOf(until - 1) }

// sorted gives the purchases up to a day in canonical order, those of one day and currency as one.
func sorted(purchases []Purchase, last int32) []Purchase {
	out := slices.DeleteFunc(slices.Clone(purchases), func(p Purchase) bool { return p.Day > last })
	slices.SortFunc(out, func(a, b Purchase) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.Amount, b.Amount))
	})
	merged := out[:0]
	for _, p := range out {
		if n := len(merged); n > 0 && merged[n-1].Day == p.Day && merged[n-1].Currency == p.Currency {
			merged[n-1].Amount += p.Amount
			continue
		}
		merged = append(merged, p)
	}
	return merged
}

// HistoryOf sums up purchases up to a day, that day included. Without any it is false.
func HistoryOf(purchases []Purchase, last int32) (History, bool) {
	days := make([]int32, 0, len(purchases))
	for _, p := range purchases {
		if p.Day <= last {
			days = append(days, p.Day)
		}
	}
	if len(days) == 0 {
		return History{}, false
	}
	slices.Sort(days)
	days = slices.Compact(days)
	first := days[0]
	return History{Repeats: int32(len(days) - 1), Recency: days[len(days)-1] - first, Age: last - first}, true
}

// spending is what one customer spent in one currency, from sorted purchases.
type spending struct {
	currency string
	days     int32   // with a purchase
	latest   int32   // of these days
	total    float64 // of all days
	repeats  int32   // days after the very first purchase, in whatever currency, with an amount above 0
	repeated float64 // what was spent on these
}

// spendingOf gives what was spent by currency, sorted by currency.
func spendingOf(purchases []Purchase) (out []spending) {
	for i := range purchases {
		p := &purchases[i]
		at, found := slices.BinarySearchFunc(out, p.Currency, func(s spending, c string) int { return cmp.Compare(s.currency, c) })
		if !found {
			out = slices.Insert(out, at, spending{currency: p.Currency})
		}
		s := &out[at]
		s.days++
		s.latest = p.Day
		s.total += p.Amount
		if p.Day > purchases[0].Day && p.Amount > 0 {
			s.repeats++
			s.repeated += p.Amount
		}
	}
	return out
}

// mainSpending is the currency of most purchase days; of several, the one of the latest purchase, then the first by name. A purchase without an amount
// has no currency to count for.
func mainSpending(all []spending) (main spending, ok bool) {
	for _, s := range all {
		if s.currency == "" || s.total <= 0 {
			continue
		}
		if !ok || cmp.Or(cmp.Compare(s.days, main.days), cmp.Compare(s.latest, main.latest)) > 0 {
			main, ok = s, true
		}
	}
	return main, ok
}
