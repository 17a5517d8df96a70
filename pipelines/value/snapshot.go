package value

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// Method is the version of the arithmetic. A snapshot of another method is not read.
const Method = "value/1"

// Settings are what people decide about a snapshot.
type Settings struct {
	From     string  `json:"from,omitempty"` // start of the window, RFC 3339; "" is the first purchase. Earlier purchases are as if they had not been
	At       string  `json:"at"`             // end of the window, RFC 3339: purchases before it count
	Horizon  int     `json:"horizonDays"`    // how far ahead purchases and value are expected
	Margin   float64 `json:"margin"`         // of a sale, 0 to 1: what it leaves
	Discount float64 `json:"discount"`       // of a year: .1 makes a euro in a year worth 1/1.1 today
}

// Check refuses settings that make no sense.
func (s Settings) Check() error {
	at, err := schema.ParseInstant(s.At)
	if err != nil || at == 0 {
		return schema.Refuse("value_invalid", "the instant of a snapshot is no time", "write it as 2026-03-01T00:00:00Z")
	}
	if s.From != "" {
		if from, err := schema.ParseInstant(s.From); err != nil || from >= at {
			return schema.Refuse("value_invalid", "the window's start is no time before the snapshot's instant", "write it as 2024-03-01T00:00:00Z, or leave it out")
		}
	}
	switch {
	case s.Horizon < 1 || s.Horizon > 3660:
		return schema.Refuse("value_invalid", "the horizon is not 1 to 3660 days", "use 365 for a year")
	case !(s.Margin > 0 && s.Margin <= 1):
		return schema.Refuse("value_invalid", "the margin is not above 0 and at most 1", "write 30 % as 0.3")
	case !(s.Discount >= 0 && s.Discount <= 10):
		return schema.Refuse("value_invalid", "the discount rate is not 0 to 10", "write 10 % a year as 0.1")
	}
	return nil
}

// window is its first and last day. Settings that passed Check have one.
func (s Settings) window() (first, last int32) {
	first = math.MinInt32
	if from, err := schema.ParseInstant(s.From); err == nil && s.From != "" {
		first = DayOf(from)
	}
	at, err := schema.ParseInstant(s.At)
	if err != nil {
		return first, math.MinInt32 // Untested: Check refuses it
	}
	return first, lastDay(at)
}

// Snapshot is what one fit over all customers found. It holds no customer, and does not change: another instant, window or method is
// another snapshot.
type Snapshot struct {
	Method   string   `json:"method"`
	Settings Settings `json:"settings"`

	Customers int64 `json:"customers"` // with a purchase in the window
	Repeating int64 `json:"repeating"` // on more than one day
	Purchases int64 `json:"purchases"` // days with a purchase, summed over customers

	Recency   Cuts[int32] `json:"recency"`   // days from the last purchase to the end of the window
	Frequency Cuts[int32] `json:"frequency"` // days with a purchase

	Model       *Frequency `json:"bgnbd,omitempty"`
	ModelFit    Fit        `json:"bgnbdFit"`
	ModelReason string     `json:"bgnbdReason,omitempty"` // why there is no model

	Currencies []CurrencySnapshot `json:"currencies"` // sorted by name

	// Retention counts who bought in the year before the last one, and who of them bought again in the last year.
	Retention struct {
		Customers int64 `json:"customers"`
		Returned  int64 `json:"returned"`
	} `json:"retention"`
}

// CurrencySnapshot is what was found about money, of the customers whose main currency it is.
type CurrencySnapshot struct {
	Currency    string        `json:"currency"`
	Customers   int64         `json:"customers"`
	Monetary    Cuts[float64] `json:"monetary"` // what a customer spent in the window
	Model       *Spend        `json:"gammaGamma,omitempty"`
	Fit         Fit           `json:"gammaGammaFit"`
	Correlation *float64      `json:"correlation,omitempty"` // of how often with how much: far from 0, the model does not fit
	Reason      string        `json:"gammaGammaReason,omitempty"`

	// Lifetimes are the twentieths of the lifetime values: 19 values, ascending. Where no lifetime value can be told, and in snapshots from before there were
	// any, there are none.
	Lifetimes []float64 `json:"lifetimes,omitempty"`
}

const daysOfYear = 365.25

