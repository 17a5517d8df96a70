package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// seed is printed by a failing test; DOSSIER_SEED repeats it.
func seed(t testing.TB) *rand.Rand {
	t.Helper()
	n := rand.Uint64()
	if s := os.Getenv("DOSSIER_SEED"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("DOSSIER_SEED=%d", n)
		}
	})
	return rand.New(rand.NewPCG(n, 1))
}

// count is a number of cases: large under DOSSIER_PROVE=1.
func count(usual, proven int) int {
	if os.Getenv("DOSSIER_PROVE") == "1" {
		return proven
	}
	return usual
}

func randomKey(r *rand.Rand) (key Key) {
	for i := range key {
		key[i] = byte(r.Uint32())
	}
	return key
}

// modelPath is the definition of the tree, word for word: the nodes from the root to the leaf.
func modelPath(root Key, index uint64) (path [treeLevels + 1]Key) {
	path[0] = root
	for level := range treeLevels {
		domain := byte(1)
		if level == 31 {
			domain = 2
		}
		child := byte(index >> (62 - 2*level) & 3)
		path[level+1] = sha256.Sum256(append(slices.Clone(path[level][:]), domain, child))
	}
	return path
}

func modelLeaf(root Key, index uint64) Key { return modelPath(root, index)[treeLevels] }

// clusteredIndex often falls near earlier ones, so that deep branches are shared, closed and filled.
func clusteredIndex(r *rand.Rand, earlier []uint64) uint64 {
	if len(earlier) == 0 || r.IntN(3) == 0 {
		return r.Uint64()
	}
	near := earlier[r.IntN(len(earlier))]
	return near ^ r.Uint64()>>(1+r.IntN(63))
}

// retained lists every node that the tree holds in any place, with the range of leaves below it.
func retained(t *Tree) (nodes []retainedNode) {
	var walk func(b *branch, i, level int, prefix uint64)
	walk = func(b *branch, i, level int, prefix uint64) {
		switch b.kind[i] {
		case whole:
			nodes = append(nodes, retainedNode{b.child[i], level, prefix})
		case open:
			for j := range fanOut {
				walk(t.arena.at(b.open(i)), j, level+1, prefix|uint64(j)<<(2*(treeLevels-1-level)))
			}
		}
	}
	walk(t.arena.at(0), 0, 0, 0)
	for n := range t.upper.blocks {
		if block := t.upper.blocks[n].Load(); block != nil {
			for i := range block {
				if block[i] != (Key{}) {
					nodes = append(nodes, retainedNode{block[i], upperLevel, uint64(n*blockNodes+i) << upperShift})
				}
			}
		}
	}
	return nodes
}

type retainedNode struct {
	node   Key
	level  int
	prefix uint64
}

func (n retainedNode) above(index uint64) bool {
	return n.level == 0 || (index^n.prefix)>>(2*(treeLevels-n.level)) == 0
}

func TestPunchAgainstModel(t *testing.T) {
	r := seed(t)
	root := randomKey(r)
	tree := NewTree(root)
	punched := map[uint64]bool{}
	var order []uint64
	total := count(2000, 10000)
	for n := range total {
		index := clusteredIndex(r, order)
		if got := tree.Punch(index); got == punched[index] {
			t.Fatalf("punch %d of %016x changed: %v, want %v", n, index, got, !punched[index])
		}
		punched[index] = true
		order = append(order, index)
		if _, err := tree.Derive(index); !errors.Is(err, ErrPunched) {
			t.Fatalf("leaf %016x after its punch: %v, want ErrPunched", index, err)
		}
		for range 4 {
			other := clusteredIndex(r, order)
			got, err := tree.Derive(other)
			if punched[other] {
				if !errors.Is(err, ErrPunched) {
					t.Fatalf("leaf %016x: %v, want ErrPunched", other, err)
				}
			} else if want := modelLeaf(root, other); err != nil || got != want {
				t.Fatalf("leaf %016x: %x, %v, want %x", other, got, err, want)
			}
		}
	}
	for index := range punched {
		if _, err := tree.Derive(index); !errors.Is(err, ErrPunched) {
			t.Fatalf("leaf %016x at the end: %v, want ErrPunched", index, err)
		}
	}
	if leaves := uncovered(t, tree); leaves != uint64(len(punched)) {
		t.Errorf("%d leaves are not covered, want the %d punched ones", leaves, len(punched))
	}
	out, _ := tree.AppendBinary(nil)
	t.Logf("%d punches: %d bytes, %.0f a punched leaf", len(punched), len(out), float64(len(out))/float64(len(punched)))
}

