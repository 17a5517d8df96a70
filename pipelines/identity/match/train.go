package match

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/dossier-cdp/dossier/schema"
)

// Training estimates a model, without labels as Fellegi and Sunter's model is estimated when nobody knows the truth: who is one person
// under the model at hand says how likely each level of agreement is within a person (m), random pairs say how likely it is among
// strangers (u), and the model that comes out says again who is one person.
type Training struct {
	// Rounds of estimating; 2 is enough on all measured files.
	Rounds int
	// Samples is how many random pairs u is estimated on.
	Samples int
	// Seed of the random pairs. The same cores and seed give the same model, whatever the order of the cores.
	Seed uint64
	// Variants: learn which given names one person uses, from profiles that are sure.
	Variants bool
	// Answers are what people said, if anybody did: they correct who is one person under the model at hand.
	Answers Answers
}

// Answers are what people know of who is who. Cores that they say nothing about are the model's to decide.
type Answers struct {
	// Labels says whom a core is in truth about: cores of one label are one person, cores of two are two.
	Labels map[schema.ProfileID]string
	// Same and Apart are pairs of cores that are one person, and two.
	Same, Apart [][2]schema.ProfileID
}

// enough labelled cores beside others of their label tell how often the near-unique keys of one person differ, too; fewer do not.
const enough = 500

// taught is the answers by the places of cores.
type taught struct {
	label   []string
	apart   map[[2]int32]bool
	same    [][2]int32
	trusted bool // there are labels enough to estimate what is set by hand otherwise
}

func (t *training) teach() {
	place := make(map[schema.ProfileID]int32, len(t.cores))
	for i := range t.cores {
		place[t.cores[i].ID] = int32(i)
	}
	pairs := func(list [][2]schema.ProfileID, take func(a, b int32)) {
		for _, p := range list {
			a, ok := place[p[0]]
			b, ok2 := place[p[1]]
			if ok && ok2 && a != b {
				take(min(a, b), max(a, b))
			}
		}
	}
	t.taught.label = make([]string, len(t.cores))
	t.taught.apart = map[[2]int32]bool{}
	first := map[string]int32{}
	beside := 0
	for i := range t.cores {
		label := t.Answers.Labels[t.cores[i].ID]
		if label == "" {
			continue
		}
		t.taught.label[i] = label
		if f, ok := first[label]; ok {
			t.taught.same = append(t.taught.same, [2]int32{f, int32(i)})
			beside++
		} else {
			first[label] = int32(i)
		}
	}
	t.taught.trusted = beside >= enough
	pairs(t.Answers.Same, func(a, b int32) { t.taught.same = append(t.taught.same, [2]int32{a, b}) })
	pairs(t.Answers.Apart, func(a, b int32) { t.taught.apart[[2]int32{a, b}] = true })
}

// two says whether people know that two cores are two people.
func (t *training) two(a, b int32) bool {
	x, y := t.taught.label[a], t.taught.label[b]
	return x != "" && y != "" && x != y || t.taught.apart[[2]int32{min(a, b), max(a, b)}]
}

// corrected is who is one person under the model at hand, with what people said: cores that are one person have one group. Where somebody
// says that two of a group are two people, round leaves the pair out.
func (t *training) corrected(groups []int32) []int32 {
	parent := make([]int32, len(t.cores))
	for i := range parent {
		parent[i] = int32(i)
	}
	find := func(x int32) int32 {
		for parent[x] != x {
			parent[x] = parent[parent[x]]
			x = parent[x]
		}
		return x
	}
	join := func(a, b int32) {
		if a, b = find(a), find(b); a != b {
			parent[max(a, b)] = min(a, b)
		}
	}
	byGroup := map[int32][]int32{}
	for i, g := range groups {
		for _, other := range byGroup[g] {
			if !t.two(int32(i), other) {
				join(int32(i), other)
				break
			}
		}
		byGroup[g] = append(byGroup[g], int32(i))
	}
	for _, p := range t.taught.same {
		join(p[0], p[1])
	}
	out := make([]int32, len(groups))
	for i := range out {
		out[i] = find(int32(i))
	}
	return out
}

// kept says how many profiles must carry a value before its frequency enters the model: names may be public, values of few people
// may not.
const (
	keptNames  = 3
	keptValues = 5
)

// Train estimates a model of the same fields as start.
func Train(start *Model, cores []Core, how Training) (*Model, error) {
	m := start.clone()
	m.Records = 0
	for i := range cores {
		m.Records += len(cores[i].Records)
	}
	m.Prior = -math.Log2(float64(max(m.Records, 2)))
	cores = slices.Clone(cores)
	slices.SortFunc(cores, func(a, b Core) int { return a.ID.Compare(b.ID) })
	t := &training{Training: how, model: m, cores: cores}
	for i := range cores {
		for _, values := range cores[i].Records {
			t.records = append(t.records, values)
			t.of = append(t.of, int32(i))
		}
	}
	t.teach()
	t.frequencies(nil)
	if err := t.strangers(); err != nil {
		return nil, err
	}
	for range how.Rounds {
		if err := t.round(); err != nil {
			return nil, err
		}
	}
	if err := m.Prepare(); err != nil {
		return nil, err
	}
	return m, t.calibrate()
}