// Take makes a snapshot of all customers. Their order changes nothing.
func Take(s Settings, customers iter.Seq[[]Purchase]) (*Snapshot, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	out := &Snapshot{Method: Method, Settings: s}
	first, last := s.window()
	var histories []History
	var recency, frequency []int32
	type money struct {
		totals   []float64
		averages []Average
		buyers   []buyer
	}
	monies := map[string]*money{}
	for all := range customers {
		purchases := within(all, first, last)
		h, ok := HistoryOf(purchases, last)
		if !ok {
			continue
		}
		histories = append(histories, h)
		recency, frequency = append(recency, h.Age-h.Recency), append(frequency, h.Repeats+1)
		out.Customers++
		out.Purchases += int64(h.Repeats) + 1
		if h.Repeats > 0 {
			out.Repeating++
		}
		if before, after := retained(purchases, last); before {
			out.Retention.Customers++
			if after {
				out.Retention.Returned++
			}
		}
		if spent, ok := mainSpending(spendingOf(purchases)); ok {
			m := monies[spent.currency]
			if m == nil {
				m = &money{}
				monies[spent.currency] = m
			}
			m.totals = append(m.totals, spent.total)
			m.buyers = append(m.buyers, buyer{h, spent.average()})
			if spent.repeats > 0 {
				m.averages = append(m.averages, spent.average())
			}
		}
	}
	if out.Customers == 0 {
		return nil, schema.Refuse("value_empty", "nobody bought anything in this window", "choose another one, or send orders first")
	}
	out.Recency, out.Frequency = cutsOf(recency), cutsOf(frequency)
	model, fit, err := FitFrequency(histories)
	out.ModelFit = fit
	if err != nil {
		out.ModelReason = err.Error()
	} else {
		out.Model = &model
	}
	for currency, m := range monies {
		c := CurrencySnapshot{Currency: currency, Customers: int64(len(m.totals)), Monetary: cutsOf(m.totals)}
		model, fit, correlation, err := FitSpend(m.averages)
		c.Fit = fit
		if err != nil {
			c.Reason = err.Error()
		} else {
			c.Model = &model
			c.Lifetimes = out.twentieths(m.buyers, model)
		}
		if !math.IsNaN(correlation) {
			c.Correlation = &correlation
		}
		out.Currencies = append(out.Currencies, c)
	}
	slices.SortFunc(out.Currencies, func(a, b CurrencySnapshot) int { return cmp.Compare(a.Currency, b.Currency) })
	return out, nil
}

// buyer is what the lifetime value of a customer is told by.
type buyer struct {
	history History
	average Average
}

func (b buyer) compare(other buyer) int {
	return cmp.Or(byHistory(b.history, other.history), cmp.Compare(b.average.Repeats, other.average.Repeats), cmp.Compare(b.average.Mean, other.average.Mean))
}

// mostBuyers is of how many customers the lifetime values are told at most: of more, of each n-th in an order that who came first does not change.
const mostBuyers = 20_000

// twentieths are the lifetime values that part the customers in twenty.
func (s *Snapshot) twentieths(buyers []buyer, model Spend) []float64 {
	if s.Model == nil {
		return nil
	}
	slices.SortFunc(buyers, buyer.compare)
	every := max(1, len(buyers)/mostBuyers)
	var all []float64
	for i := every / 2; i < len(buyers); i += every {
		if each := model.Expect(buyers[i].average); !math.IsNaN(each) {
			all = append(all, s.lifetime(buyers[i].history, each))
		}
	}
	if len(all) < 20 {
		return nil
	}
	slices.Sort(all)
	out := make([]float64, 19)
	for i := range out {
		out[i] = all[((i+1)*len(all)+19)/20-1]
	}
	return out
}

func (s spending) average() Average {
	if s.repeats == 0 {
		return Average{}
	}
	return Average{s.repeats, s.repeated / float64(s.repeats)}
}

// within gives the purchases of a window in canonical order.
func within(all []Purchase, first, last int32) []Purchase {
	out := sorted(all, last)
	return slices.DeleteFunc(out, func(p Purchase) bool { return p.Day < first })
}

// retained says whether somebody bought in the year before the last one, and in the last one.
func retained(purchases []Purchase, last int32) (before, after bool) {
	for _, p := range purchases {
		switch ago := last - p.Day; {
		case ago < 365:
			after = true
		case ago < 730:
			before = true
		}
	}
	return before, after
}

// Encode gives the snapshot's one form as JSON.
func (s *Snapshot) Encode() ([]byte, error) { return json.Marshal(s) }

// Version names the snapshot: 16 hex digits of the SHA-256 of its form.
func (s *Snapshot) Version() string {
	form, err := s.Encode()
	if err != nil {
		return "" // Unreachable: numbers that are finite marshal
	}
	sum := sha256.Sum256(form)
	return hex.EncodeToString(sum[:8])
}

