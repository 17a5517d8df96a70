package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// An index file lies beside a segment of events, DIGEST.index beside DIGEST.segment, and tells a reader which segments it need not
// read. It holds nothing that the segment does not, so a lost one is made again by whoever misses it, and is the same file.
//
//	0  magic "DSINDX01"
//	8  SHA-256 of the segment file
//	40 size of the table uint32, little-endian · the table, a JSON object:
//	   {"records":8123,"earliest":"…Z","latest":"…Z","workspaces":["main"],"sources":["crm","shop"],"types":["order.placed"],"personas":512,"whole":true}
//	   earliest and latest are of OccurredAt; whole is false if a record could not be read: then nobody may skip the segment
//	…  Bloom filter of the personas, bits in little-endian words: 10 bits and 7 probes for each
//	−32 SHA-256 of all before
//
// The probes of a persona are h1 + i·h2 modulo the number of bits, for i from 0 to 6, where h1 and h2 are the first two
// little-endian words of SHA-256("persona" ‖ id): public hashes of what is a pseudonym already.
const (
	indexMagic  = "DSINDX01"
	indexHead   = len(indexMagic) + sha256.Size + 4
	bloomBits   = 10
	bloomProbes = 7
)

// indexedTopic is the topic whose records are events.
const indexedTopic = schema.TopicEvents

// Index tells what a segment holds.
type Index struct {
	table indexTable
	bloom []uint64
}

type indexTable struct {
	Records    int64    `json:"records"`
	Earliest   string   `json:"earliest,omitempty"`
	Latest     string   `json:"latest,omitempty"`
	Workspaces []string `json:"workspaces,omitempty"`
	Sources    []string `json:"sources,omitempty"`
	Types      []string `json:"types,omitempty"`
	Personas   int      `json:"personas"`
	Whole      bool     `json:"whole"`

	earliest, latest schema.Instant
}

// Filter says which events a reader wants. What is empty or zero filters nothing; what is given must all hold.
type Filter struct {
	Workspace string
	Types     []schema.Type
	Sources   []string
	Personas  []schema.PersonaID
	From, To  schema.Instant // OccurredAt in [From, To)
}

// Match says whether an event is wanted, by its clear part.
func (f *Filter) Match(c *schema.Clear) bool {
	return (f.Workspace == "" || c.Workspace == f.Workspace) &&
		(len(f.Types) == 0 || slices.Contains(f.Types, c.Type)) &&
		(len(f.Sources) == 0 || slices.Contains(f.Sources, c.Source)) &&
		(len(f.Personas) == 0 || slices.Contains(f.Personas, c.Persona)) &&
		(f.From == 0 || c.OccurredAt >= f.From) && (f.To == 0 || c.OccurredAt < f.To)
}

// Empty says that the filter wants everything.
func (f *Filter) Empty() bool {
	return f.Workspace == "" && len(f.Types)+len(f.Sources)+len(f.Personas) == 0 && f.From == 0 && f.To == 0
}

// Excludes says that the segment holds nothing that the filter wants. False may mean that it holds something, or that it may.
func (x *Index) Excludes(f *Filter) bool {
	if !x.table.Whole {
		return false
	}
	t := &x.table
	switch {
	case f.Workspace != "" && !slices.Contains(t.Workspaces, f.Workspace),
		f.From != 0 && t.latest < f.From,
		f.To != 0 && t.earliest >= f.To,
		len(f.Sources) > 0 && !overlap(t.Sources, f.Sources):
		return true
	}
	if len(f.Types) > 0 && !slices.ContainsFunc(f.Types, func(wanted schema.Type) bool { return slices.Contains(t.Types, wanted.String()) }) {
		return true
	}
	return len(f.Personas) > 0 && !slices.ContainsFunc(f.Personas, x.mayHold)
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func probes(p schema.PersonaID) (h1, h2 uint64) {
	var text [7 + len(p)]byte
	copy(text[:], "persona")
	copy(text[7:], p[:])
	sum := sha256.Sum256(text[:])
	return binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:]) | 1
}

func (x *Index) mayHold(p schema.PersonaID) bool {
	bits := uint64(len(x.bloom)) * 64
	if bits == 0 {
		return false
	}
	h1, h2 := probes(p)
	for i := range uint64(bloomProbes) {
		if bit := (h1 + i*h2) % bits; x.bloom[bit/64]&(1<<(bit%64)) == 0 {
			return false
		}
	}
	return true
}

// indexer gathers what a segment's index tells.
type indexer struct {
	records          int64
	opaque           bool
	earliest, latest schema.Instant
	workspaces       map[string]bool
	sources          map[string]bool
	types            map[schema.Type]bool
	personas         map[schema.PersonaID]bool
}

func newIndexer() *indexer {
	return &indexer{
		earliest: math.MaxInt64, latest: math.MinInt64,
		workspaces: map[string]bool{}, sources: map[string]bool{}, types: map[schema.Type]bool{}, personas: map[schema.PersonaID]bool{},
	}
}

