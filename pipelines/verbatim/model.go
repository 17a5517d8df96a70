package verbatim

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"sync"

	_ "embed"

	"github.com/dossier-cdp/dossier/schema"
)

// Polarity is what a text says of what it speaks of.
type Polarity uint8

// The polarities, in the order of the models' columns. A text that says nothing good or bad is neutral.
const (
	Negative Polarity = iota
	Neutral
	Positive
	polarities int = iota

	// Abstained is no polarity: there was nothing that the model can read.
	Abstained Polarity = 255
)

// String is the polarity as labelled files write it: neg, neu, pos, or nothing for Abstained.
func (p Polarity) String() string {
	if int(p) < polarities {
		return [polarities]string{"neg", "neu", "pos"}[p]
	}
	return ""
}

// modelFormat is the version of the stored form. A model of another one is refused.
const modelFormat = 1

// magic begins the stored form of every model.
const magic = "dossier verbatim model\n"

// Bounds of a stored model: whoever writes a larger one wrote nonsense.
const (
	maxModelBytes = 64 << 20
	maxFeatures   = 4 << 20
	maxThemes     = 512
	maxThemeName  = 120
	maxHidden     = 256
)

// Model is what is learnt from labelled texts: it is a value, versioned by its content, and reads nothing but texts.
//
// Stored form: the magic line, then gzip of: the length of the header (4 bytes, little-endian as all numbers), the header as JSON, and the
// tables of language, polarity and themes. A table is: width and count n (4 bytes each), n ascending keys (4 bytes), n idf bytes, n × width
// cells column by column. After it stand the numbers (4-byte floats) that the header counts.
type Model struct {
	Head    Head
	version string

	language *linear
	polarity *linear
	themes   *net // nil if no themes were labelled
}

// Head is what a model says of itself.
type Head struct {
	Format int    `json:"format"`
	Name   string `json:"name"`
	// Texts counts what was learnt from.
	Texts int `json:"texts"`
	// Sharpness divides polarity scores, so that a confidence of .8 is right in about 80 of 100 (temperature scaling: C. Guo and others,
	// On Calibration of Modern Neural Networks, 2017). Themes have their own.
	Sharpness float32 `json:"sharpness"`
	// Abstain is the confidence below which a polarity should be looked at by a person: a fifth of the texts held out was below it.
	Abstain float32 `json:"abstain"`
	// Themes are the labels, as the labelled files spell them, and the chance from which on each is given.
	Themes     []string  `json:"themes"`
	Thresholds []float32 `json:"thresholds"`

	Dense  int `json:"dense"`
	Hidden int `json:"hidden"`
}

// Version is the first 12 hexadecimal digits of the SHA-256 of the model's content.
func (m *Model) Version() string { return m.version }

// Encode gives the stored form. The same model gives the same bytes.
func (m *Model) Encode() ([]byte, error) {
	content, err := m.content()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(magic)
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compress the model: %w", err)
	}
	if _, err := z.Write(content); err != nil {
		return nil, fmt.Errorf("compress the model: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress the model: %w", err)
	}
	return out.Bytes(), nil
}

func (m *Model) content() ([]byte, error) {
	head, err := json.Marshal(m.Head)
	if err != nil {
		return nil, fmt.Errorf("write the model's header: %w", err)
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(head)))
	b = append(b, head...)
	for _, l := range []*linear{m.language, m.polarity} {
		b = appendTable(b, l.table)
		b = appendFloats(b, l.scale, l.bias, l.dense)
	}
	if m.themes != nil {
		b = appendTable(b, m.themes.table)
		b = appendFloats(b, m.themes.scale, m.themes.out, m.themes.bias)
	}
	return b, nil
}

// seal sets the version.
func (m *Model) seal() error {
	content, err := m.content()
	if err != nil {
		return err
	}
	m.version = versionOf(content)
	return nil
}

func versionOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:6])
}

func appendTable(b []byte, t *table) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(t.width))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(t.keys)))
	for _, k := range t.keys {
		b = binary.LittleEndian.AppendUint32(b, k)
	}
	b = append(b, t.idf...)
	for c := range t.width {
		for i := range t.keys {
			b = append(b, byte(t.cells[i*t.width+c]))
		}
	}
	return b
}

