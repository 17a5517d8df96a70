//go:build !purego

package seal

// chainSHANI replaces node by its descendant, steps levels down: the children that the highest bits of path name, two bits a step.
// The last step has lastDomain, those before it the domain of nodes. It needs at least one step, and a processor with the SHA
// instructions.
//
//go:noescape
func chainSHANI(node *Key, path uint64, steps int, lastDomain uint32)

func cpuid(leaf, subleaf uint32) (a, b, c, d uint32)

var hasSHANI = func() bool {
	if highest, _, _, _ := cpuid(0, 0); highest < 7 {
		return false
	}
	_, _, c1, _ := cpuid(1, 0)
	_, b7, _, _ := cpuid(7, 0)
	const ssse3, sse41, sha = 1 << 9, 1 << 19, 1 << 29
	return c1&ssse3 != 0 && c1&sse41 != 0 && b7&sha != 0
}()

// descend replaces node, which is at level, by the leaf of index below it.
//
// With the processor's SHA instructions the chain of hashes stays in registers. BenchmarkDerive has the reason for this second
// implementation: the 24 steps below the kept nodes take 1.3 µs so, and 1.7 µs by calls of crypto/sha256, of the 3 µs that a key
// which is not cached may take.
func (c *compressor) descend(node *Key, level int, index uint64) {
	if !hasSHANI {
		c.descendStepwise(node, level, index)
	} else if level < treeLevels {
		chainSHANI(node, index<<(2*level), treeLevels-level, uint32(leafDomain))
	}
}
