// Package resolution says who is who in a file, offline: the identity core and nothing else. Rows become events by a mapping, as an import
// would make them, and go one at a time through the exact strata and the model.
package resolution

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/channel/offline"
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/importer"
)

// File is a file of records and how to read it.
type File struct {
	Path    string
	Mapping *mapping.Mapping
	Model   *match.Model
	Rules   *identity.Rules
	// Shuffle takes the records in an order drawn from the seed; nil is the file's order. The answer is the same.
	Shuffle *uint64
	// Labels is the column that says who each record is in truth about, "" if there is none; a record without a label is not scored. Label, if
	// it is not nil, is what of the column is the label: the first group.
	Labels string
	Label  *regexp.Regexp
}

// Summary is what a resolution says of itself.
type Summary struct {
	Records   int           `json:"records"`
	Personas  int           `json:"personas"`
	Cores     int           `json:"cores"`
	Profiles  int           `json:"profiles"`
	Possible  int           `json:"possible"`
	Seconds   float64       `json:"seconds"`
	PerSecond float64       `json:"recordsPerSecond"`
	PeakBytes int64         `json:"peakBytes"`
	Model     string        `json:"model"`
	Compared  float64       `json:"comparedPerRecord"`
	Decided   float64       `json:"decidedPerRecord"`
	Largest   int           `json:"largestRegion"`
	Most      int           `json:"mostComparedForOne"`
	Blocks    match.Blocks  `json:"blocks"`
	Time      Time          `json:"time"`
	Quality   *Quality      `json:"quality,omitempty"` // of files with labels
	Elapsed   time.Duration `json:"-"`
}

// Time says where it went, in seconds: reading and mapping the file, bringing what records say into normal form, the exact strata, looking up
// and weighing candidates, and deciding regions.
type Time struct {
	Reading    float64 `json:"reading"`
	Attributes float64 `json:"attributes"`
	Exact      float64 `json:"exact"`
	Comparing  float64 `json:"comparing"`
	Deciding   float64 `json:"deciding"`
}

// stopwatch tells the phases of deciding apart.
type stopwatch struct {
	spent [match.Phases]time.Duration
	now   match.Phase
	since time.Time
}

func (w *stopwatch) begin(phase match.Phase) {
	at := time.Now()
	w.spent[w.now] += at.Sub(w.since)
	w.now, w.since = phase, at
}

func (w *stopwatch) time() Time {
	w.begin(match.PhaseOther)
	of := func(p match.Phase) float64 { return w.spent[p].Seconds() }
	return Time{of(match.PhaseOther), of(match.PhaseAttributes), of(match.PhaseExact), of(match.PhaseCompare), of(match.PhaseDecide)}
}

// record is one record of the file, the persona that it belongs to, and whom it is in truth about.
type record struct {
	name    string
	persona identity.NodeID
	label   string
}

// hasher hashes identifiers within one process: nothing of it is kept.
type hasher struct{ *offline.Ids }

// Resolution is who is who in a file.
type Resolution struct {
	Summary Summary
	records []record
	people  *match.People
	model   *match.Model
	watch   stopwatch
	ids     map[identity.NodeID]identity.NodeID
	maybe   []match.PossibleMatch // once asked for
}

func newPeople(rules *identity.Rules, m *match.Model) *match.People {
	return match.NewPeople(hasher{offline.NewIds()}, rules, m)
}