// uncovered counts the leaves that no retained node of the trie is above: 4³² less what is covered, in arithmetic modulo 2⁶⁴.
func uncovered(t *testing.T, tree *Tree) uint64 {
	t.Helper()
	var covered uint64
	for _, n := range retained(&Tree{arena: tree.arena}) {
		if n.level == 0 {
			t.Fatal("the root is still held")
		}
		covered += 1 << (2 * (treeLevels - n.level))
	}
	return -covered
}

// No node that is an ancestor of a punched leaf, nor the leaf, may be held anywhere: not by place, and not by value in the
// tree's memory, the kept upper nodes, or the serialised form.
func TestPunchedLeafHasNoAncestor(t *testing.T) {
	r := seed(t)
	for round := range count(40, 400) {
		root := randomKey(r)
		tree := NewTree(root)
		var punched []uint64
		for range 1 + r.IntN(12) {
			for range r.IntN(6) { // warms the kept nodes
				if _, err := tree.Derive(clusteredIndex(r, punched)); err != nil && !errors.Is(err, ErrPunched) {
					t.Fatal(err)
				}
			}
			index := clusteredIndex(r, punched)
			if _, err := tree.Derive(index); err != nil && !errors.Is(err, ErrPunched) {
				t.Fatal(err)
			}
			tree.Punch(index)
			punched = append(punched, index)
		}
		nodes := retained(tree)
		out, _ := tree.AppendBinary(nil)
		var memory bytes.Buffer
		for _, block := range tree.arena.blocks {
			for i := range block {
				for j := range fanOut {
					memory.Write(block[i].child[j][:])
				}
			}
		}
		for n := range tree.upper.blocks {
			if block := tree.upper.blocks[n].Load(); block != nil {
				for i := range block {
					if block[i] != (Key{}) {
						memory.Write(block[i][:])
					}
				}
			}
		}
		for _, index := range punched {
			for _, n := range nodes {
				if n.above(index) {
					t.Fatalf("round %d: a node of level %d above punched leaf %016x is held", round, n.level, index)
				}
			}
			for level, node := range modelPath(root, index) {
				if bytes.Contains(out, node[16:]) || bytes.Contains(memory.Bytes(), node[16:]) {
					t.Fatalf("round %d: node of level %d above punched leaf %016x is held by value", round, level, index)
				}
			}
		}
		for _, n := range nodes { // and what is held is right
			if want := modelPath(root, n.prefix)[n.level]; n.node != want {
				t.Fatalf("round %d: node of level %d at %016x is %x, want %x", round, n.level, n.prefix, n.node, want)
			}
		}
	}
}

func TestPunchOrderIsForgotten(t *testing.T) {
	r := seed(t)
	root := randomKey(r)
	var indexes []uint64
	for range 300 {
		indexes = append(indexes, clusteredIndex(r, indexes))
	}
	one, other := NewTree(root), NewTree(root)
	for _, index := range indexes {
		one.Punch(index)
	}
	r.Shuffle(len(indexes), func(i, j int) { indexes[i], indexes[j] = indexes[j], indexes[i] })
	for _, index := range indexes {
		other.Punch(index)
		other.Punch(index)
	}
	a, _ := one.AppendBinary(nil)
	b, _ := other.AppendBinary(nil)
	if !bytes.Equal(a, b) {
		t.Error("two orders of the same punches give two trees")
	}
}

// All leaves under one node of level 30, then the node's neighbours: branches close upwards.
func TestPunchWholeSubtree(t *testing.T) {
	tree := NewTree(Key{1})
	const base = uint64(0xabcdef0123456780)
	for i := range uint64(16) {
		if !tree.Punch(base + i) {
			t.Fatalf("leaf %d was punched before", i)
		}
	}
	if tree.Punch(base + 3) {
		t.Error("a leaf in a closed subtree was punched twice")
	}
	for i := range uint64(16) {
		if _, err := tree.Derive(base + i); !errors.Is(err, ErrPunched) {
			t.Errorf("leaf %d: %v", i, err)
		}
	}
	if got, err := tree.Derive(base + 16); err != nil || got != modelLeaf(Key{1}, base+16) {
		t.Errorf("the leaf beside: %x, %v", got, err)
	}
	out, _ := tree.AppendBinary(nil)
	if want := 1 + 30*(1+3*32); len(out) != want {
		t.Errorf("%d bytes, want %d: what is wholly gone costs nothing", len(out), want)
	}
	if live := tree.arena.used - len(tree.arena.free); live != 1+30 {
		t.Errorf("%d branches are in use, want the one above the root and 30 below", live)
	}
}

