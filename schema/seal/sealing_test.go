package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

func TestSealOpen(t *testing.T) {
	r := seed(t)
	for _, length := range []int{0, 1, 15, 16, 17, 640, 100000} {
		plaintext := make([]byte, length)
		bytesOf{r}.Read(plaintext)
		ad, key := []byte("clear part"), randomKey(r)
		sealed, err := Seal([]byte("before"), plaintext, ad, key, bytesOf{r})
		if err != nil {
			t.Fatal(err)
		}
		if len(sealed) != len("before")+length+Overhead || string(sealed[:6]) != "before" {
			t.Fatalf("%d bytes became %d", length, len(sealed))
		}
		sealed = sealed[6:]
		opened, err := Open([]byte("before"), sealed, ad, key)
		if err != nil || !bytes.Equal(opened[6:], plaintext) || string(opened[:6]) != "before" {
			t.Fatalf("%d bytes: %v", length, err)
		}
		broken := func(what string, sealed, ad []byte, key Key) {
			t.Helper()
			if got, err := Open([]byte("before"), sealed, ad, key); !errors.Is(err, ErrBroken) || string(got) != "before" {
				t.Errorf("%d bytes, %s: %q, %v", length, what, got, err)
			}
		}
		broken("another key", sealed, ad, randomKey(r))
		broken("another clear part", sealed, []byte("clear part!"), key)
		broken("no tag", sealed[:length+nonceLength], ad, key)
		for range 100 {
			altered := slices.Clone(sealed)
			altered[r.IntN(len(altered))] ^= 1 << r.IntN(8)
			broken("altered", altered, ad, key)
		}
		if got, err := Seal([]byte("before"), plaintext, ad, key, bytes.NewReader(make([]byte, 11))); schema.ClassOf(err) != schema.Transient || string(got) != "before" {
			t.Errorf("no nonce: %q, %v", got, err)
		}
	}
}

func TestSealUsesTheBuffer(t *testing.T) {
	dst := make([]byte, 0, 1000)
	sealed, err := Seal(dst, make([]byte, 500), nil, Key{}, rand.Reader)
	if err != nil || &sealed[0] != &dst[:1][0] {
		t.Errorf("the buffer given was not used (%v)", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(make([]byte, Overhead), []byte("clear"))
	f.Fuzz(func(t *testing.T, sealed, ad []byte) {
		if _, err := Open(nil, sealed, ad, Key{1}); !errors.Is(err, ErrBroken) {
			t.Errorf("%x opens: %v", sealed, err)
		}
	})
}
