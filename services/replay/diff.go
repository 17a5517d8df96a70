package replay

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// People is what is other between two exports of profiles: before, and after. A profile of before is in Same, or in Changed, or in any of Merged,
// Split and Gone; one of after is in New if nobody of before has a persona of it.
type People struct {
	Before  int64 `json:"before"`  // profiles
	After   int64 `json:"after"`   // profiles
	Same    int64 `json:"same"`    // of Before: not a byte is other
	Changed int64 `json:"changed"` // the same personas, other values
	Merged  int64 `json:"merged"`  // of Before: they are with personas of another one
	Split   int64 `json:"split"`   // of Before: their personas are in several
	Moved   int64 `json:"moved"`   // of Before: personas have gone or come, without another profile
	Gone    int64 `json:"gone"`    // of Before: no persona is left
	New     int64 `json:"new"`     // of After: no persona was there

	Members map[string]int64 `json:"members"` // of Changed: how many differ in which member of the export

	Merges  []Shift   `json:"merges"` // samples, by the first profile
	Splits  []Shift   `json:"splits"`
	Changes []Altered `json:"changes"`
}

// Shift is profiles of before that share personas with some of after, and these.
type Shift struct {
	Before []string `json:"before"` // ids of profiles, sorted
	After  []Group  `json:"after"`  // by id
	Cause  string   `json:"cause,omitempty"`
}

// Group is a profile of after.
type Group struct {
	Profile  string   `json:"profile"`
	Personas []string `json:"personas"`
}

// Altered is a profile with the same personas and other values.
type Altered struct {
	Profile string   `json:"profile"`
	Members []string `json:"members"` // which differ, sorted
}

// mostShifted bounds the profiles of one sample.
const mostShifted = 24

type id = schema.PersonaID

// odd is a profile of one side that the other one does not have so.
type odd map[id][]id // its personas by its id

// DiffPeople compares two exports of profiles, each sorted by id. It keeps only what differs. samples bounds how many of each kind are listed.
func DiffPeople(before, after io.Reader, samples int) (*People, error) {
	out := &People{Members: map[string]int64{}, Merges: []Shift{}, Splits: []Shift{}, Changes: []Altered{}}
	was, is := odd{}, odd{}
	x, y := exportLines{in: bufio.NewReaderSize(before, 1<<18)}, exportLines{in: bufio.NewReaderSize(after, 1<<18)}
	if err := errors.Join(x.next(), y.next()); err != nil {
		return nil, err
	}
	for !x.ended || !y.ended {
		if !x.ended && !y.ended && bytes.Equal(x.text, y.text) { // most are, and need not be read
			out.Before, out.After, out.Same = out.Before+1, out.After+1, out.Same+1
			if err := errors.Join(x.next(), y.next()); err != nil {
				return nil, err
			}
			continue
		}
		err := errors.Join(x.read(), y.read())
		if err != nil {
			return nil, err
		}
		switch order := cmp.Or(ended(x.ended, y.ended), x.id.Compare(y.id)); {
		case order < 0:
			was[x.id], err = x.personas()
			out.Before++
			err = errors.Join(err, x.next())
		case order > 0:
			is[y.id], err = y.personas()
			out.After++
			err = errors.Join(err, y.next())
		default:
			out.Before++
			out.After++
			err = out.compare(&x, &y, was, is, samples)
			err = errors.Join(err, x.next(), y.next())
		}
		if err != nil {
			return nil, err
		}
	}
	out.shifts(was, is, samples)
	return out, nil
}

// ended orders an export that has ended behind one that has not.
func ended(x, y bool) int {
	switch {
	case x && !y:
		return 1
	case y && !x:
		return -1
	}
	return 0
}

