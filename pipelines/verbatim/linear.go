package verbatim

// linear weighs features straight into classes.
type linear struct {
	table *table
	scale []float32 // per class: what one unit of the table is worth
	bias  []float32
	dense []float32 // weights of dense features, feature by feature
}

// scores gives each class's score and how many of the features are known.
func (m *linear) scores(items []item, dense, out []float32) (known int) {
	known = m.table.sum(items, out)
	k := len(m.bias)
	for c := range out[:k] {
		out[c] = out[c]*m.scale[c] + m.bias[c]
	}
	for i, v := range dense {
		if v != 0 {
			for c, w := range m.dense[i*k : i*k+k] {
				out[c] += v * w
			}
		}
	}
	return known
}

// net adds up the features' vectors, keeps what is positive, and weighs it into labels.
type net struct {
	table *table
	scale []float32 // per dimension
	out   []float32 // dimension by dimension, a weight per label
	bias  []float32
}

// scores gives each label's score. room holds as many numbers as the table is wide.
func (m *net) scores(items []item, room, out []float32) (known int) {
	known = m.table.sum(items, room)
	copy(out, m.bias)
	k := len(m.bias)
	for d, v := range room[:m.table.width] {
		if v > 0 {
			v *= m.scale[d]
			for c, w := range m.out[d*k : d*k+k] {
				out[c] += v * w
			}
		}
	}
	return known
}
