package match

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// recipe makes blocking keys of a core: one key for every combination of its parts' values.
type recipe struct {
	parts  []part
	places []int // of the parts among those that the set's recipes are made of
	byName bool  // a part depends on the reading of a name
	limit  int   // a key on more cores proposes nothing; 0: the model's BlockSize
}

// part names something of a core that a blocking key is made of.
type part struct {
	name string
	of   func(*traits, *reading) string
	// byName: it depends on the reading of a name.
	byName bool
}

// traits is one record's values as blocking sees them: one of each field.
type traits struct {
	values []Value
	other  *Value // stands for its field instead of the last one
}

// text is what stands for a field, "" if nothing does.
func (t *traits) text(field string) string {
	if t.other != nil && t.other.Field == field {
		return t.other.Text
	}
	for i := len(t.values) - 1; i >= 0; i-- {
		if t.values[i].Field == field {
			return t.values[i].Text
		}
	}
	return ""
}

// mostViews bounds in how many ways the values of one record are taken together.
const mostViews = 16

// views are the ways to take one value of each field: the last ones, and every other value once, with the last ones of the other fields.
func views(values []Value) []traits {
	out := []traits{{values: values}}
	for i := range values {
		v := &values[i]
		if v.Field != "name" && v.Text != out[0].text(v.Field) && len(out) < mostViews {
			out = append(out, traits{values, v})
		}
	}
	return out
}

var parts = map[string]part{}

func init() {
	add := func(name string, byName bool, of func(*traits, *reading) string) {
		parts[name] = part{name, of, byName}
	}
	given := func(r *reading) string {
		if r.given == nil {
			return ""
		}
		return r.given.word
	}
	family := func(r *reading) string {
		if r.family == nil {
			return ""
		}
		return r.family.word
	}
	sound := func(w *word, n int) string {
		if w == nil {
			return ""
		}
		return prefix(w.sound, n)
	}
	add("given", true, func(_ *traits, r *reading) string { return given(r) })
	add("family", true, func(_ *traits, r *reading) string { return family(r) })
	add("given.sound", true, func(_ *traits, r *reading) string { return sound(r.given, 3) })
	add("family.sound", true, func(_ *traits, r *reading) string { return sound(r.family, 4) })
	add("given.letters", true, func(_ *traits, r *reading) string { return sorted(prefix(given(r), longest)) })
	add("family.letters", true, func(_ *traits, r *reading) string { return sorted(prefix(family(r), longest)) })
	add("given.prefix", true, func(_ *traits, r *reading) string { return prefix(given(r), 3) })
	add("family.prefix", true, func(_ *traits, r *reading) string { return prefix(family(r), 3) })
	for _, plain := range []string{"email", "phone", "card", "user_id", "cookie", "handle", "national_id", "place", "occupation", "gender", "street", "number", "postcode", "commune", "state", "birth"} {
		add(plain, false, func(t *traits, _ *reading) string { return t.text(plain) })
	}
	add("year", false, func(t *traits, _ *reading) string { return prefix(t.text("birth"), 4) })
	add("month", false, func(t *traits, _ *reading) string {
		if b := t.text("birth"); len(b) == 8 {
			return b[:6]
		}
		return ""
	})
	add("birthday", false, func(t *traits, _ *reading) string {
		if b := t.text("birth"); len(b) == 8 {
			return b[4:]
		}
		return ""
	})
	add("mailbox", false, func(t *traits, _ *reading) string { l, _, _ := strings.Cut(t.text("email"), "@"); return l })
	add("mail.domain", false, func(t *traits, _ *reading) string { _, d, _ := strings.Cut(t.text("email"), "@"); return d })
	add("mailbox.letters", false, func(t *traits, _ *reading) string { return prefix(sorted(prefix(t.text("email"), longest)), 30) })
	add("mailbox.prefix", false, func(t *traits, _ *reading) string { return prefix(t.text("email"), 4) })
	add("phone.head", false, func(t *traits, _ *reading) string {
		if p := t.text("phone"); len(p) >= 9 {
			return p[len(p)-9 : len(p)-3]
		}
		return ""
	})
	add("phone.tail", false, func(t *traits, _ *reading) string {
		if p := t.text("phone"); len(p) >= 9 {
			return p[len(p)-6:]
		}
		return ""
	})
	address := func(t *traits) []string {
		if a := t.text("address"); a != "" {
			return strings.SplitN(a, "|", 4)
		}
		return []string{"", "", t.text("postcode"), t.text("commune")}
	}
	add("town.code", false, func(t *traits, _ *reading) string { return address(t)[2] })
	add("town", false, func(t *traits, _ *reading) string { return address(t)[3] })
	add("door", false, func(t *traits, _ *reading) string {
		a := address(t)
		if a[1] == "" {
			return ""
		}
		return a[0] + " " + prefix(skeleton(a[1]), 3) + " " + prefix(a[2], 2)
	})
	add("outward", false, func(t *traits, _ *reading) string { o, _, _ := strings.Cut(t.text("postcode"), " "); return o })
}

