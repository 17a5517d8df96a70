package match

// SetLimit sets how many cores are decided together at most, which is more than a test can afford.
func (s *Set) SetLimit(cores int) { s.limit = cores }

// SetCarriers sets how many cores may carry a value.
func (s *Set) SetCarriers(n int) { s.carriers = n }

// Forget has the Index read its rows anew.
func (x *Index) Forget() { x.forget() }
