package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/schema"
)

type metricsCommand struct {
	target
	Name      string               `arg:"" optional:"" default:"list" help:"The metric, such as nps; list prints the catalogue." placeholder:"NAME"`
	From      string               `help:"First instant of the period, or its first day (2026-01-01)." placeholder:"TIME"`
	To        string               `help:"The instant, or the day, after the period." placeholder:"TIME"`
	Now       string               `help:"Up to when what is not over has run; default: the present." placeholder:"TIME"`
	AsOf      string               `name:"as-of" help:"As if nothing had happened after this time." placeholder:"TIME"`
	KnownAt   string               `name:"known-at" help:"What was known at this time: who was who, what had been recorded, under the configuration of then." placeholder:"TIME"`
	By        []string             `help:"Group by one or two: channel, team, brand, store, theme, touchpoint, month …" placeholder:"DIMENSION"`
	Where     []string             `sep:"none" help:"Only rows with a value, such as channel=email; again for another value or dimension." placeholder:"DIMENSION=VALUE"`
	Profile   []string             `help:"Only these people, by id." placeholder:"ID"`
	Who       []identifierArgument `name:"identifier" sep:"none" help:"Only who owns these, as KIND:VALUE." placeholder:"KIND:VALUE"`
	Segment   []string             `help:"Only who is in one of these segments now." placeholder:"NAME"`
	Reading   string               `enum:"usual,event-date,cohort" default:"usual" help:"Which instant puts a row into the period: usual, event-date or cohort."`
	Latest    bool                 `help:"Of surveys: only the last answer of each person."`
	OpenHours bool                 `help:"Durations within the calendar's open hours."`
	Zone      string               `help:"Time zone of days and months, such as Europe/Paris." placeholder:"ZONE"`
	Within    int                  `help:"Of serviceLevel: seconds." placeholder:"SECONDS"`
	Window    int                  `help:"Of fcrNoRepeat: days." placeholder:"DAYS"`
	Currency  string               `help:"Of amounts: EUR by default." placeholder:"CODE"`
	Budget    float64              `help:"Of gestureSpend: what may be spent in the period." placeholder:"AMOUNT"`
	Prior     []string             `sep:"none" help:"Of complaintRoi and ror: what you know better, such as serviceCost=8; again for another." placeholder:"NAME=VALUE"`
	Language  string               `enum:"en,fr" default:"en" help:"Of sentences: en or fr."`
	Explain   bool                 `help:"Say where the figure comes from, and why rows do not count."`
	Rows      string               `help:"Write every row to a file: CSV, or Parquet if it ends in .parquet." placeholder:"FILE" type:"path"`
	JSON      bool                 `help:"Print JSON."`
}

func (metricsCommand) Help() string {
	return "Example: dossier metrics list\nExample: dossier metrics nps --from 2026-01-01 --to 2026-02-01 --by channel --explain\nExample: dossier metrics firstReply --by channel,month --rows rows.csv"
}

// query reads the flags. Days are those of the zone's UTC beginning: an instant is given where that matters.
func (c *metricsCommand) query() (metric.Query, error) {
	v := url.Values{}
	for name, text := range map[string]string{"from": c.From, "to": c.To, "now": c.Now, "asOf": c.AsOf, "knownAt": c.KnownAt} {
		if text == "" {
			continue
		}
		if len(text) == len("2026-01-01") {
			text += "T00:00:00Z"
		}
		v.Set(name, text)
	}
	for _, by := range c.By {
		v.Add("by", strings.ToUpper(by))
	}
	for _, w := range c.Where {
		by, value, ok := strings.Cut(w, "=")
		if !ok {
			return metric.Query{}, errors.New("--where takes DIMENSION=VALUE, such as channel=email")
		}
		v.Add("where."+strings.ToUpper(by), value)
	}
	if c.Reading != "usual" {
		v.Set("reading", strings.ToUpper(strings.ReplaceAll(c.Reading, "-", "_")))
	}
	for _, p := range c.Profile {
		v.Add("profile", p)
	}
	for _, s := range c.Segment {
		v.Add("segment", s)
	}
	if c.Latest {
		v.Set("answers", "LATEST")
	}
	if c.OpenHours {
		v.Set("openHours", "true")
	}
	if c.Zone != "" {
		v.Set("zone", c.Zone)
	}
	for name, n := range map[string]int{"within": c.Within, "windowDays": c.Window} {
		if n != 0 {
			v.Set(name, fmt.Sprint(n))
		}
	}
	if c.Currency != "" {
		v.Set("currency", c.Currency)
	}
	if c.Budget != 0 {
		v.Set("budget", strconv.FormatFloat(c.Budget, 'f', -1, 64))
	}
	for _, p := range c.Prior {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return metric.Query{}, errors.New("--prior takes NAME=VALUE, such as serviceCost=8")
		}
		v.Set("prior."+name, value)
	}
	return metric.ParseValues(v)
}

