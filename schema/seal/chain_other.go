//go:build !amd64 || purego

package seal

// descend replaces node, which is at level, by the leaf of index below it.
func (c *compressor) descend(node *Key, level int, index uint64) {
	c.descendStepwise(node, level, index)
}