func TestPunchSize(t *testing.T) {
	tree := NewTree(Key{2})
	tree.Punch(1 << 40)
	out, _ := tree.AppendBinary(nil)
	if len(out) > 3*1024+33 {
		t.Errorf("one punched leaf costs %d bytes, want at most 3,105", len(out))
	}
	if tree.size() != len(out) {
		t.Errorf("size says %d, the form has %d bytes", tree.size(), len(out))
	}
}

func TestTreeRoundTrip(t *testing.T) {
	r := seed(t)
	for _, punches := range []int{0, 1, 2, 50, 1000} {
		root := randomKey(r)
		tree := NewTree(root)
		var punched []uint64
		for range punches {
			punched = append(punched, clusteredIndex(r, punched))
			tree.Punch(punched[len(punched)-1])
		}
		out, _ := tree.AppendBinary(nil)
		if tree.size() != len(out) {
			t.Errorf("size says %d, the form has %d bytes", tree.size(), len(out))
		}
		again, err := parseTree(out)
		if err != nil {
			t.Fatal(err)
		}
		back, _ := again.AppendBinary(nil)
		if !bytes.Equal(out, back) {
			t.Fatalf("%d punches: parsed and written again it differs", punches)
		}
		for range 200 {
			index := clusteredIndex(r, punched)
			got, err := again.Derive(index)
			want, wantErr := tree.Derive(index)
			if got != want || !errors.Is(err, wantErr) {
				t.Fatalf("leaf %016x: %x %v, want %x %v", index, got, err, want, wantErr)
			}
		}
	}
}

