package verbatim

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"

	_ "embed"

	"github.com/dossier-cdp/dossier/pipelines/verbatim/encoder"
	"github.com/dossier-cdp/dossier/pipelines/verbatim/matrix"
)

// headsMagic begins the stored form of every set of heads.
const headsMagic = "dossier verbatim heads\n"

// headsFormat is the version of the stored form.
const headsFormat = 1

// Heads are what the encoder tier adds to a model: small nets over the encoder's vector that speak of polarity and themes, and how much they count beside the
// model's own scores.
//
// Stored form: the magic line, the length of the header (4 bytes, little-endian as all numbers), the header as JSON, then of each net of polarity and each of
// themes the weights of its hidden layer, its bias, the weights of its output and its bias (4-byte floats).
type Heads struct {
	Head     HeadsHead
	version  string
	polarity []perceptron
	themes   []perceptron
}

// HeadsHead is what heads say of themselves.
type HeadsHead struct {
	Format  int    `json:"format"`
	Name    string `json:"name"`
	Model   string `json:"model"`   // version of the model that they stand beside
	Encoder string `json:"encoder"` // version of the encoder that they were learnt with
	Texts   int    `json:"texts"`

	// Polarity: the logarithms of the model's chances times Own, plus the scores of the nets times Nets, are the scores of both.
	Own     float32 `json:"own"`
	Nets    float32 `json:"nets"`
	Abstain float32 `json:"abstain"`
	// Themes: likewise of the scores, with thresholds of their own.
	ThemesOwn  float32   `json:"themesOwn"`
	ThemesNets float32   `json:"themesNets"`
	Thresholds []float32 `json:"thresholds"`

	PolarityHidden []int `json:"polarityHidden"` // of each net
	ThemesHidden   []int `json:"themesHidden"`
}

// perceptron is a net with one hidden layer, of which what is positive counts.
type perceptron struct {
	hidden, out matrix.Dense
	w1, w2      []float32 // as they are stored
}

// inputs of the nets: the vector, and the signs of writing (denseItems) for polarity.
const (
	polarityInputs = encoder.Dimensions + denseFeatures
	themeInputs    = encoder.Dimensions
)

func (p *perceptron) scores(x []float32, out []float32) {
	h := p.hidden.Of(x)
	for i, v := range h {
		h[i] = max(0, v)
	}
	for i, v := range p.out.Of(h) {
		out[i] += v
	}
}

// Version is the first 12 hexadecimal digits of the SHA-256 of the stored form.
func (h *Heads) Version() string { return h.version }

// Encode gives the stored form.
func (h *Heads) Encode() ([]byte, error) {
	head, err := json.Marshal(h.Head)
	if err != nil {
		return nil, fmt.Errorf("write the header: %w", err)
	}
	b := binary.LittleEndian.AppendUint32([]byte(headsMagic), uint32(len(head)))
	b = append(b, head...)
	for _, nets := range [][]perceptron{h.polarity, h.themes} {
		for _, p := range nets {
			b = appendFloats(b, p.w1, p.hidden.Bias, p.w2, p.out.Bias)
		}
	}
	return b, nil
}

// ParseHeads reads a stored form; model is the one that it is for.
func ParseHeads(stored []byte, model *Model) (*Heads, error) {
	if !bytes.HasPrefix(stored, []byte(headsMagic)) {
		return nil, invalid("these are no heads of the encoder tier")
	}
	r := &modelReader{b: stored[len(headsMagic):]}
	h := &Heads{}
	text := r.take(int(r.number()))
	if r.failed || json.Unmarshal(text, &h.Head) != nil {
		return nil, invalid("the header of the heads cannot be read")
	}
	switch {
	case h.Head.Format != headsFormat:
		return nil, invalid("the heads have format %d, this program reads format %d", h.Head.Format, headsFormat)
	case h.Head.Model != model.Version():
		return nil, invalid("the heads stand beside the model %.20q, and this is %s", h.Head.Model, model.Version())
	case len(h.Head.Thresholds) != len(model.Head.Themes):
		return nil, invalid("the heads have %d thresholds, and the model %d themes", len(h.Head.Thresholds), len(model.Head.Themes))
	case len(h.Head.PolarityHidden) == 0 || len(h.Head.PolarityHidden) > 16 || len(h.Head.ThemesHidden) > 16:
		return nil, invalid("the heads have an impossible number of nets")
	}
	read := func(in int, hidden []int, out int) (nets []perceptron) {
		for _, n := range hidden {
			if n < 1 || n > 4096 {
				r.failed = true
				return nil
			}
			w1, b1 := r.floats(in*n), r.floats(n)
			w2, b2 := r.floats(n*out), r.floats(out)
			if r.failed {
				return nil
			}
			nets = append(nets, perceptron{matrix.Pack(w1, in, n, b1), matrix.Pack(w2, n, out, b2), w1, w2})
		}
		return nets
	}
	h.polarity = read(polarityInputs, h.Head.PolarityHidden, polarities)
	h.themes = read(themeInputs, h.Head.ThemesHidden, len(model.Head.Themes))
	if r.failed || len(r.b) > 0 {
		return nil, invalid("the heads are cut off or do not fit their header")
	}
	sum := sha256.Sum256(stored)
	h.version = hex.EncodeToString(sum[:6])
	return h, nil
}

// The heads that ship, learnt from the texts that the model is of (models/NOTICE).
//
//go:embed models/encoder.heads
var baseHeads []byte

// BaseHeads are the heads that ship for the model that ships.
func BaseHeads(m *Model) (*Heads, error) { return ParseHeads(baseHeads, m) }

// Encoder turns a text into a vector that says what it means. *encoder.Encoder is one.
type Encoder interface {
	Embed(text string) [encoder.Dimensions]float32
	Version() string
}

// deep is the encoder tier of an analyzer.
type deep struct {
	encoder Encoder
	heads   *Heads
}

// NewDeep makes an analyzer of the encoder tier. The heads are those of the model and were learnt with the encoder.
func NewDeep(m *Model, tree *Tree, e Encoder, h *Heads) (*Analyzer, error) {
	if h.Head.Encoder != e.Version() {
		return nil, invalid("the heads were learnt with the encoder %.20q, and this is %s", h.Head.Encoder, e.Version())
	}
	a := New(m, tree)
	a.deep = &deep{e, h}
	a.prepare()
	return a, nil
}

// polarityScores gives the scores of both: own are the model's chances.
func (h *Heads) polarityScores(own [polarities]float32, x []float32) (out [polarities]float32) {
	var nets [polarities]float32
	for i := range h.polarity {
		h.polarity[i].scores(x, nets[:])
	}
	for c := range out {
		out[c] = h.Head.Own*logOf(own[c]) + h.Head.Nets*nets[c]/float32(len(h.polarity))
	}
	return out
}

// themeScores replaces the model's scores by those of both.
func (h *Heads) themeScores(scores, x []float32) {
	if len(h.themes) == 0 {
		return
	}
	nets := make([]float32, len(scores))
	for i := range h.themes {
		h.themes[i].scores(x, nets)
	}
	for k := range scores {
		scores[k] = h.Head.ThemesOwn*scores[k] + h.Head.ThemesNets*nets[k]/float32(len(h.themes))
	}
}
