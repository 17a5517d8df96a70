// Package generator writes an invented population to a file, well shuffled, in a memory that does not grow with it.
//
// Records go to the places that their numbers give them, and the numbers are a keyed permutation of who and which. So the lines of a file are
// in an order that says nothing of who belongs together, the same at every writing, and a smaller population's file is what is left of a
// larger one's when the others' lines are taken out.
//
// Up to a bound records are sorted in memory; beyond it they are dealt into temporary files by their numbers first, which are then sorted one
// by one.
package generator

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/population"
)

// Options say where and how much.
type Options struct {
	// Dir is where temporary files are made; empty is the system's temporary folder. They take as much as the file itself.
	Dir string
	// InMemory is the number of people whose records are sorted at once; 0 is 50,000, which take some 40 MB.
	InMemory int
	// Progress, if any, is told now and then how many records have been invented.
	Progress func(records int)
}

// Result is what was written.
type Result struct {
	Records  int `json:"records"`
	Labelled int `json:"labelled"` // records whose person could be told
}

const (
	numberBits = 40 // of population.Record.Number
	buffered   = 1 << 16
)

// Write writes the header and the records of a population to w. After an error, also of ctx, w has an unspecified part; temporary files are
// removed in any case.
func Write(ctx context.Context, w io.Writer, p *population.Population, o Options) (result Result, err error) {
	if o.InMemory <= 0 {
		o.InMemory = 50_000
	}
	out := bufio.NewWriterSize(w, buffered)
	if _, err := out.WriteString(population.Columns + "\n"); err != nil {
		return result, err
	}
	bits := 0
	for p.People()>>bits > o.InMemory {
		bits++
	}
	deal, err := newDeal(o.Dir, bits)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, deal.close()) }()
	var line []byte
	err = p.Each(func(r *population.Record) error {
		line = r.AppendCSV(line[:0])
		result.Records++
		if r.Person != "" {
			result.Labelled++
		}
		if result.Records%(1<<14) == 0 {
			if o.Progress != nil {
				o.Progress(result.Records)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return deal.put(r.Number, line)
	})
	if err != nil {
		return result, err
	}
	for i := range deal.piles {
		if err := ctx.Err(); err != nil {
			return result, err
		}
		if err := deal.sorted(i, out); err != nil {
			return result, err
		}
	}
	return result, out.Flush()
}

// deal is records in piles, each of which holds a range of numbers: one pile in memory, or several in files.
type deal struct {
	shift int
	piles []pile
	held  []byte // the one pile in memory
	entry []byte
}

type pile struct {
	file *os.File
	to   *bufio.Writer
}

// newDeal makes 1<<bits piles.
func newDeal(dir string, bits int) (*deal, error) {
	d := &deal{shift: numberBits - bits, piles: make([]pile, 1<<bits)}
	if bits == 0 {
		return d, nil
	}
	for i := range d.piles {
		f, err := os.CreateTemp(dir, "dossier-generate-*")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("make a temporary file: %w", err), d.close())
		}
		d.piles[i] = pile{f, bufio.NewWriterSize(f, buffered)}
	}
	return d, nil
}

// put adds a record: its number, its length, its line.
func (d *deal) put(number uint64, line []byte) error {
	d.entry = binary.BigEndian.AppendUint64(d.entry[:0], number)
	d.entry = binary.BigEndian.AppendUint32(d.entry, uint32(len(line)))
	d.entry = append(d.entry, line...)
	if len(d.piles) == 1 {
		d.held = append(d.held, d.entry...)
		return nil
	}
	if _, err := d.piles[number>>d.shift].to.Write(d.entry); err != nil {
		return fmt.Errorf("write a temporary file: %w", err)
	}
	return nil
}

// sorted writes a pile's lines in the order of their numbers.
func (d *deal) sorted(i int, out io.Writer) error {
	if p := d.piles[i]; p.file != nil {
		if err := p.to.Flush(); err != nil {
			return fmt.Errorf("write a temporary file: %w", err)
		}
		if _, err := p.file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read a temporary file: %w", err)
		}
		size, err := p.file.Stat()
		if err != nil {
			return fmt.Errorf("read a temporary file: %w", err)
		}
		d.held = slices.Grow(d.held[:0], int(size.Size()))[:size.Size()]
		if _, err := io.ReadFull(p.file, d.held); err != nil {
			return fmt.Errorf("read a temporary file: %w", err)
		}
	}
	type place struct {
		number   uint64
		from, to int
	}
	var places []place
	for at := 0; at < len(d.held); {
		number, size := binary.BigEndian.Uint64(d.held[at:]), int(binary.BigEndian.Uint32(d.held[at+8:]))
		places = append(places, place{number, at + 12, at + 12 + size})
		at += 12 + size
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.number, b.number) })
	for _, p := range places {
		if _, err := out.Write(d.held[p.from:p.to]); err != nil {
			return err
		}
	}
	return nil
}

// close removes the temporary files.
func (d *deal) close() (err error) {
	for _, p := range d.piles {
		if p.file != nil {
			err = errors.Join(err, p.file.Close(), os.Remove(p.file.Name()))
		}
	}
	return err
}
