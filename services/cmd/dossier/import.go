package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	_ "time/tzdata" // zones of mappings, also where the system has none

	"github.com/dossier-cdp/dossier/services/importer"
)

type importCommand struct {
	target
	Files  []string `arg:"" name:"file" help:"CSV, TSV, NDJSON or JSON, also gzip or zstd."`
	Map    string   `required:"" type:"existingfile" help:"The mapping (deploy/mappings/README.md)." placeholder:"MAP.yaml"`
	Source string   `help:"Name the source of every event, instead of the mapping's." placeholder:"NAME"`
	Wait   bool     `help:"Return when all events can be queried."`
	JSON   bool     `help:"Print the summary as JSON."`
}

func (importCommand) Help() string {
	return `Example: dossier import clients.csv --map deploy/mappings/clients_fr.yaml --wait

Importing again adds nothing, and an import that was interrupted is carried on by the same command. Refused rows are in FILE.refused.ndjson with their reasons; exit 3 if there are any.`
}

func (c *importCommand) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if api.WriteKey == "" {
		return &exit{exitMisused, errors.New("import needs the server key: name the installation with --data")}
	}
	compiled, err := readMapping(c.Map)
	if err != nil {
		return err
	}
	complete := true
	var failures []error
	var summaries []*importer.Summary
	shown := newProgress("bytes")
	results := importer.Files(ctx, importer.Config{
		URL: api.URL, Key: api.WriteKey, Mapping: compiled, Source: c.Source, Folder: c.bookmarks(),
		Progress: func(p importer.Progress) { shown.rows(p.Rows, p.Bytes, p.Total, p.Left, p.Done) },
	}, c.Files)
	shown.done()
	for n, r := range results {
		if wrong := (*importer.WrongFile)(nil); errors.As(r.Err, &wrong) { // it names the file, and nothing of it was sent
			failures = append(failures, r.Err)
			continue
		}
		if r.Err != nil {
			failures = append(failures, fmt.Errorf("%s: %w; the same command carries on", c.Files[n], r.Err))
		}
		if r.Summary == nil {
			complete = false
			continue
		}
		summaries = append(summaries, r.Summary)
		complete = complete && r.Summary.Complete()
		if !c.JSON {
			c.print(r.Summary)
		}
	}
	failure := errors.Join(failures...)
	if failure == nil && ctx.Err() != nil {
		failure = errors.New("stopped; the same command carries on")
	}
	if c.JSON {
		if err := printJSON(summaries); err != nil {
			return err
		}
	}
	if failure != nil {
		return failure
	}
	if c.Wait {
		var answer map[string]bool
		if err := api.call(ctx, http.MethodPost, "/v1/wait", nil, &answer); err != nil {
			return fmt.Errorf("wait until all can be queried: %w", err)
		}
	}
	if !complete {
		return &exit{exitAmbiguous, errors.New("not every row was imported")}
	}
	return nil
}

// bookmarks is the folder where it is kept how far imports came: of the installation, if it is here.
func (c *importCommand) bookmarks() string {
	if info, err := os.Stat(c.Data); err == nil && info.IsDir() {
		return filepath.Join(c.Data, "imports")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "" // then an import that was interrupted begins anew, which adds nothing
	}
	return filepath.Join(cache, "dossier", "imports")
}

func (c *importCommand) print(s *importer.Summary) {
	if len(c.Files) > 1 {
		fmt.Printf("%s\n", s.File)
	}
	fmt.Printf("read %d, accepted %d, refused %d\n", s.Read, s.Accepted, s.Refused)
	if s.Resumed > 0 {
		fmt.Printf("  %d rows of these had been sent before\n", s.Resumed)
	}
	if s.Empty > 0 {
		fmt.Printf("  %d rows are no event under the mapping's conditions\n", s.Empty)
	}
	if s.Skipped != "" {
		fmt.Printf("  passed over: %s\n", s.Skipped)
	}
	for _, column := range s.Missing {
		fmt.Printf("  the file has no column %s, which the mapping names\n", column)
	}
	if s.Cut != "" {
		fmt.Printf("  not read to its end: %s\n", s.Cut)
	}
	if s.Refusals != "" {
		fmt.Printf("  refused rows and reasons: %s\n", s.Refusals)
	}
}
