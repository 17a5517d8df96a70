package verbatim

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"github.com/dossier-cdp/dossier/schema"
)

// adjustmentMagic begins the stored form of every adjustment; adjustmentFormat is its version.
const (
	adjustmentMagic  = "dossier verbatim adjustment\n"
	adjustmentFormat = 1
)

// Bounds of an adjustment: it stands in a record of the log.
const (
	maxAdjusted       = 20000 // features
	maxAdjustedThemes = 24
	maxAdjustedBytes  = 4 << 20
)

// Adjustment is what corrections of people add to a model: weights of words that several people have written, added to the scores of polarities after the rules, and to
// those of themes. With its model it makes another version. It holds no text, and no word of one writer alone.
//
// Stored form: the magic line, then gzip of: the length of the header (4 bytes, little-endian as all numbers), the header as JSON, the table of polarity with its scales and
// biases, and, if there are themes, theirs (Model says how tables are stored).
type Adjustment struct {
	Head     AdjustmentHead
	version  string
	polarity *linear
	themes   *linear // nil without themes
}

// AdjustmentHead is what an adjustment says of itself.
type AdjustmentHead struct {
	Format int `json:"format"`
	// Model is the version of what it stands beside (Analyzer.Version before it is adjusted).
	Model string `json:"model"`
	// Texts counts the corrected texts that it was learnt from.
	Texts int `json:"texts"`
	// Themes are the ids that corrections have named often enough.
	Themes []string `json:"themes,omitempty"`
}

// Version is the first 12 hexadecimal digits of the SHA-256 of the content.
func (a *Adjustment) Version() string { return a.version }

func (a *Adjustment) content() ([]byte, error) {
	head, err := json.Marshal(a.Head)
	if err != nil {
		return nil, fmt.Errorf("write the adjustment's header: %w", err)
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(head)))
	b = append(b, head...)
	for _, l := range []*linear{a.polarity, a.themes} {
		if l != nil {
			b = appendTable(b, l.table)
			b = appendFloats(b, l.scale, l.bias)
		}
	}
	return b, nil
}

// Encode gives the stored form. The same adjustment gives the same bytes.
func (a *Adjustment) Encode() ([]byte, error) {
	content, err := a.content()
	if err != nil {
		return nil, err
	}
	out := bytes.NewBufferString(adjustmentMagic)
	z, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compress the adjustment: %w", err)
	}
	if _, err := z.Write(content); err != nil {
		return nil, fmt.Errorf("compress the adjustment: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress the adjustment: %w", err)
	}
	return out.Bytes(), nil
}

func adjustmentFault(format string, args ...any) error {
	return schema.Refuse("adjustment_invalid", fmt.Sprintf(format, args...), "make it again: dossier verbatim refit")
}

// ParseAdjustment reads a stored form within its bounds.
func ParseAdjustment(stored []byte) (*Adjustment, error) {
	if !bytes.HasPrefix(stored, []byte(adjustmentMagic)) {
		return nil, adjustmentFault("this is no adjustment of a model")
	}
	z, err := gzip.NewReader(bytes.NewReader(stored[len(adjustmentMagic):]))
	if err != nil {
		return nil, adjustmentFault("the adjustment is damaged: %v", err)
	}
	content, err := io.ReadAll(io.LimitReader(z, maxAdjustedBytes+1))
	if err != nil || len(content) > maxAdjustedBytes {
		return nil, adjustmentFault("the adjustment is damaged, or larger than %d MB", maxAdjustedBytes>>20)
	}
	r := &modelReader{b: content}
	a := &Adjustment{version: versionOf(content)}
	head := r.take(int(r.number()))
	if r.failed || json.Unmarshal(head, &a.Head) != nil {
		return nil, adjustmentFault("the adjustment's header cannot be read")
	}
	if a.Head.Format != adjustmentFormat {
		return nil, adjustmentFault("the adjustment has format %d, this program reads format %d", a.Head.Format, adjustmentFormat)
	}
	if len(a.Head.Themes) > maxAdjustedThemes {
		return nil, adjustmentFault("the adjustment has %d themes; at most %d may be", len(a.Head.Themes), maxAdjustedThemes)
	}
	for i, id := range a.Head.Themes {
		if !validTheme(id) {
			return nil, adjustmentFault("theme %d of the adjustment has an impossible id", i+1)
		}
	}
	a.polarity = r.linear(polarities, 0)
	if k := len(a.Head.Themes); k > 0 {
		a.themes = r.linear(k, 0)
	}
	if r.failed || len(r.b) != 0 {
		return nil, adjustmentFault("the adjustment's tables are cut off or do not fit its header")
	}
	return a, nil
}

// Adjusted gives an analyzer that reads as a does, with what corrections add. The adjustment was learnt beside a's version.
func (a *Analyzer) Adjusted(by *Adjustment) (*Analyzer, error) {
	if a.adjustment != nil || by.Head.Model != a.Version() {
		return nil, adjustmentFault("the adjustment stands beside the model %.40q, and this is %s", by.Head.Model, a.Version())
	}
	out := &Analyzer{model: a.model, tree: a.tree, words: a.words, rules: a.rules, codes: a.codes, deep: a.deep, adjustment: by}
	out.adjustedLabel = make([]int, len(a.model.Head.Themes))
	for k, label := range a.model.Head.Themes {
		id, told := a.themeOf(label)
		for at, adjusted := range by.Head.Themes {
			if told && adjusted == id {
				out.adjustedLabel[k] = at + 1
			}
		}
	}
	out.prepare()
	return out, nil
}

// Version names the model that reads: a model's own version; heads', which name their model and encoder, in the encoder tier; with an adjustment's after it.
func (a *Analyzer) Version() string { return a.version }

func (a *Analyzer) named() string {
	version := a.model.version
	if a.deep != nil {
		version = a.deep.heads.version
	}
	if a.adjustment != nil {
		version += "." + a.adjustment.version
	}
	return version
}

// adjusted gives what corrections add to the scores of polarities.
func (a *Analyzer) adjusted(s *scratch, tokens []token, l Language) (out [polarities]float32) {
	if a.adjustment != nil {
		if known := a.adjustment.polarity.scores(s.wordItems(tokens, l), nil, out[:]); known == 0 {
			return [polarities]float32{}
		}
	}
	return out
}
