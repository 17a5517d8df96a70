package value

import (
	"cmp"
	"slices"
)

// Cuts are the upper ends of the first four of five classes of about equal size. Equal values are in one class, so classes may be of unequal
// size, or empty, where many customers have the same value. Nothing but the order of the values counts, so outliers move nothing.
type Cuts[T cmp.Ordered] [4]T

// cutsOf gives the quintiles of values (each always one of the values, as by stat.Quantile). It sorts in place.
func cutsOf[T cmp.Ordered](values []T) (c Cuts[T]) {
	slices.Sort(values)
	for i := range c {
		c[i] = values[((i+1)*len(values)+4)/5-1]
	}
	return c
}

// class is 1 to 5, 5 for the largest.
func (c Cuts[T]) class(v T) int {
	out := 1
	for _, cut := range c {
		if v > cut {
			out++
		}
	}
	return out
}

// RFM are three classes, each 1 to 5, 5 the best: a customer who bought lately (R), often (F), for much money (M). M is 0 if no amount
// is known.
type RFM struct{ Recency, Frequency, Monetary int }
