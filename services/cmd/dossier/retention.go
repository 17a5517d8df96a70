package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/rights"
)

type retentionCommand struct {
	List  retentionList  `cmd:"" help:"List classes and years: how much is kept, and until when."`
	Apply retentionApply `cmd:"" help:"End the classes and years whose time is over."`
}

func (retentionCommand) Help() string {
	return "Example: dossier retention apply --dry-run\n\nThe section retention of the configuration says how long each class is kept: deploy/rights.md."
}

type retentionList struct {
	target
	JSON bool `help:"Print JSON."`
}

func (retentionList) Help() string { return "Example: dossier retention list --json" }

func (c *retentionList) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var kept rights.Retention
	if err := api.call(ctx, http.MethodGet, "/v1/retention", nil, &kept); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(&kept)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "CLASS\tKEPT FOR\tYEAR\tEVENTS\tENDS\tSTATE\tPURPOSE")
	for _, class := range kept.Classes {
		years := "ever"
		if class.Years != nil {
			years = fmt.Sprintf("%d years", *class.Years)
		}
		lines := foldEnded(class.Kept)
		if len(lines) == 0 {
			lines = []yearLine{{}}
		}
		for _, line := range lines {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", class.Class, years, line.year, line.events, line.ends, line.state, class.Purpose)
		}
	}
	return table.Flush()
}

// yearLine is a line of the table.
type yearLine struct{ year, events, ends, state string }

// foldEnded has years in a row that have ended, and of which nothing is left, share a line: a first apply ends all since 1900.
func foldEnded(years []rights.KeptYear) (lines []yearLine) {
	for n := 0; n < len(years); n++ {
		y := years[n]
		last := n
		for y.State == rights.KeptEnded && last+1 < len(years) && years[last+1].State == rights.KeptEnded && years[last].Events+years[last+1].Events == 0 &&
			years[last+1].Year == years[last].Year+1 {
			last++
		}
		line := yearLine{strconv.Itoa(y.Year), strconv.FormatInt(y.Events, 10), y.Ends, strings.ToLower(y.State)}
		if last > n {
			line.year, line.ends = fmt.Sprintf("%d to %d", y.Year, years[last].Year), ""
		}
		lines, n = append(lines, line), last
	}
	return lines
}

type retentionApply struct {
	target
	Reason  string        `help:"Why; kept with the decision. No personal data belongs into it."`
	DryRun  bool          `help:"Show what would end, and decide nothing."`
	Timeout time.Duration `default:"2h" help:"How long to wait until it is done. It goes on without this command."`
	JSON    bool          `help:"Print JSON; when it is finished, that has the proof."`
}

func (retentionApply) Help() string {
	return `Example: dossier retention apply --dry-run
         dossier retention apply --reason 'yearly, by the record of processing'

The secret of each class and year whose time is over is destroyed, for everybody and for ever: its events are unreadable in every copy of the log, its
rows and files go, figures restate, and what comes late of it is refused (retention_expired). What somebody with a hold has something in stays. Exit code
3: something is held, or copies of the key ring must be replaced first.`
}

func (c *retentionApply) Run(ctx context.Context) error {
	if !c.DryRun && strings.TrimSpace(c.Reason) == "" {
		return &exit{exitMisused, errors.New("a decision needs a reason: give --reason, or --dry-run to decide nothing")}
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	var done rights.Expiry
	if err := api.call(ctx, http.MethodPost, "/v1/retention", &manage.ApplyRetention{Reason: c.Reason, DryRun: c.DryRun}, &done); err != nil {
		return err
	}
	if done.Erasure != nil {
		if err := follow(ctx, api, done.Erasure, c.Timeout); err != nil {
			return err
		}
	}
	if c.JSON {
		err = printJSON(&done)
	} else {
		err = c.print(&done)
	}
	if err != nil {
		return err
	}
	if len(done.Held) > 0 {
		return &exit{exitAmbiguous, fmt.Errorf("%d classes and years stay, since a hold forbids to erase somebody who is in them: 'dossier holds list'", len(done.Held))}
	}
	if done.Erasure != nil {
		return outcomeOf(done.Erasure)
	}
	return nil
}

func (c *retentionApply) print(done *rights.Expiry) error {
	if len(done.Years) == 0 && len(done.Held) == 0 && done.Empty == 0 {
		fmt.Println("nothing is due")
		return nil
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "CLASS\tYEAR\tEVENTS\tACCOUNTS\tENDS")
	ends := "now"
	if c.DryRun {
		ends = "would"
	}
	for _, y := range done.Years {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\n", y.Class, y.Year, y.Events, y.People, ends)
	}
	for _, y := range done.Held {
		fmt.Fprintf(table, "%s\t%d\t%d\t\theld\n", y.Class, y.Year, y.Events)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if done.Empty > 0 {
		fmt.Printf("and %d classes and years without any event\n", done.Empty)
	}
	if done.Erasure != nil {
		fmt.Println()
		return printErasure(done.Erasure)
	}
	return nil
}
