package match

import (
	"math"
	"math/bits"
	"slices"
)

// blocks says which cores have a blocking key. It is most of what a set remembers, so it has no pointers for a collector of garbage to follow and
// few bytes for a key: most keys are one core's, and take no list.
type blocks struct {
	shards []shard
	lists  arena
}

// shards is how many parts the keys lie in, so that growing moves few at a time.
const shards = 256

// shard is a part of the keys: a table with linear probing, at most four fifths full.
type shard struct {
	keys []key
	at   []int32 // of each key: the only core, or −1 minus its list; empty
	used int
}

// empty is where no key is.
const empty = math.MinInt32

// find gives the shard of a key, and the place where the key is, or would be.
func (b *blocks) find(k key) (s *shard, place int, found bool) {
	if b.shards == nil {
		b.shards = make([]shard, shards)
	}
	h := spread(k)
	s = &b.shards[h>>56]
	if len(s.keys) == 0 {
		return s, 0, false
	}
	for place = s.home(h); s.at[place] != empty; {
		if s.keys[place] == k {
			return s, place, true
		}
		if place++; place == len(s.keys) {
			place = 0
		}
	}
	return s, place, false
}

func spread(k key) uint64 {
	h := uint64(k)
	return (h ^ h>>32) * 0x9e3779b97f4a7c15
}

func (s *shard) home(h uint64) int {
	high, _ := bits.Mul64(h<<8, uint64(len(s.keys)))
	return int(high)
}

// put notes the place of a key that find did not find.
func (b *blocks) put(k key, at int32) {
	s, place, _ := b.find(k)
	if 5*(s.used+1) > 4*len(s.keys) {
		s.grow()
		_, place, _ = b.find(k)
	}
	s.keys[place], s.at[place] = k, at
	s.used++
}

func (s *shard) grow() {
	keys, at := s.keys, s.at
	n := len(keys) + len(keys)/3 + 8
	s.keys, s.at = make([]key, n), make([]int32, n)
	for i := range s.at {
		s.at[i] = empty
	}
	for i, k := range keys {
		if at[i] == empty {
			continue
		}
		place := s.home(spread(k))
		for s.at[place] != empty {
			if place++; place == n {
				place = 0
			}
		}
		s.keys[place], s.at[place] = k, at[i]
	}
}

// remove takes a key out, and moves up those that would not be found behind a gap.
func (s *shard) remove(place int) {
	s.used--
	n := len(s.keys)
	for next := place; ; {
		if next++; next == n {
			next = 0
		}
		if s.at[next] == empty {
			s.at[place] = empty
			return
		}
		home := s.home(spread(s.keys[next]))
		// Does its home lie behind the gap? Then it stays.
		if place < next && home > place && home <= next || place > next && (home > place || home <= next) {
			continue
		}
		s.keys[place], s.at[place] = s.keys[next], s.at[next]
		place = next
	}
}

// count is how many cores have a key.
func (b *blocks) count(k key) int {
	s, place, found := b.find(k)
	switch {
	case !found:
		return 0
	case s.at[place] >= 0:
		return 1
	}
	return len(b.lists.members(-1 - s.at[place]))
}

// members lists the cores that have a key, sorted; nil if they are less than two. It is good until the next add or drop.
func (b *blocks) members(k key) []int32 {
	if s, place, found := b.find(k); found && s.at[place] < 0 {
		return b.lists.members(-1 - s.at[place])
	}
	return nil
}

// add notes that a core has a key, and lists all that do; nil if nobody else does.
func (b *blocks) add(k key, slot int32) []int32 {
	s, place, found := b.find(k)
	if !found {
		b.put(k, slot)
		return nil
	}
	at := s.at[place]
	if at >= 0 {
		at = -1 - b.lists.make(min(at, slot), max(at, slot))
	} else {
		at = -1 - b.lists.insert(-1-at, slot)
	}
	s.at[place] = at
	return b.lists.members(-1 - at)
}

