package match

import "slices"

// surroundings says which cores carry a value, and beside which given names it stands. Most values are one core's: these take no list.
type surroundings struct {
	at     map[value]int32 // the only core, or −1 minus the number of the list
	lists  []*beside
	unused []int32
}

// beside is what stands beside a value of two or more cores.
type beside struct {
	carriers []int32      // sorted
	sounds   []soundCount // sorted
}

// soundCount is how many carriers of a value have a given name that sounds so.
type soundCount struct{ sound, count int32 }

func newSurroundings() surroundings { return surroundings{at: map[value]int32{}} }

// note counts sounds, by 1 or −1.
func (b *beside) note(sounds []int32, by int32) {
	for _, sound := range sounds {
		at, found := slices.BinarySearchFunc(b.sounds, sound, func(c soundCount, s int32) int { return int(c.sound) - int(s) })
		if !found {
			b.sounds = slices.Insert(b.sounds, at, soundCount{sound: sound})
		}
		if b.sounds[at].count += by; b.sounds[at].count == 0 {
			b.sounds = slices.Delete(b.sounds, at, at+1)
		}
	}
}

// carriers lists the cores that carry a value, sorted.
func (x *surroundings) carriers(v value) []int32 {
	at, found := x.at[v]
	switch {
	case !found:
		return nil
	case at >= 0:
		return []int32{at}
	}
	return x.lists[-1-at].carriers
}

// sound is the number of what a given name sounds like.
func (s *Set) sound(text string) int32 {
	n, known := s.sounds[text]
	if !known {
		n = int32(len(s.sounds))
		s.sounds[text] = n
	}
	return n
}

// standsFor is what stands for the given name of a core that has none, beside its other values: a mailbox. A till's own card on the tickets of a hundred
// mailboxes is nobody's, though no ticket has a name.
func (s *Set) standsFor(v value) string {
	if t := s.tables[v.table]; t.field.Compare == "mailbox" {
		return "@" + t.texts[v.id]
	}
	return ""
}

// tells says whether what a core is called counts beside its values of a table: a mailbox that stands for a name does not stand beside itself.
func (s *Set) tells(weak bool, table int32) bool {
	return !weak || s.model.Fields[table].Compare != "mailbox"
}

func (s *Set) soundsBeside(v value, slot int32) []int32 {
	if in := &s.cores[slot]; s.tells(in.weak, v.table) {
		return in.sounds
	}
	return nil
}

// surround notes that a core carries a value.
func (s *Set) surround(v value, slot int32) {
	x := &s.beside
	at, found := x.at[v]
	if !found {
		x.at[v] = slot
		return
	}
	if at >= 0 {
		only := at
		if n := len(x.unused); n > 0 {
			at, x.unused = x.unused[n-1], x.unused[:n-1]
		} else {
			at = int32(len(x.lists))
			x.lists = append(x.lists, nil)
		}
		b := &beside{carriers: []int32{only}}
		b.note(s.soundsBeside(v, only), 1)
		x.lists[at], at = b, -1-at
		x.at[v] = at
	}
	b := x.lists[-1-at]
	place, _ := slices.BinarySearch(b.carriers, slot)
	b.carriers = slices.Insert(b.carriers, place, slot)
	b.note(s.soundsBeside(v, slot), 1)
}

// surroundLess notes that a core carries a value no more.
func (s *Set) surroundLess(v value, slot int32) {
	x := &s.beside
	at := x.at[v]
	if at >= 0 {
		delete(x.at, v)
		return
	}
	b := x.lists[-1-at]
	place, _ := slices.BinarySearch(b.carriers, slot)
	b.carriers = slices.Delete(b.carriers, place, place+1)
	b.note(s.soundsBeside(v, slot), -1)
	if len(b.carriers) == 1 {
		x.at[v] = b.carriers[0]
		x.lists[-1-at] = nil
		x.unused = append(x.unused, -1-at)
	}
}

// generic says whether a value is no evidence, by what stands beside it.
func (s *Set) generic(v value) bool {
	limit := s.genericAt(v.table)
	if limit == 0 {
		return false
	}
	at, found := s.beside.at[v]
	switch {
	case !found:
		return false
	case at >= 0:
		return len(s.soundsBeside(v, at)) > limit || s.carriers<<s.class < 1
	}
	b := s.beside.lists[-1-at]
	return len(b.sounds) > limit || len(b.carriers) > s.carriers<<s.class
}
