package seal

import (
	"encoding/binary"

	"github.com/dossier-cdp/dossier/schema"
)

// ErrPunched says that the leaf of this persona and epoch, or of this dead letter, has been punched: nobody can derive it.
var ErrPunched error = schema.Refuse("erased", "the key of this person and epoch has been destroyed", "")

const (
	treeLevels = 32 // below the root; 4-ary, so 64 bits of index
	fanOut     = 4

	// What a child is hashed with. The last level has a domain of its own, so that no leaf is a node.
	nodeDomain byte = 1
	leafDomain byte = 2
)

// Tree is a puncturable pseudorandom function (GGM): it derives a key for each 64-bit index from one root, until that index is
// punched.
//
//	child i of a node = SHA-256(node ‖ domain ‖ i), domain 1 for levels 1 to 31, 2 for the leaves at level 32
//	leaf of an index  = 32 steps from the root, two bits of the index a step, the highest first
//
// It keeps the nodes that cover exactly the leaves not punched. What it holds is a function of the root and the set of punched
// leaves: the order of punches is forgotten.
//
// Several goroutines may Derive at a time. Punch and Destroy need the tree for themselves.
type Tree struct {
	arena branches
	upper upperNodes
}

// A branch is a node that is itself given up, because something below is punched: its four children by kind. Branch 0 stands
// above the root, which is its first child.
type branch struct {
	kind [fanOut]childKind
	// For a whole child its node, for an open child the number of its branch in the first four bytes, else zeros.
	child [fanOut]Key
}

type childKind uint8

// The kinds, as they are serialised in two bits.
const (
	gone  childKind = iota // every leaf below is punched
	whole                  // no leaf below is punched
	open                   // some are: a branch
)

func (b *branch) open(i int) int { return int(binary.BigEndian.Uint32(b.child[i][:])) }

func (b *branch) set(i int, kind childKind, node *Key) {
	b.kind[i] = kind
	b.child[i] = *node
}

func (b *branch) setOpen(i, number int) {
	b.kind[i] = open
	b.child[i] = Key{}
	binary.BigEndian.PutUint32(b.child[i][:], uint32(number))
}

// NewTree makes a tree from which nothing is punched.
func NewTree(root Key) *Tree {
	t := &Tree{}
	t.arena.at(t.arena.take()).set(0, whole, &root)
	return t
}

// step says which child of the node at level leads to index.
func step(index uint64, level int) int { return int(index>>(2*(treeLevels-1-level))) & (fanOut - 1) }

// stepTails are the second halves of the block that a step hashes, after the node: domain, child and padding, by whether the
// child is a leaf and by its number. They are moved whole, since the hash's wide loads would wait for bytes written one by one.
var stepTails = func() (tails [2][fanOut]Key) {
	for leaf, domain := range []byte{nodeDomain, leafDomain} {
		for i := range fanOut {
			c := compressor{buf: append(make([]byte, len(Key{})), domain, byte(i))}
			c.pad(0)
			tails[leaf][i] = Key(c.buf[len(Key{}):])
		}
	}
	return tails
}()

// beginSteps readies c to step down from node.
func (c *compressor) beginSteps(node *Key) {
	c.buf = c.buf[:blockLength]
	c.sum = *node
}

// step replaces the node in sum, which is at level, by its child i.
func (c *compressor) step(level, i int) {
	leaf := 0
	if level == treeLevels-1 {
		leaf = 1
	}
	*(*Key)(c.buf) = c.sum
	*(*Key)(c.buf[len(Key{}):]) = stepTails[leaf][i]
	c.compress(nil)
}

// descendStepwise is descend by crypto/sha256.
func (c *compressor) descendStepwise(node *Key, level int, index uint64) {
	c.beginSteps(node)
	for ; level < treeLevels; level++ {
		c.step(level, step(index, level))
	}
	*node = c.sum
}

// Derive gives the leaf of index, or ErrPunched.
func (t *Tree) Derive(index uint64) (Key, error) {
	c := borrow()
	defer c.release()
	return t.derive(c, index)
}

func (t *Tree) derive(c *compressor, index uint64) (Key, error) {
	node, level, ok := t.upper.covering(t, c, index)
	if !ok {
		node, level, ok = t.covering(index)
	}
	if !ok {
		return Key{}, ErrPunched
	}
	c.descend(&node, level, index)
	return node, nil
}

// covering finds the whole node above index, or the leaf itself.
func (t *Tree) covering(index uint64) (node Key, level int, ok bool) {
	b, i := t.arena.at(0), 0
	for ; ; level++ {
		switch b.kind[i] {
		case whole:
			return b.child[i], level, true
		case gone:
			return Key{}, 0, false
		}
		b, i = t.arena.at(b.open(i)), step(index, level)
	}
}

// Punch gives up the leaf of index for ever, and with it every node above. It says whether that changed anything.
func (t *Tree) Punch(index uint64) bool {
	c := borrow()
	defer c.release()
	var path [treeLevels + 1]struct{ branch, child int }
	number, i := 0, 0
	for level := 0; ; level++ {
		path[level].branch, path[level].child = number, i
		b := t.arena.at(number)
		if b.kind[i] == gone {
			return false
		}
		if level == treeLevels {
			break
		}
		if b.kind[i] == whole {
			below := t.arena.take()
			split(c, t.arena.at(below), &b.child[i], level)
			b.setOpen(i, below)
		}
		number, i = b.open(i), step(index, level)
	}
	t.forget(path[:])
	t.upper.drop(index)
	return true
}

// split fills b with the children of node.
func split(c *compressor, b *branch, node *Key, level int) {
	for i := range fanOut {
		c.beginSteps(node)
		c.step(level, i)
		b.set(i, whole, &c.sum)
	}
}

// forget marks the last child of path as gone, and each branch above that has nothing left.
func (t *Tree) forget(path []struct{ branch, child int }) {
	for level := len(path) - 1; level >= 0; level-- {
		b := t.arena.at(path[level].branch)
		b.set(path[level].child, gone, &Key{})
		if level == 0 || b.kind != [fanOut]childKind{} {
			return
		}
		t.arena.giveBack(path[level].branch)
	}
}

// Destroy overwrites all that the tree holds. It derives nothing afterwards.
func (t *Tree) Destroy() {
	t.arena.destroy()
	t.upper.destroy()
	t.arena.take()
}

// branches are kept in blocks that never move, so that no copy of a node stays behind when their number grows, and that hold no
// pointers, so that the collector does not scan them.
type branches struct {
	blocks []*branchBlock
	used   int
	free   []int
}

const branchesPerBlock = 248 // 32,736 bytes

type branchBlock [branchesPerBlock]branch

func (a *branches) at(number int) *branch {
	return &a.blocks[number/branchesPerBlock][number%branchesPerBlock]
}

// take gives the number of an empty branch.
func (a *branches) take() int {
	if n := len(a.free); n > 0 {
		number := a.free[n-1]
		a.free = a.free[:n-1]
		return number
	}
	if a.used == len(a.blocks)*branchesPerBlock {
		a.blocks = append(a.blocks, new(branchBlock))
	}
	a.used++
	return a.used - 1
}

func (a *branches) giveBack(number int) {
	*a.at(number) = branch{}
	a.free = append(a.free, number)
}

func (a *branches) destroy() {
	for _, block := range a.blocks {
		*block = branchBlock{}
	}
	*a = branches{}
}
