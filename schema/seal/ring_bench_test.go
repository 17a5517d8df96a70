package seal

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// benchmarkPersonas is far more than the cache of keys holds.
const benchmarkPersonas = 1 << 20

func benchmarkRing(b *testing.B, punched int) (*Ring, []schema.PersonaID) {
	r := mathrand.New(mathrand.NewPCG(1, 1))
	ring := testRing(b, r)
	for i := range punched {
		ring.Punch(personaOf(uint64(i)+1<<40), 0)
	}
	personas := make([]schema.PersonaID, benchmarkPersonas)
	for i := range personas {
		personas[i] = personaOf(uint64(i))
	}
	return ring, personas
}

func BenchmarkEventKeyUncached(b *testing.B) {
	for _, punched := range []int{0, 10000} {
		b.Run(fmt.Sprintf("punched=%d", punched), func(b *testing.B) {
			ring, personas := benchmarkRing(b, punched)
			n := 0
			measure(b, func() {
				n++
				if _, err := ring.EventKey(personas[n%benchmarkPersonas], standard(0, 1990+n%39)); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func BenchmarkEventKeyOtherYear(b *testing.B) { // the leaf is cached, the event key is not
	ring, personas := benchmarkRing(b, 0)
	n := 0
	measure(b, func() {
		n++
		if _, err := ring.EventKey(personas[n%200], standard(0, 1990+n/200%39)); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkEventKeyCached(b *testing.B) {
	ring, personas := benchmarkRing(b, 0)
	n := 0
	measure(b, func() {
		n++
		if _, err := ring.EventKey(personas[n%1000], standard(0, 2026)); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkPRF(b *testing.B) {
	prf := NewPRF(Key{1})
	parts := [][]byte{[]byte("persona"), []byte("main"), []byte("shop"), []byte("server"), []byte("user_id"), []byte("customer-1234567")}
	var out [32]byte
	measure(b, func() { prf.Sum(&out, parts...) })
}

func BenchmarkIdentifierHash(b *testing.B) {
	prf := NewPRF(Key{1})
	measure(b, func() { prf.IdentifierHash("email", "someone@example.org") })
}

func BenchmarkSeal(b *testing.B) {
	plaintext, ad, dst := make([]byte, 400), make([]byte, 100), make([]byte, 0, 1000)
	measure(b, func() {
		if _, err := Seal(dst, plaintext, ad, Key{1}, rand.Reader); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	ad, dst := make([]byte, 100), make([]byte, 0, 1000)
	sealed, err := Seal(nil, make([]byte, 400), ad, Key{1}, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	measure(b, func() {
		if _, err := Open(dst, sealed, ad, Key{1}); err != nil {
			b.Fatal(err)
		}
	})
}
