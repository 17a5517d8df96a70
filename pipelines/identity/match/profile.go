package match

// share is a value and how many records of a profile carry it.
type share struct{ value, count int32 }

// profile is the values of a set of cores, per field of the model.
type profile struct {
	cores   []int32 // slots
	records int32
	shares  []share // sorted by field, then value
	ends    []int32 // of each field's shares
}

// field gives the values of a field of the model.
func (p *profile) field(i int) []share {
	from := int32(0)
	if i > 0 {
		from = p.ends[i-1]
	}
	return p.shares[from:p.ends[i]]
}

// has says whether there is a value of a field.
func (p *profile) has(i int) bool { return len(p.field(i)) > 0 }

// add notes a value, of the last field that was added to or of a later one.
func (p *profile) add(field int32, s share) {
	p.shares = append(p.shares, s)
	for i := int(field); i < len(p.ends); i++ {
		p.ends[i] = int32(len(p.shares))
	}
}

// shareLimit bounds what one value counts, so that sums fit in 64 bits.
const shareLimit = 64

func (p *profile) join(q *profile) *profile {
	out := &profile{
		cores: make([]int32, 0, len(p.cores)+len(q.cores)), records: p.records + q.records,
		shares: make([]share, 0, len(p.shares)+len(q.shares)), ends: make([]int32, len(p.ends)),
	}
	out.cores = append(append(out.cores, p.cores...), q.cores...)
	l := out.shares
	for i := range p.ends {
		a, b := p.field(i), q.field(i)
		for len(a) > 0 && len(b) > 0 {
			switch {
			case a[0].value < b[0].value:
				l, a = append(l, a[0]), a[1:]
			case a[0].value > b[0].value:
				l, b = append(l, b[0]), b[1:]
			default:
				l = append(l, share{a[0].value, a[0].count + b[0].count})
				a, b = a[1:], b[1:]
			}
		}
		l = append(append(l, a...), b...)
		out.ends[i] = int32(len(l))
	}
	out.shares = l
	return out
}

// score is how far two profiles agree.
type score struct {
	posterior Bits // log2 of the odds that they are one person
	forbidden bool // values are so far apart that nothing makes them one person
	bare      bool // too few fields speak for one person, however rare their values
	keyed     bool // something agrees that few people share
}

// joins says whether two profiles may be joined at a threshold.
func (s score) joins(threshold Bits) bool {
	return !s.forbidden && !s.bare && s.posterior >= threshold
}

// fieldScore is what one field adds.
type fieldScore struct {
	weight, household Bits
	alone             Bits // to add to both where no key agrees
	keyed             bool // something agrees that few people share
	forbidden         bool
}

func (s *Set) scoreField(i int, p, q *profile) fieldScore {
	a, b := p.field(i), q.field(i)
	t := s.tables[i]
	if len(a) == 1 && len(b) == 1 {
		v := t.weigh(a[0].value, b[0].value)
		return fieldScore{v.weight, v.household, v.alone, t.keyed(&v), v.forbids}
	}
	var same, household, alone uint64
	var bad, all int64
	var out fieldScore
	differs := false
	for _, x := range a {
		for _, y := range b {
			n := int64(min(x.count, shareLimit)) * int64(min(y.count, shareLimit))
			v := t.weigh(x.value, y.value)
			w := power(v.weight) * uint64(n)
			same += w
			household += power(v.household) * uint64(n)
			if v.alone != 0 {
				differs = true
				w = power(v.weight+v.alone) * uint64(n)
			}
			alone += w
			all += n
			if v.forbids {
				bad += n
			}
			out.keyed = out.keyed || t.keyed(&v)
		}
	}
	total := log2(uint64(all)) + powerFraction*bit
	out.weight, out.household, out.forbidden = log2(same)-total, log2(household)-total, 100*bad > 50*all
	if differs {
		out.alone = log2(alone) - total - out.weight
	}
	return out
}

// keyed says whether a verdict is agreement on something that few people share.
func (t *table) keyed(v *verdict) bool {
	switch t.field.Compare {
	case "mailbox", "id":
		return v.level == 0
	case "key", "date":
		return v.level <= 1
	}
	return false
}

// score compares two whole profiles: the sum over fields of the share-weighted likelihood of their values, against strangers and, if
// the model knows households, against members of one household.
func (s *Set) score(p, q *profile) score {
	var weight, household, alone Bits
	out := score{}
	agreeing, keyed := 0, false
	for i := range s.tables {
		if !p.has(i) || !q.has(i) {
			continue
		}
		if u := s.unlessBoth[i]; u >= 0 && p.has(u) && q.has(u) {
			continue
		}
		f := s.scoreField(i, p, q)
		weight += f.weight
		household += f.household
		alone += f.alone
		keyed = keyed || f.keyed
		out.forbidden = out.forbidden || f.forbidden
		if f.weight >= bit && i != s.nameTable {
			agreeing++
		}
	}
	if !keyed {
		weight += alone
		household += alone
		out.bare = agreeing < s.model.Thresholds.Agreeing
	}
	out.keyed = keyed
	out.posterior = weight + s.prior
	if s.household != nil {
		out.posterior = either(out.posterior, household+*s.household)
	}
	return out
}