func appendFloats(b []byte, lists ...[]float32) []byte {
	for _, l := range lists {
		for _, v := range l {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	}
	return b
}

func invalid(format string, args ...any) error {
	return schema.Refuse("model_invalid", fmt.Sprintf(format, args...), "make it again: dossier verbatim train")
}

// Parse reads a stored model. Whatever is wrong with it is said in one line; memory is bounded by what the format allows.
func Parse(stored []byte) (*Model, error) {
	if !bytes.HasPrefix(stored, []byte(magic)) {
		return nil, invalid("this is no verbatim model")
	}
	z, err := gzip.NewReader(bytes.NewReader(stored[len(magic):]))
	if err != nil {
		return nil, invalid("the model is damaged: %v", err)
	}
	content, err := io.ReadAll(io.LimitReader(z, maxModelBytes+1))
	if err != nil {
		return nil, invalid("the model is damaged: %v", err)
	}
	if len(content) > maxModelBytes {
		return nil, invalid("the model is larger than %d MB", maxModelBytes>>20)
	}
	r := &modelReader{b: content}
	m := &Model{version: versionOf(content)}
	head := r.take(int(r.number()))
	var format struct {
		Format int `json:"format"`
	}
	if r.failed || json.Unmarshal(head, &format) != nil {
		return nil, invalid("the model's header cannot be read")
	}
	if format.Format != modelFormat {
		return nil, invalid("the model has format %d, this program reads format %d", format.Format, modelFormat)
	}
	if err := json.Unmarshal(head, &m.Head); err != nil {
		return nil, invalid("the model's header cannot be read")
	}
	if err := m.Head.check(); err != nil {
		return nil, err
	}
	m.language = r.linear(languages, 0)
	m.polarity = r.linear(polarities, m.Head.Dense)
	if k := len(m.Head.Themes); k > 0 {
		h := m.Head.Hidden
		m.themes = &net{table: r.table(h), scale: r.floats(h), out: r.floats(h * k), bias: r.floats(k)}
	}
	if r.failed || len(r.b) != 0 {
		return nil, invalid("the model's tables are cut off or do not fit its header")
	}
	return m, nil
}

func (h *Head) check() error {
	finite := func(v float32) bool { return v == v && v > -1e6 && v < 1e6 }
	switch {
	case h.Dense != denseFeatures:
		return invalid("the model weighs %d signs of writing, this program gives %d", h.Dense, denseFeatures)
	case len(h.Themes) > maxThemes || len(h.Themes) != len(h.Thresholds):
		return invalid("the model has %d themes and %d thresholds; at most %d may be", len(h.Themes), len(h.Thresholds), maxThemes)
	case len(h.Themes) > 0 && (h.Hidden < 1 || h.Hidden > maxHidden):
		return invalid("the model's vectors have %d dimensions; 1 to %d are possible", h.Hidden, maxHidden)
	case !finite(h.Sharpness) || h.Sharpness < .05 || !finite(h.Abstain):
		return invalid("the model's calibration is impossible")
	}
	seen := map[string]bool{}
	for i, name := range h.Themes {
		if !validTheme(name) || seen[name] || !finite(h.Thresholds[i]) {
			return invalid("theme %d of the model has an impossible name or threshold", i+1)
		}
		seen[name] = true
	}
	return nil
}

// validTheme says whether a name can stand in a list of themes joined by |.
func validTheme(name string) bool {
	if name == "" || len(name) > maxThemeName {
		return false
	}
	for _, r := range name {
		if r < ' ' || r == '|' || r == 0x7f || r == '\ufffd' {
			return false
		}
	}
	return true
}

// modelReader reads the content of a model within its bounds.
type modelReader struct {
	b      []byte
	failed bool
}

func (r *modelReader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.failed = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *modelReader) number() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *modelReader) floats(n int) []float32 {
	b := r.take(4 * n)
	if b == nil {
		return make([]float32, 0)
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		if v := float64(out[i]); math.IsNaN(v) || math.IsInf(v, 0) {
			r.failed = true
		}
	}
	return out
}

func (r *modelReader) table(width int) *table {
	t := &table{width: int(r.number())}
	n := int(r.number())
	if r.failed || t.width != width || n > maxFeatures || n*(5+width) > len(r.b) {
		r.failed = true
		return t
	}
	t.keys = make([]uint32, n)
	for i, b := 0, r.take(4*n); i < n; i++ {
		t.keys[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	t.idf = bytes.Clone(r.take(n))
	cells := r.take(n * width)
	t.cells = make([]int8, n*width)
	for c := range width {
		for i, b := range cells[c*n : c*n+n] {
			t.cells[i*width+c] = int8(b)
		}
	}
	if !t.prepare() {
		r.failed = true
	}
	return t
}

func (r *modelReader) linear(classes, dense int) *linear {
	return &linear{table: r.table(classes), scale: r.floats(classes), bias: r.floats(classes), dense: r.floats(dense * classes)}
}

// The model that ships, learnt from texts whose licences allow it (models/NOTICE).
//
//go:embed models/base.model
var baseModel []byte

// Base is the model that ships with the binary. It is read at the first call.
var Base = sync.OnceValues(func() (*Model, error) {
	m, err := Parse(baseModel)
	if err != nil {
		return nil, fmt.Errorf("read the model that ships: %w", err)
	}
	return m, nil
})
