package seal

import (
	"errors"
	"fmt"
)

// Serialised, a tree is a trie without prefixes. The root comes as one kind byte (0 gone, 1 whole, 2 open), a whole node as its
// 32 bytes, a branch as one byte with the kinds of its four children (two bits each, child 0 lowest) and then those of its
// children that are not gone, in order. So a punched leaf costs at most 32 bytes of kinds and 96 nodes (3,104 bytes), and less
// the more of its path is shared. There is one form for one state: a branch with nothing gone below, or with nothing left, is
// refused.

var errTree = errors.New("not a key tree")

// AppendBinary appends the serialised tree to dst. It never fails.
func (t *Tree) AppendBinary(dst []byte) ([]byte, error) {
	root := t.arena.at(0)
	dst = append(dst, byte(root.kind[0]))
	return t.appendChild(dst, root, 0), nil
}

func (t *Tree) appendChild(dst []byte, b *branch, i int) []byte {
	switch b.kind[i] {
	case whole:
		return append(dst, b.child[i][:]...)
	case open:
		below := t.arena.at(b.open(i))
		var kinds byte
		for j, kind := range below.kind {
			kinds |= byte(kind) << (2 * j)
		}
		dst = append(dst, kinds)
		for j := range fanOut {
			dst = t.appendChild(dst, below, j)
		}
	}
	return dst
}

// size is the length of the serialised tree.
func (t *Tree) size() int {
	total := 0
	for number := range t.arena.used {
		b := t.arena.at(number)
		if b.kind != [fanOut]childKind{} {
			total++ // a freed branch is empty; branch 0 stands for the root's kind byte
		}
		for _, kind := range b.kind {
			if kind == whole {
				total += len(Key{})
			}
		}
	}
	return max(total, 1)
}

// parseTree reads a serialised tree from all of src.
func parseTree(src []byte) (*Tree, error) {
	t := &Tree{}
	p := treeParser{tree: t, rest: src}
	kind, err := p.kindByte()
	if err == nil {
		err = p.child(t.arena.take(), 0, kind, 0)
	}
	if err == nil && len(p.rest) != 0 {
		err = fmt.Errorf("%w: %d bytes follow it", errTree, len(p.rest))
	}
	if err != nil {
		t.arena.destroy()
		return nil, err
	}
	return t, nil
}

type treeParser struct {
	tree *Tree
	rest []byte
}

func (p *treeParser) kindByte() (childKind, error) {
	if len(p.rest) == 0 {
		return 0, fmt.Errorf("%w: it ends early", errTree)
	}
	kind := childKind(p.rest[0])
	p.rest = p.rest[1:]
	if kind > open {
		return 0, fmt.Errorf("%w: unknown kind %d", errTree, kind)
	}
	return kind, nil
}

// child reads the i-th child of a branch, which is at level.
func (p *treeParser) child(number, i int, kind childKind, level int) error {
	switch kind {
	case gone:
		return nil
	case whole:
		if len(p.rest) < len(Key{}) {
			return fmt.Errorf("%w: it ends early", errTree)
		}
		p.tree.arena.at(number).set(i, whole, (*Key)(p.rest))
		p.rest = p.rest[len(Key{}):]
		return nil
	}
	if level == treeLevels {
		return fmt.Errorf("%w: a leaf cannot be open", errTree)
	}
	if len(p.rest) == 0 {
		return fmt.Errorf("%w: it ends early", errTree)
	}
	kinds := p.rest[0]
	p.rest = p.rest[1:]
	if kinds == 0 || kinds == 0b01_01_01_01 {
		return fmt.Errorf("%w: a branch without need", errTree)
	}
	below := p.tree.arena.take()
	p.tree.arena.at(number).setOpen(i, below)
	for j := range fanOut {
		kind := childKind(kinds >> (2 * j) & 3)
		if kind > open {
			return fmt.Errorf("%w: unknown kind %d", errTree, kind)
		}
		if err := p.child(below, j, kind, level+1); err != nil {
			return err
		}
	}
	return nil
}