// compare looks at a profile that both have, with other bytes.
func (out *People) compare(x, y *exportLines, was, is odd, samples int) error {
	a, err := x.personas()
	if err != nil {
		return err
	}
	b, err := y.personas()
	if err != nil {
		return err
	}
	if !slices.Equal(a, b) {
		was[x.id], is[y.id] = a, b
		return nil
	}
	var before, after map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(x.text, &before), json.Unmarshal(y.text, &after)); err != nil {
		return fmt.Errorf("read a profile: %w", err)
	}
	var members []string
	for name := range before {
		if !bytes.Equal(before[name], after[name]) {
			members = append(members, name)
		}
	}
	for name := range after {
		if _, known := before[name]; !known {
			members = append(members, name)
		}
	}
	slices.Sort(members)
	out.Changed++
	for _, name := range members {
		out.Members[name]++
	}
	if len(out.Changes) < samples {
		out.Changes = append(out.Changes, Altered{x.id.String(), members})
	}
	return nil
}

// shifts says what has become of the personas of profiles that are not on both sides so.
func (out *People) shifts(was, is odd, samples int) {
	held, holds := holders(was), holders(is)
	told := map[id]bool{}
	for _, profile := range slices.SortedFunc(maps.Keys(was), id.Compare) {
		parts, others, left := map[id]bool{}, false, 0
		for _, m := range was[profile] {
			to, there := holds[m]
			if !there {
				continue
			}
			left++
			if parts[to] {
				continue
			}
			parts[to] = true
			for _, n := range is[to] {
				of, known := held[n]
				others = others || known && of != profile
			}
		}
		switch {
		case left == 0:
			out.Gone++
			continue
		case !others && len(parts) == 1:
			out.Moved++
			continue
		}
		list := &out.Merges
		if others {
			out.Merged++
		}
		if len(parts) > 1 {
			out.Split++
			list = &out.Splits
		}
		if told[profile] || len(*list) >= samples {
			continue
		}
		*list = append(*list, shiftOf(profile, was, is, held, holds, told))
	}
	for _, members := range is {
		if !slices.ContainsFunc(members, func(m id) bool { _, known := held[m]; return known }) {
			out.New++
		}
	}
}

// shiftOf follows from a profile to what its personas are now, to whom they are with, and so on.
func shiftOf(profile id, was, is odd, held, holds map[id]id, told map[id]bool) Shift {
	before, after := []id{profile}, []id{}
	for n := 0; n < len(before) && n < mostShifted; n++ {
		told[before[n]] = true
		for _, m := range was[before[n]] {
			to, there := holds[m]
			if !there || slices.Contains(after, to) {
				continue
			}
			after = append(after, to)
			for _, with := range is[to] {
				if of, known := held[with]; known && !slices.Contains(before, of) {
					before = append(before, of)
				}
			}
		}
	}
	slices.SortFunc(before, id.Compare)
	slices.SortFunc(after, id.Compare)
	s := Shift{Before: texts(before)}
	for _, to := range after {
		s.After = append(s.After, Group{to.String(), texts(is[to])})
	}
	return s
}

func texts(ids []id) []string {
	out := make([]string, len(ids))
	for n := range ids {
		out[n] = ids[n].String()
	}
	return out
}

// holders says which profile each persona is in.
func holders(of odd) map[id]id {
	out := make(map[id]id, len(of))
	for profile, members := range of {
		for _, m := range members {
			out[m] = profile
		}
	}
	return out
}

// exportLines reads an export of profiles.
type exportLines struct {
	in    *bufio.Reader
	text  []byte // valid until the next
	ended bool
	id    id // of the line that was read last
}

func (x *exportLines) next() error {
	x.text = x.text[:0]
	for {
		part, err := x.in.ReadSlice('\n')
		x.text = append(x.text, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(x.text) == 0:
			x.ended = true
			return nil
		case err != nil:
			return fmt.Errorf("read an export of profiles: %w", err)
		}
		return nil
	}
}