// drop notes that a core has a key no more, and lists those that still do; nil if they are less than two.
func (b *blocks) drop(k key, slot int32) []int32 {
	s, place, _ := b.find(k)
	at := s.at[place]
	if at >= 0 {
		s.remove(place)
		return nil
	}
	if members := b.lists.remove(-1-at, slot); len(members) > 1 {
		return members
	}
	s.at[place] = b.lists.free(-1 - at)
	return nil
}

// each calls f with every list.
func (b *blocks) each(f func(members []int32)) {
	for i := range b.shards {
		for _, at := range b.shards[i].at {
			if at < 0 && at != empty {
				f(b.lists.members(-1 - at))
			}
		}
	}
}

// arena holds lists of cores. A list of up to 3 cores, 7, 15 … has a place in the pages of its class; a longer one than the largest class has memory of its own.
// The number of a list is its place, times classes, plus its class.
type arena struct {
	classes [classes - 1]class
	long    [][]int32
	unused  []int32 // places of long
}

const (
	classes  = 12
	pageInts = 1 << 13
)

// class is the lists of one size: four numbers, eight, sixteen … of which the first says how many cores there are.
type class struct {
	pages  [][]int32
	used   int
	unused []int32
}

// page gives the numbers of a list.
func (a *arena) page(number int32) []int32 {
	c, place := number%classes, int(number/classes)
	if c == classes-1 {
		return a.long[place]
	}
	size := 4 << c
	at := place * size
	return a.classes[c].pages[at/pageInts][at%pageInts:][:size]
}

func (a *arena) members(number int32) []int32 {
	if number%classes == classes-1 {
		return a.long[number/classes]
	}
	p := a.page(number)
	return p[1 : 1+p[0]]
}

// take finds room for a list of a class.
func (a *arena) take(c int32) (number int32) {
	if c == classes-1 {
		if n := len(a.unused); n > 0 {
			number, a.unused = a.unused[n-1], a.unused[:n-1]
		} else {
			number = int32(len(a.long))
			a.long = append(a.long, nil)
		}
		return number*classes + c
	}
	of := &a.classes[c]
	if n := len(of.unused); n > 0 {
		number, of.unused = of.unused[n-1], of.unused[:n-1]
		return number*classes + c
	}
	size := 4 << c
	if of.used*size == len(of.pages)*pageInts {
		of.pages = append(of.pages, make([]int32, pageInts))
	}
	of.used++
	return int32(of.used-1)*classes + c
}

func (a *arena) make(first, second int32) int32 {
	number := a.take(0)
	copy(a.page(number), []int32{2, first, second})
	return number
}

// insert puts a core into a list, which may get another number by it.
func (a *arena) insert(number, slot int32) int32 {
	members, c := a.members(number), number%classes
	at, _ := slices.BinarySearch(members, slot)
	if c == classes-1 {
		a.long[number/classes] = slices.Insert(members, at, slot)
		return number
	}
	if len(members) < 4<<c-1 {
		p := a.page(number)
		copy(p[2+at:], p[1+at:1+len(members)])
		p[1+at] = slot
		p[0]++
		return number
	}
	longer := a.take(c + 1)
	if c+1 == classes-1 {
		a.long[longer/classes] = slices.Insert(slices.Clone(members), at, slot)
	} else {
		p := a.page(longer)
		p[0] = int32(len(members) + 1)
		copy(p[1:], members[:at])
		p[1+at] = slot
		copy(p[2+at:], members[at:])
	}
	a.free(number)
	return longer
}

// remove takes a core out of a list, and gives what is left.
func (a *arena) remove(number, slot int32) []int32 {
	members := a.members(number)
	at, _ := slices.BinarySearch(members, slot)
	if number%classes == classes-1 {
		a.long[number/classes] = slices.Delete(members, at, at+1)
	} else {
		copy(members[at:], members[at+1:])
		a.page(number)[0]--
	}
	return a.members(number)
}

// free gives the room of a list back, and its first core.
func (a *arena) free(number int32) (first int32) {
	first = a.members(number)[0]
	c := number % classes
	if c == classes-1 {
		a.long[number/classes] = nil
		a.unused = append(a.unused, number/classes)
	} else {
		a.classes[c].unused = append(a.classes[c].unused, number/classes)
	}
	return first
}
