package match

import "slices"

// kin are the fields by which two profiles are of one household: none if they may be one person, by their given names and birth dates.
func (s *Set) kin(p, q *profile) (shares []string) {
	given, family := false, false
	for _, a := range p.field(s.nameTable) {
		for _, b := range q.field(s.nameTable) {
			v := s.tables[s.nameTable].weigh(a.value, b.value)
			given = given || v.level >= 0 && v.level < givenGarbled
			family = family || v.second >= 0 && v.second < familyGarbled
		}
	}
	if given && !s.bornApart(p, q) {
		return nil
	}
	return s.shares(p, q, family)
}

// housed says whether two profiles are of one household and cannot be one person, by their given names or birth dates.
func (s *Set) housed(p, q *profile) bool {
	// Most pairs share nothing: that is seen first.
	return len(s.shares(p, q, true)) > 0 && len(s.kin(p, q)) > 0
}

// shares are the fields in which two profiles share a mailbox, a phone or, if their family names agree, a home.
func (s *Set) shares(p, q *profile, family bool) (shares []string) {
	for i, t := range s.tables {
		same := false
		for _, a := range p.field(i) {
			for _, b := range q.field(i) {
				switch t.field.Compare {
				case "mailbox":
					same = same || a.value == b.value
				case "key":
					same = same || a.value == b.value && t.field.Name == "phone"
				case "address":
					same = same || family && t.weigh(a.value, b.value).level <= 1
				}
			}
		}
		if same {
			shares = append(shares, t.field.Name)
		}
	}
	slices.Sort(shares)
	return shares
}

// bornApart says whether the birth dates of two profiles are two people's.
func (s *Set) bornApart(p, q *profile) bool {
	for i, t := range s.tables {
		if t.field.Compare != "date" {
			continue
		}
		apart, all := 0, len(p.field(i))*len(q.field(i))
		for _, a := range p.field(i) {
			for _, b := range q.field(i) {
				if level := t.weigh(a.value, b.value).level; level == dateDecade || level == dateDifferent {
					apart++
				}
			}
		}
		if all > 0 && apart == all {
			return true
		}
	}
	return false
}
