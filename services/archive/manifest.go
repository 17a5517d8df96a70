package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dossier-cdp/dossier/schema"
)

// A manifest line is a JSON object and a newline:
//
//	{"from":0,"next":8123,"earliest":"2026-…Z","latest":"2026-…Z","raw":4194567,"bytes":4190112,"segment":HEX,"last":HEX,"chain":HEX}
//
// segment is the SHA-256 of the segment file; last the digest of the record at next−1 (RecordDigest), which tells whether a log
// that still holds it is the same log; chain the first 16 bytes of SHA-256 over the previous line's chain and this line's other
// members as written. Lines are only ever added: the next line's from is this line's next. A last line without newline is a torn
// append, which was never acted on: readers skip it and the writer removes it. A later form says "format":2 or more in its lines.

// Part names one partition of one generation of a topic.
type Part struct {
	Topic      string
	Generation uint32
	Partition  int32
}

func (p Part) String() string { return fmt.Sprintf("%s/g%d/%d", p.Topic, p.Generation, p.Partition) }

// Entry is one line of a manifest.
type Entry struct {
	From, Next   int64
	Earliest     schema.Instant
	Latest       schema.Instant
	RawBytes     int64
	SegmentBytes int64
	Digest       [sha256.Size]byte
	Last         [16]byte
	chain        [16]byte
}

// Name is the segment file's name.
func (e *Entry) Name() string { return hex.EncodeToString(e.Digest[:]) + ".segment" }

type entryLine struct {
	From     int64  `json:"from"`
	Next     int64  `json:"next"`
	Earliest string `json:"earliest"`
	Latest   string `json:"latest"`
	Raw      int64  `json:"raw"`
	Bytes    int64  `json:"bytes"`
	Segment  string `json:"segment"`
	Last     string `json:"last"`
	Chain    string `json:"chain,omitempty"`
}

// line encodes the entry behind prev, nil if it is the first, and completes its chain.
func (e *Entry) line(prev *Entry) ([]byte, error) {
	l := entryLine{
		From: e.From, Next: e.Next, Earliest: e.Earliest.String(), Latest: e.Latest.String(), Raw: e.RawBytes, Bytes: e.SegmentBytes,
		Segment: hex.EncodeToString(e.Digest[:]), Last: hex.EncodeToString(e.Last[:]),
	}
	body, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encode a manifest line: %w", err)
	}
	e.chain = chainOf(prev, body)
	l.Chain = hex.EncodeToString(e.chain[:])
	body, err = json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encode a manifest line: %w", err)
	}
	return append(body, '\n'), nil
}

func chainOf(prev *Entry, body []byte) (chain [16]byte) {
	h := sha256.New()
	if prev != nil {
		h.Write(prev.chain[:])
	}
	h.Write(body)
	var sum [sha256.Size]byte
	copy(chain[:], h.Sum(sum[:0]))
	return chain
}

// parseManifest reads the lines of a manifest behind the entries already known, and returns how many bytes of b are whole lines.
func parseManifest(known []Entry, b []byte) (entries []Entry, whole int, err error) {
	entries = known
	for len(b) > whole {
		end := bytes.IndexByte(b[whole:], '\n')
		if end < 0 {
			break
		}
		var prev *Entry
		if n := len(entries); n > 0 {
			prev = &entries[n-1]
		}
		e, err := parseEntry(prev, b[whole:whole+end])
		if err != nil {
			return entries, whole, fmt.Errorf("line %d: %w", len(entries)+1, err)
		}
		entries = append(entries, e)
		whole += end + 1
	}
	return entries, whole, nil
}

// errNewer says that a newer program wrote a file of the archive.
var errNewer = errors.New("it was written by a newer dossier: use that one")

func parseEntry(prev *Entry, line []byte) (Entry, error) {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(line, &version); err == nil && version.Format > 1 {
		return Entry{}, errNewer
	}
	var l entryLine
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return Entry{}, err
	}
	e := Entry{From: l.From, Next: l.Next, RawBytes: l.Raw, SegmentBytes: l.Bytes}
	var err error
	if e.Earliest, err = schema.ParseInstant(l.Earliest); err != nil {
		return Entry{}, err
	}
	if e.Latest, err = schema.ParseInstant(l.Latest); err != nil {
		return Entry{}, err
	}
	var chain [16]byte
	for _, f := range []struct {
		to   []byte
		text string
	}{{e.Digest[:], l.Segment}, {e.Last[:], l.Last}, {chain[:], l.Chain}} {
		if len(f.text) != hex.EncodedLen(len(f.to)) {
			return Entry{}, fmt.Errorf("a digest of %d digits is expected", hex.EncodedLen(len(f.to)))
		}
		if _, err := hex.Decode(f.to, []byte(f.text)); err != nil {
			return Entry{}, err
		}
	}
	if _, err := e.line(prev); err != nil {
		return Entry{}, err
	}
	if e.chain != chain {
		return Entry{}, fmt.Errorf("it does not follow from the line before it: the manifest was altered")
	}
	if e.Next <= e.From || prev != nil && e.From != prev.Next {
		return Entry{}, fmt.Errorf("it covers offsets %d to %d, which do not follow", e.From, e.Next)
	}
	return e, nil
}