type training struct {
	Training
	model   *Model
	cores   []Core
	records [][]Value
	of      []int32 // record -> core
	taught  taught
}

func (m *Model) clone() *Model {
	c := *m
	c.Fields = slices.Clone(m.Fields)
	for i := range c.Fields {
		f := &c.Fields[i]
		f.Levels = slices.Clone(f.Levels)
		if f.Given != nil {
			g, h := *f.Given, *f.Family
			g.Levels, h.Levels = slices.Clone(g.Levels), slices.Clone(h.Levels)
			f.Given, f.Family = &g, &h
		}
	}
	c.Variants, c.Attributes = slices.Clone(m.Variants), maps.Clone(m.Attributes)
	return &c
}

// tally counts values once per group.
type tally struct {
	seen  map[groupValue]struct{}
	count map[string]int
	total int
}

type groupValue struct {
	group int32
	value string
}

func newTally() *tally { return &tally{map[groupValue]struct{}{}, map[string]int{}, 0} }

func (t *tally) add(group int32, value string) {
	if value == "" {
		return
	}
	k := groupValue{group, value}
	if _, twice := t.seen[k]; twice {
		return
	}
	t.seen[k] = struct{}{}
	t.count[value]++
	t.total++
}

func (t *tally) into(p *Part, least int, keep func(string) bool) {
	p.Frequencies = map[string]int{}
	if t.total == 0 {
		return
	}
	kept := 0
	for v, n := range t.count {
		if n >= least && keep(v) {
			p.Frequencies[v] = max(1, int(math.Round(1e6*float64(n)/float64(t.total))))
			kept += n
		}
	}
	p.Rare = 1e6 / float64(t.total)
}

// frequencies counts how common values are: once per profile, if a partition is given, else once per record.
func (t *training) frequencies(groups []int32) {
	group := func(r int) int32 {
		if groups == nil {
			return int32(r)
		}
		return groups[t.of[r]]
	}
	for i := range t.model.Fields {
		f := &t.model.Fields[i]
		if f.Compare == "name" {
			t.nameFrequencies(f, group)
			continue
		}
		if f.Rare == 0 {
			continue
		}
		counts := newTally()
		for r, values := range t.records {
			for _, v := range values {
				switch {
				case v.Field != f.Name:
				case f.Compare == "address":
					a := makeAddress(&weights{}, v.Text).(*address)
					counts.add(group(r), a.postcode)
					if a.commune != "" {
						counts.add(group(r), "commune "+a.commune)
					}
				default:
					counts.add(group(r), v.Text)
				}
			}
		}
		if f.Compare == "address" {
			counts.total /= 2 // each address counts in two ways
		}
		counts.into(&f.Part, keptValues, func(string) bool { return true })
	}
}

func (t *training) nameFrequencies(f *Field, group func(int) int32) {
	given, family := newTally(), newTally()
	families := map[string]map[string]bool{}
	plain := newNames(&Model{}, &Field{Given: &Part{Levels: f.Given.Levels}, Family: &Part{Levels: f.Family.Levels}})
	for r, values := range t.records {
		for _, v := range values {
			if v.Field != f.Name {
				continue
			}
			first := plain.read(v.Text).readings[0]
			if first.given != nil {
				given.add(group(r), first.given.value)
				if first.family != nil {
					if families[first.given.value] == nil {
						families[first.given.value] = map[string]bool{}
					}
					families[first.given.value][first.family.sound] = true
				}
			}
			if first.family != nil {
				family.add(group(r), first.family.value)
			}
		}
	}
	least := 5
	if len(t.records) < 3000 {
		least = 4
	}
	given.into(f.Given, 1, func(v string) bool { return len(families[v]) >= least })
	family.into(f.Family, keptNames, func(string) bool { return true })
}

// strangers estimates how likely each level is among random pairs.
func (t *training) strangers() error {
	if err := t.model.Prepare(); err != nil {
		return err
	}
	s := NewSet(t.model)
	read := make([][][]int32, len(t.records))
	for r, values := range t.records {
		read[r] = make([][]int32, len(s.tables))
		for i, table := range s.tables {
			for _, v := range values {
				if v.Field == table.field.Name {
					read[r][i] = append(read[r][i], table.id(v.Text))
				}
			}
		}
	}
	counts := make([][]float64, len(s.tables))
	for i, f := range t.model.Fields {
		counts[i] = make([]float64, len(f.Levels))
	}
	given, family := make([]float64, len(givenLevels)), make([]float64, len(familyLevels))
	rng := rand.New(rand.NewPCG(t.Seed, 1))
	for range t.Samples {
		a, b := rng.IntN(len(read)), rng.IntN(len(read))
		if a == b {
			continue
		}
		for i, table := range s.tables {
			if len(read[a][i]) == 0 || len(read[b][i]) == 0 {
				continue
			}
			x, y := read[a][i][0], read[b][i][0]
			if table.names == nil {
				counts[i][table.weigh(x, y).level]++
				continue
			}
			p, q := &table.called[x].readings[0], &table.called[y].readings[0]
			if p.given != nil && q.given != nil {
				given[table.names.compareGiven(p.given, q.given).level]++
			}
			if p.family != nil && q.family != nil {
				family[table.names.compareFamily(p.family, q.family).level]++
			}
		}
	}
	for i := range t.model.Fields {
		f := &t.model.Fields[i]
		if f.Compare == "name" {
			f.Given.setU(given)
			f.Family.setU(family)
		} else {
			f.Part.setU(counts[i])
		}
	}
	return t.model.Prepare()
}