// read finds the line's id. It may be called again.
func (x *exportLines) read() error {
	if x.ended {
		return nil
	}
	var head struct{ ID string }
	if err := json.Unmarshal(x.text, &head); err != nil {
		return fmt.Errorf("read an export of profiles: %w", err)
	}
	of, err := schema.ParsePersonaID(head.ID)
	if err != nil {
		return fmt.Errorf("read an export of profiles: %w", err)
	}
	if of.Compare(x.id) < 0 {
		return errors.New("read an export of profiles: it is not sorted by id")
	}
	x.id = of
	return nil
}

// personas are those of the line, sorted.
func (x *exportLines) personas() ([]id, error) {
	var line struct{ Personas []struct{ ID string } }
	if err := json.Unmarshal(x.text, &line); err != nil {
		return nil, fmt.Errorf("read a profile: %w", err)
	}
	out := make([]id, len(line.Personas))
	for n, p := range line.Personas {
		var err error
		if out[n], err = schema.ParsePersonaID(p.ID); err != nil {
			return nil, fmt.Errorf("read a profile: %w", err)
		}
	}
	slices.SortFunc(out, id.Compare)
	return out, nil
}

// Rows is what is other between two exports of rows of one kind.
type Rows struct {
	Kind    string `json:"kind"` // case, conversation, survey, verbatim
	Before  int64  `json:"before"`
	After   int64  `json:"after"`
	Gone    int64  `json:"gone"`
	New     int64  `json:"new"`
	Changed int64  `json:"changed"`

	Samples []string `json:"samples"` // ids of rows that are gone, new or changed, in their order
}

// DiffRows compares two exports of cases. Each kind is sorted by id, and the kinds come in one order.
func DiffRows(before, after io.Reader, samples int) ([]Rows, error) {
	kinds := map[string]*Rows{}
	order := []string{}
	of := func(kind string) *Rows {
		r := kinds[kind]
		if r == nil {
			r = &Rows{Kind: kind, Samples: []string{}}
			kinds[kind], order = r, append(order, kind)
		}
		return r
	}
	sample := func(r *Rows, id string) {
		if len(r.Samples) < samples {
			r.Samples = append(r.Samples, id)
		}
	}
	x, y := rowLines{in: bufio.NewReaderSize(before, 1<<18)}, rowLines{in: bufio.NewReaderSize(after, 1<<18)}
	if err := errors.Join(x.next(), y.next()); err != nil {
		return nil, err
	}
	for !x.ended || !y.ended {
		var err error
		switch by := cmp.Or(ended(x.ended, y.ended), cmp.Compare(rank(x.kind), rank(y.kind)), cmp.Compare(x.id, y.id)); {
		case by < 0:
			r := of(x.kind)
			r.Before++
			r.Gone++
			sample(r, x.id)
			err = x.next()
		case by > 0:
			r := of(y.kind)
			r.After++
			r.New++
			sample(r, y.id)
			err = y.next()
		default:
			r := of(x.kind)
			r.Before++
			r.After++
			if !bytes.Equal(x.text, y.text) {
				r.Changed++
				sample(r, x.id)
			}
			err = errors.Join(x.next(), y.next())
		}
		if err != nil {
			return nil, err
		}
	}
	out := make([]Rows, len(order))
	for n, kind := range order {
		out[n] = *kinds[kind]
	}
	return out, nil
}

// rank is the order of kinds in an export of cases.
func rank(kind string) int {
	return slices.Index([]string{"case", "conversation", "survey", "verbatim"}, kind)
}

type rowLines struct {
	in       *bufio.Reader
	kind, id string
	text     []byte
	ended    bool
}

func (x *rowLines) next() error {
	text, err := x.in.ReadBytes('\n')
	if errors.Is(err, io.EOF) && len(text) == 0 {
		x.ended = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("read an export of cases: %w", err)
	}
	var row struct {
		Row    string
		Values struct{ ID string }
	}
	if err := json.Unmarshal(text, &row); err != nil || rank(row.Row) < 0 {
		return errors.Join(errors.New("read an export of cases: a line is none of its kinds"), err)
	}
	x.text, x.kind, x.id = text, row.Row, row.Values.ID
	return nil
}
