package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

type segmentsCommand struct {
	List    segmentsList    `cmd:"" help:"List the segments with how many are in."`
	Show    segmentsShow    `cmd:"" help:"Print a segment: in words, as YAML, and its versions."`
	Save    segmentsSave    `cmd:"" help:"Make files the segments of their names."`
	Preview segmentsPreview `cmd:"" help:"Say who would be in, before anything is saved."`
	Explain segmentsExplain `cmd:"" help:"Say why somebody is in a segment, or is not."`
	Export  segmentsExport  `cmd:"" help:"Write who is in, as CSV, Parquet or NDJSON."`
	Watch   segmentsWatch   `cmd:"" help:"Print who enters and leaves, as it happens."`
}

func (segmentsCommand) Help() string {
	return "Example: dossier segments preview champions.yaml --reach, then dossier segments save champions.yaml --reason 'spring campaign'\n\n" +
		"A file holds one definition; its name without the ending is the segment's. deploy/segments.md has the language."
}

type segmentsList struct {
	target
	Archived bool   `help:"List archived ones, too."`
	Language string `enum:"en,fr" default:"en" help:"Of sentences: en or fr."`
	JSON     bool   `help:"Print JSON."`
}

func (segmentsList) Help() string { return "Example: dossier segments list" }

type segmentView struct {
	Name        string          `json:"name"`
	Title       *string         `json:"title"`
	Owner       *string         `json:"owner"`
	Description *string         `json:"description,omitempty"`
	Zone        string          `json:"zone"`
	Archived    bool            `json:"archived"`
	Version     string          `json:"version"`
	Sentence    string          `json:"sentence"`
	Count       *int            `json:"count,omitempty"`
	Definition  json.RawMessage `json:"definition,omitempty"`
	Versions    []struct {
		Number int     `json:"number"`
		At     string  `json:"at"`
		Actor  string  `json:"actor"`
		Reason *string `json:"reason"`
	} `json:"versions,omitempty"`
}

func (c *segmentsList) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct{ Segments []segmentView }
	err = api.query(ctx, `query($archived: Boolean, $language: String) { segments(archived: $archived) { name title owner zone archived version sentence(language: $language) count } }`,
		map[string]any{"archived": c.Archived, "language": c.Language}, &answer)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(append([]segmentView{}, answer.Segments...))
	}
	var rows [][]string
	for _, s := range answer.Segments {
		rows = append(rows, []string{s.Name, strconv.Itoa(*s.Count), text(s.Owner), s.Version[:12], s.Sentence})
	}
	return printTable([]string{"NAME", "PEOPLE", "OWNER", "VERSION", "WHO"}, rows)
}

type segmentsShow struct {
	target
	Name     string `arg:"" help:"The segment."`
	Language string `enum:"en,fr" default:"en" help:"Of sentences: en or fr."`
	JSON     bool   `help:"Print JSON."`
}

func (segmentsShow) Help() string {
	return "Example: dossier segments show champions > champions.yaml\n\nThe definition is YAML that 'segments save' takes; the rest stands in its comments."
}

func (c *segmentsShow) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var answer struct{ Segment *segmentView }
	err = api.query(ctx, `query($name: String!, $language: String) { segment(name: $name) { name title owner description zone archived version sentence(language: $language) definition versions { number at actor reason } } }`,
		map[string]any{"name": c.Name, "language": c.Language}, &answer)
	if err != nil {
		return err
	}
	s := answer.Segment
	if s == nil {
		return &exit{exitFailed, fmt.Errorf("there is no segment %q: 'dossier segments list' names them", c.Name)}
	}
	if c.JSON {
		return printJSON(s)
	}
	definition, err := yaml.JSONToYAML(s.Definition)
	if err != nil {
		return err
	}
	fmt.Printf("# %s\n# %s\n", s.Name, s.Sentence)
	for _, v := range s.Versions {
		fmt.Printf("# version %d, %s, by %s: %s\n", v.Number, v.At, v.Actor, strings.ReplaceAll(text(v.Reason), "\n", " "))
	}
	fmt.Print(string(definition))
	return nil
}

