package seal

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

func TestPRFParts(t *testing.T) {
	prf := NewPRF(Key{9})
	sum := func(parts ...string) (out [32]byte) {
		var in [][]byte
		for _, part := range parts {
			in = append(in, []byte(part))
		}
		prf.Sum(&out, in...)
		return out
	}
	seen := map[[32]byte]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"", "ab"}, {"ab", ""}, {"\x00\x00\x00\x01a"}, {strings.Repeat("a", 10000)}} {
		out := sum(parts...)
		if other, ok := seen[out]; ok {
			t.Errorf("%q and %s have one value", parts, other)
		}
		seen[out] = fmt.Sprintf("%q", parts)
		mac := hmac.New(sha256.New, keyBytes(Key{9}))
		for _, part := range parts {
			mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
			mac.Write([]byte(part))
		}
		if !bytes.Equal(out[:], mac.Sum(nil)) {
			t.Errorf("%q is not HMAC-SHA-256 of its parts", parts)
		}
	}
}
