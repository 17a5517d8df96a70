package match

import "slices"

// blocks says which cores have a blocking key. Most keys are one core's: these take no list, and nothing that a collector of garbage looks into.
type blocks struct {
	at     map[uint64]int32 // by hash: the only core, or −1 minus the number of the list
	lists  [][]int32        // of two or more cores, sorted
	unused []int32
}

func newBlocks() blocks { return blocks{at: map[uint64]int32{}} }

// count is how many cores have a key.
func (b *blocks) count(hash uint64) int {
	at, found := b.at[hash]
	switch {
	case !found:
		return 0
	case at >= 0:
		return 1
	}
	return len(b.lists[-1-at])
}

// members lists the cores that have a key, sorted; nil if they are less than two.
func (b *blocks) members(hash uint64) []int32 {
	if at, found := b.at[hash]; found && at < 0 {
		return b.lists[-1-at]
	}
	return nil
}

// add notes that a core has a key, and lists all that do; nil if nobody else does.
func (b *blocks) add(hash uint64, slot int32) []int32 {
	at, found := b.at[hash]
	switch {
	case !found:
		b.at[hash] = slot
		return nil
	case at >= 0:
		list := []int32{min(at, slot), max(at, slot)}
		if n := len(b.unused); n > 0 {
			at, b.unused = b.unused[n-1], b.unused[:n-1]
			b.lists[at] = list
		} else {
			at = int32(len(b.lists))
			b.lists = append(b.lists, list)
		}
		b.at[hash] = -1 - at
		return list
	}
	list := &b.lists[-1-at]
	place, _ := slices.BinarySearch(*list, slot)
	*list = slices.Insert(*list, place, slot)
	return *list
}

// drop notes that a core has a key no more, and lists those that still do; nil if they are less than two.
func (b *blocks) drop(hash uint64, slot int32) []int32 {
	at := b.at[hash]
	if at >= 0 {
		delete(b.at, hash)
		return nil
	}
	list := &b.lists[-1-at]
	place, _ := slices.BinarySearch(*list, slot)
	if *list = slices.Delete(*list, place, place+1); len(*list) > 1 {
		return *list
	}
	b.at[hash] = (*list)[0]
	*list = nil
	b.unused = append(b.unused, -1-at)
	return nil
}
