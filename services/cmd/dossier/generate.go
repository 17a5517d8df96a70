package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/dossier-cdp/dossier/pipelines/population"
	"github.com/dossier-cdp/dossier/services/generator"
)

type generateCommand struct {
	People   int    `default:"10000" help:"How many people to invent."`
	Seed     uint64 `default:"1" help:"Another seed, other people."`
	Country  string `default:"fr" enum:"fr,gb" help:"Whose names and addresses: fr or gb."`
	Out      string `help:"The file to write, with a header (default: the standard output)." placeholder:"FILE"`
	Gzip     bool   `help:"Compress the file; a name that ends in .gz says so, too."`
	Rates    bool   `help:"Print the rates of habits and slips, and invent nobody."`
	Override string `help:"A YAML file with rates to use instead of the published ones: 'NAME: SHARE' lines." type:"existingfile" placeholder:"RATES.yaml"`
	JSON     bool   `help:"Print the summary, or the rates, as JSON."`
}

func (generateCommand) Help() string {
	return `Example: dossier generate --people 100000 --seed 7 --out customers.csv.gz
Example: dossier generate --rates

Invents customers as eight systems of a retailer know them, in the columns of deploy/mappings/clients_fr.yaml (clients_gb.yaml for --country gb). The
column person_id says who each row is in truth about; it is empty where nobody could tell. One seed gives one file, and person k is the same in a
file of any size. Nobody in it exists; mailboxes are on .example, but telephone numbers may be somebody's: never dial them.`
}

// Run writes the file, or the table of rates.
func (c *generateCommand) Run(ctx context.Context) error {
	set := map[string]float64{}
	if c.Override != "" {
		raw, err := os.ReadFile(c.Override)
		if err != nil {
			return err
		}
		if err := yaml.Unmarshal(raw, &set); err != nil {
			return &exit{exitMisused, fmt.Errorf("%s is no list of rates, 'NAME: SHARE' lines: %s", c.Override, firstLine(err))}
		}
	}
	p, err := population.New(population.Plan{Country: c.Country, People: c.People, Seed: c.Seed, Rates: set})
	if err != nil {
		return &exit{exitMisused, err}
	}
	if c.Rates {
		return c.printRates(set)
	}
	began := time.Now()
	var result generator.Result
	if c.Out == "" || c.Out == "-" {
		result, err = c.write(ctx, os.Stdout, p, "")
	} else {
		result, err = c.writeFile(ctx, p)
	}
	if err != nil {
		return err
	}
	took := time.Since(began)
	if c.JSON && c.Out != "" && c.Out != "-" {
		return printJSON(struct {
			People int `json:"people"`
			generator.Result
			Seconds float64 `json:"seconds"`
		}{c.People, result, took.Seconds()})
	}
	fmt.Fprintf(os.Stderr, "people %d, records %d, of which %d labelled, in %.1f s\n", c.People, result.Records, result.Labelled, took.Seconds())
	return nil
}

// writeFile writes the file beside its place first: what is there is whole, or what was there before.
func (c *generateCommand) writeFile(ctx context.Context, p *population.Population) (result generator.Result, err error) {
	partial := c.Out + ".partial"
	f, err := os.Create(partial)
	if err != nil {
		return result, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(partial))
		}
	}()
	result, err = c.write(ctx, f, p, filepath.Dir(c.Out))
	if err = errors.Join(err, f.Close()); err != nil {
		return result, err
	}
	return result, os.Rename(partial, c.Out)
}

func (c *generateCommand) write(ctx context.Context, w io.Writer, p *population.Population, dir string) (result generator.Result, err error) {
	if c.Gzip || strings.HasSuffix(c.Out, ".gz") {
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			return result, err
		}
		defer func() { err = errors.Join(err, z.Close()) }()
		w = z
	}
	return generator.Write(ctx, w, p, generator.Options{Dir: dir})
}

func (c *generateCommand) printRates(set map[string]float64) error {
	rates := population.Rates(c.Country)
	for i, r := range rates {
		if v, ok := set[r.Name]; ok {
			rates[i].Value = v
		}
	}
	if c.JSON {
		return printJSON(rates)
	}
	rows := make([][]string, len(rates))
	for i, r := range rates {
		rows[i] = []string{r.Name, fmt.Sprintf("%.4g", r.Value), r.About}
	}
	return printTable([]string{"RATE", "SHARE", "OF WHAT"}, rows)
}
