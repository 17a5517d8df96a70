package seal

import (
	"bufio"
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// bytesOf is a stand-in for randomness that a test can repeat.
type bytesOf struct{ r *mathrand.Rand }

func (b bytesOf) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b.r.Uint32())
	}
	return len(p), nil
}

func testRing(t testing.TB, r *mathrand.Rand, classes ...string) *Ring {
	t.Helper()
	if len(classes) == 0 {
		classes = []string{"standard"}
	}
	ring, err := NewRing("main", randomKey(r), classes, 1990, 2028, bytesOf{r})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func personaOf(n uint64) (p schema.PersonaID) {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
	copy(p[:], sum[:])
	return p
}

func standard(epoch uint32, year int) schema.KeyID {
	return schema.KeyID{Epoch: epoch, Class: "standard", Year: year}
}

// The golden file was made by another program, in another language, from the words of doc.go and tree.go.
func TestGoldenKeys(t *testing.T) {
	run := func(start byte) (key Key) {
		for i := range key {
			key[i] = start + byte(i)
		}
		return key
	}
	ring, err := NewRing("main", run(0), nil, 0, 0, bytes.NewReader(append([]byte{}, keyBytes(run(64))...)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Extend("standard", 2026, 2026, bytes.NewReader(keyBytes(run(128)))); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join("testdata", "keys.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	checked := map[string]int{}
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		field := strings.Split(lines.Text(), "\t")
		var got []byte
		switch field[0] {
		case "pseudonym":
			got = ring.pseudonym[:]
		case "tree":
			index, err := strconv.ParseUint(field[1], 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			key, err := ring.tree.Derive(index)
			if err != nil {
				t.Fatal(err)
			}
			got = key[:]
		case "event":
			persona, epoch, _ := strings.Cut(field[1], "/")
			n, err := strconv.ParseUint(epoch, 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			key, err := ring.EventKey(idOf(t, persona), standard(uint32(n), 2026))
			if err != nil {
				t.Fatal(err)
			}
			got = key[:]
		case "letter":
			key, err := ring.LetterKey(idOf(t, field[1]))
			if err != nil {
				t.Fatal(err)
			}
			got = key[:]
		case "identifier":
			kind, value, _ := strings.Cut(field[1], "|")
			if value == "x2000" {
				value = strings.Repeat("x", 2000)
			}
			hash := ring.PRF().IdentifierHash(kind, value)
			got = hash[:]
			var sum [32]byte
			if ring.PRF().Sum(&sum, []byte("identifier"), []byte(kind), []byte(value)); !bytes.Equal(sum[:16], got) {
				t.Errorf("Sum and IdentifierHash differ on %s", field[1])
			}
		default:
			t.Fatalf("unknown line %q", lines.Text())
		}
		checked[field[0]]++
		if hex.EncodeToString(got) != field[2] {
			t.Errorf("%s %s is %x, want %s", field[0], field[1], got, field[2])
		}
	}
	if want := map[string]int{"pseudonym": 1, "tree": 9, "event": 12, "letter": 4, "identifier": 6}; fmt.Sprint(checked) != fmt.Sprint(want) {
		t.Errorf("checked %v, want %v", checked, want)
	}
}

func keyBytes(key Key) []byte { return key[:] }

func idOf(t *testing.T, s string) (id [16]byte) {
	t.Helper()
	if n, err := hex.Decode(id[:], []byte(s)); err != nil || n != len(id) {
		t.Fatalf("bad id %q", s)
	}
	return id
}

func TestEventKeyIsHKDF(t *testing.T) {
	r := seed(t)
	ring := testRing(t, r)
	for range 200 {
		persona, id := personaOf(r.Uint64()), standard(r.Uint32N(3), 1990+r.IntN(39))
		got, err := ring.EventKey(persona, id)
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, ring.pseudonym[:])
		mac.Write([]byte("\x00\x00\x00\x04leaf\x00\x00\x00\x10" + string(persona[:]) + "\x00\x00\x00\x04"))
		mac.Write(binary.BigEndian.AppendUint32(nil, id.Epoch))
		root := ring.tree.arena.at(0).child[0]
		leaf := modelLeaf(root, binary.BigEndian.Uint64(mac.Sum(nil)))
		secret := ring.secrets[secretName{id.Class, id.Year}].key
		want, err := hkdf.Key(sha256.New, leaf[:], secret[:], "dossier event key v1", 32)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got[:], want) {
			t.Fatalf("key of epoch %d, %d is %x, want %x", id.Epoch, id.Year, got, want)
		}
		if again, err := ring.EventKey(persona, id); err != nil || again != got {
			t.Fatalf("from the cache: %x, %v, want %x", again, err, got)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	prf := NewPRF(Key{9})
	ring := testRing(t, seed(t))
	a, b, kind, value := []byte("workspace"), []byte("source"), strings.Repeat("k", 40), strings.Repeat("v", 80)
	var out [32]byte
	var n uint64
	for name, op := range map[string]func(){
		"PRF.Sum":        func() { prf.Sum(&out, a, b, a) },
		"IdentifierHash": func() { prf.IdentifierHash(kind, value) },
		"EventKey": func() {
			n++
			var persona schema.PersonaID
			binary.LittleEndian.PutUint64(persona[8:], n*0x9e3779b97f4a7c15)
			if _, err := ring.EventKey(persona, standard(0, 2026)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for range 30000 { // fills pools, caches and kept nodes
			op()
		}
		if allocs := testing.AllocsPerRun(1000, op); allocs >= 0.5 {
			t.Errorf("%s allocates %.1f times", name, allocs)
		}
	}
}

func TestPunchEpoch(t *testing.T) {
	ring := testRing(t, seed(t))
	ann, bob := personaOf(1), personaOf(2)
	keys := map[string]Key{}
	for _, persona := range []schema.PersonaID{ann, bob} {
		for epoch := range uint32(3) {
			for _, year := range []int{1999, 2026} {
				key, err := ring.EventKey(persona, standard(epoch, year))
				if err != nil {
					t.Fatal(err)
				}
				keys[fmt.Sprint(persona, epoch, year)] = key
			}
		}
	}
	if ring.CurrentEpoch(ann) != 0 {
		t.Errorf("a new persona is in epoch %d, want 0", ring.CurrentEpoch(ann))
	}
	if !ring.Punch(ann, 0) || ring.Punch(ann, 0) {
		t.Error("the first punch changes the ring, the second does not")
	}
	if ring.Version() != 2 {
		t.Errorf("version %d after one change, want 2", ring.Version())
	}
	if ring.CurrentEpoch(ann) != 1 || ring.CurrentEpoch(bob) != 0 {
		t.Errorf("epochs %d and %d, want 1 and 0", ring.CurrentEpoch(ann), ring.CurrentEpoch(bob))
	}
	for _, persona := range []schema.PersonaID{ann, bob} {
		for epoch := range uint32(3) {
			if closed := persona == ann && epoch == 0; ring.Closed(persona, epoch) != closed {
				t.Errorf("%v epoch %d closed: %v", persona, epoch, !closed)
			}
			for _, year := range []int{1999, 2026} {
				got, err := ring.EventKey(persona, standard(epoch, year))
				if persona == ann && epoch == 0 {
					if !errors.Is(err, ErrPunched) || got != (Key{}) {
						t.Errorf("year %d of the punched epoch: %x, %v", year, got, err)
					}
				} else if want := keys[fmt.Sprint(persona, epoch, year)]; err != nil || got != want {
					t.Errorf("%v epoch %d year %d: %x, %v, want %x", persona, epoch, year, got, err, want)
				}
			}
		}
	}
	for s := range ring.cache.shards {
		if sets := ring.cache.shards[s].sets; sets != nil {
			for n := range sets {
				for i, name := range sets[n].name {
					held := sets[n].tag[i] != 0
					if name.Persona == ann && name.Epoch == 0 && held || !held && sets[n].key[i] != (Key{}) {
						t.Error("a key of the punched epoch is still in the cache")
					}
				}
			}
		}
	}
	ring.Punch(ann, 1<<32-1)
	if ring.CurrentEpoch(ann) != 1<<32-1 {
		t.Errorf("after the last epoch comes %d", ring.CurrentEpoch(ann))
	}
}

func TestExpire(t *testing.T) {
	r := seed(t)
	ring := testRing(t, r, "standard", "short")
	ann := personaOf(1)
	short := schema.KeyID{Class: "short", Year: 2026}
	kept, err := ring.EventKey(ann, standard(0, 2026))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.EventCipher(ann, short); err != nil {
		t.Fatal(err)
	}
	if got := ring.Classes(); !slices.Equal(got, []string{"short", "standard"}) {
		t.Errorf("classes %q", got)
	}
	held := ring.secrets[secretName{"short", 2026}]
	if !ring.Expire("short", 2026) || ring.Expire("short", 2026) {
		t.Error("the first time changes the ring, the second does not")
	}
	for s := range ring.cache.shards {
		if sets := ring.cache.shards[s].sets; sets != nil {
			for n := range sets {
				for i, name := range sets[n].name {
					if name.slot == held.slot || sets[n].tag[i] == 0 && (sets[n].key[i] != (Key{}) || sets[n].made[i] != nil) {
						t.Error("a key under the expired secret is still in the cache")
					}
				}
			}
		}
	}
	if held.key != (Key{}) || held.pads.inner.block != [64]byte{} || !bytes.Equal(held.pads.outer.state, make([]byte, len(held.pads.outer.state))) {
		t.Error("the secret is still in memory")
	}
	if _, err := ring.EventKey(ann, short); !errors.Is(err, ErrExpired) {
		t.Errorf("the expired class and year: %v", err)
	}
	var refusal *schema.Refusal
	if !errors.As(ErrExpired, &refusal) || refusal.Code != "retention_expired" || schema.ClassOf(ErrExpired) != schema.Rejected {
		t.Errorf("ErrExpired is %+v", ErrExpired)
	}
	if got, err := ring.EventKey(ann, standard(0, 2026)); err != nil || got != kept {
		t.Errorf("the other class: %x, %v, want %x", got, err, kept)
	}
	if made, err := ring.Extend("short", 2025, 2030, bytesOf{r}); err != nil || made != 2 {
		t.Errorf("Extend made %d, %v, want 2029 and 2030 only", made, err)
	}
	if _, err := ring.EventKey(ann, short); !errors.Is(err, ErrExpired) {
		t.Errorf("expired, then extended: %v", err)
	}
	for _, id := range []schema.KeyID{standard(0, 1989), standard(0, 2029), {Class: "none", Year: 2026}, {}} {
		if _, err := ring.EventKey(ann, id); !errors.Is(err, ErrNoSecret) {
			t.Errorf("%+v: %v, want ErrNoSecret", id, err)
		}
	}
	if ring.Expire("", 1) || ring.Expire("standard", 70000) {
		t.Error("a class or year that cannot be written down was expired")
	}
	if _, err := ring.Extend("standard", 2029, 2040, bytes.NewReader(make([]byte, 40))); err == nil {
		t.Error("randomness ended and nothing was said")
	}
	if _, err := ring.EventKey(ann, standard(0, 2029)); !errors.Is(err, ErrNoSecret) {
		t.Errorf("half of an extension was kept: %v", err)
	}
}

func TestLetterKey(t *testing.T) {
	ring := testRing(t, seed(t))
	letter, other := [16]byte{1}, [16]byte{2}
	one, err := ring.LetterKey(letter)
	if err != nil {
		t.Fatal(err)
	}
	two, err := ring.LetterKey(other)
	if err != nil || one == two {
		t.Fatalf("two letters, one key (%v)", err)
	}
	if !ring.PunchLetter(letter) || ring.PunchLetter(letter) {
		t.Error("the first punch changes the ring, the second does not")
	}
	if _, err := ring.LetterKey(letter); !errors.Is(err, ErrPunched) {
		t.Errorf("after its punch: %v", err)
	}
	if again, err := ring.LetterKey(other); err != nil || again != two {
		t.Errorf("the other letter: %x, %v", again, err)
	}
	if _, err := ring.EventKey(letter, standard(0, 2026)); err != nil {
		t.Errorf("a persona with a letter's id went with it: %v", err)
	}
}

// TestLetterDays: the letters of a day go together, those of other days stay, and however many days went, the ring keeps one path of them.
func TestLetterDays(t *testing.T) {
	ring := testRing(t, seed(t))
	letter, other := [16]byte{1}, [16]byte{2}
	key := func(day Day, letter [16]byte) Key {
		t.Helper()
		k, err := ring.DayLetterKey(day, letter)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	seen := map[Key]bool{}
	for _, k := range []Key{key(20_000, letter), key(20_000, other), key(20_001, letter), key(0, letter), key(65_535, letter)} {
		seen[k] = true
	}
	if own, err := ring.LetterKey(letter); err != nil || len(seen) != 5 || seen[own] {
		t.Fatalf("%d keys of five letters (%v)", len(seen), err)
	}
	later := key(21_001, letter)
	size := func() int {
		t.Helper()
		b, err := ring.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return len(b)
	}
	before, most := size(), 0
	for day := Day(20_000); day <= 21_000; day++ {
		if !ring.PunchDays(day, day) || ring.PunchDays(day-Day(min(int(day)-20_000, 3)), day) {
			t.Fatalf("day %d: the first punch changes the ring, the second does not", day)
		}
		most = max(most, size()-before)
	}
	t.Logf("1,001 days given up one after the other cost at most %d bytes, in the end %d", most, size()-before)
	if most > 4300 {
		t.Errorf("1,001 days given up cost the ring %d bytes", most)
	}
	for _, day := range []Day{20_000, 20_500, 21_000} {
		if _, err := ring.DayLetterKey(day, other); !errors.Is(err, ErrPunched) {
			t.Errorf("day %d after its punch: %v", day, err)
		}
	}
	if key(21_001, letter) != later {
		t.Error("the next day has another key now")
	}
	key(19_999, letter)
	if _, err := ring.EventKey(letter, standard(0, 2026)); err != nil {
		t.Errorf("a persona with a letter's id went with it: %v", err)
	}
}

func nastyRing(t testing.TB, r *mathrand.Rand) *Ring {
	ring := testRing(t, r, "standard", "short", strings.Repeat("c", 255))
	for i := range uint64(40) {
		ring.Punch(personaOf(i), uint32(i%3))
		ring.PunchLetter([16]byte{byte(i)})
	}
	ring.Expire("short", 1999)
	ring.Expire("never made", 2000)
	return ring
}

func TestRingRoundTrip(t *testing.T) {
	r := seed(t)
	ring := nastyRing(t, r)
	first, _ := ring.MarshalBinary()
	if cap(first) != len(first) {
		t.Errorf("the form was made with room for %d bytes and has %d: a copy of keys stayed behind", cap(first), len(first))
	}
	again, err := ring.Clone()
	if err != nil {
		t.Fatal(err)
	}
	second, _ := again.MarshalBinary()
	if !bytes.Equal(first, second) {
		t.Fatal("parsed and written again it differs")
	}
	if again.Version() != ring.Version() || again.Workspace() != "main" {
		t.Errorf("version %d of %q", again.Version(), again.Workspace())
	}
	for i := range uint64(80) {
		for _, id := range []schema.KeyID{standard(uint32(i%3), 2026), {Class: "short", Year: 1999}, {Class: "never made", Year: 2000}} {
			got, err := again.EventKey(personaOf(i), id)
			want, wantErr := ring.EventKey(personaOf(i), id)
			if got != want || !errors.Is(err, wantErr) {
				t.Fatalf("persona %d %+v: %x %v, want %x %v", i, id, got, err, want, wantErr)
			}
		}
		if again.CurrentEpoch(personaOf(i)) != ring.CurrentEpoch(personaOf(i)) {
			t.Errorf("persona %d is in another epoch", i)
		}
	}
	for n := 0; n < len(first); n += 1 + n/3000*r.IntN(2000) { // every short one, some of the long ones
		if _, err := ParseRing(first[:n]); err == nil {
			t.Fatalf("%d of %d bytes are read as a ring", n, len(first))
		}
	}
}

func TestWrap(t *testing.T) {
	r := seed(t)
	ring := testRing(t, r)
	ring.Punch(personaOf(1), 0)
	ringKey := randomKey(r)
	wrapped, err := ring.Wrap(ringKey, bytesOf{r})
	if err != nil {
		t.Fatal(err)
	}
	back, err := Unwrap(wrapped, ringKey)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := ring.MarshalBinary()
	if two, _ := back.MarshalBinary(); !bytes.Equal(one, two) {
		t.Error("unwrapped it differs")
	}
	if _, err := Unwrap(wrapped, randomKey(r)); !errors.Is(err, ErrBroken) {
		t.Errorf("another ring key: %v", err)
	}
	for i := range wrapped {
		wrapped[i] ^= 1 << r.IntN(8)
		if _, err := Unwrap(wrapped, ringKey); !errors.Is(err, ErrBroken) {
			t.Fatalf("byte %d was altered: %v", i, err)
		}
		if wrapped, err = ring.Wrap(ringKey, bytesOf{r}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range min(len(wrapped), 100) {
		if _, err := Unwrap(wrapped[:n], ringKey); !errors.Is(err, ErrBroken) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	if _, err := ring.Wrap(ringKey, bytes.NewReader(nil)); schema.ClassOf(err) != schema.Transient {
		t.Errorf("no randomness: %v", err)
	}
}

func TestNewRingNeedsRandomness(t *testing.T) {
	for n := range 3*32 - 1 {
		if _, err := NewRing("main", Key{}, []string{"standard"}, 2025, 2026, bytes.NewReader(make([]byte, n))); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d bytes of randomness: %v", n, err)
		}
	}
	if _, err := NewRing("main", Key{}, []string{""}, 2025, 2026, rand.Reader); err == nil {
		t.Error("a class without a name was taken")
	}
	if _, err := NewRing(strings.Repeat("w", 1<<16), Key{}, nil, 0, 0, rand.Reader); err == nil {
		t.Error("a workspace name of 65,536 bytes was taken")
	}
}

func TestAdopt(t *testing.T) {
	r := seed(t)
	ring := testRing(t, r)
	larger, err := ring.Clone()
	if err != nil {
		t.Fatal(err)
	}
	if made, err := larger.Extend("standard", 1980, 2030, bytesOf{r}); err != nil || made != 12 {
		t.Fatalf("made %d, %v", made, err)
	}
	ring.Expire("standard", 1985)
	ring.Adopt(larger)
	for _, year := range []int{1980, 1990, 2030} {
		got, err := ring.EventKey(personaOf(1), standard(0, year))
		want, wantErr := larger.EventKey(personaOf(1), standard(0, year))
		if err != nil || wantErr != nil || got != want {
			t.Errorf("%d: %x %v, want %x %v", year, got, err, want, wantErr)
		}
	}
	if _, err := ring.EventKey(personaOf(1), standard(0, 1985)); !errors.Is(err, ErrExpired) {
		t.Errorf("an expired year came back: %v", err)
	}
}

// While one goroutine punches and expires, others ask: each answer is the right key or the right refusal, and what was taken away
// before a question began is refused.
func TestRingTogether(t *testing.T) {
	r := seed(t)
	ring := testRing(t, r)
	still, err := ring.Clone()
	if err != nil {
		t.Fatal(err)
	}
	const personas = 64
	want := map[int]Key{}
	for n := range personas {
		if want[n], err = still.EventKey(personaOf(uint64(n)), standard(0, 2026)); err != nil {
			t.Fatal(err)
		}
	}
	var punched, expired atomic.Int64 // personas below, years from 1990 below
	var readers sync.WaitGroup
	done := make(chan struct{})
	for worker := range 4 {
		readers.Go(func() {
			r := mathrand.New(mathrand.NewPCG(uint64(worker), 7))
			for {
				select {
				case <-done:
					return
				default:
				}
				n := r.IntN(personas)
				gone := n < int(punched.Load())
				key, err := ring.EventKey(personaOf(uint64(n)), standard(0, 2026))
				if gone && !errors.Is(err, ErrPunched) || err == nil && key != want[n] || err != nil && !errors.Is(err, ErrPunched) {
					t.Errorf("persona %d, punched before: %v: %x, %v", n, gone, key, err)
					return
				}
				year := 1990 + r.IntN(30)
				gone = year < 1990+int(expired.Load())
				if _, err := ring.EventKey(personaOf(1000), standard(0, year)); gone && !errors.Is(err, ErrExpired) || err != nil && !errors.Is(err, ErrExpired) {
					t.Errorf("year %d, expired before: %v: %v", year, gone, err)
					return
				}
			}
		})
	}
	for n := range personas / 2 {
		ring.Punch(personaOf(uint64(n)), 0)
		punched.Store(int64(n + 1))
		if n < 30 {
			ring.Expire("standard", 1990+n)
			expired.Store(int64(n + 1))
		}
		if _, err := ring.Clone(); err != nil {
			t.Error(err)
		}
	}
	close(done)
	readers.Wait()
}

// A kept cipher is that of the key, and is given up with it.
func TestEventCipher(t *testing.T) {
	ring := testRing(t, seed(t), "standard")
	id := standard(0, 2026)
	for n := range uint64(3 * cacheSets) {
		persona := personaOf(n % cacheSets)
		c, err := ring.EventCipher(persona, id)
		if err != nil {
			t.Fatal(err)
		}
		key, err := ring.EventKey(persona, id)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := c.Seal(nil, []byte("bonjour"), []byte("clear"), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := Open(nil, sealed, []byte("clear"), key); err != nil || string(plain) != "bonjour" {
			t.Fatalf("the cipher of persona %d is not that of its key: %q, %v", n, plain, err)
		}
		if again, err := ring.EventCipher(persona, id); err != nil || again != c {
			t.Fatalf("the cipher of persona %d is made again: %v", n, err)
		}
	}
	before, err := ring.EventCipher(personaOf(5), id)
	if err != nil {
		t.Fatal(err)
	}
	ring.Forget()
	if after, err := ring.EventCipher(personaOf(5), id); err != nil || after == before {
		t.Errorf("after Forget the cipher is still kept: %v", err)
	}
	ring.Punch(personaOf(1), 0)
	if _, err := ring.EventCipher(personaOf(1), id); !errors.Is(err, ErrPunched) {
		t.Errorf("after a punch: %v", err)
	}
	ring.Expire("standard", 2026)
	if _, err := ring.EventCipher(personaOf(2), id); !errors.Is(err, ErrExpired) {
		t.Errorf("after the class and year have expired: %v", err)
	}
	ring.Destroy()
	for s := range ring.cache.shards {
		for n := range ring.cache.shards[s].sets {
			if ring.cache.shards[s].sets[n].made != ([cacheWays]*Cipher{}) {
				t.Fatal("a cipher is still in the cache")
			}
		}
	}
	if _, err := ring.EventCipher(personaOf(2), id); !errors.Is(err, errDestroyed) {
		t.Errorf("after Destroy: %v", err)
	}
}

func TestRingDestroy(t *testing.T) {
	ring := testRing(t, seed(t))
	if _, err := ring.EventKey(personaOf(1), standard(0, 2026)); err != nil {
		t.Fatal(err)
	}
	ring.Destroy()
	ring.Destroy()
	if key, err := ring.EventKey(personaOf(1), standard(0, 2026)); !errors.Is(err, errDestroyed) {
		t.Errorf("after Destroy: %x, %v", key, err)
	}
	if key, err := ring.LetterKey([16]byte{1}); !errors.Is(err, errDestroyed) {
		t.Errorf("after Destroy: %x, %v", key, err)
	}
	if out, err := ring.MarshalBinary(); !errors.Is(err, errDestroyed) {
		t.Errorf("after Destroy: %d bytes, %v", len(out), err)
	}
	if ring.pseudonym != (Key{}) || len(ring.secrets) != 0 {
		t.Error("keys are still in memory")
	}
}

func FuzzParseRing(f *testing.F) {
	r := mathrand.New(mathrand.NewPCG(1, 1))
	small, err := NewRing("w", Key{}, []string{"s"}, 2026, 2026, bytesOf{r})
	if err != nil {
		f.Fatal(err)
	}
	out, _ := small.MarshalBinary()
	f.Add(out)
	small.Expire("s", 2025)
	small.Punch(personaOf(1), 1)
	out, _ = small.MarshalBinary()
	f.Add(out)
	f.Add([]byte(ringMagic))
	f.Fuzz(func(t *testing.T, src []byte) {
		ring, err := ParseRing(src)
		if err != nil {
			return
		}
		if out, _ := ring.MarshalBinary(); !bytes.Equal(src, out) {
			t.Errorf("%x is read as %x", src, out)
		}
	})
}

// TestFingerprint: a ring has one fingerprint, whatever is punched and however often it is stored, and two rings of one master key
// have two.
func TestFingerprint(t *testing.T) {
	fingerprint := func(r *Ring) string {
		t.Helper()
		f, err := r.Fingerprint()
		if err != nil || len(f) != 32 {
			t.Fatalf("%q %v", f, err)
		}
		return f
	}
	make := func() *Ring {
		t.Helper()
		r, err := NewRing("main", Key{1}, []string{"standard"}, 2025, 2026, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	one, two := make(), make()
	if fingerprint(one) == fingerprint(two) {
		t.Error("two rings, one fingerprint")
	}
	before := fingerprint(one)
	for n := range 100 {
		one.Punch(schema.PersonaID{byte(n)}, 0)
		one.PunchLetter([16]byte{byte(n)})
	}
	one.Expire("standard", 2025)
	if fingerprint(one) != before {
		t.Error("a punch changed it")
	}
}

// A copy of a ring that follows it gives the keys that the ring gives, and none that it gave up.
func TestRingFollows(t *testing.T) {
	r := mathrand.New(mathrand.NewPCG(3, 3))
	ring := testRing(t, r)
	follower, err := ring.Clone()
	if err != nil {
		t.Fatal(err)
	}
	key := func(ring *Ring, n uint64, id schema.KeyID) (Key, error) { return ring.EventKey(personaOf(n), id) }
	for n := range uint64(40) { // its cache knows keys that will be punched
		if _, err := key(follower, n, standard(0, 2000)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range uint64(20) {
		ring.Punch(personaOf(n), 0)
	}
	ring.Expire("standard", 1995)
	if _, err := ring.Extend("standard", 2029, 2030, bytesOf{r}); err != nil {
		t.Fatal(err)
	}
	newer, err := ring.Clone()
	if err != nil {
		t.Fatal(err)
	}
	older, err := follower.Clone()
	if err != nil {
		t.Fatal(err)
	}
	if err := follower.Follow(newer); err != nil {
		t.Fatal(err)
	}
	if follower.Version() != ring.Version() || follower.CurrentEpoch(personaOf(3)) != 1 || !follower.Closed(personaOf(3), 0) {
		t.Errorf("version %d, epoch %d: the follower is not what it follows", follower.Version(), follower.CurrentEpoch(personaOf(3)))
	}
	for n := range uint64(40) {
		for _, id := range []schema.KeyID{standard(0, 2000), standard(1, 2000), standard(0, 1995), standard(0, 2030)} {
			want, refused := key(ring, n, id)
			got, err := key(follower, n, id)
			if got != want || !errors.Is(err, refused) {
				t.Fatalf("persona %d, %+v: %v, want %v", n, id, err, refused)
			}
		}
	}
	if follower.PRF().IdentifierHash("email", "x") != ring.PRF().IdentifierHash("email", "x") {
		t.Error("another hash")
	}
	if err := follower.Follow(older); err == nil {
		t.Error("an older version was followed")
	}
	if err := follower.Follow(testRing(t, r)); err == nil {
		t.Error("another ring was followed")
	}
	if _, err := newer.EventKey(personaOf(30), standard(0, 2000)); err == nil {
		t.Error("what was taken over still gives keys")
	}
}