// readSegment reads a definition from a file, and its name from the file's.
func readSegment(path string) (name string, definition json.RawMessage, err error) {
	if definition, err = readConfigurationFile(path); err != nil {
		return "", nil, err
	}
	name = path[strings.LastIndexByte(path, '/')+1:]
	name, _, _ = strings.Cut(name, ".")
	return name, definition, nil
}

type segmentsSave struct {
	target
	File   []string `arg:"" type:"existingfile" help:"YAML or JSON, one definition each."`
	Reason string   `help:"Why; kept in the history." default:"segments save"`
	JSON   bool     `help:"Print JSON."`
}

func (segmentsSave) Help() string {
	return "Example: dossier segments save segments/*.yaml --reason 'spring campaign'"
}

func (c *segmentsSave) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var saved []segmentView
	for _, path := range c.File {
		name, definition, err := readSegment(path)
		if err != nil {
			return err
		}
		var answer struct{ SaveSegment segmentView }
		err = api.query(ctx, `mutation($name: String!, $definition: JSON!, $reason: String!, $key: String!) { saveSegment(name: $name, definition: $definition, reason: $reason, idempotencyKey: $key) { name zone archived version sentence } }`,
			map[string]any{"name": name, "definition": definition, "reason": c.Reason, "key": rand.Text()}, &answer)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		saved = append(saved, answer.SaveSegment)
		if !c.JSON {
			fmt.Printf("%s  %s  %s\n", answer.SaveSegment.Version[:12], answer.SaveSegment.Name, answer.SaveSegment.Sentence)
		}
	}
	if c.JSON {
		return printJSON(saved)
	}
	return nil
}

type segmentsPreview struct {
	target
	Segment  string `arg:"" help:"A file with a definition, or the name of a segment."`
	At       string `help:"As of this time; default: now. RFC 3339." placeholder:"TIME"`
	Sample   int    `default:"5" help:"So many members' ids."`
	Reach    bool   `help:"Count how many may be contacted, by purpose and channel."`
	Overlaps bool   `help:"Count how many are in each other segment, too."`
	Language string `enum:"en,fr" default:"en" help:"Of sentences: en or fr."`
	JSON     bool   `help:"Print JSON."`
}

func (segmentsPreview) Help() string {
	return "Example: dossier segments preview champions.yaml --reach"
}

func (c *segmentsPreview) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	variables := map[string]any{"name": c.Segment, "language": c.Language, "sample": c.Sample, "reach": c.Reach, "overlaps": c.Overlaps}
	// No segment's name has such an ending: whoever mistypes a file's name is told of the file.
	ending := filepath.Ext(c.Segment)
	if _, err := os.Stat(c.Segment); err == nil || ending == ".yaml" || ending == ".yml" || ending == ".json" {
		name, definition, err := readSegment(c.Segment)
		if err != nil {
			return err
		}
		variables["name"], variables["definition"] = name, definition
	}
	if c.At != "" {
		variables["at"] = c.At
	}
	var answer struct {
		PreviewSegment struct {
			At       string   `json:"at"`
			Count    int      `json:"count"`
			People   int      `json:"people"`
			Entering int      `json:"entering"`
			Leaving  int      `json:"leaving"`
			Sentence string   `json:"sentence"`
			Sample   []string `json:"sample"`
			Warnings []string `json:"warnings"`
			Reach    []struct {
				Purpose string `json:"purpose"`
				Channel string `json:"channel"`
				People  int    `json:"people"`
			} `json:"reach"`
			Overlaps []struct {
				Segment string `json:"segment"`
				People  int    `json:"people"`
			} `json:"overlaps"`
		}
	}
	err = api.query(ctx, `query($name: String, $definition: JSON, $at: Time, $sample: Int, $reach: Boolean, $overlaps: Boolean, $language: String) {
 previewSegment(name: $name, definition: $definition, at: $at, sample: $sample, changes: true, reach: $reach, overlaps: $overlaps) {
  at count people entering leaving sentence(language: $language) sample warnings reach { purpose channel people } overlaps { segment people } } }`, variables, &answer)
	if err != nil {
		return err
	}
	p := answer.PreviewSegment
	if c.JSON {
		return printJSON(p)
	}
	fmt.Printf("%s\n%d of %d people at %s", p.Sentence, p.Count, p.People, p.At)
	if p.Entering+p.Leaving > 0 {
		fmt.Printf("; saved, %d would enter and %d leave", p.Entering, p.Leaving)
	}
	fmt.Println()
	for _, w := range p.Warnings {
		fmt.Fprintln(os.Stderr, "dossier: "+w)
	}
	for _, r := range p.Reach {
		fmt.Printf("  %s by %s: %d may be contacted\n", r.Purpose, r.Channel, r.People)
	}
	for _, o := range p.Overlaps {
		fmt.Printf("  also in %s: %d\n", o.Segment, o.People)
	}
	for _, id := range p.Sample {
		fmt.Println("  " + id)
	}
	return nil
}

