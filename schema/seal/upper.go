package seal

import "sync/atomic"

const (
	upperLevel  = 8 // the level that is kept: 65,536 nodes, 2 MiB when all are in use
	blockLevel  = 4 // one block for each node of this level
	blockNodes  = 1 << (2 * (upperLevel - blockLevel))
	upperBlocks = 1 << (2 * blockLevel)
	upperShift  = 64 - 2*upperLevel
)

// upperNodes keeps the whole nodes of one level, which spares each derivation the steps above them. It is filled block by block,
// when a leaf below is first asked for.
type upperNodes struct {
	blocks [upperBlocks]atomic.Pointer[upperBlock]
}

// An upperBlock has zeros for a node that is not whole; what is left below that one is found by walking the tree.
type upperBlock [blockNodes]Key

func (u *upperNodes) covering(t *Tree, c *compressor, index uint64) (Key, int, bool) {
	place := int(index >> upperShift)
	block := u.blocks[place/blockNodes].Load()
	if block == nil {
		block = u.fill(t, c, place/blockNodes)
	}
	node := block[place%blockNodes]
	return node, upperLevel, node != Key{}
}

// fill makes a block. Of several goroutines that make the same one, the first to end is heard.
func (u *upperNodes) fill(t *Tree, c *compressor, number int) *upperBlock {
	block := &upperBlock{}
	first := uint64(number) << (64 - 2*blockLevel)
	b, i := t.arena.at(0), 0
	for level := 0; level < blockLevel && b.kind[i] == open; level++ {
		b, i = t.arena.at(b.open(i)), step(first, level)
	}
	// b and i are the child at level blockLevel, or a whole or gone one above it.
	switch node, level, ok := t.covering(first); {
	case b.kind[i] == open:
		block.collect(t, c, b, i, blockLevel, 0)
	case ok:
		c.beginSteps(&node)
		for ; level < blockLevel; level++ {
			c.step(level, step(first, level))
		}
		node = c.sum
		block.grow(c, &node, blockLevel, 0)
	}
	if !u.blocks[number].CompareAndSwap(nil, block) {
		*block = upperBlock{}
		return u.blocks[number].Load()
	}
	return block
}

// collect keeps what is whole under child i of b, which is at level and whose nodes begin at place.
func (block *upperBlock) collect(t *Tree, c *compressor, b *branch, i, level, place int) {
	if b.kind[i] == whole {
		block.grow(c, &b.child[i], level, place)
		return
	}
	if b.kind[i] == gone || level == upperLevel {
		return
	}
	below := t.arena.at(b.open(i))
	for j := range fanOut {
		block.collect(t, c, below, j, level+1, place+j<<(2*(upperLevel-level-1)))
	}
}

// grow derives the nodes under a whole one.
func (block *upperBlock) grow(c *compressor, node *Key, level, place int) {
	if level == upperLevel {
		block[place] = *node
		return
	}
	for j := range fanOut {
		c.beginSteps(node)
		c.step(level, j)
		child := c.sum
		block.grow(c, &child, level+1, place+j<<(2*(upperLevel-level-1)))
	}
}

// drop overwrites the kept node above index.
func (u *upperNodes) drop(index uint64) {
	place := int(index >> upperShift)
	if block := u.blocks[place/blockNodes].Load(); block != nil {
		block[place%blockNodes] = Key{}
	}
}

func (u *upperNodes) destroy() {
	for i := range u.blocks {
		if block := u.blocks[i].Swap(nil); block != nil {
			*block = upperBlock{}
		}
	}
}
