package state

import (
	"encoding/binary"
	"testing"
)

// No key that was added is denied; of those that were not, nearly all are, however many there are.
func TestFilter(t *testing.T) {
	f, key := NewFilter(), make([]byte, 24)
	number := func(n uint64) []byte { binary.BigEndian.PutUint64(key[8:], n); return key }
	if f.May(number(1)) {
		t.Error("an empty filter knows a key")
	}
	const keys = 300_000
	for n := range uint64(keys) {
		f.Add(number(n))
	}
	wrong := 0
	for n := range uint64(keys) {
		if !f.May(number(n)) {
			t.Fatalf("key %d was added and is denied", n)
		}
		if f.May(number(n + 1<<40)) {
			wrong++
		}
	}
	if wrong > keys/50 {
		t.Errorf("%d of %d keys that were not added may be there", wrong, keys)
	}
	if f.Bytes() > keys*8 {
		t.Errorf("%d keys take %d bytes", keys, f.Bytes())
	}
}
