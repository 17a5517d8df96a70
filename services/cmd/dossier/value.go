package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/manage"
)

type valueCommand struct {
	Snapshot valueSnapshot `cmd:"" help:"Fit the models to all customers, and make them what dossiers answer by."`
	Show     valueShow     `cmd:"" help:"Print the snapshot in force, or what one customer is worth by it."`
	List     valueList     `cmd:"" help:"List the snapshots."`
	Backtest valueBacktest `cmd:"" help:"Hold a forecast against what happened, and draw it."`
}

func (valueCommand) Help() string {
	return "Example: dossier value snapshot --margin 0.3, then dossier value show email:anna@example.com\n\n" +
		"RFM by fifths of the customers, BG/NBD (is he still buying, how often will he), gamma-gamma (how much each time), and the value of it. For buying\n" +
		"without a contract: subscriptions need other models."
}

// valueSettings are the flags of a fit.
type valueSettings struct {
	At       string  `help:"The instant: purchases before it count. RFC 3339, or a day (default: today, 00:00 UTC)." placeholder:"T"`
	From     string  `help:"Leave out purchases before this instant." placeholder:"T"`
	Margin   float64 `default:"1" help:"What a sale leaves, 0.3 for 30 %. With 1, the value of a customer is turnover."`
	Discount float64 `default:"0.1" help:"Discount rate of a year: 0.1 makes a euro in a year worth 1/1.1 today."`
}

// settings reads the flags. A day is its start in UTC.
func (v *valueSettings) settings(horizon int, now time.Time) (value.Settings, error) {
	instant := func(text string) (string, error) {
		if day, err := time.Parse(time.DateOnly, text); err == nil {
			return schema.InstantOf(day).String(), nil
		}
		at, err := schema.ParseInstant(text)
		if err != nil {
			return "", &exit{exitMisused, fmt.Errorf("%q is no time: write 2026-03-01 or 2026-03-01T00:00:00Z", text)}
		}
		return at.String(), nil
	}
	s := value.Settings{At: schema.InstantOf(now.UTC().Truncate(24 * time.Hour)).String(), Horizon: horizon, Margin: v.Margin, Discount: v.Discount}
	var err error
	if v.At != "" {
		if s.At, err = instant(v.At); err != nil {
			return s, err
		}
	}
	if v.From != "" {
		if s.From, err = instant(v.From); err != nil {
			return s, err
		}
	}
	return s, s.Check()
}

type valueSnapshot struct {
	target
	valueSettings
	Horizon int    `default:"365" help:"Days ahead for which purchases and value are expected."`
	Reason  string `help:"Why; kept in the list."`
	JSON    bool   `help:"Print JSON."`
}

func (valueSnapshot) Help() string {
	return "Example: dossier value snapshot --at 2026-03-01 --margin 0.3 --horizon 365\n\n" +
		"A snapshot is kept in the log, with its version, its instant and who took it. It holds figures over all customers and nothing of any one."
}

func (c *valueSnapshot) Run(ctx context.Context) error {
	settings, err := c.settings(c.Horizon, time.Now())
	if err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	var line manage.ValueLine
	if err := api.call(ctx, http.MethodPost, "/v1/value/snapshots", manage.TakeValue{Settings: settings, Reason: c.Reason}, &line); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(line)
	}
	return printSnapshot(line)
}