// ParseSnapshot reads what Encode wrote. One of another method is rejected.
func ParseSnapshot(form []byte) (*Snapshot, error) {
	s := &Snapshot{}
	if err := json.Unmarshal(form, s); err != nil {
		return nil, schema.Refuse("value_invalid", fmt.Sprintf("this is no snapshot: %v", err), "take one with 'dossier value snapshot'")
	}
	if s.Method != Method {
		return nil, schema.Refuse("value_invalid", "this snapshot was taken by another method", "take one with 'dossier value snapshot'")
	}
	return s, s.Settings.Check()
}

// Assessment is what one customer is worth under a snapshot. A nil figure cannot be told: Snapshot says why.
type Assessment struct {
	History   History
	RFM       RFM
	Alive     *float64 // P(alive), 0 to 1
	Purchases *float64 // days with a purchase expected within the horizon
	Currency  string   // of the amounts: the customer's main one; "" if no amount is known
	Each      *float64 // expected amount of a day of purchase
	Lifetime  *float64 // expected margin within the horizon, discounted
	Simple    *float64 // margin × retention / (1 + discount − retention), from the last 365 days and the retention of all

	// Percentile is where the customer stands among all of his currency, 0 to 1: by lifetime value to a twentieth, else by what he spent to a fifth. It is
	// drawn to the middle where few purchases tell of it: of n days with a purchase n / (n + 3) of the distance to .5 is left. nil if no amount is known.
	Percentile *float64
}

// shrinkage is how many days with a purchase tell as much of a customer as knowing nothing of him does.
const shrinkage = 3

// percentile draws a raw percentile to the middle.
func percentile(raw float64, h History) *float64 {
	n := float64(h.Repeats) + 1
	p := .5 + (raw-.5)*n/(n+shrinkage)
	return &p
}

// step is how finely expected purchases are discounted: those of 28 days at their end.
const step = 28

// Assess says what a customer is worth under a snapshot, by his purchases in its window; false if there are none. Purchases outside the
// window count for nothing.
func (s *Snapshot) Assess(all []Purchase) (Assessment, bool) {
	first, last := s.Settings.window()
	purchases := within(all, first, last)
	h, ok := HistoryOf(purchases, last)
	if !ok {
		return Assessment{}, false
	}
	a := Assessment{History: h, RFM: RFM{Recency: 6 - s.Recency.class(h.Age-h.Recency), Frequency: s.Frequency.class(h.Repeats + 1)}}
	if s.Model != nil {
		alive, expected := s.Model.Alive(h), s.Model.Expect(h, float64(s.Settings.Horizon))
		a.Alive, a.Purchases = &alive, &expected
	}
	spent, ok := mainSpending(spendingOf(purchases))
	if !ok {
		return a, true
	}
	a.Currency = spent.currency
	at := slices.IndexFunc(s.Currencies, func(c CurrencySnapshot) bool { return c.Currency == spent.currency })
	if at < 0 {
		return a, true // since the snapshot the first one to buy in it
	}
	c := &s.Currencies[at]
	a.RFM.Monetary = c.Monetary.class(spent.total)
	a.Percentile = percentile((float64(a.RFM.Monetary)-.5)/5, h)
	if c.Model != nil {
		if each := c.Model.Expect(spent.average()); !math.IsNaN(each) {
			a.Each = &each
			if s.Model != nil {
				lifetime := s.lifetime(h, each)
				a.Lifetime = &lifetime
				if len(c.Lifetimes) > 0 { // of those that many customers share, the middle of where they stand
					below, _ := slices.BinarySearch(c.Lifetimes, lifetime)
					upTo, _ := slices.BinarySearch(c.Lifetimes, math.Nextafter(lifetime, math.Inf(1)))
					a.Percentile = percentile(float64(below+upTo+1)/float64(2*(len(c.Lifetimes)+1)), h)
				}
			}
		}
	}
	if s.Retention.Customers >= leastCustomers {
		yearly := 0.0
		for _, p := range purchases {
			if last-p.Day < 365 && p.Currency == spent.currency {
				yearly += p.Amount
			}
		}
		retention := float64(s.Retention.Returned) / float64(s.Retention.Customers)
		if simple := SimpleLifetime(yearly*s.Settings.Margin, retention, s.Settings.Discount); !math.IsNaN(simple) {
			a.Simple = &simple
		}
	}
	return a, true
}

// lifetime is Σ margin E[M] ΔE[Y(t)] / (1+d)^t over the horizon.
func (s *Snapshot) lifetime(h History, each float64) (sum float64) {
	before := 0.0
	for days := min(step, s.Settings.Horizon); ; days = min(days+step, s.Settings.Horizon) {
		until := s.Model.Expect(h, float64(days))
		sum += s.Settings.Margin * each * (until - before) / math.Pow(1+s.Settings.Discount, float64(days)/daysOfYear)
		if before = until; days == s.Settings.Horizon {
			return sum
		}
	}
}