type segmentsExplain struct {
	target
	Name       string             `arg:"" help:"The segment."`
	Identifier identifierArgument `arg:"" help:"KIND:VALUE of somebody, such as email:anna@example.com or profile:ID."`
	At         string             `help:"As of this time; default: now. RFC 3339." placeholder:"TIME"`
	Language   string             `enum:"en,fr" default:"en" help:"Of sentences: en or fr."`
	JSON       bool               `help:"Print JSON."`
}

func (segmentsExplain) Help() string {
	return "Example: dossier segments explain champions email:anna@example.com\n\nExit 3 if several people own the identifier."
}

func (c *segmentsExplain) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var who struct {
		Dossiers []struct{ Profile struct{ ID string } }
	}
	if err := api.query(ctx, `query($identifier: IdentifierInput!) { dossiers(identifier: $identifier) { profile { id } } }`, map[string]any{"identifier": c.Identifier.variables()}, &who); err != nil {
		return err
	}
	switch {
	case len(who.Dossiers) == 0:
		return &exit{exitFailed, fmt.Errorf("nobody owns this %s", c.Identifier.Kind)}
	case len(who.Dossiers) > 1:
		return &exit{exitAmbiguous, fmt.Errorf("%d profiles own this %s; explain one by profile:ID", len(who.Dossiers), c.Identifier.Kind)}
	}
	variables := map[string]any{"name": c.Name, "profile": who.Dossiers[0].Profile.ID, "language": c.Language}
	if c.At != "" {
		variables["at"] = c.At
	}
	var answer struct {
		Segment *struct {
			Explain *struct {
				Profile    string  `json:"profile"`
				Member     bool    `json:"member"`
				At         string  `json:"at"`
				Next       *string `json:"next"`
				Conditions []struct {
					Sentence string   `json:"sentence"`
					Met      bool     `json:"met"`
					Exclude  bool     `json:"exclude"`
					Found    *string  `json:"found"`
					Events   []string `json:"events"`
				} `json:"conditions"`
			}
			Changes []struct {
				At      string
				Entered bool
				Cause   string
			}
		}
	}
	err = api.query(ctx, `query($name: String!, $profile: ID!, $at: Time, $language: String) { segment(name: $name) { explain(profile: $profile, at: $at, language: $language) {
 profile member at next conditions { sentence met exclude found events } } changes(first: 10, profile: $profile) { at entered cause } } }`, variables, &answer)
	if err != nil {
		return err
	}
	if answer.Segment == nil {
		return &exit{exitFailed, fmt.Errorf("there is no segment %q: 'dossier segments list' names them", c.Name)}
	}
	e := answer.Segment.Explain
	if e == nil {
		return &exit{exitFailed, fmt.Errorf("nobody owns this %s", c.Identifier.Kind)}
	}
	if c.JSON {
		return printJSON(e)
	}
	in := "is not in"
	if e.Member {
		in = "is in"
	}
	fmt.Printf("%s %s %s at %s\n", e.Profile, in, c.Name, e.At)
	if e.Next != nil {
		fmt.Printf("time alone may change that at %s\n", *e.Next)
	}
	var rows [][]string
	for _, x := range e.Conditions {
		met := "no"
		if x.Met {
			met = "yes"
		}
		kind := "where"
		if x.Exclude {
			kind = "exclude"
		}
		rows = append(rows, []string{met, kind, x.Sentence, text(x.Found), strings.Join(x.Events[:min(3, len(x.Events))], " ")})
	}
	if err := printTable([]string{"MET", "PART", "CONDITION", "FOUND", "EVENTS"}, rows); err != nil {
		return err
	}
	for _, h := range answer.Segment.Changes {
		word := "left"
		if h.Entered {
			word = "entered"
		}
		fmt.Printf("%s  %s  by %s\n", h.At, word, h.Cause)
	}
	return nil
}