func TestParseTreeRefuses(t *testing.T) {
	leafDeep := []byte{2}
	for range treeLevels + 1 {
		leafDeep = append(leafDeep, 2)
	}
	for name, src := range map[string][]byte{
		"nothing":                 {},
		"unknown kind":            {3},
		"unknown kind of a child": {2, 0b11},
		"half a node":             append([]byte{1}, make([]byte, 31)...),
		"bytes after it":          append([]byte{1}, make([]byte, 33)...),
		"bytes after nothing":     {0, 0},
		"a branch without kinds":  {2},
		"a branch of gone":        {2, 0},
		"a branch of whole":       append([]byte{2, 0b01_01_01_01}, make([]byte, 128)...),
		"a branch under a leaf":   leafDeep,
		"a child missing":         {2, 0b01},
	} {
		if _, err := parseTree(src); !errors.Is(err, errTree) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}

func TestDestroyedTreeGivesNothing(t *testing.T) {
	tree := NewTree(Key{3})
	tree.Punch(5)
	blocks := tree.arena.blocks
	tree.Destroy()
	if _, err := tree.Derive(6); !errors.Is(err, ErrPunched) {
		t.Errorf("after Destroy: %v", err)
	}
	for _, block := range blocks {
		if *block != (branchBlock{}) {
			t.Error("nodes are still in memory")
		}
	}
}

// What is left under a punched node is kept too, so that punches do not slow the tree down.
func TestUpperNodesAfterPunch(t *testing.T) {
	root := Key{6}
	tree := NewTree(root)
	const block, punched = uint64(0x7b), uint64(0x7b30) << 48 // of the 256 nodes kept for 0x7b, number 0x30
	tree.Punch(punched)
	if _, err := tree.Derive(punched + 1<<60); err != nil { // another block
		t.Fatal(err)
	}
	if _, err := tree.Derive(punched); !errors.Is(err, ErrPunched) {
		t.Fatal(err)
	}
	kept := tree.upper.blocks[block].Load()
	if kept == nil {
		t.Fatal("the block was not filled")
	}
	for i := range kept {
		want := modelPath(root, block<<56|uint64(i)<<48)[upperLevel]
		if i == 0x30 {
			want = Key{}
		}
		if kept[i] != want {
			t.Errorf("node %02x is %x, want %x", i, kept[i], want)
		}
	}
}

func TestCompressorIsWiped(t *testing.T) {
	c := newCompressor()
	c.buf = append(c.buf, "someone@example.org"...)
	c.mac(newPads(&Key{1}))
	buf, out := c.buf[:cap(c.buf)], c.out[:cap(c.out)]
	c.release()
	if !bytes.Equal(buf, make([]byte, len(buf))) || !bytes.Equal(out, make([]byte, len(out))) {
		t.Error("a compressor in the pool still has what it hashed")
	}
}

func TestDeriveTogether(t *testing.T) {
	root := Key{4}
	tree := NewTree(root)
	tree.Punch(7 << 56)
	var group sync.WaitGroup
	for worker := range uint64(8) {
		group.Go(func() {
			for i := range uint64(200) {
				index := i<<56 ^ worker
				if got, err := tree.Derive(index); index != 7<<56 && (err != nil || got != modelLeaf(root, index)) {
					t.Errorf("leaf %016x: %x, %v", index, got, err)
				}
			}
		})
	}
	group.Wait()
}

// The plain functions of crypto/sha256 and its exported state must agree, whatever this build uses.
func TestCompressPlainly(t *testing.T) {
	r := seed(t)
	key := randomKey(r)
	from := newMidstate(padBlock(&key, innerPad))
	for length := range 300 {
		message := make([]byte, length)
		for i := range message {
			message[i] = byte(r.Uint32())
		}
		for name, start := range map[string]*midstate{"alone": nil, "after a block": &from} {
			c := newCompressor()
			before, wholeMessage := 0, message
			if start != nil {
				before, wholeMessage = blockLength, append(slices.Clone(start.block[:]), message...)
			}
			c.buf = append(c.buf[:0], message...)
			c.pad(before)
			c.compress(start)
			fast := c.sum
			c.compressPlainly(start)
			if want := Key(sha256.Sum256(wholeMessage)); fast != want || c.sum != want {
				t.Fatalf("%d bytes %s: %x and %x, want %x", length, name, fast, c.sum, want)
			}
		}
	}
	if !exportsState {
		t.Error("this build of crypto/sha256 exports another state: key derivation is half as fast")
	}
}

// Both ways down the tree agree from every level, also with no step to take.
func TestDescend(t *testing.T) {
	r := seed(t)
	c := newCompressor()
	for range count(300, 30000) {
		for level := range treeLevels + 1 {
			root, index := randomKey(r), r.Uint64()
			path := modelPath(root, index)
			one, other := path[level], path[level]
			c.descend(&one, level, index)
			c.descendStepwise(&other, level, index)
			if want := path[treeLevels]; one != want || other != want {
				t.Fatalf("from level %d to %016x: %x and %x, want %x", level, index, one, other, want)
			}
		}
	}
}

func FuzzParseTree(f *testing.F) {
	for _, punches := range []uint64{0, 1, 3} {
		tree := NewTree(Key{5})
		for i := range punches {
			tree.Punch(i * i * 0x1234567890123)
		}
		out, _ := tree.AppendBinary(nil)
		f.Add(out)
	}
	f.Add([]byte{0})
	f.Add([]byte{2, 0b00_00_00_10, 0b01})
	f.Fuzz(func(t *testing.T, src []byte) {
		tree, err := parseTree(src)
		if err != nil {
			return
		}
		out, _ := tree.AppendBinary(nil)
		if !bytes.Equal(src, out) {
			t.Errorf("%x is read as %x", src, out)
		}
		index := binary.BigEndian.Uint64(append(src, make([]byte, 8)...))
		tree.Punch(index)
		if _, err := tree.Derive(index); !errors.Is(err, ErrPunched) {
			t.Errorf("a punched leaf gives %v", err)
		}
	})
}

func BenchmarkPunch(b *testing.B) {
	for _, before := range []int{0, 10000} {
		b.Run(fmt.Sprintf("after=%d", before), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			tree := NewTree(randomKey(r))
			for range before {
				tree.Punch(r.Uint64())
			}
			measure(b, func() { tree.Punch(r.Uint64()) })
		})
	}
}

func BenchmarkTreeSize(b *testing.B) {
	for _, punches := range []int{1, 100, 10000, 100000} {
		b.Run(fmt.Sprintf("punched=%d", punches), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			tree := NewTree(randomKey(r))
			for range punches {
				tree.Punch(r.Uint64())
			}
			var out []byte
			for b.Loop() {
				out, _ = tree.AppendBinary(out[:0])
			}
			b.ReportMetric(float64(len(out))/float64(punches), "B/punch")
			b.ReportMetric(float64(len(tree.arena.blocks)*32736)/float64(punches), "B-memory/punch")
		})
	}
}

func BenchmarkDerive(b *testing.B) {
	c := newCompressor()
	var node Key
	b.Run("descend", func(b *testing.B) { measure(b, func() { c.descend(&node, upperLevel, 0x0123456789abcdef) }) })
	b.Run("stepwise", func(b *testing.B) { measure(b, func() { c.descendStepwise(&node, upperLevel, 0x0123456789abcdef) }) })
}