func (m *Model) recipeOf(key string) (recipe, error) {
	var r recipe
	names, limit, limited := strings.Cut(key, "/")
	if limited {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 2 {
			return r, invalid("blocking key %s has the limit %q, which is no number of at least 2", key, limit)
		}
		r.limit = n
	}
	for _, name := range strings.Split(names, "+") {
		p, ok := parts[name]
		if !ok && m.free(name) {
			p, ok = part{name, func(t *traits, _ *reading) string { return t.text(name) }, false}, true
		}
		if !ok {
			return r, invalid("blocking key %s names %q, which is no part of a key", key, name)
		}
		r.parts = append(r.parts, p)
		r.byName = r.byName || p.byName
	}
	return r, nil
}

// addRecipe adds a recipe to those of the set.
func (s *Set) addRecipe(r recipe) {
	for _, p := range r.parts {
		place := slices.IndexFunc(s.parted, func(q part) bool { return q.name == p.name })
		if place < 0 {
			place = len(s.parted)
			s.parted = append(s.parted, p)
		}
		r.places = append(r.places, place)
	}
	s.recipes = append(s.recipes, r)
}

// keys gives the blocking keys of one record's values, as hashes: which recipe, and the values.
func (s *Set) keys(values []Value) []key {
	readings := []reading{{}} // the first is for recipes without a name
	for _, v := range values {
		if v.Field == "name" && s.nameTable >= 0 {
			n := s.tables[s.nameTable]
			c := n.called[n.id(v.Text)]
			readings = append(readings, c.readings...)
			for _, m := range c.middle {
				readings = append(readings, reading{family: n.names.familyWord(m)})
			}
		}
	}
	said := make([]string, len(s.parted))
	out := make([]key, 0, len(s.recipes)*len(readings)/2)
	for _, t := range views(values) {
		for k := range readings {
			for i := range s.parted {
				if p := &s.parted[i]; p.byName == (k > 0) {
					said[i] = p.of(&t, &readings[k])
				}
			}
			for i := range s.recipes {
				r := &s.recipes[i]
				if r.byName != (k > 0) {
					continue
				}
				if hash, ok := r.hash(i, said); ok {
					out = append(out, key(hash&^0xff|uint64(i)))
				}
			}
		}
	}
	return ordered(out)
}

// hash is the key of the i-th recipe for what its parts say: FNV-1a of 64 bits. False: a part says nothing.
func (r *recipe) hash(i int, said []string) (uint64, bool) {
	const offset, prime = 14695981039346656037, 1099511628211
	hash := (uint64(offset) ^ uint64(byte(i))) * prime
	for _, place := range r.places {
		v := said[place]
		if v == "" {
			return 0, false
		}
		for j := range len(v) {
			hash = (hash ^ uint64(v[j])) * prime
		}
		hash *= prime // a zero byte ends a part
	}
	return hash, true
}

// key is one blocking key of a core: a hash of the recipe and the values, of which the last byte is the number of the recipe.
type key uint64

// mostRecipes is how many recipes keys can name.
const mostRecipes = 1 << 8

func (k key) recipe() int { return int(k & (mostRecipes - 1)) }

// most is on how many cores a key still proposes pairs.
func (s *Set) most(k key) int { return cmp.Or(s.recipes[k.recipe()].limit, s.model.BlockSize) }

func ordered(keys []key) []key {
	slices.Sort(keys)
	return slices.Compact(keys)
}
