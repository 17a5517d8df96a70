// Package verbatim reads and learns from files of texts, offline: nothing runs, nothing is sent.
package verbatim

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/services/importer"
)

// Scoring is a file of texts and how to read it.
type Scoring struct {
	Path, Text string
	Lang       string // the column with the language, if there is one
	Out        string
	Analyzer   *verbatim.Analyzer
	// Abstain leaves the polarity out below this confidence.
	Abstain float64
}

// Scored is what a scoring says of itself.
type Scored struct {
	Texts     int           `json:"texts"`
	Abstained int           `json:"abstained"`
	Unsure    int           `json:"unsure"`
	Faulty    int           `json:"faulty"` // rows that could not be read
	Critical  int           `json:"critical"`
	Elapsed   time.Duration `json:"-"`
	PerSecond float64       `json:"textsPerSecond"`
}

// Columns of the file that a scoring writes.
var scoreColumns = []string{"record", "language", "polarity", "confidence", "themes", "criticality", "reasons"}

// blockTexts are read together, by as many goroutines as there are cores.
const blockTexts = 2048

// Score reads the texts of a file and writes a row for each: the record is the row's number from 1. The file is there whole or not at all.
func Score(ctx context.Context, s Scoring) (Scored, error) {
	started := time.Now()
	var out Scored
	err := whole(s.Out, func(w *bufio.Writer) error {
		c := csv.NewWriter(w)
		if err := c.Write(scoreColumns); err != nil {
			return err
		}
		columns := []string{s.Text}
		if s.Lang != "" {
			columns = append(columns, s.Lang)
		}
		var block []entry
		flush := func() error {
			s.read(block)
			for i := range block {
				if err := c.Write(s.row(out.Texts+i+1, &block[i], &out)); err != nil {
					return err
				}
			}
			out.Texts += len(block)
			block = block[:0]
			return nil
		}
		size := 0
		err := importer.Rows(ctx, s.Path, columns, func(_ int, values []string, fault error) error {
			e := entry{text: strings.Clone(values[0]), hint: verbatim.Unknown, faulty: fault != nil}
			if len(values) > 1 {
				if l, ok := verbatim.ParseLanguage(strings.TrimSpace(values[1])); ok {
					e.hint = l
				}
			}
			block = append(block, e)
			if size += len(e.text); len(block) == blockTexts || size > 8<<20 {
				size = 0
				return flush()
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := flush(); err != nil {
			return err
		}
		c.Flush()
		return c.Error()
	})
	out.Elapsed = time.Since(started)
	out.PerSecond = float64(out.Texts) / out.Elapsed.Seconds()
	return out, err
}

// entry is one text of a file.
type entry struct {
	text    string
	hint    verbatim.Language
	faulty  bool
	reading verbatim.Reading
}

// read reads a block of texts, each by one goroutine.
func (s *Scoring) read(block []entry) {
	var wait sync.WaitGroup
	n := min(runtime.GOMAXPROCS(0), 8)
	for k := range n {
		wait.Go(func() {
			for i := k; i < len(block); i += n {
				block[i].reading = s.Analyzer.Read(block[i].text, block[i].hint)
			}
		})
	}
	wait.Wait()
}

func (s *Scoring) row(record int, e *entry, out *Scored) []string {
	r := &e.reading
	polarity := r.Polarity.String()
	if float64(r.Confidence) < s.Abstain {
		polarity = ""
	}
	reasons := r.ReasonList()
	switch {
	case e.faulty:
		out.Faulty++
		reasons = "the row could not be read"
	case polarity == "":
		out.Abstained++
	}
	if r.Unsure {
		out.Unsure++
	}
	if r.Criticality == verbatim.Critical {
		out.Critical++
	}
	return []string{
		strconv.Itoa(record), r.Language.String(), polarity, strconv.FormatFloat(float64(r.Confidence), 'f', 3, 32), r.ThemeList(), r.Criticality.String(), reasons,
	}
}

// Sources are files of labelled texts and their columns. An empty column is not there.
type Sources struct {
	Paths                                []string
	Text, Lang, Polarity, Themes, Source string
	// Only keeps the rows whose column has one of the values: column=value,value.
	Only string
}

// Read reads all labelled texts.
func (s *Sources) Read(ctx context.Context) ([]verbatim.Labelled, error) {
	var columns []string
	place := func(name string) int {
		if name == "" {
			return -1
		}
		if at := slices.Index(columns, name); at >= 0 {
			return at
		}
		columns = append(columns, name)
		return len(columns) - 1
	}
	only, list, some := strings.Cut(s.Only, "=")
	if s.Only != "" && (!some || only == "" || list == "") {
		return nil, fmt.Errorf("--only wants column=value,value")
	}
	kept := strings.Split(list, ",")
	text, lang, polarity, themes, source, filter := place(s.Text), place(s.Lang), place(s.Polarity), place(s.Themes), place(s.Source), place(only)
	var out []verbatim.Labelled
	for _, path := range s.Paths {
		err := importer.Rows(ctx, path, columns, func(n int, values []string, fault error) error {
			if fault != nil {
				return fmt.Errorf("%s, row %d: %w", path, n, fault)
			}
			get := func(at int) string {
				if at < 0 {
					return ""
				}
				return strings.Clone(values[at])
			}
			if filter >= 0 && !slices.Contains(kept, get(filter)) {
				return nil
			}
			l := verbatim.Labelled{Text: get(text), Language: verbatim.Unknown, Group: get(source)}
			if code := strings.TrimSpace(get(lang)); code != "" {
				known, ok := verbatim.ParseLanguage(code)
				if !ok {
					return fmt.Errorf("%s, row %d: the language %.10q is not one of de en es fr it nl pt; leave it empty, or take the row out", path, n, code)
				}
				l.Language = known
			}
			label, ok := verbatim.ParseLabel(get(polarity))
			if !ok {
				return fmt.Errorf("%s, row %d: the polarity is none of pos neg neu mix none; correct the label, or leave it empty", path, n)
			}
			l.Polarity = label
			for _, theme := range strings.Split(get(themes), "|") {
				if theme = strings.TrimSpace(theme); theme != "" {
					l.Themes = append(l.Themes, theme)
				}
			}
			out = append(out, l)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// WriteModel writes a model whole or not at all.
func WriteModel(path string, m *verbatim.Model) error {
	stored, err := m.Encode()
	if err != nil {
		return err
	}
	return whole(path, func(w *bufio.Writer) error {
		_, err := w.Write(stored)
		return err
	})
}

// WriteFile writes a file whole or not at all.
func WriteFile(path string, content []byte) error {
	return whole(path, func(w *bufio.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// whole writes a file beside its place and renames it when it is complete.
func whole(path string, write func(*bufio.Writer) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(file.Name()) // after the rename there is nothing to remove
	w := bufio.NewWriterSize(file, 1<<20)
	if err := write(w); err != nil {
		file.Close() // the first error counts
		return err
	}
	if err := w.Flush(); err != nil {
		file.Close() // the first error counts
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := file.Chmod(0o644); err != nil {
		file.Close() // the first error counts
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