// Resolve reads a file and decides, one record at a time. The answer does not depend on the order of the records.
func Resolve(ctx context.Context, f File) (*Resolution, error) {
	started := time.Now()
	rules, err := match.CoreRules(f.Rules)
	if err != nil {
		return nil, err
	}
	r := &Resolution{people: newPeople(rules, f.Model), model: f.Model}
	r.watch.since = started
	r.people.Watch = r.watch.begin
	expected, err := lines(f.Path)
	if err != nil {
		return nil, err
	}
	r.people.Set().Expect(expected)
	seen := map[string]bool{}
	note := func(in *importer.Record, e *schema.Event) error {
		if seen[in.Name] {
			return nil
		}
		label, err := f.label(in)
		if err != nil {
			return err
		}
		name := strings.Clone(in.Name)
		seen[name] = true
		r.records = append(r.records, record{name, e.Persona, label})
		return nil
	}
	if f.Shuffle == nil {
		err = importer.Events(ctx, f.Mapping, f.Path, func(in *importer.Record, e *schema.Event) error {
			if err := note(in, e); err != nil {
				return err
			}
			r.people.Add(e)
			return r.people.Resolve()
		})
	} else {
		err = r.shuffled(ctx, f, note)
	}
	if err != nil {
		return nil, err
	}
	if err := r.people.Settle(); err != nil {
		return nil, err
	}
	r.summarise(f, time.Since(started))
	if f.Labels != "" {
		if r.Summary.Quality, err = r.quality(ctx, f); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// lines counts the lines of a file: about as many as it has records if it is plain text, fewer if it is compressed. It is a matter of speed alone (match.Set.Expect).
func lines(path string) (n int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffer := make([]byte, 1<<16)
	for {
		read, err := file.Read(buffer)
		n += bytes.Count(buffer[:read], []byte{'\n'})
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// label gives whom a record is in truth about.
func (f *File) label(in *importer.Record) (string, error) {
	if f.Labels == "" {
		return "", nil
	}
	return labelOf(in, f.Labels, f.Label)
}

func labelOf(in *importer.Record, column string, cut *regexp.Regexp) (string, error) {
	text, ok := in.Column(column)
	if !ok {
		return "", fmt.Errorf("there is no column %s in record %s: name the column that says who is who", column, in.Name)
	}
	text = strings.TrimSpace(text)
	if cut == nil || text == "" {
		return strings.Clone(text), nil
	}
	found := cut.FindStringSubmatch(text)
	if len(found) < 2 {
		return "", fmt.Errorf("column %s of record %s does not fit the expression that cuts out the label", column, in.Name)
	}
	return strings.Clone(found[1]), nil
}

// shuffled holds all events in memory to take them in another order.
func (r *Resolution) shuffled(ctx context.Context, f File, note func(*importer.Record, *schema.Event) error) error {
	var events []*schema.Event
	err := importer.Events(ctx, f.Mapping, f.Path, func(in *importer.Record, e *schema.Event) error {
		if err := note(in, e); err != nil {
			return err
		}
		events = append(events, offline.Copy(e))
		return nil
	})
	if err != nil {
		return err
	}
	rand.New(rand.NewPCG(*f.Shuffle, 0)).Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	for n, e := range events {
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		r.people.Add(e)
		if err := r.people.Resolve(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Resolution) summarise(f File, elapsed time.Duration) {
	set := r.people.Set()
	profiles := r.people.Profiles()
	s := Summary{
		Records: len(r.records), Personas: r.people.Personas(), Cores: set.Len(), Profiles: len(profiles), Model: f.Model.Name + " " + f.Model.Version(),
		Elapsed: elapsed, Seconds: elapsed.Seconds(), PeakBytes: peak(), Largest: set.Work.Largest, Most: set.Work.Most, Blocks: set.Blocks(),
		Time: r.watch.time(),
	}
	if n := float64(s.Records); n > 0 {
		s.PerSecond, s.Compared, s.Decided = n/elapsed.Seconds(), float64(set.Work.Compared)/n, float64(set.Work.Decided)/n
	}
	r.ids = idsOf(profiles)
	r.Summary = s
}

func idsOf(profiles []match.Person) map[identity.NodeID]identity.NodeID {
	ids := map[identity.NodeID]identity.NodeID{}
	for i := range profiles {
		for _, m := range profiles[i].Members {
			ids[m] = profiles[i].ID
		}
	}
	return ids
}

func (r *Resolution) possible() []match.PossibleMatch {
	if r.maybe == nil {
		r.maybe = r.people.Possible()
	}
	return r.maybe
}

// Profile gives the profile of the n-th record of the file.
func (r *Resolution) Profile(n int) identity.NodeID { return r.ids[r.records[n].persona] }

// WriteProfiles writes record,profile for every record, in the file's order.
func (r *Resolution) WriteProfiles(path string) error {
	return write(path, []string{"record", "profile"}, func(line func(...string) error) error {
		for n := range r.records {
			if err := line(r.records[n].name, r.Profile(n).String()); err != nil {
				return err
			}
		}
		return nil
	})
}

// WritePossible writes the pairs of profiles that may be one person, likeliest first: both profiles, a record of each, the probability, and why
// they are two.
func (r *Resolution) WritePossible(path string) error {
	first := map[identity.NodeID]string{}
	for n := range r.records {
		if id := r.Profile(n); first[id] == "" {
			first[id] = r.records[n].name
		}
	}
	possible := r.possible()
	r.Summary.Possible = len(possible)
	return write(path, []string{"a", "b", "record_a", "record_b", "probability", "bits", "reason"}, func(line func(...string) error) error {
		for _, m := range possible {
			err := line(m.A.String(), m.B.String(), first[m.A], first[m.B],
				strconv.FormatFloat(r.model.Probability(m.Weight), 'f', 4, 64), strconv.FormatFloat(m.Weight.Float(), 'f', 2, 64), string(m.Reason))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// write makes a CSV file, whole or not at all.
func write(path string, header []string, lines func(line func(...string) error) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".dossier-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", path, err), ignoreGone(os.Remove(file.Name())))
		}
	}()
	buffered := bufio.NewWriter(file)
	out := csv.NewWriter(buffered)
	if err := out.Write(header); err != nil {
		return err
	}
	if err := lines(func(fields ...string) error { return out.Write(fields) }); err != nil {
		return err
	}
	out.Flush()
	if err := errors.Join(out.Error(), buffered.Flush(), file.Chmod(0o644), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// peak is the largest memory of this process so far, in bytes.
func peak() int64 {
	if text, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				if kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64); err == nil {
					return kb << 10
				}
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