// add takes a record by its clear part. One that cannot be read makes the index of no use: a later version may read it.
func (x *indexer) add(r *kafka.Record) {
	x.records++
	var c schema.Clear
	if x.opaque || envelope.ReadClear(r.Value, &c) != nil {
		x.opaque = true
		return
	}
	x.earliest, x.latest = min(x.earliest, c.OccurredAt), max(x.latest, c.OccurredAt)
	x.workspaces[c.Workspace], x.sources[c.Source], x.types[c.Type], x.personas[c.Persona] = true, true, true, true
}

// finish gives the index and its file, for the segment of a digest.
func (x *indexer) finish(segment [sha256.Size]byte) (*Index, []byte, error) {
	index := &Index{table: indexTable{Records: x.records, Whole: !x.opaque}}
	if !x.opaque && x.records > 0 {
		t := &index.table
		t.earliest, t.latest = x.earliest, x.latest
		t.Earliest, t.Latest = x.earliest.String(), x.latest.String()
		t.Workspaces, t.Sources, t.Personas = sortedNames(x.workspaces), sortedNames(x.sources), len(x.personas)
		for kind := range x.types {
			t.Types = append(t.Types, kind.String())
		}
		slices.Sort(t.Types)
		index.bloom = make([]uint64, (len(x.personas)*bloomBits+63)/64)
		bits := uint64(len(index.bloom)) * 64
		for p := range x.personas {
			h1, h2 := probes(p)
			for i := range uint64(bloomProbes) {
				bit := (h1 + i*h2) % bits
				index.bloom[bit/64] |= 1 << (bit % 64)
			}
		}
	}
	table, err := json.Marshal(&index.table)
	if err != nil {
		return nil, nil, fmt.Errorf("encode an index: %w", err)
	}
	file := append([]byte(indexMagic), segment[:]...)
	file = binary.LittleEndian.AppendUint32(file, uint32(len(table)))
	file = append(file, table...)
	for _, word := range index.bloom {
		file = binary.LittleEndian.AppendUint64(file, word)
	}
	sum := sha256.Sum256(file)
	return index, append(file, sum[:]...), nil
}

func sortedNames(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var errIndexForm = errors.New("it is not an index of a known format, or was altered")

// openIndex reads an index file of the segment with the digest.
func openIndex(file []byte, segment [sha256.Size]byte) (*Index, error) {
	if len(file) < indexHead+sha256.Size || string(file[:len(indexMagic)]) != indexMagic {
		return nil, errIndexForm
	}
	body := file[:len(file)-sha256.Size]
	if sha256.Sum256(body) != [sha256.Size]byte(file[len(body):]) || [sha256.Size]byte(body[len(indexMagic):]) != segment {
		return nil, errIndexForm
	}
	size := int64(binary.LittleEndian.Uint32(body[indexHead-4:]))
	rest := body[indexHead:]
	if size > int64(len(rest)) {
		return nil, errIndexForm
	}
	x := &Index{}
	t := &x.table
	decoder := json.NewDecoder(bytes.NewReader(rest[:size]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(t); err != nil {
		return nil, errIndexForm
	}
	if t.Whole && t.Records > 0 {
		var err1, err2 error
		t.earliest, err1 = schema.ParseInstant(t.Earliest)
		t.latest, err2 = schema.ParseInstant(t.Latest)
		if err1 != nil || err2 != nil {
			return nil, errIndexForm
		}
	}
	rest = rest[size:]
	if len(rest) != (t.Personas*bloomBits+63)/64*8 || t.Personas < 0 {
		return nil, errIndexForm
	}
	x.bloom = make([]uint64, len(rest)/8)
	for i := range x.bloom {
		x.bloom[i] = binary.LittleEndian.Uint64(rest[8*i:])
	}
	return x, nil
}

// indexName is the index file's name.
func (e *Entry) indexName() string { return fmt.Sprintf("%x.index", e.Digest) }

// Index gives the index of a segment of events. One that is missing or was altered is made again from the segment, and put back
// where that is allowed; rebuilt says so.
func (p *Partition) Index(ctx context.Context, e Entry) (x *Index, rebuilt bool, err error) {
	file, err := p.store.Get(ctx, p.part, e.indexName())
	if err == nil {
		if x, err := openIndex(file, e.Digest); err == nil {
			return x, false, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, false, schema.Classify(schema.Transient, fmt.Errorf("read archive file %s: %w", p.store.Locate(p.part, e.indexName()), err))
	}
	s, err := p.Open(ctx, e)
	if err != nil {
		return nil, false, err
	}
	x, file, err = s.index()
	if err != nil {
		return nil, false, damaged(p.store.Locate(p.part, e.Name()), err)
	}
	if err := p.store.Put(ctx, p.part, e.indexName(), file); err != nil && !errors.Is(err, fs.ErrPermission) {
		return x, true, schema.Classify(schema.Transient, err)
	}
	return x, true, nil
}

// index makes the index of a segment from its records.
func (s *Segment) index() (*Index, []byte, error) {
	made := newIndexer()
	for at := s.From; at < s.Next; {
		records, err := s.Read(at)
		if err != nil {
			return nil, nil, err
		}
		for i := range records {
			made.add(&records[i])
		}
		at += int64(len(records))
	}
	return made.finish(s.Digest)
}
