package envelope

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"pgregory.net/rapid"
)

func plains(seed int64, n int) [][]byte {
	c := newCorpus(seed)
	out := make([][]byte, n)
	for i := range out {
		e := c.event()
		var w writer
		appendSealed(&w, &e.Sealed)
		out[i] = w.b
	}
	return out
}

// TestTrainDictionary writes a dictionary to the file that DOSSIER_DICTIONARY names. Dictionary 1 was made by it, before the corpus
// grew further; what it makes now is another dictionary, with another number.
func TestTrainDictionary(t *testing.T) {
	samples, size, name := 200, 2<<10, filepath.Join(t.TempDir(), "n.dict")
	if asked := os.Getenv("DOSSIER_DICTIONARY"); asked != "" {
		samples, size, name = 6000, 24<<10, asked
	}
	dict := train(plains(1, samples), size, 160)
	if again := train(plains(1, samples), size, 160); !bytes.Equal(dict, again) {
		t.Error("training twice gives two dictionaries")
	}
	if len(dict) != size {
		t.Errorf("got %d bytes, want %d", len(dict), size)
	}
	if err := os.WriteFile(name, dict, 0o644); err != nil {
		t.Fatal(err)
	}
}

// The dictionaries are a part of the wire form: an event can be read only with the very one it was written with.
func TestDictionariesNeverChange(t *testing.T) {
	sums := map[string]string{"1.dict": "15be6ddb9a5345d1c91d79ceca603d51a21fbded6a1340ae72637fda4a280207"}
	files, err := filepath.Glob("dictionaries/*.dict")
	if err != nil || len(files) != len(sums) || len(files) != len(dictionaries) {
		t.Fatalf("got files %v (%v), %d sums, %d loaded", files, err, len(sums), len(dictionaries))
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if got := hex.EncodeToString(sum[:]); got != sums[filepath.Base(file)] {
			t.Errorf("%s has sum %s", file, got)
		}
	}
}

// Events of a seed that no dictionary was trained on.
func TestDictionaryHalvesTypicalEvents(t *testing.T) {
	var w work
	before, after := 0, 0
	for _, plain := range plains(7, 2000) {
		before += len(plain)
		if squeezed, ok := compress(&w, plain, NewestDictionary); ok {
			after += len(squeezed)
		} else {
			after += len(plain)
		}
	}
	t.Logf("%d bytes become %d on average", before/2000, after/2000)
	if after > before/2 {
		t.Errorf("%d bytes become %d", before, after)
	}
}

func roundTrips(t interface{ Fatalf(string, ...any) }, plain []byte) {
	var w work
	squeezed, _ := compress(&w, plain, NewestDictionary)
	if squeezed == nil {
		return
	}
	got, err := decompress(squeezed, NewestDictionary)
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%d bytes do not come back: %v", len(plain), err)
	}
	if len(plain) <= longestSqueezed && len(squeezed) > s2.MaxEncodedLen(len(plain)) {
		t.Fatalf("%d bytes become %d", len(plain), len(squeezed))
	}
}

func TestSqueezeComesBack(t *testing.T) {
	dict := dictionaries[NewestDictionary].dict
	rapid.Check(t, func(t *rapid.T) {
		var plain []byte
		for range rapid.IntRange(0, 60).Draw(t, "parts") {
			switch rapid.IntRange(0, 3).Draw(t, "part") {
			case 0: // a part of the dictionary, also its ends
				from := rapid.IntRange(0, len(dict)).Draw(t, "from")
				plain = append(plain, dict[from:min(len(dict), from+rapid.IntRange(0, 300).Draw(t, "length"))]...)
			case 1:
				plain = append(plain, rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(t, "random")...)
			case 2: // what came before
				if len(plain) > 0 {
					from := rapid.IntRange(0, len(plain)-1).Draw(t, "from")
					plain = append(plain, plain[from:min(len(plain), from+rapid.IntRange(0, 4000).Draw(t, "length"))]...)
				}
			case 3:
				plain = append(plain, strings.Repeat(rapid.StringN(1, 3, 8).Draw(t, "unit"), rapid.IntRange(0, 200).Draw(t, "times"))...)
			}
		}
		roundTrips(t, plain)
	})
	for _, n := range []int{0, 1, 7, 8, 23, 24, 25, longestSqueezed - 1, longestSqueezed, longestSqueezed + 1, 1 << 16, 1<<16 + 1, 1 << 20} {
		roundTrips(t, bytes.Repeat([]byte("a"), n))
		roundTrips(t, append(bytes.Repeat([]byte("bonjour "), n/8), dict...))
	}
}