func printSnapshot(line manage.ValueLine) error {
	s, err := value.ParseSnapshot(line.Snapshot)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	row := func(name, format string, of ...any) { fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, of...)) }
	row("snapshot", "%s, by %s", line.Version, line.Actor)
	window := "until " + s.Settings.At
	if s.Settings.From != "" {
		window = "from " + s.Settings.From + " " + window
	}
	row("purchases", "%s", window)
	row("value", "of %d days, margin %g, discount %g a year", s.Settings.Horizon, s.Settings.Margin, s.Settings.Discount)
	row("customers", "%d, of whom %d bought on more than one day; %d purchases", s.Customers, s.Repeating, s.Purchases)
	if s.Retention.Customers > 0 {
		row("retention", "%d of %d who bought in the year before the last one bought again in the last", s.Retention.Returned, s.Retention.Customers)
	}
	row("recency", "days since the last purchase, fifths end at %v", s.Recency)
	row("frequency", "days with a purchase, fifths end at %v", s.Frequency)
	if s.Model != nil {
		row("BG/NBD", "r %.5g, α %.5g weeks, a %.5g, b %.5g; log-likelihood %.2f", s.Model.R, s.Model.Alpha, s.Model.A, s.Model.B, s.ModelFit.LogLikelihood)
	} else {
		row("BG/NBD", "none: %s", s.ModelReason)
	}
	for _, c := range s.Currencies {
		row(c.Currency, "%d customers, fifths of what they spent end at %.2f", c.Customers, c.Monetary)
		if c.Model != nil {
			row("", "gamma-gamma p %.5g, q %.5g, γ %.5g, of %d who came back", c.Model.P, c.Model.Q, c.Model.Gamma, c.Fit.Customers)
		} else {
			row("", "gamma-gamma none: %s", c.Reason)
		}
		if c.Correlation != nil {
			row("", "correlation of how often with how much: %.2f (the model supposes 0)", *c.Correlation)
		}
	}
	return table.Flush()
}

type valueShow struct {
	target
	Identifier *identifierArgument `arg:"" optional:"" help:"KIND:VALUE of a customer, such as email:anna@example.com; without it the snapshot is shown."`
	JSON       bool                `help:"Print JSON."`
}

func (valueShow) Help() string { return "Example: dossier value show email:anna@example.com" }

const valueFields = `value { orders cancelled spent { amount currency } firstOrderAt lastOrderAt assessment {
 snapshot { version at horizonDays } purchaseDays recencyDays ageDays rfm { recency frequency monetary } pAlive expectedPurchases
 expectedAmount { amount currency } lifetimeValue { amount currency } simpleLifetimeValue { amount currency } } }`

type money struct{ Amount, Currency string }

func (m *money) String() string {
	if m == nil {
		return "not known"
	}
	return m.Amount + " " + m.Currency
}

type valueView struct {
	Orders                    int
	Cancelled                 int
	Spent                     []money
	FirstOrderAt, LastOrderAt *string
	Assessment                *struct {
		Snapshot struct {
			Version, At string
			HorizonDays int
		}
		PurchaseDays, RecencyDays, AgeDays int
		Rfm                                struct {
			Recency, Frequency int
			Monetary           *int
		}
		PAlive, ExpectedPurchases                          *float64
		ExpectedAmount, LifetimeValue, SimpleLifetimeValue *money
	}
}

func (c *valueShow) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if c.Identifier == nil {
		var lines []manage.ValueLine
		if err := api.call(ctx, http.MethodGet, "/v1/value/snapshots", nil, &lines); err != nil {
			return err
		}
		if len(lines) == 0 {
			return &exit{exitFailed, fmt.Errorf("no snapshot was taken yet: take one with 'dossier value snapshot'")}
		}
		if c.JSON {
			return printJSON(lines[0])
		}
		return printSnapshot(lines[0])
	}
	var answer struct {
		Dossier *struct{ Value *valueView }
	}
	err = api.query(ctx, `query($identifier: IdentifierInput!) { dossier(identifier: $identifier) { `+valueFields+` } }`, map[string]any{"identifier": c.Identifier.variables()}, &answer)
	if err != nil {
		return err
	}
	if answer.Dossier == nil || answer.Dossier.Value == nil {
		return &exit{exitFailed, fmt.Errorf("nobody owns this %s", c.Identifier.Kind)}
	}
	if c.JSON {
		return printJSON(answer.Dossier.Value)
	}
	return answer.Dossier.Value.print()
}