// input is the query as GraphQL takes it.
func input(q metric.Query) map[string]any {
	of := map[string]any{}
	for name, t := range map[string]schema.Instant{"from": q.From, "to": q.To, "now": q.Now, "asOf": q.AsOf, "knownAt": q.KnownAt} {
		if t != 0 {
			of[name] = t.String()
		}
	}
	if q.Reading != metric.Usual {
		of["reading"] = map[metric.Reading]string{metric.EventDate: "EVENT_DATE", metric.Cohort: "COHORT"}[q.Reading]
	}
	if len(q.By) > 0 {
		of["by"] = q.By
	}
	var where []map[string]any
	for by, values := range q.Where {
		where = append(where, map[string]any{"dimension": by, "values": values})
	}
	if where != nil {
		of["where"] = where
	}
	if q.Profiles != nil {
		ids := []string{}
		for _, p := range q.Profiles {
			ids = append(ids, p.String())
		}
		of["profiles"] = ids
	}
	if q.Segments != nil {
		of["segments"] = q.Segments
	}
	if q.Latest {
		of["answers"] = "LATEST"
	}
	if q.OpenHours {
		of["openHours"] = true
	}
	if q.Zone != "" {
		of["zone"] = q.Zone
	}
	if q.Within != 0 {
		of["within"] = q.Within / 1_000_000
	}
	if q.Window != 0 {
		of["windowDays"] = q.Window / 86_400_000_000
	}
	if q.Currency != "" {
		of["currency"] = q.Currency
	}
	if q.Budget != 0 {
		of["budget"] = q.Budget
	}
	var priors []map[string]any
	for name, value := range q.Priors {
		priors = append(priors, map[string]any{"name": name, "value": value})
	}
	if priors != nil {
		of["priors"] = priors
	}
	return of
}

type metricView struct {
	Name        string       `json:"name"`
	Unit        string       `json:"unit"`
	Value       *float64     `json:"value"`
	Low         *float64     `json:"low"`
	High        *float64     `json:"high"`
	N           int64        `json:"n"`
	People      int64        `json:"people"`
	Numerator   *float64     `json:"numerator"`
	Denominator int64        `json:"denominator"`
	Open        int64        `json:"open"`
	NotReached  bool         `json:"notReached"`
	Suppressed  bool         `json:"suppressed"`
	Place       *int         `json:"place,omitempty"`
	Keys        []keyView    `json:"keys"`
	Parts       []partView   `json:"parts"`
	Exclusions  []reasonView `json:"exclusions"`
	Versions    []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"versions,omitempty"`
	Groups  []metricView `json:"groups,omitempty"`
	Explain *struct {
		Formula  string         `json:"formula"`
		Source   string         `json:"source"`
		Reading  string         `json:"reading"`
		Filters  map[string]any `json:"filters"`
		RowsPath *string        `json:"rowsPath"`
	} `json:"explain,omitempty"`
	Definition *struct {
		Title  string `json:"title"`
		Is     string `json:"is"`
		For    string `json:"for"`
		NotFor string `json:"notFor"`
	} `json:"definition,omitempty"`
}

type keyView struct {
	Dimension string `json:"dimension"`
	Value     string `json:"value"`
	Title     string `json:"title"`
}

type partView struct {
	Name  string   `json:"name"`
	Value *float64 `json:"value"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
	N     int64    `json:"n"`
}

type reasonView struct {
	Reason string `json:"reason"`
	N      int64  `json:"n"`
	Text   string `json:"text"`
}

const figureFields = "name unit value low high n people numerator denominator open notReached suppressed place keys { dimension value title(language: $language) } parts { name value low high n } exclusions { reason n text(language: $language) }"

