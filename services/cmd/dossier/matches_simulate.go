package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/dossier-cdp/dossier/services/api/manage"
)

type matchesSimulateCommand struct {
	target
	Config   string   `type:"existingfile" help:"A configuration, YAML or JSON, whose section identity is supposed; default: the one in force." placeholder:"FILE"`
	Model    string   `help:"A model instead of the section's: its name, none, or the file that dossier train wrote." placeholder:"NAME|FILE"`
	Merge    *float64 `help:"Bits from which on two profiles are one." placeholder:"BITS"`
	Link     *float64 `help:"Bits from which on a small profile joins the one that it fits best." placeholder:"BITS"`
	Margin   *float64 `help:"Bits by which that one must be ahead of every other." placeholder:"BITS"`
	Personas int      `default:"5000" help:"So many are looked at, at most; or in each part, with --all. More take longer, and say more of who shares what with whom."`
	All      bool     `help:"Look at everybody, part by part."`
	Samples  int      `default:"10" help:"So many changes of each kind are shown."`
	JSON     bool     `help:"Print JSON."`
}

func (matchesSimulateCommand) Help() string {
	return "Example: dossier matches simulate --model fr\n\nSays who would be merged and who would fall apart, and changes nothing. Needs a token with the scope admin."
}

type simulatedChange struct {
	Before []struct{ ID string }         `json:"before"`
	After  []struct{ Personas []string } `json:"after"`
}

type simulationView struct {
	Personas, All, Profiles, ProfilesAfter, Merged, Split float64
	Whole, Approximate                                    bool
	Merges, Splits                                        []simulatedChange
	Model, Next                                           *string
}

// section is the section identity to suppose; nil is the one in force.
func (c *matchesSimulateCommand) section(ctx context.Context, api *client) (json.RawMessage, error) {
	if c.Config == "" && c.Model == "" {
		return nil, nil
	}
	var document json.RawMessage
	if c.Config != "" {
		var err error
		if document, err = readConfigurationFile(c.Config); err != nil {
			return nil, err
		}
	} else {
		var line manage.ConfigurationLine
		if err := api.call(ctx, http.MethodGet, "/v1/configuration", nil, &line); err != nil {
			return nil, err
		}
		document = line.Document
	}
	var sections struct {
		Identity map[string]json.RawMessage `json:"identity"`
	}
	if err := json.Unmarshal(document, &sections); err != nil {
		return nil, fmt.Errorf("the configuration has no section identity that can be read: %w", err)
	}
	identity := sections.Identity
	if identity == nil {
		identity = map[string]json.RawMessage{}
	}
	if c.Model != "" {
		model, err := modelArgument(c.Model)
		if err != nil {
			return nil, err
		}
		identity["model"] = model
	}
	return json.Marshal(identity)
}

// modelArgument is a model as a section identity has it: by its name, or out of a file.
func modelArgument(nameOrFile string) (json.RawMessage, error) {
	if strings.HasSuffix(nameOrFile, ".json") {
		return os.ReadFile(nameOrFile)
	}
	return json.Marshal(nameOrFile)
}

func (c *matchesSimulateCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	section, err := c.section(ctx, api)
	if err != nil {
		return err
	}
	variables := map[string]any{"personas": c.Personas, "samples": c.Samples}
	if section != nil {
		variables["identity"] = section
	}
	thresholds := map[string]any{}
	for name, x := range map[string]*float64{"merge": c.Merge, "link": c.Link, "margin": c.Margin} {
		if x != nil {
			thresholds[name] = *x
		}
	}
	if len(thresholds) > 0 {
		variables["thresholds"] = thresholds
	}
	sum := simulationView{Merges: []simulatedChange{}, Splits: []simulatedChange{}}
	for {
		var answer struct{ Simulate *simulationView }
		err := api.query(ctx, `query($identity: JSON, $thresholds: ThresholdsInput, $personas: Int, $samples: Int, $after: ID) {
 simulate(identity: $identity, thresholds: $thresholds, personas: $personas, samples: $samples, after: $after) { personas all whole approximate profiles profilesAfter merged split model next
  merges { before { id } after { personas } } splits { before { id } after { personas } } } }`, variables, &answer)
		if err != nil {
			return err
		}
		part := answer.Simulate
		if part == nil {
			return &exit{exitFailed, errors.New("nothing was answered")}
		}
		sum.All, sum.Whole, sum.Approximate, sum.Model, sum.Next = part.All, part.Whole || c.All && part.Next == nil, part.Approximate, part.Model, part.Next
		sum.Personas += part.Personas
		sum.Profiles += part.Profiles
		sum.ProfilesAfter += part.ProfilesAfter
		sum.Merged += part.Merged
		sum.Split += part.Split
		sum.Merges = append(sum.Merges, part.Merges[:min(len(part.Merges), c.Samples-len(sum.Merges))]...)
		sum.Splits = append(sum.Splits, part.Splits[:min(len(part.Splits), c.Samples-len(sum.Splits))]...)
		if part.Next == nil || !c.All {
			break
		}
		fmt.Fprintf(os.Stderr, "%.0f profiles looked at\n", sum.Profiles)
		variables["after"] = *part.Next
	}
	if c.JSON {
		return printJSON(sum)
	}
	return sum.print()
}

func (s *simulationView) print() error {
	model := "no model"
	if s.Model != nil {
		model = "model " + *s.Model
	}
	fmt.Printf("%.0f profiles would be %.0f (%s): %.0f would be one with another, %.0f would fall apart\n", s.Profiles, s.ProfilesAfter, model, s.Merged, s.Split)
	var rows [][]string
	tell := func(what string, changes []simulatedChange) {
		for _, x := range changes {
			var before, after []string
			for _, p := range x.Before {
				before = append(before, p.ID)
			}
			for _, p := range x.After {
				after = append(after, strings.Join(p.Personas, " + "))
			}
			rows = append(rows, []string{what, strings.Join(before, ", "), strings.Join(after, " | ")})
		}
	}
	tell("merge", s.Merges)
	tell("split", s.Splits)
	if len(rows) > 0 {
		if err := printTable([]string{"CHANGE", "PROFILES", "PERSONAS OF EACH"}, rows); err != nil {
			return err
		}
	}
	if !s.Whole {
		fmt.Fprintf(os.Stderr, "this is a part (%.0f personas were looked at, of %.0f): --personas N looks at more at once, --all at everybody\n", s.Personas, s.All)
	}
	if s.Approximate {
		fmt.Fprintln(os.Stderr, "no model is in force, so what the dossiers keep was weighed: close, but not to the last profile, what applying it gives")
	}
	return nil
}