func (v *valueView) print() error {
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	row := func(name, format string, of ...any) { fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, of...)) }
	row("orders", "%d, of which %d cancelled", v.Orders, v.Cancelled)
	for i := range v.Spent {
		row("spent", "%s", &v.Spent[i])
	}
	if v.Orders > 0 {
		row("first, last", "%s, %s", text(v.FirstOrderAt), text(v.LastOrderAt))
	}
	a := v.Assessment
	if a == nil {
		row("worth", "not known: no snapshot, or nothing bought in its window")
		return table.Flush()
	}
	row("by", "snapshot %s of %s", a.Snapshot.Version, a.Snapshot.At)
	monetary := "-"
	if a.Rfm.Monetary != nil {
		monetary = fmt.Sprint(*a.Rfm.Monetary)
	}
	row("RFM", "%d %d %s: bought on %d days, %d days ago for the last time, %d days for the first", a.Rfm.Recency, a.Rfm.Frequency, monetary, a.PurchaseDays, a.RecencyDays, a.AgeDays)
	if a.PAlive != nil {
		row("still buys", "%.1f %%", 100**a.PAlive)
	}
	if a.ExpectedPurchases != nil {
		row("expected", "%.2f purchases in %d days, %s each", *a.ExpectedPurchases, a.Snapshot.HorizonDays, a.ExpectedAmount)
	}
	row("worth", "%s in %d days; %s by retention alone", a.LifetimeValue, a.Snapshot.HorizonDays, a.SimpleLifetimeValue)
	return table.Flush()
}

type valueList struct{ list }

func (valueList) Help() string { return "Example: dossier value list --json" }

func (c *valueList) Run(ctx context.Context) error {
	return show(ctx, &c.list, "/v1/value/snapshots", []string{"VERSION", "INSTANT", "CUSTOMERS", "TAKEN", "ACTOR", "REASON"}, func(l manage.ValueLine) []string {
		s, err := value.ParseSnapshot(l.Snapshot)
		if err != nil {
			return []string{l.Version, "of another version of dossier", "", l.TakenAt, l.Actor, l.Reason}
		}
		return []string{l.Version, s.Settings.At, fmt.Sprint(s.Customers), l.TakenAt, l.Actor, l.Reason}
	})
}

type valueBacktest struct {
	target
	valueSettings
	Weeks int    `required:"" help:"Weeks held out: the model sees nothing of them. Without --at, the last ones."`
	Out   string `type:"path" help:"Draw forecast and reality into this SVG file." placeholder:"FILE"`
	Lang  string `enum:"en,fr" default:"en" help:"Language of the picture: en or fr."`
	JSON  bool   `help:"Print JSON."`
}

func (valueBacktest) Help() string {
	return "Example: dossier value backtest --weeks 26 --out forecast.svg\n\nFits the model to the purchases before the instant, and counts what these customers bought after it."
}

func (c *valueBacktest) Run(ctx context.Context) error {
	settings, err := c.settings(min(max(7*c.Weeks, 1), 3660), time.Now().AddDate(0, 0, -7*c.Weeks))
	if err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	var tested value.Backtest
	if err := api.call(ctx, http.MethodPost, "/v1/value/backtest", manage.TestValue{Settings: settings, Weeks: c.Weeks}, &tested); err != nil {
		return err
	}
	if c.Out != "" {
		if err := os.WriteFile(c.Out, tested.SVG(c.Lang == "fr"), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", filepath.Base(c.Out), err)
		}
	}
	if c.JSON {
		return printJSON(tested)
	}
	end := tested.Weeks[len(tested.Weeks)-1]
	fmt.Printf("%d customers at %s: %.0f purchases forecast for %d weeks, %d happened (%+.1f %%)\n", tested.Snapshot.Customers, strings.TrimSuffix(settings.At, "T00:00:00Z"),
		end.Expected, end.Week, end.Happened, 100*(end.Expected/max(1, float64(end.Happened))-1))
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "REPEATS\tCUSTOMERS\tFORECAST\tHAPPENED")
	for i, g := range tested.Groups {
		more := ""
		if i == len(tested.Groups)-1 {
			more = "+"
		}
		fmt.Fprintf(table, "%d%s\t%d\t%.1f\t%d\n", g.Repeats, more, g.Customers, g.Expected, g.Happened)
	}
	return table.Flush()
}
