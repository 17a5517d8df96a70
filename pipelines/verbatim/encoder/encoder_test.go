package encoder_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/verbatim/encoder"
	"github.com/dossier-cdp/dossier/pipelines/verbatim/encoder/encodertest"
)

// of is the encoder that make models has made; nil where it could not be had, which make models has said.
func of(t testing.TB) *encoder.Encoder { return encodertest.Open(t) }

// Vectors are those of the package that the weights come in, and of the plain kernel.
func TestVectors(t *testing.T) {
	e := of(t)
	if e == nil {
		return
	}
	f, err := os.Open("testdata/vectors.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	worst, n := 1.0, 0
	for lines.Scan() {
		var want struct {
			Text   string    `json:"text"`
			Vector []float64 `json:"vector"`
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		got := e.Embed(want.Text)
		dot := 0.0
		for i, v := range got {
			dot += float64(v) * want.Vector[i]
		}
		if dot < .9999 {
			t.Errorf("%q: the cosine with the expected vector is %.6f", want.Text, dot)
		}
		worst = min(worst, dot)
		n++
	}
	if err := lines.Err(); err != nil || n == 0 {
		t.Fatalf("%d vectors, %v", n, err)
	}
	t.Logf("%d texts, worst cosine %.6f", n, worst)
}

func TestHostile(t *testing.T) {
	e := of(t)
	if e == nil {
		return
	}
	for _, text := range []string{"", " ", "\xff\xfe", "これは日本語です", "😡", string(bytes.Repeat([]byte("mot "), 1<<18)), string(bytes.Repeat([]byte("x"), 1<<20)), "\u2581\u2581", "a\x00b"} {
		v := e.Embed(text)
		norm := 0.0
		for _, x := range v {
			norm += float64(x) * float64(x)
		}
		if math.Abs(norm-1) > 1e-3 {
			t.Errorf("%.20q: a vector of length %f", text, math.Sqrt(norm))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("dossier encoder 1\n"))
	f.Add(append([]byte("dossier encoder 1\n"), 2, 0, 0, 0, '{', '}'))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := encoder.Parse(b); err == nil {
			e.Embed("un texte")
		}
	})
}

func FuzzConvert(f *testing.F) {
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if _, err := encoder.Convert(b); err != nil {
			return
		}
	})
}

func BenchmarkEmbed(b *testing.B) {
	e := of(b)
	if e == nil {
		return
	}
	for b.Loop() {
		e.Embed("Je suis très déçu : le colis est arrivé ouvert et personne ne répond au service client depuis mardi.")
	}
}
