package match

import "strings"

// longest bounds the part of a value that is compared letter by letter. What is longer is the same or not.
const longest = 63

// distance is the optimal string alignment distance of two words by bytes (insert, delete, replace, swap neighbours), limit+1 if there
// are more edits. It is symmetric.
func distance(a, b string, limit int) int {
	la, lb := len(a), len(b)
	if la-lb > limit || lb-la > limit {
		return limit + 1
	}
	if a == b {
		return 0
	}
	if la > longest || lb > longest {
		return limit + 1
	}
	var rows [3][longest + 1]int8
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := 0; j <= lb; j++ {
		last[j] = int8(j)
	}
	for i := 1; i <= la; i++ {
		row[0] = int8(i)
		best := row[0]
		for j := 1; j <= lb; j++ {
			v := last[j-1]
			if a[i-1] != b[j-1] {
				v++
			}
			v = min(v, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				v = min(v, before[j-2]+1)
			}
			row[j] = v
			best = min(best, v)
		}
		if int(best) > limit {
			return limit + 1
		}
		before, last, row = last, row, before
	}
	return int(last[lb])
}

// likeness is the Jaro-Winkler similarity in thousandths (W. E. Winkler, String Comparator Metrics, 1990), made symmetric: letters are
// matched from the smaller word.
func likeness(a, b string) int {
	if a == b {
		return 1000
	}
	la, lb := len(a), len(b)
	if la == 0 || lb == 0 || la > longest || lb > longest {
		return 0
	}
	if la > lb || la == lb && a > b {
		a, b, la, lb = b, a, lb, la
	}
	window := max(lb/2-1, 0)
	var inA, inB uint64
	m := 0
	for i := range la {
		for j := max(i-window, 0); j < min(i+window+1, lb); j++ {
			if inB&(1<<j) == 0 && a[i] == b[j] {
				inA |= 1 << i
				inB |= 1 << j
				m++
				break
			}
		}
	}
	if m == 0 {
		return 0
	}
	moved, k := 0, 0
	for i := range la {
		if inA&(1<<i) == 0 {
			continue
		}
		for inB&(1<<k) == 0 {
			k++
		}
		if a[i] != b[k] {
			moved++
		}
		k++
	}
	jaro := (1000*m/la + 1000*m/lb + 1000*(2*m-moved)/(2*m)) / 3
	prefix := 0
	for prefix < 4 && prefix < la && a[prefix] == b[prefix] {
		prefix++
	}
	return jaro + prefix*(1000-jaro)/10
}

var consonants = strings.NewReplacer("ph", "f", "ck", "k", "qu", "k", "sch", "s", "ch", "s", "gh", "g", "th", "t", "ce", "se", "ci", "si", "ge", "je", "gi", "ji", "gu", "g")

// skeleton is a coarse phonetic key: the first sound and the consonants after it, at most five, with the spellings that French and English
// confuse brought together. It is coarser than name.Sound, so that most typing errors keep it.
func skeleton(word string) string {
	word = consonants.Replace(squeeze(word))
	key := make([]byte, 0, 5)
	for i := 0; i < len(word) && len(key) < 5; i++ {
		c := word[i]
		switch c {
		case 'a', 'e', 'i', 'o', 'u', 'y', 'h', 'w':
			if i > 0 {
				continue
			}
			c = 'a'
		case 'c', 'q':
			c = 'k'
		case 'z', 'x':
			c = 's'
		case 'd':
			c = 't'
		case 'b':
			c = 'p'
		case 'v':
			c = 'f'
		case 'g':
			c = 'j'
		case 'm':
			c = 'n'
		}
		if len(key) > 0 && key[len(key)-1] == c {
			continue
		}
		key = append(key, c)
	}
	return string(key)
}

func sorted(word string) string {
	b := []byte(word)
	for i := 1; i < len(b); i++ {
		for j := i; j > 0 && b[j] < b[j-1]; j-- {
			b[j], b[j-1] = b[j-1], b[j]
		}
	}
	return string(b)
}

func squeeze(s string) string { return strings.ReplaceAll(s, " ", "") }

func prefix(s string, n int) string { return s[:min(n, len(s))] }

// slip says how far two words may be one word badly written.
type slip uint8

const (
	other   slip = iota
	typo         // one edit, or two in long words
	garbled      // as a call centre hears it: two or three edits, one sound, the letters in another order
)

// spelling is a word with what its comparisons need, made once.
type spelling struct {
	word   string // without blanks
	sorted string
	sound  string
}

func spell(value string) spelling {
	w := squeeze(value)
	s := spelling{word: w, sound: skeleton(w)}
	if len(w) <= longest {
		s.sorted = sorted(w)
	} else {
		s.sorted = w
	}
	return s
}

func slipOf(a, b *spelling) slip {
	n := min(len(a.word), len(b.word))
	d := distance(a.word, b.word, 3)
	switch {
	case d <= 1 && n >= 2 || d <= 2 && n >= 6:
		return typo
	case d <= 2 && n >= 4 || d <= 3 && n >= 7:
		return garbled
	case n >= 3 && a.sorted == b.sorted:
		return garbled
	case n >= 4 && (a.sound == b.sound && len(a.sound) >= 3 || likeness(a.word, b.word) >= 880):
		return garbled
	}
	return other
}