// Run prints a figure, or the catalogue.
func (c *metricsCommand) Run(ctx context.Context) error {
	if c.Name == "list" {
		return c.list()
	}
	if _, ok := metric.Find(c.Name); !ok {
		return &exit{exitMisused, fmt.Errorf("there is no metric %q: 'dossier metrics list' names them", c.Name)}
	}
	q, err := c.query()
	if err != nil {
		return &exit{exitMisused, err}
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	of := input(q)
	if len(c.Who) > 0 {
		var owned []map[string]any
		for _, i := range c.Who {
			owned = append(owned, i.variables())
		}
		of["identifiers"] = owned
	}
	var answer struct{ Metrics struct{ Metric metricView } }
	document := `query($name: String!, $of: MetricInput, $language: String) { metrics { metric(name: $name, of: $of) { ` + figureFields + ` versions { name value }
 groups { ` + figureFields + ` } explain { formula source reading filters rowsPath } definition(language: $language) { title is for notFor } } } }`
	if err := api.query(ctx, document, map[string]any{"name": c.Name, "of": of, "language": c.Language}, &answer); err != nil {
		return err
	}
	m := &answer.Metrics.Metric
	if c.Rows != "" {
		if err := c.write(ctx, api, m); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(m)
	}
	return c.print(m)
}

func (c *metricsCommand) list() error {
	type line struct {
		Name   string `json:"name"`
		Group  string `json:"group"`
		Unit   string `json:"unit"`
		Title  string `json:"title"`
		Is     string `json:"is"`
		For    string `json:"for"`
		NotFor string `json:"notFor"`
	}
	var lines []line
	for _, d := range metric.Catalogue() {
		say := func(t metric.Text) string {
			if c.Language == "fr" {
				return t.FR
			}
			return t.EN
		}
		lines = append(lines, line{d.Name, d.Group, string(d.Unit), say(d.Title), say(d.Is), say(d.For), say(d.NotFor)})
	}
	if c.JSON {
		return printJSON(lines)
	}
	var rows [][]string
	for _, l := range lines {
		rows = append(rows, []string{l.Name, l.Group, l.Unit, l.Title, l.Is})
	}
	return printTable([]string{"NAME", "GROUP", "UNIT", "TITLE", "WHAT IT IS"}, rows)
}

// write downloads the rows of the figure that was printed.
func (c *metricsCommand) write(ctx context.Context, api *client, m *metricView) (err error) {
	if m.Explain == nil || m.Explain.RowsPath == nil {
		return fmt.Errorf("%s shows no rows: employees' answers are confidential", m.Name)
	}
	path := *m.Explain.RowsPath
	if strings.HasSuffix(c.Rows, ".parquet") {
		path += "&format=parquet"
	}
	response, err := api.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	file, err := os.Create(c.Rows)
	if err != nil {
		return err
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
	}()
	if _, err := io.Copy(file, response.Body); err != nil {
		return fmt.Errorf("write the rows: %w; %s is not whole", err, c.Rows)
	}
	return nil
}

func (c *metricsCommand) print(m *metricView) error {
	fmt.Printf("%s: %s\n\n", m.Name, m.Definition.Is)
	header := []string{}
	if len(m.Groups) > 0 {
		for _, k := range m.Groups[0].Keys {
			header = append(header, k.Dimension)
		}
	}
	by := len(header)
	header = append(header, strings.ToUpper(m.Unit), "95 % INTERVAL", "N", "PEOPLE")
	places := slices.ContainsFunc(m.Groups, func(g metricView) bool { return g.Place != nil })
	if places {
		header = append(header, "PLACE")
	}
	var parts []string
	for _, f := range append([]metricView{*m}, m.Groups...) {
		for _, p := range f.Parts {
			if !slices.Contains(parts, p.Name) {
				parts = append(parts, p.Name)
			}
		}
	}
	header = append(header, parts...)
	var rows [][]string
	for _, f := range append(slices.Clone(m.Groups), *m) {
		var row []string
		for i := range by {
			switch {
			case i < len(f.Keys) && f.Keys[i].Value != "":
				row = append(row, f.Keys[i].Title)
			case i < len(f.Keys):
				row = append(row, "(none)")
			case i == 0:
				row = append(row, "all")
			default:
				row = append(row, "")
			}
		}
		row = append(row, f.shown(f.Value), bounds(f.Low, f.High), fmt.Sprint(f.N), fmt.Sprint(f.People))
		if places {
			place := ""
			if f.Place != nil {
				place = fmt.Sprint(*f.Place)
			}
			row = append(row, place)
		}
		for _, name := range parts {
			text := ""
			for _, p := range f.Parts {
				if p.Name == name {
					text = number(p.Value)
				}
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	if err := printTable(header, rows); err != nil {
		return err
	}
	if m.Open > 0 {
		fmt.Printf("\n%d not over yet: they count as running times\n", m.Open)
	}
	for _, e := range m.Exclusions {
		fmt.Printf("left out: %d  %s (%s)\n", e.N, e.Text, e.Reason)
	}
	if c.Explain && m.Explain != nil {
		fmt.Printf("\nformula   %s\nsource    %s\nreading   %s\nfilters   ", m.Explain.Formula, m.Explain.Source, m.Explain.Reading)
		names := make([]string, 0, len(m.Explain.Filters))
		for name := range m.Explain.Filters {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			fmt.Printf("%s=%v ", name, m.Explain.Filters[name])
		}
		fmt.Println()
		for _, v := range m.Versions {
			fmt.Printf("version   %s %s\n", v.Name, v.Value)
		}
		fmt.Printf("for       %s\nnot for   %s\n", m.Definition.For, m.Definition.NotFor)
		if m.Explain.RowsPath != nil {
			fmt.Printf("rows      --rows FILE.csv, or GET %s\n", *m.Explain.RowsPath)
		}
	}
	return nil
}

// shown is the value as a person reads it: never a number where there is none.
func (m *metricView) shown(value *float64) string {
	switch {
	case m.Suppressed:
		return "hidden: fewer than 5 people"
	case m.NotReached:
		return "not reached"
	}
	return number(value)
}

func number(x *float64) string {
	if x == nil {
		return "none"
	}
	if *x >= 1000 || *x <= -1000 {
		return fmt.Sprintf("%.0f", *x)
	}
	return fmt.Sprintf("%.4g", *x)
}

func bounds(low, high *float64) string {
	if low == nil && high == nil {
		return ""
	}
	text := func(x *float64) string {
		if x == nil {
			return "?"
		}
		return number(x)
	}
	return text(low) + " to " + text(high)
}
