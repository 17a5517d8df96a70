package match

// SetLimit sets how many cores are decided together at most, which is more than a test can afford.
func (s *Set) SetLimit(cores int) { s.limit = cores }
