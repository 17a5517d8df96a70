package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Whatever is put, removed and crowded out: what is found is what was put last, and the bound holds.
func TestRecent(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("DOSSIER_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	r, model, found := NewRecent(3<<20), map[string][]byte{}, 0
	for range 200_000 {
		key := fmt.Appendf(nil, "key %d", rng.IntN(20_000))
		switch rng.IntN(10) {
		case 0:
			r.Remove(key)
			delete(model, string(key))
		case 4, 5: // a known row grows; one that is not known stays so
			more := fmt.Appendf(nil, "more %d", rng.IntN(1000))
			r.Append(key, more)
			if value, there := model[string(key)]; there {
				model[string(key)] = append(bytes.Clone(value), more...)
			}
		case 1, 2, 3:
			value := make([]byte, rng.IntN(600))
			if rng.IntN(5000) == 0 {
				value = make([]byte, recentChunk/2) // too large to keep
			}
			for i := range value {
				value[i] = byte(rng.Uint32())
			}
			r.Put(key, value)
			model[string(key)] = value
		default:
			got, ok := r.Get([]byte("x"), key)
			if want, there := model[string(key)]; ok && (!there || !bytes.Equal(got[1:], want)) {
				t.Fatalf("DOSSIER_SEED=%d: %s is known as %d bytes, was put as %d (%v)", seed, key, len(got)-1, len(want), there)
			}
			if ok {
				found++
			}
		}
		if r.Bytes() > 3<<20 || len(r.where) > 20_000 {
			t.Fatalf("DOSSIER_SEED=%d: %d bytes, %d rows", seed, r.Bytes(), len(r.where))
		}
	}
	if found < 10_000 {
		t.Errorf("DOSSIER_SEED=%d: only %d were found", seed, found)
	}
}