func (p *Part) setU(counts []float64) {
	if p.Fixed {
		return
	}
	total := 0.0
	for _, n := range counts {
		total += n + .3
	}
	for l := range p.Levels {
		if !p.Levels[l].FixedU {
			p.Levels[l].U = significant((counts[l] + .3) / total)
		}
	}
}

// significant rounds to four digits, so that a model is readable.
func significant(x float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	if err != nil {
		return x // no number is written that cannot be read
	}
	return rounded
}

// setM estimates M. all: also what is set by hand.
func (p *Part) setM(counts []float64, all bool) {
	if p.Fixed && !all {
		return
	}
	total := 0.0
	for _, n := range counts {
		total += n
	}
	weight := .05*total + 50
	for l := range p.Levels {
		if p.Levels[l].FixedM && !all {
			continue
		}
		p.Levels[l].M = significant((counts[l] + weight*p.Levels[l].M) / (total + weight))
	}
}

// round decides who is who under the model at hand, and estimates it anew.
func (t *training) round() error {
	s := NewSet(t.model)
	for i := range t.cores {
		s.Put(t.cores[i])
	}
	s.Resolve()
	groups := make([]int32, len(t.cores))
	for i := range t.cores {
		groups[i] = s.cores[s.slots[t.cores[i].ID]].group
	}
	groups = t.corrected(groups)
	byGroup := map[int32][]int{}
	var order []int32
	for r := range t.records {
		g := groups[t.of[r]]
		if byGroup[g] == nil {
			order = append(order, g)
		}
		byGroup[g] = append(byGroup[g], r)
	}
	counts := make([][]float64, len(s.tables))
	for i, f := range t.model.Fields {
		counts[i] = make([]float64, len(f.Levels))
	}
	given, family := make([]float64, len(givenLevels)), make([]float64, len(familyLevels))
	variants := map[[2]string]map[int32]bool{}
	mates := 0.0
	for _, g := range order {
		members := byGroup[g]
		mates += float64(len(members)) * float64(len(members)-1)
		weight := 1 / float64(len(members)-1) // every record counts once
		for i := range members {
			for j := range i {
				if t.two(t.of[members[i]], t.of[members[j]]) {
					continue
				}
				for k, table := range s.tables {
					x, okX := first(t.records[members[i]], table)
					y, okY := first(t.records[members[j]], table)
					if !okX || !okY {
						continue
					}
					v := table.weigh(x, y)
					if table.names == nil {
						counts[k][v.level] += weight
						continue
					}
					if v.level >= 0 {
						given[v.level] += weight
					}
					if v.second >= 0 {
						family[v.second] += weight
					}
					if v.level >= givenTypo && v.second >= 0 && v.second <= familyTypo {
						noteVariant(variants, table.called[x].readings[0].given, table.called[y].readings[0].given, g)
					}
				}
			}
		}
	}
	for i := range t.model.Fields {
		f := &t.model.Fields[i]
		if f.Compare == "name" {
			f.Given.setM(given, t.taught.trusted)
			f.Family.setM(family, t.taught.trusted)
		} else {
			f.Part.setM(counts[i], t.taught.trusted)
		}
	}
	if t.Variants {
		t.learn(variants)
	}
	t.frequencies(groups)
	if err := t.strangers(); err != nil {
		return err
	}
	n := float64(len(t.records))
	t.model.Prior = math.Round(1000*(math.Log2(max(mates, 1)/n)-math.Log2(n))) / 1000
	return t.model.Prepare()
}

func first(values []Value, t *table) (int32, bool) {
	for _, v := range values {
		if v.Field == t.field.Name {
			return t.id(v.Text), true
		}
	}
	return 0, false
}

func noteVariant(variants map[[2]string]map[int32]bool, a, b *word, group int32) {
	if a == nil || b == nil || !a.known || !b.known {
		return
	}
	k := [2]string{min(a.value, b.value), max(a.value, b.value)}
	if variants[k] == nil {
		variants[k] = map[int32]bool{}
	}
	variants[k][group] = true
}

// variantProfiles is in how many profiles two given names must stand for one person before they are known as variants.
const variantProfiles = 4

func (t *training) learn(variants map[[2]string]map[int32]bool) {
	for k, in := range variants {
		if len(in) >= variantProfiles && !slices.Contains(t.model.Variants, k) {
			t.model.Variants = append(t.model.Variants, k)
		}
	}
	slices.SortFunc(t.model.Variants, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
}