type segmentsExport struct {
	target
	Name string `arg:"" help:"The segment."`
	At   string `help:"As of this time; default: now. RFC 3339." placeholder:"TIME"`
	Out  string `help:"The file; its ending says the form: .csv, .parquet or .ndjson. Default: CSV to stdout." placeholder:"FILE" type:"path"`
	JSON bool   `help:"Write NDJSON."`
}

func (segmentsExport) Help() string {
	return "Example: dossier segments export champions --out champions.csv\n\nOne id a line. Ids are no contact points: who may be contacted is decided when something is sent."
}

func (c *segmentsExport) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	options := url.Values{"format": {"csv"}}
	if c.JSON {
		options.Set("format", "ndjson")
	}
	for _, form := range []string{"csv", "parquet", "ndjson"} {
		if strings.HasSuffix(c.Out, "."+form) {
			options.Set("format", form)
		}
	}
	if c.At != "" {
		options.Set("at", c.At)
	}
	response, err := api.do(ctx, http.MethodGet, "/v1/segments/"+url.PathEscape(c.Name)+"/members?"+options.Encode(), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var out io.WriteCloser = os.Stdout
	if c.Out != "" {
		if out, err = os.Create(c.Out); err != nil {
			return err
		}
	}
	_, err = io.Copy(out, response.Body)
	if c.Out != "" {
		if closed := out.Close(); err == nil {
			err = closed
		}
	}
	if err != nil {
		return fmt.Errorf("the export is cut: %w", err)
	}
	if cut := response.Trailer.Get("Dossier-Error"); cut != "" {
		return fmt.Errorf("the export is cut: %s", cut)
	}
	return nil
}

type segmentsWatch struct {
	target
	Name  string        `arg:"" help:"The segment."`
	Every time.Duration `default:"500ms" help:"How often it is asked."`
	For   time.Duration `help:"Stop after this time (default: with Ctrl-C)."`
	JSON  bool          `help:"Print NDJSON instead of CSV."`
}

func (segmentsWatch) Help() string { return "Example: dossier segments watch champions --json" }

func (c *segmentsWatch) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	type change struct {
		ID      string  `json:"id"`
		Profile string  `json:"profile"`
		At      string  `json:"at"`
		Entered bool    `json:"entered"`
		Cause   string  `json:"cause"`
		Event   *string `json:"event"`
	}
	ask := func() (list []change, err error) {
		var answer struct{ Segment *struct{ Changes []change } }
		err = api.query(ctx, `query($name: String!) { segment(name: $name) { changes(first: 500) { id profile at entered cause event } } }`, map[string]any{"name": c.Name}, &answer)
		if err == nil && answer.Segment == nil {
			err = &exit{exitFailed, fmt.Errorf("there is no segment %q: 'dossier segments list' names them", c.Name)}
		}
		if err != nil {
			return nil, err
		}
		return answer.Segment.Changes, nil
	}
	told := map[string]bool{}
	list, err := ask()
	if err != nil {
		return err
	}
	for _, x := range list {
		told[x.ID] = true
	}
	out := bufio.NewWriter(os.Stdout)
	rows := csv.NewWriter(out)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(c.Every, 50*time.Millisecond)):
		}
		list, err := ask()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		fresh := 0
		for n := len(list) - 1; n >= 0; n-- { // oldest first
			x := list[n]
			if told[x.ID] {
				continue
			}
			told[x.ID] = true
			fresh++
			if c.JSON {
				if err := json.NewEncoder(out).Encode(x); err != nil {
					return err
				}
			} else if err := rows.Write([]string{x.At, map[bool]string{true: "entered", false: "left"}[x.Entered], x.Profile, x.Cause, text(x.Event)}); err != nil {
				return err
			}
		}
		if fresh == len(list) && fresh == 500 {
			fmt.Fprintln(os.Stderr, "dossier: more than 500 changes came at once: some are not shown; the topic decisions has them all")
		}
		rows.Flush()
		if err := out.Flush(); err != nil {
			return err
		}
	}
}
